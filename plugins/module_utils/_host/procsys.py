# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and writing /proc/sys and finding sysctl.d files.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from .errors import HostError
from .files import read_text
from .sysctl import display, normal_value

# sysctl.d(5), in the order of precedence: of two files of one name the first counts.
_DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")


def read_sysctls(keys: Iterable[str], proc: str = "/proc") -> dict[str, str | None]:
    """The value of each key, None where the kernel has no such key.

    Raises HostError naming a key that cannot be read.
    """
    values: dict[str, str | None] = {}
    for key in keys:
        path = os.path.join(proc, "sys", key)
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                values[key] = normal_value(stream.read())
        except (FileNotFoundError, NotADirectoryError):
            values[key] = None
        except IsADirectoryError:
            raise HostError(f"sysctls: {display(key)} is a group of sysctls, not one") from None
        except OSError as error:
            raise HostError(f"sysctls: {display(key)} cannot be read: {error.strerror}") from error
    return values


def write_sysctl(key: str, value: str, proc: str = "/proc") -> None:
    """Write a value and see that it holds. Raises HostError with the reason; the value is then as before."""
    before = read_sysctls([key], proc)[key]
    try:
        _write(key, value, proc)
        found = read_sysctls([key], proc)[key]
        if found != value:
            raise HostError(f"the kernel made {found} of it")
    except HostError:
        # Of several numbers, those before a bad one are in force by now (kernel/sysctl.c: do_proc_dointvec).
        if before is not None and read_sysctls([key], proc)[key] != before:
            _write(key, before, proc)
        raise


def _write(key: str, value: str, proc: str) -> None:
    try:
        # Unbuffered, so that the kernel gets it in one write and its answer comes from that write.
        with open(os.path.join(proc, "sys", key), "wb", buffering=0) as stream:
            stream.write(value.encode() + b"\n")
    except OSError as error:
        refused = error.errno in (errno.EINVAL, errno.ERANGE)
        raise HostError("the kernel refuses this value" if refused else str(error.strerror)) from error


def require_writable(keys: Iterable[str], proc: str = "/proc") -> None:
    """Raises HostError where one of these keys exists but may not be written, as in most containers."""
    for key in keys:
        path = os.path.join(proc, "sys", key)
        if os.path.exists(path) and not os.access(path, os.W_OK):
            read_only = os.statvfs(path).f_flag & os.ST_RDONLY
            why = "/proc/sys is read-only here (a container?)" if read_only else "the kernel lets nobody write it"
            raise HostError(f"cannot set {display(key)}: {why}")


def read_interfaces(proc: str = "/proc") -> tuple[str, ...]:
    """The names of the interfaces that have IPv4 or IPv6 sysctls."""
    names = set()
    for family in ("ipv4", "ipv6"):
        directory = os.path.join(proc, "sys/net", family, "conf")
        if os.path.isdir(directory):
            names.update(os.listdir(directory))
    return tuple(sorted(names - {"all", "default"}))


def read_sysctl_files(root: str = "/") -> list[tuple[str, str]]:
    """Path and text of every sysctl.d file that counts."""
    found: dict[str, tuple[str, str]] = {}
    for directory in _DIRECTORIES:
        try:
            names = os.listdir(os.path.join(root, directory.lstrip("/")))
        except OSError:
            continue
        for name in names:
            if name.endswith(".conf") and name not in found:
                path = f"{directory}/{name}"
                found[name] = (path, read_text(os.path.join(root, path.lstrip("/"))) or "")
    return list(found.values())
