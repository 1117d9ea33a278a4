# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory: what the kernel does with an operation, without a kernel."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import Operation, RemoveDirectory, predict
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import HostState
from ansible_collections.lvs.cluster.plugins.module_utils._host.sysctl import (
    LoadModule,
    SetSysctl,
    influenced,
    interfaces_in,
)


class SimulatedHost:
    """Carries operations out on a HostState and keeps every state it passes.

    loads: the sysctls that appear with a kernel module. fail_at: the number of the operation that fails, from 0.
    Interfaces in followers have no value of their own, so a write to conf/default reaches them.
    """

    def __init__(
        self,
        state: HostState,
        loads: dict[str, dict[str, str]] | None = None,
        fail_at: int | None = None,
        followers: tuple[str, ...] = (),
    ) -> None:
        self.state = state
        self.passed = [state]
        self.applied: list[Operation] = []
        self._loads = loads or {}
        self._fail_at = fail_at
        self._followers = followers

    def read(self) -> HostState:
        return self.state

    def apply(self, operation: Operation) -> None:
        if len(self.applied) == self._fail_at:
            self._fail_at = None
            raise HostError("no")
        self.applied.append(operation)
        before = self.state
        if isinstance(operation, RemoveDirectory) and self._in_use(operation.path):
            return
        self.state = predict(before, [operation])
        if isinstance(operation, LoadModule):
            self.state = replace(self.state, sysctls={**self.state.sysctls, **self._loads.get(operation.name, {})})
        if isinstance(operation, SetSysctl):
            self._copy_default(operation, before)
        self.passed.append(self.state)

    def _copy_default(self, operation: SetSysctl, before: HostState) -> None:
        """net/ipv4/devinet.c: devinet_copy_dflt_conf."""
        if "/conf/default/" not in operation.key or before.sysctls.get(operation.key) == operation.after:
            return
        reached = influenced(operation.key, interfaces_in(before.sysctls) & {*self._followers})
        copied = {key: operation.after for key in reached if key in before.sysctls}
        self.state = replace(self.state, sysctls={**self.state.sysctls, **copied})

    def _in_use(self, directory: str) -> bool:
        paths = [path for path, text in {**self.state.files, **self.state.records}.items() if text is not None]
        return any(path.startswith(directory + "/") for path in (*paths, *self.state.directories))
