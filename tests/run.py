# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run stages of the tests in order, each against its budget of time; none begins after one that has failed.

`.venv/bin/python tests/run.py [STAGE ...]`; the Makefile calls it. Without names, the stages of `make test` run, with
the name check the quick ones, and with the name full all of them.
Stages that run beside others get the processor time that those leave: a cluster of machines waits for a third of it.
The last line reads `N passed, N failed`, counted in stages. The exit status is 0 only when nothing failed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LOGS = ROOT / ".build"
# All stages of `make test` together: more than the first is a warning, more than the second a failure. The first
# is the aim for two cores without KVM. Continuous integration stops after an hour and a half.
TOTAL_MINUTES, LIMIT_MINUTES = 60.0, 90.0
#: A worker for each processor.
PYTEST = (f"{BIN}/pytest", "-q", "-W", "error", "-n", "auto")


@dataclass(frozen=True)
class Stage:
    """One part of the tests: `command` is run in the repository's root.

    `minutes` is what it takes on two cores without KVM that other work keeps busy too, and with nothing cached: well
    above what it takes alone. `when` is check for the stages of `make check` and `make test`, test for `make test`
    alone, and full for those that would take too long there. `report` is a file that the command leaves behind, which
    the summary repeats. A stage that is `beside` runs while those after it run, at the priority `nice`, and what it
    prints comes when it has ended. Those of `make test` that are not are LIMIT_MINUTES together.
    """

    name: str
    about: str
    minutes: float
    command: tuple[str, ...]
    when: str = "test"
    report: str = ""
    beside: bool = False
    nice: int = 0


def scenarios(*names: str) -> tuple[str, ...]:
    """The command that runs these scenarios of molecule, and the one that owns their machines.

    What an interrupted run remembers of its machines is forgotten first: the lab knows better which are up.
    """
    # In a collection molecule would look below extensions/.
    places = f"molecule/{{default,{','.join(names)}}}/molecule.yml"
    words = "molecule reset --all >/dev/null 2>&1; exec molecule test --all"
    return ("env", f"MOLECULE_GLOB={places}", "sh", "-c", words)


STAGES = (
    # Of the first run. One processor builds them while the stages that need no machine run.
    Stage(
        "images",
        "Debian's images, and the machines that clones start from",
        15,
        (f"{BIN}/python", "molecule/lab", "build", "debian-12", "debian-13"),
        beside=True,
    ),
    # Three minutes alone. The first run makes environments for ansible-test and galaxy-importer, which doubles it.
    Stage("conformance", "linters, types, documentation, sanity", 7, (f"{BIN}/nox",), when="check"),
    # A minute and a half of processor time.
    Stage("unit", "pure logic, no root", 3, (*PYTEST, "tests/unit"), when="check"),
    # Some eight seconds of processor time for each test, which runs a playbook or two.
    Stage(
        "hostile",
        "playbooks on hosts that answer what an attacker would",
        7,
        (*PYTEST, "tests/hostile"),
        when="check",
    ),
    # A quarter of an hour. Two emulated machines at once take all of two cores, so other work counts double.
    Stage("kernel", "the modules against real IPVS, in machines", 17, (f"{BIN}/python", "tests/kernel/run.py")),
    Stage(
        "lab",
        "the machines of all this: quick, and gone without a trace",
        2,
        (f"{BIN}/pytest", "-q", "-s", "tests/lab"),
    ),
    # What unit, hostile and a part of conformance take, for each of the others; the first run makes the environments.
    Stage(
        "matrix",
        "the other releases of ansible-core that are supported",
        60,
        (f"{BIN}/python", "tests/matrix.py"),
        report=".build/matrix/report",
        beside=True,
        nice=19,
    ),
    Stage("molecule", "scenarios on clusters of machines", 50, scenarios("dr", "methods", "routed", "smoke")),
    Stage(
        "newest-kernel",
        "the modules against the IPVS of the newest kernel that Debian has",
        20,
        (f"{BIN}/python", "tests/kernel/run.py", "--newest-kernel"),
        when="full",
    ),
    Stage(
        "pairs",
        "pairs of directors, and what clients notice of all that happens",
        145,
        scenarios("pair", "checkers", "clusters"),
        when="full",
    ),
)


@dataclass
class Result:
    """How a stage ended: `seconds` is None when an earlier failure kept it from running."""

    stage: Stage
    seconds: float | None = None
    status: int = 0

    @property
    def over_budget(self) -> bool:
        """Whether it took longer than it may; that alone is a warning, not a failure."""
        return self.seconds is not None and self.seconds > self.stage.minutes * 60

    def outcome(self) -> str:
        """One word or two for the summary."""
        if self.seconds is None:
            return "not run"
        if self.status:
            return "FAILED"
        return "passed, over budget" if self.over_budget else "passed"


