# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One service by firewall mark: the ports that are marked go to one server together."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import cluster
from testinfra.host import Host

PAIR = "192.0.2.24"  # tcp 80 and 7001 carry the mark 21
BRIEF = "192.0.2.25"  # udp 7001 carries the mark 22; the persistence ends after 5 s
PROBE = str(cluster.ROOT / "molecule" / "probe.py")


def responder(protocol: str, vip: str) -> str:
    """Who answers on the port 7001."""
    answers = json.loads(cluster.on_client("python3", PROBE, "1", protocol, vip, "7001"))
    return str(answers[0][0])


def test_two_ports_go_to_one_server() -> None:
    cluster.wait_for_service(vip=PAIR)
    found: set[str] = set()
    for _number in range(5):
        found.update(cluster.ask(1, url=f"http://{PAIR}/"))
        found.add(responder("tcp", PAIR))
    assert len(found) == 1


def test_persistence_lasts_until_its_timeout(machine: Callable[[str], Host]) -> None:
    director = machine(cluster.DIRECTOR)
    # A ticket lasts at least as long as its connections, which for UDP is by default five minutes.
    director.check_output("ipvsadm --set 0 0 1")
    try:
        first = {responder("udp", BRIEF) for _number in range(5)}
        assert len(first) == 1
        begun = time.monotonic()
        # as ipvsadm writes the ticket of a mark
        while "0.0.0.22:" in director.check_output("ipvsadm --list --connection --numeric"):
            assert time.monotonic() - begun < 100
            time.sleep(1)
        # round robin: the next is another
        assert {responder("udp", BRIEF)} | first == {"rs1", "rs2"}
    finally:
        director.check_output("ipvsadm --set 0 0 300")
