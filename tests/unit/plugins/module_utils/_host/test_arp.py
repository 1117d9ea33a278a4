# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of arp_silence: what it does, what it refuses, and that no state on the way answers ARP for a VIP."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host import arp
from ansible_collections.lvs.cluster.plugins.module_utils._host.arp import (
    RECORD_FILE,
    SYSCTL_FILE,
    VIPS_UNIT,
    ArpSilence,
    parse_silence,
    plan_silence,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import Add, Outcome, Remove, settle
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import Address, HostState, parse_record
from ansible_collections.lvs.cluster.plugins.module_utils._host.sysctl import SetSysctl
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._host.simulated import SimulatedHost

DIRECTORIES = frozenset({"/etc", "/etc/sysctl.d", "/var", "/var/lib"})
CONF = "net/ipv4/conf"
POOL = ("192.0.2.10", "192.0.2.11", "192.0.2.12", "2001:db8::10")


def host(*addresses: str, directories: frozenset[str] = DIRECTORIES, **sysctls: str) -> HostState:
    """A host with lo and eth0; addresses like "192.0.2.10/32 lo", sysctls like all_arp_ignore="1"."""
    values = {f"{CONF}/{name}/{option}": "0" for name in ("all", "lo", "eth0") for option in arp.SILENCE}
    for name, value in sysctls.items():
        interface, option = name.split("_", 1)
        values[f"{CONF}/{interface}/{option}"] = value
    values["net/ipv6/conf/lo/disable_ipv6"] = "0"
    found = {Address("10.0.0.2", 24, "eth0"), Address("127.0.0.1", 8, "lo"), Address("::1", 128, "lo")}
    for text in addresses:
        address, interface = text.split(" ")
        found.add(Address(address.split("/")[0], int(address.split("/")[1]), interface))
    return HostState(
        sysctls=values,
        addresses=frozenset(found),
        files={SYSCTL_FILE: None},
        records={RECORD_FILE: None},
        units={VIPS_UNIT: None},
        directories=directories,
    )


def present(*vips: str, **options: Any) -> ArpSilence:
    return parse_silence(
        True, vips, options.get("interface", "lo"), options.get("ingress", ()), options.get("persist", True)
    )


def absent(*vips: str) -> ArpSilence:
    return parse_silence(False, vips, "lo", (), True)


def run(simulated: SimulatedHost, silence: ArpSilence, check_mode: bool = False) -> Outcome:
    return settle(simulated.read, lambda now: plan_silence(now, silence), simulated.apply, check_mode)


def done(state: HostState, silence: ArpSilence) -> HostState:
    simulated = SimulatedHost(state)
    run(simulated, silence)
    return simulated.state


def test_silence_comes_before_the_first_vip() -> None:
    operations = plan_silence(host(), present("192.0.2.10")).operations
    order = [type(operation) for operation in operations if isinstance(operation, (SetSysctl, Add))]
    assert order == [SetSysctl, SetSysctl, Add]


def test_silence_goes_after_the_last_vip() -> None:
    held = done(host(), present("192.0.2.10", "192.0.2.11"))
    operations = plan_silence(held, absent()).operations
    order = [type(operation) for operation in operations if isinstance(operation, (SetSysctl, Remove))]
    assert order == [Remove, Remove, SetSysctl, SetSysctl]


def test_absent_leaves_a_host_as_it_was() -> None:
    before = host(all_arp_ignore="2", all_arp_announce="1")
    assert done(done(before, present(*POOL)), absent()) == before


def test_vips_that_are_no_longer_listed_go() -> None:
    held = done(done(host(), present("192.0.2.10", "192.0.2.11")), present("192.0.2.11", "2001:db8::10"))
    assert held.addresses == host("192.0.2.11/32 lo", "2001:db8::10/128 lo").addresses
    unit = held.units[VIPS_UNIT]
    assert unit is not None
    assert "192.0.2.11/32" in unit.text
    assert "192.0.2.10/32" not in unit.text


def test_a_vip_that_was_there_before_stays_unless_it_is_listed() -> None:
    before = host("192.0.2.10/32 lo", all_arp_ignore="1", all_arp_announce="2")
    held = done(before, present("192.0.2.10", "192.0.2.11"))
    assert done(held, absent()) == before
    assert done(held, absent("192.0.2.10")).addresses == host().addresses


def test_the_user_hears_of_a_vip_that_loses_its_silence() -> None:
    held = done(host("192.0.2.10/32 lo"), present("192.0.2.10"))
    assert plan_silence(held, present("192.0.2.10")).warnings == ()
    (warning,) = plan_silence(held, absent()).warnings
    assert warning.startswith("192.0.2.10 was on lo before and stays there")
    assert plan_silence(held, absent("192.0.2.10")).warnings == ()


def test_moving_to_another_interface_leaves_no_gap() -> None:
    held = done(host(dummy0_arp_ignore="0", dummy0_arp_announce="0"), present("192.0.2.10"))
    plan = plan_silence(held, present("192.0.2.10", interface="dummy0"))
    moves = [operation for operation in plan.operations if isinstance(operation, (Add, Remove))]
    assert moves == [
        Add(Address("192.0.2.10", 32, "dummy0")),
        Remove(Address("192.0.2.10", 32, "lo")),
    ]


def test_without_persist_nothing_is_left_for_boot() -> None:
    held = done(host(), present("192.0.2.10"))
    loose = done(held, present("192.0.2.10", persist=False))
    assert loose.units == {VIPS_UNIT: None}
    assert loose.files == {SYSCTL_FILE: None}
    assert loose.addresses == held.addresses


def test_no_vips_need_no_unit_but_keep_silence() -> None:
    held = done(host(), present())
    assert held.units == {VIPS_UNIT: None}
    assert held.sysctls[f"{CONF}/all/arp_ignore"] == "1"
    assert held.files[SYSCTL_FILE] is not None


def test_ingress_is_silenced_and_put_back() -> None:
    before = host(eth0_arp_ignore="3")
    held = done(before, present("192.0.2.10", ingress=["eth0"]))
    assert held.sysctls[f"{CONF}/eth0/arp_ignore"] == "1"
    assert done(held, absent()) == before


def test_directories_that_had_to_be_made_go_again() -> None:
    before = host(directories=frozenset({"/etc", "/var", "/var/lib"}))
    held = done(before, present("192.0.2.10"))
    assert "/etc/sysctl.d" in held.directories
    assert done(held, absent()) == before


def test_a_lost_record_is_made_again() -> None:
    held = replace(done(host(), present("192.0.2.10")), records={RECORD_FILE: None})
    again = done(held, present("192.0.2.10"))
    assert parse_record(RECORD_FILE, again.records[RECORD_FILE]).vips["192.0.2.10"].added is False


@pytest.mark.parametrize(
    ("state", "silence", "sentence"),
    [
        (
            host("192.0.2.10/24 eth0"),
            present("192.0.2.10"),
            "vips: 192.0.2.10 is already on eth0, where this host answers ARP for it;"
            " remove it there first, or exclude this host if it is a director",
        ),
        (
            host("192.0.2.10/24 lo"),
            present("192.0.2.10"),
            "vips: 192.0.2.10 is already on lo with the prefix length 24, which makes the whole network local;"
            " remove it there first",
        ),
        (
            host(eth0_arp_ignore="3"),
            present("192.0.2.10"),
            "ingress: net.ipv4.conf.eth0.arp_ignore is 3, which lets eth0 answer ARP for addresses of lo"
            " whatever net.ipv4.conf.all.arp_ignore says; list eth0 in ingress",
        ),
        (host(), present("192.0.2.10", interface="dummy0"), "interface: this host has no interface dummy0"),
        (host(), present("192.0.2.10", ingress=["eth9"]), "ingress: this host has no interface eth9"),
        (
            replace(host(), sysctls={**host().sysctls, "net/ipv6/conf/lo/disable_ipv6": "1"}),
            present("2001:db8::1"),
            "vips: 2001:db8::1 cannot be added to lo: net.ipv6.conf.lo.disable_ipv6 is 1",
        ),
        (
            replace(host(), sysctls={**host().sysctls, "net/ipv6/conf/lo/disable_ipv6": None}),
            present("2001:db8::1"),
            "vips: 2001:db8::1 cannot be added to lo: this kernel runs without IPv6",
        ),
    ],
)
def test_what_cannot_be_had_is_refused(state: HostState, silence: ArpSilence, sentence: str) -> None:
    with pytest.raises(HostError) as error:
        plan_silence(state, silence)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("vip", "sentence"),
    [
        ("192.0.2.10/32", "vips: '192.0.2.10/32' is not an IP address; give it without a prefix length"),
        ("web", "vips: 'web' is not an IP address"),
        ("", "vips: '' is not an IP address"),
        ("0.0.0.0", "vips: 0.0.0.0 is the unspecified address, which cannot be a VIP"),
        ("::", "vips: :: is the unspecified address, which cannot be a VIP"),
        ("127.0.0.2", "vips: 127.0.0.2 is a loopback address, which cannot be a VIP"),
        ("224.0.0.18", "vips: 224.0.0.18 is a multicast address, which cannot be a VIP"),
        ("255.255.255.255", "vips: 255.255.255.255 is a reserved address, which cannot be a VIP"),
        ("fe80::1", "vips: fe80::1 is a link-local address, which cannot be a VIP"),
        ("2001:db8::1%eth0", "vips: 2001:db8::1%eth0 is an address with a zone, which cannot be a VIP"),
        (
            "::ffff:192.0.2.1",
            "vips: ::ffff:192.0.2.1 is an IPv4-mapped address (write 192.0.2.1), which cannot be a VIP",
        ),
    ],
)
def test_what_is_no_vip_is_refused(vip: str, sentence: str) -> None:
    with pytest.raises(HostError) as error:
        present(vip)
    assert str(error.value) == sentence


