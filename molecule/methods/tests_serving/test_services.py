# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of services: weights, schedulers that keep a client, one-packet scheduling, several ports, every port."""

from __future__ import annotations

import collections
import itertools
import json
from collections.abc import Iterator

import cluster
import matrix
import pytest

VIP = "192.0.2.28"
EVERY_PORT = "192.0.2.29"  # persistent by networks of 16 addresses
#: Addresses of clients, in three of these networks.
CLIENTS = [f"192.0.2.{number}" for number in (161, 165, 174, 177, 178, 190, 193, 194, 195, 206)]


@pytest.fixture(scope="module", autouse=True)
def clients() -> Iterator[None]:
    """Give the client all these addresses."""
    cluster.wait_for_service(vip=VIP)
    for action in ("add", "delete"):
        for address in CLIENTS:
            cluster.on_client("ip", "address", action, f"{address}/32", "dev", "cluster")
        if action == "add":
            yield


def ask(times: int, *questions: str) -> list[matrix.Answers]:
    """The answers to each question, which is "protocol address port"."""
    words = [word for question in questions for word in question.split()]
    text = cluster.on_client("python3", str(matrix.PROBE), str(times), *words, seconds=300)
    return [json.loads(line) for line in text.splitlines()]


def who(answers: matrix.Answers) -> list[str]:
    assert all(isinstance(answer, list) for answer in answers), answers
    return [answer[0] for answer in answers]


def test_weights_of_3_and_1_split_400_connections_exactly() -> None:
    (answers,) = ask(400, f"tcp {VIP} 7001")
    found = collections.Counter(who(answers))
    print(f"wrr 3:1, 400 connections: {found['rs1']} rs1, {found['rs2']} rs2")
    assert found == {"rs1": 300, "rs2": 100}


@pytest.mark.parametrize(("scheduler", "port"), [("sh", 7002), ("mh", 7003)])
def test_a_client_stays_with_its_real_server(scheduler: str, port: int) -> None:
    servers = [set(who(answers)) for answers in ask(4, *(f"tcp@{client} {VIP} {port}" for client in CLIENTS))]
    assert all(len(found) == 1 for found in servers), (scheduler, servers)
    assert set().union(*servers) == {"rs1", "rs2"}


def test_one_packet_scheduling_splits_the_datagrams_of_one_port() -> None:
    single, connection = ask(20, f"udp-one {VIP} 7004", f"udp-one {VIP} 7005")
    assert collections.Counter(who(single)) == {"rs1": 10, "rs2": 10}
    assert len(set(who(connection))) == 1


def test_several_ports_are_a_service_each() -> None:
    for answers in ask(4, f"tcp {VIP} 7006", f"tcp {VIP} 7007"):
        assert collections.Counter(who(answers)) == {"rs1": 2, "rs2": 2}


def test_every_port_keeps_a_network_of_clients_on_one_real_server() -> None:
    ports = (7001, 7002, 7003)
    questions = [f"tcp@{client} {EVERY_PORT} {port}" for client, port in itertools.product(CLIENTS, ports)]
    found: dict[int, set[str]] = collections.defaultdict(set)
    for (client, _port), answers in zip(itertools.product(CLIENTS, ports), ask(2, *questions), strict=True):
        found[int(client.rpartition(".")[2]) // 16].update(who(answers))
    assert all(len(servers) == 1 for servers in found.values()), found
    # networks come to the real servers in turns
    assert set().union(*found.values()) == {"rs1", "rs2"}
