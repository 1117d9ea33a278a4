# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules and ipvsadm see, build and change the same table."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

# So many random tables for each of two tests; a machine with time on its hands takes LVS_RANDOM_TABLES=300.
TABLES = int(os.environ.get("LVS_RANDOM_TABLES", "30"))
SEEDS = [range(start, min(start + 10, TABLES)) for start in range(0, TABLES, 10)]

ORDINARY = [
    f"-A {service} -s rr\n-a {service} -r {server} {method}\n"
    for service, server in [
        ("-t 192.0.2.10:80", "198.51.100.11:80"),
        ("-u 192.0.2.10:80", "198.51.100.11:80"),
        ("--sctp-service 192.0.2.10:80", "198.51.100.11:80"),
        ("-f 21", "198.51.100.11:0"),
        ("-t [2001:db8::10]:80", "[2001:db8::11]:80"),
        ("-u [2001:db8::10]:80", "[2001:db8::11]:80"),
        ("--sctp-service [2001:db8::10]:80", "[2001:db8::11]:80"),
        ("-f 21 -6", "[2001:db8::11]:0"),
    ]
    for method in ("-m -w 1", "-g -w 0", "-i -w 65535 --tun-type ipip")
]


def round_trip(host: Host, rules: str) -> None:
    """Build with ipvsadm, read with the modules, wipe, apply with the modules, compare with ipvsadm."""
    host.restore(rules)
    saved, thresholds = host.save(), host.thresholds()
    read = host.ok("ipvs_info")["rules"]
    assert not host.ok("ipvs_table", rules=read, purge="all")["changed"]
    host.clear()
    predicted = host.ok("ipvs_table", check=True, rules=read, purge="all")
    assert host.save() == ""
    applied = host.ok("ipvs_table", rules=read, purge="all")
    assert (host.save(), host.thresholds()) == (saved, thresholds)
    assert applied["diff"] == predicted["diff"]
    assert applied["diff"]["after"] == read
    again = host.ok("ipvs_table", rules=saved, purge="all")
    assert (again["changed"], again["diff"]["before"], again["diff"]["after"]) == (False, "", "")


@pytest.mark.parametrize("rules", ORDINARY)
def test_ordinary_forms(host: Host, rules: str) -> None:
    round_trip(host, rules)
    assert host.ok("ipvs_info")["rules"] == rules == host.save()


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_random_tables(host: Host, random_table: Callable[[int], str], seeds: range) -> None:
    for seed in seeds:
        host.clear()
        round_trip(host, random_table(seed))


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_from_one_random_table_to_another(host: Host, random_table: Callable[[int], str], seeds: range) -> None:
    for seed in seeds:
        host.clear()
        host.restore(random_table(seed + 1000))
        saved, thresholds, target = host.save(), host.thresholds(), host.ok("ipvs_info")["rules"]
        host.clear()
        host.restore(random_table(seed))
        # Thresholds that a text does not mention stay as they are: this is about the rest.
        predicted = host.ok("ipvs_table", check=True, rules=target, purge="all")
        applied = host.ok("ipvs_table", rules=target, purge="all")
        assert applied["diff"] == predicted["diff"]
        assert host.save() == saved
        assert len(host.thresholds()) == len(thresholds)
        assert not host.ok("ipvs_table", rules=target, purge="all")["changed"]


def beyond_ipvsadm(rules: str, seed: int) -> str:
    """The same table with what ipvsadm can list but not set: large weights and thresholds, the method local."""
    choose = random.Random(seed).choice
    lines = []
    for line in rules.splitlines():
        if line.startswith("-a"):
            line = re.sub(r"-w \d+", f"-w {choose([0, 65536, 2**24, 2**31 - 1])}", line)
            line = re.sub(r" -[xy] \d+", "", line)
            upper = choose([0, 1, 2**24, 2**31 - 1])
            limits = f" -x {upper} -y {choose([0, 1, upper])}" if upper else ""
            line = re.sub(r" (-w \d+)", rf" \1{limits}", line)
            if " -g " in line and choose([False, True]):
                line += "  # local"
        lines.append(f"{line}\n")
    return "".join(lines)


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_what_ipvsadm_cannot_set(host: Host, random_table: Callable[[int], str], seeds: range) -> None:
    for seed in seeds:
        host.clear()
        rules = beyond_ipvsadm(random_table(seed), seed)
        predicted = host.ok("ipvs_table", check=True, rules=rules, purge="all")
        applied = host.ok("ipvs_table", rules=rules, purge="all")
        assert applied["diff"] == predicted["diff"]
        read = host.ok("ipvs_info")
        assert read["rules"] == applied["diff"]["after"]
        assert not host.ok("ipvs_table", rules=read["rules"], purge="all")["changed"]
        assert not host.ok("ipvs_table", rules=rules, purge="all")["changed"]
        servers = [server for service in read["services"] for server in service["real_servers"]]
        methods = {"nat": "Masq", "dr": "Route", "tun": "Tunnel", "local": "Local"}
        listed = [line.split() for line in host.run("ipvsadm", "-L", "-n").stdout.splitlines()[3:]]
        assert sorted([methods[server["forward_method"]], str(server["weight"])] for server in servers) == sorted(
            line[2:4] for line in listed if line[0] == "->"
        )
        limits = sorted(f"{server['upper_threshold']} {server['lower_threshold']}" for server in servers)
        assert limits == sorted(" ".join(line.split()[1:]) for line in host.thresholds())


def test_what_ipvsadm_writes_with_names_instead_of_numbers_is_refused(host: Host) -> None:
    host.restore("-A -t 127.0.0.1:80 -s rr\n")
    text = host.run("ipvsadm", "--save").stdout
    assert "must be a numeric address and port" in host.failure("ipvs_table", rules=text)
