# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPVS over generic netlink: values to bytes and back. Pure: bytes only, no sockets.

Numbers, headers and attributes are from linux/netlink.h, linux/genetlink.h and linux/ip_vs.h (enums ip_vs_genl_*). A
whole message is nlmsghdr (16 bytes), genlmsghdr (4 bytes), then attributes: length and type (2 bytes each, host order),
value, padding to 4 bytes. The attributes are defined in net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_genl_parse_service and
_parse_dest for requests, ip_vs_genl_fill_service and _fill_dest for answers.

The many thousand answers to a request for a service's real servers are decoded together.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from . import model, plan
from .model import AF_INET, SCHEDULER_FLAGS, RealServer, RealServerKey, ServiceKey, Settings

FAMILY_NAME = "IPVS"

# ip_vs_genl_commands
NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE, NEW_DEST, SET_DEST, DEL_DEST, GET_DEST = range(1, 9)
NEW_DAEMON, DEL_DAEMON, GET_DAEMON, SET_CONFIG, GET_CONFIG = range(9, 14)
GET_INFO, ZERO = 15, 16

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

# ip_vs_genl_cmd_attrs
ATTR_SERVICE, ATTR_DEST, ATTR_DAEMON = 1, 2, 3
# ip_vs_genl_svc_attrs
(
    SVC_AF,
    SVC_PROTOCOL,
    SVC_ADDR,
    SVC_PORT,
    SVC_FWMARK,
    SVC_SCHED_NAME,
    SVC_FLAGS,
    SVC_TIMEOUT,
    SVC_NETMASK,
    SVC_STATS,
    SVC_PE_NAME,
    SVC_STATS64,
) = range(1, 13)
# ip_vs_genl_dest_attrs
(
    DEST_ADDR,
    DEST_PORT,
    DEST_FWD_METHOD,
    DEST_WEIGHT,
    DEST_U_THRESH,
    DEST_L_THRESH,
    DEST_ACTIVE_CONNS,
    DEST_INACT_CONNS,
    DEST_PERSIST_CONNS,
    DEST_STATS,
    DEST_ADDR_FAMILY,
    DEST_STATS64,
    DEST_TUN_TYPE,
    DEST_TUN_PORT,
    DEST_TUN_FLAGS,
) = range(1, 16)
# ip_vs_genl_daemon_attrs
(
    DAEMON_STATE,
    DAEMON_MCAST_IFN,
    DAEMON_SYNC_ID,
    DAEMON_SYNC_MAXLEN,
    DAEMON_MCAST_GROUP,
    DAEMON_MCAST_GROUP6,
    DAEMON_MCAST_PORT,
    DAEMON_MCAST_TTL,
) = range(1, 9)

# ip_vs_genl_info_attrs, and the timeouts (seconds) of ip_vs_genl_cmd_attrs
INFO_VERSION, INFO_CONN_TAB_SIZE = 1, 2
TIMEOUTS = {"tcp": 4, "tcp_fin": 5, "udp": 6}

# IP_VS_SVC_F_*
F_PERSISTENT, F_ONEPACKET = 0x1, 0x4
F_SETTABLE = 0x3D  # all but 0x2 (hashed), which the kernel sets itself
FWD_MASK = 0x7

