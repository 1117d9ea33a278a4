# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables rules: of directors, of real servers with tunnels, and for a director's own firewall.

How each part works with IPVS, whose hooks are LOCAL_IN at the priorities 98 and 99 and FORWARD at 99 and 100
(net/netfilter/ipvs/ip_vs_core.c, ip_vs_ops):

- **marks**: set in prerouting, so that IPVS finds them on the packet.
- **fullnat**: the mainline kernel does not have this forwarding method. IPVS translates the destination (its method
  nat, with the sysctl vs/conntrack), and this chain the source, for connections whose original destination was the VIP.
  Other forwarded packets are unchanged.
- **no redirects**: IPv6 has no sysctl send_redirects, and ip6_forward (net/ipv6/ip6_output.c) redirects a real server
  to a client on its link. Real servers follow that, and nat breaks with the next packet.
- **no loops**: when a VIP moves, for a moment neither director has it. Directors that forward would send a packet for
  it to each other until its TTL is used up. ICMP time exceeded then ends the client's connection (EHOSTUNREACH), which
  a retransmission would have saved. So packets that would leave for a VIP through the link of the VIPs are dropped.
- **synproxy**: SYNs for the VIP bypass connection tracking; the kernel answers them with a cookie before IPVS sees them
  (priority filter, 0). Only after the client's ACK the kernel opens a connection of its own to the VIP, which IPVS
  balances (Documentation/networking/nf_conntrack-sysctl.rst: nf_conntrack_tcp_loose; net/netfilter/nft_synproxy.c).

The **guards** drop packets which no service needs. Each chain accepts by default and only drops: another table of the
host can still drop packets that these chains accept.

**vrrp_guard.** A director accepts a VRRP advert of its virtual router id from its peers only, and only if no router has
forwarded it (TTL or hop limit 255; a forged source address cannot change that). keepalived checks the same with
``vrrp_check_unicast_src``, ``min_ttl`` and ``max_ttl`` (vrrp_check_packet() in keepalived/vrrp/vrrp.c), but logs each
packet that it refuses. The rules match the virtual router id, the second octet of the header in versions 2 and 3 (RFC
5798, section 5.1), so other VRRP routers on the host are not affected. A single director has no peers. keepalived then
sends and receives multicast adverts, and one of priority 255 would take the VIPs, so all are dropped.

**no_transit.** With nat and fullnat the role enables forwarding, and without this chain any host could reach the hosts
behind the director. Because of IPVS's hooks (ip_vs_ops4 and ip_vs_ops6 in net/netfilter/ipvs/ip_vs_core.c), few packets
have to be forwarded:

- Requests go to a VIP, which is an address of the director: IPVS takes them at the hook LOCAL_IN and sends them to the
  real server through LOCAL_OUT (ip_vs_in_hook(), ip_vs_nat_xmit()). The same applies to clients' ICMP errors, which
  name the VIP, and to data connections of FTP in passive mode. No packet of a client to a service is forwarded.
- Replies are forwarded, and still have the real server's address as their source: IPVS translates them at the priority
  100 of the hook FORWARD, after this chain. The same applies to data connections from a real server to a client (FTP in
  active mode), to ICMP errors of real servers, and to the sorry server. With fullnat connection tracking has already
  restored the client's address as the destination (prerouting).
- Routers between the director and real servers send ICMP errors to clients from addresses of their own.

So packets from real servers and sorry servers are forwarded, and ICMP errors, which a host accepts only if they quote
one of its own packets. All other packets of that family are dropped. Real servers behind nat are on the link of the
gateway. If the VIPs are on another link, a packet from there with a real server's address is forged. On a single link
forged addresses cannot be recognised.

The chain uses connection tracking only for replies to real servers that send all of their traffic through the directors
(``real_server_return_traffic: all``). A rule with ``ct`` makes the kernel track every packet of the host, which costs
most in a flood. It would not help with the services either: without the sysctl vs/conntrack IPVS excludes translated
packets from connection tracking (ip_vs_notrack()), so replies are new or invalid there.

**sync_guard.** The kernel accepts every datagram of connection synchronisation: it adds connections of any client to
any real server to its table (ip_vs_process_message() in net/netfilter/ipvs/ip_vs_sync.c). So a director accepts those
only on the interface of the synchronisation and, if they are known, from the addresses of the other directors. A host
on that link can still forge these.

VRRP is a number here: nft looks up names of protocols in /etc/protocols, which minimal hosts lack.

