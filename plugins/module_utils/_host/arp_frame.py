# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARP over Ethernet as bytes (RFC 826): the request, and who answered. Pure.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

ETH_P_ARP = 0x0806  # include/uapi/linux/if_ether.h
BROADCAST = b"\xff" * 6
# Hardware type Ethernet, protocol type IPv4, their address lengths, operation; sender and target, hardware then IPv4.
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET = struct.Struct("!6s6sH")
_ETHERNET_IPV4 = (1, 0x0800, 6, 4)
_REQUEST, _REPLY = 1, 2
_MOST_CLAIMS = 16  # of one address: any more are a flood, and say nothing new


def request(hardware: bytes, source: bytes, target: bytes) -> bytes:
    """The broadcast frame that asks who has an IPv4 address; `source` may be four zero bytes (RFC 5227's probe)."""
    arp = _ARP.pack(*_ETHERNET_IPV4, _REQUEST, hardware, source, b"\0" * 6, target)
    return _ETHERNET.pack(BROADCAST, hardware, ETH_P_ARP) + arp


def answer(frame: bytes) -> tuple[bytes, bytes] | None:
    """(IPv4 address, hardware address that claims it) of a reply; None for every other frame."""
    if len(frame) < _ETHERNET.size + _ARP.size or _ETHERNET.unpack_from(frame)[2] != ETH_P_ARP:
        return None
    *kind, operation, hardware, address, _target_hardware, _target = _ARP.unpack_from(frame, _ETHERNET.size)
    if tuple(kind) != _ETHERNET_IPV4 or operation != _REPLY:
        return None
    return address, hardware


def mac(hardware: bytes) -> str:
    """52:54:00:12:34:56 and so on."""
    return hardware.hex(":")


class Claims:
    """Which hardware addresses claim the addresses asked for: packed address to its text. At most 16 each."""

    def __init__(self, wanted: Mapping[bytes, str]) -> None:
        self._wanted = wanted
        self._found: dict[bytes, set[str]] = {packed: set() for packed in wanted}

    def add(self, address: bytes, hardware: str) -> None:
        """Take an answer, whatever address it is about."""
        claims = self._found.get(address)
        if claims is not None and len(claims) < _MOST_CLAIMS:
            claims.add(hardware)

    def found(self) -> dict[str, list[str]]:
        """Each address with the sorted hardware addresses."""
        return {self._wanted[address]: sorted(claims) for address, claims in self._found.items()}
