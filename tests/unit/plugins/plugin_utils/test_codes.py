# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codes of problems: each means one thing, is used, and is what at least one test expects."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from ansible_collections.lvs.cluster.plugins.plugin_utils._description import problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code

ROOT = Path(__file__).resolve().parents[4]
CASES = Path(__file__).parent / "cases"


def named(paths: Iterable[Path]) -> set[str]:
    """The names of codes in Python files."""
    return {name for path in paths for name in re.findall(r"\bCode\.([A-Z_]+)\b", path.read_text())}


def test_each_means_one_thing() -> None:
    assert len(Code.__members__) == len(Code), "two have one word"
    assert len({code.meaning.casefold() for code in Code}) == len(Code), "two have one meaning"
    for code in Code:
        assert code.value == code.name.lower()
        assert code.meaning
        assert not code.meaning.endswith(".")


def test_each_is_used() -> None:
    paths = set((ROOT / "plugins").rglob("*.py")) - {Path(problems.__file__)}
    assert named(paths) == set(Code.__members__)


def test_each_is_expected_by_a_test() -> None:
    in_tests = named(path for path in (ROOT / "tests/unit").rglob("test_*.py") if path.name != Path(__file__).name)
    in_cases = {
        Code(entry["code"]).name for path in CASES.glob("*/problems.yml") for entry in yaml.safe_load(path.read_text())
    }
    assert in_cases
    assert in_tests | in_cases == set(Code.__members__)
