# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a role that the tags of a run select."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import internal

STEPS = {"kernel": ["lvs_kernel"], "table": ["lvs_table"], "removal": ["lvs_keepalived", "lvs_health_checker"]}


@pytest.mark.parametrize(
    ("run", "skipped", "expected"),
    [
        (["all"], [], ["kernel", "table", "removal"]),
        (["tagged"], [], ["kernel", "table", "removal"]),
        (["untagged"], [], []),
        (["lvs_table"], [], ["table"]),
        (["lvs_health_checker", "other"], [], ["removal"]),
        (["other"], [], []),
        (["all"], ["lvs_table", "other"], ["kernel", "removal"]),
        (["all"], ["lvs_keepalived"], ["kernel", "table"]),
        (["all"], ["tagged"], []),
        (["lvs_table"], ["lvs_table"], []),
    ],
)
def test_steps(run: list[str], skipped: list[str], expected: list[str]) -> None:
    assert internal("selected_steps", STEPS, run, skipped) == expected


@pytest.mark.parametrize("given", [(5, [], []), (STEPS, "all", []), (STEPS, [], None)])
def test_wrong_input(given: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="selected_steps: a dictionary"):
        internal("selected_steps", *given)
