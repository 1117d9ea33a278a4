# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the table across reboots: a rules file, an archive that restores it, and a systemd unit that runs it at boot.

PRIVATE to the collection lvs.cluster: may change without notice.

The rules file is at the same time the record of which services are ours, so that what is no longer described can be
taken out again without touching what others own. Nothing here ever flushes the table: the unit has no ExecStop.
"""

from __future__ import annotations

import contextlib
import io
import os
import pkgutil
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .._host import files
from . import health_program as _bundled_for_the_archive  # noqa: F401  # Ansible ships what is imported
from . import restore as _bundled_too  # noqa: F401
from . import rules, timeouts
from .converge import in_words
from .model import InvalidValue, ServiceKey, Table
from .plan import plan

RULES_FILE = "/etc/lvs-cluster/ipvs.rules"
#: Beside it; restore.py finds it there.
TIMEOUTS_FILE = "/etc/lvs-cluster/ipvs.timeouts"
ARCHIVE = "/usr/local/lib/lvs-cluster/ipvs-restore.pyz"
UNIT = "lvs-cluster-ipvs.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
_ENABLED = f"/etc/systemd/system/multi-user.target.wants/{UNIT}"

_HEADER = """\
# The IPVS services that the Ansible collection lvs.cluster keeps on this host, in the form of ipvsadm-save -n.
# Written by the module lvs.cluster.ipvs_table; restored at boot by {unit}. Do not edit: the next run overwrites it.
# Format: {format}
"""

_TIMEOUTS_HEADER = """\
# The IPVS timeouts that the Ansible collection lvs.cluster keeps on this host, in seconds, and those that it found.
# Written by the module lvs.cluster.ipvs_timeout; set at boot by {unit}. Do not edit: the next run overwrites it.
"""

_UNIT_TEXT = """\
# Written by the Ansible module lvs.cluster.ipvs_table.
[Unit]
Description=Restore the IPVS table of lvs.cluster
After=systemd-modules-load.service
Before=keepalived.service
ConditionPathExists=|{rules}
ConditionPathExists=|{timeouts}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={python} {archive} {rules}
{sandbox}
[Install]
WantedBy=multi-user.target
"""

# What restore and health need, by package; none of it needs Ansible.
_ARCHIVED = {
    "_host": ("__init__", "errors", "files"),
    "_ipvs": (
        "__init__",
        "arguments",
        "checks",
        "converge",
        "drain_files",
        "dump",
        "health",
        "health_program",
        "kernel",
        "library",
        "model",
        "persist",
        "plan",
        "restore",
        "rules",
        "timeouts",
        "uapi",
        "wire",
    ),
}
_ARCHIVE_PACKAGE = "lvs_cluster"
_ARCHIVE_MAIN = f"""\
import sys

if sys.argv[1:2] == ["health"]:
    from {_ARCHIVE_PACKAGE}._ipvs.health_program import main
    sys.exit(main(sys.argv[2:]))

from {_ARCHIVE_PACKAGE}._ipvs.restore import main

