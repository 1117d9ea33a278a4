# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers out of all their services: all of it or nothing, the quorum, and flows of UDP."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import (
    boot,
    converge,
    model,
    netlink,
    out_of_service,
    persist,
    plan,
    programs,
    rules,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import KernelError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import (
    InvalidValue,
    RealServer,
    RealServerKey,
    ServiceKey,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

FIRST, SECOND = "198.51.100.11", "198.51.100.12"
WEB = "-A -t 192.0.2.10:80 -s wlc\n-a -t 192.0.2.10:80 -r {0}:80 -g -w 3\n-a -t 192.0.2.10:80 -r {1}:80 -g -w 1\n"
DNS = "-A -u 192.0.2.10:53 -s {2}\n-a -u 192.0.2.10:53 -r {0}:53 -m -w 2 -x 9\n-a -u 192.0.2.10:53 -r {1}:53 -m -w 1\n"
TABLE = WEB.format(FIRST, SECOND) + DNS.format(FIRST, SECOND, "rr")


class Director(support.FakeKernel):
    """A director in time: what its real servers count is a function of the seconds that have passed."""

    def __init__(self, text: str = TABLE, forgets: bool = True) -> None:
        super().__init__(plan.plan({}, rules.parse(text)).predicted)
        self.time = 0.0
        self.connections: dict[str, netlink.Connections] = {}
        self.packets_until: dict[str, float] = {}
        self.forgets = forgets
        self.meanwhile: Callable[[], None] = lambda: None

    def now(self) -> float:
        self.time += 1e-6
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.meanwhile()

    def _execute(self, operation: plan.Operation) -> int:
        if operation.server_key is not None and operation.verb == plan.REMOVE and self.forgets:
            self.connections.pop(f"{operation.service} {operation.server_key}", None)
        return super()._execute(operation)

    def real_servers(
        self, service: ServiceKey
    ) -> Iterator[tuple[RealServerKey, RealServer, netlink.Connections, bytes, netlink.Message]]:
        servers = self.table[service].real_servers if service in self.table else {}
        for key, server in servers.items():
            name = f"{service} {key}"
            # as the kernel, which adds them up every 2 seconds
            packets = int(min(self.time, self.packets_until.get(name, 0.0)) / 2) * 20
            stats = netlink.attribute(netlink.DEST_STATS64, netlink.attribute(2, packets.to_bytes(8, "little")))
            data = netlink.request(28, 1, netlink.NEW_DEST, 0, netlink.attribute(netlink.ATTR_DEST, stats))
            (message,) = netlink.messages(data)
            yield key, server, self.connections.get(name, netlink.Connections(0, 0, 0)), data, message

    def flow(self, service: str, server: str, until: float) -> None:
        """Have a flow of UDP come to a real server until this second."""
        name = f"{service} {server}"
        self.connections[name] = netlink.Connections(0, 1, 0)
        self.packets_until[name] = until


class Task:
    """As much of AnsibleModule as the code looks at."""

    _diff = False

    def __init__(self, directory: Path, check_mode: bool = False, **options: Any) -> None:
        self.check_mode = check_mode
        defaults: dict[str, Any] = {
            "state": "drained",
            "services": [],
            "health_checked": [],
            "minimum_in_service": 1,
            "seen_within": 3,
            "refuse_drained": False,
            "wait": True,
            "timeout": None,
            "expired": "fail",
            "wait_for": ["active"],
            "udp_pause": 10,
            "vips": [],
            "drain_directory": str(directory),
            "real_servers": [FIRST],
        }
        self.params = {**defaults, **options}
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def web(**more: Any) -> dict[str, Any]:
    return {"name": "web", "address": "192.0.2.10", "port": 80, "protocol": "tcp", **servers(80), **more}


def dns() -> dict[str, Any]:
    return {"name": "dns", "address": "192.0.2.10", "port": 53, "protocol": "udp", **servers(53)}


def servers(port: int) -> dict[str, Any]:
    return {"real_servers": [{"address": address, "port": port} for address in (FIRST, SECOND)]}


@pytest.fixture(name="place")
def place_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RULES_FILE", "TIMEOUTS_FILE", "ARCHIVE", "UNIT_FILE", "ENABLED"):
        monkeypatch.setattr(persist, name, f"{tmp_path}{getattr(persist, name)}")
    monkeypatch.setattr(converge, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(programs, "present", lambda: False)
    (tmp_path / "expire").write_text("1\n")
    monkeypatch.setattr(out_of_service, "_EXPIRE", str(tmp_path / "expire"))
    return tmp_path / "drain"


def run(monkeypatch: pytest.MonkeyPatch, director: Director, task: Task, master: bool | str = True) -> dict[str, Any]:
    """``master``: whether it has the VIPs, or the one that it has."""
    monkeypatch.setattr(out_of_service, "Ipvs", lambda load: contextlib.nullcontext(director))
    holds = (lambda vips: master in vips) if isinstance(master, str) else lambda _vips: master
    return out_of_service.manage(task, holds, director.now, director.sleep)


def shown(director: Director) -> str:
    return rules.render(director.table)


def drained(text: str = TABLE) -> str:
    """The table with the first real server at weight 0."""
    return text.replace(f"{FIRST}:80 -g -w 3", f"{FIRST}:80 -g -w 0").replace(
        f"{FIRST}:53 -m -w 2", f"{FIRST}:53 -m -w 0"
    )


def checker(director: Director, seconds: float = 1.0) -> None:
    """A health checker that gives the real servers of its services weight 0 after so many seconds."""

    def follow() -> None:
        if director.time >= seconds:
            director.table = dict(plan.plan({}, rules.parse(drained())).predicted)

    director.meanwhile = follow


def test_check_mode_changes_nothing_and_does_not_wait(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    director.flow("udp 192.0.2.10:53", f"{FIRST}:53", 1000)
    result = run(monkeypatch, director, Task(place, check_mode=True, services=[web(), dns()]))
    assert (result["changed"], result["switched"]) == (True, [FIRST])
    assert "waited" not in result
    assert (shown(director), director.time, place.exists()) == (TABLE, 0.0, False)


def test_out_of_all_services_and_back(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    result = run(monkeypatch, director, Task(place, services=[web(), dns()]))
    assert (result["waited"], result["moved"]) == (0.0, [])
    assert shown(director) == drained()
    assert drain_files.read(str(place)) == {model.pack_address(FIRST)}
    back = Task(place, services=result["former"], state="in_service")
    run(monkeypatch, director, back)
    assert shown(director) == TABLE
    assert drain_files.read(str(place)) == set()


def failing(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/etc/lvs-cluster/ipvs.rules")


def test_a_record_that_cannot_be_written_undoes_the_drain(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    kept = boot.to_keep(director.table, director.table, "python3")
    persist.carry_out(kept._replace(enable=None), lambda words: None)
    monkeypatch.setattr(persist, "carry_out", failing)
    with pytest.raises(converge.ConvergeError) as caught:
        run(monkeypatch, director, Task(place, services=[web(), dns()]))
    assert str(caught.value) == ("/etc/lvs-cluster/ipvs.rules: No space left on device; the table was restored")
    assert (shown(director), drain_files.read(str(place))) == (TABLE, set())


def test_a_way_back_that_fails_does_not_hide_what_went_wrong_first(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    director = Director()

    def apply(operations: Any, sent: list[plan.Operation], original: Any = director.apply) -> Any:
        if sent or director.sent:
            raise KernelError("cannot send to the kernel's IPVS: it is gone")
        return original(operations, sent)

    monkeypatch.setattr(director, "apply", apply)
    monkeypatch.setattr(drain_files, "remove", failing)
    monkeypatch.setattr(persist, "recorded", lambda: dict(director.table))
    monkeypatch.setattr(persist, "carry_out", failing)
    with pytest.raises(converge.ConvergeError) as caught:
        run(monkeypatch, director, Task(place, services=[web()]))
    text = str(caught.value)
    assert text.startswith("/etc/lvs-cluster/ipvs.rules: No space left on device; restoring the table failed as well")
    assert f"This may have been done: set real server {FIRST}:80 of virtual service web (tcp 192.0.2.10:80)" in text
    assert text.endswith(
        f"the files in {place} could not be restored: /etc/lvs-cluster/ipvs.rules: No space left on device"
    )


def test_a_health_checker_that_does_not_see_it_undoes_the_drain(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    with pytest.raises(converge.ConvergeError, match=r"has not given real server .* the weight 0 within 3 seconds"):
        run(monkeypatch, director, Task(place, services=[dns()], health_checked=[web()]))
    assert (shown(director), drain_files.read(str(place))) == (TABLE, set())
    assert director.time < 4


def test_a_health_checker_that_sees_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    checker(director)
    run(monkeypatch, director, Task(place, services=[dns()], health_checked=[web()]))
    assert shown(director) == drained()


@pytest.mark.parametrize(("quorum", "refused"), [(1, False), (2, True), (4, True), (5, False)])
def test_the_quorum_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch, quorum: int, refused: bool) -> None:
    """4 are in service, 1 would be left; 5 is lost already."""
    director = Director()
    checker(director)
    task = Task(place, health_checked=[web(quorum=quorum)])
    if not refused:
        run(monkeypatch, director, task)
        return
    with pytest.raises(InvalidValue) as caught:
        run(monkeypatch, director, task)
    assert str(caught.value) == (
        f"web (tcp 192.0.2.10:80): the quorum {quorum} of its health_check would not be met: without real server"
        f" {FIRST}:80, a weight of 1 would be left in service. Drain fewer real servers at a time, or set"
        " minimum_in_service (lvs_minimum_in_service) to 0"
    )
    assert (shown(director), place.exists()) == (TABLE, False)
    run(monkeypatch, director, Task(place, health_checked=[web(quorum=quorum)], minimum_in_service=0))


UDP = "udp 192.0.2.10:53"


def test_a_flow_that_ends_is_waited_for_and_moved(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    director.flow(UDP, f"{FIRST}:53", 30)
    director.flow(UDP, f"{SECOND}:53", 1000)
    task = Task(place, services=[web(), dns()], timeout=60)
    result = run(monkeypatch, director, task)
    assert 38 < result["waited"] < 44
    assert result["moved"] == [f"{FIRST}:53 of dns (udp 192.0.2.10:53)"]
    assert shown(director) == drained()
    assert list(director.connections) == [f"{UDP} {SECOND}:53"], "that of the other real server stays"
    assert task.warnings == []


def test_a_flow_that_never_pauses_is_not_drained(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    director.flow(UDP, f"{FIRST}:53", 1000)
    with pytest.raises(converge.ConvergeError) as caught:
        run(monkeypatch, director, Task(place, services=[web(), dns()], timeout=20))
    assert str(caught.value) == (
        f"connections are left after 20 seconds: {FIRST}:53 of dns (udp 192.0.2.10:53) gets packets of UDP flows that"
        " do not pause for 10 s; with expired=force (lvs_drain_expired) their next packets go to other real servers"
    )
    assert director.connections, "it is not moved"
    assert caught.value.result["waited"] == pytest.approx(20, abs=0.1)


def test_a_flow_that_never_pauses_is_moved_by_force(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    director.flow(UDP, f"{FIRST}:53", 1000)
    task = Task(place, services=[web(), dns()], timeout=20, expired="force")
    result = run(monkeypatch, director, task)
    assert result["moved"] == [f"{FIRST}:53 of dns (udp 192.0.2.10:53)"]
    assert (director.connections, shown(director)) == ({}, drained())
    assert len(task.warnings) == 1


def test_a_director_without_the_vips_moves_what_it_has_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    director.flow(UDP, f"{FIRST}:53", 0)
    result = run(monkeypatch, director, Task(place, services=[web(), dns()]), master=False)
    assert (result["waited"], len(result["moved"]), director.connections) == (0.0, 1, {})


@pytest.mark.parametrize(("held", "waits"), [("192.0.2.10", True), ("192.0.2.99", True), ("192.0.2.11", False)])
def test_services_whose_vips_are_elsewhere_are_not_waited_for(
    held: str, waits: bool, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service has VIPs of its own, or those of the task."""
    director = Director()
    director.connections[f"tcp 192.0.2.10:80 {FIRST}:80"] = netlink.Connections(1, 0, 0)
    own = {} if held == "192.0.2.99" else {"vips": ["192.0.2.10"]}
    task = Task(place, services=[web(**own)], vips=["192.0.2.99"], timeout=5, udp_pause=0)
    if waits:
        with pytest.raises(converge.ConvergeError, match="has 1 active connection"):
            run(monkeypatch, director, task, master=held)
    else:
        assert run(monkeypatch, director, task, master=held)["waited"] == pytest.approx(0, abs=0.1)


def test_a_timeout_below_the_pause_is_enough_without_packets(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    director.flow(UDP, f"{FIRST}:53", 0)
    assert run(monkeypatch, director, Task(place, services=[dns()], timeout=5))["waited"] == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (TABLE, {"udp_pause": 0}),
        (TABLE.replace("-s rr", "-s rr -o"), {}),
        (TABLE.replace(f"-A {'-u 192.0.2.10:53'}", "-A -u 192.0.2.10:53"), {"udp_pause": 0, "expired": "force"}),
    ],
    ids=["not wanted", "one packet", "not wanted by force"],
)
def test_flows_that_do_not_count(
    place: Path, monkeypatch: pytest.MonkeyPatch, text: str, options: dict[str, Any]
) -> None:
    director = Director(text)
    director.connections[f"{UDP} {FIRST}:53"] = netlink.Connections(0, 1, 0)
    result = run(monkeypatch, director, Task(place, services=[dns()], **options))
    assert (result["moved"], len(director.connections)) == ([], 1)


def test_without_the_sysctl_it_says_that_flows_stay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.parent / "expire").write_text("0\n")
    director, task = Director(forgets=False), Task(place, services=[dns()])
    director.flow(UDP, f"{FIRST}:53", 0)
    result = run(monkeypatch, director, task)
    assert (result["moved"], shown(director)) == (
        [],
        drained().replace(drained(WEB.format(FIRST, SECOND)), WEB.format(FIRST, SECOND)),
    )
    assert task.warnings == [
        f"UDP flows that continue will reach a drained real server again ({FIRST}:53 of dns (udp 192.0.2.10:53)): set"
        " net.ipv4.vs.expire_nodest_conn to 1, and drain once more"
    ]


def test_flows_that_come_back_are_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director(forgets=False)
    director.flow(UDP, f"{FIRST}:53", 0)
    with pytest.raises(converge.ConvergeError, match="UDP flows returned each time they were moved"):
        run(monkeypatch, director, Task(place, services=[dns()]))
    assert model.pack_address(FIRST) in drain_files.read(str(place))
    assert f"-r {FIRST}:53 -m -w 0 -x 9\n" in shown(director)


@pytest.mark.parametrize("entries", [True, False], ids=["with entries", "without"])
def test_a_scheduler_by_order_is_changed_by_force_alone_and_then_everywhere(
    place: Path, monkeypatch: pytest.MonkeyPatch, entries: bool
) -> None:
    director = Director(DNS.format(FIRST, SECOND, "sh"))
    if entries:
        director.flow(UDP, f"{FIRST}:53", 0)
    assert run(monkeypatch, director, Task(place, services=[dns()]))["moved"] == []
    assert not any(operation.verb == plan.REMOVE for operation in director.sent)
    forced = run(monkeypatch, director, Task(place, services=[dns()], expired="force"))
    assert (forced["moved"], director.connections) == ([f"{FIRST}:53 of dns (udp 192.0.2.10:53)"], {})


def test_a_removal_that_fails_leaves_the_real_server(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director()
    director.flow(UDP, f"{FIRST}:53", 0)
    director.refuse = lambda operation: errno.EINVAL if operation.verb == plan.REMOVE else 0
    with pytest.raises(converge.ConvergeError, match="cannot remove real server"):
        run(monkeypatch, director, Task(place, services=[dns()]))
    assert f"-r {FIRST}:53 -m -w 0 -x 9\n" in shown(director)


@pytest.mark.parametrize("pause", [-1, 1, float("nan")])
def test_a_pause_that_the_counters_do_not_show(place: Path, monkeypatch: pytest.MonkeyPatch, pause: float) -> None:
    with pytest.raises(InvalidValue, match="udp_pause must be 0 or from 3 to 2678400 seconds"):
        run(monkeypatch, Director(), Task(place, services=[dns()], udp_pause=pause))
