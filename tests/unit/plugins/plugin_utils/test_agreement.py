# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the hosts of a cluster: names that nobody knows, values that contradict, addresses of two hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description import host_settings, variables
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError, Problem
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.variables import PREFIXES
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import Expected, check_all, expected

ROOT = Path(__file__).resolve().parents[4]
WEB = [{"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "real_servers"}]}]
GROUPS = {"directors": ["lb1", "lb2"], "real_servers": ["rs1", "rs2"], "all": ["lb1", "lb2", "rs1", "rs2", "other"]}
OWN = {"lb1": "192.0.2.2", "lb2": "192.0.2.3", "rs1": "192.0.2.11", "rs2": "192.0.2.12"}
#: Names that look like variables and are none: tables of nftables, VRRP instances, interfaces, files.
NO_VARIABLES = {
    "director_join",
    "lvs_cluster",
    "lvs_cluster_handover",
    "lvs_real_server",
    "lvs_ipv4",
    "lvs_ipv6",
    "lvs_blue",
    "lvs_blue_ipv4",
    "director_blue",
    "lvs_gue",
    "lvs_sync_daemon",
    "lvs_sched",
    "lvs_method",
    "lvs_timeouts",
    "lvs_far",
    # tags
    "lvs_packages",
    "lvs_kernel",
    "lvs_nftables",
    "lvs_table",
    "lvs_keepalived",
    "lvs_health_checker",
    "director_files",  # an option and what it returns
    "lvs_firewall",
}


def refusal(more: dict[str, dict[str, Any]], services: Any = None, **shared: Any) -> list[Problem]:
    """What is wrong with hosts that have these variables beside their addresses and the description, by default WEB."""
    services = WEB if services is None else services
    hosts: dict[str, Any] = {
        host: {"lvs_address": own, "lvs_virtual_services": services, **shared, **more.get(host, {})}
        for host, own in OWN.items()
    }
    for host, values in hosts.items():
        hosts[host] = {name: value for name, value in values.items() if value is not ...}
    try:
        build_cluster(services, GROUPS, hosts).check_hosts()
    except ModelError as error:
        return list(error.problems)
    return []


def test_a_sound_cluster() -> None:
    assert refusal({}, director_interface="eth1", director_virtual_router_id="51", other="x") == []


def test_groups_that_are_the_same() -> None:
    group = {"virtual_router_id": 52, "first": "lb2"}
    others = {"green": {"first": "lb2", "virtual_router_id": "52"}, "blue": None}
    assert (
        refusal(
            {"lb1": {"director_vrrp_groups": {"blue": None, "green": group}}, "lb2": {"director_vrrp_groups": others}}
        )
        == []
    )
    assert refusal({"lb1": {"director_vrrp_groups": None}, "lb2": {"director_vrrp_groups": {}}}) == []


def differs(variable: str, *says: str) -> Expected:
    return expected(Code.DIFFERS, variable, "", "", *says)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            {"lb1": {"director_virtual_router_id": 51}, "lb2": {"director_virtual_router_id": 52}},
            differs("director_virtual_router_id", "51 for lb1", "52 for lb2", "group directors"),
        ),
        (
            {"lb2": {"director_virtual_router_id": 52}},
            differs("director_virtual_router_id", "51 for lb1", "52 for lb2"),
        ),
        (
            {
                "lb1": {"director_vrrp_groups": {"blue": {"virtual_router_id": 52}}},
                "lb2": {"director_vrrp_groups": {"blue": {"virtual_router_id": 52, "first": "lb2"}}},
            },
            differs(
                "director_vrrp_groups", "{'blue': {'virtual_router_id': 52}} for lb1", "'lb2', 'virtual_router_id': 52"
            ),
        ),
        ({"lb2": {"director_vrrp_groups": "blue"}}, differs("director_vrrp_groups", "{} for lb1", "'blue' for lb2")),
        ({"lb1": {"director_advert_interval": 0.2}}, differs("director_advert_interval", "0.2 for lb1", "1 for lb2")),
        ({"lb1": {"director_preempt": False}}, differs("director_preempt", "false for lb1", "true for lb2")),
        ({"lb2": {"director_vrrp_hops": 1}}, differs("director_vrrp_hops", "0 for lb1", "1 for lb2")),
        ({"lb1": {"director_sync_daemon": False}}, differs("director_sync_daemon", "false for lb1", "true for lb2")),
        (
            {"lb1": {"director_sync_daemon": {"id": 7}}},
            differs("director_sync_daemon", "{'id': 7} for lb1", "true for lb2"),
        ),
        (
            {"lb1": {"director_sync_senders": ["192.0.2.2"]}},
            differs("director_sync_senders", "['192.0.2.2'] for lb1", "not set for lb2"),
        ),
        (
            {"lb1": {"director_health_checker": "ldirectord"}},
            differs("director_health_checker", "'ldirectord' for lb1", "'keepalived' for lb2"),
        ),
        (
            {"lb1": {"lvs_nat_gateway": "192.0.2.1"}},
            differs("lvs_nat_gateway", "'192.0.2.1' for lb1", "not set for lb2"),
        ),
        (
            {"lb1": {"lvs_virtual_services": ...}},
            expected(Code.MISSING, "lvs_virtual_services", "", "", "not set for lb1", "for lb2, rs1 and rs2", "once"),
        ),
        (
            {"rs2": {"lvs_virtual_services": [{**WEB[0], "address": "192.0.2.99"}]}},
            differs("lvs_virtual_services", "for rs2", "for lb1", "(service web)", "once"),
        ),
        (
            {
                host: {"lvs_virtual_services": [*WEB, {**WEB[0], "name": "b", "port": 81}]}
                for host in ("lb2", "rs1", "rs2")
            },
            differs("lvs_virtual_services", "for lb2, rs1 and rs2", "for lb1", "(service b)", "once"),
        ),
        (
            {"lb2": {"lvs_address": "192.0.2.2"}},
            expected(Code.ADDRESS_TWICE, "lvs_address", "", "192.0.2.2", "of lb1", "of lb2"),
        ),
    ],
)
def test_what_contradicts(more: dict[str, dict[str, Any]], wanted: Expected) -> None:
    check_all(refusal(more), wanted)


