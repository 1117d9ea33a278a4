# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server that has the director as its way to everywhere, and not for the replies of its services alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import cluster
import pytest
from testinfra.host import Host

# Behind the client, and no real server knows a way to it; of the half of RFC 2544 that the lab itself does not use.
BEYOND = "198.19.0.1"
ROUTES = {
    "director1": f"{BEYOND}/32 via 203.0.113.100",
    "outsider": "192.0.2.0/24 via 203.0.113.2",
}


@pytest.fixture
def beyond(machine: Callable[[str], Host]) -> Iterator[None]:
    """The address, with a way to it from the director and back."""
    director = machine(cluster.DIRECTOR)
    cluster.on_client("ip", "address", "add", f"{BEYOND}/32", "dev", "lo", client="outsider")
    cluster.on_client("ip", "route", "add", *ROUTES["outsider"].split(), client="outsider")
    director.check_output(f"ip route add {ROUTES['director1']}")
    yield
    director.check_output(f"ip route del {ROUTES['director1']}")
    cluster.on_client("ip", "route", "del", *ROUTES["outsider"].split(), client="outsider")
    cluster.on_client("ip", "address", "del", f"{BEYOND}/32", "dev", "lo", client="outsider")


def reached(real_server: Host) -> bool:
    """Whether somebody refuses a connection to that address."""
    program = f"import socket; socket.create_connection(('{BEYOND}', 9), 3)"
    told = str(real_server.run("python3 -c %s", program).stderr)
    assert "Error" in told
    return "ConnectionRefusedError" in told


def rules(host: Host) -> list[str]:
    """Sorted: of one priority the kernel lists first what was added first."""
    return sorted(str(host.check_output("ip rule show; ip -6 rule show")).splitlines())


def test_everything_else_goes_by_the_director_too(machine: Callable[[str], Host], beyond: None) -> None:
    real_servers = {name: machine(name) for name in cluster.REAL_SERVERS}
    before = {name: rules(host) for name, host in real_servers.items()}
    assert not [name for name, host in real_servers.items() if reached(host)]
    try:
        # the director forwards what comes back to them only where the inventory says so
        everything = json.dumps({"real_server_return_traffic": "all"})
        told = cluster.playbook("site", "--limit", "directors", "--extra-vars", everything, scenario="routed")
        assert told.status == 0, told.text
        for name, host in real_servers.items():
            service = {"address": cluster.REAL_SERVERS[name], "protocol": "tcp", "port": 7001}
            wanted = {"gateways": ["192.0.2.2"], "services": [service], "traffic": "all"}
            changed = cluster.module(name, "return_route", wanted)
            assert changed.status == 0, changed.text
            assert reached(host)
            again = cluster.module(name, "return_route", wanted)
            assert "SUCCESS" in again.text, again.text
    finally:
        site = cluster.playbook(
            "site", "--tags", "lvs_real_server,lvs_nftables,lvs_table,lvs_keepalived", scenario="routed"
        )
        assert site.status == 0, site.text
    assert not [name for name, host in real_servers.items() if reached(host)]
    assert {name: rules(host) for name, host in real_servers.items()} == before


def test_a_host_that_answers_clients_itself_cannot_have_it() -> None:
    run = cluster.playbook(
        "site", "--limit", "rs1", "--extra-vars", json.dumps({"real_server_return_traffic": "all"}), scenario="routed"
    )
    assert run.status
    assert "real_server_return_traffic: 'all' is not possible on rs1, which answers clients itself" in run.text
    assert run.recap("rs1")["changed"] == 0
