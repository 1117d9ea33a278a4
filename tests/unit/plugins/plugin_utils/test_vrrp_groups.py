# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of VIPs whose masters are different directors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import HANDOVER, with_first
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import Expected, check_all, expected

BLUE = {"blue": {"virtual_router_id": 52, "first": "lb2"}}
DRAIN = "/var/lib/lvs-cluster/drain"


def service(name: str, vip: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "address": vip, "port": 80, "real_servers": [{"host": "rs1"}], **more}


WEB = service("web", "192.0.2.10", health_check={"type": "tcp"})
SHOP = service("shop", "192.0.2.11", vrrp_group="blue")


def built(*services: dict[str, Any], directors: int = 2, **variables: Any) -> Cluster:
    """A cluster whose directors have these variables."""
    names = [f"lb{number}" for number in range(1, directors + 1)]
    hosts: dict[str, dict[str, Any]] = {
        name: {"lvs_address": [f"192.0.2.{number}", f"2001:db8::{number}"], **variables}
        for number, name in enumerate(names, 2)
    }
    hosts["rs1"] = {"lvs_address": ["192.0.2.101", "2001:db8::101"]}
    return build_cluster(list(services), {"directors": names, "real_servers": ["rs1"]}, hosts)


def configured(*services: dict[str, Any], host: str = "lb1", directors: int = 2, **settings: Any) -> str:
    settings = {"director_vrrp_groups": BLUE, **settings}
    text = support.director(built(*services, directors=directors), host, **settings)["keepalived"]
    assert isinstance(text, str)
    return text


def sync_daemon(text: str) -> list[str]:
    return re.findall(r"^    (lvs_sync_daemon .*)$", text, re.MULTILINE)


def priorities(text: str) -> dict[str, int]:
    found = re.findall(r"^vrrp_instance (\S+) \{.*?^    priority (\d+)$", text, re.MULTILINE | re.DOTALL)
    return {name: int(number) for name, number in found}


def test_the_first_of_a_group_has_its_highest_priority() -> None:
    found = {host: priorities(configured(WEB, SHOP, host=host, directors=3)) for host in ("lb1", "lb2", "lb3")}
    assert found == {
        "lb1": {"lvs_ipv4": 200, "lvs_blue_ipv4": 190},
        "lb2": {"lvs_ipv4": 190, "lvs_blue_ipv4": 200},
        "lb3": {"lvs_ipv4": 180, "lvs_blue_ipv4": 180},
    }
    without = {"blue": {"virtual_router_id": 52}}
    assert priorities(configured(WEB, SHOP, director_vrrp_groups=without)) == {"lvs_ipv4": 200, "lvs_blue_ipv4": 200}


@given(
    found=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 254), min_size=1).map(
        lambda found: {name: number for number, name in {number: name for name, number in found.items()}.items()}
    ),
    first=st.none() | st.sampled_from("abcdefgh"),
)
def test_the_others_keep_their_order(found: dict[str, int], first: str | None) -> None:
    after = with_first(found, first)
    assert sorted(after.values()) == sorted(found.values()), f"so all are as far apart, which is less than {HANDOVER}"
    if first in found:
        assert after[first] == max(found.values())
    others = [one for one in found if one != first]
    assert sorted(others, key=lambda one: -after[one]) == sorted(others, key=lambda one: -found[one])


def test_a_group_that_has_no_service_has_no_instance() -> None:
    assert configured(WEB) == configured(WEB, director_vrrp_groups={})
    assert configured(WEB, {**WEB, "name": "web2", "port": 81, "vrrp_group": "default"}) == configured(
        WEB, {**WEB, "name": "web2", "port": 81}
    )


def test_a_single_group_is_like_the_default_one() -> None:
    text = configured({**WEB, "vrrp_group": "blue"})
    assert sync_daemon(text) == ["lvs_sync_daemon eth1 inst lvs_blue_ipv4"]
    assert "director_blue" not in text


def test_each_group_has_a_file_of_its_own_beside_that_of_the_director() -> None:
    """The cluster model names the same files for a failover."""
    text = configured(WEB, SHOP)
    files = dict(re.findall(r"^track_file (director\S*) \{\n    file (\S+)$", text, re.MULTILINE))
    assert files == {name: f"{DRAIN}/{name}" for name in ("director", "director_default", "director_blue")}
    found = built(WEB, SHOP, director_vrrp_groups=BLUE).as_dict()
    assert found["vrrp_groups"] == [
        {
            "name": "default",
            "vips": ["192.0.2.10"],
            "priorities": {"lb1": 200, "lb2": 190},
            "handover_file": f"{DRAIN}/director_default",
        },
        {
            "name": "blue",
            "vips": ["192.0.2.11"],
            "priorities": {"lb2": 200, "lb1": 190},
            "handover_file": f"{DRAIN}/director_blue",
        },
    ]
    assert built(WEB).as_dict()["vrrp_groups"] == [
        {
            "name": "default",
            "vips": ["192.0.2.10"],
            "priorities": {"lb1": 200, "lb2": 190},
            "handover_file": f"{DRAIN}/director",
        }
    ]


