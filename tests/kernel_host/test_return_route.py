# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""return_route on a real kernel: C(ip route get) says which way a reply takes."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

GATEWAYS = ["10.9.0.254", "2001:db8:9::fe"]
SERVICES = [
    {"address": "10.9.0.1", "protocol": "tcp", "port": 8080},
    {"address": "10.9.0.1", "protocol": "udp"},
    {"address": "2001:db8:9::1", "protocol": "udp", "port": 53},
]
RANGE = {"address": "10.9.0.1", "protocol": "tcp", "port": "9000-9099"}
CLIENTS = ("10.9.0.2", "2001:db8:9::2")  # on the link itself, which the main table knows a way to


def way(lab, client, protocol, port):
    """The next hop of a reply to a client: a gateway, or "direct"."""
    source = "2001:db8:9::1" if ":" in client else "10.9.0.1"
    text = lab.ip(lab.host, "route", "get", client, "from", source, "ipproto", protocol, "sport", str(port))
    found = re.search(r"via (\S+)", text)
    return found[1] if found else "direct"


def now(lab):
    rules = [lab.ip(lab.host, family, "rule", "show") for family in ("-4", "-6")]
    # not the other tables: IPv6's change by themselves for a while
    texts = [lab.ip(lab.host, family, "route", "show", "table", "all") for family in ("-4", "-6")]
    return rules, [sorted(line for line in text.splitlines() if "table 5151" in line) for text in texts], lab.tree()


def test_replies_of_services_go_by_the_gateway_and_nothing_else_does(lab):
    before = now(lab)
    checked = lab.module("return_route", gateways=GATEWAYS, services=SERVICES, check_mode=True)
    assert checked.changed, checked.message
    assert now(lab) == before
    done = lab.module("return_route", gateways=GATEWAYS, services=SERVICES)
    assert done.changed, done.message
    assert (checked.before, checked.after) == (done.before, done.after)
    assert way(lab, CLIENTS[0], "tcp", 8080) == GATEWAYS[0]
    assert way(lab, CLIENTS[0], "udp", 9) == GATEWAYS[0]
    assert way(lab, CLIENTS[1], "udp", 53) == GATEWAYS[1]
    for client, protocol, port in ((CLIENTS[0], "tcp", 22), (CLIENTS[1], "tcp", 53)):
        assert way(lab, client, protocol, port) == "direct"
    again = lab.module("return_route", gateways=GATEWAYS, services=SERVICES)
    assert not again.changed, again.diff()
    assert lab.module("return_route", state="absent").changed
    assert now(lab) == before
    assert not lab.module("return_route", state="absent").changed


def test_the_list_is_the_desired_state_and_a_gateway_is_replaced(lab):
    lab.module("return_route", gateways=GATEWAYS, services=SERVICES)
    result = lab.module("return_route", gateways=["10.9.0.253"], services=SERVICES[:1])
    assert result.changed, result.message
    assert way(lab, CLIENTS[0], "tcp", 8080) == "10.9.0.253"
    assert way(lab, CLIENTS[0], "udp", 9) == "direct"
    assert way(lab, CLIENTS[1], "udp", 53) == "direct"
    assert lab.ip(lab.host, "-6", "route", "show", "table", "5151") == ""  # and no fallback either


def test_a_range_of_ports_is_one_rule(lab):
    services = [
        {"address": "10.9.0.1", "protocol": "udp", "port": "10000-20000"},
        {"address": "2001:db8:9::1", "protocol": "udp", "port": "1-65534"},
    ]
    before = now(lab)
    checked = lab.module("return_route", gateways=GATEWAYS, services=services, check_mode=True)
    done = lab.module("return_route", gateways=GATEWAYS, services=services)
    assert done.changed, done.message
    assert (checked.before, checked.after) == (done.before, done.after)
    rules = lab.ip(lab.host, "rule", "show").splitlines()
    assert [line.split(":\t")[1].strip() for line in rules if "sport" in line] == [
        "from 10.9.0.1 ipproto udp sport 10000-20000 lookup 5151"
    ]
    for port, gateway in ((9999, "direct"), (10000, GATEWAYS[0]), (20000, GATEWAYS[0]), (20001, "direct")):
        assert way(lab, CLIENTS[0], "udp", port) == gateway
    assert way(lab, CLIENTS[0], "tcp", 10000) == "direct"
    assert way(lab, CLIENTS[1], "udp", 65534) == GATEWAYS[1]
    assert way(lab, CLIENTS[1], "udp", 65535) == "direct"
    again = lab.module("return_route", gateways=GATEWAYS, services=services)
    assert not again.changed, again.diff()
    other = [{**services[0], "port": "10000-20001"}, services[1]]
    added = lab.module("return_route", gateways=GATEWAYS, services=other, purge=False)
    assert added.raw["leftovers"] == [
        "remove the routing rule from 10.9.0.1 ipproto udp sport 10000-20000 lookup 5151 priority 5151"
    ]
    assert lab.module("return_route", gateways=GATEWAYS, services=other).changed
    assert way(lab, CLIENTS[0], "udp", 20001) == GATEWAYS[0]
    assert lab.ip(lab.host, "rule", "show").count("sport") == 1
    assert lab.module("return_route", state="absent").changed
    assert now(lab) == before


