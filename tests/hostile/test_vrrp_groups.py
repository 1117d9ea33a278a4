# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks with two groups of VIPs, which have their masters on different directors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

WEB, SHOP = "192.0.2.10", "192.0.2.20"
DRAIN = "/var/lib/lvs-cluster/drain"
HARDWARE = {"lb1": "02:00:00:00:00:0a", "lb2": "02:00:00:00:00:0b"}


def service(name: str, vip: str, **more: Any) -> dict[str, Any]:
    web = {"name": name, "address": vip, "port": 80, "scheduler": "rr", "real_servers": [{"group": "real_servers"}]}
    return {**web, "health_check": {"type": "tcp"}, **more}


#: Of all hosts.
VARIABLES: dict[str, Any] = {
    "lvs_virtual_services": [service("web", WEB), service("shop", SHOP, vrrp_group="blue")],
    "director_vrrp_groups": {"blue": {"virtual_router_id": 52, "first": "lb2"}},
}


def entry(vip: str) -> dict[str, Any]:
    server = {"port": 80, "forward_method": "dr", "weight": 1, "upper_threshold": 0, "lower_threshold": 0}
    servers = [{"address": f"192.0.2.{number}", "position": 0, **server} for number in (11, 12)]
    return {"address": vip, "port": 80, "protocol": "tcp", "scheduler": "rr", "real_servers": servers}


def answers(held: Mapping[str, list[str]]) -> dict[str, Any]:
    """What directors with these VIPs answer, and what real servers see of them."""
    seen = {vip: [HARDWARE[host]] for host, vips in held.items() for vip in vips}
    table = {"rules": "-A", "services": [entry(WEB), entry(SHOP)]}
    found: dict[str, Any] = {host: {"arp_probe": {"answers": seen}} for host in ("rs1", "rs2")}
    found["localhost"] = {"connect_check": {"refused": []}}
    for host, vips in held.items():
        probe = {"hardware_addresses": [HARDWARE[host]], "holds": vips, "answers": {}}
        found[host] = {"host_check": {"held": vips}, "arp_probe": probe, "ipvs_info": table}
    return found


def run(cluster: Any, playbook: str, held: Mapping[str, list[str]], *words: str) -> Any:
    return cluster.run(playbook, *words, answers=answers(held), **VARIABLES)


APART = {"lb1": [WEB], "lb2": [SHOP]}


def written(found: Any, host: str) -> list[tuple[str, str]]:
    """The files that a host was told to write, with what is in them."""
    files = [json.loads(told) for module, told in found.told[host] if module == "copy"]
    return [(told["dest"].removeprefix(f"{DRAIN}/"), (told.get("content") or "").strip()) for told in files]


def test_a_failover_moves_all_groups(cluster: Any) -> None:
    """The new master keeps its own group. The former one gets its own back last, as it would preempt the other."""
    found = run(cluster, "failover", APART, "-e", "lvs_failover_to=lb2")
    assert found.status == 0, found.text
    assert f"lb2 holds all VIPs: {WEB}, {SHOP}" in found.text
    before, after = (
        [("director_blue", "3"), ("director_default", "3")],
        [("director_default", "1"), ("director_blue", "0")],
    )
    assert written(found, "lb1") == [*before, *after], "the group that it does not have first"
    assert sorted(written(found, "lb2")[:3]) == [
        (name, "0") for name in ("director", "director_blue", "director_default")
    ]
    assert written(found, "lb2")[3:] == [("director_default", "0"), ("director_blue", "0")]


def test_a_failover_that_fails_returns_all_groups_to_their_priorities(cluster: Any) -> None:
    failing = answers(APART)
    failing["lb1"]["copy"] = {"failed": True, "msg": "no space left on device"}
    found = cluster.run("failover", "-e", "lvs_failover_to=lb2", answers=failing, **VARIABLES)
    assert found.status != 0
    assert "no space left on device" in found.text
    assert written(found, "lb2")[-2:] == [("director_default", "0"), ("director_blue", "0")]


def test_a_failover_moves_one_group(cluster: Any) -> None:
    both = {"lb1": [], "lb2": [WEB, SHOP]}
    found = run(cluster, "failover", both, "-e", "lvs_failover_to=lb1", "-e", "lvs_failover_groups=default")
    assert found.status == 0, found.text
    assert f"lb1 holds all VIPs of default: {WEB}" in found.text
    assert written(found, "lb2") == [("director_default", "3"), ("director_default", "0")]
    assert {name for name, _content in written(found, "lb1")} == {"director", "director_default"}
    waited = [json.loads(told) for module, told in found.told["lb2"] if module == "host_check"][-1]
    assert waited["no_addresses"] == [WEB], "it keeps the other"


@pytest.mark.parametrize(
    ("held", "order"),
    [
        (APART, ["lb2", "lb1"]),
        ({"lb1": [], "lb2": [WEB, SHOP]}, ["lb1", "lb2"]),
        ({"lb1": [WEB, SHOP], "lb2": []}, ["lb2", "lb1"]),
    ],
)
def test_site_changes_the_director_with_the_fewest_groups_first(
    held: Mapping[str, list[str]], order: list[str], cluster: Any
) -> None:
    found = run(cluster, "site", held)
    assert found.status == 0, found.text
    assert [host for host, module in found.order if module == "service_config"] == order


def test_verify_wants_each_group_on_one_director(cluster: Any) -> None:
    found = run(cluster, "verify", APART)
    assert found.status == 0, found.text
    assert f"lb1 has {WEB}; lb2 has {SHOP}" in found.text
    split = {**VARIABLES, "lvs_virtual_services": [service("web", WEB), service("shop", SHOP)]}
    found = cluster.run("verify", answers=answers(APART), **split)
    assert found.status != 0
    assert f"lb1 holds {WEB} and lb2 holds {SHOP}, which are in the VRRP group default" in found.text


def test_a_drain_waits_for_each_service_where_its_vip_is(cluster: Any) -> None:
    found = run(cluster, "drain", APART, "-e", "lvs_real_servers=rs1")
    assert found.status == 0, found.text
    for host in APART:
        waits = [json.loads(told) for module, told in found.told[host] if module == "ipvs_drain"][-1]
        assert [one["vips"] for one in waits["health_checked"]] == [[WEB], [SHOP]]
