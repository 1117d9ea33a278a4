# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences of tables, timeouts, sync daemons and kept files."""

from __future__ import annotations

from hypothesis import given

from ansible_collections.lvs.cluster.plugins.module_utils._host.difference import Difference
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import differences, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.converge import Outcome
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import Table
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.persist import (
    RULES_FILE,
    UNIT,
    FileChange,
    Kept,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.plan import PURGE_ALL, Scope, plan
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.timeouts import Timeouts

from .support import tables

BEFORE = """\
-A -t 192.0.2.10:80 -s wlc
-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
-a -t 192.0.2.10:80 -r 198.51.100.12:80 -g -w 1
-a -t 192.0.2.10:80 -r 198.51.100.13:80 -g -w 1
-A -f 7 -6 -s rr
"""
AFTER = """\
-A -t 192.0.2.10:80 -s rr -p 60
-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 5
-a -t 192.0.2.10:80 -r 198.51.100.12:80 -m -w 2
-a -t 192.0.2.10:80 -r 198.51.100.14:80 -g -w 1
-A -u [2001:db8::10]:53 -s sh
"""


def table(text: str) -> Table:
    return plan({}, rules.parse(text)).predicted


def test_a_table() -> None:
    patches = [patch._replace(name="web") for patch in rules.parse(AFTER)]
    outcome = Outcome(plan(table(BEFORE), patches, Scope(PURGE_ALL)), patches)
    web = "web (tcp 192.0.2.10:80)"
    assert [tuple(one.as_dict().values()) for one in differences.of_table(outcome)] == [
        ("virtual service", web, "-s wlc", "-s rr -p 60"),
        ("weight", f"198.51.100.11:80 in {web}", "1", "5"),
        ("real server", f"198.51.100.12:80 in {web}", "-g -w 1", "-m -w 2"),
        ("real server", f"198.51.100.13:80 in {web}", "-g -w 1", "absent"),
        ("real server", f"198.51.100.14:80 in {web}", "absent", "-g -w 1"),
        ("virtual service", "web (udp [2001:db8::10]:53)", "absent", "-s sh"),
        ("virtual service", "fwmark 7 ipv6", "-s rr", "absent"),
    ]


@given(tables(), tables())
def test_there_are_differences_where_the_diff_differs(before: Table, after: Table) -> None:
    patches = rules.parse(rules.render(after))
    outcome = Outcome(plan(before, patches, Scope(PURGE_ALL)), patches)
    assert bool(differences.of_table(outcome)) == (outcome.before != outcome.after) == outcome.changed


def test_timeouts_and_daemons() -> None:
    assert differences.of_timeouts(Timeouts(900, 120, 300), Timeouts(900, 60, 300)) == (
        Difference("timeout", "tcp_fin", "120", "60"),
    )
    assert differences.of_daemons({}, {}, ["master"]) == ()


def test_kept_files() -> None:
    weights = FileChange(RULES_FILE, b"-a -t 192.0.2.10:80 -r 192.0.2.1:80 -g -w 1\n", b"")
    for after, found in (
        (b"-a -t 192.0.2.10:80 -r 192.0.2.1:80 -g -w 0\n", "other weights"),
        (b"-a -t 192.0.2.10:80 -r 192.0.2.1:80 -m -w 1\n", "different"),
    ):
        kept = Kept([weights._replace(after=after)], None)
        assert differences.of_files(kept) == [Difference("file", RULES_FILE, found, "as described")]
    assert differences.of_files(Kept([FileChange("/x", None, b"a"), FileChange("/y", b"a", None)], True)) == [
        Difference("file", "/x", "absent", "as described"),
        Difference("file", "/y", "present", "absent"),
        Difference("enabled", UNIT, "disabled", "enabled"),
    ]


def test_drains() -> None:
    assert differences.of_drains(["192.0.2.1"], drained=True) == [
        Difference("drain", "192.0.2.1", "in service", "drained")
    ]
