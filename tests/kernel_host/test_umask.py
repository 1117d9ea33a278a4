# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules write has the same modes on hardened hosts, whose umask lets nobody else read."""

from __future__ import annotations

import pytest

WRITERS = [
    ("arp_silence", {"vips": ["192.0.2.10", "2001:db8::10"]}),
    ("ipvs_kernel", {"modules": [], "conn_tab_bits": 14, "sysctls": {"net.ipv4.ip_forward": 1}}),
    ("nftables_table", {"rules": "chain marks { }"}),
    ("return_route", {"gateways": ["10.9.0.254"], "services": [{"address": "10.9.0.1"}]}),
]


@pytest.mark.parametrize("umask", ["027", "077"])
@pytest.mark.parametrize(("name", "arguments"), WRITERS, ids=[name for name, _arguments in WRITERS])
def test_modes_do_not_depend_on_the_umask(lab, name, arguments, umask):
    result = lab.module(name, prepare=f"umask {umask}", **arguments)
    assert result.changed, result.message
    found = lab.modes()
    assert set(found.values()) == {"drwxr-xr-x", "-rw-r--r--", "-rw-------"}
    assert {path.rpartition(".")[2] for path, mode in found.items() if mode == "-rw-------"} == {"json"}, "the record"
