# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mon's alerts make of the services: which real server gets which weight, and who is said to be wrong."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Sequence
from pathlib import Path
from socket import inet_aton
from typing import Any, NamedTuple

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import health_state, persist, plan, programs, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import InvalidValue

SORRY = {"address": "192.0.2.99", "port": 8080, "forward_method": "nat", "weight": 1}


def entry(**values: Any) -> dict[str, Any]:
    servers = [
        {
            "watch": f"web_{number}",
            "address": f"192.0.2.1{number}",
            "port": 80,
            "forward_method": "nat",
            "weight": number,
        }
        for number in (1, 2, 3)
    ]
    service = {"name": "web", "address": "192.0.2.10", "port": 80, "protocol": "tcp", "scheduler": "rr"}
    return {
        "service": service,
        "quorum": 1,
        "inhibit_on_failure": False,
        "real_servers": servers,
        "sorry_server": None,
        **values,
    }


def weights(described: dict[str, Any], drained: str = "", failed: str = "") -> dict[str, int]:
    """The weights by the last part of an address: the table that comes out of an empty one."""
    addresses = [inet_aton(address) for address in drained.split()]
    table = plan.plan({}, health_state.wanted([described], addresses, failed.split())).predicted
    (service,) = table.values()
    return {key.address[3:].hex(): server.weight for key, server in service.real_servers.items()}


ONE, TWO, THREE, EXCUSE = (f"{last:02x}" for last in (11, 12, 13, 99))


@pytest.mark.parametrize(
    ("values", "drained", "failed", "expected"),
    [
        ({}, "", "", {ONE: 1, TWO: 2, THREE: 3}),
        ({}, "", "web_2 web_9", {ONE: 1, THREE: 3}),
        ({"inhibit_on_failure": True}, "", "web_2", {ONE: 1, TWO: 0, THREE: 3}),
        ({}, "192.0.2.11", "", {ONE: 0, TWO: 2, THREE: 3}),
        # A drain is for work: a real server that fails meanwhile goes as any other.
        ({}, "192.0.2.11", "web_1", {TWO: 2, THREE: 3}),
        ({}, "", "web_1 web_2 web_3", {}),
        ({"sorry_server": SORRY}, "", "web_1 web_2", {THREE: 3}),
        ({"sorry_server": SORRY}, "", "web_1 web_2 web_3", {EXCUSE: 1}),
        ({"sorry_server": SORRY}, "192.0.2.13", "web_1 web_2", {THREE: 0, EXCUSE: 1}),
        (
            {"sorry_server": SORRY, "inhibit_on_failure": True},
            "",
            "web_1 web_2 web_3",
            {ONE: 0, TWO: 0, THREE: 0, EXCUSE: 1},
        ),
        # Too few of weight: those that are well keep what they have, and get nothing new.
        ({"sorry_server": SORRY, "quorum": 4}, "", "web_3", {ONE: 0, TWO: 0, EXCUSE: 1}),
        ({"sorry_server": SORRY, "quorum": 4}, "", "web_2", {ONE: 1, THREE: 3}),
        ({"quorum": 4}, "", "web_3", {ONE: 1, TWO: 2}),
    ],
)
def test_weights(values: dict[str, Any], drained: str, failed: str, expected: dict[str, int]) -> None:
    assert weights(entry(**values), drained, failed) == expected


def test_real_servers_can_have_one_watch() -> None:
    described = entry()
    described["real_servers"][1]["watch"] = "web_1"
    assert weights(described, failed="web_1") == {THREE: 3}
    assert weights(described, failed="web_2") == {ONE: 1, TWO: 2, THREE: 3}


@pytest.mark.parametrize("usual", [False, True])
def test_a_real_server_stays_or_goes_by_its_own_key(usual: bool) -> None:
    described = entry(inhibit_on_failure=usual)
    described["real_servers"][1]["inhibit_on_failure"] = not usual
    left = {ONE: 0, THREE: 3} if usual else {TWO: 0, THREE: 3}
    assert weights(described, failed="web_1 web_2") == left


def test_nothing_depends_on_what_was_before() -> None:
    """The sorry server goes, and whoever was out comes back as described."""
    described = entry(sorry_server=SORRY)
    before = plan.plan({}, health_state.wanted([described], (), ["web_1", "web_2", "web_3"])).predicted
    scope = plan.Scope(plan.PURGE_REAL_SERVERS)
    after = plan.plan(before, health_state.wanted([described], (), ["web_1"]), scope).predicted
    assert rules.render(after).splitlines() == [
        "-A -t 192.0.2.10:80 -s rr",
        "-a -t 192.0.2.10:80 -r 192.0.2.12:80 -m -w 2",
        "-a -t 192.0.2.10:80 -r 192.0.2.13:80 -m -w 3",
    ]


