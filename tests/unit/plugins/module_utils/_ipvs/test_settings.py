# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timeouts, daemons and counters, against a kernel that is a few dictionaries."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import (
    daemon,
    info,
    model,
    module,
    netlink,
    plan,
    readings,
    rules,
    settings,
    timeouts,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.converge import ConvergeError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.daemon import BACKUP, MASTER, DaemonPatch, SyncDaemon
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import Ipvs
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import (
    RealServer,
    RealServerKey,
    ServiceKey,
    Settings,
    Table,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support, test_daemon, test_timeouts

BOTH = [MASTER, BACKUP]
DERIVED = 1472
TABLE = plan.plan(
    {}, rules.parse("-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1\n-A -t 192.0.2.10:80 -s rr\n-a -t 192.0.2.10:80 -r 192.0.2.1")
).predicted
WEB, MARK = sorted(TABLE)
Counted = dict[object, int]  # connections by ServiceKey, or by ServiceKey and RealServerKey


def _answer(payload: bytes) -> tuple[bytes, netlink.Message]:
    data = netlink.request(28, 1, 1, 0, payload)
    return data, next(netlink.messages(data))


class Kernel(Ipvs):
    """What IPVS keeps besides its table; it refuses what does not fit, and what ``refuse`` has an errno for.

    ``sent`` are the commands that arrived; ``counted`` are the connections that its services and real servers had.
    """

    def __init__(self, running: daemon.Daemons | None = None, counted: Counted | None = None) -> None:
        super().__init__()
        self.timeouts = {"tcp": 900, "tcp_fin": 120, "udp": 300}
        self.daemons = dict(running or {})
        self.counted = dict(counted or {})
        self.table: Table = TABLE
        self.sent: list[int] = []
        self.refuse: Callable[[int], int] = lambda _command: 0

    def opened(self) -> bool:
        return self.loaded

    def numbers(self, command: int) -> dict[int, int]:
        assert command == netlink.GET_CONFIG
        return {netlink.TIMEOUTS[name]: seconds for name, seconds in self.timeouts.items()}

    def ask(
        self, command: int, payload: bytes = b"", flags: int = netlink.NLM_F_DUMP
    ) -> Iterator[tuple[bytes, netlink.Message]]:
        assert command == netlink.GET_DAEMON
        for role, running in self.daemons.items():
            yield _answer(daemon.encode(daemon.Step(role, running))[1])

    def services(self) -> Iterator[tuple[ServiceKey, Settings, bytes, netlink.Message]]:
        for key, service in self.table.items():
            statistics = self._statistics(netlink.SVC_STATS64, key)
            yield key, service.settings, *_answer(netlink.attribute(netlink.ATTR_SERVICE, statistics))

    def real_servers(
        self, service: ServiceKey
    ) -> Iterator[tuple[RealServerKey, RealServer, netlink.Connections, bytes, netlink.Message]]:
        for key, server in self.table[service].real_servers.items():
            statistics = self._statistics(netlink.DEST_STATS64, (service, key))
            answer = _answer(netlink.attribute(netlink.ATTR_DEST, statistics))
            yield key, server, netlink.Connections(0, 0, 0), *answer

    def _statistics(self, kind: int, entry: object) -> bytes:
        return netlink.attribute(kind, netlink.attribute(1, netlink.U64.pack(self.counted.get(entry, 0))))

    def command(self, command: int, payload: bytes = b"") -> int:
        self.sent.append(command)
        return self.refuse(command) or self.execute(command, payload)

    def execute(self, command: int, payload: bytes) -> int:
        """Do what a command says; its errno."""
        data, message = _answer(payload)
        if command == netlink.SET_CONFIG:
            numbers = netlink.decode_numbers(data, message)
            self.timeouts.update({name: numbers[kind] for name, kind in netlink.TIMEOUTS.items() if kind in numbers})
        elif command == netlink.NEW_DAEMON:
            role, started = daemon.decode(data, message)
            if role in self.daemons:
                return errno.EEXIST
            self.daemons[role] = started._replace(sync_maxlen=started.sync_maxlen or DERIVED)
        elif command == netlink.DEL_DAEMON:
            number = netlink.U32.unpack_from(payload, 8)[0]
            return 0 if self.daemons.pop(daemon.ROLE_NAMES[number], None) else errno.ESRCH
        else:
            assert command == netlink.ZERO
            service = netlink.decode_service(data, message)[0] if payload else None
            self.counted = {
                entry: number
                for entry, number in self.counted.items()
                if service is not None and service not in (entry, entry[0] if isinstance(entry, tuple) else None)
            }
        return 0


class Forgetful(Kernel):
    """A kernel that acknowledges and does not do."""

    def execute(self, command: int, payload: bytes) -> int:
        return 0


def test_timeouts_are_set_and_read_back() -> None:
    kernel = Kernel()
    change, now = settings.set_timeouts(kernel, {"tcp": 3600, "udp": 30}, check_mode=False)
    assert change[:2] == module.Change("--set 900 120 300\n", "--set 3600 120 30\n")[:2]
    assert [(one.name, one.found, one.wanted) for one in change.differences] == [
        ("tcp", "900", "3600"),
        ("udp", "300", "30"),
    ]
    assert (change.changed, now, kernel.timeouts) == (True, timeouts.Timeouts(3600, 120, 30), now._asdict())


@given(test_timeouts.some_timeouts)
def test_check_mode_predicts_timeouts_and_sets_none(given_timeouts: dict[str, int]) -> None:
    kernel = Kernel()
    predicted = settings.set_timeouts(kernel, given_timeouts, check_mode=True)
    assert (kernel.timeouts, kernel.sent) == (Kernel().timeouts, [])
    assert settings.set_timeouts(kernel, given_timeouts, check_mode=False) == predicted
    again, _now = settings.set_timeouts(kernel, given_timeouts, check_mode=False)
    assert again == module.NO_CHANGE
    assert len(kernel.sent) == predicted[0].changed


def test_timeouts_that_the_kernel_refuses() -> None:
    kernel = Kernel()
    kernel.refuse = lambda _command: errno.EPERM
    with pytest.raises(
        ConvergeError, match=r"^cannot set the timeouts of IPVS: not permitted: .*; nothing was changed$"
    ):
        settings.set_timeouts(kernel, {"tcp": 1}, check_mode=False)


def test_timeouts_that_do_not_last() -> None:
    with pytest.raises(ConvergeError, match=r"did not last: expected --set 1 120 300, found --set 900 120 300$"):
        settings.set_timeouts(Forgetful(), {"tcp": 1}, check_mode=False)


def test_daemons_are_started_changed_and_stopped() -> None:
    kernel = Kernel()
    change, running = settings.set_daemons(kernel, BOTH, DaemonPatch("eth1"), check_mode=False)
    assert running == kernel.daemons == dict.fromkeys(BOTH, SyncDaemon("eth1", sync_maxlen=DERIVED))
    assert (change.before, change.after.count("\n")) == ("", 2)
    change, running = settings.set_daemons(kernel, [BACKUP], DaemonPatch(sync_id=7), check_mode=False)
    assert running[BACKUP] == SyncDaemon("eth1", 7, sync_maxlen=DERIVED)
    assert "--syncid 0" in change.before
    assert change.after == change.before.replace("--syncid 0", "--syncid 7")
    change, running = settings.set_daemons(kernel, BOTH, None, check_mode=False)
    assert (change.after, running, kernel.daemons) == ("", {}, {})


@given(test_daemon.states, test_daemon.some_roles, st.none() | test_daemon.patches)
def test_check_mode_predicts_daemons_and_touches_none(
    before: daemon.Daemons, roles: list[str], patch: DaemonPatch | None
) -> None:
    kernel = Kernel(before)
    predicted, _running = settings.set_daemons(kernel, roles, patch, check_mode=True)
    assert (kernel.daemons, kernel.sent) == (before, [])
    real, running = settings.set_daemons(kernel, roles, patch, check_mode=False)
    assert (real, running) == (predicted, kernel.daemons)
    assert real.changed == bool(kernel.sent)
    assert settings.set_daemons(kernel, roles, patch, check_mode=False) == (module.NO_CHANGE, running)


@given(test_daemon.states, test_daemon.some_roles, st.none() | test_daemon.patches, st.data())
def test_whichever_command_fails_the_daemons_are_as_before(
    before: daemon.Daemons, roles: list[str], patch: DaemonPatch | None, data: st.DataObject
) -> None:
    steps, _predicted = daemon.plan(before, roles, patch)
    if not steps:
        return
    number = data.draw(st.integers(1, len(steps)))
    kernel = Kernel(before)
    kernel.refuse = lambda _command: errno.ENOMEM if len(kernel.sent) == number else 0
    with pytest.raises(ConvergeError) as caught:
        settings.set_daemons(kernel, roles, patch, check_mode=False)
    assert kernel.daemons == before
    outcome = "nothing was changed" if number == 1 else "the daemons run as before"
    assert str(caught.value).endswith(f": Cannot allocate memory (ENOMEM); {outcome}")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENODEV, "there is no interface eth1 (ENODEV)"),
        (errno.EEXIST, "another process has started one (EEXIST)"),
        (
            errno.EINVAL,
            "the kernel does not start one while a real server is of another family than its service (EINVAL)",
        ),
        (errno.EADDRNOTAVAIL, "the interface has no address of the multicast group's family (EADDRNOTAVAIL)"),
        (errno.EPERM, "not permitted: CAP_NET_ADMIN is needed in the network namespace's own user namespace (EPERM)"),
    ],
)
def test_why_a_daemon_does_not_start(code: int, reason: str) -> None:
    kernel = Kernel()
    kernel.refuse = lambda _command: code
    with pytest.raises(ConvergeError) as caught:
        settings.set_daemons(kernel, [MASTER], DaemonPatch("eth1"), check_mode=False)
    assert str(caught.value) == f"cannot start sync daemon master: {reason}; nothing was changed"


