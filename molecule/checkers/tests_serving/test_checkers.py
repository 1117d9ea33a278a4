# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each health checker, in turn on the same directors: what fails is out, and none of the one before is left."""

from __future__ import annotations

import functools
import itertools
import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import clients
import cluster
import matrix
import pytest
from testinfra.host import Host

Machines = Callable[[str], Host]

NAT = {"7003": "7003", "8000": "7002", "8001": "7002", "8002": "7002", "8003": "7002"}
VIP6 = "[2001:db8::10]"
UNITS = ("ldirectord", "mon")
#: What each leaves nothing of, apart from its package's.
FILES = {
    "ldirectord": ["/etc/lvs-cluster/ldirectord.cf", "/etc/systemd/system/ldirectord.service"],
    "mon": [
        "/etc/lvs-cluster/mon.cf",
        "/etc/lvs-cluster/health.json",
        "/var/lib/lvs-cluster/health.json",
        "/run/lvs-cluster",
        "/run/lvs-cluster-mon",
        "/etc/systemd/system/lvs-cluster-health.path",
        "/etc/systemd/system/lvs-cluster-health.service",
        "/etc/systemd/system/mon.service",
    ],
}
PATIENCE = 180
WITHIN = 30 + 10  # the interval and the time-out that are configured
LOOKING = 12  # seconds that two looks at both tables take, and a program that starts on an emulated machine
QUESTION = bytes.fromhex("1234 0100 0001 0000 0000 0000 03 777777 07 6578616d706c65 03 6e6574 00 0001 0001")
ASKING = """\
import socket, sys
for _ in range(int(sys.argv[1])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(bytes.fromhex(sys.argv[3]), (sys.argv[2], 53))
        print(socket.inet_ntoa(asking.recv(500)[-4:]))
for _ in range(int(sys.argv[1])):
    with socket.create_connection((sys.argv[2], 25), 5) as greeted:
        print(greeted.recv(500).split()[1].decode())
"""
#: The VIPs of services whose checks go through them, their ports by the way of the packets, and their real servers.
FAR = ("192.0.2.15", "[2001:db8::15]")
WAYS = {"dr": "7001", "ipip": "7002", "gre": "7003", "gue": "80"}
ENDS = {FAR[0]: ("192.0.2.11", "192.0.2.12"), FAR[1]: ("[2001:db8::11]", "[2001:db8::12]")}
THROUGH = re.compile(
    r"-a -t (?P<vip>192\.0\.2\.15|\[2001:db8::15\]):(?P<port>\d+) -r (?P<server>[\d.]+|\[[\da-f:]+\]):\d+ -[gi]"
)
#: Of rs1 or rs2: how its replies from these VIPs, or the VIPs themselves, or its tunnels are lost, and come back.
LOST = {
    "the VIP": [
        f"ip address {word} 192.0.2.15/32 dev lo; ip address {word} 2001:db8::15/128 dev lo nodad"
        for word in ("delete", "add")
    ],
    "the way back": [
        "nft -f - <<'END'\ntable inet test_silent {\n  chain output {\n    type filter hook output priority 0;\n"
        "    ip saddr 192.0.2.15 drop\n    ip6 saddr 2001:db8::15 drop\n  }\n}\nEND",
        "nft delete table inet test_silent",
    ],
    "its tunnels": [
        f"for path in /sys/class/net/lvs-*; do ip link set ${{path##*/}} {word}; done" for word in ("down", "up")
    ],
}
#: What the service gets that rs1 alone has.
SORRY = f"-a -t {cluster.VIP}:7003 -r 192.0.2.12:7002 -m -w 1"
#: The director itself, for a service that has no real server.
HERE = f"-a -t {cluster.VIP}:7004 -r 127.0.0.1:7004 -g -w 1"
#: The only real server of a service whose quorum is told to commands.
TOLD = f"-a -t {cluster.VIP}:8006 -r 192.0.2.12:7003 -m -w 1"
#: Three Redis servers, of which one host has two.
POOL = [f"-a -t {cluster.VIP}:6379 -r 192.0.2.1{end} -m -w 1" for end in ("1:6379", "2:6379", "2:6380")]
UNSEEN = """
table inet test_unseen {
  chain input {
    type filter hook input priority 0;
    ip saddr { 192.0.2.2, 192.0.2.3 } tcp dport 7003 tcp flags & (syn | ack) == syn drop
  }
}
"""


