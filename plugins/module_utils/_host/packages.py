# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages a host has, by dpkg or rpm, which read nothing but the list of installed packages.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Sequence

from .systemd import RunCommand

_NOT_FOUND = 127
# What is written for each package: dpkg-query(1) and rpm(8). Both go on after a name that they do not know.
_QUERIES = (
    ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\\n", "--"],
    ["rpm", "--query", "--queryformat=installed %{NAME}\\n", "--"],
)


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
