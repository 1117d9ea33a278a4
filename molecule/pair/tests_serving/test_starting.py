# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A director's keepalived starts before the addresses that it speaks from can be used, as at boot."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import clients
import pytest
from testinfra.host import Host

Machines = Callable[[str], Host]

OTHER = {"director1": "director2", "director2": "director1"}
ADDRESS = {"director1": "2001:db8::2/64", "director2": "2001:db8::3/64"}
WAITING = 30  # seconds, what keepalived waits at most before it starts all the same
TAKING_OVER = 5  # seconds: a stopped director says so, and what is left is for the machines


@pytest.fixture(scope="module", autouse=True)
def settled(machine: Machines) -> Iterator[None]:
    """Those who come next find the VIPs where they expect them."""
    yield
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)


def takes_over(name: str, machine: Machines) -> None:
    """Whether it can is seen by the other one's going."""
    other = machine(OTHER[name])
    other.check_output("systemctl stop keepalived")
    try:
        clients.until(lambda: clients.owners(machine) == [name], TAKING_OVER)
    finally:
        other.check_output("systemctl start keepalived")


def well(name: str, machine: Machines) -> bool:
    """It runs, and the kernel has the synchronisation that it starts."""
    status: int = machine(name).run("systemctl is-active keepalived && ipvsadm -L --daemon | grep -q sync").rc
    return status == 0


@pytest.mark.parametrize("name", clients.DIRECTORS)
def test_it_waits_while_the_link_is_asked_for_another_owner(name: str, machine: Machines) -> None:
    director, address = machine(name), ADDRESS[name]
    director.check_output("systemctl stop keepalived")
    director.check_output(f"ip address del {address} dev cluster")
    added = f"ip address add {address} dev cluster && ip -o address show to {address} tentative"
    assert "tentative" in director.check_output(f"{added} && systemctl start keepalived")
    assert well(name, machine)
    takes_over(name, machine)


@pytest.mark.parametrize("name", clients.DIRECTORS)
def test_it_is_told_of_an_address_that_comes_late(name: str, machine: Machines) -> None:
    director, address = machine(name), ADDRESS[name]
    director.check_output("systemctl stop keepalived")
    director.check_output(f"ip address del {address} dev cluster")
    try:
        director.check_output("systemctl start --no-block keepalived")
        assert not well(name, machine)
        clients.until(lambda: director.run("systemctl is-active keepalived").succeeded, 2 * WAITING)
    finally:
        director.check_output(f"ip address add {address} dev cluster")
    waiting = "systemctl is-active lvs-cluster-addresses"
    clients.until(lambda: director.run(waiting).stdout.strip() == "inactive", WAITING)
    takes_over(name, machine)
