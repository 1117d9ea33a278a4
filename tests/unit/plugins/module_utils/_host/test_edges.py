# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, units, kernel modules and /proc/sys, on directories of the test's own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.lvs.cluster.plugins.module_utils._host import files, process, running_kernel
from ansible_collections.lvs.cluster.plugins.module_utils._host.arp import vips_unit
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.process import RunCommand, booted, runner
from ansible_collections.lvs.cluster.plugins.module_utils._host.running_kernel import KernelModules
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import Unit, escape
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import Systemd


class Commands:
    """Answers commands and remembers them; those in failing end with status 1 and this text."""

    def __init__(self, failing: dict[str, str] | None = None) -> None:
        self.seen: list[str] = []
        self.failing = failing or {}

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        line = " ".join(command)
        self.seen.append(line)
        return (1, "", self.failing[line]) if line in self.failing else (0, "", "")


def test_a_file_is_written_with_its_mode_and_missing_directories(tmp_path: Path) -> None:
    path = tmp_path / "a/b/c"
    assert files.write_text(str(path), "text", 0o600) == [str(tmp_path / "a"), str(tmp_path / "a/b")]
    assert path.read_text() == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    assert files.write_text(str(path), "other") == []
    assert files.read_text(str(path)) == "other"
    assert os.listdir(path.parent) == ["c"]


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a/b/c"
    files.write_text(str(path), "text", mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert {stat.S_IMODE(parent.stat().st_mode) for parent in (path.parent, path.parent.parent)} == {0o755}


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(HostError, match="cannot make the directory"):
        files.write_text(str(tmp_path / "a/b/c"), "text")
    (tmp_path / "d/e").mkdir(parents=True)
    with pytest.raises(HostError, match=f"cannot write {tmp_path}/d/e: Is a directory"):
        files.write_text(str(tmp_path / "d/e"), "text")
    assert sorted(os.listdir(tmp_path / "d")) == ["e"]


def test_removing_is_idempotent(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff")
    assert files.read_text(str(path)) == "\udcff"
    assert files.remove_file(str(path))
    assert not files.remove_file(str(path))
    assert files.read_bytes(str(path)) is None
    with pytest.raises(HostError, match="cannot read"):
        files.read_bytes(str(tmp_path))
    with pytest.raises(HostError, match="cannot remove"):
        files.remove_file(str(tmp_path))


def test_only_empty_directories_go(tmp_path: Path) -> None:
    made = files.make_directories(str(tmp_path / "a/b"))
    (tmp_path / "a/x").write_text("")
    files.remove_empty_directories(made)
    assert os.listdir(tmp_path / "a") == ["x"]


@pytest.fixture(name="unit_directory")
def _unit_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "etc/systemd/system"
    (directory / "multi-user.target.wants").mkdir(parents=True)
    return directory


def enable(directory: Path, name: str = "x.service") -> None:
    (directory / "multi-user.target.wants" / name).symlink_to(f"../{name}")


def test_installing_a_unit_takes_one_call(tmp_path: Path, unit_directory: Path) -> None:
    commands = Commands()
    systemd = Systemd(str(tmp_path), commands)
    assert systemd.read("x.service") is None
    systemd.change("x.service", None, Unit("text"))
    assert commands.seen == ["systemctl enable x.service"]
    assert systemd.read("x.service") == Unit("text", enabled=False)
    enable(unit_directory)
    assert systemd.read("x.service") == Unit("text", enabled=True)


def test_a_new_text_takes_one_call_and_an_old_one_none(tmp_path: Path, unit_directory: Path) -> None:
    commands = Commands()
    systemd = Systemd(str(tmp_path), commands)
    (unit_directory / "x.service").write_text("old")
    systemd.change("x.service", Unit("old"), Unit("old"))
    assert commands.seen == []
    systemd.change("x.service", Unit("old"), Unit("new"))
    assert commands.seen == ["systemctl daemon-reload"]
    assert (unit_directory / "x.service").read_text() == "new"
    systemd.change("x.service", Unit("new"), Unit("new", enabled=False))
    assert commands.seen[1:] == ["systemctl disable x.service"]


def test_removing_a_unit_takes_its_file_too(tmp_path: Path, unit_directory: Path) -> None:
    commands = Commands()
    (unit_directory / "x.service").write_text("text")
    Systemd(str(tmp_path), commands).change("x.service", Unit("text"), None)
    assert commands.seen == ["systemctl disable --now x.service", "systemctl daemon-reload"]
    assert not (unit_directory / "x.service").exists()
    Systemd(str(tmp_path), commands).change("x.service", None, None)
    assert len(commands.seen) == 2


DROP_IN = "nftables.service.d/lvs-cluster-x.conf"


def test_a_drop_in_comes_and_goes(tmp_path: Path, unit_directory: Path) -> None:
    commands = Commands()
    systemd = Systemd(str(tmp_path), commands)
    drop_in = Unit("text", enabled=False)
    systemd.change(DROP_IN, None, drop_in)
    assert systemd.read(DROP_IN) == drop_in
    systemd.change(DROP_IN, drop_in, None)
    assert systemd.read(DROP_IN) is None
    assert commands.seen == ["systemctl daemon-reload"] * 2
    assert not (unit_directory / "nftables.service.d").exists()


def test_drop_ins_of_others_stay(tmp_path: Path, unit_directory: Path) -> None:
    systemd = Systemd(str(tmp_path), Commands())
    systemd.change(DROP_IN, None, Unit("text", enabled=False))
    (unit_directory / "nftables.service.d/other.conf").touch()
    systemd.change(DROP_IN, Unit("text", enabled=False), None)
    assert os.listdir(unit_directory / "nftables.service.d") == ["other.conf"]


@pytest.mark.parametrize("hierarchy", ["", "systemd/"], ids=["version 2", "version 1"])
def test_a_unit_that_is_to_run(tmp_path: Path, unit_directory: Path, hierarchy: str) -> None:
    commands = Commands()
    systemd = Systemd(str(tmp_path), commands)
    text = "[Service]\nType=exec\n"
    systemd.change("x.service", None, Unit(text, running=True))
    assert commands.seen == ["systemctl enable --now x.service"]
    enable(unit_directory)
    assert systemd.read("x.service") == Unit(text, running=False)
    group = tmp_path / f"sys/fs/cgroup/{hierarchy}system.slice/x.service"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("")
    assert systemd.read("x.service") == Unit(text, running=False)
    systemd.change("x.service", Unit(text, running=False), Unit(text, running=True))
    assert commands.seen[1:] == ["systemctl restart x.service"]
    (group / "cgroup.procs").write_text("7\n")
    assert systemd.read("x.service") == Unit(text, running=True)
    systemd.change("x.service", Unit(text, running=True), Unit(text + "#", running=True))
    assert commands.seen[2:] == ["systemctl daemon-reload", "systemctl restart x.service"]


@pytest.mark.parametrize("before", [None, Unit("old", enabled=False)])
def test_a_unit_that_cannot_be_enabled_is_as_before(tmp_path: Path, unit_directory: Path, before: Unit | None) -> None:
    if before is not None:
        (unit_directory / "x.service").write_text(before.text)
    systemd = Systemd(str(tmp_path), Commands({"systemctl enable x.service": "warning\nFailed: no bus"}))
    with pytest.raises(HostError, match=r"^systemctl enable x.service failed: Failed: no bus$"):
        systemd.change("x.service", before, Unit("new"))
    assert systemd.read("x.service") == before


def test_booted_is_told_from_its_directory(tmp_path: Path) -> None:
    assert not booted(str(tmp_path))
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert booted(str(tmp_path))


@pytest.fixture(name="run")
def _run() -> Iterator[RunCommand]:
    with patch_module_args({}):
        yield runner(AnsibleModule(argument_spec={}))


def test_commands_run_without_a_shell(run: RunCommand) -> None:
    assert run(["printf", "%s", "a b; c $HOME ~"]) == (0, "a b; c $HOME ~", "")
    assert run(["printf", "\\377"]) == (0, "\ufffd", "")


def test_a_command_that_cannot_be_started_has_a_status_too(run: RunCommand) -> None:
    assert run(["no-such-command-here"]) == (127, "", "no-such-command-here: No such file or directory")


def test_commands_run_in_english_and_find_what_is_in_sbin(run: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    _status, output, _errors = run(["sh", "-c", 'printf "%s %s" "$LC_ALL" "$PATH"'])
    assert output.startswith("C ")
    assert output.endswith(":/usr/local/sbin:/usr/sbin:/sbin")


@pytest.mark.parametrize(("name", "escaped"), [("eth0", "eth0"), ("br-lan.5", "br\\x2dlan.5"), (".x", "\\x2ex")])
def test_names_are_escaped_as_systemd_does(name: str, escaped: str) -> None:
    assert escape(name) == escaped


def test_the_unit_is_silent_before_it_adds() -> None:
    lines = vips_unit("Header.", "lo", ["192.0.2.1", "2001:db8::1"]).text.splitlines()
    silence = next(number for number, line in enumerate(lines) if "arp_ignore" in line)
    assert silence < lines.index("ExecStart=ip -force -batch -")
    assert "After=systemd-sysctl.service" in lines
    assert "StandardInputText=address replace 192.0.2.1/32 dev lo scope host" in lines
    assert "StandardInputText=address replace 2001:db8::1/128 dev lo nodad preferred_lft 0" in lines


def test_the_unit_waits_for_an_interface_that_is_not_there_from_the_start() -> None:
    text = vips_unit("Header.", "dummy-0", ["192.0.2.1"]).text
    assert "Requires=sys-subsystem-net-devices-dummy\\x2d0.device\n" in text
    assert "After=systemd-sysctl.service sys-subsystem-net-devices-dummy\\x2d0.device\n" in text


@pytest.fixture(name="kernel")
def _kernel(tmp_path: Path) -> Path:
    release = os.uname().release
    for directory in ("sys/module/ip_vs/parameters", f"lib/modules/{release}", "proc/sys/net/ipv4/conf/all"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "sys/module/ip_vs/parameters/conn_tab_bits").write_text("12\n")
    (tmp_path / f"lib/modules/{release}/modules.builtin").write_text("kernel/net/netfilter/ipvs/ip-vs_rr.ko\n")
    return tmp_path


def test_modules_are_told_by_their_effect(kernel: Path) -> None:
    modules = KernelModules(str(kernel), Commands())
    assert modules.available("ip_vs")
    assert modules.available("ip_vs_rr"), "built in"
    assert not modules.available("ip_vs_wrr")
    assert modules.parameter("ip_vs", "conn_tab_bits") == "12"
    assert modules.parameter("ip_vs_wrr", "x") is None


def test_a_module_that_does_not_load_is_explained(kernel: Path, tmp_path: Path) -> None:
    missing = Commands({"modprobe --dry-run --quiet -- ip_vs_wrr": ""})
    with pytest.raises(HostError) as error:
        KernelModules(str(kernel), missing).require_loadable("ip_vs_wrr")
    assert str(error.value) == (
        f"the running kernel {os.uname().release} has no module ip_vs_wrr;"
        " install the distribution's full kernel (some cloud and minimal kernels lack it)"
    )
    with pytest.raises(HostError, match="is missing: boot the kernel that is installed"):
        KernelModules(str(tmp_path / "nowhere"), missing).require_loadable("ip_vs_wrr")
    refused = Commands({"modprobe -- ip_vs_wrr": "modprobe: ERROR: could not insert 'ip_vs_wrr': Key was rejected"})
    with pytest.raises(HostError, match="Key was rejected"):
        KernelModules(str(kernel), refused).load("ip_vs_wrr")
    with pytest.raises(HostError, match="is an alias; list the module itself"):
        KernelModules(str(kernel), Commands()).load("ip_vs_wrr")
    without_kmod = KernelModules(str(kernel), lambda command: (127, "", "modprobe: No such file or directory"))
    with pytest.raises(HostError, match=r"No such file or directory \(package kmod\)"):
        without_kmod.require_loadable("ip_vs_wrr")


def test_sysctls_are_read_and_written(kernel: Path) -> None:
    proc = str(kernel / "proc")
    key = "net/ipv4/tcp_rmem"
    (kernel / "proc/sys" / key).write_text("1\t2\t3\n")
    assert running_kernel.read_sysctls([key, "net/ipv4/none", "net/ipv4/tcp_rmem/x"], proc) == {
        key: "1 2 3",
        "net/ipv4/none": None,
        "net/ipv4/tcp_rmem/x": None,
    }
    running_kernel.write_sysctl(key, "4 5 6", proc)
    assert running_kernel.read_sysctls([key], proc) == {key: "4 5 6"}
    with pytest.raises(HostError, match=r"net\.ipv4\.conf is a group of sysctls"):
        running_kernel.read_sysctls(["net/ipv4/conf"], proc)
    assert running_kernel.read_interfaces(proc) == ()


def test_sysctl_files_are_found_by_name(tmp_path: Path) -> None:
    for path in (
        "etc/sysctl.d/50-a.conf",
        "usr/lib/sysctl.d/50-a.conf",
        "run/sysctl.d/60-b.conf",
        "etc/sysctl.d/README",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    assert sorted(running_kernel.read_sysctl_files(str(tmp_path))) == [
        ("/etc/sysctl.d/50-a.conf", "etc/sysctl.d/50-a.conf"),
        ("/run/sysctl.d/60-b.conf", "run/sysctl.d/60-b.conf"),
    ]


@pytest.mark.parametrize(
    ("user", "capabilities", "sentence"),
    [
        (1000, "0000000000000000", "this module has to run as root on the managed host: set become to true"),
        (
            0,
            "00000000a80425fb",
            "root lacks CAP_NET_ADMIN here (a container?): start the container with --cap-add NET_ADMIN",
        ),
    ],
)
def test_missing_rights_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, capabilities: str, sentence: str
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text(f"Name:\tpython3\nCapEff:\t{capabilities}\n")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(HostError) as error:
        process.require_root(str(tmp_path))
    assert str(error.value) == sentence


def test_root_with_its_rights_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text("CapEff:\t000001ffffffffff\n")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    process.require_root(str(tmp_path))
