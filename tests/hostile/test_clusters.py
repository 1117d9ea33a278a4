# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clusters in one inventory, each with two directors; the real server rs2 is behind both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.cluster.tests.hostile.conftest import Cluster, Run
from ansible_collections.lvs.cluster.tests.standins.hosts import AS_DESCRIBED

VIPS = {"ams": "192.0.2.10", "fra": "198.51.100.10"}
ADDRESSES = {
    "ams1": "192.0.2.2",
    "ams2": "192.0.2.3",
    "fra1": "198.51.100.2",
    "fra2": "198.51.100.3",
    "rs1": "203.0.113.11",
    "rs2": "203.0.113.12",
    "rs3": "203.0.113.13",
}
CLUSTERS: dict[str, Any] = {"rs1": "ams", "rs2": ["ams", "fra"], "rs3": "fra"}
BACKUPS, MASTERS = ("ams2", "fra2"), ("ams1", "fra1")


def inventory(place: Path, more: dict[str, Any]) -> dict[str, Any]:
    """Groups of each site below the two groups; the description of a site is a variable of its directors alone."""

    def hosts(prefix: str) -> dict[str, Any]:
        return {
            name: {
                "lvs_address": address,
                "ansible_host": address,
                "ansible_python_interpreter": str(place / name / "python3"),
                **({"lvs_cluster": CLUSTERS[name]} if name in CLUSTERS else {}),
            }
            for name, address in ADDRESSES.items()
            if name.startswith(prefix)
        }

    def site(name: str) -> dict[str, Any]:
        web = {
            "name": f"web-{name}",
            "address": VIPS[name],
            "port": 80,
            "scheduler": "rr",
            "forward_method": "dr",
            "real_servers": [{"group": "real_servers"}],
        }
        return {"hosts": hosts(name), "vars": {"lvs_cluster": name, "lvs_virtual_services": [web]}}

    return {
        "all": {
            "vars": {"ansible_connection": "local", "ansible_become": False, "director_interface": "eth1", **more},
            "hosts": {"localhost": {"ansible_python_interpreter": str(place / "localhost" / "python3")}},
            "children": {
                "directors": {"children": {"ams": site("ams"), "fra": site("fra")}},
                "real_servers": {"hosts": hosts("rs")},
            },
        }
    }


def table(name: str) -> dict[str, Any]:
    """The table of a cluster as ipvs_info shows it."""
    server = {"port": 80, "forward_method": "dr", "weight": 1, "upper_threshold": 0, "lower_threshold": 0}
    behind = [host for host, clusters in CLUSTERS.items() if name in clusters]
    service = {
        "address": VIPS[name],
        "port": 80,
        "protocol": "tcp",
        "scheduler": "rr",
        "real_servers": [{"address": ADDRESSES[host], "position": 0, **server} for host in behind],
    }
    return {"rules": f"-A -t {VIPS[name]}:80 -s rr", "services": [service]}


def director(name: str, number: int) -> dict[str, Any]:
    """The answers of a director; the first of each cluster has the VIP."""
    vip, hardware = VIPS[name], f"02:00:00:00:{'0a' if name == 'ams' else '0f'}:0{number}"
    holds = [vip] if number == 1 else []
    probe = {"hardware_addresses": [hardware], "holds": holds, "answers": {vip: []}}
    check = {**AS_DESCRIBED["host_check"], "held": holds}
    return {"arp_probe": probe, "host_check": check, "ipvs_info": table(name)}


HONEST: dict[str, dict[str, Any]] = {
    "all": {
        **AS_DESCRIBED,
        "connect_check": {"refused": []},
        "ipvs_drain": {"switched": "told real_servers", "former": []},
        "real_server": {**AS_DESCRIBED["real_server"], "leftovers": ["remove the address 192.0.2.20/32 dev lo"]},
    },
    "ams1": director("ams", 1),
    "ams2": director("ams", 2),
    "fra1": director("fra", 1),
    "fra2": director("fra", 2),
    "rs1": {"arp_probe": {"answers": {VIPS["ams"]: ["02:00:00:00:0a:01"]}}},
    "rs2": {"arp_probe": {"answers": {VIPS["ams"]: ["02:00:00:00:0a:01"], VIPS["fra"]: ["02:00:00:00:0f:01"]}}},
    "rs3": {"arp_probe": {"answers": {VIPS["fra"]: ["02:00:00:00:0f:01"]}}},
    "localhost": {},
}
for host in ("rs1", "rs2", "rs3"):
    HONEST[host]["arp_probe"] = {**AS_DESCRIBED["arp_probe"], **HONEST[host]["arp_probe"]}


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("clusters"), HONEST, inventory)


def setups(run: Run) -> list[str]:
    """The directors that were set up, in their order."""
    return [host for host, module in run.order if module == "director"]


def purged(run: Run) -> list[str]:
    """The real servers whose leftovers were removed."""
    return sorted(
        host
        for host in CLUSTERS
        for module, told in run.told[host]
        if module == "real_server" and json.loads(told)["purge"] is True
    )


