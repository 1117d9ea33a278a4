# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Needs of forwarding methods beside IPVS: the return route of nat, and the tunnels of tun.

**nat.** The director translates addresses of requests, and so has to see the replies. A real server sends them to an
address that is always on the master: it moves with the VIPs, or is the only director's own.

**tun.** A tunnelled packet can bypass the rules for the incoming interface, with any source and destination. So by
default a real server unwraps only packets from a director's address, and the inner packet has to be for a VIP. The
outer source is the one of the director's route to the real server (ip_vs_tunnel_xmit() in
net/netfilter/ipvs/ip_vs_xmit.c has it from __ip_vs_get_out_rt()), which can differ from ``lvs_address``. Then
``lvs_tunnel_sources`` names it, and the module host_check refuses a director whose route has another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.module_utils._host.routing import LAST_PORT
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import port_text
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import address_fault
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.agreement import some
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    DIRECTORS,
    Inventory,
    InventoryError,
    spoken_family,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.requirements import ROUTED, forwarding_key
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    IPAddress,
    family_of,
    to_address,
    to_boolean,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    NAT_GATEWAY,
    RETURN_TRAFFIC,
    TRANSIT,
    TUNNEL_GUARD,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    EVERY_PORT,
    PortRange,
    Service,
    Traffic,
)

#: Of a director: its source addresses of tunnel packets beside its own address.
SOURCES_VARIABLE = "lvs_tunnel_sources"