def test_bad_values_are_told() -> None:
    described = entry()
    described["real_servers"][1]["weight"] = -1
    with pytest.raises(InvalidValue, match=r"web .*192\.0\.2\.12:80.*weight"):
        health_state.wanted([described], (), ())
    with pytest.raises(InvalidValue, match="described twice"):
        health_state.wanted([entry(), entry()], (), ())


@pytest.mark.parametrize("spoilt", [{}, {"service": None}, entry(real_servers=[{}]), entry(sorry_server=1)])
def test_what_the_role_has_not_written_is_told(spoilt: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=r"health\.json.* is not what the role director writes"):
        health_state.wanted([spoilt], (), ["web_1", "web_2", "web_3"])


def test_a_file_that_is_damaged_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "health.json"
    damaged.write_text("[{")
    monkeypatch.setattr(health_state, "CONFIGURATION", str(damaged))
    monkeypatch.setattr(programs, "LOCK", str(tmp_path / "run" / "lock"))
    monkeypatch.setattr(programs, "Ipvs", contextlib.nullcontext)
    assert programs.health(["apply"]) == 1
    assert f"apply: {damaged}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["apply", "now"], ["failed", "web_1"], [""], ["x"], ["follow"]])
def test_words_that_say_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert programs.health(words) == 2
    assert capsys.readouterr().err == "usage: health apply\n"


class Applied(NamedTuple):
    """What a stand-in for the kernel is told."""

    operations: Sequence[object]


@pytest.fixture(name="run")
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the program in a directory of the test's own, with one service in them, and no kernel."""
    for module, name in (
        (health_state, "CONFIGURATION"),
        (health_state, "FAILED"),
        (health_state, "CHANGED"),
        (programs, "LOCK"),
        (programs, "APPLIED"),
        (drain_files, "DIRECTORY"),
        (persist, "RULES_FILE"),
    ):
        monkeypatch.setattr(module, name, f"{tmp_path}{getattr(module, name)}")
    for path in (health_state.CHANGED, health_state.CONFIGURATION, programs.LOCK):
        Path(path).parent.mkdir(parents=True)
    Path(health_state.CONFIGURATION).write_text(json.dumps([entry()]))
    monkeypatch.setattr(programs, "Ipvs", contextlib.nullcontext)
    monkeypatch.setattr(programs, "converge", lambda *_words: Applied([]))
    return tmp_path


def test_a_change_that_comes_while_it_runs_is_seen_next_time(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark goes before anything is read: what comes after that leaves another one."""
    changed = Path(health_state.CHANGED)
    there: list[bool] = []

    def failed() -> list[str]:
        there.append(changed.exists())
        changed.touch()  # an alert, after the mark was removed
        return []

    monkeypatch.setattr(programs, "_failed", failed)
    changed.touch()
    assert programs.health(["apply"]) == 0
    assert there == [False]
    assert changed.exists()


def test_a_mark_that_cannot_be_removed_is_told_and_the_rest_is_done(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(health_state.CHANGED).mkdir()
    assert programs.health(["apply"]) == 1
    said = capsys.readouterr().err
    assert "apply: 0 changes made\n" in said
    assert health_state.CHANGED in said


def test_a_lock_that_is_held_is_waited_for_and_not_for_ever(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "_PATIENCE", 0.2)
    with open(programs.LOCK, "w", encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert programs.health(["apply"]) == 1
    assert "another process has held this lock for 0.2 seconds" in capsys.readouterr().err
    assert programs.health(["apply"]) == 0


def test_what_others_may_read_is_not_what_is_locked(run: Path) -> None:
    with open(health_state.CONFIGURATION, encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert programs.health(["apply"]) == 0
    lock = Path(programs.LOCK)
    assert lock.stat().st_mode & 0o777 == 0o600


def test_the_directory_of_the_lock_is_root_s_alone(run: Path) -> None:
    Path(programs.LOCK).parent.rmdir()
    assert programs.health(["apply"]) == 0
    assert Path(programs.LOCK).parent.stat().st_mode & 0o777 == 0o700


def test_a_configuration_that_is_replaced_is_read_after_the_lock(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible replaces the file: who waited for the lock must not go on with the one of before."""
    services: list[object] = []
    monkeypatch.setattr(programs, "converge", lambda _ipvs, patches, _scope: services.append(patches))
    real = fcntl.flock

    def replaced(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        new = Path(f"{health_state.CONFIGURATION}.new")
        new.write_text("[]")
        new.replace(health_state.CONFIGURATION)

    monkeypatch.setattr(fcntl, "flock", replaced)
    programs.follow(None)  # type: ignore[arg-type]
    assert services == [[]]
