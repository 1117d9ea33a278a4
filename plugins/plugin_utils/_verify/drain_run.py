# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a drain over several directors: what each answer means for the next step.

A drain is done on all directors or on none. So what each director has changed is recorded, to be undone if a later one
fails. An undrain goes on after a director that failed, and fails at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import (
    InputError,
    ReportError,
    clip,
    mapping,
    texts,
)

MODULE = "lvs.cluster.ipvs_drain"


def drained_on(done: object, director: object, result: object, addresses: object) -> list[dict[str, object]]:
    """Return what is recorded of the directors that have drained, with one more; raises `ReportError`.

    ``{"director": "lb1", "switched": ["192.0.2.11"], "former": [services as the module takes them]}``. ``addresses``:
    the real servers that are drained. A director can have switched no other.
    """
    name = str(director)
    if unreached(result):
        raise ReportError(f"{name} cannot be reached: {_message(result)}")
    try:
        answer = mapping(result, "the result")
        switched = texts(answer.get("switched"), "switched")
        other = sorted(set(switched) - set(_names(addresses)))
        if other:
            raise ReportError(f"switched has {clip(repr(other[0]))} in it, which is not drained here")
        former = answer.get("former")
        if not isinstance(former, (list, tuple)) or not all(isinstance(one, Mapping) for one in former):
            raise ReportError("former is not a list of services")
    except ReportError as error:
        raise ReportError(f"{name}: its answer is not one of {MODULE}: {error}") from None
    return [*_records(done), {"director": name, "switched": switched, "former": list(former)}]


def not_undrained(failed: object, director: object, result: object) -> list[dict[str, object]]:
    """Return the directors on which an undrain failed, with this one if it did.

    ``{"director": "lb1", "unreached": False, "text": "lb1: why"}``
    """
    found = [*_records(failed)]
    name = str(director)
    if unreached(result):
        found.append({"director": name, "unreached": True, "text": f"{name} cannot be reached: {_message(result)}"})
    elif not isinstance(result, Mapping) or result.get("failed"):
        found.append({"director": name, "unreached": False, "text": f"{name}: {_message(result)}"})
    return found


def unreached(result: object) -> bool:
    """Return whether the connection to a host failed, by what Ansible registers for the task."""
    return isinstance(result, Mapping) and bool(result.get("unreachable"))


def _message(result: object) -> str:
    found = result.get("msg", "") if isinstance(result, Mapping) else ""
    return clip(found)


def _records(value: object) -> Sequence[dict[str, object]]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, Mapping) for one in value):
        raise InputError("the input is not a list of what other directors did")
    return [dict(one) for one in value]


def _names(value: object) -> Iterable[str]:
    if not isinstance(value, (list, tuple)):
        raise InputError("addresses: not a list")
    return map(str, value)
