# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles and the check of a host pass to a module in one template: its options, under their names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models

MODULES = Path(__file__).resolve().parents[4] / "plugins" / "modules"
WEB = {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"host": "rs1"}]}
TUNNEL = {**WEB, "forward_method": "tun"}


def options_of(module: str) -> set[str]:
    """The options in the documentation of a module."""
    text = (MODULES / f"{module}.py").read_text().partition('DOCUMENTATION = r"""')[2].partition('"""')[0]
    return set(yaml.safe_load(text)["options"])


def test_options_of_the_module_director(build: Callable[[object], Cluster]) -> None:
    settings = {"director_interface": "eth1", "director_table_purge": "none", "director_conn_tab_bits": "20"}
    found = json.loads(host_models.director_of_role(build([WEB]).director("lb1", settings))["options"])
    # these have the defaults of the module, or come from the step of the role
    others = {"parts", "state", "keepalived_configuration", "drain_directory"}
    assert set(found) == options_of("director") - others
    assert (found["purge"], found["conn_tab_bits"]) == ("none", 20)


def test_options_of_the_module_real_server(build: Callable[[object], Cluster]) -> None:
    settings = {
        "real_server_vip_interface": "dummy0",
        "real_server_ingress": ["eth1", "eth2"],
        "real_server_purge": False,
    }
    found = json.loads(host_models.real_server_of_role(build([TUNNEL]).real_server("rs1", settings))["options"])
    assert set(found) == options_of("real_server") - {"purge", "state"}
    assert (found["interface"], found["ingress"], found["vips"]) == ("dummy0", ["eth1", "eth2"], ["192.0.2.10"])
    assert found["return_route"]["traffic"] == "services"
    assert len(found["tunnels"]) == 1
    assert "maxseg" in found["rules"]


@pytest.mark.parametrize(
    ("installs", "libraries", "of_director", "of_real_server"),
    [(True, [], [], []), (False, ["pyroute2"], ["keepalived", "mon", "nft"], ["nft"])],
)
def test_what_must_be_installed_already(
    installs: bool,
    libraries: list[str],
    of_director: list[str],
    of_real_server: list[str],
    build: Callable[[object], Cluster],
) -> None:
    shared: dict[str, Any] = {"lvs_install_packages": installs}
    own = {"director_interface": "eth1", "director_health_checker": "mon", **shared}
    director = host_models.director_check(build([TUNNEL]).director("lb1", own))
    real_server = host_models.real_server_check(build([TUNNEL]).real_server("rs1", shared))
    assert {*director, *real_server} <= options_of("host_check")
    assert director["libraries"] == real_server["libraries"] == libraries
    assert (director["programs"], real_server["programs"]) == (of_director, of_real_server)
