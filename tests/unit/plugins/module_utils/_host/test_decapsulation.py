# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of ipvs_tunnel: devices for every kind of packet, and strictness handed down and taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.decapsulation import (
    MODULES,
    RECORD_FILE,
    SYSCTL_FILE,
    TUNNELS_UNIT,
    Wanted,
    parse_tunnels,
    plan_tunnels,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import settle
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import Address, GuePort, HostState, TunnelDevice
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._host.simulated import SimulatedHost

IPV4, IPV6 = "198.51.100.11", "2001:db8:3::11"


def rp(name: str) -> str:
    return f"net/ipv4/conf/{name}/rp_filter"


FRESH = HostState(
    sysctls={rp("all"): "1", rp("default"): "0", rp("eth0"): "0", rp("eth1"): "2", rp("lo"): "0"},
    addresses=frozenset({Address(IPV4, 24, "eth0"), Address(IPV6, 64, "eth0")}),
    modules=dict.fromkeys(MODULES, False),
    directories=frozenset({"/etc", "/etc/sysctl.d", "/var", "/var/lib"}),
)
ALL: list[dict[str, Any]] = [
    {"address": IPV4, "type": "ipip", "families": ["ipv4", "ipv6"]},
    {"address": IPV6, "type": "ipip", "families": ["ipv4", "ipv6"]},
    {"address": IPV4, "type": "gre", "checksum": "csum"},
    {"address": IPV6, "type": "gre"},
    {"address": IPV4, "type": "gue", "port": 6080, "checksum": "remcsum"},
    {"address": IPV6, "type": "gue", "port": 6080, "families": ["ipv6"]},
]


def run(host: SimulatedHost, want: Wanted) -> bool:
    return settle(host.read, lambda state: plan_tunnels(state, want), host.apply, False).changed


def wanted(tunnels: list[dict[str, Any]], present: bool = True, persist: bool = True) -> Wanted:
    return parse_tunnels(present, tunnels, persist)


def test_a_device_for_each_kind_of_packet_and_nothing_is_left() -> None:
    host = SimulatedHost(FRESH)
    assert run(host, wanted(ALL))
    assert {(device.name, device.local, device.checksum) for device in host.state.tunnels} == {
        ("lvs-ipip0", IPV4, False),
        ("lvs-sit0", IPV4, False),
        ("lvs-ip6tnl0", IPV6, False),
        ("lvs-gre0", IPV4, True),
        ("lvs-ip6gre0", IPV6, False),
    }
    assert host.state.gue_ports == {GuePort("ipv4", 6080), GuePort("ipv6", 6080)}
    assert all(host.state.modules.values())
    assert not run(host, wanted(ALL))
    assert run(host, wanted([], present=False))
    left = replace(host.state, modules=FRESH.modules, sysctls={key: host.state.sysctls[key] for key in FRESH.sysctls})
    assert not any(host.state.units.values())
    assert replace(left, units={}, files={}, records={}) == FRESH
    assert host.state.records == {RECORD_FILE: None}
    assert host.state.files == {SYSCTL_FILE: None}


def test_strictness_goes_from_all_to_each_interface_before_all_lets_go() -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted(ALL[:1]))
    for state in host.passed:
        for name in ("eth0", "lo"):
            assert max(state.sysctls[rp("all")] or "", state.sysctls[rp(name)] or "") == "1"
    assert host.state.sysctls[rp("all")] == "0"
    assert host.state.sysctls[rp("default")] == "1"
    assert host.state.sysctls[rp("eth1")] == "2"
    assert host.state.sysctls[rp("lvs-ipip0")] == "0"
    text = host.state.files[SYSCTL_FILE] or ""
    assert "net.ipv4.conf.lvs-ipip0.rp_filter = 0\n" in text
    assert "lvs-sit0" not in text  # nothing of IPv4 comes out of it


def test_what_comes_later_and_what_goes_is_not_written_down() -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted(ALL[:1]))
    later = {**host.state.sysctls, rp("veth1"): "1"}
    assert not run(SimulatedHost(replace(host.state, sysctls=later)), wanted(ALL[:1]))
    gone = SimulatedHost(replace(host.state, sysctls={**host.state.sysctls, rp("eth0"): None}))
    assert run(gone, wanted(ALL[:1]))
    assert "eth0" not in (gone.state.files[SYSCTL_FILE] or "")


def test_strictness_that_somebody_asks_for_later_is_handed_down_too() -> None:
    host = SimulatedHost(replace(FRESH, sysctls={**FRESH.sysctls, rp("all"): "0"}))
    run(host, wanted(ALL[:1]))
    later = SimulatedHost(replace(host.state, sysctls={**host.state.sysctls, rp("all"): "1"}))
    assert run(later, wanted(ALL[:1]))
    assert (later.state.sysctls[rp("all")], later.state.sysctls[rp("eth0")]) == ("0", "1")
    run(later, wanted([], present=False))
    assert (later.state.sysctls[rp("all")], later.state.sysctls[rp("eth0")]) == ("1", "0")


