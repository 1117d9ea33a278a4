# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host routes of a director to real servers that change to direct routing.

IPVS keeps one route for each real server of a service, and takes it for the connections of every forwarding method
(net/netfilter/ipvs/ip_vs_xmit.c: __ip_vs_get_out_rt). Only direct routing asks for one that names the next hop
(IP_VS_RT_MODE_KNOWN_NH). If a connection of the former method was first, the route does not name it, and packets of
direct routing go to the address that is in them: the VIP, which no neighbour has. New connections fail then, until all
routes are looked up again, and after that it depends again on which connection is first.

A host route whose gateway is the real server itself names the next hop for every method, and leads where the route
before it leads. It stays until the host boots: connections of the former method can be there as long.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..address import IPAddress
from .errors import HostError
from .routing import OURS
from .systemd import RunCommand

_FAMILIES = {4: "-4", 6: "-6"}


def name_next_hops(run: RunCommand, servers: Iterable[IPAddress], check_mode: bool) -> list[str]:
    """Add the routes that are needed, unless in check mode; return them as `ip route` takes them. Raises HostError.

    None is needed to a real server that has a gateway already, that this host is itself, or that it cannot reach.
    """
    added = []
    for address in sorted(servers, key=lambda one: (one.version, one)):
        route = _route(run, address)
        if route is not None:
            if not check_mode:
                _ip(run, _FAMILIES[address.version], "route", "add", *route)
            added.append(" ".join(route))
    return added


def forget_next_hops(run: RunCommand, check_mode: bool) -> list[str]:
    """Remove the routes that `name_next_hops` has added, unless in check mode; return them. Raises HostError."""
    found = []
    for family in _FAMILIES.values():
        listed = _ip(run, family, "-json", "route", "show", "table", "all", "proto", str(OURS))
        for one in _routes(listed):
            if one.get("dst") and one.get("dst") == one.get("gateway"):
                table = str(one.get("table", "main"))
                words = ["via", one["gateway"], "dev", str(one.get("dev", "")), "table", table, "proto", str(OURS)]
                found.append(" ".join([one["dst"], *words]))
                if not check_mode:
                    _ip(run, family, "route", "delete", one["dst"], *words)
    return found


def _route(run: RunCommand, address: IPAddress) -> list[str] | None:
    """Return the words of the route that is needed to an address."""
    text = str(address)
    status, output, _errors = run(["ip", "-json", "route", "get", text])
    found = _routes(output) if status == 0 else []
    if not found or found[0].get("type", "unicast") != "unicast" or not found[0].get("dev"):
        return None
    now = found[0]
    if now.get("gateway") or now.get("via"):
        return None
    source = ["src", str(now["prefsrc"])] if now.get("prefsrc") else []
    table = ["table", str(now["table"])] if now.get("table") else []
    return [text, "via", text, "dev", str(now["dev"]), "onlink", *source, *table, "proto", str(OURS)]


def _routes(text: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(text or "[]") if isinstance(one, dict)]


def _ip(run: RunCommand, *words: str) -> str:
    status, output, errors = run(["ip", *words])
    if status != 0:
        raise HostError(f"ip {' '.join(words)}: {errors.strip() or output.strip()}")
    return output
