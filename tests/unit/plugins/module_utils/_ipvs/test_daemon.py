# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Synchronisation daemons: what is taken, steps from any state to any other, and netlink bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import daemon, model, netlink
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.daemon import BACKUP, MASTER, DaemonPatch, SyncDaemon
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

BOTH = [MASTER, BACKUP]
DERIVED = 1472  # bytes: what the kernel makes of a message size of 0 on Ethernet
GROUP6 = model.pack_address("ff02::81")

_interfaces = st.sampled_from(["eth1", "bond0.100", "fifteen-letters"])
_groups = st.sampled_from([daemon.DEFAULT_GROUP, bytes([239, 255, 255, 255]), GROUP6])
_numbers = [st.integers(0, 255), _groups, st.integers(1, 65535), st.integers(1, 255)]
_daemons = st.builds(SyncDaemon, _interfaces, *_numbers, st.sampled_from([0, 1024, 65487]))
_running = st.builds(SyncDaemon, _interfaces, *_numbers, st.sampled_from([1024, DERIVED, 65487]))
states = st.dictionaries(st.sampled_from(BOTH), _running)
patches = st.builds(
    DaemonPatch,
    _interfaces,
    *[st.none() | values for values in _numbers],
    st.sampled_from([None, 1024, 65507]),
)
some_roles = st.sampled_from([[MASTER], [BACKUP], BOTH])


def carried_out(running: daemon.Daemons, steps: list[daemon.Step]) -> dict[str, SyncDaemon]:
    """What the kernel runs after these steps; it stops only what runs, and starts only what does not."""
    now = dict(running)
    for step in steps:
        assert (step.role in now) == (step.daemon is None)
        if step.daemon is None:
            del now[step.role]
        else:
            now[step.role] = step.daemon._replace(sync_maxlen=step.daemon.sync_maxlen or DERIVED)
    return now


@given(states, some_roles, st.none() | patches)
def test_a_plan_reaches_its_target_and_a_second_one_has_no_steps(
    current: daemon.Daemons, roles: list[str], patch: DaemonPatch | None
) -> None:
    steps, predicted = daemon.plan(current, roles, patch)
    actual = carried_out(current, steps)
    assert daemon.differing(predicted, actual, BOTH) == []
    assert daemon.plan(actual, roles, patch) == ([], actual)
    for role in BOTH:
        if role not in roles:
            assert actual.get(role) == current.get(role)
        elif patch is None:
            assert role not in actual
        else:
            given_values = {name: value for name, value in patch._asdict().items() if value is not None}
            assert given_values.items() <= actual[role]._asdict().items()


@given(states, states, some_roles)
def test_the_way_back_leads_from_any_state_to_any_earlier_one(
    before: daemon.Daemons, now: daemon.Daemons, roles: list[str]
) -> None:
    reached = carried_out(now, daemon.way_back(before, now, roles))
    expected = {role: (before if role in roles else now).get(role) for role in BOTH}
    assert {role: reached.get(role) for role in BOTH} == expected
    assert daemon.way_back(before, reached, roles) == []


@given(states, some_roles, patches, st.data())
def test_whichever_step_fails_there_is_a_way_back(
    before: daemon.Daemons, roles: list[str], patch: DaemonPatch, data: st.DataObject
) -> None:
    steps, _predicted = daemon.plan(before, roles, patch)
    stopped_at = data.draw(st.integers(0, len(steps)))
    now = carried_out(before, steps[:stopped_at])
    assert carried_out(now, daemon.way_back(before, now, roles)) == before


def test_a_daemon_that_does_not_change_is_not_restarted() -> None:
    running = {MASTER: SyncDaemon("eth1", 7, sync_maxlen=DERIVED)}
    assert daemon.plan(running, [MASTER], DaemonPatch("eth1", 7)) == ([], running)
    assert daemon.plan(running, [BACKUP], None) == ([], running)


@pytest.mark.parametrize(
    ("patch", "size"),
    [
        (DaemonPatch(sync_id=1), 1400),
        (DaemonPatch("eth2"), 0),
        (DaemonPatch("eth2", sync_maxlen=1300), 1300),
        (DaemonPatch(multicast_group=GROUP6), 0),
        (DaemonPatch(multicast_group=bytes([224, 0, 0, 82])), 1400),
    ],
)
def test_a_message_size_ends_with_the_link_it_was_for(patch: DaemonPatch, size: int) -> None:
    assert daemon.merge(MASTER, patch, SyncDaemon("eth1", sync_maxlen=1400)).sync_maxlen == size


