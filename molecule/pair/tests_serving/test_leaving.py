# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster changes while it serves: real servers leave and come back, services get another forwarding method."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clients
import cluster
import pytest
import titles
import yaml
from pairs import RULES, table
from testinfra.host import Host

Machines = Callable[[str], Host]

INVENTORY = cluster.ROOT / "molecule" / "pair" / "inventory.yml"
RS1 = re.compile(r"-r \[?(192\.0\.2\.11|2001:db8::11)\]?:")
#: How the table shows a forwarding method.
LETTERS = {"dr": "-g", "tun": "-i", "nat": "-m"}


def described(folder: Path, changes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The description with these keys of these services, as arguments of ansible-playbook."""
    services = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["lvs_virtual_services"]
    for service in services:
        service.update(changes.get(service["name"], {}))
    path = folder / "changed.yml"
    path.write_text(yaml.safe_dump({"lvs_virtual_services": services}))
    return ["-e", f"@{path}"]


def without_rs1(*names: str) -> dict[str, dict[str, Any]]:
    ports = {"translated": {"port": 7002}}
    return {name: {"real_servers": [{"host": "rs2", **ports.get(name, {})}]} for name in names}


ALL = ("web", "web-ipv6", "stay", "unchecked", "translated", "excused")


def site(*words: str) -> cluster.Run:
    run = cluster.playbook("site", *words, scenario="pair")
    assert run.status == 0, run.text
    return run


def changes_nothing(*words: str) -> None:
    """A second run changes no host, and cleans nothing up."""
    run = site(*words)
    hosts = (*clients.DIRECTORS, *cluster.REAL_SERVERS)
    assert {host: run.recap(host)["changed"] for host in hosts} == dict.fromkeys(hosts, 0), run.text
    assert "skipping: no hosts matched" in run.text.partition(titles.CLEAN_UP)[2]


def tables(machine: Machines) -> list[list[str]]:
    return [table(machine(name)) for name in clients.DIRECTORS]


def holds_vip(machine: Machines, name: str) -> bool:
    return f" {cluster.VIP}/32" in machine(name).check_output("ip -o address show dev lo")


@contextmanager
def held_by_rs2(machine: Machines) -> Iterator[clients.Clients]:
    """Clients whose 100 connections are all to rs2: rs1 is drained while they begin."""
    rs1 = ["-e", "lvs_real_servers=rs1"]
    assert cluster.playbook("drain", *rs1, scenario="pair").status == 0
    with clients.clients() as load:
        assert cluster.playbook("undrain", *rs1, scenario="pair").status == 0
        assert not load.noticed()
        yield load


@pytest.fixture(autouse=True)
def settled(machine: Machines) -> Iterator[None]:
    """Each test begins and ends with the description of the inventory."""
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)
    clients.until(lambda: tables(machine) == [sorted(RULES)] * 2, 60)
    yield
    if tables(machine) != [sorted(RULES)] * 2:  # a test has failed half-way
        site()
        clients.until(lambda: tables(machine) == [sorted(RULES)] * 2, 60)


def test_a_real_server_leaves_one_service_and_comes_back(machine: Machines, tmp_path: Path) -> None:
    """Its connections of another service go on: those are not of this change."""
    words = described(tmp_path, without_rs1("web"))
    with clients.clients() as load:
        run = site(*words)
        assert not load.noticed()
        assert (
            tables(machine)
            == [sorted(one for one in RULES if not (RS1.search(one) and ":80 -g" in one and "]" not in one))] * 2
        )
        assert "skipping: no hosts matched" in run.text.partition(titles.CLEAN_UP)[2], "it holds the VIP for others"
        assert set(cluster.ask(10)) == {"rs2"}
        changes_nothing(*words)
        site()
        clients.until(lambda: tables(machine) == [sorted(RULES)] * 2, 30)
        assert not load.noticed()
    changes_nothing()


def test_a_real_server_leaves_all_services_and_comes_back(machine: Machines, tmp_path: Path) -> None:
    words = described(tmp_path, without_rs1(*ALL))
    with held_by_rs2(machine) as load:
        run = site(*words)
        assert not load.noticed()
        assert tables(machine) == [sorted(one for one in RULES if not RS1.search(one))] * 2
        assert not holds_vip(machine, "rs1")
        assert not machine("rs1").check_output("ip rule show table 5151")
        # rs1 alone is visited a second time
        cleaned = run.text.partition(titles.CLEAN_UP)[2]
        assert "[rs1]" in cleaned
        assert "[rs2]" not in cleaned.partition("PLAY RECAP")[0]
        changes_nothing(*words)
        site()
        clients.until(lambda: tables(machine) == [sorted(RULES)] * 2, 30)
        assert holds_vip(machine, "rs1")
        assert not load.noticed()
    changes_nothing()


@pytest.mark.parametrize(("service", "port"), [("unchecked", 7002), ("stay", 7001)])
def test_its_own_connections_are_drained(machine: Machines, tmp_path: Path, service: str, port: int) -> None:
    """They have weight 0 first, whatever owns the service, and end by themselves before it is removed."""
    words = described(tmp_path, without_rs1(service))
    entry = re.compile(rf":{port} -r 192\.0\.2\.11:{port} -g -w (\d)")
    found: list[cluster.Run] = []

    def weight() -> str:
        line = entry.search("\n".join(table(machine("director1"))))
        return line[1] if line else "removed"

    with clients.clients(rate=50, held=0) as load, clients.clients(rate=1, held=10, port=port) as own:
        changing = threading.Thread(target=lambda: found.append(site(*words)))
        changing.start()
        clients.until(lambda: weight() == "0", 300)
        assert not own.beat(), "they go on"
        assert weight() == "0", "the run waits for them"
        assert not own.noticed()
        own.end()
        changing.join()
        assert found, "site failed"
        assert weight() == "removed"
        assert not load.noticed()
    site()
    clients.until(lambda: tables(machine) == [sorted(RULES)] * 2, 30)


def test_they_are_cut_when_the_time_is_over(machine: Machines, tmp_path: Path) -> None:
    words = described(tmp_path, without_rs1("unchecked"))
    with clients.clients(rate=50, held=0) as load, clients.clients(rate=1, held=10, port=7002) as own:
        run = site(*words, "-e", "director_leaving_timeout=5")
        assert "connections are left after 5 seconds" in run.text
        clients.until(lambda: len(own.report()["broken"]) == 5, 60)
        assert not load.noticed()
    site()


def test_a_real_server_that_is_described_again_after_an_interrupted_run(machine: Machines) -> None:
    """A run that ends while it waits leaves weight 0 behind, which the next one repairs."""
    kept = [(7002, ("192.0.2.12",)), (8000, ("192.0.2.11", "192.0.2.12"))]
    services = [
        {
            "address": cluster.VIP,
            "port": port,
            "real_servers": [{"address": address, "port": 7002} for address in addresses],
        }
        for port, addresses in kept
    ]
    # What keepalived has is described as it is: it would leave too.
    checked = [
        {"address": vip, "port": port, "real_servers": [{"address": one, "port": port} for one in addresses]}
        for vip, port, addresses in (
            (cluster.VIP, 80, ("192.0.2.11", "192.0.2.12")),
            (cluster.VIP, 7001, ("192.0.2.11", "192.0.2.12")),
            (cluster.VIP, 7003, ("192.0.2.11", "192.0.2.12")),
            ("2001:db8::10", 80, ("2001:db8::11", "2001:db8::12")),
        )
    ]
    with clients.clients(rate=1, held=10, port=7002) as load:
        arguments = {"services": services, "health_checked": checked, "timeout": 1}
        run = cluster.module("director1", "ipvs_quiesce", arguments)
        assert run.status == 0, run.text
        expected = sorted(re.sub(r"(:7002 -r 192\.0\.2\.11:7002 -g) -w 1", r"\1 -w 0", one) for one in RULES)
        assert table(machine("director1")) == expected
        run = site()
        assert run.recap("director1")["changed"]
        assert not load.noticed()
    assert tables(machine) == [sorted(RULES)] * 2
    changes_nothing()


def test_services_change_their_method(machine: Machines, tmp_path: Path) -> None:
    """dr to tun to nat to dr, of one that keepalived owns and of one that it does not.

    The connections of `stay`, which stays as it is, are all to real servers that change otherwise.
    """
    with clients.clients() as load:
        for method in ("tun", "nat", "dr"):
            words = described(tmp_path, {name: {"forward_method": method} for name in ("web", "unchecked")})
            # connections of a service that changes, to see what becomes of them
            with clients.clients(rate=1, held=10, port=7002) as own:
                run = site(*words)
                print(f"to {method}: of 10 connections of the changed service broke {own.report()['broken']}")
            failed = load.noticed()
            assert not failed, f"to {method}: {failed}"
            lines = tables(machine)[0]
            changed = [one for one in lines if re.search(r" 192\.0\.2\.10:(80|7002) -r", one)]
            assert len(changed) == 4
            assert all(f" {LETTERS[method]} " in one for one in changed)
            assert set(cluster.ask(20)) == set(cluster.REAL_SERVERS)
            assert ("[rs1]" in run.text.partition(titles.CLEAN_UP)[2].partition("PLAY RECAP")[0]) == (method != "tun")
            changes_nothing(*words)
    assert tables(machine) == [sorted(RULES)] * 2


def test_a_method_changes_with_leftovers_for_later(machine: Machines, tmp_path: Path) -> None:
    """Connections that began through a tunnel go on as long as its end is there."""
    names = ("web", "unchecked")
    site(*described(tmp_path, {name: {"forward_method": "tun"} for name in names}))
    with clients.clients(rate=50, held=10, port=7002) as load:
        site("-e", "lvs_clean_up=false")
        assert tables(machine) == [sorted(RULES)] * 2
        assert machine("rs1").check_output("ip -o link show type ipip | grep -c lvs-ipip") == "1"
        assert not load.noticed()
    site()
    assert "lvs-ipip" not in machine("rs1").check_output("ip -o link")
    changes_nothing()
