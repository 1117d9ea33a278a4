# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables of the directors of the scenario pair are, when all is well, and when they change."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import cluster
from testinfra.host import Host

INVENTORY = cluster.ROOT / "molecule" / "pair" / "inventory.yml"

VIP6 = "[2001:db8::10]"
RULES = [
    f"-A -t {cluster.VIP}:80 -s mh -b mh-fallback,mh-port",
    f"-A -t {cluster.VIP}:7001 -s rr",
    f"-A -t {cluster.VIP}:7002 -s wrr",
    f"-A -t {cluster.VIP}:7003 -s rr",
    f"-A -t {cluster.VIP}:8000 -s rr",
    *(f"-a -t {cluster.VIP}:8000 -r 192.0.2.1{one}:7002 -m -w 1" for one in (1, 2)),
    f"-A -t {VIP6}:80 -s rr",
    *(f"-a -t {cluster.VIP}:{port} -r 192.0.2.1{one}:{port} -g -w 1" for port in (80, 7001, 7002) for one in (1, 2)),
    *(f"-a -t {cluster.VIP}:7003 -r 192.0.2.1{one}:7003 -m -w 1" for one in (1, 2)),
    *(f"-a -t {VIP6}:80 -r [2001:db8::1{one}]:80 -g -w 1" for one in (1, 2)),
]


def table(director: Host) -> list[str]:
    """The kernel's table, in an order that does not depend on when entries came."""
    return sorted(cluster.table(director))


class Followed:
    """The directors' tables as they come, several a second, so that waiting for a change adds little to it."""

    def __init__(self, outputs: list[int]) -> None:
        self._unread = dict.fromkeys(outputs, b"")
        self._latest: dict[int, list[str]] = {}

    def until(self, condition: Callable[[list[str]], bool], begun: float, seconds: float = 30) -> float:
        """Wait until a condition holds for both tables, which are sorted; the seconds since `begun`."""
        while len(self._latest) < len(self._unread) or not all(condition(one) for one in self._latest.values()):
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"it did not come true within {seconds} s: {self._latest}")
            for output in select.select(list(self._unread), [], [], 1)[0]:
                if not (more := os.read(output, 65536)):
                    raise RuntimeError("a director tells nothing of its table any more")
                *whole, self._unread[output] = (self._unread[output] + more).split(b"end\n")
                if whole:
                    self._latest[output] = sorted(whole[-1].decode().splitlines())
        return time.monotonic() - begun


@contextmanager
def followed(*directors: str) -> Iterator[Followed]:
    """These directors' tables, told of by a shell that stays on each."""
    looking = "while ipvsadm -Sn && echo end; do sleep 0.1; done"
    with ExitStack() as stack:
        outputs = []
        for name in directors:
            words = ["ssh", "-F", str(cluster.LAB / "ssh_config"), name, looking]
            process = stack.enter_context(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            if process.stdout:
                outputs.append(process.stdout.fileno())
        yield Followed(outputs)


def interrupted(
    task: str, act: Callable[[subprocess.Popen[str]], None], *words: str, times: int = 1
) -> tuple[bool, cluster.Run]:
    """Run site, and act when a task begins after this one, at its n-th time; whether it came so far, and the run."""
    inventories = ["-i", str(cluster.LAB / "inventory.yml"), "-i", str(INVENTORY)]
    plain = {"ANSIBLE_CONFIG": str(cluster.ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    program = str(cluster.ROOT / ".venv" / "bin" / "ansible-playbook")
    seen, came, lines = 0, False, []
    with subprocess.Popen(
        [program, *inventories, "lvs.cluster.site", *words],
        cwd=cluster.ROOT,
        env={**os.environ, **plain, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if not came and seen == times and line.startswith(("TASK [", "PLAY")):
                came = True
                act(process)
            seen += line.startswith(f"TASK [{task}")
    return came, cluster.Run(process.returncode, "".join(lines))


def killed_after(task: str, *words: str, times: int = 1) -> bool:
    """Kill a run of site when a task begins after this one, at its n-th time; whether it came so far."""
    return interrupted(task, lambda process: os.killpg(process.pid, signal.SIGKILL), *words, times=times)[0]
