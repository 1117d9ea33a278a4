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
SOON = 30  # seconds, for what would not come at all otherwise


@pytest.fixture(scope="module", autouse=True)
def settled(machine: Machines) -> Iterator[None]:
    """Those who come next find both well, and the VIPs where they expect them."""
    yield
    for name in clients.DIRECTORS:
        repair = (
            f"ip address replace {ADDRESS[name]} dev cluster; systemctl start keepalived; systemctl reload keepalived"
        )
        machine(name).check_output(repair)
    clients.until(lambda: clients.owners(machine) == ["director1"], 120)


def takes_over(name: str, machine: Machines) -> None:
    """Whether it can is seen by the other one's going."""
    other = machine(OTHER[name])
    other.check_output("systemctl stop keepalived")
    try:
        clients.until(lambda: clients.owners(machine) == [name], SOON)
    finally:
        other.check_output("systemctl start keepalived")


def state(unit: str, director: Host) -> str:
    found: str = director.run(f"systemctl is-active {unit}").stdout.strip()
    return found


def synchronises(director: Host) -> bool:
    """Whether the kernel has what keepalived starts for that."""
    return "sync" in director.check_output("ipvsadm -L --daemon")


@pytest.mark.parametrize("name", clients.DIRECTORS)
def test_it_waits_while_the_link_is_asked_for_another_owner(name: str, machine: Machines) -> None:
    director, address = machine(name), ADDRESS[name]
    director.check_output("systemctl stop keepalived")
    director.check_output(f"ip address del {address} dev cluster")
    show = f"ip -o address show to {address} tentative"
    # In one command, since there is no more than a second or two.
    start = f"ip address add {address} dev cluster; {show}; systemctl start keepalived; echo started; {show}"
    before, after = director.check_output(start).split("started")
    assert "tentative" in before
    assert "tentative" not in after
    clients.until(lambda: synchronises(director), SOON)
    takes_over(name, machine)


@pytest.mark.parametrize("name", clients.DIRECTORS)
def test_it_is_told_of_an_address_that_comes_late(name: str, machine: Machines) -> None:
    director, address = machine(name), ADDRESS[name]
    director.check_output("systemctl stop keepalived")
    director.check_output(f"ip address del {address} dev cluster")
    director.check_output("systemctl start --no-block keepalived")
    assert clients.until(lambda: state("keepalived", director) == "active", 2 * WAITING) > WAITING / 2
    assert state("lvs-cluster-addresses", director) == "active"
    director.check_output(f"ip address add {address} dev cluster")
    clients.until(lambda: state("lvs-cluster-addresses", director) == "inactive", SOON)
    clients.until(lambda: synchronises(director), SOON)
    takes_over(name, machine)
