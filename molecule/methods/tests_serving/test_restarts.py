# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of the hosts that tidy up when they start leave what is ours."""

from __future__ import annotations

import collections
import json
import shlex
import time
from collections.abc import Callable

import cluster
from testinfra.host import Host

Machines = Callable[[str], Host]

#: One address of each method that depends on more than the IPVS table.
ADDRESSES = ("192.0.2.21 7001", "192.0.2.22 80", "192.0.2.26 80", "2001:db8::26 80")
PROBE = str(cluster.ROOT / "molecule" / "probe.py")


def served() -> bool:
    """Whether both real servers answer by every method."""
    words = [word for address in ADDRESSES for word in ("tcp", *address.split())]
    lines = cluster.on_client("python3", PROBE, "4", *words, seconds=200).splitlines()
    hosts = [collections.Counter(one[0] for one in json.loads(line)) for line in lines]
    return hosts == [{"rs1": 2, "rs2": 2}] * len(ADDRESSES)


def test_units_are_confined_and_do_what_they_are_for(machine: Machines) -> None:
    assert machine("rs1").service("lvs-cluster-routes-watch").is_running
    units = {unit for name in (cluster.DIRECTOR, *cluster.REAL_SERVERS) for unit in cluster.confined(machine(name))}
    assert units >= {f"lvs-cluster-{name}.service" for name in ("ipvs", "vips", "routes")}
    assert "lvs-cluster-nftables-lvs_cluster.service" in units
    assert served()


def test_a_restart_of_nftables_brings_our_table_back(machine: Machines) -> None:
    director = machine(cluster.DIRECTOR)
    before = director.check_output("nft --stateless list table inet lvs_cluster")
    assert "flush ruleset" in director.file("/etc/nftables.conf").content_string
    for _time in range(2):
        director.check_output("systemctl restart nftables.service")
        assert director.check_output("nft --stateless list table inet lvs_cluster") == before
    for _time in range(2):
        director.check_output("systemctl reload nftables.service")
        assert director.check_output("nft --stateless list table inet lvs_cluster") == before
    director.check_output("systemctl stop nftables.service")
    director.check_output("systemctl start lvs-cluster-nftables-lvs_cluster.service")
    assert served()


def wait_for_route(real_server: Host) -> None:
    """Until what watches has set the route again."""
    show = "ip route show table 5151; ip -6 route show table 5151"
    there = f"test $(({show}) | grep -c '^default via') = 2"
    real_server.check_output(f"for second in $(seq 30); do {there} && exit; sleep 1; done; {show}; false")


def test_an_interface_that_goes_down_and_up_has_its_return_routes_back(machine: Machines) -> None:
    """Nothing else is done: no unit is restarted, no playbook run."""
    real_server = machine("rs1")
    command = "ip link set cluster down && sleep 2 && ip link set cluster up"
    # Not to be cut off half-way: the machine is reached by another interface, whose session may still end.
    real_server.check_output(f"systemd-run --collect --wait /bin/sh -ec {shlex.quote(command)}")
    wait_for_route(real_server)
    deadline = time.monotonic() + 60  # the director's neighbour entries and the switch have to learn again
    while not served():
        assert time.monotonic() < deadline


def test_a_restart_of_networkd_leaves_vips_and_rules_and_the_routes_come_back(machine: Machines) -> None:
    real_server = machine("rs1")
    show = "ip rule; ip -6 rule; ip -brief address show lo"
    before = real_server.check_output(show)
    assert "lookup 5151" in before
    real_server.check_output("systemctl restart systemd-networkd.service")
    real_server.check_output("/usr/lib/systemd/systemd-networkd-wait-online --interface=cluster --timeout=60")
    assert real_server.check_output(show) == before
    # It takes the interface's address off for a moment, and with its last address the kernel takes its IPv4 routes.
    wait_for_route(real_server)
    assert served()


def test_a_restart_of_ifupdown_leaves_vips_rules_and_route(machine: Machines) -> None:
    real_server = machine("rs1")
    show = "ip rule; ip -6 rule; ip route show table 5151; ip -6 route show table 5151; ip -brief address show lo"
    before = real_server.check_output(show)
    try:
        for action in ("start", "restart"):
            real_server.check_output(f"systemctl {action} networking.service")
        assert real_server.check_output(show) == before
    finally:
        real_server.check_output("systemctl stop networking.service ifupdown-pre.service")
    assert real_server.check_output(show) == before
    assert served()


def test_the_unit_that_sets_routes_at_boot_can_run_again(machine: Machines) -> None:
    real_server = machine("rs1")
    before = sorted(real_server.check_output("ip rule; ip -6 rule").splitlines())
    real_server.check_output("systemctl restart lvs-cluster-routes.service")
    assert sorted(real_server.check_output("ip rule; ip -6 rule").splitlines()) == before
    assert served()
