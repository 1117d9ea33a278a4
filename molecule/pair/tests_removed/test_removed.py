# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown leaves nothing of a pair on its directors."""

from __future__ import annotations

from collections.abc import Callable

import clients
import cluster
import pytest
from testinfra.host import Host


@pytest.mark.parametrize("name", clients.DIRECTORS)
def test_nothing_is_left(name: str, machine: Callable[[str], Host]) -> None:
    director = machine(name)
    assert cluster.VIP not in director.check_output("ip -o address show")
    assert cluster.table(director) == []
    assert "daemon" not in director.check_output("ipvsadm -L --daemon")
    assert not director.file("/var/lib/lvs-cluster").exists
    assert not director.file("/etc/keepalived/keepalived.conf").exists
    assert director.check_output("find /etc/systemd/system -name 'lvs-cluster*' -o -name 'keepalived.service.*'") == ""
    # The kernel's own (Documentation/networking/ipvs-sysctl.rst).
    assert director.check_output("cat /proc/sys/net/ipv4/vs/sync_threshold").split() == ["3", "50"]
    assert director.check_output("cat /proc/sys/net/ipv4/vs/sloppy_tcp") == "0"
