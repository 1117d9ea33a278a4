# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels of every type, protocol and family, and NAT with two links: who answered, and whom the answerer saw."""

from __future__ import annotations

import matrix
import pytest

MATRIX = matrix.ROUTED


@pytest.mark.parametrize("cell", MATRIX.cells, ids=lambda cell: cell["name"])
def test_requests_are_split_evenly_and_the_right_one_is_seen(
    cell: matrix.Cell, answers: dict[str, matrix.Answers]
) -> None:
    assert matrix.counted(answers[cell["name"]]) == MATRIX.expected(cell)
