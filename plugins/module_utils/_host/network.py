# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, routes, routing rules and ends of tunnels in the kernel.

All but tunnels through pyroute2, versions 0.7.2 to 0.9. It lacks the family fou, and its versions take the flags of GRE
in three ways. So tunnels are made with the command ip, with the same words as at boot.

An IPv4 VIP gets host scope: then the kernel never selects it as a source by itself, as it would for an interface
without an address of its own (net/ipv4/devinet.c: inet_select_addr then searches every interface, lo first). For the
same purpose an IPv6 VIP gets a preferred lifetime of 0 (RFC 6724 section 5, rule 3). It also skips duplicate address
detection. Replies of connections to the VIP still have it as their source.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from .errors import HostError, MissingLibrary
from .process import RunCommand
from .state import (
    FALLBACK_METRIC,
    PROTOCOL_NUMBERS,
    ROUTE_PROTOCOL,
    TUNNEL_KINDS,
    Address,
    Fallback,
    GuePort,
    Route,
    Rule,
    TunnelDevice,
    is_our_tunnel,
)

_SCOPE_HOST = 254  # include/uapi/linux/rtnetlink.h: RT_SCOPE_HOST
_NO_DUPLICATE_DETECTION = 0x02  # include/uapi/linux/if_addr.h: IFA_F_NODAD
_FOREVER = 0xFFFFFFFF  # seconds; include/net/addrconf.h: INFINITY_LIFE_TIME
# pyroute2 0.7 silently ignores preferred_lft=0: it takes the lifetimes from "cacheinfo", by these names; 0.9 takes them
# from the arguments and overwrites "cacheinfo". So both.
_DEPRECATED = {"preferred": 0, "valid": _FOREVER, "cacheinfo": {"preferred": 0, "valid": _FOREVER}}
_ONLINK = 4  # include/uapi/linux/rtnetlink.h: RTNH_F_ONLINK
_UNREACHABLE = 7  # include/uapi/linux/rtnetlink.h: RTN_UNREACHABLE
_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


_IP_FAMILIES = {"inet": "ipv4", "inet6": "ipv6"}


@contextlib.contextmanager
def as_host_error(what: str = "", harmless: int = 0) -> Iterator[None]:
    """Turn the kernel's refusals into HostError, except for one harmless errno."""
    try:
        yield
    except MissingLibrary:
        raise
    except Exception as error:
        # pyroute2's NetlinkError is not an OSError and its module has changed, but its code has always been the errno.
        code = error.errno if isinstance(error, OSError) else getattr(error, "code", None)
        if not isinstance(code, int):
            raise
        if code != harmless:
            raise HostError(f"cannot {what}: {os.strerror(code)}" if what else os.strerror(code)) from error


class Rtnetlink:
    """A connection to the kernel, opened when it is first used."""

    def __init__(self) -> None:
        self._socket: Any | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def open(self) -> Any:
        """Return pyroute2's socket. Raises MissingLibrary."""
        if self._socket is None:
            try:
                from pyroute2 import IPRoute
            except ImportError as error:
                raise MissingLibrary("pyroute2", "python3-pyroute2") from error
            self._socket = IPRoute()
        return self._socket


class Addresses(Rtnetlink):
    """A connection to the kernel for addresses."""

    def read(self) -> frozenset[Address]:
        """Return every address of every interface. Raises HostError."""
        names = dict(socket.if_nameindex())
        with as_host_error("read the addresses"):
            messages = tuple(self.open().get_addr())
        found = set()
        for message in messages:
            text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            if text is not None and message["index"] in names:
                found.add(Address(text, message["prefixlen"], names[message["index"]]))
        return frozenset(found)

    def in_use(self) -> set[IPv4Address | IPv6Address]:
        """Return the addresses that this host has now, on all interfaces. Raises HostError, and MissingLibrary."""
        return {ip_address(one.address) for one in self.read()}

    def add(self, address: Address) -> None:
        """Add an address; one that exists already is fine. Raises HostError with the kernel's reason."""
        options = dict(_DEPRECATED, flags=_NO_DUPLICATE_DETECTION) if ":" in address.address else {"scope": _SCOPE_HOST}
        self._change("add", address, errno.EEXIST, options)

    def remove(self, address: Address) -> None:
        """Remove an address; a missing one is fine. Raises HostError with the kernel's reason."""
        self._change("del", address, errno.EADDRNOTAVAIL, {})

    def _change(self, command: str, address: Address, harmless: int, options: dict[str, Any]) -> None:
        with as_host_error(harmless=harmless):
            self.open().addr(
                command,
                index=socket.if_nametoindex(address.interface),
                address=address.address,
                prefixlen=address.prefix,
                family=socket.AF_INET6 if ":" in address.address else socket.AF_INET,
                **options,
            )


