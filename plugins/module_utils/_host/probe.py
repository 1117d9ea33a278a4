# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the hosts that answer for an address on a link, by ARP (RFC 826) or neighbour discovery (RFC 4861).

The messages as bytes come first, then the sockets.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .errors import HostError
from .files import read_text

ETH_P_ARP = 0x0806  # include/uapi/linux/if_ether.h
BROADCAST = b"\xff" * 6
# Hardware type Ethernet, protocol type IPv4, their address lengths, operation; sender and target, hardware then IPv4.
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET = struct.Struct("!6s6sH")
_ETHERNET_IPV4 = (1, 0x0800, 6, 4)
_REQUEST, _REPLY = 1, 2
_MOST_CLAIMS = 16  # of one address: more are a flood without new information

_OWN = "/proc/net/if_inet6"  # net/ipv6/addrconf.c: if6_seq_show
_ICMPV6_FILTER = 1  # include/uapi/linux/icmpv6.h
_SOLICITATION, _ADVERTISEMENT = 135, 136  # RFC 4861 sections 4.3 and 4.4
_HEADER = struct.Struct("!BBHI16s")  # type, code, checksum, flags; target
_SOURCE_OPTION, _TARGET_OPTION = 1, 2  # link-layer address, RFC 4861 section 4.6.1
_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")  # RFC 4291 section 2.7.1
_ON_LINK = 255  # the hop limit of a packet that no router has forwarded, RFC 4861 section 7.1.2
_INT = struct.Struct("=i")

_SIOCGIFCONF = 0x8912  # include/uapi/linux/sockios.h
_SIOCGIFHWADDR = 0x8927
# struct ifreq: a name and a union, whose largest member (struct ifmap) is 24 bytes on 64-bit kernels and 16 elsewhere.
_IFREQ = struct.Struct("16sH14s8x" if struct.calcsize("P") == 8 else "16sH14s")
_ADDRESSES = 4096  # more than any host has; 160 KB
_REPEATS = 3
_INTERFACES = "/sys/class/net"


def request(hardware: bytes, source: bytes, target: bytes) -> bytes:
    """Return the broadcast frame of an ARP request for an IPv4 address; `source` may be four zero bytes (RFC 5227's
    probe).
    """
    arp = _ARP.pack(*_ETHERNET_IPV4, _REQUEST, hardware, source, b"\0" * 6, target)
    return _ETHERNET.pack(BROADCAST, hardware, ETH_P_ARP) + arp


def answer(frame: bytes) -> tuple[bytes, bytes] | None:
    """Return (IPv4 address, hardware address that claims it) of a reply; None for every other frame."""
    if len(frame) < _ETHERNET.size + _ARP.size or _ETHERNET.unpack_from(frame)[2] != ETH_P_ARP:
        return None
    *kind, operation, hardware, address, _target_hardware, _target = _ARP.unpack_from(frame, _ETHERNET.size)
    if tuple(kind) != _ETHERNET_IPV4 or operation != _REPLY:
        return None
    return address, hardware


def mac(hardware: bytes) -> str:
    """Return the text of a hardware address, such as 52:54:00:12:34:56."""
    return hardware.hex(":")


class Claims:
    """The hardware addresses that claim the probed addresses: packed address to its text. At most 16 each."""

    def __init__(self, wanted: Mapping[bytes, str]) -> None:
        self._wanted = wanted
        self._found: dict[bytes, set[str]] = {packed: set() for packed in wanted}

    def add(self, address: bytes, hardware: str) -> None:
        """Add an answer; those for other addresses are ignored."""
        claims = self._found.get(address)
        if claims is not None and len(claims) < _MOST_CLAIMS:
            claims.add(hardware)

    def found(self) -> dict[str, list[str]]:
        """Return each address with the sorted hardware addresses."""
        return {self._wanted[address]: sorted(claims) for address, claims in self._found.items()}


def solicitation(target: bytes, hardware: bytes) -> bytes:
    """Return the solicitation for an address; the kernel adds its checksum."""
    return _HEADER.pack(_SOLICITATION, 0, 0, 0, target) + bytes([_SOURCE_OPTION, 1]) + hardware


def advertised(message: bytes) -> tuple[bytes, str] | None:
    """Return (IPv6 address, hardware address that claims it) of an advertisement; None for every other message."""
    if len(message) < _HEADER.size or message[:2] != bytes([_ADVERTISEMENT, 0]):
        return None
    target = _HEADER.unpack_from(message)[4]
    options = message[_HEADER.size :]
    while len(options) >= 8 and options[1]:
        if options[0] == _TARGET_OPTION:
            return target, mac(options[2:8])
        options = options[8 * options[1] :]
    return target, "unknown"


