# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of return_route: a reply that is to go by a director never meets a rule without its route."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import settle
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.routing import (
    NETWORKD_FILE,
    ROUTES_UNIT,
    WATCH_UNIT,
    ReturnRoute,
    parse_return_route,
    plan_return_route,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import Address, HostState, Unit
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._host.simulated import SimulatedHost

SERVICES: list[dict[str, object]] = [
    {"address": "192.0.2.11", "protocol": "tcp", "port": 80},
    {"address": "2001:DB8::11", "protocol": "udp", "port": 53},
]
FRESH = HostState(
    addresses=frozenset({Address("192.0.2.11", 24, "eth0"), Address("2001:db8::11", 64, "eth0.7")}),
    directories=frozenset({"/etc", "/etc/systemd", "/var", "/var/lib"}),
)


def wanted(
    present: bool = True, gateways: tuple[str, ...] = ("192.0.2.1", "2001:db8::1"), everything: bool = False
) -> ReturnRoute:
    return parse_return_route(present, gateways, SERVICES, everything, 5151, 5151, True)


def run(host: SimulatedHost, want: ReturnRoute) -> bool:
    return settle(host.read, lambda state: plan_return_route(state, want), host.apply, False).changed


def no_rule_without_route(host: SimulatedHost) -> bool:
    return all(
        {rule.family for rule in state.rules} <= {route.family for route in state.routes} for state in host.passed
    )


def test_routes_and_rules_come_and_go() -> None:
    host = SimulatedHost(FRESH)
    assert run(host, wanted())
    assert {(route.gateway, route.interface) for route in host.state.routes} == {
        ("192.0.2.1", "eth0"),
        ("2001:db8::1", "eth0.7"),
    }
    assert len(host.state.rules) == 2
    assert host.state.files[NETWORKD_FILE]
    assert host.state.units[ROUTES_UNIT]
    assert not run(host, wanted())
    assert run(host, wanted(present=False))
    assert not host.state.routes
    assert not host.state.rules
    assert host.state.directories == FRESH.directories
    assert no_rule_without_route(host)


def no_rule_without_fallback(host: SimulatedHost) -> bool:
    """Whether replies were never left to the main table."""
    return all(
        {rule.family for rule in state.rules} <= {fallback.family for fallback in state.fallbacks}
        for state in host.passed
    )


@pytest.mark.parametrize("everything", [False, True])
def test_without_a_route_replies_are_refused(everything: bool) -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted(everything=everything))
    assert sorted(map(str, host.state.fallbacks)) == [
        "unreachable default table 5151 metric 4278198272 (ipv4)",
        "unreachable default table 5151 metric 4278198272 (ipv6)",
    ]
    host.state = replace(host.state, routes=frozenset(), fallbacks=frozenset())  # as a real host could be
    assert run(host, wanted(everything=everything))
    assert not run(host, wanted(everything=everything))
    run(host, wanted(present=False))
    assert not host.state.fallbacks
    host = SimulatedHost(FRESH)
    run(host, wanted(everything=everything))
    run(host, wanted(present=False))
    assert no_rule_without_fallback(host)


def test_what_watches_runs_as_long_as_the_routes_are_wanted() -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted())
    watch = host.state.units[WATCH_UNIT]
    assert watch is not None
    assert watch.running
    host.state = replace(host.state, units={**host.state.units, WATCH_UNIT: replace(watch, running=False)})
    assert run(host, wanted())
    assert host.state.units[WATCH_UNIT] == watch
    done = len(host.applied)
    run(host, wanted(present=False))
    assert host.state.units[WATCH_UNIT] is None
    kinds = [str(operation) for operation in host.applied[done:]]
    assert kinds.index(f"remove the unit {WATCH_UNIT}") < min(
        number for number, words in enumerate(kinds) if words.startswith("remove the route")
    ), "or it would set them again"


def script_of(unit: Unit) -> str:
    """The program of what watches, as systemd reads it from the unit (systemd.syntax(7), systemd.service(5))."""
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.text.replace("\\\n", " "), re.MULTILINE)
    shell, option, program = shlex.split(line)
    assert (shell, option) == ("/bin/sh", "-c")
    return program.replace("$$", "$")


