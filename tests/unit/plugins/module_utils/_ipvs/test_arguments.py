# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module arguments to patches: what is taken, and the sentence for what is not."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, model, plan, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import InvalidValue
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

WEB = {"address": "192.0.2.10", "port": 80}


def text_of(**service: Any) -> str:
    return rules.render(plan.plan({}, [arguments.service(service)]).predicted)


def server(**options: Any) -> dict[str, Any]:
    return {**WEB, "real_servers": [{"address": "198.51.100.11", **options}]}


def test_addresses_are_normalised() -> None:
    assert text_of(address="2001:DB8:0::0A", port=80) == "-A -t [2001:db8::a]:80 -s wlc\n"


def test_family_and_protocol_have_defaults() -> None:
    assert text_of(fwmark=21) == "-A -f 21 -s wlc\n"
    assert text_of(**WEB) == "-A -t 192.0.2.10:80 -s wlc\n"


def test_numbers_that_a_template_made_into_text_are_numbers() -> None:
    text = text_of(
        address="192.0.2.10",
        port="80",
        persistence_timeout="300",
        real_servers=[{"address": "198.51.100.11", "port": "80", "weight": "5"}],
    )
    assert text == "-A -t 192.0.2.10:80 -s wlc -p 300\n-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 5\n"
    assert arguments.service_key({"fwmark": "21"}) == arguments.service_key({"fwmark": 21})


@pytest.mark.parametrize("mask", ["24", "/24", "255.255.255.0"])
def test_masks(mask: str) -> None:
    text = text_of(**WEB, persistence_timeout=300, persistence_netmask=mask)
    assert text == "-A -t 192.0.2.10:80 -s wlc -p 300 -M 255.255.255.0\n"


def test_every_attribute() -> None:
    text = text_of(
        address="192.0.2.10",
        port=443,
        protocol="sctp",
        scheduler="sh",
        scheduler_flags=["sh-port", "sh-fallback"],
        persistence_timeout=60,
        persistence_netmask="16",
        persistence_engine="sip",
        real_servers=[
            {"address": "198.51.100.11", "forward_method": "nat", "port": 8443, "weight": 0, "upper_threshold": 9},
            {
                "address": "2001:db8::11",
                "forward_method": "tun",
                "tunnel_type": "gue",
                "tunnel_port": 6080,
                "tunnel_checksum": "remcsum",
            },
        ],
    )
    assert text == (
        "-A --sctp-service 192.0.2.10:443 -s sh -p 60 -M 255.255.0.0 --pe sip -b sh-fallback,sh-port\n"
        "-a --sctp-service 192.0.2.10:443 -r 198.51.100.11:8443 -m -w 0 -x 9\n"
        "-a --sctp-service 192.0.2.10:443 -r [2001:db8::11]:443 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum\n"
    )


