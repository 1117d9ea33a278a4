# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong description, or a wrong order, ends a playbook before any host is touched.

The hosts of these inventories cannot be reached at all, so a run that got as far as a host would say so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def inventory(services: list[dict[str, object]]) -> dict[str, Any]:
    return {
        "all": {
            "vars": {**UNREACHABLE, "lvs_virtual_services": services, "director_interface": "eth1"},
            "children": {
                "directors": {"hosts": {"lb1": {"lvs_address": "192.0.2.2"}}},
                "real_servers": {"hosts": {"rs1": {"lvs_address": "192.0.2.11"}}},
                "spare": {"hosts": {}},
            },
            "hosts": {"lonely": {"lvs_address": "192.0.2.30"}},
        }
    }


def goes_on(path: Path, *words: str) -> str:
    """What a playbook says that gets as far as the hosts, which are not there."""
    status, text = run(path, [WEB], *words)
    assert status != 0
    assert "nonexistent" in text
    return text


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
    ("services", "beginning"),
    [
        ([{**WEB, "scheduler": "rrr"}], "service web: scheduler: 'rrr' "),
        (
            [{**WEB, "address": "2001:db8::10", "persistence": {"netmask": "255.255.255.0"}}],
            "service web: persistence.netmask: '255.255.255.0'",
        ),
        (
            [{**WEB, "real_servers": [{"host": "rs1", "port": 8080}]}],
            "service web: real_servers[0].port: 8080",
        ),
        ([WEB, WEB], "lvs_virtual_services[1] (web): name: 'web'"),
        ([WEB, {**WEB, "name": "again"}], "service again: "),
        (
            [{**WEB, "real_servers": [{"host": "lonely"}]}],
            "service web: real_servers[0].host: host 'lonely' ",
        ),
        (
            [{**WEB, "real_servers": [{"host": "nowhere"}]}],
            "service web: real_servers[0].host: 'nowhere' ",
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
def test_nothing_is_touched(tmp_path: Path, services: list[dict[str, object]], beginning: str) -> None:
    status, text = run(tmp_path / "inventory.yml", services, "lvs.cluster.site")
    assert status != 0
    assert beginning in text
    assert "Check that the host can be set up" not in text
    assert "UNREACHABLE" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("value", "beginning"),
    [
        ("mon", "service web: health_check.type: 'https' "),
        ("Keepalived", "director_health_checker: 'Keepalived' "),
    ],
)
def test_a_health_checker_that_cannot_do_it(tmp_path: Path, value: str, beginning: str) -> None:
    words = ["lvs.cluster.site", "-e", f"director_health_checker={value}"]
    status, text = run(tmp_path / "inventory.yml", [{**WEB, "health_check": {"type": "https"}}], *words)
    assert status != 0
    assert beginning in text
    assert "Check that the host can be set up" not in text


def test_a_right_description_does_go_on_to_the_hosts(tmp_path: Path) -> None:
    assert "Check that the host can be set up" in goes_on(tmp_path / "inventory.yml", "lvs.cluster.site")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "lvs.cluster.drain",
            "lvs_real_servers: is missing; it takes hosts and groups, as in -e lvs_real_servers=rs1,rs2",
        ),
        (
            "lvs.cluster.drain -e lvs_real_servers=rs1,rs9",
            "lvs_real_servers: 'rs9' is neither a host nor a group; it takes",
        ),
        ("lvs.cluster.undrain --limit rs1", "lvs_real_servers: is missing; it takes"),
        (
            'lvs.cluster.drain -e {"lvs_real_servers":["rs1"]}',
            "lvs_real_servers: ['rs1'] is not a string; it takes",
        ),
        ("lvs.cluster.drain -e lvs_real_servers=spare", "lvs_real_servers: 'spare' is a group without hosts"),
        (
            "lvs.cluster.undrain -e lvs_real_servers=rs1 --limit lb1",
            "lvs_real_servers: 'rs1' names rs1, excluded by --limit",
        ),
        ("lvs.cluster.undrain -e lvs_real_servers=lb1", "host lb1: "),
        ("lvs.cluster.rolling_update", "lvs_update_tasks is missing: it must be the path of a file with tasks"),
        (
            "lvs.cluster.drain -e lvs_real_servers=rs1 -e lvs_minimum_in_service=50%",
            "lvs_minimum_in_service: '50%' is not a number of real servers",
        ),
        (
            "lvs.cluster.drain -e lvs_real_servers=rs1 -e lvs_drain_timeout=5m",
            "lvs_drain_timeout: '5m' is not a number of seconds",
        ),
        (
            "lvs.cluster.drain -e lvs_real_servers=rs1 -e lvs_drain_udp_pause=no",
            "lvs_drain_udp_pause: 'no' is not a number of seconds, 0 or at least 3",
        ),
        (
            "lvs.cluster.undrain -e lvs_real_servers=rs1 -e lvs_return_timeout=2m",
            "lvs_return_timeout: '2m' is not a whole number of seconds",
        ),
        (
            "lvs.cluster.drain -e lvs_real_servers=rs1 -e lvs_drain_expired=no",
            "lvs_drain_expired: 'no' is not fail or force",
        ),
        (
            "lvs.cluster.drain -e lvs_real_servers=rs1 -e lvs_drain_wait_for=[active]",
            "lvs_drain_wait_for: '[active]' is not any of active, inactive and persistent, separated by commas",
        ),
        (
            'lvs.cluster.drain -e lvs_real_servers=rs1 -e {"lvs_draining_directors":[]}',
            "lvs_draining_directors: [] is not a list of directors (lb1), as in -e",
        ),
        (
            "lvs.cluster.rolling_update -e lvs_real_servers=rs1 -e lvs_update_tasks=galaxy.yml -e lvs_update_serial=0",
            "lvs_update_serial: '0' is not a number of real servers from 1, or a percentage",
        ),
        ("lvs.cluster.failover", "A failover requires at least two directors and one VIP. This cluster has 1 and 1"),
    ],
)
def test_an_order_that_cannot_be(tmp_path: Path, words: str, sentence: str) -> None:
    status, text = run(tmp_path / "inventory.yml", [WEB], *words.split())
    assert status != 0
    assert sentence in text
    assert "nonexistent" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "lvs_failover_to: is missing: it must be one of lb1, lb2"),
        ("-e lvs_failover_to=lb3", "lvs_failover_to: 'lb3' is not one of the directors (lb1, lb2)"),
        (
            "-e lvs_failover_to=lb2 --limit lb1",
            "lvs_failover_to: 'lb2' is a director, and --limit excludes it from this run",
        ),
        (
            "-e lvs_failover_to=lb2 -e lvs_failover_groups=blue",
            "lvs_failover_groups: 'blue' is not a VRRP group of this cluster, which has default",
        ),
    ],
)
def test_nobody_to_hand_over_to(tmp_path: Path, words: str, sentence: str) -> None:
    pair = inventory([WEB])
    pair["all"]["children"]["directors"]["hosts"]["lb2"] = {"lvs_address": "192.0.2.3"}
    (tmp_path / "pair.yml").write_text(yaml.safe_dump(pair))
    status, text = run(
        tmp_path / "inventory.yml", [WEB], "-i", str(tmp_path / "pair.yml"), "lvs.cluster.failover", *words.split()
    )
    assert status != 0
    assert sentence in text
    assert "nonexistent" not in text


