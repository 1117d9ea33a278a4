# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer what they want: nothing of it runs on the controller, and no other host is told anything else.

Every run asserts the first by itself (see conftest.py). For the second, what the others are told is compared with the
same run among honest hosts.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

PLAYBOOKS = ("site", "table", "verify", "drain", "undrain", "rolling_update", "failover", "teardown", "example_layer7")
#: After a failure these put back what has been changed on other directors.
UNDONE = ("drain", "rolling_update", "failover")
#: Keys whose texts have to be of the description, or decide what their own host is told: tested by themselves below.
CHECKED = ("held", "switched", "services", "ansible_facts", "content", "missing_packages")


def words(cluster: Any, playbook: str, servers: str = "rs1") -> list[str]:
    """The arguments of a run that goes on to its end."""
    more = {
        "site": ["-e", "director_health_checker=ldirectord"],
        "table": ["-e", "director_health_checker=mon"],
        "drain": ["-e", "lvs_real_servers=rs1"],
        "undrain": ["-e", "lvs_real_servers=rs1"],
        "rolling_update": ["-e", f"lvs_real_servers={servers}", "-e", f"lvs_update_tasks={cluster.update}"],
        "failover": ["-e", "lvs_failover_to=lb2"],
        "example_layer7": ["--limit", "real_servers"],  # site, which it imports, has runs of its own
    }
    return [playbook, *more.get(playbook, [])]


def poisoned(value: Any, payload: str) -> Any:
    """The value with all of its texts, and more elements and keys, being the payload."""
    if isinstance(value, str):
        return payload
    if isinstance(value, list):
        return [*(poisoned(one, payload) for one in value), payload]
    if isinstance(value, dict):
        return {**{key: poisoned(one, payload) for key, one in value.items()}, payload: payload}
    return value


def wrong(value: Any) -> Any:
    """A value of another type."""
    return {str: {"a": 1}, list: "text", dict: 7, int: ["9"], bool: [{}]}.get(type(value), "text")


def modules(honest: dict[str, Any]) -> set[str]:
    """The modules that any host runs in some playbook."""
    return {module for of_host in honest.values() for module in of_host}


def others_told_the_same(run: Any, honest: Any, *liars: str) -> None:
    """Whatever any but the liars was told, it was told among honest hosts too."""
    for host, told in run.told.items():
        if host not in liars:
            more = [one for one in told if one not in honest.told[host]]
            assert not more, f"{host} was told: {more}"


def no_fault(run: Any) -> None:
    """The run ended by a message, not by a fault of ours."""
    assert "Traceback" not in run.text
    assert "unhandled" not in run.text.lower()


@pytest.fixture(scope="session")
def honest_answers(cluster: Any) -> dict[str, Any]:
    """The honest answers of each host to each module."""
    answers = cluster.answers
    names = modules(answers)
    return {
        host: {module: {**answers["all"].get(module, {}), **answers[host].get(module, {})} for module in names}
        for host in answers
        if host != "all"
    }


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_hostile_text(cluster: Any, honest_answers: dict[str, Any], playbook: str) -> None:
    """Every host sends templates in all texts, keys and elements, and keys that Ansible takes for its own."""
    payload = cluster.payload
    more = {
        "msg": payload,
        "stdout": payload,
        "warnings": [payload],
        "long": "{{" * 20000,
        payload: payload,
        "item": payload,
        "ansible_loop_var": "lvs_director",
        "lvs_director": "localhost",
        "add_host": {"host_name": "evil", "groups": ["directors"]},
        "add_group": "directors",
        "_ansible_delegated_vars": {"ansible_delegated_host": "localhost"},
        "_ansible_no_log": False,
        "diff": [{"before": payload, "after": payload * 2, "after_header": payload}],
        "differences": [{"kind": payload, "name": payload, "is": payload * 2, "should": [payload]}, payload],
    }
    unheeded = {
        "ansible_host": "192.0.2.66",
        "ansible_connection": payload,
        "ansible_python_interpreter": f"/bin/touch {cluster.mark}",
        "ansible_become_exe": payload,
        "ansible_ssh_common_args": payload,
        "groups": {"directors": ["localhost"], "real_servers": ["localhost"]},
        "ansible_play_hosts_all": ["localhost"],
        "hostvars": {},
        "ansible_facts": {},
        payload: payload,
    }
    answers = {
        host: {
            module: {
                **{key: value if key in CHECKED else poisoned(value, payload) for key, value in answer.items()},
                **more,
                "ansible_facts": {**answer.get("ansible_facts", {}), **unheeded},
                "changed": playbook == "verify",
            }
            for module, answer in of_host.items()
        }
        for host, of_host in honest_answers.items()
        if host != "localhost"
    }
    honest = cluster.honest(*words(cluster, playbook))
    run = cluster.run(*words(cluster, playbook), answers=answers)
    no_fault(run)
    others_told_the_same(run, honest)
    if playbook != "verify":  # which says that much is not as described
        assert run.status == honest.status == 0, run.text
        assert {host: len(told) for host, told in run.told.items()} == {
            host: len(told) for host, told in honest.told.items()
        }


