# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IPVS table as values: normalised, comparable, hashable where they are keys. Pure.

A table is a mapping ``ServiceKey -> VirtualService``, a virtual service holds its settings and a mapping
``RealServerKey -> RealServer``. Two tables are equal exactly if the kernel would treat them alike: values without
effect (the timeout of a service that is not persistent, the tunnel port of a server that is not tunnelled) are
normalised.

Addresses are packed bytes (4 or 16, network order), so keys sort numerically and are sent unchanged; text is made only
for people. Numbers are those of linux/ip_vs.h.

A patch is a partial value: None means "unchanged, or the default on creation".

The checks at the end refuse values that must not reach the kernel, although it would accept many of them. They return
nothing or raise InvalidValue. They check complete values, so they serve module arguments, ipvsadm-save text and patched
entries alike.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from socket import inet_ntop, inet_pton
from typing import NamedTuple

# Linux's numbers, written out because a controller may run something else.
AF_INET = 2
AF_INET6 = 10
FAMILIES = {"ipv4": AF_INET, "ipv6": AF_INET6}
ADDRESS_LENGTHS = {AF_INET: 4, AF_INET6: 16}  # bytes
FAMILY_NAMES = {number: name for name, number in FAMILIES.items()}

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}
UDP = 17

# IP_VS_CONN_F_MASQ, _LOCALNODE, _TUNNEL, _DROUTE
NAT, LOCAL, TUN, DR = range(4)
FORWARD_METHODS = {"nat": NAT, "local": LOCAL, "tun": TUN, "dr": DR}
FORWARD_METHOD_NAMES = {number: name for name, number in FORWARD_METHODS.items()}

# IP_VS_CONN_F_TUNNEL_TYPE_*
IPIP, GUE, GRE = range(3)
TUNNEL_TYPES = {"ipip": IPIP, "gue": GUE, "gre": GRE}
TUNNEL_TYPE_NAMES = {number: name for name, number in TUNNEL_TYPES.items()}

# IP_VS_TUNNEL_ENCAP_FLAG_*: 1 = checksum, 2 = remote checksum offload
NOCSUM, CSUM, REMCSUM = range(3)
TUNNEL_CHECKSUMS = {"none": NOCSUM, "csum": CSUM, "remcsum": REMCSUM}
TUNNEL_CHECKSUM_NAMES = {number: name for name, number in TUNNEL_CHECKSUMS.items()}

# IP_VS_SVC_F_SCHED1..3. The first two have names of their own in the schedulers sh and mh.
SCHEDULER_FLAG_1, SCHEDULER_FLAG_2, SCHEDULER_FLAG_3 = 0x08, 0x10, 0x20
SCHEDULER_FLAGS = 0x38

DEFAULT_SCHEDULER = "wlc"
DEFAULT_PERSISTENCE_TIMEOUT = 360  # seconds; ipvsadm's value for a bare -p (its manual page differs)
MAX_WEIGHT = 2**31 - 1  # a signed int in the kernel, negative is ERANGE
MAX_THRESHOLD = 2**31 - 1  # more is EINVAL (measured, Linux 6.1 and 6.12), although they are unsigned
# The kernel multiplies seconds by HZ (at most 1000) in 32 bits: more wraps around. ipvsadm stops at 31 days too.
MAX_PERSISTENCE_TIMEOUT = 86400 * 31

_PREFIX_LENGTH = re.compile(r"[0-9A-Fa-f:.]+/[0-9.]+")  # as in the addresses of an interface
_V4_MAPPED = b"\0" * 10 + b"\xff\xff"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,15}")  # IP_VS_SCHEDNAME_MAXLEN and IP_VS_PENAME_MAXLEN are 16 with the NUL


class InvalidValue(ValueError):
    """One invalid value: names the service, the key, the reason, and the value.

    Attributes: ``service`` (label of the virtual service), ``key`` (option name, with the real server in front where it
    is one of its options), ``value`` (as given; None: not given), ``reason`` (a clause that follows the key; with
    ``whole`` a complete one, without key and value).
    """

    def __init__(self, service: object, key: str, value: object, reason: str, whole: bool = False) -> None:
        self.service = str(service)
        self.key = key
        self.value = value
        self.reason = reason
        given = "" if value is None else f" (got {value!r})"
        super().__init__(f"{self.service}: {reason}" if whole else f"{self.service}: {key} {reason}{given}")


