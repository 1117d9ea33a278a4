# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every part of the lab shares: its errors, its places on disk, its way of saying what it does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path


class LabError(Exception):
    """Something a user can act upon; the message is one clear sentence."""


def home() -> Path:
    """Where images and running labs live. Short, because paths of Unix sockets end at 107 bytes."""
    return Path(os.environ.get("LVS_LAB_HOME", "/var/lib/lvs-lab"))


def images_home() -> Path:
    return home() / "images"


def labs_home() -> Path:
    return home() / "labs"


class Progress:
    """Says what is being done and, when it is done, how long it took."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        self.say(f"      …  {what}")
        yield
        self.say(f"{time.monotonic() - begun:6.1f} s  {what}: done")

    def say(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)


def need_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and machines, which takes root: run it with sudo")


def need_home_of_our_own() -> None:
    """Refuse a home in which another user could put an image, a key or a link. Raises LabError.

    Root, this user and the one who called sudo may own it and the folders above it. Those may be open to others if only
    owners can remove what is in them, as in /tmp.
    """
    place = Path(os.path.realpath(home()))
    place.mkdir(parents=True, exist_ok=True)
    owners = {0, os.geteuid(), int(os.environ.get("SUDO_UID", "0"))}
    for folder in (place, *place.parents):
        status = folder.stat()
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if status.st_uid not in owners or (shared and (folder == place or not status.st_mode & stat.S_ISVTX)):
            raise LabError(
                f"{home()} is no safe place for the lab: other users may write to {folder};"
                " set LVS_LAB_HOME to a folder that only root may write to"
            )


def need_this_kind_of_machine() -> None:
    # mmdebstrap builds for the machine it runs on, and the machines' kernel package is one for x86-64.
    if platform.machine() != "x86_64":
        raise LabError(
            f"the lab's machines are x86-64 and this one is {platform.machine()}: run it on an x86-64 machine"
        )


TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Programs that the lab runs, and the Debian package of each."""


def need_tools(*names: str) -> None:
    # mke2fs and ip live in sbin, which a user's PATH may lack.
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in names if shutil.which(name, path=path) is None]
    if missing:
        packages = sorted({TOOLS[name] for name in missing})
        raise LabError(f"the lab needs {' and '.join(missing)}: apt-get install {' '.join(packages)}")
    os.environ["PATH"] = path


def run(command: Sequence[str | Path], text_in: str | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises LabError with the command and the last lines of its complaint.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, input=text_in, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = " / ".join((done.stderr or done.stdout).strip().splitlines()[-4:])
        raise LabError(f"`{' '.join(words[:6])}{' …' if len(words) > 6 else ''}` failed: {tail}")
    return done.stdout


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, so that two runs never build or start the same thing at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def start_time(pid: int) -> int | None:
    """When a process began, which tells it from a later one with the same number.

    Field 22 of /proc/PID/stat (proc(5)): clock ticks since boot; None for a dead process or a zombie.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
