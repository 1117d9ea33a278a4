# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the unit and hostile rings on every supported ansible-core, and sanity on the oldest and the newest.

`.venv/bin/python tests/matrix.py [ANSIBLE-CORE ...]`; the stage matrix runs it. The environment that it runs in counts
for its own release of ansible-core: the stages conformance, unit and hostile use that one. The others get environments
below .build/matrix, from their lock files. A release whose Pythons are not on this machine is not tested, and is named.

The pairs run side by side, one to a processor, and what each prints comes when it has ended. The pairs of ansible-core
and Python, and how they ended, are printed and left in .build/matrix/report.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.supported import ANSIBLE_CORE, numbers

ENVIRONMENTS = ROOT / ".build" / "matrix"
REPORT = ENVIRONMENTS / "report"
LOCKS = ROOT / "locks"
COLLECTIONS = ROOT / ".build" / "collections"


@dataclass(frozen=True)
class Pair:
    """A release of ansible-core and the Python that it is tested with."""

    ansible_core: str
    python: str
    interpreter: Path

    @property
    def name(self) -> str:
        return f"ansible-core {self.ansible_core} on Python {self.python}"

    @property
    def environment(self) -> Path:
        return ENVIRONMENTS / f"{self.ansible_core}-{self.python}"

    @property
    def output(self) -> Path:
        return ENVIRONMENTS / f"{self.ansible_core}-{self.python}.log"

    @property
    def lock(self) -> Path:
        return LOCKS / f"ansible-core-{self.ansible_core}.lock"


def minor(version: str) -> str:
    """Return the first two numbers of a version."""
    return ".".join(version.split(".")[:2])


def can_make_environments(interpreter: Path) -> bool:
    """Return whether it starts (pyenv's shims of versions that are not chosen do not) and has venv."""
    command = [str(interpreter), "-c", "import ensurepip, venv"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def find_interpreter(python: str, path: str) -> Path | None:
    """Return an interpreter of this minor release that works, on a PATH or among pyenv's versions beside its shims."""
    for directory in map(Path, path.split(os.pathsep)):
        beside = sorted(directory.parent.glob(f"versions/{python}.*/bin")) if directory.name == "shims" else []
        for place in (directory, *beside):
            interpreter = place / f"python{python}"
            if interpreter.is_file() and can_make_environments(interpreter):
                return interpreter
    return None


def choose(ansible_core: str, path: str) -> Pair | None:
    """Return the pair to test a release with; None where none of its Pythons is on the path."""
    for python in ANSIBLE_CORE[ansible_core]:
        interpreter = find_interpreter(python, path)
        if interpreter is not None:
            return Pair(ansible_core, python, interpreter)
    return None


def is_current(pair: Pair) -> bool:
    """Return whether the environment was made from the present lock file, and its interpreter still starts."""
    stamp = pair.environment / "made-from"
    python = pair.environment / "bin" / "python"
    return stamp.is_file() and stamp.read_text() == digest(pair.lock) and can_make_environments(python)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_environment(pair: Pair, output: TextIO) -> None:
    """Make the pair's environment, where it is not current. Raises CalledProcessError."""
    if is_current(pair):
        return
    made = f"{pair.environment.relative_to(ROOT)} from {pair.lock.relative_to(ROOT)}"
    print(f"--- {pair.name}: making {made}", file=output, flush=True)
    if pair.environment.exists():
        shutil.rmtree(pair.environment)
    subprocess.run([pair.interpreter, "-m", "venv", pair.environment], check=True, stdout=output, stderr=output)
    options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    pip = [str(pair.environment / "bin" / "python"), "-m", "pip"]
    subprocess.run([*pip, "install", *options, "-r", str(pair.lock)], check=True, stdout=output, stderr=output)
    (pair.environment / "made-from").write_text(digest(pair.lock))


def commands(pair: Pair) -> list[list[str]]:
    """Return what runs in a pair's environment: the rings without root, and sanity on the oldest and the newest."""
    bin_folder = pair.environment / "bin"
    # One after another: each has conftest files of its own.
    found = [[f"{bin_folder}/pytest", "-q", "-W", "error", ring] for ring in ("tests/unit", "tests/hostile")]
    if pair.ansible_core in (min(ANSIBLE_CORE, key=numbers), max(ANSIBLE_CORE, key=numbers)):
        found.append([sys.executable, str(ROOT / "tests" / "sanity.py"), "--environment", str(pair.environment)])
    return found


def run_pair(pair: Pair) -> str:
    """Run everything for a pair and print what it printed; return how that ended, in a few words."""
    pair.output.parent.mkdir(parents=True, exist_ok=True)
    with pair.output.open("w+") as output:
        outcome = run_quietly(pair, output)
        output.seek(0)
        # In one piece: another pair may end at the same time.
        print(output.read(), end="", flush=True)
    return outcome


def run_quietly(pair: Pair, output: TextIO) -> str:
    """Run everything for a pair; what it prints goes to a file."""
    begun = time.monotonic()
    try:
        make_environment(pair, output)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"FAILED: its environment cannot be made ({error})"
    environment = {
        **os.environ,
        "PATH": f"{pair.environment / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    }
    failed = []
    for command in commands(pair):
        what = "sanity" if command[1].endswith("sanity.py") else command[-1]
        print(f"--- {pair.name}: {what}", file=output, flush=True)
        status = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False
        ).returncode
        if status:
            failed.append(what)
    minutes, seconds = divmod(round(time.monotonic() - begun), 60)
    return f"FAILED: {', '.join(failed)}" if failed else f"passed in {minutes}:{seconds:02d}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help=f"of {', '.join(ANSIBLE_CORE)}; default: all")
    releases = parser.parse_args().releases or list(ANSIBLE_CORE)
    if unknown := [one for one in releases if one not in ANSIBLE_CORE]:
        parser.error(f"ansible-core {unknown[0]} is not supported; the supported ones are {', '.join(ANSIBLE_CORE)}")
    own, python = metadata.version("ansible-core"), ".".join(map(str, sys.version_info[:3]))
    lines = [f"ansible-core {own} on Python {python}: this environment, in the other stages"]
    pairs = []
    for release in releases:
        if release == minor(own):
            continue
        pair = choose(release, os.environ.get("PATH", os.defpath))
        if pair is None:
            pythons = ", ".join(sorted(ANSIBLE_CORE[release], key=numbers))
            lines.append(f"ansible-core {release}: NOT TESTED, this machine has none of Python {pythons}")
            continue
        pairs.append(pair)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        outcomes = list(threads.map(run_pair, pairs))
    lines += [f"{pair.name}: {outcome}" for pair, outcome in zip(pairs, outcomes, strict=True)]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("".join(f"{line}\n" for line in lines))
    print("\n" + "\n".join(lines), flush=True)
    return 1 if any(outcome.startswith("FAILED") for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
