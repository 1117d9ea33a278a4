# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and notes that the ipvs_* modules share; their specification is in module_utils/_ipvs/arguments.py.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of options is written once, here."""

    # The needs of every module that uses IPVS.
    DOCUMENTATION = r"""
options: {}
requirements:
  - pyroute2 >= 0.7.2 (Debian and Ubuntu package C(python3-pyroute2)), for the Python interpreter that Ansible uses or
    for C(/usr/bin/python3). The module runs under the latter if the former lacks it. The roles of this collection
    install the package unless C(lvs_install_packages) is V(false)
notes:
  - The module uses the kernel's netlink interface and does not require C(ipvsadm).
  - The module reads and changes the IPVS table of its own network namespace.
"""

    # Every module that changes something in the kernel; ipvs_info never loads ip_vs.
    LOADING = r"""
options: {}
notes:
  - The kernel module C(ip_vs) is loaded on first use. In check mode it is not loaded; if it is not loaded yet, the IPVS
    table reads as empty.
"""

    # The identity of a virtual service.
    IDENTITY = r"""
options:
  address:
    description:
      - The IPv4 or IPv6 address (VIP) of the virtual service.
      - Either O(address) or O(fwmark) is required.
    type: str
  port:
    description:
      - The port of the virtual service, V(0) to V(65535).
      - Required with O(address). V(0) means every port, which requires a persistent service.
    type: int
  protocol:
    description:
      - The protocol of a virtual service with O(address); V(tcp) if it is not given.
    type: str
    choices: [tcp, udp, sctp]
  fwmark:
    description:
      - The firewall mark of the virtual service's packets, V(1) to V(4294967295). It replaces O(address), O(port) and
        O(protocol).
    type: int
  family:
    description:
      - The address family of a virtual service with O(fwmark); V(ipv4) if it is not given.
      - The same mark in the other family identifies a different virtual service.
    type: str
    choices: [ipv4, ipv6]
"""

    # One virtual service, or all.
    ONE_SERVICE = r"""
options:
  service:
    description: The virtual service to which the task is limited. By default the task covers all of them.
    type: dict
    suboptions:
      address:
        description: The address (VIP) of the virtual service.
        type: str
      port:
        description: The port of the virtual service. Required with O(service.address).
        type: int
      protocol:
        description: The protocol of a virtual service with O(service.address); V(tcp) if it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark of the virtual service, in place of address, port and protocol.
        type: int
      family:
        description: The address family of a virtual service with O(service.fwmark); V(ipv4) if it is not given.
        type: str
        choices: [ipv4, ipv6]
"""

    # Attributes of a virtual service.
    SERVICE = r"""
options:
  scheduler:
    description:
      - The scheduling method, such as V(rr), V(wrr), V(lc), V(wlc), V(lblc), V(lblcr), V(dh), V(sh), V(sed), V(nq),
        V(fo), V(ovf), V(mh), or any other scheduler that the kernel has.
      - The kernel loads the scheduler's module when a service uses it. If the kernel does not have the scheduler, a
        real run fails and is rolled back, but check mode does not detect this.
        RV(lvs.cluster.ipvs_info#module:schedulers) lists the available schedulers.
      - If it is not given, a new virtual service gets V(wlc) and an existing one keeps its scheduler.
    type: str
  scheduler_flags:
    description:
      - Flags of the scheduler. V(sh-fallback) and V(sh-port) require O(scheduler=sh), V(mh-fallback) and V(mh-port)
        require O(scheduler=mh). V(flag-1), V(flag-2) and V(flag-3) are valid with every scheduler.
      - Requires O(scheduler). An empty list clears the flags. A change of the scheduler clears them too.
    type: list
    elements: str
  persistence_timeout:
    description:
      - The persistence timeout in seconds, V(1) to V(2678400). Connections of one client go to the same real server
        until the client has had no connection for this long.
      - V(0) makes the virtual service not persistent. If it is not given, an existing virtual service keeps its timeout
        and a new one is not persistent.
    type: int
  persistence_netmask:
    description:
      - The granularity with which clients are grouped for persistence. Clients that are equal under this mask count as
        one client. The value is an IPv4 mask (V(255.255.255.0)) or prefix length (V(24)), or for an IPv6 service a
        prefix length (V(64)).
    type: str
  persistence_engine:
    description:
      - The persistence engine, which adds a criterion to the client's address. An example is V(sip), which is for UDP.
        An empty string means none.
    type: str
  one_packet:
    description:
      - Whether each packet is scheduled on its own (one-packet scheduling). For UDP and firewall mark services only.
    type: bool
"""

    # Attributes of a real server.
    REAL_SERVER = r"""
options:
  address:
    description:
      - The IPv4 or IPv6 address (RIP) of the real server. An address of another family than the virtual service's
        requires O(forward_method=tun).
    type: str
    required: true
  port:
    description:
      - The port of the real server. By default it is the port of the virtual service, or V(0) with a firewall mark.
      - With V(dr) and V(tun) it must be the port of the virtual service, because the kernel does not translate ports.
    type: int
  forward_method:
    description:
      - The forwarding method. V(nat) is masquerading, V(dr) direct routing, V(tun) tunnelling, V(local) delivery on the
        director itself.
      - If it is not given, a new real server gets V(dr).
    type: str
    choices: [nat, dr, tun, local]
  weight:
    description:
      - The weight, V(0) to V(2147483647), which sets the share of new connections. With V(0) the real server gets no
        new connections and keeps existing ones.
      - If it is not given, a new real server gets V(1). An existing one keeps its weight, so a run does not undo a
        drain.
    type: int
  upper_threshold:
    description:
      - The upper connection threshold, V(0) to V(2147483647). At this number of connections the real server gets no new
        ones. V(0) means no limit.
    type: int
  lower_threshold:
    description:
      - The lower connection threshold. Below this number of connections the real server gets new ones again. It must
        not exceed O(upper_threshold). With V(0) the kernel chooses it.
    type: int
  tunnel_type:
    description:
      - The encapsulation for O(forward_method=tun).
    type: str
    choices: [ipip, gue, gre]
  tunnel_port:
    description:
      - The UDP port of the encapsulation. Required with O(tunnel_type=gue), and valid only with it.
    type: int
  tunnel_checksum:
    description:
      - The checksum of the encapsulation. V(csum) is for V(gue) and V(gre), V(remcsum) (remote checksum offload) for
        V(gue).
    type: str
    choices: [none, csum, remcsum]
"""

    STATE = r"""
options:
  state:
    description:
      - V(present) adds or changes the virtual service. V(absent) removes it.
    type: str
    choices: [present, absent]
    default: present
"""
