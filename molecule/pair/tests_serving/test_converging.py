# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of site converges while the pair serves: services that change their owner, tables that were emptied, and runs
that were killed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clients
import cluster
import pytest
import titles
import yaml
from pairs import INVENTORY, RULES, interrupted, killed_after, table
from testinfra.host import Host

Machines = Callable[[str], Host]
Change = Callable[[list[dict[str, Any]]], None]

#: After which a run is killed: tasks in their order, and at which director. Between two of these a run only looks.
#: After one that does nothing itself, the run is killed when the next one begins, which may not get as far as the host.
KILLED_AFTER = (
    (titles.REAL_SERVER, 1),
    (titles.SELECT_STEPS, 1),
    (titles.APPLY_PARTS, 1),
    (titles.START_KEEPALIVED, 1),
    (titles.PUBLISH, 1),
    (titles.CHECK_DIRECTOR, 1),
    (titles.SELECT_STEPS, 2),
    (titles.APPLY_PARTS, 2),
    (titles.START_KEEPALIVED, 2),
    (titles.CHECK_DIRECTOR, 2),
)


def described(change: Change) -> list[dict[str, Any]]:
    """The services of the scenario, changed."""
    read: list[dict[str, Any]] = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["lvs_virtual_services"]
    services = copy.deepcopy(read)
    change(services)
    return services


def named(services: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [service for service in services if service["name"] == name]
    return found


@pytest.fixture
def variables(tmp_path: Path) -> Callable[..., list[str]]:
    """The arguments with which a playbook has other services and variables."""
    count = 0

    def write(change: Change = lambda _services: None, **more: object) -> list[str]:
        nonlocal count
        count += 1
        path = tmp_path / f"{count}.yml"
        path.write_text(yaml.safe_dump({"lvs_virtual_services": described(change), **more}))
        return ["-e", f"@{path}"]

    return write


def site(*words: str) -> cluster.Run:
    return cluster.playbook("site", *words, scenario="pair")


def converged(machine: Machines, *words: str) -> None:
    """One run is enough: a second one changes nothing, and verify is content."""
    run = site(*words)
    assert run.status == 0, run.text
    again = site(*words)
    assert again.status == 0, again.text
    hosts = (*clients.DIRECTORS, *cluster.REAL_SERVERS)
    assert {host: again.recap(host)["changed"] for host in hosts} == dict.fromkeys(hosts, 0)
    run = cluster.playbook("verify", "-e", "lvs_verify_from=client", *words, scenario="pair")
    assert run.status == 0, run.text
    assert len(clients.owners(machine)) == 1


@pytest.fixture(autouse=True)
def as_described(machine: Machines) -> Iterator[None]:
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)
    yield
    run = site()
    assert run.status == 0, run.text
    clients.until(lambda: all(table(machine(name)) == sorted(RULES) for name in clients.DIRECTORS), 60)


def remove_check(services: list[dict[str, Any]]) -> None:
    # Requests go to the first, connections that stay to the second.
    del named(services, "web")["health_check"]
    del named(services, "stay")["health_check"]


def change_check(services: list[dict[str, Any]]) -> None:
    named(services, "web")["health_check"]["interval"] = 2
    named(services, "stay")["health_check"]["timeout"] = 2


def add_check(services: list[dict[str, Any]]) -> None:
    """With other values for what keepalived finds in the table, which it does not edit."""
    service = named(services, "unchecked")
    service["health_check"] = {"type": "tcp", "interval": 1, "timeout": 3}
    service["scheduler"] = "rr"
    service["real_servers"] = [*service["real_servers"], {"host": "rs2", "weight": 3}]


CHECKED = [
    f"-A -t {cluster.VIP}:7002 -s rr",
    f"-a -t {cluster.VIP}:7002 -r 192.0.2.11:7002 -g -w 1",
    f"-a -t {cluster.VIP}:7002 -r 192.0.2.12:7002 -g -w 3",
]


@pytest.mark.parametrize("change", [remove_check, change_check, add_check])
def test_a_health_check_is_removed_changed_and_added(
    change: Change, machine: Machines, variables: Callable[..., list[str]]
) -> None:
    with clients.clients(rate=50, held=100, port=7002 if change is add_check else 7001) as load:
        converged(machine, *variables(change))
        if change is add_check:
            found = [
                [line for line in table(machine(name)) if f"{cluster.VIP}:7002 " in line] for name in clients.DIRECTORS
            ]
            assert found == [CHECKED, CHECKED]
        there = load.noticed()
        converged(machine)
        if change is add_check:
            # A weight that the description does not give stays, in a service without a health check.
            for name in clients.DIRECTORS:
                machine(name).check_output(f"ipvsadm -e -t {cluster.VIP}:7002 -r 192.0.2.12:7002 -g -w 1")
        back = load.noticed()
    assert not there
    assert not back


