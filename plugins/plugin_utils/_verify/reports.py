# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of managed hosts: results of modules, whose types are not certain.

A host with a hostile root can answer anything. Every value is checked before use, and a wrong answer is a problem of
that host only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: The most characters of a host's text, and the most sentences of a list, that a message shows.
MAX_TEXT = 500
MAX_SENTENCES = 200


class ReportError(ValueError):
    """An answer of a host that does not match the module."""


class InputError(ValueError):
    """A playbook gives a wrong value to a function of this room."""


def mapping(value: object, what: str) -> Mapping[str, object]:
    """Return a dictionary with texts for keys; raises `ReportError`."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ReportError(f"{what} is {kind(value)}, not a dictionary")
    return value


def texts(value: object, what: str) -> list[str]:
    """Return a list of texts; raises `ReportError`."""
    if not isinstance(value, (list, tuple)):
        raise ReportError(f"{what} is {kind(value)}, not a list of strings")
    for element in value:
        if not isinstance(element, str):
            raise ReportError(f"{what} has {kind(element)} in it, not strings only")
    return [str.__str__(element) for element in value]


def text(value: object, what: str) -> str:
    """Return a text; raises `ReportError`."""
    if not isinstance(value, str):
        raise ReportError(f"{what} is {kind(value)}, not a string")
    return str.__str__(value)


def integer(value: object, what: str) -> int:
    """Return an integer; raises `ReportError`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ReportError(f"{what} is {kind(value)}, not a number")
    return int(value)


def boolean(value: object, what: str) -> bool:
    """Return true or false; raises `ReportError`."""
    if not isinstance(value, bool):
        raise ReportError(f"{what} is {kind(value)}, not a boolean")
    return value


def held_vips(result: object, vips: Iterable[str]) -> list[str]:
    """Return those of the VIPs that a result of host_check reports as held, in their order; raises `ReportError`."""
    known = list(vips)
    held = set(texts(mapping(result, "the result").get("held"), "held"))
    if other := held.difference(known):
        raise ReportError(f"held has {clip(repr(min(other)))} in it, which is not a VIP of the cluster")
    return [vip for vip in known if vip in held]


def kind(value: object) -> str:
    """Return the type of a value, for messages: the value is the host's, and may be very long."""
    if value is None:
        return "missing"
    for types, name in ((bool, "a boolean"), ((int, float), "a number"), (str, "a string"), (Mapping, "a dictionary")):
        if isinstance(value, types):
            return name
    return "a list" if isinstance(value, (list, tuple)) else "something else"


def clip(value: object) -> str:
    """Return the text of a host on one line, printable, and not longer than `MAX_TEXT`."""
    shown = str.__str__(value) if isinstance(value, str) else repr(value)
    line = " ".join(shown[: 4 * MAX_TEXT].split())
    if not line.isprintable():
        line = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
    return line if len(line) <= MAX_TEXT and len(shown) <= 4 * MAX_TEXT else f"{line[: MAX_TEXT - 3]}..."


def limited(sentences: Iterable[str]) -> list[str]:
    """Return the sentences, each clipped, and at most `MAX_SENTENCES` of them; the rest is counted."""
    found = list(sentences)
    more = [f"and {len(found) - MAX_SENTENCES} more problems like these"] * (len(found) > MAX_SENTENCES)
    return [clip(one) for one in found[:MAX_SENTENCES]] + more
