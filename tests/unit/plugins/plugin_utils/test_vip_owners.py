# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify says: where a host differs, and who answers for a VIP that is not its own."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.deviations import deviations
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.vip_owners import Probe, owner_problems, vip_problems
from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import internal

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
        "lb1 and lb2 all hold 192.0.2.10, and only one director may hold it",
        "no director holds 2001:db8::10",
    ]
    silent = {"lb1": probe("m1", (VIP,)), "rs1": probe("m3", (), {VIP: []})}
    says = "lb1 holds 192.0.2.10, but nobody answers ARP for it on the link of rs1"
    assert vip_problems([VIP], ["lb1"], silent, [VIP]) == [says]
    assert vip_problems([VIP], ["lb1"], silent, []) == []


def result(before: str, after: str) -> dict[str, Any]:
    return {"changed": True, "diff": {"before": before, "after": after}}


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            "net.ipv4.conf.all.arp_ignore = 0\n",
            "net.ipv4.conf.all.arp_ignore = 1\n",
            ["net.ipv4.conf.all.arp_ignore is 0, and should be 1"],
        ),
        ("", "net.ipv4.vs.conntrack = 1\n", ["net.ipv4.vs.conntrack is not there, and should be 1"]),
        ("", "address 192.0.2.10/32 dev lo\n", ["the VIP 192.0.2.10 is not on lo"]),
        ("address 192.0.2.10/32 dev lo\n", "", ["192.0.2.10 is on lo, and no service asks for it"]),
        ("", "tunnel lvs-ipip0 type ipip\n", ["there is no tunnel lvs-ipip0 type ipip"]),
        (
            "tunnel lvs-gre0 type gre down\n",
            "tunnel lvs-gre0 type gre\n",
            ["the tunnel lvs-gre0 is type gre down, and should be type gre"],
        ),
        ("rule from 192.0.2.9\n", "", ["there is the rule from 192.0.2.9, which nothing asks for"]),
        ("", "kernel module fou\n", ["the kernel module fou is not loaded"]),
        ("a.service: x\na.service: y\n", "a.service: z\n", ["a.service is not as the role writes it"]),
        ("", "b.service.d/c.conf: x\nb.service.d/c.conf: y\n", ["b.service.d/c.conf is not as the role writes it"]),
        ("a.service: not running\n", "a.service: running\n", ["a.service does not run"]),
        ("", "a.service: x\na.service: running\n", ["a.service is not as the role writes it"]),
        ("", "/var/lib/x.json: remembers making /etc\n", []),
        (
            "nftables lvs_cluster: a\n",
            "nftables lvs_cluster: b\n",
            ["the nftables table inet lvs_cluster is not as described"],
        ),
        ("", "nftables lvs_cluster: a\nnftables lvs_cluster: b\n", ["the nftables table inet lvs_cluster is absent"]),
        ("nftables x: a\n", "", ["there is the nftables table inet x, which no service needs"]),
        (
            "-a -t 192.0.2.10:80 -r 192.0.2.11:80 -g -w 5\n",
            "-a -t 192.0.2.10:80 -r 192.0.2.11:80 -g -w 1\n",
            ["the weight of -a -t 192.0.2.10:80 -r 192.0.2.11:80 -g is 5, and should be 1"],
        ),
        ("", "-A -t 192.0.2.10:80 -s rr\n", ["the IPVS table has no virtual service -t 192.0.2.10:80 -s rr"]),
        (
            "-a -t 192.0.2.10:80 -r 192.0.2.11:80 -m -w 1\n",
            "",
            ["the IPVS table has the real server -t 192.0.2.10:80 -r 192.0.2.11:80 -m -w 1, which is not described so"],
        ),
    ],
)
def test_a_difference_in_words(before: str, after: str, says: list[str]) -> None:
    sentences = deviations("rs1", {"it": result(before, after)})
    assert sentences == ([f"rs1: {one}" for one in says] or ["rs1: it is not as described"])