def rules(checker: str, *, healthy: tuple[int, ...] = (1, 2), weight: int = 1) -> set[str]:
    """The real servers that get requests, as the table has them."""
    lines = set()
    single = () if checker == "ldirectord" else ("8003",)
    for port in ("53", "80", "25", "7001", "7002", "7003", "8000", "8001", "8002", *single):
        for one in set(healthy) & ({1} if port == "7003" else {1, 2}):
            way = f"{NAT.get(port, port)} {'-m' if port in NAT else '-g'}"
            share = weight if (port, one) == ("7001", 1) else 1
            lines.add(f"-a -{'u' if port == '53' else 't'} {cluster.VIP}:{port} -r 192.0.2.1{one}:{way} -w {share}")
    lines |= {f"-a -u {cluster.VIP}:7001 -r 192.0.2.1{one}:7001 -{'gm'[one - 1]} -w 1" for one in healthy}
    lines.add(HERE)
    for one in healthy:
        lines |= {f"-a -t {cluster.VIP}:53 -r 192.0.2.1{one}:53 -g -w 1"}
        lines |= {f"-a -{kind} {VIP6}:53 -r [2001:db8::1{one}]:53 -g -w 1" for kind in "tu"}
        lines |= set() if checker == "ldirectord" else once(one)
    if checker == "keepalived":
        lines |= {TOLD} if 2 in healthy else set()
        lines |= {line for line in POOL if int(line.split(" -r 192.0.2.1")[1][0]) in healthy}
        lines |= {f"-a -t {cluster.VIP}:8007 -r 192.0.2.1{one}:7002 -m -w 1" for one in healthy}
    if 1 not in healthy:
        lines.add(SORRY)
    if checker != "mon":
        lines |= {f"-a -t {VIP6}:80 -r [2001:db8::1{one}]:80 -g -w 1" for one in healthy}
    return lines


def once(one: int) -> set[str]:
    """The entries of a real server in the service with two addresses and two protocols."""
    ends = {cluster.VIP: f"192.0.2.1{one}", VIP6: f"[2001:db8::1{one}]"}
    return {f"-a -{kind} {vip}:8005 -r {server}:7003 -m -w 1" for vip, server in ends.items() for kind in "tu"}


def in_service(director: Host) -> set[str]:
    return {line for line in cluster.table(director) if line.startswith("-a") and not line.endswith(" -w 0")}


def serving(director: Host) -> set[str]:
    """The same without the services whose checks go through the VIP, and without those for such checks."""
    return {line for line in in_service(director) if not line.startswith(("-a -f", *(f"-a -t {vip}:" for vip in FAR)))}


def through(director: Host) -> set[tuple[str, str, str]]:
    """VIP, port and real server of the services whose checks go through the VIP."""
    found = (THROUGH.match(line) for line in in_service(director))
    return {(one["vip"], one["port"], one["server"]) for one in found if one}


def all_serve(machine: Machines, expected: set[str]) -> float:
    """Wait until both tables are so; the seconds."""
    return clients.until(lambda: all(serving(host) == expected for host in both(machine)), PATIENCE)


def serve_on(machine: Machines, port: str, expected: set[str]) -> float:
    """Wait until the entries of one of the VIP's ports are so in both tables; the seconds."""
    begin = f"-a -t {cluster.VIP}:{port} "
    return clients.until(
        lambda: all({line for line in serving(host) if line.startswith(begin)} == expected for host in both(machine)),
        60,
    )


def both(machine: Machines) -> list[Host]:
    return [machine(name) for name in clients.DIRECTORS]


def site(checker: str, *words: str) -> cluster.Run:
    run = cluster.playbook("site", "-e", f"director_health_checker={checker}", *words, scenario="checkers")
    assert run.status == 0, run.text
    return run


