# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that do several things: what they refuse before the first of them, and what they return."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.lvs.cluster.plugins.module_utils._host import task
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.module import MANY, invocation
from ansible_collections.lvs.cluster.plugins.modules import director

SERVER = {"address": "192.0.2.11", "port": 80, "weight": 1, "forward_method": "dr"}
WEB: dict[str, Any] = {"address": "192.0.2.10", "port": 80, "scheduler": "rr", "real_servers": [SERVER]}


def refusal(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    """What the module director says of these arguments."""
    with patch_module_args(arguments), pytest.raises(SystemExit):
        director.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert result["failed"]
    return result


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"services": [{**WEB, "schedule": "rr"}]},
            r"Unsupported parameters for \(.*\) module: services\.schedule\. Supported parameters include: .*port, .*",
        ),
        ({"leaving_timeout": -1}, r"director: leaving_timeout must be from 0 to \d+ seconds.*"),
        ({"vips": ["192.0.2"]}, r"director: vips .*192\.0\.2.*"),
    ],
)
def test_a_refusal_names_the_module_and_its_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(task, "require_root", lambda: None)
    monkeypatch.setattr(task, "respawn_with_library", lambda _module: None)
    assert re.fullmatch(message, refusal(capsys, **wrong)["msg"])


def test_without_root_nothing_else_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files that root alone may read are not what is wrong."""
    monkeypatch.setattr(task, "respawn_with_library", lambda _module: None)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    said = refusal(capsys, services=[WEB], keepalived_configuration=str(tmp_path), sysctls={"no such": "1"})["msg"]
    assert "root" in said
    assert "become" in said


@pytest.mark.parametrize("name", ["services", "health_checked"])
def test_thousands_of_entries_are_not_returned(name: str) -> None:
    many = [{**WEB, "real_servers": [SERVER] * MANY}]
    assert invocation({"services": [WEB], "health_checked": [WEB], "purge": "all"}) == {}
    told = invocation({"services": [WEB], "health_checked": [WEB], "purge": "all", name: many})
    arguments = told["invocation"]["module_args"]
    assert arguments.pop(name) == f"1 virtual services, {MANY} real servers"
    assert arguments.keys() == {"services", "health_checked", "purge"} - {name}
    assert len(json.dumps(told)) < 500
