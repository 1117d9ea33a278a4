# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages a host lacks, by what dpkg-query and rpm print."""

from __future__ import annotations

from ansible_collections.lvs.cluster.plugins.module_utils._host.prerequisites import missing_packages

NONE = (127, "", "not found")
# dpkg-query (1.21) prints what it knows, also of packages of which only the configuration is left, and ends with 1.
DPKG = (
    1,
    "installed keepalived\nconfig-files ipvsadm\nnot-installed mon\n",
    "dpkg-query: no packages found matching x\n",
)
# rpm (4.16) prints both kinds on its standard output.
RPM = (1, "installed keepalived\npackage ipvsadm is not installed\n", "")


class Host:
    """A host with some of the two."""

    def __init__(self, **programs: tuple[int, str, str]) -> None:
        self.programs = programs
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        return self.programs.get(command[0].replace("-", "_"), NONE)


def test_debian() -> None:
    host = Host(dpkg_query=DPKG, rpm=RPM)
    assert missing_packages(host, ["keepalived", "ipvsadm", "mon", "x"]) == ["ipvsadm", "mon", "x"]
    assert [command[0] for command in host.commands] == ["dpkg-query"]


def test_red_hat() -> None:
    assert missing_packages(Host(rpm=RPM), ["keepalived", "ipvsadm"]) == ["ipvsadm"]


def test_names_are_no_options_and_no_versions() -> None:
    host = Host(dpkg_query=DPKG)
    names = ["--help", "keepalived=1:2.2.7-1"]
    assert missing_packages(host, names) == names
    command = host.commands[0]
    assert command[command.index("--") + 1 :] == names


def test_a_host_with_neither_lacks_all() -> None:
    assert missing_packages(Host(), ["keepalived"]) == ["keepalived"]


def test_no_packages_are_asked_for() -> None:
    host = Host()
    assert missing_packages(host, []) == []
    assert host.commands == []
