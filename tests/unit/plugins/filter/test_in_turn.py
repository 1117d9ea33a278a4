# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which directors are changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import internal


def in_turn(directors: Any, hostvars: Any) -> Any:
    return internal("in_turn", directors, variables={"hostvars": hostvars})


@pytest.mark.parametrize(
    ("held", "order"),
    [
        ({"lb1": ["192.0.2.10"], "lb2": [], "lb3": []}, ["lb3", "lb2", "lb1"]),
        ({"lb1": [], "lb2": ["192.0.2.10"], "lb3": []}, ["lb3", "lb1", "lb2"]),
        ({"lb1": ["192.0.2.10"], "lb2": ["2001:db8::10"]}, ["lb2", "lb1"]),
        ({"lb2": []}, ["lb2"]),
        ({"lb1": "text", "lb2": {"a": 1}, "lb3": 7}, []),
        ({}, []),
    ],
)
def test_those_with_vips_are_last(held: dict[str, Any], order: list[str]) -> None:
    hostvars: dict[str, Any] = {name: {"lvs_held": vips} for name, vips in held.items()}
    assert in_turn(["lb1", "lb2", "lb3"], {"lb1": {}, **hostvars}) == order


@pytest.mark.parametrize(
    ("part", "result", "expected"),
    [
        ("", {"complete": True}, []),
        ("", {"complete": False, "parts": {"keepalived": {}}}, ["lb1"]),
        ("", {"complete": "yes"}, ["lb1"]),
        ("keepalived", {"complete": False, "parts": {"keepalived": {}}}, []),
        ("keepalived", {"complete": True, "parts": {"table": {}}}, ["lb1"]),
        ("keepalived", {"complete": True, "parts": "keepalived"}, ["lb1"]),
        ("", "text", ["lb1"]),
        ("keepalived", None, ["lb1"]),
    ],
)
def test_those_that_a_run_has_not_completed(part: str, result: Any, expected: list[str]) -> None:
    hostvars: dict[str, Any] = {"lb1": {"director_result": result}, "lb2": {}}
    directors = ["lb1", "lb2", "lb3"]
    assert internal("incomplete", directors, part, variables={"hostvars": hostvars}) == [*expected, "lb2", "lb3"]


def test_a_syntax_check_has_no_variables_of_hosts() -> None:
    assert internal("in_turn", ["lb1"]) == internal("with_leftovers", ["rs1"]) == []
    assert internal("incomplete", ["lb1"]) == ["lb1"]


@pytest.mark.parametrize("given", [("lb1", {}), (["lb1"], None)])
def test_it_takes_hosts_and_their_variables(given: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="a list of hosts and the variable hostvars"):
        in_turn(*given)
