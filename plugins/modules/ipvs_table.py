#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_table
short_description: Manage the IPVS table in one task
version_added: 0.1.0
description:
  - Makes any number of virtual services of the Linux Virtual Server, with their real servers, what is described. It
    takes one read, one plan and one batch, however many there are.
  - Values that are not given stay unchanged. An existing entry is edited in place and keeps its connections.
  - A batch of which a part fails is undone. After a batch the table is read back and compared with what was planned.
  - With O(persist=true) it also comes back at boot.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.loading
options:
  services:
    description:
      - The virtual services.
      - Either this or O(rules) is needed. An empty list describes none.
    type: list
    elements: dict
    suboptions:
      name:
        description: A name for messages. IPVS does not store it.
        type: str
      address:
        description: The IPv4 or IPv6 address (VIP) of the virtual service; either this or a firewall mark is needed.
        type: str
      port:
        description:
          - The port. Required with an address. V(0) stands for every port, which only a persistent service can have.
        type: int
      protocol:
        description: The protocol of a service with an address; V(tcp) if it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark that packets of the service carry, instead of address, port and protocol.
        type: int
      family:
        description: The address family of a service with a firewall mark; V(ipv4) if it is not given.
        type: str
        choices: [ipv4, ipv6]
      scheduler:
        description: How connections are spread; V(wlc) for a new service if it is not given.
        type: str
      scheduler_flags:
        description: Flags of the scheduler, as in M(lvs.cluster.ipvs_service).
        type: list
        elements: str
      persistence_timeout:
        description: The persistence timeout in seconds. V(0) makes the service not persistent.
        type: int
      persistence_netmask:
        description: Clients that are equal under this mask count as one. An IPv4 mask or a prefix length.
        type: str
      persistence_engine:
        description: What else tells clients apart, V(sip) for instance. An empty string stands for none.
        type: str
      one_packet:
        description: Schedule every packet by itself. For UDP and firewall mark services only.
        type: bool
      real_servers:
        description: Real servers of the service. Others stay unless O(purge) says otherwise.
        type: list
        elements: dict
        suboptions:
          address:
            description: The address (RIP) of the real server.
            type: str
            required: true
          port:
            description: The port. By default it is the port of the virtual service, or V(0) with a firewall mark.
            type: int
          forward_method:
            description: The forwarding method. If it is not given, a new real server gets V(dr).
            type: str
            choices: [nat, dr, tun, local]
          weight:
            description: The weight, its share of new connections. If it is not given, a new real server gets V(1).
            type: int
          upper_threshold:
            description: At this number of connections the real server gets no new ones. V(0) means no limit.
            type: int
          lower_threshold:
            description: Below this number of connections the real server gets new ones again.
            type: int
          tunnel_type:
            description: The encapsulation for V(tun).
            type: str
            choices: [ipip, gue, gre]
          tunnel_port:
            description: The UDP port of the encapsulation V(gue).
            type: int
          tunnel_checksum:
            description: The checksum of the encapsulations V(gue) and V(gre).
            type: str
            choices: [none, csum, remcsum]
  rules:
    description:
      - The virtual services as text, in the form of C(ipvsadm-save -n). Long options, comments, empty lines, and the
        word C(ipvsadm) at the beginning of a line are fine. Addresses and ports are numbers.
      - It may hold what C(ipvsadm) leaves out when it saves, the thresholds C(-x) and C(-y).
      - Of a service (C(-A)) a missing C(-p) makes it not persistent, a missing C(-M) tells every client apart, a
        missing C(--pe) leaves no persistence engine, a missing C(-b) (C(--sched-flags)) clears the flags of the
        scheduler, and a missing C(-o) ends one-packet scheduling. A missing C(-s) keeps the scheduler.
      - Of a real server (C(-a)) what is missing of the forwarding method (C(-g), C(-m), C(-i)), C(-w), C(-x) and C(-y)
        is left as it is. With C(-i), a missing C(--tun-type) stands for C(ipip), a missing C(--tun-port) for no port,
        and a missing C(--tun-csum) or C(--tun-remcsum) for no checksum.
      - New entries get V(wlc), direct routing and weight 1 where these are missing, and no thresholds.
      - C(-p) without a number stands for 360 seconds. An address of a service without a port stands for every port,
        that of a real server for the port of its service, or V(0) with a firewall mark. The comment C(# local) behind
        C(-g) stands for O(services[].real_servers[].forward_method=local).
    type: str
  purge:
    description:
      - What to remove although O(state=present). Everything that is removed shows in the diff.
      - V(none) removes nothing. V(real_servers) removes real servers that a described service does not list, of
        services that list any or list none explicitly (C([])). V(all) also removes services that are not described,
        except those that O(exclude) names.
      - With O(persist=true) also the services go that are on record and no longer described, whatever is said here,
        V(none) included.
      - This is a choice. The option of the same name in M(lvs.cluster.ipvs_service) is a boolean, whose V(true) does
        what V(real_servers) does here.
    type: str
    choices: [none, real_servers, all]
    default: none
  exclude:
    description:
      - Virtual services that belong to somebody else, keepalived for instance. They are never touched.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: The address (VIP) of the virtual service.
        type: str
      port:
        description: The port. Required with an address.
        type: int
      protocol:
        description: The protocol of a service with an address; V(tcp) if it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark, in place of address, port and protocol.
        type: int
      family:
        description: The address family of a service with a firewall mark; V(ipv4) if it is not given.
        type: str
        choices: [ipv4, ipv6]
  drain_directory:
    description:
      - A directory with a file for each real server that is drained, named after its address, as
        M(lvs.cluster.ipvs_drain) writes them. Real servers that are described and have one get weight 0, whatever
        weight is described.
      - A file that is empty or holds V(0) does not count, and neither does a directory that is not there.
    type: path
  state:
    description:
      - V(present) makes the services what is described. V(absent) removes the services that are described.
    type: str
    choices: [present, absent]
    default: present
  persist:
    description:
      - Keep the described services across reboots, as they are when the task ends.
      - They are written to C(/etc/lvs-cluster/ipvs.rules), which a systemd unit C(lvs-cluster-ipvs.service) restores
        at boot through C(/usr/local/lib/lvs-cluster/ipvs-restore.pyz). Neither ever removes anything from the table.
        C(ipvsadm --restore) takes the file too, without what stands behind C(#).
      - The file is also the record of what belongs to this module; services in it that are no longer described are
        removed from the table and from the file. Services that are neither in it nor described are not touched.
      - B(Warning:) there is one record for each host, so only one task for each host may keep services with
        O(persist=true), and it has to describe all of them. A second one with other services removes those of the
        first, from the table and from the file, with O(purge=none) too. The role P(lvs.cluster.director#role) is such
        a task. On its hosts use O(persist=false), or put the services into C(lvs_virtual_services).
      - With O(state=absent) and O(services=[]) everything recorded is removed, and then the files.
    type: bool
    default: false
seealso:
  - module: lvs.cluster.ipvs_service
  - module: lvs.cluster.ipvs_drain
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Two services, with exactly these real servers, also after a reboot
  lvs.cluster.ipvs_table:
    purge: real_servers
    persist: true
    services:
      - name: web
        address: 192.0.2.10
        port: 80
        scheduler: rr
        real_servers:
          - address: 198.51.100.11
          - address: 198.51.100.12
      - name: dns
        address: 2001:db8::10
        port: 53
        protocol: udp
        one_packet: true
        real_servers:
          - address: 2001:db8:1::11
            forward_method: nat

- name: A table that ipvsadm saved; nothing else, but what keepalived owns stays
  lvs.cluster.ipvs_table:
    rules: "{{ lookup('ansible.builtin.file', 'ipvs.rules') }}"
    purge: all
    exclude:
      - address: 192.0.2.20
        port: 443

- name: Nothing left of what was kept
  lvs.cluster.ipvs_table:
    services: []
    persist: true
    state: absent
"""

RETURN = r"""
drained:
  description: The addresses of the real servers that O(drain_directory) says are drained.
  returned: with O(drain_directory)
  type: list
  elements: str
  sample: [198.51.100.11]
diff:
  description:
    - The virtual services that change, before and after, in the form of C(ipvsadm-save -n), sorted, with thresholds.
      Both are empty if and only if nothing changes.
    - Of more than a thousand changes it is returned in diff mode only.
    - With O(persist=true) a list of such pairs, for the table and for every file that changes; empty when nothing
      changes.
  returned: success
  type: raw
  sample:
    before: |
      -A -t 192.0.2.10:80 -s rr
      -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
    after: |
      -A -t 192.0.2.10:80 -s rr
      -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 2
"""

import gc

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, module, whole_table


def main() -> None:
    gc.disable()  # a table can be ten thousand dicts, and the process is a short one
    ansible = AnsibleModule(
        {
            "services": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str"}, **arguments.service_spec()},
            },
            "rules": {"type": "str"},
            "purge": {"type": "str", "choices": ["none", "real_servers", "all"], "default": "none"},
            "exclude": {"type": "list", "elements": "dict", "options": arguments.identity_spec(), "default": []},
            "persist": {"type": "bool", "default": False},
            "drain_directory": {"type": "path"},
            **arguments.state_spec(),
        },
        mutually_exclusive=[("services", "rules")],
        required_one_of=[("services", "rules")],
        supports_check_mode=True,
    )
    try:
        module.run_prepared(ansible, whole_table.prepare)
    finally:
        gc.freeze()  # or the end of the process would still walk through all of them


if __name__ == "__main__":
    main()
