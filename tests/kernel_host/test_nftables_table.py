# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables_table on a real kernel: one table, whole, and nobody else's; nft itself is the oracle."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models

RULES = """\
chain marks {
    type filter hook prerouting priority mangle; policy accept;
    ip daddr 192.0.2.10 tcp dport { 80, 443 } meta mark set 21
    ip6 daddr 2001:db8::10 udp dport 53 counter meta mark set 0x2a
}
"""
CASES = Path(__file__).parents[1] / "unit/plugins/plugin_utils/cases"
THE_SAME = """\
chain marks { type filter hook prerouting priority -150;
 # said differently
 ip daddr 192.0.2.10 tcp dport {443,http} mark set 0x15; ip6 daddr 2001:db8:0::10 udp dport domain counter mark set 42
}
"""
SERVERS = [{"address": "192.0.2.101"}]
FULLNAT = {"forward_method": "fullnat", "real_servers": [{"address": "192.0.2.101"}]}
FULLNAT6 = {"forward_method": "fullnat", "real_servers": [{"address": "2001:db8::101"}]}
MARKS = [{"address": "192.0.2.10", "ports": [80, 443]}, {"address": "192.0.2.13"}]
RANGES = ["10000-20000", 80, "443-444"]
UDP = {"protocol": "udp", "ports": RANGES}
NETWORKS6 = [{"address": "2001:db8::1:0/120", **UDP}, {"address": "2001:db8::10/124"}]
#: Ranges and networks in all chains.
MARKED = [
    {"name": "tcp", "fwmark": 7, "marks": [{"address": "198.18.0.0/24", "ports": RANGES}], "synproxy": True, **FULLNAT},
    {"name": "udp", "fwmark": 8, "marks": [{"address": "198.18.1.8/29", **UDP}], **FULLNAT},
    {"name": "all", "fwmark": 9, "marks": [{"address": "198.18.1.16/29", "port": "1-65535"}], **FULLNAT},
]
MARKED = [{**service, "family": "ipv4"} for service in MARKED]
MARKED.append({"name": "six", "fwmark": 7, "family": "ipv6", "marks": NETWORKS6, **FULLNAT6})
OTHER = "add table inet other; add chain inet other c; add rule inet other c tcp dport 22 accept"


def listed(lab, table="lvs_cluster"):
    return lab.run("nft", "--stateless", "list", "table", "inet", table)


def tables(lab):
    return lab.run("nft", "list", "tables").split("\n")[:-1]


@pytest.fixture(name="other")
def _other(lab):
    """Somebody else's table, which is to stay as it is."""
    lab.run("nft", OTHER)
    before = listed(lab, "other")
    yield
    assert listed(lab, "other") == before


@pytest.mark.usefixtures("other")
def test_a_table_comes_and_goes_and_nothing_stays(lab):
    before = lab.tree()
    checked = lab.module("nftables_table", rules=RULES, check_mode=True)
    assert checked.changed, checked.message
    assert (tables(lab), lab.tree()) == (["table inet other"], before)
    done = lab.module("nftables_table", rules=RULES)
    assert done.changed, done.message
    assert (checked.before, checked.after) == (done.before, done.after)
    assert "ip daddr 192.0.2.10 tcp dport { 80, 443 } meta mark set 0x00000015" in listed(lab)
    again = lab.module("nftables_table", rules=THE_SAME)
    assert not again.changed, again.diff()
    gone = lab.module("nftables_table", state="absent", check_mode=True)
    assert gone.changed
    assert tables(lab) == ["table inet other", "table inet lvs_cluster"]
    assert lab.module("nftables_table", state="absent").changed
    assert (tables(lab), lab.tree()) == (["table inet other"], before)
    assert not lab.module("nftables_table", state="absent").changed


@pytest.mark.usefixtures("other")
def test_what_is_kept_for_the_boot_brings_the_table_back(lab):
    lab.module("nftables_table", rules=RULES)
    before = listed(lab)
    kept = lab.run("cat", "/etc/systemd/system/lvs-cluster-nftables-lvs_cluster.service")
    start = next(line for line in kept.splitlines() if line.startswith("ExecStart=")).removeprefix("ExecStart=")
    lab.run("nft", "delete table inet lvs_cluster")
    lab.run(*start.split())
    assert listed(lab) == before
    lab.run(*start.split())
    assert listed(lab) == before, "a second time it is neither refused nor doubled"
    assert "enable lvs-cluster-nftables-lvs_cluster.service" in lab.calls()
    assert not lab.module("nftables_table", rules=RULES).changed