def test_a_daemon_that_somebody_else_has_stopped_is_stopped() -> None:
    kernel = Kernel({MASTER: SyncDaemon("eth1")})

    def somebody_else(_command: int) -> int:
        kernel.daemons.clear()
        return 0

    kernel.refuse = somebody_else
    change, running = settings.set_daemons(kernel, [MASTER], None, check_mode=False)
    assert (change.changed, running) == (True, {})


def test_a_daemon_that_cannot_be_put_back_either() -> None:
    kernel = Kernel({MASTER: SyncDaemon("eth1")})
    kernel.refuse = lambda command: errno.ENODEV if command == netlink.NEW_DAEMON else 0
    with pytest.raises(ConvergeError) as caught:
        settings.set_daemons(kernel, [MASTER], DaemonPatch("eth2"), check_mode=False)
    assert str(caught.value) == (
        "cannot start sync daemon master: there is no interface eth2 (ENODEV);"
        " sync daemon master could not be restored either: there is no interface eth1 (ENODEV)"
    )


def test_a_daemon_that_is_not_as_asked_for() -> None:
    with pytest.raises(ConvergeError, match=r"acknowledged the sync daemon backup, .* --syncid 0 .*, found none$"):
        settings.set_daemons(Forgetful(), [BACKUP], DaemonPatch("eth1"), check_mode=False)
    running = {MASTER: SyncDaemon("eth1")}
    with pytest.raises(ConvergeError, match="expected none, found --start-daemon master"):
        settings.set_daemons(Forgetful(running), [MASTER], None, check_mode=False)


