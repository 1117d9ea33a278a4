# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong description, or a wrong order, ends a playbook before any host is touched.

The hosts of these inventories cannot be reached at all, so a run that got as far as a host would say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
UNREACHABLE = {"ansible_connection": "ssh", "ansible_ssh_executable": "/nonexistent/ssh"}
WEB = {
    "name": "web",
    "address": "192.0.2.10",
    "port": 80,
    "scheduler": "rr",
    "forward_method": "dr",
    "real_servers": [{"group": "real_servers"}],
}


def inventory(services: list[dict[str, object]]) -> dict[str, object]:
    return {
        "all": {
            "vars": {**UNREACHABLE, "lvs_virtual_services": services, "director_interface": "eth1"},
            "children": {
                "directors": {"hosts": {"lb1": {"lvs_address": "192.0.2.2"}}},
                "real_servers": {"hosts": {"rs1": {"lvs_address": "192.0.2.11"}}},
            },
            "hosts": {"lonely": {"lvs_address": "192.0.2.30"}},
        }
    }


def run(path: Path, services: list[dict[str, object]], *words: str) -> tuple[int, str]:
    """Run a playbook of the collection against hosts that are not there; its status and what it said."""
    path.write_text(yaml.safe_dump(inventory(services)))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(path), *words],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("services", "sentence"),
    [
        ([{**WEB, "scheduler": "rrr"}], "service web: scheduler: 'rrr' is not a scheduler"),
        (
            [{**WEB, "address": "2001:db8::10", "persistence": {"netmask": "255.255.255.0"}}],
            "service web: persistence.netmask: '255.255.255.0'",
        ),
        (
            [{**WEB, "real_servers": [{"host": "rs1", "port": 8080}]}],
            "service web: real_servers[0].port: 8080",
        ),
        ([WEB, WEB], "service web: name: 'web'"),
        ([WEB, {**WEB, "name": "again"}], "service again: "),
        (
            [{**WEB, "real_servers": [{"host": "lonely"}]}],
            "service web: real_servers[0].host: host 'lonely' is not in the inventory group 'real_servers'",
        ),
        (
            [{**WEB, "real_servers": [{"host": "nowhere"}]}],
            "service web: real_servers[0].host: there is no host 'nowhere' in the inventory",
        ),
        ([{**WEB, "address": "192.0.2.300"}], "service web: address: '192.0.2.300'"),
    ],
    ids=[
        "unknown scheduler",
        "IPv6 VIP with an IPv4 mask",
        "direct routing to another port",
        "one name twice",
        "one VIP and port twice",
        "a host in no group",
        "a host in no inventory",
        "an address that is none",
    ],
)
def test_nothing_is_touched(tmp_path: Path, services: list[dict[str, object]], sentence: str) -> None:
    status, text = run(tmp_path / "inventory.yml", services, "lvs.cluster.site")
    assert status != 0
    assert sentence in text
    assert "See that every host can be set up" not in text
    assert "UNREACHABLE" not in text
    assert "Traceback" not in text


def test_a_right_description_does_go_on_to_the_hosts(tmp_path: Path) -> None:
    status, text = run(tmp_path / "inventory.yml", [WEB], "lvs.cluster.site")
    assert status != 0
    assert "See that every host can be set up" in text
    assert "nonexistent" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("lvs.cluster.drain", "lvs_real_servers is missing: it takes names of hosts and groups of the inventory"),
        (
            "lvs.cluster.drain -e lvs_real_servers=rs1,rs9",
            "lvs_real_servers names 'rs9', which is neither a host nor a group: it",
        ),
        ("lvs.cluster.undrain -e lvs_real_servers=lb1", "host lb1: is not in the inventory group 'real_servers'"),
        ("lvs.cluster.rolling_update", "lvs_update_tasks has to be a file with tasks: it is missing"),
    ],
)
def test_an_order_that_cannot_be(tmp_path: Path, words: str, sentence: str) -> None:
    status, text = run(tmp_path / "inventory.yml", [WEB], *words.split())
    assert status != 0
    assert sentence in text
    assert "nonexistent" not in text
    assert "Traceback" not in text
