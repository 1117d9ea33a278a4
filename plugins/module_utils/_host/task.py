# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Common tasks of modules: they need pyroute2 and root, and may have several parts.

Ansible discovers an interpreter, or ansible_python_interpreter names one. Distributions package pyroute2 only for
/usr/bin/python3, so a module without it runs again under that interpreter.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .errors import HostError, MissingLibrary
from .process import require_root

SYSTEM_PYTHON = "/usr/bin/python3"
LIBRARY = "pyroute2"
PACKAGE = "python3-pyroute2"
# respawn_module writes everything into a pipe before its reader starts, and would block for ever. A pipe holds 64 KiB
# (pipe(7)), and the arguments are only a part.
_MOST_ARGUMENTS = 32768

Work = Callable[[], dict[str, Any]]


def respawn_with_library(module: AnsibleModule) -> None:
    """Run the module again under the system's Python and end, if that has pyroute2 and this one lacks it.

    Otherwise it returns, and the module fails when it needs the library. Call it before any change.
    """
    if find_spec(LIBRARY) is not None:
        return
    from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

    if has_respawned() or not _sent_by_ansible() or _is_system_python():
        return
    python = probe_interpreters_for_module([SYSTEM_PYTHON], LIBRARY)
    if python is None:
        return
    if len(json.dumps(module.params)) > _MOST_ARGUMENTS:
        module.fail_json(
            msg=f"{sys.executable} does not find the Python library {LIBRARY}. {python} does, but the arguments of this"
            f" task are too long to be handed over to it: set ansible_python_interpreter to {python} for this host"
        )
    respawn_module(python)


def _sent_by_ansible() -> bool:
    """Return True for a module that Ansible has sent, which can be run again, False for one that a test has
    imported.
    """
    return hasattr(sys.modules["__main__"], "_modlib_path")


def _is_system_python() -> bool:
    """Return True if this process runs /usr/bin/python3 itself, under any name, and not an environment based on it."""
    if sys.prefix != sys.base_prefix or not sys.executable or not os.path.exists(SYSTEM_PYTHON):
        return False
    return os.path.samefile(sys.executable, SYSTEM_PYTHON)


def fail_without_library(module: AnsibleModule, error: Exception, use: str) -> NoReturn:
    """End the module: pyroute2 cannot be imported. The message names the interpreter."""
    module.fail_json(
        msg=missing_required_lib(
            LIBRARY,
            reason=f"{use}. Debian and Ubuntu have it as {PACKAGE}; the roles of lvs.cluster install it unless"
            " lvs_install_packages is false",
            url="https://pypi.org/project/pyroute2/",
        ),
        exception="".join(traceback.format_exception(type(error), error, error.__traceback__)),
    )
    raise AssertionError("fail_json ends the process")


class PartFailedError(HostError):
    """A part failed. ``result``: the values that its module would return besides the message."""

    def __init__(self, message: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = dict(result or {})


@dataclass(frozen=True)
class Part:
    """One of several parts of a module.

    ``prepare`` reads its arguments, changes nothing, and returns a function that does the work and returns the part's
    result. Both raise HostError; the work raises MissingLibrary before any change. ``needs_pyroute2``: it may need that
    library. ``traces`` are as for `run`.
    """

    name: str
    prepare: Callable[[], Work]
    needs_pyroute2: bool = True
    traces: Collection[str] = ()


def run_parts(module: AnsibleModule, parts: Iterable[Part], **result: Any) -> None:
    """Run one part after the other; end the process as `run` does. ``result``: further values to return.

    All arguments are read before any change. A part that fails undoes what it has changed, and those before it
    stay. Their changes are complete on their own, and the next run continues from there.
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
        differences=[difference for one in done.values() for difference in one.get("differences", [])],
        **result,
    )


def _diffs(result: Mapping[str, Any]) -> list[dict[str, str]]:
    diff = result.get("diff", [])
    return diff if isinstance(diff, list) else [diff]


def never_set_up(traces: Collection[str]) -> bool:
    """Return True if a host has none of the files of which a changed host has at least one."""
    return bool(traces) and not any(map(os.path.lexists, traces))
