# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual services in a configuration of keepalived. Pure.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import contextlib
import re

from ..address import parse_address

# How a configuration of other hands may spell it too. What follows, up to the next of them, belongs to one service.
# The file is a host's, so the patterns take linear time: blanks end at the end of a line, and numbers have an end.
_FLAGS = re.MULTILINE | re.ASCII
_WRITTEN = re.compile(
    r"^[ \t]*virtual_server[ \t]+(?:fwmark[ \t]+([0-9]{1,10})|([0-9A-Fa-f.:]{2,45})(?:[ \t]+([0-9]{1,5}))?)\s{0,99}\{",
    _FLAGS,
)
_FAMILY = re.compile(r"^[ \t]*ip_family[ \t]+(inet6?)", _FLAGS)
_PROTOCOL = re.compile(r"^[ \t]*protocol[ \t]+(\w{1,9})", _FLAGS)
#: The longest configuration that is read, in characters.
MAX_WRITTEN = 2**20


def written_services(text: str) -> list[dict[str, object]]:
    """The services that a configuration has, by what tells them apart as modules take it.

    Without a word about it, a service is for TCP, and one for a mark for IPv4 (check/check_data.c: alloc_vs).
    """
    services: list[dict[str, object]] = []
    heads = list(_WRITTEN.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends):
        fwmark, address, port = head.groups()
        if fwmark is not None:
            family = _FAMILY.search(text, head.end(), end)
            services.append({"fwmark": int(fwmark), "family": "ipv6" if family and family[1] == "inet6" else "ipv4"})
            continue
        protocol = _PROTOCOL.search(text, head.end(), end)
        words = {"port": int(port or 0), "protocol": protocol[1].lower() if protocol else "tcp"}
        with contextlib.suppress(ValueError):  # the head of something else
            services.append({"address": str(parse_address(address)), **words})
    return services
