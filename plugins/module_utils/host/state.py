# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host looks like and what can be done to it, as values.

A planner takes a HostState and what is wanted, and gives operations. Everything about an operation is known here
without touching the host: the state after it, the operation that undoes it, and the words for it.

Undoing in reverse order passes through the very states that the way there passed through. So a plan in which no state
lets a real server answer ARP for a VIP is also undone without such a state.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Union

from .record import remembered_lines
from .routing import Route, Rule
from .sysctl import display, values_after_write
from .unit import Unit


@dataclass(frozen=True, order=True)
class Address:
    """An address on an interface: normal text ("2001:db8::1"), prefix length and interface name."""

    address: str
    prefix: int
    interface: str

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix} dev {self.interface}"


@dataclass(frozen=True)
class HostState:
    """The part of a host that a planner asked for.

    sysctls: path below /proc/sys ("net/ipv4/ip_forward") to its value, None where the kernel has no such key.
    addresses: every address of every interface, or those that matter.
    modules: kernel module to whether the kernel has it, loaded or built in.
    files: path to text, None where there is no file. records: as files, for those that hold what has to be put back.
    units: name of a unit to the unit, None where we have installed none. directories: those that exist.
    tables: name of an nftables table of the family inet to how nft lists it, None where there is none.
    routes, rules: those of the routing table that a planner asked for.
    """

    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    addresses: frozenset[Address] = frozenset()
    modules: Mapping[str, bool] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    records: Mapping[str, str | None] = field(default_factory=dict)
    units: Mapping[str, Unit | None] = field(default_factory=dict)
    directories: frozenset[str] = frozenset()
    tables: Mapping[str, str | None] = field(default_factory=dict)
    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()


@dataclass(frozen=True)
class LoadModule:
    """Load a kernel module. Not undone: another part of the host may use it by then."""

    name: str


@dataclass(frozen=True)
class SetSysctl:
    """Write a sysctl. before is None only in predictions, where the module that brings the key is not loaded yet."""

    key: str
    before: str | None
    after: str


@dataclass(frozen=True)
class AddAddress:
    """Put an address on an interface."""

    address: Address


@dataclass(frozen=True)
class RemoveAddress:
    """Take an address off an interface."""

    address: Address


@dataclass(frozen=True)
class ChangeFile:
    """Write a file, or remove it where after is None. Its directory exists."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class ChangeRecord(ChangeFile):
    """As ChangeFile, for a file that holds what has to be put back; only root may read it."""


@dataclass(frozen=True)
class ChangeUnit:
    """Install, change or remove a unit of systemd."""

    name: str
    before: Unit | None
    after: Unit | None


@dataclass(frozen=True)
class ChangeTable:
    """Swap a table of nftables for another, in one transaction. Both are as nft lists them, which it also reads."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class ChangeRoute:
    """Add, replace or remove the default route of a family. Replacing leaves no moment without one."""

    before: Route | None
    after: Route | None


@dataclass(frozen=True)
class AddRule:
    """Add a routing rule."""

    rule: Rule


@dataclass(frozen=True)
class RemoveRule:
    """Remove a routing rule."""

    rule: Rule


@dataclass(frozen=True)
class MakeDirectory:
    """Make a directory whose parent exists."""

    path: str


@dataclass(frozen=True)
class RemoveDirectory:
    """Remove a directory, unless there is something in it."""

    path: str


Operation = Union[
    LoadModule,
    SetSysctl,
    AddAddress,
    RemoveAddress,
    ChangeFile,
    ChangeRecord,
    ChangeUnit,
    ChangeTable,
    ChangeRoute,
    AddRule,
    RemoveRule,
    MakeDirectory,
    RemoveDirectory,
]


@dataclass(frozen=True)
class Plan:
    """Operations in the order in which they are safe, the state they lead to, and what the user should know.

    shown_sysctls and shown_addresses are those of interest to a user: a state also holds what planning needs.
    """

    operations: tuple[Operation, ...]
    predicted: HostState
    warnings: tuple[str, ...] = ()
    shown_sysctls: frozenset[str] = frozenset()
    shown_addresses: frozenset[Address] = frozenset()


def predict(state: HostState, operations: Iterable[Operation]) -> HostState:
    """The state after these operations."""
    for operation in operations:
        state = _after(state, operation)
    return state


def _after(state: HostState, operation: Operation) -> HostState:
    if isinstance(operation, LoadModule):
        return replace(state, modules={**state.modules, operation.name: True})
    if isinstance(operation, SetSysctl):
        return replace(state, sysctls=values_after_write(state.sysctls, operation.key, operation.after))
    if isinstance(operation, AddAddress):
        return replace(state, addresses=state.addresses | {operation.address})
    if isinstance(operation, RemoveAddress):
        return replace(state, addresses=state.addresses - {operation.address})
    if isinstance(operation, ChangeRecord):
        return replace(state, records={**state.records, operation.path: operation.after})
    if isinstance(operation, ChangeFile):
        return replace(state, files={**state.files, operation.path: operation.after})
    if isinstance(operation, ChangeUnit):
        return replace(state, units={**state.units, operation.name: operation.after})
    if isinstance(operation, ChangeTable):
        return replace(state, tables={**state.tables, operation.name: operation.after})
    if isinstance(operation, ChangeRoute):
        without = state.routes - {operation.before} if operation.before else state.routes
        return replace(state, routes=without | {operation.after} if operation.after else without)
    if isinstance(operation, AddRule):
        return replace(state, rules=state.rules | {operation.rule})
    if isinstance(operation, RemoveRule):
        return replace(state, rules=state.rules - {operation.rule})
    if isinstance(operation, MakeDirectory):
        return replace(state, directories=state.directories | {operation.path})
    return replace(state, directories=state.directories - {operation.path})


