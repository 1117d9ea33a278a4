# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server's address has one spelling in the names of files, in configurations and in what is read from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ansible_collections.lvs.cluster.plugins.module_utils._host import director_state, drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import model
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster import checkers
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster

#: Python writes the first as it stands, inet_ntop(3) as ::1.2.3.4.
SERVERS = ["::102:304", "2001:db8::11"]


def test_keepalived_watches_the_files_that_a_drain_writes(build: Callable[[object], Cluster], tmp_path: Path) -> None:
    service = {
        "name": "web",
        "address": "2001:db8::10",
        "port": 80,
        "real_servers": [{"address": address} for address in SERVERS],
        "health_check": {"type": "tcp"},
    }
    paths = checkers.drain_files(build([service]).resolved)
    drain_files.write(str(tmp_path), [model.pack_address(address) for address in SERVERS])
    assert {path.rpartition("/")[2] for path in paths.values()} <= {path.name for path in tmp_path.iterdir()}
    assert set(paths) == {"::1.2.3.4", "2001:db8::11"}


def test_a_configuration_is_read_in_the_same_form() -> None:
    (found,) = director_state.written_services("virtual_server ::102:304 80 {\n}\n")
    assert found["address"] == "::1.2.3.4"
