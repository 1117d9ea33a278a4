# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What directors and real servers drop, as text; tests/kernel_host/test_guards.py sends packets through it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import Expected, check_all, expected

HOSTVARS: dict[str, Any] = {
    "lb1": {"lvs_address": ["192.0.2.2", "2001:db8::2"]},
    "lb2": {"lvs_address": ["192.0.2.3", "2001:db8::3"]},
    "lb3": {"lvs_address": ["192.0.2.4", "2001:db8::4"]},
    "rs1": {"lvs_address": ["198.51.100.11", "2001:db8:1::11"]},
    "rs2": {"lvs_address": ["198.51.100.12", "2001:db8:1::12"]},
}

ETH0: dict[str, object] = {"director_interface": "eth0"}


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
    found = support.director(
        build(service(), directors=3),
        "lb1",
        **ETH0,
        director_vrrp_hops="2",
        director_virtual_router_id=7,
    )
    assert chain(found["nftables"], "vrrp_guard") == [
        "meta l4proto 112 @th,8,8 7 ip saddr != { 192.0.2.3, 192.0.2.4 } drop",
        "meta l4proto 112 @th,8,8 7 ip ttl < 253 drop",
    ]
    text = str(found["keepalived"])
    assert "    vrrp_check_unicast_src\n" in text
    # IPv4 adverts have it anyway, those of IPv6 do not
    assert "    unicast_ttl 255\n" in text
    assert "        192.0.2.3 min_ttl 253 max_ttl 255 # lb2\n        192.0.2.4 min_ttl 253 max_ttl 255 # lb3\n" in text


def test_a_single_director_accepts_no_vrrp_of_its_router() -> None:
    found = support.director(build(service(), directors=1), "lb1", **ETH0)
    assert chain(found["nftables"], "vrrp_guard") == ["meta l4proto 112 @th,8,8 51 meta nfproto ipv4 drop"]
    assert "unicast" not in str(found["keepalived"]).replace("vrrp_check_unicast_src", "")


def test_without_vips_there_is_no_vrrp() -> None:
    marked = {"name": "marked", "fwmark": 5, "family": "ipv4", "real_servers": [{"host": "rs1"}]}
    assert support.director(build(marked), "lb1", **ETH0)["nftables"] == ""


def nat(**changes: Any) -> dict[str, Any]:
    return service(forward_method="nat", **changes)


ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept"
ERRORS6 = "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept"


def transit(*services: dict[str, Any], variables: dict[str, Any] | None = None, **settings: Any) -> list[str]:
    cluster = build(*services, directors=1, **(variables or {}))
    return chain(support.director(cluster, "lb1", **ETH0, **settings)["nftables"], "no_transit")


def test_what_belongs_to_no_service_is_not_forwarded() -> None:
    assert transit(nat()) == ["ip saddr { 198.51.100.11, 198.51.100.12 } accept", ERRORS, "meta nfproto ipv4 drop"]
    six = nat(name="six", address="2001:db8::10")
    assert transit(nat(), six)[3:] == [
        "ip6 saddr { 2001:db8:1::11, 2001:db8:1::12 } accept",
        ERRORS6,
        "meta nfproto ipv6 drop",
    ]
    assert transit(service()) == transit(service(forward_method="tun")) == [], "nothing is forwarded for it"
    assert transit(nat(), director_transit=True) == []
    assert transit(nat(), director_transit="no") == transit(nat())


def test_real_servers_are_on_the_link_of_the_gateway() -> None:
    fullnat = nat(name="full", port=81, real_servers=[{"host": "rs2"}]) | {"forward_method": "fullnat"}
    behind = nat(real_servers=[{"host": "rs1"}])
    assert transit(behind, fullnat, director_gateway_interface="eth1") == [
        'iifname "eth0" ip saddr 198.51.100.11 drop',
        "ip saddr { 198.51.100.11, 198.51.100.12 } accept",
        ERRORS,
        "meta nfproto ipv4 drop",
    ]
    assert transit(fullnat, director_gateway_interface="eth1")[0] == "ip saddr 198.51.100.12 accept"


