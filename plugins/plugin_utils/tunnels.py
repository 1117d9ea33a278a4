# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels: which ends a real server needs, and how large the segments may be that come through. Private.

A segment of a client has to fit into the path between director and real server together with what is wrapped around
it. The client goes by the segment size (MSS) that the real server names in its SYN and ACK, and that goes past the
director: so the real server itself has to name less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.lvs.cluster.plugins.plugin_utils.fields import IPAddress, family_of, to_integer
from ansible_collections.lvs.cluster.plugins.plugin_utils.nftables import base_chain, ports_of
from ansible_collections.lvs.cluster.plugins.plugin_utils.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils.services import Traffic, Tunnel

MTU_VARIABLE = "real_server_tunnel_mtu"
#: IPv6 asks for this much of every link (RFC 8200 section 5).
_MTUS = range(1280, 65536)
_IP = {"ipv4": 20, "ipv6": 40}  # octets of a header without options (RFC 791, RFC 8200)
_TCP = 20
_UDP = 8
_GRE, _GRE_CHECKSUM = 4, 4  # RFC 2784 section 2
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
