# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directors' nftables rules: what stands between the braces of the table lvs_cluster.

How each part works with IPVS, whose hooks are LOCAL_IN at the priorities 98 and 99 and FORWARD at 99 and 100
(net/netfilter/ipvs/ip_vs_core.c, ip_vs_ops):

- **marks**: set in prerouting, so that IPVS finds them on the packet.
- **fullnat**: no vanilla kernel has it as a forwarding method. IPVS translates the destination (its method nat, with
  the sysctl vs/conntrack), and this chain the source, for connections whose original destination was the VIP. Nothing
  else that the director forwards is touched.
- **no redirects**: IPv6 has no sysctl send_redirects, and ip6_forward (net/ipv6/ip6_output.c) tells a real server that
  a client on its link can be reached directly. Real servers heed that, and nat breaks with the next packet.
- **no loops**: when a VIP moves, for a moment neither director has it. As a router the one that gets a packet for it
  sends it to the other one, which sends it back, until the TTL is used up. The client is told so by ICMP time exceeded,
  and gives up (EHOSTUNREACH) what its own retransmission would have brought through. So what would leave for a VIP by
  the link on which the VIPs are is dropped.
- **synproxy**: SYNs for the VIP pass connection tracking by; the kernel answers them itself with a cookie before IPVS
  sees anything (priority filter, 0). Only when the client's ACK shows that it exists, the kernel opens a connection of
  its own to the VIP, which IPVS balances (Documentation/networking/nf_conntrack-sysctl.rst: nf_conntrack_tcp_loose;
  net/netfilter/nft_synproxy.c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import Service, Traffic

#: What a SYN proxy promises to clients before it knows the real server: Ethernet's MTU less the headers.
_MSS = {"ipv4": 1460, "ipv6": 1440}
_WINDOW_SCALE = 7


def director_rules(
    services: Iterable[Service],
    interfaces: Sequence[str],
    moving: Sequence[IPAddress] = (),
    guards: Sequence[str] = (),
) -> str:
    """The chains that these services need; empty when they need none. Services keep their order.

    ``interfaces`` are those on which the director has to do with clients and real servers, the one with the VIPs first.
    ``moving`` are VIPs that it would forward packets for while it does not have them. ``guards`` are chains that come
    before these (`guards`).
    """
    services = list(services)
    marked = [service for service in services if service.fwmark is not None]
    proxied = [service for service in services if service.synproxy]
    masqueraded = [service for service in services if service.forward_method == "fullnat"]
    # none of the names is a word of nft's language
    chains = [
        *guards,
        _chain("syn_untracked", "filter hook prerouting priority raw", proxied, _untracked),
        _chain("marks", "filter hook prerouting priority mangle", marked, _mark),
        _chain("syn_proxy", "filter hook input priority filter", proxied, _proxy),
        _no_redirects(interfaces) if any(_routes_ipv6(service) for service in services) else "",
        base_chain("no_loops", "filter hook forward priority filter", _back(interfaces, moving)),
        _chain("full_nat", "nat hook postrouting priority srcnat", masqueraded, _masquerade),
    ]
    return "\n".join(chain for chain in chains if chain)


def base_chain(name: str, hook: str, rules: Iterable[str]) -> str:
    """A chain with a hook of its own, that accepts by default; empty without rules."""
    lines = [f"    {rule}" for rule in rules]
    if not lines:
        return ""
    return "\n".join([f"chain {name} {{", f"    type {hook}; policy accept;", *lines, "}", ""])


def _chain(name: str, hook: str, services: list[Service], rules: Callable[[Service, Traffic], list[str]]) -> str:
    found = (rule for service in services for traffic in service.traffic for rule in rules(service, traffic))
    return base_chain(name, hook, found)


def _routes_ipv6(service: Service) -> bool:
    return service.family == "ipv6" and service.forward_method in ("nat", "fullnat")


def _no_redirects(interfaces: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in interfaces)
    rule = f"oifname {{ {names} }} icmpv6 type nd-redirect drop"
    return base_chain("no_redirects", "filter hook output priority filter", [rule])


def _back(interfaces: Sequence[str], moving: Sequence[IPAddress]) -> list[str]:
    # one rule a family, since every reply that is forwarded passes them
    families = [[vip for vip in moving if vip.version == version] for version in (4, 6)]
    return [f'iifname "{interfaces[0]}" oifname "{interfaces[0]}" {_to(*vips)} drop' for vips in families if vips]


def _to(*addresses: IPAddress) -> str:
    """The packets to addresses of one family, as a match."""
    return f"{'ip' if addresses[0].version == 4 else 'ip6'} daddr {any_of([str(one) for one in addresses])}"


def any_of(values: Sequence[str]) -> str:
    """One value, or a set of several, as nft takes it."""
    return values[0] if len(values) == 1 else f"{{ {', '.join(values)} }}"


def to_vip(traffic: Traffic) -> str:
    """The packets of clients to a VIP, as a match."""
    match = _to(traffic.address)
    if traffic.ports:
        return f"{match} {traffic.protocol} dport {ports_of(traffic)}"
    return f"{match} meta l4proto {traffic.protocol}" if traffic.protocol else match


def ports_of(traffic: Traffic) -> str:
    """Its ports, as nft takes them behind C(dport) and C(sport)."""
    return any_of([str(port) for port in sorted(traffic.ports)])


def _mark(service: Service, traffic: Traffic) -> list[str]:
    return [f"{to_vip(traffic)} meta mark set {service.fwmark}"]


def _untracked(_service: Service, traffic: Traffic) -> list[str]:
    return [f"{to_vip(traffic)} tcp flags & (fin | syn | rst | ack) == syn notrack"]


def _proxy(service: Service, traffic: Traffic) -> list[str]:
    options = f"mss {_MSS[service.family]} wscale {_WINDOW_SCALE} timestamp sack-perm"
    return [
        f"{to_vip(traffic)} ct state invalid,untracked synproxy {options}",
        f"{to_vip(traffic)} ct state invalid drop",
    ]


def _masquerade(_service: Service, traffic: Traffic) -> list[str]:
    family = "ip" if traffic.address.version == 4 else "ip6"
    match = f"ct original {family} daddr {traffic.address}"
    if traffic.protocol:
        match = f"meta l4proto {traffic.protocol} {match}"
    if not traffic.ports:
        return [f"{match} masquerade"]
    # one at a time: nft 1.0 cannot read how it lists a set of them
    return [f"{match} ct original proto-dst {port} masquerade" for port in sorted(traffic.ports)]
