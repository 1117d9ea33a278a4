# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: golden cases, and what has to hold for any two tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, plan, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import InvalidValue, Table
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

CASES = sorted(path.parent for path in Path(__file__).parent.glob("cases/*/desired.yml"))


def describe(planned: plan.Plan) -> str:
    """Operations and predicted table, or the error, in the form of the cases' files."""
    operations = "".join(f"{operation.describe()}\n" for operation in planned.operations)
    return f"{operations}---\n{rules.render(planned.predicted)}"


def run_case(case: Path) -> str:
    desired: dict[str, Any] = yaml.safe_load((case / "desired.yml").read_text())
    current = plan.plan({}, rules.parse((case / "current.rules").read_text())).predicted
    scope = plan.Scope(
        desired.get("purge", plan.PURGE_NONE),
        frozenset(map(arguments.service_key, desired.get("exclude", []))),
        frozenset(map(arguments.service_key, desired.get("retired", []))),
    )
    try:
        return describe(plan.plan(current, arguments.services(desired["services"]), scope))
    except InvalidValue as error:
        return f"{error}\n"


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Path) -> None:
    assert run_case(case) == (case / "expected.txt").read_text()


def test_there_are_cases() -> None:
    assert len(CASES) >= 10


@given(support.tables(), support.tables())
def test_from_any_table_to_any_other(current: Table, target: Table) -> None:
    planned = plan.plan(current, support.as_patches(target), plan.Scope(plan.PURGE_ALL))
    assert planned.predicted == target
    kernel = support.FakeKernel(current)
    assert kernel.apply(planned.operations, []) == []
    assert kernel.table == target


@given(support.tables(), support.tables())
def test_a_second_plan_is_empty(current: Table, target: Table) -> None:
    for purge in (plan.PURGE_NONE, plan.PURGE_REAL_SERVERS, plan.PURGE_ALL):
        once = plan.plan(current, support.as_patches(target), plan.Scope(purge)).predicted
        assert plan.plan(once, support.as_patches(target), plan.Scope(purge)).operations == []


@given(support.tables(), support.tables())
def test_what_exists_is_never_removed_and_added_again(current: Table, target: Table) -> None:
    operations = plan.plan(current, support.as_patches(target), plan.Scope(plan.PURGE_ALL)).operations
    entries = [(operation.service, operation.server_key) for operation in operations]
    assert len(entries) == len(set(entries))


@given(support.tables(), support.tables())
def test_without_purge_nothing_is_removed(current: Table, target: Table) -> None:
    planned = plan.plan(current, support.as_patches(target))
    assert all(operation.verb != plan.REMOVE for operation in planned.operations)
    for key, service in current.items():
        assert service.real_servers.keys() <= planned.predicted[key].real_servers.keys()


@given(support.tables(), support.tables())
def test_excluded_services_survive_a_full_purge(current: Table, target: Table) -> None:
    exclude = frozenset(current.keys() - target.keys())
    planned = plan.plan(current, support.as_patches(target), plan.Scope(plan.PURGE_ALL, exclude))
    assert all(planned.predicted[key] == current[key] for key in exclude)


@given(support.tables(), support.tables(), st.data())
def test_undo_puts_back_whatever_part_took_effect(current: Table, target: Table, data: st.DataObject) -> None:
    planned = plan.plan(current, support.as_patches(target), plan.Scope(plan.PURGE_ALL))
    failing = data.draw(st.sets(st.sampled_from(range(len(planned.operations))))) if planned.operations else set()
    kernel = support.FakeKernel(current)
    for number, operation in enumerate(planned.operations):
        if number not in failing:
            kernel._execute(operation)
    back = plan.undo(planned.operations, current, kernel.table)
    assert kernel.apply(back.operations, []) == []
    assert kernel.table == current == back.predicted


@given(support.tables(), support.tables())
def test_undo_leaves_entries_of_others_alone(current: Table, target: Table) -> None:
    planned = plan.plan(current, support.as_patches(target))
    others = {key: service for key, service in current.items() if key not in target}
    back = plan.undo(planned.operations, current, planned.predicted)
    assert all(operation.service not in others for operation in back.operations)


@given(support.tables(), support.tables())
def test_services_of_others_keep_their_entries(current: Table, target: Table) -> None:
    """Neither services nor real servers come or go, whatever the scope is, and a weight of 0 stays."""
    theirs = [patch._replace(only_existing=True) for patch in support.as_patches(target)]
    predicted = plan.plan(current, theirs, plan.Scope("real_servers")).predicted
    assert {key: set(one.real_servers) for key, one in predicted.items()} == {
        key: set(one.real_servers) for key, one in current.items()
    }
    for key, service in predicted.items():
        wanted = target.get(key)
        assert service.settings == (wanted or current[key]).settings
        for end, server in service.real_servers.items():
            before = current[key].real_servers[end]
            if wanted is None or end not in wanted.real_servers:
                assert server == before
            else:
                assert server._replace(weight=0) == wanted.real_servers[end]._replace(weight=0)
                assert server.weight == (wanted.real_servers[end].weight if before.weight else 0)


@given(support.tables(), support.tables())
def test_real_servers_that_their_owner_takes_to_be_there_are_added(current: Table, target: Table) -> None:
    theirs = [
        patch._replace(only_existing=True, held=frozenset(patch.real_servers or {}))
        for patch in support.as_patches(target)
    ]
    predicted = plan.plan(current, theirs).predicted
    assert predicted.keys() == current.keys()
    for key, service in predicted.items():
        added = service.real_servers.keys() - current[key].real_servers.keys()
        wanted = target[key].real_servers if key in target else {}
        assert added == wanted.keys() - current[key].real_servers.keys()
        assert all(service.real_servers[end] == wanted[end] for end in added)
