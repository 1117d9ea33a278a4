# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers go when their connections have ended, and not before; with connections over a real director."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.tests.kernel import traffic
from ansible_collections.lvs.cluster.tests.kernel.conftest import MODULES

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

WEB: dict[str, Any] = {"address": traffic.VIP, "port": traffic.PORT}
FIRST, SECOND = traffic.SERVERS[:2]
RULES = f"-A -t {traffic.VIP}:80 -s rr\n" + "".join(
    f"-a -t {traffic.VIP}:80 -r {server}:80 -m -w 1\n" for server in (FIRST, SECOND)
)
QUIESCED = RULES.replace(f"{FIRST}:80 -m -w 1", f"{FIRST}:80 -m -w 0")
GONE = RULES.replace(f"-a -t {traffic.VIP}:80 -r {FIRST}:80 -m -w 1\n", "")


@pytest.fixture
def client(host: Host) -> Iterator[traffic.Client]:
    """A client of two real servers."""
    with traffic.site() as site:
        host.restore(RULES)
        yield traffic.Client(site)


def active(host: Host, server: str) -> int:
    """Active connections of a real server, as ipvsadm shows them."""
    listed = host.run("ipvsadm", "-L", "-n").stdout.splitlines()
    return int(next(line.split()[4] for line in listed if f"-> {server}:" in line))


def first(**options: Any) -> dict[str, Any]:
    return {"service": WEB, "address": FIRST, **options}


@contextmanager
def once_quiesced(host: Host, act: Callable[[], object]) -> Iterator[None]:
    """`act` when the module has set the weight of the first real server to 0, whose two connections still are there.

    How long the module waits after that is not known: it may look for the first time when `act` has done its work.
    """
    seen = []

    def watch() -> None:
        if traffic.until(lambda: host.save() == QUIESCED, 60):
            seen.append(active(host, FIRST))
        act()

    watching = threading.Thread(target=watch)
    watching.start()
    yield
    watching.join()
    assert seen == [2]


def test_drained_waits_until_the_last_connection_ends(host: Host, client: traffic.Client) -> None:
    assert sorted(client.ask("open", 4)) == sorted([FIRST, SECOND] * 2)
    assert active(host, FIRST) == 2
    with once_quiesced(host, lambda: client.send("close", 4)):
        result = host.ok("ipvs_real_server", **first(state="drained", drain_timeout=60))
    assert client.answer() == 0
    assert (result["changed"], result["drained"]) == (True, True)
    assert result["waited"] < 60
    assert result["connections"]["active"] == 0
    assert (result["diff"]["before"], result["diff"]["after"]) == (RULES, QUIESCED)
    assert host.save() == QUIESCED
    assert set(client.ask("open", 3)) == {SECOND}
    again = host.ok("ipvs_real_server", **first(state="drained"))
    assert (again["changed"], again["drained"]) == (False, True)
    host.ok("ipvs_real_server", **first(weight=1))
    assert host.save() == RULES


def test_the_time_is_over(host: Host, client: traffic.Client) -> None:
    client.ask("open", 2)
    result = host.module("ipvs_real_server", **first(state="drained", drain_timeout=0.5))
    assert result["msg"] == (
        f"real server {FIRST}:80 of virtual service tcp {traffic.VIP}:80 is not drained after 0.5 seconds: it has 1"
        " active connection. Its weight stays 0; drain_expired=force continues with a warning"
    )
    assert (result["failed"], result["drained"], result["connections"]["active"]) == (True, False, 1)
    assert (result["changed"], result["diff"]["before"], result["diff"]["after"]) == (True, RULES, QUIESCED)
    assert host.save() == QUIESCED
    again = host.module("ipvs_real_server", **first(state="absent", drain_timeout=0))
    assert "is not drained" in again["msg"]
    assert (again["failed"], again["changed"], again["diff"]["after"]) == (True, False, "")
    assert host.save() == QUIESCED
    forced = host.ok("ipvs_real_server", **first(state="absent", drain_timeout=0.2, drain_expired="force"))
    assert (forced["changed"], forced["drained"], len(forced["warnings"])) == (True, False, 1)
    assert host.save() == GONE


def test_absent_with_a_drain_timeout(host: Host, client: traffic.Client) -> None:
    client.ask("open", 4)
    options = first(state="absent", drain_timeout=60)
    predicted = host.ok("ipvs_real_server", check=True, **options)
    assert host.save() == RULES
    with once_quiesced(host, lambda: client.send("close", 4)):
        result = host.ok("ipvs_real_server", **options)
    assert client.answer() == 0
    assert result["diff"] == predicted["diff"]
    assert (result["diff"]["before"], result["diff"]["after"]) == (RULES, GONE)
    assert result["drained"]
    assert host.save() == GONE
    again = host.ok("ipvs_real_server", **options)
    assert (again["changed"], again["diff"]["before"], again["diff"]["after"]) == (False, "", "")


