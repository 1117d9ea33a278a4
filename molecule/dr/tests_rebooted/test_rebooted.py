# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a reboot of a real server and the director, traffic flows again with nobody's help."""

from __future__ import annotations

from collections.abc import Callable

import cluster
import watch
from testinfra.host import Host


def test_traffic_flows_again() -> None:
    for name in (cluster.DIRECTOR, "rs1"):
        assert watch.boot(name) != watch.boot_file(name).read_text(), f"{name} has not been rebooted"
    cluster.wait_for_service()
    assert cluster.ask(30) == {"rs1": 15, "rs2": 15}


def test_the_table_is_back(machine: Callable[[str], Host]) -> None:
    assert sorted(cluster.table(machine(cluster.DIRECTOR))) == [
        f"-A -t {cluster.VIP}:80 -s rr",
        f"-a -t {cluster.VIP}:80 -r 192.0.2.11:80 -g -w 1",
        f"-a -t {cluster.VIP}:80 -r 192.0.2.12:80 -g -w 1",
    ]


def test_nothing_has_failed_at_boot(machine: Callable[[str], Host]) -> None:
    for name in (cluster.DIRECTOR, "rs1"):
        assert machine(name).check_output("systemctl --failed --no-legend --plain") == ""
