# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has to be like before it is set up: its addresses, and a director's peers.

The module ``host_check`` compares these with the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    ADDRESS_VARIABLE,
    DIRECTORS,
    Inventory,
    InventoryError,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import Instance
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, to_address
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, plain, show

LEAVING = "lvs_directors_that_leave"


def read_leaving(value: object, inventory: Inventory, problems: Problems) -> list[str]:
    """Return the directors that may go: what is given, and the addresses that the inventory has for these names."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        text = f'{show(value)} is not a list of names or addresses, as in -e \'{{"{LEAVING}": ["lb2"]}}\''
        problems.add(LEAVING, "", text)
        return []
    found: dict[str, None] = {}
    for one in map(plain, value):
        if one in inventory.directors:
            problems.add(LEAVING, "", f"{one} is in the group {DIRECTORS}: remove it there first")
        address = to_address(one)
        found[one if address is None else str(address)] = None
        with suppress(InventoryError):  # it may have left the inventory
            found.update((str(own), None) for own in inventory.addresses(one).values())
    return list(found)


def state_of_director(
    vrrp: Iterable[Instance], leaving: Sequence[str], resolved: Iterable[ResolvedService], moving: bool
) -> dict[str, object]:
    """Return what the option ``director`` of ``host_check`` takes.

    ``real_servers`` are those whose address no director may have, with their services.
    """
    servers: dict[str, str] = {}
    for item in resolved:
        if item.service.forward_method != "fullnat":
            for server in item.servers:
                if server.host is None:
                    servers.setdefault(str(server.address), item.service.name)
    return {
        "instances": [
            {
                "name": instance.name,
                "virtual_router_id": instance.settings.virtual_router_id,
                "advertised": instance.advertised,
                "peers": list(instance.peers.values()),
            }
            for instance in vrrp
        ],
        "leaving": list(leaving),
        "real_servers": [{"address": address, "service": name} for address, name in servers.items()] if moving else [],
    }


def addresses_of_director(host: str, vrrp: Iterable[Instance], inventory: Inventory) -> list[dict[str, str]]:
    """Return the addresses that a director has to have: from which it speaks VRRP, and those that it is given.

    ``[{"address": "192.0.2.2", "interface": "eth1"}]``; an empty interface is any.
    """
    found = {
        instance.source_address: instance.settings.interface for instance in vrrp if instance.source_address is not None
    }
    return _listed({**_given(host, inventory), **found})


def addresses_of_real_server(
    host: str, resolved: Iterable[ResolvedService], inventory: Inventory
) -> list[dict[str, str]]:
    """Return the addresses that a real server has to have. With fullnat another host may translate them."""
    used: dict[IPAddress, None] = {}
    reached: set[IPAddress] = set()
    for item in resolved:
        for server in item.servers:
            if server.host == host and item.service.forward_method != "fullnat":
                used[server.address] = None
            elif server.host == host:
                reached.add(server.address)
    given = {text: "" for text in _given(host, inventory) if to_address(text) not in reached - used.keys()}
    return _listed({**given, **{str(address): "" for address in used}})


def _given(host: str, inventory: Inventory) -> dict[str, str]:
    """The addresses in the host's own variable; those of ``ansible_host`` may be translated on the way to it."""
    try:
        if inventory.variable(host, ADDRESS_VARIABLE) is None:
            return {}
        return {str(address): "" for address in inventory.addresses(host).values()}
    except InventoryError:
        return {}


def _listed(addresses: dict[str, str]) -> list[dict[str, str]]:
    return [{"address": address, "interface": interface} for address, interface in addresses.items()]
