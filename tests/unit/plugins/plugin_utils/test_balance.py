# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify says of the tables at run time."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.balance import table_problems

WEB = {"name": "web", "address": "192.0.2.10", "port": 80, "protocol": "tcp"}
SIX = {"name": "six", "address": "2001:db8::10", "port": 80, "protocol": "tcp"}
MARK = {"name": "mark", "fwmark": 21, "family": "ipv4"}
UNLIMITED = {"upper_threshold": 0, "lower_threshold": 0}
ENDS = [{"address": f"192.0.2.1{one}", "port": 80, **UNLIMITED} for one in (1, 2)]


def entry(service: dict[str, Any], ends: list[dict[str, Any]], scheduler: str = "rr") -> dict[str, Any]:
    """As ipvs_info has it."""
    identity = {"family": "ipv4", **{key: value for key, value in service.items() if key != "name"}}
    servers = [
        {**end, "forward_method": "dr", "weight": 1, "position": position, "connections": {"active": position}}
        for position, end in enumerate(ends)
    ]
    return {**identity, "scheduler": scheduler, "statistics": {"connections": id(ends)}, "real_servers": servers}


OUT = "lb1: 192.0.2.12:80 is out of service in web (tcp 192.0.2.10:80), by its health check"
CHECKED = [{**WEB, "real_servers": ENDS}]
TABLE = [entry(WEB, ENDS, "mh")]


def changed(**values: Any) -> list[dict[str, Any]]:
    """The table with other values for the second real server."""
    table = copy.deepcopy(TABLE)
    table[0]["real_servers"][1].update(values)
    return table


def test_all_is_well() -> None:
    spelt = [{**SIX, "real_servers": [{"address": "2001:db8::11", "port": 80, "weight": 3, **UNLIMITED}]}]
    assert table_problems(CHECKED, [], {"lb1": TABLE, "lb2": copy.deepcopy(TABLE)}, {}) == []
    there = [entry(SIX, [{"address": "2001:0db8::11", "port": 80, **UNLIMITED}])]
    assert table_problems(spelt, [], {"lb1": there}, {}) == []


@pytest.mark.parametrize(
    ("table", "drained", "sentences"),
    [
        ([], [], ["lb1: web (tcp 192.0.2.10:80) is not in the IPVS table, where its health checker has to put it"]),
        (
            changed(weight=0),
            [],
            [OUT],
        ),
        (changed(weight=0), ["192.0.2.12"], []),
        (changed(address="192.0.2.99"), ["192.0.2.12"], []),  # a sorry server
        (
            changed(upper_threshold=500),
            [],
            ["lb1: upper_threshold of 192.0.2.12:80 in web (tcp 192.0.2.10:80) is 500, and should be 0"],
        ),
        (changed(weight=0, upper_threshold=500), ["192.0.2.12"], []),
    ],
)
def test_one_director(table: list[dict[str, Any]], drained: list[str], sentences: list[str]) -> None:
    assert table_problems(CHECKED, [], {"lb1": table}, {"lb1": drained}) == sentences


def test_a_weight_of_0_that_is_described_is_none_that_a_check_gave() -> None:
    described = [{**WEB, "real_servers": [ENDS[0], {**ENDS[1], "weight": 0}]}]
    assert table_problems(described, [], {"lb1": changed(weight=0)}, {}) == []


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (changed(weight=5), "weight of 192.0.2.12:80 is 1 and 5"),
        (changed(forward_method="nat"), "forward_method of 192.0.2.12:80 is dr and nat"),
        ([entry(WEB, ENDS)], "scheduler is mh and rr"),
        (
            [entry(WEB, ENDS[::-1], "mh")],
            "mh chooses by the order of the real servers, which is 192.0.2.11:80, 192.0.2.12:80"
            " and 192.0.2.12:80, 192.0.2.11:80",
        ),
    ],
)
def test_directors_that_differ(other: list[dict[str, Any]], text: str) -> None:
    expected = [f"lb1 and lb2 differ in web (tcp 192.0.2.10:80): {text}"]
    assert table_problems(CHECKED, [], {"lb1": TABLE, "lb2": other}, {}) == expected


def test_weights_that_a_check_sets_are_each_director_s_own() -> None:
    described = [{**CHECKED[0], "dynamic_weights": True}]
    assert table_problems(described, [], {"lb1": TABLE, "lb2": changed(weight=5)}, {}) == []
    out = ["lb2: 192.0.2.12:80 is out of service in web (tcp 192.0.2.10:80), by its health check"]
    assert table_problems(described, [], {"lb1": TABLE, "lb2": changed(weight=0)}, {}) == out


def test_the_order_matters_to_some_schedulers_only() -> None:
    tables = {"lb1": [entry(WEB, ENDS)], "lb2": [entry(WEB, ENDS[::-1])]}
    assert table_problems(CHECKED, [], tables, {}) == []


def test_services_of_the_role_itself() -> None:
    """A weight that somebody has set on one of them; what is missing there, the role tells."""
    tables = {"lb1": [entry(MARK, ENDS)], "lb2": [entry(MARK, ENDS[:1])], "lb3": []}
    assert table_problems([], [MARK], tables, {}) == [
        "lb1 and lb2 differ in mark (fwmark 21 ipv4): only one of them has 192.0.2.12:80"
    ]
