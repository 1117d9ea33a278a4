# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, apply, read back: one way for every module that changes a host. Pure.

state  --plan-->  operations, predicted state     (check mode stops here)
operations  --apply-->  state  --plan-->  nothing left to do, or everything is undone

A planner turns a HostState and the described state into operations. An operation gives, without access to the host, the
state after it, the operation that undoes it, and its words. Common operations are here: on files, records, directories
and units. The others are in the files of their objects.

Undoing in reverse order passes the same states backwards. So if no state of a plan lets a real server answer ARP for a
VIP, its undoing does not either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .difference import Difference
from .errors import HostError
from .state import (
    OWN_DIRECTORY,
    Address,
    HostState,
    Item,
    Query,
    Record,
    Unit,
    differences,
    directories_for,
    facts,
    record_warnings,
    render,
    render_record,
)

# Loading modules, applying, correcting side effects in the kernel, and finding nothing left to do.
_ROUNDS = 4


class Operation(ABC):
    """An atomic step."""

    #: The host has to be read again before later operations can be planned.
    ends_stage = False
    #: It follows from the rest of a plan, and is reported only if it is alone.
    follows = False

    @abstractmethod
    def applied(self, state: HostState) -> HostState:
        """Return the state after it."""

    @abstractmethod
    def inverse(self) -> Operation | None:
        """Return the operation that undoes this one, or None if nothing is to be undone."""

    @abstractmethod
    def carry_out(self, host: Any) -> None:
        """Apply it to a host, a `target.Target`. Raises HostError with the reason only: the operation has the rest."""

    @abstractmethod
    def __str__(self) -> str:
        """Return it in words, to follow "cannot"."""

    def check(self, host: Any) -> None:  # noqa: B027  # most of them are always possible
        """Raise HostError if a host cannot do it. Changes nothing."""

    def unsettled(self) -> str:
        """Return a sentence for a plan that still has it after its execution."""
        return f"the change did not last, and it is still necessary to {self!s}"

    @classmethod
    def side_effects(cls, done: Sequence[Operation], seen: Sequence[HostState], now: HostState) -> list[Operation]:
        """Return the side effects that remain after these operations, all of this class, are undone.

        ``seen``: the states of the host from before the first of them on.
        """
        return []

    @classmethod
    def remains(cls, done: Sequence[Operation]) -> str:
        """Return a clause about permanent effects of these operations, all of this class; empty without any."""
        return ""


@dataclass(frozen=True)
class Add(Operation):
    """Add an address, a routing rule, a tunnel device (which is set up) or a port of GUE."""

    item: Item

    def applied(self, state: HostState) -> HostState:
        place = self.item.place
        return replace(state, **{place: getattr(state, place) | {self.item}})

    def inverse(self) -> Operation | None:
        return Remove(self.item)

    def carry_out(self, host: Any) -> None:
        host.add(self.item)

    def __str__(self) -> str:
        return f"add the {self.item.noun} {self.item}"


@dataclass(frozen=True)
class Remove(Operation):
    """Remove one of these."""

    item: Item

    def applied(self, state: HostState) -> HostState:
        place = self.item.place
        return replace(state, **{place: getattr(state, place) - {self.item}})

    def inverse(self) -> Operation | None:
        return Add(self.item)

    def carry_out(self, host: Any) -> None:
        host.remove(self.item)

    def __str__(self) -> str:
        return f"remove the {self.item.noun} {self.item}"


@dataclass(frozen=True)
class ChangeFile(Operation):
    """Write a file, or remove it where after is None. Its directory exists."""

    follows = True
    mode = 0o644
    path: str
    before: str | None
    after: str | None

    def applied(self, state: HostState) -> HostState:
        return replace(state, files={**state.files, self.path: self.after})

    def inverse(self) -> Operation | None:
        return type(self)(self.path, self.after, self.before)

    def carry_out(self, host: Any) -> None:
        host.write(self.path, self.after, self.mode)

    def __str__(self) -> str:
        return f"{'remove' if self.after is None else 'write'} {self.path}"


@dataclass(frozen=True)
class ChangeRecord(ChangeFile):
    """As ChangeFile, for a file with the values that have to be restored; only root may read it."""

    mode = 0o600

    def applied(self, state: HostState) -> HostState:
        return replace(state, records={**state.records, self.path: self.after})


@dataclass(frozen=True)
class ChangeUnit(Operation):
    """Install, change or remove a unit of systemd."""

    follows = True
    name: str
    before: Unit | None
    after: Unit | None

    def applied(self, state: HostState) -> HostState:
        return replace(state, units={**state.units, self.name: self.after})

    def inverse(self) -> Operation | None:
        return ChangeUnit(self.name, self.after, self.before)

    def carry_out(self, host: Any) -> None:
        host.systemd.change(self.name, self.before, self.after)

    def __str__(self) -> str:
        return f"{'remove' if self.after is None else 'install'} the unit {self.name}"


