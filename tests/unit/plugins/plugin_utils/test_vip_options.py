# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface, prefix length and label of a VIP, beside the golden case."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

WEB = {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"host": "rs1"}]}
SHOP = {**WEB, "name": "shop", "address": "203.0.113.10"}


def built(*services: dict[str, Any], **variables: Any) -> Cluster:
    hosts = {f"lb{number}": {"lvs_address": f"192.0.2.{number}", **variables} for number in (2, 3)}
    hosts["rs1"] = {"lvs_address": "192.0.2.101"}
    return build_cluster(list(services), {"directors": ["lb2", "lb3"], "real_servers": ["rs1"]}, hosts)


def director(*services: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return support.director(built(*services), "lb2", **settings)


@pytest.mark.parametrize("vips", [None, {}, {"192.0.2.10": {}}, {"192.0.2.10": {"interface": "eth1", "prefix": 32}}])
def test_what_is_usual_changes_nothing(vips: object) -> None:
    assert director(WEB, director_vips=vips) == director(WEB)


def test_a_link_of_its_own() -> None:
    found = director(WEB, SHOP, director_vips={"203.0.113.10": {"interface": "eth2"}})
    assert "        203.0.113.10/32 dev eth2\n" in found["keepalived"]
    assert re.findall(r"^    interface (\S+)$", found["keepalived"], re.MULTILINE) == ["eth1"], "VRRP stays where it is"
    assert found["interface_variables"]["eth2"] == "director_vips"


def test_where_a_forged_source_can_be_told() -> None:
    """Real servers behind nat are on the link of the gateway: no packet of theirs comes from another link."""
    nat = {**SHOP, "forward_method": "nat"}
    for vips, gateway, links in (
        ({}, None, None),
        ({"203.0.113.10": {"interface": "eth2"}}, None, '"eth2"'),
        ({"203.0.113.10": {"interface": "eth2"}}, "eth2", '"eth1"'),
        ({"203.0.113.10": {"interface": "eth2"}}, "eth3", '{ "eth1", "eth2" }'),
    ):
        settings = {"director_vips": vips, "director_gateway_interface": gateway, "lvs_nat_gateway": "192.0.2.1"}
        rules = re.findall(r"iifname (\S.*) ip saddr 192.0.2.101 drop", director(nat, **settings)["nftables"])
        assert rules == ([] if links is None else [links])


def test_other_addresses_stay_when_one_leaves() -> None:
    vips = {"192.0.2.10": {"prefix": 24}, "203.0.113.10": {"interface": "eth2.7"}}
    sysctls = director(WEB, SHOP, director_vips=vips)["sysctls"]
    assert {key for key in sysctls if "promote" in key} == {"net.ipv4.conf.eth1.promote_secondaries"}
    own = {"net.ipv4.conf.eth1.promote_secondaries": 0}
    assert director(WEB, SHOP, director_vips=vips, director_sysctls=own)["sysctls"].items() >= own.items()


def test_real_servers_cannot_probe_a_vip_on_another_link() -> None:
    found = built(WEB, SHOP, director_vips={"203.0.113.10": {"interface": "eth2", "prefix": 24}}).as_dict()
    assert found["direct_vips"] == ["192.0.2.10"]
    assert [vip["prefix"] for vip in found["vips"]] == [32, 24]  # type: ignore[attr-defined]
