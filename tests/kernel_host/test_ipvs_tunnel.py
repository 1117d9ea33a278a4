# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipvs_tunnel on a real kernel: what ip shows of it, and what comes out of a tunnel. Needs the tunnels' modules."""

from __future__ import annotations

import pytest

TUNNELS = [
    {"address": "10.9.0.1", "families": ["ipv4", "ipv6"]},
    {"address": "10.9.0.1", "type": "gre", "checksum": "csum"},
    {"address": "10.9.0.1", "type": "gue", "port": 6080},
    {"address": "2001:db8:9::1", "type": "gue", "port": 6081, "families": ["ipv4", "ipv6"]},
    {"address": "2001:db8:9::1", "type": "gre"},
]


def now(lab):
    links = lab.ip(lab.host, "-o", "-details", "link", "show")
    ours = sorted(line.split(": ", 1)[1] for line in links.splitlines() if " lvs-" in line)
    return ours, ports(lab), strictness(lab), lab.tree()


def ports(lab):
    return sorted(lab.run("sh", "-c", "modprobe -a fou fou6; ip fou show").splitlines())


def strictness(lab):
    names = ("all", "default", "link0", "lo")
    return {name: lab.run("cat", f"/proc/sys/net/ipv4/conf/{name}/rp_filter").strip() for name in names}


@pytest.fixture
def strict(lab):
    lab.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter")


@pytest.mark.usefixtures("strict")
def test_tunnels_come_and_go_and_nothing_is_left(lab):
    before = now(lab)
    checked = lab.module("ipvs_tunnel", tunnels=TUNNELS, check_mode=True)
    assert checked.changed, checked.message
    assert now(lab) == before
    done = lab.module("ipvs_tunnel", tunnels=TUNNELS)
    assert done.changed, done.message
    # a kernel module that was not loaded is one that check mode says will be
    assert checked.after == done.after
    links = "\n".join(now(lab)[0])
    for name in ("lvs-ipip0", "lvs-sit0", "lvs-gre0", "lvs-ip6tnl0", "lvs-ip6gre0"):
        assert f"{name}@NONE: <NOARP,UP,LOWER_UP>" in links
    assert ports(lab) == ["port 6080 gue", "port 6081 gue -6"]
    assert strictness(lab) == {"all": "0", "default": "1", "link0": "1", "lo": "1"}
    again = lab.module("ipvs_tunnel", tunnels=TUNNELS)
    assert not again.changed, again.diff()
    assert lab.module("ipvs_tunnel", state="absent").changed
    assert now(lab) == before
    assert not lab.module("ipvs_tunnel", state="absent").changed


def test_an_address_is_given_to_no_device(lab):
    lab.module("ipvs_tunnel", tunnels=TUNNELS)
    shown = lab.ip(lab.host, "-o", "-6", "address", "show", "scope", "link")
    assert " lvs-" not in shown


def test_what_the_boot_unit_does_is_what_the_module_did(lab):
    assert lab.module("ipvs_tunnel", tunnels=TUNNELS).changed
    held = now(lab)
    text = lab.run("cat", "/etc/systemd/system/lvs-cluster-tunnels.service")
    commands = [line.partition("=")[2] for line in text.splitlines() if line.startswith("ExecStart=")]
    lab.ip(lab.host, "link", "delete", "lvs-gre0")
    lab.run("ip", "fou", "del", "port", "6080")
    for command in commands:
        # Those with systemd's minus may be refused where the thing is there already; what they made is compared below.
        wrapped = lab.run("sh", "-c", f"{command.lstrip('-+')}; echo $?")
        assert command.startswith("-") or wrapped.splitlines()[-1] == "0", command
    assert now(lab)[1:] == held[1:]
    assert not lab.module("ipvs_tunnel", tunnels=TUNNELS).changed


@pytest.mark.parametrize(
    ("tunnel", "says"),
    [
        ({"address": "10.9.0.77"}, "tunnels: this host has no address 10.9.0.77"),
        (
            {"address": "10.9.0.1/24"},
            "tunnels[0].address: '10.9.0.1/24' is not an IP address; give it without a prefix length",
        ),
        ({"address": "10.9.0.1", "type": "gue"}, "tunnels[0].port: None is not a UDP port"),
    ],
)
def test_one_sentence_and_nothing_done(lab, tunnel, says):
    before = now(lab)
    result = lab.module("ipvs_tunnel", tunnels=[TUNNELS[0], tunnel] if "77" in says else [tunnel])
    assert result.failed
    assert result.message.startswith(says), result.message
    assert now(lab) == before


def test_a_port_that_is_taken_puts_everything_back(lab):
    before = now(lab)
    program = "import socket; s = socket.socket(2, 2); s.bind(('', 6080)); print(1, flush=1); input()"
    holder = lab.start_process("python3", "-c", program)
    try:
        assert holder.stdout.readline()
        result = lab.module("ipvs_tunnel", tunnels=TUNNELS)
    finally:
        holder.communicate("\n")
    assert result.failed
    assert "cannot add the port ipv4 udp port 6080 gue: Address already in use; everything" in result.message
    assert now(lab) == before


@pytest.mark.parametrize("umask", ["027", "077"])
def test_modes_do_not_depend_on_the_umask(lab, umask):
    result = lab.module("ipvs_tunnel", prepare=f"umask {umask}", tunnels=TUNNELS[:3])
    assert result.changed, result.message
    assert set(lab.modes().values()) == {"drwxr-xr-x", "-rw-r--r--", "-rw-------"}


@pytest.mark.usefixtures("strict")
def test_without_purge_tunnels_come_and_none_goes(lab):
    lab.module("ipvs_tunnel", tunnels=TUNNELS[:3])
    former = now(lab)[0]
    # gre has its checksum until the directors send without
    wanted = [{"address": "10.9.0.1", "type": "gre"}, {"address": "2001:db8:9::1"}]
    done = lab.module("ipvs_tunnel", tunnels=wanted, purge=False)
    assert done.changed, done.message
    assert set(former) < set(now(lab)[0])
    assert ports(lab) == ["port 6080 gue"]
    assert done.raw["leftovers"]
    assert not lab.module("ipvs_tunnel", tunnels=wanted, purge=False).changed
    assert lab.module("ipvs_tunnel", tunnels=wanted).changed
    again = lab.module("ipvs_tunnel", tunnels=wanted, purge=False)
    assert (again.changed, again.raw["leftovers"]) == (False, [])
    assert ports(lab) == []