def test_a_strict_host_keeps_what_no_ipv4_goes_through() -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted([{"address": IPV6}]))
    assert host.state.sysctls == {**FRESH.sysctls}
    assert SYSCTL_FILE not in host.state.files


def test_what_changed_is_replaced_and_what_did_not_stays() -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted(ALL))
    done = len(host.applied)
    changed = [{**ALL[2], "checksum": "none"}, *ALL[:2], *ALL[3:5]]
    assert run(host, wanted(changed))
    assert [str(operation) for operation in host.applied[done:] if "tunnel lvs" in str(operation)] == [
        f"remove the tunnel lvs-gre0 type gre local {IPV4} icsum",
        f"add the tunnel lvs-gre0 type gre local {IPV4}",
    ]
    assert host.state.gue_ports == {GuePort("ipv4", 6080)}


def test_a_device_that_is_down_is_made_again() -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted(ALL[:1]))
    down = frozenset(replace(device, up=False) for device in host.state.tunnels)
    broken = SimulatedHost(replace(host.state, tunnels=down))
    assert run(broken, wanted(ALL[:1]))
    assert all(device.up for device in broken.state.tunnels)


def test_a_port_of_gue_that_was_there_stays() -> None:
    host = SimulatedHost(replace(FRESH, gue_ports=frozenset({GuePort("ipv4", 6080), GuePort("ipv4", 7000)})))
    run(host, wanted(ALL))
    run(host, wanted([], present=False))
    assert host.state.gue_ports == {GuePort("ipv4", 6080), GuePort("ipv4", 7000)}


def test_two_addresses_of_one_family_have_two_devices() -> None:
    other = "198.51.100.12"
    host = SimulatedHost(replace(FRESH, addresses=FRESH.addresses | {Address(other, 24, "eth1")}))
    run(host, wanted([{"address": other}]))
    run(host, wanted([{"address": IPV4}, {"address": other}]))
    assert host.state.tunnels == {
        TunnelDevice("ipip", other, False, "lvs-ipip0"),
        TunnelDevice("ipip", IPV4, False, "lvs-ipip1"),
    }


@pytest.mark.parametrize("fail_at", range(40))
def test_a_failure_half_way_leaves_what_was(fail_at: int) -> None:
    loaded = replace(FRESH, modules=dict.fromkeys(MODULES, True))
    start = SimulatedHost(loaded)
    run(start, wanted([{"address": IPV4, "type": "gre"}, {"address": IPV4, "type": "gue", "port": 7000}]))
    host = SimulatedHost(start.state, fail_at=fail_at)
    try:
        run(host, wanted(ALL))
    except HostError:
        left = {key: value for key, value in host.state.sysctls.items() if key in start.state.sysctls}
        assert replace(host.state, sysctls=left) == start.state


def test_the_unit_says_what_the_module_did() -> None:
    host = SimulatedHost(FRESH)
    run(host, wanted(ALL))
    unit = host.state.units[TUNNELS_UNIT]
    assert unit is not None
    for line in (
        "ExecStart=+modprobe --all fou fou6\n",
        "ExecStart=-ip -6 fou add port 6080 gue\n",
        f"ExecStart=-ip link add name lvs-ip6tnl0 type ip6tnl mode any local {IPV6}\n",
        "ExecStart=ip link set dev lvs-gre0 up\n",
    ):
        assert line in unit.text
    run(host, wanted(ALL, persist=False))
    assert host.state.units[TUNNELS_UNIT] is None
    assert host.state.files[SYSCTL_FILE] is None


@pytest.mark.parametrize(
    ("tunnels", "says"),
    [
        ([{"address": "x"}], r"tunnels\[0\]\.address: 'x' is not an IP address"),
        (
            [{"address": "::"}],
            r"tunnels\[0\]\.address: :: is the unspecified address, which cannot be",
        ),
        ([{"address": IPV4, "type": "gue"}], r"tunnels\[0\]\.port: None is not a UDP port, which gue requires"),
        ([{"address": IPV4, "port": 1}], r"tunnels\[0\]\.port: 1 is for gue only, and the type is ipip"),
        ([{"address": IPV4, "checksum": "csum"}], r"tunnels\[0\]\.checksum: ipip has no checksum"),
        ([{"address": IPV4, "type": "gre", "checksum": "remcsum"}], r"remcsum is for gue only, and the type is gre"),
        ([ALL[2], {**ALL[2], "checksum": "none"}], r"tunnels\[1\]\.checksum: gre at .* with and without checksums"),
    ],
)
def test_wrong_values_are_named(tunnels: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(HostError, match=says):
        wanted(tunnels)


def test_an_address_that_the_host_has_not_is_refused() -> None:
    with pytest.raises(HostError, match=r"tunnels: this host has no address 192\.0\.2\.1"):
        plan_tunnels(FRESH, wanted([{"address": "192.0.2.1"}]))