def test_a_real_server_with_another_gateway() -> None:
    found = refusal({"rs1": {"lvs_nat_gateway": "192.0.2.9"}}, lvs_nat_gateway="192.0.2.1")
    check_all(found, differs("lvs_nat_gateway", "'192.0.2.9' for rs1", "'192.0.2.1' for lb1, lb2 and rs2", "once"))


@pytest.mark.parametrize(
    ("having", "is_set", "is_not"),
    [
        (("lb1", "lb2"), "lb1 and lb2", "rs1 and rs2"),
        (("rs1", "rs2"), "rs1 and rs2", "lb1 and lb2"),
        (("lb1",), "lb1", "lb2, rs1 and rs2"),
        (("rs1",), "rs1", "lb1, lb2 and rs2"),
    ],
)
def test_a_gateway_of_some_hosts_is_one_line(having: tuple[str, ...], is_set: str, is_not: str) -> None:
    services = [{**WEB[0], "forward_method": "nat"}]
    settings: dict[str, dict[str, Any]] = {name: {"director_interface": "eth1"} for name in OWN}
    for host in having:
        settings[host]["lvs_nat_gateway"] = "192.0.2.1"
    hosts = {name: {"lvs_address": own, **settings[name]} for name, own in OWN.items()}
    values = {f"'192.0.2.1' for {is_set}", f"not set for {is_not}"}
    lines = support.problems_of(services, GROUPS, hosts, settings).splitlines()
    assert len(lines) == 1
    start, _colon, remedy = lines[0].removeprefix("lvs_nat_gateway: is ").partition(": ")
    assert remedy == "set it once, for all hosts of the cluster"
    assert start in {", ".join(values), ", ".join(reversed(list(values)))}


