# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Default routes in a table of their own, and the rules that lead to it, through pyroute2, versions 0.7.2 to 0.9.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from .routing import FALLBACK_METRIC, NUMBERS, OURS, Fallback, Route, Rule
from .rtnetlink import Rtnetlink, as_host_error

_ONLINK = 4  # include/uapi/linux/rtnetlink.h: RTNH_F_ONLINK
_UNREACHABLE = 7  # include/uapi/linux/rtnetlink.h: RTN_UNREACHABLE
_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


class Routes(Rtnetlink):
    """A connection to the kernel for routes and rules."""

    def read_routes(self, table: int) -> frozenset[Route]:
        """The default routes of a table. Raises HostError."""
        names = dict(socket.if_nameindex())
        found = set()
        for family, number in _FAMILIES.items():
            with as_host_error("read the routes"):
                messages = tuple(self.open().get_routes(family=number, table=table))
            for message in messages:
                gateway, index = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_OIF")
                # pyroute2 0.7 asks the kernel for one table, which old kernels answer with all
                if message["dst_len"] == 0 and message.get_attr("RTA_TABLE") == table and gateway and index in names:
                    found.add(Route(table, family, gateway, names[index]))
        return frozenset(found)

    def read_fallbacks(self, table: int) -> frozenset[Fallback]:
        """The families for which a table ends with our unreachable route. Raises HostError."""
        found = set()
        for family, number in _FAMILIES.items():
            with as_host_error("read the routes"):
                messages = tuple(self.open().get_routes(family=number, table=table))
            for message in messages:
                ours = message["type"] == _UNREACHABLE and message.get_attr("RTA_PRIORITY") == FALLBACK_METRIC
                if ours and message["dst_len"] == 0 and message.get_attr("RTA_TABLE") == table:
                    found.add(Fallback(table, family))
        return frozenset(found)

    def read_rules(self, table: int) -> frozenset[Rule]:
        """The rules that lead to a table, and those that have us as their protocol. Raises HostError."""
        names = {number: name for name, number in NUMBERS.items()}
        found = set()
        for family, number in _FAMILIES.items():
            with as_host_error("read the routing rules"):
                messages = tuple(self.open().get_rules(family=number))
            for message in messages:
                leads_to = message.get_attr("FRA_TABLE")
                if leads_to != table and message.get_attr("FRA_PROTOCOL") != OURS:
                    continue
                protocol = message.get_attr("FRA_IP_PROTO") or 0
                ports = str(message.get_attr("FRA_SPORT_RANGE") or "0:0")
                found.add(
                    Rule(
                        leads_to,
                        message.get_attr("FRA_PRIORITY") or 0,
                        family,
                        message.get_attr("FRA_SRC") or "",
                        names.get(protocol, str(protocol) if protocol else ""),
                        int(ports.partition(":")[0]),
                        message.get_attr("FRA_SUPPRESS_PREFIXLEN") == 0,
                        message.get_attr("FRA_DST") or "",
                    )
                )
        return frozenset(found)

    def change(self, before: Route | None, after: Route | None) -> None:
        """Bring a default route from one state to another. Raises HostError with the kernel's reason."""
        if after is not None:
            with as_host_error():
                self.open().route("replace", **_route(after))
        elif before is not None:
            with as_host_error(harmless=errno.ESRCH):
                self.open().route("del", **_route(before))

    def add_fallback(self, fallback: Fallback) -> None:
        """Add an unreachable route; one that is there already is fine. Raises HostError with the kernel's reason."""
        with as_host_error(harmless=errno.EEXIST):
            self.open().route("add", **_fallback(fallback))

    def remove_fallback(self, fallback: Fallback) -> None:
        """Remove an unreachable route; one that is not there is fine. Raises HostError with the kernel's reason."""
        with as_host_error(harmless=errno.ESRCH):
            self.open().route("del", **_fallback(fallback))

    def add_rule(self, rule: Rule) -> None:
        """Add a rule; one that is there already is fine. Raises HostError with the kernel's reason."""
        with as_host_error(harmless=errno.EEXIST):
            self.open().rule("add", **_rule(rule))

    def remove_rule(self, rule: Rule) -> None:
        """Remove a rule; one that is not there is fine. Raises HostError with the kernel's reason."""
        with as_host_error(harmless=errno.ENOENT):
            self.open().rule("del", **_rule(rule))


def _route(route: Route) -> dict[str, Any]:
    return {
        "family": _FAMILIES[route.family],
        "dst": "default",
        "gateway": route.gateway,
        "oif": socket.if_nametoindex(route.interface),
        "table": route.table,
        "flags": _ONLINK,
    }


def _fallback(fallback: Fallback) -> dict[str, Any]:
    return {
        "family": _FAMILIES[fallback.family],
        "dst": "default",
        "type": _UNREACHABLE,
        "table": fallback.table,
        "priority": FALLBACK_METRIC,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    words: dict[str, Any] = {
        "family": _FAMILIES[rule.family],
        "table": rule.table,
        "priority": rule.priority,
    }
    if rule.address:
        words.update(src=rule.address, src_len=128 if ":" in rule.address else 32)
    if rule.protocol:
        words["ip_proto"] = NUMBERS.get(rule.protocol) or int(rule.protocol)
    if rule.port:
        words["sport_range"] = f"{rule.port}:{rule.port}"
    if rule.destination:
        words.update(dst=rule.destination, dst_len=128 if ":" in rule.destination else 32)
    # names of attributes: pyroute2 0.7 takes "protocol" for that of the message's header
    if rule.more_than_default:
        words["FRA_SUPPRESS_PREFIXLEN"] = 0
    if rule.marked:
        words["FRA_PROTOCOL"] = OURS
    return words
