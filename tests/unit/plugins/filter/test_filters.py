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

from ansible_collections.lvs.cluster.plugins.filter import filters
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description import host_settings
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError
from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import context, internal
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import check_all, expected

DOCUMENTED = Path(filters.__file__).parent
PUBLIC = ("cluster", "director", "real_server")
INVENTORY: dict[str, Any] = {
    "all": {
        "children": {
            "directors": {
                "hosts": {
                    "lb1": {"ansible_host": "192.0.2.2", "director_virtual_router_id": "{{ 50 + 7 }}"},
                    "lb2": {"ansible_host": "192.0.2.3", "director_preempt_delay": "{{ lb2_delay }}", "lb2_delay": 7},
                },
                "vars": {"director_interface": "{{ link }}", "link": "eth1"},
            },
            "real_servers": {
                "children": {
                    "web": {
                        "hosts": {
                            "rs1": {"lvs_address": "{{ prefix }}.21"},
                            "rs2": {"ansible_host": "{{ prefix }}.22", "real_server_packages": ["{{ library }}"]},
                        }
                    },
                    "dark": {"hosts": {"rs3": {"lvs_address": "{{ ansible_facts.eth1.ipv4.address }}"}}},
                },
            },
        },
        "vars": {
            "prefix": "192.0.2",
            "library": "python3-pyroute2",
            "web": [
                {
                    "name": "web",
                    "address": "{{ prefix }}.10",
                    "port": "{{ 8 * 10 }}",
                    "real_servers": [{"group": "web"}],
                },
            ],
            "dark": [{"name": "dark", "address": "192.0.2.11", "port": 80, "real_servers": [{"group": "dark"}]}],
            "wrong": [{"name": "web", "address": "192.0.2.10", "port": 80, "scheduler": "rrr"}],
        },
    }
}
#: What each expression is evaluated with beside the inventory: variables of a task, as a role has them.
EXPRESSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "director": ("web | lvs.cluster.director('lb1')", {"director_sysctls": {"kernel.panic": "{{ 3 * 3 }}"}}),
    "other_director": ("web | lvs.cluster.director('lb2')", {"director_sysctls": {"kernel.panic": 9}}),
    "instead": ("web | lvs.cluster.director('lb1', settings={'director_interface': 'eth2'})", {}),
    "unknown": ("web | lvs.cluster.director('lb1', settings={'director_intrface': 'eth2'})", {}),
    "unreadable": ("web | lvs.cluster.director('lb1')", {"director_garp_refresh": "{{ not_there }}"}),
    "real_server": ("web | lvs.cluster.real_server('rs2')", {"real_server_packages": ["of-the-task"]}),
    "cluster": ("web | lvs.cluster.cluster", {}),
    "draining": ("web | lvs.cluster._internal('draining', ['rs1'])", {}),
    "idle": ("web | lvs.cluster._internal('draining', ['rs2', 'rs3'])", {}),
    "dark": ("dark | lvs.cluster.cluster", {}),
    "wrong": ("wrong | lvs.cluster.real_server('rs1')", {}),
    "misspelt": ("web | lvs.cluster._internal('drainin')", {}),
}