def inverse(operation: Operation) -> Operation | None:
    """The operation that undoes this one, or None where nothing is to be undone."""
    if isinstance(operation, SetSysctl):
        return None if operation.before is None else SetSysctl(operation.key, operation.after, operation.before)
    if isinstance(operation, AddAddress):
        return RemoveAddress(operation.address)
    if isinstance(operation, RemoveAddress):
        return AddAddress(operation.address)
    if isinstance(operation, ChangeRecord):
        return ChangeRecord(operation.path, operation.after, operation.before)
    if isinstance(operation, ChangeFile):
        return ChangeFile(operation.path, operation.after, operation.before)
    if isinstance(operation, ChangeUnit):
        return ChangeUnit(operation.name, operation.after, operation.before)
    if isinstance(operation, ChangeTable):
        return ChangeTable(operation.name, operation.after, operation.before)
    if isinstance(operation, ChangeRoute):
        return ChangeRoute(operation.after, operation.before)
    if isinstance(operation, AddRule):
        return RemoveRule(operation.rule)
    if isinstance(operation, RemoveRule):
        return AddRule(operation.rule)
    if isinstance(operation, MakeDirectory):
        return RemoveDirectory(operation.path)
    if isinstance(operation, RemoveDirectory):
        return MakeDirectory(operation.path)
    return None


def describe(operation: Operation) -> str:
    """The operation in words, to follow "cannot"."""
    if isinstance(operation, LoadModule):
        return f"load the kernel module {operation.name}"
    if isinstance(operation, SetSysctl):
        return f"set {display(operation.key)} to {operation.after}"
    if isinstance(operation, AddAddress):
        return f"add the address {operation.address}"
    if isinstance(operation, RemoveAddress):
        return f"remove the address {operation.address}"
    if isinstance(operation, ChangeFile):
        return f"{'remove' if operation.after is None else 'write'} {operation.path}"
    if isinstance(operation, ChangeUnit):
        return f"{'remove' if operation.after is None else 'install'} the unit {operation.name}"
    if isinstance(operation, ChangeTable):
        return f"{'remove' if operation.after is None else 'swap in'} the nftables table inet {operation.name}"
    if isinstance(operation, ChangeRoute):
        return f"remove the route {operation.before}" if operation.after is None else f"set the route {operation.after}"
    if isinstance(operation, AddRule):
        return f"add the routing rule {operation.rule}"
    if isinstance(operation, RemoveRule):
        return f"remove the routing rule {operation.rule}"
    if isinstance(operation, MakeDirectory):
        return f"make the directory {operation.path}"
    return f"remove the directory {operation.path}"


def directories_for(paths: Iterable[str], existing: frozenset[str]) -> tuple[str, ...]:
    """The directories that are missing for these files, outermost first."""
    missing: list[str] = []
    for path in paths:
        parents = path.split("/")[1:-1]
        for depth in range(1, len(parents) + 1):
            directory = "/" + "/".join(parents[:depth])
            if directory not in existing and directory not in missing:
                missing.append(directory)
    return tuple(missing)


def parents_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Every directory that these files lie in, outermost first."""
    return directories_for(paths, frozenset())


def render(state: HostState, plan: Plan) -> str:
    """A state as lines for a diff: what the plan shows of sysctls and addresses, and everything else.

    A record appears by what it remembers, not by the values, which cannot be known before a kernel module is loaded.
    """
    lines = [f"kernel module {name}" for name, loaded in sorted(state.modules.items()) if loaded]
    lines += [f"{display(key)} = {value}" for key, value in _shown(state, plan) if value is not None]
    lines += [f"address {address}" for address in sorted(plan.shown_addresses & state.addresses)]
    lines += [f"route {route}" for route in sorted(state.routes)]
    lines += [f"rule {rule}" for rule in sorted(state.rules)]
    for name, text in sorted(state.tables.items()):
        lines += _file_lines(f"nftables {name}", text)
    for path, text in sorted(state.files.items()):
        lines += _file_lines(path, text)
    for path, text in sorted(state.records.items()):
        lines += [f"{path}: remembers {what}" for what in remembered_lines(path, text)]
    for name, unit in sorted(state.units.items()):
        if unit is not None:
            lines += _file_lines(name, unit.text)
            lines.append(f"{name}: {'enabled' if unit.enabled else 'disabled'}")
    return "".join(line + "\n" for line in lines)


def _shown(state: HostState, plan: Plan) -> list[tuple[str, str | None]]:
    return sorted((key, value) for key, value in state.sysctls.items() if key in plan.shown_sysctls)


def _file_lines(path: str, text: str | None) -> list[str]:
    if text is None:
        return []
    return [f"{path}: {line}".rstrip() for line in text.splitlines()] or [f"{path}:"]