def test_replies_of_a_sorry_server_are_forwarded_too() -> None:
    sorry = {"address": "198.51.100.99", "port": 8081}
    wanted = nat(real_servers=[{"host": "rs1"}], health_check={"type": "tcp"}, sorry_server=sorry)
    assert transit(wanted)[0] == "ip saddr { 198.51.100.11, 198.51.100.99 } accept"
    found = support.director(build(wanted, directors=1), "lb1", **ETH0)["openings"]
    assert found == {
        "input": ["ip daddr 192.0.2.10 tcp dport 80 accept"],
        "forward": ["ip saddr 198.51.100.11 tcp sport 80 accept", "ip saddr 198.51.100.99 tcp sport 8081 accept"],
    }


def test_connections_are_tracked_for_who_sends_everything_through_the_directors() -> None:
    everything = {"rs2": {"real_server_return_traffic": "all"}}
    assert transit(nat(), variables=everything)[0] == "ip daddr 198.51.100.12 ct state established,related accept"
    assert not any(" ct " in rule for rule in transit(nat(real_servers=[{"host": "rs1"}]), variables=everything))
    unreadable = {"rs2": {"real_server_return_traffic": LookupError("no facts")}}
    with pytest.raises(ModelError) as caught:
        transit(nat(), variables=unreadable)
    check_all(
        caught.value.problems, expected(Code.UNREADABLE, "", "", "", "real_server_return_traffic of host rs2: no facts")
    )


def test_a_host_that_forwards_anyway_has_to_say_what() -> None:
    forwards = {"net.ipv4.ip_forward": 1}
    with pytest.raises(ModelError) as caught:
        transit(nat(), director_sysctls=forwards)
    says = ("director_sysctls", "net.ipv4.ip_forward", "true", "false")
    check_all(caught.value.problems, expected(Code.MISSING, "director_transit", "", "", *says))
    assert transit(nat(), director_sysctls=forwards, director_transit=False) == transit(nat())
    others = {"net.ipv4.ip_forward": 0, "net.ipv6.conf.all.forwarding": 1}
    assert transit(nat(), director_sysctls=others) == transit(nat())
    assert transit(service(), director_sysctls=forwards) == []
    cluster = build(nat(), directors=1)
    assert support.director(cluster, "lb1", **ETH0)["undecided_forwarding"] == ["ipv4"]
    assert support.director(cluster, "lb1", **ETH0, director_transit=False)["undecided_forwarding"] == []


def sync(directors: int = 3, **settings: Any) -> tuple[list[str], object]:
    found = support.director(build(service(), directors=directors), "lb1", **ETH0, **settings)
    return chain(found["nftables"], "sync_guard"), found["sync_source"]


def test_synchronisation_is_from_the_other_directors() -> None:
    ours = "ip daddr 224.0.0.81 udp dport 8848"
    elsewhere = f'{ours} iifname != "eth0" drop'
    assert sync() == (
        [elsewhere, f"{ours} ip saddr != {{ 192.0.2.3, 192.0.2.4 }} drop"],
        {"interface": "eth0", "from": ["192.0.2.2"]},
    )
    given = ["198.51.100.2", "198.51.100.3"]
    assert sync(director_sync_senders=given) == (
        [elsewhere, f"{ours} ip saddr != {{ 198.51.100.2, 198.51.100.3 }} drop"],
        {"interface": "eth0", "from": given},
    )
    # on another link the inventory does not know who has which address
    assert sync(director_sync_interface="eth1") == ([f'{ours} iifname != "eth1" drop'], {})
    assert sync(director_sync_interface="eth1", director_sync_senders=given)[1] == {"interface": "eth1", "from": given}
    assert sync(director_sync_daemon=False) == sync(directors=1) == ([], {})


def test_synchronisation_over_ipv6_and_more_ports() -> None:
    group = {"group": "ff02::81", "port": 9000}
    ports = {"net.ipv4.vs.sync_ports": 4}
    assert sync(director_sync_daemon=group) == (['ip6 daddr ff02::81 udp dport 9000 iifname != "eth0" drop'], {})
    assert sync(director_sync_daemon=group, director_sync_senders="fe80::2", director_sysctls=ports) == (
        [
            'ip6 daddr ff02::81 udp dport 9000-9003 iifname != "eth0" drop',
            "ip6 daddr ff02::81 udp dport 9000-9003 ip6 saddr != fe80::2 drop",
        ],
        {},
    )


