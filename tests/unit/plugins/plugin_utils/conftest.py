# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the cluster model share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.module_utils._host import tuning
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, plan
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster

CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="session")
def inventory() -> dict[str, Any]:
    """The cases' common inventory: groups and hostvars."""
    loaded: dict[str, Any] = yaml.safe_load((CASES / "inventory.yml").read_text())
    return loaded


@pytest.fixture
def build(inventory: dict[str, Any]) -> Callable[[object], Cluster]:
    """Build a cluster from a description and the common inventory."""
    return lambda description: build_cluster(description, inventory["groups"], inventory["hostvars"])


@pytest.fixture(scope="session")
def takes() -> Callable[[dict[str, Any]], None]:
    """Assert that our modules take what a director is given, on an empty table, as JSON carries it to them."""

    def check(director: dict[str, Any]) -> None:
        carried = json.loads(json.dumps(director))
        assert carried == director
        planned = plan.plan({}, arguments.services(carried["services"]))
        entries = sum(1 + len(service["real_servers"]) for service in carried["services"])
        assert len(planned.operations) == entries
        arguments.services(carried["owned_elsewhere"])
        tuning.parse_settings(True, carried["kernel_modules"], None, carried["sysctls"])

    return check
