# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes: a node is prepared and nothing else, and services of kube-proxy stay as they are."""

from __future__ import annotations

from collections.abc import Callable

import cluster
import watch
from testinfra.host import Host

PLAYBOOK = str(cluster.ROOT / "molecule" / "methods" / "kubernetes.yml")
NODE = "prober"
#: What kube-proxy checks for and sets (pkg/proxy/ipvs in the sources of Kubernetes).
MODULES = ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack")
SYSCTLS = {"vs/conntrack": "1", "vs/expire_nodest_conn": "1", "vs/expire_quiescent_template": "1", "ip_forward": "1"}


def test_a_node_gets_modules_and_sysctls_and_nothing_else(machine: Callable[[str], Host]) -> None:
    node = machine(NODE)
    before = watch.snapshot(NODE).splitlines()
    first, again = (cluster.ansible("ansible-playbook", PLAYBOOK, scenario="methods") for _number in range(2))
    assert first.recap(NODE)["changed"] == 1, first.text
    assert again.recap(NODE)["changed"] == 0, again.text
    loaded = node.check_output("cut -d' ' -f1 /proc/modules").split()
    assert set(MODULES) <= set(loaded)
    for name, value in SYSCTLS.items():
        assert node.check_output(f"cat /proc/sys/net/ipv4/{name}") == value
    changed = [line for line in watch.snapshot(NODE).splitlines() if line not in before]
    files = [line for line in changed if line.startswith("/")]
    # forwarding, and what the kernel changes along with it
    assert not [
        line
        for line in changed
        if line not in files
        and "ip_forward" not in line
        and ".forwarding" not in line
        and "accept_redirects" not in line
        and not line.startswith(("net.ipv4.vs.", "#", "ip_vs", "nf_conntrack"))
    ]
    assert all("lvs-cluster" in line for line in files), files
    absent = cluster.ansible("ansible-playbook", PLAYBOOK, "-e", "lvs_state=absent", scenario="methods")
    assert absent.recap(NODE)["changed"] == 1, absent.text
    assert watch.snapshot(NODE).splitlines() == before


def test_services_of_kube_proxy_stay_as_they_are(machine: Callable[[str], Host]) -> None:
    director = machine(cluster.DIRECTOR)
    assert cluster.anothers(director) == cluster.KUBE_PROXY
    assert {"10.96.0.1/32", "10.96.0.10/32"} <= set(director.check_output("ip address show dev kube-ipvs0").split())
