# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements of a host: kernel modules, sysctls, packages, addresses and a director's peers.

Sources of the sysctls: Documentation/networking/ipvs-sysctl.rst and ip-sysctl.rst in the kernel's tree, and the code
that is named. Names of packages are the same in the Debian and the Red Hat family; for ldirectord and mon they are
Debian's. The module ``host_check`` compares addresses and peers with the host before it is set up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import display
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    ADDRESS_VARIABLE,
    Inventory,
    InventoryError,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import Instance
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, to_address
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import KEEPALIVED, DirectorSettings
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import UNREWRITTEN, Service

#: Methods whose replies the director forwards as a router.
ROUTED = frozenset(["nat", "fullnat"])
#: Schedulers that choose the real server from the packet alone.
_STATELESS = ("mh", "sh")
_LIBRARY = "python3-pyroute2"
_OF_CHECKER: dict[str, tuple[str, ...]] = {
    KEEPALIVED: (),
    "ldirectord": ("ldirectord", "libnet-inet6glue-perl"),
    "mon": ("mon", "fping", "libnet-dns-perl"),
}


def kernel_modules(services: Sequence[Service]) -> list[str]:
    """Return ``ip_vs``, a module for each scheduler, persistence engine and helper in use: sorted, ``ip_vs`` first.

    And ``nf_conntrack`` if connection tracking is set, because it provides the sysctls.

    The kernel loads schedulers on demand, but with their names a kernel without one fails before the table is changed.
    """
    needed = {f"ip_vs_{service.scheduler}" for service in services}
    needed |= {
        f"ip_vs_pe_{service.persistence.engine}"
        for service in services
        if service.persistence and service.persistence.engine
    }
    needed |= {f"ip_vs_{service.helper}" for service in services if service.helper}
    if any(service.synproxy for service in services):
        needed.add("nf_conntrack")
    return ["ip_vs", *sorted(needed)]


