# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the directors advertise, and that it does not depend on the VIPs."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

GROUPS = {"directors": ["lb1", "lb2"], "real_servers": ["rs1"]}
HOSTVARS = {
    "lb1": {"lvs_address": ["192.0.2.2", "2001:db8::2"]},
    "lb2": {"lvs_address": ["192.0.2.3", "2001:db8::3"]},
    "rs1": {"lvs_address": ["192.0.2.11", "2001:db8::11"]},
}
FAMILIES = {"ipv4": "198.18.0.0", "ipv6": "2001:db8:1::"}


def service(vip: str, **more: object) -> dict[str, object]:
    name = re.sub("[^0-9a-f]", "-", vip)
    return {"name": f"s{name}", "address": vip, "port": 80, "real_servers": [{"group": "real_servers"}], **more}


def configured(services: list[dict[str, object]], **settings: Any) -> str:
    text = support.director(build_cluster(services, GROUPS, HOSTVARS), "lb1", **settings)["keepalived"]
    assert isinstance(text, str)
    return text


def inside(text: str, block: str) -> list[str]:
    """The lines of all blocks of this name."""
    found = re.findall(rf"^ *{block} {{\n(.*?)}}$", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for lines in found for line in lines.splitlines() if line.strip()]


def vips(family: str, count: int) -> list[str]:
    first = ip_address(FAMILIES[family])
    return [str(first + number) for number in range(1, count + 1)]


@pytest.mark.parametrize("family", FAMILIES)
def test_hundreds_of_vips(family: str) -> None:
    addresses = vips(family, 600)
    text = configured([service(vip) for vip in addresses])
    prefix = 32 if family == "ipv4" else 128
    assert inside(text, "virtual_ipaddress_excluded") == [f"{vip}/{prefix}" for vip in addresses]
    assert len(inside(text, "virtual_ipaddress")) == 1, "an advert has room for 255, and fewer of IPv6"


def test_no_vip_is_advertised() -> None:
    """A director drops adverts with other addresses than its own, and takes the VIPs itself."""
    both = [service(vip) for family in FAMILIES for vip in vips(family, 3)]
    before = inside(configured(both), "virtual_ipaddress")
    assert len(before) == 2, "one for each family"
    for other in (both[1:], both[:2] + both[3:], [*both, service("192.0.2.1"), service("2001:db8::1")]):
        assert inside(configured(other), "virtual_ipaddress") == before
    assert not {line.partition("/")[0] for line in before} & {str(one["address"]) for one in both}


def test_the_gateway_of_nat_comes_and_goes_without_another_advert() -> None:
    plain = [service("192.0.2.10")]
    gateway = "203.0.113.1"
    nat = configured([*plain, service("192.0.2.20", forward_method="nat")], lvs_nat_gateway=gateway)
    assert inside(nat, "virtual_ipaddress") == inside(configured(plain), "virtual_ipaddress")
    assert f"{gateway}/32" in inside(nat, "virtual_ipaddress_excluded")


def test_the_advertised_address_is_nobody_elses() -> None:
    """It is on the interface of the master: no packet may go to it, and no source may be chosen from it."""
    lines = inside(configured([service("192.0.2.10"), service("2001:db8::10")]), "virtual_ipaddress")
    assert lines == ["192.0.0.8/32 scope host", "100:0:0:1::1/128"]
