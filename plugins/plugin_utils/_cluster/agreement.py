# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be the same on several hosts of a cluster, and differ on all of them.

Each host is set up by its own variables, so a copy that differs makes two halves that are right by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    ADDRESS_VARIABLE,
    Inventory,
    InventoryError,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    IPAddress,
    to_address,
    to_boolean,
    to_integer,
    to_seconds,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, plain, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.variables import some

DESCRIPTION = "lvs_virtual_services"
_GATEWAY = "lvs_nat_gateway"


def _boolean(value: object) -> Hashable:
    read = to_boolean(value)
    return show(value) if read is None else read


def _integer(value: object) -> Hashable:
    read = to_integer(value)
    return show(value) if read is None else read


def _seconds(value: object) -> Hashable:
    read = to_seconds(value)
    return show(value) if read is None else round(read, 2)


def _daemon(value: object) -> Hashable:
    """Return a value for the same daemon: an empty mapping is one with its defaults."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), str(one)) for key, one in value.items()))
    read = to_boolean(value)
    return () if read else _boolean(value)


def _addresses(value: object) -> Hashable:
    elements = value if isinstance(value, (list, tuple)) else [] if value in (None, "") else [value]
    return frozenset(str(to_address(one) or show(one)) for one in elements)


#: Variables of directors that have to be the same on all of them: how values are compared, and the default.
DIRECTORS: dict[str, tuple[Callable[[object], Hashable], object]] = {
    "director_virtual_router_id": (_integer, 51),
    "director_advert_interval": (_seconds, 1),
    "director_preempt": (_boolean, True),
    "director_vrrp_hops": (_integer, 0),
    "director_sync_daemon": (_daemon, True),
    "director_sync_senders": (_addresses, None),
    "director_health_checker": (show, "keepalived"),
    _GATEWAY: (_addresses, None),
}


def check_agreement(inventory: Inventory, problems: Problems) -> None:
    """Note the settings that have to be the same and are not, and addresses that two hosts have."""
    hosts = list(dict.fromkeys((*inventory.directors, *inventory.real_servers)))
    _check_description(hosts, inventory, problems)
    for name, (read, default) in DIRECTORS.items():
        _check_setting(name, read, default, inventory, problems)
    _check_gateway(inventory, problems)
    _check_addresses(hosts, inventory, problems)


def _value(host: str, name: str, inventory: Inventory, problems: Problems) -> object:
    try:
        return inventory.variable(host, name)
    except InventoryError as error:
        problems.add(f"host {host}", "", str(error))
        return None


def _check_setting(
    name: str, read: Callable[[object], Hashable], default: object, inventory: Inventory, problems: Problems
) -> None:
    found: dict[Hashable, tuple[object, list[str]]] = {}
    for host in inventory.directors:
        value = _value(host, name, inventory, problems)
        value = default if value is None else value
        found.setdefault(read(value), (value, []))[1].append(host)
    if len(found) > 1:
        values = ", ".join(
            f"{'not set' if value is None else show(value)} for {some(hosts)}" for value, hosts in found.values()
        )
        problems.add(name, "", f"is {values}, and has to be the same for all directors: set it for the group directors")


def _check_gateway(inventory: Inventory, problems: Problems) -> None:
    """Note real servers whose replies would go to another gateway than the directors have."""
    if not inventory.directors:
        return
    first = inventory.directors[0]
    given = _value(first, _GATEWAY, inventory, problems)
    different = []
    for host in inventory.real_servers:
        value = _value(host, _GATEWAY, inventory, problems)
        if value is not None and _addresses(value) != _addresses(given):
            different.append((host, value))
    if different:
        text = f"is {show(different[0][1])} for {some([host for host, _value in different])}, and "
        text += "not set" if given is None else show(given)
        problems.add(_GATEWAY, "", f"{text} for director {first}: set the directors' address once, for all hosts")


def _check_description(hosts: Sequence[str], inventory: Inventory, problems: Problems) -> None:
    having = [host for host in hosts if DESCRIPTION in inventory.names(host)]
    if not having:
        return  # somebody gave it to the filter who has it from elsewhere
    if len(having) < len(hosts):
        without = [host for host in hosts if host not in having]
        text = f"is not set for {some(without)}, but for {some(having)}: set it once, for all hosts"
        problems.add(DESCRIPTION, "", text)
    first, *others = having
    different = [host for host in others if not _same(DESCRIPTION, first, host, inventory, problems)]
    if different:
        text = f"of {some(different)} is not that of {first}{_where(first, different[0], inventory, problems)}"
        problems.add(DESCRIPTION, "", f"{text}: set it once, for all hosts")


def _same(name: str, host: str, other: str, inventory: Inventory, problems: Problems) -> bool:
    """Return whether two hosts have one value. Their texts are compared first: templates take long in a fleet."""
    written = inventory.written(host, name)
    if written is not None and written == inventory.written(other, name) and not _templates(written):
        return True
    return comparable(_value(host, name, inventory, problems)) == comparable(_value(other, name, inventory, problems))


def _templates(value: object) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_templates(key) or _templates(one) for key, one in value.items())
    return isinstance(value, (list, tuple)) and any(_templates(one) for one in value)


def comparable(value: object) -> Hashable:
    """Return something that is equal for equal values, whatever Ansible has added to them."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return frozenset((comparable(key), comparable(one)) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(comparable(one) for one in value)
    return show(value)


def _where(host: str, other: str, inventory: Inventory, problems: Problems) -> str:
    """Return `` (service web)`` for the first service that differs."""
    first, second = (_by_name(_value(one, DESCRIPTION, inventory, problems)) for one in (host, other))
    for name in (*first, *second):
        if first.get(name) != second.get(name):
            return f" (service {name})"
    return ""


def _by_name(value: object) -> dict[str, Hashable]:
    services = value if isinstance(value, (list, tuple)) else []
    return {
        plain(service["name"]): comparable(service)
        for service in services
        if isinstance(service, Mapping) and isinstance(service.get("name"), str)
    }


def _check_addresses(hosts: Sequence[str], inventory: Inventory, problems: Problems) -> None:
    owners: dict[IPAddress, str] = {}
    for host in hosts:
        try:
            addresses = inventory.addresses(host)
        except InventoryError:
            continue  # told where it is used
        for address in addresses.values():
            owner = owners.setdefault(address, host)
            if owner != host:
                text = f"{address} is the address of {owner} and of {host}: give each host its own"
                problems.add(ADDRESS_VARIABLE, "", text)
