# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that was never set up and lacks pyroute2 has nothing to remove, and does not stop the teardown of others."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.lvs.cluster.plugins.module_utils._host import network
from ansible_collections.lvs.cluster.plugins.module_utils._host import target as host
from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import Outcome
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import MissingLibrary

MODULES = "ansible_collections.lvs.cluster.plugins.modules"
UTILS = "ansible_collections.lvs.cluster.plugins.module_utils._host"


@pytest.fixture(autouse=True)
def _without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_self: object) -> None:
        raise MissingLibrary("pyroute2", "python3-pyroute2")

    monkeypatch.setattr(network.Rtnetlink, "open", missing)
    monkeypatch.setattr(host, "require_root", lambda: None)
    monkeypatch.setattr(host, "respawn_with_library", lambda _module: None)


def result(capsys: pytest.CaptureFixture[str], name: str, **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        importlib.import_module(f"{MODULES}.{name}").main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("name", ["arp_silence", "ipvs_tunnel", "return_route"])
def test_there_is_nothing_to_remove(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = importlib.import_module(f"{MODULES}.{name}")
    traces = [str(tmp_path / str(number)) for number, _path in enumerate(module.TRACES)]
    monkeypatch.setattr(module, "TRACES", traces)
    assert result(capsys, name, state="absent")["changed"] is False
    for trace in traces:
        Path(trace).touch()
        failed = result(capsys, name, state="absent")
        assert (failed["failed"], "pyroute2" in failed["msg"]) == (True, True)
        Path(trace).unlink()


def test_there_is_nothing_to_remove_of_a_real_server(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plans = ("arp", "decapsulation", "routing")
    for plan in plans:
        monkeypatch.setattr(f"{UTILS}.{plan}.TRACES", [str(tmp_path / plan)])
    monkeypatch.setattr(f"{MODULES}.real_server.converge_table", lambda *_given: Outcome(False, "", "", ()))
    told = result(capsys, "real_server", state="absent")
    assert (told["changed"], list(told["parts"])) == (False, ["nftables"])
    for plan in plans:
        (tmp_path / plan).touch()
        failed = result(capsys, "real_server", state="absent")
        assert (failed["failed"], "pyroute2" in failed["msg"]) == (True, True)
        (tmp_path / plan).unlink()


def test_a_vip_that_is_listed_has_to_be_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert result(capsys, "arp_silence", state="absent", vips=["192.0.2.10"])["failed"]


def test_what_has_to_be_there_needs_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"gateways": ["192.0.2.1"], "services": [{"address": "192.0.2.11"}], "persist": False}
    assert result(capsys, "return_route", **arguments)["failed"]
