# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of drain, undrain and rolling_update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.plugin_utils._description.drain_options import VARIABLES, drain_options
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problem, Problems
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import Expected, check_all, expected

HOSTS = ("lb1", "lb2", "rs1", "rs2", "rs3")
GROUPS: dict[str, Sequence[str]] = {
    "all": HOSTS,
    "directors": ["lb1", "lb2"],
    "web": ["rs1", "rs2"],
    "empty": [],
}


def options(run_hosts: Sequence[str] | None = HOSTS, **variables: Any) -> tuple[dict[str, object], tuple[Problem, ...]]:
    problems = Problems()
    found = drain_options({f"lvs_{name}": value for name, value in variables.items()}, GROUPS, run_hosts, problems)
    return found, problems.found


def test_defaults() -> None:
    assert options(real_servers="rs1") == (
        {
            "real_servers": ["rs1"],
            "directors": ["lb1", "lb2"],
            "refuse_drained": False,
            "minimum_in_service": 1,
            "drain_timeout": 300.0,
            "drain_udp_pause": 10.0,
            "drain_expired": "fail",
            "drain_wait_for": ["active"],
            "return_timeout": 60,
            "update_serial": "1",
        },
        (),
    )


@pytest.mark.parametrize(
    ("variables", "values"),
    [
        ({"real_servers": "web, rs3,rs1"}, {"real_servers": ["rs1", "rs2", "rs3"]}),
        ({"draining_directors": ["lb2"]}, {"directors": ["lb2"]}),
        ({"refuse_drained": "yes"}, {"refuse_drained": True}),
        ({"minimum_in_service": "0"}, {"minimum_in_service": 0}),
        ({"drain_timeout": 1.5, "drain_udp_pause": "0"}, {"drain_timeout": 1.5, "drain_udp_pause": 0.0}),
        ({"drain_wait_for": ["active", "persistent"]}, {"drain_wait_for": ["active", "persistent"]}),
        ({"drain_wait_for": "active,inactive"}, {"drain_wait_for": ["active", "inactive"]}),
        ({"update_serial": [1, "25%"]}, {"update_serial": "1,25%"}),
    ],
)
def test_values_of_the_command_line(variables: dict[str, Any], values: dict[str, object]) -> None:
    found, problems = options(**{"real_servers": "rs1", **variables})
    assert problems == ()
    assert {key: found[key] for key in values} == values


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"real_servers": None}, expected(Code.MISSING, "lvs_real_servers")),
        ({"real_servers": ["rs1"]}, expected(Code.MALFORMED, "lvs_real_servers", "", "['rs1']", "not a string")),
        ({"real_servers": ""}, expected(Code.MISSING, "lvs_real_servers", "", "", "is empty")),
        ({"real_servers": "rs1,rs9"}, expected(Code.UNKNOWN_HOST, "lvs_real_servers", "", "'rs9'")),
        ({"real_servers": "rs1 rs2"}, expected(Code.UNKNOWN_HOST, "lvs_real_servers", "", "'rs1 rs2'", "commas")),
        ({"real_servers": "empty"}, expected(Code.EMPTY, "lvs_real_servers", "", "'empty'")),
        (
            {"real_servers": "rs1,rs2", "run_hosts": ["rs1"]},
            expected(Code.EXCLUDED, "lvs_real_servers", "", "'rs1,rs2'", "names rs2", "--limit"),
        ),
        ({"draining_directors": []}, expected(Code.NOT_IN_GROUP, "lvs_draining_directors", "", "[]", "lb1, lb2")),
        ({"draining_directors": 7}, expected(Code.NOT_IN_GROUP, "lvs_draining_directors", "", "7", "a list")),
        ({"draining_directors": "lb1,lb9"}, expected(Code.NOT_IN_GROUP, "lvs_draining_directors", "", "'lb1,lb9'")),
        ({"draining_directors": ["lb9"]}, expected(Code.NOT_IN_GROUP, "lvs_draining_directors", "", "['lb9']")),
        (
            {"minimum_in_service": "50%"},
            expected(Code.MALFORMED, "lvs_minimum_in_service", "", "'50%'", "a number of real servers"),
        ),
        ({"minimum_in_service": -1}, expected(Code.MALFORMED, "lvs_minimum_in_service", "", "'-1'")),
        ({"drain_timeout": "5m"}, expected(Code.MALFORMED, "lvs_drain_timeout", "", "'5m'", "a number of seconds")),
        ({"drain_udp_pause": "no"}, expected(Code.MALFORMED, "lvs_drain_udp_pause", "", "'no'", "at least 3")),
        ({"drain_expired": "stop"}, expected(Code.MALFORMED, "lvs_drain_expired", "", "'stop'", "fail or force")),
        ({"drain_wait_for": "all"}, expected(Code.MALFORMED, "lvs_drain_wait_for", "", "'all'", "persistent")),
        ({"return_timeout": 1.5}, expected(Code.MALFORMED, "lvs_return_timeout", "", "'1.5'", "a whole number")),
        ({"update_serial": 0}, expected(Code.MALFORMED, "lvs_update_serial", "", "'0'", "percentage")),
    ],
)
def test_each_problem_names_the_variable_and_the_value(variables: dict[str, Any], problem: Expected) -> None:
    check_all(options(**{"real_servers": "rs1", **variables})[1], problem)


def test_all_problems_at_once() -> None:
    _found, problems = options(real_servers="rs9", drain_timeout="5m", drain_expired="stop")
    assert [problem.where for problem in problems] == ["lvs_real_servers", "lvs_drain_timeout", "lvs_drain_expired"]


def test_a_batch_that_is_known_is_not_compared_with_the_play() -> None:
    assert options(run_hosts=None, real_servers="rs1,rs2")[1] == ()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(VARIABLES), ANYTHING))
def test_any_value_ends_in_options_or_in_sentences(variables: dict[str, Any]) -> None:
    problems = Problems()
    found = drain_options(variables, GROUPS, GROUPS["all"], problems)
    assert problems.found or len(found) == len(VARIABLES)
    assert all(problem.where in VARIABLES for problem in problems.found)
