# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks run against hosts that answer what a test wants: what they are told is written down.

ansible.cfg of this tree is not used: facts become variables here, as ansible-core has it by default.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lvs.cluster.tests.standins.hosts import (
    AS_DESCRIBED,
    collection_without_modules,
    environment,
    write_interpreters,
)

VIP = "192.0.2.10"
DIRECTORS = {"lb1": "192.0.2.2", "lb2": "192.0.2.3"}
REAL_SERVERS = {"rs1": "192.0.2.11", "rs2": "192.0.2.12"}
#: One with a health check and one without, and an address that is put together from another variable.
SERVICES: list[dict[str, Any]] = [
    {
        "name": "web",
        "address": "{{ network }}.10",
        "port": 80,
        "scheduler": "rr",
        "forward_method": "dr",
        "real_servers": [{"group": "real_servers"}],
        "health_check": {"type": "tcp"},
    },
    {
        "name": "smtp",
        "address": "{{ network }}.10",
        "port": 25,
        "forward_method": "dr",
        "real_servers": [{"group": "real_servers"}],
    },
]
#: What a module answers on every host, and below it on one.
HONEST: dict[str, dict[str, Any]] = {
    "all": {
        **AS_DESCRIBED,
        "arp_probe": {**AS_DESCRIBED["arp_probe"], "answers": {VIP: ["02:00:00:00:00:0a"]}},
        "ipvs_drain": {"switched": "told real_servers", "former": [{"name": "smtp", "address": VIP, "port": 25}]},
    },
    "lb1": {
        "arp_probe": {"hardware_addresses": ["02:00:00:00:00:0a"], "holds": [VIP], "answers": {VIP: []}},
        "host_check": {"held": [VIP]},
    },
    "lb2": {},
    "rs1": {},
    # what a run without purge leaves to do
    "rs2": {"real_server": {"leftovers": ["remove the address 192.0.2.20/32 dev lo"]}},
    # The controller has an interpreter like theirs too, so that it is seen what connects from there, and to where.
    "localhost": {},
}


def entry(port: int) -> dict[str, Any]:
    """A service as ipvs_info shows it."""
    server = {"port": port, "forward_method": "dr", "weight": 1, "upper_threshold": 0, "lower_threshold": 0}
    return {
        "address": VIP,
        "port": port,
        "protocol": "tcp",
        "scheduler": "rr",
        "real_servers": [{"address": address, "position": 0, **server} for address in REAL_SERVERS.values()],
    }


HONEST["all"]["ipvs_info"] = {"rules": "-A -t 192.0.2.10:80 -s rr", "services": [entry(80), entry(25)]}


@dataclass
class Run:
    """How a run of a playbook ended, what it said, and what each host was told: modules and their arguments."""

    status: int
    text: str
    told: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    seconds: float = 0.0
    order: list[tuple[str, str]] = field(default_factory=list)

    def modules(self, host: str) -> list[str]:
        return [module for module, _told in self.told[host]]


def inventory(place: Path, more: dict[str, Any]) -> dict[str, Any]:
    def hosts(addresses: dict[str, str]) -> dict[str, Any]:
        return {
            name: {
                "lvs_address": "{{ network }}." + address.rpartition(".")[2],
                "ansible_host": address,
                "ansible_python_interpreter": str(place / name / "python3"),
            }
            for name, address in addresses.items()
        }

    return {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_become": False,
                "network": "192.0.2",
                "lvs_virtual_services": SERVICES,
                "director_interface": "eth1",
                "app_version": "1.2",
                **more,
            },
            "hosts": {"localhost": {"ansible_python_interpreter": str(place / "localhost" / "python3")}},
            "children": {
                "directors": {"hosts": hosts(DIRECTORS)},
                "real_servers": {"hosts": hosts(REAL_SERVERS)},
            },
        }
    }


class Cluster:
    """Two directors and two real servers, none of which is there."""

    def __init__(
        self,
        place: Path,
        honest: dict[str, dict[str, Any]] | None = None,
        hosts: Callable[[Path, dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self.place = place
        self._answers = HONEST if honest is None else honest
        self._inventory = inventory if hosts is None else hosts
        self.hosts = tuple(host for host in self._answers if host != "all")
        self.collections = collection_without_modules(place / "collections")
        self.mark = place / "mark"
        run = f"lookup('ansible.builtin.pipe', 'touch {self.mark}')"
        #: What a host sends for the controller to run.
        self.payload = f"{{{{ {run} }}}}\n{{% if {run} %}}x{{% endif %}}"
        self.update = place / "update.yml"
        self.update.write_text("- ansible.builtin.command: {argv: [update, '{{ app_version }}']}\n")
        self._honest: dict[tuple[Any, ...], Run] = {}
        self._count = 0

    @property
    def answers(self) -> dict[str, dict[str, Any]]:
        """The honest answers: of all hosts, and of each."""
        return self._answers

    def honest(self, *words: str, **variables: Any) -> Run:
        """The same run with hosts that all answer as they should."""
        key = (*words, json.dumps(variables, sort_keys=True))
        if key not in self._honest:
            self._honest[key] = self.run(*words, **variables)
        return self._honest[key]

    def run(
        self, *words: str, answers: dict[str, Any] | None = None, cache: Path | None = None, **variables: Any
    ) -> Run:
        """Run ``lvs.cluster.WORDS``, or a playbook that is given by its path.

        ``answers``: host -> module -> what goes over the honest answer.
        ``cache``: a directory for facts. No run may run anything on the controller that a host has sent.
        """
        place = self.place / str(self._count)
        self._count += 1
        place.mkdir()
        write_interpreters(place, self.hosts)
        honest = self._answers
        said = {
            host: {
                module: {**honest[host].get(module, {}), **(answers or {}).get(host, {}).get(module, {})}
                for module in {*honest[host], *(answers or {}).get(host, {})}
            }
            for host in self.hosts
        }
        (place / "answers.json").write_text(json.dumps({"all": honest["all"], **said}))
        (place / "inventory.yml").write_text(yaml.safe_dump(self._inventory(place, variables)))
        (place / "ansible.cfg").touch()
        settings = environment(place, self.collections)
        if cache is not None:
            settings |= {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(place / "inventory.yml")]
        began = time.monotonic()
        done = subprocess.run(
            [*command, words[0] if "/" in words[0] else f"lvs.cluster.{words[0]}", *words[1:]],
            cwd=place,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )
        run = Run(
            done.returncode, done.stdout + done.stderr, {host: [] for host in self.hosts}, time.monotonic() - began
        )
        if (place / "told.jsonl").exists():
            for line in (place / "told.jsonl").read_text().splitlines():
                one = json.loads(line)
                told = json.dumps(one["told"], sort_keys=True).replace(str(place), "PLACE")
                run.told[one["host"]].append((one["module"], told))
                run.order.append((one["host"], one["module"]))
        assert not self.mark.exists(), f"the controller ran what a host has sent:\n{run.text}"
        assert "Unexpected Exception" not in run.text
        return run


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("hostile"))
