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
before it leads. It stays until the host boots: connections of the former method can be there as long. It also goes with
its interface, so the servers are recorded until then, and each run adds what is missing.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from typing import Any

from .address import IPAddress, parse_address
from .errors import HostError
from .files import read_text, write_text
from .routing import OURS
from .systemd import RunCommand

#: Gone when the host boots, as connections are.
RECORD = "/run/lvs-cluster-next-hops.json"
_FAMILIES = {4: "-4", 6: "-6"}
_METRICS = ("mtu", "advmss", "window", "initcwnd", "initrwnd", "quickack")


def name_next_hops(run: RunCommand, servers: Iterable[IPAddress], check_mode: bool) -> list[str]:
    """Add the routes that are needed, unless in check mode; return them as `ip route` takes them. Raises HostError.

    None is needed to a real server that has a gateway already, that this host is itself, or that it cannot reach.
    """
    added = []
    for address in sorted(servers, key=lambda one: (one.version, one)):
        route = _route(run, address)
        if route is not None:
            if not check_mode:
                # Before a host route that does not name the next hop, which stays: that is another one to the kernel.
                words = ["prepend", *route] if address.version == 4 else ["add", *route, "metric", "1"]
                _ip(run, _FAMILIES[address.version], "route", *words)
            added.append(" ".join(route))
    return added


def recorded() -> list[IPAddress]:
    """Return the real servers that have changed to direct routing since the host booted. A damaged record has none."""
    try:
        return [parse_address(text) for text in json.loads(read_text(RECORD) or "[]")]
    except (ValueError, TypeError):
        return []


def record(servers: Iterable[IPAddress]) -> None:
    """Record these real servers. Raises HostError."""
    write_text(RECORD, json.dumps(sorted(map(str, servers))) + "\n")


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
    if not check_mode:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(RECORD)
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
    return [text, "via", text, "dev", str(now["dev"]), "onlink", *source, *_metrics(now), *table, "proto", str(OURS)]


def _metrics(route: dict[str, Any]) -> list[str]:
    """Return what a route says of packets, as words; not what the kernel has found out about the way."""
    found = route.get("metrics") or []
    if route.get("expires") or not isinstance(found, list):
        return []
    return [
        word
        for one in found
        for name, value in one.items()
        if name in _METRICS and isinstance(value, int)
        for word in (name, str(value))
    ]


def _routes(text: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(text or "[]") if isinstance(one, dict)]


def _ip(run: RunCommand, *words: str) -> str:
    status, output, errors = run(["ip", *words])
    if status != 0:
        raise HostError(f"ip {' '.join(words)}: {errors.strip() or output.strip()}")
    return output