def sysctls(
    resolved: Sequence[ResolvedService], directors: int, interfaces: Sequence[str] = (), flood_defence: bool = True
) -> dict[str, int | str]:
    """Return the sysctls of one of ``directors`` directors: key with dots -> value.

    ``interfaces`` are the links of clients and real servers.

    Always:

    - ``expire_nodest_conn=1``: a client whose real server was removed gets an error at once; with 0 its packets are
      dropped until it gives up.
    - ``expire_quiescent_template=1``: persistent clients leave a real server of weight 0; with 0 they keep renewing
      their template, and a drain never ends.

    With ``flood_defence``:

    - ``drop_entry=1`` and ``drop_packet=1``: when the host runs out of memory, IPVS drops entries of half-open
      connections every second, and a part of the packets that would open connections (net/netfilter/ipvs/ip_vs_ctl.c:
      update_defense_level()). Otherwise they do nothing. The threshold is the host's own (the module ipvs_kernel).

    With dr or tun:

    - ``conn_reuse_mode=3``: a new connection from a client's port that was used before is scheduled anew if the old one
      is in FIN_WAIT, which is the last state that the director sees of it. With the kernel's own 1 that is done in
      TIME_WAIT only, which the director sees with nat. Otherwise the new connection would take the old one's entry,
      with its forwarding method and its real server, although the service may have others by now
      (ipvs-sysctl.rst; net/netfilter/ipvs/ip_vs_core.c: is_new_conn_expected()).

    With several directors, for the synchronisation of connections (ip_vs_sync.c: ip_vs_sync_conn_needed):

    - ``sync_threshold=3 0`` and ``sync_refresh_period=10``: a connection is sent when it is established, and again with
      the first packet after ten seconds. With the kernel's defaults, ``3 50`` and 0, it is sent with every 50th packet,
      and a returning director would take the VIPs without the idle connections.

    With several directors and the scheduler mh or sh:

    - ``sloppy_tcp=1`` and ``sloppy_sctp=1``: a packet of a connection without an entry, for example of one that was too
      young to be synchronised, is scheduled like a SYN. These schedulers choose the same real server as the other
      director, so such a connection outlasts a failover too.

    With nat or fullnat only:

    - ``ip_forward=1`` (and IPv6's ``forwarding``): the director forwards replies like a router. With dr and tun replies
      go past it, and IPVS takes the request in the LOCAL_IN hook and sends it as a packet of its own (``ip_vs_dr_xmit``
      and ``ip_vs_tunnel_xmit``), so the kernel need not forward. Then the sysctl is unchanged, because routing between
      links is not to be enabled as a side effect.
    - ``send_redirects=0``: otherwise a one-armed director tells its real servers to send replies past it. It counts if
      it is set for all or for the interface (include/linux/inetdevice.h: IN_DEV_TX_REDIRECTS), so both are cleared.
      Only forwarded packets cause redirects (net/ipv4/ip_forward.c), so dr and tun need no such setting. IPv6 has no
      such sysctl; `nftables.director_rules` drops redirects instead.

    With fullnat or synproxy only:

    - ``conntrack=1``: connection tracking sees IPVS's translation, which the rules in `nftables` need. It is costly, so
      it is otherwise unchanged.

    With synproxy only (Documentation/networking/nf_conntrack-sysctl.rst; the kernel's own selftests set the same):

    - ``nf_conntrack_tcp_loose=0``: a client's ACK to a cookie is then invalid, not a connection picked up half-way.
    - ``tcp_timestamps=1`` and ``tcp_syncookies=1``: cookies, which carry the client's TCP options in the timestamp.

    Unchanged: ``backup_only``. With 1, a director whose sync daemon is in backup state does not balance. keepalived
    moves VIPs and switches the daemon one after the other (vrrp/vrrp.c: vrrp_state_become_master), so in between a
    director with the VIP would answer clients with RST. It is meant for two directors that are each other's real server
    and would pass a packet back and forth, which the description refuses.
    """
    found: dict[str, int | str] = {
        "net.ipv4.vs.expire_nodest_conn": 1,
        "net.ipv4.vs.expire_quiescent_template": 1,
    }
    if flood_defence:
        found["net.ipv4.vs.drop_entry"] = 1
        found["net.ipv4.vs.drop_packet"] = 1
    methods = frozenset[str]().union(*(item.methods for item in resolved))
    if methods & UNREWRITTEN:
        found["net.ipv4.vs.conn_reuse_mode"] = 3
    if directors > 1:
        found["net.ipv4.vs.sync_threshold"] = "3 0"
        found["net.ipv4.vs.sync_refresh_period"] = 10
    if directors > 1 and any(item.service.scheduler in _STATELESS for item in resolved):
        found["net.ipv4.vs.sloppy_tcp"] = 1
        found["net.ipv4.vs.sloppy_sctp"] = 1
    routed = {item.service.family for item in resolved if item.methods & ROUTED}
    if "ipv4" in routed:
        found["net.ipv4.ip_forward"] = 1
        found["net.ipv4.conf.all.send_redirects"] = 0
        for interface in dict.fromkeys(interfaces):
            found[display(f"net/ipv4/conf/{interface}/send_redirects")] = 0
    if "ipv6" in routed:
        found["net.ipv6.conf.all.forwarding"] = 1
    synproxy = any(item.service.synproxy for item in resolved)
    if "fullnat" in methods or synproxy:
        found["net.ipv4.vs.conntrack"] = 1
    if synproxy:
        found["net.netfilter.nf_conntrack_tcp_loose"] = 0
        found["net.ipv4.tcp_syncookies"] = 1
        found["net.ipv4.tcp_timestamps"] = 1
    return found


def sysctls_of_checks(interfaces: Sequence[str]) -> dict[str, int | str]:
    """Return the sysctls of health checks through an IPv4 VIP.

    With ``accept_local=1`` a master accepts replies from the VIP, which is its own address. The chain ``local_sources``
    drops all other packets from an own address (`_render.nftables.local_sources_guard`).
    """
    return {display(f"net/ipv4/conf/{interface}/accept_local"): 1 for interface in dict.fromkeys(interfaces)}


