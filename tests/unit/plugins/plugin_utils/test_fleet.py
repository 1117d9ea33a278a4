# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several clusters in one inventory."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import inventory_of
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet import Fleet, read_fleet
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet_checks import check_across
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet_plan import (
    Plan,
    clusters_of,
    draining,
    make_plan,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError, Problems
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import check_all, expected

GROUPS: dict[str, list[str]] = {
    "all": ["ams1", "ams2", "fra1", "fra2", "rs1", "rs2", "rs3"],
    "directors": ["ams1", "ams2", "fra1", "fra2"],
    "real_servers": ["rs1", "rs2", "rs3"],
    "web": ["rs1", "rs2", "rs3"],
}


def service(vip: str, **more: Any) -> list[dict[str, Any]]:
    """A description with one service of the group web."""
    web = {"name": "web", "address": vip, "port": 80, "forward_method": "dr", "real_servers": [{"group": "web"}]}
    return [{**web, **more}]


def hosts() -> dict[str, dict[str, Any]]:
    """Two pairs in two networks; rs2 is behind both."""
    found: dict[str, dict[str, Any]] = {}
    for site, network, vip in (("ams", "192.0.2", "192.0.2.10"), ("fra", "198.51.100", "198.51.100.10")):
        for number in (1, 2):
            found[f"{site}{number}"] = {
                "lvs_cluster": site,
                "lvs_address": f"{network}.{number}",
                "lvs_virtual_services": service(vip),
            }
    for name, number, clusters in (("rs1", 11, "ams"), ("rs2", 12, ["ams", "fra"]), ("rs3", 13, "fra")):
        found[name] = {"lvs_cluster": clusters, "lvs_address": f"203.0.113.{number}"}
    return found


def plan(
    hostvars: dict[str, dict[str, Any]], selection: object = None, groups: dict[str, list[str]] | None = None
) -> Plan:
    """The plan of a run with all hosts."""
    groups = groups or GROUPS
    settings: dict[str, Any] = {
        "directors": {
            host: {"director_interface": "eth1", **_settings(hostvars[host])} for host in groups["directors"]
        },
        "real_servers": {host: _settings(hostvars[host]) for host in groups["real_servers"]},
    }
    return make_plan(None, groups, hostvars, None, settings, selection)


def _settings(variables: dict[str, Any]) -> dict[str, Any]:
    names = ("director_virtual_router_id", "director_priority", "lvs_nat_gateway", "real_server_tunnel_guard")
    return {name: variables[name] for name in names if name in variables}


def fleet(hostvars: dict[str, dict[str, Any]]) -> Fleet:
    problems = Problems()
    found = read_fleet(inventory_of(GROUPS, hostvars), problems)
    problems.raise_any()
    return found


def test_each_cluster_has_its_own_hosts_and_description() -> None:
    found = plan(hosts())
    assert found.problems == ""
    assert list(map(str, found.directors["ams1"].vips)) == ["192.0.2.10"]
    assert found.directors["ams1"].directors == ("ams1", "ams2")
    assert [instance.peers for instance in found.directors["fra2"].instances] == [{"fra1": "198.51.100.1"}]
    servers = {host: found.directors[host].drainable for host in found.directors}
    assert servers["ams1"] == servers["ams2"] == ["203.0.113.11", "203.0.113.12"]
    assert servers["fra1"] == servers["fra2"] == ["203.0.113.12", "203.0.113.13"]


def test_priorities_begin_anew_in_each_cluster() -> None:
    found = plan(hosts())
    assert {host: model.instances[0].priority for host, model in found.directors.items()} == {
        "ams1": 200,
        "ams2": 190,
        "fra1": 200,
        "fra2": 190,
    }


def test_a_shared_real_server_has_what_both_need() -> None:
    found = plan(hosts())
    vips = {host: list(map(str, model.vips)) for host, model in found.real_servers.items()}
    assert vips == {"rs1": ["192.0.2.10"], "rs2": ["192.0.2.10", "198.51.100.10"], "rs3": ["198.51.100.10"]}
    assert found.real_servers["rs2"].directors == ("ams1", "ams2", "fra1", "fra2")


def test_a_shared_real_server_takes_tunnels_of_all_its_directors_and_of_no_others() -> None:
    hostvars = hosts()
    for host in ("ams1", "ams2"):
        hostvars[host]["lvs_virtual_services"] = service("192.0.2.10", forward_method="tun")
    for host in ("fra1", "fra2"):
        hostvars[host]["lvs_virtual_services"] = service(
            "198.51.100.10", forward_method="tun", tunnel={"type": "gue", "port": 6080}
        )
    models = plan(hostvars).real_servers
    sources = {host: model.tunnel_sources for host, model in models.items()}
    ams, fra = ["192.0.2.1", "192.0.2.2"], ["198.51.100.1", "198.51.100.2"]
    shown = {host: list(map(str, found["ipv4"])) for host, found in sources.items() if found}
    assert shown == {"rs1": ams, "rs2": [*ams, *fra], "rs3": fra}
    assert [end["type"] for end in models["rs2"].tunnels] == ["ipip", "gue"]


def test_two_gre_tunnels_of_two_clusters_that_exclude_each_other() -> None:
    hostvars = hosts()
    for site, vip, checksum in (("ams", "192.0.2.10", "csum"), ("fra", "198.51.100.10", "none")):
        tunnel = {"type": "gre", "checksum": checksum}
        for number in (1, 2):
            hostvars[f"{site}{number}"]["lvs_virtual_services"] = service(vip, forward_method="tun", tunnel=tunnel)
    assert "rs2: service web: tunnel.checksum" in plan(hostvars).problems


def nat(hostvars: dict[str, dict[str, Any]], site: str, vip: str, gateway: str | None) -> None:
    for number in (1, 2):
        variables = hostvars[f"{site}{number}"]
        variables["lvs_virtual_services"] = service(vip, forward_method="nat")
        if gateway:
            variables["lvs_nat_gateway"] = gateway


def test_a_gateway_of_one_cluster_is_none_of_the_other() -> None:
    hostvars = hosts()
    nat(hostvars, "ams", "192.0.2.10", "203.0.113.1")
    for host in ("rs1", "rs2"):
        hostvars[host]["lvs_nat_gateway"] = "203.0.113.1"
    found = plan(hostvars)
    assert found.problems == ""
    route = found.real_servers["rs2"].return_route
    assert route["gateways"] == ["203.0.113.1"]
    # those of fra too, which check the same port of rs2
    assert route["direct"] == ["192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.2"]


def test_two_gateways_of_one_family_are_refused() -> None:
    hostvars = hosts()
    nat(hostvars, "ams", "192.0.2.10", "203.0.113.1")
    nat(hostvars, "fra", "198.51.100.10", "203.0.113.2")
    hostvars["rs1"]["lvs_nat_gateway"] = hostvars["rs2"]["lvs_nat_gateway"] = "203.0.113.1"
    hostvars["rs3"]["lvs_nat_gateway"] = "203.0.113.2"
    assert plan(hostvars).problems == (
        "rs2: lvs_nat_gateway: is 203.0.113.1 for rs2, and another of its clusters needs 203.0.113.2: a host has one "
        "per family"
    )


def test_selected_clusters_and_those_that_share_a_real_server() -> None:
    hostvars = hosts()
    found = plan(hostvars, "fra")
    assert found.selected == ("fra",)
    assert list(found.clusters) == ["ams", "fra"]
    hostvars["rs2"]["lvs_cluster"] = "ams"
    hostvars["ams1"]["lvs_virtual_services"] = "not a list"
    hostvars["ams2"]["lvs_virtual_services"] = "not a list"
    alone = plan(hostvars, ["fra"])
    assert alone.problems == ""
    assert list(alone.clusters) == ["fra"]


@pytest.mark.parametrize("given", ["frra", ["ams", "frra"], "ams,frra"])
def test_a_cluster_that_is_not_there_is_not_selected(given: Any) -> None:
    text = "lvs_clusters: 'frra' is not a cluster (did you mean 'fra'?); the inventory has ams and fra"
    assert plan(hosts(), given).problems == text


def problems_of(**changes: dict[str, Any]) -> list[Any]:
    """The problems with variables that some hosts have beside, or instead of, those above."""
    hostvars = copy.deepcopy(hosts())
    for host, variables in changes.items():
        hostvars[host].update(variables)
    settings: dict[str, Any] = {"directors": {}, "real_servers": {}}
    found = make_plan(None, GROUPS, hostvars, None, settings)
    return found.problems.splitlines()


def test_one_vip_in_two_clusters() -> None:
    both = {"lvs_virtual_services": service("192.0.2.10")}
    assert problems_of(fra1=both, fra2=both) == [
        "cluster fra: service web: 192.0.2.10 is also the VIP of service web of cluster ams: the masters of both would "
        "hold it"
    ]


def test_one_network_of_vips_in_two_clusters() -> None:
    services = service("192.0.2.10")
    services[0] = {
        "name": "rtp",
        "fwmark": 7,
        "family": "ipv4",
        "marks": [{"address": "192.0.2.8/30"}, {"address": "192.0.2.128/25"}],
        "real_servers": services[0]["real_servers"],
    }
    own = {"lvs_virtual_services": services}
    assert problems_of(fra1=own, fra2=own) == [
        "cluster fra: service rtp: 192.0.2.10 is also the VIP of service web of cluster ams: the masters of both would "
        "hold it"
    ]
    assert problems_of(ams1=own, ams2=own, fra1=own, fra2=own) == [
        "cluster fra: service rtp: 192.0.2.8 is also the VIP of service rtp of cluster ams (and 131 addresses more): "
        "the masters of both would hold it"
    ]


def test_a_vip_that_is_the_address_of_another_clusters_host() -> None:
    both = {"lvs_virtual_services": service("203.0.113.11")}
    assert problems_of(fra1=both, fra2=both) == [
        "cluster fra: service web: 203.0.113.11 is the address of host rs1 of cluster ams"
    ]


@pytest.mark.parametrize(
    ("gateway", "sentence"),
    [
        ("203.0.113.1", "203.0.113.1 is also the lvs_nat_gateway of cluster ams: the masters of both would hold it"),
        ("192.0.2.10", "192.0.2.10 is also the VIP of service web of cluster ams: the masters of both would hold it"),
        ("203.0.113.11", "203.0.113.11 is the address of host rs1 of cluster ams"),
    ],
)
def test_a_gateway_that_another_cluster_holds(gateway: str, sentence: str) -> None:
    hostvars = hosts()
    hostvars["rs2"]["lvs_cluster"] = "ams"
    nat(hostvars, "ams", "192.0.2.10", "203.0.113.1")
    nat(hostvars, "fra", "198.51.100.10", gateway)
    hostvars["rs1"]["lvs_nat_gateway"] = hostvars["rs2"]["lvs_nat_gateway"] = "203.0.113.1"
    hostvars["rs3"]["lvs_nat_gateway"] = gateway
    assert plan(hostvars).problems == f"cluster fra: lvs_nat_gateway: {sentence}"


def test_a_vip_of_a_cluster_that_is_not_selected() -> None:
    hostvars = hosts()
    hostvars["rs2"]["lvs_cluster"] = "ams"
    for host in ("fra1", "fra2"):
        hostvars[host]["lvs_virtual_services"] = service("203.0.113.11")
    sentence = "cluster fra: service web: 203.0.113.11 is the address of host rs1 of cluster ams"
    assert plan(hostvars, "ams").problems == plan(hostvars, "fra").problems == sentence


def test_one_virtual_router_id_twice_is_a_problem_of_its_own_kind() -> None:
    hostvars = hosts()
    for number in (1, 2):
        hostvars[f"fra{number}"]["lvs_address"] = f"192.0.2.{number + 2}"
    found, problems = fleet(hostvars), Problems()
    check_across(found, {name: clusters_of(f"{name}1", None, found)[0] for name in found.clusters}, None, problems)
    check_all(problems.found, expected(Code.ID_TWICE, "director_virtual_router_id", "", "51", "ams and fra"))


def test_one_virtual_router_id_twice_on_one_network() -> None:
    near = [{"lvs_address": f"192.0.2.{number}"} for number in (3, 4)]
    assert problems_of(fra1=near[0], fra2=near[1]) == [
        "director_virtual_router_id: is 51 for the clusters ams and fra, which both have directors in 192.0.2.0/24: "
        "give one of them another id"
    ]
    other = {"director_virtual_router_id": "52"}
    assert problems_of(fra1={**near[0], **other}, fra2={**near[1], **other}) == []
    groups = {**other, "director_vrrp_groups": {"blue": {"virtual_router_id": 51}}}
    assert problems_of(fra1={**near[0], **groups}, fra2={**near[1], **groups}) == [
        "director_vrrp_groups: blue.virtual_router_id: is 51 for the clusters ams and fra, which both have directors "
        "in 192.0.2.0/24: give one of them another id"
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"ams1": {"lvs_cluster": ["ams", "fra"]}},
            expected(Code.TWICE, "host ams1", "lvs_cluster", "", "ams and fra", "belongs to one cluster"),
        ),
        (
            {"rs1": {"lvs_cluster": "amms"}},
            expected(Code.UNKNOWN_CLUSTER, "lvs_cluster", "", "amms", "did you mean 'ams'?", "rs1"),
        ),
        (
            {"rs1": {"lvs_cluster": None}},
            expected(Code.UNKNOWN_CLUSTER, "lvs_cluster", "", "default", "hosts without lvs_cluster", "rs1"),
        ),
        (
            {"rs1": {"lvs_cluster": "a b"}},
            expected(Code.MALFORMED, "host rs1", "lvs_cluster", "'a b'", "letters"),
        ),
        (
            {"rs1": {"lvs_cluster": 5}},
            expected(Code.MALFORMED, "host rs1", "lvs_cluster", "5", "write a number in quotes"),
        ),
        (
            {"rs1": {"lvs_cluster": "ber"}, "rs3": {"lvs_cluster": "ber"}},
            expected(Code.UNKNOWN_CLUSTER, "lvs_cluster", "", "ber", "rs1 and rs3 belong to it"),
        ),
        (
            {"rs1": {"lvs_cluster": "ber"}, "ams1": {"lvs_cluster": None}},
            expected(Code.UNKNOWN_CLUSTER, "lvs_cluster", "", "ber", "the variable is not set for ams1"),
        ),
        (
            {"rs1": {"lvs_cluster": {"ams": 1}}},
            expected(Code.MALFORMED, "host rs1", "lvs_cluster", "{'ams': 1}", "nor a list"),
        ),
        (
            {"rs1": {"lvs_cluster": []}},
            expected(Code.MALFORMED, "host rs1", "lvs_cluster", "[]", "nor a list"),
        ),
    ],
)
def test_memberships_that_cannot_be(changes: dict[str, Any], problem: Any) -> None:
    hostvars = hosts()
    for host, variables in changes.items():
        hostvars[host].update(variables)
    problems = Problems()
    read_fleet(inventory_of(GROUPS, hostvars), problems)
    check_all(list(problems.found)[:1], problem)


