# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules file, which restores our services at boot and records which services are ours.

So services that are no longer described can be removed, and those of other owners are unchanged. Nothing here flushes
the table: the unit that restores it has no ExecStop. The unit and its program are in boot.py.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .._host.files import write_bytes
from . import rules
from .converge import in_words
from .model import InvalidValue, ServiceKey, Table
from .plan import plan

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

RULES_FILE = "/etc/lvs-cluster/ipvs.rules"
#: Beside it, where programs.py finds it.
TIMEOUTS_FILE = "/etc/lvs-cluster/ipvs.timeouts"
ARCHIVE = "/usr/local/lib/lvs-cluster/ipvs-restore.pyz"
UNIT = "lvs-cluster-ipvs.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
ENABLED = f"/etc/systemd/system/multi-user.target.wants/{UNIT}"

_HEADER = """\
# The IPVS services that the Ansible collection lvs.cluster keeps on this host, in the form of ipvsadm-save -n.
# Written by the module lvs.cluster.ipvs_table; restored at boot by {unit}. Do not edit: the next run overwrites it.
# Format: {format}
"""


class FileChange(NamedTuple):
    """A file that is, or in check mode would be, written or removed."""

    path: str
    before: bytes | None  # None: not there
    after: bytes | None


class Kept(NamedTuple):
    """The changes of files. ``enable``: the unit has to be enabled (True) or disabled (False)."""

    changes: Sequence[FileChange]
    enable: bool | None

    @property
    def changed(self) -> bool:
        """Return True if files or the unit have to change."""
        return bool(self.changes) or self.enable is not None

    def diff(self) -> list[dict[str, str]]:
        """Return one before and after a file, in the form that Ansible shows; of the archive only that it changes."""
        entries = []
        for change in self.changes:
            if change.path == ARCHIVE:
                texts = ["" if data is None else f"{len(data)} bytes\n" for data in (change.before, change.after)]
                if texts[0] == texts[1]:
                    texts[0] = "another version\n"
            else:
                texts = [(data or b"").decode("utf-8", "replace") for data in (change.before, change.after)]
            entries.append(_diff_entry(change.path, *texts))
        if self.enable is not None:
            states = ["disabled\n", "enabled\n"]
            entries.append(_diff_entry(UNIT, *(states if self.enable else reversed(states))))
        return entries


def _diff_entry(name: str, before: str, after: str) -> dict[str, str]:
    return {"before": before, "after": after, "before_header": name, "after_header": name}


def recorded() -> Table:
    """Return the services in the rules file, which are ours; empty if there is none. InvalidValue if it is
    damaged.
    """
    data = read(RULES_FILE)
    if data is None:
        return {}
    text = data.decode("utf-8", "replace")
    written = rules.newer_format(text)
    if written:
        reason = (
            f"was written by a newer version of lvs.cluster (format {written}; this one knows {rules.FORMAT}): use that"
            " version, or have it remove what it keeps (state=absent) before this one is used"
        )
        raise InvalidValue(RULES_FILE, "format", written, reason, whole=True)
    try:
        return plan({}, rules.parse(text)).predicted
    except InvalidValue as error:
        given = "" if error.value is None else f" (got {error.value!r})"
        reason = (
            f"{error.service} {error.key} {error.reason}{given}; correct the line, or remove it and, with ipvsadm, what"
            " it describes"
        )
        raise InvalidValue(RULES_FILE, error.service, error.value, reason, whole=True) from None


def to_record(table: Table, keys: Iterable[ServiceKey]) -> Kept:
    """Return the changes that record these services in the rules file. Reads files, writes nothing."""
    return Kept(file_changes({RULES_FILE: rules_text(table, keys)}), None)


def rules_text(table: Table, keys: Iterable[ServiceKey]) -> bytes:
    return (_HEADER.format(unit=UNIT, format=rules.FORMAT) + rules.render(table, keys)).encode()


def file_changes(wanted: Mapping[str, bytes | None]) -> list[FileChange]:
    found = ((path, read(path), after) for path, after in wanted.items())
    return [FileChange(path, before, after) for path, before, after in found if before != after]


def systemctl(module: AnsibleModule, arguments: Sequence[str]) -> None:
    """Run it; raise OSError with its output if it fails."""
    code, _out, error = module.run_command([module.get_bin_path("systemctl", required=True), *arguments])
    if code:
        raise OSError(f"systemctl {' '.join(arguments)}: {error.strip()}")


def carry_out(kept: Kept, systemctl: Callable[[Sequence[str]], None]) -> None:
    """Write and remove files, enable or disable the unit. ``systemctl`` runs it with arguments, and raises on failure.

    Raises OSError if a step fails. All files, and the unit, are then as before; otherwise the error names what is not.
    The rules file is written first and removed last.
    """
    done: list[FileChange] = []
    try:
        _carry_out(kept, systemctl, done)
    except OSError as error:
        problem = _put_back(kept, systemctl, done)
        if problem:
            raise OSError(f"{in_words(error)}; {problem}") from error
        raise


def _carry_out(kept: Kept, systemctl: Callable[[Sequence[str]], None], done: list[FileChange]) -> None:
    booted = os.path.isdir("/run/systemd/system")
    if kept.enable is False:
        # --now resets its state: otherwise systemd would still list a unit without a file. It has no ExecStop.
        systemctl(["disable", *(["--now"] if booted else []), UNIT])
    for change in kept.changes:
        done.append(change)
        _change(change.path, change.after)
    if booted and any(change.path == UNIT_FILE for change in kept.changes):
        systemctl(["daemon-reload"])
    if kept.enable is True:
        systemctl(["enable", UNIT])


def _change(path: str, data: bytes | None) -> None:
    if data is not None:
        write_bytes(path, data)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with contextlib.suppress(OSError):  # only if it is empty, and never a directory of the system
        if os.path.basename(os.path.dirname(path)) == "lvs-cluster":
            os.rmdir(os.path.dirname(path))


def _put_back(kept: Kept, systemctl: Callable[[Sequence[str]], None], done: Iterable[FileChange]) -> str:
    """Undo what was carried out. Return a clause that names what could not be undone; empty if nothing is left."""
    problems = []
    for change in reversed(list(done)):
        try:
            if read(change.path) != change.before:
                _change(change.path, change.before)
        except OSError as error:
            problems.append(f"{change.path} ({in_words(error)})")
    enabled = os.path.islink(ENABLED)
    unit_back = read(UNIT_FILE) is not None
    try:
        if kept.enable is False and unit_back and not enabled:
            systemctl(["enable", UNIT])
        elif kept.enable is True and enabled:
            os.unlink(ENABLED)
        if os.path.isdir("/run/systemd/system") and any(change.path == UNIT_FILE for change in done):
            systemctl(["daemon-reload"])
    except OSError as error:
        problems.append(f"{UNIT} ({in_words(error)})")
    return f"this could not be restored: {', '.join(problems)}" if problems else ""


def read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
