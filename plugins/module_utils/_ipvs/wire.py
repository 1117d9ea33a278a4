# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPVS generic netlink messages: values to bytes and back.

PRIVATE to the collection lvs.cluster: may change without notice. Pure: bytes only, no sockets.

What the kernel wants in which attribute is in net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_genl_parse_service and _parse_dest
for what is sent, ip_vs_genl_fill_service and _fill_dest for what comes back.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import NamedTuple

from . import model, plan, uapi
from .model import AF_INET, SCHEDULER_FLAGS, RealServer, RealServerKey, ServiceKey, Settings

# The commands on services; those on destinations are 4 further.
_COMMANDS = {plan.ADD: uapi.NEW_SERVICE, plan.SET: uapi.SET_SERVICE, plan.REMOVE: uapi.DEL_SERVICE}
_TO_DEST = uapi.NEW_DEST - uapi.NEW_SERVICE
_PAIR = struct.Struct("=II")


def word(length: int, kind: int) -> bytes:
    """Length and type, which every attribute begins with."""
    return uapi.ATTR_HEADER.pack(length, kind)


# A destination travels in four pieces, in the order in which the kernel writes them (ip_vs_genl_fill_dest, Linux 5.3
# and newer): address, port, values, address family. Everything but the address repeats from one real server to the
# next, so the other pieces are made once. SET_DEST replaces the whole entry, so none of the values may be left out; a
# kernel older than one of them skips it. Values of 1 and 2 bytes are padded to 4.
VALUES = struct.Struct("=4sI 4si 4sB3x 4s2s2x 4sH2x 4sI 4sI")
VALUE_WORDS = (
    word(8, uapi.DEST_FWD_METHOD),
    word(8, uapi.DEST_WEIGHT),
    word(5, uapi.DEST_TUN_TYPE),
    word(6, uapi.DEST_TUN_PORT),
    word(6, uapi.DEST_TUN_FLAGS),
    word(8, uapi.DEST_U_THRESH),
    word(8, uapi.DEST_L_THRESH),
)
ADDRESS_WORD = word(20, uapi.DEST_ADDR)
PORT_WORD = word(6, uapi.DEST_PORT)
FAMILY_WORD = word(6, uapi.DEST_ADDR_FAMILY)
_FAMILY_SIZE = 8
IMAGE_SIZE = 20 + 8 + VALUES.size
REPEATED = 4096  # how many pieces are kept; a table rarely has more different ones


def _service_identity(key: ServiceKey) -> bytes:
    head = uapi.attribute(uapi.SVC_AF, uapi.U16.pack(key.family))
    if key.fwmark:
        return head + uapi.attribute(uapi.SVC_FWMARK, uapi.U32.pack(key.fwmark))
    return (
        head
        + uapi.attribute(uapi.SVC_PROTOCOL, uapi.U16.pack(key.protocol))
        + uapi.attribute(uapi.SVC_ADDR, key.address.ljust(16, b"\0"))
        + uapi.attribute(uapi.SVC_PORT, uapi.BE16.pack(key.port))
    )


def _service_settings(family: int, settings: Settings) -> bytes:
    flags = settings.scheduler_flags
    flags |= uapi.F_PERSISTENT if settings.persistence_timeout else 0
    flags |= uapi.F_ONEPACKET if settings.one_packet else 0
    # The prefix length of an IPv6 service travels in host order, the mask of an IPv4 service in network order.
    netmask = (uapi.BE32 if family == AF_INET else uapi.U32).pack(settings.persistence_netmask)
    payload = (
        uapi.attribute(uapi.SVC_SCHED_NAME, settings.scheduler.encode() + b"\0")
        + uapi.attribute(uapi.SVC_FLAGS, _PAIR.pack(flags, uapi.F_SETTABLE))
        + uapi.attribute(uapi.SVC_TIMEOUT, uapi.U32.pack(settings.persistence_timeout))
        + uapi.attribute(uapi.SVC_NETMASK, netmask)
    )
    # SET_SERVICE without the attribute takes the engine away, which is what no engine means.
    if settings.persistence_engine:
        payload += uapi.attribute(uapi.SVC_PE_NAME, settings.persistence_engine.encode() + b"\0")
    return payload


