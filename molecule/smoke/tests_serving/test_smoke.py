# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators do most: a planned failover and back, a drain and back, and a run of site that takes a real server out
of services and that is killed and repeated. Clients notice none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import clients
import cluster
import pytest
import titles
import yaml
from pairs import INVENTORY, RULES, killed_after, table
from testinfra.host import Host

Machines = Callable[[str], Host]

LEFT = ("web", "unchecked")  # a service of the health checker and one of the role
PORTS = (80, 7002)


@pytest.fixture(scope="module")
def load(machine: Machines) -> Iterator[clients.Clients]:
    """Fifty requests a second and a hundred connections that stay, from before the first test to after the last."""
    # After the very first run the second director has the VIPs, until the first one takes them.
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)
    clients.until(lambda: all(table(machine(name)) == sorted(RULES) for name in clients.DIRECTORS), 60)
    with clients.clients() as running:
        yield running


def play(name: str, *words: str) -> cluster.Run:
    run = cluster.playbook(name, *words, scenario="pair")
    assert run.status == 0, run.text
    return run


def test_a_planned_failover_and_back(machine: Machines, load: clients.Clients) -> None:
    for to in ("director2", "director1"):
        play("failover", "-e", f"lvs_failover_to={to}")
        assert clients.owners(machine) == [to]
        assert not load.noticed()


def test_a_drain_and_back(machine: Machines, load: clients.Clients) -> None:
    # The connections that stay do not end, so there is nothing to wait for.
    play("drain", "-e", "lvs_real_servers=rs1", "-e", "lvs_drain_timeout=0", "-e", "lvs_drain_expired=force")
    for name in clients.DIRECTORS:
        weights = {line.rpartition(" ")[2] for line in table(machine(name)) if " -r 192.0.2.11:" in line}
        assert weights == {"0"}, name
    assert set(cluster.ask(10)) == {"rs2"}
    play("undrain", "-e", "lvs_real_servers=rs1")
    assert not load.noticed()


def without_rs1(path: Path) -> list[str]:
    """The arguments with which rs1 has left two services."""
    services = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["lvs_virtual_services"]
    for service in services:
        if service["name"] in LEFT:
            service["real_servers"] = [{"host": "rs2"}]
    path.write_text(yaml.safe_dump({"lvs_virtual_services": services}))
    return ["-e", f"@{path}"]


def test_a_real_server_leaves_by_a_run_that_is_killed_and_repeated(
    machine: Machines, load: clients.Clients, tmp_path: Path
) -> None:
    change = without_rs1(tmp_path / "changed.yml")
    # On the first of the directors, when keepalived has what the other does not have yet.
    assert killed_after(titles.START_KEEPALIVED, *change)
    assert not load.noticed()
    play("site", *change)
    gone = {f"-a -t {cluster.VIP}:{port} -r 192.0.2.11:{port} -g -w 1" for port in PORTS}
    assert gone < set(RULES)
    clients.until(lambda: all(table(machine(name)) == sorted({*RULES} - gone) for name in clients.DIRECTORS), 30)
    assert set(cluster.ask(10)) == {"rs2"}
    assert not load.noticed()