def test_what_a_reload_runs_brings_the_table_back(lab):
    before = lab.tree()
    lab.module("nftables_table", rules=RULES)
    table = listed(lab)
    drop_in = "/etc/systemd/system/nftables.service.d/lvs-cluster-lvs_cluster.conf"
    (command,) = [line for line in lab.run("cat", drop_in).splitlines() if line.startswith("ExecReload=")]
    lab.run("nft", "flush ruleset")
    lab.run(*command.removeprefix("ExecReload=-").split())
    assert listed(lab) == table
    lab.run("rm", drop_in)
    calls = len(lab.calls())
    assert lab.module("nftables_table", rules=RULES).changed
    assert lab.calls()[calls:] == ["daemon-reload"]
    lab.module("nftables_table", state="absent")
    assert lab.tree() == before


@pytest.mark.parametrize("rules", ["everything", "marks", "synproxy", "ranges"])
def test_the_rules_of_the_cluster_model_are_good_ones(lab, rules):
    services = [
        {"name": "marked", "fwmark": 21, "family": "ipv4", "marks": MARKS, "real_servers": SERVERS},
        {"name": "proxied", "address": "2001:db8::10", "ports": [80, 443], "synproxy": True, **FULLNAT6},
        {"name": "datagrams", "address": "192.0.2.11", "port": 53, "protocol": "udp", **FULLNAT},
        {"name": "streams", "address": "192.0.2.11", "port": 9, "protocol": "sctp", **FULLNAT},
        {"name": "every", "address": "192.0.2.12", "port": 0, "persistence": {}, **FULLNAT},
    ]
    wanted = {"everything": services, "marks": services[:1], "synproxy": services[1:2], "ranges": MARKED}[rules]
    hosts = {"lb1": {"lvs_address": ["192.0.2.2", "2001:db8::2"]}}
    model = build_cluster(wanted, {"directors": ["lb1"]}, hosts).director("lb1", {"director_interface": "eth0"})
    director = host_models.director(model)
    done = lab.module("nftables_table", rules=director["nftables"])
    assert done.changed, done.message
    assert not lab.module("nftables_table", rules=director["nftables"]).changed
    if rules == "ranges":
        table = listed(lab)
        assert "ip daddr 198.18.1.8/29 udp dport { 80, 443-444, 10000-20000 } meta mark set 0x00000008" in table
        last = "meta l4proto udp ct original ip daddr 198.18.1.8/29 ct original proto-dst 10000-20000 masquerade"
        assert last in table


def golden():
    """Every table that a golden case of the cluster model has, once."""
    found: dict[str, str] = {}
    for expected in sorted(CASES.glob("*/expected.yml")):
        for kind, hosts in yaml.safe_load(expected.read_text()).items():
            for host, given in hosts.items():
                if given["nftables"]:
                    found.setdefault(given["nftables"], f"{expected.parent.name}-{kind}-{host}")
    return [pytest.param(rules, id=name) for rules, name in found.items()]


@pytest.mark.parametrize("rules", golden())
def test_the_golden_rules_are_good_ones(lab, rules):
    done = lab.module("nftables_table", rules=rules, persist=False)
    assert done.changed, done.message
    again = lab.module("nftables_table", rules=rules, persist=False)
    assert again.changed is False, again.message or again.diff()


def test_a_change_by_hand_is_put_right(lab):
    lab.module("nftables_table", rules=RULES)
    before = listed(lab)
    lab.run("nft", "add rule inet lvs_cluster marks tcp dport 25 drop")
    repaired = lab.module("nftables_table", rules=RULES)
    assert [line for line in repaired.diff() if line[0] == "-"] == ["-nftables lvs_cluster: \t\ttcp dport 25 drop"]
    assert listed(lab) == before


