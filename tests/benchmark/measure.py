# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the modules against ipvsadm and pyroute2's own IPVS API. Runs in a machine that nobody needs, as root.

`python3 measure.py TASKS NEWEST_PYROUTE2 [OPTIONS]`; run.py calls it. Every run has a network namespace, and so
a table, of its own, and the contenders take turns, so that what slows the machine slows all of them.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, netlink, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import plan as planning
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.converge import converge
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import Ipvs
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import ServiceKey

CLONE_NEWNET = 0x40000000
PER_SERVICE = 100
ONE_BY_ONE = 200  # lines, for what takes a process each: the whole would take an hour
TASKS = 10


def described(services: int, weight: int = 1) -> list[dict[str, Any]]:
    """Services as a task gives them, with PER_SERVICE real servers each."""
    return [
        {
            "address": f"192.0.{number // 250}.{number % 250 + 1}",
            "port": 80,
            "scheduler": "wrr",
            "real_servers": [
                {"address": f"198.{18 + number // 250}.{number % 250}.{server + 1}", "weight": weight}
                for server in range(PER_SERVICE)
            ],
        }
        for number in range(services)
    ]


def as_rules(services: list[dict[str, Any]]) -> str:
    """The same for ipvsadm --restore."""
    return rules.render(planning.plan({}, arguments.services(services)).predicted)


