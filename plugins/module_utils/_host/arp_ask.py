# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a link who answers ARP for an address: the sockets of arp_probe.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import array
import fcntl
import ipaddress
import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import nd_ask
from .arp_frame import ETH_P_ARP, Claims, answer, mac, request
from .errors import HostError
from .files import read_text

_SIOCGIFCONF = 0x8912  # include/uapi/linux/sockios.h
_SIOCGIFHWADDR = 0x8927
# struct ifreq: a name and a union, whose largest member (struct ifmap) is 24 bytes on 64-bit kernels and 16 elsewhere.
_IFREQ = struct.Struct("16sH14s8x" if struct.calcsize("P") == 8 else "16sH14s")
_ADDRESSES = 4096  # more than any host has; 160 KB
_REPEATS = 3
_INTERFACES = "/sys/class/net"


@dataclass(frozen=True)
class Link:
    """An interface by name, with its hardware address (6 bytes)."""

    interface: str
    hardware: bytes


def _own_addresses(probe: socket.socket) -> Iterator[tuple[str, bytes]]:
    """(interface, IPv4 address) of every address of this host (net/ipv4/devinet.c, inet_gifconf)."""
    room = array.array("B", bytes(_ADDRESSES * _IFREQ.size))
    where, _length = room.buffer_info()
    reply = fcntl.ioctl(probe.fileno(), _SIOCGIFCONF, struct.pack("iP", len(room), where))
    used = struct.unpack("iP", reply)[0]
    for label, _family, sockaddr in _IFREQ.iter_unpack(room.tobytes()[:used]):
        # A label such as eth0:1 is the interface's name and more; the address follows the port.
        yield label.split(b"\0")[0].decode().split(":")[0], sockaddr[2:6]


def find_link(address: str) -> Link:
    """The interface that has this address, of either family. Raises HostError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        interface = nd_ask.find_interface(address) if ":" in address else _find_interface(probe, address)
        reply = fcntl.ioctl(probe.fileno(), _SIOCGIFHWADDR, _IFREQ.pack(interface.encode(), 0, b""))
    return Link(interface, _IFREQ.unpack(reply)[2][:6])


def _find_interface(probe: socket.socket, address: str) -> str:
    wanted = socket.inet_aton(address)
    for interface, held in _own_addresses(probe):
        if held == wanted:
            return interface
    raise HostError(f"no interface of this host has the address {address}")


def ask(link: Link, source: str, addresses: Sequence[str], seconds: float) -> dict[str, list[str]]:
    """Who answers: each IPv4 address with the sorted hardware addresses that claimed it on the link in that time.

    Every address is asked for three times over the first half of the time, since a single frame may be lost. No more
    than 16 hardware addresses are told of each. Raises HostError.
    """
    wanted = {socket.inet_aton(address): address for address in addresses}
    claims = Claims(wanted)
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) as wire:
            wire.bind((link.interface, ETH_P_ARP))
            begun = time.monotonic()
            sent = 0
            while (elapsed := time.monotonic() - begun) < seconds:
                if sent < _REPEATS and elapsed >= sent * seconds / (2 * _REPEATS):
                    for target in wanted:
                        wire.send(request(link.hardware, socket.inet_aton(source), target))
                    sent += 1
                if not select.select([wire], [], [], 0.05)[0]:
                    continue
                claim = answer(wire.recv(2048))
                if claim:
                    claims.add(claim[0], mac(claim[1]))
    except OSError as error:
        raise HostError(f"cannot send ARP requests on {link.interface}: {error.strerror or error}") from error
    return claims.found()


def holders(addresses: Sequence[str]) -> list[str]:
    """Which of the addresses this host has itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        own = {held for _interface, held in (*_own_addresses(probe), *nd_ask.own_addresses())}
    return [address for address in addresses if ipaddress.ip_address(address).packed in own]


def hardware_addresses() -> list[str]:
    """Those of every interface of this host that has one."""
    found = set()
    for name in os.listdir(_INTERFACES):
        text = read_text(os.path.join(_INTERFACES, name, "address")) or ""
        if text.strip(" 0:\n"):
            found.add(text.strip())
    return sorted(found)
