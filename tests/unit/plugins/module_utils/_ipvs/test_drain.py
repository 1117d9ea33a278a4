# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking real servers out of service: the state drained, the floor, waiting, and taking turns."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, converge, drain, netlink, plan, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import Ipvs
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import (
    RealServer,
    RealServerKey,
    RealServerPatch,
    ServiceKey,
    ServicePatch,
    Table,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

# One real server of weight 2, one of weight 1, one that is drained.
TEXT = """\
-A -f 1 -s rr
-a -f 1 -r 192.0.2.1:0 -g -w 2
-a -f 1 -r 192.0.2.2:0 -g -w 1 -x 9
-a -f 1 -r 192.0.2.3:0 -g -w 0
"""
TABLE = plan.plan({}, rules.parse(TEXT)).predicted


def patch_of(address: str = "192.0.2.1", **options: Any) -> ServicePatch:
    return arguments.only_real_server({"service": {"fwmark": 1}, "address": address, **options})


def predicted(patch: ServicePatch) -> str:
    return rules.render(plan.plan(TABLE, [patch]).predicted)


def test_drained_takes_the_weight_and_no_more() -> None:
    assert predicted(patch_of("192.0.2.2", state="drained")) == TEXT.replace("-w 1 -x 9", "-w 0 -x 9")
    assert predicted(patch_of("192.0.2.3", state="drained", weight=0)) == TEXT


def test_other_attributes_of_a_drained_server_can_be_set() -> None:
    patch = patch_of(state="drained", upper_threshold=5, forward_method="tun")
    assert predicted(patch) == TEXT.replace("-g -w 2", "-i -w 0 -x 5 --tun-type ipip")


@pytest.mark.parametrize("current", [TABLE, {}])
def test_what_is_not_there_is_not_added_to_be_drained(current: Table) -> None:
    assert plan.plan(current, [patch_of("192.0.2.9", state="drained")]).operations == []


def test_drained_does_not_go_with_a_weight() -> None:
    assert support.refused(lambda: patch_of(state="drained", weight=1)) == (
        "fwmark 1 ipv4: real server 192.0.2.1:0: weight must be 0 with state drained (got 1)"
    )


@given(support.tables(), support.tables())
def test_draining_any_servers_changes_their_weight_alone(current: Table, listed: Table) -> None:
    to_drain = RealServerPatch(weight=0, only_existing=True)
    patches = [
        ServicePatch(key, None, dict.fromkeys(service.real_servers, to_drain)) for key, service in listed.items()
    ]
    planned = plan.plan(current, patches)
    assert planned.predicted.keys() == current.keys()
    for key, service in current.items():
        drained = listed[key].real_servers if key in listed else {}
        assert planned.predicted[key].real_servers == {
            server: value._replace(weight=0) if server in drained else value
            for server, value in service.real_servers.items()
        }
    kernel = support.FakeKernel(current)
    assert kernel.apply(planned.operations, []) == []
    assert plan.plan(kernel.table, patches).operations == []


def test_servers_in_service_are_those_with_a_weight() -> None:
    (service,) = TABLE.values()
    assert sorted(map(str, drain.in_service(service))) == ["192.0.2.1:0", "192.0.2.2:0"]
    assert drain.in_service(None) == set()


@pytest.mark.parametrize("options", [{"state": "drained"}, {"state": "absent"}, {"weight": 0}])
def test_the_floor_must_not_be_undercut(options: dict[str, Any]) -> None:
    patch = patch_of(**options)
    planned = plan.plan(TABLE, [patch])
    drain.floor(patch, 1)(planned)
    assert support.refused(lambda: drain.floor(patch, 2)(planned)) == (
        "fwmark 1 ipv4: minimum_in_service 2 would not be met: without real server 192.0.2.1:0, 1 of 2 real servers"
        " in service would be left"
    )


@pytest.mark.parametrize(
    "patch",
    [
        patch_of("192.0.2.3", state="absent"),
        patch_of("192.0.2.9", state="absent"),
        patch_of("192.0.2.3", state="drained"),
        patch_of("192.0.2.3", weight=1),
        patch_of("192.0.2.1", weight=1),
        patch_of("192.0.2.9", weight=0),
    ],
)
def test_what_takes_nothing_out_of_service_may_be_below_the_floor(patch: ServicePatch) -> None:
    drain.floor(patch, 100)(plan.plan(TABLE, [patch]))


class Sight(NamedTuple):
    """A real server at one moment."""

    active: int = 0
    inactive: int = 0
    persistent: int = 0
    weight: int = 0


class Director(Ipvs):
    """IPVS with one real server, which is seen differently each time, and at last always alike."""

    def __init__(self, sights: list[Sight | None]) -> None:
        super().__init__()
        self._sights = sights

    def real_servers(
        self, service: ServiceKey
    ) -> Iterator[tuple[RealServerKey, RealServer, netlink.Connections, bytes, netlink.Message]]:
        assert service == PATCH.key
        sight = self._sights.pop(0) if len(self._sights) > 1 else self._sights[0]
        data = netlink.request(28, 1, netlink.NEW_DEST, 0, netlink.attribute(netlink.ATTR_DEST, b""))
        (message,) = netlink.messages(data)
        yield OTHER, RealServer(weight=1), netlink.Connections(99, 99, 99), data, message
        if sight is not None:
            yield SERVER, RealServer(weight=sight.weight), netlink.Connections(*sight[:3]), data, message


class Clock:
    """Time that passes while one sleeps, and a little at each look at it."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        self.time += 1e-6
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.time += seconds


PATCH = patch_of(state="drained")
SERVER, OTHER = (RealServerKey(2, bytes([192, 0, 2, last]), 0) for last in (1, 2))


def wait(clock: Clock, sights: list[Sight | None], timeout: float = 60, *kinds: str) -> drain.Drained:
    waiting = drain.Waiting(kinds or (drain.ACTIVE,), timeout)
    return drain.wait(Director(sights), PATCH, SERVER, waiting, clock.now, clock.sleep)


@pytest.mark.parametrize("sight", [Sight(), Sight(0, 5, 5), Sight(weight=1), None])
def test_without_connections_nobody_waits(sight: Sight | None) -> None:
    clock = Clock()
    drained = wait(clock, [sight], 0)
    assert (drained.done, drained.facts is None, clock.slept) == (True, sight is None, [])


def test_waiting_ends_with_the_last_connection() -> None:
    clock = Clock()
    drained = wait(clock, [Sight(2), Sight(1, 1), Sight(0, 2)])
    assert drained.done
    assert drained.facts is not None
    assert drained.facts["connections"] == {"active": 0, "inactive": 2, "persistent": 0}
    assert clock.slept == pytest.approx([0.1, 0.15])
    assert drained.waited == pytest.approx(0.25, abs=0.001)


@pytest.mark.parametrize(("kind", "sight"), [(drain.INACTIVE, Sight(0, 1)), (drain.PERSISTENT, Sight(0, 0, 1))])
def test_other_connections_count_where_that_is_asked_for(kind: str, sight: Sight) -> None:
    assert wait(Clock(), [sight], 5, drain.ACTIVE).done
    assert not wait(Clock(), [sight], 5, drain.ACTIVE, kind).done


def test_a_real_server_that_goes_meanwhile_is_drained() -> None:
    drained = wait(Clock(), [Sight(1), None])
    assert (drained.done, drained.facts, drained.remaining) == (True, None, "no connections")


def test_waiting_ends_where_another_process_gives_it_weight_again() -> None:
    clock = Clock()
    drained = wait(clock, [Sight(3), Sight(3, 1, 0, weight=7), Sight()])
    assert (drained.done, len(clock.slept), drained.remaining) == (False, 1, "3 active, 1 inactive connections")
    assert drained.facts is not None
    assert drained.facts["weight"] == 7


def test_the_time_is_over_after_the_timeout_and_not_before() -> None:
    clock = Clock()
    drained = wait(clock, [Sight(1, 2, 3)], 10)
    assert (drained.done, drained.remaining) == (False, "1 active, 2 inactive, 3 persistent connections")
    assert drained.waited == pytest.approx(10, abs=0.001)
    assert clock.slept[0] == pytest.approx(0.1)
    assert max(clock.slept) == 1.0


def test_a_timeout_of_nothing_is_one_look() -> None:
    clock = Clock()
    drained = wait(clock, [Sight(1), Sight()], 0)
    assert (drained.done, drained.remaining) == (False, "1 active connection")
    assert clock.slept == []


@given(
    st.lists(st.none() | st.builds(Sight, *[st.integers(0, 1)] * 3, weight=st.sampled_from([0, 0, 0, 1])), min_size=1),
    st.floats(0, 20),
    st.sets(st.sampled_from([drain.ACTIVE, drain.INACTIVE, drain.PERSISTENT]), min_size=1),
)
def test_whatever_happens_the_waiting_ends(sights: list[Sight | None], timeout: float, kinds: set[str]) -> None:
    clock = Clock()
    drained = wait(clock, list(sights), timeout, *kinds)
    assert sum(clock.slept) <= timeout + 1e-6
    assert all(pause <= 1 for pause in clock.slept)
    left = drained.facts is not None and any(drained.facts["connections"][kind] for kind in kinds)
    assert drained.done != left
    assert drained.done or drained.waited >= timeout or (drained.facts is not None and drained.facts["weight"])


@pytest.fixture(name="lock")
def lock_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(converge, "LOCK", str(tmp_path / "lock"))
    return tmp_path / "lock"


def test_tasks_take_turns(lock: Path) -> None:
    with converge.turn(True), lock.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert lock.stat().st_mode & 0o777 == 0o600


def test_a_turn_ends_with_an_error_as_well(lock: Path) -> None:
    with pytest.raises(ValueError, match="anything"), converge.turn(True):
        raise ValueError("anything")
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_without_a_floor_there_is_no_lock(lock: Path) -> None:
    with converge.turn(False):
        assert not lock.exists()


def test_a_link_in_the_locks_place_is_not_followed(lock: Path) -> None:
    lock.symlink_to(lock.parent / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), converge.turn(True):
        pass
    assert not (lock.parent / "elsewhere").exists()
