# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every cell of methods x protocols x families: real requests, who answered them, and whom the answerer saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cluster
import matrix
import pytest
from testinfra.host import Host

CELLS = matrix.cells(Path(__file__).parent.parent / "inventory.yml")
ASKERS = {
    "client": {4: "192.0.2.100", 6: "2001:db8::100"},
    "prober": {4: "192.0.2.101", 6: "2001:db8::101"},
}
DIRECTOR = {4: "192.0.2.2", 6: "2001:db8::2"}


@pytest.fixture(scope="session")
def answers(machine: Callable[[str], Host]) -> dict[str, matrix.Answers]:
    cluster.wait_for_service(vip=CELLS[0]["address"])
    return matrix.ask(CELLS, ASKERS, machine)


@pytest.fixture(scope="session", autouse=True)
def show(answers: dict[str, matrix.Answers], pytestconfig: pytest.Config) -> Iterator[None]:
    yield from matrix.shown(CELLS, answers, pytestconfig)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell["name"])
def test_requests_are_split_evenly_and_the_right_one_is_seen(
    cell: matrix.Cell, answers: dict[str, matrix.Answers]
) -> None:
    seen = DIRECTOR if cell["forward_method"] == "fullnat" else ASKERS[matrix.asker(cell, ASKERS)]
    peer = seen[matrix.version(cell)]
    assert matrix.counted(answers[cell["name"]]) == matrix.evenly(peer)
