# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server unwraps what its directors send to its VIPs, and nothing else."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Callable, Iterator

import cluster
import pytest
import strangers
from testinfra.host import Host

REAL_SERVER = "rs1"
#: By family: the client, the director as the real servers see it, the real server, a VIP of every type of tunnel.
CLIENT = {4: "203.0.113.100", 6: "2001:db8:2::100"}
DIRECTOR = {4: "203.0.113.2", 6: "2001:db8:2::2"}
FAR = {4: "198.51.100.11", 6: "2001:db8:3::11"}
VIP = {4: "203.0.113.21", 6: "2001:db8:2::21"}
PORTS = {"ipip": 7001, "gre": 7002, "gue": 7003}
SECONDS = 3

_SOURCE_PORTS = itertools.count(20001)


def answered(kind: str, version: int, source: str, inner: str) -> str:
    """What answers a client's datagram that comes to the real server in a tunnel packet of `source`; empty: nobody."""
    port, own = PORTS[kind], next(_SOURCE_PORTS)
    listening = (
        "import socket, sys\n"
        f"s = socket.socket(socket.AF_INET{'6' if version == 6 else ''}, socket.SOCK_DGRAM)\n"
        f"s.bind(({CLIENT[version]!r}, {own}))\n"
        f"s.settimeout({SECONDS})\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    print(s.recvfrom(100)[0].decode())\n"
        "except TimeoutError:\n"
        "    print()\n"
    )
    words = [str(cluster.LAB / "outsider.sh"), "-c", 'exec "$@"', "outsider", "python3", "-c", listening]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        question = strangers.question(CLIENT[version], inner, port, own)
        # as the scenario's description has it
        packet = strangers.wrapped(kind, (source, FAR[version]), question, checksum=(kind, version) == ("gre", 4))
        router = strangers.namespace_mac("router", "outside")
        strangers.send([packet], router, interface="outside", client="outsider", times=2, interval=0.2)
        return process.stdout.read().strip()


@contextlib.contextmanager
def unguarded(host: Host) -> Iterator[None]:
    host.check_output("nft list table inet lvs_real_server > /run/guarded.nft")
    host.check_output("nft delete table inet lvs_real_server")
    try:
        yield
    finally:
        host.check_output("nft -f /run/guarded.nft")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", list(PORTS))
def test_only_the_directors_packets_for_vips_are_unwrapped(
    kind: str, version: int, machine: Callable[[str], Host]
) -> None:
    cases = {
        "the director to a VIP": (DIRECTOR[version], VIP[version]),
        "a stranger to a VIP": (CLIENT[version], VIP[version]),
        "the director to another address": (DIRECTOR[version], FAR[version]),
    }
    guarded = {name: answered(kind, version, *case) for name, case in cases.items()}
    with unguarded(machine(REAL_SERVER)):
        opened = {name: answered(kind, version, *case) for name, case in cases.items()}
    print(f"{kind} over IPv{version}: guarded {guarded}, without the guard {opened}")
    right = f"{REAL_SERVER} {CLIENT[version]}"
    assert opened == dict.fromkeys(cases, right)
    assert guarded == {**dict.fromkeys(cases, ""), "the director to a VIP": right}