@pytest.mark.parametrize(
    ("playbook", "liar", "module", "sentence"),
    [
        ("site", "rs1", "host_check", "fatal: [rs1]"),
        ("table", "lb1", "director", "fatal: [lb1]"),
        ("verify", "rs1", "arp_probe", "rs1: {{ lookup("),
        ("drain", "lb2", "ipvs_drain", "Drain failed and was rolled back: {{ lookup("),
        ("undrain", "lb1", "ipvs_drain", "lb1: {{ lookup("),
        ("rolling_update", "lb2", "ipvs_drain", "Drain failed and was rolled back: {{ lookup("),
        ("failover", "lb2", "copy", "failed: [lb2]"),
        ("teardown", "lb1", "director", "fatal: [lb1]"),
        ("example_layer7", "rs1", "copy", "fatal: [rs1]"),
    ],
)
def test_hostile_failures(cluster: Any, playbook: str, liar: str, module: str, sentence: str) -> None:
    """A module fails with a template as its message, and with results that it has not."""
    failure = {"failed": True, "msg": cluster.payload, "results": [{"failed": True, "msg": cluster.payload}, 5]}
    run = cluster.run(*words(cluster, playbook), answers={liar: {module: failure}})
    no_fault(run)
    assert run.status != 0
    assert sentence in " ".join(run.text.split())
    if playbook in UNDONE:  # the others are told other things than without a failure
        failure = {"failed": True, "msg": "no"}
        assert run.told == cluster.run(*words(cluster, playbook), answers={liar: {module: failure}}).told
    else:
        others_told_the_same(run, cluster.honest(*words(cluster, playbook)))


@pytest.mark.parametrize(
    ("playbook", "liar", "sentences"),
    [
        ("site", "lb2", ["lb2 failed: its answer is not one of lvs.cluster.host_check: held is a string, not a list"]),
        ("table", "lb2", ["lb2 failed: its answer is not one of lvs.cluster.host_check: held is a string, not a list"]),
        ("verify", "lb1", [f"lb1: its answer is not one of lvs.cluster.{one}: " for one in ("arp_probe", "ipvs_info")]),
        ("drain", "lb2", ["lb2: its answer is not one of lvs.cluster.ipvs_drain"]),
        ("undrain", "lb1", []),
        ("rolling_update", "lb1", ["lb1: its answer is not one of lvs.cluster.ipvs_drain"]),
        ("failover", "lb2", ["lb2: its answer is not one of lvs.cluster.host_check: held is a string, not a list"]),
        ("teardown", "lb1", []),
        ("example_layer7", "rs1", []),
    ],
)
def test_answers_of_other_types(
    cluster: Any, honest_answers: dict[str, Any], playbook: str, liar: str, sentences: list[str]
) -> None:
    """One host answers every module with other types: it is named, and the others go on, or are left alone."""
    answers = {
        liar: {
            # facts and what ansible-core's own actions read would end the run before anything of ours has it
            module: {key: value if key in ("ansible_facts", "stat") else wrong(value) for key, value in answer.items()}
            for module, answer in honest_answers[liar].items()
            if (playbook, module) != ("failover", "ipvs_info")  # which would say that the tables differ
        }
    }
    honest = cluster.honest(*words(cluster, playbook))
    run = cluster.run(*words(cluster, playbook), answers=answers)
    no_fault(run)
    for sentence in sentences:
        assert sentence in run.text
    assert not sentences or run.status != 0
    if playbook == "drain":  # the director that has drained before puts back what it has changed
        assert run.modules("lb1") == ["ipvs_drain", "ipvs_drain"]
        assert '"state": "in_service"' in run.told["lb1"][1][1]
        assert run.told["rs1"] == run.told["rs2"] == run.told["localhost"] == []
    else:
        others_told_the_same(run, honest, liar)


