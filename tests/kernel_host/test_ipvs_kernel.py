# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipvs_kernel on a real kernel: what comes back is what was there, and what the kernel changes along is known."""

from __future__ import annotations

import sys

import pytest

SYSCTLS = {
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.rp_filter": 2,
    "net.ipv4.ip_forward": 1,
    "net.ipv6.conf.all.forwarding": True,
    "net.ipv4.ip_local_reserved_ports": "8080,9000-9010",
}


@pytest.fixture(name="before")
def _before(lab):
    # One interface with an address and one that conf.default still reaches, and values that are not the kernel's own.
    lab.ip(lab.host, "link", "add", "bare0", "type", "veth", "peer", "name", "bare1")
    lab.sysctl("net/ipv4/conf/all/accept_redirects", "0")
    lab.sysctl("net/ipv4/conf/link0/forwarding", "1")
    return lab.sysctls(), lab.tree()


def now(lab):
    return lab.sysctls(), lab.tree()


@pytest.fixture(name="ip_vs")
def _ip_vs(lab):
    """A kernel with IPVS."""
    result = lab.module("ipvs_kernel", check_mode=True)
    if result.failed:
        assert "the running kernel" in result.message
        pytest.fail(result.message)


def test_everything_is_set_and_everything_is_put_back(lab, before):
    checked = lab.module("ipvs_kernel", modules=[], sysctls=SYSCTLS, conn_tab_bits=14, check_mode=True)
    assert now(lab) == before
    result = lab.module("ipvs_kernel", modules=[], sysctls=SYSCTLS, conn_tab_bits=14)
    assert result.changed, result.message
    assert (checked.before, checked.after) == (result.before, result.after)
    assert lab.sysctl("net/ipv4/conf/bare0/rp_filter") == "2", "conf.default reaches it"
    assert lab.sysctl("net/ipv4/conf/all/accept_redirects") == "0"
    again = lab.module("ipvs_kernel", modules=[], sysctls=SYSCTLS, conn_tab_bits=14)
    assert not again.changed
    assert again.before == again.after
    assert lab.module("ipvs_kernel", state="absent").changed
    assert now(lab) == before
    assert not lab.module("ipvs_kernel", state="absent").changed


def test_the_kernel_changes_along_what_the_plan_expects(lab, before):
    result = lab.module(
        "ipvs_kernel", modules=[], sysctls={"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}
    )
    changed = {line.split(":")[0].replace("/proc/sys/", "").replace("/", ".") for line in lab.sysctls() - before[0]}
    shown = {line.split(" ")[0][1:] for line in result.diff() if line.startswith("+net.")}
    assert changed == shown
    assert "net.ipv4.conf.all.send_redirects" not in changed


def test_a_listed_sysctl_holds_against_ip_forward(lab, before):
    lab.sysctl("net/ipv4/conf/all/accept_redirects", "1")
    sysctls = {"net.ipv4.conf.all.accept_redirects": 1, "net.ipv4.ip_forward": 1}
    assert not lab.module("ipvs_kernel", modules=[], sysctls=sysctls).failed
    assert lab.sysctl("net/ipv4/conf/all/accept_redirects") == "1"
    lab.module("ipvs_kernel", modules=[], sysctls={"net.ipv4.ip_forward": 1})
    assert lab.sysctl("net/ipv4/conf/all/accept_redirects") == "0", "as if it had never been listed"
    lab.module("ipvs_kernel", state="absent")
    assert lab.sysctl("net/ipv4/conf/all/accept_redirects") == "1"


def test_a_value_that_the_kernel_refuses_puts_everything_back(lab, before):
    sysctls = {"net.ipv4.ip_forward": 1, "net.ipv4.tcp_rmem": "1 2 nonsense"}
    result = lab.module("ipvs_kernel", modules=[], sysctls=sysctls, conn_tab_bits=14)
    assert result.message == (
        "cannot set net.ipv4.tcp_rmem to 1 2 nonsense: the kernel refuses this value; everything else was restored"
    )
    assert now(lab) == before


def test_a_value_that_the_kernel_changes_puts_everything_back(lab, before):
    result = lab.module(
        "ipvs_kernel", modules=[], sysctls={"net.ipv4.ip_forward": 1, "net.ipv4.tcp_keepalive_time": "010"}
    )
    assert result.message == (
        "cannot set net.ipv4.tcp_keepalive_time to 010: the kernel changed the value to 8; everything else was restored"
    )
    assert now(lab) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"sysctls": {"net.ipv4.nonsense": 1, "net.ipv4.ip_forward": 1}},
            "sysctls: the running kernel has no net.ipv4.nonsense",
        ),
        ({"sysctls": {"net.ipv4.conf": 1}}, "sysctls: net.ipv4.conf is a group of sysctls, not one"),
        (
            {"sysctls": {"nonsense": 1}},
            "sysctls: 'nonsense' is not a valid sysctl name; write it like net.ipv4.ip_forward",
        ),
        ({"conn_tab_bits": 40}, "conn_tab_bits: 40 is not between 8 and 27, nor 0 for the kernel's own choice"),
        (
            {"sysctls": {"net.ipv4.conf.all.mc_forwarding": 1}},
            "cannot set net.ipv4.conf.all.mc_forwarding: it is read-only in the kernel",
        ),
    ],
)
def test_errors_are_told_before_anything_is_touched(lab, before, arguments, message):
    result = lab.module("ipvs_kernel", modules=[], **arguments)
    assert result.failed
    assert result.message == message
    assert now(lab) == before