class ServiceKey(NamedTuple):
    """The identity of a virtual service: a firewall mark and family, or protocol, address and port.

    The order of the fields is the order of the table (as in ipvsadm: addresses first, then marks).
    """

    fwmark: int  # 0: none
    family: int  # AF_INET or AF_INET6; part of the key of a mark too
    protocol: int  # 0 with a mark
    address: bytes  # b"" with a mark
    port: int  # 0 with a mark

    def __str__(self) -> str:
        if self.fwmark:
            return f"fwmark {self.fwmark} {FAMILY_NAMES[self.family]}"
        return f"{PROTOCOL_NAMES.get(self.protocol, self.protocol)} {endpoint(self.address, self.port)}"


class RealServerKey(NamedTuple):
    """The identity of a real server within its virtual service."""

    family: int
    address: bytes
    port: int

    def __str__(self) -> str:
        return endpoint(self.address, self.port)


class RealServer(NamedTuple):
    """Everything the kernel keeps about a real server besides its key and counters."""

    forward_method: int = DR
    weight: int = 1  # 0: no new connections
    upper_threshold: int = 0  # connections; 0: no limit
    lower_threshold: int = 0
    tunnel_type: int = IPIP
    tunnel_port: int = 0
    tunnel_checksum: int = NOCSUM

    def normalised(self) -> RealServer:
        """Return the same server without tunnel settings that have no effect."""
        if self.forward_method != TUN:
            return self if not any(self[4:]) else self._replace(tunnel_type=0, tunnel_port=0, tunnel_checksum=0)
        if self.tunnel_type == GUE:
            return self
        checksum = self.tunnel_checksum & CSUM if self.tunnel_type == GRE else NOCSUM
        return self._replace(tunnel_port=0, tunnel_checksum=checksum)


class Settings(NamedTuple):
    """Everything the kernel keeps about a virtual service besides its key, real servers and counters."""

    scheduler: str = DEFAULT_SCHEDULER
    scheduler_flags: int = 0  # bits of SCHEDULER_FLAGS
    persistence_timeout: int = 0  # seconds; 0: not persistent
    persistence_netmask: int = 0  # IPv4: the mask as a number; IPv6: the prefix length
    persistence_engine: str = ""
    one_packet: bool = False

    def normalised(self, family: int) -> Settings:
        """Return the same settings, with the widest netmask if the service is not persistent."""
        return self if self.persistence_timeout else self._replace(persistence_netmask=full_netmask(family))


class VirtualService(NamedTuple):
    """The present state of a virtual service."""

    settings: Settings
    real_servers: Mapping[RealServerKey, RealServer]


Table = Mapping[ServiceKey, VirtualService]


class RealServerPatch(NamedTuple):
    """A real server as it should be; None: unchanged, the default on creation.

    ``absent``: it should not exist. ``only_existing``: change it if it exists, and do not add it.
    """

    forward_method: int | None = None
    weight: int | None = None
    upper_threshold: int | None = None
    lower_threshold: int | None = None
    tunnel_type: int | None = None
    tunnel_port: int | None = None
    tunnel_checksum: int | None = None
    absent: bool = False
    only_existing: bool = False


class SettingsPatch(NamedTuple):
    """Settings as they should be; None: unchanged, the default on creation."""

    scheduler: str | None = None
    scheduler_flags: int | None = None
    persistence_timeout: int | None = None  # 0: not persistent
    persistence_netmask: int | None = None
    persistence_engine: str | None = None  # "": none
    one_packet: bool | None = None


class ServicePatch(NamedTuple):
    """A virtual service as it should be.

    ``settings`` is None if only real servers are described: then the service must exist already. ``real_servers`` is
    None if they are not described; then a purge leaves them unchanged too. ``only_existing``: it has another owner, who
    adds it and its real servers, removes them, and gives weight 0. Change what is there. ``held``: real servers that
    this owner takes to be in the table, so that it does not add them. They are added.
    """

    key: ServiceKey
    settings: SettingsPatch | None = SettingsPatch()
    real_servers: Mapping[RealServerKey, RealServerPatch] | None = None
    absent: bool = False
    name: str = ""  # only for messages
    only_existing: bool = False
    held: frozenset[RealServerKey] = frozenset()

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"{self.name} ({self.key})" if self.name else str(self.key)