def test_an_address_that_the_inventory_lacks_is_not_guessed() -> None:
    six = {"lvs_address": "2001:db8::3"}
    web = service(address="2001:db8::10")
    found = support.director(build(web, lb2=six), "lb1", **ETH0)
    assert chain(found["nftables"], "sync_guard") == ['ip daddr 224.0.0.81 udp dport 8848 iifname != "eth0" drop']
    assert found["sync_source"] == {}


def tun(**changes: Any) -> dict[str, Any]:
    return service(forward_method="tun", **changes)


def tunnels(
    *services: dict[str, Any], variables: dict[str, Any] | None = None, **settings: Any
) -> tuple[list[str], list[str]]:
    """The rules for the packets that come to rs1, and those for what comes out of them, with the sets written out."""
    rules = str(support.real_server(build(*services, **(variables or {})), "rs1", **settings)["nftables"])
    for name, elements in re.findall(r"set (\w+) \{\n +type \w+\n(?: +elements = (\{.*\})\n)?\}", rules):
        rules = rules.replace(f"@{name}", elements or "{ }")
    return chain(rules, "tunnel_senders"), chain(rules, "tunnel_content")


def test_tunnels_are_from_directors_and_for_vips() -> None:
    strange = "ip daddr 198.51.100.11 ip saddr != { 192.0.2.2, 192.0.2.3 }"
    inner = ['iifname "lvs-*" ip daddr != { 192.0.2.10 } drop', 'iifname "lvs-*" ip6 daddr != { } drop']
    assert tunnels(tun()) == ([f"{strange} meta l4proto 4 drop"], inner)
    gue = tun(name="gue", port=81, tunnel={"type": "gue", "port": 6080})
    other = tun(name="other", address="192.0.2.9", tunnel={"type": "gre"}, real_servers=[{"host": "rs1"}])
    assert tunnels(gue, other) == (
        [f"{strange} meta l4proto {{ 4, 47 }} drop", f"{strange} udp dport 6080 drop"],
        ['iifname "lvs-*" ip daddr != { 192.0.2.9, 192.0.2.10 } drop', inner[1]],
    )
    assert tunnels(tun(real_servers=[{"host": "rs2"}])) == tunnels(service()) == ([], [])
    assert tunnels(tun(), real_server_tunnel_guard="no") == ([], [])


def test_a_tunnel_of_the_other_family() -> None:
    outside = {"rs1": {"lvs_address": "2001:db8:1::11"}, "lb2": {"lvs_tunnel_sources": ["2001:db8:2::3", "192.0.2.9"]}}
    assert tunnels(tun(real_servers=[{"host": "rs1"}]), variables=outside)[0] == [
        "ip6 daddr 2001:db8:1::11 ip6 saddr != { 2001:db8::2, 2001:db8::3, 2001:db8:2::3 } meta l4proto 4 drop"
    ]


def test_marks_of_others_leave_the_destination_open() -> None:
    marked = {
        "name": "marked",
        "fwmark": 5,
        "family": "ipv4",
        "forward_method": "tun",
        "real_servers": [{"host": "rs1"}],
    }
    assert tunnels(marked)[1] == ['iifname "lvs-*" ip6 daddr != { } drop']


def test_directors_say_where_tunnels_come_from() -> None:
    wanted = tun(real_servers=[{"group": "real_servers"}, {"address": "198.51.100.99"}])
    cluster = build(wanted, tun(name="b", port=81), lb1={"lvs_tunnel_sources": "203.0.113.2"})
    assert support.director(cluster, "lb1", **ETH0)["route_sources"] == [
        {"to": "198.51.100.11", "from": ["192.0.2.2", "203.0.113.2"]},
        {"to": "198.51.100.12", "from": ["192.0.2.2", "203.0.113.2"]},
    ]
    assert support.director(build(wanted, rs1={"real_server_tunnel_guard": False}), "lb2", **ETH0)["route_sources"] == [
        {"to": "198.51.100.12", "from": ["192.0.2.3"]}
    ]
    assert support.director(build(service(forward_method="nat"), directors=1), "lb1", **ETH0)["route_sources"] == []


