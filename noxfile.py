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
import sys
from pathlib import Path

import antsibull_nox
import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from tests.tree import copy_of_the_tree

# Where Ansible finds the tree under its real name: a link, made by the Makefile.
COLLECTIONS = ROOT / ".build" / "collections"

nox.options.default_venv_backend = "none"
nox.options.envdir = str(ROOT / ".build" / "nox")

os.chdir(ROOT)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

antsibull_nox.load_antsibull_nox_toml()


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
def docs(session: nox.Session) -> None:
    """Build the site of the documentation into .build/docs/html, with warnings as errors."""
    session.run("python", "tests/docs.py")


@nox.session
def changelog(session: nox.Session) -> None:
    """Run antsibull-changelog lint over the fragments and the changelog."""
    session.run("antsibull-changelog", "lint")


@nox.session(name="build-import-check", venv_backend="venv", reuse_venv=True)
def build_import_check(session: nox.Session) -> None:
    """Build the archive for Galaxy and run galaxy-importer over it.

    In an environment of its own, made once: the importer wants an older attrs than nox does.
    """
    lock = ROOT / "locks" / "importer.lock"
    stamp = Path(session.virtualenv.location) / "made-from"
    if not stamp.is_file() or stamp.read_text() != lock.read_text():
        session.install("--require-hashes", "--only-binary", ":all:", "-r", str(lock))
        stamp.write_text(lock.read_text())
    with copy_of_the_tree() as (place, tree):
        with session.chdir(tree):
            session.run("ansible-galaxy", "collection", "build", "--output-path", str(place))
        with session.chdir(place):
            (archive,) = place.glob("lvs-cluster-*.tar.gz")
            log = session.run("python", "-m", "galaxy_importer.main", archive.name, silent=True) or ""
    if problems := [line for line in log.splitlines() if line.startswith(("ERROR", "WARNING"))]:
        session.error("galaxy-importer: " + "; ".join(problems))


@nox.session
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity, every test, without an ignore file. Its environments stay in the user's cache."""
    session.run("python", "tests/sanity.py", "--", *session.posargs)


@nox.session
def shellcheck(session: nox.Session) -> None:
    """Run shellcheck over the programs that the roles install."""
    programs = [path for path in sorted(ROOT.glob("roles/*/files/*")) if path.read_bytes().startswith(b"#!/bin/sh")]
    session.run("shellcheck", *(os.path.relpath(path) for path in programs))
