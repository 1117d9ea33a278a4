# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, apply, read back, undo: the sentences, and the order in which things are undone."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.difference import Difference
from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import (
    ChangeFile,
    Operation,
    Plan,
    predict,
    settle,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import HostState, Unit, facts, render
from ansible_collections.lvs.cluster.plugins.module_utils._host.sysctl import LoadModule, SetSysctl

STATE = HostState(sysctls={"net/a": "0", "net/b": "0"}, files={"/f": None}, units={"u": Unit("[Unit]\n")})
TO_DO: tuple[Operation, ...] = (
    SetSysctl("net/a", "0", "1"),
    ChangeFile("/f", None, "text\n"),
    SetSysctl("net/b", "0", "1"),
)


class Host:
    """Carries out operations; those in refused raise."""

    def __init__(self, refused: tuple[Operation, ...] = (), stuck: bool = False) -> None:
        self.state = STATE
        self.applied: list[Operation] = []
        self._refused = refused
        self._stuck = stuck

    def read(self) -> HostState:
        return self.state

    def apply(self, operation: Operation) -> None:
        if operation in self._refused:
            raise HostError("no")
        self.applied.append(operation)
        if not self._stuck:
            self.state = predict(self.state, [operation])


def plan(state: HostState) -> Plan:
    operations = tuple(item for item in TO_DO if predict(state, [item]) != state)
    return Plan(operations, predict(state, operations), ("careful",), frozenset({"net/a", "net/b"}))


def test_a_run_reports_before_and_after() -> None:
    outcome = settle(Host().read, plan, print, check_mode=True)
    assert outcome.changed
    assert outcome.before == "net.a = 0\nnet.b = 0\nu: [Unit]\nu: enabled\n"
    assert outcome.after == "net.a = 1\nnet.b = 1\n/f: text\nu: [Unit]\nu: enabled\n"
    assert outcome.warnings == ("careful",)
    assert outcome.differences == (
        Difference("sysctl", "net.a", "0", "1"),
        Difference("sysctl", "net.b", "0", "1"),
        Difference("file", "/f", "absent", "as described"),
    )


def test_what_fails_is_named_and_the_rest_undone_backwards() -> None:
    host = Host(refused=(TO_DO[2],))
    with pytest.raises(HostError) as error:
        settle(host.read, plan, host.apply, check_mode=False)
    assert str(error.value) == "cannot set net.b to 1: no; everything else was restored"
    assert host.applied[2:] == [TO_DO[1].inverse(), TO_DO[0].inverse()]
    assert host.state == STATE


def test_nothing_done_is_nothing_changed() -> None:
    host = Host(refused=(TO_DO[0],))
    with pytest.raises(HostError) as error:
        settle(host.read, plan, host.apply, check_mode=False)
    assert str(error.value) == "cannot set net.a to 1: no; nothing was changed"


def test_undoing_stops_where_it_fails_and_says_what_stays() -> None:
    host = Host(refused=(TO_DO[2], ChangeFile("/f", "text\n", None)))
    with pytest.raises(HostError) as error:
        settle(host.read, plan, host.apply, check_mode=False)
    assert str(error.value) == (
        "cannot set net.b to 1: no; restoring failed as well (cannot remove /f: no),"
        " so these changes remain: set net.a to 1, write /f"
    )


def test_a_change_that_does_not_last_is_an_error() -> None:
    host = Host(stuck=True)
    with pytest.raises(HostError, match=r"^net\.a was set to 1, but the kernel says 0; everything else was restored$"):
        settle(host.read, plan, host.apply, check_mode=False)


def test_an_interruption_is_undone_too() -> None:
    host = Host()

    def interrupted(operation: Operation) -> None:
        if operation == TO_DO[2]:
            raise KeyboardInterrupt
        host.apply(operation)

    with pytest.raises(KeyboardInterrupt):
        settle(host.read, plan, interrupted, check_mode=False)
    assert host.state == STATE


def test_a_check_can_refuse_before_anything_is_touched() -> None:
    host = Host()

    def check(_plan: Plan) -> None:
        raise HostError("not here")

    with pytest.raises(HostError, match=r"^not here$"):
        settle(host.read, plan, host.apply, False, check)
    assert host.applied == []


def test_a_loaded_module_is_not_undone_and_read_again_before_the_rest() -> None:
    assert LoadModule("ip_vs").inverse() is None
    assert str(LoadModule("ip_vs")) == "load the kernel module ip_vs"


def test_an_empty_file_is_seen_in_a_diff() -> None:
    nothing: frozenset[Any] = frozenset()
    assert render(facts(HostState(files={"/f": ""}), nothing, nothing)) == "/f:\n"
    assert render(facts(HostState(files={"/f": "a\n\nb\n"}), nothing, nothing)) == "/f: a\n/f:\n/f: b\n"
