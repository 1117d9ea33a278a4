# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiving ends of tunnels as values, in the words of C(ip).

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Kinds of devices: the kernel module, and what ip calls the packets that it takes out of its tunnel.
KINDS = {
    "ipip": ("ipip", "mode ipip"),
    "sit": ("sit", "mode ip6ip"),
    "ip6tnl": ("ip6_tunnel", "mode any"),
    "gre": ("ip_gre", ""),
    "ip6gre": ("ip6_gre", ""),
}
#: Kernel modules that take GUE's UDP header off, by the outer family.
GUE_MODULES = {"ipv4": "fou", "ipv6": "fou6"}
#: The names of our devices, as nftables matches them.
DEVICES = "lvs-*"
_OURS = re.compile(rf"lvs-({'|'.join(KINDS)})\d{{1,3}}")


def is_ours(name: str) -> bool:
    """Whether a device has a name of those that this collection gives."""
    return _OURS.fullmatch(name) is not None


@dataclass(frozen=True, order=True)
class TunnelDevice:
    """A device that unwraps what comes to the address C(local), from whomever.

    checksum: whether it takes packets with GRE's checksum, and then no others (net/ipv4/ip_tunnel.c: ip_tunnel_rcv).
    up: whether it works at all.
    """

    kind: str
    local: str
    checksum: bool
    name: str
    up: bool = True

    def __str__(self) -> str:
        return f"{self.name} type {self.words()}{'' if self.up else ' down'}"

    def words(self) -> str:
        """How C(ip link add) takes it, from the type on."""
        mode = KINDS[self.kind][1]
        options = [mode] if mode else []
        return " ".join([self.kind, *options, f"local {self.local}", *(["icsum"] if self.checksum else [])])


@dataclass(frozen=True, order=True)
class GuePort:
    """A UDP port on which the kernel takes the headers of GUE off; family is that of the outer packet."""

    family: str
    port: int

    def __str__(self) -> str:
        return f"{self.family} udp port {self.port} gue"
