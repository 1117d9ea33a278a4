# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IP addresses: read from text, and written in one form.

Python's ipaddress differs from inet_ntop(3) in ::/96, and its own form of IPv4-mapped addresses has changed with Python
3.13. The kernel's tools, keepalived and pyroute2 write what inet_ntop writes. Names of files and comparisons with what
they report depend on the form, so every address that becomes text is one of these.

Pure.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address
from socket import AF_INET6, inet_ntop
from typing import Union


class IPv6Address(ipaddress.IPv6Address):
    """An IPv6 address whose text is that of inet_ntop(3), with its zone behind it."""

    __slots__ = ()

    def __str__(self) -> str:
        text = inet_ntop(AF_INET6, self.packed)
        return f"{text}%{self.scope_id}" if self.scope_id else text


IPAddress = Union[IPv4Address, IPv6Address]


def parse_address(text: str) -> IPAddress:
    """Return the address that a text without prefix length spells. Raises ValueError."""
    return IPv6Address(text) if ":" in text else IPv4Address(text)
