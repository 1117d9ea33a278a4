# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads from responders and sends to them, through the balancer. Runs on a client.

`transfer.py OCTETS ADDRESS PORT [ADDRESS PORT]...` prints one line of JSON for each: how many octets came, who took as
many, and the MSS that the kernel sends by.
"""

from __future__ import annotations

import json
import socket
import sys

SECONDS = 30.0
TCP_MAXSEG = 2  # include/uapi/linux/tcp.h


def connect(address: str, port: int) -> socket.socket:
    return socket.create_connection((address, port), timeout=SECONDS)


def load(address: str, port: int, octets: int) -> int:
    with connect(address, port) as one:
        one.sendall(b"give %d\n" % octets)
        came = 0
        while came < octets and (data := one.recv(65536)):
            came += len(data)
        return came


def send(address: str, port: int, octets: int) -> tuple[str, int]:
    with connect(address, port) as one:
        one.sendall(b"take %d\n" % octets)
        one.recv(10)
        one.sendall(bytes(octets))
        return one.recv(200).decode().split()[0], one.getsockopt(socket.IPPROTO_TCP, TCP_MAXSEG)


def main() -> None:
    octets, words = int(sys.argv[1]), sys.argv[2:]
    for address, port in zip(words[::2], words[1::2], strict=True):
        try:
            print(json.dumps([load(address, int(port), octets), *send(address, int(port), octets)]), flush=True)
        except OSError as error:
            print(json.dumps([str(error), "", 0]), flush=True)


if __name__ == "__main__":
    main()
