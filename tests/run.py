# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run stages of the tests in order, each against its budget of time, and stop at the first that fails.

`.venv/bin/python tests/run.py [STAGE ...]`; the Makefile calls it. Without names, the stages of `make test` run, with
the name check the quick ones, and with the name full all of them.
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
# All stages of `make test` together: more than the first is a warning, more than the second a failure. The first
# is the aim for two cores without KVM. Continuous integration stops after an hour and a half.
TOTAL_MINUTES, LIMIT_MINUTES = 60.0, 90.0
#: A worker for each processor.
PYTEST = (f"{BIN}/pytest", "-q", "-W", "error", "-n", "auto")


@dataclass(frozen=True)
class Stage:
    """One part of the tests: `command` is run in the repository's root.

    `minutes` is what it takes on two cores without KVM that other work keeps busy too, and with nothing cached: well
    above what it takes alone. Those of `make test` are LIMIT_MINUTES together. `when` is check for the stages of
    `make check` and `make test`, test for `make test` alone, and full for those that would take too long there.
    `report` is a file that the command leaves behind, which the summary repeats.
    """

    name: str
    about: str
    minutes: float
    command: tuple[str, ...]
    when: str = "test"
    report: str = ""


def scenarios(*names: str) -> tuple[str, ...]:
    """The command that runs these scenarios of molecule, and the one that owns their machines.

    What an interrupted run remembers of its machines is forgotten first: the lab knows better which are up.
    """
    # In a collection molecule would look below extensions/.
    places = f"molecule/{{default,{','.join(names)}}}/molecule.yml"
    words = "molecule reset --all >/dev/null 2>&1; exec molecule test --all"
    return ("env", f"MOLECULE_GLOB={places}", "sh", "-c", words)


STAGES = (
    # Three minutes alone. The first run makes environments for ansible-test and galaxy-importer, which doubles it.
    Stage("conformance", "linters, types, documentation, sanity", 9, (f"{BIN}/nox",), when="check"),
    # A minute and a half of processor time.
    Stage("unit", "pure logic, no root", 3, (*PYTEST, "tests/unit"), when="check"),
    # Some eight seconds of processor time for each test, which runs a playbook or two.
    Stage(
        "hostile",
        "playbooks on hosts that answer what an attacker would",
        9,
        (*PYTEST, "tests/hostile"),
        when="check",
    ),
    # What unit, hostile and a part of conformance take, for each of the others; the first run makes the environments.
    Stage(
        "matrix",
        "the other releases of ansible-core that are supported",
        20,
        (f"{BIN}/python", "tests/matrix.py"),
        report=".build/matrix/report",
    ),
    # Six minutes alone. Two emulated machines at once take all of two cores, so other work counts double.
    Stage("kernel", "the modules against real IPVS, in machines", 14, (f"{BIN}/python", "tests/kernel/run.py")),
    Stage(
        "lab",
        "the machines of all this: quick, and gone without a trace",
        3,
        (f"{BIN}/pytest", "-q", "-s", "tests/lab"),
    ),
    Stage("molecule", "scenarios on clusters of machines", 32, scenarios("dr", "methods", "routed")),
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
        110,
        scenarios("pair", "checkers"),
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


def run(stage: Stage) -> Result:
    """Run one stage; its output goes straight to the terminal."""
    print(f"\n=== {stage.name}: {stage.about} (budget {clock(stage.minutes * 60)})")
    print(f"    {shlex.join(stage.command)}", flush=True)
    if stage.report:
        (ROOT / stage.report).unlink(missing_ok=True)
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
    # Always in the order above, however they were named: the quick ones first.
    return 0 if summary(run_in_order([stage for stage in STAGES if stage.name in names])) else 1


if __name__ == "__main__":
    sys.exit(main())
