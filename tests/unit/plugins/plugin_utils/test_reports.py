# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of hosts that are not those of the modules."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.module_utils._host.director_state import written_services
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify import reports
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.balance import (
    table_problems_of_results as table_problems,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.vip_owners import (
    vip_problems_of_results as vip_problems,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import internal

deviations, held_vips, owner_problems = (
    partial(internal, name) for name in ("deviations", "held_vips", "owner_problems")
)

VIPS = ["192.0.2.10", "192.0.2.9"]
PROBE: dict[str, Any] = {
    "hardware_addresses": ["m1"],
    "holds": ["192.0.2.10"],
    "answers": {},
    "interface": "eth1",
    "arp_ignore": {"all": 1},
}
SERVER = {"address": "192.0.2.11", "port": 80, "weight": 1, "position": 0, "upper_threshold": 0, "lower_threshold": 0}
SERVICE = {"address": "192.0.2.10", "port": 80, "protocol": "tcp", "scheduler": "rr", "real_servers": [SERVER]}
CLUSTER: dict[str, Any] = {"health_checked": [], "services": [{"name": "web", **SERVICE}]}


def seconds(function: Any, *arguments: Any) -> float:
    began = time.process_time()
    function(*arguments)
    return time.process_time() - began


def test_vips_that_are_held() -> None:
    assert held_vips({"held": ["192.0.2.9", "192.0.2.10", "192.0.2.9"]}, VIPS, "lb1") == VIPS
    assert held_vips({"held": []}, VIPS, "lb1") == []


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ("text", "the result is a string, not a dictionary"),
        ({1: 2}, "the result is a dictionary, not a dictionary"),
        ({}, "held is missing, not a list of strings"),
        ({"held": "192.0.2.10"}, "held is a string, not a list of strings"),
        ({"held": {"192.0.2.10": 1}}, "held is a dictionary, not a list of strings"),
        ({"held": [["192.0.2.10"]]}, "held has a list in it, not strings only"),
        ({"held": [True]}, "held has a boolean in it, not strings only"),
        ({"held": ["{{ x }}\n" * 9]}, "held has '{{ x }}\\n{{ x }}"),
        ({"held": ["192.0.2.66"]}, "held has '192.0.2.66' in it, which is not a VIP of the cluster"),
    ],
)
def test_vips_that_no_host_check_returns(result: Any, sentence: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        held_vips(result, VIPS, "lb1")
    assert str(caught.value).startswith(f"lb1: its answer is not one of lvs.cluster.host_check: {sentence}")
    with pytest.raises(AnsibleFilterError) as caught:
        owner_problems(VIPS, {"lb1": result if isinstance(result, dict) else None}, {}, True, False)
    assert "lb1" in str(caught.value)


def test_owners_from_results() -> None:
    now = {"lb1": {"held": VIPS}, "lb2": {"held": VIPS[:1]}}
    assert owner_problems(VIPS, now, {"lb1": VIPS, "lb2": []}, True, False) == [
        "192.0.2.10 is held by lb1 and lb2; only one director may hold it"
    ]
    with pytest.raises(AnsibleFilterError, match="before: not a dictionary"):
        owner_problems(VIPS, now, [], True, False)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hardware_addresses": "m1"}, "hardware_addresses is a string"),
        ({"hardware_addresses": [{}]}, "hardware_addresses has a dictionary in it"),
        ({"holds": None}, "holds is missing"),
        ({"answers": []}, "answers is a list, not a dictionary"),
        ({"answers": {"192.0.2.10": "m1"}}, "answers is a string"),
        ({"interface": 5}, "interface is a number, not a string"),
        ({"arp_ignore": {"all": "1"}}, "arp_ignore is a string, not a number"),
        ({"arp_ignore": {"all": True}}, "arp_ignore is a boolean, not a number"),
    ],
)
def test_probes_of_other_types(change: dict[str, Any], sentence: str) -> None:
    probes = {"lb1": PROBE, "rs1": {**PROBE, "hardware_addresses": ["m2"], "holds": [], **change}}
    problems = vip_problems(["192.0.2.10"], ["lb1"], probes)
    assert len(problems) == 1
    assert problems[0].startswith(f"rs1: its answer is not one of lvs.cluster.arp_probe: {sentence}")