def test_what_watches_sets_the_routes_for_each_event_that_may_have_taken_them(tmp_path: Path) -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted())
    watch = host.state.units[WATCH_UNIT]
    assert watch is not None
    events = """\
2: eth0: <BROADCAST,MULTICAST> mtu 1500 qdisc state DOWN group default
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
Deleted default via 192.0.2.1 dev eth0 table 5151 onlink
default via 192.0.2.1 dev eth0 table 5151 onlink
unreachable default table 5151 metric 4278198272
"""
    (tmp_path / "events").write_text(events)
    ip = tmp_path / "ip"
    ip.write_text(
        f"#!/bin/sh\ncd {tmp_path}\n"
        'if [ "$1" = monitor ]; then sleep 2; cat events; else { echo "ip $*"; cat; } >>done; fi\n'
    )
    ip.chmod(0o755)
    data = "".join(f"{line}\n" for line in re.findall(r"^StandardInputText=(.*)$", watch.text, re.MULTILINE))
    subprocess.run(
        ["/bin/sh", "-c", script_of(watch)], input=data, text=True, check=True, env={"PATH": f"{tmp_path}:{os.defpath}"}
    )
    once = """\
ip -4 -force -batch -
route replace default via 192.0.2.1 dev eth0 onlink table 5151
route replace unreachable default table 5151 metric 4278198272
ip -6 -force -batch -
route replace default via 2001:db8::1 dev eth0.7 onlink table 5151
route replace unreachable default table 5151 metric 4278198272
"""
    assert (tmp_path / "done").read_text() == once * 3, "at its start, for the interface and for the route"


def links_come_first(host: SimulatedHost) -> bool:
    """Whether what leads everything to the gateways was never without the rule that keeps the host's own networks."""
    return all(
        {(rule.family, rule.priority - 1) for rule in state.rules if not rule.address and not rule.more_than_default}
        <= {(rule.family, rule.priority) for rule in state.rules if rule.more_than_default}
        for state in host.passed
    )


def test_everything_by_the_gateways_comes_and_goes() -> None:
    host = SimulatedHost(FRESH)
    assert run(host, wanted(everything=True))
    assert sorted(map(str, host.state.rules)) == [
        "from 192.0.2.11 ipproto tcp sport 80 lookup 5151 priority 5151",
        "from 2001:db8::11 ipproto udp sport 53 lookup 5151 priority 5151",
        "from all lookup 254 suppress_prefixlength 0 protocol 151 priority 5152 (ipv4)",
        "from all lookup 254 suppress_prefixlength 0 protocol 151 priority 5152 (ipv6)",
        "from all lookup 5151 priority 5153 (ipv4)",
        "from all lookup 5151 priority 5153 (ipv6)",
    ]
    assert not run(host, wanted(everything=True))
    unit = host.state.units[ROUTES_UNIT]
    assert unit is not None
    added = [line.partition("=")[2] for line in unit.text.splitlines() if " rule " in line]
    assert added.index("6 rule flush protocol 151") < added.index("6 rule add from all lookup 5151 priority 5153")
    assert run(host, wanted())
    assert len(host.state.rules) == 2
    assert links_come_first(host)
    assert no_rule_without_route(host)


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("fail_at", range(16))
def test_a_failure_half_way_leaves_what_was(fail_at: int, everything: bool) -> None:
    start = SimulatedHost(FRESH)
    run(start, wanted(gateways=("192.0.2.9", "2001:db8::9")))
    host = SimulatedHost(start.state, fail_at=fail_at)
    try:
        run(host, wanted(everything=everything))
    except HostError:
        assert host.state == start.state
    assert no_rule_without_route(host)
    assert links_come_first(host)


def source(**more: object) -> list[dict[str, object]]:
    return [{"address": "192.0.2.11", **more}]


