# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace's clients (load.py), and what tests ask of a pair of directors."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import cluster
from testinfra.host import Host

DIRECTORS = ("director1", "director2")


class Clients:
    """Requests and connections that go on while a test does something."""

    def __init__(self, to_them: IO[str], from_them: IO[str]) -> None:
        self._input, self._output = to_them, from_them

    def report(self) -> dict[str, Any]:
        """What they saw since the last report, in words too (load.py, Report)."""
        found = self._look()
        print(
            f"{found['requests']} requests, {found['failures']} failed; {found['held']} connections stayed,"
            f" {len(found['broken'])} broke; longest time without a prompt request {found['away'][0]:.2f} s"
        )
        return found

    def beat(self, seconds: float = 60) -> list[str]:
        """Wait until the connections that stay have answered twice more; the requests that failed meanwhile.

        The next report is about the time after that.
        """
        beats = 0
        failed: list[str] = []
        begun = time.monotonic()
        while True:
            found = self._look()
            beats += found["beats"]
            failed += found["failed"]
            if beats >= 2 * found["held"]:
                return failed
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"{beats} answers from {found['held']} connections within {seconds} s")
            time.sleep(0.1)

    def noticed(self) -> list[str]:
        """What went wrong since the last report: requests that failed, also those under way, connections that broke."""
        report = self.report()
        if not report["requests"]:
            raise RuntimeError("nobody asked anything")
        under_way = self.beat() if report["held"] else []
        return [*report["failed"], *under_way, *self._look()["broken"]]

    def end(self) -> None:
        """End them, and with them their connections."""
        self._input.close()

    def _look(self) -> dict[str, Any]:
        self._input.write("report\n")
        self._input.flush()
        found: dict[str, Any] = json.loads(self._output.readline())
        return found


@contextmanager
def clients(rate: int = 50, held: int = 100, port: int = 7001) -> Iterator[Clients]:
    """Requests to the VIP's port 80, and connections that stay to another port of it."""
    program = cluster.ROOT / "molecule" / "load.py"
    words = f"exec {sys.executable} {program} {rate} {held} http://{cluster.VIP}/ {cluster.VIP} {port}"
    pipe = subprocess.PIPE
    shell = str(cluster.LAB / "client.sh")
    with subprocess.Popen([shell, "-c", words], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            if not (process.stdin and process.stdout and process.stdout.readline() == "ready\n"):
                raise RuntimeError("the clients did not get as far as their first answer")
            yield Clients(process.stdin, process.stdout)
        finally:
            process.kill()


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for a condition; how long it took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"it did not come true within {seconds} s")
    return time.monotonic() - begun


def owners(machine: Callable[[str], Host], vip: str = cluster.VIP, directors: Sequence[str] = DIRECTORS) -> list[str]:
    """Those of the directors that have a VIP on their interface; one that does not answer has none."""
    found = []
    for name in directors:
        try:
            listed = machine(name).check_output("ip -o address show dev cluster")
        except RuntimeError:  # testinfra's word for an ssh that failed
            continue
        if f" {vip}/" in listed:
            found.append(name)
    return found


def neighbour(vip: str = cluster.VIP) -> str:
    """Whom the client's kernel takes for the owner of a VIP."""
    words = cluster.on_client("ip", "-oneline", "neighbour", "show", "to", vip).split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


def power(host: str, action: str) -> None:
    """What happens to a machine: reset, pause, resume."""
    lab = cluster.ROOT / "molecule" / "lab" / "lab"
    subprocess.run([str(lab), "power", "molecule", host, action], check=True)