def test_a_gateway_of_one_family_of_some_hosts_is_one_line() -> None:
    services = [{**WEB[0], "address": "2001:db8::10", "forward_method": "nat"}]
    both, one = ["192.0.2.1", "2001:db8::1"], ["192.0.2.1"]
    settings: dict[str, dict[str, Any]] = {
        name: {"director_interface": "eth1", "lvs_nat_gateway": both if name in GROUPS["directors"] else one}
        for name in OWN
    }
    hosts = {
        name: {"lvs_address": [own, f"2001:db8::{number}"], **settings[name]}
        for number, (name, own) in enumerate(OWN.items(), 2)
    }
    assert support.problems_of(services, GROUPS, hosts, settings) == (
        f"lvs_nat_gateway: is {both} for lb1 and lb2, {one} for rs1 and rs2: set it once, for all hosts of the cluster"
    )


def test_a_gateway_that_is_not_set_is_one_line() -> None:
    services = [{**WEB[0], "forward_method": "nat"}, {**WEB[0], "name": "api", "port": 81, "forward_method": "nat"}]
    settings: dict[str, dict[str, Any]] = {name: {"director_interface": "eth1"} for name in OWN}
    hosts = {name: {"lvs_address": own, **settings[name]} for name, own in OWN.items()}
    assert support.problems_of(services, GROUPS, hosts, settings) == (
        "lvs_nat_gateway: is missing: service web (nat) needs a free IPv4 address of the real servers' network, "
        "which moves with the VIPs"
    )


def test_a_gateway_of_the_directors_is_enough_without_nat() -> None:
    settings: dict[str, dict[str, Any]] = {name: {"director_interface": "eth1"} for name in OWN}
    for host in ("lb1", "lb2"):
        settings[host]["lvs_nat_gateway"] = "192.0.2.1"
    hosts = {name: {"lvs_address": own, **settings[name]} for name, own in OWN.items()}
    assert support.problems_of(WEB, GROUPS, hosts, settings) == ""


@pytest.mark.parametrize(
    "shared",
    [
        {"director_advert_interval": "1"},
        {"director_preempt": "yes"},
        {"director_sync_daemon": {}},
        {"director_interface": "bond0.100"},
        {"director_preempt_delay": 5},
        {"director_track_interfaces": ["eth2"]},
        {"director_sysctls": {"net.ipv4.ip_forward": 1}},
    ],
)
def test_what_one_director_may_write_differently(shared: dict[str, Any]) -> None:
    assert refusal({"lb1": shared}) == []


def test_two_lists_of_gateways_are_the_same_in_any_order() -> None:
    both = ["192.0.2.1", "2001:db8::1"]
    assert refusal({"lb1": {"lvs_nat_gateway": both}}, lvs_nat_gateway=both[::-1]) == []


def test_a_description_that_no_host_has_was_given_to_the_filter() -> None:
    build_cluster(WEB, GROUPS, {host: {"lvs_address": own} for host, own in OWN.items()}).check_hosts()


def test_texts_are_compared_before_their_templates_are_made() -> None:
    """In a fleet that takes long."""
    asked: list[str] = []

    class Variables(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.append(name)
            return super().get(name, default)

    hosts = {host: Variables(lvs_address=own, lvs_virtual_services=WEB) for host, own in OWN.items()}
    build_cluster(WEB, GROUPS, hosts, lambda host: dict(hosts[host])).check_hosts()
    assert "lvs_virtual_services" not in asked
    templates = [{**WEB[0], "address": "{{ vip }}"}]
    hosts["rs2"]["lvs_virtual_services"] = [{**WEB[0], "port": 81}]
    with pytest.raises(ModelError) as caught:
        build_cluster(WEB, GROUPS, hosts, lambda host: {"lvs_virtual_services": templates}).check_hosts()
    check_all(caught.value.problems, differs("lvs_virtual_services", "for rs2", "for lb1"))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("director_advert_intervall", "director_advert_interval"),
        ("director_virtual_routerid", "director_virtual_router_id"),
        ("lvs_addres", "lvs_address"),
        ("lvs_nat_gatway", "lvs_nat_gateway"),
        ("real_server_ingres", "real_server_ingress"),
    ],
)
def test_a_misspelt_variable(name: str, near: str) -> None:
    says = ("for rs1", f"'{near}'", "lvs_other_variables")
    check_all(refusal({"rs1": {name: 1}}), expected(Code.UNKNOWN_VARIABLE, f"variable {name}", "", "", *says))


