# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases: a folder each, with what goes in and what must come out.

``description.yml`` is ``lvs_virtual_services``. ``inventory.yml`` (else the one beside the folders) has ``groups``,
``hostvars`` and, for directors, ``settings``, which are variables of the role. ``expected.yml`` has what every director
and real server is given, or ``problems.yml`` what is wrong. In that, ``says`` is a list of words that a sentence has.

`pytest tests/unit --update` writes these files from what comes out, except ``says``, and fails if one has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.lvs.cluster.plugins.module_utils._host import arp, decapsulation, routing
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError, Problem
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

TABLE_OPTIONS = ArgumentSpecValidator(
    {
        "services": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {"type": "str"}, **arguments.service_spec()},
        },
        "exclude": {"type": "list", "elements": "dict", "options": arguments.identity_spec()},
    }
)
CASES = Path(__file__).parent / "cases"
FOLDERS = sorted(path.parent for path in CASES.glob("*/description.yml"))


def expand(folder: Path) -> dict[str, Any]:
    own = folder / "inventory.yml"
    inventory = yaml.safe_load((own if own.exists() else CASES / "inventory.yml").read_text())
    groups, hostvars = inventory["groups"], inventory["hostvars"]
    settings = inventory.get("settings", {})
    shared = {"lvs_nat_gateway": settings.get("lvs_nat_gateway")}
    cluster = build_cluster(yaml.safe_load((folder / "description.yml").read_text()), groups, hostvars)
    return {
        "directors": {host: support.director(cluster, host, **settings) for host in groups["directors"]},
        "real_servers": {host: support.real_server(cluster, host, **shared) for host in groups["real_servers"]},
    }


def test_cases_are_found() -> None:
    assert len(FOLDERS) >= 15


class Entry(dict[str, Any]):
    """A problem as it stands in a file."""


class Dumper(yaml.SafeDumper):
    """Writes YAML as it stands in this tree: lists are indented, and texts of several lines are blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else '"' if "'" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_entry(self, entry: Entry) -> yaml.MappingNode:
        return self.represent_mapping("tag:yaml.org,2002:map", entry.items(), flow_style=len(str(entry)) < 130)


Dumper.add_representer(str, Dumper.represent_text)
Dumper.add_representer(Entry, Dumper.represent_entry)


FILES = ("expected.yml", "problems.yml")
FACTS = ("code", "where", "key", "value")


def written(problem: Problem) -> Entry:
    facts = {"code": problem.code.value, "where": problem.where, "key": problem.key, "value": problem.value}
    return Entry((name, fact) for name, fact in facts.items() if fact)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def update(path: Path, found: Any) -> bool:
    """Write a golden file if it has other data; whether it had."""
    before = load(path)
    if isinstance(found, list):
        words = {tuple(entry.get(name) for name in FACTS): entry.get("says") for entry in before or ()}
        for entry in found:
            if says := words.get(tuple(entry.get(name) for name in FACTS)):
                entry["says"] = says
    if found == before:
        return False
    header = "".join((path.parent / "description.yml").read_text().splitlines(keepends=True)[:4])
    path.write_text(f"{header}\n{yaml.dump(found, Dumper=Dumper, sort_keys=False, width=10000)}")
    return True


def compare(problems: Sequence[Problem], path: Path) -> None:
    entries = load(path)
    assert [written(problem) for problem in problems] == [
        {name: fact for name, fact in entry.items() if name != "says"} for entry in entries
    ]
    for problem, entry in zip(problems, entries, strict=True):
        facts = (entry["where"], entry.get("key", ""), entry.get("value", ""))
        support.expected(Code(entry["code"]), *facts, *entry.get("says", ())).check(problem)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_case(folder: Path, takes: Callable[[dict[str, Any]], None], request: pytest.FixtureRequest) -> None:
    expanded: dict[str, Any] | None = None
    problems: Sequence[Problem] = ()
    try:
        expanded = expand(folder)
    except ModelError as error:
        problems = error.problems
    path, other = (folder / name for name in (FILES if expanded is not None else FILES[::-1]))
    data: Any = expanded if expanded is not None else [written(problem) for problem in problems]
    if request.config.getoption("--update") and update(path, data):
        other.unlink(missing_ok=True)
        pytest.fail(f"{path} is written anew: read it, and run again without --update", pytrace=False)
    assert path.exists(), [str(problem) for problem in problems]
    assert not other.exists()
    if expanded is None:
        compare(problems, path)
        return
    assert expanded == load(path)
    for director in expanded["directors"].values():
        takes(director)
        for option, value in (("services", director["services"]), ("exclude", director["owned_elsewhere"])):
            assert not TABLE_OPTIONS.validate({option: value}).error_messages
    for real_server in expanded["real_servers"].values():
        arp.parse_silence(True, real_server["vips"], "lo", [], True)
        routing.parse_return_route(
            True, **real_server["return_route"], everything=False, table=5151, priority=5151, persist=True
        )
        decapsulation.parse_tunnels(True, real_server["tunnels"], persist=True)