def test_backups_of_all_clusters_and_then_their_masters(clusters: Cluster) -> None:
    run = clusters.honest("site")
    assert run.status == 0, run.text
    order = setups(run)
    assert sorted(order[:2]) == list(BACKUPS)
    assert sorted(order[2:]) == list(MASTERS)
    assert purged(run) == ["rs1", "rs2", "rs3"]


def test_each_is_told_of_its_own_cluster(clusters: Cluster) -> None:
    run = clusters.honest("site")
    for name, other in (("ams", "fra"), ("fra", "ams")):
        for number in (1, 2):
            told = json.dumps(run.told[f"{name}{number}"])
            assert VIPS[name] in told
            assert VIPS[other] not in told
            assert ADDRESSES[f"{other}1"] not in told
    vips = {host: json.loads(dict(run.told[host])["real_server"])["vips"] for host in CLUSTERS}
    assert vips == {"rs1": [VIPS["ams"]], "rs2": [VIPS["ams"], VIPS["fra"]], "rs3": [VIPS["fra"]]}


FAILED = {"failed": True, "msg": "no space left on device"}
UNREACHABLE = {"unreachable": True, "msg": "the connection was lost"}


@pytest.mark.parametrize("answer", [FAILED, UNREACHABLE])
def test_a_cluster_whose_backup_fails_ends_there_and_the_other_goes_on(
    clusters: Cluster, answer: dict[str, Any]
) -> None:
    run = clusters.run("site", answers={"ams2": {"director": answer}})
    assert run.status != 0
    assert sorted(setups(run)) == ["ams2", "fra1", "fra2"]
    assert purged(run) == ["rs3"], "what ams1 may still use stays"
    assert "ams      failed" in run.text
    assert "fra      ok" in run.text
    assert f"ams2 failed: {answer['msg']}" in run.text
    says = "ams2 failed or was lost, so ams1 is unchanged: run it again when ams2 can be reached"
    assert says in run.text


@pytest.mark.parametrize(
    ("lost", "left"),
    [("rs1", ["fra1", "fra2"]), ("rs3", ["ams1", "ams2"]), ("rs2", []), ("ams1", ["fra1", "fra2"])],
)
@pytest.mark.parametrize("answer", [FAILED, UNREACHABLE])
def test_a_host_that_cannot_be_set_up_stops_its_clusters(
    clusters: Cluster, lost: str, left: list[str], answer: dict[str, Any]
) -> None:
    run = clusters.run("site", answers={lost: {"host_check": answer}})
    assert run.status != 0
    assert sorted(setups(run)) == left
    assert f"{lost} failed: {answer['msg']}" in run.text


def test_a_real_server_that_fails_stops_its_cluster(clusters: Cluster) -> None:
    run = clusters.run("site", answers={"rs1": {"real_server": FAILED}})
    assert run.status != 0
    assert sorted(setups(run)) == ["fra1", "fra2"]
    assert "rs1 failed: no space left on device" in run.text


def test_all_that_fail_at_once(clusters: Cluster) -> None:
    run = clusters.run("site", answers={host: {"director": FAILED} for host in BACKUPS})
    assert sorted(setups(run)) == list(BACKUPS)
    assert "ams2 failed" in run.text
    assert "fra2 failed" in run.text
    assert purged(run) == []


def test_a_run_for_one_cluster(clusters: Cluster) -> None:
    run = clusters.run("site", "-e", "lvs_clusters=fra")
    assert run.status == 0, run.text
    assert {host for host, told in run.told.items() if told} == {"fra1", "fra2", "rs2", "rs3"}
    honest = clusters.honest("site")
    assert run.told["rs2"][1] == honest.told["rs2"][1], "its VIPs are those of both clusters"
    assert purged(run) == ["rs3"], "the directors of ams may use what is left on rs2"


@pytest.mark.parametrize("limit", ["ams2,rs1", "ams2", "directors:!ams1:!fra1"])
def test_a_limit_leaves_the_shape_of_a_cluster(clusters: Cluster, limit: str) -> None:
    """A slice of the hosts, as a job of AWX has, changes nobody's peers."""
    run, honest = clusters.run("site", "--limit", limit), clusters.honest("site")
    assert run.status == 0, run.text

    def configuration(found: Run) -> str:
        return next(told for module, told in found.told["ams2"] if module == "service_config")

    assert ADDRESSES["ams1"] in configuration(honest)
    assert configuration(run) == configuration(honest)
    assert run.told["ams1"] == []


def test_a_table_of_one_cluster_that_fails(clusters: Cluster) -> None:
    run = clusters.run("table", answers={"fra2": {"director": FAILED}})
    assert run.status != 0
    assert sorted(setups(run)) == ["ams1", "ams2", "fra2"]
    assert "fra2 failed: no space left on device" in run.text


