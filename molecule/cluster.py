# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios' tests share: the machines, the client, and runs of the collection's playbooks."""

from __future__ import annotations

import collections
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).resolve().parent.parent
LAB = Path(os.environ.get("LVS_LAB_HOME", "/var/lib/lvs-lab")) / "labs" / "molecule"

VIP = "192.0.2.10"
CLIENT = "192.0.2.100"
DIRECTOR = "director1"
#: The entries of kube_proxy.sh, which nobody described.
KUBE_PROXY = [
    "-A -t 10.96.0.1:443 -s rr",
    "-A -u 10.96.0.10:53 -s rr -p 10800",
    "-a -t 10.96.0.1:443 -r 192.0.2.11:6443 -m -w 1",
    "-a -u 10.96.0.10:53 -r 10.244.0.2:53 -m -w 1",
    "-a -u 10.96.0.10:53 -r 10.244.0.3:53 -m -w 0",
]
REAL_SERVERS = {"rs1": "192.0.2.11", "rs2": "192.0.2.12"}


@pytest.fixture(scope="session")
def machine() -> Callable[[str], Host]:
    """A machine by name, through testinfra's own ssh backend."""

    def get(name: str) -> Host:
        return testinfra.get_host(f"ssh://{name}", ssh_config=str(LAB / "ssh_config"), controlpersist=60)

    return get


def on_client(*command: str, seconds: float = 120, client: str = "client") -> str:
    """What a command prints that runs in the client's namespace, or in another."""
    words = [str(LAB / f"{client}.sh"), "-c", 'exec "$@"', "client", *command]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=seconds).stdout


def ask(times: int, url: str = f"http://{VIP}/") -> collections.Counter[str]:
    """So many requests from the client, a connection each: who answered how many."""
    config = "".join(f'url = "{url}"\n' for _number in range(times))
    words = [
        str(LAB / "client.sh"),
        "-c",
        "exec curl --silent --fail --max-time 10 --no-keepalive -H 'Connection: close' --config -",
    ]
    done = subprocess.run(words, input=config, capture_output=True, text=True, check=True, timeout=300)
    return collections.Counter(done.stdout.split())


def wait_for_service(seconds: float = 120, vip: str = VIP, client: str = "client") -> float:
    """Until the VIP has somebody who owns it: there a port without a service is refused. Returns the seconds waited."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        words = [str(LAB / f"{client}.sh"), "-c", f"exec curl --silent --max-time 1 http://{vip}:9/"]
        if subprocess.run(words, capture_output=True, check=False).returncode == 7:  # could not connect: refused
            return time.monotonic() - begun
    raise AssertionError(f"nobody owned {vip} within {seconds} s")


@dataclass(frozen=True)
class Run:
    """A finished run of Ansible: its exit status and everything it printed."""

    status: int
    text: str

    def recap(self, host: str) -> dict[str, int]:
        """The host's line of the recap, such as {"ok": 9, "changed": 0, ...}; empty if it has none."""
        found = re.search(rf"^{host} +: (.*)$", self.text, re.MULTILINE)
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", found[1])} if found else {}

    def tasks(self, role: str) -> list[str]:
        """The tasks and handlers of a role that the run came to."""
        return re.findall(rf"^(?:TASK|RUNNING HANDLER) \[{re.escape(role)} : (.*?)\]", self.text, re.MULTILINE)


def ansible(program: str, *arguments: str, scenario: str = "dr") -> Run:
    inventories = ["-i", str(LAB / "inventory.yml"), "-i", str(ROOT / "molecule" / scenario / "inventory.yml")]
    plain = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(
        [str(ROOT / ".venv" / "bin" / program), *inventories, *arguments],
        cwd=ROOT,
        env={**os.environ, **plain},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    return Run(done.returncode, done.stdout)


def playbook(name: str, *arguments: str, scenario: str = "dr") -> Run:
    """Run one of the collection's playbooks on the scenario's inventory."""
    return ansible("ansible-playbook", f"lvs.cluster.{name}", *arguments, scenario=scenario)


def module(host: str, name: str, arguments: object, *options: str) -> Run:
    """Run one module of the collection on one machine."""
    return ansible("ansible", host, "-m", f"lvs.cluster.{name}", "-a", json.dumps(arguments), *options)


def table(director: Host) -> Sequence[str]:
    """The kernel's table as ipvsadm shows it."""
    return str(director.check_output("ipvsadm -Sn")).splitlines()


def anothers(director: Host) -> Sequence[str]:
    """The entries of the table that kube_proxy.sh has made, as they are now."""
    return sorted(line for line in table(director) if " 10.96.0." in line)


def our_units(host: Host) -> list[str]:
    """The services of systemd that the collection has written on a machine."""
    found = host.run(
        "grep -El '^# Written by the (role|Ansible module) lvs[.]cluster[.]' /etc/systemd/system/*.service"
    )
    return sorted(Path(line).name for line in found.stdout.splitlines())


def exposure(host: Host, unit: str) -> float:
    """What systemd thinks of how a unit is confined, from 0 (no harm possible) to 10."""
    shown = host.check_output(f"LC_ALL=C systemd-analyze security --no-pager {unit}")
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", shown)
    return float(level)


def confined(host: Host) -> dict[str, float]:
    """The exposure of our units, none of which is more than 3.0; those that run once can do what they are for."""
    levels = {unit: exposure(host, unit) for unit in our_units(host)}
    if max(levels.values()) > 3.0:
        raise AssertionError(f"not confined enough: {levels}")
    for unit in levels:
        if host.check_output(f"systemctl show --property=Type --value {unit}") == "oneshot":
            host.check_output(f"systemctl restart {unit} || ! journalctl --no-pager -n 20 -u {unit}")
    return levels