GENL_HEADER = struct.Struct("=IHHIIBBH")  # nlmsghdr and genlmsghdr
NLMSG_HEADER = struct.Struct("=IHHII")
ATTR_HEADER = struct.Struct("=HH")
U8, U16, U32, S32, U64 = (struct.Struct(form) for form in ("=B", "=H", "=I", "=i", "=Q"))
BE16, BE32 = struct.Struct(">H"), struct.Struct(">I")


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute with its padding."""
    length = 4 + len(value)
    return ATTR_HEADER.pack(length, kind) + value + b"\0" * (-length % 4)


def request(family_id: int, sequence: int, command: int, flags: int, payload: bytes = b"") -> bytes:
    """Return one message. ``flags`` besides NLM_F_REQUEST."""
    return GENL_HEADER.pack(20 + len(payload), family_id, flags | NLM_F_REQUEST, sequence, 0, command, 1, 0) + payload


class Message(NamedTuple):
    """The place of one message in a received buffer: its attributes are ``data[start:end]``."""

    kind: int  # NLMSG_ERROR, NLMSG_DONE or the family's id
    sequence: int
    start: int
    end: int
    error: int  # errno of NLMSG_ERROR and NLMSG_DONE, 0: none


def messages(data: bytes, offset: int = 0) -> Iterator[Message]:
    """Yield every message of a received buffer, from ``offset`` on."""
    size = len(data)
    while offset + 16 <= size:
        length, kind, _flags, sequence, _port = NLMSG_HEADER.unpack_from(data, offset)
        end = offset + length
        if length < 16 or end > size:
            raise ValueError("truncated netlink message")
        error = 0
        if kind in (NLMSG_ERROR, NLMSG_DONE) and length >= 20:
            error = -S32.unpack_from(data, offset + 16)[0]
        yield Message(kind, sequence, offset + 20, end, error)
        offset += length + 3 & ~3


def attributes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of every attribute in ``data[start:end]``."""
    unpack = ATTR_HEADER.unpack_from
    while start + 4 <= end:
        length, kind = unpack(data, start)
        if length < 4 or start + length > end:
            raise ValueError("truncated netlink attribute")
        yield kind & NLA_TYPE_MASK, start + 4, start + length
        start += length + 3 & ~3


# The commands on services; those on destinations are 4 further.
_COMMANDS = {plan.ADD: NEW_SERVICE, plan.SET: SET_SERVICE, plan.REMOVE: DEL_SERVICE}
_TO_DEST = NEW_DEST - NEW_SERVICE
_PAIR = struct.Struct("=II")


def word(length: int, kind: int) -> bytes:
    """Return length and type, which every attribute begins with."""
    return ATTR_HEADER.pack(length, kind)


# A destination travels in four pieces, in the order in which the kernel writes them (ip_vs_genl_fill_dest, Linux 5.3
# and newer): address, port, values, address family. Everything but the address repeats from one real server to the
# next, so the other pieces are made once. SET_DEST replaces the whole entry, so none of the values may be left out; a
# kernel older than one of them skips it. Values of 1 and 2 bytes are padded to 4.
VALUES = struct.Struct("=4sI 4si 4sB3x 4s2s2x 4sH2x 4sI 4sI")
VALUE_WORDS = (
    word(8, DEST_FWD_METHOD),
    word(8, DEST_WEIGHT),
    word(5, DEST_TUN_TYPE),
    word(6, DEST_TUN_PORT),
    word(6, DEST_TUN_FLAGS),
    word(8, DEST_U_THRESH),
    word(8, DEST_L_THRESH),
)
ADDRESS_WORD = word(20, DEST_ADDR)
PORT_WORD = word(6, DEST_PORT)
FAMILY_WORD = word(6, DEST_ADDR_FAMILY)
_FAMILY_SIZE = 8
IMAGE_SIZE = 20 + 8 + VALUES.size
REPEATED = 4096  # how many pieces are kept; a table rarely has more different ones


def _service_identity(key: ServiceKey) -> bytes:
    head = attribute(SVC_AF, U16.pack(key.family))
    if key.fwmark:
        return head + attribute(SVC_FWMARK, U32.pack(key.fwmark))
    return (
        head
        + attribute(SVC_PROTOCOL, U16.pack(key.protocol))
        + attribute(SVC_ADDR, key.address.ljust(16, b"\0"))
        + attribute(SVC_PORT, BE16.pack(key.port))
    )


def _service_settings(family: int, settings: Settings) -> bytes:
    flags = settings.scheduler_flags
    flags |= F_PERSISTENT if settings.persistence_timeout else 0
    flags |= F_ONEPACKET if settings.one_packet else 0
    # The prefix length of an IPv6 service travels in host order, the mask of an IPv4 service in network order.
    netmask = (BE32 if family == AF_INET else U32).pack(settings.persistence_netmask)
    payload = (
        attribute(SVC_SCHED_NAME, settings.scheduler.encode() + b"\0")
        + attribute(SVC_FLAGS, _PAIR.pack(flags, F_SETTABLE))
        + attribute(SVC_TIMEOUT, U32.pack(settings.persistence_timeout))
        + attribute(SVC_NETMASK, netmask)
    )
    # SET_SERVICE without the attribute removes the engine, as intended for a service without one.
    if settings.persistence_engine:
        payload += attribute(SVC_PE_NAME, settings.persistence_engine.encode() + b"\0")
    return payload


