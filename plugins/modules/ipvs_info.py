#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_info
short_description: Read the IPVS table
version_added: 0.1.0
description:
  - Returns every virtual service with its real servers, connections, counters and rates, the table as text, and what
    else IPVS has - timeouts, synchronisation daemons, sizes, and the schedulers of this kernel.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes.info
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.one_service
options:
  connections:
    description:
      - Return every entry of the connection table as well, of all virtual services. A busy director has millions.
    type: bool
    default: false
notes:
  - Counters lag up to two seconds behind the traffic, since the kernel adds its processors' counters up that often.
  - This module never loads C(ip_vs); RV(loaded) tells whether it is there. One that is not loaded reads as an empty
    table.
seealso:
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Read the table
  lvs.cluster.ipvs_info:
  register: ipvs

- name: Save it
  ansible.builtin.copy:
    content: "{{ ipvs.rules }}"
    dest: /root/ipvs.rules
    mode: "0600"

- name: Read one service, and every connection there is
  lvs.cluster.ipvs_info:
    service:
      address: 192.0.2.10
      port: 80
    connections: true
  register: web

- name: Active connections of every real server
  ansible.builtin.debug:
    msg: "{{ item.1.address }} has {{ item.1.connections.active }}"
  loop: "{{ ipvs.services | subelements('real_servers') }}"
  loop_control:
    label: "{{ item.1.address }} port {{ item.1.port }}"
"""

RETURN = r"""
loaded:
  description: Whether the kernel's IPVS is loaded. Where it is not, everything else is empty or zero.
  returned: success
  type: bool
version:
  description: The version of the kernel's IPVS.
  returned: success
  type: str
  sample: 1.2.1
kernel_version:
  description: The release of the running kernel.
  returned: success
  type: str
  sample: 6.12.48+deb13-amd64
schedulers:
  description: Schedulers that the running kernel has, loaded or not.
  returned: success
  type: list
  elements: str
  sample: [dh, fo, lblc, lblcr, lc, mh, nq, ovf, rr, sed, sh, wlc, wrr]
persistence_engines:
  description: Persistence engines that the running kernel has, loaded or not.
  returned: success
  type: list
  elements: str
  sample: [sip]
sync_daemons:
  description: Connection synchronisation daemons that run, in the options of M(lvs.cluster.ipvs_sync_daemon).
  returned: success
  type: list
  elements: dict
  contains:
    role:
      description: V(master) or V(backup).
      type: str
      sample: master
    interface:
      description: The interface that messages leave or arrive on.
      type: str
      sample: eth1
    sync_id:
      description: The number that master and backup have in common.
      type: int
      sample: 7
    multicast_group:
      description: The multicast address.
      type: str
      sample: 224.0.0.81
    port:
      description: The UDP port.
      type: int
      sample: 8848
    ttl:
      description: Time to live (hop limit).
      type: int
      sample: 1
    sync_maxlen:
      description: The largest message in bytes.
      type: int
      sample: 1472
statistics:
  description: Totals since IPVS was loaded or all counters were zeroed.
  returned: success
  type: dict
  contains: &statistics
    connections:
      description: Connections scheduled.
      type: int
    packets_in:
      description: Packets from clients.
      type: int
    packets_out:
      description: Packets to clients. They pass the director with V(nat) only.
      type: int
    bytes_in:
      description: Bytes from clients.
      type: int
    bytes_out:
      description: Bytes to clients.
      type: int
rates:
  description: The same totals a second, averaged by the kernel over some seconds.
  returned: success
  type: dict
  contains: *statistics
connections:
  description: The entries of the connection table, as C(ipvsadm -Lnc) shows them.
  returned: with O(connections=true)
  type: list
  elements: dict
  contains:
    protocol:
      description: V(tcp), V(udp), V(sctp), or V(ip) for the template of a firewall mark service.
      type: str
      sample: tcp
    client_address:
      description: The client; of a template the network of the persistence netmask.
      type: str
      sample: 192.0.2.100
    client_port:
      description: The client's port; V(0) of a template.
      type: int
      sample: 40312
    address:
      description: The VIP; for the template of a firewall mark service the mark in the form of an address.
      type: str
      sample: 192.0.2.10
    port:
      description: The port of the virtual service.
      type: int
      sample: 80
    real_server_address:
      description: The real server.
      type: str
      sample: 198.51.100.11
    real_server_port:
      description: Its port.
      type: int
      sample: 80
    state:
      description: The state in the kernel's words, for instance C(ESTABLISHED), C(FIN_WAIT) or C(UDP).
      type: str
      sample: ESTABLISHED
    expires:
      description: Seconds until it is forgotten.
      type: int
      sample: 899
    persistence_engine:
      description: The engine that made it.
      returned: where one did
      type: str
      sample: sip
    persistence_data:
      description: What the engine tells clients apart by.
      returned: where one did
      type: str
