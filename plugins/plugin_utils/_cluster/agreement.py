# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the variables of all hosts: misspelt names, contradictions, and addresses of two hosts.

Each host is set up from its own variables, so different copies would make two halves, each valid by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    ADDRESS_VARIABLE,
    CLUSTER_VARIABLE,
    DIRECTORS,
    GENERATED_GROUPS,
    Inventory,
    InventoryError,
    of_two_hosts,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of, to_address
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.foreign_words import variable_hint
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    ALIKE,
    DIRECTOR,
    NAT_GATEWAY,
    TIMEOUTS,
    VIRTUAL_ROUTER_ID,
    read_timeouts,
    same_addresses,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    Problems,
    plain,
    show,
    suggestion,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.variables import (
    KNOWN,
    OTHER_VARIABLES,
    PREFIXES,
    SETTINGS,
)

DESCRIPTION = "lvs_virtual_services"


def check_agreement(inventory: Inventory, problems: Problems) -> None:
    """Note settings that must be the same and differ, and addresses that two hosts have."""
    hosts = list(dict.fromkeys((*inventory.directors, *inventory.real_servers)))
    _check_description(hosts, inventory, problems)
    for name, same in ALIKE.items():
        if name != NAT_GATEWAY:
            _check_setting(name, same, DIRECTOR[name], inventory, problems)
    _check_gateway(inventory, problems)
    _check_addresses(hosts, inventory, problems)


def _value(host: str, name: str, inventory: Inventory, problems: Problems) -> object:
    try:
        return inventory.variable(host, name)
    except InventoryError as error:
        error.note(problems, f"host {host}")
        return None


def _check_setting(
    name: str, same: Callable[[object], Hashable], default: object, inventory: Inventory, problems: Problems
) -> None:
    found: dict[Hashable, tuple[object, list[str]]] = {}
    for host in inventory.directors:
        value = _value(host, name, inventory, problems)
        value = default if value is None else value
        found.setdefault(same(value), (value, []))[1].append(host)
    if len(found) > 1:
        text = f"{_values(found.values())}, and has to be the same for all directors: set it for the group directors"
        if name == VIRTUAL_ROUTER_ID:
            text += f". If they are separate clusters, give the hosts of each their own {CLUSTER_VARIABLE}"
        problems.add(Code.DIFFERS, name, "", text)


def _values(found: Iterable[tuple[object, list[str]]]) -> str:
    """Return ``is 51 for lb1, not set for lb2``."""
    values = (f"{'not set' if value is None else show(value)} for {some(hosts)}" for value, hosts in found)
    return f"is {', '.join(values)}"


def _check_gateway(inventory: Inventory, problems: Problems) -> None:
    """Note real servers whose replies would go to another gateway than the directors have.

    A real server without the variable may need none; `forward_methods.gateways_of` notes one that does.
    """
    if not inventory.directors:
        return
    found = _gateways(inventory, problems)
    unset = same_addresses(None)
    if sum(key != unset or bool(set(inventory.directors) & set(hosts)) for key, (_value, hosts) in found.items()) > 1:
        problems.add(Code.DIFFERS, NAT_GATEWAY, "", _say_gateways(found))


def different_gateways(inventory: Inventory) -> dict[str, str]:
    """Return the text about different values of ``lvs_nat_gateway``, as `check_agreement` notes it, for each family in
    which a host has one. Empty if all hosts have the same.
    """
    found = _gateways(inventory, Problems())
    addresses = [address for key in found for address in map(to_address, key) if address is not None]
    return dict.fromkeys(map(family_of, addresses), _say_gateways(found)) if len(found) > 1 else {}


def _gateways(inventory: Inventory, problems: Problems) -> dict[frozenset[str], tuple[object, list[str]]]:
    """Return the values of ``lvs_nat_gateway``, each with its hosts."""
    found: dict[frozenset[str], tuple[object, list[str]]] = {}
    for host in dict.fromkeys((*inventory.directors, *inventory.real_servers)):
        if inventory.is_shared(host):
            continue  # the value may be that of the other cluster: see `cluster_model.real_server_of`
        value = _value(host, NAT_GATEWAY, inventory, problems)
        found.setdefault(same_addresses(value), (value, []))[1].append(host)
    return found


def _say_gateways(found: Mapping[frozenset[str], tuple[object, list[str]]]) -> str:
    return f"{_values(found.values())}: set it once, for all hosts of the cluster"


