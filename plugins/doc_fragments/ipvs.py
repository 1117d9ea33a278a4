# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and notes that the ipvs_* modules share; their specification is in module_utils/_ipvs/arguments.py.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of options is written once, here."""

    # What every module that talks to IPVS needs.
    DOCUMENTATION = r"""
options: {}
requirements:
  - pyroute2 >= 0.7.2 (Debian and Ubuntu package C(python3-pyroute2); the roles of this collection install it unless
    C(lvs_install_packages) is V(false)), for the interpreter that Ansible uses or for C(/usr/bin/python3), under which
    the module runs if the other has none
notes:
  - The module talks to the kernel directly and needs no C(ipvsadm).
  - The table is that of the network namespace that the module runs in.
"""

    # Every module that changes something in the kernel; ipvs_info never loads what it reads.
    LOADING = r"""
options: {}
notes:
  - A kernel module C(ip_vs) that is not loaded yet is loaded on first use. In check mode it stays that way and reads as
    an empty table.
"""

    # What identifies a virtual service.
    IDENTITY = r"""
options:
  address:
    description:
      - The IPv4 or IPv6 address (VIP) of the virtual service.
      - Either O(address) or O(fwmark) is needed.
    type: str
  port:
    description:
      - The port of the virtual service, V(0) to V(65535).
      - Needed with O(address). V(0) stands for every port, which only a persistent service can have.
    type: int
  protocol:
    description:
      - The protocol of a virtual service with O(address); V(tcp) where it is not given.
    type: str
    choices: [tcp, udp, sctp]
  fwmark:
    description:
      - The firewall mark (V(1) to V(4294967295)) that packets of the virtual service carry, instead of O(address),
        O(port) and O(protocol).
    type: int
  family:
    description:
      - The address family of a virtual service with O(fwmark); V(ipv4) where it is not given.
      - The same mark in the other family is another virtual service.
    type: str
    choices: [ipv4, ipv6]
"""

    # One virtual service of all.
    ONE_SERVICE = r"""
options:
  service:
    description: The only virtual service that the task is about. Where it is not given, the task is about everything.
    type: dict
    suboptions:
      address:
        description: The address (VIP) of the virtual service.
        type: str
      port:
        description: The port of the virtual service; needed with O(service.address).
        type: int
      protocol:
        description: The protocol of a virtual service with O(service.address); V(tcp) where it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark of the virtual service, instead of address, port and protocol.
        type: int
      family:
        description: The address family of a virtual service with O(service.fwmark); V(ipv4) where it is not given.
        type: str
        choices: [ipv4, ipv6]
"""

    # Attributes of a virtual service.
    SERVICE = r"""
options:
  scheduler:
    description:
      - How connections are spread, for instance V(rr), V(wrr), V(lc), V(wlc), V(lblc), V(lblcr), V(dh), V(sh),
        V(sed), V(nq), V(fo), V(ovf), V(mh), or any other scheduler that the kernel has.
      - The kernel loads it as a module when a service asks for it. So a name that it does not have fails in a real run,
        which puts everything back, but not in check mode. RV(lvs.cluster.ipvs_info#module:schedulers) lists those that
        it has.
      - A new virtual service gets V(wlc) where it is not given; an existing one keeps its scheduler.
    type: str
  scheduler_flags:
    description:
      - Flags of the scheduler. V(sh-fallback) and V(sh-port) belong to O(scheduler=sh), V(mh-fallback) and V(mh-port)
        to O(scheduler=mh); V(flag-1), V(flag-2) and V(flag-3) go with every scheduler.
      - Needs O(scheduler). An empty list clears the flags. Changing the scheduler clears them too.
    type: list
    elements: str
  persistence_timeout:
    description:
      - Connections of one client go to the same real server until it was away for this many seconds, V(1) to
        V(2678400).
      - V(0) makes the virtual service not persistent. Where it is not given, an existing virtual service keeps what
        it has and a new one is not persistent.
    type: int
  persistence_netmask:
    description:
      - Clients that are equal under this mask count as one client. An IPv4 mask (V(255.255.255.0)) or prefix length
        (V(24)), for an IPv6 service a prefix length (V(64)).
    type: str
  persistence_engine:
    description:
      - What else tells clients apart, V(sip) for instance, which is for UDP. An empty string stands for none.
    type: str
  one_packet:
    description:
      - Schedule every packet by itself. For UDP and firewall mark services only.
    type: bool
"""

    # Attributes of a real server.
    REAL_SERVER = r"""
options:
  address:
    description:
      - The IPv4 or IPv6 address (RIP) of the real server. It may be of another family than the virtual service only
        with O(forward_method=tun).
    type: str
    required: true
  port:
    description:
      - The port of the real server; that of the virtual service where it is not given, V(0) with a firewall mark.
      - With V(dr) and V(tun) the kernel does not translate ports, so another port than the virtual service's is
        refused.
    type: int
  forward_method:
    description:
      - V(nat) is masquerading, V(dr) direct routing, V(tun) tunnelling, V(local) delivery on the director itself.
      - A new real server gets V(dr) where it is not given.
    type: str
    choices: [nat, dr, tun, local]
  weight:
    description:
      - The share of new connections, V(0) to V(2147483647); with V(0) the real server gets none and keeps those it has.
      - A new real server gets V(1) where it is not given; an existing one keeps its weight, so that a run does not
        undo a drain.
    type: int
  upper_threshold:
    description:
      - No new connections from this number of connections on, V(0) to V(2147483647); V(0) stands for no limit.
    type: int
  lower_threshold:
    description:
      - New connections again below this number, which must not be above O(upper_threshold); V(0) leaves it to the
        kernel.
    type: int
  tunnel_type:
    description:
      - The encapsulation with O(forward_method=tun).
    type: str
    choices: [ipip, gue, gre]
  tunnel_port:
    description:
      - The UDP port of the encapsulation. Needed with O(tunnel_type=gue), and only there.
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
      - Whether it should be there.
    type: str
    choices: [present, absent]
    default: present
"""
