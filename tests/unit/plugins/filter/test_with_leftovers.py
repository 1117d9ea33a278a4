# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host says of itself that it has leftovers, and nothing else of what it says counts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.run_order import REAL_SERVER_RESULT as RESULT
from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import internal


def with_leftovers(hosts: list[str], hostvars: dict[str, Any]) -> str:
    clusters = {"default": {"directors": [], "real_servers": hosts}}
    local = {"lvs_plan": {"clusters": clusters}, "lvs_run": {"lost": []}}
    found = internal("with_leftovers", "real_servers", variables={"hostvars": {**hostvars, "localhost": local}})
    assert isinstance(found, str)
    return found


def test_the_result_of_the_role_counts() -> None:
    hostvars = {"rs1": {RESULT: {"leftovers": ["x"]}}, "rs2": {RESULT: {"leftovers": []}}, "rs3": {}}
    assert with_leftovers(["rs3", "rs2", "rs1", "rs4"], hostvars) == "rs1,rs3"


@pytest.mark.parametrize("value", ["text", 7, True, None, {"a": 1}, {}])
def test_answers_of_other_types_are_none(value: Any) -> None:
    assert with_leftovers(["rs1", "rs2"], {"rs1": {RESULT: {"leftovers": value}}, "rs2": {RESULT: value}}) == "all,!all"
