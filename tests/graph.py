# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The import graph of the plugins, from their sources: rooms, floors, and what each module costs a host.

``python tests/graph.py`` prints it, and ends with status 1 if an import breaks a rule. The rules:

- There is no import cycle, and no two rooms import each other. A room is a folder.
- Imports go down: modules and filters, then `plugin_utils`, `_ipvs`, `_host`. Modules run on hosts and import
  `module_utils` alone. `plugin_utils` runs on the controller and imports pure files of `module_utils` alone.
- A pure file imports neither Ansible nor pyroute2 nor what does I/O, and of ours pure files alone. In `module_utils` a
  file is pure if its docstring says so with the word "Pure", in `plugin_utils` if it does not import Ansible.
- No file name stands twice in `module_utils` and `plugin_utils`, and a file in `module_utils` has none of a module or a
  filter.

Late imports (in functions) and imports for types alone are edges too. Only the closure of a module leaves them out:
Ansible sends the sources of all imported files to the host, and a task compiles those that it imports at once.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = "ansible_collections.lvs.cluster.plugins."
#: Kinds of plugins, from the top down; the part of a file's name before the first dot.
PUBLIC = ("modules", "filter", "action", "lookup", "test")
PRIVATE = ("module_utils", "plugin_utils")
#: Rooms whose order is fixed, with those that each may import besides itself.
BELOW = {"module_utils._host": (), "module_utils._ipvs": ("module_utils._host",)}
_IMPURE = """
ansible asyncio ctypes fcntl glob grp http importlib io logging mmap multiprocessing os pathlib pkgutil platform pwd
pyroute2 random resource select shutil signal socket socketserver ssl subprocess sys syslog tempfile termios threading
time urllib zipfile
"""
#: What a pure file does not import, by the first part of the name.
IMPURE = frozenset(_IMPURE.split())
#: Names of these modules that do no I/O: conversions and constants.
HARMLESS = {"socket": {"AF_INET", "AF_INET6", "inet_ntop", "inet_pton"}, "mmap": {"PAGESIZE"}}
_PURE = re.compile(r"\bPure[.:]")
_CONTROLLER_ONLY = frozenset({"ansible", "jinja2"})


@dataclass(frozen=True)
class File:
    """A file of the plugins. ``name`` is relative to them, as ``module_utils._host.arp``.

    ``imports`` are the names of files that it imports when it is imported, ``late`` those that it imports in functions
    or for types. ``outside`` are other modules, each with the names that are imported from it (empty for all of it).
    """

    name: str
    lines: int
    docstring: str
    imports: frozenset[str]
    late: frozenset[str]
    outside: Mapping[str, frozenset[str]]

    @property
    def kind(self) -> str:
        """Return the kind of plugin, as ``module_utils``."""
        return self.name.partition(".")[0]

    @property
    def room(self) -> str:
        """Return the folder, as ``module_utils._host``."""
        return self.name.rpartition(".")[0]

    @property
    def stem(self) -> str:
        """Return the file name without its ending."""
        return self.name.rpartition(".")[2]

    @property
    def pure(self) -> bool:
        """Return whether the file has to keep to the rules of pure files."""
        if self.kind == "plugin_utils":
            return not any(module.partition(".")[0] == "ansible" for module in self.outside)
        return _PURE.search(self.docstring) is not None

    def does_io(self, allowed: frozenset[str] = frozenset()) -> list[str]:
        """Return the modules that it imports and that a pure file does not, but for these."""
        return sorted(
            module
            for module, names in self.outside.items()
            if module.partition(".")[0] in IMPURE - allowed and not (names and names <= HARMLESS.get(module, set()))
        )


def read_files(root: Path = ROOT) -> dict[str, File]:
    """Return every file of the plugins by its name, without those that are empty."""
    plugins = root / "plugins"
    paths = {
        ".".join(path.relative_to(plugins).with_suffix("").parts): path
        for kind in (*PUBLIC, *PRIVATE)
        for path in sorted((plugins / kind).rglob("*.py"))
        if path.name != "__init__.py"
    }
    return {name: _read(name, path.read_text(encoding="utf-8"), paths) for name, path in paths.items()}


def _read(name: str, text: str, known: Mapping[str, Path]) -> File:
    tree = ast.parse(text)
    now: set[str] = set()
    late: set[str] = set()
    outside: dict[str, frozenset[str]] = {}
    for node, is_late in _import_nodes(tree, False):
        if isinstance(node, ast.Import):
            outside.update({alias.name: frozenset() for alias in node.names})
            continue
        module = _ours(name, node)
        if module is None:
            found = frozenset(alias.name for alias in node.names)
            before = outside.get(node.module or "")
            outside[node.module or ""] = found if before is None else (found | before if before else before)
            continue
        for alias in node.names:
            file = f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module
            if file in known:
                (late if is_late else now).add(file)
    docstring = ast.get_docstring(tree) or ""
    return File(name, len(text.splitlines()), docstring, frozenset(now), frozenset(late - now), outside)


