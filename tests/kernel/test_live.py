# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to a real server that does not change live through every change around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import kernel
from ansible_collections.lvs.cluster.tests.kernel import traffic

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.plan import Operation
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

KEPT, SECOND, THIRD, FOURTH = traffic.SERVERS
ENOUGH = 150  # connections to it, of which 20 are there before
MOST_ROUNDS = 10  # of 21 changes each
BETWEEN = 5  # connections between two changes, to whichever real server


def changes() -> list[dict[str, Any]]:
    """What the service is to become, one after the other: weights, other servers, flags, persistence, thresholds."""
    kept: dict[str, Any] = {"address": KEPT, "forward_method": "nat"}
    others = [
        [(SECOND, 1), (THIRD, 1)],
        [(SECOND, 5), (THIRD, 2)],
        [(SECOND, 0), (THIRD, 1), (FOURTH, 3)],
        [(FOURTH, 1)],
        [],
        [(THIRD, 4)],
    ]
    services: list[dict[str, Any]] = [
        {"scheduler": "rr"},
        {"scheduler": "sh", "scheduler_flags": ["sh-port", "sh-fallback"]},
        {"scheduler": "mh", "scheduler_flags": ["mh-port", "mh-fallback"]},
        {"scheduler": "wrr", "scheduler_flags": []},
        {"scheduler": "wlc", "persistence_timeout": 1, "persistence_netmask": "24"},
        {"persistence_timeout": 30, "persistence_netmask": "32"},
        {"persistence_timeout": 0, "scheduler": "lc", "scheduler_flags": ["flag-1"]},
    ]
    made = []
    for number in range(len(services) * len(others) // 2):
        servers = [
            {"address": address, "forward_method": "nat", "weight": weight, "upper_threshold": number % 3 * 1000}
            for address, weight in others[number % len(others)]
        ]
        made.append({**services[number % len(services)], "real_servers": [kept, *servers]})
    return made


@pytest.fixture
def kept_operations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Words for every operation on the service or on the real server that does not change."""
    operations: list[str] = []
    original = kernel.Ipvs._apply_chunk

    def spy(ipvs: kernel.Ipvs, chunk: list[Operation]) -> list[kernel.Failure]:
        operations.extend(
            one.describe() for one in chunk if one.server_key is None or str(one.server_key) == f"{KEPT}:80"
        )
        return original(ipvs, chunk)

    monkeypatch.setattr(kernel.Ipvs, "_apply_chunk", spy)
    return operations


def scheduled(host: Host, server: str) -> int:
    """Connections that a real server was given, as ipvsadm counts them."""
    listed = host.run("ipvsadm", "-L", "-n", "--stats", "--exact").stdout.splitlines()
    return int(next(line.split()[2] for line in listed if f"-> {server}:" in line))


def test_no_connection_to_an_unchanged_real_server_is_lost(host: Host, kept_operations: list[str]) -> None:
    service: dict[str, Any] = {"address": traffic.VIP, "port": traffic.PORT}
    host.ok("ipvs_table", services=[{**service, "real_servers": [{"address": KEPT, "forward_method": "nat"}]}])
    kept_operations.clear()
    with traffic.site() as site:
        sniffer = traffic.Sniffer(site)
        client = traffic.Client(site)
        assert set(client.ask("open", 20)) == {KEPT}
        client.ask("start", 3)
        done = 0
        for _round in range(MOST_ROUNDS):
            for number, change in enumerate(changes()):
                result = host.ok("ipvs_table", services=[{**service, **change}], purge="real_servers")
                done += result["changed"]
                if number % 5 == 0:
                    host.ok("ipvs_timeout", tcp=900 + number, tcp_fin=60 + number)
                # Changes that follow one another at once leave a slow machine no time for traffic.
                assert client.ask("more", BETWEEN) >= BETWEEN
            if scheduled(host, KEPT) > ENOUGH:
                break
        result = client.ask("stop")
        flows = sniffer.flows()
    reached = {port for server, port in flows if server == KEPT}
    answered = set(result["answered"][KEPT])
    print(f"{done} changes: {len(answered)} connections to {KEPT}, {result['beats']} heartbeats on 20 that stayed")
    lost = reached - answered - set(result["held"])
    assert not lost, f"{len(lost)} of {len(reached)} connections that were sent to {KEPT} got no answer"
    assert not [failure for failure in result["failed"] if failure.startswith("held")]
    assert len(answered) > ENOUGH / 2
    assert result["beats"] > ENOUGH / 2
    assert set(kept_operations) == {f"set virtual service tcp {traffic.VIP}:80"}
