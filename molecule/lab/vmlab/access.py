# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach a lab's machines: keys, an ssh configuration, and an inventory for Ansible."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import yaml

from . import fdpass
from .base import run
from .network import namespace_path
from .topology import Host, Topology

CONFIGURATION = """\
Host {names}
    User root
    IdentityFile {folder}/id_ed25519
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    HostKeyAlgorithms ssh-ed25519
    LogLevel ERROR
    ServerAliveInterval 5
    ServerAliveCountMax 6
    ConnectTimeout 10
    ProxyUseFdpass yes
    ProxyCommand {python} {proxy} {namespace} %h %p
"""


def make_key(path: Path, comment: str) -> str:
    """A new ed25519 key pair; returns the public half as one line."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
    return path.with_suffix(".pub").read_text()


def write(topology: Topology, folder: Path, host_keys: dict[str, str]) -> None:
    """Write `ssh_config`, `known_hosts`, `inventory.yml` and a shell for each namespace into a lab's folder.

    `host_keys` maps a machine's name to its public host key.
    """
    text = CONFIGURATION.format(
        names=" ".join(host.name for host in topology.machines),
        folder=folder,
        python=sys.executable,
        proxy=Path(fdpass.__file__).resolve(),
        namespace=namespace_path(topology),
    )
    known = ""
    for host in topology.machines:
        address = topology.management_address(host)
        text += f"Host {host.name}\n    HostName {address}\n    HostKeyAlias {host.name}\n"
        kind, key = host_keys[host.name].split()[:2]
        known += f"{host.name} {kind} {key}\n"
    (folder / "ssh_config").write_text(text)
    (folder / "known_hosts").write_text(known)
    for host in topology.namespaces:
        shell = folder / f"{host.name}.sh"
        shell.write_text(f'#!/bin/sh\nexec nsenter --net={namespace_path(topology, host)} -- /bin/sh "$@"\n')
        shell.chmod(0o755)
    (folder / "inventory.yml").write_text(inventory(topology, folder))


def shell_command(topology: Topology, host: Host, folder: Path, words: list[str]) -> list[str]:
    """What opens a shell on a host, or with `words` runs a command there.

    On both kinds of host the words are joined by blanks and read by the host's shell. For a machine ssh does that.
    """
    if host.image:
        return ["ssh", "-F", str(folder / "ssh_config"), host.name, *words]
    inside = ["nsenter", f"--net={namespace_path(topology, host)}", "--", os.environ.get("SHELL", "/bin/sh")]
    return [*inside, "-c", " ".join(words)] if words else inside


def inventory(topology: Topology, folder: Path) -> str:
    """How Ansible reaches the hosts; which groups they are in is the playbooks' business."""
    hosts: dict[str, dict[str, str | bool]] = {
        host.name: {
            "ansible_host": host.name,
            "ansible_user": "root",
            "ansible_ssh_common_args": f"-F {folder}/ssh_config",
            "ansible_pipelining": True,
            "ansible_control_path_dir": f"{folder}/control",
        }
        for host in topology.machines
    }
    for host in topology.namespaces:
        hosts[host.name] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_shell_executable": str(folder / f"{host.name}.sh"),
        }
    return yaml.safe_dump({"all": {"hosts": hosts}}, sort_keys=False)
