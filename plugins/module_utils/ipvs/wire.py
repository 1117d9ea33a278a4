# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPVS generic netlink messages: values to bytes and back.

PRIVATE to the collection lvs.cluster: may change without notice. Pure: bytes only, no sockets.

What the kernel wants in which attribute is in net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_genl_parse_service and _parse_dest
for what is sent, ip_vs_genl_fill_service and _fill_dest for what comes back.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from . import plan, uapi
from .model import AF_INET, SCHEDULER_FLAGS, RealServer, RealServerKey, ServiceKey, Settings

# The commands on services; those on destinations are 4 further.
_COMMANDS = {plan.ADD: uapi.NEW_SERVICE, plan.SET: uapi.SET_SERVICE, plan.REMOVE: uapi.DEL_SERVICE}
_TO_DEST = uapi.NEW_DEST - uapi.NEW_SERVICE
_PAIR = struct.Struct("=II")

# A destination with everything that NEW_DEST and SET_DEST need. SET_DEST replaces the whole entry, so nothing may be
# left out; a kernel older than an attribute skips it. Values of 1 and 2 bytes are padded to 4.
_FULL_DEST = struct.Struct("=HH HH16s HHH2x HH2s2x HHI HHi HHI HHI HHB3x HH2s2x HHH2x")
_KEY_DEST = struct.Struct("=HH HH16s HHH2x HH2s2x")

# The attributes of a destination in the order in which ip_vs_genl_fill_dest writes them (Linux 5.3 and newer), each as
# one word of length and type, then the value. Reading them at one go is several times as fast as one by one; where the
# words are not these, decode_dest takes the slow way.
_READ_DEST = struct.Struct("=I16s I2s2x II Ii IB3x I2s2x IH2x II II II II II IH2x")
_READ_DEST_WORDS = tuple(
    uapi.U32.unpack(uapi.ATTR_HEADER.pack(length, kind))[0]
    for length, kind in (
        (20, uapi.DEST_ADDR),
        (6, uapi.DEST_PORT),
        (8, uapi.DEST_FWD_METHOD),
        (8, uapi.DEST_WEIGHT),
        (5, uapi.DEST_TUN_TYPE),
        (6, uapi.DEST_TUN_PORT),
        (6, uapi.DEST_TUN_FLAGS),
        (8, uapi.DEST_U_THRESH),
        (8, uapi.DEST_L_THRESH),
        (8, uapi.DEST_ACTIVE_CONNS),
        (8, uapi.DEST_INACT_CONNS),
        (8, uapi.DEST_PERSIST_CONNS),
        (6, uapi.DEST_ADDR_FAMILY),
    )
)


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


def _dest(key: RealServerKey, server: RealServer | None) -> bytes:
    address, port = key.address.ljust(16, b"\0"), uapi.BE16.pack(key.port)
    if server is None:
        return _KEY_DEST.pack(
            _KEY_DEST.size, uapi.ATTR_DEST | uapi.NLA_F_NESTED, 20, uapi.DEST_ADDR, address,
            6, uapi.DEST_ADDR_FAMILY, key.family, 6, uapi.DEST_PORT, port,
        )  # fmt: skip
    return _FULL_DEST.pack(
        _FULL_DEST.size, uapi.ATTR_DEST | uapi.NLA_F_NESTED,
        20, uapi.DEST_ADDR, address,
        6, uapi.DEST_ADDR_FAMILY, key.family,
        6, uapi.DEST_PORT, port,
        8, uapi.DEST_FWD_METHOD, server.forward_method,
        8, uapi.DEST_WEIGHT, server.weight,
        8, uapi.DEST_U_THRESH, server.upper_threshold,
        8, uapi.DEST_L_THRESH, server.lower_threshold,
        5, uapi.DEST_TUN_TYPE, server.tunnel_type,
        6, uapi.DEST_TUN_PORT, uapi.BE16.pack(server.tunnel_port),
        6, uapi.DEST_TUN_FLAGS, server.tunnel_checksum,
    )  # fmt: skip


def service_payload(key: ServiceKey) -> bytes:
    """The payload that names a service, for GET_SERVICE and GET_DEST."""
    return uapi.attribute(uapi.ATTR_SERVICE | uapi.NLA_F_NESTED, _service_identity(key))


def pack(operations: Sequence[plan.Operation], family_id: int, first_sequence: int) -> bytes:
    """Operations as one chunk: numbered from ``first_sequence`` on, an acknowledgement asked for the last only."""
    parts: list[bytes] = []
    last = first_sequence + len(operations) - 1
    named: ServiceKey | None = None
    name = b""
    for sequence, operation in enumerate(operations, first_sequence):
        command = _COMMANDS[operation.verb]
        if operation.service is not named and operation.service != named:
            named, name = operation.service, service_payload(operation.service)
        if operation.server_key is not None:
            command += _TO_DEST
            payload = name + _dest(operation.server_key, operation.server)
        elif operation.settings is not None:
            inner = _service_identity(operation.service) + _service_settings(
                operation.service.family, operation.settings
            )
            payload = uapi.attribute(uapi.ATTR_SERVICE | uapi.NLA_F_NESTED, inner)
        else:
            payload = name
        flags = uapi.NLM_F_REQUEST | uapi.NLM_F_ACK if sequence == last else uapi.NLM_F_REQUEST
        parts.append(uapi.GENL_HEADER.pack(20 + len(payload), family_id, flags, sequence, 0, command, 1, 0))
        parts.append(payload)
    return b"".join(parts)


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
    """A real server of a GET_DEST answer."""
    start = message.start + 4  # within the nested attribute, which is the only one
    if start + _READ_DEST.size <= message.end:
        fields = _READ_DEST.unpack_from(data, start)
        if fields[::2] == _READ_DEST_WORDS:
            (
                address,
                port,
                method,
                weight,
                kind,
                tunnel_port,
                checksum,
                upper,
                lower,
                active,
                inactive,
                persistent,
                family,
            ) = fields[1::2]
            key = RealServerKey(family, address if family != AF_INET else address[:4], port[0] << 8 | port[1])
            server = RealServer(
                method & uapi.FWD_MASK, weight, upper, lower, kind, tunnel_port[0] << 8 | tunnel_port[1], checksum
            )
            return key, server.normalised(), Connections(active, inactive, persistent)
    return _decode_dest_slowly(data, message)


def _decode_dest_slowly(data: bytes, message: uapi.Message) -> tuple[RealServerKey, RealServer, Connections]:
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