def test_a_daemon_needs_an_interface_to_start_but_not_to_change() -> None:
    message = support.refused(lambda: daemon.plan({MASTER: SyncDaemon("eth1")}, BOTH, DaemonPatch(sync_id=1)))
    assert message == "sync daemon backup: interface is needed to start it"
    steps, _predicted = daemon.plan({MASTER: SyncDaemon("eth1")}, [MASTER], DaemonPatch(sync_id=1))
    assert steps == [daemon.Step(MASTER), daemon.Step(MASTER, SyncDaemon("eth1", 1))]


def test_only_a_size_that_the_kernel_derives_may_differ() -> None:
    asked, found = SyncDaemon("eth1", sync_maxlen=1400), SyncDaemon("eth1", sync_maxlen=DERIVED)
    assert daemon.differing({MASTER: SyncDaemon("eth1")}, {MASTER: found}, BOTH) == []
    assert daemon.differing({MASTER: asked}, {MASTER: found}, BOTH) == [MASTER]
    assert daemon.differing({MASTER: SyncDaemon("eth1", 1)}, {MASTER: found}, BOTH) == [MASTER]
    assert daemon.differing({BACKUP: asked}, {MASTER: asked}, BOTH) == BOTH
    assert daemon.differing({BACKUP: asked}, {MASTER: asked, BACKUP: asked}, [BACKUP]) == []


@pytest.mark.parametrize("names", [["backup", "master"], ["master", "backup", "master"]])
def test_roles_come_once_and_in_order(names: list[str]) -> None:
    assert daemon.roles(names) == BOTH


def test_options_as_a_patch() -> None:
    options = {"interface": "eth1", "sync_id": 255, "multicast_group": "FF02::81", "port": 1, "ttl": 255}
    assert daemon.from_arguments({"role": ["master"], **options}) == DaemonPatch("eth1", 255, GROUP6, 1, 255)
    assert daemon.from_arguments({"role": ["backup"], "interface": None}) == DaemonPatch()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"role": []}, "sync daemon: role must name one or both of master, backup (got [])"),
        (
            {"interface": "sixteen-letters-"},
            "sync daemon master: interface must be the name of an interface, of at most 15 characters"
            " (got 'sixteen-letters-')",
        ),
        ({"interface": ""}, "interface must be the name"),
        ({"interface": "eth 1"}, "interface must be the name"),
        (
            {"interface": "eth1\n"},
            r"interface must be the name of an interface, of at most 15 characters (got 'eth1\n')",
        ),
        ({"interface": "\u00e9th1"}, "interface must be the name"),
        ({"multicast_group": "web.example"}, "multicast_group is not an IPv4 or IPv6 address (got 'web.example')"),
        ({"multicast_group": "192.0.2.1"}, "multicast_group must be a multicast address (got '192.0.2.1')"),
        ({"multicast_group": "240.0.0.1"}, "multicast_group must be a multicast address"),
        ({"multicast_group": "fe80::1"}, "multicast_group must be a multicast address"),
        ({"sync_id": 256}, "sync_id must be a whole number from 0 to 255 (got 256)"),
        ({"sync_id": True}, "sync_id must be a whole number from 0 to 255 (got True)"),
        ({"port": 0}, "port must be a whole number from 1 to 65535 (got 0)"),
        ({"ttl": 0}, "ttl must be a whole number from 1 to 255 (got 0)"),
        ({"sync_maxlen": 0}, "sync daemon master: sync_maxlen must be a whole number from 1 to 65507 (got 0)"),
        ({"multicast_group": "ff02::1", "sync_maxlen": 65507}, "sync_maxlen must be a whole number from 1 to 65487"),
        (
            {"role": BOTH, "sync_maxlen": 1023},
            "sync daemon master and backup: sync_maxlen must be a whole number from 1024 to 65507 (got 1023)",
        ),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    assert message in support.refused(lambda: daemon.from_arguments({"role": ["master"], **options}))


def test_the_text_is_that_of_ipvsadm() -> None:
    running = {BACKUP: SyncDaemon("eth2", 7, GROUP6, 8850, 3, 1400), MASTER: SyncDaemon("eth1")}
    assert daemon.render(running, BOTH) == (
        "--start-daemon master --mcast-interface eth1 --syncid 0 --mcast-group 224.0.0.81 --mcast-port 8848"
        " --mcast-ttl 1\n"
        "--start-daemon backup --mcast-interface eth2 --syncid 7 --sync-maxlen 1400 --mcast-group ff02::81"
        " --mcast-port 8850 --mcast-ttl 3\n"
    )
    assert daemon.render(running, [BACKUP]).startswith("--start-daemon backup")
    assert daemon.render({}, BOTH) == ""


