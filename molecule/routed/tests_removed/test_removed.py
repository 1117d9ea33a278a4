# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown leaves the hosts as they were, and all the while no real server answered for a VIP on its own link."""

from __future__ import annotations

from collections.abc import Callable

import cluster
import pytest
import watch
from testinfra.host import Host

VIPS = ("203.0.113.21", "203.0.113.22", "2001:db8:2::21", "2001:db8:2::22")


@pytest.mark.parametrize("name", watch.MACHINES)
def test_the_host_is_as_it_was(name: str) -> None:
    assert watch.changes(name) == ""


def test_the_table_is_empty(machine: Callable[[str], Host]) -> None:
    assert cluster.table(machine(cluster.DIRECTOR)) == []


def test_no_real_server_ever_answered_for_a_vip(machine: Callable[[str], Host]) -> None:
    for vip in VIPS:
        asked, _right, wrong = watch.answers(vip, None)
        assert not wrong
        assert asked > 500
    # The watch hears answers: the router asks for a real server's own address now and then.
    _requests, claims = watch.heard()
    real_server = machine("rs2").check_output("cat /sys/class/net/far/address")
    assert claims["198.51.100.12", real_server]
    assert claims["2001:db8:3::12", real_server]
