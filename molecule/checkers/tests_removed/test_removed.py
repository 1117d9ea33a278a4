# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown leaves nothing of a health checker on the directors."""

from __future__ import annotations

from collections.abc import Callable

import clients
import cluster
import pytest
from testinfra.host import Host

LEFT = "find /etc /usr/local/lib /var/lib /run -path '*lvs-cluster*' 2>/dev/null"


@pytest.mark.parametrize("name", clients.DIRECTORS)
def test_nothing_is_left(name: str, machine: Callable[[str], Host]) -> None:
    director = machine(name)
    assert cluster.table(director) == []
    assert cluster.VIP not in director.check_output("ip -o address show")
    found = set(director.run(LEFT).stdout.split()) - {"/run/lvs-cluster-ipvs.lock"}
    assert not found
    for unit in ("ldirectord", "mon", "keepalived"):
        assert not director.service(unit).is_running
