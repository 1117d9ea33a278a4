# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back with nat: through which address of the directors, and for which replies.

The director translates addresses of requests, and so has to see the replies. A real server sends them to an address
that is always at the director which balances: it moves with the VIPs, or is the only director's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import Inventory, InventoryError
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    IPAddress,
    address_fault,
    family_of,
    to_address,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    UNREWRITTEN,
    Service,
    SorryServer,
    Traffic,
)

VARIABLE = "lvs_nat_gateway"
TRAFFIC_VARIABLE = "real_server_return_traffic"
RETURN_TRAFFIC = ("services", "all")


def check_marks(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note the services by mark whose traffic has to be known, and is not."""
    reasons = {
        "nat": "with nat, real servers have to know which of their packets are replies",
        "fullnat": "with fullnat, the directors have to know whose addresses to translate",
    }
    for item in resolved:
        reason = reasons.get(item.service.forward_method)
        if reason and not item.service.traffic:
            problems.add(item.service.where, "marks", f"is missing: {reason}")


def read_gateways(
    value: object, resolved: Sequence[ResolvedService], inventory: Inventory, problems: Problems
) -> dict[str, IPAddress]:
    """The gateway of each family in which a host that Ansible manages is behind nat: family -> address."""
    needed: dict[str, str] = {}
    for item in resolved:
        if item.service.forward_method == "nat" and any(server.host is not None for server in item.servers):
            needed.setdefault(item.service.family, item.service.name)
    given = _read(value, problems)
    _check_owners(given, resolved, inventory, problems)
    found: dict[str, IPAddress] = {}
    for family, service in needed.items():
        if family in given:
            found[family] = given[family]
        elif len(inventory.directors) > 1:
            text = f"has no {family} address, which service {service} (nat) needs: one that fails over with the VIPs"
            problems.add(VARIABLE, "", text)
        elif inventory.directors:
            try:
                found[family] = inventory.address(inventory.directors[0], family)
            except InventoryError as error:
                problems.add(VARIABLE, "", f"is not given, and the director's own address cannot be had: {error}")
    return found


def _check_owners(
    given: Mapping[str, IPAddress], resolved: Iterable[ResolvedService], inventory: Inventory, problems: Problems
) -> None:
    """Note a gateway that stays with one host while the VIPs move on."""
    servers = {server.address: server.host or "a real server" for item in resolved for server in item.servers}
    owners = _own_addresses(inventory) if len(inventory.directors) > 1 else {}
    for address in given.values():
        owner = owners.get(address) or servers.get(address)
        if owner:
            text = f"{address} is the own address of {owner}, and does not move with the VIPs"
            problems.add(VARIABLE, "", text)


def _own_addresses(inventory: Inventory) -> dict[IPAddress, str]:
    """The directors' own addresses, as far as the inventory has them, and whose they are."""
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


def _read(value: object, problems: Problems) -> dict[str, IPAddress]:
    """One address, or a list with one per family."""
    if value is None or value == "":
        return {}
    found: dict[str, IPAddress] = {}
    for element in value if isinstance(value, (list, tuple)) else [value]:
        address = to_address(element)
        if address is None:
            problems.add(VARIABLE, "", f"{show(element)} is not an IP address")
        elif address_fault(address):
            problems.add(VARIABLE, "", f"{show(str(address))} {address_fault(address)}")
        elif family_of(address) in found:
            problems.add(VARIABLE, "", f"{found[family_of(address)]} and {address} are both {family_of(address)}")
        else:
            found[family_of(address)] = address
    return found


def floating(gateways: Iterable[IPAddress], vips: Sequence[IPAddress], inventory: Inventory) -> list[IPAddress]:
    """Those gateways that the directors pass on to each other: no VIP, which is passed on anyway, and nobody's own."""
    own = _own_addresses(inventory)
    return [address for address in gateways if address not in own and address not in vips]


def check_return_traffic(host: str, traffic: object, resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note a host whose replies would be led to the directors although they go straight to clients.

    Such a reply has a VIP as its source, which is an address of the director's own: it would be dropped there.
    """
    if traffic not in RETURN_TRAFFIC:
        problems.add(TRAFFIC_VARIABLE, "", f"{show(traffic)} is not one of {', '.join(RETURN_TRAFFIC)}")
    for item in resolved if traffic == "all" else ():
        method = item.service.forward_method
        if method in UNREWRITTEN and any(server.host == host for server in item.servers):
            text = f"'all' is not possible on {host}, which answers clients itself for service"
            problems.add(TRAFFIC_VARIABLE, "", f"{text} {item.service.name} ({method})")


def answering(service: Service, server: RealServer | SorryServer, traffic: Traffic) -> tuple[int, ...]:
    """The ports that a real server answers from; 0 is every port."""
    if service.helper:
        return (0,)  # data connections of FTP come from its port 20, or go to one that the server chooses
    return (server.port,) if server.port else traffic.ports or (0,)


def replies(host: str, resolved: Iterable[ResolvedService]) -> list[dict[str, object]]:
    """What the host's replies of nat services come from, as the module ``return_route`` takes it, each once.

    ``{"address": "192.0.2.11", "protocol": "tcp", "port": 8080}``; a port of 0 is every port, and a missing protocol
    every protocol.
    """
    found: dict[tuple[str, str, int], dict[str, object]] = {}
    for item in resolved:
        if item.service.forward_method != "nat":
            continue
        for server in item.servers:
            if server.host != host:
                continue
            for traffic in item.service.traffic:
                for port in answering(item.service, server, traffic):
                    reply: dict[str, object] = {"address": str(server.address)}
                    if traffic.protocol:
                        reply["protocol"] = traffic.protocol
                    found[str(server.address), traffic.protocol or "", port] = {**reply, "port": port}
    return list(found.values())