@dataclass(frozen=True)
class MakeDirectory(Operation):
    """Make a directory whose parent exists."""

    follows = True
    path: str

    def applied(self, state: HostState) -> HostState:
        return replace(state, directories=state.directories | {self.path})

    def inverse(self) -> Operation | None:
        return RemoveDirectory(self.path)

    def carry_out(self, host: Any) -> None:
        host.make_directory(self.path)

    def __str__(self) -> str:
        return f"make the directory {self.path}"


@dataclass(frozen=True)
class RemoveDirectory(Operation):
    """Remove a directory if it is empty."""

    follows = True
    path: str

    def applied(self, state: HostState) -> HostState:
        return replace(state, directories=state.directories - {self.path})

    def inverse(self) -> Operation | None:
        return MakeDirectory(self.path)

    def carry_out(self, host: Any) -> None:
        host.remove_directory(self.path)

    def __str__(self) -> str:
        return f"remove the directory {self.path}"


@dataclass(frozen=True)
class Plan:
    """Operations in a safe order, their final state, and warnings for the user.

    shown_sysctls and shown_addresses are those that a user sees: a state also has values that only planning needs.
    """

    operations: tuple[Operation, ...]
    predicted: HostState
    warnings: tuple[str, ...] = ()
    shown_sysctls: frozenset[str] = frozenset()
    shown_addresses: frozenset[Address] = frozenset()


def predict(state: HostState, operations: Iterable[Operation]) -> HostState:
    """Return the state after these operations."""
    for operation in operations:
        state = operation.applied(state)
    return state


class Host(Protocol):
    """The interface of a host for planners. `target.Target` is the real one."""

    def read(self, query: Query) -> HostState:
        """Return the state that a query requests. Raises HostError."""

    def text(self, path: str) -> str | None:
        """Return the text of a file, None if there is none."""

    def interfaces(self) -> tuple[str, ...]:
        """Return the names of the interfaces."""

    def sysctl_files(self) -> list[tuple[str, str]]:
        """Return path and text of the sysctl.d files, as far as they count."""

    def zoneinfo(self) -> str:
        """Return the kernel's report of its memory (proc(5), /proc/zoneinfo)."""

    def apply(self, operation: Operation) -> None:
        """Carry out one operation. Raises HostError with the reason alone: its text has the rest."""

    def check(self, plan: Plan) -> None:
        """Raise HostError if an operation cannot be carried out here. Changes nothing."""

    def require_boot(self, use: str, needs_ip: bool = False) -> None:
        """Raise HostError if a unit of ours could not do ``use`` at boot."""

    def require_ip(self) -> None:
        """Raise HostError if the command ip is missing."""

    @property
    def modules(self) -> Any:
        """Its `running_kernel.KernelModules`."""

    @property
    def nftables(self) -> Any:
        """Its `nft.Nftables`."""


@dataclass(frozen=True)
class Outcome:
    """The result of a module: changes, the state before and after as text, warnings, and the differences of the two.

    leftovers: the further changes of a run with purge, as text; None if the task purges.
    """

    changed: bool
    before: str
    after: str
    warnings: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
    leftovers: tuple[str, ...] | None = None


def settle(
    read: Callable[[], HostState],
    plan: Callable[[HostState], Plan],
    apply: Callable[[Operation], None],
    check_mode: bool,
    check: Callable[[Plan], None] = lambda plan: None,
    purge: Callable[[HostState], Plan] | None = None,
) -> Outcome:
    """Apply the plan of a planner to a host, and verify the result.

    check may refuse a plan before any change. Raises HostError; all changes until then are rolled back, and
    the message says whether that succeeded. purge: the planner of a run with purge, for a task without.
    """
    state = read()
    first = plan(state)
    check(first)
    told = (*first.warnings, *record_warnings(state.records))
    outcome = _outcome(state, first, told)
    if check_mode or not first.operations:
        return _with_leftovers(outcome, purge, first.predicted)
    done: list[Operation] = []
    seen = [state]
    try:
        pending = first.operations
        for _round in range(_ROUNDS):
            for operation in _stage(pending):
                _apply(apply, operation)
                done.append(operation)
            state = read()
            seen.append(state)
            pending = plan(state).operations
            if not pending:
                return _with_leftovers(outcome, purge, state)
        raise HostError(pending[0].unsettled())
    except BaseException as error:
        fate = _undo(apply, done, lambda: _side_effects(done, seen, read()))
        if isinstance(error, HostError):
            raise HostError(f"{error}; {fate}") from error
        raise


def _with_leftovers(outcome: Outcome, purge: Callable[[HostState], Plan] | None, state: HostState) -> Outcome:
    """Add the remaining operations of this state."""
    if purge is None:
        return outcome
    operations = purge(state).operations
    named = [operation for operation in operations if not operation.follows]
    return replace(outcome, leftovers=tuple(map(str, named or operations)))