@pytest.fixture(name="checker", scope="module", params=["ldirectord", "mon", "keepalived"])
def health_checker(request: pytest.FixtureRequest, machine: Machines) -> str:
    """The directors with this one, all of it in service."""
    checker: str = request.param
    site(checker)
    waited = all_serve(machine, rules(checker))
    print(f"{checker}: all in service on both directors {waited:.0f} s after the playbook")
    return checker


def answers(times: int = 10) -> dict[str, set[str]]:
    """Who answers, by service."""
    named = cluster.on_client("python3", "-c", ASKING, str(times), cluster.VIP, QUESTION.hex()).split()
    return {
        "web": set(cluster.ask(times)),
        "names": {host for host, address in cluster.REAL_SERVERS.items() if address in named[:times]},
        "mail": {name.partition(".")[0] for name in named[times:]},
    }


def everybody(*hosts: str) -> dict[str, set[str]]:
    return {service: set(hosts) for service in ("web", "names", "mail")}


def test_it_has_its_services_and_nothing_is_left_of_others(checker: str, machine: Machines) -> None:
    for host in both(machine):
        running = {unit for unit in UNITS if host.run(f"systemctl is-active {unit}").stdout.strip() == "active"}
        enabled = {unit for unit in UNITS if host.run(f"systemctl is-enabled {unit}").stdout.strip() == "enabled"}
        assert running == enabled == {checker} - {"keepalived"}
        assert host.check_output("systemctl --failed --no-legend --plain") == ""
        for unit in UNITS:
            assert {host.file(path).exists for path in FILES[unit]} == {unit == checker}
            assert (unit == checker) == bool(host.run(f"pgrep -f /usr/sbin/{unit}").stdout)
        written = host.file("/etc/keepalived/keepalived.conf").content_string
        assert ("virtual_server" in written) == (checker == "keepalived")
        own = host.file("/etc/lvs-cluster/ipvs.rules").content_string
        assert ":8001 " in own
        assert ":80 " not in own
        assert (":8002 " in own) == (checker != "mon")
    assert len(clients.owners(machine)) == 1
    assert answers() == everybody("rs1", "rs2")
    if checker != "mon":
        assert cluster.ask(10, f"http://{VIP6}/") == {"rs1": 5, "rs2": 5}


def test_a_second_run_changes_nothing_and_verify_finds_nothing(checker: str) -> None:
    run = site(checker, "--limit", "directors")
    assert {name: run.recap(name)["changed"] for name in clients.DIRECTORS} == dict.fromkeys(clients.DIRECTORS, 0)
    words = ["-e", f"director_health_checker={checker}", "-e", "lvs_verify_from=client"]
    run = cluster.playbook("verify", *words, scenario="checkers")
    assert run.status == 0, run.text


def test_what_fails_is_out_and_back(checker: str, machine: Machines) -> None:
    ports = {"nginx": "80", "dnsmasq": "53", "opensmtpd": "25"}
    failing = re.compile(rf":({'|'.join(ports.values())}) -r \[?(192.0.2.11|2001:db8::11)\]?:")
    left = {line for line in rules(checker) if not failing.search(line)}
    machine("rs1").check_output("systemctl stop nginx dnsmasq opensmtpd")
    try:
        out = all_serve(machine, left)
        assert answers() == everybody("rs2")
    finally:
        machine("rs1").check_output("systemctl start nginx dnsmasq opensmtpd")
    back = all_serve(machine, rules(checker))
    # keepalived lets it in when a second HTTP check has succeeded.
    returning = 30 * (checker == "keepalived") + WITHIN
    print(f"{checker}: stopped, out of both tables after {out:.1f} s; at most {WITHIN} s")
    print(f"{checker}: back in both after {back:.1f} s; at most {returning} s")
    assert out < WITHIN + LOOKING
    assert back < returning + LOOKING
    machine("rs2").check_output("systemctl kill --signal=STOP nginx")
    try:
        entry = f"-a -t {cluster.VIP}:80 -r 192.0.2.12:80 -g -w 1"
        out = clients.until(lambda: not any(entry in serving(host) for host in both(machine)), PATIENCE)
        assert set(cluster.ask(10)) == {"rs1"}
    finally:
        machine("rs2").check_output("systemctl kill --signal=CONT nginx")
    all_serve(machine, rules(checker))
    print(f"{checker}: frozen, out of both tables after {out:.1f} s; at most {WITHIN} s")
    assert out < WITHIN + LOOKING


