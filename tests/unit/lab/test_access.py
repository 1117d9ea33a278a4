# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command gets to a lab's hosts: the same words do the same on a machine and in a namespace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from vmlab import access, topology

DEMO = Path(__file__).resolve().parents[3] / "molecule" / "lab" / "topologies" / "demo.yml"
FOLDER = Path("/labs/demo")


def command(host: str, *words: str) -> list[str]:
    lab = topology.load(DEMO)
    return access.shell_command(lab, lab.host(host), FOLDER, list(words))


def test_ssh_gets_the_words_and_joins_them_itself() -> None:
    begin = ["ssh", "-F", "/labs/demo/ssh_config", "director1"]
    assert command("director1") == begin
    assert command("director1", "echo a;", "echo b") == [*begin, "echo a;", "echo b"]


def test_a_namespace_gets_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = ["nsenter", "--net=/run/netns/lvs-demo-client", "--"]
    monkeypatch.setenv("SHELL", "/bin/bash")
    assert command("client") == [*begin, "/bin/bash"]
    monkeypatch.delenv("SHELL")
    assert command("client") == [*begin, "/bin/sh"]


@pytest.mark.parametrize(
    ("words", "shown"),
    [(["echo a; echo b"], "a\nb\n"), (["echo", "a  b;", "echo", "c"], "a b\nc\n"), (["echo", "'a  b'"], "a  b\n")],
)
def test_words_in_a_namespace_are_read_by_a_shell_as_with_ssh(words: list[str], shown: str) -> None:
    found = command("client", *words)
    run = subprocess.run(found[found.index("--") + 1 :], capture_output=True, text=True, check=True)
    assert run.stdout == shown


def test_ansible_discovers_the_interpreter_of_a_machine_and_is_told_that_of_a_namespace() -> None:
    lab = topology.load(DEMO)
    hosts = yaml.safe_load(access.inventory(lab, FOLDER))["all"]["hosts"]
    told = {name: variables.get("ansible_python_interpreter") for name, variables in hosts.items()}
    machines = dict.fromkeys((host.name for host in lab.machines), None)
    # Modules run on the controller there, which needs pyroute2: the environment of the lab has it.
    assert told == {**machines, **dict.fromkeys((host.name for host in lab.namespaces), sys.executable)}
