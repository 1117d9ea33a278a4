# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forged VRRP advertisements and synchronisation messages change nothing, and do so where the guard is off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import clients
import cluster
import pytest
import strangers
from testinfra.host import Host

Machines = Callable[[str], Host]

MASTER, BACKUP = clients.DIRECTORS
#: Of each director: its address, and that of its peer, by VRRP instance.
ADDRESSES = {
    "lvs_ipv4": {MASTER: ("192.0.2.2", "192.0.2.3"), BACKUP: ("192.0.2.3", "192.0.2.2")},
    "lvs_ipv6": {MASTER: ("2001:db8::2", "2001:db8::3"), BACKUP: ("2001:db8::3", "2001:db8::2")},
}
STRANGER = {"lvs_ipv4": "192.0.2.99", "lvs_ipv6": "2001:db8::99"}
TIMES, INTERVAL = 40, 0.1
SYNC_ID = 51
#: Of a network that the lab itself does not use (RFC 2544).
CLIENT = "198.19.7.7"


@pytest.fixture(autouse=True)
def settled(machine: Machines) -> Iterator[None]:
    """The master has all VIPs before each test, and those who come next find it so."""
    clients.until(lambda: clients.owners(machine) == [MASTER], 180)
    yield
    clients.until(lambda: clients.owners(machine) == [MASTER], 180)


@contextmanager
def unguarded(director: Host) -> Iterator[None]:
    """A director whose keepalived and nftables rules take advertisements and messages from anyone."""
    plain = r"sed -i -e '/vrrp_check_unicast_src/d' -e 's/ min_ttl [0-9]* max_ttl [0-9]*//'"
    director.check_output("cp -p /etc/keepalived/keepalived.conf /run/guarded.conf")
    director.check_output("nft list table inet lvs_cluster > /run/guarded.nft")
    director.check_output(f"{plain} /etc/keepalived/keepalived.conf && systemctl reload keepalived")
    director.check_output("nft delete table inet lvs_cluster")
    try:
        yield
    finally:
        director.check_output("nft -f /run/guarded.nft")
        director.check_output("cp -p /run/guarded.conf /etc/keepalived/keepalived.conf && systemctl reload keepalived")


def forge(machine: Machines, instance: str, source: str, ttl: int) -> list[str]:
    """Send advertisements to the master for some seconds; who had the VIP meanwhile, as often as could be asked."""
    director = machine(MASTER)
    packet = strangers.advert(source, director, instance, ttl, ADDRESSES[instance][MASTER][0])
    since = director.check_output("date +%s.%N")
    strangers.send([packet], strangers.mac(director, "cluster"), times=TIMES, interval=INTERVAL)
    log: str = director.check_output(f"journalctl -u keepalived -o cat --since @{since}")
    return log.splitlines()


@pytest.mark.parametrize("instance", list(ADDRESSES))
@pytest.mark.parametrize(("who", "ttl"), [("stranger", 255), ("stranger", 64), ("peer", 64)])
def test_a_forged_advertisement_changes_nothing(instance: str, who: str, ttl: int, machine: Machines) -> None:
    source = STRANGER[instance] if who == "stranger" else ADDRESSES[instance][MASTER][1]
    with clients.clients(rate=20, held=10) as some:
        log = forge(machine, instance, source, ttl)
        assert not [line for line in log if "STATE" in line]
        assert clients.owners(machine) == [MASTER]
        assert some.noticed() == []


@pytest.mark.parametrize("who", ["stranger", "peer"])
def test_without_the_guard_the_same_takes_the_vips_away(who: str, machine: Machines) -> None:
    source = STRANGER["lvs_ipv4"] if who == "stranger" else ADDRESSES["lvs_ipv4"][MASTER][1]
    with unguarded(machine(MASTER)):
        log = forge(machine, "lvs_ipv4", source, 64)
    print("\n".join(log))
    assert [line for line in log if "BACKUP STATE" in line]


def known(director: Host, port: int) -> list[str]:
    listed: str = director.check_output("ipvsadm -Lnc")
    return [line for line in listed.splitlines() if f" {CLIENT}:{port} " in line]


def tell(machine: Machines, source: str, port: int) -> list[str]:
    """Tell the backup of a connection that nobody has; what it then knows of it.

    What comes behind has the master's own address, so it is taken in any case, and shows that the first has been there.
    """
    senders = {port: source, port + 1: ADDRESSES["lvs_ipv4"][MASTER][0]}
    packets = [
        strangers.sync_message(sender, SYNC_ID, (CLIENT, number), (cluster.VIP, 7002), ("192.0.2.11", 7002))
        for number, sender in senders.items()
    ]
    strangers.send(packets, strangers.SYNC_MAC, times=3, interval=0.2)
    backup = machine(BACKUP)
    clients.until(lambda: bool(known(backup, port + 1)), 10)
    return known(backup, port)


def test_a_forged_connection_is_not_taken(machine: Machines) -> None:
    assert tell(machine, STRANGER["lvs_ipv4"], 4711) == []


def test_without_the_guard_the_backup_takes_it(machine: Machines) -> None:
    with unguarded(machine(BACKUP)):
        found = tell(machine, STRANGER["lvs_ipv4"], 4721)
    print("\n".join(found))
    assert found