def test_several_clusters_of_a_real_server_as_one_text() -> None:
    hostvars = hosts()
    hostvars["rs2"]["lvs_cluster"] = "ams, fra"
    assert fleet(hostvars).of_host["rs2"] == ("ams", "fra")


def test_a_real_server_of_another_cluster_is_named_with_the_remedy() -> None:
    named = {"lvs_virtual_services": service("198.51.100.10", real_servers=[{"host": "rs1"}])}
    assert problems_of(fra1=named, fra2=named) == [
        "cluster fra: service web: real_servers[0].host: host 'rs1' is in cluster ams only: add fra to its lvs_cluster"
    ]


def test_a_group_without_hosts_of_the_cluster() -> None:
    changes = {"rs2": {"lvs_cluster": "ams"}, "rs3": {"lvs_cluster": "ams"}}
    assert any("the inventory group 'web' has no hosts of cluster fra" in line for line in problems_of(**changes))


def test_problems_name_their_cluster() -> None:
    wrong = {"lvs_virtual_services": service("192.0.2.10", scheduler="rrr")}
    found = problems_of(ams1=wrong, ams2=wrong)
    assert len(found) == 1
    assert found[0].startswith("cluster ams: service web: scheduler: 'rrr' is not a scheduler")


def test_two_sites_in_one_inventory_of_the_old_shape() -> None:
    hostvars = hosts()
    for variables in hostvars.values():
        variables.pop("lvs_cluster")
    found = make_plan(None, GROUPS, hostvars, None, {"directors": {}, "real_servers": {}}).problems
    assert "lvs_virtual_services: is not the same for fra1 and fra2 as for ams1 (service web)" in found
    assert "If they are separate clusters, give the hosts of each their own lvs_cluster" in found


