# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the keepalived that runs for the states of its VRRP instances, and for the real servers that it has added.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterable

from . import checker_dump
from .director_state import HANDOVER_FILE, is_joining
from .errors import HostError
from .files import read_text, remove_file
from .systemd import RunCommand
from .vrrp_dump import SOUND, complete, pending, reasons, scripts, states

# It answers between two rounds of its own work, which is soon; one that stands still never does.
_SECONDS = 10.0
_INTERVAL = 0.05
#: What it writes, in its own /tmp: one file for each of its processes, which root alone can read.
_VRRP, _CHECKERS = "keepalived.data", "keepalived_check.data"
_FILES = (_VRRP, "keepalived_parent.data", _CHECKERS)


def require_vrrp(run: RunCommand, wanted: Iterable[str] = (), may_join: bool = False) -> dict[str, str]:
    """The states of all instances, where each has the VIPs or stands by and the ``wanted`` scripts are run.

    With ``may_join`` an instance can also be in the state FAULT, if the only reason is that its director joins.

    Raises HostError where one does neither, or a script is not done with its first run and could change that.
    """
    text = _ask(_main_process(run), _VRRP, complete)
    found = states(text)
    if not found:
        raise HostError("keepalived has no VRRP instance")
    joining = is_joining(read_text(HANDOVER_FILE))
    accepted = ("FAULT",) if may_join and joining and len(reasons(text)) == 1 else ()
    for state in sorted(set(found.values()) - {*SOUND, *accepted}):
        names = " and ".join(name for name, other in found.items() if other == state)
        why = "; ".join(reasons(text)) if state == "FAULT" else ""
        if why and joining:
            why += ", because the others may not know this director: run lvs.cluster.site for all directors"
        raise HostError(
            f"keepalived's {names} cannot take the VIPs, being in the state {state}" + (f": {why}" if why else "")
        )
    missing = sorted(set(wanted) - set(scripts(text)))
    if missing:
        raise HostError(
            f"keepalived does not run the script {' and '.join(missing)}: may its user (script_user) run the command?"
        )
    waiting = pending(text)
    if waiting:
        raise HostError(f"keepalived is not done with the first run of the script {' and '.join(waiting)}")
    return found


def added_servers(run: RunCommand) -> list[checker_dump.AddedServer]:
    """The real servers that keepalived's checkers have added to the IPVS table and not removed since.

    Raises HostError where keepalived does not tell, as one without virtual servers.
    """
    return checker_dump.added(_ask(_main_process(run), _CHECKERS, checker_dump.complete))


def _main_process(run: RunCommand) -> int:
    status, output, _errors = run(["systemctl", "show", "--property=MainPID", "keepalived"])
    number = output.strip().partition("=")[2]
    if status or not number.isdigit() or number == "0":
        raise HostError("the service keepalived does not run")
    return int(number)


def _is_roots(path: str) -> bool:
    """Anybody can make a file in /tmp, of any name that is not there yet."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == 0


def clear(path: str) -> None:
    """Remove what is in the way of a file. Raises HostError.

    keepalived replaces a file of any owner, but cannot replace a directory, and every user can create one in /tmp. A
    directory that is not empty is moved into another directory beside it, which belongs to root.
    """
    if not os.path.isdir(path) or os.path.islink(path):
        remove_file(path)
        return
    try:
        with contextlib.suppress(OSError):
            os.rmdir(path)
            return
        aside = tempfile.mkdtemp(prefix=f"{os.path.basename(path)}.", dir=os.path.dirname(path))
        os.rename(path, os.path.join(aside, os.path.basename(path)))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HostError(
            f"cannot move the directory {path}, where keepalived writes a file: {error.strerror}"
        ) from error


def _ask(process: int, name: str, is_complete: Callable[[str], bool]) -> str:
    """Return what the process writes into the file of this name."""
    # It has a /tmp of its own, by PrivateTmp= of its unit, unless it was started before the role wrote that.
    paths = {one: os.path.join("/proc", str(process), "root/tmp", one) for one in _FILES}
    for path in paths.values():
        clear(path)
    try:
        os.kill(process, signal.SIGUSR1)
    except ProcessLookupError:
        raise HostError("the service keepalived does not run") from None
    before = None
    until = time.monotonic() + _SECONDS
    try:
        while time.monotonic() < until:
            time.sleep(_INTERVAL)
            text = read_text(paths[name]) if _is_roots(paths[name]) else None
            if text is not None and text == before and is_complete(text):
                return text
            before = text
    finally:
        for path in paths.values():
            clear(path)
    raise HostError(f"keepalived does not tell its state within {_SECONDS:.0f} s")
