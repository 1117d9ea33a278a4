# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a link again and again who has an address: ARP for IPv4, neighbour solicitations for IPv6.

`asking.py SECONDS INTERFACE IPV4 IPV6 ADDRESS...`: IPV4 and IPV6 are whom the answers go to.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

EVERY = 0.1


def who_has(mac: bytes, source: str, target: str) -> bytes:
    """A broadcast request (RFC 826)."""
    frame = b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001")
    return frame + mac + socket.inet_aton(source) + b"\0" * 6 + socket.inet_aton(target)


def solicitation(mac: bytes, source: str, target: str) -> bytes:
    """A neighbour solicitation to the solicited-node address (RFC 4861 section 4.3, RFC 4291 section 2.7.1)."""
    sender, wanted = (socket.inet_pton(socket.AF_INET6, text) for text in (source, target))
    group = bytes.fromhex("ff0200000000000000000001ff") + wanted[-3:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + wanted + b"\x01\x01" + mac
    header = struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_ICMPV6, 255) + sender + group
    pseudo = sender + group + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return b"\x33\x33" + group[-4:] + mac + b"\x86\xdd" + header + body


def checksum(data: bytes) -> int:
    """RFC 1071; of an even number of octets."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def main() -> None:
    seconds, interface, ipv4, ipv6, *addresses = sys.argv[1:]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    mac = wire.getsockname()[4]
    frames = [
        solicitation(mac, ipv6, address) if ":" in address else who_has(mac, ipv4, address) for address in addresses
    ]
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        for frame in frames:
            wire.send(frame)
        time.sleep(EVERY)


if __name__ == "__main__":
    main()
