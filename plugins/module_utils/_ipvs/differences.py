# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences of tables, timeouts, sync daemons and files for the boot, as modules return them.

Values are in the words of ipvsadm(8). Imported only on demand: many tasks change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._host.difference import Difference, of_text, of_value
from . import rules
from .converge import Outcome
from .model import RealServer, RealServerKey, ServiceKey, Table
from .persist import RULES_FILE, UNIT, FileChange, Kept

if TYPE_CHECKING:
    from .daemon import Daemons
    from .timeouts import Timeouts

#: For a rules file in which only weights differ: they change at run time, and the kernel's are correct.
OTHER_WEIGHTS = "other weights"
_WEIGHT = re.compile(rb" -w \d+")


def of_table(outcome: Outcome) -> list[Difference]:
    """Return the entries that change."""
    before, after = outcome.plan.current, outcome.table
    entries = sorted({(one.service, one.server_key) for one in outcome.operations}, key=_order)
    labels = {patch.key: patch.label for patch in outcome.patches} if entries else {}
    found = []
    for service, key in entries:
        label = labels.get(service, str(service))
        if key is None:
            found.append(of_value("virtual service", label, _settings(before, service), _settings(after, service)))
        else:
            found += _of_server(f"{key} in {label}", _server(before, service, key), _server(after, service, key))
    return [one for one in found if one.found != one.wanted]


def _order(entry: tuple[ServiceKey, RealServerKey | None]) -> tuple[ServiceKey, bool, tuple[object, ...]]:
    service, key = entry
    return service, key is not None, key or ()


def _settings(table: Table, service: ServiceKey) -> str | None:
    return rules.settings_options(service, table[service].settings) if service in table else None


def _server(table: Table, service: ServiceKey, key: RealServerKey) -> RealServer | None:
    return table[service].real_servers.get(key) if service in table else None


def _of_server(name: str, before: RealServer | None, after: RealServer | None) -> list[Difference]:
    if before is not None and after is not None and before._replace(weight=after.weight) == after:
        return [of_value("weight", name, str(before.weight), str(after.weight))]
    texts = (None if one is None else rules.server_options(one) for one in (before, after))
    return [of_value("real server", name, *texts)]


def of_timeouts(before: Timeouts, after: Timeouts) -> tuple[Difference, ...]:
    """Return the timeouts that differ, in seconds."""
    return tuple(
        of_value("timeout", name, str(old), str(new))
        for name, old, new in zip(before._fields, before, after)
        if old != new
    )


def of_daemons(before: Daemons, after: Daemons, roles: Iterable[str]) -> tuple[Difference, ...]:
    """Return the sync daemons that differ, of these roles."""
    return tuple(
        of_value("sync daemon", role, _daemon(before, role), _daemon(after, role))
        for role in roles
        if before.get(role) != after.get(role)
    )


def _daemon(daemons: Daemons, role: str) -> str | None:
    from . import daemon  # which a task about the table need not load

    found = daemons.get(role)
    return None if found is None else daemon.options(found)


def of_files(kept: Kept) -> list[Difference]:
    """Return the files that differ, and whether the unit is enabled."""
    found = [_of_file(change) for change in kept.changes]
    if kept.enable is not None:
        states = ["disabled", "enabled"]
        found.append(of_value("enabled", UNIT, *(states if kept.enable else reversed(states))))
    return found


def _of_file(change: FileChange) -> Difference:
    found = of_text("file", change.path, change.before, change.after)
    if change.path == RULES_FILE and change.before is not None and change.after is not None:
        before, after = (_WEIGHT.sub(b"", text) for text in (change.before, change.after))
        if before == after:
            return Difference("file", change.path, OTHER_WEIGHTS, found.wanted)
    return found


def of_drains(names: Iterable[str], drained: bool) -> list[Difference]:
    """Return the real servers, by address, whose record of a drain changes."""
    sides = ("in service", "drained") if drained else ("drained", "in service")
    return [Difference("drain", name, *sides) for name in names]
