# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python that runs programs of ours at boot.

PRIVATE to the collection lvs.cluster: may change without notice.

Not simply the interpreter that runs the module: Ansible may discover /usr/bin/python3.11, which does not outlive an
upgrade of the distribution, or be told to use a virtual environment that belongs to a user.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from importlib.util import find_spec

from .errors import HostError
from .respawn import LIBRARY, PACKAGE, SYSTEM_PYTHON
from .systemd import RunCommand

# What runs at boot gets neither the environment of the task nor a user's libraries: -I. Prints where the library is.
_PROBE = f"""\
import sys
from importlib.util import find_spec

found = find_spec({LIBRARY!r}) if sys.version_info >= (3, 9) else None
print(found.submodule_search_locations[0]) if found else sys.exit(1)
"""
_PLAIN = re.compile(r"/[A-Za-z0-9_./+-]+")  # a path that systemd takes as it stands (systemd.service(5), command lines)
_lstat = os.lstat


def boot_command(run: RunCommand, installed: str | None = None) -> str:
    """The first words of a command line that runs a Python program at boot as root.

    They name /usr/bin/python3 if it has the library, whichever interpreter runs the module. Otherwise they name the
    ``installed`` interpreter or the one that runs the module, if only root can change it. Raises HostError.
    """
    reasons = []
    for python in dict.fromkeys(filter(None, (SYSTEM_PYTHON, installed, sys.executable))):
        reason = _unfit(python, run)
        if reason is None:
            return f"{python} -I"
        if python != installed or python == sys.executable:
            reasons.append(reason)
    if find_spec(LIBRARY) is None:
        # The packages are not installed yet, or a real run fails for want of the library before anything is changed.
        return f"{SYSTEM_PYTHON} -I"
    raise HostError(
        f"persist: no Python of this host is fit to restore the IPVS table at boot: {', and '.join(reasons)};"
        f" install {LIBRARY} for {SYSTEM_PYTHON} (Debian and Ubuntu: {PACKAGE})"
    )


def _unfit(python: str, run: RunCommand) -> str | None:
    """Why this interpreter cannot run at boot; None if it can."""
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
    """The first file or directory on the way to a path that users other than root may change, links followed."""
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
