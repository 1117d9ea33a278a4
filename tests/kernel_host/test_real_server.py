# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""real_server on a real kernel: what the modules do that it stands for, together."""

from __future__ import annotations

import pytest

VIP, OTHER = "10.9.1.10", "10.9.1.20"
RULES = "chain input {\n  type filter hook input priority 0;\n  tcp dport 7 drop\n}\n"
ROUTES = {"gateways": ["10.9.0.254"], "services": [{"address": "10.9.0.1", "protocol": "tcp", "port": 8080}]}
PARTS = ["vips", "tunnels", "nftables", "return_route"]


def now(lab):
    return (
        lab.ip(lab.host, "-4", "address", "show", "dev", "lo"),
        lab.ip(lab.host, "-4", "rule", "show"),
        lab.run("nft", "list", "ruleset"),
        str(lab.sysctl("net/ipv4/conf/all/arp_ignore")),
        lab.tree(),
    )


def changed(result):
    return [name for name in PARTS if result.raw["parts"][name]["changed"]]


def test_all_of_it_comes_stays_and_goes(lab):
    before = now(lab)
    wanted = {"vips": [VIP], "rules": RULES, "return_route": ROUTES}
    checked = lab.module("real_server", check_mode=True, **wanted)
    assert changed(checked) == ["vips", "nftables", "return_route"], checked.message
    assert now(lab) == before
    done = lab.module("real_server", **wanted)
    assert changed(done) == changed(checked)
    assert [part["after"] for part in done.raw["diff"]] == [part["after"] for part in checked.raw["diff"]]
    address, rule, ruleset, silence, _tree = now(lab)
    assert f"{VIP}/32" in address
    assert "from 10.9.0.1 ipproto tcp sport 8080 lookup 5151" in rule
    assert "table inet lvs_real_server" in ruleset
    assert silence == "1"
    again = lab.module("real_server", **wanted)
    assert not again.changed
    assert changed(again) == []
    # what the single modules would do is nothing
    assert not lab.module("arp_silence", vips=[VIP]).changed
    assert not lab.module("return_route", **ROUTES).changed
    assert lab.module("real_server", state="absent").changed
    assert now(lab) == before
    assert not lab.module("real_server", state="absent").changed


def test_without_purge_it_only_adds_and_tells_what_is_left(lab):
    assert lab.module("real_server", vips=[OTHER], return_route=ROUTES).changed
    done = lab.module("real_server", vips=[VIP], purge=False)
    assert changed(done) == ["vips"]
    assert any(OTHER in line for line in done.raw["leftovers"])
    assert any("sport 8080" in line for line in done.raw["leftovers"])
    assert {f"{one}/32" for one in (VIP, OTHER)} <= set(lab.ip(lab.host, "address", "show", "dev", "lo").split())
    assert lab.module("real_server", vips=[VIP]).changed
    left = now(lab)
    assert OTHER not in left[0]
    assert "5151" not in left[1]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"return_route": {"gateways": ["here"]}}, "gateways: 'here'"),
        ({"tunnels": [{"address": "10.9.0.1", "type": "gue"}]}, "port"),
        ({"vips": [VIP, "x"]}, "vips: 'x'"),
    ],
)
def test_all_options_are_read_before_anything_is_changed(lab, wrong, sentence):
    before = now(lab)
    done = lab.module("real_server", **{"vips": [VIP], "rules": RULES, **wrong})
    assert done.failed
    assert sentence in done.message
    assert now(lab) == before


def test_a_part_that_fails_says_why_and_those_before_it_stay(lab):
    done = lab.module("real_server", vips=[VIP], rules="no rules at all")
    assert done.failed
    assert done.message.startswith("rules: "), done.message
    assert done.changed
    assert list(done.raw["parts"]) == ["vips", "tunnels"]
    assert f"{VIP}/32" in lab.ip(lab.host, "address", "show", "dev", "lo")
    assert "lvs_real_server" not in now(lab)[2]
    assert lab.module("real_server", vips=[VIP], rules=RULES).changed
