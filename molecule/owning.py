# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a link 20 times a second who has addresses, and counts who answers. Runs on a client.

`owning.py INTERFACE IPV4 IPV6 ADDRESS...` prints a line when it has begun. It ends when its standard input does, and
prints one line of JSON. For each address it has the hardware addresses that answered, how many questions two of them
answered, and the longest time without an answer.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from dataclasses import dataclass, field

from asking import solicitation, who_has

EVERY = 0.05  # seconds
_ARP, _IPV6 = b"\x08\x06", b"\x86\xdd"
_REPLY = b"\x00\x02"
_ADVERTISEMENT = 136  # RFC 4861


@dataclass
class Seen:
    """What was seen of one address."""

    owners: dict[str, int] = field(default_factory=dict)
    doubled: int = 0
    away: float = 0.0
    last: float = 0.0
    now: set[str] = field(default_factory=set)

    def answer(self, mac: str, when: float) -> None:
        self.owners[mac] = self.owners.get(mac, 0) + 1
        self.now.add(mac)
        self.away = max(self.away, when - self.last)
        self.last = when

    def next(self) -> None:
        self.doubled += len(self.now) > 1
        self.now = set()


def answered(frame: bytes) -> tuple[str, str] | None:
    """The address that a frame answers for, and its sender; None for any other frame.

    A gratuitous ARP request is no answer to a question of ours.
    """
    kind, mac = frame[12:14], frame[6:12].hex(":")
    if kind == _ARP and frame[20:22] == _REPLY:
        return socket.inet_ntoa(frame[28:32]), mac
    if kind == _IPV6 and frame[20] == socket.IPPROTO_ICMPV6 and len(frame) >= 78 and frame[54] == _ADVERTISEMENT:
        return socket.inet_ntop(socket.AF_INET6, frame[62:78]), mac
    return None


def main() -> None:
    interface, ipv4, ipv6, *addresses = sys.argv[1:]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((interface, 0))
    mac = wire.getsockname()[4]
    frames = [
        solicitation(mac, ipv6, address) if ":" in address else who_has(mac, ipv4, address) for address in addresses
    ]
    begun = time.monotonic()
    seen = {address: Seen(last=begun) for address in addresses}
    print("ready", flush=True)
    due = begun
    while True:
        now = time.monotonic()
        if now >= due:
            for one in seen.values():
                one.next()
            for frame in frames:
                wire.send(frame)
            due = now + EVERY
        ready = select.select([wire, sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]
        if sys.stdin in ready and not sys.stdin.readline():
            break
        if wire in ready:
            found = answered(wire.recv(2048))
            if found is not None and found[0] in seen:
                seen[found[0]].answer(found[1], time.monotonic())
    ended = time.monotonic()
    report = {
        address: {"owners": one.owners, "doubled": one.doubled, "away": max(one.away, ended - one.last)}
        for address, one in seen.items()
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
