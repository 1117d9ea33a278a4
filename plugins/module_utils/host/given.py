# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several modules check of what a task gives.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from ..address import IPAddress, parse_address
from .errors import HostError


def unicast_address(where: str, text: str, use: str) -> IPAddress:
    """The address of one host on a network. Raises HostError, which names the option and what the address is for."""
    try:
        address = parse_address(text)
    except ValueError:
        raise HostError(f"{where}: {text!r} is no IP address") from None
    mapped = address.version == 6 and address.ipv4_mapped is not None
    if mapped or address.is_unspecified or address.is_multicast or address.is_loopback or "%" in text:
        raise HostError(f"{where}: {text} cannot be {use}")
    return address