connection_table_size:
  description:
    - The number of buckets of the connection table (the module option C(conn_tab_bits), as a power of two).
    - From Linux 7.1 on, this is the present size. It follows the number of connections, and is V(0) without services.
  returned: success
  type: int
  sample: 4096
timeouts:
  description: Timeouts of connections, in seconds.
  returned: success
  type: dict
  contains:
    tcp:
      description: Of TCP connections.
      type: int
      sample: 900
    tcp_fin:
      description: Of TCP connections after a FIN.
      type: int
      sample: 120
    udp:
      description: Of UDP.
      type: int
      sample: 300
rules:
  description:
    - The table in the form of C(ipvsadm-save -n), sorted, with thresholds.
    - Fit for O(lvs.cluster.ipvs_table#module:rules), and without what stands behind C(#) for C(ipvsadm --restore).
  returned: success
  type: str
  sample: |
    -A -t 192.0.2.10:80 -s wlc
    -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
services:
  description: The virtual services, sorted; none where O(service) does not exist.
  returned: success
  type: list
  elements: dict
  contains:
    family:
      description: V(ipv4) or V(ipv6).
      type: str
      sample: ipv4
    fwmark:
      description: The firewall mark.
      returned: for firewall mark services
      type: int
      sample: 21
    address:
      description: The address (VIP).
      returned: for services with an address
      type: str
      sample: 192.0.2.10
    port:
      description: The port.
      returned: for services with an address
      type: int
      sample: 80
    protocol:
      description: V(tcp), V(udp) or V(sctp).
      returned: for services with an address
      type: str
      sample: tcp
    scheduler:
      description: The scheduler.
      type: str
      sample: wlc
    scheduler_flags:
      description: Flags of the scheduler that are set.
      type: list
      elements: str
      sample: [sh-port]
    persistence_timeout:
      description: Seconds; V(0) where the service is not persistent.
      type: int
      sample: 300
    persistence_netmask:
      description: An IPv4 mask, or an IPv6 prefix length.
      type: str
      sample: 255.255.255.255
    persistence_engine:
      description: The persistence engine; empty where there is none.
      type: str
      sample: ""
    one_packet:
      description: Whether every packet is scheduled by itself.
      type: bool
      sample: false
    statistics:
      description: Counters since the service was made or its counters were zeroed.
      type: dict
      contains: *statistics
    rates:
      description: The same counters a second, averaged by the kernel over some seconds.
      type: dict
      contains: *statistics
    real_servers:
      description: The real servers, sorted.
      type: list
      elements: dict
      contains:
        address:
          description: The address (RIP).
          type: str
          sample: 198.51.100.11
        port:
          description: The port.
          type: int
          sample: 80
        forward_method:
          description: V(nat), V(dr), V(tun) or V(local).
          type: str
          sample: dr
        weight:
          description: The weight.
          type: int
          sample: 1
        upper_threshold:
          description: No new connections from this number of connections on; V(0) where there is no limit.
          type: int
          sample: 0
        lower_threshold:
          description: Below this number of connections the real server gets new ones again.
          type: int
          sample: 0
        tunnel_type:
          description: The encapsulation.
          returned: with forward_method V(tun)
          type: str
          sample: ipip
        tunnel_port:
          description: The UDP port of V(gue).
          returned: with forward_method V(tun)
          type: int
          sample: 0
        tunnel_checksum:
          description: V(none), V(csum) or V(remcsum).
          returned: with forward_method V(tun)
          type: str
          sample: none
        position:
          description: Its place in the kernel's list, from 0, by which C(mh), C(sh) and C(dh) choose.
          type: int
          sample: 0
        connections:
          description: Connections that the director knows now.
          type: dict
          contains:
            active:
              description: Established ones.
              type: int
            inactive:
              description: All others, those that are being closed for instance.
              type: int
            persistent:
              description: Templates that bind clients to this real server.
              type: int
        statistics:
          description: Counters since the real server was added or its counters were zeroed.
          type: dict
          contains: *statistics
        rates:
          description: The same counters a second, averaged by the kernel over some seconds.
          type: dict
          contains: *statistics
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, info, module


def main() -> None:
    ansible = AnsibleModule(
        {"service": arguments.service_option(), "connections": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )

    def work() -> module.Result:
        service = ansible.params["service"]
        key = None if service is None else arguments.service_key(service, "service.")
        wanted = None if key is None else key.__eq__
        return module.read(lambda ipvs: info.gather(ipvs, wanted, ansible.params["connections"]))

    module.run(ansible, work)


if __name__ == "__main__":
    main()