def test_a_range_of_ports_is_one_rule() -> None:
    services = source(protocol="udp", port="10000-20000") + source(protocol="udp", port="53") + source()
    want = parse_return_route(True, ["192.0.2.1"], services, False, 5151, 5151, True)
    host = SimulatedHost(FRESH)
    assert run(host, want)
    assert sorted(map(str, host.state.rules)) == [
        "from 192.0.2.11 ipproto udp sport 10000-20000 lookup 5151 priority 5151",
        "from 192.0.2.11 ipproto udp sport 53 lookup 5151 priority 5151",
        "from 192.0.2.11 lookup 5151 priority 5151",
    ]
    assert not run(host, want)
    unit = host.state.units[ROUTES_UNIT]
    assert unit is not None
    line = "4 rule add from 192.0.2.11 ipproto 17 sport 10000-20000 lookup 5151 priority 5151\n"
    assert f"StandardInputText={line}" in unit.text
    longer = source(protocol="udp", port="10000-20001")
    assert run(host, parse_return_route(True, ["192.0.2.1"], longer, False, 5151, 5151, True))
    assert [rule.ports for rule in host.state.rules] == [(10000, 20001)]
    assert no_rule_without_route(host)


@pytest.mark.parametrize(("port", "ports"), [(80, (80, 80)), ("80", (80, 80)), ("7-7", (7, 7)), ("0", (0, 0))])
def test_ports_as_they_are_written(port: object, ports: tuple[int, int]) -> None:
    services = source(protocol="tcp", port=port)
    (found,) = parse_return_route(True, ["192.0.2.1"], services, False, 5151, 5151, True).services
    assert found.ports == ports


@pytest.mark.parametrize("port", [65535, "1024-65535", "20-10", "0-80", "-1", "80-", "http", "80:90", "١-٢", 1.5])
def test_ports_that_no_rule_matches(port: object) -> None:
    with pytest.raises(HostError) as caught:
        parse_return_route(True, ["192.0.2.1"], source(protocol="tcp", port=port), False, 5151, 5151, True)
    assert str(caught.value) == (
        f"services[0].port: {port} is not a port from 1 to 65534, a range of them, or 0 for every port"
    )


def test_a_range_of_ports_needs_a_protocol() -> None:
    with pytest.raises(HostError, match=r"services\[0\]\.port: 1-2 needs a protocol"):
        parse_return_route(True, ["192.0.2.1"], source(port="1-2"), False, 5151, 5151, True)


def test_no_service_is_as_good_as_absent() -> None:
    host = SimulatedHost(FRESH)
    assert not run(host, replace(wanted(), services=()))


def test_two_interfaces_of_one_family_are_refused() -> None:
    both = replace(FRESH, addresses=FRESH.addresses | {Address("192.0.2.12", 24, "eth1")})
    services: list[dict[str, object]] = [*SERVICES, {"address": "192.0.2.12"}]
    want = parse_return_route(True, ["192.0.2.1", "2001:db8::1"], services, False, 5151, 5151, True)
    with pytest.raises(HostError, match=r"192\.0\.2\.12 is on eth1, another address of its family on eth0"):
        plan_return_route(both, want)


def test_an_interface_that_a_unit_cannot_name_is_refused_where_one_is_written() -> None:
    addresses = frozenset(replace(one, interface="eth0%i") for one in FRESH.addresses)
    host = SimulatedHost(replace(FRESH, addresses=addresses))
    with pytest.raises(HostError) as caught:
        run(host, wanted())
    assert str(caught.value).startswith("services: 'eth0%i' is not a valid interface name")
    assert run(host, replace(wanted(), persist=False))


def test_the_unit_waits_for_every_interface_and_knows_both_families() -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted())
    unit = host.state.units[ROUTES_UNIT]
    assert unit is not None
    assert "Requires=sys-subsystem-net-devices-eth0.device sys-subsystem-net-devices-eth0.7.device\n" in unit.text
    assert "StandardInputText=4 rule add from 192.0.2.11 ipproto 6 sport 80 lookup 5151 priority 5151\n" in unit.text
    assert "StandardInputText=6 route replace default via 2001:db8::1 dev eth0.7 onlink table 5151\n" in unit.text
