# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that only add: what was described before stays until a task with purge, and the two say the same of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.arp import VIPS_UNIT, plan_silence
from ansible_collections.lvs.cluster.plugins.module_utils._host.decapsulation import parse_tunnels, plan_tunnels
from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import Outcome, Plan, settle
from ansible_collections.lvs.cluster.plugins.module_utils._host.nft_table import parse_table, plan_table, union
from ansible_collections.lvs.cluster.plugins.module_utils._host.routing import parse_return_route, plan_return_route
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import HostState, Rule
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._host import (
    test_arp,
    test_decapsulation,
    test_routing,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._host.simulated import SimulatedHost


class Planner(Protocol):
    """Plan with what is wanted, and with or without a purge."""

    def __call__(self, state: HostState, /, purge: bool) -> Plan: ...


def run(host: SimulatedHost, plan: Planner, purge: bool, check_mode: bool = False) -> Outcome:
    purging = None if purge else partial(plan, purge=True)
    return settle(host.read, partial(plan, purge=purge), host.apply, check_mode, purge=purging)


def silence(*vips: str, **options: Any) -> Planner:
    wanted = test_arp.present(*vips, **options)
    return lambda state, purge: plan_silence(state, replace(wanted, purge=purge))


def tunnels(*given: dict[str, Any]) -> Planner:
    return lambda state, purge: plan_tunnels(state, parse_tunnels(True, given, True, purge))


def routes(*services: dict[str, object], gateway: str = "192.0.2.1", vips: bool = False, **options: Any) -> Planner:
    wanted = parse_return_route(
        True,
        [gateway, "2001:db8::1"],
        services,
        options.get("everything", False),
        5151,
        5151,
        True,
        direct=["192.0.2.2", "192.0.2.3"],
    )
    return lambda state, purge: plan_return_route(state, replace(wanted, purge=purge), vips)


WEB, DNS = test_routing.SERVICES
IPIP: dict[str, Any] = {"address": test_decapsulation.IPV4}
IPIP6 = {**IPIP, "families": ["ipv6"]}
GRE = {**IPIP, "type": "gre"}
GRE_SUM = {**GRE, "checksum": "csum"}
GUE = {**IPIP, "type": "gue", "port": 6080}
GUE6 = {"address": test_decapsulation.IPV6, "type": "gue", "port": 6081}
PLANNERS: dict[str, tuple[HostState, list[Planner]]] = {
    "silence": (
        replace(test_arp.host(), records={}, units={}),
        [silence(), silence("192.0.2.10"), silence("192.0.2.10", "2001:db8::10"), silence(ingress=["eth0"])],
    ),
    "tunnels": (
        test_decapsulation.FRESH,
        [tunnels(), tunnels(IPIP), tunnels(IPIP6), tunnels(GRE), tunnels(GRE_SUM, GUE), tunnels(GUE6, IPIP)],
    ),
    "routes": (
        test_routing.FRESH,
        [routes(), routes(WEB), routes(WEB, DNS), routes(WEB, everything=True), routes(DNS, vips=True)],
    ),
}
PAIRS = [
    pytest.param(name, first, second, id=f"{name}-{first}-{second}")
    for name, (_fresh, planners) in PLANNERS.items()
    for first, second in itertools.product(range(len(planners)), repeat=2)
]


def items(state: HostState) -> frozenset[object]:
    return frozenset().union(state.addresses, state.tunnels, state.gue_ports, state.routes, state.rules)


@pytest.mark.parametrize(("name", "first", "second"), PAIRS)
def test_between_two_descriptions_both_are_there_and_then_the_second_alone(name: str, first: int, second: int) -> None:
    fresh, planners = PLANNERS[name]
    before, after = planners[first], planners[second]
    host = SimulatedHost(fresh)
    run(host, before, purge=True)
    former = host.state
    direct = SimulatedHost(former)
    run(direct, after, purge=True)

    predicted = run(host, after, purge=False, check_mode=True)
    assert host.state == former
    prepared = run(host, after, purge=False)
    assert (predicted.before, predicted.after) == (prepared.before, prepared.after)
    # rules for everything are not about a service, and go at once
    assert {one for one in items(former) if not isinstance(one, Rule) or one.address} <= items(host.state)
    assert prepared.leftovers is not None
    assert not run(host, after, purge=False).changed, "it is not changed twice"

    cleaned = run(host, after, purge=True)
    assert cleaned.leftovers is None
    assert cleaned.changed == bool(prepared.leftovers)
    assert items(host.state) == items(direct.state)
    assert (host.state.units, host.state.files) == (direct.state.units, direct.state.files)
    again = run(host, after, purge=False)
    assert (again.changed, again.leftovers) == (False, ())


@pytest.mark.parametrize("name", PLANNERS)
def test_a_fresh_host_has_no_leftovers(name: str) -> None:
    fresh, planners = PLANNERS[name]
    for plan in planners[:4] if name == "routes" else planners:
        for check_mode in (True, False):
            assert run(SimulatedHost(fresh), plan, purge=False, check_mode=check_mode).leftovers == ()


def test_a_vip_stays_and_is_named() -> None:
    host = SimulatedHost(PLANNERS["silence"][0])
    run(host, silence("192.0.2.10"), purge=True)
    outcome = run(host, silence("192.0.2.11"), purge=False)
    assert outcome.leftovers == ("remove the address 192.0.2.10/32 dev lo",)
    unit = host.state.units[VIPS_UNIT]
    assert unit is not None
    assert "192.0.2.10/32" in unit.text, "a reboot in between takes nothing away"


def test_a_gre_device_keeps_its_checksum_until_the_directors_have_changed() -> None:
    host = SimulatedHost(test_decapsulation.FRESH)
    run(host, tunnels(GRE), purge=True)
    assert run(host, tunnels(GRE_SUM), purge=False).leftovers
    assert [device.checksum for device in host.state.tunnels] == [False]
    run(host, tunnels(GRE_SUM), purge=True)
    assert [device.checksum for device in host.state.tunnels] == [True]


def test_replies_keep_their_gateway_while_there_are_rules_for_it() -> None:
    host = SimulatedHost(test_routing.FRESH)
    run(host, routes(WEB), purge=True)
    run(host, routes(WEB, gateway="192.0.2.9"), purge=False)
    assert [route.gateway for route in host.state.routes] == ["192.0.2.1"]
    run(host, routes(WEB, gateway="192.0.2.9"), purge=True)
    assert [route.gateway for route in host.state.routes] == ["192.0.2.9"]


def test_health_checks_are_answered_while_no_director_has_the_gateway() -> None:
    """The rules of a host that changes from dr to nat hold for replies to health checks as well."""
    host = SimulatedHost(test_routing.FRESH)
    run(host, routes(WEB, vips=True), purge=False)
    first = sorted(host.state.rules, key=lambda rule: rule.priority)[:2]
    assert {rule.destination for rule in first} == {"192.0.2.2", "192.0.2.3"}
    assert {rule.table for rule in first} == {254}
    run(host, routes(WEB, vips=True), purge=True)
    assert not any(rule.destination for rule in host.state.rules)
    # a service more for a host that has both kinds changes nothing about the directors' addresses in the end
    assert run(host, routes(WEB, vips=True), purge=False).leftovers == ()


def test_a_host_that_answers_itself_does_not_send_everything_to_the_directors_yet() -> None:
    everything = routes(WEB, vips=True, everything=True)
    host = SimulatedHost(test_routing.FRESH)
    assert run(host, everything, purge=False).leftovers
    assert all(rule.address or rule.destination for rule in host.state.rules)
    run(host, everything, purge=True)
    assert any(not rule.address for rule in host.state.rules)
    run(host, routes(WEB, vips=True), purge=False)
    assert all(rule.address for rule in host.state.rules), "without it the rules for services hold"


def listing(*blocks: str) -> str:
    indented = "\n\n".join("\t" + block.replace("\n", "\n\t") for block in blocks)
    return f"table inet x {{\n{indented}\n}}\n"


def vips(*elements: str) -> str:
    middle = f"\n\telements = {{ {', '.join(elements)} }}" if elements else ""
    return f"set vips {{\n\ttype ipv4_addr{middle}\n}}"


def chain(*rules: str, name: str = "guard") -> str:
    lines = "\n".join(f"\t{rule}" for rule in rules)
    return f"chain {name} {{\n\ttype filter hook input priority filter; policy accept;\n{lines}\n}}"


GUARD = 'iifname "lvs-*" ip daddr != @vips drop'


def test_sets_have_the_elements_of_both_tables() -> None:
    wrapped = vips("192.0.2.11").replace("192.0.2.11", "192.0.2.11,\n\t\t\t     192.0.2.12")
    found = union(listing(vips("192.0.2.10", "192.0.2.11"), chain(GUARD)), listing(wrapped, chain(GUARD)))
    assert "elements = { 192.0.2.11, 192.0.2.12, 192.0.2.10 }" in found
    assert found.count(GUARD) == 1
    assert found.index("set vips") < found.index("chain guard")


def test_an_empty_set_is_one_too() -> None:
    assert "elements = { 192.0.2.10 }" in union(
        listing(vips(), chain(GUARD)), listing(vips("192.0.2.10"), chain(GUARD))
    )
    assert "elements" not in union(listing(vips()), listing(vips()))


@pytest.mark.parametrize("turned", [False, True])
def test_a_rule_that_drops_needs_both_tables(turned: bool) -> None:
    other = "ip saddr 192.0.2.66 drop"
    with_guard, without = listing(vips("192.0.2.10"), chain(GUARD, other)), listing(chain("tcp dport 25 reject"))
    found = union(*((without, with_guard) if turned else (with_guard, without)))
    assert "drop" not in found
    assert "reject" not in found


@pytest.mark.parametrize("turned", [False, True])
def test_a_rule_that_names_shared_sets_may_be_in_one_table(turned: bool) -> None:
    more = "ip saddr != @vips meta l4proto gre drop"
    one, two = listing(vips("192.0.2.10"), chain(GUARD)), listing(vips("192.0.2.11"), chain(GUARD, more))
    found = union(*((two, one) if turned else (one, two)))
    assert more in found


def test_other_rules_are_those_of_both_tables() -> None:
    clamp = "ip saddr 192.0.2.{} tcp option maxseg size set 1460"
    one, two = (listing(chain(clamp.format(number), 'comment "drop it" accept')) for number in (10, 11))
    assert [line.strip() for line in union(one, two).splitlines()] == [
        "chain guard {",
        "type filter hook input priority filter; policy accept;",
        clamp.format(11),
        'comment "drop it" accept',
        clamp.format(10),
        "}",
    ]


def test_what_the_union_says_is_the_same_when_it_is_made_again() -> None:
    one, two = listing(vips("192.0.2.10"), chain(GUARD)), listing(vips("192.0.2.11"), chain(GUARD))
    both = union(one, two)
    indented = "".join(f"\t{line}\n" for line in both.splitlines())
    again = union(f"table inet x {{\n{indented}}}\n", two)
    assert again == both


def test_the_union_stays_until_it_is_purged() -> None:
    table = parse_table(True, "x", "chain c { }", True, purge=False)
    both, wanted = listing(vips("192.0.2.10", "192.0.2.11")), listing(vips("192.0.2.11"))
    host = SimulatedHost(HostState(directories=frozenset({"/etc", "/var", "/var/lib"})))
    outcome = settle(
        host.read,
        lambda state: plan_table(state, table, both),
        host.apply,
        False,
        purge=lambda state: plan_table(state, table, wanted),
    )
    assert outcome.leftovers == ("swap in the nftables table inet x",)
