# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a play is for: groups, without the real servers that are left out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import internal

GROUPS = {"directors": ["lb1"], "real_servers": ["rs1", "rs2", "rs7"]}


@pytest.mark.parametrize(
    ("left_out", "pattern"),
    [
        ([], "directors:real_servers"),
        ("", "directors:real_servers"),
        ("rs7", "directors:real_servers:!rs7"),
        ("rs7, rs1,", "directors:real_servers:!rs7:!rs1"),
        (["rs2"], "directors:real_servers:!rs2"),
    ],
)
def test_real_servers_are_left_out(left_out: Any, pattern: str) -> None:
    groups = ["directors", "real_servers"]
    assert internal("hosts_of_run", groups, left_out, variables={"groups": GROUPS}) == pattern


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        ("rs8", "lvs_left_out: 'rs8' is not a host of the group real_servers, and only those can be left out"),
        ("lb1", "lvs_left_out: 'lb1' is not a host of the group real_servers, and only those can be left out"),
        ([["rs1"]], "is not a host of the group"),
        (7, "lvs_left_out: 7 is neither a list nor names with commas between them"),
        ({"rs1": 1}, "is neither a list nor names"),
    ],
)
def test_only_real_servers_are(left_out: Any, sentence: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        internal("hosts_of_run", ["directors"], left_out, variables={"groups": GROUPS})
    assert sentence in str(error.value)


def test_without_the_group_none_can_be() -> None:
    for variables in (dict[str, Any](), {"groups": dict[str, Any]()}):
        found = internal("hosts_of_run", ["directors", "real_servers"], variables=variables)
        assert found == "directors:real_servers"