def test_a_drain_asks_every_director_twice_whether_it_is_done(cluster: Any) -> None:
    """The VIPs may move after the director that gets them has been asked."""
    run = cluster.honest(*words(cluster, "drain"))
    waits = {host: [told for _module, told in run.told[host] if '"vips"' in told] for host in ("lb1", "lb2")}
    assert {host: len(told) for host, told in waits.items()} == {"lb1": 2, "lb2": 2}
    assert all('"udp_pause": 10' in told for told in waits["lb1"] + waits["lb2"])


LOST = {"unreachable": True, "msg": "Failed to connect to the host via ssh"}


@pytest.mark.parametrize(
    ("playbook", "module"), [("site", "director"), ("site", "service_config"), ("table", "director")]
)
def test_no_director_is_changed_after_one_that_was_lost(cluster: Any, playbook: str, module: str) -> None:
    """ansible-core begins with the next of a series, although any error is to be fatal: it counts the host twice."""
    run = cluster.run(*words(cluster, playbook), answers={"lb2": {module: LOST}})
    assert run.status != 0
    assert module in run.modules("lb2")
    assert not {"director", "service_config"}.intersection(run.modules("lb1"))
    assert "lb2 was lost, so lb1 is unchanged: run it again when lb2 can be reached" in run.text


def test_no_real_server_is_updated_after_one_that_was_lost(cluster: Any) -> None:
    """The first one does not return from its update, and stays drained."""
    run = cluster.run(*words(cluster, "rolling_update", "rs1,rs2"), answers={"rs1": {"command": LOST}})
    assert run.status != 0
    assert run.modules("rs2") == []
    drained = [told for host in ("lb1", "lb2") for module, told in run.told[host] if module == "ipvs_drain"]
    assert drained
    assert not any("192.0.2.12" in told for told in drained)
    assert "rs1 failed or was lost and may be drained, so rs2 is unchanged" in run.text


@pytest.mark.parametrize("batches", ["1,25%", ""])
def test_batches_given_as_one_text(cluster: Any, batches: str) -> None:
    """Ansible itself does not split the text, and takes no empty one: both ended with a traceback."""
    run = cluster.run(*words(cluster, "rolling_update", "rs1,rs2"), "-e", f"lvs_update_serial={batches}")
    assert run.status == 0, run.text
    assert [run.modules(host).count("command") for host in ("rs1", "rs2")] == [1, 1]


HOSTILE_FACTS: dict[str, Any] = {
    "lvs_address": "169.254.169.254",
    "lvs_virtual_services": [
        {"name": "payroll", "address": "192.0.2.66", "port": 443, "real_servers": [{"host": "rs1", "weight": 65535}]}
    ],
    "lvs_draining_directors": ["localhost"],
    "lvs_batch": ["localhost"],
    "lvs_held": 5,
    "lvs_failover_to": "lb1",
    "lvs_state": "absent",
    "lvs_return_timeout": 1,
    "director_sync_daemon": False,
    "real_server_packages": ["evil"],
    "verify_cluster": {"connections": [{"name": "evil", "address": "169.254.169.254", "port": 80}]},
    "inventory_hostname": "rs2",
    "network": "203.0.113",
    "app_version": "666",
}