def clock(seconds: float) -> str:
    """Minutes and seconds, as 3:07."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def environment() -> dict[str, str]:
    """For the tools: each other on the PATH, the collection, and where molecule finds its scenarios."""
    return {
        **os.environ,
        "PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
    }


def begin(stage: Stage) -> float:
    """Say that a stage begins; return when."""
    print(f"\n=== {stage.name}: {stage.about} (budget {clock(stage.minutes * 60)})")
    print(f"    {shlex.join(stage.command)}", flush=True)
    if stage.report:
        (ROOT / stage.report).unlink(missing_ok=True)
    return time.monotonic()


def run(stage: Stage) -> Result:
    """Run one stage; its output goes straight to the terminal."""
    start = begin(stage)
    try:
        status = subprocess.run(stage.command, cwd=ROOT, env=environment(), check=False).returncode
    except OSError as error:
        print(f"{stage.command[0]} cannot be started: {error.strerror}")
        status = 127
    except KeyboardInterrupt:
        status = 130
    return end(stage, start, status)


def end(stage: Stage, start: float, status: int) -> Result:
    """Say that a stage has ended; return how."""
    seconds = time.monotonic() - start
    print(f"=== {stage.name}: {'failed' if status else 'passed'} after {clock(seconds)}", flush=True)
    return Result(stage, seconds, status)


class Beside:
    """A stage that runs while others run."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.start = begin(stage)
        self.output = LOGS / f"{stage.name}.log"
        print(f"    its output is in {self.output} until it has ended", flush=True)
        # In a session of its own, so that a failure of another stage can end all of it. The scheduler of Linux shares
        # the processors among sessions first: there nice alone would mean nothing.
        nicely = '{ echo "$0" >/proc/$$/autogroup; } 2>/dev/null; exec nice -n "$0" "$@"'
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["sh", "-c", nicely, str(stage.nice), *stage.command],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> Result:
        """Wait for its end, and print what it has printed."""
        print(f"\n=== {self.stage.name}: waiting for its end, after {clock(time.monotonic() - self.start)}", flush=True)
        return self.ended()

    def ended(self) -> Result:
        status = self.process.wait()
        print(f"\n=== {self.stage.name}:", flush=True)
        sys.stdout.buffer.write(self.output.read_bytes())
        return end(self.stage, self.start, status)

    def stop(self) -> None:
        """End it and all that it has started, what ignores an interrupt too."""
        for number in (signal.SIGINT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=30)


def run_in_order(stages: list[Stage]) -> list[Result]:
    """Run stages up to the first failure; the results of those behind it say that they did not run."""
    results = {stage.name: Result(stage) for stage in stages}
    running: list[Beside] = []

    def look() -> None:
        """Take in those beside that have ended meanwhile."""
        for one in [one for one in running if one.process.poll() is not None]:
            running.remove(one)
            results[one.stage.name] = one.ended()

    def failed() -> bool:
        return any(result.status for result in results.values())

    try:
        for stage in stages:
            look()
            if failed():
                break
            if stage.beside and stage is not stages[-1]:
                running.append(Beside(stage))
            else:
                results[stage.name] = run(stage)
        while running and not failed():
            one = running.pop(0)
            try:
                results[one.stage.name] = one.wait()
            except KeyboardInterrupt:
                one.stop()
                results[one.stage.name] = end(one.stage, one.start, 130)
        look()
    finally:
        for one in running:
            one.stop()
    return list(results.values())


def summary(results: list[Result], total: float) -> bool:
    """Print what each stage did and took, and all together (`total` seconds); return whether all is well."""
    longer = sum(result.stage.minutes for result in results if result.stage.when == "full")
    aim, limit = (TOTAL_MINUTES + longer) * 60, (LIMIT_MINUTES + longer) * 60
    outcome = "FAILED: too long" if total > limit else "over budget" if total > aim else ""
    width = max(len(result.stage.name) for result in results)
    print(f"\n{'stage':<{width}} {'time':>6} {'budget':>7}  outcome")
    for result in results:
        taken = "-" if result.seconds is None else clock(result.seconds)
        print(f"{result.stage.name:<{width}} {taken:>6} {clock(result.stage.minutes * 60):>7}  {result.outcome()}")
    print(f"{'total':<{width}} {clock(total):>6} {clock(aim):>7}  {outcome}".rstrip())
    for result in results:
        if result.seconds is not None and result.stage.report:
            print(f"\n{result.stage.name}:")
            print((ROOT / result.stage.report).read_text() if (ROOT / result.stage.report).exists() else "no report\n")
    for result in results:
        if result.over_budget:
            print(f"warning: {result.stage.name} took {clock(result.seconds or 0)}, more than its budget")
    if aim < total <= limit:
        print(f"warning: all stages took {clock(total)}; more than {clock(limit)} is a failure")
    passed = sum(result.seconds is not None and not result.status for result in results)
    failed = sum(result.status != 0 for result in results) + (total > limit)
    print(f"{passed} passed, {failed} failed")
    return not failed


def main() -> int:
    """Parse the names of the stages and run them."""
    known = {stage.name: stage for stage in STAGES}
    sets = {
        "check": [stage.name for stage in STAGES if stage.when == "check"],
        "test": [stage.name for stage in STAGES if stage.when != "full"],
        "full": list(known),
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "stages",
        nargs="*",
        metavar="STAGE",
        help=f"of {', '.join(known)}, or of the sets {', '.join(sets)}; default: test",
    )
    names = [one for name in parser.parse_args().stages or ["test"] for one in sets.get(name, [name])]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no stage {unknown[0]}; the stages are {', '.join(known)}")
    # So that what runs beside is ended with this program.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    start = time.monotonic()
    # Always in the order above, however they were named: the quick ones first.
    results = run_in_order([stage for stage in STAGES if stage.name in names])
    return 0 if summary(results, time.monotonic() - start) else 1


if __name__ == "__main__":
    sys.exit(main())
