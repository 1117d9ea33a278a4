# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VIPs and directors come and go while the pair serves, watched 20 times a second by ARP: each VIP has one owner."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clients
import cluster
import pytest
import yaml
from pairs import RULES, table
from testinfra.host import Host

Machines = Callable[[str], Host]

INVENTORY = cluster.ROOT / "molecule" / "pair" / "inventory.yml"
WATCHED = (cluster.VIP, "2001:db8::10", "192.0.2.1")  # the gateway moves with the VIPs
#: What the machine `prober` is as a director.
THIRD = {"lvs_address": ["192.0.2.101", "2001:db8::101"]}
HANDOVER = "/var/lib/lvs-cluster/drain/director"
#: Seconds: three intervals of 0.2 and a part of one, and as long for the machines.
TAKEN = 1.5
#: Seconds without an answer where nothing moves: a question that is lost on a busy machine is no owner that is missing.
PROMPT = 1.0


class Watch:
    """What owning.py has seen, once the watch has ended."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, Any]] = {}

    def one_owner(self, away: float = PROMPT, doubled: int = 0) -> None:
        """Each VIP had one owner throughout, and was without one for no longer than so many seconds.

        ``doubled``: how many requests two hosts may have answered.
        """
        for address, one in self.seen.items():
            print(
                f"{address}: {one['owners']}, two owners in {one['doubled']} questions, {one['away']:.2f} s without one"
            )
        for address, one in self.seen.items():
            assert one["owners"], address
            assert one["doubled"] <= doubled, address
            assert one["away"] <= away, address


@contextmanager
def watched(*more: str) -> Iterator[Watch]:
    """Ask for the VIPs for as long as the block takes."""
    program = cluster.ROOT / "molecule" / "owning.py"
    words = f"exec {sys.executable} {program} cluster {cluster.CLIENT} 2001:db8::100 {' '.join([*WATCHED, *more])}"
    watch = Watch()
    with subprocess.Popen(
        [str(cluster.LAB / "client.sh"), "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield watch
            watch.seen = json.loads(process.communicate("", timeout=30)[0])
        finally:
            process.kill()


def inventory(place: Path, *directors: str, more: list[dict[str, Any]] | None = None, **settings: Any) -> str:
    """The scenario's inventory with these directors, services and settings; what `scenario` takes."""
    written = copy.deepcopy(yaml.safe_load(INVENTORY.read_text()))
    written["all"]["vars"]["lvs_virtual_services"] += more or []
    group = written["all"]["children"]["directors"]
    group["hosts"] = {name: group["hosts"].get(name, THIRD) for name in directors or clients.DIRECTORS}
    group["vars"] |= settings
    (place / "inventory.yml").write_text(yaml.safe_dump(written, sort_keys=False))
    return str(place)


def site(scenario: str, *words: str, status: int = 0) -> cluster.Run:
    run = cluster.playbook("site", "--limit", "directors,real_servers", *words, scenario=scenario)
    assert (run.status == 0) is (status == 0), run.text
    return run


def service(number: int, vip: str) -> dict[str, Any]:
    return {"name": f"more-{number}", "address": vip, "port": 7001, "real_servers": [{"group": "real_servers"}]}


@pytest.fixture(autouse=True)
def settled(machine: Machines) -> Iterator[None]:
    """Both directors are as the scenario describes them, and the first has the VIPs, before and after each test."""
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)
    yield
    site("pair")
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)


@pytest.mark.parametrize("count", [1, 300])
def test_vips_come_and_go(count: int, machine: Machines, tmp_path: Path) -> None:
    new = [f"198.19.{number // 250}.{number % 250 + 1}" for number in range(count)]
    more = inventory(tmp_path, more=[service(number, vip) for number, vip in enumerate(new)])
    with clients.clients() as load:
        with watched() as watch:
            site(more)
            assert site(more).recap("director1")["changed"] == 0
        watch.one_owner()
        for vip in (new[0], new[-1]):
            assert clients.owners(machine, vip) == ["director1"]
        with watched() as watch:
            site("pair")
        watch.one_owner()
        assert clients.owners(machine, new[0]) == []
        assert not load.noticed()