@pytest.fixture(autouse=True)
def _totals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "totals", lambda: (dict.fromkeys(netlink.COUNTERS, 0), {}))


def test_counters_of_one_service() -> None:
    (server,) = TABLE[WEB].real_servers
    kernel = Kernel(counted={WEB: 3, (WEB, server): 2, MARK: 1})
    predicted = info.zero_counters(kernel, WEB, check_mode=True)
    assert kernel.sent == []
    change, before = info.zero_counters(kernel, WEB, check_mode=False)
    assert (change, before) == predicted
    rest = ", packets_in 0, packets_out 0, bytes_in 0, bytes_out 0\n"
    lines = "tcp 192.0.2.10:80: connections {}" + rest + "tcp 192.0.2.10:80 real server 192.0.2.1:80: connections {}"
    assert change == module.Change(lines.format(3, 2) + rest, lines.format(0, 0) + rest)
    assert [entry["statistics"]["connections"] for entry in before["services"]] == [3]
    assert kernel.counted == {MARK: 1}
    again, _before = info.zero_counters(kernel, WEB, check_mode=False)
    assert (again, len(kernel.sent)) == (module.NO_CHANGE, 1)


def test_all_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    totals = {**dict.fromkeys(netlink.COUNTERS, 0), "bytes_in": 9}
    monkeypatch.setattr(readings, "totals", lambda: (totals, {}))
    kernel = Kernel(counted={WEB: 3, MARK: 1})
    change, before = info.zero_counters(kernel, None, check_mode=False)
    labels = [line.partition(": ")[0] for line in change.before.splitlines()]
    assert labels == ["total", "tcp 192.0.2.10:80", "fwmark 1 ipv4"]
    assert (before["statistics"], kernel.counted) == (totals, {})