def test_a_misspelt_variable_of_all_hosts_is_told_once() -> None:
    found = refusal({}, director_notify_master="/usr/local/sbin/claim-vip")
    where = "variable director_notify_master"
    check_all(found, expected(Code.UNKNOWN_VARIABLE, where, "", "", "for lb1, lb2, rs1 and rs2", "director_notify"))


def test_a_variable_with_a_word_of_keepalived() -> None:
    says = ("keepalived's word for director_email",)
    found = refusal({}, director_smtp_server="192.0.2.25")
    check_all(found, expected(Code.UNKNOWN_VARIABLE, "variable director_smtp_server", "", "", *says))


def test_variables_of_the_users_own() -> None:
    assert refusal({"rs1": {"lvs_rack": 7}}, lvs_other_variables=["lvs_rack"]) == []
    check_all(
        refusal({"rs1": {"lvs_rack": 7, "lvs_other_variables": "lvs_rack"}}),
        expected(Code.NOT_A_LIST, "host rs1", "lvs_other_variables", "'lvs_rack'"),
        expected(Code.UNKNOWN_VARIABLE, "variable lvs_rack", "", "", "for rs1", "lvs_other_variables"),
    )


def test_what_an_earlier_play_has_set_is_known() -> None:
    assert refusal({}, **dict.fromkeys(variables.INTERNAL, 1)) == []


@pytest.mark.parametrize("host", ["rs1", "other"])
def test_a_description_in_the_wrong_group(host: str) -> None:
    hosts: dict[str, dict[str, Any]] = {name: {"lvs_address": own} for name, own in OWN.items()}
    hosts.setdefault(host, {})["lvs_virtual_services"] = WEB
    with pytest.raises(ModelError) as caught:
        build_cluster(None, GROUPS, hosts)
    says = (f"{host} has it", "all directors")
    check_all(caught.value.problems, expected(Code.MISSING, "lvs_virtual_services", "", "", *says))


def test_a_setting_of_directors_in_the_wrong_group() -> None:
    hosts = {name: {"lvs_address": own, "director_interface": "eth1"} for name, own in OWN.items()}
    del hosts["lb1"]["director_interface"]
    with pytest.raises(ModelError) as caught:
        support.director(build_cluster(WEB, GROUPS, hosts), "lb1", director_interface=None)
    says = ("the link of the VIPs", "lb2, rs1 and rs2 have it")
    check_all(caught.value.problems, expected(Code.MISSING, "director_interface", "", "", *says))


def test_a_setting_in_the_wrong_group_is_found_beside_a_wrong_description() -> None:
    hosts = {name: {"lvs_address": own} for name, own in OWN.items()}
    hosts["rs1"]["director_interface"] = "eth1"
    lines = support.problems_of([{**WEB[0], "port": "x"}], GROUPS, hosts, {"lb1": {}, "lb2": {}}).splitlines()
    assert lines[1:] == ["director_interface: is missing (the link of the VIPs); rs1 has it"]


def test_an_address_of_two_hosts_is_one_line() -> None:
    services = [WEB[0], {**WEB[0], "name": "api", "port": 81}]
    settings: dict[str, dict[str, Any]] = {name: {"director_interface": "eth1"} for name in OWN}
    hosts = {name: {"lvs_address": own, **settings[name]} for name, own in {**OWN, "rs2": OWN["rs1"]}.items()}
    (line,) = support.problems_of(services, GROUPS, hosts, settings).splitlines()
    assert line == ("service web: real_servers[0]: 192.0.2.11 is the address of rs1 and of rs2: give each host its own")


def director_as_server() -> Expected:
    return expected(Code.DIRECTOR_AS_SERVER, "service web", "real_servers[0]", "192.0.2.3", "director lb2")


