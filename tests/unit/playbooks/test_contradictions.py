# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of hosts that contradict, or that nobody knows, end ``site`` before any host is touched.

The hosts of these inventories cannot be reached at all, so a run that got as far as a host would say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WEB = {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "real_servers"}]}


def site(path: Path, *words: str, **changes: dict[str, Any]) -> str:
    """What ``site`` says about a pair; ``changes``: variables of hosts and groups."""

    def host(name: str, address: str) -> dict[str, Any]:
        return {"lvs_address": address, **changes.get(name, {})}

    shared = {
        "ansible_connection": "ssh",
        "ansible_ssh_executable": "/nonexistent/ssh",
        "network": "192.0.2",
        "lvs_virtual_services": [{**WEB, "address": "{{ network }}.10"}],
        "director_interface": "eth1",
        **changes.get("all", {}),
    }
    inventory = {
        "all": {
            "vars": {name: value for name, value in shared.items() if value is not None},
            "children": {
                "directors": {
                    "hosts": {"lb1": host("lb1", "192.0.2.2"), "lb2": host("lb2", "192.0.2.3")},
                    "vars": changes.get("directors", {}),
                },
                "real_servers": {"hosts": {"rs1": host("rs1", "192.0.2.11")}, "vars": changes.get("real_servers", {})},
            },
        }
    }
    path.write_text(yaml.safe_dump(inventory))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(path), "lvs.cluster.site", *words],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    text = " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lb2": {"director_virtual_router_id": 52}}, ["director_virtual_router_id: ", "51 for lb1, 52 for lb2"]),
        (
            {"directors": {"director_advert_intervall": 0.2}},
            ["variable director_advert_intervall: ", "for lb1 and lb2", "'director_advert_interval'"],
        ),
        ({"rs1": {"network": "198.51.100"}}, ["lvs_virtual_services: ", "for rs1", "for lb1 (service web)"]),
        ({"rs1": {"lvs_address": "192.0.2.3"}}, ["service web: real_servers[0]: 192.0.2.3 ", "director lb2"]),
        (
            {"all": {"lvs_virtual_services": None}, "lb1": {"lvs_virtual_services": [WEB]}},
            ["lvs_virtual_services: ", "for lb2", "for lb1"],
        ),
        (
            {"all": {"lvs_virtual_services": None}, "real_servers": {"lvs_virtual_services": [WEB]}},
            ["lvs_virtual_services: ", "the group real_servers (rs1) has it"],
        ),
        (
            {"all": {"director_interface": None}, "real_servers": {"director_interface": "eth1"}},
            ["director_interface: ", "the group real_servers (rs1) has it"],
        ),
    ],
)
def test_nothing_is_touched(tmp_path: Path, changes: dict[str, Any], says: list[str]) -> None:
    text = site(tmp_path / "inventory.yml", **changes)
    assert [words for words in says if words not in text] == []
    assert "nonexistent" not in text


def test_what_does_not_contradict_goes_on_to_the_hosts(tmp_path: Path) -> None:
    own = {"lvs_rack": "{{ undefined_here }}", "lvs_other_variables": ["lvs_rack"]}
    assert "nonexistent" in site(tmp_path / "inventory.yml", rs1=own)


def test_limit_makes_no_group_smaller(tmp_path: Path) -> None:
    """A director that is left out stays a peer of the others, and its settings are compared."""
    text = site(tmp_path / "inventory.yml", "--limit", "lb1", lb2={"director_virtual_router_id": 52})
    assert "director_virtual_router_id: " in text
    assert "51 for lb1, 52 for lb2" in text