def test_a_command_is_run_by_nobody_of_power(checker: str, machine: Machines) -> None:
    user = "mon" if checker == "mon" else "keepalived_script"
    for host in both(machine):
        host.check_output("rm -f /run/asked/*; touch /run/ask-fails")
    try:
        serve_on(machine, "8000", set())
        asked = [host.check_output("cat /run/asked/*").splitlines() for host in both(machine)]
    finally:
        for host in both(machine):
            host.check_output("rm -f /run/ask-fails")
    all_serve(machine, rules(checker))
    for said in asked:
        assert said[0] == user
        assert said[1] in ("rs2", *(f"--all 192.0.2.1{one} 7002 {cluster.VIP}:8000" for one in (1, 2)))
        capabilities = dict(re.split(r":\s*", line) for line in said[2:])
        assert {int(capabilities[name], 16) for name in ("CapEff", "CapAmb")} == {0}


def entry(port: str, one: int) -> str:
    """The entry of a real server by nat."""
    return f"-a -t {cluster.VIP}:{port} -r 192.0.2.1{one}:{NAT[port]} -m -w 1"


def test_a_command_asks_the_real_server_that_it_is_run_for(checker: str, machine: Machines) -> None:
    """Here it fails for one of two, by its address."""
    for host in both(machine):
        host.check_output("touch /run/ask-fails192.0.2.11")
    try:
        out = serve_on(machine, "8000", {entry("8000", 2)})
        assert set(matrix.answered("4", "tcp", cluster.VIP, "8000")) == {("rs2", cluster.CLIENT)}
    finally:
        for host in both(machine):
            host.check_output("rm /run/ask-fails192.0.2.11")
    back = all_serve(machine, rules(checker))
    print(f"{checker}: one of two out after {out:.1f} s, back after {back:.1f} s; at most {WITHIN} s")
    assert max(out, back) < WITHIN + LOOKING


def test_a_path_names_the_real_server(checker: str, machine: Machines) -> None:
    agents = {"ldirectord": "libwww-perl", "keepalived": "KeepAlive", "mon": "-"}
    log = machine("rs2").check_output("tail -n 200 /var/log/nginx/access.log")
    asked = [line for line in log.splitlines() if "of=" in line]
    assert {"192.0.2.2", "192.0.2.3"} <= {line.split()[0] for line in asked}
    assert all('"GET /?of=192.0.2.12&by=rs2 HTTP' in line for line in asked), asked[-5:]
    assert any(agents[checker] in line for line in asked[-20:])


def test_an_answer_has_to_contain_its_body(checker: str, machine: Machines) -> None:
    """The page of one real server changes: one service looks at it, and another one does not."""
    if checker == "mon":
        return
    page = "sed -i 's/$hostname/ill/' /etc/nginx/sites-available/default && systemctl reload nginx"
    machine("rs1").check_output(page)
    try:
        out = all_serve(machine, {line for line in rules(checker) if "[2001:db8::11]" not in line})
        assert set(cluster.ask(10, f"http://{VIP6}/")) == {"rs2"}
    finally:
        machine("rs1").check_output(page.replace("$hostname/ill", "ill/$hostname"))
    print(f"{checker}: another page, out of both tables after {out:.1f} s; at most {WITHIN} s")
    all_serve(machine, rules(checker))
    assert out < WITHIN + LOOKING