def kept_addresses(settings: DirectorSettings) -> dict[str, int | str]:
    """Return the sysctls that keep the other addresses of a network when one of them leaves the interface.

    Otherwise the kernel removes all that are secondary to it (net/ipv4/devinet.c: __inet_del_ifa), and with them VIPs
    of other groups.
    """
    return {
        display(f"net/ipv4/conf/{settings.link(vip)}/promote_secondaries"): 1
        for vip, options in settings.vips.items()
        if vip.version == 4 and options.prefix != vip.max_prefixlen
    }


def forwards(values: Mapping[str, int | str], version: int) -> bool:
    """Return True if these sysctls enable forwarding for this version of IP."""
    return str(values.get(forwarding_key(f"ipv{version}"), 0)) != "0"


def forwarding_key(family: str) -> str:
    """Return the sysctl that enables forwarding."""
    return "net.ipv4.ip_forward" if family == "ipv4" else "net.ipv6.conf.all.forwarding"


def director_packages(health_checker: str) -> list[str]:
    """Return the names for a director."""
    return ["ipvsadm", "keepalived", "nftables", _LIBRARY, *_OF_CHECKER.get(health_checker, ())]


def real_server_packages(tunnels: bool) -> list[str]:
    """Return the names for a real server."""
    return [_LIBRARY, *(["nftables"] if tunnels else [])]


def state_of_director(
    vrrp: Iterable[Instance], leaving: Sequence[str], resolved: Iterable[ResolvedService], moving: bool
) -> dict[str, object]:
    """Return the option ``director`` of ``host_check``.

    ``real_servers``: those whose address no director may have, with their services.
    """
    servers: dict[str, str] = {}
    for item in resolved:
        for server in item.servers:
            if server.host is None and server.forward_method != "fullnat":
                servers.setdefault(str(server.address), item.service.name)
    return {
        "instances": [
            {
                "name": instance.name,
                "virtual_router_id": instance.virtual_router_id,
                "advertised": instance.advertised,
                "peers": list(instance.peers.values()),
            }
            for instance in vrrp
        ],
        "leaving": list(leaving),
        "real_servers": [{"address": address, "service": name} for address, name in servers.items()] if moving else [],
    }


def addresses_of_director(
    host: str, vrrp: Iterable[Instance], sources: Iterable[IPAddress], inventory: Inventory
) -> list[dict[str, str]]:
    """Return the addresses that a director must have: that of VRRP, those of its variables, and the ``sources`` of its
    health checks.

    ``[{"address": "192.0.2.2", "interface": "eth1"}]``; an empty interface is any.
    """
    found = {
        instance.source_address: instance.settings.interface for instance in vrrp if instance.source_address is not None
    }
    return _listed({**dict.fromkeys(map(str, sources), ""), **_given(host, inventory), **found})


def addresses_of_real_server(
    host: str, resolved: Iterable[ResolvedService], inventory: Inventory
) -> list[dict[str, str]]:
    """Return the addresses that a real server must have. With fullnat another host may translate them."""
    used: dict[IPAddress, None] = {}
    reached: set[IPAddress] = set()
    for item in resolved:
        for server in item.servers:
            if server.host == host and server.forward_method != "fullnat":
                used[server.address] = None
            elif server.host == host:
                reached.add(server.address)
    given = {text: "" for text in _given(host, inventory) if to_address(text) not in reached - used.keys()}
    return _listed({**given, **{str(address): "" for address in used}})


def _given(host: str, inventory: Inventory) -> dict[str, str]:
    """Return the addresses in the host's own variable; those of ``ansible_host`` may be translated on the way to it."""
    try:
        if inventory.variable(host, ADDRESS_VARIABLE) is None:
            return {}
        return {str(address): "" for address in inventory.addresses(host).values()}
    except InventoryError:
        return {}


def _listed(addresses: dict[str, str]) -> list[dict[str, str]]:
    return [{"address": address, "interface": interface} for address, interface in addresses.items()]
