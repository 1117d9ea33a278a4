# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three timeouts of IPVS connections as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import netlink
from .model import InvalidValue

_KEPT = re.compile(r"(tcp|tcp_fin|udp) ([1-9][0-9]{0,6}) before ([0-9]{1,7})", re.ASCII)
# The kernel keeps them in jiffies, in an int, with up to 1000 of them a second: more is EINVAL (ip_vs_set_timeout).
MAX_TIMEOUT = (2**31 - 1) // 1000


class Timeouts(NamedTuple):
    """Seconds until an idle connection is removed."""

    tcp: int = 0
    tcp_fin: int = 0  # after a FIN
    udp: int = 0


def spec() -> dict[str, Any]:
    """Return the options for the timeouts of connections and their persistence."""
    return {
        **{name: {"type": "int"} for name in ("tcp", "tcp_fin", "udp")},
        "persist": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def from_arguments(arguments: Mapping[str, Any]) -> dict[str, int]:
    """Return the timeouts to set, by name. InvalidValue for an invalid one."""
    given = {name: arguments[name] for name in Timeouts._fields if arguments.get(name) is not None}
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_TIMEOUT:
            raise InvalidValue(
                "IPVS timeouts", name, value, f"must be a whole number from 1 to {MAX_TIMEOUT} (seconds)"
            )
    return given


def merged(current: Timeouts, given: Mapping[str, int]) -> Timeouts:
    """Return ``current`` with the given timeouts instead."""
    return current._replace(**given)


def render(timeouts: Timeouts) -> str:
    """Return the options of ipvsadm that set them."""
    return f"--set {timeouts.tcp} {timeouts.tcp_fin} {timeouts.udp}\n"


class Kept(NamedTuple):
    """A timeout that is set at each boot, and its value before the first task set it."""

    value: int
    before: int


def render_kept(kept: Mapping[str, Kept]) -> str:
    """Return the lines of a file."""
    return "".join(f"{name} {one.value} before {one.before}\n" for name, one in sorted(kept.items()))


def parse_kept(text: str, path: str, skip: Callable[[InvalidValue], None] | None = None) -> dict[str, Kept]:
    """Return the timeouts in the lines of a file, without comments. InvalidValue if it is damaged.

    ``skip`` is given the error of each line that cannot be read, which then sets nothing.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = _KEPT.fullmatch(line)
        if match is not None:
            found[match[1]] = Kept(int(match[2]), int(match[3]))
            continue
        reason = "must be a timeout such as 'tcp 3600 before 900'; correct or remove the line"
        error = InvalidValue(path, f"line {number}", line, f"line {number}, {line!r}, {reason}", whole=True)
        if skip is None:
            raise error
        skip(error)
    return found


def encode(given: Mapping[str, int]) -> bytes:
    """Return the payload of SET_CONFIG; the kernel keeps what is not in it."""
    return b"".join(
        netlink.attribute(netlink.TIMEOUTS[name], netlink.U32.pack(value)) for name, value in sorted(given.items())
    )


def decode(numbers: Mapping[int, int]) -> Timeouts:
    """Return the timeouts in the attributes of a GET_CONFIG answer; zeros if IPVS is not loaded."""
    return Timeouts(**{name: numbers.get(kind, 0) for name, kind in netlink.TIMEOUTS.items()})