def _check_description(hosts: Sequence[str], inventory: Inventory, problems: Problems) -> None:
    """Note directors of one cluster with different descriptions. Real servers need none."""
    having = [host for host in hosts if not inventory.is_shared(host) and DESCRIPTION in inventory.names(host)]
    if not having:
        return  # the filter was given one from elsewhere
    without = [host for host in inventory.directors if host not in having]
    if without:
        text = f"is not set for {some(without)}, but for {some(having)}: set it once, for all directors"
        problems.add(Code.MISSING, DESCRIPTION, "", text)
    first, *others = having
    different = [host for host in others if not _same(DESCRIPTION, first, host, inventory, problems)]
    if different:
        service = _where(first, different[0], inventory, problems)
        text = f"is not the same for {some(different)} as for {first}{service}: set it once, for all directors"
        if set(different).intersection(inventory.directors):
            text += f". If they are separate clusters, give the hosts of each their own {CLUSTER_VARIABLE}"
        problems.add(Code.DIFFERS, DESCRIPTION, "", text)


def _same(name: str, host: str, other: str, inventory: Inventory, problems: Problems) -> bool:
    """Return True if two hosts have the same value. Texts are compared first: templates are slow in a fleet."""
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
    """Return a form that is equal for equal values, without what Ansible has added to them."""
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
            continue  # reported at its use
        for address in addresses.values():
            owner = owners.setdefault(address, host)
            if owner != host:
                problems.refuse(Code.ADDRESS_TWICE, ADDRESS_VARIABLE, "", address, of_two_hosts(owner, host))


def check_variables(inventory: Inventory, problems: Problems) -> None:
    """Note every variable of a director or real server that has one of our prefixes and is not one of ours."""
    unknown: dict[str, list[str]] = {}
    for host in dict.fromkeys((*inventory.directors, *inventory.real_servers)):
        names = [name for name in inventory.names(host) if name.startswith(PREFIXES) and name not in KNOWN]
        if not names:
            continue
        others = _others(host, inventory, problems)
        for name in names:
            if name not in others:
                unknown.setdefault(name, []).append(host)
    for name, hosts in sorted(unknown.items()):
        hint = variable_hint(name) or suggestion(name, SETTINGS)
        problems.add(
            Code.UNKNOWN_VARIABLE,
            f"variable {name}",
            "",
            f"is set for {some(hosts)} and is not a variable of this collection{hint}: "
            f"correct it, or list it in {OTHER_VARIABLES} if it is one of your own",
        )


def _others(host: str, inventory: Inventory, problems: Problems) -> frozenset[object]:
    try:
        value = inventory.variable(host, OTHER_VARIABLES)
    except InventoryError as error:
        error.note(problems, f"host {host}")
        return frozenset()
    if value is None:
        return frozenset()
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        problems.refuse(Code.NOT_A_LIST, f"host {host}", OTHER_VARIABLES, value, "is not a list of variable names")
        return frozenset()
    return frozenset(value)


def found_elsewhere(name: str, inventory: Inventory) -> str:
    """Return ``; the group web (rs1 and rs2) has it``, for hosts of the inventory that have a variable, or nothing."""
    hosts = [host for hosts in inventory.groups.values() for host in hosts]
    members = dict.fromkeys(inventory.within(hosts))
    having = [host for host in members if name in inventory.names(host)]
    if not having:
        return ""
    named = [
        group
        for group, hosts in inventory.groups.items()
        if set(hosts) == set(having) and group not in GENERATED_GROUPS
    ]
    if named:
        return f"; the group {named[0]} ({some(having)}) has it"
    return f"; {some(having)} {'has' if len(having) == 1 else 'have'} it"


def some(hosts: list[str]) -> str:
    """Return the names of hosts for a message: ``lb1, lb2 and 5 more``."""
    if len(hosts) > 4:
        return f"{', '.join(hosts[:3])} and {len(hosts) - 3} more"
    return " and ".join([", ".join(hosts[:-1]), hosts[-1]] if len(hosts) > 1 else hosts)


def check_timeouts(inventory: Inventory, problems: Problems) -> None:
    """Note directors with different timeouts: a new master would remove connections that the former one kept."""
    known = []
    for director in inventory.directors:
        try:
            given = inventory.variable(director, TIMEOUTS)
        except InventoryError as error:
            error.note(problems, f"group {DIRECTORS}")
            continue
        known.append((director, read_timeouts(given, Problems())))
    for director, others in known[1:]:
        first, expected = known[0]
        if others != expected:
            text = f"is {_say(expected)} for {first}, {_say(others)} for {director}"
            text += ", and has to be the same for all directors: set it for the group directors"
            problems.add(Code.DIFFERS, TIMEOUTS, "", text)
            break


def _say(timeouts: Mapping[str, int]) -> str:
    return "not set" if not timeouts else f"{{{', '.join(f'{name}: {seconds}' for name, seconds in timeouts.items())}}}"
