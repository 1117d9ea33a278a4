# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generic netlink as the kernel defines it for IPVS: numbers, headers, attributes, and walking through what it sends.

PRIVATE to the collection lvs.cluster: may change without notice. Pure: bytes only, no sockets.

From linux/netlink.h, linux/genetlink.h and linux/ip_vs.h (enums ip_vs_genl_*). A whole message is nlmsghdr (16 bytes),
genlmsghdr (4 bytes), then attributes: length and type (2 bytes each, host order), value, padding to 4 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

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
    """One attribute with its padding."""
    length = 4 + len(value)
    return ATTR_HEADER.pack(length, kind) + value + b"\0" * (-length % 4)


def request(family_id: int, sequence: int, command: int, flags: int, payload: bytes = b"") -> bytes:
    """One message. ``flags`` besides NLM_F_REQUEST."""
    return GENL_HEADER.pack(20 + len(payload), family_id, flags | NLM_F_REQUEST, sequence, 0, command, 1, 0) + payload


class Message(NamedTuple):
    """Where one message of a received buffer is: its attributes are ``data[start:end]``."""

    kind: int  # NLMSG_ERROR, NLMSG_DONE or the family's id
    sequence: int
    start: int
    end: int
    error: int  # errno of NLMSG_ERROR and NLMSG_DONE, 0: none


def messages(data: bytes, offset: int = 0) -> Iterator[Message]:
    """Every message of a received buffer, from ``offset`` on."""
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
