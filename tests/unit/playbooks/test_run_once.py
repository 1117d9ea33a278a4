# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts do not share their facts.

ansible-core 2.21 gives all hosts one and the same dictionary of facts, if the first thing stored for them comes from a
task with ``run_once`` (https://github.com/ansible/ansible/issues/87148). The interpreter that is discovered on one host
is then used on all. So the first task of a playbook that stores something does so for each host.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
#: Actions that store facts, if only an empty dictionary of them.
STORING = {"ansible.builtin.set_fact", "ansible.builtin.debug", "ansible.builtin.include_vars"}
#: Actions that reach no host. All others store at least the interpreter of each host.
LOCAL = {*STORING, "ansible.builtin.add_host", "ansible.builtin.assert", "ansible.builtin.fail", "ansible.builtin.meta"}
IMPORTS = {"ansible.builtin.include_tasks", "ansible.builtin.import_tasks"}
ROLES = {"ansible.builtin.include_role", "ansible.builtin.import_role"}


class Tasks(yaml.SafeLoader):
    """YAML with tags like !unsafe."""


Tasks.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), Tasks)  # noqa: S506  a loader for safe types


def tasks_of(listed: list[dict[str, Any]], here: Path, once: bool) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Each task in its order, and whether it runs once for all hosts."""
    for task in listed:
        runs_once = once or bool(task.get("run_once"))
        for key in ("block", "rescue", "always"):
            yield from tasks_of(task.get(key, []), here, runs_once)
        for action in IMPORTS & task.keys():
            name = task[action]["file"]
            if "{{" not in name:
                path = here / name
                yield from tasks_of(load(path), path.parent, runs_once)
        for action in ROLES & task.keys():
            path = ROOT / "roles" / task[action]["name"].rpartition(".")[2] / "tasks" / "main.yml"
            yield from tasks_of(load(path), path.parent, runs_once)
        if not {"block", *IMPORTS, *ROLES} & task.keys():
            yield runs_once, task


def first_stored(plays: list[dict[str, Any]], here: Path) -> tuple[bool, dict[str, Any]] | None:
    """The first task that stores something for the hosts of its play, and whether it runs once."""
    for play in plays:
        for once, task in tasks_of(play.get("tasks", []), here, False):
            if task.get("delegate_to") and task.get("delegate_facts"):
                continue  # it is stored for that host alone
            actions = {key for key in task if "." in key}
            if actions & STORING or not actions & LOCAL:
                return once, task
    return None


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_the_first_that_is_stored_is_stored_for_each_host(path: Path) -> None:
    found = first_stored(load(path), path.parent)
    assert found is None or not found[0], f"run_once: {found[1].get('name')}"


def test_one_that_runs_once_is_found() -> None:
    once = {"name": "mine", "run_once": True, "block": [{"ansible.builtin.set_fact": {"mine": 1}}]}
    each = {"ansible.builtin.set_fact": {"own": 1}}
    found = first_stored([{"tasks": [once, each]}], ROOT)
    assert found is not None
    assert found[0]
    found = first_stored([{"tasks": [{"ansible.builtin.assert": {}, "run_once": True}, each, once]}], ROOT)
    assert found is not None
    assert not found[0]
