# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both modules from their arguments to files, on a host that is a directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import target
from ansible_collections.lvs.cluster.plugins.module_utils._host.arp import converge_silence, parse_silence
from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import Outcome
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.network import Addresses
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import Address
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import Target
from ansible_collections.lvs.cluster.plugins.module_utils._host.tuning import converge_kernel, parse_settings

Tree = dict[str, str]


class KnownAddresses(Addresses):
    """Addresses in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.held = {Address("10.0.0.2", 24, "eth0")}

    def read(self) -> frozenset[Address]:
        return frozenset(self.held)

    def add(self, address: Address) -> None:
        self.held.add(address)

    def remove(self, address: Address) -> None:
        self.held.discard(address)


class Machine:
    """A host in a directory: /proc/sys is made of plain files, modprobe and systemctl are played."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands: list[str] = []
        self.addresses = KnownAddresses()
        self.modprobe: Callable[[], None] = self.bring_ip_vs
        for directory in (
            "etc/sysctl.d",
            "etc/modules-load.d",
            "etc/modprobe.d",
            "etc/systemd/system",
            "var/lib",
            "sys",
        ):
            (root / directory).mkdir(parents=True)
        (root / "run/systemd/system").mkdir(parents=True)
        (root / "lib/modules" / os.uname().release).mkdir(parents=True)
        self.set("net/ipv4/ip_forward", "0")
        self.set("net/ipv6/conf/lo/disable_ipv6", "0")
        for name in ("all", "lo", "eth0"):
            self.set(f"net/ipv4/conf/{name}/arp_ignore", "0")
            self.set(f"net/ipv4/conf/{name}/arp_announce", "0")

    def set(self, key: str, value: str) -> None:
        path = self.root / "proc/sys" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")

    def get(self, key: str) -> str:
        return (self.root / "proc/sys" / key).read_text().strip()

    def bring_ip_vs(self) -> None:
        (self.root / "sys/module/ip_vs/parameters").mkdir(parents=True)
        (self.root / "sys/module/ip_vs/parameters/conn_tab_bits").write_text("12\n")
        self.set("net/ipv4/vs/conntrack", "0")

    def run(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(" ".join(command))
        wants = self.root / "etc/systemd/system/multi-user.target.wants"
        if command == ["modprobe", "--", "ip_vs"]:
            self.modprobe()
        if command[:2] == ["systemctl", "enable"]:
            wants.mkdir(exist_ok=True)
            (wants / command[2]).symlink_to(f"/etc/systemd/system/{command[2]}")
        if command[:2] == ["systemctl", "disable"]:
            (wants / command[-1]).unlink()
            wants.rmdir()
        return 0, "", ""

    def target(self) -> Target:
        return Target(self.run, str(self.root), str(self.root), self.addresses)

    def kernel(self, state: str = "present", check_mode: bool = False, **options: Any) -> Outcome:
        wanted = parse_settings(
            state == "present",
            options.get("modules", ["ip_vs"]),
            options.get("conn_tab_bits"),
            options.get("sysctls"),
            options.get("defence_threshold", False),
        )
        return converge_kernel(self.target(), wanted, check_mode)

    def silence(self, *vips: str, state: str = "present", check_mode: bool = False, persist: bool = True) -> Outcome:
        return converge_silence(self.target(), parse_silence(state == "present", vips, "lo", (), persist), check_mode)

    def files(self) -> Tree:
        """Everything below /etc and /var: path to text, or to nothing for a directory."""
        found = {}
        for top in ("etc", "var"):
            for path in sorted((self.root / top).rglob("*")):
                name = "/" + str(path.relative_to(self.root))
                found[name] = path.read_text() if path.is_file() and not path.is_symlink() else ""
        return found


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


SYSCTLS = {"net.ipv4.vs.conntrack": 1, "net.ipv4.ip_forward": 1}


def test_the_kernel_is_set_up_and_put_back(machine: Machine) -> None:
    before = machine.files()
    predicted = machine.kernel(sysctls=SYSCTLS, conn_tab_bits=12, check_mode=True)
    assert machine.files() == before
    assert "modprobe -- ip_vs" not in machine.commands
    outcome = machine.kernel(sysctls=SYSCTLS, conn_tab_bits=12)
    assert outcome == predicted
    assert outcome.changed
    assert machine.get("net/ipv4/vs/conntrack") == "1"
    again = machine.kernel(sysctls=SYSCTLS, conn_tab_bits=12)
    assert not again.changed
    assert again.before == again.after == outcome.after
    assert machine.kernel(state="absent").changed
    assert machine.files() == before
    assert machine.get("net/ipv4/vs/conntrack") == "0"
    assert machine.get("net/ipv4/ip_forward") == "0"
    assert not machine.kernel(state="absent").changed


def test_the_threshold_of_the_flood_defence_is_the_hosts_own(machine: Machine) -> None:
    zones = "Node 0, zone Normal\n  pages free 9000\n        min      {}\n        low      500\n"
    (machine.root / "proc" / "zoneinfo").write_text(zones.format(400))
    machine.set("net/ipv4/vs/amemthresh", "1024")
    before = machine.files()
    assert machine.kernel(sysctls={}, defence_threshold=True, check_mode=True).changed
    assert machine.kernel(sysctls={}, defence_threshold=True).changed
    assert machine.get("net/ipv4/vs/amemthresh") == "450"
    assert "amemthresh" in machine.files()["/etc/sysctl.d/90-lvs-cluster.conf"]
    (machine.root / "proc" / "zoneinfo").write_text(zones.format(410))  # a little more at the next boot
    assert not machine.kernel(sysctls={}, defence_threshold=True).changed
    machine.kernel(sysctls={"net.ipv4.vs.amemthresh": 5000}, defence_threshold=True)
    assert machine.get("net/ipv4/vs/amemthresh") == "5000", "a value of one's own wins"
    machine.kernel(state="absent", defence_threshold=True)
    assert (machine.get("net/ipv4/vs/amemthresh"), machine.files()) == ("1024", before)


def test_a_size_that_has_to_wait_is_told(machine: Machine) -> None:
    assert machine.kernel(conn_tab_bits=20).warnings == (
        "conn_tab_bits: ip_vs runs with 12, not 20; the new value takes effect when ip_vs is loaded again,"
        " at the next boot at the latest",
    )


@pytest.mark.parametrize(("running", "warns"), [("17", False), ("16", True)])
def test_a_size_that_the_kernel_has_lowered_is_not(machine: Machine, running: str, warns: bool) -> None:
    (machine.root / "proc/zoneinfo").write_text("Node 0, zone DMA\n        managed  71680\n")
    machine.bring_ip_vs()
    (machine.root / "sys/module/ip_vs/parameters/conn_tab_bits").write_text(f"{running}\n")
    assert bool(machine.kernel(conn_tab_bits=18).warnings) is warns


def test_a_size_that_is_built_in_is_told(machine: Machine) -> None:
    builtin = machine.root / "lib/modules" / os.uname().release / "modules.builtin"
    builtin.write_text("kernel/net/netfilter/ipvs/ip_vs.ko\n")
    machine.bring_ip_vs()
    (warning,) = machine.kernel(conn_tab_bits=20).warnings
    assert warning.endswith("so put ip_vs.conn_tab_bits=20 on its command line")


def test_a_kernel_without_ip_vs_is_told_before_anything_is_touched(machine: Machine) -> None:
    before = machine.files()

    def refuse(command: list[str]) -> tuple[int, str, str]:
        return (1, "", "") if "--dry-run" in command else (0, "", "")

    target = Target(refuse, str(machine.root), str(machine.root))
    with pytest.raises(HostError, match="has no module ip_vs; install the distribution's full kernel"):
        converge_kernel(target, parse_settings(True, ["ip_vs"], 20, SYSCTLS), check_mode=True)
    assert machine.files() == before


def test_vips_are_put_on_and_everything_put_back(machine: Machine) -> None:
    before = machine.files()
    held_before = set(machine.addresses.held)
    predicted = machine.silence("192.0.2.10", "2001:db8::10", check_mode=True)
    assert machine.files() == before
    outcome = machine.silence("192.0.2.10", "2001:db8::10")
    assert outcome == predicted
    assert machine.commands == ["systemctl enable lvs-cluster-vips.service"]
    assert Address("192.0.2.10", 32, "lo") in machine.addresses.held
    assert machine.get("net/ipv4/conf/all/arp_ignore") == "1"
    again = machine.silence("2001:DB8::10", "192.0.2.10")
    assert not again.changed
    assert again.before == again.after == outcome.after
    assert machine.silence(state="absent").changed
    assert machine.files() == before
    assert machine.addresses.held == held_before
    assert machine.get("net/ipv4/conf/all/arp_ignore") == "0"


def test_the_two_modules_share_a_directory(machine: Machine) -> None:
    before = machine.files()
    machine.kernel(sysctls=SYSCTLS)
    machine.silence("192.0.2.10")
    machine.kernel(state="absent")
    assert "/var/lib/lvs-cluster/arp_silence.json" in machine.files()
    assert not machine.silence("192.0.2.10").changed
    machine.silence(state="absent")
    assert machine.files() == before


def test_persist_needs_systemd_and_ip(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "has_command", lambda name: False)
    with pytest.raises(HostError, match=r"^persist: the command ip is missing"):
        machine.silence("192.0.2.10", check_mode=True)
    (machine.root / "run/systemd/system").rmdir()
    with pytest.raises(HostError, match=r"^persist: systemd does not run on this host .* set persist to false"):
        machine.silence("192.0.2.10", check_mode=True)
    assert machine.silence("192.0.2.10", persist=False).changed


def test_a_conflict_at_boot_is_told_by_both(machine: Machine) -> None:
    (machine.root / "etc/sysctl.d/99-x.conf").write_text("net.ipv4.ip_forward=0\nnet.ipv4.conf.all.arp_ignore=0\n")
    assert [warning.split(" ")[2] for warning in machine.kernel(sysctls=SYSCTLS).warnings] == ["net.ipv4.ip_forward"]
    (warning,) = machine.silence("192.0.2.10").warnings
    assert warning.startswith("/etc/sysctl.d/99-x.conf sets net.ipv4.conf.all.arp_ignore to 0, and wins at boot")
