# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timeouts, synchronisation daemons, counters, and what else ipvs_info reads; ipvsadm and /proc are the oracles."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.tests.kernel import traffic

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

VIP = traffic.VIP
UDP: dict[str, Any] = {"address": VIP, "port": 53, "protocol": "udp"}
BOTH = ["master", "backup"]


def shown_timeouts(host: Host) -> list[str]:
    return host.run("ipvsadm", "-L", "--timeout").stdout.split()[-3:]


def shown_daemons(host: Host) -> list[str]:
    return host.run("ipvsadm", "-L", "--daemon").stdout.splitlines()


def test_timeouts(host: Host) -> None:
    assert shown_timeouts(host) == ["900", "120", "300"]
    predicted = host.ok("ipvs_timeout", check=True, tcp=3600, udp=30)
    assert shown_timeouts(host) == ["900", "120", "300"]
    result = host.ok("ipvs_timeout", tcp=3600, udp=30)
    assert shown_timeouts(host) == ["3600", "120", "30"]
    assert result["diff"] == predicted["diff"]
    assert (result["diff"]["before"], result["diff"]["after"]) == ("--set 900 120 300\n", "--set 3600 120 30\n")
    assert result["timeouts"] == predicted["timeouts"] == {"tcp": 3600, "tcp_fin": 120, "udp": 30}
    again = host.ok("ipvs_timeout", tcp=3600)
    assert (again["changed"], again["diff"]["before"], again["diff"]["after"]) == (False, "", "")
    assert host.ok("ipvs_info")["timeouts"] == result["timeouts"]


def test_timeouts_at_their_limits(host: Host) -> None:
    host.ok("ipvs_timeout", tcp=2147483, tcp_fin=1, udp=2147483)
    assert shown_timeouts(host) == ["2147483", "1", "2147483"]
    for value in (0, -1, 2147484, 2**40):
        message = host.failure("ipvs_timeout", udp=value)
        assert message == f"IPVS timeouts: udp must be a whole number from 1 to 2147483 (seconds) (got {value})"
    assert "required" in host.failure("ipvs_timeout")
    assert shown_timeouts(host) == ["2147483", "1", "2147483"]


@pytest.fixture
def _links(host: Host) -> None:
    """Two interfaces that messages can leave on."""
    for number, name in enumerate(("eth1", "eth2"), 1):
        host.run("ip", "link", "add", name, "type", "bridge")
        host.run("ip", "address", "add", f"203.0.113.{number}/25", "dev", name)
        host.run("ip", "address", "add", f"2001:db8:{number}::1/64", "dev", name, "nodad")
        host.run("ip", "link", "set", name, "up")


@pytest.mark.usefixtures("_links")
def test_a_daemon_with_every_attribute(host: Host) -> None:
    options: dict[str, Any] = {
        "interface": "eth1",
        "sync_id": 255,
        "multicast_group": "224.0.0.82",
        "port": 8850,
        "ttl": 3,
        "sync_maxlen": 1400,
    }
    predicted = host.ok("ipvs_sync_daemon", check=True, role="master", **options)
    assert shown_daemons(host) == []
    result = host.ok("ipvs_sync_daemon", role="master", **options)
    assert shown_daemons(host) == [
        "master sync daemon (mcast=eth1, syncid=255, maxlen=1400, group=224.0.0.82, port=8850, ttl=3)"
    ]
    assert result["diff"] == predicted["diff"]
    assert result["sync_daemons"] == predicted["sync_daemons"] == [{"role": "master", **options}]
    assert host.ok("ipvs_info")["sync_daemons"] == result["sync_daemons"]
    assert not host.ok("ipvs_sync_daemon", role="master")["changed"]
    assert not host.ok("ipvs_sync_daemon", role="master", **options)["changed"]
    changed = host.ok("ipvs_sync_daemon", role="master", sync_id=1)
    assert changed["changed"]
    assert shown_daemons(host) == [
        "master sync daemon (mcast=eth1, syncid=1, maxlen=1400, group=224.0.0.82, port=8850, ttl=3)"
    ]