def test_no_two_instances_of_a_family_have_one_address() -> None:
    """One that becomes backup would take it from the other, which would become backup too."""
    services = [service("six", "2001:db8::10"), service("shop6", "2001:db8::11", vrrp_group="blue")]
    text = configured(WEB, SHOP, *services, lvs_nat_gateway="192.0.2.1")
    held = re.findall(r"^        (\S+/\d+)", text, re.MULTILINE)
    assert len(held) == 8
    assert len(set(held)) == len(held)


def test_a_single_director_has_all_groups() -> None:
    text = configured(WEB, SHOP, directors=1, director_vrrp_groups={"blue": {"virtual_router_id": 52}})
    assert re.findall(r"virtual_router_id (\d+)", text) == ["51", "52"]
    assert "track_file director" not in text
    assert sync_daemon(text) == []


def test_both_daemons_run_with_an_id() -> None:
    assert sync_daemon(configured(WEB, SHOP)) == ["lvs_sync_daemon eth1 id 51"]
    assert sync_daemon(configured(WEB, SHOP, director_virtual_router_id=7)) == ["lvs_sync_daemon eth1 id 7"]
    given = {"id": 0, "port": 8849}
    assert sync_daemon(configured(WEB, SHOP, director_sync_daemon=given)) == ["lvs_sync_daemon eth1 id 0 port 8849"]
    assert sync_daemon(configured(WEB, SHOP, director_sync_daemon=False)) == []


NO_CHECKER = expected(Code.NOT_FOR_CHECKER, "director_sync_daemon", "", "", "set it to false")
NO_BALANCE = expected(Code.EXCLUSIVE_KEYS, "director_sysctls", "net.ipv4.vs.backup_only", "1", "no director")


@pytest.mark.parametrize(
    ("web", "settings", "wanted"),
    [
        (WEB, {"director_health_checker": "ldirectord"}, NO_CHECKER),
        (service("web", "192.0.2.10"), {}, NO_CHECKER),
        (WEB, {"director_sysctls": {"net/ipv4/vs/backup_only": 1}}, NO_BALANCE),
    ],
)
def test_what_rules_out_both_daemons(web: dict[str, Any], settings: Any, wanted: Expected) -> None:
    with pytest.raises(ModelError) as caught:
        configured(web, SHOP, **settings)
    check_all(caught.value.problems, wanted)
    assert configured(web, SHOP, **settings, director_sync_daemon=False)
    assert configured(web, **settings), "one group has one daemon at a time"


def test_a_group_that_is_not_known() -> None:
    """The filter for the whole cluster reads the variable of the first director."""
    wanted = expected(Code.UNKNOWN_WORD, "service shop", "vrrp_group", "'blue'", "'bleu'")
    bleu = {"bleu": BLUE["blue"]}
    for ask in (
        lambda: configured(WEB, SHOP, director_vrrp_groups=bleu),
        lambda: built(WEB, SHOP, director_vrrp_groups=bleu).as_dict(),
    ):
        with pytest.raises(ModelError) as caught:
            ask()
        check_all(caught.value.problems, wanted)
    with pytest.raises(ModelError) as caught:
        built(WEB, SHOP, director_vrrp_groups={"blue": {}}).as_dict()
    missing = expected(Code.MISSING, "director_vrrp_groups", "blue.virtual_router_id")
    check_all(caught.value.problems, missing)


def test_the_gateway_moves_with_the_services_behind_it() -> None:
    for group, holder in (("default", "lvs_ipv4"), ("blue", "lvs_blue_ipv4")):
        api = service("api", "192.0.2.12", forward_method="nat", vrrp_group=group)
        text = configured(WEB, SHOP, api, lvs_nat_gateway="192.0.2.1")
        instances = re.findall(r"^vrrp_instance (\S+) \{(.*?)^\}", text, re.MULTILINE | re.DOTALL)
        assert [name for name, inside in instances if "192.0.2.1/32" in inside] == [holder]


def test_a_drain_waits_for_connections_where_the_vip_is() -> None:
    both = built(WEB, SHOP, director_vrrp_groups=BLUE).draining(["rs1"])
    assert [one["vips"] for one in (*both.services, *both.health_checked)] == [["192.0.2.11"], ["192.0.2.10"]]
    one = built(WEB, {**SHOP, "vrrp_group": "default"}).draining(["rs1"])
    assert not [entry for entry in (*one.services, *one.health_checked) if "vips" in entry]
