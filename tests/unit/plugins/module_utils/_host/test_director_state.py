# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a director is now, by files that the role writes and has written, and by its addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host import director_state
from ansible_collections.lvs.cluster.plugins.module_utils._host.director_state import Held
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import parse_address
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster import pair
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import unit_files
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

OWN = {"lb1": ["192.0.2.2", "2001:db8::2"], "lb2": ["192.0.2.3", "2001:db8::3"], "lb3": ["192.0.2.4", "2001:db8::4"]}
VIPS = ("192.0.2.10", "2001:db8::10")


def model(*directors: str, vips: Sequence[str] = VIPS, **settings: Any) -> dict[str, Any]:
    """What the first of these directors is to be."""
    services = [
        {"name": f"s{number}", "address": vip, "port": 80, "real_servers": [{"address": vip[:-2] + "99"}]}
        for number, vip in enumerate(vips)
    ]
    hosts = {host: {"lvs_address": own} for host, own in OWN.items()}
    cluster = build_cluster(services, {"directors": list(directors), "real_servers": []}, hosts)
    return support.director(cluster, directors[0], **settings)


def wanted(*directors: str, **settings: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = model(*directors, **settings)["vrrp"]["instances"]
    return found


def before(*directors: str, **settings: Any) -> dict[str, director_state.Instance]:
    return director_state.instances(model(*directors, **settings)["keepalived"])


def old(*directors: str, vips: Sequence[str] = VIPS) -> dict[str, director_state.Instance]:
    """The same as the role wrote it when all VIPs were advertised."""
    text = model(*directors, vips=vips)["keepalived"]
    lines = [line.partition(" #")[0] for line in text.splitlines() if "192.0.0.8" not in line and "100:0" not in line]
    text = "\n".join(lines).replace(
        "virtual_ipaddress {\n    }\n    virtual_ipaddress_excluded {", "virtual_ipaddress {"
    )
    return director_state.instances(text)


def test_the_file_is_read_back() -> None:
    found = before("lb1", "lb2", "lb3")
    assert set(found) == {"lvs_ipv4", "lvs_ipv6"}
    four = found["lvs_ipv4"]
    assert {str(address): name for address, name in four.peers.items()} == {"192.0.2.3": "lb2", "192.0.2.4": "lb3"}
    assert four.virtual_router_id == "51"
    assert {str(address) for address in four.addresses} == {"192.0.0.8", "192.0.2.10"}
    assert {str(address) for address in found["lvs_ipv6"].advertised} == {"100:0:0:1::1"}
    assert director_state.is_ours(model("lb1")["keepalived"])


def test_an_earlier_file_is_read_too() -> None:
    four = old("lb1", "lb2")["lvs_ipv4"]
    assert {str(address): name for address, name in four.peers.items()} == {"192.0.2.3": ""}
    assert {str(address) for address in four.advertised} == {"192.0.2.10"}


def test_what_both_sides_name() -> None:
    assert unit_files.HEADER.startswith(director_state.HEADER)
    assert pair.HANDOVER_FILE == director_state.HANDOVER_FILE


@given(st.text(alphabet=" \n{}#vrp_instacelu0123456789.:/", max_size=300))
def test_any_text_is_read(text: str) -> None:
    director_state.instances(text)


@pytest.mark.parametrize(
    ("leaving", "lost"),
    [
        ([], "lb2 (192.0.2.3) and lb2 (2001:db8::3)"),
        (["lb2"], ""),
        (["192.0.2.3", "2001:db8::3"], ""),
        (["192.0.2.3"], "lb2 (2001:db8::3)"),
        (["lb3"], "lb2 (192.0.2.3) and lb2 (2001:db8::3)"),
    ],
)
@pytest.mark.parametrize("rest", [(), ("lb3",)])
def test_a_director_that_has_left_the_inventory(leaving: list[str], lost: str, rest: tuple[str, ...]) -> None:
    present = before("lb1", "lb2", *rest)
    assert director_state.lost_peers(present, wanted("lb1", *rest), leaving) == lost


def test_one_that_takes_the_place_of_another_is_told_too() -> None:
    """The other one would still hold the VIPs, and the adverts of each are dropped by the other."""
    found = director_state.lost_peers(old("lb1", "lb2", vips=VIPS[:1]), wanted("lb1", "lb3", vips=VIPS[:1]), [])
    assert found == "192.0.2.3"


def test_nobody_is_lost() -> None:
    for present in ({}, before("lb1"), before("lb1", "lb2"), before("lb1", "lb2", vips=VIPS[:1])):
        assert director_state.lost_peers(present, wanted("lb1", "lb2"), []) == ""
    # the last IPv6 VIP has gone, and with it the instance
    assert director_state.lost_peers(before("lb1", "lb2"), wanted("lb1", "lb2", vips=VIPS[:1]), []) == ""


def test_a_peer_is_lost_with_its_vrrp_group_too() -> None:
    """The instances of the file have other names than those that are wanted."""
    present = {f"lvs_blue{name[3:]}": instance for name, instance in before("lb1", "lb2").items()}
    assert director_state.lost_peers(present, wanted("lb1"), []) == "lb2 (192.0.2.3) and lb2 (2001:db8::3)"
    assert director_state.lost_peers(present, wanted("lb1", "lb2"), []) == ""
    assert director_state.joins(present, wanted("lb1", "lb2")) is False


@pytest.mark.parametrize(
    ("present", "joins"),
    [
        ({}, True),
        (before("lb1"), True),
        (old("lb1", "lb2"), True),
        (before("lb1", "lb2"), False),
        (before("lb1", "lb3"), False),
        (before("lb1", "lb2", vips=VIPS[:1]), False),
        (before("lb1", "lb2", director_virtual_router_id=7), False),
    ],
    ids=["new", "was alone", "other adverts", "as it is to be", "other peers", "a family comes", "another id"],
)
def test_who_is_not_known_to_the_others(present: dict[str, director_state.Instance], joins: bool) -> None:
    assert director_state.joins(present, wanted("lb1", "lb2")) is joins


def test_a_single_director_joins_nothing() -> None:
    assert not director_state.joins({}, wanted("lb1"))
    assert not director_state.joins(before("lb1", "lb2"), wanted("lb1"))


def held(*texts: str) -> list[Held]:
    found = []
    for text in texts:
        address, interface = text.split()
        found.append(Held(parse_address(address.split("/")[0]), int(address.split("/")[1]), interface))
    return found


@pytest.mark.parametrize(
    ("text", "configured", "ours", "static"),
    [
        ("192.0.2.10/32 eth1", True, True, False),
        ("192.0.2.10/24 eth1", True, True, True),
        ("192.0.2.10/32 eth1", False, True, True),
        ("192.0.2.10/24 eth1", True, False, False),
        ("2001:db8::10/128 lo", False, True, True),
        ("2001:db8::10/128 eth1", True, True, False),
        ("192.0.2.2/24 eth1", False, True, False),
    ],
)
def test_a_vip_that_keepalived_has_not_added(text: str, configured: bool, ours: bool, static: bool) -> None:
    vips = {parse_address(vip) for vip in VIPS}
    present = before("lb1") if configured else {}
    found = director_state.static_vip(held("192.0.2.2/24 eth1", text), vips, present, ours, runs=False)
    assert (found is not None) is static
    if found is not None:
        assert str(found) == text.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    ("listed", "text", "static"),
    [
        ({}, "192.0.2.10/24 eth1", True),
        ({"prefix": 24}, "192.0.2.10/24 eth1", False),
        ({"prefix": 24, "label": "eth1:web"}, "192.0.2.10/24 eth1", False),
        ({"interface": "eth2"}, "192.0.2.10/32 eth2", False),
        ({"prefix": 24}, "192.0.2.10/32 eth1", True),
        ({"prefix": 24}, "192.0.2.10/25 eth1", True),
    ],
)
def test_a_vip_with_the_prefix_length_that_it_is_to_have(listed: dict[str, Any], text: str, static: bool) -> None:
    vips = {parse_address(vip) for vip in VIPS}
    present = before("lb1", "lb2", director_vips={VIPS[0]: listed})
    found = director_state.static_vip(held(text), vips, present, ours=True, runs=True)
    assert (found is not None) is static


