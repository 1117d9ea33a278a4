# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which real servers leave, which of them are drained, and what an interrupted run leaves behind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ansible_collections.lvs.cluster.plugins.module_utils._host import network
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import (
    arguments,
    converge,
    leaving,
    model,
    persist,
    plan,
    readings,
    rules,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.leaving import Described
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import InvalidValue, Table
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

VIP = "192.0.2.10"
TEXT = """\
-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 192.0.2.21:80 -g -w 3
-a -t 192.0.2.10:80 -r 192.0.2.22:80 -g -w 1
-a -t 192.0.2.10:80 -r 192.0.2.23:80 -g -w 0
"""


def table(text: str = TEXT) -> Table:
    return plan.plan({}, rules.parse(text)).predicted


def web(*servers: int, **options: Any) -> dict[str, Any]:
    entry = {
        "name": "web",
        "address": VIP,
        "port": 80,
        "real_servers": [{"address": f"192.0.2.{one}"} for one in servers],
    }
    return {**entry, **options}


def found(current: Table, *entries: dict[str, Any], kept: bool = False, ours: bool = False) -> leaving.Leaving:
    patches = arguments.services(entries)
    services = {patch.key: None if kept else frozenset(patch.real_servers or {}) for patch in patches}
    return leaving.leaving(current, Described(services, {}, current.keys() if ours else ()))


def names(one: leaving.Leaving) -> list[str]:
    return [str(key) for _service, key in one.entries]


def test_what_is_no_longer_described_leaves() -> None:
    assert names(found(table(), web(22))) == ["192.0.2.21:80", "192.0.2.23:80"]
    assert names(found(table(), web(21, 22, 23, 24))) == []


def test_with_purge_none_real_servers_stay() -> None:
    assert found(table(), web(22), kept=True) == leaving.Leaving([], {})


def test_a_service_of_nobody_is_left_alone_and_one_on_record_leaves_as_a_whole() -> None:
    assert found(table()) == leaving.Leaving([], {})
    assert names(found(table(), ours=True)) == ["192.0.2.21:80", "192.0.2.22:80", "192.0.2.23:80"]


def test_the_last_ones_in_service_are_not_drained() -> None:
    one = found(table(), web(23, 24))
    assert one.entries == []
    assert list(one.undrained.values()) == [
        "no other real server is in service; to drain these, add others in an earlier run"
    ]


@pytest.mark.parametrize(
    ("scheduler", "reason"),
    [
        ("sh", "the scheduler sh without sh-fallback refuses the clients of a real server with weight 0"),
        ("sh -b sh-fallback", ""),
        ("mh -b mh-port", "the scheduler mh without mh-fallback refuses the clients of a real server with weight 0"),
        ("mh -b mh-fallback", ""),
        ("dh", "the scheduler dh refuses the clients of a real server with weight 0"),
        ("wlc", ""),
    ],
)
def test_schedulers_that_would_refuse_clients(scheduler: str, reason: str) -> None:
    one = found(table(TEXT.replace("-s rr", f"-s {scheduler}")), web(22))
    assert list(one.undrained.values()) == ([reason] if reason else [])
    assert bool(one.entries) == (not reason)


@given(support.tables(), support.tables())
def test_a_service_that_stays_keeps_one_in_service(current: Table, listed: Table) -> None:
    described = Described({key: frozenset(one.real_servers) for key, one in listed.items()}, {}, current.keys())
    out = set(leaving.leaving(current, described).entries)
    for key, service in current.items():
        in_service = {server for server, value in service.real_servers.items() if value.weight}
        gone = {server for one, server in out if one == key}
        if key not in listed:
            assert gone == set(service.real_servers)
        elif in_service:
            assert not gone & in_service or in_service - gone
            assert not gone & set(listed[key].real_servers)


@given(support.tables())
def test_the_record_is_read_as_written(current: Table) -> None:
    weights = {
        (key, server): value.weight for key, one in current.items() for server, value in one.real_servers.items()
    }
    assert leaving.parse(leaving.render(weights)) == weights


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["a"]]', '[[0,2,6,"zz",80,2,"c0000215",80,1]]'])
def test_a_damaged_record_is_named(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"/run/lvs-cluster-leaving\.json is damaged .*: remove it"):
        leaving.parse(text)


