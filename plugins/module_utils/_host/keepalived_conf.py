# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual services in the text of a keepalived.conf. Pure.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence

from .address import parse_address

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

#: What identifies a service: ``{"address": "192.0.2.10", "port": 80, "protocol": "tcp"}``, or fwmark and family.
Identity = Mapping[str, object]


def written_services(text: str) -> list[dict[str, object]]:
    """Return the identities of the services that a configuration has, in its order.

    Without a word about it, a service is for TCP, and one for a mark for IPv4 (check/check_data.c: alloc_vs).
    """
    return [identity for _begin, _end, identity in _blocks(text)]


def without_services(text: str, unwanted: Sequence[Identity]) -> str:
    """Return a configuration of the role without the ``virtual_server`` blocks of these services.

    Such a block ends with the first line that begins with a closing brace.
    """
    kept, position = "", 0
    for begin, end, identity in _blocks(text):
        close = text.find("\n}\n", begin, end)
        if identity in unwanted and close >= 0:
            kept += text[position:begin]
            position = close + len("\n}\n")
    return kept + text[position:]


def _blocks(text: str) -> Iterator[tuple[int, int, dict[str, object]]]:
    """Yield for each service where its block begins, where the next one begins, and its identity."""
    heads = list(_WRITTEN.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends):
        fwmark, address, port = head.groups()
        if fwmark is not None:
            family = _FAMILY.search(text, head.end(), end)
            named = "ipv6" if family and family[1] == "inet6" else "ipv4"
            yield head.start(), end, {"fwmark": int(fwmark), "family": named}
            continue
        protocol = _PROTOCOL.search(text, head.end(), end)
        words = {"port": int(port or 0), "protocol": protocol[1].lower() if protocol else "tcp"}
        with contextlib.suppress(ValueError):  # the head of something else
            yield head.start(), end, {"address": str(parse_address(address)), **words}