def test_a_director_leaves_and_comes_back(machine: Machines, tmp_path: Path) -> None:
    alone = inventory(tmp_path, "director1")
    with clients.clients() as load:
        before = machine("director1").file("/etc/keepalived/keepalived.conf").content
        run = site(alone, status=1)
        assert "this director has director2 (192.0.2.3) and director2 (2001:db8::3) as a peer" in run.text
        assert not run.tasks("lvs.cluster.director"), "no host was changed"
        assert machine("director1").file("/etc/keepalived/keepalived.conf").content == before
        with watched() as watch:
            assert cluster.playbook("teardown", "--limit", "director2", scenario="pair").status == 0
            site(alone, "-e", '{"lvs_directors_that_leave": ["director2"]}')
            assert clients.owners(machine) == ["director1"]
        # From unicast to multicast and back keepalived begins anew. Meanwhile neighbour discovery is not answered.
        watch.one_owner(TAKEN)
        with watched() as watch:
            site("pair")
            assert machine("director2").file(HANDOVER).content_string == "0\n"
        watch.one_owner(TAKEN)
        assert not load.noticed()
    assert site("pair").recap("director2")["changed"] == 0


def test_a_third_director_joins_serves_and_leaves(machine: Machines, tmp_path: Path) -> None:
    names = (*clients.DIRECTORS, "prober")
    three = inventory(tmp_path, *names)
    # The directors of the scenario track a script that reads this file.
    machine("prober").check_output("touch /etc/director-is-well")

    def owners() -> list[str]:
        return clients.owners(machine, directors=names)

    with clients.clients() as load:
        with watched() as watch:
            site(three)
        watch.one_owner()
        assert owners() == ["director1"]
        assert [table(machine(name)) for name in names] == [sorted(RULES)] * 3
        again = site(three)
        assert [again.recap(name)["changed"] for name in names] == [0, 0, 0]
        assert not load.noticed()
        with watched() as watch:
            for to in ("prober", "director1"):
                assert cluster.playbook("failover", "-e", f"lvs_failover_to={to}", scenario=three).status == 0
                assert owners() == [to]
        watch.one_owner(TAKEN)
        assert not load.noticed()
        # The second of the group comes before the third.
        clients.power("director1", "reset")
        clients.until(lambda: clients.owners(machine, directors=names[1:]) == ["director2"], 30)
        machine("director1")
        clients.until(lambda: owners() == ["director1"], 300)
        assert not load.noticed()
        with watched() as watch:
            assert cluster.playbook("teardown", "--limit", "prober", scenario=three).status == 0
            site("pair", "-e", '{"lvs_directors_that_leave": ["prober"]}')
        watch.one_owner()
        assert not load.noticed()
    assert site("pair").recap("director1")["changed"] == 0


def test_a_director_is_replaced_while_a_real_server_is_drained(machine: Machines) -> None:
    def drain(playbook: str) -> None:
        assert cluster.playbook(playbook, "-e", "lvs_real_servers=rs1", scenario="pair").status == 0

    drain("drain")
    try:
        with clients.clients(held=10) as load, watched() as watch:
            assert cluster.playbook("teardown", "--limit", "director2", scenario="pair").status == 0
            # As a fresh host of the same name.
            machine("director2").check_output("rm -rf /etc/lvs-cluster /var/lib/lvs-cluster; ! ipvsadm -Sn | grep .")
            site("pair")
            assert machine("director2").file("/var/lib/lvs-cluster/drain/192.0.2.11").content_string == "1\n"
            lines = [line for line in cluster.table(machine("director2")) if "192.0.2.11:" in line]
            assert lines
            assert all(line.endswith("-w 0") for line in lines)
            assert not load.noticed()
        watch.one_owner()
    finally:
        drain("undrain")


def test_a_run_that_ends_before_all_know_the_new_one(machine: Machines) -> None:
    assert cluster.playbook("teardown", "--limit", "director2", scenario="pair").status == 0
    with clients.clients(held=10) as load, watched() as watch:
        run = cluster.playbook("site", "--limit", "director2,real_servers", scenario="pair")
        assert run.status != 0
        assert "director2 takes no VIP, because it may not be configured on director1" in run.text
        assert machine("director2").file(HANDOVER).content_string == "3 joining\n"
        machine("director2").check_output("systemctl restart keepalived")
        run = cluster.playbook("failover", "-e", "lvs_failover_to=director2", scenario="pair")
        assert run.status != 0
        assert "director2 is new and may not be configured on the other directors" in run.text
        run = cluster.playbook("verify", "-e", "lvs_verify_from=rs1", scenario="pair")
        assert run.status != 0
        assert "because the other directors may not be configured with this one" in run.text
        site("pair")
        assert machine("director2").file(HANDOVER).content_string == "0\n"
        assert not load.noticed()
    watch.one_owner()


