# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host looks like, as a value.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .record import remembered_lines
from .routing import Fallback, Route, Rule
from .sysctl import display
from .tunnels import GuePort, TunnelDevice
from .unit import Unit


@dataclass(frozen=True, order=True)
class Address:
    """An address on an interface: normal text ("2001:db8::1"), prefix length and interface name."""

    address: str
    prefix: int
    interface: str

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix} dev {self.interface}"


@dataclass(frozen=True)
class HostState:
    """The part of a host that a planner asked for.

    sysctls: path below /proc/sys ("net/ipv4/ip_forward") to its value, None where the kernel has no such key.
    addresses: every address of every interface, or those that matter.
    modules: kernel module to whether the kernel has it, loaded or built in.
    files: path to text, None where there is no file. records: as files, for those that hold what has to be put back.
    units: name of a unit to the unit, None where we have installed none. directories: those that exist.
    tables: name of an nftables table of the family inet to how nft lists it, None where there is none.
    routes, rules, fallbacks: those of the routing table that a planner asked for.
    tunnels, gue_ports: the tunnel devices of this collection, and every port on which the kernel takes GUE.
    """

    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    addresses: frozenset[Address] = frozenset()
    modules: Mapping[str, bool] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    records: Mapping[str, str | None] = field(default_factory=dict)
    units: Mapping[str, Unit | None] = field(default_factory=dict)
    directories: frozenset[str] = frozenset()
    tables: Mapping[str, str | None] = field(default_factory=dict)
    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()
    fallbacks: frozenset[Fallback] = frozenset()
    tunnels: frozenset[TunnelDevice] = frozenset()
    gue_ports: frozenset[GuePort] = frozenset()


def directories_for(paths: Iterable[str], existing: frozenset[str]) -> tuple[str, ...]:
    """The directories that are missing for these files, outermost first."""
    missing: list[str] = []
    for path in paths:
        parents = path.split("/")[1:-1]
        for depth in range(1, len(parents) + 1):
            directory = "/" + "/".join(parents[:depth])
            if directory not in existing and directory not in missing:
                missing.append(directory)
    return tuple(missing)


def parents_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Every directory that these files lie in, outermost first."""
    return directories_for(paths, frozenset())


def render(state: HostState, shown_sysctls: frozenset[str], shown_addresses: frozenset[Address]) -> str:
    """A state as lines for a diff: of sysctls and addresses what is to be shown, and everything else.

    A record appears by what it remembers, not by the values, which cannot be known before a kernel module is loaded.
    """
    lines = [f"kernel module {name}" for name, loaded in sorted(state.modules.items()) if loaded]
    lines += [
        f"{display(key)} = {value}"
        for key, value in sorted(state.sysctls.items())
        if key in shown_sysctls and value is not None
    ]
    lines += [f"address {address}" for address in sorted(shown_addresses & state.addresses)]
    lines += [f"route {route}" for route in sorted(state.routes)]
    lines += [f"route {fallback}" for fallback in sorted(state.fallbacks)]
    lines += [f"rule {rule}" for rule in sorted(state.rules)]
    lines += [f"tunnel {device}" for device in sorted(state.tunnels)]
    lines += [f"{port}" for port in sorted(state.gue_ports)]
    for name, text in sorted(state.tables.items()):
        lines += _file_lines(f"nftables {name}", text)
    for path, text in sorted(state.files.items()):
        lines += _file_lines(path, text)
    for path, text in sorted(state.records.items()):
        lines += [f"{path}: remembers {what}" for what in remembered_lines(path, text)]
    for name, unit in sorted(state.units.items()):
        if unit is not None:
            lines += _file_lines(name, unit.text)
            if "/" not in name:
                lines.append(f"{name}: {'enabled' if unit.enabled else 'disabled'}")
            if unit.running is not None:
                lines.append(f"{name}: {'running' if unit.running else 'not running'}")
    return "".join(line + "\n" for line in lines)


def _file_lines(path: str, text: str | None) -> list[str]:
    if text is None:
        return []
    return [f"{path}: {line}".rstrip() for line in text.splitlines()] or [f"{path}:"]
