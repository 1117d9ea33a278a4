# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One service by firewall mark: the ports that are marked go to one server together."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable

import cluster
from testinfra.host import Host

PAIR = "192.0.2.24"  # tcp 80 and 7001 carry the mark 21
RANGE = "192.0.2.30"  # udp 10000 to 20000 carry the mark 23
BRIEF = "192.0.2.25"  # udp 7001 carries the mark 22; the persistence ends after 5 s
#: Real servers answer on one port for all of the range.
REDIRECTED = f"""
table ip test_range {{
  chain redirected {{
    type nat hook prerouting priority dstnat;
    ip daddr {RANGE} udp dport 10000-20000 redirect to :7001
  }}
}}
"""
#: Prints the shortest times that nft takes to load a rule, and a packet to pass it: with one port, and with the range.
TIMES = """\
import subprocess, time
from socket import *
RULES = "table ip test_time { chain passed { type filter hook output priority 0; udp dport %s meta mark set 23; }; }"
def load(ports):
    subprocess.run(["nft", "-f", "-"], input=RULES % ports, text=True, check=True)
def timed(call):
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
def send():
    for _ in range(3000):
        sending.sendto(b"", ("127.0.0.1", 15000))
found = {ports: [[], []] for ports in ("15000", "10000-20000")}
with socket(AF_INET, SOCK_DGRAM) as bound, socket(AF_INET, SOCK_DGRAM) as sending:
    bound.bind(("127.0.0.1", 15000))
    for _ in range(8):
        for ports, (loads, sends) in found.items():
            loads.append(timed(lambda: load(ports)))
            sends.append(timed(send))
            subprocess.run(["nft", "delete", "table", "ip", "test_time"], check=True)
print(*(min(times) for kind in (0, 1) for times in (found["15000"][kind], found["10000-20000"][kind])))
"""
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


def test_a_range_of_ports_is_one_interval_and_one_real_server(machine: Callable[[str], Host]) -> None:
    """A client's flow of 100 ports stays, as with RTP."""
    chain = machine(cluster.DIRECTOR).check_output("nft list chain inet lvs_cluster marks").splitlines()
    (rule,) = [line.strip() for line in chain if RANGE in line]
    assert "udp dport 10000-20000 meta mark set 0x00000017" in rule
    questions = [word for port in range(10000, 20001, 101) for word in ("udp", RANGE, str(port))]
    for name in cluster.REAL_SERVERS:
        machine(name).check_output(f"nft -f - <<'END'\n{REDIRECTED}\nEND")
    try:
        lines = cluster.on_client("python3", PROBE, "1", *questions, seconds=300).splitlines()
    finally:
        for name in cluster.REAL_SERVERS:
            machine(name).check_output("nft delete table ip test_range")
    answers = [json.loads(line)[0] for line in lines]
    assert len(answers) == len(questions) // 3 >= 99
    assert len({tuple(answer) for answer in answers}) == 1, answers
    assert answers[0][1] == cluster.CLIENT


def test_a_range_of_ports_costs_no_more_than_one(machine: Callable[[str], Host]) -> None:
    text = machine(cluster.DIRECTOR).check_output(f"python3 -c {shlex.quote(TIMES)}")
    load_one, load_range, pass_one, pass_range = map(float, text.split())
    print(f"nft -f: {load_range / load_one:.2f} of one port's time; a packet: {pass_range / pass_one:.2f}")
    assert load_range < 1.2 * load_one
    assert pass_range < 1.2 * pass_one
