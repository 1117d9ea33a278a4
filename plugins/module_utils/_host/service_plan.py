# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of service_config: the files of a unit of systemd, and whether its process has read them. Pure.

A record beside the files has the state that a process has read. It is marked as pending before the first file changes,
and as applied after the process has read all of them. A run that is killed in between leaves the mark for the next run.
A record counts for one start of the unit, which systemd identifies by the InvocationID. A unit that was started by
other means since then has read the files if these are clearly older than its process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .difference import ABSENT, DESCRIBED, DIFFERENT, PRESENT, Difference
from .errors import HostError

RELOAD, RESTART, NOTHING = "reload", "restart", "nothing"
START, STOP = "start", "stop"
RUNNING, STOPPED = "started", "stopped"
RECORDS = "/var/lib/lvs-cluster"
FORMAT = 1
#: The smallest difference by which a file is older than a process: file systems and clocks are coarse.
MARGIN = 2.0  # seconds


@dataclass(frozen=True)
class ConfigFile:
    """A file of the unit. ``mode`` is octal digits; ``shown`` is the text that ``validate`` gets, usually ``content``.

    ``validate``: a command and its arguments, with ``%s`` for the path; its status must be ``validate_status``.
    """

    path: str
    content: str
    owner: str = "root"
    group: str = "root"
    mode: str = "0644"
    on_change: str = RELOAD
    validate: tuple[str, ...] = ()
    validate_status: int = 0
    shown: str = ""

    @property
    def digest(self) -> str:
        """The digest of its content."""
        return digest(self.content.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True)
class Wanted:
    """The arguments of a task for a unit.

    ``services``: virtual services, by their names in messages, that the running process must have in the IPVS table.
    ``keep``: those that stay there when the process stops.
    """

    unit: str
    state: str = RUNNING
    files: tuple[ConfigFile, ...] = ()
    directories: tuple[str, ...] = ()
    services: frozenset[str] = frozenset()
    keep: frozenset[str] = frozenset()

    @property
    def record(self) -> str:
        """The path of the record of the files that the process has read."""
        return f"{RECORDS}/{self.unit}.applied"


@dataclass(frozen=True)
class FoundFile:
    """A file on the host; ``changed`` is its ctime in seconds."""

    content: bytes
    owner: str
    group: str
    mode: str
    changed: float


@dataclass(frozen=True)
class FoundUnit:
    """A unit as systemd shows it; ``started`` is when its main process was started, in seconds like a ctime."""

    exists: bool = False
    active: bool = False
    enabled: bool = False
    outdated: bool = False
    invocation: str = ""
    started: float | None = None


@dataclass(frozen=True)
class Applied:
    """The record: the digests of the files that a start of the unit has read, and the virtual services in them.

    A pending one means that files may have changed since. ``interim``: the addresses that the process removes for up to
    ``seconds`` when it reads them.
    """

    pending: bool = False
    invocation: str = ""
    read: Mapping[str, str] = field(default_factory=dict)
    services: frozenset[str] = frozenset()
    interim: frozenset[str] = frozenset()
    seconds: float = 0.0

    def text(self) -> str:
        """Return it as `parse_applied` reads it."""
        words: dict[str, Any] = {
            "format": FORMAT,
            "pending": self.pending,
            "invocation": self.invocation,
            "read": dict(sorted(self.read.items())),
            "services": sorted(self.services),
        }
        if self.interim:
            words |= {"interim": sorted(self.interim), "seconds": self.seconds}
        return json.dumps(words, indent=1) + "\n"


@dataclass(frozen=True)
class ServiceState:
    """The input of a planner.

    ``table``: the virtual services in the IPVS table, None if it cannot be read. ``written``: those in the files on the
    host, for a host without a record. ``handed_over``: the handover file, if an interrupted restart has left it so that
    this host takes no VIP.
    """

    unit: FoundUnit = FoundUnit()
    files: Mapping[str, FoundFile | None] = field(default_factory=dict)
    directories: frozenset[str] = frozenset()
    applied: Applied | None = None
    table: frozenset[str] | None = None
    written: frozenset[str] = frozenset()
    handed_over: str = ""


@dataclass(frozen=True)
class ServicePlan:
    """The steps, in the order of the fields; ``action`` is start, reload, restart, stop or empty.

    ``released``: virtual services that the process thereby removes from the table. ``missing``: those in its view of
    the table that are absent. ``orphans``: those that a stopped process may leave there.
    """

    directories: tuple[str, ...] = ()
    write: tuple[ConfigFile, ...] = ()
    remove: tuple[str, ...] = ()
    daemon_reload: bool = False
    enable: bool | None = None
    action: str = ""
    released: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    orphans: frozenset[str] = frozenset()
    differences: tuple[Difference, ...] = ()

    @property
    def changed(self) -> bool:
        """True if there are steps."""
        return bool(self.differences)


def digest(content: bytes) -> str:
    """Return the digest of a file's content, for the record."""
    return hashlib.sha256(content).hexdigest()


