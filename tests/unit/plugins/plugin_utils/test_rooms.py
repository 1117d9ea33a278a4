# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of plugin_utils: which imports which, and what none of them does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
PACKAGE = "ansible_collections.lvs.cluster.plugins."
#: The floors. A file imports files of its own room and of those before it.
FLOORS = {"_description": 0, "_cluster": 1, "_render": 2, "_verify": 2}
UTILS = PLUGINS / "plugin_utils"
FILES = sorted(path for room in FLOORS for path in (UTILS / room).glob("*.py") if path.stat().st_size)
#: Which modules of others a pure file may import. None of them reads or writes anything.
HARMLESS = {
    "__future__",
    "collections",
    "contextlib",
    "dataclasses",
    "difflib",
    "enum",
    "functools",
    "ipaddress",
    "jinja2",
    "json",
    "re",
    "reprlib",
    "shlex",
    "typing",
}


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, by their whole names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            package = str(node.module)
            for alias in node.names:
                whole = f"{package}.{alias.name}"
                yield whole if (PLUGINS / f"{whole.removeprefix(PACKAGE).replace('.', '/')}.py").exists() else package


def name(path: Path) -> str:
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts)


GRAPH = {name(path): {one.removeprefix(PACKAGE) for one in imported(path) if one.startswith(PACKAGE)} for path in FILES}


def room(module: str) -> str:
    return module.split(".")[1]


def test_rooms_are_found() -> None:
    assert {room(module) for module in GRAPH} == set(FLOORS)
    assert not [path for path in UTILS.glob("*.py") if path.stat().st_size]


def test_there_is_no_cycle() -> None:
    tuple(TopologicalSorter(GRAPH).static_order())


@pytest.mark.parametrize("module", GRAPH)
def test_no_file_imports_a_room_above_it(module: str) -> None:
    for other in GRAPH[module]:
        kind = other.split(".")[0]
        assert kind in {"plugin_utils", "module_utils"}, other
        if kind == "plugin_utils" and room(other) != room(module):
            assert FLOORS[room(other)] < FLOORS[room(module)], other


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_imports_ansible_or_does_io(path: Path) -> None:
    others = {one.split(".")[0] for one in imported(path) if not one.startswith(PACKAGE)}
    assert others <= HARMLESS
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    called = {function.id for function in calls if isinstance(function, ast.Name)}
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}


def test_no_name_stands_twice() -> None:
    others = [path for place in ("filter", "modules", "module_utils/_*") for path in PLUGINS.glob(f"{place}/*.py")]
    names = [path.stem for path in (*FILES, *others) if path.stem != "__init__"]
    assert sorted(names) == sorted(set(names))