def _import_nodes(node: ast.AST, late: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, late
            continue
        is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _import_nodes(child, late or is_function or for_types)


def _ours(name: str, node: ast.ImportFrom) -> str | None:
    """Return the file or folder of ours that names are imported from; None for another module."""
    module = node.module or ""
    if node.level:
        base = name.split(".")[: -node.level]
        return ".".join([*base, *([module] if module else [])])
    return module.removeprefix(COLLECTION) if module.startswith(COLLECTION) else None


def closure(files: Mapping[str, File], name: str, with_late: bool = False) -> set[str]:
    """Return the files that this one imports, and those that they import, without itself."""
    found: set[str] = set()
    todo = [name]
    while todo:
        file = files[todo.pop()]
        new = (file.imports | (file.late if with_late else frozenset())) - found
        found |= new
        todo += new
    return found - {name}


def floors(files: Mapping[str, File]) -> dict[str, int]:
    """Return for each file how many others are below it at most, one on the other; files in a cycle have none."""
    found: dict[str, int] = {}
    while True:
        new = {
            name: max((found[other] + 1 for other in file.imports | file.late), default=0)
            for name, file in files.items()
            if name not in found and all(other in found for other in file.imports | file.late)
        }
        if not new:
            return found
        found.update(new)


def cycles(files: Mapping[str, File]) -> list[str]:
    """Return a sentence for each file that imports itself by way of others."""
    below = floors(files)
    return [
        f"{name} imports itself by way of {', '.join(sorted((file.imports | file.late) - set(below)))}"
        for name, file in files.items()
        if name not in below and name in _reached(files, name)
    ]


def _reached(files: Mapping[str, File], name: str) -> set[str]:
    """Return what this file imports in the end, itself included if it is in a cycle."""
    first = files[name].imports | files[name].late
    return set(first).union(*(closure(files, other, True) | {other} for other in first))


def upward(files: Mapping[str, File]) -> list[str]:
    """Return a sentence for each import that does not go down."""
    found = []
    rooms: dict[tuple[str, str], str] = {}
    for name, file in files.items():
        for other in sorted(file.imports | file.late):
            target = files[other]
            if target.kind in PUBLIC:
                found.append(f"{name} imports {other}, which is a public plugin")
            elif file.kind in ("modules", "module_utils") and target.kind == "plugin_utils":
                found.append(f"{name} imports {other}: what runs on hosts imports nothing of the controller")
            elif file.kind not in ("modules", "module_utils") and target.kind == "module_utils" and not target.pure:
                found.append(f"{name} imports {other}: what runs on the controller imports pure files of module_utils")
            elif file.room in BELOW and target.room not in (file.room, *BELOW[file.room]):
                found.append(f"{name} imports {other}, which is above it")
            if file.room != target.room:
                rooms[file.room, target.room] = name
    found += [
        f"{one} and {two} import each other, one of them in {rooms[one, two]}"
        for one, two in rooms
        if one < two and (two, one) in rooms
    ]
    return found


def impure(files: Mapping[str, File]) -> list[str]:
    """Return a sentence for each import that makes a pure file impure."""
    found = []
    for name, file in files.items():
        if file.pure:
            found += [f"{name} is pure and imports {module}" for module in file.does_io()]
            found += [
                f"{name} is pure and imports {other}, which is not"
                for other in sorted(file.imports | file.late)
                if not files[other].pure
            ]
        elif file.kind == "plugin_utils":
            found += [f"{name} imports {module}" for module in file.does_io(_CONTROLLER_ONLY)]
    return found


def undeclared(files: Mapping[str, File]) -> list[str]:
    """Return a sentence for each file of module_utils that is pure by what it imports, and does not say so."""
    return [
        f"{name} imports nothing impure: say in its docstring that it is pure"
        for name, file in files.items()
        if file.kind == "module_utils"
        and not file.pure
        and not file.does_io()
        and all(files[other].pure for other in file.imports | file.late)
    ]


def twice(files: Mapping[str, File]) -> list[str]:
    """Return a sentence for each private file whose name another file has."""
    found = []
    private = sorted((file for file in files.values() if file.kind in PRIVATE), key=lambda file: file.name)
    for index, file in enumerate(private):
        others = private[index + 1 :]
        if file.kind == "module_utils":
            others = [*others, *(other for other in files.values() if other.kind in PUBLIC)]
        found += [f"{file.name} and {other.name} have one name" for other in others if other.stem == file.stem]
    return found


def problems(files: Mapping[str, File]) -> list[str]:
    """Return what breaks a rule, a sentence each."""
    return [*cycles(files), *upward(files), *impure(files), *undeclared(files), *twice(files)]


def report(files: Mapping[str, File]) -> Iterator[str]:
    """Yield the graph, line by line."""
    height = floors(files)
    for kind in (*PRIVATE, *PUBLIC):
        rooms = sorted({file.room for file in files.values() if file.kind == kind})
        for room in rooms:
            inside = [file for file in files.values() if file.room == room]
            yield f"{room}: {len(inside)} files, {sum(file.lines for file in inside)} lines"
            if kind in PUBLIC:
                continue
            for file in sorted(inside, key=lambda file: (-height.get(file.name, 99), file.name)):
                head = (
                    f"  {height.get(file.name, '?'):>2} {file.lines:5} {'pure' if file.pure else '':4} {file.stem:20} "
                )
                late = ("later:", *_short(file.late)) if file.late else ()
                words = " ".join((*_short(file.imports), *late))
                yield from textwrap.wrap(words, 120, initial_indent=head, subsequent_indent=" " * len(head)) or [
                    head.rstrip()
                ]
    yield ""
    private = [file for file in files.values() if file.kind in PRIVATE]
    yield f"private: {len(private)} files, {sum(file.lines for file in private)} lines"
    yield ""
    yield "What a task of a module compiles of ours, besides the module"
    for name, file in files.items():
        if file.kind == "modules":
            needed = closure(files, name)
            yield f"  {file.stem:20} {len(needed):3} files {sum(files[one].lines for one in needed):6} lines"


def _short(names: Iterable[str]) -> list[str]:
    return sorted(name.removeprefix("module_utils.") for name in names)


def main() -> int:
    files = read_files()
    print("\n".join(report(files)))
    wrong = problems(files)
    print()
    print(
        "\n".join(wrong) if wrong else "No cycle, no import that goes up, nothing impure in a pure file, no name twice."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
