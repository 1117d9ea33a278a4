# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to one cluster is not noticed in the other, and a host that both have keeps what each needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import clients
import cluster
import pytest
from testinfra.host import Host

Machines = Callable[[str], Host]

AMS, FRA = "192.0.2.10", "192.0.2.20"
DIRECTORS = {"director1": "192.0.2.2", "director2": "192.0.2.3", "prober": "192.0.2.101", "rs2": "192.0.2.12"}
CLUSTERS = {"ams": ("director1", "director2"), "fra": ("prober", "rs2")}


def run(name: str, *words: str) -> cluster.Run:
    """A run that has to succeed."""
    found = cluster.playbook(name, *words, scenario="clusters")
    assert found.status == 0, found.text
    return found


def verified(*words: str) -> cluster.Run:
    return run("verify", "-e", "lvs_verify_from=client", *words)


def owners(machine: Machines) -> dict[str, list[str]]:
    """The directors of any cluster that have each VIP."""
    return {vip: clients.owners(machine, vip, list(DIRECTORS)) for vip in (AMS, FRA)}


def changed(found: cluster.Run) -> dict[str, int]:
    return {host: found.recap(host).get("changed", 0) for host in (*DIRECTORS, "rs1")}


def test_both_serve_and_are_as_described(machine: Machines) -> None:
    assert owners(machine) == {AMS: ["director1"], FRA: ["prober"]}
    for vip in (AMS, FRA):
        assert set(cluster.ask(4, f"http://{vip}/")) == {"rs1"}
    on_lo = machine("rs1").check_output("ip -o address show dev lo")
    assert f" {AMS}/" in on_lo
    assert f" {FRA}/" in on_lo
    found = verified()
    assert "cluster ams: director1 has 192.0.2.10" in found.text
    assert "cluster fra: prober has 192.0.2.20" in found.text


def test_adverts_stay_within_their_cluster(machine: Machines) -> None:
    for names in CLUSTERS.values():
        for name in names:
            program = (cluster.ROOT / "molecule" / "adverts.py").read_text()
            heard = json.loads(machine(name).check_output("python3 -c %s cluster 3", program))
            assert heard
            assert set(heard) <= {DIRECTORS[peer] for peer in names}, f"{name} heard {heard}"


def test_a_failover_of_one(machine: Machines) -> None:
    with clients.clients(held=10) as load:
        for to in ("rs2", "prober"):
            run("failover", "-e", f"lvs_failover_to={to}")
            assert owners(machine) == {AMS: ["director1"], FRA: [to]}
        assert not load.noticed()


@contextmanager
def unwritable(host: Host, path: str) -> Iterator[None]:
    """Nothing can be written there, not even by root."""
    host.check_output(f"mount --bind {path} {path} && mount -o remount,bind,ro {path}")
    try:
        yield
    finally:
        host.check_output(f"umount {path}")


def test_one_is_broken_while_the_other_is_changed(machine: Machines) -> None:
    """Both get another keepalived.conf: no director of fra can write it. fra's master is not tried after its backup."""
    words = ["-e", "ams_interval=2", "-e", "director_preempt_delay=29"]
    before = machine("prober").check_output("cat /etc/keepalived/keepalived.conf")
    with clients.clients(held=10) as load:
        with unwritable(machine("rs2"), "/etc/keepalived"):
            found = cluster.playbook("site", *words, scenario="clusters")
        assert found.status != 0
        assert "ams      ok      director1 and director2" in found.text
        assert "fra      failed" in found.text
        assert "rs2 failed, so prober is unchanged: run it again when that is mended" in found.text
        assert changed(found)["prober"] == 0
        assert machine("prober").check_output("cat /etc/keepalived/keepalived.conf") == before
        assert owners(machine) == {AMS: ["director1"], FRA: ["prober"]}
        found = run("site", *words)
        assert [host for host, count in changed(found).items() if count] == ["prober", "rs2"]
        assert not any(changed(run("site", *words)).values())
        verified(*words)
        run("site")
        assert not load.noticed()


def test_a_real_server_of_both_is_drained_in_one(machine: Machines) -> None:
    with clients.clients(held=10) as load:
        run("drain", "-e", "lvs_real_servers=rs1", "-e", "lvs_clusters=fra", "-e", "lvs_minimum_in_service=0")
        weights = {name: [line for line in cluster.table(machine(name)) if " -w 0" in line] for name in DIRECTORS}
        assert [name for name, drained in weights.items() if drained] == ["prober", "rs2"]
        assert not load.noticed()
    run("undrain", "-e", "lvs_real_servers=rs1")
    verified()


def test_one_is_torn_down_and_comes_back(machine: Machines) -> None:
    with clients.clients(held=10) as load:
        run("teardown", "-e", "lvs_clusters=fra")
        assert owners(machine) == {AMS: ["director1"], FRA: []}
        for name in CLUSTERS["fra"]:
            assert cluster.table(machine(name)) == []
        on_lo = machine("rs1").check_output("ip -o address show dev lo")
        assert f" {AMS}/" in on_lo
        assert f" {FRA}/" not in on_lo
        # The inventory still describes fra, and rs1 lacks what it needs.
        found = cluster.playbook(
            "verify", "-e", "lvs_verify_from=client", "-e", "lvs_clusters=ams", scenario="clusters"
        )
        assert found.status != 0
        assert f"rs1: the VIP {FRA}/32 dev lo is absent" in found.text
        verified("-e", "lvs_clusters=ams", "-e", "lvs_left_out=rs1")
        assert not load.noticed()
    run("site", "-e", "lvs_clusters=fra")
    verified()


@pytest.mark.parametrize("limit", ["director2", "rs2:rs1"])
def test_a_part_of_the_hosts_changes_nothing(limit: str) -> None:
    """A slice of the hosts: each is set up from the whole inventory."""
    found = run("site", "--limit", limit)
    assert not any(changed(found).values())
    assert "was not removed" not in found.text


def test_a_user_with_a_password_becomes_root(machine: Machines) -> None:
    """Neither root's login nor a rule without a password is needed."""
    rs1 = machine("rs1")
    rs1.check_output(
        "useradd -m -s /bin/bash -G sudo ops && echo ops:correct-horse | chpasswd && install -d -o ops /home/ops/.ssh"
        " && install -o ops -m 600 /root/.ssh/authorized_keys /home/ops/.ssh/"
    )
    words = ["-e", "ansible_user=ops", "--limit", "rs1"]
    assert (
        "ops"
        in cluster.ansible("ansible", "rs1", *words[:2], "-m", "command", "-a", "id -un", scenario="clusters").text
    )
    refused = cluster.playbook("site", *words, "-e", "ansible_become_password=wrong", scenario="clusters")
    assert refused.status != 0
    found = run("site", *words, "-e", "ansible_become_password=correct-horse")
    assert changed(found)["rs1"] == 0
