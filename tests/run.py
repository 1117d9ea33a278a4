# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run stages of the tests in order, each against its budget of time, and stop at the first that fails.

`.venv/bin/python tests/run.py [STAGE ...]`; the Makefile calls it. Without names, the stages of `make test` run, and
with the name full all of them.
The last line reads `N passed, N failed`, counted in stages. The exit status is 0 only when nothing failed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
TOTAL_MINUTES = 60.0


@dataclass(frozen=True)
class Stage:
    """One part of the tests: `command` is run in the repository's root; `minutes` is what it may take on two cores.

    Those that are not `always` run where they are named: with them, all would take longer than TOTAL_MINUTES.
    """

    name: str
    about: str
    minutes: float
    command: tuple[str, ...]
    always: bool = True


def scenarios(*names: str) -> tuple[str, ...]:
    """The command that runs these scenarios of molecule, and the one that owns their machines.

    What an interrupted run remembers of its machines is forgotten first: the lab knows better which are up.
    """
    # In a collection molecule would look below extensions/.
    places = f"molecule/{{default,{','.join(names)}}}/molecule.yml"
    words = "molecule reset --all >/dev/null 2>&1; exec molecule test --all"
    return ("env", f"MOLECULE_GLOB={places}", "sh", "-c", words)


STAGES = (
    Stage("conformance", "linters, types, documentation, sanity", 6, (f"{BIN}/nox",)),
    Stage("unit", "pure logic, no root", 1, (f"{BIN}/pytest", "-q", "-W", "error", "tests/unit")),
    Stage("kernel", "the modules against real IPVS, in machines", 10, (f"{BIN}/python", "tests/kernel/run.py")),
    Stage(
        "lab",
        "the machines of all this: quick, and gone without a trace",
        3,
        (f"{BIN}/pytest", "-q", "-s", "tests/lab"),
    ),
    Stage("molecule", "scenarios on clusters of machines", 35, scenarios("dr", "methods", "routed")),
    Stage(
        "pairs",
        "pairs of directors, and what clients notice of all that happens",
        110,
        scenarios("pair", "checkers"),
        always=False,
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


def run(stage: Stage) -> Result:
    """Run one stage; its output goes straight to the terminal."""
    print(f"\n=== {stage.name}: {stage.about} (budget {clock(stage.minutes * 60)})")
    print(f"    {shlex.join(stage.command)}", flush=True)
    start = time.monotonic()
    try:
        status = subprocess.run(stage.command, cwd=ROOT, env=environment(), check=False).returncode
    except OSError as error:
        print(f"{stage.command[0]} cannot be started: {error.strerror}")
        status = 127
    except KeyboardInterrupt:
        status = 130
    seconds = time.monotonic() - start
    print(f"=== {stage.name}: {'failed' if status else 'passed'} after {clock(seconds)}", flush=True)
    return Result(stage, seconds, status)


def run_in_order(stages: list[Stage]) -> list[Result]:
    """Run stages up to the first failure; the results of those behind it say that they did not run."""
    results: list[Result] = []
    stopped = False
    for stage in stages:
        result = Result(stage) if stopped else run(stage)
        stopped = stopped or result.status != 0
        results.append(result)
    return results


def summary(results: list[Result]) -> bool:
    """Print what each stage did and took; return whether all is well."""
    total = sum(result.seconds or 0 for result in results)
    minutes = TOTAL_MINUTES + sum(result.stage.minutes for result in results if not result.stage.always)
    too_long = total > minutes * 60
    print(f"\n{'stage':<12} {'time':>6} {'budget':>7}  outcome")
    for result in results:
        taken = "-" if result.seconds is None else clock(result.seconds)
        print(f"{result.stage.name:<12} {taken:>6} {clock(result.stage.minutes * 60):>7}  {result.outcome()}")
    outcome = "FAILED: too long" if too_long else ""
    print(f"{'total':<12} {clock(total):>6} {clock(minutes * 60):>7}  {outcome}".rstrip())
    for result in results:
        if result.over_budget:
            print(f"warning: {result.stage.name} took {clock(result.seconds or 0)}, more than its budget")
    passed = sum(result.seconds is not None and not result.status for result in results)
    failed = sum(result.status != 0 for result in results) + too_long
    print(f"{passed} passed, {failed} failed")
    return not failed


def main() -> int:
    """Parse the names of the stages and run them."""
    known = {stage.name: stage for stage in STAGES}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = [stage.name for stage in STAGES if stage.always]
    parser.add_argument(
        "stages", nargs="*", metavar="STAGE", help=f"of {', '.join(known)}, or full; default: {', '.join(default)}"
    )
    names = parser.parse_args().stages or default
    if names == ["full"]:
        names = list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no stage {unknown[0]}; the stages are {', '.join(known)}")
    # Always in the order above, however they were named: the quick ones first.
    return 0 if summary(run_in_order([stage for stage in STAGES if stage.name in names])) else 1


if __name__ == "__main__":
    sys.exit(main())
