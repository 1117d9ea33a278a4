# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that a host takes.

Their names are the same in the Debian and the Red Hat family, but for those of ldirectord and mon, which are Debian's.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import KEEPALIVED

_LIBRARY = "python3-pyroute2"
_OF_CHECKER: dict[str, tuple[str, ...]] = {
    KEEPALIVED: (),
    "ldirectord": ("ldirectord", "libnet-inet6glue-perl"),
    "mon": ("mon", "fping", "libnet-dns-perl"),
}


def director_packages(given: object, health_checker: str, problems: Problems) -> list[str]:
    """Return the names for a director; those that are ``given`` in director_packages are all of them."""
    return _chosen(
        given,
        "director_packages",
        ("ipvsadm", "keepalived", "nftables", _LIBRARY, *_OF_CHECKER.get(health_checker, ())),
        problems,
    )


def real_server_packages(given: object, tunnels: bool, problems: Problems) -> list[str]:
    """Return the names for a real server; those that are ``given`` in real_server_packages are all of them."""
    return _chosen(given, "real_server_packages", (_LIBRARY, *(("nftables",) if tunnels else ())), problems)


def _chosen(given: object, variable: str, usual: Iterable[str], problems: Problems) -> list[str]:
    if given is None:
        return list(usual)
    if not isinstance(given, (list, tuple)):
        problems.add(variable, "", f"{show(given)} is not a list of packages")
        return []
    for name in given:
        if not isinstance(name, str) or not name.strip():
            problems.add(variable, "", f"{show(name)} is not the name of a package")
    return [str(name) for name in given]