def test_checks_of_single_real_servers(checker: str, machine: Machines) -> None:
    """One has none and stays; the other has its own, or several of which one fails."""
    if checker == "ldirectord":
        return
    for host in both(machine):
        host.check_output("touch /run/ask-failsrs1 /run/ask-failsrs2")
    try:
        serve_on(machine, "8003", {entry("8003", 1)})
        assert set(matrix.answered("4", "tcp", cluster.VIP, "8003")) == {("rs1", cluster.CLIENT)}
    finally:
        for host in both(machine):
            host.check_output("rm /run/ask-failsrs1 /run/ask-failsrs2")
    all_serve(machine, rules(checker))
    if checker != "keepalived":
        return
    machine("rs2").check_output(f"nft -f - <<'END'\n{UNSEEN}\nEND")
    try:
        serve_on(machine, "8003", {entry("8003", 1)})
    finally:
        machine("rs2").check_output("nft delete table inet test_unseen")
    all_serve(machine, rules(checker))


def test_units_are_confined(checker: str, machine: Machines) -> None:
    for host in both(machine):
        levels = cluster.confined(host)
        assert {f"{unit}.service" in levels for unit in UNITS} == {True, False} or checker == "keepalived"
        print(f"{checker}: {levels}")


#: Who pings, and has the capability for that alone: CAP_NET_RAW.
PINGED = "pinged_7002_192.0.2.12_7002"
MAY_PING = 1 << 13


def test_mon_is_nobody_of_power(checker: str, machine: Machines) -> None:
    if checker != "mon":
        return
    for host in both(machine):
        main = host.check_output("systemctl show --property=MainPID --value mon")
        status = dict(
            re.split(r":\s*", line, maxsplit=1)
            for line in host.file(f"/proc/{main}/status").content_string.splitlines()
        )
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {MAY_PING}
        assert status["NoNewPrivs"] == "1"
        # What has commands and paths in it.
        places = "/etc/lvs-cluster/mon.cf /etc/lvs-cluster/health.json /usr/local/lib/lvs-cluster/checks"
        assert host.check_output(f"find {places} -type f -perm /o=rwx") == ""


def test_a_storm_of_alerts_is_a_few_runs_and_none_is_lost(checker: str, machine: Machines) -> None:
    if checker != "mon":
        return
    host = machine(clients.DIRECTORS[0])
    entry = f"-a -t {cluster.VIP}:7002 -r 192.0.2.12:7002 -g -w 1"
    alert = f"MON_GROUP={PINGED} /usr/local/lib/lvs-cluster/checks/lvs.alert"
    storm = f"for _ in $(seq 100); do {alert} failed; {alert} well; done; {alert}"

    def applied(says: str) -> bool:
        there = host.run("test -e /run/lvs-cluster-mon/changed").rc == 0
        return not there and (entry in serving(host)) == (says == "well")

    for says in ("failed", "well"):
        begun = host.check_output("date '+%F %T'")
        host.check_output(f"runuser -u mon -- sh -c '{storm} {says}'")
        clients.until(functools.partial(applied, says), 60)
        runs = host.check_output(f"journalctl --quiet -u lvs-cluster-health --since '{begun}' -g 'changes made'")
        print(f"mon: 201 alerts were {len(runs.splitlines())} runs")
        assert len(runs.splitlines()) < 60
    assert host.check_output("systemctl is-active lvs-cluster-health.path") == "active"
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


@pytest.mark.parametrize("hidden", [False, True])
def test_commands_are_printed_unless_that_is_unwanted(checker: str, hidden: bool, tmp_path: Path) -> None:
    changes = {"health_check": {"command": "/usr/local/bin/ask --hunter2"}}
    asked = "[shared_services[6] | combine(changes, recursive=true)]"
    services = f"shared_services[:6] + {asked} + shared_services[7:]"
    combined = f"{{{{ {services} + those_of[director_health_checker] | default([adopted, web_ipv6]) }}}}"
    described = tmp_path / "changes.yml"
    described.write_text(json.dumps({"changes": changes, "lvs_virtual_services": combined, "director_no_log": hidden}))
    words = ["-e", f"@{described}", "-e", f"director_health_checker={checker}", "--limit", "directors", "-v", "--diff"]
    run = cluster.playbook("site", "--check", *words, scenario="checkers")
    assert run.status == 0, run.text
    assert ("hunter2" in run.text) != hidden
    run = cluster.playbook("verify", *words, "-e", "lvs_verify_from=director1", scenario="checkers")
    assert "as described" in run.text or "from what the role writes" in run.text
    assert ("hunter2" in run.text) != hidden


