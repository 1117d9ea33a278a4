# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chains of the table lvs_cluster that drop packets which no service needs.

Each chain accepts by default and only drops: another table of the host can still drop what these chains let through.

**vrrp_guard.** A director accepts a VRRP advert of its virtual router id from its peers only, and only if no router has
forwarded it (TTL or hop limit 255; a forged source address cannot change that). keepalived checks the same with
``vrrp_check_unicast_src``, ``min_ttl`` and ``max_ttl`` (vrrp_check_packet() in keepalived/vrrp/vrrp.c), but logs each
packet that it refuses. The rules match the virtual router id, the second octet of the header in versions 2 and 3 (RFC
5798, section 5.1), so other VRRP routers on the host are not affected. A single director has no peers. keepalived then
sends and receives multicast adverts, and one of priority 255 would take the VIPs away, so it accepts none.

**no_transit.** With nat and fullnat the role switches forwarding on, and without this chain everybody would reach
everything behind the director. What IPVS does with packets (ip_vs_ops4 and ip_vs_ops6 in
net/netfilter/ipvs/ip_vs_core.c) leaves little that has to be forwarded:

- Requests go to a VIP, which is an address of the director: IPVS takes them at the hook LOCAL_IN and sends them to the
  real server through LOCAL_OUT (ip_vs_in_hook(), ip_vs_nat_xmit()). So do clients' ICMP errors, which name the VIP, and
  the data connections of FTP in passive mode. Nothing that a client sends to a service is forwarded.
- Replies are forwarded, and still have the real server's address as their source: IPVS translates them at the priority
  100 of the hook FORWARD, after this chain. The same holds for data connections that a real server opens to a client
  (FTP in active mode), for ICMP errors of real servers, and for the sorry server. With fullnat connection tracking
  has put the client's address in as the destination before (prerouting).
- Routers between the director and real servers send ICMP errors to clients from addresses of their own.

So what comes from a real server or its sorry server is forwarded, and so are ICMP errors, which a host heeds only if
they quote a packet of its own. Everything else of that family is dropped. Real servers behind nat are on the link of
the gateway. Where the VIPs are on another link, a packet that comes from there with a real server's address is forged.
On a single link forged addresses cannot be told from others.

The chain uses connection tracking only for replies to real servers that send all of their traffic through the directors
(``real_server_return_traffic: all``). A rule with ``ct`` makes the kernel track every packet of the host, which costs
most in a flood. It would not help with the services either: without the sysctl vs/conntrack IPVS takes what it
translates out of connection tracking (ip_vs_notrack()), where replies are then new or invalid.

**sync_guard.** The kernel believes every datagram of connection synchronisation: it enters connections of any client to
any real server into its table (ip_vs_process_message() in net/netfilter/ipvs/ip_vs_sync.c). So a director accepts those
only on the interface of the synchronisation and, where that is known, from the addresses of the other directors. A host
on that link can still forge these.

VRRP is written as a number: nft looks names of protocols up in /etc/protocols, which small hosts do not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.forward_methods import TRAFFIC_VARIABLE
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import Inventory
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import Instance
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.requirements import ROUTED, forwarding_key
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, to_boolean
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.sync_daemon import SyncDaemon
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.nftables import any_of, base_chain

TRANSIT_VARIABLE = "director_transit"
_IP = {"ipv4": "ip", "ipv6": "ip6"}
_ERRORS = {
    "ipv4": "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
    "ipv6": "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
}
_HOPS = {"ipv4": "ip ttl", "ipv6": "ip6 hoplimit"}
_VRRP = 112  # RFC 5798, section 5.1.1.4


