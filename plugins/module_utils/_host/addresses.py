# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses through pyroute2, versions 0.7.2 to 0.9.

An IPv4 VIP gets host scope: the kernel then never picks it as a source by itself, which it would on an interface
without an address of its own (net/ipv4/devinet.c: inet_select_addr then looks on every interface, lo first). An IPv6
VIP gets a preferred lifetime of 0 for the same end (RFC 6724 section 5, rule 3), and skips duplicate address detection.
Replies of connections to the VIP carry it all the same.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from .rtnetlink import Rtnetlink, as_host_error
from .state import Address

_SCOPE_HOST = 254  # include/uapi/linux/rtnetlink.h: RT_SCOPE_HOST
_NO_DUPLICATE_DETECTION = 0x02  # include/uapi/linux/if_addr.h: IFA_F_NODAD
_FOREVER = 0xFFFFFFFF  # seconds; include/net/addrconf.h: INFINITY_LIFE_TIME
# pyroute2 0.7 silently ignores preferred_lft=0: it takes the lifetimes from "cacheinfo", by these names; 0.9 takes them
# from the arguments and overwrites "cacheinfo". So both.
_DEPRECATED = {"preferred": 0, "valid": _FOREVER, "cacheinfo": {"preferred": 0, "valid": _FOREVER}}


class Addresses(Rtnetlink):
    """A connection to the kernel for addresses."""

    def read(self) -> frozenset[Address]:
        """Every address of every interface. Raises HostError."""
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
        """The addresses that this host has now, on whichever interface. Raises HostError, and MissingLibrary."""
        return {ip_address(one.address) for one in self.read()}

    def add(self, address: Address) -> None:
        """Add an address; one that is already there is fine. Raises HostError with the kernel's reason."""
        options = dict(_DEPRECATED, flags=_NO_DUPLICATE_DETECTION) if ":" in address.address else {"scope": _SCOPE_HOST}
        self._change("add", address, errno.EEXIST, options)

    def remove(self, address: Address) -> None:
        """Remove an address; one that is not there is fine. Raises HostError with the kernel's reason."""
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
    """The addresses that this host has now, on whichever interface. Raises HostError, and MissingLibrary."""
    addresses = Addresses()
    try:
        return addresses.in_use()
    finally:
        addresses.close()
