# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived has the services with health checks and the modules the others, on both directors, and neither minds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

import clients
import cluster
import matrix
import pytest
from pairs import RULES, VIP6, followed, table
from testinfra.host import Host

Machines = Callable[[str], Host]

# The configured times of web-ipv6: until the next check, its time-out, the delay before a retry, that one's time-out.
WITHIN = 1 + 1 + 1 + 1

WEB6 = f"http://{VIP6}/"

LOOKING = 1  # seconds for the command on the real server and a look at the tables, on emulated machines
UNSEEN = """
table inet test_unseen {
  chain input {
    type filter hook input priority 0;
    ip saddr { 192.0.2.2, 192.0.2.3 } tcp dport { PORTS } tcp flags & (syn | ack) == syn drop
  }
}
"""


@pytest.fixture(scope="module", autouse=True)
def settled(machine: Machines) -> None:
    """Every first check has been made."""
    directors = [machine(name) for name in clients.DIRECTORS]
    clients.until(lambda: all(table(host) == sorted(RULES) for host in directors), 60)


def test_both_serve_both_kinds(machine: Machines) -> None:
    for name in clients.DIRECTORS:
        unchecked = machine(name).file("/etc/lvs-cluster/ipvs.rules").content_string
        assert ":7002" in unchecked
        assert ":80 " not in unchecked
    assert len(clients.owners(machine)) == 1
    assert cluster.ask(20, WEB6) == {"rs1": 10, "rs2": 10}
    assert set(cluster.ask(40)) == {"rs1", "rs2"}


def test_neither_touches_the_other(machine: Machines) -> None:
    for name in clients.DIRECTORS:
        machine(name).check_output("systemctl reload keepalived")
    # What the modules have is put right by them, and what keepalived has is left to it.
    machine("director2").check_output(f"ipvsadm -d -t {cluster.VIP}:7002 -r 192.0.2.12:7002")
    machine("director2").check_output(f"ipvsadm -e -t {VIP6}:80 -r [2001:db8::12]:80 -g -w 5")
    run = cluster.playbook("site", "--limit", "directors", scenario="pair")
    assert run.status == 0, run.text
    assert (run.recap("director1")["changed"], run.recap("director2")["changed"]) == (0, 1)
    found = table(machine("director2"))
    assert f"-a -t {VIP6}:80 -r [2001:db8::12]:80 -g -w 5" in found
    machine("director2").check_output(f"ipvsadm -e -t {VIP6}:80 -r [2001:db8::12]:80 -g -w 1")
    for name in clients.DIRECTORS:
        assert table(machine(name)) == sorted(RULES)


def test_verify_finds_the_pair_as_described() -> None:
    run = cluster.playbook("verify", "--extra-vars=lvs_verify_from=client", scenario="pair")
    assert run.status == 0, run.text


def shell(host: Host, command: str) -> Callable[[], object]:
    return lambda: host.check_output(command)


@pytest.mark.parametrize("what", ["killed", "frozen", "host paused"])
def test_what_fails_is_out_in_time_and_back(what: str, machine: Machines) -> None:
    real_server = machine("rs1")
    ways: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "killed": (
            shell(real_server, "systemctl kill --signal=KILL nginx"),
            shell(real_server, "systemctl start nginx"),
        ),
        "frozen": (
            shell(real_server, "systemctl kill --signal=STOP nginx"),
            shell(real_server, "systemctl kill --signal=CONT nginx"),
        ),
        "host paused": (partial(clients.power, "rs1", "pause"), partial(clients.power, "rs1", "resume")),
    }
    failing, restoring = ways[what]
    entry = f"-a -t {VIP6}:80 -r [2001:db8::11]:80 -g -w 1"
    quiesced = f"-a -t {cluster.VIP}:80 -r 192.0.2.11:80 -g -w 0"
    with followed(*clients.DIRECTORS) as seen:
        seen.until(lambda found: found == sorted(RULES), time.monotonic())
        begun = time.monotonic()
        failing()
        try:
            out = seen.until(lambda found: entry not in found, begun)
            assert cluster.ask(10, WEB6) == {"rs2": 10}
            seen.until(lambda found: quiesced in found, begun)
            assert cluster.ask(10) == {"rs2": 10}
        finally:
            begun = time.monotonic()
            restoring()
        back = seen.until(lambda found: found == sorted(RULES), begun)
    print(f"{what}: out of both tables after {out:.1f} s, and all is back after {back:.1f} s; configured {WITHIN} s")
    assert out < WITHIN + LOOKING
    assert back < WITHIN + LOOKING
    assert cluster.ask(10, WEB6) == {"rs1": 5, "rs2": 5}


def test_one_that_fails_keeps_its_connections_where_that_is_wanted_and_the_last_has_a_sorry_server(
    machine: Machines,
) -> None:
    director = machine(clients.owners(machine)[0])
    with clients.clients(rate=1, held=4) as held:
        # They serve, and no check can see that.
        for name, ports in (("rs1", "7001, 7003"), ("rs2", "7003")):
            machine(name).check_output(f"nft -f - <<'END'\n{UNSEEN.replace('PORTS', ports)}\nEND")
        try:
            quiesced = f"-a -t {cluster.VIP}:7001 -r 192.0.2.11:7001 -g -w 0"
            sorry = f"-a -t {cluster.VIP}:7003 -r 192.0.2.12:7002 -m -w 1"
            clients.until(lambda: {quiesced, sorry} <= set(cluster.table(director)), 30)
            assert [line for line in cluster.table(director) if f"-a -t {cluster.VIP}:7003" in line] == [sorry]
            assert set(matrix.answered("4", "tcp", cluster.VIP, "7003")) == {("rs2", cluster.CLIENT)}
            held.beat()
        finally:
            for name in cluster.REAL_SERVERS:
                machine(name).check_output("nft delete table inet test_unseen")
        clients.until(lambda: table(director) == sorted(RULES), 30)
        report = held.report()
        assert report["held"] == 4
        assert not report["broken"]


def test_a_file_drains_a_real_server_and_its_connections_stay(machine: Machines) -> None:
    directors = [machine(name) for name in clients.DIRECTORS]
    drained = {line.replace("-w 1", "-w 0") for line in RULES if re.search(r"192.0.2.11:(80|7001) ", line)}
    with clients.clients(rate=1, held=4) as held:
        try:
            for director in directors:
                director.check_output("echo 1 >/var/lib/lvs-cluster/drain/192.0.2.11")
            clients.until(lambda: all(drained <= set(table(director)) for director in directors), 30)
            for director in directors:
                director.check_output("systemctl reload keepalived")
            assert set(cluster.ask(10)) == {"rs2"}
            assert not held.beat()
            assert all(drained <= set(table(director)) for director in directors)
        finally:
            for director in directors:
                director.check_output("rm -f /var/lib/lvs-cluster/drain/192.0.2.11")
        clients.until(lambda: all(table(director) == sorted(RULES) for director in directors), 30)
        assert not held.report()["broken"]
