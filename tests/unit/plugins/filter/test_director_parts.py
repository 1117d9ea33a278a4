# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of a director a run with tags is about."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.filter.director_parts import director_parts

ALL = ["kernel", "leaving", "nftables", "table", "timeouts"]


@pytest.mark.parametrize(
    ("tags", "skipped", "parts"),
    [
        (["all"], [], ALL),
        (["my_role"], [], ALL),
        (["lvs_kernel"], [], ["kernel"]),
        (["lvs_nftables"], [], ["leaving", "nftables"]),
        (["lvs_table"], [], ["leaving", "table", "timeouts"]),
        (["lvs_table", "lvs_kernel"], [], ["kernel", "leaving", "table", "timeouts"]),
        (["lvs_keepalived"], [], ["leaving"]),
        (["lvs_keepalived", "my_role"], [], ["leaving"]),
        (["all"], ["lvs_table"], ["kernel", "leaving", "nftables"]),
        (["all"], ["lvs_table", "lvs_nftables", "lvs_keepalived", "lvs_health_checker"], ["kernel"]),
        (["lvs_table"], ["lvs_table"], []),
        (["all", "lvs_kernel"], ["other"], ALL),
    ],
)
def test_a_part_is_done_if_a_tag_asks_for_it(tags: list[str], skipped: list[str], parts: list[str]) -> None:
    assert director_parts(tags, skipped) == parts


@pytest.mark.parametrize("given", [("all", []), (["all"], "x"), (None, [])])
def test_it_takes_two_lists(given: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="two lists of tags"):
        director_parts(*given)
