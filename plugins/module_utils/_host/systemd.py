# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One unit of systemd: its file, and whether it is enabled.

State is read from the files, which costs nothing. C(systemctl) is called only for a change, and as seldom as possible,
since each call takes about a second on a slow machine: C(enable) also makes systemd read its units again, so
installing takes one call; removing takes two (C(disable --now), and C(daemon-reload) once the file is gone).

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import os
import shutil
from typing import Callable

from .errors import HostError
from .files import read_text, remove_empty_directories, remove_file, write_text
from .unit import Unit

UNIT_DIRECTORY = "/etc/systemd/system"
TARGET = "multi-user.target"

#: Where commands are looked for. A login by SSH may lack the last ones, even root's.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"

#: Runs a command without a shell, in English, and returns exit status, standard output and standard error. The status
#: of a command that cannot be started is 127. `runner.runner` makes one.
RunCommand = Callable[[list[str]], tuple[int, str, str]]


def has_command(name: str) -> bool:
    """Return whether this command is on SEARCH_PATH."""
    return shutil.which(name, path=SEARCH_PATH) is not None


def booted(root: str = "/") -> bool:
    """Whether systemd runs this host: the test that sd_booted(3) makes."""
    return os.path.isdir(os.path.join(root, "run/systemd/system"))


def require_boot(root: str, use: str, needs_ip: bool = False) -> None:
    """Refuse to persist where no unit of ours would do `use` at boot, before anything is touched. Raises HostError."""
    if not booted(root):
        raise HostError(
            f"persist: systemd does not run on this host (a container?), so nothing would {use} at boot;"
            " set persist to false to have it until then"
        )
    if needs_ip and not has_command("ip"):
        raise HostError(f"persist: the command ip is missing, which would {use} at boot (package iproute2)")


class Systemd:
    """Units below a root directory ("/" but in tests), driven through a command runner."""

    def __init__(self, root: str, run: RunCommand) -> None:
        self._directory = os.path.join(root, UNIT_DIRECTORY.lstrip("/"))
        self._groups = os.path.join(root, "sys/fs/cgroup")
        self._run = run

    def read(self, name: str) -> Unit | None:
        """The unit as it is installed, or None where there is no file of ours."""
        text = read_text(os.path.join(self._directory, name))
        if text is None:
            return None
        runs = self._runs(name) if "\nType=exec\n" in text else None
        return Unit(text, os.path.lexists(self._link(name)), runs)

    def _runs(self, name: str) -> bool:
        """Return whether a service has processes, from its control group: systemctl takes a second on slow machines."""
        for hierarchy in ("", "systemd"):  # of version 2, and 1
            path = os.path.join(self._groups, hierarchy, "system.slice", name, "cgroup.procs")
            try:
                with open(path, "rb") as file:
                    return bool(file.read(1))
            except OSError:
                continue
        return False

    def change(self, name: str, before: Unit | None, after: Unit | None) -> None:
        """Bring a unit from one state to another; nothing is started but what is to run.

        Raises HostError when a step fails; the unit's file is then as it was.
        """
        if after is None:
            self._remove(name, before)
        elif before != after:
            self._install(name, before, after)

    def _install(self, name: str, before: Unit | None, after: Unit) -> None:
        path = os.path.join(self._directory, name)
        new_text = before is None or before.text != after.text
        if new_text:
            write_text(path, after.text)
        try:
            if after.enabled and (before is None or not before.enabled):
                self._systemctl("enable", *(["--now"] if after.running else []), name)
            elif before is not None and before.enabled and not after.enabled:
                self._systemctl("disable", name)
            elif new_text:
                self._systemctl("daemon-reload")
            if after.running and before is not None and before.enabled:
                self._systemctl("restart", name)
        except HostError:
            if new_text and before is None:
                remove_file(self._link(name))
                remove_file(path)
            elif new_text and before is not None:
                write_text(path, before.text)
            raise

    def _remove(self, name: str, before: Unit | None) -> None:
        if before is None:
            return
        path = os.path.join(self._directory, name)
        if "/" not in name:
            self._systemctl("disable", "--now", name)
        remove_file(path)
        if "/" in name:
            remove_empty_directories([os.path.dirname(path)])
        self._systemctl("daemon-reload")

    def _link(self, name: str) -> str:
        return os.path.join(self._directory, TARGET + ".wants", name)

    def _systemctl(self, *arguments: str) -> None:
        status, output, errors = self._run(["systemctl", *arguments])
        if status != 0:
            lines = (errors.strip() or output.strip() or f"exit status {status}").splitlines()
            raise HostError(f"systemctl {' '.join(arguments)} failed: {lines[-1]}")
