# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers change to direct routing while connections of the former method go on."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.tests.kernel import traffic

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

SERVER = traffic.SERVERS[0]
#: Datagrams, each from the same port, for so many seconds.
SENDER = """
import socket, sys, time
one = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("", int(sys.argv[2])))
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    try:
        one.sendto(b"x", (sys.argv[1], 80))
    except OSError:
        pass  # an ICMP error of a datagram before
    time.sleep(0.02)
"""
#: What reaches the real servers' interface: [destination, source port] of each datagram, until a line comes.
SNIFFER = """
import json, socket, sys, threading
one = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
seen = set()
def listen():
    while True:
        packet, address = one.recvfrom(65535)
        head = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
        protocol = packet[9] if packet[0] >> 4 == 4 else packet[6]
        if protocol == 17 and address[2] != socket.PACKET_OUTGOING:
            family, at = (socket.AF_INET, 16) if packet[0] >> 4 == 4 else (socket.AF_INET6, 24)
            to = socket.inet_ntop(family, packet[at : at + (4 if family == socket.AF_INET else 16)])
            seen.add((to, int.from_bytes(packet[head : head + 2], "big")))
threading.Thread(target=listen, daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(sorted(seen)))
"""
FAMILIES = {"ipv4": (traffic.VIP, SERVER), "ipv6": ("2001:db8:0:9::10", "2001:db8:0:8::11")}


def inside(namespace: str, program: str, *words: str) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", program, *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def with_ipv6(host: Host, site: traffic.Site, again: bool = False) -> None:
    """Addresses of IPv6; ``again`` those that went when the interface of the real servers did."""
    for words in (
        ["address", "replace", "2001:db8:0:8::1/64", "dev", "back", "nodad"],
        *first_time(site.client, site.server) * (not again),
    ):
        host.run("ip", *words)


def first_time(client: str, server: str) -> tuple[list[str], ...]:
    return (
        ["address", "add", "2001:db8:0:9::1/64", "dev", "front", "nodad"],
        ["address", "add", "2001:db8:0:9::10/128", "dev", "front", "nodad"],
        ["-n", client, "address", "add", "2001:db8:0:9::100/64", "dev", "eth0", "nodad"],
        ["-n", server, "address", "add", "2001:db8:0:8::11/64", "dev", "eth0", "nodad"],
    )


def reached(host: Host, family: str, prepared: bool) -> set[int]:
    """The source ports whose datagrams reach the real server by direct routing, beside a connection by nat."""
    vip, server = FAMILIES[family]
    service = {"address": vip, "port": 80, "protocol": "udp"}

    def by(method: str) -> list[dict[str, Any]]:
        return [{**service, "scheduler": "rr", "real_servers": [{"address": server, "forward_method": method}]}]

    with traffic.site() as site:
        with_ipv6(host, site)
        host.ok("ipvs_table", services=by("nat"))
        former = inside(site.client, SENDER, vip, "4001", "600")
        sniffer = inside(site.server, SNIFFER)
        try:
            assert sniffer.stdout is not None
            assert sniffer.stdout.readline() == "ready\n"
            assert traffic.until(lambda: ":4001 " in host.run("ipvsadm", "-Lnc").stdout.replace("]", ""))
            if prepared:
                told = host.ok("ipvs_quiesce", check=True, services=by("dr"))
                assert not host.run("ip", "route", "show", "proto", "151").stdout
                result = host.ok("ipvs_quiesce", services=by("dr"))
                assert told["routes"] == result["routes"]
                (route,) = result["routes"]
                assert route.startswith(f"{server} via {server} dev back onlink")
                assert not host.ok("ipvs_quiesce", services=by("dr"))["routes"], "it has a gateway now"
            host.ok("ipvs_table", services=by("dr"))
            # The connection by nat sends on, and is first.
            sent = packets(host)
            assert traffic.until(lambda: packets(host) > sent + 5)
            inside(site.client, SENDER, vip, "4002", "2").wait(timeout=60)
            found = json.loads(sniffer.communicate("\n", timeout=30)[0])
        finally:
            former.kill()
            sniffer.kill()
            former.wait()
    assert [server, 4001] in found, "it goes on with its method"
    return {port for to, port in found if to == vip}


def packets(host: Host) -> int:
    listed = host.run("ipvsadm", "-Ln", "--stats", "--exact").stdout.splitlines()
    return sum(int(line.split()[3]) for line in listed if "->" in line and ":80" in line)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_new_connections_reach_the_real_server(host: Host, family: str) -> None:
    assert reached(host, family, prepared=True) == {4002}
    assert host.ok("director", state="absent", parts=["leaving"])["changed"] is False, "the interface took them along"


def test_without_the_route_they_do_not(host: Host) -> None:
    """The kernel is the oracle of what the routes are for: they can go when it needs them no longer."""
    assert reached(host, "ipv4", prepared=False) == set()


def test_the_routes_go_with_the_director(host: Host) -> None:
    with traffic.site():
        service = {"address": traffic.VIP, "port": 80}
        servers = [{"address": server, "forward_method": "nat"} for server in traffic.SERVERS]
        host.ok("ipvs_table", services=[{**service, "real_servers": servers}])
        direct = [{**service, "real_servers": [{"address": server} for server in traffic.SERVERS]}]
        before = host.run("ip", "route").stdout
        assert len(host.ok("ipvs_quiesce", services=direct)["routes"]) == 0, "no method is described"
        direct[0]["real_servers"] = [{**server, "forward_method": "dr"} for server in servers]
        assert len(host.ok("ipvs_quiesce", services=direct)["routes"]) == 4
        assert len(host.run("ip", "route", "show", "proto", "151").stdout.splitlines()) == 4
        assert host.ok("director", state="absent", parts=["leaving"], check=True)["changed"]
        assert host.ok("director", state="absent", parts=["leaving"])["changed"]
        assert host.run("ip", "route").stdout == before
        assert not host.ok("director", state="absent", parts=["leaving"])["changed"]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_routes_of_others_stay_and_go_on(host: Host, family: str) -> None:
    """A host route that does not name the next hop gives way for a while, with what it says of packets."""
    vip, server = FAMILIES[family]
    service = {"address": vip, "port": 80, "scheduler": "rr"}
    direct = [{**service, "real_servers": [{"address": server, "forward_method": "dr"}]}]

    def way() -> str:
        return host.run("ip", "route", "get", server).stdout

    with traffic.site() as site:
        with_ipv6(host, site)
        host.run("ip", "route", "add", server, "dev", "back", "mtu", "1400")
        host.ok("ipvs_table", services=[{**service, "real_servers": [{"address": server, "forward_method": "nat"}]}])
        before = way()
        assert " via " not in before
        assert host.ok("ipvs_quiesce", services=direct)["routes"]
        host.ok("ipvs_table", services=direct)
        assert f"via {server} dev back" in way()
        assert "mtu 1400" in way()
        assert not host.ok("ipvs_quiesce", services=direct)["routes"]
        # They go with the interface, and come back with the next run.
        host.run("ip", "link", "set", "back", "down")
        host.run("ip", "link", "set", "back", "up")
        with_ipv6(host, site, again=True)
        assert f"via {server}" not in way()
        assert host.ok("ipvs_quiesce", services=direct)["routes"]
        assert f"via {server} dev back" in way()
        assert host.ok("director", state="absent", parts=["leaving"])["changed"]
        assert f"via {server}" not in way()
        assert not host.ok("ipvs_quiesce", services=direct)["routes"], "nothing is known of it any more"
