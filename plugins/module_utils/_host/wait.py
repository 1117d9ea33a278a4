# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a condition, with pauses that become longer."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds


def until(
    done: Callable[[], bool],
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[bool, float]:
    """Call ``done`` until it returns true or the time is over. Return its last answer, and the seconds waited."""
    begun, pause = clock(), _FIRST_PAUSE
    while True:
        met = done()
        waited = clock() - begun
        if met or waited >= timeout:
            return met, waited
        sleep(min(pause, timeout - waited))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
