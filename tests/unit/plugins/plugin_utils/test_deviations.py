# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences that modules return, as sentences of the playbook verify."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.deviations import deviations


def changed(*differences: Any) -> dict[str, Any]:
    return {"kernel": {"changed": True, "differences": list(differences), "diff": [{"before": "a"}]}}


@pytest.mark.parametrize(
    ("kind", "name", "found", "wanted", "says"),
    [
        (
            "sysctl",
            "net.ipv4.conf.all.arp_ignore",
            "0",
            "1",
            "net.ipv4.conf.all.arp_ignore is 0, and should be 1",
        ),
        ("sysctl", "net.ipv4.vs.x", "absent", "1", "net.ipv4.vs.x does not exist, and should be 1"),
        ("address", "192.0.2.10/32 dev lo", "absent", "present", "the VIP 192.0.2.10/32 dev lo is absent"),
        (
            "address",
            "192.0.2.10/32 dev lo",
            "present",
            "absent",
            "the address 192.0.2.10/32 dev lo is present, and no service uses it",
        ),
        ("tunnel", "lvs-ipip0", "absent", "type ipip", "the tunnel lvs-ipip0 does not exist"),
        (
            "tunnel",
            "lvs-gre0",
            "type gre down",
            "type gre",
            "the tunnel lvs-gre0 is type gre down, and should be type gre",
        ),
        (
            "routing rule",
            "from 192.0.2.9",
            "present",
            "absent",
            "the routing rule from 192.0.2.9 exists, and is not described",
        ),
        ("kernel module", "fou", "absent", "loaded", "the kernel module fou is not loaded"),
        ("kernel module", "fou", "loaded", "absent", None),
        ("unit", "a.service", "different", "as described", "a.service differs from what the role writes"),
        ("enabled", "a.service", "absent", "enabled", None),
        ("running", "a.service", "absent", "running", None),
        ("running", "a.service", "stopped", "running", "a is not running"),
        ("running", "mon.service", "running", "stopped", "mon is running, and is not used here"),
        ("enabled", "mon.service", "disabled", "enabled", "mon is not enabled, so it does not start at boot"),
        ("configuration", "a.service", "not read", "read", "a has not read its present configuration"),
        ("record", "/var/lib/x.json", "absent", "as described", None),
        ("service", "tcp 192.0.2.10:80", "absent", "keepalived.service", None),
        ("file", "/etc/x", "absent", "as described", "/etc/x does not exist"),
        ("file", "/etc/x", "different", "as described", "/etc/x differs from what the role writes"),
        ("file", "/etc/x", "present", "absent", "/etc/x exists, and is no longer used"),
        ("file", "/etc/lvs-cluster/ipvs.rules", "other weights", "as described", None),
        ("directory", "/var/lib/x", "absent", "present", "the directory /var/lib/x does not exist"),
        ("nftables table", "x", "absent", "as described", "the nftables table inet x does not exist"),
        ("nftables table", "x", "different", "as described", "the nftables table inet x is not as described"),
        ("nftables table", "x", "present", "absent", "the nftables table inet x exists, and no service needs it"),
        (
            "weight",
            "192.0.2.11:80 in web (tcp 192.0.2.10:80)",
            "5",
            "1",
            "the weight of 192.0.2.11:80 in web (tcp 192.0.2.10:80) is 5, and should be 1",
        ),
        (
            "virtual service",
            "web (tcp 192.0.2.10:80)",
            "absent",
            "-s rr",
            "the virtual service web (tcp 192.0.2.10:80) is not in the IPVS table",
        ),
        (
            "real server",
            "192.0.2.11:80 in tcp 192.0.2.10:80",
            "-m -w 1",
            "absent",
            "the real server 192.0.2.11:80 in tcp 192.0.2.10:80 is in the IPVS table, and is not described",
        ),
        (
            "virtual service",
            "tcp 192.0.2.10:80",
            "-s wlc",
            "-s rr",
            "the virtual service tcp 192.0.2.10:80 is -s wlc, and should be -s rr",
        ),
        ("timeout", "tcp", "900", "600", "the timeout tcp is 900, and should be 600"),
        ([], {}, None, None, "the [] {} is None, and should be None"),
    ],
)
def test_a_difference_in_words(kind: Any, name: Any, found: Any, wanted: Any, says: str | None) -> None:
    one = {"kind": kind, "name": name, "is": found, "should": wanted}
    assert deviations("lb1", changed(one, one)) == ([] if says is None else [f"lb1: {says}"])


def test_what_is_as_described_says_nothing() -> None:
    results = {"kernel": {"changed": False}, "table": {"skipped": True, "changed": False}, "vips": None}
    assert deviations("rs1", results) == []


def test_a_change_without_differences_is_named_by_its_part() -> None:
    without: dict[str, Any]
    for without in ({}, {"differences": []}, {"differences": "x"}):
        assert deviations("rs1", {"firewall": {"changed": True, **without}, "other": {"changed": True}}) == [
            "rs1: the rule file for the host's firewall is not as described"
        ]


def test_differences_of_another_form() -> None:
    assert deviations("lb1", changed("x", 5, None)) == []
