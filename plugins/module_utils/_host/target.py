# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host itself: reads the state that a planner asks for, and carries operations out.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from .addresses import Addresses
from .files import make_directories, read_text, remove_empty_directories, remove_file, write_text
from .iproute import Tunnels
from .kmod import KernelModules
from .netlink_routes import Routes
from .nft import Nftables
from .operations import (
    Add,
    ChangeFile,
    ChangeRecord,
    ChangeRoute,
    ChangeTable,
    ChangeUnit,
    Item,
    LoadModule,
    MakeDirectory,
    Operation,
    Remove,
    RemoveDirectory,
    SetSysctl,
)
from .procsys import read_interfaces, read_sysctl_files, read_sysctls, write_sysctl
from .routing import Fallback, Rule
from .state import Address, HostState, parents_of
from .systemd import RunCommand, Systemd
from .tunnels import TunnelDevice


@dataclass(frozen=True)
class Query:
    """What a planner needs to know. Paths are the host's, below the target's root.

    table is a table of nftables, routes the number of a routing table. Whoever asks for tunnels asks for the modules
    that GUE needs as well.
    """

    sysctls: Iterable[str] = ()
    modules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    record: str | None = None
    unit: str | None = None
    addresses: bool = False
    table: str | None = None
    routes: int | None = None
    more_units: tuple[str, ...] = ()
    tunnels: bool = False


class Target:
    """A host: its files below root, its /proc, /sys and /lib/modules below kernel. Tests give their own directories."""

    def __init__(
        self,
        run: RunCommand,
        root: str = "/",
        kernel: str = "/",
        addresses: Addresses | None = None,
        routes: Routes | None = None,
    ) -> None:
        self.root = root
        self.proc = os.path.join(kernel, "proc")
        self.modules = KernelModules(kernel, run)
        self.systemd = Systemd(root, run)
        self.addresses = addresses or Addresses()
        self.routes = routes or Routes()
        self.nftables = Nftables(run)
        self.tunnels = Tunnels(run)

    def close(self) -> None:
        """Close what was opened."""
        self.addresses.close()
        self.routes.close()

    def path(self, path: str) -> str:
        """Where a file of the host is."""
        return os.path.join(self.root, path.lstrip("/"))

    def text(self, path: str) -> str | None:
        """The text of a file of the host, or None."""
        return read_text(self.path(path))

    def interfaces(self) -> tuple[str, ...]:
        """The names of the host's interfaces."""
        return read_interfaces(self.proc)

    def sysctl_files(self) -> list[tuple[str, str]]:
        """Path and text of the host's sysctl.d files, as far as they count."""
        return read_sysctl_files(self.root)

    def read(self, query: Query) -> HostState:
        """The state that a query asks for. Raises HostError."""
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
        """Carry out one operation. Raises HostError with the reason alone: its text has the rest."""
        if isinstance(operation, LoadModule):
            self.modules.load(operation.name)
        elif isinstance(operation, SetSysctl):
            write_sysctl(operation.key, operation.after, self.proc)
        elif isinstance(operation, Add):
            self._add(operation.item)
        elif isinstance(operation, Remove):
            self._remove(operation.item)
        elif isinstance(operation, ChangeFile):
            self._write(operation.path, operation.after, 0o600 if isinstance(operation, ChangeRecord) else 0o644)
        elif isinstance(operation, ChangeUnit):
            self.systemd.change(operation.name, operation.before, operation.after)
        elif isinstance(operation, ChangeTable):
            self.nftables.swap(operation.name, operation.after)
        elif isinstance(operation, ChangeRoute):
            self.routes.change(operation.before, operation.after)
        elif isinstance(operation, MakeDirectory):
            make_directories(self.path(operation.path))
        elif isinstance(operation, RemoveDirectory):
            remove_empty_directories([self.path(operation.path)])
        else:
            raise TypeError(f"{operation!r} is no operation on a host")

    def _add(self, item: Item) -> None:
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

    def _remove(self, item: Item) -> None:
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

    def _write(self, path: str, text: str | None, mode: int) -> None:
        if text is None:
            remove_file(self.path(path))
        else:
            write_text(self.path(path), text, mode)
