# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large transfers through each tunnel: both ways, in whole packets, and nobody is told that one was too big."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import cluster
import matrix
import pytest
from testinfra.host import Host

Machines = Callable[[str], Host]

OCTETS = 1_000_000
CELLS = [cell for cell in matrix.ROUTED.cells if cell["forward_method"] == "tun" and cell["protocol"] == "tcp"]
HOSTS = ("director1", "rs1", "rs2")
#: Fragments that the kernel made, and those that it was sent (RFC 2011 ipFragCreates, ipReasmReqds; RFC 2465).
COUNTERS = ("Ip FragCreates", "Ip ReasmReqds", "Ip6 Ip6FragCreates", "Ip6 Ip6ReasmReqds")
TOO_BIG = "(icmp[0] = 3 and icmp[1] = 4) or icmp6[0] = 2"
FRAGMENT = "ip[6:2] & 0x3fff != 0 or ip6[6] = 44"
MTU = 1500
TIMESTAMPS = 12  # octets of a segment that the option takes (RFC 7323)
#: Octets around an inner packet, without the outer IP header, by the cells' tunnels: GRE with and without its checksum,
#: UDP and GUE with and without remote checksums.
WRAPPING = {"ipip": 0, "gre csum": 8, "gre none": 4, "gue none": 12, "gue csum": 12, "gue remcsum": 20}
HEADERS = {"ipv4": 20, "ipv6": 40}


def segment_size(cell: matrix.Cell) -> int:
    """The most data in a segment that fits into the MTU with everything around it."""
    tunnel = cell.get("tunnel", {})
    kind = tunnel.get("type", "ipip")
    wrapping = WRAPPING[kind if kind == "ipip" else f"{kind} {tunnel.get('checksum', 'none')}"]
    inner = "ipv6" if ":" in cell["address"] else "ipv4"
    outer = "ipv6" if ":" in cell["real_servers"][0]["address"] else "ipv4"
    return MTU - HEADERS[outer] - wrapping - HEADERS[inner] - 20 - TIMESTAMPS


def fragments(host: Host) -> dict[str, int]:
    """The counters of a host's kernel."""
    found: dict[str, int] = {}
    names: list[str] = []
    for line in host.check_output("cat /proc/net/snmp").splitlines():
        if line.startswith("Ip:"):
            words = line.split()[1:]
            if names:
                found.update((f"Ip {name}", int(value)) for name, value in zip(names, words, strict=True))
            names = words
    for line in host.check_output("cat /proc/net/snmp6").splitlines():
        name, value = line.split()
        found[f"Ip6 {name}"] = int(value)
    return {name: found[name] for name in COUNTERS}


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfers") / "router.pcap"


@pytest.fixture(scope="module")
def transfers(machine: Machines, capture: Path) -> dict[str, list[object]]:
    """What came, who took it and the MSS, by cell; the router and the client are listened to all the while."""
    cluster.wait_for_service(vip=CELLS[0]["address"], client="outsider")
    before = {name: fragments(machine(name)) for name in HOSTS}
    words = [word for cell in CELLS for word in (cell["address"], str(cell["port"]))]
    # Packets as they are on a real wire: the kernel would hand over several segments as one.
    cluster.on_client("ip", "link", "set", "dev", "outside", "gso_max_segs", "1", client="outsider")
    # What the client has been told before would hide that it needs to be told.
    for family in ("-4", "-6"):
        cluster.on_client("ip", family, "route", "flush", "cache", client="outsider")
    listening = [
        subprocess.Popen(
            [str(cluster.LAB / f"{namespace}.sh"), "-c", f"exec tcpdump -i {link} -U -w {capture}.{link} '{what}'"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for namespace, link, what in (("router", "far", FRAGMENT), ("outsider", "outside", TOO_BIG))
    ]
    try:
        for process in listening:
            assert process.stderr is not None
            assert any("listening on" in line for line in process.stderr)
        program = str(matrix.PROBE.with_name("transfer.py"))
        text = cluster.on_client("python3", program, str(OCTETS), *words, seconds=300, client="outsider")
    finally:
        for process in listening:
            process.terminate()
            process.communicate()
    after = {name: fragments(machine(name)) for name in HOSTS}
    assert after == before, "fragments"
    return {cell["name"]: json.loads(line) for cell, line in zip(CELLS, text.splitlines(), strict=True)}


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell["name"])
def test_a_megabyte_each_way(cell: matrix.Cell, transfers: dict[str, list[object]]) -> None:
    came, taker, segment = transfers[cell["name"]]
    print(f"{cell['name']}: {came} octets came, {taker} took as many, MSS {segment}")
    assert came == OCTETS
    assert taker in cluster.REAL_SERVERS
    assert segment == segment_size(cell)


def test_no_packet_was_a_fragment_or_too_big(transfers: dict[str, list[object]], capture: Path) -> None:
    assert transfers
    for link in ("far", "outside"):
        words = ["tcpdump", "-nn", "-r", f"{capture}.{link}"]
        packets = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        assert [line for line in packets if not re.match(r"\s*$", line)] == []