@functools.lru_cache(REPEATED)
def _values(server: RealServer) -> bytes:
    words, tunnel_port = VALUE_WORDS, BE16.pack(server.tunnel_port)
    return VALUES.pack(
        words[0], server.forward_method,
        words[1], server.weight,
        words[2], server.tunnel_type,
        words[3], tunnel_port,
        words[4], server.tunnel_checksum,
        words[5], server.upper_threshold,
        words[6], server.lower_threshold,
    )  # fmt: skip


def image(key: RealServerKey, server: RealServer) -> tuple[bytes, bytes]:
    """Return a real server as the kernel shows it in a dump: address, port and values in one piece, and the family."""
    rest = _after_address(key.family, key.port, server)
    return b"".join((ADDRESS_WORD, key.address, rest[:-_FAMILY_SIZE])), rest[-_FAMILY_SIZE:]


@functools.lru_cache(REPEATED)
def _after_address(family: int, port: int, server: RealServer | None) -> bytes:
    """Return everything of a destination after its address; only its key without a ``server``."""
    return (
        b"\0" * (16 - model.ADDRESS_LENGTHS[family])
        + attribute(DEST_PORT, BE16.pack(port))
        + (b"" if server is None else _values(server))
        + attribute(DEST_ADDR_FAMILY, U16.pack(family))
    )


def service_payload(key: ServiceKey) -> bytes:
    """Return the payload that names a service, for GET_SERVICE and GET_DEST."""
    return attribute(ATTR_SERVICE | NLA_F_NESTED, _service_identity(key))


def pack(operations: Sequence[plan.Operation], family_id: int, first_sequence: int) -> bytes:
    """Return operations as one chunk: numbered from ``first_sequence`` on, only the last with an acknowledgement."""
    parts: list[bytes] = []
    last = first_sequence + len(operations) - 1
    header = GENL_HEADER.pack
    named: ServiceKey | None = None
    name = rest = b""
    former: tuple[int, int, RealServer | None] = (0, 0, None)  # whose everything but the address is `rest`
    flags = NLM_F_REQUEST
    for sequence, (verb, service, settings, key, server) in enumerate(operations, first_sequence):
        if sequence == last:
            flags |= NLM_F_ACK
        command = _COMMANDS[verb]
        if key is not None:
            if service is not named:
                named, name = service, service_payload(service)
            family, address, port = key
            if server is not former[2] or port != former[1] or family != former[0]:
                former, rest = (family, port, server), _after_address(family, port, server)
            size = 8 + len(address) + len(rest)  # with the headers of the nested attribute and of the address
            parts += (
                header(20 + len(name) + size, family_id, flags, sequence, 0, command + _TO_DEST, 1, 0),
                name,
                _dest_word(size),
                ADDRESS_WORD,
                address,
                rest,
            )
            continue
        if settings is None:
            payload = service_payload(service)
        else:
            inner = _service_identity(service) + _service_settings(service.family, settings)
            payload = attribute(ATTR_SERVICE | NLA_F_NESTED, inner)
        parts += (header(20 + len(payload), family_id, flags, sequence, 0, command, 1, 0), payload)
    return b"".join(parts)


@functools.lru_cache(REPEATED)
def _dest_word(size: int) -> bytes:
    return word(size, ATTR_DEST | NLA_F_NESTED)


def _nested(data: bytes, message: Message, wanted: int) -> tuple[int, int]:
    for kind, start, end in attributes(data, message.start, message.end):
        if kind == wanted:
            return start, end
    raise ValueError("IPVS message without its nested attribute")


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].split(b"\0", 1)[0].decode("ascii", "replace")


