# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls as values."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host import sysctl, validate
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError

NAMES = st.text("abcz09_-.", min_size=1, max_size=8).filter(lambda name: name.strip("."))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.100/arp_ignore", "net/ipv4/conf/eth0.100/arp_ignore"),
        ("net.ipv4.conf.eth0/100.arp_ignore", "net/ipv4/conf/eth0.100/arp_ignore"),
    ],
)
def test_keys_are_read_as_sysctl_d_reads_them(text: str, path: str) -> None:
    assert validate.parse_key(text) == path


@pytest.mark.parametrize(
    "text",
    ["", "a", "net..ipv4", "/net/ipv4", "net.ipv4.", "net/../kernel", "net.ipv4.*.x", "a.b\nc", "a b.c", "-a/b c"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(HostError, match="is not a valid sysctl name"):
        validate.parse_key(text)


@given(interface=NAMES)
def test_display_and_parse_are_inverse(interface: str) -> None:
    path = f"net/ipv4/conf/{interface}/arp_ignore"
    assert validate.parse_key(validate.display(path)) == path


@given(text=st.text(max_size=30))
def test_any_text_is_a_key_below_proc_sys_or_a_clear_error(text: str) -> None:
    path = ""
    with contextlib.suppress(HostError):
        path = validate.parse_key(text)
    assert not path.startswith("/")
    assert ".." not in path.split("/")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (-1, "-1"), (True, "1"), (False, "0"), (" 4096\t87380  6291456 ", "4096 87380 6291456")],
)
def test_values_have_one_form(value: object, text: str) -> None:
    assert sysctl.parse_sysctls({"net.core.x": value}) == {"net/core/x": text}


@pytest.mark.parametrize("value", [None, "", " ", "1\n2", 1.5, [1], {"a": 1}])
def test_what_is_no_value_is_refused(value: object) -> None:
    with pytest.raises(HostError, match=r"net\.core\.x"):
        sysctl.parse_sysctls({"net.core.x": value})


def test_keys_that_change_others_are_written_first_and_the_rest_in_the_order_given() -> None:
    given_order = [
        "net.z.z",
        "net.ipv4.conf.default.x",
        "net.a.a",
        "net.ipv6.conf.all.forwarding",
        "net.ipv4.ip_forward",
    ]
    assert [validate.display(key) for key in sysctl.parse_sysctls(dict.fromkeys(given_order, 1))] == [
        "net.ipv6.conf.all.forwarding",
        "net.ipv4.ip_forward",
        "net.ipv4.conf.default.x",
        "net.z.z",
        "net.a.a",
    ]


def test_ip_forward_changes_what_the_kernel_changes() -> None:
    before = {
        "net/ipv4/ip_forward": "0",
        "net/ipv4/conf/all/forwarding": "0",
        "net/ipv4/conf/all/accept_redirects": "1",
        "net/ipv4/conf/eth0/accept_redirects": "1",
        "net/ipv4/conf/all/send_redirects": "1",
        "net/ipv4/conf/eth0/forwarding": "0",
        "net/ipv4/conf/default/forwarding": "0",
    }
    after = sysctl.values_after_write(before, "net/ipv4/ip_forward", "1")
    assert {key for key in before if before[key] != after[key]} == {
        "net/ipv4/ip_forward",
        "net/ipv4/conf/all/forwarding",
        "net/ipv4/conf/all/accept_redirects",
        "net/ipv4/conf/eth0/forwarding",
        "net/ipv4/conf/default/forwarding",
    }
    assert sysctl.values_after_write(after, "net/ipv4/conf/all/forwarding", "0") == before


def test_writing_the_value_that_is_there_changes_nothing_else() -> None:
    before = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/accept_redirects": "1"}
    assert sysctl.values_after_write(before, "net/ipv4/ip_forward", "1") == before


def test_ipv6_forwarding_changes_every_interface() -> None:
    before = dict.fromkeys([f"net/ipv6/conf/{name}/forwarding" for name in ("all", "default", "lo")], "0")
    assert set(sysctl.values_after_write(before, "net/ipv6/conf/all/forwarding", "1").values()) == {"1"}


@pytest.mark.parametrize(
    ("key", "modules", "expected"),
    [
        ("net/ipv4/vs/conntrack", ["ip_vs"], True),
        ("net/ipv4/vs/conntrack", ["ip_vs_wrr"], True),
        ("net/ipv4/vs/conntrack", ["nf_conntrack"], False),
        ("net/netfilter/nf_conntrack_tcp_loose", ["ip_vs"], True),
        ("net/ipv4/conf/tunl0/rp_filter", ["ipip"], True),
        ("net/ipv4/ip_forward", ["ip_vs"], False),
    ],
)
def test_modules_bring_sysctls(key: str, modules: list[str], expected: bool) -> None:
    assert sysctl.brought_by(key, modules) is expected


def test_rendered_files_are_read_back() -> None:
    values = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/eth0.100/rp_filter": "0", "net/ipv4/tcp_rmem": "1 2 3"}
    text = sysctl.render_sysctls("Header.", values)
    assert text is not None
    assert text.splitlines()[2] == "net/ipv4/conf/eth0.100/rp_filter = 0"
    assert sysctl.parse_sysctl_file(text) == values
    assert sysctl.render_sysctls("Header.", {}) is None


OVER = "90-own.conf"


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ([("/etc/sysctl.d/99-a.conf", "net.ipv4.ip_forward=0")], ["/etc/sysctl.d/99-a.conf"]),
        ([("/usr/lib/sysctl.d/99-a.conf", "-net/ipv4/ip_forward = 0")], ["/usr/lib/sysctl.d/99-a.conf"]),
        ([("/etc/sysctl.d/99-a.conf", "net.ipv4.conf.all.forwarding=0")], ["/etc/sysctl.d/99-a.conf"]),
        ([("/etc/sysctl.d/99-a.conf", "# net.ipv4.ip_forward=0\n;net.ipv4.ip_forward=0\nnonsense")], []),
        ([("/etc/sysctl.d/99-a.conf", "net.ipv4.ip_forward = 1")], []),
        ([("/etc/sysctl.d/10-a.conf", "net.ipv4.ip_forward = 0")], []),
        ([("/etc/sysctl.d/99-a.conf", "net.ipv4.*.x = 0\nnet.ipv4.ip_f* = 0")], []),
        (
            [
                ("/etc/sysctl.d/99-b.conf", "net.ipv4.ip_forward=1"),
                ("/run/sysctl.d/99-a.conf", "net.ipv4.ip_forward=0"),
            ],
            [],
        ),
        (
            [
                ("/run/sysctl.d/99-b.conf", "net.ipv4.ip_forward=0"),
                ("/etc/sysctl.d/99-a.conf", "net.ipv4.ip_forward=0"),
            ],
            ["/run/sysctl.d/99-b.conf"],
        ),
    ],
)
def test_only_files_that_win_are_named(files: list[tuple[str, str]], named: list[str]) -> None:
    sentences = sysctl.overridden(OVER, {"net/ipv4/ip_forward": "1"}, files)
    assert [sentence.split(" ")[0] for sentence in sentences] == named
