# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of the kernel to a request for a service's real servers, many thousands of them, decoded at one go.

PRIVATE to the collection lvs.cluster: may change without notice. Pure: bytes only, no sockets.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator

from . import uapi, wire
from .model import AF_INET, RealServer, RealServerKey

_HEAD = struct.Struct("=IHHI")  # of nlmsghdr: length, type, flags, sequence number
_DEST_TYPES = (uapi.U16.pack(uapi.ATTR_DEST), uapi.U16.pack(uapi.ATTR_DEST | uapi.NLA_F_NESTED))
_MIDDLES = tuple(kind + wire.ADDRESS_WORD for kind in _DEST_TYPES)

# One message as ip_vs_genl_fill_dest writes it (Linux 5.3 and newer): what is alike in all headers of a dump, the rest
# of them, the nested attribute's length and type; then address, port and values, three connection counters, the family,
# and statistics, which are of no interest here.
_RECORD = "=12s 8x 2x6s 16s {values}s 24x 8s {rest}x"
_PORT_SIZE = 8
_IMAGE = "=24x {image}s 24x 8s {rest}x"
_MIDDLE = 22  # where the type of the nested attribute is
_SMALLEST = struct.calcsize(_RECORD.format(values=_PORT_SIZE + wire.VALUES.size, rest=0))


@functools.lru_cache(8)
def _records(length: int) -> struct.Struct:
    return struct.Struct(_RECORD.format(values=_PORT_SIZE + wire.VALUES.size, rest=length - _SMALLEST))


@functools.lru_cache(8)
def _images(length: int) -> struct.Struct:
    return struct.Struct(_IMAGE.format(image=wire.IMAGE_SIZE, rest=length - _SMALLEST))


def images(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What a buffer says of real servers, in the form of :func:`wire.image`; of no use where it looks unusual."""
    length, end = _alike(data)
    if not end:
        return iter(())
    found: Iterator[tuple[bytes, bytes]] = _images(length).iter_unpack(memoryview(data)[:end])
    return found


def end_of(data: bytes, sequence: int) -> uapi.Message | None:
    """The message in a buffer that ends the dump ``sequence``."""
    _length, start = _alike(data)
    for message in uapi.messages(data, start):
        if message.sequence == sequence and (message.error or message.kind in (uapi.NLMSG_DONE, uapi.NLMSG_ERROR)):
            return message
    return None


def _alike(data: bytes) -> tuple[int, int]:
    """The length of a buffer's messages about real servers and where they end, by its first and its last one.

    Zeros where there are none, or where they are not of one length.
    """
    if len(data) < _SMALLEST:
        return 0, 0
    length = _HEAD.unpack_from(data)[0]
    if length < _SMALLEST or length % 4:
        return 0, 0
    end = len(data) // length * length
    last = end - length
    return (length, end) if data[last : last + _HEAD.size] == data[: _HEAD.size] else (0, 0)


@functools.lru_cache(wire.REPEATED)
def _server(values: bytes) -> RealServer | None:
    """The real server of such values; None where they are not in the usual order."""
    fields = wire.VALUES.unpack(values)
    if fields[::2] != wire.VALUE_WORDS:
        return None
    method, weight, kind, port, checksum, upper, lower = fields[1::2]
    tunnel_port = int.from_bytes(port, "big")
    return RealServer(method & uapi.FWD_MASK, weight, upper, lower, kind, tunnel_port, checksum).normalised()


def _port(attribute: bytes) -> int:
    """The port in an attribute; -1 where it is another attribute."""
    return int.from_bytes(attribute[4:6], "big") if attribute[:4] == wire.PORT_WORD else -1


def _family(attribute: bytes) -> int:
    """The address family in an attribute; 0 where it is another attribute."""
    return int(uapi.U16.unpack_from(attribute, 4)[0]) if attribute[:4] == wire.FAMILY_WORD else 0


class RealServers:
    """Takes the buffers of one dump and decodes them into ``found``.

    Message by message that costs more than everything else that is done with real servers. They come in one length, so
    they are unpacked together, and what repeats from one to the next is not decoded again. Whatever looks different
    goes through :func:`wire.decode_dest`.
    """

    def __init__(self, family_id: int, sequence: int) -> None:
        self.found: dict[RealServerKey, RealServer] = {}
        self._family_id = family_id
        self._sequence = sequence

    def take(self, data: bytes) -> uapi.Message | None:
        """Decode one buffer; the message that ends the dump, once it has come."""
        for message in uapi.messages(data, self._take_alike(data)):
            if message.sequence != self._sequence:
                continue
            if message.error or message.kind in (uapi.NLMSG_DONE, uapi.NLMSG_ERROR):
                return message
            key, server, _connections = wire.decode_dest(data, message)
            self.found[key] = server
        return None

    def _take_alike(self, data: bytes) -> int:
        """Decode messages that are as long as the first one; returns where the rest begins."""
        if len(data) < _SMALLEST:
            return 0
        length, kind, _flags, sequence = _HEAD.unpack_from(data)
        if length < _SMALLEST or length % 4 or kind != self._family_id or sequence != self._sequence:
            return 0
        first, middle = data[: _HEAD.size], data[_MIDDLE : _MIDDLE + 6]
        if middle not in _MIDDLES:
            return 0
        found, new = self.found, tuple.__new__
        offset = number = port = size = 0
        server, former, former_family = None, b"", b""
        together = memoryview(data)[: len(data) // length * length]
        for head, mid, address, values, family in _records(length).iter_unpack(together):
            if values != former:
                former, port, server = values, _port(values), _server(values[_PORT_SIZE:])
            if family != former_family:
                former_family, number = family, _family(family)
                size = 4 if number == AF_INET else 16
            if head != first or mid != middle or server is None or port < 0 or not number:
                break
            found[new(RealServerKey, (number, address[:size], port))] = server
            offset += length
        return offset