def test_a_module_that_the_kernel_lacks_is_told_before_anything_is_touched(lab, before):
    for check_mode in (True, False):
        result = lab.module("ipvs_kernel", modules=["no_such_module"], sysctls=SYSCTLS, check_mode=check_mode)
        assert result.failed
        assert result.message.startswith("the running kernel ")
        assert "no_such_module" in result.message
    assert now(lab) == before


def test_missing_rights_and_a_read_only_proc_sys_are_told(lab, before):
    command = [sys.executable, "-m", "ansible_collections.lvs.cluster.plugins.modules.ipvs_kernel"]
    arguments = '{"ANSIBLE_MODULE_ARGS": {"modules": [], "sysctls": {"net.ipv4.ip_forward": 1}}}'
    without = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    assert "root lacks CAP_NET_ADMIN" in lab.run(*without, *command, arguments, check=False)
    readonly = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"
    output = lab.run(*command, arguments, prepare=readonly, check=False)
    assert "cannot set net.ipv4.ip_forward: /proc/sys is read-only here (a container?)" in output
    assert now(lab) == before


def test_a_later_file_is_named(lab, before):
    (lab.scratch / "etc/sysctl.d/99-local.conf").write_text("net/ipv4/ip_forward = 0\n")
    result = lab.module("ipvs_kernel", modules=[], sysctls={"net.ipv4.ip_forward": 1})
    assert "/etc/sysctl.d/99-local.conf sets net.ipv4.ip_forward to 0, and wins at boot" in result.warnings


def test_ip_vs_and_its_sysctls(lab, before, ip_vs):
    sysctls = {"net.ipv4.vs.expire_nodest_conn": 1, "net.ipv4.ip_forward": 1}
    checked = lab.module("ipvs_kernel", modules=["ip_vs", "ip_vs_rr"], sysctls=sysctls, check_mode=True)
    result = lab.module("ipvs_kernel", modules=["ip_vs", "ip_vs_rr"], sysctls=sysctls)
    assert result.changed, result.message
    assert checked.after == result.after
    assert lab.sysctl("net/ipv4/vs/expire_nodest_conn") == "1"
    assert (lab.scratch / "etc/modules-load.d/lvs-cluster.conf").read_text().splitlines()[1:] == ["ip_vs", "ip_vs_rr"]
    assert not lab.module("ipvs_kernel", modules=["ip_vs", "ip_vs_rr"], sysctls=sysctls).changed
    lab.module("ipvs_kernel", state="absent")
    assert lab.sysctl("net/ipv4/vs/expire_nodest_conn") == "0"
    assert lab.tree() == before[1]


def test_a_sysctl_of_ip_vs_that_is_none(lab, before, ip_vs):
    result = lab.module("ipvs_kernel", sysctls={"net.ipv4.vs.nonsense": 1, "net.ipv4.ip_forward": 1})
    assert result.message.startswith("sysctls: the running kernel has no net.ipv4.vs.nonsense")
    assert lab.sysctl("net/ipv4/ip_forward") == "0"
    assert lab.tree() == before[1]
