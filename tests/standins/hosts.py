# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that do not exist: playbooks run against them, and each of their modules answers what a test says.

A directory has a file `answers.json` (host or "all" -> module -> answer) and a directory for each host with a program
`python3`, its interpreter. What they were told is in `told.jsonl`. The key "seconds" of `answers.json` is the time that
each module takes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = Path(__file__).with_name("interpreter.py")

#: What modules answer on hosts that are as described.
AS_DESCRIBED: dict[str, dict[str, Any]] = {
    "arp_probe": {
        "interface": "eth1",
        "hardware_addresses": ["02:00:00:00:00:01"],
        "holds": [],
        "answers": {},
        "arp_ignore": {"all": 1, "eth1": 1},
    },
    "find": {"files": [], "matched": 0, "examined": 0},
    "host_check": {
        "kernel_release": "6.1",
        "held": [],
        "joining": False,
        "missing_packages": [],
        "director": {"configured": True, "joins": False, "joining": False, "drained": []},
        "director_files": {"units": [], "keepalived": "role"},
        "user_ids": {"keepalived_script": 999},
    },
    "director": {"parts": {"kernel": {}, "leaving": {}, "nftables": {}, "table": {"drained": []}, "timeouts": {}}},
    "stat": {"stat": {"exists": False}},
    "systemd_service": {"status": {"ActiveState": "active"}},
    "real_server": {"parts": {name: {} for name in ("vips", "tunnels", "nftables", "return_route")}},
    "service_config": {"running": True, "action": "", "differences": []},
    "setup": {"ansible_facts": {"ansible_pkg_mgr": "apt", "ansible_os_family": "Debian"}},
}


def write_interpreters(place: Path, hosts: Iterable[str]) -> None:
    """Write the interpreter of each host; `python3` in the directory of its name."""
    text = f"#!{sys.executable} -IS\n" + INTERPRETER.read_text()
    for host in hosts:
        program = place / host / "python3"
        program.parent.mkdir()
        program.write_text(text)
        program.chmod(0o755)


def collection_without_modules(place: Path) -> Path:
    """Return a path for collections that has this one, with modules that do nothing.

    No module runs here. ansible-core packs each of them for every run, with all that it imports, which takes a fifth of
    the time.
    """
    collection = place / "ansible_collections" / "lvs" / "cluster"
    modules = collection / "plugins" / "modules"
    modules.mkdir(parents=True)
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "plugins":
            (collection / entry.name).symlink_to(entry)
    for entry in (ROOT / "plugins").iterdir():
        if entry.name != "modules":
            (collection / "plugins" / entry.name).symlink_to(entry)
    for module in (ROOT / "plugins" / "modules").glob("*.py"):
        # ansible-core replaces these words with the arguments, and packs nothing.
        (modules / module.name).write_text(
            '#!/usr/bin/python\n{"ANSIBLE_MODULE_ARGS": <<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>}\n'
        )
    return place


def environment(place: Path, collections: Path) -> dict[str, str]:
    """Return the environment of ansible-playbook: the defaults of ansible-core, whatever the user's own are."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(place / "home"),
        "ANSIBLE_LOCAL_TEMP": str(place / "local"),
        "ANSIBLE_REMOTE_TEMP": str(place / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "COLUMNS": "500",
        "HOME": str(place),
    }
