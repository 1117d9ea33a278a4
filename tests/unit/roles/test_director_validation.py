# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the role director has keepalived validate its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.module_utils._host.service_plan import ConfigFile, Wanted, check
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

VARIABLES = Path(__file__).parents[3] / "roles" / "director" / "vars" / "main.yml"


def director(check_type: dict[str, object]) -> dict[str, object]:
    service = {
        "name": "web",
        "address": "192.0.2.10",
        "port": 80,
        "real_servers": [{"address": "192.0.2.11"}],
        "health_check": check_type,
    }
    hostvars = {"lb1": {"lvs_address": "192.0.2.2"}}
    return support.director(build_cluster([service], {"directors": ["lb1"], "real_servers": []}, hostvars))


def test_the_command_takes_a_candidate() -> None:
    command = yaml.safe_load(VARIABLES.read_text())["director_validation"]
    assert command == ["keepalived", "--config-test", "--use-file=%s"]
    check(
        Wanted(
            "keepalived.service", files=(ConfigFile("/etc/keepalived/keepalived.conf", "", validate=tuple(command)),)
        )
    )


def test_keepalived_validates_commands_as_root() -> None:
    """The configuration that is written names the user."""
    given = director({"type": "misc", "command": "/usr/bin/check"})
    written, validated = str(given["keepalived"]), str(given["keepalived_validated"])
    assert "    script_user keepalived_script\n" in written
    assert validated == written.replace("script_user keepalived_script", "script_user root")


@pytest.mark.parametrize("check_type", ["tcp", "http"])
def test_without_commands_there_is_one_text(check_type: str) -> None:
    assert "keepalived_validated" not in director({"type": check_type})