@pytest.mark.parametrize(
    ("playbook", "liar", "goes_on", "names"),
    [
        ("site", "rs1", False, ["lvs_address"]),
        ("site", "rs1", False, ["network"]),  # which lvs_address is made from
        ("site", "lb1", False, ["inventory_hostname"]),
        ("site", "lb1", False, ["director_sync_daemon"]),  # a setting, which the filters read themselves
        ("site", "rs1", False, ["real_server_packages"]),
        ("verify", "lb1", False, None),
        ("drain", "lb1", True, None),
        ("undrain", "lb1", True, None),
        ("rolling_update", "lb1", True, None),
        ("rolling_update", "rs1", False, ["lvs_virtual_services", "lvs_draining_directors"]),
        ("failover", "lb1", True, None),
        ("teardown", "lb1", True, None),
        ("example_layer7", "rs1", False, ["lvs_address"]),
    ],
)
def test_facts_change_nothing_for_others(
    cluster: Any, honest_answers: dict[str, Any], playbook: str, liar: str, goes_on: bool, names: list[str] | None
) -> None:
    """A host returns facts by the names of variables, from every module."""
    chosen = {name: HOSTILE_FACTS[name] for name in names or HOSTILE_FACTS}
    called = {*honest_answers[liar], "command", "apt", "copy", "package", "real_server"}
    answers = {
        liar: {
            module: {
                **honest_answers[liar].get(module, {}),
                "ansible_facts": {**honest_answers[liar].get(module, {}).get("ansible_facts", {}), **chosen},
            }
            for module in called
        }
    }
    arguments = words(cluster, playbook, "rs1" if goes_on else "rs1,rs2")
    honest = cluster.honest(*arguments)
    run = cluster.run(*arguments, answers=answers)
    no_fault(run)
    others_told_the_same(run, honest, liar)
    if goes_on:
        assert run.status == honest.status == 0, run.text
        others = [host for host in run.told if host != liar]
        assert {host: run.modules(host) for host in others} == {host: honest.modules(host) for host in others}
    else:
        assert run.status != 0
        assert f"host {liar}: its facts override variables of the inventory: " in run.text