@functools.lru_cache(REPEATED)
def _values(server: RealServer) -> bytes:
    words, tunnel_port = VALUE_WORDS, uapi.BE16.pack(server.tunnel_port)
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
    """A real server as the kernel shows it in a dump: address, port and values in one piece, and the family."""
    rest = _after_address(key.family, key.port, server)
    return b"".join((ADDRESS_WORD, key.address, rest[:-_FAMILY_SIZE])), rest[-_FAMILY_SIZE:]


@functools.lru_cache(REPEATED)
def _after_address(family: int, port: int, server: RealServer | None) -> bytes:
    """Everything of a destination that follows its address; only its key where there is no ``server``."""
    return (
        b"\0" * (16 - model.ADDRESS_LENGTHS[family])
        + uapi.attribute(uapi.DEST_PORT, uapi.BE16.pack(port))
        + (b"" if server is None else _values(server))
        + uapi.attribute(uapi.DEST_ADDR_FAMILY, uapi.U16.pack(family))
    )


def service_payload(key: ServiceKey) -> bytes:
    """The payload that names a service, for GET_SERVICE and GET_DEST."""
    return uapi.attribute(uapi.ATTR_SERVICE | uapi.NLA_F_NESTED, _service_identity(key))


def pack(operations: Sequence[plan.Operation], family_id: int, first_sequence: int) -> bytes:
    """Operations as one chunk: numbered from ``first_sequence`` on, an acknowledgement asked for the last only."""
    parts: list[bytes] = []
    last = first_sequence + len(operations) - 1
    header = uapi.GENL_HEADER.pack
    named: ServiceKey | None = None
    name = rest = b""
    former: tuple[int, int, RealServer | None] = (0, 0, None)  # whose everything but the address is `rest`
    flags = uapi.NLM_F_REQUEST
    for sequence, (verb, service, settings, key, server) in enumerate(operations, first_sequence):
        if sequence == last:
            flags |= uapi.NLM_F_ACK
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
            payload = uapi.attribute(uapi.ATTR_SERVICE | uapi.NLA_F_NESTED, inner)
        parts += (header(20 + len(payload), family_id, flags, sequence, 0, command, 1, 0), payload)
    return b"".join(parts)


@functools.lru_cache(REPEATED)
def _dest_word(size: int) -> bytes:
    return word(size, uapi.ATTR_DEST | uapi.NLA_F_NESTED)


def _nested(data: bytes, message: uapi.Message, wanted: int) -> tuple[int, int]:
    for kind, start, end in uapi.attributes(data, message.start, message.end):
        if kind == wanted:
            return start, end
    raise ValueError("IPVS message without its nested attribute")


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].split(b"\0", 1)[0].decode("ascii", "replace")


def decode_service(data: bytes, message: uapi.Message) -> tuple[ServiceKey, Settings]:
    """A service of a GET_SERVICE answer."""
    family = protocol = port = fwmark = flags = timeout = 0
    address, netmask, scheduler, engine = b"", b"\0\0\0\0", "", ""
    for kind, start, end in uapi.attributes(data, *_nested(data, message, uapi.ATTR_SERVICE)):
        if kind == uapi.SVC_AF:
            family = uapi.U16.unpack_from(data, start)[0]
        elif kind == uapi.SVC_PROTOCOL:
            protocol = uapi.U16.unpack_from(data, start)[0]
        elif kind == uapi.SVC_ADDR:
            address = data[start:end]
        elif kind == uapi.SVC_PORT:
            port = uapi.BE16.unpack_from(data, start)[0]
        elif kind == uapi.SVC_FWMARK:
            fwmark = uapi.U32.unpack_from(data, start)[0]
        elif kind == uapi.SVC_SCHED_NAME:
            scheduler = _text(data, start, end)
        elif kind == uapi.SVC_FLAGS:
            flags = uapi.U32.unpack_from(data, start)[0]
        elif kind == uapi.SVC_TIMEOUT:
            timeout = uapi.U32.unpack_from(data, start)[0]
        elif kind == uapi.SVC_NETMASK:
            netmask = data[start : start + 4]
        elif kind == uapi.SVC_PE_NAME:
            engine = _text(data, start, end)
    if fwmark:
        key = ServiceKey(fwmark, family, 0, b"", 0)
    else:
        key = ServiceKey(0, family, protocol, address[: 4 if family == AF_INET else 16], port)
    settings = Settings(
        scheduler,
        flags & SCHEDULER_FLAGS,
        timeout if flags & uapi.F_PERSISTENT else 0,
        (uapi.BE32 if family == AF_INET else uapi.U32).unpack(netmask)[0],
        engine,
        bool(flags & uapi.F_ONEPACKET),
    )
    return key, settings.normalised(family)


