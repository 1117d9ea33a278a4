# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of drain, undrain and rolling_update: the real servers of a run, and how it drains them. Pure.

Users set them with -e, so each may be a string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import to_boolean
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problems, plain

TARGETS = "lvs_real_servers"
DIRECTORS = "lvs_draining_directors"
_WAIT_FOR = "active|inactive|persistent"
_SECONDS = r"[0-9]+(\.[0-9]+)?"


@dataclass(frozen=True)
class _Option:
    """An option: the pattern of its text, the pattern in words, and its value; ``default`` is a text too."""

    form: str
    words: str
    value: Callable[[str], object]
    default: str


_OPTIONS = {
    "minimum_in_service": _Option("[0-9]+", "a number of real servers", int, "1"),
    "drain_timeout": _Option(_SECONDS, "a number of seconds", float, "300"),
    "drain_udp_pause": _Option(_SECONDS, "a number of seconds, 0 or at least 3", float, "10"),
    "drain_expired": _Option("fail|force", "fail or force", str, "fail"),
    "drain_wait_for": _Option(
        f"({_WAIT_FOR})(,({_WAIT_FOR}))*",
        "any of active, inactive and persistent, separated by commas",
        lambda text: text.split(","),
        "active",
    ),
    "return_timeout": _Option("[0-9]+", "a whole number of seconds", int, "60"),
    "update_serial": _Option(
        "[1-9][0-9]*%?(,[1-9][0-9]*%?)*", "a number of real servers from 1, or a percentage", str, "1"
    ),
}
#: The variables that are read.
VARIABLES = (TARGETS, DIRECTORS, "lvs_refuse_drained", *(f"lvs_{name}" for name in _OPTIONS))


def drain_options(
    variables: Mapping[str, object],
    groups: Mapping[str, Sequence[str]],
    run_hosts: Collection[str] | None,
    problems: Problems,
) -> dict[str, object]:
    """Return all options with their defaults; notes wrong values.

    ``{"real_servers": ["rs1"], "directors": ["lb1", "lb2"], "minimum_in_service": 1, "refuse_drained": False,
    "drain_timeout": 300.0, ...}``; times in seconds. ``run_hosts``: the hosts that --limit leaves; None if the batch is
    already known.
    """
    found: dict[str, object] = {
        "real_servers": _targets(variables.get(TARGETS), groups, run_hosts, problems),
        "directors": _directors(variables.get(DIRECTORS), groups, problems),
        "refuse_drained": to_boolean(variables.get("lvs_refuse_drained", False)) is True,
    }
    for name, option in _OPTIONS.items():
        given = variables.get(f"lvs_{name}")
        text = ",".join(map(_text, given)) if isinstance(given, (list, tuple)) else _text(given)
        text = text or option.default
        if re.fullmatch(option.form, text):
            found[name] = option.value(text)
        else:
            problems.refuse(Code.MALFORMED, f"lvs_{name}", "", text, f"is not {option.words}")
    return found


def _text(value: object) -> str:
    return "" if value is None else plain(value) if isinstance(value, str) else str(value)


def _targets(
    given: object, groups: Mapping[str, Sequence[str]], run_hosts: Collection[str] | None, problems: Problems
) -> list[str]:
    """Return the hosts that the user names; a name may be that of a group."""
    takes = f"it takes hosts and groups, as in -e {TARGETS}=rs1,rs2"
    if given is None:
        problems.add(Code.MISSING, TARGETS, "", f"is missing; {takes}")
        return []
    if given == "":
        problems.add(Code.MISSING, TARGETS, "", f"is empty; {takes}")
        return []
    if not given or not isinstance(given, str):
        problems.refuse(Code.MALFORMED, TARGETS, "", given, f"is not a string; {takes}")
        return []
    names = [name.strip() for name in plain(given).split(",")]
    unknown = [name for name in names if name not in groups and name not in groups.get("all", ())]
    if unknown:
        text = "is neither a host nor a group; it takes hosts and groups of the inventory, separated by commas"
        problems.refuse(Code.UNKNOWN_HOST, TARGETS, "", ",".join(unknown), text)
        return []
    hosts = list(dict.fromkeys(host for name in names for host in groups.get(name, [name])))
    if not hosts:
        problems.refuse(Code.EMPTY, TARGETS, "", given, "is a group without hosts")
    excluded = [host for host in hosts if run_hosts is not None and host not in run_hosts]
    if excluded:
        problems.refuse(Code.EXCLUDED, TARGETS, "", given, f"names {', '.join(excluded)}, excluded by --limit")
    return hosts


def _directors(given: object, groups: Mapping[str, Sequence[str]], problems: Problems) -> list[str]:
    """Return the directors that a run changes: all of them unless the user names some."""
    known = list(groups.get("directors", ()))
    if given is None:
        return known
    listed = given.split(",") if isinstance(given, str) else given
    names = [_text(name).strip() for name in listed] if isinstance(listed, (list, tuple)) else []
    if not names or not set(names) <= set(known):
        example = f'-e \'{{"{DIRECTORS}": ["{known[-1] if known else "lb2"}"]}}\''
        text = f"is not a list of directors ({', '.join(known)}), as in {example}"
        problems.refuse(Code.NOT_IN_GROUP, DIRECTORS, "", given, text)
        return []
    return names
