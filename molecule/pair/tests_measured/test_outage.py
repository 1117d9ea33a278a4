# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long nobody serves the VIPs when the director that has them is killed: five times with each of three settings."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import clients
import cluster
import pytest
from pairs import RULES, table
from testinfra.host import Host

Machines = Callable[[str], Host]

TIMES = 5
CONFIGURATION = "/etc/keepalived/keepalived.conf"
#: What is changed in the role's configuration; nothing for the scenario's own. stock is what keepalived does when
#: nobody says anything (keepalived.conf(5): vrrp_version, advert_int).
SETTINGS = {
    "fast": "",
    "default": "s/advert_int .*/advert_int 1/",
    "stock": "s/advert_int .*/advert_int 1/; s/vrrp_version .*/vrrp_version 2/; /preempt_delay/d",
}
found: dict[str, list[float]] = {}


def ready(machine: Machines) -> bool:
    """Whether both directors could serve, and one does."""
    try:
        directors = [machine(name) for name in clients.DIRECTORS]
        return all(table(one) == sorted(RULES) for one in directors) and len(clients.owners(machine)) == 1
    except (AssertionError, RuntimeError):  # one that boots answers neither ssh nor ipvsadm
        return False


@pytest.mark.parametrize("name", SETTINGS)
def test_a_killed_director(name: str, machine: Machines) -> None:
    clients.until(lambda: ready(machine), 120)
    written = {one: machine(one).file(CONFIGURATION).content_string for one in clients.DIRECTORS}
    assert all("advert_int 0.2" in text and "vrrp_version 3" in text for text in written.values())
    for one in clients.DIRECTORS:
        # In a file of another name: the role's own is what comes back afterwards. Both have to be on the disk before
        # the power goes.
        machine(one).check_output(
            f"cp {CONFIGURATION} /root/keepalived.conf && sed -i '{SETTINGS[name]}' {CONFIGURATION} && sync"
        )
        machine(one).check_output("systemctl reload keepalived")
    try:
        clients.until(lambda: ready(machine), 120)
        found[name] = []
        with clients.clients(held=0) as load:
            for _time in range(TIMES):
                clients.until(lambda: ready(machine), 300)
                (owner,) = clients.owners(machine)
                load.report()
                clients.power(owner, "reset")
                cluster.wait_for_service()
                report = load.report()
                assert not report["failures"], report["failed"]
                found[name].append(report["away"][0])
                clients.until(lambda: ready(machine), 300)
        spread = " ".join(f"{seconds:.2f}" for seconds in sorted(found[name]))
        print(f"{name}: {spread}; median {statistics.median(found[name]):.2f} s")
    finally:
        for one in clients.DIRECTORS:
            machine(one).check_output(f"mv /root/keepalived.conf {CONFIGURATION} && systemctl reload keepalived")
    assert {one: machine(one).file(CONFIGURATION).content_string for one in clients.DIRECTORS} == written


def test_the_settings_differ_as_they_should() -> None:
    medians = {name: statistics.median(times) for name, times in found.items()}
    assert set(medians) == set(SETTINGS)
    assert medians["fast"] < 1
    assert medians["fast"] <= medians["stock"] / 3
    assert medians["default"] < 4
