# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for ipvs_table: its files are in a directory of the test, and its kernel is a dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import boot, persist, plan, rules, whole_table
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support


class Task:
    """As much of AnsibleModule as the code looks at."""

    _diff = False

    def __init__(self, check_mode: bool = False, **options: Any) -> None:
        self.check_mode = check_mode
        defaults: dict[str, Any] = {"services": [], "rules": None, "exclude": [], "drain_directory": None}
        self.params = {**defaults, "state": "present", "purge": "none", "persist": True, **options}

    def get_bin_path(self, name: str, required: bool) -> str:
        return name

    def run_command(self, words: Sequence[str]) -> tuple[int, str, str]:
        if words[1] == "enable":
            Path(persist.ENABLED).parent.mkdir(parents=True)
            Path(persist.ENABLED).symlink_to(persist.UNIT_FILE)
        return 0, "", ""


def manage(task: Any) -> dict[str, Any]:
    return whole_table.prepare(task, task.params)()


def simulate(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> support.FakeKernel:
    """Return a kernel with this table, on a host that has its files in the folder."""
    for name in ("RULES_FILE", "TIMEOUTS_FILE", "ARCHIVE", "UNIT_FILE", "ENABLED"):
        monkeypatch.setattr(persist, name, f"{folder}{getattr(persist, name)}")
    monkeypatch.setattr(boot, "command_at_boot", lambda _module: "/usr/bin/python3 -I")
    fake = support.FakeKernel(plan.plan({}, rules.parse(text)).predicted)
    monkeypatch.setattr(whole_table, "Ipvs", lambda **_options: fake)
    return fake