def test_the_last_has_a_sorry_server(checker: str, machine: Machines) -> None:
    machine("rs1").check_output(f"nft -f - <<'END'\n{UNSEEN}\nEND")
    try:
        serve_on(machine, "7003", {SORRY})
        assert set(matrix.answered("4", "tcp", cluster.VIP, "7003")) == {("rs2", cluster.CLIENT)}
    finally:
        machine("rs1").check_output("nft delete table inet test_unseen")
    all_serve(machine, rules(checker))


def test_the_director_is_a_sorry_server_itself(checker: str, machine: Machines) -> None:
    (owner,) = clients.owners(machine)
    assert set(matrix.answered("4", "tcp", cluster.VIP, "7004")) == {(owner, cluster.CLIENT)}, checker


def test_real_servers_of_one_service_have_their_own_method(checker: str) -> None:
    answers = matrix.answered("6", "udp", cluster.VIP, "7001")
    assert {tuple(answer) for answer in answers} == {("rs1", cluster.CLIENT), ("rs2", cluster.CLIENT)}, checker


COUNTED = """
table inet test_counted {
  chain input {
    type filter hook input priority 0;
    ip saddr 192.0.2.2 tcp dport 7003 tcp flags & (syn | ack) == syn counter
  }
}
"""


def test_two_addresses_and_two_protocols_have_one_state(checker: str, machine: Machines) -> None:
    """The check asks at the IPv4 address for all of them; mon asks once, and keepalived for each."""
    if checker == "ldirectord":
        return
    for protocol, vip in itertools.product(("tcp", "udp"), (cluster.VIP, VIP6.strip("[]"))):
        assert {answer[0] for answer in matrix.answered("6", protocol, vip, "8005")} == {"rs1", "rs2"}
    machine("rs2").check_output(f"nft -f - <<'END'\n{UNSEEN}\nEND")
    try:
        out = clients.until(lambda: not any(once(2) & serving(host) for host in both(machine)), 60)
        assert all(once(1) <= serving(host) for host in both(machine))
    finally:
        machine("rs2").check_output("nft delete table inet test_unseen")
    back = all_serve(machine, rules(checker))
    print(f"{checker}: all four out after {out:.1f} s, back after {back:.1f} s")
    if checker != "mon":
        return
    machine("rs2").check_output(f"nft -f - <<'END'\n{COUNTED}\nEND")
    started = time.monotonic()
    time.sleep(30)  # the time in which the questions are counted
    text = machine("rs2").check_output("nft list table inet test_counted; nft delete table inet test_counted")
    asked, seconds = int(re.findall(r"packets (\d+)", text)[0]), time.monotonic() - started
    print(f"{checker}: {asked} questions in {seconds:.0f} s")
    assert 0 < asked <= seconds / 10 + 2


def test_a_check_through_the_vip_notices_what_clients_would(checker: str, machine: Machines) -> None:
    """The real server's application answers at its own address all the time."""
    if checker != "keepalived":
        return
    every = {(vip, port, server) for vip, servers in ENDS.items() for port in WAYS.values() for server in servers}

    def left(expected: set[tuple[str, str, str]]) -> float:
        return clients.until(lambda: all(through(host) == expected for host in both(machine)), 120)

    left(every)
    for number, (what, (lose, restore)) in enumerate(LOST.items()):
        name = f"rs{number % 2 + 1}"
        lost = {
            (vip, port, server)
            for vip, port, server in every
            if server == ENDS[vip][number % 2] and (what != "its tunnels" or port != WAYS["dr"])
        }
        machine(name).check_output(lose)
        try:
            out = left(every - lost)
            assert all(serving(host) == rules(checker) for host in both(machine))
        finally:
            machine(name).check_output(restore)
        back = left(every)
        print(f"{name} lost {what}: out of both tables after {out:.1f} s, back after {back:.1f} s; at most 20 s")
        assert max(out, back) < 20 + LOOKING
    for vip, port in itertools.product(FAR, ("7001", "7002", "7003")):
        answers = matrix.answered("4", "tcp", vip.strip("[]"), port)
        assert {answer[0] for answer in answers} == {"rs1", "rs2"}


