# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flood of SYNs ends at the director; without the proxy it reaches the real servers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import cluster
import pytest
from testinfra.host import Host

PROXIED, OPEN = "192.0.2.23", "192.0.2.22"
FLOOD, FEW = 20000, 300
QUIET = 3.0
RATE = 1500  # a second: what the machines take without losing packets
NOWHERE = "198.19.0.0/16"  # the half of RFC 2544 that the lab itself does not use
SCRIPTS = cluster.ROOT / "molecule"

# Counters of the tests' own, before anything else sees the packets.
COUNTERS = """
table inet test_synproxy {
  counter arrived { }
  chain arrived { type filter hook prerouting priority -400; %s tcp flags syn / syn,ack counter name arrived; }
}
"""


def count(host: Host) -> int:
    text = host.check_output("nft --json list counter inet test_synproxy arrived")
    return int(json.loads(text)["nftables"][1]["counter"]["packets"])


@pytest.fixture(scope="module")
def hosts(machine: Callable[[str], Host]) -> Iterator[dict[str, Host]]:
    """The machines with counters: of the flood on the director, of every SYN for the service on the real servers."""
    found = {name: machine(name) for name in (cluster.DIRECTOR, *cluster.REAL_SERVERS)}
    director = found[cluster.DIRECTOR]
    # Where the flood claims to come from is beyond a router that drops what comes back.
    director.check_output("ip route add %s via %s", NOWHERE, cluster.CLIENT)
    for name, host in found.items():
        which = f"ip saddr {NOWHERE}" if name == cluster.DIRECTOR else "tcp dport 7001"
        host.check_output("printf '%%s' %s | nft --file -", COUNTERS % which)
    yield found
    for host in found.values():
        host.check_output("nft delete table inet test_synproxy")
    director.check_output("ip route del %s", NOWHERE)


def flood(hosts: dict[str, Host], vip: str, packets: int) -> int:
    """Send SYNs, and wait until the director has them all; how many came to the real servers."""
    before = {name: count(host) for name, host in hosts.items()}
    mac = hosts[cluster.DIRECTOR].check_output("cat /sys/class/net/cluster/address")
    words = ["cluster", mac, vip, "80", str(packets), str(RATE)]
    assert int(cluster.on_client("python3", str(SCRIPTS / "flood.py"), *words)) == packets
    arrived = settled(lambda: count(hosts[cluster.DIRECTOR]) - before[cluster.DIRECTOR])
    assert arrived == packets
    return settled(lambda: sum(count(hosts[name]) - before[name] for name in cluster.REAL_SERVERS))


def settled(number: Callable[[], int]) -> int:
    """A number once it has been the same for a while: packets are on their way."""
    begun = since = time.monotonic()
    last = number()
    while time.monotonic() - since < QUIET:
        assert time.monotonic() - begun < 90
        now = number()
        if now != last:
            last, since = now, time.monotonic()
    return last


def half_open(host: Host) -> int:
    return int(host.check_output("ss --no-header --numeric --tcp state syn-recv 'sport = :7001' | wc -l"))


def test_no_spoofed_syn_reaches_a_real_server_and_clients_are_served(hosts: dict[str, Host]) -> None:
    reached = flood(hosts, PROXIED, FLOOD)
    print(f"{FLOOD} spoofed SYNs for the proxied service: {reached} reached a real server")
    assert reached == 0
    before = sum(count(hosts[name]) for name in cluster.REAL_SERVERS)
    probe = str(SCRIPTS / "probe.py")
    answers = json.loads(cluster.on_client("python3", probe, "100", "tcp", PROXIED, "80", seconds=300))
    assert sorted(map(tuple, answers)) == [("rs1", "192.0.2.2")] * 50 + [("rs2", "192.0.2.2")] * 50
    # the counters do count
    assert sum(count(hosts[name]) for name in cluster.REAL_SERVERS) - before >= 100


def test_without_the_proxy_the_same_is_seen_by_the_real_servers(hosts: dict[str, Host]) -> None:
    reached = flood(hosts, OPEN, FEW)
    waiting = sum(half_open(hosts[name]) for name in cluster.REAL_SERVERS)
    print(f"{FEW} spoofed SYNs for the service without: {reached} reached a real server, {waiting} half-open there")
    assert reached >= FEW * 0.9
    assert waiting > 0
