# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify.yml: content with what site.yml has made, and in plain words about what was broken since."""

from __future__ import annotations

from collections.abc import Callable

import cluster
import titles
from testinfra.host import Host

HOSTS = ("director1", "rs1", "rs2")
#: What breaks a host, and what verify has to say of it.
BROKEN = {
    "director1": {
        "ipvsadm --edit-service --tcp-service 203.0.113.21:7001 --scheduler wlc": [
            "director1: the virtual service tun-ipip-ipv4-tcp (tcp 203.0.113.21:7001) is -s wlc, and should be -s rr",
        ],
        "sysctl -qw net.ipv4.vs.expire_nodest_conn=0": [
            "director1: net.ipv4.vs.expire_nodest_conn is 0, and should be 1",
        ],
    },
    "rs1": {
        "ip link delete dev lvs-ipip0": [
            "rs1: the tunnel lvs-ipip0 does not exist",
        ],
        "nft delete table inet lvs_real_server": [
            "rs1: the nftables table inet lvs_real_server does not exist",
        ],
        "ip address delete 203.0.113.22/32 dev lo": [
            "rs1: the VIP 203.0.113.22/32 dev lo is absent",
        ],
        "ip -6 rule delete from 2001:db8::11 ipproto tcp sport 7001 lookup 5151": [
            "rs1: the routing rule from 2001:db8::11 ipproto tcp sport 7001 lookup 5151 priority 5151 does not exist",
        ],
    },
    "rs2": {
        # 4 counts as 0, and outweighs the 1 of all; on a link on which the watch does not ask
        "sysctl -qw net.ipv4.conf.cluster.arp_ignore=4": [
            "rs2 answers ARP for 203.0.113.21 on cluster: arp_ignore is 1 on all and 4 on cluster",
            f"rs2: {titles.VIPS}: ingress: net.ipv4.conf.cluster.arp_ignore is 4",
        ],
    },
}


def verify() -> cluster.Run:
    return cluster.playbook("verify", "--extra-vars=lvs_verify_from=outsider", scenario="routed")


def test_units_are_confined_and_leave_the_hosts_as_described(machine: Callable[[str], Host]) -> None:
    units = {unit for name in HOSTS for unit in cluster.confined(machine(name))}
    assert units >= {f"lvs-cluster-{name}.service" for name in ("ipvs", "vips", "tunnels", "routes")}


def test_what_was_broken_is_said_and_what_is_whole_is_not(machine: Callable[[str], Host]) -> None:
    for name, breaks in BROKEN.items():
        for command in breaks:
            machine(name).check_output(command)
    try:
        run = verify()
    finally:
        machine("rs2").check_output("sysctl -qw net.ipv4.conf.cluster.arp_ignore=0")
        repaired = cluster.playbook("site", scenario="routed")
    assert run.status != 0
    said = " ".join(run.text.partition(f"TASK [{titles.VERIFIED}]")[2].split())
    for name, breaks in BROKEN.items():
        for sentences in breaks.values():
            for sentence in sentences:
                assert sentence in said, (name, run.text)
    assert repaired.status == 0, repaired.text
    again = verify()
    assert again.status == 0, again.text
    assert all(again.recap(name)["changed"] == 0 for name in HOSTS)