def test_what_is_as_described_says_nothing() -> None:
    results = {"a": {"changed": False}, "b": {"skipped": True, "changed": False}, "c": None}
    assert deviations("rs1", results) == []
    assert deviations("rs1", {"keepalived.conf": {"changed": True}}) == ["rs1: keepalived.conf is not as described"]


@pytest.mark.parametrize(
    ("kind", "name", "found", "says"),
    [
        ("running", "keepalived.service", "stopped", "keepalived is not running"),
        ("enabled", "mon.service", "disabled", "mon is not enabled, so it does not start at boot"),
        ("configuration", "keepalived.service", "not read", "keepalived has not read its present configuration"),
        ("file", "/etc/keepalived/keepalived.conf", "absent", "/etc/keepalived/keepalived.conf does not exist"),
        (
            "file",
            "/etc/keepalived/keepalived.conf",
            "different",
            "/etc/keepalived/keepalived.conf is not as the role writes it",
        ),
        ("directory", "/var/lib/x", "absent", "the directory /var/lib/x does not exist"),
        ("service", "tcp 192.0.2.10:80", "absent", None),  # told with the whole table
        ("whatever", "x", "y", None),
        ([], {}, None, None),
    ],
)
def test_what_service_config_reports(kind: object, name: object, found: object, says: str | None) -> None:
    it = {"changed": True, "differences": [{"kind": kind, "name": name, "is": found}], "diff": [{"before": "a"}]}
    assert deviations("lb1", {"it": it}) == ([] if says is None else [f"lb1: {says}"])


def test_differences_of_another_form() -> None:
    assert deviations("lb1", {"it": {"changed": True, "differences": ["x", 5, None]}}) == []
    assert deviations("lb1", {"it": {"changed": True, "differences": "x"}}) == ["lb1: it is not as described"]


def test_parts_of_a_diff() -> None:
    entry = "-a -t 192.0.2.10:80 -r 192.0.2.11:80 -g"
    rules = {"before_header": "/etc/lvs-cluster/ipvs.rules", "after_header": "/etc/lvs-cluster/ipvs.rules"}
    weights = {**rules, "before": f"{entry} -w 1\n", "after": f"{entry} -w 0\n"}
    kernel = {
        "before": "-A -t 192.0.2.10:80 -s wlc\n",
        "after": "-A -t 192.0.2.10:80 -s rr\n",
        "before_header": "IPVS table",
    }
    assert deviations("lb1", {"it": {"changed": True, "diff": [{"before": "x", "after": "x"}, weights]}}) == []
    assert deviations("lb1", {"it": {"changed": True, "diff": [kernel, {**rules, "before": "", "after": entry}]}}) == [
        "lb1: the virtual service -t 192.0.2.10:80 is -s wlc, and should be -s rr",
        "lb1: /etc/lvs-cluster/ipvs.rules is not as the role writes it",
    ]


def test_a_director_that_was_not_asked_is_said() -> None:
    seen = {"rs1": probe("m3", (), {VIP: ["m1"]})}
    assert vip_problems([VIP], ["lb1"], seen, [VIP]) == ["lb1 was not asked, so its VIPs and answers are not known"]


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
        (ONE, BOTH, False, False, ["lb1 and lb2 all have v, and only one director may have it"]),
        (ONE, BOTH, False, True, []),
        (BOTH, BOTH, False, False, []),
        (BOTH, BOTH, True, False, ["lb1 and lb2 all have v, and only one director may have it"]),
    ],
)
def test_owners_while_directors_are_set_up(
    before: dict[str, list[str]], now: dict[str, list[str]], last: bool, changed: bool, expected: list[str]
) -> None:
    assert owner_problems(["v"], now, before, last, changed) == expected


def seen_of(cluster: dict[str, Any], probes: dict[str, Any]) -> str:
    text: str = internal("seen", cluster, probes, ["rs1", "rs2", "rs3"])
    return text


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