@pytest.mark.parametrize(
    ("director", "wanted"),
    [
        (
            {"lvs_address": "2001:db8::2"},
            expected(Code.MISSING, "host lb1", "lvs_tunnel_sources", "", "ipv4", "real_server_tunnel_guard"),
        ),
        (
            {"lvs_address": None},
            expected(Code.NO_ADDRESS, "group directors", "", "lb1", "lvs_address", "real servers accept tunnels"),
        ),
        (
            {"lvs_tunnel_sources": ["lb1.example.net"]},
            expected(Code.NOT_AN_ADDRESS, "group directors", "", "'lb1.example.net'", "lvs_tunnel_sources of host lb1"),
        ),
        (
            {"lvs_tunnel_sources": ["224.0.0.1"]},
            expected(
                Code.UNUSABLE_ADDRESS,
                "group directors",
                "",
                "'224.0.0.1'",
                "lvs_tunnel_sources of host lb1",
                "multicast",
                "real servers accept tunnels",
            ),
        ),
    ],
)
def test_directors_whose_tunnels_nobody_would_know(director: dict[str, Any], wanted: Expected) -> None:
    cluster = build(tun(), directors=1, lb1=director)
    with pytest.raises(ModelError) as caught:
        support.real_server(cluster, "rs1")
    check_all(caught.value.problems, wanted)
    assert support.real_server(cluster, "rs1", real_server_tunnel_guard=False)["tunnels"]


def test_the_guard_of_tunnels_is_yes_or_no() -> None:
    with pytest.raises(ModelError) as caught:
        support.real_server(build(tun()), "rs1", real_server_tunnel_guard="maybe")
    check_all(caught.value.problems, expected(Code.NOT_A_BOOLEAN, "real_server_tunnel_guard", "", "'maybe'"))


def test_the_flood_defence_is_on_and_can_be_off() -> None:
    found: Any = support.director(build(service()), "lb1", **ETH0)
    assert {key: value for key, value in found["sysctls"].items() if "drop" in key} == {
        "net.ipv4.vs.drop_entry": 1,
        "net.ipv4.vs.drop_packet": 1,
    }
    assert found["defence_threshold"] is True
    found = support.director(build(service()), "lb1", **ETH0, director_flood_defence=False)
    assert not [key for key in found["sysctls"] if "drop" in key]
    assert found["defence_threshold"] is False
    own = {"net.ipv4.vs.drop_packet": 0}
    assert support.director(build(service()), "lb1", **ETH0, director_sysctls=own)["sysctls"] == {
        **found["sysctls"],
        **own,
    } | {"net.ipv4.vs.drop_entry": 1}


SHORT = {"director_timeouts": {"tcp": 60}}


def test_timeouts_are_the_same_on_all_directors() -> None:
    assert support.director(build(service()), "lb1", **ETH0)["timeouts"] == {}
    assert support.director(build(service()), "lb1", **ETH0, director_timeouts={"udp": "30", "tcp": 900})[
        "timeouts"
    ] == {
        "tcp": 900,
        "udp": 30,
    }
    same = build(service(), lb1=SHORT, lb2={"director_timeouts": {"tcp": "60"}})
    assert support.director(same, "lb1", **ETH0, director_timeouts={"tcp": 60})["timeouts"] == {"tcp": 60}
    for others, shown in (({}, "not set"), ({"director_timeouts": {"tcp": 60, "udp": 5}}, "{tcp: 60, udp: 5}")):
        with pytest.raises(ModelError) as caught:
            support.director(build(service(), lb1=SHORT, lb2=others), "lb1", **ETH0, director_timeouts={"tcp": 60})
        says = ("{tcp: 60} for lb1", f"{shown} for lb2", "group directors")
        check_all(caught.value.problems, expected(Code.DIFFERS, "director_timeouts", "", "", *says))


@pytest.mark.parametrize(("method", "value"), [("dr", 3), ("tun", 3), ("fullnat", None)])
def test_ports_that_clients_use_again_are_scheduled_anew(method: str, value: int | None) -> None:
    director = support.director(build(service(forward_method=method)), "lb1", **ETH0, director_transit=False)
    sysctls: Any = director["sysctls"]
    assert sysctls.get("net.ipv4.vs.conn_reuse_mode") == value
    own = {"net.ipv4.vs.conn_reuse_mode": 0}
    extra = support.director(build(service()), "lb1", **ETH0, director_sysctls=own)["sysctls"]
    assert extra["net.ipv4.vs.conn_reuse_mode"] == 0
