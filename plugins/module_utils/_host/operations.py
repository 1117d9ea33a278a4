# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done to a host, as values.

A planner takes a HostState and what is wanted, and gives operations. Everything about an operation is known here
without touching the host: the state after it, the operation that undoes it, and the words for it.

Undoing in reverse order passes through the very states that the way there passed through. So a plan in which no state
lets a real server answer ARP for a VIP is also undone without such a state.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Union

from .routing import Fallback, Route, Rule
from .state import Address, HostState
from .sysctl import display, values_after_write
from .tunnels import GuePort, TunnelDevice
from .unit import Unit

#: What hosts have any number of: Add and Remove are about one of these.
Item = Union[Address, Rule, Fallback, TunnelDevice, GuePort]
_PLACES = {
    Address: "addresses",
    Rule: "rules",
    Fallback: "fallbacks",
    TunnelDevice: "tunnels",
    GuePort: "gue_ports",
}
_NAMES = {Address: "address", Rule: "routing rule", Fallback: "route", TunnelDevice: "tunnel", GuePort: "port"}


class Operation(ABC):
    """A step that is carried out or not as a whole."""

    @abstractmethod
    def applied(self, state: HostState) -> HostState:
        """The state after it."""

    @abstractmethod
    def inverse(self) -> Operation | None:
        """The operation that undoes this one, or None where nothing is to be undone."""

    @abstractmethod
    def __str__(self) -> str:
        """It in words, to follow "cannot"."""


@dataclass(frozen=True)
class LoadModule(Operation):
    """Load a kernel module. Not undone: another part of the host may use it by then."""

    name: str

    def applied(self, state: HostState) -> HostState:
        return replace(state, modules={**state.modules, self.name: True})

    def inverse(self) -> Operation | None:
        return None

    def __str__(self) -> str:
        return f"load the kernel module {self.name}"


@dataclass(frozen=True)
class SetSysctl(Operation):
    """Write a sysctl. before is None only in predictions, where what brings the key is not there yet."""

    key: str
    before: str | None
    after: str

    def applied(self, state: HostState) -> HostState:
        return replace(state, sysctls=values_after_write(state.sysctls, self.key, self.after))

    def inverse(self) -> Operation | None:
        return None if self.before is None else SetSysctl(self.key, self.after, self.before)

    def __str__(self) -> str:
        return f"set {display(self.key)} to {self.after}"


@dataclass(frozen=True)
class Add(Operation):
    """Give a host an address, a routing rule, a tunnel device (which is set up) or a port of GUE."""

    item: Item

    def applied(self, state: HostState) -> HostState:
        place = _PLACES[type(self.item)]
        return replace(state, **{place: getattr(state, place) | {self.item}})

    def inverse(self) -> Operation | None:
        return Remove(self.item)

    def __str__(self) -> str:
        return f"add the {_NAMES[type(self.item)]} {self.item}"


@dataclass(frozen=True)
class Remove(Operation):
    """Take one of these away."""

    item: Item

    def applied(self, state: HostState) -> HostState:
        place = _PLACES[type(self.item)]
        return replace(state, **{place: getattr(state, place) - {self.item}})

    def inverse(self) -> Operation | None:
        return Add(self.item)

    def __str__(self) -> str:
        return f"remove the {_NAMES[type(self.item)]} {self.item}"


@dataclass(frozen=True)
class ChangeFile(Operation):
    """Write a file, or remove it where after is None. Its directory exists."""

    path: str
    before: str | None
    after: str | None

    def applied(self, state: HostState) -> HostState:
        return replace(state, files={**state.files, self.path: self.after})

    def inverse(self) -> Operation | None:
        return type(self)(self.path, self.after, self.before)

    def __str__(self) -> str:
        return f"{'remove' if self.after is None else 'write'} {self.path}"


@dataclass(frozen=True)
class ChangeRecord(ChangeFile):
    """As ChangeFile, for a file that holds what has to be put back; only root may read it."""

    def applied(self, state: HostState) -> HostState:
        return replace(state, records={**state.records, self.path: self.after})


@dataclass(frozen=True)
class ChangeUnit(Operation):
    """Install, change or remove a unit of systemd."""

    name: str
    before: Unit | None
    after: Unit | None

    def applied(self, state: HostState) -> HostState:
        return replace(state, units={**state.units, self.name: self.after})

    def inverse(self) -> Operation | None:
        return ChangeUnit(self.name, self.after, self.before)

    def __str__(self) -> str:
        return f"{'remove' if self.after is None else 'install'} the unit {self.name}"


@dataclass(frozen=True)
class ChangeTable(Operation):
    """Swap a table of nftables for another, in one transaction. Both are as nft lists them, which it also reads."""

    name: str
    before: str | None
    after: str | None

    def applied(self, state: HostState) -> HostState:
        return replace(state, tables={**state.tables, self.name: self.after})

    def inverse(self) -> Operation | None:
        return ChangeTable(self.name, self.after, self.before)

    def __str__(self) -> str:
        return f"{'remove' if self.after is None else 'swap in'} the nftables table inet {self.name}"


@dataclass(frozen=True)
class ChangeRoute(Operation):
    """Add, replace or remove the default route of a family. Replacing leaves no moment without one."""

    before: Route | None
    after: Route | None

    def applied(self, state: HostState) -> HostState:
        without = state.routes - {self.before} if self.before else state.routes
        return replace(state, routes=without | {self.after} if self.after else without)

    def inverse(self) -> Operation | None:
        return ChangeRoute(self.after, self.before)

    def __str__(self) -> str:
        return f"remove the route {self.before}" if self.after is None else f"set the route {self.after}"


@dataclass(frozen=True)
class MakeDirectory(Operation):
    """Make a directory whose parent exists."""

    path: str

    def applied(self, state: HostState) -> HostState:
        return replace(state, directories=state.directories | {self.path})

    def inverse(self) -> Operation | None:
        return RemoveDirectory(self.path)

    def __str__(self) -> str:
        return f"make the directory {self.path}"


@dataclass(frozen=True)
class RemoveDirectory(Operation):
    """Remove a directory, unless there is something in it."""

    path: str

    def applied(self, state: HostState) -> HostState:
        return replace(state, directories=state.directories - {self.path})

    def inverse(self) -> Operation | None:
        return MakeDirectory(self.path)

    def __str__(self) -> str:
        return f"remove the directory {self.path}"


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
        state = operation.applied(state)
    return state