def test_commands_and_mails_tell_of_changes(checker: str, machine: Machines) -> None:
    """Those about VRRP are there with each checker, those about services with keepalived only."""
    (owner,) = clients.owners(machine)
    for host in both(machine):
        notes = host.check_output("cat /run/asked/notes-keepalived_script").splitlines()
        state = "master" if host is machine(owner) else "backup"
        told = [note for note in notes if note.split()[1] in ("master", "backup")]
        assert told[-1] == f"keepalived_script {state}"
        assert f"keepalived_script any GROUP lvs {state.upper()} 0" in notes
    mails = machine("rs2").check_output("cat /run/mails")
    for word in ("RCPT TO:<ops@example.net>", "RCPT TO:<night@example.net>", f"Subject: [{owner}]"):
        assert word in mails
    if checker != "keepalived":
        return
    for host in both(machine):
        host.check_output("rm /run/asked/notes-keepalived_script")
    machine("rs2").check_output(f"rm /run/mails; nft -f - <<'END'\n{UNSEEN}\nEND")
    try:
        serve_on(machine, "8006", set())
        clients.until(lambda: all(note("down") in noted(host) for host in both(machine)), 60)
    finally:
        machine("rs2").check_output("nft delete table inet test_unseen")
    all_serve(machine, rules(checker))
    both_notes = [note("down"), note("up")]
    clients.until(lambda: all(noted(host) == both_notes for host in both(machine)), 60)
    mails = machine("rs2").check_output("cat /run/mails")
    subjects = sorted(line for line in mails.splitlines() if line.startswith("Subject:") and "8006" in line)
    print(*subjects, sep="\n")
    assert len(subjects) >= 2 * len(clients.DIRECTORS)


def test_one_of_three_redis_servers_is_out_when_it_is_killed(checker: str, machine: Machines) -> None:
    """The program of the collection asks each at its own address and port.

    A check by it is a process of Python, which emulated machines start slowly: so only one health checker has some.
    """
    if checker != "keepalived":
        return
    asking = f"printf 'PING\\r\\n' | timeout 20 bash -c 'exec 3<>/dev/tcp/{cluster.VIP}/6379; cat >&3; head -c 5 <&3'"
    assert cluster.on_client("sh", "-c", asking) == "+PONG"
    restart = "systemctl reset-failed redis-6380; systemd-run --unit=redis-6380 redis-server --port 6380"
    machine("rs2").check_output("systemctl kill --signal=KILL redis-6380")
    try:
        out = serve_on(machine, "6379", set(POOL[:2]))
        assert {cluster.on_client("sh", "-c", asking) for _number in range(4)} == {"+PONG"}
    finally:
        machine("rs2").check_output(f"{restart} --bind '*' --protected-mode no --save '' --dir /tmp")
    back = serve_on(machine, "6379", set(POOL))
    print(f"{checker}: a Redis server out after {out:.1f} s, back after {back:.1f} s; at most {WITHIN} s")
    assert max(out, back) < WITHIN + LOOKING


def test_a_command_sets_the_weight(checker: str, machine: Machines) -> None:
    if checker != "keepalived":
        return
    begin = f"-a -t {cluster.VIP}:8007"
    for host in both(machine):
        host.check_output("echo 12 > /run/load192.0.2.11")
    try:
        serve_on(machine, "8007", {f"{begin} -r 192.0.2.11:7002 -m -w 10", f"{begin} -r 192.0.2.12:7002 -m -w 1"})
    finally:
        for host in both(machine):
            host.check_output("rm /run/load192.0.2.11")
    all_serve(machine, rules(checker))


def note(word: str) -> str:
    return f"keepalived_script {word} {cluster.VIP}:8006"


def noted(host: Host) -> list[str]:
    """What a command about the quorum of one service was run with."""
    notes = host.run("cat /run/asked/notes-keepalived_script").stdout.splitlines()
    return [line for line in notes if line.endswith(f"{cluster.VIP}:8006")]


