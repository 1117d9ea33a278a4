# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a reboot of every machine, each cell works again with nobody's help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cluster
import matrix
import pytest
import watch
from testinfra.host import Host

CELLS = matrix.cells(Path(__file__).parent.parent / "inventory.yml")
ASKERS = {
    "outsider": {4: "203.0.113.100", 6: "2001:db8:2::100"},
    "prober": {4: "203.0.113.101", 6: "2001:db8:2::101"},
}


@pytest.fixture(scope="session")
def answers(machine: Callable[[str], Host]) -> dict[str, matrix.Answers]:
    for name in watch.MACHINES:
        assert watch.boot(name) != watch.boot_file(name).read_text(), f"{name} has not been rebooted"
    cluster.wait_for_service(vip=CELLS[0]["address"], client="outsider")
    return matrix.ask(CELLS, ASKERS, machine)


@pytest.fixture(scope="session", autouse=True)
def show(answers: dict[str, matrix.Answers], pytestconfig: pytest.Config) -> Iterator[None]:
    yield from matrix.shown(CELLS, answers, pytestconfig)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell["name"])
def test_requests_are_split_evenly_and_the_right_one_is_seen(
    cell: matrix.Cell, answers: dict[str, matrix.Answers]
) -> None:
    peer = ASKERS[matrix.asker(cell, ASKERS)][matrix.version(cell)]
    assert matrix.counted(answers[cell["name"]]) == matrix.evenly(peer)


def test_nothing_has_failed_at_boot(machine: Callable[[str], Host]) -> None:
    for name in watch.MACHINES:
        assert machine(name).check_output("systemctl --failed --no-legend --plain") == ""
