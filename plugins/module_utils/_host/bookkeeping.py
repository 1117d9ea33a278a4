# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, records and directories in a plan, for every planner alike.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .operations import ChangeFile, ChangeRecord, MakeDirectory, Operation, RemoveDirectory
from .record import Record, render_record
from .state import HostState, directories_for

OWN_DIRECTORY = "/var/lib/lvs-cluster"


@dataclass(frozen=True)
class Bookkeeping:
    """What goes around the operations proper: first opening, in the end closing."""

    opening: tuple[Operation, ...]
    closing: tuple[Operation, ...]


def plan_bookkeeping(state: HostState, record_path: str, old: Record, new: Record, paths: Iterable[str]) -> Bookkeeping:
    """Keep the record while files at these paths are to be there, or while it has something to remember.

    The record is written ahead: before anything changes it holds what was there, so that a task that dies half-way can
    still be taken back; it forgets only after everything is put back. Directories of others (/etc/sysctl.d) that had to
    be made are remembered in it and go when the record goes; OWN_DIRECTORY goes whenever it is empty.
    """
    paths = list(paths)
    if new or directories_for(paths, state.directories):
        paths.append(record_path)
    made = directories_for(paths, state.directories)
    others = tuple(item for item in (*old.directories, *made) if item != OWN_DIRECTORY)
    new = replace(new, directories=tuple(dict.fromkeys(others)) if paths else ())
    # The text on disk may be another spelling of the old record: that alone is no reason to write.
    on_disk = state.records.get(record_path)
    ahead = _covering(old, new) if new else old
    text_ahead = on_disk if ahead == old else render_record(ahead)
    text_after = text_ahead if new and ahead == new else render_record(new)
    opening: list[Operation] = [MakeDirectory(path) for path in made]
    closing: list[Operation] = []
    if text_ahead != on_disk:
        opening.append(ChangeRecord(record_path, on_disk, text_ahead))
    if text_after != text_ahead:
        closing.append(ChangeRecord(record_path, text_ahead, text_after))
    if closing and not new:
        closing += [RemoveDirectory(path) for path in _innermost_first((OWN_DIRECTORY, *old.directories), state)]
    return Bookkeeping(tuple(opening), tuple(closing))


def change_files(state: HostState, wanted: Mapping[str, str | None]) -> list[Operation]:
    """Operations that give files their text, or remove them, where they differ."""
    return [
        ChangeFile(path, state.files.get(path), text) for path, text in wanted.items() if state.files.get(path) != text
    ]


def _covering(old: Record, new: Record) -> Record:
    """A record that serves before and after: the older of two values is the original, unless it was not known yet."""
    newly_known = {key: value for key, value in new.sysctls.items() if old.sysctls.get(key) is None}
    return Record(
        sysctls={**new.sysctls, **old.sysctls, **newly_known},
        side_effects={**new.side_effects, **old.side_effects},
        directories=tuple(dict.fromkeys((*old.directories, *new.directories))),
        vips={**new.vips, **old.vips},
        gue=tuple(dict.fromkeys((*old.gue, *new.gue))),
    )


def _innermost_first(paths: Iterable[str], state: HostState) -> list[str]:
    return sorted((path for path in paths if path in state.directories), key=lambda path: -path.count("/"))