@pytest.mark.parametrize("method", ["dr", "tun", "nat"])
def test_a_director_that_is_a_real_server_by_its_address(method: str) -> None:
    services = [{**WEB[0], "forward_method": method, "real_servers": [{"address": "192.0.2.3"}, {"host": "rs1"}]}]
    check_all(refusal({}, services=services), director_as_server())


def test_a_real_server_that_has_the_address_of_a_director() -> None:
    hosts = {name: {"lvs_address": own} for name, own in {**OWN, "rs1": "192.0.2.3"}.items()}
    with pytest.raises(ModelError) as caught:
        build_cluster(WEB, GROUPS, hosts)
    director_as_server().check(caught.value.problems[0])


def test_with_fullnat_a_director_can_be_a_real_server() -> None:
    services = [{**WEB[0], "forward_method": "fullnat", "real_servers": [{"address": "192.0.2.3"}]}]
    assert refusal({}, services=services) == []


def documented() -> set[str]:
    """The variables of the roles."""
    found = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            found.update(entry["options"])
    for path in ROOT.glob("roles/*/defaults/main.yml"):
        found.update(yaml.safe_load(path.read_text()))
    return found


def mentioned(*patterns: str) -> Iterator[str]:
    """The names with a beginning of ours, in files of the tree; those of files are none."""
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            yield from re.findall(rf"(?<!cluster\.)\b(?:{'|'.join(PREFIXES)})[a-z0-9_]+\b(?!\.yml)", path.read_text())


def test_the_variables_of_roles_and_playbooks_are_known() -> None:
    assert documented() <= variables.SETTINGS
    used = set(mentioned("roles/*/[tdhvm]*/*.yml", "playbooks/**/*.yml")) - NO_VARIABLES
    missing = used - variables.SETTINGS - variables.INTERNAL
    assert not missing, (
        "name them in plugin_utils/_description/variables.py: users' in SETTINGS, those that tasks set in INTERNAL"
    )
    assert used >= variables.INTERNAL, "these are set nowhere"


PAGES = "docs/docsite/rst/**/*.rst"


def test_every_setting_is_documented() -> None:
    in_pages = set(mentioned("README.md", PAGES, "playbooks/*.yml"))
    assert variables.SETTINGS - documented() <= in_pages
    wrong = {"director_advert_intervall", "director_contact", "lvs_rack"}  # examples of what is none
    unknown = set(mentioned("README.md", PAGES)) - variables.SETTINGS - NO_VARIABLES - wrong
    assert unknown <= variables.INTERNAL, "the pages name variables that are none"


def test_the_reference_lists_every_setting() -> None:
    listed = set(mentioned("docs/docsite/rst/reference/variables.rst", "docs/docsite/rst/reference/playbooks.rst"))
    assert listed >= variables.SETTINGS


def rows() -> dict[str, str]:
    """The tables of the page of variables: the first cell of each row, without an asterisk, and the second."""
    text = (ROOT / "docs/docsite/rst/reference/variables.rst").read_text()
    cells = re.findall(r"(?m)^   \* - ``([a-z_]+)``(?: \*)?\n     -(?: (.*))?$", text)
    return {name: default.replace("``", "") for name, default in cells}


def test_the_reference_has_the_defaults_of_the_roles() -> None:
    listed = rows()
    for path in ROOT.glob("roles/*/defaults/main.yml"):
        for name, default in yaml.safe_load(path.read_text()).items():
            assert yaml.safe_load(listed[name]) == default, name


def test_the_reference_marks_what_has_to_be_the_same_for_all_directors() -> None:
    text = (ROOT / "docs/docsite/rst/reference/variables.rst").read_text()
    marked = set(re.findall(r"(?m)^   \* - ``([a-z_]+)`` \*$", text))
    # Those for all hosts are said to be the same in a sentence, and timeouts are compared elsewhere.
    assert marked == {name for name in host_settings.ALIKE if name.startswith("director_")} | {"director_timeouts"}