@pytest.mark.parametrize("name", ["", "all", "default", "..", "a b", "sixteen-letters-", "a/b"])
def test_what_is_no_interface_is_refused(name: str) -> None:
    with pytest.raises(HostError, match="interface"):
        present("192.0.2.10", interface=name)


@pytest.mark.parametrize(
    "name", ["eth0%i", "eth0;", 'eth"0', "eth'0", "eth\\0", "$eth0", "#eth0", "a=b", "-eth0", "eth*"]
)
def test_a_name_that_a_unit_or_a_file_would_read_otherwise_is_refused(name: str) -> None:
    for options in ({"interface": name}, {"ingress": ["eth0", name]}):
        with pytest.raises(HostError) as caught:
            present("192.0.2.10", **options)
        assert str(caught.value) == f"{next(iter(options))}: {name!r} is not a valid interface name"


def test_addresses_have_one_form_and_one_order() -> None:
    silence = present("2001:DB8:0::10", "192.0.2.100", "192.0.2.9", "2001:db8::10")
    assert silence.vips == ("192.0.2.9", "192.0.2.100", "2001:db8::10")


SILENCES = st.builds(
    lambda keep, vips, ingress, persist: present(*vips, ingress=ingress, persist=persist) if keep else absent(*vips),
    st.booleans(),
    st.lists(st.sampled_from(POOL), unique=True),
    st.sampled_from([(), ("eth0",)]),
    st.booleans(),
)
HOSTS = st.builds(
    lambda addresses, ignore, announce, eth0: host(
        *(f"{vip}/{128 if ':' in vip else 32} lo" for vip in addresses),
        all_arp_ignore=ignore,
        all_arp_announce=announce,
        eth0_arp_ignore=eth0,
    ),
    st.lists(st.sampled_from(POOL), unique=True, max_size=2),
    st.sampled_from("01238"),
    st.sampled_from("012"),
    st.sampled_from("0128"),
)