def test_the_kernel_has_no_rule_for_the_last_port(lab):
    """Otherwise the description and the module would refuse too much."""
    words = ("rule", "add", "from", "10.9.0.1", "ipproto", "udp", "sport", "1-65535", "lookup", "5151")
    done = subprocess.run(["ip", "-n", lab.host, *words], check=False, capture_output=True, text=True)
    assert done.returncode != 0, now(lab)[0]


def test_everything_that_leaves_the_link_goes_by_the_gateway_where_that_is_wanted(lab):
    lab.ip(lab.host, "route", "add", "default", "via", "10.9.0.2")
    lab.ip(lab.host, "route", "add", "203.0.113.0/24", "via", "10.9.0.2")
    before = now(lab)
    assert lab.module("return_route", gateways=GATEWAYS, services=SERVICES, traffic="all").changed
    far = {way(lab, client, "tcp", 22) for client in ("192.0.2.7", "2001:db8:7::7")}
    assert far == set(GATEWAYS)
    # The link itself, and what the main table knows a way to.
    for client in CLIENTS:
        assert way(lab, client, "tcp", 22) == "direct"
    assert way(lab, "203.0.113.7", "tcp", 22) == "10.9.0.2"
    assert way(lab, CLIENTS[0], "tcp", 8080) == GATEWAYS[0]
    again = lab.module("return_route", gateways=GATEWAYS, services=SERVICES, traffic="all")
    assert not again.changed, again.diff()
    assert lab.module("return_route", gateways=GATEWAYS, services=SERVICES).changed
    assert way(lab, "192.0.2.7", "tcp", 22) == "10.9.0.2"
    assert lab.module("return_route", state="absent").changed
    assert now(lab) == before


@pytest.mark.parametrize("traffic", ["services", "all"])
def test_what_the_boot_unit_does_is_what_the_module_did(lab, traffic):
    lab.module("return_route", gateways=GATEWAYS, services=[*SERVICES, RANGE], traffic=traffic)
    held = now(lab)
    unit = (lab.scratch / "etc/systemd/system/lvs-cluster-routes.service").read_text()
    lab.module("return_route", state="absent")
    words = "".join(f"{line}\n" for line in re.findall(r"^StandardInputText=(.*)$", unit, re.M))
    for command in re.findall(r"^ExecStart=(.*)$", unit, re.M):
        subprocess.run(
            ["ip", "netns", "exec", lab.host, *shlex.split(command)],
            input=words,
            text=True,
            check=True,
            capture_output=True,
        )
    rules, routes, _tree = now(lab)
    assert [set(text.splitlines()) for text in rules] == [set(text.splitlines()) for text in held[0]]
    # ip names itself (boot) as who set a route, and pyroute2 an administrator (static)
    said = re.compile(r" proto \w+")
    assert [[said.sub("", line) for line in lines] for lines in routes] == [
        [said.sub("", line) for line in lines] for lines in held[1]
    ]
    assert way(lab, CLIENTS[0], "tcp", 8080) == GATEWAYS[0]
    assert way(lab, CLIENTS[0], "tcp", 9050) == GATEWAYS[0]
    assert way(lab, CLIENTS[1], "udp", 53) == GATEWAYS[1]


def test_what_somebody_removed_is_put_back(lab):
    lab.module("return_route", gateways=GATEWAYS, services=SERVICES)
    held = now(lab)
    lab.ip(lab.host, "rule", "del", "from", "10.9.0.1", "ipproto", "tcp", "sport", "8080", "table", "5151")
    lab.ip(lab.host, "-6", "route", "flush", "table", "5151")
    assert lab.module("return_route", gateways=GATEWAYS, services=SERVICES).changed
    assert now(lab)[1:] == held[1:]
    assert way(lab, CLIENTS[0], "tcp", 8080) == GATEWAYS[0]