@dataclass(frozen=True)
class Link:
    """An interface by name, with its hardware address (6 bytes)."""

    interface: str
    hardware: bytes


def _ipv4_addresses(probe: socket.socket) -> Iterator[tuple[str, bytes]]:
    """Yield (interface, IPv4 address) of every address of this host (net/ipv4/devinet.c, inet_gifconf)."""
    room = array.array("B", bytes(_ADDRESSES * _IFREQ.size))
    where, _length = room.buffer_info()
    reply = fcntl.ioctl(probe.fileno(), _SIOCGIFCONF, struct.pack("iP", len(room), where))
    used = struct.unpack("iP", reply)[0]
    for label, _family, sockaddr in _IFREQ.iter_unpack(room.tobytes()[:used]):
        # A label such as eth0:1 is the interface's name and more; the address follows the port.
        yield label.split(b"\0")[0].decode().split(":")[0], sockaddr[2:6]


def find_link(address: str) -> Link:
    """Return the interface that has this address, of either family. Raises HostError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        interface = ipv6_interface(address) if ":" in address else _ipv4_interface(probe, address)
        reply = fcntl.ioctl(probe.fileno(), _SIOCGIFHWADDR, _IFREQ.pack(interface.encode(), 0, b""))
    return Link(interface, _IFREQ.unpack(reply)[2][:6])


def _ipv4_interface(probe: socket.socket, address: str) -> str:
    wanted = socket.inet_aton(address)
    for interface, held in _ipv4_addresses(probe):
        if held == wanted:
            return interface
    raise HostError(f"no interface of this host has the address {address}")


def ask_arp(link: Link, source: str, addresses: Sequence[str], seconds: float) -> dict[str, list[str]]:
    """Return each IPv4 address with the sorted hardware addresses that claimed it on the link in that time.

    Three requests for each address are sent over the first half of the time, since a single frame may be lost. At most
    16 hardware addresses are returned for each. Raises HostError.
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
    """Return the ones of these addresses that this host has itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        own = {held for _interface, held in (*_ipv4_addresses(probe), *ipv6_addresses())}
    return [address for address in addresses if ipaddress.ip_address(address).packed in own]


def hardware_addresses() -> list[str]:
    """Return the hardware addresses of all interfaces of this host that have one."""
    found = set()
    for name in os.listdir(_INTERFACES):
        text = read_text(os.path.join(_INTERFACES, name, "address")) or ""
        if text.strip(" 0:\n"):
            found.add(text.strip())
    return sorted(found)


def receive(wire: socket.socket) -> tuple[bytes, str] | None:
    """Receive one message from a socket; return it as `advertised`, None also for one from beyond the link."""
    message, ancillary, _flags, _sender = wire.recvmsg(2048, socket.CMSG_SPACE(_INT.size))
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT) and data == _INT.pack(_ON_LINK):
            return advertised(message)
    return None


def ipv6_addresses() -> Iterator[tuple[str, bytes]]:
    """Yield (interface, IPv6 address) of every address of this host."""
    if not os.path.exists(_OWN):
        return
    with open(_OWN, encoding="ascii") as lines:
        for line in lines:
            address, *_numbers, interface = line.split()
            yield interface, bytes.fromhex(address)


def ipv6_interface(address: str) -> str:
    """Return the interface that has this IPv6 address. Raises HostError."""
    wanted = socket.inet_pton(socket.AF_INET6, address)
    for interface, held in ipv6_addresses():
        if held == wanted:
            return interface
    raise HostError(f"no interface of this host has the address {address}")


def ask_neighbours(
    interface: str, hardware: bytes, source: str, addresses: Sequence[str], seconds: float
) -> dict[str, list[str]]:
    """Return each IPv6 address with the sorted hardware addresses that claimed it on the link in that time.

    As `ask_arp`. Raises HostError.
    """
    wanted = {socket.inet_pton(socket.AF_INET6, address): address for address in addresses}
    claims = Claims(wanted)
    index = socket.if_nametoindex(interface)
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as wire:
            # a set bit excludes a type
            kept = bytearray(b"\xff" * 32)
            struct.pack_into("=I", kept, 4 * (_ADVERTISEMENT // 32), 0xFFFFFFFF & ~(1 << (_ADVERTISEMENT % 32)))
            wire.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, bytes(kept))
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            # receivers drop messages that may have passed a router (RFC 4861 section 7.1)
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