@pytest.mark.usefixtures("_links")
def test_both_daemons_with_the_kernels_own_attributes(host: Host) -> None:
    result = host.ok("ipvs_sync_daemon", role=BOTH, interface="eth1")
    assert [daemon["sync_maxlen"] for daemon in result["sync_daemons"]] == [1472, 1472]
    assert shown_daemons(host) == [
        f"{role} sync daemon (mcast=eth1, syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)" for role in BOTH
    ]
    assert not host.ok("ipvs_sync_daemon", role=BOTH, interface="eth1")["changed"]
    host.ok("ipvs_sync_daemon", role="backup", interface="eth2", multicast_group="ff02::81")
    assert shown_daemons(host)[1] == (
        "backup sync daemon (mcast=eth2, syncid=0, maxlen=1452, group=ff02::81, port=8848, ttl=1)"
    )
    host.ok("ipvs_sync_daemon", role="master", state="stopped")
    assert [line.split()[0] for line in shown_daemons(host)] == ["backup"]
    stopped = host.ok("ipvs_sync_daemon", role=BOTH, state="stopped")
    assert (stopped["changed"], stopped["sync_daemons"], shown_daemons(host)) == (True, [], [])
    assert not host.ok("ipvs_sync_daemon", role=BOTH, state="stopped")["changed"]


@pytest.mark.usefixtures("_links")
def test_a_daemon_that_cannot_start_leaves_the_others_as_they_were(host: Host) -> None:
    host.ok("ipvs_sync_daemon", role=BOTH, interface="eth1", sync_id=5)
    before = shown_daemons(host)
    message = host.failure("ipvs_sync_daemon", role=BOTH, interface="eth9")
    assert message == (
        "cannot start sync daemon master: there is no interface eth9 (ENODEV); the daemons run as before"
    )
    assert shown_daemons(host) == before
    refused: list[tuple[dict[str, Any], str]] = [
        ({"sync_id": 256}, "sync_id must be a whole number from 0 to 255 (got 256)"),
        ({"ttl": 0}, "ttl must be a whole number from 1 to 255"),
        ({"port": 0}, "port must be a whole number from 1 to 65535"),
        ({"sync_maxlen": 1023}, "sync_maxlen must be a whole number from 1024 to 65507"),
        ({"multicast_group": "192.0.2.1"}, "multicast_group must be a multicast address"),
        ({"interface": "a name that is too long"}, "interface must be the name of an interface"),
    ]
    for options, words in refused:
        assert words in host.failure("ipvs_sync_daemon", role=BOTH, **options)
    host.ok("ipvs_sync_daemon", role=BOTH, state="stopped")
    assert "interface is needed to start it" in host.failure("ipvs_sync_daemon", role="backup")


@pytest.mark.usefixtures("_links")
def test_daemons_and_real_servers_of_another_family_exclude_each_other(host: Host) -> None:
    host.restore(f"-A -t {VIP}:80 -s rr\n")
    server: dict[str, Any] = {
        "service": {"address": VIP, "port": 80},
        "address": "2001:db8::1",
        "forward_method": "tun",
    }
    host.ok("ipvs_sync_daemon", role="master", interface="eth1")
    assert "does not mix families while a sync daemon runs" in host.failure("ipvs_real_server", **server)
    host.ok("ipvs_sync_daemon", role="master", state="stopped")
    host.ok("ipvs_real_server", **server)
    assert host.failure("ipvs_sync_daemon", role="master", interface="eth1") == (
        "cannot start sync daemon master: the kernel does not start one while a real server is of another family than"
        " its service (EINVAL); nothing was changed"
    )


