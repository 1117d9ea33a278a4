# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What directors and real servers drop, as text; tests/kernel_host/test_guards.py sends packets through it."""

from __future__ import annotations

from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils.cluster import Cluster, build_cluster

HOSTVARS: dict[str, Any] = {
    "lb1": {"lvs_address": ["192.0.2.2", "2001:db8::2"]},
    "lb2": {"lvs_address": ["192.0.2.3", "2001:db8::3"]},
    "lb3": {"lvs_address": ["192.0.2.4", "2001:db8::4"]},
    "rs1": {"lvs_address": ["198.51.100.11", "2001:db8:1::11"]},
    "rs2": {"lvs_address": ["198.51.100.12", "2001:db8:1::12"]},
}


def service(**changes: Any) -> dict[str, Any]:
    return {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "real_servers"}], **changes}


def build(*services: dict[str, Any], directors: int = 2, **variables: dict[str, Any]) -> Cluster:
    """A cluster of so many directors; ``variables`` are further ones of hosts."""
    hosts = {host: {**values, **variables.get(host, {})} for host, values in HOSTVARS.items()}
    groups = {"directors": ["lb1", "lb2", "lb3"][:directors], "real_servers": ["rs1", "rs2"]}
    return build_cluster(list(services), groups, hosts)


def chain(rules: object, name: str) -> list[str]:
    """The rules of a chain, without its hook; nothing where there is no such chain."""
    lines = str(rules).splitlines()
    if f"chain {name} {{" not in lines:
        return []
    start = lines.index(f"chain {name} {{")
    return [line.strip() for line in lines[start + 2 : lines.index("}", start)]]


def test_vrrp_is_from_peers_over_no_more_routers_than_given() -> None:
    found = build(service(), directors=3).director("lb1", "eth0", vrrp_hops="2", virtual_router_id=7)
    assert chain(found["nftables"], "vrrp_guard") == [
        "meta l4proto 112 @th,8,8 7 ip saddr != { 192.0.2.3, 192.0.2.4 } drop",
        "meta l4proto 112 @th,8,8 7 ip ttl < 253 drop",
    ]
    text = str(found["keepalived"])
    assert "    vrrp_check_unicast_src\n" in text
    # IPv4 adverts have it anyway, those of IPv6 do not
    assert "    unicast_ttl 255\n" in text
    assert "        192.0.2.3 min_ttl 253 max_ttl 255\n        192.0.2.4 min_ttl 253 max_ttl 255\n" in text


def test_a_single_director_accepts_no_vrrp_of_its_router() -> None:
    found = build(service(), directors=1).director("lb1", "eth0")
    assert chain(found["nftables"], "vrrp_guard") == ["meta l4proto 112 @th,8,8 51 meta nfproto ipv4 drop"]
    assert "unicast" not in str(found["keepalived"]).replace("vrrp_check_unicast_src", "")


def test_without_vips_there_is_no_vrrp() -> None:
    marked = {"name": "marked", "fwmark": 5, "family": "ipv4", "real_servers": [{"host": "rs1"}]}
    assert build(marked).director("lb1", "eth0")["nftables"] == ""
