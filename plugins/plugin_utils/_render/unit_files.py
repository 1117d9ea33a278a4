# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes the health checks: keepalived, ldirectord or mon.

Each takes its services from the same description. What one of them cannot do is refused here, rather than done in
another way; what they do in another way than keepalived stands in the documentation.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, plain, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import HealthCheck
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.blocks import HEADER

KEEPALIVED = "keepalived"
CHECKERS = (KEEPALIVED, "ldirectord", "mon")
VARIABLE = "director_health_checker"
#: Where programs are that a health checker runs; the role removes all of it.
PROGRAMS = "/usr/local/lib/lvs-cluster/checks"

#: A fault: the key and the text.
Fault = tuple[str, str]
Checked = tuple[ResolvedService, HealthCheck]


@dataclass(frozen=True)
class File:
    """A file on the director. ``on_change``: what its change takes, a ``reload`` or a ``restart`` of the unit.

    ``validate`` is a command with ``%s`` for the path of a candidate, and ends with ``validate_status`` for a good one.
    A file that is in ``group`` rather than root's is for the health checker's own user to read. Commands and paths may
    have secrets in them, so nobody else reads what has such.
    """

    path: str
    content: str
    on_change: str
    mode: str = "0640"
    validate: tuple[str, ...] = ()
    validate_status: int = 0
    group: str = "root"

    def as_dict(self) -> dict[str, object]:
        """The file as the module ``service_config`` takes it."""
        return {**asdict(self), "validate": list(self.validate)}


@dataclass(frozen=True)
class Checker:
    """A health checker beside keepalived: its unit, what it cannot do, and the files that it takes.

    ``changes_user`` is whether it runs commands as a user that it is told.
    """

    unit: str
    changes_user: bool
    faults: Callable[[ResolvedService, HealthCheck], Iterator[Fault]]
    files: Callable[[Sequence[Checked], str], list[File]]

    def as_dict(self, checked: Sequence[Checked], user: str) -> dict[str, object]:
        """``{"name": "mon", "files": [{"path": "/etc/lvs-cluster/mon.cf", "content": ...}]}``, as the role takes it."""
        return {"name": self.unit, "files": [file.as_dict() for file in self.files(checked, user)]}


def unit(name: str, service: str, needs: str = "") -> File:
    """The unit of systemd in the place of the package's: its section ``service``, and lines on the units it needs."""
    text = f"""\
{HEADER}
[Unit]
Description=Health checks of lvs.cluster, by {name}
Documentation=man:{name}(8)
After=network.target lvs-cluster-ipvs.service keepalived.service
{needs}
[Service]
{service}
[Install]
WantedBy=multi-user.target
"""
    return unit_file(f"{name}.service", text, "restart")


def unit_file(name: str, text: str, on_change: str) -> File:
    """A unit of systemd's own configuration, which anybody may read."""
    return File(f"/etc/systemd/system/{name}", text, on_change, "0644")


def read_checker(value: object, problems: Problems) -> str:
    """The role's variable."""
    name = plain(value) if isinstance(value, str) else ""
    if name not in CHECKERS:
        problems.add(VARIABLE, "", f"{show(value)} is no health checker (one of {' '.join(CHECKERS)})")
    return name


def refuse(checker: Checker, checked: Iterable[Checked], problems: Problems) -> None:
    """Note what a health checker cannot do for its services."""
    for item, check in checked:
        for key, text in checker.faults(item, check):
            problems.add(item.service.where, key, f"{text} ({VARIABLE}: {checker.unit})")


def common_faults(check: HealthCheck, types: Sequence[str]) -> Iterator[Fault]:
    """What neither ldirectord nor mon can do."""
    if check.type not in types:
        yield "health_check.type", f"{check.type!r} is not possible, but {', '.join(types)} are"
    for key, seconds in (("interval", check.interval), ("timeout", check.timeout)):
        if seconds != int(seconds):
            yield f"health_check.{key}", f"{show(seconds)} is not a whole number of seconds"
    if check.type in ("http", "https") and check.status != 200:
        yield "health_check.status", f"{check.status} is not possible, only 200 (leave it out), which is success to it"
    if check.helo is not None:
        yield "health_check.helo", f"{show(check.helo)} is not possible, leave it out"
    if check.hysteresis:
        yield "health_check.hysteresis", f"{check.hysteresis} is not possible, only 0"


def program(command: str, user: str, seconds: float) -> str:
    """A script that runs the command of a health check for so many seconds, as another user if one is named.

    What it is called with does not reach the command, and neither do the capabilities of whoever calls it.
    """
    # setpriv takes a user's name, but not the group of that; runuser would open a session each time
    other = f' --reuid={user} --regid="$(id -g {user})" --init-groups' if user else ""
    return (
        f"#!/bin/sh\n{HEADER}\nexec setpriv{other} \\\n"
        "    --inh-caps=-all --ambient-caps=-all --no-new-privs -- \\\n"
        f"    timeout {seconds:.0f} {shlex.join(command.split())}\n"
    )


def programs(checked: Iterable[Checked], user: str, group: str = "root") -> Mapping[str, File]:
    """The scripts of all commands, for root and ``group`` to run: service name -> file."""
    return {
        item.service.name: File(
            f"{PROGRAMS}/check-{item.service.name}",
            program(check.command, user, check.timeout),
            "reload",
            "0750",
            group=group,
        )
        for item, check in checked
        if check.command is not None
    }


def megabytes(processes: int) -> int:
    """How much memory so many checks at the same time may take, each a Perl with what real servers answer."""
    return 512 + 32 * processes