def _outcome(state: HostState, plan: Plan, warnings: tuple[str, ...]) -> Outcome:
    before, after = (facts(one, plan.shown_sysctls, plan.shown_addresses) for one in (state, plan.predicted))
    return Outcome(bool(plan.operations), render(before), render(after), warnings, differences(before, after))


def _side_effects(done: Sequence[Operation], seen: Sequence[HostState], now: HostState) -> list[Operation]:
    """Return the side effects that remain after these operations are undone."""
    return [left for kind, alike in _by_kind(done) for left in kind.side_effects(alike, seen, now)]


def _by_kind(operations: Sequence[Operation]) -> list[tuple[type[Operation], list[Operation]]]:
    found: dict[type[Operation], list[Operation]] = {}
    for operation in operations:
        found.setdefault(type(operation), []).append(operation)
    return list(found.items())


def _stage(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Return the operations up to the last one that ends a stage, or all."""
    ends = [index for index, operation in enumerate(operations) if operation.ends_stage]
    return operations[: ends[-1] + 1] if ends else operations


def _apply(apply: Callable[[Operation], None], operation: Operation) -> None:
    try:
        apply(operation)
    except HostError as error:
        raise HostError(f"cannot {operation!s}: {error}") from error


def _undo(
    apply: Callable[[Operation], None], done: Sequence[Operation], side_effects: Callable[[], list[Operation]]
) -> str:
    """Undo operations, last first, and then the rest of their side effects. Return a clause with the result.

    It stops at the first that fails, because the order of the others could be unsafe then.
    """
    left = list(done)
    undone = 0
    try:
        while left:
            back = left[-1].inverse()
            if back is not None:
                _apply(apply, back)
                undone += 1
            left.pop()
        for operation in side_effects():
            _apply(apply, operation)
    except HostError as error:
        rest = f", so these changes remain: {', '.join(map(str, left))}" if left else ""
        return f"restoring failed as well ({error}){rest}"
    remains = "; ".join(filter(None, (kind.remains(alike) for kind, alike in _by_kind(done))))
    fate = "everything else was restored" if undone else "nothing was changed"
    return f"{fate}, but {remains}" if remains else fate


@dataclass(frozen=True)
class Bookkeeping:
    """The operations around the others: opening ones first, closing ones last."""

    opening: tuple[Operation, ...]
    closing: tuple[Operation, ...]


def plan_bookkeeping(state: HostState, record_path: str, old: Record, new: Record, paths: Iterable[str]) -> Bookkeeping:
    """Keep the record while files at these paths exist, or while it has values.

    The record is written ahead: it has the former state before any change, so that an interrupted task can still be
    restored; values are removed only after everything is restored. Foreign directories (/etc/sysctl.d) that the task
    created are in the record and are removed with it; OWN_DIRECTORY is removed once it is empty.
    """
    paths = list(paths)
    if new or directories_for(paths, state.directories):
        paths.append(record_path)
    made = directories_for(paths, state.directories)
    others = tuple(item for item in (*old.directories, *made) if item != OWN_DIRECTORY)
    new = replace(new, directories=tuple(dict.fromkeys(others)) if paths else ())
    # The text on disk may be another spelling of the old record: that alone does not require a write.
    on_disk = state.records.get(record_path)
    ahead = _covering(old, new) if new else old
    text_ahead = on_disk if ahead == old else render_record(ahead)
    text_after = text_ahead if new and ahead == new else render_record(new)
    opening: list[Operation] = [MakeDirectory(path) for path in made]
    closing: list[Operation] = []
    if text_ahead != on_disk:
        opening.append(ChangeRecord(record_path, on_disk, text_ahead))
    if text_after != text_ahead:
        closing.append(ChangeRecord(record_path, text_ahead, text_after))
    if closing and not new:
        closing += [RemoveDirectory(path) for path in _innermost_first((OWN_DIRECTORY, *old.directories), state)]
    return Bookkeeping(tuple(opening), tuple(closing))


def change_files(state: HostState, wanted: Mapping[str, str | None]) -> list[Operation]:
    """Return operations that write or remove files that differ."""
    return [
        ChangeFile(path, state.files.get(path), text) for path, text in wanted.items() if state.files.get(path) != text
    ]


def _covering(old: Record, new: Record) -> Record:
    """Return a record for both before and after: the older of two values is the original, unless it was unknown."""
    newly_known = {key: value for key, value in new.sysctls.items() if old.sysctls.get(key) is None}
    return Record(
        sysctls={**new.sysctls, **old.sysctls, **newly_known},
        side_effects={**new.side_effects, **old.side_effects},
        directories=tuple(dict.fromkeys((*old.directories, *new.directories))),
        vips={**new.vips, **old.vips},
        gue=tuple(dict.fromkeys((*old.gue, *new.gue))),
    )


def _innermost_first(paths: Iterable[str], state: HostState) -> list[str]:
    return sorted((path for path in paths if path in state.directories), key=lambda path: -path.count("/"))