class Module:
    """AnsibleModule, as far as it is used here."""

    def __init__(self, *services: dict[str, Any], check_mode: bool = False, **params: Any) -> None:
        self.check_mode = check_mode
        self._diff = False
        self.warnings: list[str] = []
        self.params = {
            "services": services,
            "health_checked": [],
            "purge": "real_servers",
            "timeout": 60,
            "vips": [],
            "drain_directory": "/nonexistent",
            "keepalived_configuration": "/nonexistent",
            **params,
        }

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Director:
    """A director whose connections end, one at each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.kernel = support.FakeKernel(table())
        self.active = {"192.0.2.21": 0}
        self.held = {VIP}
        self.seconds = 0.0
        self.folder = folder
        monkeypatch.setattr(leaving, "RECORD", str(folder / "leaving.json"))
        monkeypatch.setattr(persist, "recorded", dict)
        monkeypatch.setattr(converge, "LOCK", str(folder / "lock"))
        monkeypatch.setattr(leaving, "Ipvs", lambda load: self)
        monkeypatch.setattr(time, "monotonic", lambda: self.seconds)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(readings, "real_servers", self.real_servers)
        monkeypatch.setattr(network, "held_addresses", lambda: self.held)

    def __enter__(self) -> support.FakeKernel:
        return self.kernel

    def __exit__(self, *_exception: object) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def real_servers(self, _ipvs: object, service: model.ServiceKey) -> Any:
        for key, server in self.kernel.table[service].real_servers.items():
            address = model.address_text(key.address)
            active = self.active.get(address, 0)
            self.active[address] = max(0, active - 1)
            connections = {"active": active, "inactive": 7, "persistent": 1}
            yield key, server, {"weight": server.weight, "connections": connections}

    def run(self, module: Module) -> dict[str, Any]:
        return leaving.prepare(module, module.params)()

    def weights(self) -> dict[str, int]:
        (service,) = self.kernel.table.values()
        return {model.address_text(key.address): one.weight for key, one in service.real_servers.items()}


@pytest.fixture
def director(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Director:
    return Director(monkeypatch, tmp_path)


def test_it_drains_and_waits_until_the_connections_have_ended(director: Director) -> None:
    director.active = {"192.0.2.21": 5}
    result = director.run(Module(web(22, 23)))
    assert director.weights() == {"192.0.2.21": 0, "192.0.2.22": 1, "192.0.2.23": 0}
    assert result["changed"]
    assert result["leaving"] == [f"192.0.2.21:80 of web (tcp {VIP}:80)"]
    assert 0 < result["waited"] < 60


def test_it_goes_on_when_the_time_is_over(director: Director) -> None:
    director.active = {"192.0.2.21": 10**6}
    module = Module(web(22, 23), timeout=10)
    assert director.run(module)["waited"] == 10
    (warning,) = module.warnings
    assert "connections are left after 10 seconds" in warning
    assert f"192.0.2.21:80 of web (tcp {VIP}:80) has " in warning


def test_check_mode_predicts_and_waits_for_nothing(director: Director) -> None:
    director.active = {"192.0.2.21": 5}
    predicted = director.run(Module(web(22, 23), check_mode=True))
    assert director.weights()["192.0.2.21"] == 3
    assert not (director.folder / "leaving.json").exists()
    assert "waited" not in predicted
    assert director.run(Module(web(22, 23)))["diff"] == predicted["diff"]


@pytest.mark.parametrize("options", [{"timeout": 0}, {"purge": "none"}])
def test_nothing_is_drained_where_nothing_is_to_wait_for(director: Director, options: dict[str, Any]) -> None:
    assert not director.run(Module(web(22, 23), **options))["changed"]
    assert director.weights()["192.0.2.21"] == 3


def test_a_backup_director_drains_nothing(director: Director) -> None:
    director.held = {"192.0.2.3"}
    assert not director.run(Module(web(22, 23)))["changed"]


def test_it_stops_waiting_when_the_vip_has_moved(director: Director, monkeypatch: pytest.MonkeyPatch) -> None:
    director.active = {"192.0.2.21": 10**6}
    monkeypatch.setattr(time, "sleep", lambda _seconds: director.held.clear())
    assert director.run(Module(web(22, 23)))["waited"] == 0


def test_a_real_server_that_is_described_again_gets_its_weight_back(director: Director) -> None:
    director.run(Module(web(22, 23)))
    assert director.weights()["192.0.2.21"] == 0
    result = director.run(Module(web(21, 22, 23)))
    assert result["changed"]
    assert director.weights() == {"192.0.2.21": 3, "192.0.2.22": 1, "192.0.2.23": 0}
    assert not director.run(Module(web(21, 22, 23)))["changed"]
    assert not (director.folder / "leaving.json").exists()


def test_one_that_has_been_drained_since_does_not(director: Director) -> None:
    director.run(Module(web(22, 23)))
    (director.folder / "192.0.2.21").write_text("1\n")
    director.run(Module(web(21, 22, 23), drain_directory=str(director.folder)))
    assert director.weights()["192.0.2.21"] == 0


def test_an_interrupted_run_is_completed_by_the_next(director: Director) -> None:
    director.active = {"192.0.2.21": 10**6}
    director.run(Module(web(22, 23), timeout=1))
    director.active = {"192.0.2.21": 3}
    second = director.run(Module(web(22, 23)))
    assert not second["changed"]
    assert second["waited"] > 0
    assert director.run(Module(web(21, 22, 23)))["changed"], "the first weight is kept"
    assert director.weights()["192.0.2.21"] == 3


def test_what_leaves_without_other_real_servers_is_named(director: Director) -> None:
    module = Module(web(24))
    assert not director.run(module)["changed"]
    (warning,) = module.warnings
    assert warning.startswith(f"virtual service web (tcp {VIP}:80): real servers are removed without being drained")


@pytest.mark.parametrize("ours", [True, False])
def test_a_service_of_keepalived_leaves_as_a_whole(director: Director, ours: bool) -> None:
    header = "# Written by the role lvs.cluster.director: changes made here are lost.\n" if ours else ""
    configuration = director.folder / "keepalived.conf"
    configuration.write_text(f"{header}virtual_server {VIP} 80 {{\n    protocol TCP\n}}\n")
    result = director.run(Module(keepalived_configuration=str(configuration)))
    assert result["changed"] is ours
    assert director.weights()["192.0.2.21"] == (0 if ours else 3)
    # it is described, though as the role's own
    assert director.run(Module(web(21, 22, 23), keepalived_configuration=str(configuration)))["leaving"] == []
    assert director.weights()["192.0.2.21"] == 3


def test_a_timeout_out_of_range_is_refused(director: Director) -> None:
    with pytest.raises(InvalidValue, match="timeout must be from 0 to"):
        director.run(Module(web(22), timeout=-1))


def test_the_addresses_are_read_once_a_look_however_many_services_leave(
    director: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reading opens a connection to the kernel: with 300 VIPs these took a minute, and 200 MB of memory."""
    lines = [f"-A -t {VIP}:{port} -s rr\n-a -t {VIP}:{port} -r 192.0.2.21:80 -m -w 1\n" for port in range(8000, 8040)]
    services = plan.plan({}, rules.parse("".join(lines))).predicted
    director.kernel = support.FakeKernel(services)
    director.active = {"192.0.2.21": 100}  # of which each look at a service takes one
    asked: list[float] = []
    monkeypatch.setattr(persist, "recorded", lambda: services)

    def held_addresses() -> set[str]:
        asked.append(director.seconds)
        return {VIP}

    monkeypatch.setattr(network, "held_addresses", held_addresses)
    result = director.run(Module())
    assert len(result["leaving"]) == 40
    looks = len(set(asked))
    assert looks > 1
    assert len(asked) <= looks + 1
