# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restoration of the table and the timeouts at boot: an archive of programs, a systemd unit, and the Python for
both.

The Python can differ from the module's interpreter: Ansible may discover /usr/bin/python3.11, which an upgrade of the
distribution removes, or ansible_python_interpreter may name a user's virtual environment.
"""

from __future__ import annotations

import io
import os
import pkgutil
import re
import stat
import sys
import zipfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .._host import sandbox
from .._host.errors import HostError
from .._host.process import RunCommand, runner
from .._host.task import LIBRARY, PACKAGE, SYSTEM_PYTHON
from . import persist, timeouts
from . import programs as _bundled_for_the_archive  # noqa: F401  # Ansible ships what is imported
from .kernel import KernelError
from .model import ServiceKey, Table
from .persist import Kept

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

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

# The imports of the programs, by package, without Ansible.
ARCHIVED = {
    "_host": ("__init__", "drain_files", "errors", "files", "process", "validate"),
    "_ipvs": (
        "__init__",
        "arguments",
        "converge",
        "health_state",
        "kernel",
        "model",
        "netlink",
        "persist",
        "plan",
        "programs",
        "rules",
        "timeouts",
    ),
}
_ARCHIVE_PACKAGE = "lvs_cluster"
_ARCHIVE_MAIN = f"""\
import sys

from {_ARCHIVE_PACKAGE}._ipvs.programs import health, restore

sys.exit(health(sys.argv[2:]) if sys.argv[1:2] == ["health"] else restore(sys.argv[1:]))
"""
# Programs at boot get neither the environment of the task nor a user's libraries: -I. Prints the place of the library.
_PROBE = f"""\
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

found = find_spec({LIBRARY!r}) if sys.version_info >= (3, 9) else None
print(found.submodule_search_locations[0]) if found else sys.exit(1)
"""
_PLAIN = re.compile(r"/[A-Za-z0-9_./+-]+")  # a path that systemd takes as it stands (systemd.service(5), command lines)
_lstat = os.lstat


def installed_python() -> str | None:
    """Return the interpreter that the unit names now; None if there is no unit."""
    found = re.search(rb"^ExecStart=(\S+)", persist.read(persist.UNIT_FILE) or b"", re.MULTILINE)
    return found[1].decode("utf-8", "replace") if found else None


def to_keep(table: Table, keys: Iterable[ServiceKey], python: str) -> Kept:
    """Return the changes that restore these services of ``table`` at boot. Reads files, writes nothing.

    ``python``: the words of the command line before the program (`boot_command`).
    """
    return _with_restorer(persist.RULES_FILE, persist.rules_text(table, keys), python)


def to_forget() -> Kept:
    """Return the changes that remove all of it. Reads files, writes nothing."""
    return _without(persist.RULES_FILE, persist.TIMEOUTS_FILE)


def recorded_timeouts() -> dict[str, timeouts.Kept]:
    """Return the timeouts that are set at boot; empty if there are none. InvalidValue if the file is damaged."""
    return timeouts.parse_kept(
        (persist.read(persist.TIMEOUTS_FILE) or b"").decode("utf-8", "replace"), persist.TIMEOUTS_FILE
    )


def to_keep_timeouts(kept: Mapping[str, timeouts.Kept], python: str) -> Kept:
    """Return the changes that set these timeouts at boot, and no others. Reads files, writes nothing.

    ``python`` is as for `to_keep`.
    """
    if not kept:
        return _without(persist.TIMEOUTS_FILE, persist.RULES_FILE)
    text = _TIMEOUTS_HEADER.format(unit=persist.UNIT) + timeouts.render_kept(kept)
    return _with_restorer(persist.TIMEOUTS_FILE, text.encode(), python)


def _with_restorer(path: str, data: bytes, python: str) -> Kept:
    """Return the changes for a file, and for its unit at boot."""
    unit = _UNIT_TEXT.format(
        python=python,
        archive=persist.ARCHIVE,
        rules=persist.RULES_FILE,
        timeouts=persist.TIMEOUTS_FILE,
        sandbox=sandbox.program("CAP_NET_ADMIN"),
    )
    wanted = {path: data, persist.ARCHIVE: build_archive(), persist.UNIT_FILE: unit.encode()}
    return Kept(persist.file_changes(wanted), None if os.path.islink(persist.ENABLED) else True)


def _without(path: str, other: str) -> Kept:
    """Return the plan that removes a file, and the unit that reads it at boot if there is no other such file."""
    if persist.read(other) is not None:
        return Kept(persist.file_changes({path: None}), None)
    return Kept(
        persist.file_changes({persist.UNIT_FILE: None, persist.ARCHIVE: None, path: None}),
        False if os.path.islink(persist.ENABLED) else None,
    )


def build_archive() -> bytes:
    """Return the restorer as a zip archive that Python runs: the same source always gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, f"{_ARCHIVE_PACKAGE}/__init__.py", b"")
        for package, names in ARCHIVED.items():
            for name in names:
                _add(archive, f"{_ARCHIVE_PACKAGE}/{package}/{name}.py", _source(package, name))
        _add(archive, "__main__.py", _ARCHIVE_MAIN.encode())
    return buffer.getvalue()


