# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place that names the supported versions names the same ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.lvs.cluster.tests.supported import ANSIBLE_CORE, numbers, oldest_python

ROOT = Path(__file__).resolve().parents[2]
OLDEST = next(iter(ANSIBLE_CORE))
RELEASES = f"{', '.join(list(ANSIBLE_CORE)[:-1])} or {list(ANSIBLE_CORE)[-1]}"


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_releases_are_in_order() -> None:
    assert list(ANSIBLE_CORE) == sorted(ANSIBLE_CORE, key=numbers)


def test_the_metadata_names_the_oldest_ansible_core() -> None:
    assert yaml.safe_load(text("meta/runtime.yml"))["requires_ansible"] == f">={OLDEST}.0"
    for path in sorted(ROOT.glob("roles/*/meta/main.yml")):
        assert yaml.safe_load(path.read_text())["galaxy_info"]["min_ansible_version"] == OLDEST, path


@pytest.mark.parametrize("path", ["requirements-demo.txt", "requirements-importer.txt"])
def test_the_requirements_name_the_oldest_ansible_core(path: str) -> None:
    assert re.findall(r"(?m)^ansible-core>=(.*)$", text(path)) == [OLDEST]


def test_the_documents_name_them() -> None:
    python = oldest_python()
    assert f"ansible-core {RELEASES}, with a Python that it supports ({python} or newer)" in text("README.md")
    for path in ("README.md", "CONTRIBUTING.md", ".ci/packages"):
        assert set(re.findall(r"Python (3\.\d+) or newer (?:is needed|runs the tools)", text(path))) <= {python}, path
    assert f"Python {python} or newer, about" in text("README.md")
    assert f"Python {python} or newer runs the tools" in " ".join(text("CONTRIBUTING.md").split())
    assert f"sys.version_info < {tuple(numbers(python))}" in text(".ci/packages")


def test_the_settings_of_the_tools_name_the_oldest_python() -> None:
    python = oldest_python()
    assert f'target-version = "py{python.replace(".", "")}"' in text("pyproject.toml")
    assert f'python_version = "{python}"' in text("pyproject.toml")


def test_each_release_has_a_lock_file_for_it() -> None:
    locks = {path.stem.removeprefix("ansible-core-"): path for path in ROOT.glob("locks/ansible-core-*.lock")}
    assert set(locks) == set(ANSIBLE_CORE)
    for release, path in locks.items():
        assert re.findall(r"(?m)^ansible-core==(\d+\.\d+)\.", path.read_text()) == [release]


@pytest.mark.parametrize("path", sorted(ROOT.glob("locks/*.lock")), ids=lambda path: str(path.name))
def test_a_lock_file_holds_hashes_and_names_no_place(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9.-]+==\S+( ; [^/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


def test_a_new_release_is_added_before_it_is_locked() -> None:
    for path in ROOT.glob("locks/*.lock"):
        assert set(re.findall(r"(?m)^ansible-core==(\d+\.\d+)\.", path.read_text())) <= set(ANSIBLE_CORE), path
