# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a director watches to know whether it can serve: interfaces and commands.

A director with a fault lets the VIPs go at once and takes none, as long as there is another director. Sources:
keepalived.conf(5) (vrrp_script, track_interface, track_script) and keepalived/vrrp/vrrp_track.c. The interfaces that
have VIPs or the gateway on them keepalived tracks by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import LINK
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import Fields
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.health import (
    COMMAND,
    COMMAND_RULE,
    MAX_SECONDS,
    not_seen,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.blocks import block

INTERFACES = "director_track_interfaces"
SCRIPTS = "director_track_scripts"
INTERFACE_KEYS = ("name", "weight")
SCRIPT_KEYS = ("name", "command", "interval", "timeout", "fall", "rise", "weight")
#: By so much a priority can be lowered (keepalived.conf(5)).
LOWEST_WEIGHT = -253
_MOST_TIMES = 1000
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True)
class TrackedInterface:
    """An interface that has to be up. Without it the priority is lowered by ``weight``; None is a fault."""

    name: str
    weight: int | None = None


@dataclass(frozen=True)
class TrackedScript:
    """A command that has to end with status 0, run every ``interval`` seconds and ended after ``timeout``.

    ``fall`` failures in a row are one, and ``rise`` successes in a row end it. ``weight`` is that of an interface.
    """

    name: str
    command: str
    interval: int = 1
    timeout: int = 5
    fall: int = 2
    rise: int = 2
    weight: int | None = None

    def lines(self) -> list[str]:
        """Its definition, which has to stand before what tracks it."""
        return block(
            f"vrrp_script {self.name}",
            [
                f'script "{self.command}"',
                f"interval {self.interval}",
                f"timeout {self.timeout}",
                f"fall {self.fall}",
                f"rise {self.rise}",
            ],
        )


@dataclass(frozen=True)
class Tracked:
    """All that a director watches, in the order in which it is given."""

    interfaces: tuple[TrackedInterface, ...] = ()
    scripts: tuple[TrackedScript, ...] = ()

    @property
    def interface_names(self) -> list[str]:
        """Those that have to be there."""
        return [entry.name for entry in self.interfaces]

    def definitions(self) -> list[list[str]]:
        """The blocks of the scripts."""
        return [script.lines() for script in self.scripts]

    def lines(self) -> list[str]:
        """The blocks inside what tracks them, an instance or a group of them."""
        found: list[str] = []
        for head, entries in (("track_interface", self.interfaces), ("track_script", self.scripts)):
            if entries:
                found += block(head, [entry.name + _weight(entry.weight) for entry in entries])
        return found


def _weight(weight: int | None) -> str:
    return "" if weight is None else f" weight {weight}"


def read_tracked(interfaces: object, scripts: object, problems: Problems) -> Tracked:
    """The role's variables, checked. What is bad is noted, and only then the result is of no use."""
    return Tracked(
        tuple(_unique(INTERFACES, _interfaces(interfaces, problems), problems)),
        tuple(_unique(SCRIPTS, _scripts(scripts, problems), problems)),
    )


def _interfaces(value: object, problems: Problems) -> Iterator[TrackedInterface]:
    for fields in _entries(INTERFACES, value, "the name of a network interface", problems):
        fields.refuse_unknown(INTERFACE_KEYS, "a tracked interface")
        name = _needed(fields, "name", LINK, "the name of a network interface")
        if name is not None:
            yield TrackedInterface(name, fields.integer("weight", LOWEST_WEIGHT, -1))


def _scripts(value: object, problems: Problems) -> Iterator[TrackedScript]:
    for fields in _entries(SCRIPTS, value, "", problems):
        fields.refuse_unknown(SCRIPT_KEYS, "a tracked script")
        name = _needed(fields, "name", _NAME, "a name of 1 to 64 letters, digits, '_', '.' and '-'")
        command = _needed(fields, "command", COMMAND, COMMAND_RULE)
        interval, timeout = (fields.integer(key, 1, MAX_SECONDS) for key in ("interval", "timeout"))
        fall, rise = (fields.integer(key, 1, _MOST_TIMES) for key in ("fall", "rise"))
        weight = fields.integer("weight", LOWEST_WEIGHT, -1)
        if command is not None and not_seen(command):
            fields.fault("command", not_seen(command))
        if name is not None and command is not None:
            # keepalived's own timeout is the interval, which a busy director may not keep: the VIPs would go then.
            yield TrackedScript(name, command, interval or 1, timeout or 5, fall or 2, rise or 2, weight)


def _entries(variable: str, value: object, short: str, problems: Problems) -> Iterator[Fields]:
    """The elements of a list of mappings; ``short`` is what may stand for one that has a name alone."""
    if value is None:
        return
    if not isinstance(value, (list, tuple)):
        problems.add(variable, "", f"{show(value)} is not a list")
        return
    for index, element in enumerate(value):
        where = f"{variable}[{index}]"
        if isinstance(element, Mapping):
            yield Fields(element, where, "", problems)
        elif short and isinstance(element, str):
            yield Fields({"name": element}, where, "", problems)
        else:
            either = f"neither {short} nor " if short else "not "
            problems.add(where, "", f"{show(element)} is {either}a mapping of keys and values")


def _needed(fields: Fields, key: str, pattern: re.Pattern[str], rule: str) -> str | None:
    if not fields.given(key):
        fields.fault(key, f"is missing ({rule})")
    return fields.text(key, pattern, rule)


_Entry = TypeVar("_Entry", TrackedInterface, TrackedScript)


def _unique(variable: str, entries: Iterable[_Entry], problems: Problems) -> Iterator[_Entry]:
    """keepalived takes the first of a name and goes on with no more than a line in the log."""
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            problems.add(variable, "", f"{show(entry.name)} is there twice")
        seen.add(entry.name)
        yield entry
