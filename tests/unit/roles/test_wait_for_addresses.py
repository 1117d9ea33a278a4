# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that waits for the addresses of keepalived, with stand-ins for ip and systemctl."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles" / "director" / "files" / "wait-for-addresses"
LIMIT = 30  # seconds
#: Shows an address once there is a file of its name; notes what it was called with.
IP = """#!/bin/sh
echo "$*" >>"$PLACE/asked"
for word; do [ -e "$PLACE/$word" ] && echo "1: eth1 inet $word"; done
exit 0
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$PLACE/told"
[ "$1" = reload ] || [ -e "$PLACE/active" ]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, text in (("ip", IP), ("systemctl", SYSTEMCTL)):
        program = tmp_path / name
        program.write_text(text)
        program.chmod(0o755)
    return tmp_path


def start(place: Path, *words: str) -> subprocess.Popen[str]:
    environment = {"PATH": f"{place}:/usr/bin:/bin", "PLACE": str(place), "RUNTIME_DIRECTORY": str(place)}
    return subprocess.Popen(["sh", str(PROGRAM), *words], env=environment, stdout=subprocess.PIPE, text=True)


def asked(place: Path, times: int) -> None:
    """Wait until it has looked so often."""
    ends = time.monotonic() + LIMIT
    while not (place / "asked").exists() or len((place / "asked").read_text().splitlines()) < times:
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_it_waits_until_all_can_be_used(place: Path) -> None:
    (place / "192.0.2.1").touch()
    process = start(place, "start", "192.0.2.1", "2001:db8::1", "6=eth2")
    asked(place, 4)
    assert process.poll() is None
    (place / "2001:db8::1").touch()
    asked(place, 8)
    assert process.poll() is None
    assert not (place / "in-time").exists()
    (place / "eth2").touch()
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert (place / "in-time").exists()
    assert set((place / "asked").read_text().splitlines()) == {
        "-o address show to 192.0.2.1 -tentative",
        "-o address show to 2001:db8::1 -tentative",
        "-6 -o address show dev eth2 -tentative",
    }


def test_it_reloads_only_if_they_came_late(place: Path) -> None:
    (place / "192.0.2.1").touch()
    (place / "in-time").touch()
    process = start(place, "late", "192.0.2.1")
    assert process.communicate(timeout=LIMIT)[0] == ""
    assert process.returncode == 0
    assert not (place / "told").exists()
    (place / "in-time").unlink()
    process = start(place, "late", "192.0.2.1")
    asked(place, 1)
    (place / "active").touch()
    said, _none = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert said == "keepalived starts although not all of these can be used: 192.0.2.1\n"
    assert (place / "told").read_text().endswith("-q is-active keepalived\nreload keepalived\n")
