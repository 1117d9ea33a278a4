# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived writes about its virtual servers when it is asked to (keepalived(8), SIGUSR1). Pure.

The form is that of keepalived/check/check_data.c (dump_vs, dump_rs) in the versions 2.2.7 and 2.3.3: a head in dashes
for each virtual server and for each of its real servers, and below it lines ``Key = value``.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_SERVICE, _SERVER, _CHECKERS = "Virtual server", "Real server", "Health checkers"
_HEAD = re.compile(r"^ *------< (.*) >------$", re.MULTILINE)
_ADDRESS = re.compile(r"^ VS VIP = (\S+), VPORT = ([0-9]+)$", re.MULTILINE)
_MARK = re.compile(r"^ VS FWMARK = ([0-9]+)$", re.MULTILINE)
_FAMILY = re.compile(r"^   Address family = inet(6?)$", re.MULTILINE)
_PROTOCOL = re.compile(r"^   protocol = (TCP|UDP|SCTP)$", re.MULTILINE)
_ENDPOINT = re.compile(r"^   RIP = (\S+), RPORT = ([0-9]+), WEIGHT = ([0-9]+) ", re.MULTILINE)
_ALIVE = re.compile(r"^   alive = ([0-9]+)$", re.MULTILINE)
#: Whether it has added the real server to the table and not removed it since (ipvswrapper.c: ipvs_cmd).
_ADDED = re.compile(r"^   RS set = ([0-9]+)$", re.MULTILINE)


class AddedServer(NamedTuple):
    """A real server in keepalived's view of the table.

    ``service`` identifies its service: ``{"address": "192.0.2.10", "port": 80, "protocol": "tcp"}``, or fwmark and
    family. One that has failed is there only with inhibit_on_failure, and has weight 0 (ipvswrapper.c: ipvs_cmd).
    """

    service: Mapping[str, object]
    address: str
    port: int
    weight: int


def complete(text: str) -> bool:
    """Whether all virtual servers are there: the health checkers come behind them."""
    return _CHECKERS in _HEAD.findall(text) and text.endswith("\n")


def added(text: str) -> list[AddedServer]:
    """Return the real servers that keepalived takes to be in the table, in its order."""
    found = []
    service: dict[str, object] | None = None
    parts = _HEAD.split(text)
    for head, section in zip(parts[1::2], parts[2::2]):
        if head == _SERVICE:
            service = _identity(section)
        elif head != _SERVER:
            service = None
        elif service is not None:
            endpoint, is_added, alive = (one.search(section) for one in (_ENDPOINT, _ADDED, _ALIVE))
            if endpoint is not None and is_added is not None and alive is not None and int(is_added[1]):
                weight = int(endpoint[3]) if int(alive[1]) else 0
                found.append(AddedServer(service, endpoint[1], int(endpoint[2]), weight))
    return found


def _identity(section: str) -> dict[str, object] | None:
    """Return what identifies a virtual server; None for a group, which the role does not write."""
    address, mark = _ADDRESS.search(section), _MARK.search(section)
    family, protocol = _FAMILY.search(section), _PROTOCOL.search(section)
    if mark is not None and family is not None:
        return {"fwmark": int(mark[1]), "family": "ipv6" if family[1] else "ipv4"}
    if address is not None and protocol is not None:
        return {"address": address[1], "port": int(address[2]), "protocol": protocol[1].lower()}
    return None