def held_addresses() -> set[IPv4Address | IPv6Address]:
    """Return the addresses that this host has now, on all interfaces. Raises HostError, and MissingLibrary."""
    addresses = Addresses()
    try:
        return addresses.in_use()
    finally:
        addresses.close()


class Routes(Rtnetlink):
    """A connection to the kernel for routes and rules."""

    def read_routes(self, table: int) -> frozenset[Route]:
        """Return the default routes of a table. Raises HostError."""
        names = dict(socket.if_nameindex())
        found = set()
        for family, number in _FAMILIES.items():
            with as_host_error("read the routes"):
                messages = tuple(self.open().get_routes(family=number, table=table))
            for message in messages:
                gateway, index = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_OIF")
                # pyroute2 0.7 requests one table, which old kernels answer with all
                if message["dst_len"] == 0 and message.get_attr("RTA_TABLE") == table and gateway and index in names:
                    found.add(Route(table, family, gateway, names[index]))
        return frozenset(found)

    def read_fallbacks(self, table: int) -> frozenset[Fallback]:
        """Return the families for which a table ends with our unreachable route. Raises HostError."""
        found = set()
        for family, number in _FAMILIES.items():
            with as_host_error("read the routes"):
                messages = tuple(self.open().get_routes(family=number, table=table))
            for message in messages:
                ours = message["type"] == _UNREACHABLE and message.get_attr("RTA_PRIORITY") == FALLBACK_METRIC
                if ours and message["dst_len"] == 0 and message.get_attr("RTA_TABLE") == table:
                    found.add(Fallback(table, family))
        return frozenset(found)

    def read_rules(self, table: int) -> frozenset[Rule]:
        """Return the rules that lead to a table, and those with our protocol number. Raises HostError."""
        names = {number: name for name, number in PROTOCOL_NUMBERS.items()}
        found = set()
        for family, number in _FAMILIES.items():
            with as_host_error("read the routing rules"):
                messages = tuple(self.open().get_rules(family=number))
            for message in messages:
                leads_to = message.get_attr("FRA_TABLE")
                if leads_to != table and message.get_attr("FRA_PROTOCOL") != ROUTE_PROTOCOL:
                    continue
                protocol = message.get_attr("FRA_IP_PROTO") or 0
                low, _colon, high = str(message.get_attr("FRA_SPORT_RANGE") or "0:0").partition(":")
                found.add(
                    Rule(
                        leads_to,
                        message.get_attr("FRA_PRIORITY") or 0,
                        family,
                        message.get_attr("FRA_SRC") or "",
                        names.get(protocol, str(protocol) if protocol else ""),
                        (int(low), int(high)),
                        message.get_attr("FRA_SUPPRESS_PREFIXLEN") == 0,
                        message.get_attr("FRA_DST") or "",
                    )
                )
        return frozenset(found)

    def change(self, before: Route | None, after: Route | None) -> None:
        """Change a default route. Raises HostError with the kernel's reason."""
        if after is not None:
            with as_host_error():
                self.open().route("replace", **_route(after))
        elif before is not None:
            with as_host_error(harmless=errno.ESRCH):
                self.open().route("del", **_route(before))

    def add_fallback(self, fallback: Fallback) -> None:
        """Add an unreachable route; an existing one is fine. Raises HostError with the kernel's reason."""
        with as_host_error(harmless=errno.EEXIST):
            self.open().route("add", **_fallback(fallback))

    def remove_fallback(self, fallback: Fallback) -> None:
        """Remove an unreachable route; a missing one is fine. Raises HostError with the kernel's reason."""
        with as_host_error(harmless=errno.ESRCH):
            self.open().route("del", **_fallback(fallback))

    def add_rule(self, rule: Rule) -> None:
        """Add a rule; an existing one is fine. Raises HostError with the kernel's reason."""
        with as_host_error(harmless=errno.EEXIST):
            self.open().rule("add", **_rule(rule))

    def remove_rule(self, rule: Rule) -> None:
        """Remove a rule; a missing one is fine. Raises HostError with the kernel's reason."""
        with as_host_error(harmless=errno.ENOENT):
            self.open().rule("del", **_rule(rule))


def _route(route: Route) -> dict[str, Any]:
    return {
        "family": _FAMILIES[route.family],
        "dst": "default",
        "gateway": route.gateway,
        "oif": socket.if_nametoindex(route.interface),
        "table": route.table,
        "flags": _ONLINK,
    }


