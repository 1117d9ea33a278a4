# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, apply, read back: one way for every module of the host side.

state  --plan-->  operations, predicted state     (check mode stops here)
operations  --apply-->  state  --plan-->  nothing left to do, or everything is undone

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from . import record
from .errors import HostError
from .operations import (
    ChangeFile,
    ChangeUnit,
    LoadModule,
    MakeDirectory,
    Operation,
    Plan,
    RemoveDirectory,
    SetSysctl,
)
from .state import HostState, render
from .sysctl import display, in_writing_order, influenced, interfaces_in

# Loading modules, applying, following up on what the kernel changed along with it, and finding nothing left to do.
_ROUNDS = 4


@dataclass(frozen=True)
class Outcome:
    """What a module reports: whether there was something to do, before and after as text, sentences of warning.

    leftovers: what a run with purge would still do, in words; None where the task purges.
    """

    changed: bool
    before: str
    after: str
    warnings: tuple[str, ...]
    leftovers: tuple[str, ...] | None = None


def settle(
    read: Callable[[], HostState],
    plan: Callable[[HostState], Plan],
    apply: Callable[[Operation], None],
    check_mode: bool,
    check: Callable[[Plan], None] = lambda plan: None,
    purge: Callable[[HostState], Plan] | None = None,
) -> Outcome:
    """Bring a host to what a planner wants and make sure that it is there.

    check may refuse a plan before anything is touched. Raises HostError; what had been changed by then is put back, and
    the sentence says whether that worked. purge: the planner of a run that also removes, for a task that does not.
    """
    state = read()
    first = plan(state)
    check(first)
    told = (*first.warnings, *record.warnings(state.records))
    outcome = Outcome(bool(first.operations), _shown(state, first), _shown(first.predicted, first), told)
    if check_mode or not first.operations:
        return _with_leftovers(outcome, purge, first.predicted)
    done: list[Operation] = []
    found = _Found(state)
    try:
        pending = first.operations
        for _round in range(_ROUNDS):
            for operation in _stage(pending):
                _apply(apply, operation)
                done.append(operation)
            state = read()
            found.note(state)
            pending = plan(state).operations
            if not pending:
                return _with_leftovers(outcome, purge, state)
        raise HostError(_unsettled(pending[0]))
    except BaseException as error:
        fate = _undo(apply, done, lambda: found.side_effects(read(), done))
        if isinstance(error, HostError):
            raise HostError(f"{error}; {fate}") from error
        raise


def _with_leftovers(outcome: Outcome, purge: Callable[[HostState], Plan] | None, state: HostState) -> Outcome:
    """Add what is left to do in this state. Files and units follow from the rest and are named only without it."""
    if purge is None:
        return outcome
    books = (ChangeFile, ChangeUnit, MakeDirectory, RemoveDirectory)
    operations = purge(state).operations
    named = [operation for operation in operations if not isinstance(operation, books)]
    return replace(outcome, leftovers=tuple(map(str, named or operations)))


def _shown(state: HostState, plan: Plan) -> str:
    return render(state, plan.shown_sysctls, plan.shown_addresses)


class _Found:
    """The first value seen of every sysctl: undoing a write does not undo what the kernel changed along with it."""

    def __init__(self, state: HostState) -> None:
        self._values: dict[str, str] = {}
        self.note(state)

    def note(self, state: HostState) -> None:
        for key, value in state.sysctls.items():
            if value is not None:
                self._values.setdefault(key, value)

    def side_effects(self, state: HostState, done: Sequence[Operation]) -> list[Operation]:
        """Writes that are left to do once these operations are undone."""
        interfaces = interfaces_in(state.sysctls)
        keys = {key for item in done if isinstance(item, SetSysctl) for key in influenced(item.key, interfaces)}
        values = {key: (state.sysctls.get(key), self._values.get(key)) for key in in_writing_order(sorted(keys))}
        return [
            SetSysctl(key, now, first)
            for key, (now, first) in values.items()
            if now is not None and first is not None and now != first
        ]


def _stage(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The operations up to the last kernel module: what sysctls it brings has to be read before the rest is planned."""
    loads = [index for index, operation in enumerate(operations) if isinstance(operation, LoadModule)]
    return operations[: loads[-1] + 1] if loads else operations


def _apply(apply: Callable[[Operation], None], operation: Operation) -> None:
    try:
        apply(operation)
    except HostError as error:
        raise HostError(f"cannot {operation!s}: {error}") from error


def _unsettled(operation: Operation) -> str:
    if isinstance(operation, SetSysctl):
        return f"{display(operation.key)} was set to {operation.after}, but the kernel says {operation.before}"
    return f"the change does not last: there is still need to {operation!s}"


def _undo(
    apply: Callable[[Operation], None], done: Sequence[Operation], side_effects: Callable[[], list[Operation]]
) -> str:
    """Undo operations, last first, and then what is left of their side effects. Tells how that went.

    It stops at the first that fails: going on could break the safe order.
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
        rest = f", so this stays done: {', '.join(map(str, left))}" if left else ""
        return f"putting back failed too ({error}){rest}"
    loaded = [operation.name for operation in done if isinstance(operation, LoadModule)]
    fate = "everything else was put back" if undone else "nothing was changed"
    return f"{fate}, but these kernel modules stay loaded: {', '.join(loaded)}" if loaded else fate