@pytest.mark.parametrize(
    ("playbook", "servers", "more", "directors"),
    [
        ("drain", "rs1", [], ["ams1", "ams2"]),
        ("drain", "rs2", [], ["ams1", "ams2", "fra1", "fra2"]),
        ("drain", "rs2", ["-e", "lvs_clusters=fra"], ["fra1", "fra2"]),
        ("undrain", "rs3", [], ["fra1", "fra2"]),
        ("undrain", "rs1,rs3", [], ["ams1", "ams2", "fra1", "fra2"]),
    ],
)
def test_a_drain_is_for_the_directors_of_its_clusters(
    clusters: Cluster, playbook: str, servers: str, more: list[str], directors: list[str]
) -> None:
    run = clusters.run(playbook, "-e", f"lvs_real_servers={servers}", *more)
    assert run.status == 0, run.text
    told = {host: [json.loads(told) for _module, told in all_told] for host, all_told in run.told.items() if all_told}
    assert sorted(told) == directors
    for host, asked in told.items():
        named = {one["address"] for tasks in asked for one in tasks["services"]}
        assert named == {VIPS[host[:3]]}


def test_an_update_of_real_servers_of_two_clusters(clusters: Cluster) -> None:
    run = clusters.run(
        "rolling_update",
        *("-e", "lvs_real_servers=rs1,rs3", "-e", "lvs_update_serial=2", "-e", f"lvs_update_tasks={clusters.update}"),
        app_version="2",
    )
    assert run.status == 0, run.text
    tried = {host: [told for module, told in run.told[host] if module == "wait_for"] for host in MASTERS}
    assert ADDRESSES["rs1"] in tried["ams1"][0]
    assert ADDRESSES["rs3"] in tried["fra1"][0]


def test_a_failover_of_one_cluster(clusters: Cluster) -> None:
    run = clusters.run("failover", "-e", "lvs_failover_to=fra2")
    assert run.status == 0, run.text
    assert {host for host, told in run.told.items() if told} == {"fra1", "fra2"}
    assert f"fra2 holds all VIPs: {VIPS['fra']}" in run.text


def test_verify_compares_all_clusters(clusters: Cluster) -> None:
    run = clusters.run("verify")
    assert run.status == 0, run.text
    assert "cluster ams: ams1 has 192.0.2.10; 2 directors and 2 real servers are as described" in run.text
    assert "cluster fra: fra1 has 198.51.100.10" in run.text


def test_verify_of_one_cluster_and_its_problem(clusters: Cluster) -> None:
    both = {"host_check": {"held": []}, "arp_probe": {**HONEST["fra2"]["arp_probe"], "holds": [VIPS["fra"]]}}
    run = clusters.run("verify", answers={"fra2": both})
    assert run.status != 0
    assert "198.51.100.10 is held by fra1 and fra2" in run.text
    run = clusters.run("verify", "-e", "lvs_clusters=ams", answers={"fra2": both})
    assert run.status == 0, run.text
    assert run.told["fra1"] == run.told["fra2"] == run.told["rs3"] == []


def test_a_teardown_of_one_cluster_leaves_what_the_other_needs(clusters: Cluster) -> None:
    run = clusters.run("teardown", "-e", "lvs_clusters=ams")
    assert run.status == 0, run.text
    assert run.told["fra1"] == run.told["fra2"] == run.told["rs3"] == []
    ((module, told),) = run.told["rs1"]
    assert (module, json.loads(told)["state"]) == ("real_server", "absent")
    left = [json.loads(told) for module, told in run.told["rs2"] if module == "real_server"]
    assert [one["vips"] for one in left] == [[VIPS["fra"]]]
    assert left[0]["purge"] is True
    assert "absent" in run.told["ams1"][-1][1]


def test_a_host_cannot_join_another_cluster(clusters: Cluster) -> None:
    """What a real server says of its cluster counts for nothing."""
    lie = {"host_check": {**AS_DESCRIBED["host_check"], "ansible_facts": {"lvs_cluster": ["ams", "fra"]}}}
    run = clusters.run("site", answers={"rs1": lie})
    assert run.status != 0
    assert setups(run) == []
    assert "its facts override variables of the inventory: lvs_cluster" in run.text


def test_a_wrong_description_changes_no_cluster(clusters: Cluster) -> None:
    run = clusters.run("site", "-e", "lvs_clusters=fra,amz")
    assert run.status != 0
    assert not any(run.told.values())
    assert "lvs_clusters: 'amz' is not a cluster (did you mean 'ams'?)" in run.text


@pytest.mark.parametrize("host", [*ADDRESSES])
def test_each_host_by_itself(clusters: Cluster, host: str) -> None:
    """As ansible-pull runs it: the host is told what it is told in a run for all, and no other host anything."""
    run, honest = clusters.run("site", "--limit", host), clusters.honest("site")
    assert run.status == 0, run.text
    assert {name for name, told in run.told.items() if told} == {host}
    configured = [one for one in honest.told[host] if one[0] in ("director", "service_config", "real_server")]
    expected = [one for one in configured if '"purge": true' not in one[1] or one[0] != "real_server"]
    assert [one for one in run.told[host] if one[0] in ("director", "service_config", "real_server")] == expected
