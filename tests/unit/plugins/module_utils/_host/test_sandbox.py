# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every unit that the collection writes is confined, as systemd itself sees it where that is at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.module_utils._host import arp, decapsulation, nft_table, routing
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import GuePort, Route, Rule
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import boot, persist

CASES = Path(__file__).parents[2] / "plugin_utils" / "cases"
LIMIT = 3.0


def units() -> Iterator[tuple[str, str]]:
    """Each with its name."""
    yield "vips", arp.vips_unit("Written here.", "lo", ["192.0.2.10"]).text
    yield "table", nft_table.table_unit("Written here.", "lvs_cluster", "/etc/lvs-cluster/x.nft").text
    route = Route(5151, "ipv4", "192.0.2.1", "eth0")
    yield (
        "routes",
        routing.routes_unit("Written here.", [route], [Rule(5151, 5151, "ipv4", "192.0.2.11", "tcp", (80, 80))]).text,
    )
    yield "watch", routing.watch_unit("Written here.", [route]).text
    yield "tunnels", decapsulation.tunnels_unit("Written here.", [], [GuePort("ipv4", 6080)], ["lvs-gre0"]).text
    for change in boot.to_keep({}, [], "/usr/bin/python3 -I").changes:
        if change.path == persist.UNIT_FILE:
            yield "ipvs", (change.after or b"").decode()
    for case in ("mon", "ldirectord", "dr_two_directors"):
        given = yaml.safe_load((CASES / case / "expected.yml").read_text())["directors"]["lb1"]
        if given["addresses_unit"]:
            yield "addresses", given["addresses_unit"]
        for file in given["health_checker"]["files"]:
            name, kind = Path(file["path"]).stem, Path(file["path"]).suffix
            if kind == ".service":
                yield name, file["content"]


UNITS = dict(units())


def test_all_are_looked_at() -> None:
    assert sorted(UNITS) == [
        "addresses",
        "ipvs",
        "ldirectord",
        "lvs-cluster-health",
        "mon",
        "routes",
        "table",
        "tunnels",
        "vips",
        "watch",
    ]


@pytest.mark.parametrize("name", UNITS)
def test_exposure(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed; the scenarios ask it on Debian 12 and 13 (cluster.confined)")
    file = tmp_path / f"{name}.service"
    file.write_text(UNITS[name])
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(file)]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin"}
    )
    if "--offline" in shown.stderr:
        pytest.skip("systemd is older than 250; the scenarios ask newer ones (cluster.confined)")
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", shown.stdout)
    assert float(level) <= LIMIT, shown.stdout


@pytest.mark.parametrize("name", ["vips", "table", "routes", "tunnels"])
def test_units_that_run_early_need_no_file_system_that_can_be_written_to(name: str) -> None:
    assert not re.search(r"^(PrivateTmp|PrivateDevices)=", UNITS[name], re.MULTILINE)


def test_nothing_is_said_twice() -> None:
    for text in UNITS.values():
        settings = re.findall(r"^(\w+)=", text.partition("[Service]")[2].partition("[Install]")[0], re.MULTILINE)
        twice = {key for key in settings if settings.count(key) > 1}
        assert twice <= {"ExecStart", "StandardInputText", "Environment"}