def vrrp_guard(instances: Iterable[Instance]) -> str:
    """Return the chain that drops VRRP adverts which are not from a peer; empty without instances."""
    rules: list[str] = []
    for instance in instances:
        ours = f"meta l4proto {_VRRP} @th,8,8 {instance.settings.virtual_router_id}"
        if not instance.peers:
            rules.append(f"{ours} meta nfproto {instance.family} drop")
            continue
        rules.append(f"{ours} {_IP[instance.family]} saddr != {any_of([*instance.peers.values()])} drop")
        rules.append(f"{ours} {_HOPS[instance.family]} < {instance.settings.min_ttl} drop")
    return base_chain("vrrp_guard", "filter hook input priority filter", rules)


def sync_guard(daemon: SyncDaemon, senders: Sequence[str]) -> str:
    """Return the chain that drops connection synchronisation which is not from another director.

    Without ``senders`` it goes by the interface alone.
    """
    rules = [f'{daemon.match} iifname != "{daemon.interface}" drop']
    if senders:
        rules.append(f"{daemon.match} {_IP[daemon.family]} saddr != {any_of(senders)} drop")
    return base_chain("sync_guard", "filter hook input priority filter", rules)


def read_transit(
    value: object, families: Iterable[str], extra: Mapping[str, int | str], problems: Problems
) -> bool | None:
    """Return whether the director forwards what belongs to no service; None if the variable is not given.

    ``families`` are those that the role forwards, and ``extra`` the sysctls of the inventory. One of them that switches
    forwarding on says that the host is a router for others too, so the variable has to be given then.
    """
    if value is not None:
        wanted = to_boolean(value)
        if wanted is None:
            problems.add(TRANSIT_VARIABLE, "", f"{show(value)} is neither true nor false")
        return wanted
    for family in families:
        key = forwarding_key(family)
        if str(extra.get(key, 0)) != "0":
            text = (
                f"is missing: director_sysctls switches {key} on, so say whether this director forwards packets that "
                "belong to no service (true) or drops them (false)"
            )
            problems.add(TRANSIT_VARIABLE, "", text)
    return None


def routed_families(resolved: Iterable[ResolvedService]) -> list[str]:
    """The families in which the role switches forwarding on."""
    return sorted({item.service.family for item in resolved if item.service.forward_method in ROUTED})


def transit_guard(resolved: Sequence[ResolvedService], interfaces: Sequence[str], inventory: Inventory) -> str:
    """Return the chain that drops what would be forwarded and belongs to no service; empty without nat and fullnat.

    ``interfaces`` are the link of the VIPs and, if it is another one, that of the gateway of nat.
    """
    rules: list[str] = []
    for family in routed_families(resolved):
        routed = [item for item in resolved if item.service.family == family and item.service.forward_method in ROUTED]
        behind_gateway = [item for item in routed if item.service.forward_method == "nat"]
        source = f"{_IP[family]} saddr"
        if begins := _beginning(behind_gateway, inventory):
            rules.append(f"{_IP[family]} daddr {_set(begins)} ct state established,related accept")
        if len(interfaces) > 1 and behind_gateway:
            rules.append(f'iifname "{interfaces[0]}" {source} {_set(_answering(behind_gateway))} drop')
        rules.append(f"{source} {_set(_answering(routed))} accept")
        rules.append(f"{_ERRORS[family]} accept")
        rules.append(f"meta nfproto {family} drop")
    return base_chain("no_transit", "filter hook forward priority filter", rules)


def _answering(resolved: Iterable[ResolvedService]) -> set[IPAddress]:
    """The addresses that clients' requests are sent to."""
    found = {server.address for item in resolved for server in item.servers}
    return found | {item.service.sorry_server.address for item in resolved if item.service.sorry_server is not None}


def _beginning(resolved: Iterable[ResolvedService], inventory: Inventory) -> set[IPAddress]:
    """The addresses of real servers that send all of their traffic through the directors."""
    return {
        server.address
        for item in resolved
        for server in item.servers
        if server.host is not None and inventory.variable(server.host, TRAFFIC_VARIABLE) == "all"
    }


def _set(addresses: Iterable[IPAddress]) -> str:
    return any_of([str(address) for address in sorted(addresses, key=int)])
