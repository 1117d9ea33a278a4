# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host itself: reads the state that a planner requests, carries out operations, and ends a module with the outcome.

The state of units is read from files, which is fast. C(systemctl) is called only for a change, and as rarely as
possible, because each call takes about a second on a slow machine: C(enable) also makes systemd read its units again,
so installing takes one call; removing takes two (C(disable --now), and C(daemon-reload) after the file is removed).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from .difference import as_dicts
from .engine import Operation, Outcome, Plan
from .errors import HostError, MissingLibrary
from .files import make_directories, read_text, remove_empty_directories, remove_file, write_text
from .process import UNIT_DIRECTORY, RunCommand, booted, has_command, require_root, runner, systemctl
from .running_kernel import (
    KernelModules,
    read_interfaces,
    read_sysctl_files,
    read_sysctls,
    require_writable,
    write_sysctl,
)
from .state import Address, Fallback, HostState, Item, Query, Rule, TunnelDevice, Unit, parents_of
from .task import Part, Work, fail_without_library, never_set_up, respawn_with_library

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

    from .network import Addresses, Routes, Tunnels
    from .nft import Nftables

TARGET = "multi-user.target"
Wanted = TypeVar("Wanted")


class Systemd:
    """Units below a root directory ("/" but in tests), driven through a command runner."""

    def __init__(self, root: str, run: RunCommand) -> None:
        self._directory = os.path.join(root, UNIT_DIRECTORY.lstrip("/"))
        self._groups = os.path.join(root, "sys/fs/cgroup")
        self._run = run

    def read(self, name: str) -> Unit | None:
        """Return the installed unit, or None if there is no file of ours."""
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
        """Change a unit from one state to another. Only units that should run are started.

        Raises HostError if a step fails; the unit's file is then restored.
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
                systemctl(self._run, "enable", *(["--now"] if after.running else []), name)
            elif before is not None and before.enabled and not after.enabled:
                systemctl(self._run, "disable", name)
            elif new_text:
                systemctl(self._run, "daemon-reload")
            if after.running and before is not None and before.enabled:
                systemctl(self._run, "restart", name)
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
            systemctl(self._run, "disable", "--now", name)
        remove_file(path)
        if "/" in name:
            remove_empty_directories([os.path.dirname(path)])
        systemctl(self._run, "daemon-reload")

    def _link(self, name: str) -> str:
        return os.path.join(self._directory, TARGET + ".wants", name)


class Target:
    """A host: its files below root, its /proc, /sys and /lib/modules below kernel. Tests give their own directories.

    Parts that not every task needs are imported on demand.
    """

    def __init__(
        self,
        run: RunCommand,
        root: str = "/",
        kernel: str = "/",
        addresses: Addresses | None = None,
    ) -> None:
        self.root = root
        self.proc = os.path.join(kernel, "proc")
        self.modules = KernelModules(kernel, run)
        self.systemd = Systemd(root, run)
        self._run = run
        if addresses is not None:
            self.addresses = addresses

    @cached_property
    def addresses(self) -> Addresses:
        """A connection to the kernel for addresses."""
        from .network import Addresses

        return Addresses()

    @cached_property
    def routes(self) -> Routes:
        """A connection to the kernel for routes and rules."""
        from .network import Routes

        return Routes()

    @cached_property
    def nftables(self) -> Nftables:
        """Tables of nftables."""
        from .nft import Nftables

        return Nftables(self._run)

    @cached_property
    def tunnels(self) -> Tunnels:
        """Tunnel devices and GUE ports."""
        from .network import Tunnels

        return Tunnels(self._run)

    def close(self) -> None:
        """Close open connections."""
        for name in ("addresses", "routes"):
            if name in vars(self):
                getattr(self, name).close()

    def path(self, path: str) -> str:
        """Return the path of a file of the host."""
        return os.path.join(self.root, path.lstrip("/"))

    def text(self, path: str) -> str | None:
        """Return the text of a file of the host, or None."""
        return read_text(self.path(path))

    def interfaces(self) -> tuple[str, ...]:
        """Return the names of the host's interfaces."""
        return read_interfaces(self.proc)

    def sysctl_files(self) -> list[tuple[str, str]]:
        """Return path and text of the host's effective sysctl.d files."""
        return read_sysctl_files(self.root)

    def read(self, query: Query) -> HostState:
        """Return the state that a query requests. Raises HostError."""
        records = () if query.record is None else (query.record,)
        modules = {name: self.modules.available(name) for name in query.modules}
        units = (*(() if query.unit is None else (query.unit,)), *query.more_units)
        directories = (path for path in parents_of((*query.files, *records)) if os.path.isdir(self.path(path)))
        return HostState(
            sysctls=read_sysctls(query.sysctls, self.proc),
            addresses=self.addresses.read() if query.addresses else frozenset(),
            modules=modules,
            files={path: self.text(path) for path in query.files},
            records={path: self.text(path) for path in records},
            units={name: self.systemd.read(name) for name in units},
            directories=frozenset(directories),
            tables={} if query.table is None else {query.table: self.nftables.listing(query.table)},
            routes=frozenset() if query.routes is None else self.routes.read_routes(query.routes),
            rules=frozenset() if query.routes is None else self.routes.read_rules(query.routes),
            fallbacks=frozenset() if query.routes is None else self.routes.read_fallbacks(query.routes),
            tunnels=self.tunnels.read_devices() if query.tunnels else frozenset(),
            gue_ports=self.tunnels.read_gue_ports() if query.tunnels and modules.get("fou") else frozenset(),
        )

    def apply(self, operation: Operation) -> None:
        """Carry out one operation. Raises HostError with the reason only: its text has the rest."""
        operation.carry_out(self)

    def check(self, plan: Plan) -> None:
        """Raise HostError if an operation cannot be carried out here. Changes nothing."""
        for operation in plan.operations:
            operation.check(self)

    def write_sysctl(self, key: str, value: str) -> None:
        """Write a sysctl. Raises HostError."""
        write_sysctl(key, value, self.proc)

    def require_writable(self, key: str) -> None:
        """Raise HostError if a sysctl exists and may not be written."""
        require_writable([key], self.proc)

    def require_boot(self, use: str, needs_ip: bool = False) -> None:
        """Raise HostError if a unit of ours could not do ``use`` at boot."""
        if not booted(self.root):
            raise HostError(
                f"persist: systemd does not run on this host (a container?), so nothing would {use} at boot;"
                " set persist to false to apply it until the next boot"
            )
        if needs_ip and not has_command("ip"):
            raise HostError(f"persist: the command ip is missing, which would {use} at boot (package iproute2)")

    def require_ip(self) -> None:
        """Raise HostError if the command ip is missing."""
        if not has_command("ip"):
            raise HostError("the command ip is missing (package iproute2)")

    def zoneinfo(self) -> str:
        """Return the kernel's report of its memory (proc(5), /proc/zoneinfo)."""
        return read_text(os.path.join(self.proc, "zoneinfo")) or ""

    def make_directory(self, path: str) -> None:
        """Make a directory. Raises HostError."""
        make_directories(self.path(path))

    def remove_directory(self, path: str) -> None:
        """Remove a directory if it is empty."""
        remove_empty_directories([self.path(path)])

    def write(self, path: str, text: str | None, mode: int) -> None:
        """Write a file of the host, or remove it if there is no text. Raises HostError."""
        if text is None:
            remove_file(self.path(path))
        else:
            write_text(self.path(path), text, mode)

    def add(self, item: Item) -> None:
        """Add an address, a rule, a route, a tunnel or a port to the host. Raises HostError."""
        if isinstance(item, Address):
            self.addresses.add(item)
        elif isinstance(item, Rule):
            self.routes.add_rule(item)
        elif isinstance(item, Fallback):
            self.routes.add_fallback(item)
        elif isinstance(item, TunnelDevice):
            self.tunnels.add(item)
        else:
            self.tunnels.add_gue_port(item)

    def remove(self, item: Item) -> None:
        """Remove one of these from the host. Raises HostError."""
        if isinstance(item, Address):
            self.addresses.remove(item)
        elif isinstance(item, Rule):
            self.routes.remove_rule(item)
        elif isinstance(item, Fallback):
            self.routes.remove_fallback(item)
        elif isinstance(item, TunnelDevice):
            self.tunnels.remove(item)
        else:
            self.tunnels.remove_gue_port(item)