def _source(package: str, name: str) -> bytes:
    """Return the source of a file of ours, which in a module is in the archive that Ansible sent."""
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


def command_at_boot(module: AnsibleModule) -> str:
    """Return the first words of the command line that restores at boot, on a module's host. Raises KernelError."""
    try:
        return boot_command(runner(module), installed_python())
    except HostError as error:
        raise KernelError(str(error)) from error


def boot_command(run: RunCommand, installed: str | None = None) -> str:
    """Return the first words of a command line that runs a Python program at boot as root.

    They name /usr/bin/python3 if it has the library, also if another interpreter runs the module. Otherwise they name
    the ``installed`` interpreter or the one that runs the module, if only root can change it. Raises HostError.
    """
    reasons = []
    for python in dict.fromkeys(filter(None, (SYSTEM_PYTHON, installed, sys.executable))):
        reason = _unfit(python, run)
        if reason is None:
            return f"{python} -I"
        if python != installed or python == sys.executable:
            reasons.append(reason)
    if find_spec(LIBRARY) is None:
        # The packages are not installed yet, or a real run fails before any change because the library is missing.
        return f"{SYSTEM_PYTHON} -I"
    raise HostError(
        f"persist: no Python of this host can restore the IPVS table at boot: {', and '.join(reasons)};"
        f" install {LIBRARY} for {SYSTEM_PYTHON} (Debian and Ubuntu: {PACKAGE})"
    )


def _unfit(python: str, run: RunCommand) -> str | None:
    """Return the reason why this interpreter cannot run at boot; None if it can."""
    is_system = python == SYSTEM_PYTHON
    if not is_system and not _PLAIN.fullmatch(python):
        return f"{python} is not used because of its name"
    status, output, _errors = run([python, "-I", "-c", _PROBE])
    if status:
        return f"{python} does not find {LIBRARY}" if is_system else f"{python} does not either"
    if is_system:
        return None
    for path in (python, output.strip()):
        changeable = open_to_others(path)
        if changeable is not None:
            return f"{python} is not used because users other than root may change {changeable}"
    return None


def open_to_others(path: str) -> str | None:
    """Return the first file or directory on the way to a path that users other than root may change, links followed."""
    seen: set[str] = set()
    pending = [os.path.abspath(path)]
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        info = _lstat(current)
        is_link = stat.S_ISLNK(info.st_mode)
        if info.st_uid != 0 or (not is_link and info.st_mode & 0o022):
            return current
        pending.append(os.path.dirname(current))
        if is_link:
            directory = os.path.realpath(os.path.dirname(current))
            pending.append(os.path.normpath(os.path.join(directory, os.readlink(current))))
    return None
