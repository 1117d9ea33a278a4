# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the kernel tests: in a Debian 12 and a Debian 13 machine, with the pyroute2 of each and with the newest.

`.venv/bin/python tests/kernel/run.py [--keep] [--tables N] [--fuzz N] [--machine NAME] [-- PYTEST ARGUMENTS]`
With `--newest-kernel` they run in a Debian 13 machine with the kernel of trixie-backports instead.
The tests travel with the collection, ansible's module_utils and the newest pyroute2, all from this checkout and its
environment.
`--keep` leaves the machines up, for the next run to find.
"""

from __future__ import annotations

import argparse
import ast
import json
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "molecule" / "lab"), str(ROOT)]

from vmlab import labs, topology
from vmlab.base import LabError, Progress

from tests.machines import COLLECTION, NEWEST, THERE, luggage, on, unpack

TOPOLOGIES = ROOT / "molecule" / "lab" / "topologies"
# The same tests, with nothing from the repository's own pytest settings: those are for newer versions.
PYTEST = "python3 -m pytest -c /dev/null -p no:cacheprovider -q -ra --durations=8"
NEED_MODULES = [
    "tests/kernel_host/test_ipvs_tunnel.py",
    "tests/kernel_host/test_ipvs_kernel.py::test_ip_vs_and_its_sysctls",
    "tests/kernel_host/test_ipvs_kernel.py::test_a_sysctl_of_ip_vs_that_is_none",
]
# Of the host side only what needs kernel modules: native() runs the rest, where it takes no tenth of the time.
SUITES = " ".join(f"{COLLECTION}/{path}" for path in ("tests/kernel", *NEED_MODULES))
# What depends on the library: the table as ipvsadm wrote it and read it, by random tables.
ORACLE = f"{COLLECTION}/tests/kernel/test_oracle.py"


@dataclass(frozen=True)
class Ring:
    """One run of tests: on a machine, with its own pyroute2 (`extra` empty) or one from `extra`."""

    machine: str
    pyroute2: str
    suites: str = SUITES
    extra: str = ""


def rings(only: str | None = None, newest_kernel: bool = False) -> list[list[Ring]]:
    """What runs on each machine, one after another; the machines work side by side."""
    if newest_kernel:
        return [[Ring("backports", "Debian 13's")]]
    newest = Ring("debian12", f"newest, {metadata.version('pyroute2')}", ORACLE, NEWEST)
    if only == "newest":
        return [[newest]]
    if only:
        return [[Ring(only, f"{only}'s")]]
    return [[Ring("debian12", "Debian 12's"), newest], [Ring("debian13", "Debian 13's")]]


def run_machine(folder: Path, todo: list[Ring], data: bytes, amounts: str, arguments: str) -> bool:
    machine = todo[0].machine
    unpack(folder, machine, data)
    good = True
    for ring in todo:
        begun = time.monotonic()
        path = ":".join(filter(None, [ring.extra, THERE]))
        environment = f"{amounts} LVS_EXAMPLES={THERE}/examples.json LVS_CONFIGURATIONS={THERE}/configurations.json"
        release = on(folder, machine, "uname -r").stdout.decode().strip()
        done = on(
            folder,
            machine,
            f"cd {THERE} && {environment} PYTHONPATH={path} {PYTEST} {arguments or ring.suites}",
        )
        text = done.stdout.decode(errors="replace")
        took = f"{time.monotonic() - begun:.0f} s"
        print(f"\n--- {machine}, Linux {release}, pyroute2: {ring.pyroute2} ({took})\n{text}", flush=True)
        good = good and done.returncode == 0
    return good


def examples() -> bytes:
    """The tasks in the documentation of the modules, by module: a machine has no YAML parser."""
    found = {}
    for path in sorted((ROOT / "plugins" / "modules").glob("ipvs_*.py")):
        tree = ast.parse(path.read_text())
        texts = {
            target.id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        found[path.stem] = yaml.safe_load(texts["EXAMPLES"])
    return json.dumps(found).encode()


def configurations() -> bytes:
    """The keepalived.conf of the first director in each golden case."""
    found = {}
    for path in sorted((ROOT / "tests" / "unit" / "plugins" / "plugin_utils" / "cases").glob("*/expected.yml")):
        directors = yaml.safe_load(path.read_text())["directors"]
        first = next(iter(directors.values()))
        found[path.parent.name] = first.get("keepalived_validated") or first["keepalived"]
    return json.dumps(found).encode()


def native() -> bool:
    """The host side's tests, in namespaces of this machine and with the environment's pyroute2.

    But for those that need modules which this machine's kernel may lack: they run in the machines.
    """
    begun = time.monotonic()
    path = f"{ROOT}/.build/collections"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-ra",
        "-c",
        "/dev/null",
        f"--rootdir={ROOT}",
        "-p",
        "no:cacheprovider",
    ]
    suite = [*(f"--deselect={test}" for test in NEED_MODULES), "tests/kernel_host"]
    environment = {"PYTHONPATH": path, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(
        [*command, *suite], cwd=ROOT, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    text = done.stdout.decode(errors="replace")
    print(f"\n--- this machine's namespaces ({time.monotonic() - begun:.0f} s)\n{text}", flush=True)
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the machines up")
    parser.add_argument("--tables", type=int, default=8, help="how many random tables each random test builds")
    parser.add_argument("--fuzz", type=int, default=40, help="how many inputs each fuzz test makes up")
    parser.add_argument("--machine", help="only this one, with its pyroute2; newest: Debian 12 with the newest")
    parser.add_argument(
        "--newest-kernel", action="store_true", help="with the kernel of trixie-backports, and no other"
    )
    parser.add_argument("arguments", nargs="*", help="for pytest, after --, with paths as they are in the machine")
    options = parser.parse_args()
    lab = topology.load(TOPOLOGIES / ("newest.yml" if options.newest_kernel else "kernel.yml"))
    try:
        folder = labs.up(lab, Progress())
        files = {"examples.json": examples(), "configurations.json": configurations()}
        data = luggage(["tests/kernel", "tests/kernel_host"], files=files)
        amounts = f"LVS_RANDOM_TABLES={options.tables} LVS_FUZZ_EXAMPLES={options.fuzz}"
        with ThreadPoolExecutor() as threads:
            runs = [
                threads.submit(run_machine, folder, todo, data, amounts, shlex.join(options.arguments))
                for todo in rings(options.machine, options.newest_kernel)
            ]
            # The tests in this machine's namespaces know nothing of the newest kernel.
            if not options.newest_kernel and not options.arguments:
                runs.append(threads.submit(native))
            good = not [run for run in runs if not run.result()]
    except LabError as error:
        print(f"kernel tests: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.keep and labs.folder_of(lab.name).exists():
            labs.down(lab.name, Progress())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