@pytest.mark.parametrize("playbook", [name for name in PLAYBOOKS if name != "teardown"])
def test_facts_of_an_earlier_run(cluster: Any, playbook: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache has them before the first host is asked: no host is told anything."""
    cache = cluster.place / "cache"
    if not cache.exists():
        cluster.run("teardown", answers={"rs1": {"real_server": {"ansible_facts": HOSTILE_FACTS}}}, cache=cache)
    assert [path for path in cache.iterdir() if "169.254.169.254" in path.read_text()]
    run = cluster.run(*words(cluster, playbook), cache=cache)
    no_fault(run)
    assert run.status != 0
    assert "host rs1: its facts override variables of the inventory: " in " ".join(run.text.split())
    assert not any(run.told.values())


def test_facts_that_are_no_variables_are_welcome(cluster: Any) -> None:
    """What setup finds of an interface and of a package is none of ours, though its name begins alike."""
    facts = {"ansible_lvs_gue": {"mtu": 1480}, "ansible_network": "x", "packages": {}, "ansible_distribution": "Debian"}
    answers = {host: {"ipvs_drain": {"ansible_facts": facts}} for host in ("lb1", "lb2")}
    cache = cluster.place / "welcome"
    arguments = words(cluster, "drain")
    assert cluster.run(*arguments, answers=answers, cache=cache).status == 0
    assert [path for path in cache.iterdir() if "ansible_lvs_gue" in path.read_text()]
    run = cluster.run(*arguments, cache=cache)
    assert run.status == 0, run.text
    assert run.told == cluster.honest(*arguments).told


def test_files_of_a_director(cluster: Any) -> None:
    """What a director says it has found names files of the role only."""
    found = {"units": ["mon", "../../evil", cluster.payload], "keepalived": cluster.payload}
    answers = {"lb2": {"host_check": {"director_files": found}}}
    run = cluster.run("teardown", answers=answers)
    no_fault(run)
    assert run.status == 0, run.text
    assert "evil" not in json.dumps(run.told)
    others_told_the_same(run, cluster.honest("teardown"), "lb2")
    assert '"name": "mon"' in "".join(told for module, told in run.told["lb2"] if module == "service_config")


def parts(run: Any, host: str) -> list[list[str]]:
    """The parts that each task of the module director is about."""
    return [json.loads(told)["parts"] for module, told in run.told[host] if module == "director"]


def purges(run: Any, host: str) -> list[bool]:
    """What each task for the VIPs of a real server was told of purge."""
    return [json.loads(told)["purge"] for module, told in run.told[host] if module == "real_server"]


def test_only_hosts_with_leftovers_are_visited_again(cluster: Any) -> None:
    """rs2 is the one that reports leftovers. It is cleaned up when the directors have been set up."""
    run = cluster.honest(*words(cluster, "site"))
    assert run.status == 0, run.text
    assert (purges(run, "rs1"), purges(run, "rs2")) == ([False], [False, True])
    plays = ("Prepare the real servers", "Set up the directors", "Clean up the real servers")
    places = [run.text.index(f"PLAY [{play}]") for play in plays]
    assert places == sorted(places)


@pytest.mark.parametrize("leftovers", ["text", {"a": 1}, [["{{ 1/0 }}"], {"failed": True}]])
def test_what_a_host_says_of_leftovers_is_for_itself(cluster: Any, leftovers: Any) -> None:
    answers = {"rs1": {"real_server": {"leftovers": leftovers}}}
    run = cluster.run(*words(cluster, "site"), answers=answers)
    no_fault(run)
    assert run.status == 0, run.text
    assert purges(run, "rs1") == ([False, True] if isinstance(leftovers, list) and leftovers else [False])
    others_told_the_same(run, cluster.honest(*words(cluster, "site")), "rs1")
    assert purges(run, "rs2") == [False, True]


@pytest.mark.parametrize("liar", ["lb1", "lb2"])
def test_nothing_is_cleaned_up_if_a_director_fails(cluster: Any, liar: str) -> None:
    answers = {liar: {"director": {"failed": True, "msg": "no"}}}
    run = cluster.run(*words(cluster, "site"), answers=answers)
    assert run.status != 0
    assert purges(run, "rs2") == [False]


def test_nothing_is_cleaned_up_without_a_director(cluster: Any) -> None:
    run = cluster.run(*words(cluster, "site"), "--limit", "!lb2")
    assert run.status == 0, run.text
    assert purges(run, "rs2") == [False]
    assert "The leftovers on rs2 were not removed, because lb2 may still use them" in run.text
    assert "this run, or some of its steps, excluded lb2. Run lvs.cluster.site for all directors" in run.text


def test_clean_up_can_be_left_for_later(cluster: Any) -> None:
    run = cluster.run(*words(cluster, "site"), "-e", "lvs_clean_up=false")
    assert run.status == 0, run.text
    assert purges(run, "rs2") == [False]


def test_a_real_server_is_left_out_and_named(cluster: Any) -> None:
    run = cluster.run(*words(cluster, "site"), "-e", "lvs_left_out=rs1")
    assert run.status == 0, run.text
    assert run.told["rs1"] == []
    others_told_the_same(run, cluster.honest(*words(cluster, "site")), "rs1")
    assert "rs1 was left out of this run." in run.text


def test_who_is_left_out_has_to_be_a_real_server(cluster: Any) -> None:
    for name in ("lb1", "rs9"):
        run = cluster.run("site", "-e", json.dumps({"lvs_left_out": name}))
        assert run.status != 0
        assert "is not a host of the group real_servers, and only those can be left out" in run.text
        assert not any(run.told.values())


def test_only_tables_are_changed(cluster: Any) -> None:
    """Real servers are not asked, and directors only by what decides who gets which request."""
    run = cluster.honest(*words(cluster, "table"))
    assert run.status == 0, run.text
    assert run.told["rs1"] == run.told["rs2"] == []
    for host in ("lb1", "lb2"):
        assert {"director", "service_config"} <= set(run.modules(host))
        assert not {"package", "apt", "copy"} & set(run.modules(host))
        assert parts(run, host) == [["kernel", "leaving", "table"]]


@pytest.mark.parametrize("director", [{"configured": False}, {"joins": True}, {"joining": True}])
def test_tables_of_new_directors_are_for_site(cluster: Any, director: dict[str, bool]) -> None:
    answer = {"configured": True, "joins": False, "joining": False, "drained": [], **director}
    run = cluster.run(*words(cluster, "table"), answers={"lb2": {"host_check": {"director": answer}}})
    assert run.status != 0
    assert (
        "lb2 is not set up, lacks packages, or is not configured on the other directors: run lvs.cluster.site"
        in run.text
    )
    assert {host: set(run.modules(host)) for host in ("lb1", "lb2")} == {"lb1": {"host_check"}, "lb2": {"host_check"}}


def test_tags_choose_what_a_run_changes(cluster: Any) -> None:
    run = cluster.run(*words(cluster, "site"), "--tags", "lvs_table,lvs_keepalived")
    assert run.status == 0, run.text
    assert run.modules("rs1") == ["host_check"]
    for host in ("lb1", "lb2"):
        changing = [module for module in run.modules(host) if module not in ("host_check", "find")]
        assert (changing[0], changing[-1]) == ("director", "service_config")
        assert not {"package", "apt"} & set(changing)
        assert parts(run, host) == [["leaving", "table", "timeouts"]]


@pytest.mark.parametrize(
    ("tags", "skipped", "done"),
    [
        ("all", "lvs_table", [["kernel", "leaving", "nftables"]]),
        ("lvs_table,lvs_kernel", "lvs_table", [["kernel"]]),
        ("all", "lvs_packages", [["kernel", "leaving", "nftables", "table", "timeouts"]]),
        ("lvs_real_server", "lvs_table", []),
        ("lvs_firewall", "lvs_packages", []),
    ],
)
def test_tags_that_are_skipped_leave_the_rest(cluster: Any, tags: str, skipped: str, done: list[list[str]]) -> None:
    run = cluster.run(*words(cluster, "site"), "--tags", tags, "--skip-tags", skipped)
    assert run.status == 0, run.text
    assert parts(run, "lb1") == parts(run, "lb2") == done
    assert (True in purges(run, "rs2")) == (skipped == "lvs_packages" and tags == "all")


@pytest.mark.parametrize(
    ("words", "done"),
    [
        (["--tags", "lb"], ["kernel", "leaving", "nftables", "table", "timeouts"]),
        (["--tags", "lb,lvs_table"], ["kernel", "leaving", "nftables", "table", "timeouts"]),
        (["--tags", "lb", "--skip-tags", "lvs_nftables"], ["kernel", "leaving", "table", "timeouts"]),
        (["--tags", "tagged", "--skip-tags", "lvs_table"], ["kernel", "leaving", "nftables"]),
        (["--tags", "lvs_nftables"], ["leaving", "nftables"]),
    ],
)
def test_a_tag_of_the_role_itself(cluster: Any, words: list[str], done: list[str]) -> None:
    play = {
        "hosts": "lb1",
        "gather_facts": False,
        "roles": [{"role": "lvs.cluster.director", "tags": ["lb"], "vars": {"lvs_install_packages": False}}],
    }
    path = cluster.place / "tagged.yml"
    path.write_text(json.dumps([play]))
    run = cluster.run(str(path), *words)
    assert run.status == 0, run.text
    assert [one for ones in parts(run, "lb1") for one in ones] == done
    assert ("service_config" in run.modules("lb1")) == ("lb" in words[1] or words[1] == "tagged")


def unwanted(checker: str) -> dict[str, Any]:
    """The answer of a host that an earlier run has given a health checker."""
    return {"host_check": {"director_files": {"units": [checker], "keepalived": "role"}}}


@pytest.mark.parametrize("playbook", ["site", "table"])
def test_a_health_checker_goes_when_all_is_ready_for_it(cluster: Any, playbook: str) -> None:
    """What fails before leaves the services with who has them."""
    former = "mon" if "director_health_checker=ldirectord" in words(cluster, playbook) else "ldirectord"
    run = cluster.run(*words(cluster, playbook), answers={"lb2": unwanted(former)})
    assert run.status == 0, run.text
    (before, after) = parts(run, "lb2")
    assert before == [part for part in ("kernel", "leaving", "nftables") if playbook == "site" or part != "nftables"]
    assert "table" in after
    assert not set(before) & set(after)
    stopped = [number for number, (_module, told) in enumerate(run.told["lb2"]) if '"state": "stopped"' in told]
    tasks = [number for number, (module, _told) in enumerate(run.told["lb2"]) if module == "director"]
    assert stopped
    assert all(tasks[0] < number < tasks[1] for number in stopped)
    refuses = {"director": {"failed": True, "msg": "no"}}
    run = cluster.run(*words(cluster, playbook), answers={"lb2": {**unwanted(former), **refuses}})
    assert run.status != 0
    assert '"state": "stopped"' not in json.dumps(run.told["lb2"]).replace("\\", "")


def test_packages_are_asked_for_only_where_some_are_missing(cluster: Any) -> None:
    lacks = {"host_check": {"missing_packages": [cluster.payload]}}
    run = cluster.run(*words(cluster, "site"), answers={"lb2": lacks, "rs1": lacks})
    assert run.status == 0, run.text
    assert {host: "apt" in run.modules(host) for host in run.told if host != "localhost"} == {
        "lb1": False,
        "lb2": True,
        "rs1": True,
        "rs2": False,
    }


def test_packages_are_tried_again_with_fresh_lists(cluster: Any) -> None:
    answers = {"rs1": {"host_check": {"missing_packages": ["keepalived"]}, "apt": {"failed": True, "msg": "no"}}}
    run = cluster.run(*words(cluster, "site"), answers=answers)
    assert run.status != 0
    told = [json.loads(told) for module, told in run.told["rs1"] if module == "apt"]
    assert [one.get("update_cache") for one in told] == [None, True]
    assert run.modules("lb1") == run.modules("lb2") == ["host_check"]


def test_what_installs_at_the_second_time_keeps_nobody_from_the_rest(cluster: Any) -> None:
    """An error that is rescued would take the other hosts out of the plays that follow, in silence."""
    answers = {"rs1": {"host_check": {"missing_packages": ["keepalived"]}, "apt": {"failed": True, "msg": "no"}}}
    run = cluster.run(*words(cluster, "site"), "--check", answers=answers)
    assert run.status == 0, run.text
    assert "real_server" not in run.modules("rs1")
    assert purges(run, "rs2") == [False, True]
    assert parts(run, "lb1") == [["kernel", "leaving", "nftables", "table", "timeouts"]]


def test_tags_remove_nothing_that_directors_may_still_use(cluster: Any) -> None:
    run = cluster.run(*words(cluster, "site"), "--tags", "lvs_real_server")
    assert run.status == 0, run.text
    assert purges(run, "rs2") == [False]
    assert "may still use them: this run, or some of its steps, excluded" in run.text
    steps = "lvs_real_server,lvs_nftables,lvs_table,lvs_keepalived"
    for checker, tags, purged in (
        ("keepalived", steps, [False, True]),
        ("ldirectord", steps, [False]),
        ("ldirectord", f"{steps},lvs_health_checker", [False, True]),
    ):
        run = cluster.run("site", "-e", f"director_health_checker={checker}", "--tags", tags)
        assert run.status == 0, run.text
        assert purges(run, "rs2") == purged, (checker, tags)


def test_a_health_checker_that_stays_keeps_what_it_may_use(cluster: Any) -> None:
    """A tag leaves its removal out, so it goes on to write what an earlier description said."""
    answers = {host: unwanted("mon") for host in ("lb1", "lb2")}
    run = cluster.run("site", "--skip-tags", "lvs_health_checker", answers=answers)
    assert run.status == 0, run.text
    assert '"state": "stopped"' not in json.dumps(run.told["lb1"]).replace("\\", "")
    assert purges(run, "rs2") == [False]
    run = cluster.run("site", answers=answers)
    assert run.status == 0, run.text
    assert purges(run, "rs2") == [False, True]


@pytest.mark.parametrize(("answer", "looks"), [({}, 1), ({"director": {"changed": True}}, 2), (unwanted("mon"), 2)])
def test_who_has_the_vips_is_asked_after_a_director_that_changed(
    cluster: Any, answer: dict[str, Any], looks: int
) -> None:
    """And after the last in any case."""
    run = cluster.run("site", answers={"lb2": answer})
    assert run.status == 0, run.text
    # At the beginning, after itself, and for the other.
    asked = [told for module, told in run.told["lb1"] if module == "host_check" and '"vips": ["' in told]
    assert len(asked) == 2 + looks - 1, run.modules("lb1")


def test_verify_connects_from_the_controller_if_no_host_is_given(cluster: Any) -> None:
    """An empty value is that of a survey without an answer."""
    run = cluster.run("verify", "-e", "lvs_verify_from=")
    assert "Error processing keyword" not in run.text
    assert run.modules("localhost") == ["connect_check"]


def test_verify_passes_over_who_is_left_out(cluster: Any) -> None:
    run = cluster.run(*words(cluster, "verify"), "-e", "lvs_left_out=rs1")
    assert run.told["rs1"] == []
    assert "was not compared" not in run.text
