# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not reach the kernel, although much of it would be accepted there.

PRIVATE to the collection lvs.cluster: may change without notice. Pure.

Every check returns nothing or raises InvalidValue. They look at complete values, so the same ones serve module
arguments, ipvsadm-save text and what a patch makes of an entry that exists.
"""

from __future__ import annotations

from . import model
from .model import DR, GRE, GUE, IPIP, TUN, InvalidValue, RealServer, RealServerKey, ServiceKey, Settings

_V4_MAPPED = b"\0" * 10 + b"\xff\xff"


def _unusable(address: bytes) -> str:
    """Why an address can be neither a VIP nor a real server; "" where it can."""
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
    """Refuse identities that the kernel takes and then serves wrongly or not at all. ``option``: what held it."""
    if key.fwmark:
        return
    reason = _unusable(key.address)
    if reason:
        raise InvalidValue(label, option, model.address_text(key.address), reason)


def check_settings(label: str, key: ServiceKey, settings: Settings) -> None:
    """Refuse settings that make no sense for the service they are for."""
    if key.fwmark:
        return
    if not key.port and not settings.persistence_timeout:
        # The kernel takes it and then logs an error for every packet (ip_vs_schedule).
        raise InvalidValue(label, "port", 0, "(every port) needs a persistent service: set persistence_timeout")
    if settings.one_packet and key.protocol != model.UDP:
        raise InvalidValue(label, "one_packet", True, "is for udp and firewall mark services only")


def check_scheduler_flags(label: str, scheduler: str, names: list[str]) -> int:
    """The bits of flag names; refuse names that the scheduler does not have."""
    known = model.scheduler_flag_bits(scheduler)
    flags = 0
    for name in names:
        if name not in known:
            raise InvalidValue(
                label, "scheduler_flags", name, f"must be of {', '.join(sorted(known))} with scheduler {scheduler}"
            )
        flags |= known[name]
    return flags


def check_real_server_key(label: str, key: RealServerKey) -> None:
    """Refuse addresses that the kernel refuses with a bare EINVAL."""
    if len(key.address) == 4 and 0 < key.address[0] < 224:
        return  # the usual case
    reason = _unusable(key.address)
    if not reason and len(key.address) == 16 and key.address[0] == 0xFE and key.address[1] & 0xC0 == 0x80:
        reason = "must not be a link-local address"
    if reason:
        raise InvalidValue(label, "real server address", model.address_text(key.address), reason)


def check_real_server(label: str, service: ServiceKey, key: RealServerKey, server: RealServer) -> None:
    """Refuse combinations that the kernel refuses without saying why, or that could never carry a packet."""
    where = f"real server {key}:"
    if server.forward_method in (DR, TUN) and not service.fwmark and key.port != service.port:
        method = model.FORWARD_METHOD_NAMES[server.forward_method]
        raise InvalidValue(
            label, f"{where} port", key.port, f"must be the service's port {service.port} with forward_method {method}"
        )
    if key.family != service.family and server.forward_method != TUN:
        raise InvalidValue(
            label,
            f"{where} address",
            model.address_text(key.address),
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
            model.FORWARD_METHOD_NAMES.get(server.forward_method),
            "has no tunnel options",
        )


def _check_tunnel(label: str, where: str, server: RealServer) -> None:
    kind = model.TUNNEL_TYPE_NAMES.get(server.tunnel_type, str(server.tunnel_type))
    if server.tunnel_type == GUE and not server.tunnel_port:
        raise InvalidValue(label, f"{where} tunnel_port", 0, "must be set with tunnel_type gue")
    if server.tunnel_type != GUE and server.tunnel_port:
        raise InvalidValue(label, f"{where} tunnel_port", server.tunnel_port, f"means nothing with tunnel_type {kind}")
    allowed = {IPIP: (model.NOCSUM,), GRE: (model.NOCSUM, model.CSUM)}.get(server.tunnel_type)
    if allowed and server.tunnel_checksum not in allowed:
        name = model.TUNNEL_CHECKSUM_NAMES.get(server.tunnel_checksum, server.tunnel_checksum)
        raise InvalidValue(label, f"{where} tunnel_checksum", name, f"is not possible with tunnel_type {kind}")


def default_port(service: ServiceKey) -> int:
    """A real server's port where none is given: the service's, 0 with a firewall mark."""
    return 0 if service.fwmark else service.port