class Connections(NamedTuple):
    """A real server's connection counters."""

    active: int
    inactive: int
    persistent: int


def decode_dest(data: bytes, message: uapi.Message) -> tuple[RealServerKey, RealServer, Connections]:
    """A real server of a GET_DEST answer, whatever the order of its attributes."""
    values: dict[int, bytes] = {
        kind: data[start:end] for kind, start, end in uapi.attributes(data, *_nested(data, message, uapi.ATTR_DEST))
    }

    def number(kind: int, form: struct.Struct) -> int:
        return int(form.unpack(values[kind])[0]) if kind in values else 0

    family = number(uapi.DEST_ADDR_FAMILY, uapi.U16)
    address = values[uapi.DEST_ADDR][: 4 if family == AF_INET else 16]
    key = RealServerKey(family, address, number(uapi.DEST_PORT, uapi.BE16))
    server = RealServer(
        number(uapi.DEST_FWD_METHOD, uapi.U32) & uapi.FWD_MASK,
        number(uapi.DEST_WEIGHT, uapi.S32),
        number(uapi.DEST_U_THRESH, uapi.U32),
        number(uapi.DEST_L_THRESH, uapi.U32),
        number(uapi.DEST_TUN_TYPE, uapi.U8),
        number(uapi.DEST_TUN_PORT, uapi.BE16),
        number(uapi.DEST_TUN_FLAGS, uapi.U16),
    )
    connections = Connections(
        number(uapi.DEST_ACTIVE_CONNS, uapi.U32),
        number(uapi.DEST_INACT_CONNS, uapi.U32),
        number(uapi.DEST_PERSIST_CONNS, uapi.U32),
    )
    return key, server.normalised(), connections


# IPVS_STATS_ATTR_CONNS (1) and on; the rates a second (IPVS_STATS_ATTR_CPS, 6, and on) are of the same five.
COUNTERS = ("connections", "packets_in", "packets_out", "bytes_in", "bytes_out")


def decode_statistics(data: bytes, message: uapi.Message, is_service: bool) -> tuple[dict[str, int], dict[str, int]]:
    """Counters since creation or the last zeroing, and rates a second, of a service or a real server.

    64 bit where the kernel has them (4.1 and newer), else the 32-bit ones, which wrap.
    """
    outer, narrow, wide = (
        (uapi.ATTR_SERVICE, uapi.SVC_STATS, uapi.SVC_STATS64)
        if is_service
        else (uapi.ATTR_DEST, uapi.DEST_STATS, uapi.DEST_STATS64)
    )
    found = {kind: (start, end) for kind, start, end in uapi.attributes(data, *_nested(data, message, outer))}
    where = found.get(wide) or found.get(narrow)
    values: dict[int, int] = {}
    for kind, start, end in uapi.attributes(data, *where) if where else ():
        # 11 is padding that aligns the 64-bit values (IPVS_STATS_ATTR_PAD).
        if kind <= 10:
            values[kind] = (uapi.U64 if end - start == 8 else uapi.U32).unpack_from(data, start)[0]
    counters = {name: values.get(kind, 0) for kind, name in enumerate(COUNTERS, 1)}
    rates = {name: values.get(kind, 0) for kind, name in enumerate(COUNTERS, 6)}
    return counters, rates


def decode_numbers(data: bytes, message: uapi.Message) -> dict[int, int]:
    """The top-level 32-bit attributes of a GET_INFO or GET_CONFIG answer, by their type."""
    return {
        kind: uapi.U32.unpack_from(data, start)[0]
        for kind, start, end in uapi.attributes(data, message.start, message.end)
        if end - start == 4
    }