LISTENING = """\
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
    listening.bind(("", 7099))
    listening.settimeout(60)
    word = b""
    while word != b"end":
        word = listening.recv(100)
        print(word.decode(), flush=True)
"""
SENDING = """\
import socket, sys
for source, word in ((sys.argv[2], b"forged"), (sys.argv[3], b"end")):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.bind((source, 0))
        sending.sendto(word, (sys.argv[1], 7099))
"""


def test_no_other_packets_come_from_an_own_address(checker: str, machine: Machines) -> None:
    """A real server sends some from the VIP, to the director that has it.

    Only keepalived's checks need such replies.
    """
    if checker != "keepalived":
        return
    (owner,) = clients.owners(machine)
    host, server = machine(owner), machine("rs2")
    own = {"director1": "192.0.2.2", "director2": "192.0.2.3"}[owner]
    unit = "systemd-run --quiet --unit=listening --property=RemainAfterExit=yes"
    host.check_output(f"{unit} python3 -c {shlex.quote(LISTENING)}")
    try:
        clients.until(lambda: ":7099 " in host.check_output("ss --no-header --listening --udp --numeric"), 60)
        server.check_output(f"python3 -c {shlex.quote(SENDING)} {own} {cluster.VIP} 192.0.2.12")
        clients.until(lambda: "exited" in host.check_output("systemctl show --property=SubState listening"), 60)
        heard = host.check_output("journalctl --quiet --output=cat --unit=listening").splitlines()
    finally:
        host.check_output("systemctl stop listening")
    assert "end" in heard
    assert "forged" not in heard, checker


def test_a_drained_real_server_stays_so(checker: str, machine: Machines, tmp_path: Path) -> None:
    """Through a reload, a restart, and another weight, and its connections stay."""
    words = ["-e", f"director_health_checker={checker}", "-e", "lvs_real_servers=rs1"]
    described = tmp_path / "weighted.yml"
    heavier = {"real_servers": [{"group": "real_servers"}, {"host": "rs1", "weight": 3}]}
    with clients.clients(rate=20, held=10) as load:
        # Those that stay do not end, and one service has no other real server.
        forced = ["-e", "lvs_drain_timeout=0", "-e", "lvs_drain_expired=force", "-e", "lvs_minimum_in_service=0"]
        run = cluster.playbook("drain", *words, *forced, scenario="checkers")
        assert run.status == 0, run.text
        left = rules(checker, healthy=(2,))
        assert all(serving(host) <= left for host in both(machine))
        all_serve(machine, left)  # the sorry server comes when the checker gets to it
        for host in both(machine):
            host.check_output(f"systemctl reload {checker}")
        if checker == "mon":
            for host in both(machine):
                host.check_output("systemctl restart mon")
        described.write_text(json.dumps({"heavier": heavier}))
        services = "[shared_services[3] | combine(heavier)] + shared_services[:3] + shared_services[4:]"
        combined = f"{{{{ {services} + those_of[director_health_checker] | default([adopted, web_ipv6]) }}}}"
        changed = ["-e", f"@{described}", "-e", json.dumps({"lvs_virtual_services": combined})]
        site(checker, "--limit", "directors", *changed)
        assert answers() == everybody("rs2")
        assert [serving(host) for host in both(machine)] == [left, left]
        run = cluster.playbook("undrain", *words, *changed, scenario="checkers")
        assert run.status == 0, run.text
        assert [serving(host) for host in both(machine)] == [rules(checker, weight=3)] * 2
        assert not load.noticed()
    site(checker, "--limit", "directors")
    all_serve(machine, rules(checker))


def test_one_that_is_killed_comes_back(checker: str, machine: Machines) -> None:
    (name,) = clients.owners(machine)
    owner = machine(name)
    before = owner.check_output(f"systemctl show --property=MainPID --value {checker}")
    owner.check_output(f"kill -9 {before}")
    clients.until(
        lambda: owner.check_output(f"systemctl show --property=MainPID --value {checker}") not in ("0", before),
        PATIENCE,
    )
    clients.until(lambda: serving(owner) == rules(checker) and owner.service(checker).is_running, PATIENCE)
    clients.until(lambda: len(clients.owners(machine)) == 1, PATIENCE)