def test_an_order_that_can_be(tmp_path: Path) -> None:
    values = {
        "lvs_minimum_in_service": 0,
        "lvs_drain_timeout": 1.5,
        "lvs_drain_expired": "force",
        "lvs_update_serial": [1, "50%"],
        "lvs_drain_wait_for": ["active", "inactive"],
        "lvs_drain_udp_pause": 0,
    }
    orders = ["-e", "lvs_real_servers=rs1", "-e", json.dumps(values), "-e", "lvs_return_timeout=9"]
    assert "Drain the real servers on lb1" in goes_on(tmp_path / "inventory.yml", "lvs.cluster.drain", *orders)


@pytest.mark.parametrize(("words", "unreached"), [("", "lb1"), ('-e {"lvs_draining_directors":["lb2"]}', "lb2")])
def test_a_drain_says_which_director_it_cannot_reach(tmp_path: Path, words: str, unreached: str) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho Connection refused >&2\nexit 255\n")  # as ssh does
    ssh.chmod(0o755)
    pair = inventory([WEB])
    pair["all"]["children"]["directors"]["hosts"]["lb2"] = {"lvs_address": "192.0.2.3"}
    pair["all"]["vars"]["ansible_ssh_executable"] = str(ssh)
    (tmp_path / "pair.yml").write_text(yaml.safe_dump(pair))
    order = ["-e", "lvs_real_servers=rs1", "-e", "lvs_minimum_in_service=0", *words.split()]
    status, text = run(tmp_path / "a.yml", [WEB], "-i", str(tmp_path / "pair.yml"), "lvs.cluster.drain", *order)
    assert status != 0
    assert f"Drain failed and was rolled back: {unreached} cannot be reached: " in text
    assert "Connection refused" in text
    assert "set lvs_draining_directors to a list of the other directors" in text
    assert "undefined" not in text