def test_a_real_server_alone() -> None:
    patch = arguments.only_real_server({"service": {"fwmark": 21}, "address": "198.51.100.11", "state": "absent"})
    assert patch.settings is None
    assert patch.real_servers is not None
    assert [value.absent for value in patch.real_servers.values()] == [True]


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({"address": "192.0.2.10"}, "tcp 192.0.2.10: service.port is needed with service.address (0: every port, of a"),
        ({}, "virtual service: service.address or fwmark is needed to identify the service"),
        ({"fwmark": 1, "port": 80}, "fwmark 1: service.port cannot be combined with fwmark (got 80)"),
        ({"address": "ff02::1", "port": 80}, "service.address must not be a multicast address (got 'ff02::1')"),
    ],
)
def test_a_service_within_another_option_is_called_so(service: dict[str, Any], message: str) -> None:
    real_server = {"service": service, "address": "198.51.100.11"}
    assert message in support.refused(lambda: arguments.only_real_server(real_server))


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({}, "virtual service: address or fwmark is needed to identify the service"),
        ({"name": "web"}, "web: address or fwmark is needed to identify the service"),
        ({"address": "web.example", "port": 80}, "tcp web.example port 80: address is not an IPv4 or IPv6 address"),
        ({"address": "192.0.2.300", "port": 80}, "address is not an IPv4 or IPv6 address (got '192.0.2.300')"),
        ({"address": "0.0.0.0", "port": 80}, "tcp 0.0.0.0 port 80: address must not be the unspecified address"),
        ({"address": "ff02::1", "port": 80}, "address must not be a multicast address"),
        ({"address": "::ffff:192.0.2.1", "port": 80}, "address must be written as an IPv4 address"),
        (
            {"address": "192.0.2.10"},
            "tcp 192.0.2.10: port is needed with address (0: every port, of a persistent service)",
        ),
        (
            {"address": "192.0.2.10/24", "port": 80},
            "address is not an IPv4 or IPv6 address: leave out the prefix length (got '192.0.2.10/24')",
        ),
        ({"address": "192.0.2.10", "port": 65536}, "port must be a whole number from 0 to 65535 (got 65536)"),
        ({"address": "192.0.2.10", "port": True}, "port must be a whole number from 0 to 65535 (got True)"),
        ({"address": "192.0.2.10", "port": 0}, "tcp 192.0.2.10:0: port (every port) needs a persistent service"),
        ({**WEB, "protocol": "icmp"}, "protocol must be one of tcp, udp, sctp (got 'icmp')"),
        ({**WEB, "family": "ipv6"}, "family does not match address 192.0.2.10 (got 'ipv6')"),
        ({"fwmark": 0}, "fwmark 0: fwmark must be a whole number from 1 to 4294967295 (got 0)"),
        ({"fwmark": 1, "port": 80}, "fwmark 1: port cannot be combined with fwmark (got 80)"),
        ({**WEB, "scheduler": "none"}, "scheduler must be a name of 1 to 15 letters"),
        ({**WEB, "scheduler": "sixteen_letters_"}, "scheduler must be a name of 1 to 15 letters"),
        (
            {**WEB, "scheduler": "rr", "scheduler_flags": ["sh-port"]},
            "scheduler_flags must be of flag-1, flag-2, flag-3",
        ),
        ({**WEB, "scheduler_flags": ["flag-1"]}, "scheduler_flags needs scheduler"),
        ({**WEB, "persistence_timeout": 2**31}, "persistence_timeout must be a whole number from 0 to 2678400"),
        ({**WEB, "persistence_timeout": 9, "persistence_netmask": "33"}, "persistence_netmask must be an IPv4 mask"),
        (
            {**WEB, "persistence_timeout": 0, "persistence_engine": "sip"},
            "needs a persistence_timeout above 0 (got 'sip')",
        ),
        ({**WEB, "persistence_engine": "sip"}, "persistence_engine needs persistence_timeout: the service is not"),
        (
            {"address": "2001:db8::1", "port": 80, "persistence_timeout": 9, "persistence_netmask": "255.255.0.0"},
            "persistence_netmask must be a prefix length from 1 to 128 for an IPv6 service (got '255.255.0.0')",
        ),
        ({**WEB, "one_packet": True}, "one_packet is for udp and firewall mark services only"),
        ({**WEB, "real_servers": [{}]}, "real server address is needed"),
        (
            {**WEB, "real_servers": [{"address": "2001:db8::1"}]},
            "real server [2001:db8::1]:80: address may be of another family than the service only with",
        ),
        (
            {**WEB, "real_servers": [{"address": "192.0.2.1"}, {"address": "192.0.2.1", "port": 80}]},
            "tcp 192.0.2.10:80: real_servers must not list a real server twice (got '192.0.2.1:80')",
        ),
        (
            server(port=81),
            "real server 198.51.100.11:81: port must be the service's port 80 with forward_method dr (got 81)",
        ),
        (
            server(weight=-1),
            "real server 198.51.100.11:80: weight must be a whole number from 0 to 2147483647 (got -1)",
        ),
        (server(weight="9" * 5000), "weight must be a whole number from 0 to 2147483647 (got '999"),
        (server(forward_method="fullnat"), "forward_method must be one of nat, local, tun, dr (got 'fullnat')"),
        (server(lower_threshold=1), "lower_threshold must not be above upper_threshold (0) (got 1)"),
        (server(tunnel_type="gre"), "forward_method has no tunnel options (got 'dr')"),
        (server(forward_method="tun", tunnel_type="gue"), "tunnel_port must be set with tunnel_type gue (got 0)"),
        (server(forward_method="tun", tunnel_port=1), "tunnel_port has no effect with tunnel_type ipip (got 1)"),
        (
            server(forward_method="tun", tunnel_type="gre", tunnel_checksum="remcsum"),
            "tunnel_checksum is not possible with tunnel_type gre (got 'remcsum')",
        ),
    ],
)
def test_refused(service: dict[str, Any], message: str) -> None:
    assert message in support.refused(lambda: text_of(**service))


def test_a_service_that_is_described_twice() -> None:
    entries = [{"name": "a", **WEB}, {"name": "b", **WEB, "protocol": "tcp"}]
    assert support.refused(lambda: arguments.services(entries)) == (
        "b (tcp 192.0.2.10:80): is described twice, also as a"
    )


_anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["192.0.2.1", "::1"])
)
_options = [*WEB, "protocol", "fwmark", "family", "scheduler", "persistence_timeout", "persistence_netmask"]
_server_options = ["address", "port", "forward_method", "weight", "lower_threshold", "tunnel_type", "tunnel_port"]


@given(
    st.dictionaries(st.sampled_from(_options), _anything), st.dictionaries(st.sampled_from(_server_options), _anything)
)
def test_any_arguments_are_taken_or_refused(service: dict[str, Any], real_server: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidValue):
        plan.plan({}, [arguments.service({**WEB, **service, "real_servers": [real_server]})])


@given(st.integers(0, 0xFFFFFFFF))
def test_any_ipv4_mask_survives_its_text(mask: int) -> None:
    assert model.parse_netmask(model.AF_INET, model.netmask_text(model.AF_INET, mask)) == mask
