# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ipvs_table does around the table: files and table change together, and what is removed needs little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import files
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import (
    kernel,
    module,
    netlink,
    persist,
    rules,
    settings,
    timeouts,
    whole_table,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.converge import ConvergeError
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs.simulated_table import Task, manage, simulate

OTHERS = "-A -f 9 -s rr\n"
OURS = "-A -f 1 -s rr\n"


@pytest.fixture(name="director")
def director_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> support.FakeKernel:
    return simulate(tmp_path, monkeypatch, OTHERS)


def service(mark: int, **more: Any) -> dict[str, Any]:
    return {"fwmark": mark, "scheduler": "rr", "real_servers": None, **more}


@pytest.mark.parametrize("path", ["RULES_FILE", "ARCHIVE", "UNIT_FILE"])
def test_a_table_that_cannot_be_kept_is_put_back(
    director: support.FakeKernel, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    bad = getattr(persist, path)
    write = files.write_bytes

    def full(name: str, data: bytes) -> None:
        if name == bad:
            raise OSError(28, "No space left on device", name)
        write(name, data)

    monkeypatch.setattr(persist, "write_bytes", full)
    with pytest.raises(ConvergeError) as caught:
        manage(Task(services=[service(1)]))
    assert str(caught.value) == (
        f"cannot keep the IPVS table across reboots: {bad}: No space left on device; the table was restored"
    )
    assert rules.render(director.table) == OTHERS
    assert persist.recorded() == {}


def test_a_record_that_cannot_be_removed_keeps_its_services(
    director: support.FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    manage(Task(services=[service(1)]))

    def refuse(*_arguments: object) -> None:
        raise OSError(30, "Read-only file system", persist.RULES_FILE)

    monkeypatch.setattr(persist, "_change", refuse)
    with pytest.raises(ConvergeError, match=r"Read-only file system.*the table was restored"):
        manage(Task(state="absent"))
    assert rules.render(director.table) == OURS + OTHERS
    assert rules.render(persist.recorded()) == OURS


def test_check_mode_shows_the_files_and_writes_none(director: support.FakeKernel) -> None:
    predicted = manage(Task(check_mode=True, services=[service(1)]))
    assert persist.recorded() == {}
    assert manage(Task(services=[service(1)])) == predicted
    assert manage(Task(services=[service(1)]))["changed"] is False


class Unready(kernel.Ipvs):
    """A host without the library, and with whatever else opening needs."""

    def read(self, wanted: Any = None) -> Any:
        raise kernel.LibraryMissing("the Python library pyroute2 is missing")


def test_a_host_that_was_never_set_up_has_nothing_to_remove(
    director: support.FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_table, "Ipvs", Unready)
    assert manage(Task(state="absent"))["changed"] is False
    with pytest.raises(kernel.LibraryMissing):
        manage(Task(state="absent", services=[service(1)]))


@pytest.mark.parametrize("state", ["absent", "present"])
def test_only_what_is_to_be_there_loads_ip_vs(
    director: support.FakeKernel, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    asked: list[dict[str, bool]] = []

    def opened(**options: bool) -> support.FakeKernel:
        asked.append(options)
        return director

    monkeypatch.setattr(whole_table, "Ipvs", opened)
    monkeypatch.setattr(module, "Ipvs", opened)
    for keep in (True, False):
        manage(Task(services=[service(1)], state=state, persist=keep))
    there = state == "present"
    assert asked == [{"load": there, "needed": there}] * 2


def test_a_kernel_without_ipvs_has_nothing_to_remove(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel, "_PROC_TABLE", str(tmp_path / "ip_vs"))
    monkeypatch.setattr(kernel, "_need_net_admin", lambda: None)
    monkeypatch.setattr(kernel, "can_load", lambda: False)
    with kernel.Ipvs(load=False, needed=False) as ipvs:
        assert ipvs.read() == {}
    with pytest.raises(kernel.KernelError, match="has no IPVS"), kernel.Ipvs(load=False) as ipvs:
        ipvs.read()


class Clock(support.FakeKernel):
    """IPVS with timeouts, which may lack its library."""

    def __init__(self, missing: bool = False) -> None:
        super().__init__({})
        self.values = {
            netlink.TIMEOUTS[name]: value for name, value in {"tcp": 900, "tcp_fin": 120, "udp": 300}.items()
        }
        self.missing = missing

    def opened(self) -> bool:
        return not self.missing

    def numbers(self, command: int) -> dict[int, int]:
        if self.missing:
            raise kernel.LibraryMissing("the Python library pyroute2 is missing")
        return self.values

    def command(self, command: int, payload: bytes = b"") -> int:
        for name, kind in netlink.TIMEOUTS.items():
            for value in range(1, 4000):
                if timeouts.encode({name: value}) in payload:
                    self.values = {**self.values, kind: value}
        return 0


def refuse_to_keep(_kept: object) -> None:
    raise OSError(28, "No space left on device", "/etc/lvs-cluster/ipvs.timeouts")


def test_timeouts_that_cannot_be_kept_are_put_back() -> None:
    ipvs = Clock()
    before = dict(ipvs.values)
    with pytest.raises(ConvergeError, match="No space left on device; the timeouts were restored"):
        settings.keep_timeouts(ipvs, {"tcp": 3600}, {}, False, refuse_to_keep)
    assert ipvs.values == before
    with pytest.raises(ConvergeError, match="the timeouts were not changed"):
        settings.keep_timeouts(ipvs, {"tcp": 900}, {}, False, refuse_to_keep)
    settings.keep_timeouts(ipvs, {"tcp": 3600}, {}, True, refuse_to_keep)


def test_timeouts_of_a_host_that_was_never_set_up() -> None:
    change, now, kept = settings.keep_timeouts(Clock(missing=True), {}, {}, False)
    assert (change.changed, now, kept) == (False, timeouts.Timeouts(), {})
    with pytest.raises(kernel.LibraryMissing):
        settings.keep_timeouts(Clock(missing=True), {"tcp": 1}, {}, False)