def new_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    # Without a local routing table every address passes for a broadcast (inet_addr_type), which IPVS refuses.
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def in_a_child(work: Callable[[], Any]) -> Any:
    """Call `work` in a fresh process and a fresh namespace; what it returns goes through JSON."""
    wait_for_quiet()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            new_namespace()
            os.write(writing, json.dumps(work()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{work}: a run failed")
    return json.loads(answer)


def wait_for_quiet(share: float = 0.05, limit: float = 300) -> None:
    """Until the machine's processors do next to nothing.

    The kernel frees the tables of namespaces that ended in the background: of a table of 100,000 that takes longer
    than a run does.
    """

    def times() -> tuple[float, float]:
        fields = [float(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    ends = time.monotonic() + limit
    before = times()
    while time.monotonic() < ends:
        time.sleep(1)  # the span that is measured
        now = times()
        if (now[1] - before[1]) >= (1 - share) * (now[0] - before[0]):
            return
        before = now
    raise SystemExit(f"this machine was not quiet within {limit:.0f} s")


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def commands(lines: Iterable[Sequence[str]]) -> None:
    for line in lines:
        command(*line)


def command(*words: str, given: str = "", **options: Any) -> None:
    done = subprocess.run(words, input=given, text=True, stdout=subprocess.PIPE, check=False, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stdout[-2000:]}")


def restore(text: str) -> None:
    with tempfile.TemporaryFile("w+") as file:
        file.write(text)
        file.seek(0)
        subprocess.run(["ipvsadm", "--restore"], stdin=file, check=True)


def ours(services: list[dict[str, Any]], check_mode: bool = False) -> int:
    """What the module does between its arguments and its result; the number of messages it sent."""
    patches = arguments.services(services)
    with Ipvs() as ipvs:
        outcome = converge(ipvs, patches, planning.Scope(planning.PURGE_REAL_SERVERS), check_mode)
    return len(outcome.operations)


def dump_real_servers(ipvs: Ipvs, services: Iterable[ServiceKey]) -> None:
    """Have the kernel list them, and decode nothing."""
    for service in services:
        sequence = ipvs._request_real_servers(service)
        while netlink.end_of(ipvs._receive(), sequence) is None:
            pass


def warm() -> None:
    """Have everything imported and ip_vs answering, so that neither is measured."""
    ours([{"fwmark": 1}])
    command("ipvsadm", "--clear")


class Machine:
    """The contenders. Each method makes one run and returns seconds."""

    def __init__(self, tasks: Path, newest: str, services: int) -> None:
        self.tasks, self.newest = tasks, newest
        self.services = described(services)
        self.text = as_rules(self.services)
        self.lines = self.text.splitlines()

    def restore(self) -> float:
        """ipvsadm --restore, from its start to its end."""
        return float(in_a_child(lambda: seconds_of(lambda: restore(self.text))))

    def build(self) -> float:
        """Arguments, read, plan, apply, read back."""

        def work() -> float:
            warm()
            return seconds_of(lambda: ours(self.services))

        return float(in_a_child(work))

    def save(self) -> float:
        """ipvsadm -Sn of the table."""

        def work() -> float:
            restore(self.text)
            return seconds_of(lambda: command("ipvsadm", "-Sn"))

        return float(in_a_child(work))

    def unchanged(self) -> float:
        """Read and plan, nothing to do."""

        def work() -> float:
            warm()
            restore(self.text)
            taken = seconds_of(lambda: ours(self.services))
            if ours(self.services, check_mode=True):
                raise SystemExit("an unchanged table was changed")
            return taken

        return float(in_a_child(work))

    def dump(self) -> float:
        """The kernel's list of all real servers, not even decoded: the least that reading a table takes."""

        def work() -> float:
            warm()
            restore(self.text)
            with Ipvs() as ipvs:
                services = [key for key, *_rest in ipvs.services()]
                return seconds_of(lambda: dump_real_servers(ipvs, services))

        return float(in_a_child(work))

    def tenth(self) -> tuple[float, int]:
        """One of ten weights changes; also the number of messages."""

        def work() -> tuple[float, int]:
            warm()
            restore(self.text)
            services = json.loads(json.dumps(self.services))
            for service in services:
                for server in service["real_servers"][::10]:
                    server["weight"] = 7
            begun = time.monotonic()
            messages = ours(services)
            return time.monotonic() - begun, messages

        seconds, messages = in_a_child(work)
        return float(seconds), int(messages)

    def pyroute2(self) -> float:
        """pyroute2's own IPVS class, from the newest version."""
        program = f"""
import json, sys, time
sys.path.insert(0, {self.newest!r})
from pyroute2 import IPVS
from pyroute2.ipvs import IPVSDest, IPVSService
services = json.load(sys.stdin)
with IPVS() as ipvs:
    begun = time.monotonic()
    for service in services:
        one = IPVSService(addr=service["address"], port=80, protocol=6, sched_name="wrr")
        ipvs.service("add", service=one)
        for server in service["real_servers"]:
            ipvs.dest("add", service=one, dest=IPVSDest(addr=server["address"], port=80, fwd_method=3, weight=1))
    print(time.monotonic() - begun)
"""
        return float(in_a_child(lambda: self._program(program)))

    def _program(self, program: str) -> float:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(self.services),
            text=True,
            capture_output=True,
            check=False,
            env=environment,
        )
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        found = subprocess.run(["ipvsadm", "-Sn"], capture_output=True, text=True, check=True).stdout
        if len(found.splitlines()) != len(self.lines):
            raise SystemExit(f"pyroute2 made {len(found.splitlines())} of {len(self.lines)} entries")
        return float(done.stdout)

    def process(self, name: str) -> float:
        """A task as Ansible sends it, as a process: interpreter, imports, arguments, work."""
        return float(in_a_child(lambda: seconds_of(lambda: command(sys.executable, str(self.tasks / name)))))

    def one_by_one(self) -> float:
        """A process of ipvsadm for every line; seconds for all lines, from ONE_BY_ONE of them."""
        lines = self.lines[:ONE_BY_ONE]

        def work() -> float:
            return seconds_of(lambda: commands(["ipvsadm", *line.split()] for line in lines))

        return float(in_a_child(work)) / len(lines) * len(self.lines)

    def one_task_each(self) -> float:
        """A task of ipvs_real_server for every real server, the host's part only; from TASKS of them."""

        def work() -> float:
            restore(self.lines[0] + "\n")
            programs = [str(self.tasks / f"real_server_{one}.py") for one in range(TASKS)]
            return seconds_of(lambda: commands([sys.executable, program] for program in programs))

        return float(in_a_child(work)) / TASKS * (len(self.lines) - len(self.services))


def memory_of_a_build(services: int) -> tuple[float, float]:
    """Seconds and peak MiB of a process that builds a table."""
    wanted = described(services)

    def work() -> tuple[float, float]:
        warm()
        seconds = seconds_of(lambda: ours(wanted))
        return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    seconds, peak = in_a_child(work)
    print(f"  {services} services {seconds:8.2f} s, peak {peak:.0f} MiB", flush=True)
    return float(seconds), float(peak)


class Figure(NamedTuple):
    """A ratio and its bound; `bound` 0: only shown."""

    text: str
    value: float
    bound: float = 0.0

    def __str__(self) -> str:
        verdict = "" if not self.bound else f"   at most {self.bound:g}: {'yes' if self.value <= self.bound else 'NO'}"
        return f"  {self.text:<74} {self.value:8.3f}{verdict}"


def contest(machine: Machine, runs: int, slow_runs: int) -> dict[str, float]:
    """Medians by name."""
    tenth_messages: list[int] = []

    def tenth() -> float:
        seconds, messages = machine.tenth()
        tenth_messages.append(messages)
        return seconds

    quick: Mapping[str, Callable[[], float]] = {
        "ipvsadm --restore": machine.restore,
        "build": machine.build,
        "ipvsadm -Sn": machine.save,
        "a dump, not decoded": machine.dump,
        "unchanged": machine.unchanged,
        "a tenth of the weights": tenth,
        "task, floor": lambda: machine.process("floor.py"),
        "task, rules": lambda: machine.process("table_rules.py"),
        "task, services": lambda: machine.process("table_services.py"),
    }
    slow: Mapping[str, Callable[[], float]] = {
        "ipvsadm, a process a line": machine.one_by_one,
        "a task a real server": machine.one_task_each,
        "pyroute2's IPVS": machine.pyroute2,
    }
    medians: dict[str, float] = {}
    for contenders, times in ((quick, runs), (slow, slow_runs)):
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for _run in range(times):
            for name, once in contenders.items():
                taken[name].append(once())
        for name, all_of_it in taken.items():
            if all_of_it:
                medians[name] = statistics.median(all_of_it)
                shown = ", ".join(f"{one:.2f}" for one in sorted(all_of_it))
                print(f"  {name:<28} median {medians[name]:8.2f} s   ({shown})", flush=True)
    medians["messages"] = max(tenth_messages)
    return medians


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", type=Path)
    parser.add_argument("newest")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--slow-runs", type=int, default=1)
    parser.add_argument("--services", type=int, default=100)
    options = parser.parse_args()
    entries = options.services * (PER_SERVICE + 1)
    print(f"{options.services} services with {PER_SERVICE} real servers each, {options.runs} runs")
    machine = Machine(options.tasks, options.newest, options.services)
    medians = contest(machine, options.runs, options.slow_runs)
    base, build, floor = medians["ipvsadm --restore"], medians["build"], medians["task, floor"]
    figures = [
        Figure("empty -> all: read, plan, apply, read back / ipvsadm --restore", build / base, 1 / 3),
        Figure("the whole task, rules / ipvsadm --restore", medians["task, rules"] / base, 0.85),
        Figure("the whole task, services / ipvsadm --restore", medians["task, services"] / base, 0.85),
        # the start of Python and of Ansible's part, which the module cannot shorten
        Figure("a task that opens a socket, and nothing else / ipvsadm --restore", floor / base),
        Figure("what the task from rules takes beyond that", (medians["task, rules"] - floor) / base),
        Figure("what the task from services takes beyond that", (medians["task, services"] - floor) / base),
        Figure("nothing to do: read and plan / ipvsadm -Sn", medians["unchanged"] / medians["ipvsadm -Sn"], 3),
        Figure("a tenth of the weights / the full build", medians["a tenth of the weights"] / build, 0.7),
        Figure("a dump, not decoded / the full build", medians["a dump, not decoded"] / build),
        Figure("a tenth of the weights / ipvsadm --restore", medians["a tenth of the weights"] / base),
        Figure("messages for a tenth of the weights / real servers", medians["messages"] / (entries * 100 / 101), 0.1),
    ]
    if options.slow_runs:
        figures += [
            Figure("empty -> all / pyroute2's own IPVS API", build / medians["pyroute2's IPVS"], 1 / 20),
            Figure("empty -> all / a process of ipvsadm a line", build / medians["ipvsadm, a process a line"]),
            Figure(
                "empty -> all, one task / a task a real server",
                medians["task, services"] / medians["a task a real server"],
            ),
        ]
    small = [memory_of_a_build(options.services) for _run in range(options.runs)]
    large = [memory_of_a_build(options.services * 10) for _run in range(max(1, options.runs // 2))]
    seconds = [statistics.median(run[0] for run in some) for some in (small, large)]
    peak = max(run[1] for run in large)
    print(f"  ten times as much            median {seconds[1]:8.2f} s against {seconds[0]:.2f} s, peak {peak:.0f} MiB")
    figures += [
        Figure("ten times as many real servers / these", seconds[1] / seconds[0], 12),
        Figure("peak memory of that, MiB", peak, 600),
    ]
    print(*figures, sep="\n")
    return 1 if any(figure.bound and figure.value > figure.bound for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
