# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks run against hosts that answer what a test wants: what they are told is written down.

ansible.cfg of this tree is not used: facts become variables here, as ansible-core has it by default.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VIP = "192.0.2.10"
DIRECTORS = {"lb1": "192.0.2.2", "lb2": "192.0.2.3"}
REAL_SERVERS = {"rs1": "192.0.2.11", "rs2": "192.0.2.12"}
#: The controller has an interpreter like theirs too, so that it is seen what connects from there, and to where.
HOSTS = (*DIRECTORS, *REAL_SERVERS, "localhost")

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
        "arp_probe": {
            "interface": "eth1",
            "hardware_addresses": ["02:00:00:00:00:01"],
            "holds": [],
            "answers": {VIP: ["02:00:00:00:00:0a"]},
            "arp_ignore": {"all": 1, "eth1": 1},
        },
        "find": {"files": [], "matched": 0, "examined": 0},
        "host_check": {
            "kernel_release": "6.1",
            "held": [],
            "joining": False,
            "missing_packages": [],
            "director": {"configured": True, "joins": False, "joining": False, "drained": []},
            "director_files": {"units": [], "keepalived": "role"},
            "user_ids": {"keepalived_script": 999},
        },
        "ipvs_drain": {"switched": "told real_servers", "former": [{"name": "smtp", "address": VIP, "port": 25}]},
        "director": {"parts": {"kernel": {}, "leaving": {}, "nftables": {}, "table": {"drained": []}, "timeouts": {}}},
        "stat": {"stat": {"exists": False}},
        "systemd_service": {"status": {"ActiveState": "active"}},
        "real_server": {"parts": {name: {} for name in ("vips", "tunnels", "nftables", "return_route")}},
        "service_config": {"running": True, "action": "", "differences": []},
        "setup": {"ansible_facts": {"ansible_pkg_mgr": "apt", "ansible_os_family": "Debian"}},
    },
    "lb1": {
        "arp_probe": {"hardware_addresses": ["02:00:00:00:00:0a"], "holds": [VIP], "answers": {VIP: []}},
        "host_check": {"held": [VIP]},
    },
    "lb2": {},
    "rs1": {},
    # what a run without purge leaves to do
    "rs2": {"real_server": {"leftovers": ["remove the address 192.0.2.20/32 dev lo"]}},
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


def collection_without_modules(place: Path) -> Path:
    """Return a path for collections that has this one, with modules that do nothing.

    No module runs here. ansible-core packs each of them for every run, with all that it imports, which takes a fifth of
    the time.
    """
    collection = place / "ansible_collections" / "lvs" / "cluster"
    modules = collection / "plugins" / "modules"
    modules.mkdir(parents=True)
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "plugins":
            (collection / entry.name).symlink_to(entry)
    for entry in (ROOT / "plugins").iterdir():
        if entry.name != "modules":
            (collection / "plugins" / entry.name).symlink_to(entry)
    for module in (ROOT / "plugins" / "modules").glob("*.py"):
        # ansible-core puts the arguments in the place of these words, and packs nothing.
        (modules / module.name).write_text(
            '#!/usr/bin/python\n{"ANSIBLE_MODULE_ARGS": <<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>}\n'
        )
    return place


class Cluster:
    """Two directors and two real servers, none of which is there."""

    def __init__(self, place: Path) -> None:
        self.place = place
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
        return HONEST

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
        for host in HOSTS:
            (place / host).mkdir()
            program = place / host / "python3"
            program.write_text(f"#!{sys.executable} -IS\n" + (HERE / "answer.py").read_text())
            program.chmod(0o755)
        said = {
            host: {
                module: {**HONEST[host].get(module, {}), **(answers or {}).get(host, {}).get(module, {})}
                for module in {*HONEST[host], *(answers or {}).get(host, {})}
            }
            for host in HOSTS
        }
        (place / "answers.json").write_text(json.dumps({"all": HONEST["all"], **said}))
        (place / "inventory.yml").write_text(yaml.safe_dump(inventory(place, variables)))
        (place / "ansible.cfg").touch()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        environment |= {
            "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_HOME": str(place / "home"),
            "ANSIBLE_LOCAL_TEMP": str(place / "local"),
            "ANSIBLE_REMOTE_TEMP": str(place / "remote"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "COLUMNS": "500",
            "HOME": str(place),
        }
        if cache is not None:
            environment |= {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(place / "inventory.yml")]
        began = time.monotonic()
        done = subprocess.run(
            [*command, words[0] if "/" in words[0] else f"lvs.cluster.{words[0]}", *words[1:]],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )
        run = Run(done.returncode, done.stdout + done.stderr, {host: [] for host in HOSTS}, time.monotonic() - began)
        if (place / "told.jsonl").exists():
            for line in (place / "told.jsonl").read_text().splitlines():
                one = json.loads(line)
                told = json.dumps(one["told"], sort_keys=True).replace(str(place), "PLACE")
                run.told[one["host"]].append((one["module"], told))
        assert not self.mark.exists(), f"the controller ran what a host has sent:\n{run.text}"
        assert "Unexpected Exception" not in run.text
        return run


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("hostile"))
