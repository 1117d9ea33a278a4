# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the kernel tests: in a Debian 12 and a Debian 13 machine, with the pyroute2 of each and with the newest.

`.venv/bin/python tests/kernel/run.py [--keep] [--tables N] [-- PYTEST ARGUMENTS]`; the tests travel with the
collection, with ansible's module_utils and with the newest pyroute2, all taken from this checkout and its environment.
`--keep` leaves the machines up, for the next run to find.
"""

from __future__ import annotations

import argparse
import io
import shlex
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "molecule" / "lab"))

from vmlab import labs, topology
from vmlab.base import LabError, Progress

TOPOLOGY = ROOT / "molecule" / "lab" / "topologies" / "kernel.yml"
# Where a user other than root can read it too: being one is among the tests.
THERE = "/opt/lvs-tests"
COLLECTION = "ansible_collections/lvs/cluster"
# The same tests, with nothing from the repository's own pytest settings: those are for newer versions.
PYTEST = "python3 -m pytest -c /dev/null -p no:cacheprovider -q -ra --durations=8"
NEED_IP_VS = [
    "tests/kernel_host/test_ipvs_kernel.py::test_ip_vs_and_its_sysctls",
    "tests/kernel_host/test_ipvs_kernel.py::test_a_sysctl_of_ip_vs_that_is_none",
]
# Of the host side only what needs ip_vs: native() runs the rest, where it takes no tenth of the time.
SUITES = " ".join(f"{COLLECTION}/{path}" for path in ("tests/kernel", *NEED_IP_VS))
# What depends on the library: the table as ipvsadm wrote it and read it, by random tables.
ORACLE = f"{COLLECTION}/tests/kernel/test_oracle.py"


@dataclass(frozen=True)
class Ring:
    """One run of tests: on a machine, with its own pyroute2 (`extra` empty) or one from `extra`."""

    machine: str
    pyroute2: str
    suites: str = SUITES
    extra: str = ""


def rings() -> list[list[Ring]]:
    """What runs on each machine, one after another; the machines work side by side."""
    newest = Ring("debian12", f"newest, {metadata.version('pyroute2')}", ORACLE, f"{THERE}/newest")
    return [[Ring("debian12", "Debian 12's"), newest], [Ring("debian13", "Debian 13's")]]


def package(name: str) -> Path:
    """Where an installed package's folder is."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise LabError(f"the Python environment has no {name}: run make test")
    return Path(found.origin).parent


def without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member


def luggage() -> bytes:
    """A tar archive of everything that the tests need and a machine has not."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for part in ("plugins", "tests/kernel", "tests/kernel_host"):
            tar.add(ROOT / part, f"{COLLECTION}/{part}", filter=without_caches)
        tar.add(package("ansible") / "module_utils", "ansible/module_utils", filter=without_caches)
        # The package's own __init__.py wants parts of ansible-core that no target has.
        tar.addfile(tarfile.TarInfo("ansible/__init__.py"))
        tar.add(package("pyroute2"), "newest/pyroute2", filter=without_caches)
    return archive.getvalue()


def on(folder: Path, machine: str, command: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    words = ["ssh", "-F", str(folder / "ssh_config"), machine, command]
    return subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def run_machine(folder: Path, todo: list[Ring], data: bytes, tables: int, arguments: str) -> bool:
    machine = todo[0].machine
    unpacked = on(folder, machine, f"rm -rf {THERE} && mkdir {THERE} && tar -C {THERE} -x", data)
    if unpacked.returncode:
        raise LabError(f"{machine}: cannot unpack the tests: {unpacked.stdout.decode().strip()}")
    good = True
    for ring in todo:
        begun = time.monotonic()
        path = ":".join(filter(None, [ring.extra, THERE]))
        done = on(
            folder,
            machine,
            f"cd {THERE} && LVS_RANDOM_TABLES={tables} PYTHONPATH={path} {PYTEST} {arguments or ring.suites}",
        )
        text = done.stdout.decode(errors="replace")
        print(f"\n--- {machine}, pyroute2: {ring.pyroute2} ({time.monotonic() - begun:.0f} s)\n{text}", flush=True)
        good = good and done.returncode == 0
    return good


def native() -> bool:
    """The host side's tests, in namespaces of this machine and with the environment's pyroute2.

    But for those that need ip_vs, which this machine's kernel may lack: they run in the machines.
    """
    print("\n--- this machine's namespaces", flush=True)
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
    suite = [*(f"--deselect={test}" for test in NEED_IP_VS), "tests/kernel_host"]
    environment = {"PYTHONPATH": path, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run([*command, *suite], cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the machines up")
    parser.add_argument("--tables", type=int, default=8, help="how many random tables each random test builds")
    parser.add_argument("arguments", nargs="*", help="for pytest, after --, with paths as they are in the machine")
    options = parser.parse_args()
    lab = topology.load(TOPOLOGY)
    try:
        folder = labs.up(lab, Progress())
        data = luggage()
        with ThreadPoolExecutor() as threads:
            runs = [
                threads.submit(run_machine, folder, todo, data, options.tables, shlex.join(options.arguments))
                for todo in rings()
            ]
            good = not [run for run in runs if not run.result()]
        good = (bool(options.arguments) or native()) and good
    except LabError as error:
        print(f"kernel tests: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.keep and labs.folder_of(lab.name).exists():
            labs.down(lab.name, Progress())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
