# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Titles of tasks and plays that tests search for in the output of a run, as Ansible prints them.

``tests/unit/playbooks/test_titles.py`` checks that a role or a playbook has each of them.
"""

PARTS = "Set up the kernel, nftables and the IPVS table"
VIPS = "Configure VIPs, tunnels and return routes"

APPLY_PARTS = f"lvs.cluster.director : {PARTS}"
SELECT_STEPS = "lvs.cluster.director : Select the steps by their tags"
PUBLISH = "lvs.cluster.director : Publish the result"
START_KEEPALIVED = "lvs.cluster.director : Configure and start keepalived"
REAL_SERVER = f"lvs.cluster.real_server : {VIPS}"

CHECK_DIRECTOR = "Check keepalived, the health checker and the IPVS table"
CLEAN_UP = "PLAY [Clean up the real servers]"
VERIFIED = "Report all problems"
