# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived's configuration as text: the same for the same cluster however that is written, and sound in its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host.director_state import written_services
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

CASES = Path(__file__).parent / "cases"
LINE = re.compile(r"(    )*(\S.*)?")


def shuffled(draw: st.DrawFn, value: Any, ordered: bool = True) -> Any:
    """The same with keys in another order, and what is no list by its meaning too."""
    if isinstance(value, dict):
        return {key: shuffled(draw, value[key], key != "real_servers") for key in draw(st.permutations(list(value)))}
    if isinstance(value, list):
        return [shuffled(draw, element) for element in (value if ordered else draw(st.permutations(value)))]
    return value


def texts(description: Any, inventory: dict[str, Any]) -> dict[str, Any]:
    cluster = build_cluster(description, inventory["groups"], inventory["hostvars"])
    own = inventory.get("settings", {})
    return {host: support.director(cluster, host, **own)["keepalived"] for host in inventory["groups"]["directors"]}


def load(case: str) -> tuple[Any, dict[str, Any]]:
    own = CASES / case / "inventory.yml"
    inventory = yaml.safe_load((own if own.exists() else CASES / "inventory.yml").read_text())
    return yaml.safe_load((CASES / case / "description.yml").read_text()), inventory


@settings(max_examples=30, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("case", ["health_checks", "health_checks_pair"])
def test_the_order_of_writing_does_not_matter(case: str, data: st.DataObject) -> None:
    description, inventory = load(case)

    @st.composite
    def rewritten(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
        groups = {
            name: hosts if name == "directors" else draw(st.permutations(hosts))
            for name, hosts in inventory["groups"].items()
        }
        return shuffled(draw, description), {**inventory, "groups": groups}

    assert texts(*data.draw(rewritten())) == texts(description, inventory)


def generated() -> Iterator[tuple[str, str]]:
    for expected in sorted(CASES.glob("*/expected.yml")):
        for host, text in texts(*load(expected.parent.name)).items():
            yield f"{expected.parent.name}-{host}", text


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in generated()])
def test_the_form_is_sound(text: str) -> None:
    assert text.endswith("}\n")
    depth = 0
    for line in text.splitlines():
        assert LINE.fullmatch(line), line
        assert len(line) < 1024, "keepalived reads no longer lines"
        depth -= line.strip() == "}"
        assert not line or len(line) - len(line.lstrip()) == 4 * depth, line
        depth += line.endswith(" {")
    assert depth == 0
    scripts = re.findall(r"^vrrp_script (\S+) {$", text, re.MULTILINE)
    tracked = re.findall(r"^ +track_script {\n((?: +[^\s}].*\n)+)", text, re.MULTILINE)
    assert scripts == [line.split()[0] for lines in tracked for line in lines.splitlines()]
    known = re.findall(r"^track_file (\S+) {$", text, re.MULTILINE)
    assert len(known) == len(set(known))
    used = re.findall(r"^ +track_file ([^\s{]+)$", text, re.MULTILINE)
    for lines in re.findall(r"^ +track_file {\n((?: +\S+ weight -?\d+\n)+) +}$", text, re.MULTILINE):
        used += [line.split()[0] for line in lines.splitlines()]
    assert set(used) == set(known)


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("www.example.net", True),
        ("www.example.net:8443", False),
        ("192.0.2.11", False),
        ("[2001:db8::11]", False),
        ("{address}", False),
        ("{name}", True),
        ("{name}:{port}", False),
    ],
)
def test_only_a_name_is_sent_in_tls(host: str, named: bool) -> None:
    service = {
        "name": "web",
        "address": "192.0.2.10",
        "port": 443,
        "real_servers": [{"host": "rs1"}],
        "health_check": {"type": "https", "host": host},
    }
    groups = {"directors": ["lb1"], "real_servers": ["rs1"]}
    hosts = {"lb1": {"lvs_address": "192.0.2.2"}, "rs1": {"lvs_address": "192.0.2.11"}}
    text = support.director(build_cluster([service], groups, hosts))["keepalived"]
    assert "virtualhost" in text
    assert ("enable_sni" in text) == named