def test_a_name_alone_makes_no_second_cluster() -> None:
    hostvars = {host: dict(variables) for host, variables in hosts().items() if not host.startswith("fra")}
    for variables in hostvars.values():
        variables["lvs_cluster"] = "ams"
    groups = {name: [host for host in members if host in hostvars] for name, members in GROUPS.items()}
    found = plan(hostvars, groups=groups)
    assert found.problems == ""
    assert [inventory.cluster for inventory in found.fleet.clusters.values()] == [""] if found.fleet else False


def test_a_drain_is_for_the_directors_of_the_clusters_of_a_host() -> None:
    both = draining(["rs2"], None, fleet(hosts()), [])
    of_director: Any = both["of_director"]
    assert list(of_director) == ["ams1", "ams2", "fra1", "fra2"]
    assert of_director["ams1"]["vips"] == ["192.0.2.10"]
    assert of_director["fra1"]["services"][0]["address"] == "198.51.100.10"
    of_host: Any = both["of_host"]
    assert of_host["rs2"]["directors"] == ["ams1", "ams2", "fra1", "fra2"]
    assert list(draining(["rs1"], None, fleet(hosts()), [])["of_director"]) == ["ams1", "ams2"]  # type: ignore[call-overload]
    assert list(draining(["rs2"], None, fleet(hosts()), ["fra"])["of_director"]) == ["fra1", "fra2"]  # type: ignore[call-overload]


