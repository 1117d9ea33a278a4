# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the role director has keepalived check its configuration, with a stand-in for keepalived."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

VARIABLES = Path(__file__).parents[3] / "roles" / "director" / "vars" / "main.yml"
CONFIGURATION = """\
global_defs {
    router_id lb1
    script_user keepalived_script
}
"""


@pytest.mark.parametrize("status", [0, 5])
@pytest.mark.parametrize(
    ("variable", "shown"),
    [
        ("director_validation", CONFIGURATION),
        ("director_validation_as_root", CONFIGURATION.replace("keepalived_script", "root")),
    ],
)
def test_what_keepalived_is_shown(variable: str, shown: str, status: int, tmp_path: Path) -> None:
    stand_in = tmp_path / "bin" / "keepalived"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\n[ "$1" = --config-test ] && cat "${{2#--use-file=}}"\nexit {status}\n')
    stand_in.chmod(0o755)
    written = tmp_path / "files" / "source"
    written.parent.mkdir()
    written.write_text(CONFIGURATION)
    command = shlex.split(yaml.safe_load(VARIABLES.read_text())[variable] % written)  # as ansible.builtin.copy does
    environment = {**os.environ, "PATH": f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, shown, "")
    assert list(written.parent.iterdir()) == [written], "nothing is left behind"
    assert written.read_text() == CONFIGURATION