def done_or_same(state: HostState, task: ArpSilence) -> HostState:
    with contextlib.suppress(HostError):
        return done(state, task)
    return state


def answering(state: HostState, vips: set[str]) -> bool:
    """Whether a real server would answer ARP for one of these VIPs, or announce it: the kernel's rules, told again."""
    overall = int(str(state.sysctls[f"{CONF}/all/arp_ignore"]))
    effective = max(overall, int(str(state.sysctls[f"{CONF}/eth0/arp_ignore"])))
    silent = effective in {1, 2, 8} and state.sysctls[f"{CONF}/all/arp_announce"] == "2"
    held = any(address.address in vips and ":" not in address.address for address in state.addresses)
    return held and not silent


TALKATIVE_HOSTS = HOSTS | st.just(host(eth0_arp_ignore="3"))


@settings(max_examples=150, deadline=None)
@given(
    state=TALKATIVE_HOSTS,
    tasks=st.lists(SILENCES, min_size=1, max_size=3),
    fail_at=st.integers(0, 14),
    last=st.booleans(),
)
def test_no_state_on_any_way_answers_for_a_vip_of_ours(
    state: HostState, tasks: list[ArpSilence], fail_at: int, last: bool
) -> None:
    ours = {*POOL} - {address.address for address in state.addresses}
    for number, task in enumerate(tasks):
        failing = fail_at if last and number == len(tasks) - 1 else None
        simulated = SimulatedHost(state, fail_at=failing)
        with contextlib.suppress(HostError):
            run(simulated, task)
        assert simulated.state in (state, done_or_same(state, task)), "done or undone, nothing between"
        assert not any(answering(passed, ours) for passed in simulated.passed)
        state = simulated.state


@settings(max_examples=100, deadline=None)
@given(state=HOSTS, tasks=st.lists(SILENCES, min_size=1, max_size=3))
def test_prediction_is_what_comes_out_and_a_second_run_changes_nothing(
    state: HostState, tasks: list[ArpSilence]
) -> None:
    for task in tasks:
        plan = plan_silence(state, task)
        predicted = run(SimulatedHost(state), task, check_mode=True)
        assert predicted.changed == (predicted.before != predicted.after)
        state = done(state, task)
        assert state == plan.predicted
        assert plan_silence(state, task).operations == ()


@settings(max_examples=100, deadline=None)
@given(state=HOSTS, tasks=st.lists(SILENCES.filter(lambda task: task.present), min_size=1, max_size=3))
def test_absent_undoes_any_history(state: HostState, tasks: list[ArpSilence]) -> None:
    before = state
    for task in tasks:
        state = done(state, task)
    assert done(state, absent()) == before
