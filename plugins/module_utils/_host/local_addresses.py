# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's addresses, and the kernel's choice of source addresses.

Without pyroute2, which a new host may lack.
"""

from __future__ import annotations

import json
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from .director_state import Held
from .errors import HostError
from .process import RunCommand
from .validate import parse_address


def multicast_source(interface: str, run: RunCommand) -> IPv4Address | IPv6Address | None:
    """Return the address from which a socket that is bound to an interface sends IPv4 multicast; None if it has none.

    That is the first one of global scope that is not secondary (net/ipv4/devinet.c: inet_select_addr()).
    """
    for link in _listed(run, "-4", "address", "show", "dev", interface):
        for one in link.get("addr_info", []):
            if one.get("scope") == "global" and not one.get("secondary"):
                return ip_address(one["local"])
    return None


def all_addresses(run: RunCommand) -> list[Held]:
    """Return every address of every interface. Raises HostError."""
    return [
        Held(parse_address(one["local"]), int(one["prefixlen"]), str(link.get("ifname", "")))
        for link in _listed(run, "address", "show")
        for one in link.get("addr_info", [])
        if one.get("local") and one.get("family") in ("inet", "inet6")
    ]


def route_source(to: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    """Return the address from which this host sends to another one; None if it has no route. Nothing is sent."""
    family = socket.AF_INET if to.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((str(to), 9))
        except OSError:
            return None
        return ip_address(asking.getsockname()[0])


def _listed(run: RunCommand, *words: str) -> list[dict[str, Any]]:
    status, output, errors = run(["ip", "-json", *words])
    if status != 0:
        raise HostError(f"ip {' '.join(words)}: {errors.strip() or output.strip()}")
    return [one for one in json.loads(output or "[]") if isinstance(one, dict)]
