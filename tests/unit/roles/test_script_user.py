# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which users the role director lets run the commands of health checks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TASKS = Path(__file__).parents[3] / "roles" / "director" / "tasks" / "script_user.yml"


@pytest.mark.parametrize(("uid", "status"), [(0, 2), (997, 0), (None, 0), ("0 or what a host says", 2)])
def test_root_by_another_name(uid: int | str | None, status: int, tmp_path: Path) -> None:
    (task,) = [task for task in yaml.safe_load(TASKS.read_text()) if "ansible.builtin.assert" in task]
    given = {
        "director_host_state": {"user_ids": {} if uid is None else {"toor": uid}},
        "director_model": {"script_user": "toor"},
    }
    play = {"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": [task]}
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]))
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        "localhost,",
        "-c",
        "local",
        str(playbook),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    message = "director_script_user: toor has the user id 0 on this host, so it is root. Set another user"
    assert (message in done.stdout) == (status != 0)
