# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conformance checks, as nox sessions.

`make check` runs them; `.venv/bin/nox -s NAME` runs one, `.venv/bin/nox -l` lists them. They share the one environment
that the Makefile makes, so nothing is installed here and a second run starts at once. antsibull-nox.toml names those
that antsibull-nox brings. Those below it would run in a container, or only in an environment for each.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ansible_test
import antsibull_nox
import nox
from antsibull_fileutils.copier import Copier, GitCopier
from antsibull_fileutils.vcs import detect_vcs

ROOT = Path(__file__).resolve().parent
# Where Ansible finds the tree under its real name: a link, made by the Makefile.
COLLECTIONS = ROOT / ".build" / "collections"
# Left out of a copy where git cannot say what belongs to the tree.
NOT_CONTENT = [".ansible", ".build", ".git", ".lab", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".venv"]
GET_PIP = """\
import os
import runpy
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "{wheel}"))
sys.argv[1:] = ["install", *(arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel"))]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""

nox.options.default_venv_backend = "none"
nox.options.envdir = str(ROOT / ".build" / "nox")

os.chdir(ROOT)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
# A checkout that belongs to another user (run through sudo, mounted into a container) is still this repository.
os.environ.setdefault("GIT_CONFIG_COUNT", "1")
os.environ.setdefault("GIT_CONFIG_KEY_0", "safe.directory")
os.environ.setdefault("GIT_CONFIG_VALUE_0", str(ROOT))

antsibull_nox.load_antsibull_nox_toml()


@contextmanager
def copy_of_the_tree() -> Iterator[tuple[Path, Path]]:
    """Copy what git tracks or would track to a place of its own: yields the collections path and the collection in it.

    For tools that follow the link, or that walk up from the collection and take the repository above it for its own.
    """
    with tempfile.TemporaryDirectory(prefix="lvs-cluster-") as place:
        tree = Path(place) / "ansible_collections" / "lvs" / "cluster"
        tree.parent.mkdir(parents=True)
        copier = GitCopier() if detect_vcs(ROOT) == "git" else Copier()
        copier.copy(ROOT, tree, exclude_root=NOT_CONTENT)
        yield Path(place), tree


@nox.session
def ruff(session: nox.Session) -> None:
    """Run ruff: lint, licence headers and format. `nox -s ruff -- fix` repairs what can be repaired."""
    fix = session.posargs == ["fix"]
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--diff"]), ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Run mypy: strict, over plugins, tests, the lab and this file."""
    plugins = COLLECTIONS / "ansible_collections" / "lvs" / "cluster" / "plugins"
    paths = [path for path in (plugins, ROOT / "tests", ROOT / "molecule", ROOT / "noxfile.py") if path.exists()]
    session.run("mypy", *(os.path.relpath(path) for path in paths))


@nox.session(name="ansible-lint")
def ansible_lint(session: nox.Session) -> None:
    """Run ansible-lint, production profile, without network."""
    session.run("ansible-lint", "--offline", env={"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)})


@nox.session(name="docs-check")
def docs_check(session: nox.Session) -> None:
    """Run antsibull-docs lint over plugin documentation and docs/docsite."""
    options = ["--plugin-docs", "--check-extra-docs-refs", "--validate-collection-refs=self"]
    with copy_of_the_tree() as (place, tree):
        env = {"ANSIBLE_COLLECTIONS_PATH": str(place)}
        with session.chdir(tree):
            session.run("antsibull-docs", "lint-collection-docs", *options, ".", env=env)


@nox.session
def changelog(session: nox.Session) -> None:
    """Run antsibull-changelog lint over the fragments and the changelog."""
    session.run("antsibull-changelog", "lint")


@nox.session(name="build-import-check", venv_backend="venv", reuse_venv=True)
def build_import_check(session: nox.Session) -> None:
    """Build the archive for Galaxy and run galaxy-importer over it.

    In an environment of its own, made once: the importer wants an older attrs than nox does.
    """
    environment = Path(session.virtualenv.location)
    # pip installs a package after what it depends on: where the importer is, the environment is complete.
    if not any(environment.glob("lib/python*/site-packages/galaxy_importer/main.py")):
        session.install("ansible-core>=2.17", "galaxy-importer>=0.4.30")
    with copy_of_the_tree() as (place, tree):
        with session.chdir(tree):
            session.run("ansible-galaxy", "collection", "build", "--output-path", str(place))
        with session.chdir(place):
            (archive,) = place.glob("lvs-cluster-*.tar.gz")
            log = session.run("python", "-m", "galaxy_importer.main", archive.name, silent=True) or ""
    if problems := [line for line in log.splitlines() if line.startswith(("ERROR", "WARNING"))]:
        session.error("galaxy-importer: " + "; ".join(problems))


def provide_pip(session: nox.Session) -> None:
    """Put pip where ansible-test looks before it downloads get-pip from ansible.com, so that PyPI is all it needs.

    ansible-test runs ~/.ansible/test/cache/get_pip_VERSION.py with the arguments of `pip install`, in an environment
    that has no pip yet. The wheel of that version does the same when it is imported in place.
    """
    cache = Path.home() / ".ansible" / "test" / "cache"
    source = Path(ansible_test.__file__).parent / "_internal" / "python_requirements.py"
    for version in sorted(set(re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8")))):
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        if script.exists():
            continue
        session.run("python", "-m", "pip", "download", "--quiet", "--no-deps", f"--dest={cache}", f"pip=={version}")
        (wheel,) = cache.glob(f"pip-{version}-*.whl")
        script.write_text(GET_PIP.format(wheel=wheel.name), encoding="utf-8")


def starts(interpreter: Path) -> bool:
    """Tell whether an interpreter runs at all: pyenv's shims of versions that are not chosen do not."""
    return subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode == 0


def path_of_pythons() -> str:
    """PATH for ansible-test, which tries every python3.N found there: shims are replaced by what pyenv really has."""
    directories: list[Path] = []
    for directory in map(Path, os.environ["PATH"].split(os.pathsep)):
        found = [path for path in directory.glob("python3.*") if re.fullmatch(r"python3\.\d+", path.name)]
        if all(starts(path) for path in found):
            directories.append(directory)
        else:
            directories.extend(sorted(directory.parent.glob("versions/*/bin")))
    return os.pathsep.join(map(str, directories))


@nox.session
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity, every test, without an ignore file. It keeps its environments below ~/.ansible/test."""
    provide_pip(session)
    with copy_of_the_tree() as (_place, tree):
        if ignored := sorted(path.name for path in (tree / "tests" / "sanity").glob("ignore*")):
            session.error(f"tests/sanity holds {', '.join(ignored)}: this collection passes without exceptions")
        env = {"PATH": path_of_pythons()}
        with session.chdir(tree):
            session.run("ansible-test", "sanity", "--local", "--color", "no", *session.posargs, env=env)
