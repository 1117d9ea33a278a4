# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks responders through the balancer. Runs on a client.

`probe.py TIMES PROTOCOL ADDRESS PORT [PROTOCOL ADDRESS PORT]...` prints one line of JSON for each: the answers, which
are [hostname, address seen], or an error as text. PROTOCOL@SOURCE asks from that address. "udp-one" asks all questions
from one port, which are one connection to the balancer; the others take a port each.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys

SECONDS = 10.0
KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, 132),
}


def ask(
    protocol: str, address: str, port: int, open_until_end: contextlib.ExitStack, times: int = 1
) -> list[list[str] | str]:
    """Questions from one port of this host.

    A port of UDP stays open until the end: the kernel could give it to the next question, which would belong to the
    connection that the balancer has for it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    name, _at, source = protocol.partition("@")
    try:
        with contextlib.ExitStack() as closed:
            one = socket.socket(family, *KINDS[name.removesuffix("-one")])
            (open_until_end if name.startswith("udp") else closed).enter_context(one)
            one.settimeout(SECONDS)
            if source:
                one.bind((source, 0))
            one.connect((address, port))
            found: list[list[str] | str] = []
            for _number in range(times):
                one.sendall(b"who\n")
                found.append(one.recv(200).decode().split())
            return found
    except OSError as error:
        return [str(error)]


def main() -> None:
    times, words = int(sys.argv[1]), sys.argv[2:]
    for protocol, address, port in zip(words[::3], words[1::3], words[2::3], strict=True):
        answers: list[list[str] | str] = []
        with contextlib.ExitStack() as open_until_end:
            if protocol.endswith("-one"):
                answers = ask(protocol, address, int(port), open_until_end, times)
            for _number in range(times - len(answers)):
                answers += ask(protocol, address, int(port), open_until_end)
                if isinstance(answers[-1], str) and len(answers) > 2:
                    break  # nobody is there: no need to wait for every one
        print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
