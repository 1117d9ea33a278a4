# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""arp_silence on a real kernel, watched from a neighbour on the link."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

VIPS = ["192.0.2.10", "192.0.2.11", "2001:db8::10"]
HELD = {"192.0.2.10/32 lo", "192.0.2.11/32 lo", "2001:db8::10/128 lo"}
IGNORE, ANNOUNCE = "net/ipv4/conf/all/arp_ignore", "net/ipv4/conf/all/arp_announce"


@pytest.fixture(name="before")
def _before(lab):
    return lab.addresses(), lab.sysctls(), lab.tree()


def now(lab):
    return lab.addresses(), lab.sysctls(), lab.tree()


def test_the_probe_would_notice(lab, neighbour):
    assert neighbour.hears("10.9.0.1")
    assert neighbour.hears("2001:db8:9::1")
    assert not neighbour.hears("192.0.2.10")
    lab.ip(lab.host, "address", "add", "192.0.2.10/32", "dev", "lo")
    assert neighbour.hears("192.0.2.10"), "a VIP on lo is answered for, without silence"


def test_a_vip_comes_and_goes_and_nobody_hears_of_it(lab, watch, before):
    with watch(*VIPS) as seen:
        checked = lab.module("arp_silence", vips=VIPS, check_mode=True)
        assert now(lab) == before
        result = lab.module("arp_silence", vips=VIPS)
        assert result.changed, result.message
        assert (checked.before, checked.after) == (result.before, result.after)
        assert lab.addresses() - before[0] == HELD
        again = lab.module("arp_silence", vips=VIPS)
        assert (again.changed, again.before) == (False, again.after)
        assert again.after == result.after
        assert lab.module("arp_silence", state="absent").changed
    assert now(lab) == before
    assert seen.wrong == []
    assert seen.heard_control > 50
    assert lab.calls() == [
        "enable lvs-cluster-vips.service",
        "disable --now lvs-cluster-vips.service",
        "daemon-reload",
    ]
    assert not lab.module("arp_silence", state="absent").changed


def test_no_step_is_heard_whichever_operation_fails(lab, neighbour, step_script, before):
    process = lab.start_process(sys.executable, step_script, *VIPS)
    start = before
    ends = []
    steps = 0
    for line in process.stdout:
        for vip in VIPS:
            assert not neighbour.hears(vip), f"{vip} is answered for after: {line}"
        steps += 1
        if line.startswith("failed: "):
            ends.append(line.strip())
            assert now(lab) == start, f"not undone after: {line}"
        elif line.startswith("done"):
            ends.append("done")
            start = now(lab)
            if ends.count("done") == 1:
                assert start[0] - before[0] == HELD
        process.stdin.write("\n")
        process.stdin.flush()
    process.communicate()
    assert ends.count("done") == 2
    assert now(lab) == before
    assert steps > 150
    # Every operation of both ways failed once, and was named.
    assert sum("injected; everything else was restored" in end for end in ends) == len(ends) - 4
    assert sum("injected; nothing was changed" in end for end in ends) == 2
    assert any(end.startswith("failed: cannot add the address 192.0.2.10/32 dev lo") for end in ends)
    assert any(end.startswith("failed: cannot remove the address 2001:db8::10/128 dev lo") for end in ends)


def test_the_list_is_the_desired_state(lab, watch):
    with watch(*VIPS) as seen:
        lab.module("arp_silence", vips=VIPS[:1])
        result = lab.module("arp_silence", vips=VIPS[1:])
        assert "-address 192.0.2.10/32 dev lo" in result.diff()
        assert lab.addresses() & HELD == {"192.0.2.11/32 lo", "2001:db8::10/128 lo"}
    assert seen.wrong == []
    assert lab.calls() == ["enable lvs-cluster-vips.service", "daemon-reload"]


def test_a_vip_that_was_there_stays_unless_it_is_listed(lab):
    lab.ip(lab.host, "address", "add", "192.0.2.10/32", "dev", "lo")
    lab.module("arp_silence", vips=VIPS)
    result = lab.module("arp_silence", state="absent")
    assert lab.addresses() & HELD == {"192.0.2.10/32 lo"}
    assert "192.0.2.10 was on lo before and stays there" in result.warnings
    lab.module("arp_silence", state="absent", vips=VIPS)
    assert lab.addresses() & HELD == set()


