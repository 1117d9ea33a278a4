# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a reboot of every machine, each cell works again with nobody's help."""

from __future__ import annotations

from collections.abc import Callable

import matrix
import pytest
import watch
from testinfra.host import Host

MATRIX = matrix.ROUTED


@pytest.mark.parametrize("name", watch.MACHINES)
def test_it_has_been_rebooted_and_nothing_failed_at_boot(name: str, machine: Callable[[str], Host]) -> None:
    assert watch.boot(name) != watch.boot_file(name).read_text()
    assert machine(name).check_output("systemctl --failed --no-legend --plain") == ""


@pytest.mark.parametrize("cell", MATRIX.cells, ids=lambda cell: cell["name"])
def test_requests_are_split_evenly_and_the_right_one_is_seen(
    cell: matrix.Cell, answers: dict[str, matrix.Answers]
) -> None:
    assert matrix.counted(answers[cell["name"]]) == MATRIX.expected(cell)
