# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a drain over several directors: the effect of each answer on the next step.

A drain is done on all directors or on none. So the changes of each director are recorded, to be undone if a later one
fails. An undrain continues after a failed director, and fails at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import (
    InputError,
    ReportError,
    clip,
    mapping,
    texts,
)

MODULE = "lvs.cluster.ipvs_drain"


def drained_on(done: object, director: object, result: object, addresses: object) -> list[dict[str, object]]:
    """Return the record of the directors that have drained, with one more.

    ``{"director": "lb1", "switched": ["192.0.2.11"], "former": [services as the module takes them], "fault": ""}``.
    ``addresses``: the real servers that are drained; a director can have switched no other. A fault ends the drain.
    """
    record: dict[str, object] = {"director": str(director), "switched": [], "former": [], "fault": ""}
    if unreached(result):
        record["fault"] = _unreached(str(director), result)
        return [*_records(done), record]
    try:
        answer = mapping(result, "the result")
        switched = texts(answer.get("switched"), "switched")
        other = sorted(set(switched) - set(_names(addresses)))
        if other:
            raise ReportError(f"switched has {clip(repr(other[0]))} in it, which is not drained here")
        former = answer.get("former")
        if not isinstance(former, (list, tuple)):  # its elements are sent back to this director only
            raise ReportError("former is not a list of services")
        record.update(switched=switched, former=_copied(former))
    except ReportError as error:
        record["fault"] = f"{director}: its answer is not one of {MODULE}: {error}"
    return [*_records(done), record]


def drain_failure(done: object, directors: object, result: object, failed: object) -> str:
    """Return why a drain failed, as a sentence.

    ``result``: that of the last director. ``failed``: that of the task that failed. ansible-core 2.19 has no such
    result for a delegated task with an unreachable host, and does not record it.
    """
    if unreached(result):
        recorded = [str(one["director"]) for one in _records(done)]
        missing = [name for name in _names(directors) if name not in recorded]
        name = recorded[-1] if recorded and _records(done)[-1].get("fault") else (missing or ["a director"])[0]
        return _unreached(name, result)
    return _message(failed) or "a task failed, as shown above"


def not_undrained(failed: object, director: object, result: object) -> list[dict[str, object]]:
    """Return the directors on which an undrain failed, with this one if it did.

    ``{"director": "lb1", "unreached": False, "text": "lb1: why"}``
    """
    found = [*_records(failed)]
    name = str(director)
    if unreached(result):
        found.append({"director": name, "unreached": True, "text": _unreached(name, result)})
    elif not isinstance(result, Mapping) or result.get("failed"):
        found.append({"director": name, "unreached": False, "text": f"{name}: {_message(result)}"})
    return found


def unreached(result: object) -> bool:
    """Return True if the connection to a host failed, by Ansible's result of the task."""
    return isinstance(result, Mapping) and bool(result.get("unreachable"))


def _unreached(name: str, result: object) -> str:
    return f"{name} cannot be reached: {_message(result)}"


def _message(result: object) -> str:
    found = result.get("msg", "") if isinstance(result, Mapping) else ""
    return clip(found)


def _records(value: object) -> Sequence[dict[str, object]]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, Mapping) for one in value):
        raise InputError("the input is not a list of what other directors did")
    return [_copied(one) for one in value]


def _copied(value: Any) -> Any:
    """Return plain dictionaries and lists: Ansible's own types cannot be constructed here."""
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, (list, tuple)) else value


def _names(value: object) -> Iterable[str]:
    if not isinstance(value, (list, tuple)):
        raise InputError("addresses: not a list")
    return map(str, value)
