# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs about a part of the cluster: the tables alone, steps that tags choose, hosts without one that is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import clients
import cluster
import yaml
from pairs import INVENTORY, RULES, table
from testinfra.host import Host

Machines = Callable[[str], Host]

#: A service of the health checker and one of the role, with the lines of ipvsadm for rs2.
LINES = {
    "web": f"-a -t {cluster.VIP}:80 -r 192.0.2.12:80 -g -w",
    "unchecked": f"-a -t {cluster.VIP}:7002 -r 192.0.2.12:7002 -g -w",
}


def weights(path: Path, weight: int) -> list[str]:
    """The arguments with which rs2 has another weight in two services."""
    services = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["lvs_virtual_services"]
    for service in services:
        if service["name"] in LINES:
            service["real_servers"] = [{"group": "real_servers"}, {"host": "rs2", "weight": weight}]
    path.write_text(yaml.safe_dump({"lvs_virtual_services": services}))
    return ["-e", f"@{path}"]


def expected(weight: int) -> list[str]:
    lines = {f"{line} 1": f"{line} {weight}" for line in LINES.values()}
    return sorted(lines.get(rule, rule) for rule in RULES)


def took(name: str, *words: str) -> tuple[cluster.Run, float]:
    begun = time.monotonic()
    run = cluster.playbook(name, *words, scenario="pair")
    assert run.status == 0, run.text
    return run, time.monotonic() - begun


def test_weights_are_changed_by_the_tables_alone(machine: Machines, tmp_path: Path) -> None:
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)
    with clients.clients(held=10) as load:
        changed = weights(tmp_path / "weights.yml", 3)
        run, first = took("table", *changed)
        clients.until(lambda: all(table(machine(name)) == expected(3) for name in clients.DIRECTORS), 30)
        assert [run.recap(name)["changed"] for name in clients.DIRECTORS] == [2, 2]
        assert not run.recap("rs1")
        run, again = took("table", *changed)
        assert [run.recap(name)["changed"] for name in clients.DIRECTORS] == [0, 0]
        run, whole = took("site", *changed)
        assert {run.recap(name)["changed"] for name in (*clients.DIRECTORS, *cluster.REAL_SERVERS)} == {0}
        # By tags too, and back. A weight that the description does not give would stay in the service of the role.
        took("site", "--tags", "lvs_table,lvs_keepalived", *weights(tmp_path / "back.yml", 1))
        clients.until(lambda: all(table(machine(name)) == sorted(RULES) for name in clients.DIRECTORS), 30)
        assert not load.noticed()
    print(f"two weights: table {first:.0f} s, without changes {again:.0f} s; site without changes {whole:.0f} s")


def test_a_real_server_that_is_down_is_left_out_and_named(machine: Machines, tmp_path: Path) -> None:
    down = tmp_path / "down.yml"
    down.write_text(yaml.safe_dump({"all": {"hosts": {"rs2": {"ansible_port": 9}}}}))
    run = cluster.playbook("site", "-i", str(down), scenario="pair")
    assert run.status != 0
    assert run.recap("rs2")["unreachable"] == 1
    assert not run.tasks("lvs.cluster.director")
    run, _seconds = took("site", "-i", str(down), "-e", "lvs_left_out=rs2")
    assert "rs2 was left out of this run." in run.text
    assert not run.recap("rs2")
    assert {run.recap(name)["changed"] for name in (*clients.DIRECTORS, "rs1")} == {0}
    assert all(table(machine(name)) == sorted(RULES) for name in clients.DIRECTORS)
