# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers go out of service and come back, and the description changes: what clients notice of it.

A handover comes in the last test alone: a connection that ends in its moment may stay in the table of the director that
takes the VIPs until its time is up, and everything here that drains waits for that.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import clients
import cluster
import pytest
import yaml
from pairs import RULES, table
from testinfra.host import Host

Machines = Callable[[str], Host]

INVENTORY = cluster.ROOT / "molecule" / "pair" / "inventory.yml"
UPDATE = cluster.ROOT / "molecule" / "pair" / "tasks" / "update.yml"
DRAIN = Path("/var/lib/lvs-cluster/drain")


def drained(*numbers: int) -> list[str]:
    """The table with these real servers out of every service."""
    ends = "|".join(f"192.0.2.1{number}|2001:db8::1{number}" for number in numbers)
    entry = re.compile(rf"-r \[?({ends})\]?:")
    return sorted(line.replace(" -w 1", " -w 0") if entry.search(line) else line for line in RULES)


def tables(machine: Machines) -> list[list[str]]:
    return [table(machine(name)) for name in clients.DIRECTORS]


def play(name: str, *words: str) -> cluster.Run:
    return cluster.playbook(name, *words, scenario="pair")


def played(name: str, *words: str) -> cluster.Run:
    run = play(name, *words)
    assert run.status == 0, run.text
    return run


@pytest.fixture(autouse=True)
def settled(machine: Machines) -> Iterator[None]:
    """Every test begins with everything in service, and the first director has the VIPs."""
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)
    clients.until(lambda: tables(machine) == [sorted(RULES)] * 2, 60)
    yield
    for name in clients.DIRECTORS:
        if machine(name).check_output(f"ls {DRAIN}").split() != ["director"]:  # a test has failed half-way
            play("undrain", "-e", "lvs_real_servers=real_servers")


