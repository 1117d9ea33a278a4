# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that do several things one after the other, each of which is a module of its own too.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .capability import require_root
from .errors import HostError, MissingLibrary
from .respawn import fail_without_library, respawn_with_library

Work = Callable[[], dict[str, Any]]


class PartFailedError(HostError):
    """A part cannot be done. ``result``: what its module would return besides the message."""

    def __init__(self, message: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = dict(result or {})


@dataclass(frozen=True)
class Part:
    """One of several things that a module does.

    ``prepare`` reads its arguments, changes nothing, and returns what does the work and returns the part's result. Both
    raise HostError; the work raises MissingLibrary before it changes anything. ``needs_pyroute2``: whether it
    may need that library. ``traces`` are as `run` has them.
    """

    name: str
    prepare: Callable[[], Work]
    needs_pyroute2: bool = True
    traces: Collection[str] = ()


def run_parts(module: AnsibleModule, parts: Iterable[Part], **result: Any) -> None:
    """Do one part after the other; ends the process as `run` does. ``result``: what to return besides.

    All arguments are read before anything is changed. A part that fails undoes what it has changed, and those before it
    stay: what they set up stands alone, and the next run goes on from there.
    """
    done: dict[str, dict[str, Any]] = {}
    parts = list(parts)
    if any(part.needs_pyroute2 for part in parts):
        respawn_with_library(module)
    try:
        require_root()
        prepared = [(part, part.prepare()) for part in parts]
        for part, work in prepared:
            try:
                done[part.name] = work()
            except MissingLibrary as error:
                if module.params.get("state") != "absent" or not never_set_up(part.traces):
                    fail_without_library(module, error, "to read and change addresses")
    except HostError as error:
        more = error.result if isinstance(error, PartFailedError) else {}
        changed = any(one["changed"] for one in done.values()) or more.get("changed", False)
        module.fail_json(msg=str(error), **{**more, "changed": changed, "parts": done}, **result)
    leftovers = [line for one in done.values() for line in one.get("leftovers", [])]
    if any("leftovers" in one for one in done.values()):
        result["leftovers"] = leftovers
    module.exit_json(
        changed=any(one["changed"] for one in done.values()),
        parts=done,
        diff=[diff for one in done.values() for diff in _diffs(one)],
        **result,
    )


def _diffs(result: Mapping[str, Any]) -> list[dict[str, str]]:
    diff = result.get("diff", [])
    return diff if isinstance(diff, list) else [diff]


def never_set_up(traces: Collection[str]) -> bool:
    """Whether a host has none of the files of which it has one if a module has ever changed it."""
    return bool(traces) and not any(map(os.path.lexists, traces))
