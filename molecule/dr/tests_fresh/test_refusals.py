# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that cannot be set up say why in one sentence, and nothing is changed on any host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cluster
import yaml
from testinfra.host import Host

Machines = Callable[[str], Host]

TABLE = {"services": [{"address": cluster.VIP, "port": 80, "protocol": "tcp", "scheduler": "rr"}], "persist": True}


def untouched(host: Host) -> bool:
    """No VIP, no file of ours, no silence."""
    return (
        cluster.VIP not in host.check_output("ip -oneline address")
        and not host.file("/var/lib/lvs-cluster").exists
        and not host.file("/etc/lvs-cluster").exists
        and host.check_output("cat /proc/sys/net/ipv4/conf/all/arp_ignore") == "0"
    )


@contextmanager
def covered(host: Host, path: str) -> Iterator[None]:
    """An empty directory in the place of another, for a while."""
    host.check_output("mount -t tmpfs none %s", path)
    try:
        yield
    finally:
        host.check_output("umount %s", path)


def message(run: cluster.Run) -> str:
    assert run.status != 0
    assert "Traceback" not in run.text
    return " ".join(run.text.split())


def test_pyroute2_missing(machine: Machines) -> None:
    """The scenario has removed the package from rs1."""
    alone = cluster.module("rs1", "arp_silence", {"vips": [cluster.VIP]})
    assert "python3-pyroute2" in message(alone)
    assert "lvs_install_packages" in message(alone)
    run = cluster.playbook("site", "--extra-vars=lvs_install_packages=false")
    assert "has no library pyroute2: install it (Debian and Ubuntu: python3-pyroute2)" in message(run)
    assert not run.tasks("lvs.cluster.real_server")
    for name in (cluster.DIRECTOR, "rs1", "rs2"):
        assert untouched(machine(name))


def test_ip_vs_missing(machine: Machines) -> None:
    director = machine(cluster.DIRECTOR)
    release = director.check_output("uname -r")
    with covered(director, f"/lib/modules/{release}"):
        check = cluster.module(cluster.DIRECTOR, "host_check", {"kernel_modules": ["ip_vs"]})
        run = cluster.module(cluster.DIRECTOR, "ipvs_table", TABLE)
    for text in (message(check), message(run)):
        assert "ip_vs" in text
        assert release in text
    assert untouched(director)


def test_not_root(machine: Machines) -> None:
    become = ["-b", "--become-user=nobody", "--become-method=su", "-e", '{"ansible_become_flags": "-s /bin/sh"}']
    for host, name, arguments in (
        (cluster.DIRECTOR, "ipvs_table", TABLE),
        ("rs1", "arp_silence", {"vips": [cluster.VIP]}),
    ):
        run = cluster.module(host, name, arguments, *become)
        assert "root" in message(run)
        assert "become" in message(run)
        assert untouched(machine(host))


def test_a_host_out_of_reach_stops_the_run_before_it_begins(machine: Machines, tmp_path: Path) -> None:
    inventory = tmp_path / "unreachable.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"rs2": {"ansible_port": 9}}}}))
    run = cluster.playbook("site", "-i", str(inventory))
    assert run.status != 0
    assert run.recap("rs2")["unreachable"] == 1
    for name in (cluster.DIRECTOR, "rs1"):
        assert run.recap(name)["changed"] == 0
        assert untouched(machine(name))
    assert not run.tasks("lvs.cluster.real_server")
    assert not run.tasks("lvs.cluster.director")
