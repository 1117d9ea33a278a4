# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A director hands over, loses its power, or cannot hear the other: what clients notice of it."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable

import clients
import cluster
import matrix
import pytest
from testinfra.host import Host

Machines = Callable[[str], Host]

# Seconds: three intervals of 0.2 and a part of one (RFC 5798, Master_Down_Interval), and as long for the machines.
AWAY = 1.5

CUT = 10.0  # seconds
CUT_OFF = """
table inet test_split {
  chain input {
    type filter hook input priority -300;
    meta l4proto 112 drop
    ip saddr { 192.0.2.2, 192.0.2.3 } drop
    ip6 saddr { 2001:db8::2, 2001:db8::3 } drop
  }
}
"""


def hand_over(to: str) -> None:
    run = cluster.playbook("failover", "--extra-vars", f"lvs_failover_to={to}", scenario="pair")
    assert run.status == 0, run.text


def test_one_that_cannot_take_the_vips_leaves_them_where_they_are(machine: Machines) -> None:
    stopped = machine("director2")
    with clients.clients(held=10) as load:
        stopped.check_output("systemctl kill --signal=STOP keepalived")
        try:
            run = cluster.playbook("failover", "--extra-vars", "lvs_failover_to=director2", scenario="pair")
        finally:
            stopped.check_output("systemctl kill --signal=CONT keepalived")
        assert run.status != 0
        assert "The failover to director2 failed, and the VIPs follow the directors' priorities again" in run.text
        assert "keepalived did not report its state" in run.text
        # The one that woke up late has heard nothing meanwhile, and may take itself for the master for a moment.
        clients.until(lambda: clients.owners(machine) == ["director1"], 60)
        assert not load.noticed()
    for name in clients.DIRECTORS:
        assert machine(name).file("/var/lib/lvs-cluster/drain/director").content_string.strip() == "0"


@pytest.fixture(scope="module", autouse=True)
def settled(machine: Machines) -> None:
    """The first director has the VIPs, whatever an earlier run left."""
    if clients.owners(machine) != ["director1"]:
        hand_over("director1")


def translated() -> collections.Counter[tuple[str, ...]]:
    """Who answers through NAT, whose replies have to find the director that has the VIPs, and whom they saw."""
    return matrix.answered("4", "tcp", cluster.VIP, "8000")


def test_a_planned_failover_and_back_is_noticed_by_nobody(machine: Machines) -> None:
    assert clients.owners(machine) == ["director1"]
    with clients.clients() as load:
        for to in ("director2", "director1"):
            hand_over(to)
            assert clients.owners(machine) == [to]
            report = load.report()
            assert translated() == {(name, cluster.CLIENT): 2 for name in cluster.REAL_SERVERS}
            # And what was under way then: a connection that stays and gets no answer would hold this up.
            assert not load.beat()
            assert report["requests"] > 100
            assert not report["failures"], report["failed"]
            assert not report["broken"]
            assert clients.neighbour() == machine(to).check_output("cat /sys/class/net/cluster/address")


def say(director: Host, number: int) -> None:
    """What the playbook says to it (keepalived.conf: track_file): 0 ordinary, 1 after the others, 3 takes no VIP."""
    director.check_output(f"echo {number} >/var/lib/lvs-cluster/drain/director")


def test_many_handovers_are_noticed_by_nobody(machine: Machines) -> None:
    """In each there is a moment without an owner, and what comes then must neither go in circles nor be refused."""
    first, second = machine("director1"), machine("director2")
    with clients.clients(held=10) as load:
        load.beat()
        try:
            for _time in range(7):
                say(first, 3)
                clients.until(lambda: clients.owners(machine) == ["director2"], 30)
                say(first, 0)
                say(second, 3)
                clients.until(lambda: clients.owners(machine) == ["director1"], 30)
                say(second, 0)
        finally:
            say(first, 0)
            say(second, 0)
        assert not load.noticed()


def test_a_lost_director_is_replaced_and_connections_stay(machine: Machines) -> None:
    assert clients.owners(machine) == ["director1"]
    with clients.clients() as load:
        # The kernel tells the other director of a connection that is established, and may keep that for two seconds.
        load.beat()
        load.beat()
        clients.power("director1", "reset")
        clients.until(lambda: " 192.0.2.10/" in machine("director2").check_output("ip -o address show dev cluster"), 30)
        cluster.wait_for_service()
        report = load.report()
        print(f"VIP served again after {report['away'][0]:.2f} s")
        assert report["away"][0] < AWAY
        assert not [*report["failed"], *load.beat()]
        # It comes back, and takes the VIP again.
        machine("director1")
        clients.until(lambda: clients.owners(machine) == ["director1"], 300)
        assert not load.noticed()


def test_directors_that_do_not_hear_each_other_become_one_again(machine: Machines) -> None:
    directors = [machine(name) for name in clients.DIRECTORS]
    with clients.clients(held=10) as load:
        try:
            for director in directors:
                director.check_output(f"nft -f - <<'END'\n{CUT_OFF}\nEND")
            begun = time.monotonic()
            clients.until(lambda: clients.owners(machine) == list(clients.DIRECTORS), CUT)
            clients.until(lambda: time.monotonic() - begun >= CUT, CUT)
        finally:
            for director in directors:
                director.check_output("nft delete table inet test_split")
        clients.until(lambda: clients.owners(machine) == ["director1"], 30)
        mac = machine("director1").check_output("cat /sys/class/net/cluster/address")
        clients.until(lambda: clients.neighbour() == mac, 90)
        load.report()
        assert not load.beat()
