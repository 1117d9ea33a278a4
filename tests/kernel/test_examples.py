# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the modules' documentation do what they say: checked, applied, and applied again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

# run.py takes them out of the documentation.
EXAMPLES: dict[str, list[dict[str, Any]]] = json.loads(Path(os.environ["LVS_EXAMPLES"]).read_text())
PREFIX = "lvs.cluster."
# These are about the host, not about its table: kernel_host/ has their tests.
MODULES = sorted(EXAMPLES.keys() - {"ipvs_kernel", "ipvs_tunnel"})

BEFORE = """\
-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
-a -t 192.0.2.10:80 -r 198.51.100.12:80 -g -w 1
-a -t 192.0.2.10:80 -r 198.51.100.13:80 -g -w 1
-A -t 192.0.2.20:443 -s wlc
-A -f 21 -s rr
"""
# What the templates in examples stand for.
TEMPLATES = {"{{ lookup('ansible.builtin.file', 'ipvs.rules') }}": "-A -u 192.0.2.30:53 -s rr -o\n"}


@pytest.mark.usefixtures("_nothing_kept")
@pytest.mark.parametrize("name", MODULES)
def test_examples(host: Host, name: str) -> None:
    host.run("ip", "link", "add", "eth1", "type", "bridge")
    host.run("ip", "address", "add", "203.0.113.1/24", "dev", "eth1")
    host.run("ip", "link", "set", "eth1", "up")
    host.restore(BEFORE)
    changes = 0
    for task in EXAMPLES[name]:
        for module in [key for key in task if key.startswith(PREFIX)]:
            short = module[len(PREFIX) :]
            arguments = {option: TEMPLATES.get(str(value), value) for option, value in (task[module] or {}).items()}
            assert "{{" not in str(arguments), f"{task['name']}: a template that this test does not know"
            predicted = host.ok(short, check=True, **arguments)
            result = host.ok(short, **arguments)
            assert (predicted["changed"], predicted.get("diff")) == (result["changed"], result.get("diff")), task[
                "name"
            ]
            assert not host.ok(short, **arguments)["changed"], task["name"]
            changes += result["changed"]
    assert bool(changes) == (name not in ("ipvs_info", "ipvs_counters")), "an example that does nothing shows nothing"
    assert "-A -t 192.0.2.20:443 -s wlc\n" in host.save()