def parse_applied(text: str | None) -> Applied | None:
    """Return the record in this text. A damaged one is pending: the process then reads its files once more."""
    if text is None:
        return None
    try:
        words: Any = json.loads(text)
        if words["format"] != FORMAT:
            return Applied(pending=True)
        return Applied(
            bool(words["pending"]),
            str(words["invocation"]),
            {str(path): str(one) for path, one in words["read"].items()},
            frozenset(map(str, words["services"])),
            frozenset(map(str, words.get("interim", ()))),
            float(words.get("seconds", 0.0)),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Applied(pending=True)


def check(wanted: Wanted) -> None:
    """Raise HostError for invalid files."""
    seen = set()
    for file in wanted.files:
        if not file.path.startswith("/") or file.path.endswith("/") or "/../" in file.path:
            raise HostError(f"files: path: {file.path!r} must be the absolute path of a file")
        if file.path in seen:
            raise HostError(f"files: path: {file.path} is listed twice; list each file once")
        seen.add(file.path)
        if not (1 <= len(file.mode) <= 5 and set(file.mode) <= set("01234567")):
            raise HostError(f"files: mode of {file.path}: {file.mode!r} must be octal digits in quotes, as '0644'")
        if file.validate and not any("%s" in word for word in file.validate):
            raise HostError(f"files: validate of {file.path}: it must have %s for the path of the file")


def plan_service(state: ServiceState, wanted: Wanted) -> ServicePlan:
    """Return the steps that lead the unit to the described state."""
    if wanted.state == STOPPED:
        return _plan_stopped(state, wanted)
    before = state.applied
    write = tuple(file for file in wanted.files if _differs(file, state.files.get(file.path)))
    paths = {file.path for file in wanted.files}
    dropped = () if before is None else tuple(sorted(path for path in before.read if path not in paths))
    remove = tuple(path for path in dropped if state.files.get(path) is not None)
    directories = tuple(path for path in wanted.directories if path not in state.directories)
    units = any(path.startswith("/etc/systemd/system/") for path in (*(file.path for file in write), *remove))
    if before is not None and before.pending:  # their writer may have been killed before systemd read them
        units = units or any(path.startswith("/etc/systemd/system/") for path in paths)
    action, unread = _action(state, wanted, bool(directories), bool(dropped))
    believed = _believed(state)
    released = believed - wanted.services if action == RELOAD else believed if action == RESTART else frozenset()
    missing: frozenset[str] = frozenset()
    if state.table is not None and action in ("", RELOAD):
        missing = ((believed & wanted.services) if action else wanted.services) - state.table
    differences = [Difference("directory", path, ABSENT, PRESENT) for path in directories]
    differences += [
        Difference("file", file.path, ABSENT if state.files.get(file.path) is None else DIFFERENT, DESCRIBED)
        for file in write
    ]
    differences += [Difference("file", path, PRESENT, ABSENT) for path in remove]
    if not state.unit.enabled:
        differences.append(Difference("enabled", wanted.unit, "disabled", "enabled"))
    if not state.unit.active:
        differences.append(Difference("running", wanted.unit, "stopped", "running"))
    elif unread or (dropped and not remove):
        differences.append(Difference("configuration", wanted.unit, "not read", "read"))
    differences += [Difference("service", name, ABSENT, wanted.unit) for name in sorted(missing)]
    if state.handed_over:
        differences.append(Difference("file", state.handed_over, "of a restart that was interrupted", "as before it"))
    return ServicePlan(
        directories,
        write,
        remove,
        units or state.unit.outdated,
        None if state.unit.enabled else True,
        action,
        released,
        missing,
        differences=tuple(differences),
    )


def _plan_stopped(state: ServiceState, wanted: Wanted) -> ServicePlan:
    differences = []
    if state.unit.active:
        differences.append(Difference("running", wanted.unit, "running", "stopped"))
    if state.unit.enabled:
        differences.append(Difference("enabled", wanted.unit, "enabled", "disabled"))
    recorded = frozenset[str]() if state.applied is None else state.applied.services
    orphans = (recorded & (state.table or frozenset())) - wanted.keep
    differences += [Difference("service", name, PRESENT, ABSENT) for name in sorted(orphans)]
    return ServicePlan(
        enable=False if state.unit.enabled else None,
        action=STOP if state.unit.active else "",
        released=_believed(state) if state.unit.active else frozenset(),
        orphans=orphans,
        differences=tuple(differences),
    )


def _differs(file: ConfigFile, found: FoundFile | None) -> bool:
    if found is None or digest(found.content) != file.digest:
        return True
    return (found.owner, found.group, int(found.mode, 8)) != (file.owner, file.group, int(file.mode, 8))


def _action(state: ServiceState, wanted: Wanted, new_directory: bool, dropped: bool) -> tuple[str, bool]:
    """Return the action of the process, and True if the files that it has not read are already as described."""
    if not state.unit.active:
        return START, False
    differing = [file for file in wanted.files if file.on_change != NOTHING and not _has_read(state, file)]
    unread = any(not _differs(file, state.files.get(file.path)) for file in differing)
    if any(file.on_change == RESTART for file in differing):
        return RESTART, unread
    # A directory that was absent is watched from the next reload on.
    return (RELOAD if differing or new_directory or dropped else ""), unread


def _has_read(state: ServiceState, file: ConfigFile) -> bool:
    """Return True if the running process has read the described content of this file."""
    found, unit, applied = state.files.get(file.path), state.unit, state.applied
    if found is None or digest(found.content) != file.digest:
        return False
    if applied is not None and applied.pending:
        return False
    if applied is not None and applied.invocation == unit.invocation:
        return applied.read.get(file.path) == file.digest
    return unit.started is not None and found.changed < unit.started - MARGIN


def _believed(state: ServiceState) -> frozenset[str]:
    """Return the virtual services that the running process has made, as far as they are known."""
    return state.written if state.applied is None else state.applied.services


def pending(
    state: ServiceState, wanted: Wanted, interim: frozenset[str] = frozenset(), seconds: float = 0.0
) -> Applied:
    """Return the record during the change of files: the present and the future state of the process."""
    read = {} if state.applied is None else state.applied.read
    return Applied(True, state.unit.invocation, read, _believed(state) | wanted.services, interim, seconds)


def applied(wanted: Wanted, invocation: str) -> Applied:
    """Return the record once this start of the unit has read all files."""
    read = {file.path: file.digest for file in wanted.files if file.on_change != NOTHING}
    return Applied(False, invocation, read, wanted.services)