def test_counters_go_on_where_nothing_changes(lab):
    lab.module("nftables_table", rules=RULES, persist=False)
    lab.run("nft", "add rule inet lvs_cluster marks counter packets 7000 bytes 700000")
    rules = f"{RULES.rstrip().removesuffix('}')}    counter\n}}\n"
    assert not lab.module("nftables_table", rules=rules, persist=False).changed
    # packets of the host's own may have come by
    assert int(re.findall(r"counter packets (\d+)", lab.run("nft", "list", "table", "inet", "lvs_cluster"))[-1]) >= 7000


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("chain c {\ntcp dport 80 nonsense\n}", "rules: line 2:22-22: Error: syntax error"),
        ("chain c {\njump nowhere\n}", "No such file or directory"),
        ("}\ntable inet other {", "braces"),
        ("chain c {", "braces"),
        ('include "/etc/passwd"', "include"),
        ('chain c { }; include "/etc/passwd"', "include"),
        ('set s { comment "x\n" } } ; table inet z { chain c { comment "z\n"; }', "braces"),
        ("chain c {\nmeta l4proto tcp ct original proto-dst { 80, 443 } accept\n}", "write them in another way"),
        ("chain c {\ntype nat hook forward priority 0\n}", "not supported"),
    ],
)
@pytest.mark.usefixtures("other")
def test_what_nft_refuses_touches_nothing(lab, rules, says):
    lab.module("nftables_table", rules=RULES)
    before = listed(lab), lab.tree()
    for check_mode in (True, False):
        refused = lab.module("nftables_table", rules=rules, check_mode=check_mode)
        assert refused.failed
        assert refused.message.startswith("rules: ")
        assert says in refused.message
        assert (listed(lab), lab.tree()) == before


def test_persistence_needs_systemd_and_can_be_done_without(lab):
    before = lab.tree()
    assert "set persist to false" in lab.module("nftables_table", rules=RULES, systemd=False).message
    assert lab.module("nftables_table", rules=RULES, systemd=False, persist=False).changed
    assert lab.tree() == before
    assert "udp dport 53" in listed(lab)
    assert lab.module("nftables_table", rules=RULES).changed
    assert lab.module("nftables_table", rules=RULES, persist=False).changed
    assert lab.tree() == before
    assert "udp dport 53" in listed(lab)


def guarded(*vips, more=""):
    elements = f"elements = {{ {', '.join(vips)} }}" if vips else ""
    clamps = "\n".join(f"ip saddr {vip} tcp flags syn tcp option maxseg size set 1400" for vip in vips)
    return f"""
set directors {{ type ipv4_addr; elements = {{ 192.0.2.2, 192.0.2.3 }}; }}
set vips {{ type ipv4_addr; {elements} }}
chain outer {{
    type filter hook input priority filter; policy accept;
    ip saddr != @directors meta l4proto 47 drop
    {more}
}}
chain inner {{
    type filter hook prerouting priority raw; policy accept;
    iifname "lvs-*" ip daddr != @vips drop
}}
chain sizes {{
    type filter hook output priority mangle; policy accept;
    {clamps}
}}
"""


def test_without_purge_the_table_lets_pass_what_either_does(lab):
    many = [f"192.0.2.{number}" for number in range(10, 40)]  # nft lists them on several lines
    assert lab.module("nftables_table", rules=guarded(*many)).changed
    now = guarded("192.0.2.50", more="ip saddr != @directors meta l4proto 4 drop\n ip saddr 192.0.2.66 drop")
    checked = lab.module("nftables_table", rules=now, purge=False, check_mode=True)
    done = lab.module("nftables_table", rules=now, purge=False)
    assert done.changed, done.message
    assert (checked.before, checked.after) == (done.before, done.after)
    text = listed(lab)
    for vip in (*many, "192.0.2.50"):
        assert re.search(rf"\b{re.escape(vip)}\b[^}}]*}}", text)
        assert f"ip saddr {vip} tcp flags" in text
    assert len(re.findall(r"saddr != @directors .* drop", text)) == 2
    assert "192.0.2.66" not in text, "it is in one table, and names no set"
    assert done.raw["leftovers"] == ["swap in the nftables table inet lvs_cluster"]
    assert not lab.module("nftables_table", rules=now, purge=False).changed
    assert lab.module("nftables_table", rules=now).changed
    again = lab.module("nftables_table", rules=now, purge=False)
    assert (again.changed, again.raw["leftovers"]) == (False, [])
    assert "192.0.2.10" not in listed(lab)
    kept = lab.module("nftables_table", state="absent", purge=False)
    assert not kept.changed
    assert kept.raw["leftovers"] == ["remove the nftables table inet lvs_cluster"]


def test_an_empty_set_drops_everything_that_it_is_to(lab):
    assert lab.module("nftables_table", rules=guarded()).changed
    assert "ip daddr != @vips drop" in listed(lab)
    again = lab.module("nftables_table", rules=guarded())
    assert not again.changed, again.diff()
