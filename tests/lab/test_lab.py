# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab on this machine: quick, tidy, and able to live beside another. Needs root; images are built if need be."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LAB = ROOT / "molecule" / "lab" / "lab"
TOPOLOGIES = ROOT / "molecule" / "lab" / "topologies"
HOME = Path(os.environ.get("LVS_LAB_HOME", "/var/lib/lvs-lab"))
HOSTS = [f"host{number}" for number in range(1, 6)]


def lab(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(LAB), *words]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def processes() -> list[str]:
    """The command lines that belong to labs."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(line for line in listed if "qemu-system" in line or str(HOME) in line)


def traces() -> dict[str, list[str]]:
    """Everything that a lab could leave behind on this machine."""

    def lines(*command: str) -> list[str]:
        return sorted(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())

    return {
        "namespaces": lines("ip", "netns", "list"),
        "interfaces": [line.split(": ")[1] for line in lines("ip", "-oneline", "link", "show")],
        "processes": processes(),
        "files": sorted(str(path) for path in (HOME / "labs").glob("*")),
    }


@pytest.fixture(autouse=True, scope="module")
def _images() -> None:
    """What is measured is the lab, not the building of its image."""
    built = lab("build", "debian-12", "debian-13")
    assert built.returncode == 0, built.stderr


@pytest.fixture
def before() -> Iterator[dict[str, list[str]]]:
    state = traces()
    yield state
    lab("down", "five", "beside")


def test_five_machines_come_quickly_beside_another_lab_and_go_without_a_trace(before: dict[str, list[str]]) -> None:
    beside = lab("up", str(TOPOLOGIES / "kernel.yml"), "--name", "beside")
    assert beside.returncode == 0, beside.stderr
    with_beside = traces()

    begun = time.monotonic()
    up = lab("up", str(TOPOLOGIES / "five.yml"))
    seconds = time.monotonic() - begun
    assert up.returncode == 0, up.stderr
    print(f"five machines answer SSH after {seconds:.1f} s, with two others running")
    assert [lab("ssh", "five", host, "hostname").stdout.strip() for host in HOSTS] == HOSTS
    assert lab("ssh", "beside", "debian13", "hostname").stdout.strip() == "debian13"
    assert seconds < 45

    again = lab("up", str(TOPOLOGIES / "five.yml"))
    assert again.returncode == 0
    assert "is up already" in again.stderr

    assert lab("down", "five").returncode == 0
    assert traces() == with_beside
    assert lab("ssh", "beside", "debian12", "hostname").stdout.strip() == "debian12"
    assert lab("down", "beside").returncode == 0
    assert traces() == before


def test_clones_share_no_identity(before: dict[str, list[str]]) -> None:
    assert lab("up", str(TOPOLOGIES / "kernel.yml"), "--name", "five").returncode == 0
    assert lab("up", str(TOPOLOGIES / "kernel.yml"), "--name", "beside").returncode == 0
    shown = [
        lab(
            "ssh", name, "debian12", "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key; head -c 16 /dev/urandom | od"
        ).stdout
        for name in ("five", "beside")
    ]
    assert all(len(text.splitlines()) > 5 for text in shown)
    # Only the frame of a private key's file, and the end of od's output, are the same.
    same = set(shown[0].splitlines()) & set(shown[1].splitlines())
    assert all(line.startswith(("-----", "b3BlbnNzaC1rZXktdjE", "QyNTUxOQ", "00000")) for line in same), same
    clocks = [int(lab("ssh", name, "debian12", "date +%s").stdout) for name in ("five", "beside")]
    assert all(abs(clock - time.time()) < 30 for clock in clocks)


def test_a_lab_that_is_stopped_half_way_up_is_taken_down(before: dict[str, list[str]]) -> None:
    command = [str(LAB), "up", str(TOPOLOGIES / "five.yml")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((HOME / "labs" / "five").glob("*/process")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _output, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in complaint
    assert traces() == before


def test_a_missing_tool_is_one_sentence(before: dict[str, list[str]], tmp_path: Path) -> None:
    # The launcher needs these few; QEMU is not among them.
    for tool in ("sh", "dirname", "readlink"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    refused = lab("up", str(TOPOLOGIES / "five.yml"), PATH=str(tmp_path))
    assert refused.returncode == 1
    (sentence,) = refused.stderr.splitlines()
    assert "qemu-system-x86_64" in sentence
    assert "apt-get install" in sentence
    assert traces() == before


def test_a_lab_that_is_not_up_is_one_sentence() -> None:
    refused = lab("ssh", "nowhere", "host1")
    assert refused.returncode == 1
    assert refused.stderr.startswith("lab: no lab named 'nowhere' is up")
