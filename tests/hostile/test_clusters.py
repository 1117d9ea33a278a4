# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clusters in one inventory, each with two directors; the real server rs2 is behind both."""

from __future__ import annotations

import json
import sys
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
    """Groups of each site below the two groups; the description of a site is a variable of its directors alone.

    ``more``: variables of all hosts; ``of_hosts`` in it has variables of some.
    """
    of_hosts = more.pop("of_hosts", {})
    directors, real_servers = more.pop("groups", ("directors", "real_servers"))

    def hosts(prefix: str) -> dict[str, Any]:
        return {
            name: {
                "lvs_address": address,
                "ansible_host": address,
                "ansible_python_interpreter": str(place / name / "python3"),
                **({"lvs_cluster": CLUSTERS[name]} if name in CLUSTERS else {}),
                **of_hosts.get(name, {}),
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
            "real_servers": [{"host": host} for host, clusters in CLUSTERS.items() if name in clusters],
        }
        return {"hosts": hosts(name), "vars": {"lvs_cluster": name, "lvs_virtual_services": [web]}}

    return {
        "all": {
            "vars": {"ansible_connection": "local", "ansible_become": False, "director_interface": "eth1", **more},
            "hosts": {"localhost": {"ansible_python_interpreter": str(place / "localhost" / "python3")}},
            "children": {
                directors: {"children": {"ams": site("ams"), "fra": site("fra")}},
                real_servers: {"hosts": hosts("rs")},
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


#: An inventory script prints the same hosts, in no group but those of the plugin constructed.
SCRIPT = """#!{python}
import json, os
print(open("{hosts}").read().replace("PLACE", os.getcwd()))
"""
CONSTRUCTED = """plugin: ansible.builtin.constructed
groups: {directors: kind == 'lb', real_servers: kind == 'rs'}
"""


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cluster, list[str]]:
    """Hosts that an inventory script prints, and the words that name the inventories."""
    place = tmp_path_factory.mktemp("scripted")
    (place / "runs").mkdir()

    def nobody(own: Path, more: dict[str, Any]) -> dict[str, Any]:
        return {"all": {"hosts": {"localhost": inventory(own, more)["all"]["hosts"]["localhost"]}}}

    everybody = inventory(Path("PLACE"), {})["all"]["children"]
    hostvars: dict[str, Any] = {}
    for name, site in everybody["directors"]["children"].items():
        hostvars |= {host: {**site["vars"], **own, "kind": "lb"} for host, own in site["hosts"].items()}
        assert name in VIPS
    hostvars |= {host: {**own, "kind": "rs"} for host, own in everybody["real_servers"]["hosts"].items()}
    shared = inventory(Path("PLACE"), {})["all"]["vars"]
    printed = {"_meta": {"hostvars": hostvars}, "all": {"hosts": list(hostvars), "vars": shared}}
    (place / "hosts.json").write_text(json.dumps(printed))
    script, constructed = place / "hosts", place / "constructed.yml"
    script.write_text(SCRIPT.format(python=sys.executable, hosts=place / "hosts.json"))
    script.chmod(0o755)
    constructed.write_text(CONSTRUCTED)
    return Cluster(place / "runs", HONEST, nobody), ["-i", str(script), "-i", str(constructed)]


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
    how, when = ("was lost", "ams2 can be reached") if "unreachable" in answer else ("failed", "that is mended")
    assert f"ams2 {how}, so ams1 is unchanged: run it again when {when}" in run.text


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


@pytest.mark.parametrize("answer", [FAILED, UNREACHABLE])
@pytest.mark.parametrize(
    ("limit", "lost", "module", "left"),
    [
        ("directors,rs1", "rs1", "real_server", ["fra1", "fra2"]),
        ("ams1,ams2,rs3", "ams2", "director", []),
    ],
)
def test_a_play_whose_hosts_all_fail_ends_its_cluster_only(
    clusters: Cluster, limit: str, lost: str, module: str, left: list[str], answer: dict[str, Any]
) -> None:
    """ansible-core ends a playbook with the play in which all hosts failed."""
    run = clusters.run("site", "--limit", limit, answers={lost: {module: answer}})
    assert run.status != 0
    assert sorted(host for host in setups(run) if host.startswith("fra")) == left
    assert "ams      failed" in run.text
    assert "fra      ok" in run.text
    assert f"{lost} failed: {answer['msg']}" in run.text


NEW = {"configured": False, "joins": True, "joining": False, "drained": []}


@pytest.mark.parametrize("answer", [FAILED, UNREACHABLE])
def test_a_director_that_cannot_be_released_does_not_end_the_run(clusters: Cluster, answer: dict[str, Any]) -> None:
    """The joining director is the only host of that play."""
    joins = {**AS_DESCRIBED["host_check"], "held": [], "director": NEW}
    fails = {"host_check": joins, "director_join": {"then": answer}}
    run = clusters.run("site", answers={"ams2": fails})
    assert run.status != 0
    assert purged(run) == ["rs2", "rs3"], "all directors of ams have the description"
    assert "fra      ok" in run.text


@pytest.mark.parametrize("answer", [FAILED, UNREACHABLE])
def test_a_clean_up_that_fails_does_not_end_the_run(clusters: Cluster, answer: dict[str, Any]) -> None:
    none: dict[str, Any] = {"real_server": {"leftovers": []}}
    fails = {"real_server": {"then": answer}}
    run = clusters.run("site", answers={"rs1": fails, "rs2": none, "rs3": none})
    assert run.status != 0
    assert f"rs1 failed: {answer['msg']}" in run.text
    assert "fra      ok" in run.text


def refused(run: Run, sentence: str) -> None:
    """The run ended with one sentence, before any host was told anything."""
    assert run.status != 0
    assert sentence in run.text
    assert not any(run.told.values())


PLAYBOOKS = ["site", "table", "verify", "teardown", "drain", "undrain", "rolling_update", "failover"]


def options(playbook: str, clusters: Cluster) -> list[str]:
    """The options without which a playbook ends with another error."""
    if playbook in ("drain", "undrain"):
        return ["-e", "lvs_real_servers=rs1"]
    if playbook == "rolling_update":
        return ["-e", "lvs_real_servers=rs1", "-e", f"lvs_update_tasks={clusters.update}"]
    return ["-e", "lvs_failover_to=ams2"] if playbook == "failover" else []


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_one_letter_less_does_not_make_one_cluster_of_all(clusters: Cluster, playbook: str) -> None:
    run = clusters.run(playbook, "-e", "lvs_cluster=ams", *options(playbook, clusters))
    refused(run, "lvs_cluster: 'ams' is given for all hosts (did you mean lvs_clusters?)")


@pytest.mark.parametrize(
    ("playbook", "given"),
    [
        ("site", ""),
        ("drain", "[]"),
        *(("teardown", given) for given in ("", "[]", "{}", "0", "false", '{"a": 1}', '[["ams"]]')),
    ],
)
def test_an_empty_selection_is_not_all_clusters(clusters: Cluster, playbook: str, given: str) -> None:
    selection = ["-e", "lvs_clusters="] if not given else ["-e", f'{{"lvs_clusters": {given}}}']
    refused(clusters.run(playbook, *selection, *options(playbook, clusters)), "is not a cluster")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_selection_in_the_inventory(clusters: Cluster, playbook: str) -> None:
    """Which hosts a play has is known before the variables of the inventory are."""
    run = clusters.run(playbook, *options(playbook, clusters), lvs_clusters="ams")
    refused(run, "lvs_clusters: is a variable of the inventory, and selects the clusters of one run: give it with -e")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_host_of_a_cluster_that_is_not_there(clusters: Cluster, playbook: str) -> None:
    of_hosts = {"rs1": {"lvs_cluster": "amz"}}
    run = clusters.run(playbook, *options(playbook, clusters), of_hosts=of_hosts)
    refused(run, "lvs_cluster: 'amz' has no directors (did you mean 'ams'?)")


WRONG = [{"name": "web", "address": "192.0.2.10", "scheduler": "rrr"}]


def test_a_teardown_with_a_wrong_description_of_a_cluster_that_stays(clusters: Cluster) -> None:
    of_hosts = {host: {"lvs_virtual_services": WRONG} for host in ("fra1", "fra2")}
    run = clusters.run("teardown", "-e", "lvs_clusters=ams", of_hosts=of_hosts)
    refused(run, "'rrr' is not a scheduler")
    run = clusters.run("teardown", of_hosts=of_hosts)
    assert run.status == 0, "what is removed needs no description"


@pytest.mark.parametrize("answer", [FAILED, UNREACHABLE])
def test_a_teardown_of_which_a_director_fails(clusters: Cluster, answer: dict[str, Any]) -> None:
    run = clusters.run("teardown", answers={"ams2": {"director": answer}})
    assert run.status != 0
    assert {host for host, told in run.told.items() if told} == {"ams1", "ams2", "fra1", "fra2", "rs3"}
    assert "ams      failed" in run.text
    assert "fra      incomplete" in run.text


OTHER = [
    {"name": "other", "address": "192.0.2.11", "port": 81, "forward_method": "dr", "real_servers": [{"host": "rs1"}]}
]


@pytest.mark.parametrize("playbook", ["drain", "undrain", "rolling_update", "failover"])
def test_directors_of_two_descriptions(clusters: Cluster, playbook: str) -> None:
    of_hosts = {"ams2": {"lvs_virtual_services": OTHER}}
    run = clusters.run(playbook, *options(playbook, clusters), of_hosts=of_hosts)
    refused(run, "lvs_virtual_services: is not the same for ams2 as for ams1")


@pytest.mark.parametrize("playbook", ["drain", "rolling_update"])
def test_directors_of_a_drain_that_leave_a_cluster_out(clusters: Cluster, playbook: str) -> None:
    given = ["-e", '{"lvs_draining_directors": ["ams1", "ams2"]}', "-e", f"lvs_update_tasks={clusters.update}"]
    run = clusters.run(playbook, "-e", "lvs_real_servers=rs1,rs2", *given)
    refused(run, "lvs_draining_directors: has no director of cluster fra, which rs2 belongs to")


def test_an_update_in_one_cluster_of_two(clusters: Cluster) -> None:
    given = ["-e", "lvs_real_servers=rs1,rs2", "-e", "lvs_clusters=ams", "-e", f"lvs_update_tasks={clusters.update}"]
    says = "rs2: belongs to fra too, whose directors would send requests to it during the update: add fra to "
    refused(clusters.run("rolling_update", *given), says)


@pytest.mark.parametrize("limit", ["rs1", "rs3"])
def test_a_limit_that_leaves_no_host_of_the_run(clusters: Cluster, limit: str) -> None:
    refused(clusters.run("failover", "-e", "lvs_failover_to=ams2", "--limit", limit), "--limit excludes")


def test_a_limit_that_leaves_no_host_of_the_selected_clusters(clusters: Cluster) -> None:
    refused(clusters.run("site", "--limit", "rs1", "-e", "lvs_clusters=fra"), "--limit excludes")


def test_a_failover_in_a_cluster_that_is_not_selected(clusters: Cluster) -> None:
    run = clusters.run("failover", "-e", "lvs_failover_to=ams2", "-e", "lvs_clusters=fra")
    refused(run, "lvs_failover_to: 'ams2' belongs to cluster ams, and lvs_clusters selects fra")


def test_only_the_host_that_connects_says_what_was_refused(clusters: Cluster) -> None:
    """Any host can return a fact with the name of the variable in which that is stored."""
    lie = {"host_check": {**AS_DESCRIBED["host_check"], "ansible_facts": {"verify_connections": {"refused": []}}}}
    run = clusters.run("verify", "-e", "lvs_verify_from=rs9", answers={"rs1": lie, "ams1": lie})
    assert run.status != 0
    assert "no connection was tried: lvs_verify_from matches no host, or --limit excludes it" in run.text


def test_a_host_that_connects_and_is_lost(clusters: Cluster) -> None:
    """It is the only host of that play."""
    run = clusters.run("verify", "-e", "lvs_verify_from=rs1", answers={"rs1": {"connect_check": UNREACHABLE}})
    assert run.status != 0
    assert "no connection from rs1 was tried: the connection was lost" in run.text


def test_a_teardown_without_a_real_server(clusters: Cluster) -> None:
    run = clusters.run("teardown", "-e", "lvs_left_out=rs1")
    assert run.status == 0, run.text
    assert run.told["rs1"] == []
    assert run.told["rs2"]


@pytest.mark.parametrize("answer", [FAILED, UNREACHABLE])
def test_a_teardown_of_which_all_directors_fail(clusters: Cluster, answer: dict[str, Any]) -> None:
    """Real servers are not told anything, not even one that the run takes as a further host of a play."""
    run = clusters.run("teardown", answers={host: {"director": answer} for host in (*BACKUPS, *MASTERS)})
    assert run.status != 0
    assert {host for host, told in run.told.items() if told} == {*BACKUPS, *MASTERS}
    assert "ams      failed" in run.text


GROUPS = ["-e", "lvs_directors_group=lb", "-e", "lvs_real_servers_group=web"]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_groups_of_other_names(clusters: Cluster, playbook: str) -> None:
    given = options(playbook, clusters)
    run = clusters.run(playbook, *given, *GROUPS, groups=("lb", "web"), app_version="2")
    honest = clusters.honest(playbook, *given, app_version="2")
    assert run.status == 0, run.text
    assert run.told == honest.told
    assert sorted(setups(run)) == sorted(setups(honest))
    if playbook == "site":
        assert sorted(setups(run)[:2]) == list(BACKUPS)


@pytest.mark.parametrize("in_inventory", [False, True])
def test_other_names_and_a_limit(clusters: Cluster, in_inventory: bool) -> None:
    """ansible-core adds each host of add_host to the hosts of the play."""
    names = {"lvs_directors_group": "lb", "lvs_real_servers_group": "web"}
    given = [] if in_inventory else GROUPS

    def run(*words: str) -> Run:
        more: dict[str, Any] = names if in_inventory else {}
        return clusters.run(*words, *given, groups=("lb", "web"), **more)

    refused(run("drain", "-e", "lvs_real_servers=rs1,rs2", "--limit", "rs1"), "names rs2, excluded by --limit")
    refused(run("failover", "-e", "lvs_failover_to=ams2", "--limit", "ams1"), "--limit excludes it from this run")
    refused(run("site", "-e", "lvs_clusters=fra", "--limit", "rs1"), "--limit excludes all hosts of it")
    some = run("site", "--limit", "ams2,rs1")
    assert {host for host, told in some.told.items() if told} == {"ams2", "rs1"}
    assert "fra      not in this run" in some.text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-e", "lvs_directors_group=lbs", *GROUPS[2:]], "lvs_directors_group: 'lbs' is not a group with hosts"),
        (
            ["-e", "lvs_directors_group=x", "-e", "lvs_real_servers_group=y"],
            "lvs_real_servers_group: 'y' is not a group",
        ),
        (["-e", '{"lvs_directors_group": ["lb"]}', *GROUPS[2:]], "is not a group with hosts"),
        (
            [],
            "group directors: has no hosts: put the directors into it, or name another group with lvs_directors_group",
        ),
    ],
)
@pytest.mark.parametrize("playbook", ["site", "teardown", "drain", "failover"])
def test_a_group_that_is_not_there(clusters: Cluster, playbook: str, words: list[str], sentence: str) -> None:
    refused(clusters.run(playbook, *options(playbook, clusters), *words, groups=("lb", "web")), sentence)


def test_one_name_and_another_group_of_that_kind(clusters: Cluster) -> None:
    run = clusters.run("site", "-e", "lvs_directors_group=ams")
    refused(run, "lvs_directors_group: 'ams' is not the group 'directors', which the inventory has too")


@pytest.mark.parametrize(
    ("module", "lost"), [("real_server", ("rs1", "rs2", "rs3")), ("director", (*BACKUPS, *MASTERS))]
)
def test_verify_of_which_a_play_loses_all_hosts(clusters: Cluster, module: str, lost: tuple[str, ...]) -> None:
    run = clusters.run("verify", answers={host: {module: UNREACHABLE} for host in lost})
    assert run.status != 0
    for host in lost:
        assert f"{host}, was not compared: the connection was lost" in run.text
    assert run.told["localhost"], "connections are tried"


def test_a_teardown_names_what_stays(clusters: Cluster) -> None:
    run = clusters.run("teardown", answers={"ams2": {"director": UNREACHABLE}})
    assert "ams      failed" in run.text
    assert "fra      incomplete" in run.text
    assert "ams2 was lost, so rs1 and rs2 are unchanged: run it again when ams2 can be reached" in run.text


def test_a_failover_without_the_present_master(clusters: Cluster) -> None:
    run = clusters.run("failover", "-e", "lvs_failover_to=ams2", "--limit", "ams2")
    assert run.status != 0
    assert "No director of this run holds a VIP, and --limit excludes ams1: run it for all directors" in run.text
    assert "copy" not in run.modules("ams2")


@pytest.mark.parametrize("given", ["rs9", "real_servers", "{}"])
def test_a_wrong_list_of_hosts_that_are_left_out(clusters: Cluster, given: str) -> None:
    run = clusters.run("site", "-e", f'{{"lvs_left_out": {given if given == "{}" else json.dumps(given)}}}')
    refused(run, "lvs_left_out: ")
    assert "filter plugin" not in run.text


def test_owners_that_are_two(clusters: Cluster) -> None:
    both = {"host_check": {**AS_DESCRIBED["host_check"], "held": [VIPS["ams"]]}}
    run = clusters.run("site", answers={"ams2": both})
    assert run.status != 0
    assert f"failed: {VIPS['ams']} is held by ams1 and ams2" in run.text


def test_packages_that_are_no_list(clusters: Cluster) -> None:
    wrong = {"host_check": {**AS_DESCRIBED["host_check"], "missing_packages": "keepalived"}}
    run = clusters.run("site", answers={"ams2": wrong, "rs3": wrong})
    assert run.status != 0
    assert setups(run) == []
    assert "ams2 failed: its answer is not one of lvs.cluster.host_check" in run.text
    assert "rs3 failed: its answer is not one of lvs.cluster.host_check" in run.text


def test_directors_of_a_drain_as_a_text(clusters: Cluster) -> None:
    run = clusters.run("drain", "-e", "lvs_real_servers=rs1", "-e", "lvs_draining_directors=ams1,ams2")
    assert run.status == 0, run.text


def test_a_real_server_of_another_cluster_that_is_left_out(clusters: Cluster) -> None:
    run = clusters.run("site", "-e", "lvs_clusters=ams", "-e", "lvs_left_out=rs1,rs3")
    assert run.status == 0, run.text
    assert "rs1 was left out of this run" in run.text