@given(st.sampled_from(BOTH), _running)
def test_facts_are_the_options_that_make_the_same_daemon(role: str, running: SyncDaemon) -> None:
    patch = daemon.from_arguments({**daemon.facts(role, running), "role": [role]})
    assert daemon.merge(role, patch, None) == running


def answer(payload: bytes) -> tuple[str, SyncDaemon]:
    """What a GET_DAEMON answer with this payload is decoded to."""
    data = netlink.request(28, 1, netlink.NEW_DAEMON, 0, payload)
    return daemon.decode(data, next(netlink.messages(data)))


@given(st.sampled_from(BOTH), _daemons)
def test_what_is_sent_can_be_read(role: str, started: SyncDaemon) -> None:
    command, payload = daemon.encode(daemon.Step(role, started))
    assert command == netlink.NEW_DAEMON
    assert answer(payload) == (role, started)


@given(st.sampled_from(BOTH), _running, st.sampled_from([0, netlink.NLA_F_NESTED]))
def test_an_answer_of_the_kernel(role: str, running: SyncDaemon, flag: int) -> None:
    """In the order and the widths of ip_vs_genl_fill_daemon (ip_vs_ctl.c)."""
    ipv6 = len(running.multicast_group) == 16
    inner = (
        netlink.attribute(netlink.DAEMON_STATE, netlink.U32.pack(daemon.ROLES[role]))
        + netlink.attribute(netlink.DAEMON_MCAST_IFN, running.interface.encode() + b"\0")
        + netlink.attribute(netlink.DAEMON_SYNC_ID, netlink.U32.pack(running.sync_id))
        + netlink.attribute(netlink.DAEMON_SYNC_MAXLEN, netlink.U16.pack(running.sync_maxlen))
        + netlink.attribute(netlink.DAEMON_MCAST_PORT, netlink.U16.pack(running.port))
        + netlink.attribute(netlink.DAEMON_MCAST_TTL, netlink.U8.pack(running.ttl))
        + netlink.attribute(
            netlink.DAEMON_MCAST_GROUP6 if ipv6 else netlink.DAEMON_MCAST_GROUP, running.multicast_group
        )
    )
    assert answer(netlink.attribute(netlink.ATTR_DAEMON | flag, inner)) == (role, running)


def test_what_an_old_kernel_leaves_out_has_its_default() -> None:
    inner = (
        netlink.attribute(netlink.DAEMON_STATE, netlink.U32.pack(2))
        + netlink.attribute(netlink.DAEMON_MCAST_IFN, b"eth1\0")
        + netlink.attribute(netlink.DAEMON_SYNC_ID, netlink.U32.pack(7))
    )
    assert answer(netlink.attribute(netlink.ATTR_DAEMON, inner)) == (BACKUP, SyncDaemon("eth1", 7))


def sent(started: SyncDaemon) -> dict[int, bytes]:
    """The attributes that start a master, by the numbers of ip_vs_genl_daemon_attrs (linux/ip_vs.h)."""
    _command, payload = daemon.encode(daemon.Step(MASTER, started))
    return {kind: payload[start:end] for kind, start, end in netlink.attributes(payload, 4, len(payload))}


def test_a_start_says_everything_but_a_size_that_the_kernel_derives() -> None:
    """In the widths of ip_vs_daemon_policy (ip_vs_ctl.c)."""
    assert sent(SyncDaemon("eth1", 7, port=8850, ttl=3, sync_maxlen=1400)) == {
        1: netlink.U32.pack(1),
        2: b"eth1\0",
        3: netlink.U32.pack(7),
        4: netlink.U16.pack(1400),
        5: bytes([224, 0, 0, 81]),
        7: netlink.U16.pack(8850),
        8: bytes([3]),
    }
    assert sent(SyncDaemon("eth1", multicast_group=GROUP6)).keys() == {1, 2, 3, 6, 7, 8}


def test_a_stop_names_the_role_and_no_more() -> None:
    command, payload = daemon.encode(daemon.Step(BACKUP))
    assert command == netlink.DEL_DAEMON
    inner = netlink.attribute(netlink.DAEMON_STATE, netlink.U32.pack(2))
    assert payload == netlink.attribute(netlink.ATTR_DAEMON | netlink.NLA_F_NESTED, inner)
