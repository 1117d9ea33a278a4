# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory as the cluster model sees it: groups, and the address of each host.

Takes Ansible's ``groups`` and ``hostvars`` as plain mappings. ``hostvars`` may be lazy and slow (Ansible templates on
access), so only hosts of services and of the director group are looked up, each at most once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import address_fault
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    IPAddress,
    family_of,
    to_address,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    Problems,
    nearest,
    plain,
    show,
    suggestion,
)

DIRECTORS = "directors"
REAL_SERVERS = "real_servers"
ADDRESS_VARIABLE = "lvs_address"
#: The name of a host's cluster, or a list of those of a real server.
CLUSTER_VARIABLE = "lvs_cluster"
#: The groups that Ansible makes.
GENERATED_GROUPS = ("all", "ungrouped")
#: Names of hosts are written to configurations unchanged (keepalived.conf(5), router_id). IPv6 addresses can be names.
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,253}")


def hosts_of_group(groups: Mapping[object, object], group: str) -> list[str]:
    """Return the inventory names of a group's hosts; none if there is no such group."""
    hosts = groups.get(group)
    return [host for host in hosts if isinstance(host, str)] if isinstance(hosts, (list, tuple)) else []


class InventoryError(ValueError):
    """A problem of a host or group: one sentence, with its code and the value in it."""

    def __init__(self, code: Code, text: str, value: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.value = value

    def note(self, problems: Problems, where: str, key: str = "", more: str = "") -> None:
        """Note it as a problem of the part that needs the host or the group; ``more`` is added to the sentence."""
        problems.add(self.code, where, key, f"{self}{more}", self.value)

    def note_group(self, problems: Problems, group: str) -> None:
        """Note it as a problem of a group; the sentence about a group that does not exist names it itself."""
        self.note(problems, "" if self.code is Code.UNKNOWN_GROUP else f"group {group}")


class Inventory:
    """Groups in inventory order and hosts' addresses, looked up once each.

    ``groups`` maps a name to a list of host names; ``hostvars`` maps a host name to a mapping of its variables, where
    an exception instead of a value is the reason for its absence. ``written`` gives the variables of a host with
    unevaluated templates.
    """

    def __init__(
        self,
        groups: Mapping[object, object],
        hostvars: Mapping[object, object],
        written: Callable[[str], object] | None = None,
    ) -> None:
        self._hostvars = hostvars
        self._written = written
        self._groups: dict[str, tuple[str, ...]] = {}
        for name, hosts in groups.items():
            if isinstance(name, str) and isinstance(hosts, (list, tuple)):
                self._groups[plain(name)] = tuple(plain(host) for host in hosts if isinstance(host, str))
        self._checked: set[str] = set()
        self._addresses: dict[str, dict[str, IPAddress] | InventoryError] = {}
        self._variables: dict[str, Mapping[object, object]] = {}
        self.directors = self._groups.get(DIRECTORS, ())
        self.real_servers = self._groups.get(REAL_SERVERS, ())
        self._real_servers = frozenset(self.real_servers)
        self.cluster = ""
        self._clusters: Mapping[str, tuple[str, ...]] = {}

    def of_cluster(
        self, name: str, directors: Iterable[str], real_servers: Iterable[str], clusters: Mapping[str, tuple[str, ...]]
    ) -> Inventory:
        """Return the part of one of several clusters: its groups have no other hosts.

        ``clusters`` maps every director and real server to the names of its clusters. Variables that are looked up in
        one part are known in all.
        """
        part = Inventory.__new__(Inventory)
        part.__dict__.update(self.__dict__)
        part.cluster, part._clusters, part._checked = name, clusters, set()
        part.directors, part.real_servers = tuple(directors), tuple(real_servers)
        part._real_servers = frozenset(part.real_servers)
        return part

    def is_shared(self, host: str) -> bool:
        """Return True if a host belongs to another cluster too."""
        return len(self._clusters.get(host, ())) > 1

    def within(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Return those of the hosts that belong to this cluster."""
        return tuple(host for host in hosts if not self.cluster or self.cluster in self._clusters.get(host, ()))

    def members(self, group: str) -> tuple[str, ...]:
        """Return the hosts of a group and its child groups; raises `InventoryError` if there are none."""
        hosts = self._groups.get(group)
        if hosts is None:
            if group in (DIRECTORS, REAL_SERVERS):
                raise self._lacks(group)
            shown = show(group)
            text = f"{shown} is not a group of the inventory{suggestion(group, self._groups)}"
            raise InventoryError(Code.UNKNOWN_GROUP, text, shown)
        within = self.within(hosts)
        if not within:
            of_cluster = f" of cluster {self.cluster}{self._other_name()}" if hosts else ""
            raise InventoryError(Code.EMPTY, f"the inventory group {group!r} has no hosts{of_cluster}", show(group))
        return within

    def _other_name(self) -> str:
        """Return what cluster may be meant, for one whose name no real server has."""
        names = {name for of_host in self._clusters.values() for name in of_host if name != self.cluster}
        return "" if self.real_servers else suggestion(self.cluster, names)

    def servers_of(self, group: str) -> tuple[str, ...]:
        """Return the same for a group of real servers; raises also if one of its hosts is not a real server."""
        hosts = self.members(group)
        if group not in self._checked:
            for host in hosts:
                self.require_real_server(host, group)
            self._checked.add(group)
        return hosts

    def require_real_server(self, host: str, group: str = "") -> None:
        """Raise `InventoryError` unless the host is in the group ``real_servers``.

        ``group``: the one that the description names instead of the host.
        """
        if host in self._real_servers:
            return
        shown = show(host)
        if not any(host in hosts for hosts in self._groups.values()):
            remedy = suggestion(host, self.real_servers)
            if to_address(host) is not None:
                remedy = ": use the key address for an address"
            text = f"{shown} is not a host of the inventory{remedy}"
            raise InventoryError(Code.UNKNOWN_HOST, text, shown)
        child = group if group not in GENERATED_GROUPS else ""
        if host in self._groups.get(REAL_SERVERS, ()) and self.cluster:
            others = " and ".join(self._clusters.get(host, ()))
            text = f"host {shown} is in cluster {others} only: add {self.cluster} to its {CLUSTER_VARIABLE}"
        elif host in self.directors:
            what = "a group of real servers" if group else "a real server"
            text = f"host {shown} is a director, and not in the group {REAL_SERVERS!r}: name {what}"
        elif REAL_SERVERS not in self._groups:
            raise self._lacks(REAL_SERVERS, child, host)
        else:
            remedy = f"{child!r} to it as a child" if child else "the host to it"
            text = f"host {shown} is not in the group {REAL_SERVERS!r}: add {remedy}"
        raise InventoryError(Code.NOT_IN_GROUP, text, shown)

    def _lacks(self, group: str, child: str = "", host: str = "") -> InventoryError:
        """Return the error about one of the two groups if the inventory does not have it.

        ``child`` and ``host``: a group or a host that should be in it.
        """
        near = nearest(group, self._groups)
        text = f"the inventory has no group {group!r}"
        if child:
            text += f": put {child!r} below it as a child"
        elif near:
            remedy = "rename that group" if group == DIRECTORS else f"put {near!r} below it as a child"
            text += f"; it has {near!r}: {remedy}"
        elif host:
            text += f": put host {show(host)} into one"
        else:
            text += f": put the {'directors' if group == DIRECTORS else 'real servers'}' hosts into one"
        return InventoryError(Code.UNKNOWN_GROUP, text, show(group))

    def addresses(self, host: str) -> dict[str, IPAddress]:
        """Return the host's own addresses by family, such as ``{"ipv4": IPv4Address("198.51.100.11")}``.

        From the variable ``lvs_address`` (one address, or a list with one per family), otherwise from ``ansible_host``
        if that is an IP address. Raises `InventoryError` if neither gives one.
        """
        found = self._addresses.get(host)
        if found is None:
            try:
                found = self._read_addresses(host)
            except InventoryError as error:
                found = error
            self._addresses[host] = found
        if isinstance(found, InventoryError):
            raise found
        return found

    def address(self, host: str, family: str, mixed: bool = False) -> IPAddress:
        """Return the host's address of one family; with ``mixed``, that of the other family if it is the only one."""
        addresses = self.addresses(host)
        if family in addresses:
            return addresses[family]
        if mixed:
            return next(iter(addresses.values()))
        known = " and ".join(str(address) for address in addresses.values())
        text = f"host {host} has no {spoken_family(family)} address: add one to {ADDRESS_VARIABLE}, beside {known}"
        raise InventoryError(Code.NO_ADDRESS, text, host)

    def check_names(self, hosts: Iterable[str], problems: Problems) -> None:
        """Note directors and these hosts if their names could mean something else in a configuration."""
        for host in dict.fromkeys((*self.directors, *hosts)):
            if not _NAME.fullmatch(host):
                text = "is not a name of 1 to 253 letters, digits, '_', '.', ':' and '-'"
                problems.add(Code.MALFORMED, f"host {show(host)}", "", text)

    def variable(self, host: str, name: str) -> object:
        """Return one of the host's variables; None if it is not set. Raises `InventoryError` if its template fails."""
        value = self._variables_of(host).get(name)
        if isinstance(value, Exception):
            raise InventoryError(Code.UNREADABLE, f"{name} of host {host}: {value}")
        return value

    def names(self, host: str) -> list[str]:
        """Return the names of the host's variables; their values are not looked up."""
        return [plain(name) for name in self._variables_of(host) if isinstance(name, str)]

    def written(self, host: str, name: str) -> object:
        """Return one of the host's variables with its templates as written; None if that is not known."""
        variables = self._written(host) if self._written is not None else None
        return variables.get(name) if isinstance(variables, Mapping) else None

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The groups and their hosts."""
        return self._groups

    def _variables_of(self, host: str) -> Mapping[object, object]:
        if host not in self._variables:
            variables = self._hostvars.get(host)
            self._variables[host] = variables if isinstance(variables, Mapping) else {}
        return self._variables[host]

    def _read_addresses(self, host: str) -> dict[str, IPAddress]:
        variables = self._variables_of(host)
        value = variables.get(ADDRESS_VARIABLE)
        if isinstance(value, Exception):
            raise InventoryError(Code.UNREADABLE, f"{ADDRESS_VARIABLE} of host {host}: {value}")
        if value is None:
            fallback = variables.get("ansible_host")
            if isinstance(fallback, Exception):
                raise InventoryError(Code.UNREADABLE, f"ansible_host of host {host}: {fallback}")
            address = to_address(fallback)
            if address is None or address_fault(address):
                reason = "" if fallback is None else f" (ansible_host is {show(fallback)})"
                text = f"host {host} has no address{reason}: set {ADDRESS_VARIABLE}"
                raise InventoryError(Code.NO_ADDRESS, text, host)
            return {family_of(address): address}
        elements = value if isinstance(value, (list, tuple)) else [value]
        addresses: dict[str, IPAddress] = {}
        for element in elements:
            address = to_address(element)
            fault = "is not an IP address" if address is None else address_fault(address)
            if address is None or fault:
                code = Code.NOT_AN_ADDRESS if address is None else Code.UNUSABLE_ADDRESS
                shown = show(element)
                raise InventoryError(code, f"{ADDRESS_VARIABLE} of host {host}: {shown} {fault}", shown)
            family = family_of(address)
            if family in addresses:
                both = f"{address} is an {spoken_family(family)} address as {addresses[family]} is"
                text = f"{ADDRESS_VARIABLE} of host {host}: {both}: give one address per family"
                raise InventoryError(Code.TWICE, text, str(address))
            addresses[family] = address
        if not addresses:
            text = f"host {host} has no address: {ADDRESS_VARIABLE} is an empty list"
            raise InventoryError(Code.NO_ADDRESS, text, host)
        return addresses


def of_two_hosts(host: str, other: str) -> str:
    """Return what a message says about the address of two hosts, the same in any order."""
    first, second = sorted((host, other))
    return f"is the address of {first} and of {second}: give each host its own"


def spoken_family(family: str) -> str:
    """Return ``IPv4`` for ``ipv4``."""
    return {"ipv4": "IPv4", "ipv6": "IPv6"}[family]
