# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks whose packets go the way of a client's, to a real server with dr or tun.

The check connects to the VIP, from the director's own address, with a firewall mark. A virtual service of the kernel
for that mark has one real server, which gets the packet as it gets those of clients: by direct routing or in the
tunnel, with the VIP as its destination. The real server replies to the director directly. So one that does not hold the
VIP, does not decapsulate, or has no route for its replies, fails its check.

It is the same on master and backup: IPVS takes local packets in its LOCAL_OUT hook, before a neighbour is looked up
(net/netfilter/ipvs/ip_vs_core.c, ip_vs_ops), and looks for a mark first (ip_vs_ctl.c, ip_vs_service_find). On the
master the VIP is local, so the source of the reply is a local address. IPv4 accepts it with the sysctl accept_local of
the interface only (net/ipv4/fib_frontend.c, __fib_validate_source); IPv6 does not check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import own_checks
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.ipvs_entries import forwarding
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import UNREWRITTEN, Tunnel

#: The marks of these checks, one for each way to a real server.
MARKS = range(0x4C560000, 0x4C570000)
_DATAGRAMS = ("udp", "dns")
#: A way to a real server: its address, the family of the VIP, the forwarding method, and the tunnel.
Way = tuple[IPAddress, str, str, Tunnel]


def way_to(item: ResolvedService, server: RealServer) -> Way:
    """Return the way of a service's packets to one of its real servers."""
    tunnel = server.tunnel if server.forward_method == "tun" else Tunnel()
    return server.address, item.service.family, server.forward_method, tunnel


def marks(resolved: Iterable[ResolvedService]) -> dict[Way, int]:
    """Return the mark of each way. It depends on the way, so that few change with the description."""
    ways = sorted({way_to(item, server) for item, server in _servers(resolved)}, key=_order)
    found: dict[int, Way] = {}
    for way in ways:
        number = _number(way) % len(MARKS)
        while MARKS[number] in found:
            number = (number + 1) % len(MARKS)
        found[MARKS[number]] = way
    return {way: mark for mark, way in found.items()}


def entries(resolved: Iterable[ResolvedService]) -> list[dict[str, object]]:
    """Return the kernel's services for these marks, as the module ``ipvs_table`` takes them."""
    resolved = list(resolved)
    servers = {way_to(item, server): server for item, server in _servers(resolved)}
    return [
        {
            "name": f"check of {servers[way].address}",
            "fwmark": mark,
            "family": way[1],
            "scheduler": "rr",
            "scheduler_flags": [],
            "one_packet": False,
            "persistence_timeout": 0,
            "real_servers": [
                {
                    "address": str(servers[way].address),
                    "port": 0,
                    "weight": 1,
                    **forwarding(servers[way]),
                    "upper_threshold": 0,
                    "lower_threshold": 0,
                }
            ],
        }
        for way, mark in sorted(marks(resolved).items(), key=lambda one: one[1])
    ]


def asked(resolved: Iterable[ResolvedService]) -> dict[str, list[tuple[IPAddress, str, int]]]:
    """Return what these checks connect to: family -> VIP, protocol (``tcp`` or ``udp``) and port, in their order."""
    found: dict[str, set[tuple[IPAddress, str, int]]] = {}
    for item, server in _servers(resolved):
        ends = {
            (item.service.vips[0], "udp" if check.type in _DATAGRAMS else "tcp", check.port or port)
            for check in server.checks
            if check.through_vip
            for port in item.service.ports
        }
        found.setdefault(item.service.family, set()).update(ends)
    return {family: sorted(ends, key=lambda end: (int(end[0]), *end[1:])) for family, ends in found.items()}


def check_through_vip(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note checks through a VIP that have no such way, and services with one of their marks."""
    for item in resolved:
        service = item.service
        if service.fwmark in MARKS and service.fwmark is not None:
            text = f"is one of the marks of health checks through a VIP, {MARKS[0]} to {MARKS[-1]}"
            problems.refuse(Code.OUT_OF_RANGE, service.where, "fwmark", service.fwmark, text)
        for place, check, servers in own_checks(item):
            if not check.through_vip:
                continue
            other = next((server for server in servers if server.forward_method not in UNREWRITTEN), None)
            if other is not None:
                text = f"is for dr and tun only, and {other.path} has {other.forward_method}"
                problems.add(Code.NOT_FOR_METHOD, service.where, f"{place}.through_vip", text, other.forward_method)
            if not service.vips:
                text = "needs marks, which name the VIP to connect to"
                problems.add(Code.NEEDS_KEY, service.where, f"{place}.through_vip", text)


def _servers(resolved: Iterable[ResolvedService]) -> Iterator[tuple[ResolvedService, RealServer]]:
    for item in resolved:
        if item.service.health_check is None:
            continue
        for server in item.servers:
            if any(check.through_vip for check in server.checks):
                yield item, server


def _number(way: Way) -> int:
    """Return a number that depends on the way alone: FNV-1a, 32 bits."""
    number = 0x811C9DC5
    for octet in repr(_order(way)).encode():
        number = (number ^ octet) * 0x01000193 % 2**32
    return number


def _order(way: Way) -> tuple[int, int, str, str, str, int, str]:
    address, family, method, tunnel = way
    return address.version, int(address), family, method, tunnel.type, tunnel.port, tunnel.checksum


def sources(
    given: Mapping[str, IPAddress], own: Mapping[str, IPAddress], resolved: Iterable[ResolvedService]
) -> dict[str, IPAddress]:
    """Return the addresses that these checks come from: family -> address, as far as there is one.

    ``given`` are those of the director's variable, ``own`` its addresses in the inventory.
    """
    found = {}
    for family in asked(resolved):
        address = given.get(family) or own.get(family)
        if address is not None:
            found[family] = address
    return found
