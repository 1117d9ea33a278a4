# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity, every test, over a copy of the tree and without an ignore file.

`.venv/bin/python tests/sanity.py [--environment DIR] [-- ANSIBLE-TEST ARGUMENTS]`; `nox -s sanity` runs it with the
environment that all tests share, tests/matrix.py with others.

ansible-test keeps environments and a program that installs pip below HOME, where every project's ansible-test would
use them. So it gets a HOME of its own: lvs-cluster/ansible-test in the user's cache, which all checkouts share.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.tree import copy_of_the_tree

# What pip and git read below HOME: how this machine reaches PyPI, and whose checkouts are trusted.
SETTINGS = (".config/pip", ".pip", ".netrc", ".config/git", ".gitconfig")
GET_PIP = """\
import os
import runpy
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "{wheel}"))
sys.argv[1:] = ["install", *(arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel"))]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def make_home() -> Path:
    """Make the HOME that ansible-test gets, with links to the settings of the user's own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "lvs-cluster" / "ansible-test"
    home.mkdir(parents=True, exist_ok=True)
    for name in SETTINGS:
        own, link = Path.home() / name, home / name
        link.parent.mkdir(exist_ok=True)
        if own.exists() and not link.is_symlink():
            link.symlink_to(own)
    return home


def provide_pip(home: Path, environment: Path) -> None:
    """Put pip where ansible-test looks before it downloads get-pip from ansible.com, so that PyPI is all it needs.

    ansible-test runs ~/.ansible/test/cache/get_pip_VERSION.py with the arguments of `pip install`, in an environment
    that has no pip yet. The wheel of that version does the same when it is imported in place.
    """
    cache = home / ".ansible" / "test" / "cache"
    (source,) = environment.glob("lib/python3.*/site-packages/ansible_test/_internal/python_requirements.py")
    for version in sorted(set(re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8")))):
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        if script.exists():
            continue
        pip = [str(environment / "bin" / "python"), "-m", "pip"]
        subprocess.run([*pip, "download", "--quiet", "--no-deps", f"--dest={cache}", f"pip=={version}"], check=True)
        (wheel,) = cache.glob(f"pip-{version}-*.whl")
        script.write_text(GET_PIP.format(wheel=wheel.name), encoding="utf-8")


def starts(interpreter: Path) -> bool:
    """Return whether an interpreter runs at all: pyenv's shims of versions that are not chosen do not."""
    return subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode == 0


def path_of_pythons(path: str) -> str:
    """PATH for ansible-test, which tries every python3.N found there: shims are replaced by what pyenv really has."""
    directories: list[Path] = []
    for directory in map(Path, path.split(os.pathsep)):
        found = [path for path in directory.glob("python3.*") if re.fullmatch(r"python3\.\d+", path.name)]
        if all(starts(path) for path in found):
            directories.append(directory)
        else:
            directories.extend(sorted(directory.parent.glob("versions/*/bin")))
    return os.pathsep.join(map(str, directories))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--environment", type=Path, default=Path(sys.prefix), help="the virtual environment to use")
    parser.add_argument("arguments", nargs="*", help="for ansible-test, after --")
    options = parser.parse_args()
    environment = options.environment.resolve()
    home = make_home()
    provide_pip(home, environment)
    path = f"{environment / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    with copy_of_the_tree() as (_place, tree):
        if ignored := sorted(path.name for path in (tree / "tests" / "sanity").glob("ignore*")):
            print(f"tests/sanity holds {', '.join(ignored)}: this collection passes without exceptions")
            return 1
        command = [str(environment / "bin" / "ansible-test"), "sanity", "--local", "--color", "no", *options.arguments]
        variables = {**os.environ, "PATH": path_of_pythons(path), "HOME": str(home)}
        return subprocess.run(command, cwd=tree, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
