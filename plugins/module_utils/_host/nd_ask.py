# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a link who answers neighbour solicitations for an IPv6 address: the other half of arp_probe.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence

from .arp_frame import Claims, mac
from .errors import HostError

_OWN = "/proc/net/if_inet6"  # net/ipv6/addrconf.c: if6_seq_show
_ICMPV6_FILTER = 1  # include/uapi/linux/icmpv6.h
_SOLICITATION, _ADVERTISEMENT = 135, 136  # RFC 4861 sections 4.3 and 4.4
_HEADER = struct.Struct("!BBHI16s")  # type, code, checksum, flags; target
_SOURCE_OPTION, _TARGET_OPTION = 1, 2  # link-layer address, RFC 4861 section 4.6.1
_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")  # RFC 4291 section 2.7.1
_ON_LINK = 255  # the hop limit of what no router has passed on, RFC 4861 section 7.1.2
_INT = struct.Struct("=i")
_REPEATS = 3


def solicitation(target: bytes, hardware: bytes) -> bytes:
    """The message that asks for an address; the kernel fills its checksum in."""
    return _HEADER.pack(_SOLICITATION, 0, 0, 0, target) + bytes([_SOURCE_OPTION, 1]) + hardware


def advertised(message: bytes) -> tuple[bytes, str] | None:
    """(IPv6 address, hardware address that claims it) of an advertisement; None for every other message."""
    if len(message) < _HEADER.size or message[:2] != bytes([_ADVERTISEMENT, 0]):
        return None
    target = _HEADER.unpack_from(message)[4]
    options = message[_HEADER.size :]
    while len(options) >= 8 and options[1]:
        if options[0] == _TARGET_OPTION:
            return target, mac(options[2:8])
        options = options[8 * options[1] :]
    return target, "unknown"


def receive(wire: socket.socket) -> tuple[bytes, str] | None:
    """Take one message off a socket: as advertised, None also for one that comes from beyond the link."""
    message, ancillary, _flags, _sender = wire.recvmsg(2048, socket.CMSG_SPACE(_INT.size))
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT) and data == _INT.pack(_ON_LINK):
            return advertised(message)
    return None


def own_addresses() -> Iterator[tuple[str, bytes]]:
    """(interface, IPv6 address) of every address of this host."""
    if not os.path.exists(_OWN):
        return
    with open(_OWN, encoding="ascii") as lines:
        for line in lines:
            address, *_numbers, interface = line.split()
            yield interface, bytes.fromhex(address)


def find_interface(address: str) -> str:
    """The interface that has this IPv6 address. Raises HostError."""
    wanted = socket.inet_pton(socket.AF_INET6, address)
    for interface, held in own_addresses():
        if held == wanted:
            return interface
    raise HostError(f"no interface of this host has the address {address}")


def ask(interface: str, hardware: bytes, source: str, addresses: Sequence[str], seconds: float) -> dict[str, list[str]]:
    """Who answers: each IPv6 address with the sorted hardware addresses that claimed it on the link in that time.

    As arp_ask.ask. Raises HostError.
    """
    wanted = {socket.inet_pton(socket.AF_INET6, address): address for address in addresses}
    claims = Claims(wanted)
    index = socket.if_nametoindex(interface)
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as wire:
            # a bit that is set is a type that is not wanted
            kept = bytearray(b"\xff" * 32)
            struct.pack_into("=I", kept, 4 * (_ADVERTISEMENT // 32), 0xFFFFFFFF & ~(1 << (_ADVERTISEMENT % 32)))
            wire.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, bytes(kept))
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            # others drop what may have passed a router (RFC 4861 section 7.1)
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            wire.bind((source, 0, 0, index))
            begun = time.monotonic()
            sent = 0
            while (elapsed := time.monotonic() - begun) < seconds:
                if sent < _REPEATS and elapsed >= sent * seconds / (2 * _REPEATS):
                    for target in wanted:
                        group = socket.inet_ntop(socket.AF_INET6, _SOLICITED_NODE + target[-3:])
                        wire.sendto(solicitation(target, hardware), (group, 0, 0, index))
                    sent += 1
                if not select.select([wire], [], [], 0.05)[0]:
                    continue
                claim = receive(wire)
                if claim:
                    claims.add(*claim)
    except OSError as error:
        raise HostError(f"cannot ask for neighbours on {interface}: {error.strerror or error}") from error
    return claims.found()