def decode_service(data: bytes, message: Message) -> tuple[ServiceKey, Settings]:
    """Return a service of a GET_SERVICE answer."""
    family = protocol = port = fwmark = flags = timeout = 0
    address, netmask, scheduler, engine = b"", b"\0\0\0\0", "", ""
    for kind, start, end in attributes(data, *_nested(data, message, ATTR_SERVICE)):
        if kind == SVC_AF:
            family = U16.unpack_from(data, start)[0]
        elif kind == SVC_PROTOCOL:
            protocol = U16.unpack_from(data, start)[0]
        elif kind == SVC_ADDR:
            address = data[start:end]
        elif kind == SVC_PORT:
            port = BE16.unpack_from(data, start)[0]
        elif kind == SVC_FWMARK:
            fwmark = U32.unpack_from(data, start)[0]
        elif kind == SVC_SCHED_NAME:
            scheduler = _text(data, start, end)
        elif kind == SVC_FLAGS:
            flags = U32.unpack_from(data, start)[0]
        elif kind == SVC_TIMEOUT:
            timeout = U32.unpack_from(data, start)[0]
        elif kind == SVC_NETMASK:
            netmask = data[start : start + 4]
        elif kind == SVC_PE_NAME:
            engine = _text(data, start, end)
    if fwmark:
        key = ServiceKey(fwmark, family, 0, b"", 0)
    else:
        key = ServiceKey(0, family, protocol, address[: 4 if family == AF_INET else 16], port)
    settings = Settings(
        scheduler,
        flags & SCHEDULER_FLAGS,
        timeout if flags & F_PERSISTENT else 0,
        (BE32 if family == AF_INET else U32).unpack(netmask)[0],
        engine,
        bool(flags & F_ONEPACKET),
    )
    return key, settings.normalised(family)


class Connections(NamedTuple):
    """A real server's connection counters."""

    active: int
    inactive: int
    persistent: int


def decode_dest(data: bytes, message: Message) -> tuple[RealServerKey, RealServer, Connections]:
    """Return a real server of a GET_DEST answer, with its attributes in any order."""
    values: dict[int, bytes] = {
        kind: data[start:end] for kind, start, end in attributes(data, *_nested(data, message, ATTR_DEST))
    }

    def number(kind: int, form: struct.Struct) -> int:
        return int(form.unpack(values[kind])[0]) if kind in values else 0

    family = number(DEST_ADDR_FAMILY, U16)
    address = values[DEST_ADDR][: 4 if family == AF_INET else 16]
    key = RealServerKey(family, address, number(DEST_PORT, BE16))
    server = RealServer(
        number(DEST_FWD_METHOD, U32) & FWD_MASK,
        number(DEST_WEIGHT, S32),
        number(DEST_U_THRESH, U32),
        number(DEST_L_THRESH, U32),
        number(DEST_TUN_TYPE, U8),
        number(DEST_TUN_PORT, BE16),
        number(DEST_TUN_FLAGS, U16),
    )
    connections = Connections(
        number(DEST_ACTIVE_CONNS, U32),
        number(DEST_INACT_CONNS, U32),
        number(DEST_PERSIST_CONNS, U32),
    )
    return key, server.normalised(), connections


# IPVS_STATS_ATTR_CONNS (1) and on; the rates a second (IPVS_STATS_ATTR_CPS, 6, and on) are of the same five.
COUNTERS = ("connections", "packets_in", "packets_out", "bytes_in", "bytes_out")


def decode_statistics(data: bytes, message: Message, is_service: bool) -> tuple[dict[str, int], dict[str, int]]:
    """Return counters since creation or the last zeroing, and rates a second, of a service or a real server.

    64 bit if the kernel has them (4.1 and newer), otherwise the 32-bit ones, which wrap.
    """
    outer, narrow, wide = (
        (ATTR_SERVICE, SVC_STATS, SVC_STATS64) if is_service else (ATTR_DEST, DEST_STATS, DEST_STATS64)
    )
    found = {kind: (start, end) for kind, start, end in attributes(data, *_nested(data, message, outer))}
    where = found.get(wide) or found.get(narrow)
    values: dict[int, int] = {}
    for kind, start, end in attributes(data, *where) if where else ():
        # 11 is padding that aligns the 64-bit values (IPVS_STATS_ATTR_PAD).
        if kind <= 10:
            values[kind] = (U64 if end - start == 8 else U32).unpack_from(data, start)[0]
    counters = {name: values.get(kind, 0) for kind, name in enumerate(COUNTERS, 1)}
    rates = {name: values.get(kind, 0) for kind, name in enumerate(COUNTERS, 6)}
    return counters, rates


def decode_numbers(data: bytes, message: Message) -> dict[int, int]:
    """Return the top-level 32-bit attributes of a GET_INFO or GET_CONFIG answer, by their type."""
    return {
        kind: U32.unpack_from(data, start)[0]
        for kind, start, end in attributes(data, message.start, message.end)
        if end - start == 4
    }