def test_what_the_boot_unit_does_is_what_the_module_did(lab, watch, before):
    lab.module("arp_silence", vips=VIPS)
    held = now(lab)
    details = lab.ip(lab.host, "-o", "address", "show", "dev", "lo")
    unit = (lab.scratch / "etc/systemd/system/lvs-cluster-vips.service").read_text()
    lab.module("arp_silence", state="absent")
    words = "".join(line + "\n" for line in re.findall(r"^StandardInputText=(.*)$", unit, re.M))
    with watch(*VIPS) as seen:
        for _number in range(2):  # at boot, and when it is started by hand later
            for command in re.findall(r"^ExecStart=(.*)$", unit, re.M):
                subprocess.run(
                    ["ip", "netns", "exec", lab.host, "sh", "-c", command],
                    input=words,
                    text=True,
                    check=True,
                )
    assert now(lab)[:2] == held[:2]
    assert lab.ip(lab.host, "-o", "address", "show", "dev", "lo") == details
    assert seen.wrong == []


def test_the_kernel_does_not_choose_a_vip_as_its_source(lab):
    lab.ip(lab.host, "link", "add", "bare0", "type", "veth", "peer", "name", "bare1")
    lab.ip(lab.host, "link", "set", "bare0", "up")
    lab.ip(lab.host, "link", "set", "bare1", "up")
    lab.ip(lab.host, "route", "add", "203.0.113.0/24", "dev", "bare0")
    lab.module("arp_silence", vips=VIPS)
    assert "src 10.9.0.1" in lab.ip(lab.host, "route", "get", "203.0.113.1")
    assert "src 2001:db8:9::1" in lab.ip(lab.host, "-6", "route", "get", "2001:db8:9::2")
    assert "deprecated" in lab.ip(lab.host, "-6", "address", "show", "dev", "lo")
    lab.module("arp_silence", state="absent")
    lab.ip(lab.host, "address", "add", "192.0.2.10/32", "dev", "lo")
    assert "src 192.0.2.10" in lab.ip(lab.host, "route", "get", "203.0.113.1"), "with global scope it does"


def test_a_server_on_a_vip_is_reached_and_answers_from_it(lab):
    lab.module("arp_silence", vips=VIPS)
    lab.ip(lab.next, "route", "add", "192.0.2.10/32", "via", "10.9.0.1")
    lab.ip(lab.next, "-6", "route", "add", "2001:db8::10/128", "via", "2001:db8:9::1")
    for vip, family in (("192.0.2.10", "AF_INET"), ("2001:db8::10", "AF_INET6")):
        serve = (
            f"import socket; s = socket.socket(socket.{family}); s.bind(('{vip}', 8080)); s.listen(1);"
            "print('up', flush=True); c, _ = s.accept(); c.sendall(c.getsockname()[0].encode())"
        )
        server = lab.start_process(sys.executable, "-c", serve)
        assert server.stdout.readline() == "up\n"
        code = f"import socket; print(socket.create_connection(('{vip}', 8080), 5).recv(99).decode())"
        answer = subprocess.run(
            ["ip", "netns", "exec", lab.next, sys.executable, "-c", code], stdout=subprocess.PIPE, check=True
        )
        server.communicate()
        assert answer.stdout.decode().strip() == vip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"vips": ["192.0.2.10/32"]}, ["vips: '192.0.2.10/32' is not an IP address"]),
        ({"vips": ["10.9.0.1"]}, ["10.9.0.1 is already on link0", "director"]),
        ({"vips": ["192.0.2.10"], "interface": "dummy9"}, ["interface: this host has no interface dummy9"]),
        ({"vips": ["192.0.2.10"], "ingress": ["eth9"]}, ["ingress: this host has no interface eth9"]),
        ({}, ["state is present but all of the following are missing: vips"]),
    ],
)
def test_errors_are_told_before_anything_is_touched(lab, before, arguments, words):
    result = lab.module("arp_silence", **arguments)
    assert result.failed
    assert all(word in result.message for word in words), result.message
    assert "\n" not in result.message
    assert now(lab) == before


def test_an_interface_that_would_answer_all_the_same_is_named(lab, neighbour):
    lab.sysctl("net/ipv4/conf/link0/arp_ignore", "3")
    result = lab.module("arp_silence", vips=VIPS)
    assert "net.ipv4.conf.link0.arp_ignore is 3" in result.message
    assert not lab.module("arp_silence", vips=VIPS, ingress=["link0"]).failed
    assert not neighbour.hears("192.0.2.10")
    lab.module("arp_silence", state="absent")
    assert lab.sysctl("net/ipv4/conf/link0/arp_ignore") == "3"


