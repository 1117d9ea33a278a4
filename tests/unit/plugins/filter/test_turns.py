# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which directors are changed, and the hosts with which a run goes on."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import internal

DIRECTORS = ["lb1", "lb2", "lb3"]


def local(turns: int, held: dict[str, Any]) -> dict[str, Any]:
    return {"hostvars": {"localhost": {"lvs_plan": {"turns": turns}, "lvs_run": {"held": held}}}}


def turns(held: dict[str, Any]) -> list[str]:
    """The directors in their turns, those of three turns."""
    found = {internal("turn", DIRECTORS, host, variables=local(3, held)): host for host in DIRECTORS if host in held}
    return [found[turn] for turn in sorted(found)]


@pytest.mark.parametrize(
    ("held", "order"),
    [
        ({"lb1": ["192.0.2.10"], "lb2": [], "lb3": []}, ["lb3", "lb2", "lb1"]),
        ({"lb1": [], "lb2": ["192.0.2.10"], "lb3": []}, ["lb3", "lb1", "lb2"]),
        ({"lb1": ["192.0.2.10"], "lb2": ["2001:db8::10"]}, ["lb2", "lb1"]),
        ({"lb2": []}, ["lb2"]),
        ({}, []),
    ],
)
def test_those_with_vips_are_last(held: dict[str, Any], order: list[str]) -> None:
    assert turns(held) == order


def test_masters_are_in_the_last_turn_whatever_the_size_of_their_cluster() -> None:
    held = {"lb1": ["192.0.2.10"], "lb2": []}
    found = {host: internal("turn", list(held), host, variables=local(3, held)) for host in held}
    assert found == {"lb1": 2, "lb2": 1}


def test_those_with_the_fewest_groups_are_first() -> None:
    vips = [{"address": f"192.0.2.1{number}", "vrrp_group": "blue"} for number in (1, 2, 3)]
    vips += [{"address": "192.0.2.10"}, {"address": "192.0.2.14", "vrrp_group": "green"}]
    held = {"lb1": ["192.0.2.10", "192.0.2.14"], "lb2": ["192.0.2.11", "192.0.2.12", "192.0.2.13"], "lb3": []}
    variables = local(3, held)
    variables["hostvars"]["localhost"]["lvs_plan"]["directors"] = {host: {"vips": vips} for host in DIRECTORS}
    found = {internal("turn", DIRECTORS, host, variables=variables): host for host in DIRECTORS}
    assert [found[turn] for turn in sorted(found)] == ["lb3", "lb2", "lb1"]
    held.update(lb1=["192.0.2.10"], lb3=["192.0.2.14"])
    found = {internal("turn", DIRECTORS, host, variables=variables): host for host in DIRECTORS}
    assert [found[turn] for turn in sorted(found)] == ["lb3", "lb2", "lb1"], "one each: the last is first"


GROUPS_OF_VIPS = ["default", "blue", "green"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ([], ["default", "blue", "green"]),
        (None, ["default", "blue", "green"]),
        ("", ["default", "blue", "green"]),
        ("green, default", ["default", "green"]),
        (["blue"], ["blue"]),
    ],
)
def test_the_groups_that_a_failover_moves(wanted: object, names: list[str]) -> None:
    assert internal("failover_groups", GROUPS_OF_VIPS, wanted) == names


@pytest.mark.parametrize(
    ("wanted", "says"),
    [("red", "'red' is not a VRRP group of this cluster, which has default blue green"), (5, "5 is")],
)
def test_groups_that_are_none(wanted: object, says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^lvs_failover_groups: {says}"):
        internal("failover_groups", GROUPS_OF_VIPS, wanted)


CLUSTERS = {
    "ams": {"directors": ["ams1", "ams2"], "real_servers": ["rs1", "rs2"]},
    "fra": {"directors": ["fra1"], "real_servers": ["rs2", "rs3"]},
}


@pytest.mark.parametrize(
    ("lost", "directors", "real_servers"),
    [
        ([], "ams1,ams2,fra1,rs1", "rs1,rs2,rs3,ams1"),
        (["ams2"], "fra1,rs2", "rs2,rs3,fra1"),
        (["rs3"], "ams1,ams2,rs1", "rs1,rs2,ams1"),
        (["rs2"], "all,!all", "all,!all"),
    ],
)
def test_a_run_goes_on_with_clusters_that_lost_no_host(lost: list[str], directors: str, real_servers: str) -> None:
    """Each play has one host more, of the other group, so that it does not end the playbook if all others fail."""
    groups = {group: [host for one in CLUSTERS.values() for host in one[group]] for group in CLUSTERS["ams"]}
    local = {"lvs_plan": {"clusters": CLUSTERS}, "lvs_run": {"lost": lost}}
    variables = {"groups": groups, "hostvars": {"localhost": local}}
    assert internal("hosts_left", "directors", variables=variables) == directors
    assert internal("hosts_left", "real_servers", variables=variables) == real_servers


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
    for name in ("joining_directors", "lacking_packages", "with_leftovers", "hosts_left"):
        assert internal(name, "directors") == "all,!all"
    assert internal("incomplete", ["lb1"]) == ["lb1"]


@pytest.mark.parametrize("given", ["lb1", 7, None])
def test_it_takes_hosts(given: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="a list of hosts and a dictionary"):
        internal("turn", given, "lb1", variables=local(1, {}))


def test_one_that_was_not_checked_has_no_turn() -> None:
    with pytest.raises(AnsibleFilterError, match="lb2 was not checked"):
        internal("turn", DIRECTORS, "lb2", variables=local(1, {"lb1": []}))


def test_directors_that_join_are_released_if_their_cluster_is_well() -> None:
    joining = {host: {"waits": host != "ams1", "drained": list[str]()} for host in ("ams1", "ams2", "fra1")}
    local = {"lvs_plan": {"clusters": CLUSTERS}, "lvs_run": {"lost": ["rs3"], "joining": joining}}
    assert internal("joining_directors", "directors", variables={"hostvars": {"localhost": local}}) == "ams2,ams1"


def test_a_real_server_of_two_clusters_of_which_one_ended() -> None:
    local = {"lvs_plan": {"clusters": CLUSTERS}, "lvs_run": {"lost": ["ams2"]}}
    groups = {"real_servers": ["rs1", "rs2", "rs3"]}
    variables = {"groups": groups, "hostvars": {"localhost": local}}
    assert internal("hosts_left", "real_servers", True, variables=variables) == "rs3,fra1"


def test_packages_are_installed_where_they_are_missing_and_the_cluster_is_well() -> None:
    local = {"lvs_plan": {"clusters": CLUSTERS}, "lvs_run": {"lost": ["ams2"], "lacking": ["rs1", "rs3"]}}
    variables = {"groups": {"real_servers": ["rs1", "rs2", "rs3"]}, "hostvars": {"localhost": local}}
    assert internal("lacking_packages", "real_servers", variables=variables) == "rs3,fra1"