def test_a_drain_of_a_host_of_another_cluster() -> None:
    with pytest.raises(ModelError, match="host rs1: belongs to ams, and lvs_clusters selects fra"):
        draining(["rs1"], None, fleet(hosts()), ["fra"])


def test_priorities_of_the_inventory() -> None:
    hostvars = hosts()
    hostvars["ams1"]["director_priority"] = "120"
    hostvars["ams2"]["director_priority"] = 150
    found = plan(hostvars)
    assert {host: model.instances[0].priority for host, model in found.directors.items()} == {
        "ams1": 120,
        "ams2": 150,
        "fra1": 200,
        "fra2": 190,
    }


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (100, 100, "director_priority: is 100 for ams1 and for ams2: set it for each director, to another value"),
        (
            None,
            200,
            "is 200 for ams1 (by default) and for ams2: set it for each director, to another value",
        ),
        (
            250,
            150,
            "director_priority: is 250 for ams1 and 150 for ams2: they must be less than 100 apart, because a failover "
            "lowers a priority by 100",
        ),
        (255, 200, "ams1: director_priority: 255 is not an integer from 1 to 254"),
        ("high", 200, "ams1: director_priority: 'high' is not an integer from 1 to 254"),
    ],
)
def test_priorities_that_cannot_be(first: Any, second: Any, sentence: str) -> None:
    hostvars = hosts()
    hostvars["ams1"]["director_priority"], hostvars["ams2"]["director_priority"] = first, second
    assert sentence in plan(hostvars).problems
