# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of clusters find tasks and plays by their titles, so each of these titles exists."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TITLES = {
    name: title
    for name, title in runpy.run_path(str(ROOT / "molecule" / "titles.py")).items()
    if name.isupper() and isinstance(title, str)
}


def named(folder: Path) -> set[str]:
    """Return the names of all tasks and plays in a folder."""
    texts = (path.read_text() for path in folder.rglob("*.yml"))
    return {name for text in texts for name in re.findall(r"^ *- name: (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", TITLES)
def test_it_exists(name: str) -> None:
    title = TITLES[name].removeprefix("PLAY [").removesuffix("]")
    role, _colon, task = title.rpartition(" : ")
    folders = [ROOT / "roles" / role.rpartition(".")[2]] if role else [ROOT / "playbooks", ROOT / "roles"]
    assert task in {found for folder in folders for found in named(folder)}


def test_there_are_some() -> None:
    assert len(TITLES) > 5
