# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of configurations: their head, and keepalived's blocks of lines."""

from __future__ import annotations

from collections.abc import Iterable

#: What a configuration of ours begins with.
HEADER = "# Written by the role lvs.cluster.director: changes made here are lost."


def block(head: str, lines: Iterable[str]) -> list[str]:
    """The lines of a block, those inside indented; they can be the lines of another block."""
    return [f"{head} {{", *(f"    {line}" for line in lines), "}"]


def number(value: float) -> str:
    """Seconds to the millisecond, without an exponent, and without a fraction where there is none."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
