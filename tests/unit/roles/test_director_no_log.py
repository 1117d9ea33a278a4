# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of health checks stay out of what Ansible prints where that is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
TASKS = ROOT / "roles" / "director" / "tasks"
#: In which words tasks carry commands and paths.
CARRY = ("of_director", "director_keepalived_files", "director_model.health_checker.files")
SERVICE = {
    "name": "web",
    "address": "192.0.2.10",
    "port": 80,
    "real_servers": [{"address": "192.0.2.11"}],
    "health_check": {"type": "misc", "command": "/usr/bin/check --password hunter2"},
}


def tasks() -> Iterator[dict[str, Any]]:
    for path in sorted(TASKS.glob("*.yml")):
        for task in yaml.safe_load(path.read_text()):
            yield from task.get("block", [task])


def test_all_that_carry_them_can_be_silent() -> None:
    carrying = [task for task in tasks() if any(words in yaml.safe_dump(task, width=10000) for words in CARRY)]
    assert len(carrying) == len(CARRY)
    for task in carrying:
        assert task["no_log"] == "{{ director_no_log | bool }}", task["name"]
        if "lvs.cluster.service_config" in task:
            assert "not (director_no_log | bool)" in task["diff"], task["name"]


@pytest.mark.parametrize("hidden", [False, True])
def test_the_model_is_printed_unless_that_is_unwanted(hidden: bool, tmp_path: Path) -> None:
    """The host cannot be reached, and nothing more is tried once the model is there."""
    host = {
        "ansible_connection": "ssh",
        "ansible_ssh_executable": "/nonexistent/ssh",
        "lvs_address": "192.0.2.2",
        "lvs_virtual_services": [SERVICE],
        "director_interface": "eth1",
        "director_no_log": hidden,
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"all": {"children": {"directors": {"hosts": {"lb1": host}}}}}))
    play = tmp_path / "play.yml"
    roles = ["lvs.cluster.director"]
    play.write_text(yaml.safe_dump([{"hosts": "directors", "gather_facts": False, "roles": roles}]))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-vvv", "--diff", "-i", str(inventory), str(play)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Install packages" in done.stdout
    assert ("hunter2" in done.stdout + done.stderr) != hidden