def test_probes_that_failed() -> None:
    probes = {"lb1": PROBE, "rs1": {"failed": True, "msg": ["{{ x }}"] * 9999}, "rs2": {"failed": True}, "rs3": 5}
    problems = vip_problems(["192.0.2.10"], ["lb1"], probes)
    assert problems[0].startswith("rs1: ['{{ x }}', '{{ x }}'")
    assert len(problems[0]) <= reports.MAX_TEXT
    assert problems[1:] == [
        "rs2: None",
        "rs3: its answer is not one of lvs.cluster.arp_probe: the result is a number, not a dictionary",
    ]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("text", "services is a string, not a list"),
        ({}, "services is missing, not a list"),
        ({"services": {}}, "services is a dictionary, not a list"),
        ([5], "an element of services is a number, not a dictionary"),
        ([{}], "an element of services is not a virtual service: "),
        ([{**SERVICE, "address": ["x"]}], "an element of services is not a virtual service: "),
        ([{**SERVICE, "port": "{{ x }}"}], "an element of services is not a virtual service: "),
        ([{**SERVICE, "scheduler": []}], "scheduler of tcp 192.0.2.10:80 is a list, not a string"),
        ([{**SERVICE, "real_servers": {}}], "real_servers of tcp 192.0.2.10:80 is a dictionary, not a list"),
        ([{**SERVICE, "real_servers": ["x"]}], "a real server of tcp 192.0.2.10:80 is a string, not a dictionary"),
        *(
            ([{**SERVICE, "real_servers": [{**SERVER, key: [5]}]}], f"{key} of a real server of tcp 192.0.2.10:80")
            for key in SERVER
        ),
    ],
)
def test_tables_of_other_types(table: Any, sentence: str) -> None:
    problems = table_problems(CLUSTER, {"lb1": table, "lb2": [SERVICE], "lb3": {"services": [SERVICE]}}, {"lb2": {}})
    assert len(problems) == 1
    assert problems[0].startswith(f"lb1: its answer is not one of lvs.cluster.ipvs_info: {sentence}")


def test_drained_servers_of_other_types() -> None:
    for drained in ("192.0.2.11", {"drained": [5]}, ["{{ x }}"], {"drained": None}):
        (problem,) = table_problems(CLUSTER, {"lb1": [SERVICE]}, {"lb1": drained})
        assert problem.startswith("lb1: its answer is not one of lvs.cluster.ipvs_info: drained")
    assert table_problems(CLUSTER, {"lb1": [SERVICE]}, {"lb1": {"drained": ["192.0.2.11"]}}) == []


def test_values_that_are_no_settings() -> None:
    """Keys and values that ipvs_info has not are shown as text, and not at any length."""
    evil = {**SERVICE, "{{ x }}\n": ["{{ y }}"] * 9999}
    (problem,) = table_problems(CLUSTER, {"lb1": [evil], "lb2": [SERVICE]})
    assert problem.startswith("lb1 and lb2 differ in web (tcp 192.0.2.10:80): {{ x }} is ['{{ y }}', ")
    assert len(problem) <= reports.MAX_TEXT


@pytest.mark.parametrize("differences", ["text", {"a": 1}, [5, ["x"]], [{"kind": {}, "name": ["x"], "is": 5}], [{}]])
def test_differences_of_other_types(differences: Any) -> None:
    problems = deviations({"kernel": {"changed": ["yes"], "differences": differences}}, "lb1")
    assert all(problem.startswith("lb1: ") for problem in problems)


def test_many_differences_and_long_ones() -> None:
    many = [
        {"kind": "weight", "name": f"server {number} " + "x" * 10_000, "is": "1", "should": "2"}
        for number in range(20_000)
    ]

    def explained() -> None:
        problems = deviations({"table": {"changed": True, "differences": many}}, "lb1")
        assert len(problems) == reports.MAX_SENTENCES + 1
        assert max(map(len, problems)) <= reports.MAX_TEXT

    assert seconds(explained) < 10


def test_one_difference_twice() -> None:
    one = {"kind": "weight", "name": "192.0.2.11:80 in web", "is": "1", "should": "2"}
    assert deviations({"table": {"changed": True, "differences": [one, one]}}, "lb1") == [
        "lb1: the weight of 192.0.2.11:80 in web is 1, and should be 2"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 2**20,
        " " * 2**20,
        "virtual_server 192.0.2.10 80 {" + "\n" * (2**20 - 40),
        "virtual_server 192.0.2.10 80" + " " * (2**20 - 40),
        "virtual_server 192.0.2.10 " + "8" * (2**20 - 40),
        "virtual_server fwmark " + "8" * (2**20 - 40),
        "virtual_server " + "f" * (2**20 - 40),
        "virtual_server fwmark 1 {\n" * 40_000,
        "virtual_server 192.0.2.10 80 {\nprotocol " + "x" * (2**20 - 60),
    ],
    ids=["lines", "blanks", "lines within", "blanks within", "port", "mark", "address", "heads", "protocol"],
)
def test_a_configuration_that_takes_long(text: str) -> None:
    assert seconds(written_services, text) < 2


def test_digits_of_other_scripts() -> None:
    assert written_services("virtual_server fwmark \u0662\u0661 {\n}\nvirtual_server fwmark 21 {\n}\n") == [
        {"fwmark": 21, "family": "ipv4"}
    ]


def test_text_on_one_line() -> None:
    assert reports.clip("a\n b\x1b[31m") == "a b\\x1b[31m"
    assert reports.clip(5) == "5"
    assert len(reports.clip("x" * 10**7)) == reports.MAX_TEXT
    assert reports.kind(object()) == "something else"
