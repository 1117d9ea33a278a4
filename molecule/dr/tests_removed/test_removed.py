# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown leaves the hosts as they were, and all the while nobody but the director answered for the VIP."""

from __future__ import annotations

from collections.abc import Callable

import cluster
import pytest
import watch
from testinfra.host import Host


@pytest.mark.parametrize("name", watch.MACHINES)
def test_the_host_is_as_it_was(name: str) -> None:
    assert watch.changes(name) == ""


def test_the_table_is_empty_and_ipvs_has_its_own_settings_again(machine: Callable[[str], Host]) -> None:
    director = machine(cluster.DIRECTOR)
    assert cluster.table(director) == []
    # The kernel's own values (Documentation/networking/ipvs-sysctl.rst).
    for name in ("expire_nodest_conn", "expire_quiescent_template"):
        assert director.check_output("cat /proc/sys/net/ipv4/vs/%s", name) == "0"


def test_nobody_but_the_director_ever_answered_for_the_vip(machine: Callable[[str], Host]) -> None:
    director = machine(cluster.DIRECTOR).check_output("cat /sys/class/net/cluster/address")
    asked, right, wrong = watch.answers(cluster.VIP, director)
    assert not wrong
    # The watch ran all along, and what it waited for is seen by it.
    assert asked > 1000
    assert right > 100
