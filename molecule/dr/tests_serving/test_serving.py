# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster serves as described: seen in packets, in logs, in the kernel's table and in a neighbour's cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cluster
import yaml
from testinfra.host import Host

Machines = Callable[[str], Host]

LOG = "/var/log/nginx/access.log"
EXPECTED = [
    f"-A -t {cluster.VIP}:80 -s rr",
    f"-a -t {cluster.VIP}:80 -r 192.0.2.11:80 -g -w 1",
    f"-a -t {cluster.VIP}:80 -r 192.0.2.12:80 -g -w 1",
]


def description(path: Path, **changes: object) -> str:
    """The scenario's description with changes in its one service, as an option of ansible-playbook."""
    inventory = yaml.safe_load((cluster.ROOT / "molecule/dr/inventory.yml").read_text())
    service = {**inventory["all"]["vars"]["lvs_virtual_services"][0], **changes}
    path.write_text(yaml.safe_dump({"lvs_virtual_services": [service]}))
    return f"--extra-vars=@{path}"


def test_requests_are_split_evenly_and_the_client_is_seen(machine: Machines) -> None:
    cluster.wait_for_service()
    before = {name: len(machine(name).file(LOG).content_string.splitlines()) for name in cluster.REAL_SERVERS}
    assert cluster.ask(30) == {"rs1": 15, "rs2": 15}
    for name in cluster.REAL_SERVERS:
        lines = machine(name).file(LOG).content_string.splitlines()[before[name] :]
        assert [line.split()[0] for line in lines] == [cluster.CLIENT] * 15


def test_the_table_is_what_ipvsadm_shows(machine: Machines) -> None:
    assert sorted(cluster.table(machine(cluster.DIRECTOR))) == EXPECTED


def test_units_are_confined_and_do_what_they_are_for(machine: Machines) -> None:
    for name, unit in ((cluster.DIRECTOR, "ipvs"), *((name, "vips") for name in cluster.REAL_SERVERS)):
        assert f"lvs-cluster-{unit}.service" in cluster.confined(machine(name))
    assert sorted(cluster.table(machine(cluster.DIRECTOR))) == EXPECTED
    assert cluster.ask(10) == {"rs1": 5, "rs2": 5}


def test_the_clients_neighbour_is_the_director(machine: Machines) -> None:
    cluster.ask(1)
    neighbour = cluster.on_client("ip", "-oneline", "neighbour", "show", "to", cluster.VIP).split()
    expected = machine(cluster.DIRECTOR).check_output("cat /sys/class/net/cluster/address")
    assert neighbour[neighbour.index("lladdr") + 1] == expected


def test_a_changed_weight_is_the_only_difference_that_a_check_shows(machine: Machines, tmp_path: Path) -> None:
    servers = [{"group": "real_servers"}, {"host": "rs2", "weight": 3}]
    run = cluster.playbook("site", "--check", "--diff", description(tmp_path / "weight.yml", real_servers=servers))
    assert run.status == 0, run.text
    changed = [line for line in run.text.splitlines() if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]
    old, new = (f"-a -t {cluster.VIP}:80 -r 192.0.2.12:80 -g -w {weight}" for weight in (1, 3))
    # Once in the kernel's table, once in the file that brings it back at boot.
    assert changed == [f"-{old}", f"+{new}"] * 2
    assert [run.recap(host)["changed"] for host in (cluster.DIRECTOR, "rs1", "rs2")] == [1, 0, 0]
    assert sorted(cluster.table(machine(cluster.DIRECTOR))) == EXPECTED
    # The same run shows what it costs: every task is a round trip to every host.
    assert 0 < len(run.tasks("lvs.cluster.director")) <= 15
    assert 0 < len(run.tasks("lvs.cluster.real_server")) <= 10


def test_verify_is_content(machine: Machines) -> None:
    run = cluster.playbook("verify", "--extra-vars=lvs_verify_from=client")
    assert run.status == 0, run.text
    assert all(run.recap(host)["changed"] == 0 for host in (cluster.DIRECTOR, "rs1", "rs2", "client"))


def test_verify_names_a_real_server_that_answers_arp(machine: Machines, tmp_path: Path) -> None:
    vip = "192.0.2.99"
    hosts = [machine(cluster.DIRECTOR), machine("rs2")]
    for host in hosts:
        host.check_output("ip address add %s/32 dev cluster", vip)
    try:
        run = cluster.playbook("verify", description(tmp_path / "vip.yml", address=vip))
    finally:
        for host in hosts:
            host.check_output("ip address del %s/32 dev cluster", vip)
    assert run.status != 0
    assert f"rs2 answers ARP for {vip} on cluster: it has the address on that interface" in " ".join(run.text.split())
