# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets as octets, with any source address and any TTL, as somebody on a link or behind a router sends them."""

from __future__ import annotations

import ipaddress
import struct

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
SYN, ACK = 0x02, 0x10


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, destination, protocol, payload, ttl=64):
    """An IPv4 or IPv6 packet."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 6:
        header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl)
        return header + source.packed + destination.packed + payload
    # with "don't fragment", as what follows is never a fragment
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, ttl, protocol, 0)
    header += source.packed + destination.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def _transport(source, destination, protocol, payload, at, ttl):
    """A packet whose payload has its checksum at an offset, over the pseudo header too."""
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    summed = checksum(ends + struct.pack("!II", len(payload), protocol) + payload)
    payload = payload[:at] + struct.pack("!H", summed or 0xFFFF) + payload[at + 2 :]
    return packet(source, destination, protocol, payload, ttl)


def tcp(source, source_port, destination, port, flags=SYN, data=b"", ttl=64):
    """A TCP segment."""
    header = struct.pack("!HHIIBBHHH", source_port, port, 1, 1 if flags & ACK else 0, 5 << 4, flags, 8192, 0, 0)
    return _transport(source, destination, TCP, header + data, 16, ttl)


def udp(source, source_port, destination, port, data=b"", ttl=64):
    """A UDP datagram."""
    header = struct.pack("!HHHH", source_port, port, 8 + len(data), 0)
    return _transport(source, destination, UDP, header + data, 6, ttl)


def icmp(source, destination, kind, code=0, data=b"\0" * 4, ttl=64):
    """An ICMP or ICMPv6 message; ``data`` is all that comes after the checksum."""
    if ":" in source:
        return _transport(source, destination, ICMPV6, struct.pack("!BBH", kind, code, 0) + data, 2, ttl)
    message = struct.pack("!BBH", kind, code, 0) + data
    return packet(source, destination, ICMP, message[:2] + struct.pack("!H", checksum(message)) + message[4:], ttl)


def advert(source, destination, router, ttl=255, priority=254):
    """A VRRP advert of version 3; nobody looks at its checksum here."""
    return packet(source, destination, 112, struct.pack("!BBBBHH", 0x31, router, priority, 1, 100, 0), ttl)


def frame(to, sender, data):
    """An Ethernet frame with an IP packet."""
    return to + sender + (b"\x08\x00" if data[0] >> 4 == 4 else b"\x86\xdd") + data
