# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directors watch an interface and a command: what happens when one of these fails, to them and to the playbooks."""

from __future__ import annotations

import json
from collections.abc import Callable

import clients
import cluster
import pytest
import titles
from testinfra.host import Host

Machines = Callable[[str], Host]

#: How what they watch fails, and is well again; its IPv6 addresses would go with the interface.
FAULTS = {
    "interface": (
        "sysctl -q net.ipv6.conf.outside.keep_addr_on_down=1 && ip link set outside down",
        "ip link set outside up && sysctl -q net.ipv6.conf.outside.keep_addr_on_down=0",
    ),
    "script": ("rm /etc/director-is-well", "touch /etc/director-is-well"),
}
#: Commands that are of no use from the beginning, and what is said then; nobody but root comes into /root.
NEW = {
    "hangs": ("/usr/bin/sleep 600", "cannot take the VIPs in the state FAULT: the script hangs fails"),
    "forbidden": (
        "/root/forbidden",
        "keepalived does not run the script forbidden: check that its user (script_user) may run",
    ),
}
WHY = "cannot take the VIPs in the state FAULT: the script well fails"


@pytest.fixture(autouse=True)
def settled(machine: Machines) -> None:
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)


@pytest.mark.parametrize("what", FAULTS)
def test_one_that_has_a_fault_hands_over(what: str, machine: Machines) -> None:
    fails, is_well = FAULTS[what]
    with clients.clients() as load:
        # The kernel tells the other director of a connection that is established, and may keep that for two seconds.
        load.beat()
        load.beat()
        machine("director1").check_output(fails)
        try:
            clients.until(lambda: clients.owners(machine) == ["director2"], 60)
            assert not load.noticed()
        finally:
            machine("director1").check_output(is_well)
        clients.until(lambda: clients.owners(machine) == ["director1"], 90)
        assert not load.noticed()


def test_nothing_is_handed_to_one_that_has_a_fault(machine: Machines) -> None:
    fails, is_well = FAULTS["script"]
    with clients.clients(held=10) as load:
        machine("director2").check_output(fails)
        try:
            clients.until(lambda: "FAULT" in machine("director2").check_output("journalctl -u keepalived -n 5"), 10)
            run = cluster.playbook("failover", "-e", "lvs_failover_to=director2", scenario="pair")
            assert run.status != 0
            assert "The failover to director2 failed, and the VIPs follow the directors' priorities again" in run.text
            assert WHY in run.text
            run = cluster.playbook("site", "--limit", "directors", scenario="pair")
            assert run.status != 0
            assert WHY in run.text
            assert titles.PARTS in run.tasks("lvs.cluster.director")
            assert run.text.count(titles.PARTS) == 1, "the other was left as it is"
            run = cluster.playbook("verify", "-e", "lvs_verify_from=client", scenario="pair")
            assert run.status != 0
            assert f"director2: keepalived's lvs_ipv4 and lvs_ipv6 {WHY}" in run.text
        finally:
            machine("director2").check_output(is_well)
        assert clients.owners(machine) == ["director1"]
        assert not load.noticed()


@pytest.mark.parametrize("name", NEW)
def test_a_new_command_of_no_use_gets_no_further_than_the_first_director(name: str, machine: Machines) -> None:
    """Until a command has been ended for the first time, a keepalived that was reloaded says what it said before."""
    command, message = NEW[name]
    watched = [{"name": name, "command": command, "timeout": 5}]
    for director in clients.DIRECTORS:
        machine(director).check_output("install -m 755 /usr/bin/true /root/forbidden")
    with clients.clients(held=10) as load:
        words = ("--limit", "directors", "-e", json.dumps({"director_track_scripts": watched}))
        run = cluster.playbook("site", *words, scenario="pair")
        try:
            assert run.status != 0
            assert message in run.text
            assert run.text.count(titles.PARTS) == 1, "the other was left as it is"
        finally:
            for director in clients.DIRECTORS:
                machine(director).check_output("rm /root/forbidden")
            again = cluster.playbook("site", "--limit", "directors", scenario="pair")
        assert again.status == 0, again.text
        assert clients.owners(machine) == ["director1"]
        assert not load.noticed()


def test_an_interface_that_is_not_there_is_refused() -> None:
    run = cluster.playbook(
        "site", "--limit", "directors", "-e", '{"director_track_interfaces": ["nowhere"]}', scenario="pair"
    )
    assert run.status != 0
    assert "this host has no network interface nowhere" in run.text
    assert not run.tasks("lvs.cluster.director")