def counted(host: Host) -> list[list[int]]:
    """Connections, packets and bytes of every service and real server, as ipvsadm shows them."""
    lines = host.run("ipvsadm", "-L", "-n", "--stats", "--exact").stdout.splitlines()[3:]
    return [[int(number) for number in line.split()[-5:]] for line in lines]


def traffic_over_loopback(host: Host) -> None:
    """Seven packets of 33 bytes to each of two services."""
    host.run("ip", "address", "add", f"{VIP}/32", "dev", "lo")
    host.restore("".join(f"-A -u {VIP}:{port} -s rr\n-a -u {VIP}:{port} -r 127.0.0.1:5353 -m\n" for port in (53, 54)))
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 5353))
        for port in [53, 54] * 7:
            client.sendto(b"12345", (VIP, port))
    assert traffic.until(lambda: counted(host) == [[1, 7, 0, 231, 0]] * 4)


def test_counters(host: Host) -> None:
    assert not host.ok("ipvs_counters")["changed"]
    traffic_over_loopback(host)
    info = host.ok("ipvs_info")
    totals = Path("/proc/net/ip_vs_stats").read_text().splitlines()[2].split()
    assert [int(number, 16) for number in totals] == list(info["statistics"].values()) == [2, 14, 0, 462, 0]
    host.ok("ipvs_counters", check=True)
    assert counted(host) == [[1, 7, 0, 231, 0]] * 4
    one = host.ok("ipvs_counters", service=UDP)
    assert counted(host) == [[0, 0, 0, 0, 0]] * 2 + [[1, 7, 0, 231, 0]] * 2
    assert [service["statistics"]["packets_in"] for service in one["services"]] == [7]
    assert one["diff"]["before"].startswith("udp 192.0.2.10:53: connections 1, packets_in 7, ")
    assert not host.ok("ipvs_counters", service=UDP)["changed"]
    everything = host.ok("ipvs_counters")
    assert counted(host) == [[0, 0, 0, 0, 0]] * 4
    assert everything["statistics"] == info["statistics"]
    assert everything["services"][1]["real_servers"] == info["services"][1]["real_servers"]
    assert not host.ok("ipvs_counters")["changed"]
    assert "no such virtual service, so it has no counters" in host.failure("ipvs_counters", service={"fwmark": 1})


def test_info_shows_connections_as_ipvsadm_does(host: Host) -> None:
    traffic_over_loopback(host)
    host.ok("ipvs_service", fwmark=3, persistence_timeout=60)
    listed = [line.split() for line in host.run("ipvsadm", "-L", "-n", "-c").stdout.splitlines()[2:]]
    info = host.ok("ipvs_info", connections=True)
    found = [
        [
            entry["protocol"].upper(),
            entry["state"],
            f"{entry['client_address']}:{entry['client_port']}",
            f"{entry['address']}:{entry['port']}",
            f"{entry['real_server_address']}:{entry['real_server_port']}",
        ]
        for entry in info["connections"]
    ]
    assert sorted(found) == sorted([line[0], *line[2:]] for line in listed)
    assert len(found) == 2
    assert all(0 < entry["expires"] <= 300 for entry in info["connections"])
    assert "connections" not in host.ok("ipvs_info")


def test_info_of_one_service(host: Host) -> None:
    host.restore(f"-A -u {VIP}:53 -s rr\n-A -u {VIP}:54 -s rr\n")
    info = host.ok("ipvs_info", service=UDP)
    assert (len(info["services"]), info["rules"]) == (1, f"-A -u {VIP}:53 -s rr\n")
    assert host.ok("ipvs_info", service={"fwmark": 1})["services"] == []


def test_info_of_the_kernel(host: Host, schedulers: list[str]) -> None:
    info = host.ok("ipvs_info")
    assert info["kernel_version"] == host.run("uname", "-r").stdout.strip()
    assert set(schedulers) == set(info["schedulers"])
    assert info["persistence_engines"] == ["sip"]