def test_adverts_of_an_earlier_version(machine: Machines) -> None:
    """They had all VIPs in them. The backup waits until the master has been set up too."""
    # Line by line, since a VIP of the file is not advertised any more.
    older = (
        r"sed -i -e '/192\.0\.0\.8\|100:0:0:1::1/d' -e 's/ # director[12]$//'"
        r" -e '/^    virtual_ipaddress {$/,/^    }$/d' -e 's/virtual_ipaddress_excluded/virtual_ipaddress/'"
        " /etc/keepalived/keepalived.conf && keepalived --config-test && systemctl reload keepalived"
    )
    for name in clients.DIRECTORS:
        machine(name).check_output(older)
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)
    with clients.clients(held=10) as load, watched() as watch:
        site("pair")
        assert not load.noticed()
    watch.one_owner()


@pytest.mark.parametrize("settings", [{"director_advert_interval": 0.5}, {"director_virtual_router_id": 52}])
def test_settings_of_vrrp(settings: dict[str, Any], machine: Machines, tmp_path: Path) -> None:
    changed = inventory(tmp_path, **settings)
    with clients.clients(held=10) as load:
        for scenario in (changed, "pair"):
            with watched() as watch:
                site(scenario)
                clients.until(lambda: clients.owners(machine) == ["director1"], 120)
            if "director_virtual_router_id" in settings:
                # Both hold the VIPs until the master is set up: none is without an owner.
                assert all(one["away"] <= TAKEN for one in watch.seen.values())
            else:
                watch.one_owner()
            assert site(scenario).recap("director1")["changed"] == 0
        assert not load.noticed()


def test_another_order_of_the_directors(machine: Machines, tmp_path: Path) -> None:
    with clients.clients(held=10) as load, watched() as watch:
        site(inventory(tmp_path, "director2", "director1"))
        clients.until(lambda: clients.owners(machine) == ["director2"], 120)
        site("pair")
        clients.until(lambda: clients.owners(machine) == ["director1"], 120)
        assert not load.noticed()
    # A director that preempts has the VIPs before the other one receives its advertisement (RFC 5798, section 6.4.3).
    # That happens twice here, and each VIP is asked for 20 times a second.
    watch.one_owner(TAKEN, doubled=4)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"{cluster.VIP}/24", f"{cluster.VIP}/24 is on cluster, and keepalived did not add it"),
        ("192.0.2.20/32", "192.0.2.20/32 is on cluster, and keepalived did not add it"),
    ],
)
def test_a_vip_that_a_director_has_by_other_means(address: str, says: str, machine: Machines, tmp_path: Path) -> None:
    more = inventory(tmp_path, more=[service(0, "192.0.2.20")])
    machine("director2").check_output(
        f"ip address add {address} dev cluster nodad || ip address add {address} dev cluster"
    )
    try:
        run = site(more, status=1)
    finally:
        machine("director2").check_output(f"ip address del {address} dev cluster")
    assert says in run.text
    assert not run.tasks("lvs.cluster.real_server"), "no host was changed"


def test_an_address_on_another_link(machine: Machines, tmp_path: Path) -> None:
    outside = machine("director2").check_output("ip -4 -o address show dev outside | awk '{print $4}' | cut -d/ -f1")
    path = Path(inventory(tmp_path)) / "inventory.yml"
    written = yaml.safe_load(path.read_text())
    written["all"]["children"]["directors"]["hosts"]["director2"]["lvs_address"] = [outside.split()[0], "2001:db8::3"]
    path.write_text(yaml.safe_dump(written))
    run = site(str(tmp_path), status=1)
    assert f"{outside.split()[0]} is on outside, and this director uses VRRP on cluster: set lvs_address" in run.text
    assert not run.tasks("lvs.cluster.real_server"), "no host was changed"
