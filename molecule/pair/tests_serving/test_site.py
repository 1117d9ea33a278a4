# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on a pair that serves: in which order, where it stops, and what it repairs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import clients
import cluster
import pytest
import titles
import yaml
from pairs import RULES, table
from testinfra.host import Host

Machines = Callable[[str], Host]

INVENTORY = cluster.ROOT / "molecule" / "pair" / "inventory.yml"
CONFIGURATION = "/etc/keepalived/keepalived.conf"


def site(*words: str) -> cluster.Run:
    return cluster.playbook("site", "--limit", "directors", *words, scenario="pair")


def order(run: cluster.Run) -> list[str]:
    """The directors in the order in which the role came to them."""
    found = re.findall(rf"{re.escape(titles.APPLY_PARTS)}\].*\n\w+: \[(\w+)\]", run.text)
    assert sorted(found) == sorted(set(found))
    return found


def reloads(director: Host) -> int:
    journal: str = director.check_output("journalctl -u keepalived")
    return journal.count("Reloaded keepalived.service")


@pytest.fixture(autouse=True)
def settled(machine: Machines) -> Iterator[None]:
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)
    yield
    clients.until(lambda: all(table(machine(name)) == sorted(RULES) for name in clients.DIRECTORS), 60)


def test_it_repairs_and_comes_to_the_one_that_has_the_vips_last(machine: Machines) -> None:
    with clients.clients(held=10) as load:
        # By hand, on the one that stands by: a configuration that keepalived refuses, and no keepalived either.
        machine("director2").check_output(
            f"echo 'vrrp_instance {{' >{CONFIGURATION}; systemctl kill -s KILL keepalived"
        )
        run = site()
        assert run.status == 0, run.text
        assert order(run) == ["director2", "director1"]
        assert run.recap("director1")["changed"] == 0
        assert run.recap("director2")["changed"]
        assert machine("director2").service("keepalived").is_running
        run = cluster.playbook("failover", "-e", "lvs_failover_to=director2", scenario="pair")
        assert run.status == 0, run.text
        # Now the other one comes first. On the one that has the VIPs the file alone is broken, and it goes on to serve.
        machine("director2").check_output(
            f"echo 'vrrp_instance {{' >>{CONFIGURATION}; systemctl disable --quiet keepalived"
        )
        before = reloads(machine("director2"))
        run = site()
        assert run.status == 0, run.text
        # It is enabled again, and has read the file: to have been enabled is not to have been started.
        assert machine("director2").service("keepalived").is_enabled
        assert reloads(machine("director2")) == before + 1
        assert order(run) == ["director1", "director2"]
        assert clients.owners(machine) == ["director2"]
        run = cluster.playbook("failover", "-e", "lvs_failover_to=director1", scenario="pair")
        assert run.status == 0, run.text
        assert not load.noticed()


def test_it_stops_at_the_first_that_is_not_well(machine: Machines) -> None:
    standing_by = machine("director2")
    standing_by.check_output("systemctl stop keepalived; systemctl mask --runtime keepalived")
    try:
        run = site()
    finally:
        standing_by.check_output("systemctl unmask --runtime keepalived; systemctl start keepalived")
    assert run.status != 0
    assert order(run) == ["director2"]
    assert clients.owners(machine) == ["director1"]


def test_it_says_so_when_two_have_the_vips_in_the_end(machine: Machines) -> None:
    # It does not hear the other one, so it takes itself for the master.
    deaf = "add table inet test_deaf; add chain inet test_deaf input { type filter hook input priority -300; }"
    machine("director2").check_output(f"nft '{deaf}; add rule inet test_deaf input meta l4proto 112 drop'")
    try:
        clients.until(lambda: clients.owners(machine) == list(clients.DIRECTORS), 30)
        run = site()
    finally:
        machine("director2").check_output("nft delete table inet test_deaf")
    assert run.status != 0
    assert f"{cluster.VIP} is held by director1 and director2; only one director may hold it" in run.text


def test_what_keepalived_refuses_never_reaches_it(machine: Machines, tmp_path: Path) -> None:
    services = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["lvs_virtual_services"]
    for service in services:
        if service["name"] == "stay":
            service["health_check"] = {"type": "tcp", "port": 7002}
    changed = tmp_path / "refused.yml"
    # The role writes nothing that keepalived refuses, as far as is known: what it is shown is broken on the way.
    spoil = 'echo \'vrrp_instance {\' >>"$0"; keepalived --config-test --use-file="$0"'
    validation = ["sh", "-c", spoil, "%s"]
    changed.write_text(yaml.safe_dump({"lvs_virtual_services": services, "director_validation": validation}))
    before = [machine(name).file(CONFIGURATION).content for name in clients.DIRECTORS]
    with clients.clients(held=10) as load:
        run = site("-e", f"@{changed}")
        assert run.status != 0
        assert f"sh refuses {CONFIGURATION}, and no file was changed" in run.text
        assert order(run) == ["director2"]
        assert [machine(name).file(CONFIGURATION).content for name in clients.DIRECTORS] == before
        assert not load.noticed()
