# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the lock files: what the requirements mean today, with hashes, for every Python and ansible-core supported.

`make lock` runs it, with uv beside its interpreter. What it writes names packages, versions and hashes, but no place
to get them from: pip takes that from its own settings.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.supported import ANSIBLE_CORE, numbers, oldest_python

UV = Path(sys.executable).parent / "uv"
LOCKS = ROOT / "locks"


def compile_lock(name: str, requirements: str, python: str, *constraints: str | Path) -> None:
    """Write locks/NAME.lock for this Python and newer ones. Raises CalledProcessError, after uv has said why."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{one}\n" for one in constraints if isinstance(one, str)))
        file.flush()
        files = [file.name, *(one for one in constraints if isinstance(one, Path))]
        command = [str(UV), "pip", "compile", "--quiet", "--no-config", "--universal", "--python-version", python]
        command += ["--generate-hashes", "--only-binary", ":all:", "--no-annotate", "--upgrade"]
        command += ["--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "make lock"]
        command += [word for one in files for word in ("--constraint", str(one))]
        output = LOCKS / f"{name}.lock"
        subprocess.run([*command, "--output-file", str(output), requirements], cwd=ROOT, check=True)
    print(f"{output.relative_to(ROOT)}: {requirements}, Python {python} and newer")


def main() -> None:
    LOCKS.mkdir(exist_ok=True)
    compile_lock("test", "requirements-test.txt", oldest_python())
    # The tests' environment starts as the demo's: the same versions in both.
    compile_lock("demo", "requirements-demo.txt", oldest_python(), LOCKS / "test.lock")
    compile_lock("importer", "requirements-importer.txt", oldest_python())
    for release, pythons in ANSIBLE_CORE.items():
        python = min(pythons, key=numbers)
        compile_lock(f"ansible-core-{release}", "requirements-unit.txt", python, f"ansible-core=={release}.*")
    for stale in LOCKS.glob("ansible-core-*.lock"):
        if stale.stem.removeprefix("ansible-core-") not in ANSIBLE_CORE:
            stale.unlink()


if __name__ == "__main__":
    main()
