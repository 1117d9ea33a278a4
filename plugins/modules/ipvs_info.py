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
  - Returns every virtual service with its real servers, connections, counters and rates, and the table as text. It also
    returns the timeouts, the synchronisation daemons, the table sizes, and the schedulers of the running kernel.
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
      - Whether to return every entry of the connection table too, of all virtual services. A busy director has
        millions.
    type: bool
    default: false
notes:
  - Counters are up to two seconds old, because the kernel sums its per-CPU counters at this interval.
  - This module never loads C(ip_vs). RV(loaded) reports whether it is loaded. If it is not, the table is empty.
seealso:
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Read the table
  lvs.cluster.ipvs_info:
  register: ipvs

- name: Save the table
  ansible.builtin.copy:
    content: "{{ ipvs.rules }}"
    dest: /root/ipvs.rules
    mode: "0600"

- name: Read one service and the connection table
  lvs.cluster.ipvs_info:
    service:
      address: 192.0.2.10
      port: 80
    connections: true
  register: web

- name: Show the active connections of every real server
  ansible.builtin.debug:
    msg: "{{ item.1.address }} has {{ item.1.connections.active }}"
  loop: "{{ ipvs.services | subelements('real_servers') }}"
  loop_control:
    label: "{{ item.1.address }} port {{ item.1.port }}"
"""

RETURN = r"""
loaded:
  description: Whether IPVS is loaded. If it is not, all other values are empty or zero.
  returned: success
  type: bool
version:
  description: The IPVS version of the kernel.
  returned: success
  type: str
  sample: 1.2.1
kernel_version:
  description: The release of the running kernel.
  returned: success
  type: str
  sample: 6.12.48+deb13-amd64
schedulers:
  description: Schedulers that the running kernel provides, loaded or not.
  returned: success
  type: list
  elements: str
  sample: [dh, fo, lblc, lblcr, lc, mh, nq, ovf, rr, sed, sh, wlc, wrr]
persistence_engines:
  description: Persistence engines that the running kernel provides, loaded or not.
  returned: success
  type: list
  elements: str
  sample: [sip]
sync_daemons:
  description: The running connection synchronisation daemons, with the options of M(lvs.cluster.ipvs_sync_daemon) as
    keys.
  returned: success
  type: list
  elements: dict
  contains:
    role:
      description: V(master) or V(backup).
      type: str
      sample: master
    interface:
      description: The interface on which messages are sent or received.
      type: str
      sample: eth1
    sync_id:
      description: The number that masters and backups share.
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
      description: The maximum size of a message in bytes.
      type: int
      sample: 1472
statistics:
  description: Totals since IPVS was loaded or all counters were last zeroed.
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
  description: The same totals per second, averaged by the kernel over some seconds.
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
      description: The client's address. For a template it is the network according to the persistence netmask.
      type: str
      sample: 192.0.2.100
    client_port:
      description: The client's port. V(0) for a template.
      type: int
      sample: 40312
    address:
      description: The VIP. For the template of a firewall mark service it is the mark in the form of an address.
      type: str
      sample: 192.0.2.10
    port:
      description: The port of the virtual service.
      type: int
      sample: 80
    real_server_address:
      description: The address of the real server.
      type: str
      sample: 198.51.100.11
    real_server_port:
      description: The port of the real server.
      type: int
      sample: 80
    state:
      description: The kernel's name of the state, such as C(ESTABLISHED), C(FIN_WAIT) or C(UDP).
      type: str
      sample: ESTABLISHED
    expires:
      description: Seconds until the entry expires.
      type: int
      sample: 899
    persistence_engine:
      description: The persistence engine that created the entry.
      returned: if a persistence engine created the entry
      type: str
      sample: sip
    persistence_data:
      description: The data by which the engine identifies the client.
      returned: if a persistence engine created the entry
      type: str
connection_table_size:
  description:
    - The number of buckets of the connection table (the module option C(conn_tab_bits), as a power of two).
    - From Linux 7.1 on, this is the current size. It grows and shrinks with the number of connections, and is V(0)
      without services.
  returned: success
  type: int
  sample: 4096
timeouts:
  description: Timeouts of idle connections, in seconds.
  returned: success
  type: dict
  contains:
    tcp:
      description: The timeout of TCP connections.
      type: int
      sample: 900
    tcp_fin:
      description: The timeout of TCP connections after a FIN.
      type: int
      sample: 120
    udp:
      description: The timeout of UDP.
      type: int
      sample: 300
rules:
  description:
    - The table in the form of C(ipvsadm-save -n), sorted, with thresholds.
    - The text is valid for O(lvs.cluster.ipvs_table#module:rules). Without the comments after C(#) it is also valid for
      C(ipvsadm --restore).
  returned: success
  type: str
  sample: |
    -A -t 192.0.2.10:80 -s wlc
    -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
services:
  description: The virtual services, sorted. Empty if O(service) does not exist.
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
      description: The flags of the scheduler that are set.
      type: list
      elements: str
      sample: [sh-port]
    persistence_timeout:
      description: The persistence timeout in seconds. V(0) if the service is not persistent.
      type: int
      sample: 300
    persistence_netmask:
      description: The persistence netmask, an IPv4 mask or an IPv6 prefix length.
      type: str
      sample: 255.255.255.255
    persistence_engine:
      description: The persistence engine. Empty if there is none.
      type: str
      sample: ""
    one_packet:
      description: Whether each packet is scheduled on its own.
      type: bool
      sample: false
    statistics:
      description: Counters since the service was added or its counters were last zeroed.
      type: dict
      contains: *statistics
    rates:
      description: The same counters per second, averaged by the kernel over some seconds.
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
          description: At this number of connections the real server gets no new ones. V(0) means no limit.
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
          description: The position in the kernel's list, from 0. The schedulers C(mh), C(sh) and C(dh) depend on it.
          type: int
          sample: 0
        connections:
          description: The current connections of the real server.
          type: dict
          contains:
            active:
              description: Established connections.
              type: int
            inactive:
              description: All other connections, such as closing ones.
              type: int
            persistent:
              description: Persistence templates, which bind clients to this real server.
              type: int
        statistics:
          description: Counters since the real server was added or its counters were last zeroed.
          type: dict
          contains: *statistics
        rates:
          description: The same counters per second, averaged by the kernel over some seconds.
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
