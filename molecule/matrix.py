# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A matrix of cells, each a service of a scenario's description: real requests, who answered, whom the answerer saw."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cluster
import pytest
import yaml
from testinfra.host import Host

TIMES = 20
PROBE = cluster.ROOT / "molecule" / "probe.py"

Cell = dict[str, Any]
Answers = list[Any]
#: Where questions come from: the asker's name, and its addresses by version of IP.
Askers = Mapping[str, Mapping[int, str]]


def cells(inventory: Path) -> list[Cell]:
    """The services of a scenario that are cells: those by address, but for what is named extra-."""
    services: list[Cell] = yaml.safe_load(inventory.read_text())["all"]["vars"]["lvs_virtual_services"]
    return [service for service in services if "address" in service and not service["name"].startswith("extra-")]


def version(cell: Cell) -> int:
    return 6 if ":" in cell["address"] else 4


def asker(cell: Cell, askers: Askers) -> str:
    """A machine for SCTP, which the kernel below the namespaces may lack."""
    return "prober" if cell.get("protocol") == "sctp" else next(name for name in askers if name != "prober")


def ask(all_cells: list[Cell], askers: Askers, machine: Callable[[str], Host]) -> dict[str, Answers]:
    """The answers by cell: all cells of one asker are one program's work."""
    found: dict[str, Answers] = {}
    for name in askers:
        some = [cell for cell in all_cells if asker(cell, askers) == name]
        words = [word for cell in some for word in (cell.get("protocol", "tcp"), cell["address"], str(cell["port"]))]
        if name == "prober":
            text = machine(name).check_output(" ".join(["python3 /opt/probe.py", str(TIMES), *words]))
        else:
            text = cluster.on_client("python3", str(PROBE), str(TIMES), *words, seconds=300, client=name)
        found.update((cell["name"], json.loads(line)) for cell, line in zip(some, text.splitlines(), strict=True))
    return found


def shown(all_cells: list[Cell], answers: Mapping[str, Answers], pytestconfig: pytest.Config) -> Iterator[None]:
    """Print the matrix when all is done: what a fixture yields from."""
    yield
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    width = max(len(cell["name"]) for cell in all_cells)
    with capture.global_and_fixture_disabled():
        print(f"\n{'service':<{width}} answers of {TIMES}, and who was seen asking")
        for cell in all_cells:
            told = collections.Counter(" ".join(one) if isinstance(one, list) else one for one in answers[cell["name"]])
            seen = ", ".join(f"{count} {what.replace(' ', ' saw ')}" for what, count in sorted(told.items()))
            print(f"{cell['name']:<{width}} {seen}")


def evenly(peer: str) -> dict[tuple[str, str], int]:
    """What every cell must find: half of the answers by each real server, and this asker seen."""
    return {("rs1", peer): TIMES // 2, ("rs2", peer): TIMES // 2}


def counted(answers: Answers) -> collections.Counter[tuple[str, ...]]:
    return collections.Counter(tuple(one) if isinstance(one, list) else (one,) for one in answers)
