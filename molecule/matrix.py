# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A matrix of cells, each a service of a scenario's description: real requests, who answered, whom the answerer saw."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import cluster
import pytest
import yaml
from testinfra.host import Host

TIMES = 20
PROBE = cluster.ROOT / "molecule" / "probe.py"

Cell = dict[str, Any]
Answers = list[Any]
#: A host's address by version of IP.
Addresses = Mapping[int, str]


@dataclass(frozen=True)
class Matrix:
    """A scenario's cells, and where questions come from.

    asker is a namespace. prober asks by SCTP, which the kernel below the namespaces may lack: a machine. director is
    whom the real servers of fullnat see.
    """

    scenario: str
    asker: str
    addresses: Addresses
    prober: Addresses
    director: Addresses = field(default_factory=dict)

    @property
    def cells(self) -> list[Cell]:
        """The services that are cells: those by address, but for what is named extra-."""
        inventory = cluster.ROOT / "molecule" / self.scenario / "inventory.yml"
        services: list[Cell] = yaml.safe_load(inventory.read_text())["all"]["vars"]["lvs_virtual_services"]
        return [service for service in services if "address" in service and not service["name"].startswith("extra-")]

    def by_prober(self, cell: Cell) -> bool:
        return cell.get("protocol") == "sctp"

    def ask(self, machine: Callable[[str], Host]) -> dict[str, Answers]:
        """The answers by cell: all cells of one asker are one program's work."""
        cluster.wait_for_service(vip=self.cells[0]["address"], client=self.asker)
        found: dict[str, Answers] = {}
        for by_prober in (False, True):
            some = [cell for cell in self.cells if self.by_prober(cell) == by_prober]
            words = [
                word for cell in some for word in (cell.get("protocol", "tcp"), cell["address"], str(cell["port"]))
            ]
            if by_prober:
                text = machine("prober").check_output(" ".join(["python3 /opt/probe.py", str(TIMES), *words]))
            else:
                text = cluster.on_client("python3", str(PROBE), str(TIMES), *words, seconds=300, client=self.asker)
            found.update((cell["name"], json.loads(line)) for cell, line in zip(some, text.splitlines(), strict=True))
        return found

    def expected(self, cell: Cell) -> dict[tuple[str, ...], int]:
        """What a cell must find: half of the answers by each real server, and the right one seen asking."""
        version = 6 if ":" in cell["address"] else 4
        seen = self.prober if self.by_prober(cell) else self.addresses
        peer = (self.director if cell["forward_method"] == "fullnat" else seen)[version]
        return {("rs1", peer): TIMES // 2, ("rs2", peer): TIMES // 2}

    def show(self, answers: Mapping[str, Answers]) -> None:
        width = max(len(cell["name"]) for cell in self.cells)
        print(f"\n{'service':<{width}} answers of {TIMES}, and who was seen asking")
        for cell in self.cells:
            told = collections.Counter(" ".join(one) if isinstance(one, list) else one for one in answers[cell["name"]])
            seen = ", ".join(f"{count} {what.replace(' ', ' saw ')}" for what, count in sorted(told.items()))
            print(f"{cell['name']:<{width}} {seen}")


METHODS = Matrix(
    "methods",
    "client",
    {4: "192.0.2.100", 6: "2001:db8::100"},
    {4: "192.0.2.101", 6: "2001:db8::101"},
    {4: "192.0.2.2", 6: "2001:db8::2"},
)
ROUTED = Matrix(
    "routed",
    "outsider",
    {4: "203.0.113.100", 6: "2001:db8:2::100"},
    {4: "203.0.113.101", 6: "2001:db8:2::101"},
)


@pytest.fixture(scope="module")
def answers(
    request: pytest.FixtureRequest, machine: Callable[[str], Host], pytestconfig: pytest.Config
) -> Iterator[dict[str, Answers]]:
    """Every cell of a test file's MATRIX asked, once; the matrix is printed when all is done."""
    matrix: Matrix = request.module.MATRIX
    found = matrix.ask(machine)
    yield found
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        matrix.show(found)


def counted(answers: Answers) -> collections.Counter[tuple[str, ...]]:
    return collections.Counter(tuple(one) if isinstance(one, list) else (one,) for one in answers)


def answered(times: str, protocol: str, address: str, port: str) -> collections.Counter[tuple[str, ...]]:
    """So many questions from the client to one service: who answered, and whom they saw."""
    return counted(json.loads(cluster.on_client("python3", str(PROBE), times, protocol, address, port)))