def test_a_weight_that_is_drained_becomes_nothing() -> None:
    description, inventory = load("health_checks")
    (text,) = texts(description, inventory).values()
    pairs = re.findall(r"real_server [^{]* {\n +weight (\d+)\n(?:.*\n)*?.*track_file drain_.*\n +weight -(\d+)\n", text)
    assert len(pairs) == text.count("real_server ")
    for weight, drain in pairs:
        assert int(drain) >= 1, "0 would take the real server out"
        assert int(weight) - int(drain) <= 0


def test_one_director_has_nobody_to_synchronise_with() -> None:
    description, inventory = load("dr_minimal")
    cluster = build_cluster(description, inventory["groups"], inventory["hostvars"])
    plain = support.director(cluster, "lb1")
    wanted = support.director(
        cluster, "lb1", director_preempt=False, director_sync_daemon={"id": 5}, director_sync_interface="eth2"
    )
    assert wanted == plain


WATCH: dict[str, Any] = {
    "director_track_interfaces": ["eth2"],
    "director_track_scripts": [{"name": "uplink", "command": "/bin/true", "weight": -20}],
}


def test_one_director_has_nobody_to_hand_over_to() -> None:
    description, inventory = load("dr_minimal")
    cluster = build_cluster(description, inventory["groups"], inventory["hostvars"])
    assert support.director(cluster, "lb1", **WATCH) == support.director(cluster, "lb1")


def test_directors_without_vips_have_nothing_to_hand_over() -> None:
    description, inventory = load("pair_without_preemption")
    marked = {key: value for key, value in description[0].items() if key not in ("address", "port")}
    cluster = build_cluster([{**marked, "fwmark": 5, "family": "ipv4"}], inventory["groups"], inventory["hostvars"])
    assert cluster.vips() == []
    assert support.director(cluster, "lb1", **WATCH) == support.director(cluster, "lb1")


def test_an_instance_watches_where_there_is_no_group() -> None:
    description, inventory = load("pair_without_preemption")
    cluster = build_cluster(description, inventory["groups"], inventory["hostvars"])
    found = support.director(cluster, "lb1", director_sync_daemon=False, director_script_user="watcher", **WATCH)
    assert found["interfaces"] == ["eth1", "eth2"]
    assert found["script_user"] == "watcher"
    text = str(found["keepalived"])
    assert "    script_user watcher\n" in text
    assert text.index("vrrp_script uplink {") < text.index("vrrp_instance lvs_ipv4 {")
    watches = """
    track_interface {
        eth2
    }
    track_script {
        uplink weight -20
    }
"""
    assert watches in text[text.index("vrrp_instance lvs_ipv4 {") :]


def test_another_health_checker_leaves_the_watching_to_keepalived() -> None:
    description, inventory = load("pair_without_preemption")
    cluster = build_cluster(description, inventory["groups"], inventory["hostvars"])
    found = support.director(cluster, "lb1", director_sync_daemon=False, director_health_checker="mon", **WATCH)
    assert found["script_user"] == "keepalived_script"
    assert "    script_user keepalived_script\n" in str(found["keepalived"])


@pytest.mark.parametrize("case", ["health_checks", "health_checks_pair"])
def test_the_services_that_are_written_can_be_read(case: str) -> None:
    description, inventory = load(case)
    expected = build_cluster(description, inventory["groups"], inventory["hostvars"]).owned_elsewhere()
    for text in texts(description, inventory).values():
        assert written_services(text) == expected


def test_the_services_of_other_hands_can_be_read() -> None:
    text = """
virtual_server group web {
\tprotocol UDP
}
virtual_server 192.0.2.10 80
{
\tlb_algo rr
}
  virtual_server 2001:DB8::10 53 {
    protocol  udp
    real_server 2001:db8::11 53 { }
}
virtual_server fwmark 7 {
    lb_algo rr
}
#virtual_server 192.0.2.11 80 {
virtual_server dead.beef 80 {
}
"""
    assert written_services(text) == [
        {"address": "192.0.2.10", "port": 80, "protocol": "tcp"},
        {"address": "2001:db8::10", "port": 53, "protocol": "udp"},
        {"fwmark": 7, "family": "ipv4"},
    ]