def run(
    module: AnsibleModule,
    parse: Callable[[], Wanted],
    converge: Callable[[Target, Wanted, bool], Outcome],
    traces: Collection[str] = (),
) -> None:
    """Apply the arguments to this host; end the process with the result or with an error.

    ``traces`` are files of which a changed host has at least one. A host without any, and without the library, has
    nothing to remove.
    """
    target = Target(runner(module))
    try:
        wanted = parse()
        require_root()
        outcome = converge(target, wanted, module.check_mode)
    except MissingLibrary as error:
        respawn_with_library(module)  # nothing has been changed: the library is needed to read
        if module.params.get("state") == "absent" and never_set_up(traces):
            module.exit_json(changed=False, diff={"before": "", "after": ""}, differences=[])
        fail_without_library(module, error, "to read and change addresses")
    except HostError as error:
        module.fail_json(msg=str(error))
    finally:
        target.close()
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**_result(outcome))


def _result(outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        **({} if outcome.leftovers is None else {"leftovers": list(outcome.leftovers)}),
        "diff": {
            "before": outcome.before,
            "after": outcome.after,
            "before_header": "host",
            "after_header": "host",
        },
        "differences": as_dicts(outcome.differences),
    }


def host_part(
    module: AnsibleModule,
    target: Target,
    name: str,
    parse: Callable[[], Wanted],
    converge: Callable[[Target, Wanted, bool], Outcome],
    traces: Collection[str] = (),
    needs_pyroute2: bool = True,
) -> Part:
    """Return a part that does the work of `run`."""

    def prepare() -> Work:
        wanted = parse()

        def work() -> dict[str, Any]:
            outcome = converge(target, wanted, module.check_mode)
            for warning in outcome.warnings:
                module.warn(warning)
            return _result(outcome)

        return work

    return Part(name, prepare, needs_pyroute2, traces)