def _fallback(fallback: Fallback) -> dict[str, Any]:
    return {
        "family": _FAMILIES[fallback.family],
        "dst": "default",
        "type": _UNREACHABLE,
        "table": fallback.table,
        "priority": FALLBACK_METRIC,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    words: dict[str, Any] = {
        "family": _FAMILIES[rule.family],
        "table": rule.table,
        "priority": rule.priority,
    }
    if rule.address:
        words.update(src=rule.address, src_len=128 if ":" in rule.address else 32)
    if rule.protocol:
        words["ip_proto"] = PROTOCOL_NUMBERS.get(rule.protocol) or int(rule.protocol)
    if rule.ports[0]:
        words["sport_range"] = f"{rule.ports[0]}:{rule.ports[1]}"
    if rule.destination:
        words.update(dst=rule.destination, dst_len=128 if ":" in rule.destination else 32)
    # names of attributes: pyroute2 0.7 takes "protocol" for that of the message's header
    if rule.more_than_default:
        words["FRA_SUPPRESS_PREFIXLEN"] = 0
    if rule.marked:
        words["FRA_PROTOCOL"] = ROUTE_PROTOCOL
    return words


class Tunnels:
    """Tunnel devices and GUE ports, through a command runner."""

    def __init__(self, run: RunCommand) -> None:
        self._run = run

    def read_devices(self) -> frozenset[TunnelDevice]:
        """Return the devices that this collection has made. Raises HostError."""
        found = set()
        for link in self._listed("-details", "link", "show"):
            info = link.get("linkinfo", {})
            name, kind, data = link.get("ifname", ""), info.get("info_kind"), info.get("info_data", {})
            if is_our_tunnel(name) and kind in TUNNEL_KINDS:
                up = "UP" in link.get("flags", ())
                found.add(TunnelDevice(kind, data.get("local", ""), bool(data.get("icsum")), name, up))
        return frozenset(found)

    def read_gue_ports(self) -> frozenset[GuePort]:
        """Return all ports of GUE, those of other programs too. Raises HostError, also if the kernel module is not
        loaded.
        """
        return frozenset(
            GuePort(_IP_FAMILIES[one["family"]], int(one["port"]))
            for one in self._listed("fou", "show")
            if "gue" in one and one.get("family") in _IP_FAMILIES
        )

    def add(self, device: TunnelDevice) -> None:
        """Make a device and set it up. Raises HostError with the kernel's reason."""
        self._ip("link", "add", "name", device.name, "type", *device.words().split())
        try:
            self.set_up(device)
        except HostError:
            self.remove(device)
            raise

    def set_up(self, device: TunnelDevice) -> None:
        """Set it up, without an address of its own: no packets are sent through it. Raises HostError."""
        # one after the other: in one command the kernel sets it up first, which adds the address
        with contextlib.suppress(HostError):  # a kernel without IPv6 has nothing to generate
            self._ip("link", "set", "dev", device.name, "addrgenmode", "none")
        self._ip("link", "set", "dev", device.name, "up")

    def remove(self, device: TunnelDevice) -> None:
        """Remove a device. Raises HostError with the kernel's reason."""
        self._ip("link", "delete", "dev", device.name)

    def add_gue_port(self, port: GuePort) -> None:
        """Make the kernel receive GUE on a port. Raises HostError with the kernel's reason."""
        self._ip(f"-{port.family[-1]}", "fou", "add", "port", str(port.port), "gue")

    def remove_gue_port(self, port: GuePort) -> None:
        """Undo add_gue_port. Raises HostError with the kernel's reason."""
        self._ip(f"-{port.family[-1]}", "fou", "del", "port", str(port.port))

    def _listed(self, *words: str) -> list[dict[str, Any]]:
        text = self._ip("-json", *words)
        try:
            found = json.loads(text or "[]")
        except ValueError as error:
            raise HostError(f"ip {' '.join(words)} does not write JSON ({error}): this iproute2 is too old") from error
        return [one for one in found if isinstance(one, dict)]

    def _ip(self, *words: str) -> str:
        status, output, errors = self._run(["ip", *words])
        if status == 0:
            return output
        # as in "Error: Unknown device type." and "RTNETLINK answers: File exists", sometimes followed by more
        said = (errors.strip() or output.strip() or f"exit status {status}").splitlines()[0]
        raise HostError(said.rpartition("RTNETLINK answers: ")[2].removeprefix("Error: ").rstrip("."))
