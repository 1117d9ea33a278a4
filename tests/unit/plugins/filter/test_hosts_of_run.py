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
    assert internal("hosts_of_run", groups, variables={"groups": GROUPS, "lvs_left_out": left_out}) == pattern


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
        internal("hosts_of_run", ["directors"], variables={"groups": GROUPS, "lvs_left_out": left_out})
    assert sentence in str(error.value)


def test_without_the_group_none_can_be() -> None:
    for variables in (dict[str, Any](), {"groups": dict[str, Any]()}):
        found = internal("hosts_of_run", ["directors", "real_servers"], variables=variables)
        assert found == "directors:real_servers"


HOSTVARS = {
    "ams1": {"lvs_cluster": "ams"},
    "fra1": {"lvs_cluster": "fra"},
    "rs1": {"lvs_cluster": "ams"},
    "rs2": {"lvs_cluster": ["ams", "fra"]},
    "rs3": {"lvs_cluster": "fra"},
}
OF_CLUSTERS = {"directors": ["ams1", "fra1"], "real_servers": ["rs1", "rs2", "rs3"]}


@pytest.mark.parametrize(
    ("selected", "left_out", "pattern"),
    [
        ("ams", [], "ams1,rs1,rs2"),
        (["fra"], "rs3", "fra1,rs2"),
        ("ams,fra", [], "ams1,fra1,rs1,rs2,rs3"),
        (None, [], "directors:real_servers"),
    ],
)
def test_a_run_for_some_clusters(selected: Any, left_out: Any, pattern: str) -> None:
    variables = {"groups": OF_CLUSTERS, "hostvars": HOSTVARS, "lvs_clusters": selected, "lvs_left_out": left_out}
    assert internal("hosts_of_run", ["directors", "real_servers"], variables=variables) == pattern


@pytest.mark.parametrize(
    ("director", "pattern"),
    [("ams1", "ams1"), ("fra1", "fra1"), ("", "directors"), ("rs1", "directors"), ("lb9", "directors")],
)
def test_the_directors_beside_one(director: str, pattern: str) -> None:
    variables = {"groups": OF_CLUSTERS, "hostvars": HOSTVARS}
    assert internal("hosts_beside", ["directors"], director, variables=variables) == pattern
