# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules: whether the kernel has one, and loading it.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import os

from .errors import HostError
from .files import read_text
from .systemd import RunCommand


class KernelModules:
    """The running kernel's modules; /proc, /sys and /lib/modules are looked for below root."""

    def __init__(self, root: str, run: RunCommand) -> None:
        self._root = root
        self._run = run
        self._release = os.uname().release
        self._builtin: frozenset[str] | None = None

    def available(self, name: str) -> bool:
        """Whether the kernel has the module now, loaded or built in; a line in /proc/modules would miss the latter."""
        if os.path.isdir(self._at("sys/module", name)):
            return True
        if name == "ip_vs" and os.path.exists(self._at("proc/net/ip_vs")):
            return True
        return self.built_in(name)

    def require_loadable(self, name: str) -> None:
        """Raises HostError saying why, where the module cannot be loaded; loads nothing."""
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
        """The value of a loaded module's parameter, or None."""
        text = read_text(self._at("sys/module", module, "parameters", name))
        return None if text is None else text.strip()

    def built_in(self, name: str) -> bool:
        """Whether the module is a part of the kernel itself."""
        if self._builtin is None:
            text = read_text(self._at("lib/modules", self._release, "modules.builtin")) or ""
            files = (line.rsplit("/", 1)[-1].split(".")[0] for line in text.splitlines())
            self._builtin = frozenset(name.replace("-", "_") for name in files)
        return name in self._builtin

    def _at(self, *parts: str) -> str:
        return os.path.join(self._root, *parts)