def test_the_health_checker_is_switched_and_switched_back(
    machine: Machines, variables: Callable[..., list[str]]
) -> None:
    def possible(services: list[dict[str, Any]]) -> None:
        del named(services, "excused")["sorry_server"]  # a real server of the service, which ldirectord cannot have

    converged(machine, *variables(possible))
    with clients.clients(rate=50, held=100) as load:
        converged(machine, *variables(possible, director_health_checker="ldirectord"))
        there = load.noticed()
        converged(machine, *variables(possible))
        back = load.noticed()
    assert not there
    assert not back


@pytest.mark.parametrize(
    "settings",
    [{"director_advert_interval": 0.3}, {"director_garp_refresh": 30}, {"director_track_scripts": []}],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_of_vrrp(settings: dict[str, object], machine: Machines, variables: Callable[..., list[str]]) -> None:
    with clients.clients(held=10) as load:
        converged(machine, *variables(**settings))
        assert clients.owners(machine) == ["director1"]
        assert not load.noticed()


def emptied(machine: Machines, name: str) -> None:
    machine(name).check_output("ipvsadm -C")
    assert table(machine(name)) == []


def vrrp_starts(director: Host) -> str:
    return str(director.check_output("systemctl show --property=InvocationID,NRestarts --value keepalived"))


def test_a_table_that_was_emptied_on_the_backup(machine: Machines) -> None:
    before = vrrp_starts(machine("director2"))
    with clients.clients(held=10) as load:
        emptied(machine, "director2")
        run = cluster.playbook("verify", "-e", "lvs_verify_from=client", scenario="pair")
        assert run.status != 0
        converged(machine)
        assert not load.noticed()
    assert table(machine("director2")) == sorted(RULES)
    assert vrrp_starts(machine("director2")) == before


def test_a_table_that_was_emptied_on_the_master(machine: Machines) -> None:
    """Requests fail until site has run, and none after it. No VIP moves."""
    before = vrrp_starts(machine("director1"))
    with clients.clients(held=0) as load:
        emptied(machine, "director1")
        run = site()
        assert run.status == 0, run.text
        assert load.report()["failures"]
        clients.until(lambda: table(machine("director1")) == sorted(RULES), 30)
        load.report()
        assert clients.owners(machine) == ["director1"]
        converged(machine)
        assert not load.noticed()
    assert vrrp_starts(machine("director1")) == before


def test_tables_that_were_emptied_on_both(machine: Machines) -> None:
    for name in clients.DIRECTORS:
        emptied(machine, name)
    converged(machine)
    assert all(table(machine(name)) == sorted(RULES) for name in clients.DIRECTORS)


def test_entries_of_keepalived_that_were_edited_by_hand(machine: Machines) -> None:
    """keepalived does not notice, and would leave them so."""
    edited = (
        f"ipvsadm -E -t {cluster.VIP}:7003 -s wlc && "
        f"ipvsadm -e -t {cluster.VIP}:7003 -r 192.0.2.11:7003 -m -w 9 && "
        f"ipvsadm -d -t {cluster.VIP}:7003 -r 192.0.2.12:7003 && "
        f"ipvsadm -e -t {cluster.VIP}:80 -r 192.0.2.12:80 -g -w 5"
    )
    with clients.clients(held=100) as load:
        for name in clients.DIRECTORS:
            machine(name).check_output(edited)
        run = cluster.playbook("verify", "-e", "lvs_verify_from=client", scenario="pair")
        assert run.status != 0
        assert "the IPVS table" in run.text
        converged(machine)
        assert not load.noticed()
    assert [table(machine(name)) for name in clients.DIRECTORS] == [sorted(RULES)] * 2


def test_one_service_of_keepalived_that_is_gone(machine: Machines) -> None:
    """The others are not touched by what brings it back."""
    with clients.clients(held=100) as load:
        for name in clients.DIRECTORS:
            machine(name).check_output(f"ipvsadm -D -t {cluster.VIP}:7003")
        converged(machine)
        assert not load.noticed()


def test_a_keepalived_that_hangs_is_restarted_behind_a_handover(machine: Machines) -> None:
    """A reload does not help where the process that makes the health checks stands still."""
    director, allowed = machine("director1"), ["-e", "director_may_restart=true"]
    before = vrrp_starts(director)
    with clients.clients(held=100) as load:
        director.check_output("kill -STOP $(cat /run/checkers.pid)")
        director.check_output(f"ipvsadm -D -t {cluster.VIP}:7003")
        run = site()
        assert run.status != 0
        text = " ".join(run.text.split())
        assert f"keepalived.service did not add tcp {cluster.VIP}:7003 to the IPVS table after a reload" in text
        assert "this director releases its VIPs before" in text
        assert vrrp_starts(director) == before
        run = site(*allowed)
        assert run.status == 0, run.text
        assert vrrp_starts(director) != before
        clients.until(lambda: clients.owners(machine) == ["director1"], 120)
        assert not load.noticed()
        converged(machine, *allowed)
        assert not load.noticed()
    assert director.file("/var/lib/lvs-cluster/drain/director").content_string == "0\n"


def test_a_run_that_is_killed_is_completed_by_the_next(machine: Machines, variables: Callable[..., list[str]]) -> None:
    """The run is about everything at once: a service that leaves keepalived, one that joins it, and VRRP.

    The next one that is killed takes all of it back, and so on.
    """

    def change(services: list[dict[str, Any]]) -> None:
        remove_check(services)
        add_check(services)

    words: tuple[list[str], ...] = (variables(change, director_garp_refresh=30, director_timeouts={"tcp": 1000}), [])
    with clients.clients(held=100) as load:
        for number, (task, times) in enumerate(KILLED_AFTER):
            given = words[number % 2]
            print(f"killed after {task}, {times}")
            assert killed_after(task, *given, times=times), f"{task} is no task of this run"
            converged(machine, *given)
            assert not load.noticed()


def kept(director: Host) -> tuple[list[str], str]:
    """Its table, and keepalived's configuration."""
    return table(director), director.check_output("cat /etc/keepalived/keepalived.conf")


def answers(host: Host) -> bool:
    """Whether ssh takes a connection."""
    try:
        return bool(host.run("true").rc == 0)
    except RuntimeError:  # testinfra's for ssh itself
        return False


def test_a_director_that_is_lost_in_the_middle_is_the_last_that_is_touched(
    machine: Machines, variables: Callable[..., list[str]]
) -> None:
    """Its connections to Ansible end, and it takes none for a while. The run after that completes it."""
    words, director = variables(change_check), machine("director2")
    lost = "sleep 0.2; systemctl stop ssh.socket ssh; pkill sshd; sleep 30; systemctl start ssh"
    before = kept(machine("director1"))
    with clients.clients(held=100) as load:
        came, run = interrupted(
            titles.APPLY_PARTS,
            lambda _process: director.check_output("systemd-run --no-block sh -c %s", lost),
            *words,
        )
        assert came
        assert run.status != 0
        assert run.recap("director2")["unreachable"] == 1
        says = "director2 was lost, so director1 is unchanged: run it again when director2 can be reached"
        assert says in " ".join(run.text.split()), run.text
        assert run.recap("director1")["changed"] == 0, run.text
        assert kept(machine("director1")) == before
        clients.until(lambda: answers(director), 120)
        converged(machine, *words)
        assert not load.noticed()


def test_a_module_that_is_killed_between_writing_and_reloading(machine: Machines) -> None:
    """The file is new and keepalived has not read it: what such a run leaves. The next one completes it."""
    director = machine("director2")
    record = "/var/lib/lvs-cluster/keepalived.service.applied"
    director.check_output(f'sed -i \'s/"pending": false/"pending": true/\' {record}')
    run = cluster.playbook("verify", "-e", "lvs_verify_from=client", scenario="pair")
    assert run.status != 0
    assert "director2: keepalived has not read its present configuration" in run.text
    run = site("--limit", "directors")
    assert run.status == 0, run.text
    assert (run.recap("director1")["changed"], run.recap("director2")["changed"]) == (0, 1)
    converged(machine)


def test_check_mode_refuses_what_keepalived_refuses(machine: Machines, variables: Callable[..., list[str]]) -> None:
    spoil = 'echo \'vrrp_instance {\' >>"$0"; keepalived --config-test --use-file="$0"'
    words = variables(change_check, director_validation=["sh", "-c", spoil, "%s"])
    for mode in (["--check"], []):
        run = site("--limit", "directors", *mode, *words)
        assert run.status != 0
        assert "sh refuses /etc/keepalived/keepalived.conf, and no file was changed" in run.text
    assert clients.owners(machine) == ["director1"]
