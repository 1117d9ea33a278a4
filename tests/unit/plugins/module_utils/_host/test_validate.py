# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses are written in one form, whichever Python writes them."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host.arp import parse_silence
from ansible_collections.lvs.cluster.plugins.module_utils._host.decapsulation import parse_tunnels
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import (
    address_fault,
    parse_address,
    unicast_address,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import model
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import to_address

#: As the kernel's tools write them: the last four bytes of ::/96 and of ::ffff:0:0/96 in decimal.
TEXTS = [
    ("192.0.2.1", "192.0.2.1"),
    ("2001:DB8:0:0::0001", "2001:db8::1"),
    ("::ffff:c000:201", "::ffff:192.0.2.1"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ("::102:304", "::1.2.3.4"),
    ("::1", "::1"),
    ("fe80::1%eth0", "fe80::1%eth0"),
]
#: Half of them in the two networks where libraries differ.
IPV6 = st.one_of(
    st.ip_addresses(v=6),
    st.ip_addresses(network="::/96"),
    st.ip_addresses(network="::ffff:0:0/96"),
)


@pytest.mark.parametrize(("text", "written"), TEXTS)
def test_one_form(text: str, written: str) -> None:
    address = parse_address(text)
    assert str(address) == f"{address}" == written
    assert parse_address(written) == address


@given(IPV6)
def test_all_write_it_alike(address: IPv6Address) -> None:
    text = model.address_text(address.packed)
    assert text == socket.inet_ntop(socket.AF_INET6, address.packed)
    assert str(parse_address(str(address))) == text
    assert str(to_address(str(address))) == text
    assert parse_address(str(address)) == address
    assert hash(parse_address(str(address))) == hash(address)


@pytest.mark.parametrize(
    "text", ["", "192.0.2", "192.0.2.1/32", "2001:db8::/64", "rs1", "192.0.2.1%eth0", "1", "१.1.1.1"]
)
def test_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r".?"):
        parse_address(text)


def test_a_host_is_told_addresses_as_the_kernel_lists_them() -> None:
    assert parse_silence(True, ["::102:304"], "lo", (), False).vips == ("::1.2.3.4",)
    assert str(unicast_address("x", "::102:304", "y")) == "::1.2.3.4"


@pytest.mark.parametrize("inner", ["192.0.2.1", "127.0.0.1", "224.0.0.1", "169.254.0.1", "0.0.0.0", "240.0.0.1"])
def test_a_mapped_address_is_refused_for_that(inner: str) -> None:
    """Since Python 3.13 the address inside it counts for is_multicast and the like."""
    address = to_address(f"::ffff:{inner}")
    assert address is not None
    assert address_fault(address) == f"is an IPv4-mapped address (write {inner})"
    with pytest.raises(HostError, match="is an IPv4-mapped address"):
        parse_silence(True, [f"::ffff:{inner}"], "lo", (), False)
    with pytest.raises(HostError, match="cannot be an end"):
        unicast_address("x", f"::ffff:{inner}", "an end")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0.0.0.0", "the unspecified address"),
        ("::", "the unspecified address"),
        ("127.0.0.2", "a loopback address"),
        ("::1", "a loopback address"),
        ("224.0.0.18", "a multicast address"),
        ("ff02::12", "a multicast address"),
        ("250.1.1.1", "a reserved address"),
        ("255.255.255.255", "a reserved address"),
        ("169.254.169.254", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("fe80::1%eth0", "an address with a zone"),
        ("192.0.2.1", ""),
        ("2001:db8::1", ""),
    ],
)
def test_all_options_refuse_the_same_addresses(text: str, fault: str) -> None:
    """A VIP, a tunnel's end, a service of return_route, and an address of the description."""
    calls: list[Callable[[], object]] = [
        lambda: parse_silence(True, [text], "lo", (), False),
        lambda: parse_tunnels(True, [{"address": text}], False),
        lambda: unicast_address("x", text, "an end"),
    ]
    for call in calls:
        if fault:
            with pytest.raises(HostError, match=f"{re.escape(text)} is {fault}, which cannot be"):
                call()
        else:
            call()
    assert address_fault(parse_address(text)) == (f"is {fault}" if fault else "")
    if "link-local" in fault:  # a gateway may be one, since its interface is known
        assert address_fault(parse_address(text), link_local=True) == ""