def pack_address(text: str) -> bytes:
    """Return 4 or 16 bytes of an IPv4 or IPv6 address; ValueError for other text (host names too)."""
    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, TypeError, UnicodeError, ValueError):
        hint = ": leave out the prefix length" if _PREFIX_LENGTH.fullmatch(str(text)) else ""
        raise ValueError(f"is not an IPv4 or IPv6 address{hint}") from None


def family_of(address: bytes) -> int:
    """Return AF_INET or AF_INET6, from the length."""
    return AF_INET if len(address) == 4 else AF_INET6


def address_text(address: bytes) -> str:
    """Return the canonical text of a packed address: that of inet_ntop(3), as keepalived writes it."""
    return inet_ntop(family_of(address), address)


@functools.lru_cache(65536)
def endpoint(address: bytes, port: int) -> str:
    """Return ``192.0.2.1:80`` or ``[2001:db8::1]:80``: the form ipvsadm reads and writes."""
    if len(address) == 4:
        return f"{address_text(address)}:{port}"
    return f"[{address_text(address)}]:{port}"


def full_netmask(family: int) -> int:
    """Return the persistence netmask of single clients, in the form of Settings.persistence_netmask."""
    return 0xFFFFFFFF if family == AF_INET else 128


def netmask_text(family: int, netmask: int) -> str:
    """Return ``255.255.255.0`` for IPv4, ``64`` for IPv6: as ipvsadm's -M."""
    return inet_ntop(AF_INET, netmask.to_bytes(4, "big")) if family == AF_INET else str(netmask)


def parse_netmask(family: int, text: str) -> int:
    """Return a persistence netmask from ``24``, ``/24`` or ``255.255.255.0`` (IPv4), ``64`` or ``/64`` (IPv6).

    IPv4 masks need not be contiguous: the kernel only ANDs. The text of the ValueError names valid forms.
    """
    digits = text[1:] if text.startswith("/") else text
    length = int(digits) if digits.isdecimal() and digits.isascii() and len(digits) < 20 else -1
    if family == AF_INET:
        if 0 <= length <= 32:
            return 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF
        try:
            return int.from_bytes(inet_pton(AF_INET, text), "big")
        except (OSError, UnicodeError, ValueError):
            raise ValueError("must be an IPv4 mask (255.255.255.0) or a prefix length from 0 to 32") from None
    if 1 <= length <= 128:
        return length
    raise ValueError("must be a prefix length from 1 to 128 for an IPv6 service")


def scheduler_flag_bits(scheduler: str) -> dict[str, int]:
    """Return the flag names of a scheduler, and their bits; the generic names are valid with every scheduler."""
    bits = {"flag-1": SCHEDULER_FLAG_1, "flag-2": SCHEDULER_FLAG_2, "flag-3": SCHEDULER_FLAG_3}
    if scheduler in ("sh", "mh"):
        bits[f"{scheduler}-fallback"] = SCHEDULER_FLAG_1
        bits[f"{scheduler}-port"] = SCHEDULER_FLAG_2
    return bits


def scheduler_flag_names(scheduler: str, flags: int) -> list[str]:
    """Return names of set flags, in the order of their bits, with the scheduler's own names if it has any."""
    by_bit = {bit: name for name, bit in scheduler_flag_bits(scheduler).items()}
    return [name for bit, name in sorted(by_bit.items()) if flags & bit]


def parse_name(text: str) -> str:
    """Return a scheduler's or persistence engine's name; ValueError if the kernel could not hold it.

    Any name is accepted, because newer kernels have more of them. The kernel shows ``none`` for a service that has lost
    its scheduler, and accepts it, but such a service drops everything.
    """
    if not _NAME.fullmatch(text) or text == "none":
        raise ValueError("must be a name of 1 to 15 letters, digits, '_', '.' or '-', and not 'none'")
    return text


def _unusable(address: bytes) -> str:
    """Return why an address can be neither a VIP nor a real server; empty if it can.

    The kernel's rules apply: a loopback address is a real server on the director itself, and some networks use
    240.0.0.0/4. The description is stricter (_host/validate.py), because it concerns several hosts.
    """
    if not any(address):
        return "must not be the unspecified address"
    if len(address) == 4:
        if address == b"\xff\xff\xff\xff":
            return "must not be the broadcast address"
        return "must not be a multicast address" if 224 <= address[0] < 240 else ""
    if address[0] == 0xFF:
        return "must not be a multicast address"
    return "must be written as an IPv4 address" if address.startswith(_V4_MAPPED) else ""


