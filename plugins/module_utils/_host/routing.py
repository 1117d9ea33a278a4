# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes and routing rules as values, in the words of C(ip).

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Of the protocols that IPVS balances (RFC 9293, RFC 768, RFC 9260).
NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
MAIN = 254  # include/uapi/linux/rtnetlink.h: RT_TABLE_MAIN
#: Who set a rule that leads to a table of others (FRA_PROTOCOL), so that it is known again: a number that nobody has in
#: include/uapi/linux/rtnetlink.h (RTPROT_*) or etc/iproute2/rt_protos.
OURS = 151
#: Behind every other route of a table: what Documentation/networking/vrf.rst takes for the same end.
FALLBACK_METRIC = 4278198272


@dataclass(frozen=True, order=True)
class Route:
    """A default route in a table of its own. The gateway need not be on the interface's networks (onlink)."""

    table: int
    family: str
    gateway: str
    interface: str

    def __str__(self) -> str:
        return f"default ({self.family}) via {self.gateway} dev {self.interface} onlink table {self.table}"


@dataclass(frozen=True, order=True)
class Fallback:
    """What replies meet while a table lacks its default route: refused, rather than sent out by the main table.

    No interface is in it, so it stays when one goes down. A director then sees its health checks fail.
    """

    table: int
    family: str

    def __str__(self) -> str:
        return f"{self.batch_words()} ({self.family})"

    def batch_words(self) -> str:
        """The same for ip."""
        return f"unreachable default table {self.table} metric {FALLBACK_METRIC}"


def fallbacks(routes: Iterable[Route]) -> list[Fallback]:
    """The fallbacks of these routes."""
    return sorted({Fallback(route.table, route.family) for route in routes})


@dataclass(frozen=True, order=True)
class Rule:
    """A routing rule: packets from an address ("" is every), of one protocol ("" is every), from one port (0 is every).

    more_than_default: a default route that is found in the table does not count (suppress_prefixlength 0).
    destination: an address that the packets go to ("" is every).
    """

    table: int
    priority: int
    family: str
    address: str = ""
    protocol: str = ""
    port: int = 0
    more_than_default: bool = False
    destination: str = ""

    @property
    def marked(self) -> bool:
        """Return whether the rule is marked with our protocol, because it leads to a table of others."""
        return self.more_than_default or bool(self.destination)

    def __str__(self) -> str:
        words = self._words(self.protocol)
        return words if self.address or self.destination else f"{words} ({self.family})"

    def batch_words(self) -> str:
        """The same for ip itself, which knows a protocol by name only where /etc/protocols has it (package netbase)."""
        return self._words(str(NUMBERS.get(self.protocol, self.protocol)))

    def _words(self, protocol: str) -> str:
        which = f" ipproto {protocol}" if protocol else ""
        port = f" sport {self.port}" if self.port else ""
        to = f" to {self.destination}" if self.destination else ""
        suppress = " suppress_prefixlength 0" if self.more_than_default else ""
        mark = f" protocol {OURS}" if self.marked else ""
        packets = f"from {self.address or 'all'}{to}{which}{port}"
        return f"{packets} lookup {self.table}{suppress}{mark} priority {self.priority}"
