# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that counts the tasks of each host in a run, and writes them to the file FLEET_COUNTS at its end."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: count_tasks
type: aggregate
short_description: Counts tasks
description: Counts the tasks of each host, and those that run once for all hosts.
"""

#: What runs on the controller alone.
_LOCAL = ("assert", "debug", "include_role", "include_tasks", "set_fact", "validate_argument_spec")


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Counts by play and host: tasks that connect to the host, those that run on the controller alone, and those that
    run once for all hosts.
    """

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "count_tasks"

    def __init__(self) -> None:
        super().__init__()
        self._plays: list[dict[str, Any]] = []
        self._begun = time.monotonic()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Begin a play."""
        if not self._plays or self._plays[-1]["uuid"] != play._uuid:
            begun = time.monotonic() - self._begun
            self._plays.append(
                {"uuid": play._uuid, "name": play.get_name(), "begun": begun, "hosts": {}, "first": None}
            )

    def _add(self, result: Any, skipped: bool = False) -> None:
        play = self._plays[-1]
        local = skipped or result._task.action.rpartition(".")[2] in _LOCAL
        if not local and play["first"] is None:
            play["first"] = time.monotonic() - self._begun
        counts = play["hosts"].setdefault(result._host.get_name(), [0, 0, 0])
        counts[2 if result._task.run_once else 1 if local else 0] += 1

    def v2_runner_on_ok(self, result: Any) -> None:
        """Count a task that was successful."""
        self._add(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Count a task that was skipped."""
        self._add(result, skipped=True)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Count a task that failed."""
        self._add(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the counts; a host has [tasks that connect, tasks that do not, tasks that run once]."""
        Path(os.environ["FLEET_COUNTS"]).write_text(
            json.dumps({"plays": self._plays, "failures": stats.failures, "changed": stats.changed})
        )