def check_service_key(label: str, key: ServiceKey, option: str = "address") -> None:
    """Refuse identities that the kernel accepts but does not serve correctly. ``option``: the option with the
    identity.
    """
    if key.fwmark:
        return
    reason = _unusable(key.address)
    if reason:
        raise InvalidValue(label, option, address_text(key.address), reason)


def check_settings(label: str, key: ServiceKey, settings: Settings) -> None:
    """Refuse settings that do not fit the service."""
    if key.fwmark:
        return
    if not key.port and not settings.persistence_timeout:
        # The kernel accepts it and then logs an error for every packet (ip_vs_schedule).
        raise InvalidValue(label, "port", 0, "(every port) needs a persistent service: set persistence_timeout")
    if settings.one_packet and key.protocol != UDP:
        raise InvalidValue(label, "one_packet", True, "is for udp and firewall mark services only")


def check_scheduler_flags(label: str, scheduler: str, names: list[str]) -> int:
    """Return the bits of flag names; refuse names that the scheduler does not have."""
    known = scheduler_flag_bits(scheduler)
    flags = 0
    for name in names:
        if name not in known:
            raise InvalidValue(
                label, "scheduler_flags", name, f"must be of {', '.join(sorted(known))} with scheduler {scheduler}"
            )
        flags |= known[name]
    return flags


def check_real_server_key(label: str, key: RealServerKey) -> None:
    """Refuse addresses that the kernel refuses with EINVAL only."""
    if len(key.address) == 4 and 0 < key.address[0] < 224:
        return  # the usual case
    reason = _unusable(key.address)
    if not reason and len(key.address) == 16 and key.address[0] == 0xFE and key.address[1] & 0xC0 == 0x80:
        reason = "must not be a link-local address"
    if reason:
        raise InvalidValue(label, "real server address", address_text(key.address), reason)


def check_real_server(label: str, service: ServiceKey, key: RealServerKey, server: RealServer) -> None:
    """Refuse combinations that the kernel refuses without a reason, or that could never carry a packet."""
    where = f"real server {key}:"
    if server.forward_method in (DR, TUN) and not service.fwmark and key.port != service.port:
        method = FORWARD_METHOD_NAMES[server.forward_method]
        raise InvalidValue(
            label, f"{where} port", key.port, f"must be the service's port {service.port} with forward_method {method}"
        )
    if key.family != service.family and server.forward_method != TUN:
        raise InvalidValue(
            label,
            f"{where} address",
            address_text(key.address),
            "may be of another family than the service only with forward_method tun",
        )
    if server.lower_threshold > server.upper_threshold:
        raise InvalidValue(
            label,
            f"{where} lower_threshold",
            server.lower_threshold,
            f"must not be above upper_threshold ({server.upper_threshold})",
        )
    if server.forward_method == TUN:
        _check_tunnel(label, where, server)
    elif any(server[4:]):
        raise InvalidValue(
            label,
            f"{where} forward_method",
            FORWARD_METHOD_NAMES.get(server.forward_method),
            "has no tunnel options",
        )


def _check_tunnel(label: str, where: str, server: RealServer) -> None:
    kind = TUNNEL_TYPE_NAMES.get(server.tunnel_type, str(server.tunnel_type))
    if server.tunnel_type == GUE and not server.tunnel_port:
        raise InvalidValue(label, f"{where} tunnel_port", 0, "must be set with tunnel_type gue")
    if server.tunnel_type != GUE and server.tunnel_port:
        raise InvalidValue(label, f"{where} tunnel_port", server.tunnel_port, f"has no effect with tunnel_type {kind}")
    allowed = {IPIP: (NOCSUM,), GRE: (NOCSUM, CSUM)}.get(server.tunnel_type)
    if allowed and server.tunnel_checksum not in allowed:
        name = TUNNEL_CHECKSUM_NAMES.get(server.tunnel_checksum, server.tunnel_checksum)
        raise InvalidValue(label, f"{where} tunnel_checksum", name, f"is not possible with tunnel_type {kind}")


def default_port(service: ServiceKey) -> int:
    """Return a real server's port where none is given: the service's, 0 with a firewall mark."""
    return 0 if service.fwmark else service.port
