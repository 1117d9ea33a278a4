# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts are given, as the filters return it."""

from __future__ import annotations

from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description import host_settings
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models


def director(cluster: Cluster, host: str = "lb1", **variables: object) -> dict[str, Any]:
    """What a director with these variables is given; its interface is eth1 unless they have another."""
    assert variables.keys() <= host_settings.DIRECTOR.keys()
    return host_models.director(cluster.director(host, {"director_interface": "eth1", **variables}))


def real_server(cluster: Cluster, host: str, **variables: object) -> dict[str, Any]:
    """What a real server with these variables is given."""
    assert variables.keys() <= host_settings.REAL_SERVER.keys()
    return host_models.real_server(cluster.real_server(host, variables))