def test_inactive_connections_and_templates_are_waited_for_where_asked(host: Host, client: traffic.Client) -> None:
    host.ok("ipvs_service", **WEB, persistence_timeout=15)
    (served,) = client.ask("open", 1)
    # The kernel forgets a connection that was reset after ten seconds, one that was closed after two minutes, and a
    # template whose time ends before its connections' a minute later (ip_vs_proto_tcp.c, ip_vs_conn_expire).
    client.ask("reset", 1)
    assert traffic.until(lambda: active(host, served) == 0)
    server = {"service": WEB, "address": served}
    quick = host.ok("ipvs_real_server", **server, state="drained", drain_timeout=60)
    assert quick["waited"] == 0
    assert quick["connections"]["inactive"] == quick["connections"]["persistent"] == 1
    everything = ["active", "inactive", "persistent"]
    slow = host.ok("ipvs_real_server", **server, state="drained", drain_timeout=60, drain_wait_for=everything)
    assert slow["waited"] > 0.5
    assert slow["connections"] == {"active": 0, "inactive": 0, "persistent": 0}
    assert slow["statistics"]["connections"] >= 1


def test_another_process_gives_it_weight_meanwhile(host: Host, client: traffic.Client) -> None:
    client.ask("open", 4)
    edit = ["ipvsadm", "-e", "-t", f"{traffic.VIP}:80", "-r", f"{FIRST}:80", "-m", "-w", "3"]
    with once_quiesced(host, lambda: subprocess.run(edit, check=True)):
        message = host.failure("ipvs_real_server", **first(state="drained", drain_timeout=60, drain_expired="force"))
    assert "another process has given it weight 3 meanwhile; it has 2 active connections" in message


def test_what_is_not_there_needs_no_draining(host: Host) -> None:
    host.restore(RULES)
    missing: dict[str, Any] = {"service": WEB, "address": traffic.SERVERS[3], "state": "drained"}
    result = host.ok("ipvs_real_server", **missing)
    assert (result["changed"], result["drained"]) == (False, True)
    assert "there is no real server" in str(result["warnings"])
    nowhere = {**missing, "service": {"fwmark": 9}}
    message = "fwmark 9 ipv4: there is no such virtual service, so it cannot have real servers"
    assert host.failure("ipvs_real_server", **nowhere) == message
    predicted = host.ok("ipvs_real_server", check=True, **nowhere)
    assert not predicted["changed"]
    assert message in str(predicted["warnings"])
    for gone in ({"state": "absent"}, {"state": "absent", "drain_timeout": 1}):
        assert not host.ok("ipvs_real_server", **{**nowhere, **gone})["changed"]
    assert host.save() == RULES


@pytest.mark.parametrize(
    "options", [{"state": "drained"}, {"state": "absent"}, {"weight": 0}, {"state": "absent", "drain_timeout": 1}]
)
def test_a_floor(host: Host, options: dict[str, Any]) -> None:
    host.restore(RULES)
    for check in (True, False):
        message = host.failure("ipvs_real_server", check, **first(**options, minimum_in_service=2))
        assert message == (
            f"tcp {traffic.VIP}:80: minimum_in_service 2 would not be met: without real server {FIRST}:80, 1 of 2 real"
            " servers in service would be left"
        )
    assert host.save() == RULES
    assert host.ok("ipvs_real_server", **first(**options, minimum_in_service=1))["changed"]
    assert "would not be met" in host.failure(
        "ipvs_real_server", service=WEB, address=SECOND, **options, minimum_in_service=1
    )
    # What is out of service already does not count.
    assert not host.ok("ipvs_real_server", **first(**options, minimum_in_service=5))["changed"]


def test_tasks_at_the_same_time_do_not_undercut_the_floor_together(host: Host) -> None:
    servers = [f"198.51.100.{number}" for number in range(11, 15)]
    lines = "".join(f"-a -t {traffic.VIP}:80 -r {server}:80 -m -w 1\n" for server in servers)
    host.restore(f"-A -t {traffic.VIP}:80 -s rr\n{lines}")
    command = [sys.executable, "-m", f"{MODULES}.ipvs_real_server"]
    running = []
    for server in servers:
        arguments = f'{{"service": {{"address": "{traffic.VIP}", "port": 80}}, "address": "{server}",'
        arguments += ' "state": "drained", "minimum_in_service": 2}'
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=dict(os.environ))
        assert process.stdin is not None
        process.stdin.write(f'{{"ANSIBLE_MODULE_ARGS": {arguments}}}')
        process.stdin.close()
        running.append(process)
    assert sorted(process.wait() for process in running) == [0, 0, 1, 1]
    assert host.save().count("-w 1\n") == 2


def test_options_that_do_not_go_together(host: Host) -> None:
    host.restore(RULES)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"state": "drained", "weight": 3}, "weight must be 0 with state drained"),
        ({"drain_timeout": 3}, "drain_timeout is for state drained or absent only"),
        ({"state": "drained", "drain_timeout": -1}, "drain_timeout must be from 0"),
        ({"minimum_in_service": -1}, "minimum_in_service must not be negative"),
    ]
    for options, words in refused:
        assert words in host.failure("ipvs_real_server", **first(**options))
    assert host.save() == RULES