def test_a_configuration_that_somebody_has_damaged() -> None:
    """What keepalived read before is not known, and ``site`` repairs it."""
    vips = {parse_address(vip) for vip in VIPS}
    for text, runs, static in (
        ("192.0.2.10/32 eth1", True, False),
        ("192.0.2.10/32 eth1", False, True),
        ("192.0.2.10/24 eth1", True, True),
    ):
        found = director_state.static_vip(held(text), vips, {}, ours=False, runs=runs)
        assert (found is not None) is static


ADDRESSES = held("127.0.0.1/8 lo", "198.51.100.2/24 eth0", "192.0.2.2/24 eth1", "192.0.2.10/32 eth1", "fe80::1/64 eth1")


@pytest.mark.parametrize(
    ("address", "interface", "fault"),
    [
        ("192.0.2.2", "eth1", ""),
        ("198.51.100.2", "", ""),
        (
            "203.0.113.2",
            "",
            "this host has no address 203.0.113.2: set lvs_address (by default ansible_host) to "
            "an address of this host (198.51.100.2 or 192.0.2.2)",
        ),
        (
            "198.51.100.2",
            "eth1",
            "198.51.100.2 is on eth0, and this director uses VRRP on eth1: set lvs_address (by default "
            "ansible_host) to an address of eth1 (192.0.2.2)",
        ),
        (
            "2001:db8::2",
            "eth1",
            "this host has no address 2001:db8::2: set lvs_address (by default ansible_host) to an address of eth1",
        ),
    ],
)
def test_whose_an_address_is(address: str, interface: str, fault: str) -> None:
    assert director_state.own_address_fault(ADDRESSES, parse_address(address), interface) == fault


@pytest.mark.parametrize(
    ("text", "joining"),
    [("3 joining\n", True), ("3\n", False), ("0\n", False), ("3 joiningly", False), ("1 joining", False)],
)
def test_who_joins(text: str, joining: bool) -> None:
    assert director_state.is_joining(text) is joining
    assert director_state.is_joining(director_state.JOINING)
    assert not director_state.is_joining(None)