_HEAD = struct.Struct("=IHHI")  # of nlmsghdr: length, type, flags, sequence number
_DEST_TYPES = (U16.pack(ATTR_DEST), U16.pack(ATTR_DEST | NLA_F_NESTED))
_MIDDLES = tuple(kind + ADDRESS_WORD for kind in _DEST_TYPES)

# One message as ip_vs_genl_fill_dest writes it (Linux 5.3 and newer): what is alike in all headers of a dump, the rest
# of them, the nested attribute's length and type; then address, port and values, three connection counters, the family,
# and statistics, which are of no interest here.
_RECORD = "=12s 8x 2x6s 16s {values}s 24x 8s {rest}x"
_PORT_SIZE = 8
_IMAGE = "=24x {image}s 24x 8s {rest}x"
_MIDDLE = 22  # the place of the nested attribute's type
_SMALLEST = struct.calcsize(_RECORD.format(values=_PORT_SIZE + VALUES.size, rest=0))


@functools.lru_cache(8)
def _records(length: int) -> struct.Struct:
    return struct.Struct(_RECORD.format(values=_PORT_SIZE + VALUES.size, rest=length - _SMALLEST))


@functools.lru_cache(8)
def _images(length: int) -> struct.Struct:
    return struct.Struct(_IMAGE.format(image=IMAGE_SIZE, rest=length - _SMALLEST))


def images(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the real servers in a buffer, in the form of :func:`image`; invalid for unusual messages."""
    length, end = _alike(data)
    if not end:
        return iter(())
    found: Iterator[tuple[bytes, bytes]] = _images(length).iter_unpack(memoryview(data)[:end])
    return found


def end_of(data: bytes, sequence: int) -> Message | None:
    """Return the message in a buffer that ends the dump ``sequence``."""
    _length, start = _alike(data)
    for message in messages(data, start):
        if message.sequence == sequence and (message.error or message.kind in (NLMSG_DONE, NLMSG_ERROR)):
            return message
    return None


def _alike(data: bytes) -> tuple[int, int]:
    """Return the length of a buffer's messages about real servers and where they end, by its first and its last one.

    Zeros if there are none, or if their lengths differ.
    """
    if len(data) < _SMALLEST:
        return 0, 0
    length = _HEAD.unpack_from(data)[0]
    if length < _SMALLEST or length % 4:
        return 0, 0
    end = len(data) // length * length
    last = end - length
    return (length, end) if data[last : last + _HEAD.size] == data[: _HEAD.size] else (0, 0)


@functools.lru_cache(REPEATED)
def _server(values: bytes) -> RealServer | None:
    """Return the real server of such values; None if they are not in the usual order."""
    fields = VALUES.unpack(values)
    if fields[::2] != VALUE_WORDS:
        return None
    method, weight, kind, port, checksum, upper, lower = fields[1::2]
    tunnel_port = int.from_bytes(port, "big")
    return RealServer(method & FWD_MASK, weight, upper, lower, kind, tunnel_port, checksum).normalised()


def _port(attribute: bytes) -> int:
    """Return the port in an attribute; -1 for another attribute."""
    return int.from_bytes(attribute[4:6], "big") if attribute[:4] == PORT_WORD else -1


def _family(attribute: bytes) -> int:
    """Return the address family in an attribute; 0 if it is another attribute."""
    return int(U16.unpack_from(attribute, 4)[0]) if attribute[:4] == FAMILY_WORD else 0


class RealServers:
    """Decodes the buffers of one dump into ``found``.

    One by one, messages would cost more than all other work on real servers. They have one length, so they are unpacked
    together, and repeated parts are not decoded again. Other messages are decoded by :func:`decode_dest`.
    """

    def __init__(self, family_id: int, sequence: int) -> None:
        self.found: dict[RealServerKey, RealServer] = {}
        self._family_id = family_id
        self._sequence = sequence

    def take(self, data: bytes) -> Message | None:
        """Decode one buffer; return the message that ends the dump, if the buffer has it."""
        for message in messages(data, self._take_alike(data)):
            if message.sequence != self._sequence:
                continue
            if message.error or message.kind in (NLMSG_DONE, NLMSG_ERROR):
                return message
            key, server, _connections = decode_dest(data, message)
            self.found[key] = server
        return None

    def _take_alike(self, data: bytes) -> int:
        """Decode messages of the first one's length; return the start of the rest."""
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
