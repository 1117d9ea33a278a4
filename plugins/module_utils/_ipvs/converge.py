# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply, read back, for every module that changes the IPVS table.

Runs without Ansible, so that the same code can restore the table at boot.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .kernel import Failure, Ipvs, KernelError, explain
from .model import InvalidValue, RealServer, RealServerKey, ServiceKey, ServicePatch, Table, VirtualService
from .plan import NOTHING_MORE, PURGE_ALL, REMOVE, Operation, Plan, Scope, plan, undo, unmet

# Simultaneous tasks run one after the other, from counting the servers in service until one is removed.
LOCK = "/run/lvs-cluster-ipvs.lock"
# The most changes that an error names: more make it unreadable.
_NAMED = 5


class ConvergeError(Exception):
    """The table could not be changed as described. The message names the entry, the reason, and the resulting state.

    ``result``: the other values that the module returns.
    """

    def __init__(self, text: str, result: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.result = result or {}


class Outcome(NamedTuple):
    """The changes that were (or in check mode would be) made. ``patches`` have the names of services."""

    plan: Plan
    patches: Sequence[ServicePatch] = ()

    @property
    def changed(self) -> bool:
        """True if there were changes."""
        return bool(self.plan.operations)

    @property
    def operations(self) -> Sequence[Operation]:
        """The operations of these changes."""
        return self.plan.operations

    @property
    def table(self) -> Table:
        """The services that were read, with their values afterwards."""
        return self.plan.predicted

    @property
    def before(self) -> str:
        """The services that change, in the form of ipvsadm-save; "" without changes."""
        return _rendered(self.plan.current, self._services())

    @property
    def after(self) -> str:
        """The same afterwards."""
        return _rendered(self.plan.predicted, self._services())

    def _services(self) -> set[ServiceKey]:
        return {operation.service for operation in self.plan.operations}


def _rendered(table: Table, keys: Iterable[ServiceKey]) -> str:
    from . import rules  # which a task without a diff need not load

    return rules.render(table, keys)


def in_words(error: Exception) -> str:
    """Return the text of an error; of an OSError the file and the reason, without the number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


Guard = Callable[[Plan], None]
Commit = Callable[[Outcome], None]


def converge(
    ipvs: Ipvs,
    desired: Iterable[ServicePatch],
    scope: Scope = NOTHING_MORE,
    check_mode: bool = False,
    guard: Guard | None = None,
    commit: Commit | None = None,
) -> Outcome:
    """Apply ``desired`` to the kernel's table within ``scope``; in check mode only return the plan.

    ``guard`` is called with each plan before it is applied, and raises InvalidValue to refuse it. ``commit`` is called
    once the kernel holds the table, also if nothing was to change, and never in check mode. If it raises OSError or one
    of the errors below, the table is restored. Raises InvalidValue before any change, KernelError if IPVS cannot be
    reached, and ConvergeError if the kernel or ``commit`` refused something (the table is then restored, or the error
    says which changes remain) or if the kernel does not hold an acknowledged change.
    """
    with _no_garbage():
        return _converge(ipvs, desired, scope, check_mode, guard, commit)


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Disable Python's garbage collector: there are no reference cycles, and it would often walk through a big
    table.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _converge(
    ipvs: Ipvs,
    desired: Iterable[ServicePatch],
    scope: Scope,
    check_mode: bool,
    guard: Guard | None,
    commit: Commit | None,
) -> Outcome:
    patches = list(desired)
    wanted = _in_scope(patches, scope)

    def make_plan(current: Table) -> Plan:
        made = plan(current, patches, scope)
        if guard is not None:
            guard(made)
        return made

    # Without services to read, the host needs no library either.
    nothing = not patches and not scope.retired and scope.purge != PURGE_ALL
    planned = make_plan({} if nothing else ipvs.read(wanted))
    if not check_mode:
        planned = _Attempt(ipvs, patches, make_plan, wanted).run(planned, commit)
    return Outcome(planned, patches)


def _in_scope(patches: Iterable[ServicePatch], scope: Scope) -> Callable[[ServiceKey], bool]:
    """Return the test for services that have to be read: each costs a request."""
    listed = {patch.key for patch in patches} | scope.retired
    if scope.purge == PURGE_ALL:
        return lambda key: key in listed or key not in scope.exclude
    return lambda key: key in listed


class _Attempt:
    """Applies a plan, with one retry and a rollback."""

    def __init__(
        self,
        ipvs: Ipvs,
        patches: list[ServicePatch],
        make_plan: Callable[[Table], Plan],
        wanted: Callable[[ServiceKey], bool],
    ) -> None:
        self._ipvs = ipvs
        self._make_plan = make_plan
        self._wanted = wanted
        self._patches = patches
        self._labels = {patch.key: patch.label for patch in patches}
        self._sent: list[Operation] = []

    def run(self, planned: Plan, commit: Commit | None = None) -> Plan:
        """Apply and commit; returns the plan that was carried out in the end."""
        if planned.operations:
            planned = self._carry_out(planned)
        if commit is not None:
            try:
                commit(Outcome(planned, self._patches))
            except ConvergeError as error:
                raise ConvergeError(f"{error}; {self._roll_back(planned.current)}", error.result) from error
            except (OSError, KernelError, InvalidValue) as error:
                raise ConvergeError(f"{in_words(error)}; {self._roll_back(planned.current)}") from error
        return planned

    def _carry_out(self, planned: Plan) -> Plan:
        failures = self._apply(planned.operations, planned.current)
        if failures and _lost_race(failures[0]):
            # Another process changed the table after it was read, or the dump missed an entry during the change.
            now = self._read(self._wanted, planned.current)
            current = _with_entries_as_found(planned.current, now, failures)
            try:
                again = self._make_plan(now)
            except InvalidValue as error:
                raise ConvergeError(f"{error}; {self._roll_back(current)}") from error
            operations = [*planned.operations, *again.operations]
            planned = Plan(operations, current, again.predicted)
            failures = self._apply(again.operations, current)
        if failures:
            before = self._without_lost_races(planned.current, failures)
            raise ConvergeError(f"{self._explain(failures)}; {self._roll_back(before)}")
        self._verify(planned)
        return planned

    def _apply(self, operations: Sequence[Operation], before: Table) -> list[Failure]:
        try:
            return self._ipvs.apply(operations, self._sent)
        except KernelError as error:
            raise ConvergeError(f"{error}; {self._roll_back(before)}") from error

    def _read(self, wanted: Callable[[ServiceKey], bool], before: Table) -> Table:
        """Read after messages were sent, which are undone if the kernel does not answer."""
        try:
            return self._ipvs.read(wanted)
        except KernelError as error:
            raise ConvergeError(f"{error}; {self._roll_back(before)}") from error

    def _without_lost_races(self, before: Table, failures: Sequence[Failure]) -> Table:
        """Return the table to restore: entries that another process has added or removed meanwhile stay unchanged."""
        lost = [failure for failure in failures if _lost_race(failure)]
        if not lost:
            return before
        try:
            now = self._ipvs.read(self._wanted)
        except KernelError as error:
            # Without the present table, a rollback could remove entries of other processes.
            raise ConvergeError(f"{self._explain(failures)}; {self._not_put_back(error)}") from error
        return _with_entries_as_found(before, now, lost)

    def _explain(self, failures: Sequence[Failure]) -> str:
        first = failures[0]
        text = f"cannot {self._describe(first.operation)}: {explain(first.code, first.operation)}"
        return text if len(failures) == 1 else f"{text} (and {len(failures) - 1} more of the batch failed)"

    def _describe(self, operation: Operation) -> str:
        return operation.describe(self._labels.get(operation.service, ""))

    def _roll_back(self, before: Table) -> str:
        """Restore every entry for which a message was sent; return a clause with the result."""
        try:
            back = undo(self._sent, before, self._ipvs.read(self._wanted))
            if not back.operations:
                return "nothing was changed"
            failures = self._ipvs.apply(back.operations, [])
            if failures:
                return f"restoring the table failed as well: {self._explain(failures)}"
            if unmet(back.operations, back.predicted, self._ipvs.read(self._wanted)):
                return "the table was restored, but another process is changing it at the same time"
        except KernelError as error:
            return self._not_put_back(error)
        return "the table was restored"

    def _not_put_back(self, error: KernelError) -> str:
        """Return a clause that names the changes that may remain."""
        named = ", ".join(self._describe(operation) for operation in self._sent[:_NAMED])
        more = f" and {len(self._sent) - _NAMED} more" if len(self._sent) > _NAMED else ""
        return f"restoring the table failed as well: {error}. This may have been done: {named}{more}"

    def _verify(self, planned: Plan) -> None:
        only_new = all(operation.verb != REMOVE for operation in planned.operations)
        try:
            if only_new and self._ipvs.surely_holds(planned.operations, planned.predicted):
                return
        except KernelError as error:
            raise ConvergeError(f"{error}; {self._roll_back(planned.current)}") from error
        touched = {operation.service for operation in planned.operations}
        for _try in range(2):  # a dump can miss an entry while another process removes one: look twice
            actual = self._read(touched.__contains__, planned.current)
            wrong = unmet(planned.operations, planned.predicted, actual)
            if not wrong:
                return
        keys = {operation.service for operation in wrong}
        raise ConvergeError(
            f"the kernel acknowledged every change, but {self._describe(wrong[0])} did not last: another process "
            f"changes the table, or this kernel lacks a feature. Expected:\n{_rendered(planned.predicted, keys)}"
            f"Found:\n{_rendered(actual, keys)}"
        )


def _lost_race(failure: Failure) -> bool:
    if failure.code in (errno.EEXIST, errno.ESRCH):
        return True
    return failure.code == errno.ENOENT and failure.operation.server_key is not None


def _with_entries_as_found(before: Table, now: Table, failures: Iterable[Failure]) -> Table:
    """Return ``before``, but with the state ``now`` of every entry at which an operation failed.

    Another process added or removed such an entry after it was read. A rollback must not undo that.
    """
    table = dict(before)
    for failure in failures:
        key, server_key = failure.operation.service, failure.operation.server_key
        found = now.get(key)
        if found is None:
            table.pop(key, None)
        elif server_key is None or key not in table:
            old = table.get(key)
            table[key] = VirtualService(found.settings, old.real_servers if old else {})
        if found is not None and server_key is not None:
            servers: dict[RealServerKey, RealServer] = dict(table[key].real_servers)
            if server_key in found.real_servers:
                servers[server_key] = found.real_servers[server_key]
            else:
                servers.pop(server_key, None)
            table[key] = VirtualService(table[key].settings, servers)
    return table


@contextlib.contextmanager
def turn(wanted: bool) -> Iterator[None]:
    """Hold the lock until the block ends, if ``wanted``."""
    if not wanted:
        yield
        return
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
