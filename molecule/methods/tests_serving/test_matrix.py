# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every cell of methods x protocols x families: real requests, who answered them, and whom the answerer saw."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Iterator
from typing import Any

import cluster
import pytest
import yaml
from testinfra.host import Host

Machines = Callable[[str], Host]

TIMES = 20
INVENTORY = yaml.safe_load((cluster.ROOT / "molecule/methods/inventory.yml").read_text())
SERVICES: list[dict[str, Any]] = INVENTORY["all"]["vars"]["lvs_virtual_services"]
CELLS = [service for service in SERVICES if "address" in service]
#: Where questions come from, by what asks and family.
CLIENTS = {
    "client": {4: "192.0.2.100", 6: "2001:db8::100"},
    "prober": {4: "192.0.2.101", 6: "2001:db8::101"},
}
DIRECTOR = {4: "192.0.2.2", 6: "2001:db8::2"}

Answers = list[Any]


def family(service: dict[str, Any]) -> int:
    return 6 if ":" in service["address"] else 4


def asker(service: dict[str, Any]) -> str:
    return "prober" if service.get("protocol") == "sctp" else "client"


@pytest.fixture(scope="session")
def answers(machine: Machines) -> dict[str, Answers]:
    """The answers by service: all cells of one asker are one program's work."""
    cluster.wait_for_service(vip=CELLS[0]["address"])
    found: dict[str, Answers] = {}
    for name in CLIENTS:
        cells = [cell for cell in CELLS if asker(cell) == name]
        words = [word for cell in cells for word in (cell.get("protocol", "tcp"), cell["address"], str(cell["port"]))]
        if name == "client":
            probe = str(cluster.ROOT / "molecule" / "probe.py")
            text = cluster.on_client("python3", probe, str(TIMES), *words, seconds=300)
        else:
            text = machine(name).check_output(" ".join(["python3 /opt/probe.py", str(TIMES), *words]))
        lines = text.splitlines()
        found.update((cell["name"], json.loads(line)) for cell, line in zip(cells, lines, strict=True))
    return found


@pytest.fixture(scope="session", autouse=True)
def matrix(answers: dict[str, Answers], pytestconfig: pytest.Config) -> Iterator[None]:
    """Show the matrix when all is done."""
    yield
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{'service':<20} answers of {TIMES}, and who was seen asking")
        for cell in CELLS:
            told = collections.Counter(" ".join(one) if isinstance(one, list) else one for one in answers[cell["name"]])
            seen = ", ".join(f"{count} {what.replace(' ', ' saw ')}" for what, count in sorted(told.items()))
            print(f"{cell['name']:<20} {seen}")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell["name"])
def test_requests_are_split_evenly_and_the_right_one_is_seen(cell: dict[str, Any], answers: dict[str, Answers]) -> None:
    version = family(cell)
    peer = DIRECTOR[version] if cell["forward_method"] == "fullnat" else CLIENTS[asker(cell)][version]
    assert collections.Counter(map(tuple, answers[cell["name"]])) == {
        ("rs1", peer): TIMES // 2,
        ("rs2", peer): TIMES // 2,
    }
