# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ipvs_table and ipvs_drain write can be read by the health checker's user, whatever the umask is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import persist

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

pytestmark = pytest.mark.usefixtures("_nothing_kept")

SERVERS = [{"address": "198.51.100.11"}, {"address": "198.51.100.12"}]
SERVICES = [{"address": "192.0.2.10", "port": 80, "real_servers": SERVERS}]


@pytest.fixture(params=[0o027, 0o077], ids="{:03o}".format, autouse=True)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_modes_do_not_depend_on_the_umask(host: Host) -> None:
    host.ok("ipvs_table", services=[{**SERVICES[0], "scheduler": "rr"}], persist=True)
    host.ok("ipvs_drain", services=SERVICES, real_servers=["198.51.100.11"], wait=False)
    drained = Path(drain_files.DIRECTORY, "198.51.100.11")
    for path in (Path(persist.RULES_FILE), Path(persist.ARCHIVE), Path(persist.UNIT_FILE), drained):
        assert stat.filemode(path.stat().st_mode) == "-rw-r--r--"
        assert stat.filemode(path.parent.stat().st_mode) == "drwxr-xr-x"
    assert stat.filemode(drained.parent.parent.stat().st_mode) == "drwxr-xr-x"
