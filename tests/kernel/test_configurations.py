# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived's own check of what is written for it, in each version that Debian has."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

CONFIGURATIONS: dict[str, str] = json.loads(Path(os.environ["LVS_CONFIGURATIONS"]).read_text())


def test_keepalived_accepts_each_golden_configuration(tmp_path: Path) -> None:
    assert len(CONFIGURATIONS) >= 30
    path = tmp_path / "keepalived.conf"
    said = {}
    for case, text in CONFIGURATIONS.items():
        # a name that cannot be resolved and a tracked script that is missing are errors by themselves
        text = re.sub(r"smtp_server [a-z.]+", "smtp_server 192.0.2.25", text)
        # so is a tracked file in a directory that does not exist, for 2.3.3
        for tracked in re.findall(r"^\s+file (/\S+)$", text, re.MULTILINE):
            Path(tracked).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(re.sub(r'\bscript "/[^"]*"', 'script "/usr/bin/true"', text))
        done = subprocess.run(
            ["keepalived", "--config-test", f"--use-file={path}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            said[case] = (done.returncode, done.stdout + done.stderr)
    assert said == {}
