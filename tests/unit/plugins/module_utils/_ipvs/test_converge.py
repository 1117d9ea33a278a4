# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply, read back, roll back: against a kernel that is a dictionary."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, drain, plan, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.converge import ConvergeError, converge
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import KernelError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import (
    InvalidValue,
    ServiceKey,
    Table,
    VirtualService,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

EVERYTHING = plan.Scope(plan.PURGE_ALL)


def table_of(text: str) -> dict[ServiceKey, VirtualService]:
    return dict(plan.plan({}, rules.parse(text)).predicted)


def refuse(words: str, code: int) -> Callable[[plan.Operation], int]:
    return lambda operation: code if words in operation.describe() else 0


@given(support.tables(), support.tables())
def test_check_mode_predicts_and_changes_nothing(current: Table, target: Table) -> None:
    kernel = support.FakeKernel(current)
    predicted = converge(kernel, support.as_patches(target), EVERYTHING, check_mode=True)
    assert (kernel.table, kernel.sent) == (current, [])
    real = converge(kernel, support.as_patches(target), EVERYTHING)
    assert real == predicted
    assert kernel.table == target
    assert real.changed == bool(real.before or real.after) == (current != target)


@given(support.tables(), support.tables())
def test_a_second_run_changes_nothing(current: Table, target: Table) -> None:
    kernel = support.FakeKernel(current)
    converge(kernel, support.as_patches(target), EVERYTHING)
    again = converge(kernel, support.as_patches(target), EVERYTHING)
    assert (again.changed, again.before, again.after, again.operations) == (False, "", "", [])


@given(support.tables(), support.tables(), st.data())
def test_whichever_message_fails_the_table_is_as_before(current: Table, target: Table, data: st.DataObject) -> None:
    operations = plan.plan(current, support.as_patches(target), EVERYTHING).operations
    if not operations:
        return
    bad = data.draw(st.sampled_from(operations))
    kernel = support.FakeKernel(current)
    kernel.refuse = lambda operation: errno.EINVAL if operation == bad else 0
    with pytest.raises(ConvergeError) as caught:
        converge(kernel, support.as_patches(target), EVERYTHING)
    assert kernel.table == current
    assert f"cannot {bad.describe()}: " in str(caught.value)
    assert str(caught.value).endswith(("; nothing was changed", "; the table was restored"))


def test_nothing_is_removed_where_something_else_fails() -> None:
    kernel = support.FakeKernel(table_of("-A -f 1 -s rr\n-A -f 2 -s rr\n"))
    kernel.refuse = refuse("add virtual service fwmark 3 ipv4", errno.ENOENT)
    with pytest.raises(ConvergeError, match=r"no scheduler new, not even as a module \(ENOENT\); nothing was changed"):
        converge(kernel, rules.parse("-A -f 3 -s new"), EVERYTHING)
    assert [operation.verb for operation in kernel.sent] == [plan.ADD]


def test_the_name_of_a_service_is_in_the_message() -> None:
    kernel = support.FakeKernel({})
    kernel.refuse = refuse("fwmark 1", errno.EINVAL)
    patches = [patch._replace(name="web") for patch in rules.parse("-A -f 1 -s rr")]
    with pytest.raises(ConvergeError, match=r"cannot add virtual service web \(fwmark 1 ipv4\): "):
        converge(kernel, patches)


def test_a_lost_race_is_planned_anew() -> None:
    kernel = support.FakeKernel({})

    def somebody_else(table: dict[ServiceKey, VirtualService]) -> None:
        table.update(table_of("-A -f 1 -s wlc\n-a -f 1 -r 192.0.2.1:0 -g -w 9\n"))
        kernel.before_apply = lambda _table: None

    kernel.before_apply = somebody_else
    outcome = converge(kernel, rules.parse("-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1 -g -w 2\n"))
    assert rules.render(kernel.table) == outcome.after == "-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1:0 -g -w 2\n"


def test_the_way_back_after_a_lost_race_leaves_what_others_made() -> None:
    kernel = support.FakeKernel({})
    theirs = "-A -f 1 -s wlc\n"

    def somebody_else(table: dict[ServiceKey, VirtualService]) -> None:
        table.update(table_of(theirs))
        kernel.before_apply = lambda _table: None

    kernel.before_apply = somebody_else
    kernel.refuse = refuse("192.0.2.1", errno.EINVAL)
    with pytest.raises(ConvergeError, match="the table was restored"):
        converge(kernel, rules.parse("-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1\n-A -f 2 -s rr\n"))
    assert rules.render(kernel.table) == theirs


def test_a_service_that_goes_while_its_real_servers_come() -> None:
    kernel = support.FakeKernel(table_of("-A -f 1 -s rr\n"))
    kernel.before_apply = dict.clear
    patch = arguments.only_real_server({"service": {"fwmark": 1}, "address": "192.0.2.1"})
    with pytest.raises(
        ConvergeError, match=r"no such virtual service, so it cannot have real servers; nothing was changed"
    ):
        converge(kernel, [patch])


def test_the_way_back_does_not_bring_back_what_others_removed() -> None:
    kernel = support.FakeKernel(table_of("-A -f 1 -s rr\n-A -f 2 -s rr\n"))

    def somebody_else(table: dict[ServiceKey, VirtualService]) -> None:
        table.clear()
        kernel.before_apply = lambda _table: None

    kernel.before_apply = somebody_else
    kernel.refuse = refuse("fwmark 3", errno.EINVAL)
    with pytest.raises(ConvergeError, match="the table was restored"):
        converge(kernel, rules.parse("-A -f 2 -s wlc\n-A -f 3 -s rr\n"), EVERYTHING)
    assert kernel.table == {}


def test_a_race_that_is_lost_twice_is_an_error() -> None:
    kernel = support.FakeKernel({})
    kernel.refuse = refuse("fwmark 1", errno.EEXIST)
    with pytest.raises(ConvergeError, match=r"it already exists \(EEXIST\); nothing was changed"):
        converge(kernel, rules.parse("-A -f 1 -s rr"))
    assert len(kernel.sent) == 2


class Forgetful(support.FakeKernel):
    """A kernel that acknowledges and does not do."""

    def _execute(self, operation: plan.Operation) -> int:
        return 0


def test_what_does_not_last_is_an_error() -> None:
    with pytest.raises(ConvergeError, match=r"add virtual service fwmark 1 ipv4 did not last(.|\n)*-A -f 1 -s rr"):
        converge(Forgetful({}), rules.parse("-A -f 1 -s rr"))


class Broken(support.FakeKernel):
    """A socket that breaks after the first message."""

    def _execute(self, operation: plan.Operation) -> int:
        if len(self.sent) == 2:
            raise KernelError("cannot receive from the kernel's IPVS: No buffer space available")
        return super()._execute(operation)


def test_a_socket_that_breaks_is_rolled_back() -> None:
    kernel = Broken({})
    with pytest.raises(ConvergeError, match="No buffer space available; the table was restored"):
        converge(kernel, rules.parse("-A -f 1 -s rr\n-A -f 2 -s rr\n"))
    assert kernel.table == {}


@given(support.tables(), support.tables(), st.booleans())
def test_a_guard_sees_the_plan_before_anything_is_touched(current: Table, target: Table, check_mode: bool) -> None:
    seen: list[plan.Plan] = []

    def refuse_everything(planned: plan.Plan) -> None:
        seen.append(planned)
        raise InvalidValue("anything", "key", None, "must not be")

    kernel = support.FakeKernel(current)
    with pytest.raises(InvalidValue, match="must not be"):
        converge(kernel, support.as_patches(target), EVERYTHING, check_mode, refuse_everything)
    assert seen == [plan.plan(current, support.as_patches(target), EVERYTHING)]
    assert (kernel.table, kernel.sent) == (current, [])


def test_a_guard_that_refuses_nothing_changes_nothing() -> None:
    seen: list[plan.Plan] = []
    kernel = support.FakeKernel({})
    outcome = converge(kernel, rules.parse("-A -f 1 -s rr"), guard=seen.append)
    assert outcome == converge(support.FakeKernel({}), rules.parse("-A -f 1 -s rr"))
    assert [planned.operations for planned in seen] == [outcome.operations]


def test_a_guard_sees_the_plan_after_a_lost_race_too() -> None:
    kernel = support.FakeKernel(table_of("-A -f 1 -s rr\n"))
    theirs = "-A -f 1 -s rr\n-A -f 2 -s rr\n"
    seen: list[plan.Plan] = []

    def somebody_else(table: dict[ServiceKey, VirtualService]) -> None:
        table.update(table_of(theirs))
        kernel.before_apply = lambda _table: None

    def refuse_the_second(planned: plan.Plan) -> None:
        seen.append(planned)
        if len(seen) == 2:
            raise InvalidValue("anything", "key", None, "must not be")

    kernel.before_apply = somebody_else
    with pytest.raises(ConvergeError, match=r"key must not be; the table was restored"):
        converge(kernel, rules.parse("-A -f 1 -s wlc\n-A -f 2 -s wlc\n"), guard=refuse_the_second)
    assert [len(planned.operations) for planned in seen] == [2, 1]
    assert rules.render(kernel.table) == theirs


def test_a_floor_counts_what_somebody_who_was_quicker_has_left() -> None:
    kernel = support.FakeKernel(table_of("-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1 -w 1\n-a -f 1 -r 192.0.2.2 -w 1\n"))
    patch = arguments.only_real_server({"service": {"fwmark": 1}, "address": "192.0.2.1", "state": "absent"})

    def somebody_else(table: dict[ServiceKey, VirtualService]) -> None:
        table.update(table_of("-A -f 1 -s rr\n-a -f 1 -r 192.0.2.2 -w 1\n"))
        kernel.before_apply = lambda _table: None

    kernel.before_apply = somebody_else
    converge(kernel, [patch], guard=drain.floor(patch, 1))
    other = arguments.only_real_server({"service": {"fwmark": 1}, "address": "192.0.2.2", "state": "drained"})
    with pytest.raises(InvalidValue, match="0 of 1 real server in service would be left"):
        converge(kernel, [other], guard=drain.floor(other, 1))
    assert rules.render(kernel.table) == "-A -f 1 -s rr\n-a -f 1 -r 192.0.2.2:0 -g -w 1\n"


def test_only_services_in_scope_are_read() -> None:
    kernel = support.FakeKernel(table_of("-A -f 1 -s rr\n-A -f 2 -s rr\n-A -f 3 -s rr\n"))
    outcome = converge(kernel, rules.parse("-A -f 1 -s rr"), check_mode=True)
    assert [key.fwmark for key in outcome.table] == [1]


class Deaf(support.FakeKernel):
    """A kernel that does not answer the reads with these numbers; the first one is 1."""

    def __init__(self, table: Table, *silent: int) -> None:
        super().__init__(table)
        self.silent, self.reads = silent, 0

    def read(self, wanted: Callable[[ServiceKey], bool] | None = None) -> Table:
        self.reads += 1
        if self.reads in self.silent:
            raise KernelError("cannot receive from the kernel's IPVS: No buffer space available")
        return super().read(wanted)


BEFORE = "-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1:0 -g -w 1\n"
AFTER = "-A -f 1 -s wlc\n-A -f 2 -s rr\n"


def somebody_adds_the_second(kernel: support.FakeKernel) -> None:
    def add(table: dict[ServiceKey, VirtualService]) -> None:
        table.update(table_of("-A -f 2 -s sh\n"))
        kernel.before_apply = lambda _table: None

    kernel.before_apply = add


@pytest.mark.parametrize("text", [AFTER, BEFORE + "-A -f 2 -s rr\n"], ids=["removals", "additions"])
def test_a_read_that_fails_after_a_batch_undoes_it(text: str) -> None:
    kernel = Deaf(table_of(BEFORE), 2)
    with pytest.raises(ConvergeError, match=r"No buffer space available; the table was restored$"):
        converge(kernel, rules.parse(text), EVERYTHING)
    assert rules.render(kernel.table) == BEFORE


@pytest.mark.parametrize("silent", [(2,), (2, 3), (3,), (3, 4), (4,)])
def test_a_read_that_fails_after_a_lost_race_undoes_the_batch_or_names_it(silent: tuple[int, ...]) -> None:
    kernel = Deaf(table_of(BEFORE), *silent)
    somebody_adds_the_second(kernel)
    kernel.refuse = refuse("fwmark 3", errno.EINVAL)
    with pytest.raises(ConvergeError) as caught:
        converge(kernel, rules.parse(f"{AFTER}-A -f 3 -s rr\n"), EVERYTHING)
    text = str(caught.value)
    if text.endswith("; the table was restored"):
        assert "-A -f 1 -s rr" in rules.render(kernel.table)
    else:
        assert "restoring the table failed as well: cannot receive" in text
        assert "This may have been done: set virtual service fwmark 1 ipv4, add virtual service fwmark 2 ipv4" in text


def test_what_could_not_be_put_back_is_named_in_a_sentence_that_ends() -> None:
    kernel = Deaf({}, 2, 3)
    with pytest.raises(ConvergeError, match=r"add virtual service fwmark 5 ipv4 and 4 more$"):
        converge(kernel, rules.parse("".join(f"-A -f {mark} -s rr\n" for mark in range(1, 10))))


@given(support.tables(), support.tables())
def test_what_cannot_be_committed_is_undone(current: Table, target: Table) -> None:
    def full(_outcome: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/etc/file")

    kernel = support.FakeKernel(current)
    with pytest.raises(ConvergeError) as caught:
        converge(kernel, support.as_patches(target), EVERYTHING, commit=full)
    assert kernel.table == current
    fate = "nothing was changed" if current == target else "the table was restored"
    assert str(caught.value) == f"/etc/file: No space left on device; {fate}"


def test_check_mode_commits_nothing() -> None:
    committed: list[object] = []
    patches = rules.parse("-A -f 1 -s rr")
    converge(support.FakeKernel({}), patches, check_mode=True, commit=committed.append)
    assert committed == []
    outcome = converge(support.FakeKernel({}), patches, commit=committed.append)
    assert committed == [outcome]


def test_with_nothing_to_look_for_nothing_is_read() -> None:
    kernel = Deaf({}, 1)
    assert not converge(kernel, []).changed
    assert kernel.reads == 0