def test_a_real_server_that_has_counted_more_than_its_service() -> None:
    (server,) = TABLE[MARK].real_servers
    kernel = Kernel(counted={(MARK, server): 5})
    change, _before = info.zero_counters(kernel, MARK, check_mode=False)
    assert (change.changed, kernel.counted) == (True, {})
    assert change.before.startswith("fwmark 1 ipv4 real server 192.0.2.1:0: connections 5,")


def test_counters_that_are_zero_are_left_alone() -> None:
    kernel = Kernel()
    change, before = info.zero_counters(kernel, None, check_mode=False)
    assert (change, kernel.sent, len(before["services"])) == (module.NO_CHANGE, [], 2)


def test_counters_of_a_service_that_is_not_there() -> None:
    key = ServiceKey(2, model.AF_INET, 0, b"", 0)
    message = support.refused(lambda: info.zero_counters(Kernel(), key, check_mode=False))
    assert message == "fwmark 2 ipv4: there is no such virtual service, so it has no counters"


def test_counters_that_the_kernel_does_not_zero() -> None:
    kernel = Kernel(counted={WEB: 1})
    kernel.refuse = lambda _command: errno.ESRCH
    with pytest.raises(ConvergeError, match=r"^cannot zero counters: there is no such virtual service \(ESRCH\)$"):
        info.zero_counters(kernel, WEB, check_mode=False)


def test_without_ipvs_there_is_nothing_to_zero() -> None:
    kernel = Kernel(counted={WEB: 1})
    kernel.loaded = False
    zeros = dict.fromkeys(netlink.COUNTERS, 0)
    assert info.zero_counters(kernel, WEB, check_mode=True) == (module.NO_CHANGE, {"services": []})
    assert info.zero_counters(kernel, None, check_mode=True) == (
        module.NO_CHANGE,
        {"services": [], "statistics": zeros},
    )


def test_timeouts_that_are_kept_come_and_go() -> None:
    kernel = Kernel()
    change, now, kept = settings.keep_timeouts(kernel, {"tcp": 3600, "udp": 30}, {}, False)
    assert change.after == "--set 3600 120 30\n"
    assert now._asdict() == kernel.timeouts == {"tcp": 3600, "tcp_fin": 120, "udp": 30}
    assert kept == {"tcp": timeouts.Kept(3600, 900), "udp": timeouts.Kept(30, 300)}
    again = settings.keep_timeouts(kernel, {"tcp": 3600, "udp": 30}, kept, False)
    assert (again[0].changed, again[2]) == (False, kept)
    # what was there before is remembered from the first time, whatever has been set since
    change, _now, kept = settings.keep_timeouts(kernel, {"tcp": 60}, kept, True)
    assert (change.after, kept) == ("--set 60 120 300\n", {"tcp": timeouts.Kept(60, 900)})
    assert kernel.timeouts["tcp"] == 3600, "check mode"
    settings.keep_timeouts(kernel, {"tcp": 60}, {"tcp": timeouts.Kept(3600, 900), "udp": timeouts.Kept(30, 300)}, False)
    assert kernel.timeouts == {"tcp": 60, "tcp_fin": 120, "udp": 300}
    change, _now, kept = settings.keep_timeouts(kernel, {}, kept, False)
    assert (change.after, kept) == ("--set 900 120 300\n", {})
    sent = len(kernel.sent)
    assert settings.keep_timeouts(kernel, {}, {}, False)[0] == module.NO_CHANGE
    assert len(kernel.sent) == sent
