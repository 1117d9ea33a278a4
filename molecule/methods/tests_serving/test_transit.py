# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through a director that translates, nobody reaches other ports of a real server than those of its services."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import cluster
import pytest
from testinfra.host import Host

#: What is on the real servers' network, by the address of the director on the client's.
ROUTES = {"192.0.2.11": "203.0.113.2", "2001:db8::11": "2001:db8:2::2"}
#: One that no service has, one that nat and fullnat services have, and that of a service without either.
PORTS = (22, 7001, 80)


@pytest.fixture(params=list(ROUTES))
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """An address of a real server to which a client on another link has a route by the director."""
    address: str = request.param
    family = "-6" if ":" in address else "-4"
    network = "2001:db8::/64" if ":" in address else "192.0.2.0/24"
    cluster.on_client("ip", family, "route", "replace", network, "via", ROUTES[address], client="outsider")
    yield address
    cluster.on_client("ip", family, "route", "del", network, client="outsider")


@contextlib.contextmanager
def transit(director: Host) -> Iterator[None]:
    """The director as a router of everything, which it would be without the guard."""
    director.check_output("nft list chain inet lvs_cluster no_transit > /run/no_transit.nft")
    director.check_output("nft flush chain inet lvs_cluster no_transit")
    try:
        yield
    finally:
        director.check_output("nft -f /run/no_transit.nft")


def reached(address: str) -> list[int]:
    """The ports of a real server that a client beyond the director can connect to."""
    program = (
        "import socket, sys\n"
        "for port in map(int, sys.argv[2:]):\n"
        "    try:\n"
        "        socket.create_connection((sys.argv[1], port), 3).close()\n"
        "        print(port)\n"
        "    except TimeoutError:\n"
        "        continue\n"
    )
    found = cluster.on_client("python3", "-c", program, address, *map(str, PORTS), client="outsider")
    return [int(port) for port in found.split()]


def test_no_port_of_a_real_server_is_reached_through_the_director(target: str, machine: Callable[[str], Host]) -> None:
    guarded = reached(target)
    with transit(machine(cluster.DIRECTOR)):
        opened = reached(target)
    print(f"ports of {target} reached through the director: {guarded}, without the guard {opened}")
    assert opened == list(PORTS)
    assert guarded == []
