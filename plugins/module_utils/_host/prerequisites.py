# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prerequisites of a host: packages, and no forwarding of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .files import read_text
from .process import RunCommand
from .running_kernel import read_sysctls
from .state import KERNEL_RECORD, parse_record

_NOT_FOUND = 127
# The output for each package: dpkg-query(1) and rpm(8). Both continue after an unknown name.
_QUERIES = (
    ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\\n", "--"],
    ["rpm", "--query", "--queryformat=installed %{NAME}\\n", "--"],
)
_FORWARDING = {"ipv4": "net/ipv4/ip_forward", "ipv6": "net/ipv6/conf/all/forwarding"}


def missing_packages(run: RunCommand, names: Sequence[str]) -> list[str]:
    """Return those that are not installed by exactly this name; all of them on a host with neither dpkg nor rpm."""
    if not names:
        return []
    for query in _QUERIES:
        status, output, _errors = run([*query, *names])
        if status != _NOT_FOUND:
            installed = {line.partition(" ")[2] for line in output.splitlines() if line.startswith("installed ")}
            return [name for name in names if name not in installed]
    return list(names)


def routers_before(families: Iterable[str]) -> list[tuple[str, str]]:
    """Return the families in which the host forwarded packets by itself, each with the sysctl. Raises HostError.

    If ipvs_kernel has set the sysctl, its record has the former value.
    """
    original = parse_record(KERNEL_RECORD, read_text(KERNEL_RECORD)).originals()
    keys = {family: _FORWARDING[family] for family in families}
    now = read_sysctls(keys.values())
    return [(family, key) for family, key in keys.items() if original.get(key, now[key]) not in (None, "0")]
