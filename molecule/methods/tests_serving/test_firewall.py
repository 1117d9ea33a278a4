# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind a firewall of the host's own that drops everything, services need the rules that the role writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import cluster
import matrix
import pytest
from testinfra.host import Host

CELLS = [cell for cell in matrix.METHODS.cells if cell.get("protocol", "tcp") == "tcp" and not cell.get("synproxy")]
FIREWALL = """
table inet host_firewall {
    chain input {
        type filter hook input priority filter; policy drop;
        %s
        iifname { lo, mgmt } accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        %s
    }
}
"""
INCLUDES = tuple(f'include "/opt/openings/lvs-cluster-{hook}.nft"' for hook in ("input", "forward"))


@pytest.fixture
def load(machine: Callable[[str], Host]) -> Iterator[Callable[[str, str], None]]:
    """Load the firewall of the host's own, with these lines in its chains."""
    director = machine(cluster.DIRECTOR)

    def swap(*lines: str) -> None:
        script = "table inet host_firewall\ndelete table inet host_firewall\n" + FIREWALL % lines
        director.check_output("printf %%s %s > /run/host_firewall.nft && nft -f /run/host_firewall.nft", script)

    yield swap
    director.check_output("nft delete table inet host_firewall; rm /run/host_firewall.nft")


def answered() -> dict[str, int]:
    """How many of two requests each cell answers."""
    words = [word for cell in CELLS for word in ("tcp", cell["address"], str(cell["port"]))]
    lines = cluster.on_client("python3", str(matrix.PROBE), "2", *words, seconds=600).splitlines()
    return {
        cell["name"]: sum(isinstance(one, list) for one in json.loads(line))
        for cell, line in zip(CELLS, lines, strict=True)
    }


def test_the_rules_let_through_what_the_services_need(load: Callable[[str, str], None]) -> None:
    cluster.wait_for_service(vip=CELLS[0]["address"])
    load(*INCLUDES)
    assert answered() == {cell["name"]: 2 for cell in CELLS}
    load("", "")
    words = [word for cell in CELLS[:1] for word in ("tcp", cell["address"], str(cell["port"]))]
    (line,) = cluster.on_client("python3", str(matrix.PROBE), "1", *words).splitlines()
    assert not isinstance(json.loads(line)[0], list), "a firewall that drops everything drops nothing"