def down_and_up(lab):
    """The interface, as an operator or a network manager does it; what the kernel drops of IPv6 comes back."""
    lab.ip(lab.host, "link", "set", "link0", "down")
    lab.ip(lab.host, "link", "set", "link0", "up")
    lab.ip(lab.host, "address", "replace", "2001:db8:9::1/64", "dev", "link0", "nodad")


def refused(lab, client, protocol, port):
    """Whether a reply finds no way at all, rather than that of the main table."""
    source = "2001:db8:9::1" if ":" in client else "10.9.0.1"
    words = ("route", "get", client, "from", source, "ipproto", protocol, "sport", str(port))
    done = subprocess.run(["ip", "-n", lab.host, *words], check=False, capture_output=True, text=True)
    # EHOSTUNREACH, by a route that says so; without any route it is ENETUNREACH (net/ipv4/fib_semantics.c, fib_props)
    return done.returncode != 0 and "No route to host" in done.stderr


def test_an_interface_that_was_down_leaves_replies_refused_and_not_misled(lab):
    lab.module("return_route", gateways=GATEWAYS, services=SERVICES)
    held = now(lab)
    for lose in (down_and_up, lose_addresses):
        lose(lab)
        assert lab.ip(lab.host, "route", "show", "default", "table", "5151", "dev", "link0") == ""
        assert refused(lab, CLIENTS[0], "tcp", 8080)
        assert refused(lab, CLIENTS[1], "udp", 53) or way(lab, CLIENTS[1], "udp", 53) == GATEWAYS[1]
        assert way(lab, CLIENTS[0], "tcp", 22) == "direct"
        assert lab.module("return_route", gateways=GATEWAYS, services=SERVICES, check_mode=True).changed
        assert lab.module("return_route", gateways=GATEWAYS, services=SERVICES).changed
        assert now(lab)[:2] == held[:2]


def lose_addresses(lab):
    """All of IPv4 for a moment, as a restart of systemd-networkd does it."""
    lab.ip(lab.host, "-4", "address", "flush", "dev", "link0")
    lab.ip(lab.host, "address", "add", "10.9.0.1/24", "dev", "link0")