def test_without_ipv6_a_v4_vip_goes_on_and_a_v6_vip_is_refused(lab):
    lab.sysctl("net/ipv6/conf/lo/disable_ipv6", "1")
    assert "net.ipv6.conf.lo.disable_ipv6 is 1" in lab.module("arp_silence", vips=VIPS).message
    assert lab.module("arp_silence", vips=VIPS[:2]).changed


def test_without_systemd_persist_false_is_the_way_out(lab, before):
    result = lab.module("arp_silence", vips=VIPS, systemd=False)
    assert result.message.startswith("persist: systemd does not run on this host")
    assert now(lab) == before
    assert lab.module("arp_silence", vips=VIPS, persist=False, systemd=False).changed
    assert lab.calls() == []


def test_a_read_only_proc_sys_is_told_before_anything_is_touched(lab, before):
    readonly = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"
    for check_mode in (True, False):
        result = lab.module("arp_silence", vips=VIPS, prepare=readonly, check_mode=check_mode)
        assert result.message == ("cannot set net.ipv4.conf.all.arp_ignore: /proc/sys is read-only here (a container?)")
    assert now(lab) == before


def test_missing_rights_are_told(lab, before):
    arguments = '{"ANSIBLE_MODULE_ARGS": {"vips": ["192.0.2.10"]}}'
    command = [sys.executable, "-m", "ansible_collections.lvs.cluster.plugins.modules.arp_silence", arguments]
    without = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    assert "root lacks CAP_NET_ADMIN" in lab.run(*without, *command, check=False)
    assert now(lab) == before


def test_missing_pyroute2_is_told_with_its_package_after_what_is_wrong_with_the_arguments(lab, tmp_path):
    (tmp_path / "empty/pyroute2").mkdir(parents=True)
    (tmp_path / "empty/pyroute2/__init__.py").write_text("raise ImportError('not here')\n")
    prepare = f"export PYTHONPATH={tmp_path}/empty:$PYTHONPATH"
    result = lab.module("arp_silence", vips=VIPS, prepare=prepare, check_mode=True)
    assert "pyroute2" in result.message
    assert "python3-pyroute2" in result.message
    assert "lvs_install_packages" in result.message
    assert "is not an IP address" in lab.module("arp_silence", vips=["web"], prepare=prepare).message


def test_an_interface_with_a_dot_in_its_name(lab, neighbour):
    """As VLANs have it; a name with dots in place of slashes would be about another interface."""
    lab.ip(lab.host, "link", "set", "dev", "link0", "down")
    lab.ip(lab.host, "link", "set", "dev", "link0", "name", "link0.7", "up")
    lab.sysctl("net/ipv4/conf/link0.7/arp_ignore", "4")
    result = lab.module("arp_silence", vips=VIPS, ingress=["link0.7"])
    assert result.changed, result.message
    assert not any(neighbour.hears(vip) for vip in VIPS)
    assert lab.sysctl("net/ipv4/conf/link0.7/arp_ignore") == "1"
    text = lab.run("cat", "/etc/sysctl.d/91-lvs-cluster-arp.conf")
    assert "net/ipv4/conf/link0.7/arp_ignore = 1\n" in text
    assert not lab.module("arp_silence", vips=VIPS, ingress=["link0.7"]).changed
    lab.module("arp_silence", state="absent")
    assert lab.sysctl("net/ipv4/conf/link0.7/arp_ignore") == "4"


def test_vips_on_another_interface_than_lo(lab, watch, before):
    lab.ip(lab.host, "link", "add", "vips.1", "type", "veth", "peer", "name", "vips-end")
    lab.ip(lab.host, "link", "set", "dev", "vips.1", "up")
    with watch(*VIPS) as seen:
        result = lab.module("arp_silence", vips=VIPS, interface="vips.1")
        assert result.changed, result.message
        assert lab.addresses() - before[0] == {held.replace(" lo", " vips.1") for held in HELD}
        text = lab.run("cat", "/etc/systemd/system/lvs-cluster-vips.service")
        assert "Requires=sys-subsystem-net-devices-vips.1.device\n" in text
        assert not lab.module("arp_silence", vips=VIPS, interface="vips.1").changed
        lab.module("arp_silence", state="absent", interface="vips.1")
    assert seen.wrong == []
    lab.ip(lab.host, "link", "delete", "dev", "vips.1")
    assert now(lab) == before