def check_marks(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note the services by mark without ``marks`` that need them."""
    reasons = {
        "nat": "nat needs it to recognise replies on the real servers",
        "fullnat": "fullnat needs it to select the packets whose source address is translated",
    }
    for item in resolved:
        for method, reason in reasons.items():
            if method in item.methods and not item.service.traffic:
                problems.add(Code.MISSING, item.service.where, "marks", f"is missing: {reason}")


def nat_services(resolved: Iterable[ResolvedService]) -> dict[str, str]:
    """Return the families in which a host that Ansible manages is behind nat, and the first such service of each."""
    found: dict[str, str] = {}
    for item in resolved:
        if any(server.forward_method == "nat" and server.host is not None for server in item.servers):
            found.setdefault(item.service.family, item.service.name)
    return found


def gateways_of(
    given: Mapping[str, IPAddress],
    needed: Mapping[str, str],
    servers: Mapping[IPAddress, str],
    inventory: Inventory,
    problems: Problems,
    different: Callable[[], Mapping[str, str]],
) -> dict[str, IPAddress]:
    """Return the gateway of each family that needs one: family -> address.

    ``given``: that of one host, read into ``problems``. ``needed``: see `nat_services`. ``servers``: the addresses of
    all real servers, and the host of each. ``different``: returns the texts about hosts that have other gateways
    (`agreement.different_gateways`).
    """
    if any(problem.where == NAT_GATEWAY for problem in problems.found):
        return {}  # it is given, but cannot be read
    _check_owners(given, servers, inventory, problems)
    found: dict[str, IPAddress] = {}
    for family, service in needed.items():
        if family in given:
            found[family] = given[family]
        elif len(inventory.directors) > 1:
            elsewhere = different().get(family, "")
            shown = spoken_family(family)
            if elsewhere:
                problems.add(Code.DIFFERS, NAT_GATEWAY, "", elsewhere)
            elif given:
                text = (
                    f"has no {shown} address, which service {service} (nat) needs: add a free one of the real servers' "
                    "network, which moves with the VIPs"
                )
                problems.add(Code.NO_GATEWAY, NAT_GATEWAY, "", text, shown)
            else:
                text = (
                    f"is missing: service {service} (nat) needs a free {shown} address of the real servers' network, "
                    "which moves with the VIPs"
                )
                problems.add(Code.NO_GATEWAY, NAT_GATEWAY, "", text, shown)
        elif inventory.directors:
            try:
                found[family] = inventory.address(inventory.directors[0], family)
            except InventoryError as error:
                text = f"is missing, and the director's own address is not known: {error}"
                problems.add(Code.NO_GATEWAY, NAT_GATEWAY, "", text, error.value)
    return found


def _check_owners(
    given: Mapping[str, IPAddress], servers: Mapping[IPAddress, str], inventory: Inventory, problems: Problems
) -> None:
    """Note a gateway that stays on one host while the VIPs move."""
    if not given:
        return
    owners = _own_addresses(inventory) if len(inventory.directors) > 1 else {}
    for address in given.values():
        owner = owners.get(address) or servers.get(address)
        if owner:
            text = f"is an address of {owner} and does not move with the VIPs: give one that no host has"
            problems.refuse(Code.FIXED_GATEWAY, NAT_GATEWAY, "", address, text)


def held_vips(resolved: Iterable[ResolvedService]) -> dict[IPAddress, str]:
    """Return the VIPs that real servers behind nat of the same family hold themselves, each with the text about it."""
    resolved = list(resolved)
    behind: dict[str, set[str | None]] = {}
    for item in resolved:
        hosts = {server.host for server in item.servers if server.forward_method == "nat"}
        if hosts:
            behind.setdefault(item.service.family, set()).update(hosts)
    found: dict[IPAddress, tuple[Service, dict[str, str]]] = {}
    for item in resolved:
        others = behind.get(item.service.family, set())
        holding = {
            server.host: server.forward_method
            for server in item.servers
            if server.holds_vip and server.host is not None and server.host in others
        }
        for vip in item.service.vips if holding else ():
            found.setdefault(vip, (item.service, {}))[1].update(holding)
    return {
        vip: f"is the VIP of {service.where} ({some(list(dict.fromkeys(hosts.values())))}), which {some(list(hosts))} "
        f"{'holds itself' if len(hosts) == 1 else 'hold themselves'}: give a free address of the real servers' network"
        for vip, (service, hosts) in found.items()
    }


def _own_addresses(inventory: Inventory) -> dict[IPAddress, str]:
    """Return the directors' own addresses in the inventory, and the director of each."""
    found: dict[IPAddress, str] = {}
    for director in inventory.directors:
        try:
            found.update((address, director) for address in inventory.addresses(director).values())
        except InventoryError:
            continue
    return found


def direct(inventory: Inventory, families: Iterable[str]) -> list[str]:
    """Return the directors' own addresses of these families, as far as the inventory has them."""
    return [str(address) for address in _own_addresses(inventory) if family_of(address) in families]


def floating(gateways: Iterable[IPAddress], vips: Sequence[IPAddress], inventory: Inventory) -> list[IPAddress]:
    """Return the gateways that move between directors: not VIPs, which move anyway, nor a director's own address."""
    own = _own_addresses(inventory)
    return [address for address in gateways if address not in own and address not in vips]


def check_return_traffic(host: str, traffic: str, resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note a host whose direct replies to clients would be routed through the directors.

    The source of such a reply is a VIP, which is the director's own address: the director would drop it.
    """
    for item in resolved if traffic == "all" else ():
        for server in item.servers:
            if server.host == host and server.holds_vip:
                name, method = item.service.name, server.forward_method
                text = f"is not possible on {host}, which answers clients itself for service {name} ({method})"
                problems.refuse(Code.NOT_FOR_METHOD, RETURN_TRAFFIC, "", traffic, text)
                break


def answering(service: Service, server: RealServer, traffic: Traffic) -> tuple[PortRange, ...]:
    """Return the ports that a real server answers from; `EVERY_PORT` is every port."""
    if service.helper:
        return (EVERY_PORT,)  # data connections of FTP use the server's port 20, or a port that the server chooses
    return ((server.port, server.port),) if server.port else traffic.ports or (EVERY_PORT,)


def check_reply_ports(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note the services whose replies no routing rule can match."""
    for item in resolved:
        service = item.service
        for server in item.servers:
            if server.forward_method != "nat" or server.host is None:
                continue
            found = {port for traffic in service.traffic for port in answering(service, server, traffic)}
            for low, high in sorted(found):
                if high <= LAST_PORT:
                    continue
                shown = port_text((low, high))
                remedy = f"end with {LAST_PORT}" if low < high else "use another port"
                text = f"{shown} is not possible with nat, whose routing rules match ports up to {LAST_PORT}: {remedy}"
                key = f"{server.path}.port" if server.port else "ports" if service.fwmark is None else "marks"
                problems.add(Code.NOT_FOR_METHOD, service.where, key, text, shown)


def replies(host: str, resolved: Iterable[ResolvedService]) -> list[dict[str, object]]:
    """Return the sources of the host's replies for nat, as the module ``return_route`` takes them, each once.

    ``{"address": "192.0.2.11", "protocol": "tcp", "port": 8080}``; a text such as ``10000-20000`` is a range, a port of
    0 every port, and a missing protocol every protocol.
    """
    found: dict[tuple[str, str, PortRange], dict[str, object]] = {}
    for item in resolved:
        for server in item.servers:
            if server.host != host or server.forward_method != "nat":
                continue
            for traffic in item.service.traffic:
                for low, high in answering(item.service, server, traffic):
                    reply: dict[str, object] = {"address": str(server.address)}
                    if traffic.protocol:
                        reply["protocol"] = traffic.protocol
                    reply["port"] = low if low == high else port_text((low, high))
                    found[str(server.address), traffic.protocol or "", (low, high)] = reply
    return list(found.values())


def routed_families(resolved: Iterable[ResolvedService]) -> list[str]:
    """Return the families in which the role switches forwarding on."""
    return sorted({item.service.family for item in resolved if item.methods & ROUTED})


def check_transit(
    transit: bool | None, families: Iterable[str], extra: Mapping[str, int | str], problems: Problems
) -> None:
    """Note that ``director_transit`` is missing.

    ``families`` are those that the role forwards, and ``extra`` the sysctls of the inventory. A sysctl there that
    enables forwarding means that the host routes for other hosts too.
    """
    for family in families if transit is None else ():
        key = forwarding_key(family)
        if str(extra.get(key, 0)) != "0":
            text = (
                f"is missing: director_sysctls switches {key} on, so set whether this director forwards packets that "
                "belong to no service (true) or drops them (false)"
            )
            problems.add(Code.MISSING, TRANSIT, "", text)


def sending_all(resolved: Iterable[ResolvedService], inventory: Inventory) -> set[IPAddress]:
    """Return the addresses of real servers behind nat that send all of their traffic through the directors.

    Raises `InventoryError`.
    """
    return {
        server.address
        for item in resolved
        for server in item.servers
        if server.forward_method == "nat"
        and server.host is not None
        and inventory.variable(server.host, RETURN_TRAFFIC) == "all"
    }


def check_tunnels(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note a real server with GRE both with and without checksums: its kernel has one device for both."""
    known: dict[tuple[str, IPAddress], tuple[bool, str]] = {}
    for item in resolved:
        service = item.service
        for server in item.servers:
            if server.host is None or server.forward_method != "tun" or server.tunnel.type != "gre":
                continue
            checksum = server.tunnel.checksum == "csum"
            first, name = known.setdefault((server.host, server.address), (checksum, service.name))
            if first != checksum:
                text = f"differs from that of service {name}, and {server.host} can have only one of them"
                problems.refuse(Code.TUNNELS_DIFFER, service.where, "tunnel.checksum", server.tunnel.checksum, text)
                break


def tunnel_ends(host: str, resolved: Iterable[ResolvedService]) -> list[dict[str, object]]:
    """Return the option ``tunnels`` of the module ``ipvs_tunnel``, each once, in the order of the description.

    ``{"address": "198.51.100.11", "type": "gue", "port": 6080, "families": ["ipv4"]}``; ``checksum`` with gre only.
    """
    found: dict[tuple[object, ...], dict[str, object]] = {}
    families: dict[tuple[object, ...], set[str]] = {}
    for item, server in tunnelled(host, resolved):
        tunnel = server.tunnel
        end: dict[str, object] = {"address": str(server.address), "type": tunnel.type}
        if tunnel.type == "gue":
            end["port"] = tunnel.port
        if tunnel.type == "gre":
            end["checksum"] = tunnel.checksum
        key = tuple(end.values())
        found.setdefault(key, end)
        families.setdefault(key, set()).add(item.service.family)
    return [{**end, "families": sorted(families[key])} for key, end in found.items()]


def tunnel_sources(director: str, family: str, inventory: Inventory) -> list[IPAddress]:
    """Return the addresses from which a director sends packets of tunnels. Raises `InventoryError`."""
    given = inventory.variable(director, SOURCES_VARIABLE)
    found: dict[IPAddress, None] = {}
    for element in given if isinstance(given, (list, tuple)) else [] if given is None else [given]:
        address = to_address(element)
        if address is None or address_fault(address):
            code = Code.NOT_AN_ADDRESS if address is None else Code.UNUSABLE_ADDRESS
            fault = "is not an IP address" if address is None else address_fault(address)
            shown = show(element)
            raise InventoryError(code, f"{SOURCES_VARIABLE} of host {director}: {shown} {fault}", shown)
        found[address] = None
    try:
        own = list(inventory.addresses(director).values())
    except InventoryError:
        if not found:
            raise
        own = []
    return [address for address in dict.fromkeys((*own, *found)) if family_of(address) == family]


def route_sources(director: str, resolved: Iterable[ResolvedService], inventory: Inventory) -> list[dict[str, object]]:
    """Return the option ``route_sources`` of the module host_check: the real servers that check the sources of tunnels.

    ``{"to": "198.51.100.11", "from": ["192.0.2.2"]}``. Raises `InventoryError`.
    """
    found: dict[IPAddress, dict[str, object]] = {}
    for item in resolved:
        for server in item.servers:
            if server.forward_method != "tun" or server.host is None or server.address in found:
                continue
            if to_boolean(inventory.variable(server.host, TUNNEL_GUARD)) is False:
                continue
            sources = tunnel_sources(director, family_of(server.address), inventory)
            found[server.address] = {"to": str(server.address), "from": [str(address) for address in sources]}
    return [entry for entry in found.values() if entry["from"]]


def all_tunnel_sources(
    host: str, resolved: Iterable[ResolvedService], inventory: Inventory, problems: Problems
) -> dict[str, list[IPAddress]]:
    """Return the addresses from which a real server accepts tunnel packets, by their family."""
    families = {family_of(server.address) for _item, server in tunnelled(host, resolved)}
    return {family: _all_sources(family, inventory, problems) for family in sorted(families)}


def _all_sources(family: str, inventory: Inventory, problems: Problems) -> list[IPAddress]:
    found: set[IPAddress] = set()
    for director in inventory.directors:
        try:
            sources = tunnel_sources(director, family, inventory)
        except InventoryError as error:
            error.note(problems, f"group {DIRECTORS}", more=" (real servers accept tunnels from directors only)")
            continue
        if not sources:
            text = (
                f"is missing: the inventory has no {family} address of this director, and real servers accept tunnels "
                f"from directors' addresses only (unless {TUNNEL_GUARD} is false)"
            )
            problems.add(Code.MISSING, f"host {director}", SOURCES_VARIABLE, text)
        found.update(sources)
    return sorted(found, key=int)


def tunnelled(host: str, resolved: Iterable[ResolvedService]) -> Iterator[tuple[ResolvedService, RealServer]]:
    """Yield the services that reach the host through a tunnel, each with its entry for the host."""
    for item in resolved:
        for server in item.servers:
            if server.host == host and server.forward_method == "tun":
                yield item, server