@contextmanager
def watched(machine: Machines) -> Iterator[dict[str, int]]:
    """The fewest real servers in service that any look at a director's table finds meanwhile, by service."""
    fewest: dict[str, int] = {}
    ended = threading.Event()

    def look(name: str) -> None:
        host = machine(name)
        while not ended.is_set():
            lines = cluster.table(host)
            for service in [line.split()[2] for line in lines if line.startswith("-A ")]:
                entries = [line for line in lines if line.startswith("-a ") and line.split()[2] == service]
                left = sum(not line.endswith(" -w 0") for line in entries)
                fewest[f"{name} {service}"] = min(left, fewest.get(f"{name} {service}", left))

    threads = [threading.Thread(target=look, args=(name,)) for name in clients.DIRECTORS]
    for thread in threads:
        thread.start()
    try:
        yield fewest
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_the_floor_holds_also_when_two_drain_at_once(machine: Machines) -> None:
    found: dict[str, cluster.Run] = {}

    def drain(name: str) -> None:
        found[name] = play("drain", "-e", f"lvs_real_servers={name}")

    with watched(machine) as fewest:
        threads = [threading.Thread(target=drain, args=(name,)) for name in cluster.REAL_SERVERS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    out, refused = sorted(found, key=lambda name: found[name].status)
    assert found[out].status == 0, found[out].text
    assert found[refused].status != 0
    assert "minimum_in_service 1 would not be met" in found[refused].text
    assert "Drain failed and was rolled back" in found[refused].text
    assert set(fewest.values()) == {1}, fewest
    assert tables(machine) == [drained(int(out.removeprefix("rs")))] * 2
    played("undrain", "-e", "lvs_real_servers=real_servers")
    assert tables(machine) == [sorted(RULES)] * 2


def test_a_rolling_update_of_all_is_noticed_by_nobody(machine: Machines) -> None:
    with clients.clients(held=0) as load, watched(machine) as fewest:
        before = [machine(name).check_output("pidof nginx") for name in cluster.REAL_SERVERS]
        played("rolling_update", "-e", f"lvs_update_tasks={UPDATE}", "-e", "lvs_real_servers=real_servers")
        after = [machine(name).check_output("pidof nginx") for name in cluster.REAL_SERVERS]
        assert not load.noticed()
    assert not set(before) & set(after)
    assert set(fewest.values()) == {1}, fewest
    assert tables(machine) == [sorted(RULES)] * 2


def test_an_update_stops_at_one_that_does_not_come_back(machine: Machines, tmp_path: Path) -> None:
    breaking = tmp_path / "update.yml"
    stop = {"name": "Stop nginx", "ansible.builtin.service": {"name": "nginx", "state": "stopped"}}
    breaking.write_text(yaml.safe_dump([stop]))
    with clients.clients(held=0) as load:
        try:
            words = [f"lvs_update_tasks={breaking}", "lvs_real_servers=real_servers", "lvs_return_timeout=5"]
            run = play("rolling_update", *(word for one in words for word in ("-e", one)))
            assert run.status != 0
            assert "rs1 does not accept connections to 192.0.2.11 port 80; it stays drained" in run.text
            assert machine("rs2").service("nginx").is_running
            assert set(cluster.ask(10)) == {"rs2"}
        finally:
            machine("rs1").check_output("systemctl start nginx")
        played("undrain", "-e", "lvs_real_servers=rs1")
        assert not load.noticed()


def weighted(tmp_path: Path) -> Sequence[str]:
    """The description with another weight for rs1, as an argument of ansible-playbook."""
    services = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["lvs_virtual_services"]
    for service in services:
        if service["name"] in ("web-ipv6", "stay", "unchecked"):
            service["real_servers"] = [*service["real_servers"], {"host": "rs1", "weight": 3}]
    changed = tmp_path / "weighted.yml"
    changed.write_text(yaml.safe_dump({"lvs_virtual_services": services}))
    return ["-e", f"@{changed}"]


def test_another_weight_is_noticed_by_nobody(machine: Machines, tmp_path: Path) -> None:
    heavier = re.compile(r"(:7001|:7002|\]:80) -r \[?(192.0.2.11|2001:db8::11)")
    expected = sorted(line.replace(" -w 1", " -w 3") if heavier.search(line) else line for line in RULES)
    with clients.clients() as load:
        played("site", *weighted(tmp_path))
        clients.until(lambda: tables(machine) == [expected] * 2, 30)
        assert not load.noticed()
        played("site", "--limit", "directors")
        # A weight that is no longer described is left to the kernel by the modules, and is 1 to keepalived.
        left = sorted(line.replace(" -w 1", " -w 3") if ":7002 -r 192.0.2.11" in line else line for line in RULES)
        clients.until(lambda: tables(machine) == [left] * 2, 30)
        assert not load.noticed()
    for name in clients.DIRECTORS:
        machine(name).check_output(f"ipvsadm -e -t {cluster.VIP}:7002 -r 192.0.2.11:7002 -g -w 1")
    played("site", "--limit", "directors")  # which writes down for the next boot what the kernel has now


#: From one port for ever, as a sender of syslog: a line for each question, the name of the host that answered.
SENDER = """
import socket, sys, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("", 40000))
one.settimeout(1)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    one.sendto(b"who", ("192.0.2.10", 7002))
    try:
        print(one.recv(200).decode().split()[0], flush=True)
    except OSError:
        print("lost", flush=True)
    time.sleep(0.2)
"""


@pytest.fixture
def datagrams(tmp_path: Path) -> Iterator[list[str]]:
    """A service of UDP that no health checker owns, in both tables; the description with it as arguments."""
    services = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["lvs_virtual_services"]
    service = {
        "name": "datagrams",
        "address": cluster.VIP,
        "port": 7002,
        "protocol": "udp",
        "scheduler": "rr",
        "real_servers": [{"group": "real_servers"}],
    }
    described = tmp_path / "datagrams.yml"
    described.write_text(yaml.safe_dump({"lvs_virtual_services": [*services, service]}))
    identity = {"address": cluster.VIP, "port": 7002, "protocol": "udp"}
    servers = [{"address": f"192.0.2.1{number}", "forward_method": "dr"} for number in (1, 2)]
    there = cluster.ansible(
        "ansible",
        "directors",
        "--become",
        "-m",
        "lvs.cluster.ipvs_service",
        "-a",
        json.dumps({**identity, "scheduler": "rr", "real_servers": servers}),
        scenario="pair",
    )
    assert there.status == 0, there.text
    yield ["-e", f"@{described}"]
    gone = json.dumps({**identity, "state": "absent"})
    words = ("directors", "--become", "-m", "lvs.cluster.ipvs_service", "-a", gone)
    assert cluster.ansible("ansible", *words, scenario="pair").status == 0


def test_a_flow_of_datagrams_is_told_and_moved_and_check_mode_does_not_wait(
    machine: Machines, datagrams: list[str]
) -> None:
    found: list[str] = []

    def send() -> None:
        found.extend(cluster.on_client("python3", "-c", SENDER, "600", seconds=700).splitlines())

    name = "rs1"
    sending = threading.Thread(target=send)
    sending.start()
    try:
        # Both of its entries are seen by ipvsadm: weight, active and inactive connections are the last columns.
        clients.until(lambda: "rs" in busy(machine), 60)
        name = busy(machine)
        words = [*datagrams, "-e", f"lvs_real_servers={name}", "-e", "lvs_drain_timeout=30"]
        before = tables(machine)
        begun = time.monotonic()
        played("drain", "--check", *datagrams, "-e", f"lvs_real_servers={name}", "-e", "lvs_drain_timeout=900")
        assert time.monotonic() - begun < 600
        assert tables(machine) == before
        run = play("drain", *words)
        assert run.status != 0
        assert "gets packets of UDP flows that do not pause for 10 s" in run.text
        played("drain", *words, "-e", "lvs_drain_expired=force")
        clients.until(lambda: busy(machine) not in ("", name), 60)
        for director in clients.DIRECTORS:  # one that takes over would have it go on there
            assert f"{name[-1]}:7002 0" not in entries(machine(director))
    finally:
        played("undrain", *datagrams, "-e", f"lvs_real_servers={name}")
        sending.join()
    moved = found.index(next(one for one in found if one not in (name, "lost")))
    assert name not in found[moved:]
    assert "lost" not in found, "no packet is lost"


def entries(director: Host) -> str:
    """The real servers that have flows of the service, as "ADDRESS:PORT WEIGHT", one a line."""
    listed = director.check_output(f"ipvsadm -Ln -u {cluster.VIP}:7002").splitlines()
    servers = [line.split() for line in listed if line.startswith("  -> 192")]
    return "\n".join(f"{words[1]} {words[3]}" for words in servers if int(words[5]))


def busy(machine: Machines) -> str:
    """The real server that has the flow on the master."""
    found = entries(machine("director1")).splitlines()
    return f"rs{found[0].partition(':')[0][-1]}" if len(found) == 1 else ""


def test_a_drained_real_server_stays_so_whatever_happens(machine: Machines) -> None:
    with clients.clients() as load:
        # Those that stay do not end, so nothing is waited for.
        rs1 = ["-e", "lvs_real_servers=rs1", "-e", "lvs_drain_timeout=0", "-e", "lvs_drain_expired=force"]
        played("drain", *rs1)
        assert tables(machine) == [drained(1)] * 2
        run = played("site", "--limit", "directors")
        assert {name: run.recap(name)["changed"] for name in clients.DIRECTORS} == dict.fromkeys(clients.DIRECTORS, 0)
        for name in clients.DIRECTORS:
            machine(name).check_output("systemctl reload keepalived")
        assert not load.noticed()
        assert tables(machine) == [drained(1)] * 2
        for director in clients.DIRECTORS[::-1]:
            played("failover", "-e", f"lvs_failover_to={director}")
            assert clients.owners(machine) == [director]
            assert tables(machine) == [drained(1)] * 2
            assert set(cluster.ask(10)) == {"rs2"}
        # Somebody works on it, so an update lets it be.
        run = play("rolling_update", "-e", f"lvs_update_tasks={UPDATE}", *rs1)
        assert run.status != 0
        assert "2001:db8::11 is drained already" in run.text
        assert tables(machine) == [drained(1)] * 2
        played("undrain", *rs1)
        assert tables(machine) == [sorted(RULES)] * 2
        assert not load.noticed()
