# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown leaves the hosts as they were, and all the while nobody but the director answered for a VIP."""

from __future__ import annotations

from collections.abc import Callable

import cluster
import pytest
import watch
from testinfra.host import Host

VIPS = (
    *(f"192.0.2.{number}" for number in (21, 22, 23, 24, 26)),
    *(f"2001:db8::{number}" for number in (21, 22, 26)),
)


@pytest.mark.parametrize("name", watch.MACHINES)
def test_the_host_is_as_it_was(name: str) -> None:
    assert watch.changes(name) == ""


def test_the_table_is_anothers_alone_and_the_kernel_has_its_own_settings_again(machine: Callable[[str], Host]) -> None:
    director = machine(cluster.DIRECTOR)
    assert cluster.anothers(director) == cluster.KUBE_PROXY
    assert sorted(cluster.table(director)) == cluster.KUBE_PROXY
    # The kernel's own values (ipvs-sysctl.rst and nf_conntrack-sysctl.rst in Documentation/networking).
    assert director.check_output("cat /proc/sys/net/ipv4/vs/conntrack") == "0"
    assert director.check_output("cat /proc/sys/net/netfilter/nf_conntrack_tcp_loose") == "1"


def test_nobody_but_the_director_ever_answered_for_a_vip(machine: Callable[[str], Host]) -> None:
    director = machine(cluster.DIRECTOR).check_output("cat /sys/class/net/cluster/address")
    for vip in VIPS:
        asked, right, wrong = watch.answers(vip, director)
        assert not wrong
        assert asked > 500
        assert right > 100
