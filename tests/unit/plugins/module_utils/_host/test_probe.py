# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers on the link: which messages count, and how many."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import probe
from ansible_collections.lvs.cluster.plugins.module_utils._host.probe import Claims

TARGET = socket.inet_pton(socket.AF_INET6, "2001:db8::10")
HARDWARE = bytes.fromhex("020000000001")
ADVERTISEMENT = struct.pack("!BBHI16sBB6s", 136, 0, 0, 0, TARGET, 2, 1, HARDWARE)


class Wire:
    """A socket with one message in it."""

    def __init__(self, message: bytes, hop_limit: int | None) -> None:
        self.message = message
        self.ancillary: list[tuple[int, int, bytes]] = []
        if hop_limit is not None:
            self.ancillary.append((socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, struct.pack("=i", hop_limit)))

    def recvmsg(self, _size: int, room: int) -> tuple[bytes, Any, int, Any]:
        assert room >= socket.CMSG_SPACE(4)
        return self.message, self.ancillary, 0, ("2001:db8::10", 0, 0, 0)


@pytest.mark.parametrize(
    ("message", "hop_limit", "counts"),
    [
        (ADVERTISEMENT, 255, True),
        (ADVERTISEMENT, 254, False),
        (ADVERTISEMENT, 64, False),
        (ADVERTISEMENT, None, False),
        (b"\x88\x01" + ADVERTISEMENT[2:], 255, False),
        (ADVERTISEMENT[:20], 255, False),
    ],
)
def test_an_advertisement_counts_only_if_no_router_has_passed_it_on(
    message: bytes, hop_limit: int | None, counts: bool
) -> None:
    wire: Any = Wire(message, hop_limit)
    assert probe.receive(wire) == ((TARGET, "02:00:00:00:00:01") if counts else None)


def test_a_flood_of_answers_is_cut_off() -> None:
    claims = Claims({b"a": "192.0.2.10", b"b": "192.0.2.11"})
    for number in range(1000):
        claims.add(b"a", f"{number:04}")
        claims.add(b"c", f"{number:04}")
    claims.add(b"b", "0001")
    claims.add(b"b", "0001")
    found = claims.found()
    assert found["192.0.2.10"] == [f"{number:04}" for number in range(16)]
    assert found["192.0.2.11"] == ["0001"]
    assert list(found) == ["192.0.2.10", "192.0.2.11"]
