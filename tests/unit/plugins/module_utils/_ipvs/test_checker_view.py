# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers that somebody else removes: they come back if the health checker takes them to be in the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import running_keepalived
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import checker_view, health_state, plan, programs, rules
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs.simulated_table import Task, manage, simulate

KEPT = "-A -t 192.0.2.10:80 -s wrr\n-a -t 192.0.2.10:80 -r 198.51.100.11:80 -m -w 5\n"
SECOND = "-a -t 192.0.2.10:80 -r 198.51.100.12:80 -m -w 3\n"
IDENTITY = {"address": "192.0.2.10", "port": 80, "protocol": "tcp"}
CHECKED: dict[str, Any] = {
    "name": "web",
    **IDENTITY,
    "scheduler": "wrr",
    "real_servers": [
        {"address": "198.51.100.11", "port": 80, "forward_method": "nat", "weight": 5},
        {"address": "198.51.100.12", "port": 80, "forward_method": "nat", "weight": 3},
    ],
}


def converge(configuration: Path, **options: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "exclude": [IDENTITY],
        "owned_elsewhere": [CHECKED],
        "keepalived_configuration": str(configuration),
    }
    return manage(Task(**params, **options))


@pytest.fixture(name="configuration")
def configuration_of_keepalived(tmp_path: Path) -> Path:
    path = tmp_path / "keepalived.conf"
    path.write_text("virtual_server 192.0.2.10 80 {\n  protocol TCP\n}\n")
    return path


@pytest.fixture(name="director")
def director_without_one(configuration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> support.FakeKernel:
    """A director whose files are there, and from whose table one real server was removed."""
    for name in ("CONFIGURATION", "FAILED"):
        monkeypatch.setattr(health_state, name, str(tmp_path / f"health.{name}"))
    monkeypatch.setattr(programs, "LOCK", str(tmp_path / "lock" / "health"))
    kernel = simulate(tmp_path, monkeypatch, KEPT + SECOND)
    converge(configuration)
    kernel.table = dict(plan.plan({}, rules.parse(KEPT)).predicted)
    return kernel


def answers(monkeypatch: pytest.MonkeyPatch, *weights: int | None) -> list[int | None]:
    """Have keepalived say each time whether the second real server is in the table, and with which weight."""
    left = list(weights)

    def said(_run: object) -> list[running_keepalived.AddedServer]:
        weight = left.pop(0)
        first = running_keepalived.AddedServer(IDENTITY, "198.51.100.11", 80, 5)
        second = [] if weight is None else [running_keepalived.AddedServer(IDENTITY, "198.51.100.12", 80, weight)]
        return [first, *second]

    monkeypatch.setattr(running_keepalived, "added_servers", said)
    return left


def test_one_that_keepalived_has_added_comes_back(
    director: support.FakeKernel, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = answers(monkeypatch, 3, 3)
    assert converge(configuration)["changed"]
    assert rules.render(director.table) == KEPT + SECOND
    assert not converge(configuration)["changed"]
    assert not left, "nothing was missing the second time, so nobody was asked"


def test_it_comes_back_with_the_weight_that_keepalived_gave_it(
    director: support.FakeKernel, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 0, 0)
    converge(configuration)
    assert rules.render(director.table) == KEPT + SECOND.replace("-w 3", "-w 0")


def test_a_drained_one_comes_back_with_weight_0(
    director: support.FakeKernel, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 3, 3)
    drained = configuration.parent / "drain"
    drained.mkdir()
    (drained / "198.51.100.12").write_text("1\n")
    converge(configuration, drain_directory=str(drained))
    assert rules.render(director.table) == KEPT + SECOND.replace("-w 3", "-w 0")


def test_one_that_has_failed_stays_out(
    director: support.FakeKernel, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, None)
    assert not converge(configuration)["changed"]
    assert rules.render(director.table) == KEPT


def test_one_that_fails_meanwhile_goes_again(
    director: support.FakeKernel, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 3, None)
    converge(configuration)
    assert rules.render(director.table) == KEPT


def test_a_keepalived_that_does_not_tell_changes_nothing(
    director: support.FakeKernel, configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_run: object) -> list[running_keepalived.AddedServer]:
        raise HostError("keepalived did not report its state within 10 s")

    monkeypatch.setattr(running_keepalived, "added_servers", silent)
    assert not converge(configuration)["changed"]
    configuration.write_text("vrrp_instance lvs_ipv4 {\n}\n")
    monkeypatch.setattr(running_keepalived, "added_servers", None)
    assert not converge(configuration)["changed"], "one without virtual servers is not asked"
    assert rules.render(director.table) == KEPT


@pytest.mark.parametrize(("failed", "lines"), [([], KEPT + SECOND), (["web_2"], KEPT)])
def test_mon_tells_by_its_files(
    director: support.FakeKernel, configuration: Path, failed: list[str], lines: str
) -> None:
    servers = [{**one, "watch": f"web_{number}"} for number, one in enumerate(CHECKED["real_servers"], start=1)]
    service = {key: value for key, value in CHECKED.items() if key != "real_servers"}
    entry = {"service": service, "real_servers": servers, "quorum": 1, "inhibit_on_failure": False}
    Path(health_state.CONFIGURATION).write_text(json.dumps([{**entry, "sorry_server": None}]))
    Path(health_state.FAILED).mkdir()
    for name in failed:
        (Path(health_state.FAILED) / name).touch()
    assert converge(configuration)["changed"] == (not failed)
    assert rules.render(director.table) == lines


def test_what_mon_has_left_damaged_changes_nothing(director: support.FakeKernel, configuration: Path) -> None:
    Path(health_state.FAILED).mkdir()
    Path(health_state.CONFIGURATION).write_text("{")
    assert not converge(configuration)["changed"]
    assert checker_view.held(director.table, [], {}) == []
