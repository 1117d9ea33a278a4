# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels: which ends a real server needs, who may send through them, and how large segments may be.

A segment of a client has to fit into the path between director and real server together with what is wrapped around
it. The client goes by the segment size (MSS) that the real server names in its SYN and ACK, and that goes past the
director: so the real server itself has to name less.

What is inside a tunnel passes the rules for the interface that it comes in on, with any source address and to any
destination. So by default a real server unwraps only what has a director's address as its outer source, and what comes
out has to be for a VIP. The outer source is the one of the director's route to the real server (ip_vs_tunnel_xmit() in
net/netfilter/ipvs/ip_vs_xmit.c has it from __ip_vs_get_out_rt()), which can be another address than ``lvs_address``.
``lvs_tunnel_sources`` names it then, and the module host_check refuses a director whose route has another one.

The rules that drop packets name sets for the directors and the VIPs. So while a cluster changes, a real server adds the
new ones to those that it has, and takes what is for either (the module nftables_table, ``purge: false``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.lvs.cluster.plugins.module_utils.host.tunnels import DEVICES
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import DIRECTORS, Inventory, InventoryError
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    IPAddress,
    address_fault,
    family_of,
    to_address,
    to_boolean,
    to_integer,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import Traffic, Tunnel
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.nftables import any_of, base_chain, ports_of

MTU_VARIABLE = "real_server_tunnel_mtu"
GUARD_VARIABLE = "real_server_tunnel_guard"
#: Of a director: the addresses that it sends tunnels' packets from beside its own.
SOURCES_VARIABLE = "lvs_tunnel_sources"
#: IPv6 asks for this much of every link (RFC 8200 section 5).
_MTUS = range(1280, 65536)
_IP = {"ipv4": 20, "ipv6": 40}  # octets of a header without options (RFC 791, RFC 8200)
_TCP = 20
_UDP = 8
_GRE, _GRE_CHECKSUM = 4, 4  # RFC 2784 section 2
# https://www.iana.org/assignments/protocol-numbers: IPv4, IPv6 and GRE inside IP
_IP_PROTOCOL = {"ipv4": 4, "ipv6": 41}
_GRE_PROTOCOL = 47
# include/net/gue.h: struct guehdr; with remote checksums also the private flags and their field (GUE_LEN_PRIV,
# GUE_PLEN_REMCSUM)
_GUE, _GUE_REMCSUM = 4, 8


def read_mtu(value: object, problems: Problems) -> int:
    """The largest packet, in octets, that gets from a director to a real server."""
    number = to_integer(value)
    if number is None or number not in _MTUS:
        problems.add(MTU_VARIABLE, "", f"{show(value)} is not a number of octets from {_MTUS[0]} to {_MTUS[-1]}")
        return _MTUS[0]
    return number


def read_guard(value: object, problems: Problems) -> bool:
    """Return whether the real server checks what comes through tunnels."""
    wanted = to_boolean(value)
    if wanted is None:
        problems.add(GUARD_VARIABLE, "", f"{show(value)} is neither true nor false")
    return wanted is not False


def overhead(tunnel: Tunnel, outer: str) -> int:
    """The octets that IPVS puts around a packet (net/netfilter/ipvs/ip_vs_xmit.c: ip_vs_tunnel_xmit)."""
    if tunnel.type == "gre":
        return _IP[outer] + _GRE + (_GRE_CHECKSUM if tunnel.checksum == "csum" else 0)
    if tunnel.type == "gue":
        return _IP[outer] + _UDP + _GUE + (_GUE_REMCSUM if tunnel.checksum == "remcsum" else 0)
    return _IP[outer]


def check_tunnels(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note GRE with checksums and without at one real server: its kernel has one device for both."""
    known: dict[tuple[str, IPAddress], tuple[bool, str]] = {}
    for item in resolved:
        service = item.service
        if service.forward_method != "tun" or service.tunnel.type != "gre":
            continue
        checksum = service.tunnel.checksum == "csum"
        for server in item.servers:
            if server.host is None:
                continue
            first, name = known.setdefault((server.host, server.address), (checksum, service.name))
            if first != checksum:
                text = (
                    f"{service.tunnel.checksum!r} is not what service {name} has, and {server.host} can take one only"
                )
                problems.add(service.where, "tunnel.checksum", text)
                break


def tunnel_ends(host: str, resolved: Iterable[ResolvedService]) -> list[dict[str, object]]:
    """What the module ``ipvs_tunnel`` takes as ``tunnels``, each once, in the order of the description.

    ``{"address": "198.51.100.11", "type": "gue", "port": 6080, "families": ["ipv4"]}``; ``checksum`` with gre only.
    """
    found: dict[tuple[object, ...], dict[str, object]] = {}
    families: dict[tuple[object, ...], set[str]] = {}
    for item, server in _tunnelled(host, resolved):
        tunnel = item.service.tunnel
        end: dict[str, object] = {"address": str(server.address), "type": tunnel.type}
        if tunnel.type == "gue":
            end["port"] = tunnel.port
        if tunnel.type == "gre":
            end["checksum"] = tunnel.checksum
        key = tuple(end.values())
        found.setdefault(key, end)
        families.setdefault(key, set()).add(item.service.family)
    return [{**end, "families": sorted(families[key])} for key, end in found.items()]


def real_server_rules(
    host: str, resolved: Sequence[ResolvedService], mtu: int, guard: bool, inventory: Inventory, problems: Problems
) -> str:
    """Return the chains of the table lvs_real_server; empty for a host without tunnels."""
    chains = [segment_rules(host, resolved, mtu)]
    if guard:
        chains = [*_outer_guard(host, resolved, inventory, problems), *_inner_guard(host, resolved), *chains]
    return "\n".join(chain for chain in chains if chain)


def tunnel_sources(director: str, family: str, inventory: Inventory) -> list[IPAddress]:
    """Return the addresses from which a director sends packets of tunnels. Raises `InventoryError`."""
    given = inventory.variable(director, SOURCES_VARIABLE)
    found: dict[IPAddress, None] = {}
    for element in given if isinstance(given, (list, tuple)) else [] if given is None else [given]:
        address = to_address(element)
        if address is None or address_fault(address):
            fault = "is not an IP address" if address is None else address_fault(address)
            raise InventoryError(f"{SOURCES_VARIABLE} of host {director}: {show(element)} {fault}")
        found[address] = None
    try:
        own = list(inventory.addresses(director).values())
    except InventoryError:
        if not found:
            raise
        own = []
    return [address for address in dict.fromkeys((*own, *found)) if family_of(address) == family]


def route_sources(director: str, resolved: Iterable[ResolvedService], inventory: Inventory) -> list[dict[str, object]]:
    """Return what the module host_check takes as ``route_sources``: who checks where packets of tunnels come from.

    ``{"to": "198.51.100.11", "from": ["192.0.2.2"]}``. Raises `InventoryError`.
    """
    found: dict[IPAddress, dict[str, object]] = {}
    for item in resolved:
        if item.service.forward_method != "tun":
            continue
        for server in item.servers:
            if server.host is None or server.address in found:
                continue
            if to_boolean(inventory.variable(server.host, GUARD_VARIABLE)) is False:
                continue
            sources = tunnel_sources(director, family_of(server.address), inventory)
            found[server.address] = {"to": str(server.address), "from": [str(address) for address in sources]}
    return [entry for entry in found.values() if entry["from"]]


def _outer_guard(host: str, resolved: Iterable[ResolvedService], inventory: Inventory, problems: Problems) -> list[str]:
    """Return the sets and the chain that drop what would be unwrapped and is not from a director.

    It matches the addresses and protocols of this host's ends, so that other tunnels go on.
    """
    protocols: dict[IPAddress, set[int]] = {}
    ports: dict[IPAddress, set[int]] = {}
    for item, server in _tunnelled(host, resolved):
        service = item.service
        if service.tunnel.type == "gue":
            ports.setdefault(server.address, set()).add(service.tunnel.port)
        # the device that takes what is inside GUE takes it without GUE as well
        number = _GRE_PROTOCOL if service.tunnel.type == "gre" else _IP_PROTOCOL[service.family]
        protocols.setdefault(server.address, set()).add(number)
    rules: list[str] = []
    sets: dict[str, str] = {}
    for address, numbers in sorted(protocols.items(), key=lambda item: (item[0].version, int(item[0]))):
        family = family_of(address)
        sources = _all_sources(family, inventory, problems)
        if not sources:
            continue
        name = f"directors_{family}"
        sets[name] = _address_set(name, family, sources)
        word = "ip" if family == "ipv4" else "ip6"
        strange = f"{word} daddr {address} {word} saddr != @{name}"
        rules.append(f"{strange} meta l4proto {any_of([str(number) for number in sorted(numbers)])} drop")
        if address in ports:
            rules.append(f"{strange} udp dport {any_of([str(port) for port in sorted(ports[address])])} drop")
    return [*sets.values(), base_chain("tunnel_senders", "filter hook input priority filter", rules)]


def _all_sources(family: str, inventory: Inventory, problems: Problems) -> list[IPAddress]:
    found: set[IPAddress] = set()
    for director in inventory.directors:
        try:
            sources = tunnel_sources(director, family, inventory)
        except InventoryError as error:
            problems.add(f"group {DIRECTORS}", "", f"{error} (real servers take packets of tunnels from it alone)")
            continue
        if not sources:
            text = (
                f"is missing: the inventory has no {family} address of this director, from which alone real servers "
                f"take packets of tunnels (unless {GUARD_VARIABLE} is false)"
            )
            problems.add(f"host {director}", SOURCES_VARIABLE, text)
        found.update(sources)
    return sorted(found, key=int)


def _inner_guard(host: str, resolved: Iterable[ResolvedService]) -> list[str]:
    """Return the sets and the chain that drop what comes out of a tunnel and is not for a VIP, if the VIPs are known.

    It is before routing, since the host might forward the rest.
    """
    vips: dict[str, set[IPAddress]] = {"ipv4": set(), "ipv6": set()}
    unknown: set[str] = set()
    used = False
    for item, _server in _tunnelled(host, resolved):
        used = True
        vips[item.service.family].update(item.service.vips)
        if not item.service.vips:  # others mark the packets, and know for which addresses
            unknown.add(item.service.family)
    rules: list[str] = []
    sets: list[str] = []
    for family, addresses in vips.items() if used else ():
        if family in unknown:
            continue
        name = f"tunnel_vips_{family}"
        sets.append(_address_set(name, family, sorted(addresses, key=int)))
        rules.append(f'iifname "{DEVICES}" {"ip" if family == "ipv4" else "ip6"} daddr != @{name} drop')
    return [*sets, base_chain("tunnel_content", "filter hook prerouting priority raw", rules)]


def _address_set(name: str, family: str, addresses: Sequence[IPAddress]) -> str:
    """Return a set of addresses, which may be empty."""
    elements = [f"    elements = {{ {', '.join(map(str, addresses))} }}"] if addresses else []
    return "\n".join([f"set {name} {{", f"    type {family}_addr", *elements, "}", ""])


def segment_rules(host: str, resolved: Iterable[ResolvedService], mtu: int) -> str:
    """The nftables chain that lowers the segment size which the host names; empty where it needs none."""
    rules = []
    for item, server in _tunnelled(host, resolved):
        service = item.service
        room = mtu - overhead(service.tunnel, family_of(server.address))
        size = room - _IP[service.family] - _TCP
        rules += [rule for traffic in service.traffic for rule in _clamp(traffic, size)]
    return base_chain("segment_size", "filter hook output priority mangle", rules)


def _clamp(traffic: Traffic, size: int) -> list[str]:
    if traffic.protocol not in (None, "tcp"):
        return []
    family = "ip" if traffic.address.version == 4 else "ip6"
    ports = f" tcp sport {ports_of(traffic)}" if traffic.ports else ""
    # the kernel only ever lowers it (net/netfilter/nft_exthdr.c: nft_exthdr_tcp_set_eval)
    return [f"{family} saddr {traffic.address}{ports} tcp flags & (syn | rst) == syn tcp option maxseg size set {size}"]


def _tunnelled(host: str, resolved: Iterable[ResolvedService]) -> Iterator[tuple[ResolvedService, RealServer]]:
    for item in resolved:
        if item.service.forward_method == "tun":
            for server in item.servers:
                if server.host == host:
                    yield item, server