@pytest.mark.parametrize("lose", [down_and_up, lose_addresses])
def test_what_watches_sets_the_routes_again(lab, lose):
    lab.module("return_route", gateways=GATEWAYS, services=SERVICES)
    held = now(lab)
    unit = (lab.scratch / "etc/systemd/system/lvs-cluster-routes-watch.service").read_text().replace("\\\n", " ")
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.M)
    words = [word.replace("$$", "$") for word in shlex.split(command)]
    data = "".join(f"{line}\n" for line in re.findall(r"^StandardInputText=(.*)$", unit, re.M))
    watching = subprocess.Popen(
        ["ip", "netns", "exec", lab.host, *words], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert watching.stdin is not None
        watching.stdin.write(data)
        watching.stdin.close()
        deadline = time.monotonic() + 30
        while not any("monitor" in words for words in commands(watching.pid)):
            assert time.monotonic() < deadline, "it does not watch"
            time.sleep(0.1)
        for _time in range(3):
            lose(lab)
            deadline = time.monotonic() + 30
            while [way_or_none(lab, *one) for one in ((CLIENTS[0], "tcp", 8080), (CLIENTS[1], "udp", 53))] != GATEWAYS:
                assert time.monotonic() < deadline, now(lab)[1]
                time.sleep(0.1)
        said = re.compile(r" proto \w+")
        assert [[said.sub("", line) for line in lines] for lines in now(lab)[1]] == [
            [said.sub("", line) for line in lines] for lines in held[1]
        ]
        # It becomes quiet: what it sets does not wake it, once it has seen all that the interface has announced.
        deadline = time.monotonic() + 30
        before = -1
        while (found := processes(watching.pid)) != before:
            assert time.monotonic() < deadline, "it wakes itself again and again"
            before = found
            time.sleep(2)
    finally:
        os.killpg(watching.pid, signal.SIGKILL)
        watching.wait()


def way_or_none(lab, client, protocol, port):
    return None if refused(lab, client, protocol, port) else way(lab, client, protocol, port)


def commands(session):
    """The command lines of the processes of a session, as lists of words."""
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((path / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                yield (path / "cmdline").read_text().split("\0")


def processes(session):
    """The page faults of all commands that the processes of a session have run: each of them adds some."""
    faults = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            faults += int(fields[8])  # cminflt (proc_pid_stat(5)), counted from the state
    return faults


def test_it_is_told_that_nothing_watches(lab):
    lab.module("return_route", gateways=GATEWAYS, services=SERVICES)
    assert "enable --now lvs-cluster-routes-watch.service" in lab.calls()
    (lab.scratch / "cgroup/system.slice/lvs-cluster-routes-watch.service/cgroup.procs").write_text("")
    again = lab.module("return_route", gateways=GATEWAYS, services=SERVICES)
    assert again.changed
    assert again.diff() == [
        "-lvs-cluster-routes-watch.service: stopped",
        "+lvs-cluster-routes-watch.service: running",
    ]
    assert lab.calls()[-1] == "restart lvs-cluster-routes-watch.service"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"gateways": ["10.9.0.300"]}, "gateways: '10.9.0.300' is not an IP address"),
        ({"gateways": ["10.9.0.254", "10.9.0.253"]}, "are both ipv4"),
        ({"gateways": ["10.9.0.254"]}, "services[2].address: 2001:db8:9::1 needs a gateway of its family"),
        ({"gateways": ["10.9.0.1", "2001:db8:9::fe"]}, "gateways: 10.9.0.1 is an address of this host itself"),
        ({"services": [{"address": "10.9.0.7"}]}, "services: this host has no address 10.9.0.7"),
        ({"services": [{"address": "10.9.0.1", "port": 80}]}, "services[0].port: 80 needs a protocol"),
        (
            {"services": [{"address": "10.9.0.1", "protocol": "tcp", "port": "1024-65535"}]},
            "services[0].port: 1024-65535 is not a port from 1 to 65534",
        ),
        ({"table": 254}, "table: 254 is not between 256 and 4294967295"),
        ({"priority": 0}, "priority: 0 is not between 2 and 32763"),
    ],
)
def test_errors_are_told_before_anything_is_touched(lab, arguments, says):
    before = now(lab)
    for check_mode in (True, False):
        refused = lab.module(
            "return_route", **{"gateways": GATEWAYS, "services": SERVICES, **arguments}, check_mode=check_mode
        )
        assert refused.failed
        assert says in refused.message
        assert now(lab) == before


def test_without_purge_rules_come_and_none_goes(lab):
    lab.module("return_route", gateways=GATEWAYS, services=SERVICES[1:])
    done = lab.module("return_route", gateways=GATEWAYS, services=SERVICES[:1], purge=False)
    assert done.changed, done.message
    assert way(lab, CLIENTS[0], "tcp", 8080) == way(lab, CLIENTS[0], "udp", 9) == GATEWAYS[0]
    assert way(lab, CLIENTS[1], "udp", 53) == GATEWAYS[1]
    assert len(done.raw["leftovers"]) == 4, "two rules, a route, and the one that refuses without it"
    assert not lab.module("return_route", gateways=GATEWAYS, services=SERVICES[:1], purge=False).changed
    assert lab.module("return_route", gateways=GATEWAYS, services=SERVICES[:1]).changed
    assert way(lab, CLIENTS[0], "udp", 9) == "direct"


def test_the_directors_get_replies_before_one_has_the_gateway(lab):
    """A host that changes from dr to nat has the VIP still, and its directors' checks come to the same port."""
    lab.module("arp_silence", vips=["192.0.2.10"])
    before = now(lab)
    words = {"gateways": GATEWAYS[:1], "services": SERVICES[:1], "direct": [CLIENTS[0], CLIENTS[1]]}
    checked = lab.module("return_route", **words, purge=False, check_mode=True)
    done = lab.module("return_route", **words, purge=False)
    assert (checked.before, checked.after) == (done.before, done.after)
    assert way(lab, CLIENTS[0], "tcp", 8080) == "direct"
    assert way(lab, "10.9.0.3", "tcp", 8080) == GATEWAYS[0]
    assert done.raw["leftovers"] == [
        f"remove the routing rule from all to {CLIENTS[0]} lookup 254 protocol 151 priority 5150"
    ]
    assert not lab.module("return_route", **words, purge=False).changed
    assert lab.module("return_route", **words).changed
    assert way(lab, CLIENTS[0], "tcp", 8080) == GATEWAYS[0]
    again = lab.module("return_route", **words, purge=False)
    assert (again.changed, again.raw["leftovers"]) == (False, [])
    assert lab.module("return_route", state="absent").changed
    assert now(lab) == before
