# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel without ip_vs, so far or for good.

Before all other tests (pytest goes by name), while ip_vs can still be unloaded: every change of a service that has a
persistence engine, ipvsadm's too, leaves a reference to the module behind, seen in 6.1 and 6.12.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

TWO = """\
-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
-a -t 192.0.2.10:80 -r 198.51.100.12:80 -g -w 5
"""


def test_what_is_removed_does_not_load_ip_vs(host: Host) -> None:
    host.unload()
    web = {"address": "192.0.2.10", "port": 80}
    for name, arguments in (
        ("ipvs_table", {"services": [], "state": "absent", "persist": True}),
        ("ipvs_table", {"services": [web], "state": "absent"}),
        ("ipvs_service", {**web, "state": "absent"}),
        ("ipvs_real_server", {"service": web, "address": "198.51.100.11", "state": "absent"}),
        ("ipvs_sync_daemon", {"role": ["master", "backup"], "state": "stopped"}),
        ("ipvs_timeout", {"state": "absent"}),
        ("ipvs_counters", {}),
    ):
        assert host.ok(name, **arguments)["changed"] is False, name
        assert not Path("/proc/net/ip_vs").exists(), name


def test_check_mode_does_not_load_ip_vs(host: Host) -> None:
    host.unload()
    result = host.ok("ipvs_table", check=True, rules=TWO)
    assert (result["changed"], result["diff"]["after"]) == (True, TWO)
    assert host.ok("ipvs_info")["loaded"] is False
    assert not Path("/proc/net/ip_vs").exists()
    # Where the kernel could not load it either, check mode says so.
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /lib/modules && exec "$@"', "sh"]
    result = host.process("ipvs_table", hidden, rules=TWO, _ansible_check_mode=True)
    assert result["msg"].startswith(f"the running kernel {os.uname().release} has no IPVS: the module ip_vs is neither")
    assert not Path("/proc/net/ip_vs").exists()
    assert host.ok("ipvs_table", rules=TWO)["changed"]
    assert host.save() == TWO
