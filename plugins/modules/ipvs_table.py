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
  - Adds, changes and removes any number of virtual services of the Linux Virtual Server, with their real servers, in
    one read, one plan and one batch.
  - Values that are not given stay unchanged. An existing entry is edited in place and keeps its connections.
  - If a part of the batch fails, the batch is rolled back. After a batch the table is read back and compared with the
    plan.
  - With O(persist=true) the table is also restored at boot.
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
      - Either this option or O(rules) is required. An empty list describes no services.
    type: list
    elements: dict
    suboptions:
      name:
        description: A name for messages. IPVS does not store it.
        type: str
      address:
        description: The IPv4 or IPv6 address (VIP) of the virtual service. Either this or a firewall mark is required.
        type: str
      port:
        description:
          - The port. Required with an address. V(0) means every port, which requires a persistent service.
        type: int
      protocol:
        description: The protocol of a service with an address; V(tcp) if it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark of the service's packets, in place of address, port and protocol.
        type: int
      family:
        description: The address family of a service with a firewall mark; V(ipv4) if it is not given.
        type: str
        choices: [ipv4, ipv6]
      scheduler:
        description: The scheduling method. If it is not given, a new service gets V(wlc).
        type: str
      scheduler_flags:
        description: Flags of the scheduler, as in M(lvs.cluster.ipvs_service).
        type: list
        elements: str
      persistence_timeout:
        description: The persistence timeout in seconds. V(0) makes the service not persistent.
        type: int
      persistence_netmask:
        description: Clients that are equal under this mask count as one client. An IPv4 mask or a prefix length.
        type: str
      persistence_engine:
        description: The persistence engine, such as V(sip). An empty string means none.
        type: str
      one_packet:
        description: Whether each packet is scheduled on its own. For UDP and firewall mark services only.
        type: bool
      real_servers:
        description: The real servers of the service. O(purge) determines whether other ones are removed.
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
        word C(ipvsadm) at the beginning of a line are accepted. Addresses and ports must be numeric.
      - It may contain the thresholds C(-x) and C(-y), which C(ipvsadm) does not save.
      - For a service (C(-A)), a missing C(-s) keeps the scheduler. Other missing options are reset. Without C(-p) the
        service is not persistent, and without C(--pe) it has no persistence engine. Without C(-M) each client counts
        individually. Without C(-b) (C(--sched-flags)) the flags of the scheduler are cleared. Without C(-o) one-packet
        scheduling is off.
      - For a real server (C(-a)), a missing forwarding method (C(-g), C(-m), C(-i)), C(-w), C(-x) or C(-y) stays
        unchanged. With C(-i), a missing C(--tun-type) means C(ipip), a missing C(--tun-port) no port, and a missing
        C(--tun-csum) or C(--tun-remcsum) no checksum.
      - If these are missing, new entries get V(wlc), direct routing, weight 1 and no thresholds.
      - C(-p) without a number means 360 seconds. An address of a service without a port means every port. An address of
        a real server without a port means the port of its service, or V(0) with a firewall mark. The comment C(# local)
        after C(-g) means O(services[].real_servers[].forward_method=local).
    type: str
  purge:
    description:
      - The entries to remove with O(state=present). The diff shows all removals.
      - V(none) removes nothing. V(real_servers) removes real servers that a described service does not list. A service
        without a list is not affected, whereas an empty list (C([])) removes all of its real servers. V(all) also
        removes services that are not described, except those in O(exclude).
      - With O(persist=true), recorded services that are no longer described are removed with every value, including
        V(none).
      - This option is a choice. The option of the same name in M(lvs.cluster.ipvs_service) is a boolean. Its V(true)
        corresponds to V(real_servers).
    type: str
    choices: [none, real_servers, all]
    default: none
  exclude:
    description:
      - Virtual services with another owner, such as keepalived. They are never changed.
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
      - A directory with one file per drained real server, named after its address, as written by
        M(lvs.cluster.ipvs_drain). A described real server with such a file gets weight 0 instead of its described
        weight.
      - A file that is empty or contains V(0) is ignored, and so is a directory that does not exist.
    type: path
  state:
    description:
      - V(present) adds or changes the described services. V(absent) removes them.
    type: str
    choices: [present, absent]
    default: present
  persist:
    description:
      - Whether the described services persist across reboots, in their state at the end of the task.
      - They are written to C(/etc/lvs-cluster/ipvs.rules). At boot the systemd unit C(lvs-cluster-ipvs.service)
        restores them through C(/usr/local/lib/lvs-cluster/ipvs-restore.pyz). The restore never removes anything from
        the table. Without the comments after C(#), the file is also valid for C(ipvsadm --restore).
      - The file is also the record of services that belong to this module. Services in it that are no longer described
        are removed from the table and from the file. Services that are neither in it nor described are not changed.
      - B(Warning:) There is one record per host. So only one task per host may use O(persist=true), and it must
        describe all persistent services. A second task with other services removes those of the first from the table
        and from the file, also with O(purge=none). The role P(lvs.cluster.director#role) is such a task. On its hosts
        use O(persist=false), or add the services to C(lvs_virtual_services).
      - With O(state=absent) and O(services=[]), all recorded services are removed, and then the files.
    type: bool
    default: false
seealso:
  - module: lvs.cluster.ipvs_service
  - module: lvs.cluster.ipvs_drain
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Set two services with exactly these real servers, also after a reboot
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

- name: Apply a table that ipvsadm saved and keep the service of keepalived
  lvs.cluster.ipvs_table:
    rules: "{{ lookup('ansible.builtin.file', 'ipvs.rules') }}"
    purge: all
    exclude:
      - address: 192.0.2.20
        port: 443

- name: Remove all recorded services
  lvs.cluster.ipvs_table:
    services: []
    persist: true
    state: absent
"""

RETURN = r"""
drained:
  description: The addresses of the real servers that are drained according to O(drain_directory).
  returned: with O(drain_directory)
  type: list
  elements: str
  sample: [198.51.100.11]
diff:
  description:
    - The changed virtual services before and after, in the form of C(ipvsadm-save -n), sorted, with thresholds. Both
      are empty if and only if nothing changes.
    - With more than a thousand changes it is returned in diff mode only.
    - With O(persist=true) it is a list of such pairs, for the table and for every file that changes. The list is empty
      if nothing changes.
  returned: success
  type: raw
  sample:
    before: |
      -A -t 192.0.2.10:80 -s rr
      -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
    after: |
      -A -t 192.0.2.10:80 -s rr
      -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 2
differences:
  description:
    - The differences from the task, before it is applied. Empty if nothing changes.
    - With more than a thousand changes it is returned in diff mode only.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of object that differs.
      type: str
    name:
      description: The virtual service, the real server or the path.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: virtual service
      name: "tcp 192.0.2.10:80"
      is: "-s wlc"
      should: "-s rr"
"""

import gc

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, module, whole_table


def main() -> None:
    gc.disable()  # a table can have ten thousand dicts, and the process is short
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
        gc.freeze()  # otherwise the end of the process would still walk through all of them


if __name__ == "__main__":
    main()
