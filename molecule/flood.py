# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends SYNs or datagrams from addresses that nobody has, to one port of a VIP. Runs on the client.

`flood.py INTERFACE MAC VIP PORT COUNT RATE [tcp|udp [FIRST]]`; the sources begin at FIRST, by default 198.19.0.1, and
there are as many as packets, up to the end of 198.18.0.0/15 (RFC 2544). Prints how many were sent.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

FIRST_SOURCE = "198.19.0.1"
LAST_SOURCE = "198.19.255.254"
BURST = 20


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def number_of(address: str) -> int:
    found: int = struct.unpack("!I", socket.inet_aton(address))[0]
    return found


def packet(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    """An IPv4 packet (RFC 791)."""
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + source + target
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def datagram(source: bytes, target: bytes, sport: int, dport: int) -> bytes:
    """A datagram without a checksum (RFC 768)."""
    return packet(source, target, 17, struct.pack("!HHHH", sport, dport, 12, 0) + b"who\n")


def syn(source: bytes, target: bytes, sport: int, dport: int) -> bytes:
    """A TCP SYN (RFC 9293) with the option MSS."""
    tcp = struct.pack("!HHIIBBHHHBBH", sport, dport, sport * 7919, 0, 6 << 4, 0x02, 64240, 0, 0, 2, 4, 1460)
    pseudo = source + target + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return packet(source, target, 6, tcp)


def main() -> None:
    interface, mac, vip = sys.argv[1:4]
    port, count, rate = map(int, sys.argv[4:7])
    build = datagram if sys.argv[7:8] == ["udp"] else syn
    first = number_of(sys.argv[8] if sys.argv[8:] else FIRST_SOURCE)
    sources = number_of(LAST_SOURCE) - first + 1
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    ethernet = bytes.fromhex(mac.replace(":", "")) + wire.getsockname()[4] + b"\x08\x00"
    target = socket.inet_aton(vip)
    begun = time.monotonic()
    for number in range(count):
        source = struct.pack("!I", first + number % sources)
        wire.send(ethernet + build(source, target, 1024 + number % 60000, port))
        ahead = (number + 1) / rate - (time.monotonic() - begun)
        if number % BURST == 0 and ahead > 0:
            time.sleep(ahead)
    print(count)


if __name__ == "__main__":
    main()
