# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests and measurements that run inside a machine need there, and how it gets there."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "molecule" / "lab"))

from vmlab.base import LabError

# Where a user other than root can read it too: being one is among the tests.
THERE = "/opt/lvs-tests"
COLLECTION = "ansible_collections/lvs/cluster"
NEWEST = f"{THERE}/newest"  # to put on the Python path before the machine's own pyroute2


def package(name: str) -> Path:
    """Where an installed package's folder is, or its file where it is a single module."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise LabError(f"the Python environment has no {name}: run make test")
    path = Path(found.origin)
    return path.parent if path.name == "__init__.py" else path


def without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member


def luggage(parts: Iterable[str], packages: Iterable[str] = (), files: Mapping[str, bytes] | None = None) -> bytes:
    """A tar archive of what a machine has not.

    The collection's `plugins` and `parts` of its tree, ansible's module_utils, the newest pyroute2, pure Python
    `packages`, and `files` by path; all taken from this checkout and its environment.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for part in ("plugins", *parts):
            tar.add(ROOT / part, f"{COLLECTION}/{part}", filter=without_caches)
        tar.add(package("ansible") / "module_utils", "ansible/module_utils", filter=without_caches)
        # The package's own __init__.py wants parts of ansible-core that no target has.
        tar.addfile(tarfile.TarInfo("ansible/__init__.py"))
        tar.add(package("pyroute2"), "newest/pyroute2", filter=without_caches)
        for name in packages:
            tar.add(package(name), package(name).name, filter=without_caches)
        for path, data in (files or {}).items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()


def on(folder: Path, machine: str, command: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command on a machine of the lab in `folder`; its output and errors together."""
    words = ["ssh", "-F", str(folder / "ssh_config"), machine, command]
    return subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def unpack(folder: Path, machine: str, data: bytes) -> None:
    """Replace what an earlier run has left on a machine."""
    done = on(folder, machine, f"rm -rf {THERE} && mkdir {THERE} && tar -C {THERE} -x", data)
    if done.returncode:
        raise LabError(f"{machine}: cannot unpack the tests: {done.stdout.decode().strip()}")
