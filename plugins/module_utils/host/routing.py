# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes and routing rules as values, in the words of C(ip).

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Of the protocols that IPVS balances (RFC 9293, RFC 768, RFC 9260).
NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}


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
class Rule:
    """A routing rule: packets from an address, of one protocol ("" is every), from one port (0 is every)."""

    table: int
    priority: int
    address: str
    protocol: str
    port: int

    def __str__(self) -> str:
        return self._words(self.protocol)

    def batch_words(self) -> str:
        """The same for ip itself, which knows a protocol by name only where /etc/protocols has it (package netbase)."""
        return self._words(str(NUMBERS.get(self.protocol, self.protocol)))

    def _words(self, protocol: str) -> str:
        which = f" ipproto {protocol}" if protocol else ""
        port = f" sport {self.port}" if self.port else ""
        return f"from {self.address}{which}{port} lookup {self.table} priority {self.priority}"
