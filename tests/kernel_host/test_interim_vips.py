# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VIPs that an interface loses for a moment, on a real kernel: a neighbour is served throughout."""

from __future__ import annotations

import socket
import subprocess

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.local_addresses import all_addresses
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import parse_address
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.continuity import InterimVips

VIPS = ("192.0.2.10", "2001:db8::10")
PORT = 7000


def ip_of(lab, verb):
    """What keepalived does with its VIPs."""
    for vip in VIPS:
        options = ["nodad"] if ":" in vip and verb == "add" else []
        lab.ip(lab.host, "address", verb, f"{vip}/{128 if ':' in vip else 32}", "dev", "link0", *options)


@pytest.fixture(name="runner")
def _runner(lab):
    def run(command):
        done = subprocess.run(
            ["ip", "netns", "exec", lab.host, *command], capture_output=True, text=True, check=False, timeout=30
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture(name="clients")
def _clients(lab):
    """A connection of the neighbour to each VIP, and how it is asked for an answer."""
    ip_of(lab, "add")
    sockets = []
    asking = []
    for vip in VIPS:
        family = socket.AF_INET6 if ":" in vip else socket.AF_INET
        lab.ip(lab.next, "route", "add", vip, "dev", "link0")
        listening = lab.socket(lab.host, family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((vip, PORT))
        listening.listen()
        client = lab.socket(lab.next, family, socket.SOCK_STREAM)
        client.settimeout(10)
        client.connect((vip, PORT))
        server = listening.accept()[0]
        server.settimeout(10)
        sockets += [listening, client, server]
        asking.append((client, server))

    def answered():
        for client, server in asking:
            client.sendall(b"who")
            assert server.recv(3) == b"who"
            server.sendall(b"me")
            assert client.recv(2) == b"me"
        return True

    yield answered
    for one in sockets:
        one.close()


def test_a_neighbour_is_served_meanwhile(lab, neighbour, runner, clients):
    addresses = {parse_address(vip) for vip in VIPS}
    before = lab.addresses()
    looks = []

    def look(_seconds):
        looks.append(clients())
        if len(looks) == 3:
            ip_of(lab, "add")

    with InterimVips(runner, look, lambda: all_addresses(runner)).meanwhile(addresses, 5.0):
        ip_of(lab, "del")
        assert lab.addresses() >= {"192.0.2.10/32 lo", "2001:db8::10/128 lo"}
        assert clients()
        assert neighbour.hears("192.0.2.10")
        assert not neighbour.hears("2001:db8::10"), "what the documentation says of IPv6"
    assert len(looks) >= 3
    assert lab.addresses() == before
    assert clients()
    assert neighbour.hears("2001:db8::10")


def test_the_kernel_ends_them_if_the_process_is_killed(lab, runner):
    ip_of(lab, "add")
    entered = InterimVips(runner).meanwhile({parse_address(vip) for vip in VIPS}, 5.0)
    entered.__enter__()
    shown = lab.ip(lab.host, "address", "show", "dev", "lo")
    assert shown.count("valid_lft 4") == len(VIPS), "seconds"
    assert shown.count("deprecated") == len(VIPS), "no source address of the host's own packets"


def test_an_address_that_comes_back_too_late(lab, runner, clients):
    """Another director may have it by then."""
    times: list[float] = []
    with InterimVips(runner, times.append).meanwhile({parse_address(VIPS[0])}, 1.0):
        lab.ip(lab.host, "address", "del", f"{VIPS[0]}/32", "dev", "link0")
        assert clients()
    assert len(times) == 10
    assert not [one for one in lab.addresses() if one.startswith(VIPS[0])]
