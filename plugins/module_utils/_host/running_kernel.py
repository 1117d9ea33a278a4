# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running kernel: its sysctls in /proc/sys, the sysctl.d files that set them, and its modules."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from .errors import HostError
from .files import read_text
from .process import RunCommand
from .validate import display, normal_value

# sysctl.d(5), in the order of precedence: of two files of one name the first counts.
_DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")


def read_sysctls(keys: Iterable[str], proc: str = "/proc") -> dict[str, str | None]:
    """Return the value of each key, None if the kernel has no such key.

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
    """Write a value and verify it. Raises HostError with the reason; the value is then as before."""
    before = read_sysctls([key], proc)[key]
    try:
        _write(key, value, proc)
        found = read_sysctls([key], proc)[key]
        if found != value:
            raise HostError(f"the kernel changed the value to {found}")
    except HostError:
        # Of several numbers, those before an invalid one are already set (kernel/sysctl.c: do_proc_dointvec).
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
    """Raise HostError if one of these keys exists but is read-only, as in most containers."""
    for key in keys:
        path = os.path.join(proc, "sys", key)
        if os.path.exists(path) and not os.access(path, os.W_OK):
            read_only = os.statvfs(path).f_flag & os.ST_RDONLY
            why = "/proc/sys is read-only here (a container?)" if read_only else "it is read-only in the kernel"
            raise HostError(f"cannot set {display(key)}: {why}")


def read_interfaces(proc: str = "/proc") -> tuple[str, ...]:
    """Return the names of the interfaces that have IPv4 or IPv6 sysctls."""
    names = set()
    for family in ("ipv4", "ipv6"):
        directory = os.path.join(proc, "sys/net", family, "conf")
        if os.path.isdir(directory):
            names.update(os.listdir(directory))
    return tuple(sorted(names - {"all", "default"}))


def read_sysctl_files(root: str = "/") -> list[tuple[str, str]]:
    """Return path and text of every effective sysctl.d file."""
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


class KernelModules:
    """The running kernel's modules; /proc, /sys and /lib/modules are read below root."""

    def __init__(self, root: str, run: RunCommand) -> None:
        self._root = root
        self._run = run
        self._release = os.uname().release
        self._builtin: frozenset[str] | None = None

    def available(self, name: str) -> bool:
        """Return True if the kernel has the module now, loaded or built in; /proc/modules lacks the latter."""
        if os.path.isdir(self._at("sys/module", name)):
            return True
        if name == "ip_vs" and os.path.exists(self._at("proc/net/ip_vs")):
            return True
        return self.built_in(name)

    def require_loadable(self, name: str) -> None:
        """Raise HostError with the reason if the module cannot be loaded. Loads nothing."""
        status, _output, errors = self._run(["modprobe", "--dry-run", "--quiet", "--", name])
        if status == 0:
            return
        kernel = f"the running kernel {self._release}"
        if not os.path.isdir(self._at("lib/modules", self._release)):
            raise HostError(
                f"{kernel} has no {name}, and /lib/modules/{self._release} is missing:"
                " boot the kernel that is installed (in a container: load the module on its host)"
            )
        if status == 127:
            raise HostError(f"cannot load the kernel module {name}: {errors} (package kmod)")
        raise HostError(
            f"{kernel} has no module {name};"
            " install the distribution's full kernel (some cloud and minimal kernels lack it)"
        )

    def load(self, name: str) -> None:
        """Load a module with modprobe. Raises HostError with modprobe's reason."""
        status, output, errors = self._run(["modprobe", "--", name])
        if status != 0:
            lines = (errors.strip() or output.strip() or f"modprobe ended with status {status}").splitlines()
            raise HostError(lines[-1])
        if not self.available(name):
            raise HostError(f"modprobe loaded something else: {name} is an alias; list the module itself")

    def parameter(self, module: str, name: str) -> str | None:
        """Return the value of a loaded module's parameter, or None."""
        text = read_text(self._at("sys/module", module, "parameters", name))
        return None if text is None else text.strip()

    def built_in(self, name: str) -> bool:
        """Return True if the module is a part of the kernel itself."""
        if self._builtin is None:
            text = read_text(self._at("lib/modules", self._release, "modules.builtin")) or ""
            files = (line.rsplit("/", 1)[-1].split(".")[0] for line in text.splitlines())
            self._builtin = frozenset(name.replace("-", "_") for name in files)
        return name in self._builtin

    def _at(self, *parts: str) -> str:
        return os.path.join(self._root, *parts)
