# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Five clones of a golden machine against five plain boots, in one run: `.venv/bin/python tests/lab/compare.py`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LAB = ROOT / "molecule" / "lab" / "lab"
FIVE = ROOT / "molecule" / "lab" / "topologies" / "five.yml"


def measure(*options: str) -> float:
    """Seconds until all five machines answer SSH."""
    begun = time.monotonic()
    subprocess.run([str(LAB), "up", str(FIVE), *options], check=True)
    seconds = time.monotonic() - begun
    subprocess.run([str(LAB), "down", "five"], check=True)
    return seconds


def main() -> int:
    subprocess.run([str(LAB), "build", "debian-12"], check=True)
    clones, boots = measure(), measure("--plain")
    print(f"five clones {clones:.1f} s, five plain boots {boots:.1f} s: {boots / clones:.1f} times as long")
    return 0 if clones < boots else 1


if __name__ == "__main__":
    sys.exit(main())