**Openings** are for the host's own firewall. A packet passes every base chain of a hook, and any of them can drop it.
So accepting packets in a table of ours has no effect on another table that drops them. The rules have to be in that
table's own chains.

**Real servers.** A client's segment with its outer headers has to fit into the path between director and real server.
The client uses the segment size (MSS) in the real server's SYN and ACK, which go past the director: so the real server
itself has to lower it.

The rules that drop packets name sets for the directors and the VIPs. So while a cluster changes, a real server adds the
new ones to its present ones, and accepts packets for both (the module nftables_table, ``purge: false``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace

from ansible_collections.lvs.cluster.plugins.module_utils._host.state import TUNNEL_DEVICES as DEVICES
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import port_text
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.forward_methods import (
    answering,
    routed_families,
    tunnelled,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import Instance
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.requirements import ROUTED
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import MAX_PORT, IPAddress, family_of
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    DEFAULT_GROUP,
    DEFAULT_PORT,
    SyncDaemon,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    EVERY_PORT,
    Traffic,
    Tunnel,
)

#: The segment size that a SYN proxy offers to clients before a real server is chosen: Ethernet's MTU minus the headers.
_MSS = {"ipv4": 1460, "ipv6": 1440}
_WINDOW_SCALE = 7
_IP = {"ipv4": "ip", "ipv6": "ip6"}
_ERRORS = {
    "ipv4": "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
    "ipv6": "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
}
_HOPS = {"ipv4": "ip ttl", "ipv6": "ip6 hoplimit"}
_VRRP = 112  # RFC 5798, section 5.1.1.4
_IP_HEADER = {"ipv4": 20, "ipv6": 40}  # octets of a header without options (RFC 791, RFC 8200)
_TCP = 20
_UDP = 8
_GRE, _GRE_CHECKSUM = 4, 4  # RFC 2784 section 2
# https://www.iana.org/assignments/protocol-numbers: IPv4, IPv6 and GRE inside IP
_IP_PROTOCOL = {"ipv4": 4, "ipv6": 41}
_GRE_PROTOCOL = 47
# include/net/gue.h: struct guehdr; with remote checksums also the private flags and their field (GUE_LEN_PRIV,
# GUE_PLEN_REMCSUM)
_GUE, _GUE_REMCSUM = 4, 8


def director_rules(
    resolved: Iterable[ResolvedService],
    interfaces: Sequence[str],
    moving: Mapping[str, Sequence[IPAddress]],
    guards: Sequence[str] = (),
) -> str:
    """Return the chains that these services need, in their order; empty if they need none.

    ``interfaces`` are the links of clients and real servers. ``moving`` are, by their link, VIPs for which it would
    forward packets while it does not hold them. ``guards`` are chains that precede these (`guards`).
    """
    resolved = list(resolved)
    marked = [item for item in resolved if item.service.fwmark is not None]
    proxied = [item for item in resolved if item.service.synproxy]
    masqueraded = [item for item in resolved if "fullnat" in item.methods]
    # none of the names is a word of nft's language
    chains = [
        *guards,
        _chain("syn_untracked", "filter hook prerouting priority raw", proxied, _untracked),
        _chain("marks", "filter hook prerouting priority mangle", marked, _mark),
        _chain("syn_proxy", "filter hook input priority filter", proxied, _proxy),
        _no_redirects(interfaces) if any(_routes_ipv6(item) for item in resolved) else "",
        base_chain("no_loops", "filter hook forward priority filter", _back(moving)),
        _chain("full_nat", "nat hook postrouting priority srcnat", masqueraded, _masquerade),
    ]
    return "\n".join(chain for chain in chains if chain)


def base_chain(name: str, hook: str, rules: Iterable[str]) -> str:
    """Return a base chain that accepts by default; empty without rules."""
    lines = [f"    {rule}" for rule in rules]
    if not lines:
        return ""
    return "\n".join([f"chain {name} {{", f"    type {hook}; policy accept;", *lines, "}", ""])


def _chain(
    name: str, hook: str, resolved: list[ResolvedService], rules: Callable[[ResolvedService, Traffic], list[str]]
) -> str:
    found = (rule for item in resolved for traffic in item.service.traffic for rule in rules(item, traffic))
    return base_chain(name, hook, found)


def _routes_ipv6(item: ResolvedService) -> bool:
    return item.service.family == "ipv6" and bool(item.methods & ROUTED)


def _no_redirects(interfaces: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in interfaces)
    rule = f"oifname {{ {names} }} icmpv6 type nd-redirect drop"
    return base_chain("no_redirects", "filter hook output priority filter", [rule])


def _back(moving: Mapping[str, Sequence[IPAddress]]) -> list[str]:
    # one rule per link and family, because every forwarded reply passes them
    families = [(link, [vip for vip in vips if vip.version == of]) for link, vips in moving.items() for of in (4, 6)]
    return [f'iifname "{link}" oifname "{link}" {_to(*vips)} drop' for link, vips in families if vips]


def _to(*addresses: IPAddress) -> str:
    """Return the packets to addresses of one family, as a match."""
    return f"{'ip' if addresses[0].version == 4 else 'ip6'} daddr {any_of([str(one) for one in addresses])}"


def any_of(values: Sequence[str]) -> str:
    """Return one value, or a set of several, as nft takes it."""
    return values[0] if len(values) == 1 else f"{{ {', '.join(values)} }}"


def to_vip(traffic: Traffic) -> str:
    """Return the packets of clients to VIPs, as a match."""
    match = f"{_IP[family_of(traffic.address)]} daddr {traffic.destination}"
    if traffic.ports:
        return f"{match} {traffic.protocol} dport {ports_of(traffic)}"
    return f"{match} meta l4proto {traffic.protocol}" if traffic.protocol else match


def ports_of(traffic: Traffic) -> str:
    """Return its ports, as nft takes them after C(dport) and C(sport)."""
    return any_of([port_text(port) for port in traffic.ports])


def _mark(item: ResolvedService, traffic: Traffic) -> list[str]:
    return [f"{to_vip(traffic)} meta mark set {item.service.fwmark}"]


def _untracked(_item: ResolvedService, traffic: Traffic) -> list[str]:
    return [f"{to_vip(traffic)} tcp flags & (fin | syn | rst | ack) == syn notrack"]


def _proxy(item: ResolvedService, traffic: Traffic) -> list[str]:
    options = f"mss {_MSS[item.service.family]} wscale {_WINDOW_SCALE} timestamp sack-perm"
    return [
        f"{to_vip(traffic)} ct state invalid,untracked synproxy {options}",
        f"{to_vip(traffic)} ct state invalid drop",
    ]


def _masquerade(item: ResolvedService, traffic: Traffic) -> list[str]:
    family = _IP[family_of(traffic.address)]
    match = f"ct original {family} daddr {traffic.destination}"
    if item.methods != {"fullnat"}:
        # the packets to real servers of other methods keep their source
        match = f"{family} daddr {_set(_servers([item], ('fullnat',)))} {match}"
    if traffic.protocol:
        match = f"meta l4proto {traffic.protocol} {match}"
    if not traffic.ports:
        return [f"{match} masquerade"]
    # one at a time: nft 1.0 cannot read how it lists a set of them; it can with a range outside of a set
    return [f"{match} ct original proto-dst {port_text(port)} masquerade" for port in traffic.ports]


def vrrp_guard(instances: Iterable[Instance]) -> str:
    """Return the chain that drops VRRP adverts which are not from a peer; empty without instances."""
    rules: list[str] = []
    for instance in instances:
        ours = f"meta l4proto {_VRRP} @th,8,8 {instance.virtual_router_id}"
        if not instance.peers:
            rules.append(f"{ours} meta nfproto {instance.family} drop")
            continue
        rules.append(f"{ours} {_IP[instance.family]} saddr != {any_of([*instance.peers.values()])} drop")
        rules.append(f"{ours} {_HOPS[instance.family]} < {instance.settings.min_ttl} drop")
    return base_chain("vrrp_guard", "filter hook input priority filter", rules)


def local_sources_guard(
    interfaces: Sequence[str], source: IPAddress, asked: Sequence[tuple[IPAddress, str, int]]
) -> str:
    """Return the chain that drops packets from an own address, except replies to health checks through a VIP.

    Without the sysctl accept_local, which these need, the kernel drops all of them. ``source`` is the address that the
    checks come from, ``asked`` what they connect to (`through_vip.asked`).
    """
    names = ", ".join(f'"{name}"' for name in interfaces)
    ours = f"iifname {{ {names} }} meta nfproto ipv4 fib saddr type local"
    rules = [f"{ours} ip saddr {vip} {protocol} sport {port} ip daddr {source} accept" for vip, protocol, port in asked]
    rules.append(f"{ours} drop")
    return base_chain("local_sources", "filter hook prerouting priority filter", rules)


def sync_guard(daemon: SyncDaemon, senders: Sequence[str]) -> str:
    """Return the chain that drops connection synchronisation which is not from another director.

    Without ``senders`` it matches the interface only.
    """
    rules = [f'{_match(daemon)} iifname != "{daemon.interface}" drop']
    if senders:
        rules.append(f"{_match(daemon)} {_IP[daemon.family]} saddr != {any_of(senders)} drop")
    return base_chain("sync_guard", "filter hook input priority filter", rules)


def transit_guard(
    resolved: Sequence[ResolvedService], outside: Sequence[str], sending_all: Container[IPAddress]
) -> str:
    """Return the chain that drops forwarded packets of no service; empty without nat and fullnat.

    ``outside`` are links of clients that are not that of the gateway of nat. ``sending_all`` are the addresses of real
    servers that send all of their traffic through the directors.
    """
    rules: list[str] = []
    for family in routed_families(resolved):
        of_family = [item for item in resolved if item.service.family == family]
        behind_gateway = _servers(of_family, ("nat",))
        source = f"{_IP[family]} saddr"
        if begins := {one for one in behind_gateway if one in sending_all}:
            rules.append(f"{_IP[family]} daddr {_set(begins)} ct state established,related accept")
        if outside and behind_gateway:
            links = any_of([f'"{name}"' for name in outside])
            rules.append(f"iifname {links} {source} {_set(behind_gateway)} drop")
        if answering_here := _servers(of_family, ROUTED):
            rules.append(f"{source} {_set(answering_here)} accept")
        rules.append(f"{_ERRORS[family]} accept")
        rules.append(f"meta nfproto {family} drop")
    return base_chain("no_transit", "filter hook forward priority filter", rules)


def _set(addresses: Iterable[IPAddress]) -> str:
    return any_of([str(address) for address in sorted(addresses, key=int)])


def input_rules(
    resolved: Iterable[ResolvedService], peers: Sequence[str], sync_daemon: SyncDaemon | None = None
) -> list[str]:
    """Return the rules for the input hook: VRRP and connections of the other directors, and clients' packets to
    services.
    """
    rules = [f"{'ip6' if ':' in peer else 'ip'} saddr {peer} meta l4proto vrrp accept" for peer in peers]
    if sync_daemon is not None:
        rules.append(_opening(sync_daemon))
    for item in resolved:
        for traffic in item.service.traffic:
            # the ports of FTP data connections are not known in advance
            rules.append(f"{to_vip(replace(traffic, ports=()) if item.service.helper else traffic)} accept")
    return list(dict.fromkeys(rules))


def forward_rules(resolved: Iterable[ResolvedService]) -> list[str]:
    """Return the rules for the forward hook: replies of real servers, which IPVS translates only after it."""
    rules = []
    for item in resolved:
        for server in item.all_servers:
            if server.forward_method not in ROUTED:
                continue
            for traffic in item.service.traffic:
                match = f"{_IP[family_of(server.address)]} saddr {server.address}"
                for port in answering(item.service, server, traffic):
                    if port != EVERY_PORT:
                        rules.append(f"{match} {traffic.protocol} sport {port_text(port)} accept")
                    elif traffic.protocol:
                        rules.append(f"{match} meta l4proto {traffic.protocol} accept")
                    else:
                        rules.append(f"{match} accept")
    return list(dict.fromkeys(rules))


def _servers(resolved: Iterable[ResolvedService], methods: Collection[str]) -> set[IPAddress]:
    """Return the addresses that clients' requests are sent to by these methods."""
    return {server.address for item in resolved for server in item.all_servers if server.forward_method in methods}


def _opening(daemon: SyncDaemon) -> str:
    """Return the rule that accepts datagrams of other directors.

    By interface and not by sender: the kernel sends from the first address of the interface (ip_vs_sync.c,
    bind_mcastif_addr), which can differ from the director's address in the inventory.
    """
    return f'iifname "{daemon.interface}" {_match(daemon)} accept'


def _match(daemon: SyncDaemon) -> str:
    """Return the datagrams of connection synchronisation."""
    first = daemon.port or DEFAULT_PORT
    ports = str(first) if daemon.ports == 1 else f"{first}-{min(first + daemon.ports - 1, MAX_PORT)}"
    return f"{_IP[daemon.family]} daddr {daemon.group or DEFAULT_GROUP} udp dport {ports}"


def real_server_rules(
    host: str, resolved: Sequence[ResolvedService], mtu: int, sources: Mapping[str, Sequence[IPAddress]] | None
) -> str:
    """Return the chains of the table lvs_real_server; empty for a host without tunnels.

    ``sources`` are the addresses from which it accepts tunnel packets, by family; None for all.
    """
    chains = [segment_rules(host, resolved, mtu)]
    if sources is not None:
        chains = [*_outer_guard(host, resolved, sources), *_inner_guard(host, resolved), *chains]
    return "\n".join(chain for chain in chains if chain)


def _outer_guard(
    host: str, resolved: Iterable[ResolvedService], by_family: Mapping[str, Sequence[IPAddress]]
) -> list[str]:
    """Return the sets and the chain that drop tunnel packets which are not from a director.

    It matches the addresses and protocols of this host's ends, so that other tunnels keep working.
    """
    protocols: dict[IPAddress, set[int]] = {}
    ports: dict[IPAddress, set[int]] = {}
    for item, server in tunnelled(host, resolved):
        if server.tunnel.type == "gue":
            ports.setdefault(server.address, set()).add(server.tunnel.port)
        # the device for the content of GUE accepts it without GUE as well
        number = _GRE_PROTOCOL if server.tunnel.type == "gre" else _IP_PROTOCOL[item.service.family]
        protocols.setdefault(server.address, set()).add(number)
    rules: list[str] = []
    sets: dict[str, str] = {}
    for address, numbers in sorted(protocols.items(), key=lambda item: (item[0].version, int(item[0]))):
        family = family_of(address)
        sources = by_family[family]
        name = f"directors_{family}"
        sets[name] = _address_set(name, family, sources)
        word = "ip" if family == "ipv4" else "ip6"
        strange = f"{word} daddr {address} {word} saddr != @{name}"
        rules.append(f"{strange} meta l4proto {any_of([str(number) for number in sorted(numbers)])} drop")
        if address in ports:
            rules.append(f"{strange} udp dport {any_of([str(port) for port in sorted(ports[address])])} drop")
    return [*sets.values(), base_chain("tunnel_senders", "filter hook input priority filter", rules)]


def overhead(tunnel: Tunnel, outer: str) -> int:
    """Return the octets that IPVS puts around a packet (net/netfilter/ipvs/ip_vs_xmit.c: ip_vs_tunnel_xmit)."""
    if tunnel.type == "gre":
        return _IP_HEADER[outer] + _GRE + (_GRE_CHECKSUM if tunnel.checksum == "csum" else 0)
    if tunnel.type == "gue":
        return _IP_HEADER[outer] + _UDP + _GUE + (_GUE_REMCSUM if tunnel.checksum == "remcsum" else 0)
    return _IP_HEADER[outer]


def _inner_guard(host: str, resolved: Iterable[ResolvedService]) -> list[str]:
    """Return the sets and the chain that drop packets out of a tunnel which are not for a VIP, if the VIPs are known.

    It is before routing, because the host might forward the rest.
    """
    vips: dict[str, set[IPAddress]] = {"ipv4": set(), "ipv6": set()}
    unknown: set[str] = set()
    used = False
    for item, _server in tunnelled(host, resolved):
        used = True
        vips[item.service.family].update(item.service.vips)
        if not item.service.vips:  # other software marks the packets, so the addresses are unknown
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
    """Return the nftables chain that lowers the segment size of the host; empty if it needs none."""
    rules = []
    for item, server in tunnelled(host, resolved):
        service = item.service
        room = mtu - overhead(server.tunnel, family_of(server.address))
        size = room - _IP_HEADER[service.family] - _TCP
        rules += [rule for traffic in service.traffic for rule in _clamp(traffic, size)]
    return base_chain("segment_size", "filter hook output priority mangle", rules)


def _clamp(traffic: Traffic, size: int) -> list[str]:
    if traffic.protocol not in (None, "tcp"):
        return []
    source = f"{_IP[family_of(traffic.address)]} saddr {traffic.destination}"
    ports = f" tcp sport {ports_of(traffic)}" if traffic.ports else ""
    # the kernel only ever lowers it (net/netfilter/nft_exthdr.c: nft_exthdr_tcp_set_eval)
    return [f"{source}{ports} tcp flags & (syn | rst) == syn tcp option maxseg size set {size}"]