def playbook(report: Path) -> list[dict[str, Any]]:
    """A play that evaluates each expression and reports its value, or the message of the failed task."""

    def keep(name: str, value: str) -> dict[str, Any]:
        more = f"combine({{'{name}': {value}}})"
        return {"ansible.builtin.set_fact": {"found": f"{{{{ found | default({{}}) | {more} }}}}"}}

    tasks: list[dict[str, Any]] = [
        {"block": [{**keep(name, expression), "vars": given}], "rescue": [keep(name, "ansible_failed_result.msg")]}
        for name, (expression, given) in EXPRESSIONS.items()
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
    assert model["vrrp"]["instances"][0]["virtual_router_id"] == 57
    assert "preempt_delay 30" in model["keepalived"]


def test_settings_of_another_host_are_those_of_the_inventory(found: dict[str, Any]) -> None:
    """The variables of the task are not its own."""
    model = found["other_director"]
    assert model["vrrp"]["instances"][0]["interface"] == "eth1"
    assert model["vrrp"]["instances"][0]["virtual_router_id"] == 51
    assert "preempt_delay 7" in model["keepalived"]
    assert "kernel.panic" not in model["sysctls"]


def test_settings_can_be_given_instead(found: dict[str, Any]) -> None:
    assert found["instead"]["vrrp"]["instances"][0]["interface"] == "eth2"
    assert found["instead"]["vrrp"]["instances"][0]["virtual_router_id"] == 57
    assert "'director_intrface' is not a setting of lb1 (did you mean 'director_interface'?)" in found["unknown"]


def test_a_setting_that_cannot_be_had_is_named(found: dict[str, Any]) -> None:
    assert "director_garp_refresh: " in found["unreadable"]
    assert "not_there" in found["unreadable"]


def test_real_server(found: dict[str, Any]) -> None:
    assert found["real_server"] == {
        "directors": ["lb1", "lb2"],
        "vips": ["192.0.2.10"],
        "tunnels": [],
        "own_addresses": [{"address": "192.0.2.22", "interface": ""}],
        "packages": ["python3-pyroute2"],
        "kernel_modules": [],
        "nftables": "",
        "return_route": {"gateways": [], "services": [], "direct": []},
    }


def test_cluster(found: dict[str, Any]) -> None:
    assert found["cluster"]["directors"] == ["lb1", "lb2"]
    assert found["cluster"]["services"] == found["director"]["services"]
    assert found["cluster"]["real_servers"] == {
        "rs1": {"vips": ["192.0.2.10"]},
        "rs2": {"vips": ["192.0.2.10"]},
        "rs3": {"vips": []},
    }


def test_draining(found: dict[str, Any]) -> None:
    connections = [{"address": "192.0.2.21", "port": 80}]
    options = {
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
        "connections": connections,
        "vips": ["192.0.2.10"],
    }
    assert found["draining"] == {
        "addresses": ["192.0.2.21"],
        "of_director": {"lb1": options, "lb2": options},
        "of_host": {"rs1": {"connections": connections, "directors": ["lb1", "lb2"]}},
    }
    assert "host rs3: " in found["idle"]
    assert "host rs2: " not in found["idle"]


def test_a_template_without_its_facts_names_the_host(found: dict[str, Any]) -> None:
    assert "service dark: real_servers[0]: lvs_address of host rs3: " in found["dark"]
    assert "eth1" in found["dark"]


def test_mistakes_come_word_for_word(found: dict[str, Any]) -> None:
    description = INVENTORY["all"]["vars"]["wrong"]
    with pytest.raises(ModelError) as caught:
        build_cluster(description, {"directors": [], "real_servers": []}, {})
    assert len(caught.value.problems) == 2
    assert str(caught.value) in found["wrong"]


def test_a_function_that_does_not_exist_is_named(found: dict[str, Any]) -> None:
    assert "_internal: 'drainin' is not one of its functions" in found["misspelt"]


def test_the_filters_are_three_and_a_private_one() -> None:
    offered = filters.FilterModule().filters()
    assert offered == {name: getattr(filters, name) for name in (*PUBLIC, "_internal")}
    documented = {path.stem: yaml.safe_load(path.read_text())["DOCUMENTATION"] for path in DOCUMENTED.glob("*.yml")}
    assert documented.keys() == offered.keys()
    # By this key the changelog knows what is new.
    assert {name for name, documentation in documented.items() if "version_added" in documentation} == set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_description_that_is_none(name: str) -> None:
    arguments = {} if name == "cluster" else {"host": "lb1"}
    with pytest.raises(AnsibleFilterError) as caught:
        getattr(filters, name)(context(groups={}, hostvars={}), 5, **arguments)
    assert str(caught.value).startswith("lvs_virtual_services: 5 ")


def test_without_an_inventory() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^groups: null "):
        filters.cluster(context(), [])
    with pytest.raises(AnsibleFilterError, match=r"^hostvars: null "):
        filters.cluster(context(groups={}), [])


@pytest.mark.parametrize("given", [5, "director_interface", ["director_interface"]])
def test_settings_are_a_dictionary(given: object) -> None:
    hosts = {"groups": {"directors": ["lb1"], "real_servers": []}, "hostvars": {"lb1": {}}}
    with pytest.raises(AnsibleFilterError, match="settings: not a dictionary of variables"):
        filters.director(context(**hosts), [], "lb1", given)


@pytest.mark.parametrize("own", [True, False])
def test_only_settings_are_looked_up(own: bool) -> None:
    """A host may have thousands of variables, with templates that cannot be had."""

    class Variables(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            raise KeyError(key)

        def get(self, key: str, default: Any = None) -> Any:
            assert key in {"lvs_address", "ansible_host", "ansible_facts", *host_settings.DIRECTOR}, key
            return super().get(key, default)

    variables = Variables(director_interface="eth1", other=1)
    groups = {"directors": ["lb1"], "real_servers": list[str]()}
    task = context(groups=groups, hostvars={"lb1": variables}, **({"inventory_hostname": "lb1"} if own else {}))
    if own:
        with pytest.raises(AnsibleFilterError, match="director_interface: is missing"):
            filters.director(task, [], "lb1")
    else:
        assert filters.director(task, [], "lb1")["interfaces"] == ["eth1"]


def test_answers_of_other_kinds_are_errors_of_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^lb1: its answer is not one of lvs\.cluster\.host_check: "):
        internal("held_vips", 5, ["192.0.2.10"], "lb1")
    with pytest.raises(AnsibleFilterError, match="deviations: the input is not a dictionary of results"):
        internal("deviations", 5, "lb1")


@pytest.mark.parametrize("name", PUBLIC)
def test_documented_options_are_the_arguments(name: str) -> None:
    documentation = yaml.safe_load((DOCUMENTED / f"{name}.yml").read_text())["DOCUMENTATION"]
    assert documentation["name"] == name
    function = filters.FilterModule().filters()[name]
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    assert ["_input", *names[1:]] == list(documentation["options"])
    assert documentation["positional"] == ", ".join(name for name in documentation["options"] if name != "settings")
    optional = names[len(names) - len(function.__defaults__ or ()) :]
    required = {name for name, option in documentation["options"].items() if option.get("required")}
    assert required == {"_input", *names[1:]} - set(optional)


def problems(*of_run: str, **variables: dict[str, Any]) -> list[str]:
    """What is wrong with a pair and a real server, whose variables are changed."""
    own = {"lb1": "192.0.2.2", "lb2": "192.0.2.3", "rs1": "192.0.2.11"}
    web = [{"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "real_servers"}]}]
    shared = {"lvs_virtual_services": web, "director_interface": "eth1", **variables.get("all", {})}
    hosts = {host: {"lvs_address": address, **shared, **variables.get(host, {})} for host, address in own.items()}
    inventory = {"groups": {"directors": ["lb1", "lb2"], "real_servers": ["rs1"]}, "hostvars": hosts}
    found = internal("plan", shared["lvs_virtual_services"], list(of_run), variables=inventory)
    if found["problems"]:
        assert found["directors"] == found["real_servers"] == {}
    else:
        assert {*found["directors"], *found["real_servers"]} == set(of_run)
    return str(found["problems"]).splitlines()


def test_nothing_is_wrong() -> None:
    assert problems("lb1", "lb2", "rs1") == []


def test_a_state_that_only_the_roles_take() -> None:
    text = "lvs_state: 'absent' is for the roles alone. The playbook lvs.cluster.teardown removes what they added"
    assert problems("lb1", "rs1", rs1={"lvs_state": "absent"}) == [text]
    assert problems("lb1", "lb2", "rs1", lb2={"lvs_state": "absent"}) == [f"lb2: {text}"]
    assert problems("lb1", all={"lvs_state": "present"}) == []


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Of the description, of names of variables, of settings that have to agree, and of the settings of each host."""
    service = {"name": "web", "address": "192.0.2.300", "port": 80, "real_servers": [{"group": "real_servers"}]}
    found = problems(
        "lb1",
        "lb2",
        "rs1",
        all={"lvs_virtual_services": [service], "director_preemt": True, "director_advert_interval": 99},
        lb2={"director_virtual_router_id": 52, "director_garp_refresh": -1},
        rs1={"real_server_tunnel_mtu": 1},
    )
    beginnings = (
        "service web: address: '192.0.2.300' ",
        "variable director_preemt: ",
        "director_virtual_router_id: ",
        "director_advert_interval: 99 ",
        "lb2: director_garp_refresh: -1 ",
        "real_server_tunnel_mtu: 1 ",
    )
    assert len(found) == len(beginnings)
    assert [line for line, start in zip(found, beginnings, strict=True) if not line.startswith(start)] == []
    assert "for lb1, lb2 and rs1 " in found[1]
    assert "51 for lb1, 52 for lb2" in found[2]


def test_settings_of_hosts_that_are_not_of_the_run_are_not_read() -> None:
    wrong = {"director_garp_refresh": -1}
    assert problems("lb1", "rs1", lb2=wrong) == []
    assert len(problems("lb2", lb2=wrong)) == 1


def test_what_services_and_settings_make_together() -> None:
    gateway = {"lvs_nat_gateway": ["192.0.2.300"]}
    assert problems("lb1", "lb2", "rs1", all=gateway)
    assert problems(all={"lvs_virtual_services": None})[0].startswith("lvs_virtual_services: is missing")


def test_facts_that_override_are_all_that_is_said() -> None:
    found = problems("lb1", lb1={"ansible_facts": {"lvs_address": "192.0.2.66"}, "director_garp_refresh": -1})
    assert len(found) == 1
    assert found[0].startswith("host lb1: its facts override variables of the inventory: lvs_address")
    reported = {"lb1": {"lvs_address": "192.0.2.66", "ansible_facts": {"lvs_address": "192.0.2.66"}}}
    with pytest.raises(ModelError) as caught:
        filters.refuse_overriding_facts({"directors": ["lb1"]}, reported, None)
    wanted = expected(Code.FACTS_OVERRIDE, "host lb1", "", "", "lvs_address", "--flush-cache", "ansible_facts")
    check_all(caught.value.problems, wanted)
