# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers on some ports, over TCP, UDP and SCTP, both families: who answers, and whom it saw asking. Runs on a machine.

`responder.py PORT,... ADDRESS...`; an answer is "hostname address". "give N" is answered with N octets, and
"take N" with "go" and, when N octets have come, the answer. SCTP tells its peer every address that it is
bound to, so it is bound to the given addresses one by one; they need not be there yet.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading

IP_FREEBIND = 15  # include/uapi/linux/in.h
BACKLOG = 128


def answer(peer: str) -> bytes:
    address = ipaddress.ip_address(peer.partition("%")[0])
    mapped = address.ipv4_mapped if address.version == 6 else None
    return f"{socket.gethostname()} {mapped or address}\n".encode()


def converse(connection: socket.socket, peer: str) -> None:
    said = answer(peer)
    with connection:
        connection.settimeout(60)
        # a client that stays says so once more for every answer that it wants
        while request := connection.recv(100):
            words = request.split()
            if words[0] == b"give":
                connection.sendall(bytes(int(words[1])))
            elif words[0] == b"take":
                left = int(words[1])
                connection.sendall(b"go\n")
                while left > 0 and (data := connection.recv(65536)):
                    left -= len(data)
                connection.sendall(said)
            else:
                connection.sendall(said)


def accept(listening: socket.socket) -> None:
    listening.listen(BACKLOG)
    while True:
        connection, peer = listening.accept()
        threading.Thread(target=converse, args=(connection, peer[0]), daemon=True).start()


def datagrams(open_socket: socket.socket) -> None:
    """Answer from the address that was asked: the kernel would choose one by the route."""
    open_socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    while True:
        _data, ancillary, _flags, peer = open_socket.recvmsg(100, 100)
        # the address, without the interface that it came in on
        back = [(level, kind, info[:16] + bytes(4)) for level, kind, info in ancillary]
        open_socket.sendmsg([answer(peer[0])], back, 0, peer)


def listen(port: int, addresses: list[str]) -> list[threading.Thread]:
    tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", port))
    work = [threading.Thread(target=accept, args=(tcp,)), threading.Thread(target=datagrams, args=(udp,))]
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sctp = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        sctp.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        sctp.bind((address, port))
        work.append(threading.Thread(target=accept, args=(sctp,)))
    return work


def main() -> None:
    for port in sys.argv[1].split(","):
        for thread in listen(int(port), sys.argv[2:]):
            thread.start()


if __name__ == "__main__":
    main()
