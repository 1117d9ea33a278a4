# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify says: where a host differs, and who answers for a VIP that is not its own."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.vip_owners import (
    Probe,
    group_problems,
    owner_problems,
    seen_of_results,
    vip_problems,
)

VIP, VIP6 = "192.0.2.10", "2001:db8::10"
QUIET = {"all": 1, "eth1": 0}


def probe(mac: str, holds: tuple[str, ...] = (), answers: Any = None, ignoring: Any = None) -> Probe:
    return Probe((mac, f"other {mac}"), frozenset(holds), answers or {}, "eth1", ignoring or QUIET)


def test_one_owner_is_well() -> None:
    seen = {"lb1": probe("m1", (VIP,), {VIP: []}), "rs1": probe("m2", (VIP,), {VIP: ["m1"]})}
    assert vip_problems([VIP], ["lb1"], seen, [VIP]) == []


def test_a_real_server_that_answers_is_named_with_where_and_why() -> None:
    seen = {
        "lb1": probe("m1", (VIP, VIP6), {VIP: ["m2"], VIP6: ["m2"]}),
        "rs2": probe("m2", (VIP,), {}, {"all": 0, "eth1": 0}),
        "rs3": probe("m3", (VIP,), {VIP: ["m1", "m9"]}),
    }
    assert vip_problems([VIP, VIP6], ["lb1"], seen, []) == [
        "rs2 answers ARP for 192.0.2.10 on eth1: arp_ignore is 0 on all and eth1",
        "an unknown host (m9) answers ARP for 192.0.2.10, as seen by rs3",
        "rs2 answers neighbour solicitations for 2001:db8::10 on eth1: it has the address there, and not on lo",
    ]


def test_two_owners_none_and_a_silent_one() -> None:
    seen = {"lb1": probe("m1", (VIP,)), "lb2": probe("m2", (VIP,)), "rs1": probe("m3", (), {VIP6: []})}
    assert vip_problems([VIP, VIP6], ["lb1", "lb2"], seen, []) == [
        "192.0.2.10 is held by lb1 and lb2; only one director may hold it",
        "no director holds 2001:db8::10",
    ]
    silent = {"lb1": probe("m1", (VIP,)), "rs1": probe("m3", (), {VIP: []})}
    says = "lb1 holds 192.0.2.10, but no host answers ARP for it on the link of rs1"
    assert vip_problems([VIP], ["lb1"], silent, [VIP]) == [says]
    assert vip_problems([VIP], ["lb1"], silent, []) == []


def test_a_group_is_on_one_director() -> None:
    groups = {"default": [VIP, VIP6], "blue": ["192.0.2.11", "192.0.2.12", "192.0.2.13"]}
    assert group_problems(groups, {"lb1": [VIP, VIP6], "lb2": groups["blue"]}) == []
    assert group_problems(groups, {"lb1": [*groups["blue"], VIP6, VIP], "lb2": []}) == []
    held = {"lb1": [VIP, "192.0.2.12", "192.0.2.13"], "lb2": [VIP6, "192.0.2.13"]}
    assert group_problems(groups, held) == [
        "lb1 holds 192.0.2.10 and lb2 holds 2001:db8::10, which are in the VRRP group default; one director has to "
        "hold all of its VIPs"
    ]
    assert group_problems(groups, {"lb1": [VIP], "lb2": [VIP]}) == [], "a VIP with two owners is a problem of its own"


def test_a_director_that_was_not_asked_is_said() -> None:
    seen = {"rs1": probe("m3", (), {VIP: ["m1"]})}
    assert vip_problems([VIP], ["lb1"], seen, [VIP]) == [
        "lb1 has no result of arp_probe, so its VIPs and answers are unknown"
    ]


ONE, OTHER, BOTH, NONE = ({"lb1": a, "lb2": b} for a, b in ((["v"], []), ([], ["v"]), (["v"], ["v"]), ([], [])))


@pytest.mark.parametrize(
    ("before", "now", "last", "changed", "expected"),
    [
        (ONE, ONE, False, False, []),
        (ONE, OTHER, False, False, []),
        (ONE, OTHER, True, True, []),
        (ONE, NONE, False, True, ["no director has v, which lb1 had before"]),
        (NONE, NONE, False, True, []),  # the last one to be set up may be the one that takes it
        (NONE, NONE, True, True, ["no director has v"]),
        (ONE, BOTH, False, False, ["v is held by lb1 and lb2; only one director may hold it"]),
        (ONE, BOTH, False, True, []),
        (BOTH, BOTH, False, False, []),
        (BOTH, BOTH, True, False, ["v is held by lb1 and lb2; only one director may hold it"]),
    ],
)
def test_owners_while_directors_are_set_up(
    before: dict[str, list[str]], now: dict[str, list[str]], last: bool, changed: bool, expected: list[str]
) -> None:
    assert owner_problems(["v"], now, before, last, changed) == expected


def seen_of(cluster: dict[str, Any], probes: dict[str, Any]) -> str:
    return seen_of_results(cluster, probes, ["rs1", "rs2", "rs3"])


def test_what_was_seen_of_a_cluster_that_is_as_described() -> None:
    cluster = {
        "vips": [{"address": "192.0.2.10"}, {"address": "2001:db8::10"}],
        "directors": ["lb1", "lb2"],
        "services": [{"name": "web"}, {"name": "web"}, {"name": "dns"}],
        "health_checked": [{"name": "mail"}],
        "connections": [{"name": "web"}, {"name": "web"}, {"name": "mail"}],
    }
    answer = {"hardware_addresses": [], "answers": {}, "interface": "eth1", "arp_ignore": {}}
    has = {**answer, "holds": ["2001:db8::10", "192.0.2.10", "203.0.113.9 {{ 1 }}"]}
    assert seen_of(cluster, {"lb1": has, "lb2": {**answer, "holds": []}, "rs1": {}}) == (
        "lb1 has 192.0.2.10, 2001:db8::10; 2 directors and 3 real servers are as described, with 4 virtual services, 1 "
        "of them with health checks; 3 connections accepted; not tried: dns"
    )


def test_many_are_counted() -> None:
    vips = [f"192.0.2.{number}" for number in range(20, 30)]
    names = [f"s{number}" for number in range(10)]
    answer = {"hardware_addresses": [], "answers": {}, "interface": "eth1", "arp_ignore": {}, "holds": vips}
    cluster = {
        "vips": [{"address": vip} for vip in vips],
        "directors": ["lb1"],
        "services": [{"name": name} for name in names],
        "health_checked": [],
        "connections": [{"name": "s0"}],
    }
    assert seen_of(cluster, {"lb1": answer}) == (
        "lb1 has 10 VIPs; 1 director and 3 real servers are as described, with 10 virtual services, 0 of them with "
        "health checks; 1 connection accepted; not tried: s1, s2, s3 and 6 more"
    )