sys.exit(main(sys.argv[1:]))
"""


class Change(NamedTuple):
    """A file that is, or in check mode would be, written or removed."""

    path: str
    before: bytes | None  # None: not there
    after: bytes | None


class Kept(NamedTuple):
    """What has to be done to the files. ``enable``: whether the unit has to be enabled (True) or disabled (False)."""

    changes: Sequence[Change]
    enable: bool | None

    @property
    def changed(self) -> bool:
        """Return whether files or the unit have to change."""
        return bool(self.changes) or self.enable is not None

    def diff(self) -> list[dict[str, str]]:
        """One before and after a file, in the form that Ansible shows; of the archive only that it changes."""
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
    """The services in the rules file, which are ours; empty where there is none. InvalidValue where it is damaged."""
    data = _read(RULES_FILE)
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


def installed_python() -> str | None:
    """The interpreter that the unit names now; None if there is no unit."""
    found = re.search(rb"^ExecStart=(\S+)", _read(UNIT_FILE) or b"", re.MULTILINE)
    return found[1].decode("utf-8", "replace") if found else None


def to_keep(table: Table, keys: Iterable[ServiceKey], python: str) -> Kept:
    """What has to be done so that these services of ``table`` come back at boot. Reads files, writes nothing.

    ``python``: the words of the command line before the program (_host/boot_python.py, boot_command).
    """
    return _with_restorer(RULES_FILE, _rules_text(table, keys), python)


def to_record(table: Table, keys: Iterable[ServiceKey]) -> Kept:
    """What has to be done so that what comes back already is these services. Reads files, writes nothing."""
    return Kept(_changes({RULES_FILE: _rules_text(table, keys)}), None)


def to_forget() -> Kept:
    """What has to be done so that nothing is left of it. Reads files, writes nothing."""
    return _without(RULES_FILE, TIMEOUTS_FILE)


def recorded_timeouts() -> dict[str, timeouts.Kept]:
    """The timeouts that are set at boot; empty where there are none. InvalidValue where the file is damaged."""
    return timeouts.parse_kept((_read(TIMEOUTS_FILE) or b"").decode("utf-8", "replace"), TIMEOUTS_FILE)


def to_keep_timeouts(kept: Mapping[str, timeouts.Kept], python: str) -> Kept:
    """What has to be done so that these timeouts are set at boot, and no others. Reads files, writes nothing.

    ``python`` is as for `to_keep`.
    """
    if not kept:
        return _without(TIMEOUTS_FILE, RULES_FILE)
    text = _TIMEOUTS_HEADER.format(unit=UNIT) + timeouts.render_kept(kept)
    return _with_restorer(TIMEOUTS_FILE, text.encode(), python)


def _with_restorer(path: str, data: bytes, python: str) -> Kept:
    """A file, and what reads it at boot."""
    from .._host import sandbox  # which is not in the archive

    unit = _UNIT_TEXT.format(
        python=python,
        archive=ARCHIVE,
        rules=RULES_FILE,
        timeouts=TIMEOUTS_FILE,
        sandbox=sandbox.program("CAP_NET_ADMIN"),
    )
    wanted = {path: data, ARCHIVE: build_archive(), UNIT_FILE: unit.encode()}
    return Kept(_changes(wanted), None if os.path.islink(_ENABLED) else True)


def _without(path: str, other: str) -> Kept:
    """Without a file, and without what reads it at boot if there is no other file for that."""
    if _read(other) is not None:
        return Kept(_changes({path: None}), None)
    return Kept(_changes({UNIT_FILE: None, ARCHIVE: None, path: None}), False if os.path.islink(_ENABLED) else None)


def _rules_text(table: Table, keys: Iterable[ServiceKey]) -> bytes:
    return (_HEADER.format(unit=UNIT, format=rules.FORMAT) + rules.render(table, keys)).encode()


def _changes(wanted: Mapping[str, bytes | None]) -> list[Change]:
    found = ((path, _read(path), after) for path, after in wanted.items())
    return [Change(path, before, after) for path, before, after in found if before != after]


def carry_out(kept: Kept, systemctl: Callable[[Sequence[str]], None]) -> None:
    """Write and remove files, enable or disable the unit. ``systemctl`` runs it with arguments, and raises on failure.

    Raises OSError if a step fails. All files, and the unit, are then as before; otherwise the error names what is not.
    The rules file is written first and removed last.
    """
    done: list[Change] = []
    try:
        _carry_out(kept, systemctl, done)
    except OSError as error:
        problem = _put_back(kept, systemctl, done)
        if problem:
            raise OSError(f"{in_words(error)}; {problem}") from error
        raise


def _carry_out(kept: Kept, systemctl: Callable[[Sequence[str]], None], done: list[Change]) -> None:
    booted = os.path.isdir("/run/systemd/system")
    if kept.enable is False:
        # --now forgets that it ran at boot: systemd would go on listing a unit without a file. It has no ExecStop.
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
        write(path, data)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with contextlib.suppress(OSError):  # only where it is empty, and never a directory of the system's
        if os.path.basename(os.path.dirname(path)) == "lvs-cluster":
            os.rmdir(os.path.dirname(path))


def _put_back(kept: Kept, systemctl: Callable[[Sequence[str]], None], done: Iterable[Change]) -> str:
    """Undo what was carried out. Return a clause that names what could not be undone; empty if nothing is left."""
    problems = []
    for change in reversed(list(done)):
        try:
            if _read(change.path) != change.before:
                _change(change.path, change.before)
        except OSError as error:
            problems.append(f"{change.path} ({in_words(error)})")
    enabled = os.path.islink(_ENABLED)
    unit_back = _read(UNIT_FILE) is not None
    try:
        if kept.enable is False and unit_back and not enabled:
            systemctl(["enable", UNIT])
        elif kept.enable is True and enabled:
            os.unlink(_ENABLED)
        if os.path.isdir("/run/systemd/system") and any(change.path == UNIT_FILE for change in done):
            systemctl(["daemon-reload"])
    except OSError as error:
        problems.append(f"{UNIT} ({in_words(error)})")
    return f"this could not be put back: {', '.join(problems)}" if problems else ""


def build_archive() -> bytes:
    """The restorer as a zip archive that Python runs: the same bytes from the same source, whenever and wherever."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, f"{_ARCHIVE_PACKAGE}/__init__.py", b"")
        for package, names in _ARCHIVED.items():
            for name in names:
                _add(archive, f"{_ARCHIVE_PACKAGE}/{package}/{name}.py", _source(package, name))
        _add(archive, "__main__.py", _ARCHIVE_MAIN.encode())
    return buffer.getvalue()


def _source(package: str, name: str) -> bytes:
    """The source of a file of ours, which in a module is in the archive that Ansible sent."""
    full_name = f"{__package__.rpartition('.')[0]}.{package}"
    source = pkgutil.get_data(full_name, f"{name}.py")
    if source is None:
        raise OSError(f"the source of {full_name}.{name} cannot be read")
    return source


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    archive.writestr(info, data)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path: str, data: bytes) -> None:
    """Replace a file at one go: a reader, or a reboot in between, sees the old one or the new one. Raises OSError."""
    files.write_bytes(path, data)
