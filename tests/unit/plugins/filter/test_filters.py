# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters as a playbook meets them: through Ansible's own templating, groups and lazy hostvars."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.filter import cluster, director, draining, real_server

INVENTORY = {
    "all": {
        "children": {
            "directors": {"hosts": {"lb1": {"ansible_host": "192.0.2.2"}}},
            "real_servers": {
                "children": {
                    "web": {
                        "hosts": {
                            "rs1": {"lvs_address": "{{ prefix }}.21"},
                            "rs2": {"ansible_host": "{{ prefix }}.22"},
                        }
                    },
                    "dark": {"hosts": {"rs3": {"lvs_address": "{{ ansible_facts.eth1.ipv4.address }}"}}},
                },
            },
        },
        "vars": {
            "prefix": "192.0.2",
            "web": [
                {
                    "name": "web",
                    "address": "{{ prefix }}.10",
                    "port": "{{ 8 * 10 }}",
                    "real_servers": [{"group": "web"}],
                },
            ],
            "dark": [{"name": "dark", "address": "192.0.2.11", "port": 80, "real_servers": [{"group": "dark"}]}],
            "wrong": [{"name": "web", "address": "192.0.2.10", "port": 80, "scheduler": "rrr", "real_servers": []}],
        },
    }
}
EXPRESSIONS = {
    "director": "web | lvs.cluster.director('lb1', groups, hostvars, interface='eth1', sysctls={'kernel.panic': 9})",
    "real_server": "web | lvs.cluster.real_server('rs2', groups, hostvars)",
    "cluster": "web | lvs.cluster.cluster(groups, hostvars)",
    "draining": "web | lvs.cluster.draining(['rs1'], groups, hostvars)",
    "idle": "web | lvs.cluster.draining(['rs2', 'rs3'], groups, hostvars)",
    "dark": "dark | lvs.cluster.cluster(groups, hostvars)",
    "wrong": "wrong | lvs.cluster.real_server('rs1', groups, hostvars)",
}


def playbook(report: Path) -> list[dict[str, Any]]:
    """A play that evaluates each expression and reports its value, or the message of the failed task."""

    def keep(name: str, value: str) -> dict[str, Any]:
        more = f"combine({{'{name}': {value}}})"
        return {"ansible.builtin.set_fact": {"found": f"{{{{ found | default({{}}) | {more} }}}}"}}

    tasks: list[dict[str, Any]] = [
        {"block": [keep(name, expression)], "rescue": [keep(name, "ansible_failed_result.msg")]}
        for name, expression in EXPRESSIONS.items()
    ]
    copy = {"content": "{{ found | to_json }}", "dest": str(report), "mode": "0600"}
    tasks.append({"ansible.builtin.copy": copy, "delegate_to": "localhost"})
    return [{"hosts": "lb1", "gather_facts": False, "tasks": tasks}]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each expression gives, from one run of ansible-playbook."""
    folder = tmp_path_factory.mktemp("playbook")
    (folder / "inventory.yml").write_text(yaml.safe_dump(INVENTORY))
    (folder / "playbook.yml").write_text(yaml.safe_dump(playbook(folder / "report.json"), sort_keys=False))
    (folder / "ansible.cfg").touch()
    collections = next(path for path in sys.path if Path(path, "ansible_collections", "lvs", "cluster").is_dir())
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", str(folder / "inventory.yml")]
    command += ["-e", f"ansible_python_interpreter={sys.executable}", str(folder / "playbook.yml")]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(Path(collections).resolve()),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    reported: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return reported


def test_director(found: dict[str, Any]) -> None:
    model = found["director"]
    assert [server["address"] for server in model["services"][0]["real_servers"]] == ["192.0.2.21", "192.0.2.22"]
    assert model["services"][0]["port"] == 80
    assert model["sysctls"]["kernel.panic"] == 9
    assert model["vrrp"]["instances"][0]["addresses"] == ["192.0.2.10/32"]
    assert model["vrrp"]["instances"][0]["interface"] == "eth1"


def test_real_server(found: dict[str, Any]) -> None:
    assert found["real_server"] == {
        "vips": ["192.0.2.10"],
        "tunnels": [],
        "own_addresses": [{"address": "192.0.2.22", "interface": ""}],
        "packages": ["python3-pyroute2"],
        "kernel_modules": [],
        "nftables": "",
        "return_route": {"gateways": [], "services": [], "direct": []},
    }


def test_cluster(found: dict[str, Any]) -> None:
    assert found["cluster"]["directors"] == ["lb1"]
    assert found["cluster"]["services"] == found["director"]["services"]
    assert found["cluster"]["real_servers"] == {
        "rs1": {"vips": ["192.0.2.10"]},
        "rs2": {"vips": ["192.0.2.10"]},
        "rs3": {"vips": []},
    }


def test_draining(found: dict[str, Any]) -> None:
    assert found["draining"] == {
        "addresses": ["192.0.2.21"],
        "services": [
            {
                "name": "web",
                "address": "192.0.2.10",
                "port": 80,
                "protocol": "tcp",
                "real_servers": [{"address": "192.0.2.21", "port": 80}],
            }
        ],
        "health_checked": [],
        "seen_within": 30.0,
        "connections": [{"address": "192.0.2.21", "port": 80}],
    }
    assert "host rs3: is a real server of no service" in found["idle"]


def test_a_template_without_its_facts_names_the_host(found: dict[str, Any]) -> None:
    assert "service dark: real_servers[0]: lvs_address of host rs3: " in found["dark"]
    assert "eth1" in found["dark"]


def test_mistakes_come_word_for_word(found: dict[str, Any]) -> None:
    assert (
        "service web: scheduler: 'rrr' is not a scheduler (did you mean 'rr'?)\n"
        "service web: real_servers: is an empty list"
    ) in found["wrong"]


@pytest.mark.parametrize("plugin", [cluster, director, draining, real_server])
def test_each_file_offers_its_filter(plugin: Any) -> None:
    name = plugin.__name__.rpartition(".")[2]
    filters = plugin.FilterModule().filters()
    assert filters == {name: getattr(plugin, name)}
    arguments = {"draining": {"hosts": ["rs1"]}, "cluster": {}}.get(name, {"host": "lb1"})
    settings = {"interface": "eth1"} if name == "director" else {}
    with pytest.raises(AnsibleFilterError) as caught:
        filters[name](5, groups={}, hostvars={}, **arguments, **settings)
    assert str(caught.value) == "lvs_virtual_services: 5 is not a list of services"


@pytest.mark.parametrize("plugin", [cluster, director, draining, real_server])
def test_documented_options_are_the_arguments(plugin: Any) -> None:
    documentation = yaml.safe_load(plugin.DOCUMENTATION)
    function = plugin.FilterModule().filters()[documentation["name"]]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    assert ["_input", *names[1:]] == list(documentation["options"])
    optional = names[len(names) - len(function.__defaults__ or ()) :]
    required = {name for name, option in documentation["options"].items() if option.get("required")}
    assert required == {"_input", *names[1:]} - set(optional)
