# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of hosts: one table of names and defaults, which is that of the roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.plugin_utils._description import host_settings
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problem, Problems

ROLES = Path(__file__).resolve().parents[4] / "roles"
TABLES = {"director": host_settings.DIRECTOR, "real_server": host_settings.REAL_SERVER}
READERS: dict[str, Callable[[Mapping[str, object], Problems], object]] = {
    "director": host_settings.read_director_settings,
    "real_server": host_settings.read_real_server_settings,
}
#: Of the run rather than of a role.
OF_THE_RUN = {"lvs_clean_up", "lvs_directors_that_leave"}
#: Those of an entry point more, or of both roles: their defaults are where they are used.
WITHOUT_DEFAULTS = {"director_conn_tab_bits", "lvs_install_packages", "lvs_state"}


class Recording(Mapping[str, object]):
    """Variables of a host that has none, which remember what they were asked for."""

    def __init__(self, **given: object) -> None:
        self.given = given
        self.asked: set[str] = set()

    def get(self, key: str, default: object = None) -> object:
        self.asked.add(key)
        return self.given.get(key, default)

    def __getitem__(self, name: str) -> object:
        raise AssertionError("get() has the default")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a host has many other variables")

    def __len__(self) -> int:
        raise AssertionError("a host has many other variables")


@pytest.mark.parametrize("role", TABLES)
def test_the_defaults_are_those_of_the_role(role: str) -> None:
    written = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    specification = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())
    specified = specification["argument_specs"]["main"]["options"]
    for name, default in TABLES[role].items():
        if name in OF_THE_RUN:
            assert name not in specified
            continue
        assert specified[name].get("default") == default, name
        assert ("default" in specified[name]) == (default is not None), name
        if name in WITHOUT_DEFAULTS:
            assert name not in written
            continue
        assert (name in written) == (default is not None), name
        assert written.get(name) == default, name


@pytest.mark.parametrize("role", TABLES)
def test_each_setting_is_read(role: str) -> None:
    variables = Recording(director_interface="eth1")
    READERS[role](variables, Problems())
    assert variables.asked == set(TABLES[role])


def test_the_defaults_are_sound() -> None:
    problems = Problems()
    settings = host_settings.read_director_settings({"director_interface": "eth1"}, problems)
    host_settings.read_real_server_settings({}, problems)
    problems.raise_any()
    assert {field.name for field in fields(settings)} == {
        name.removeprefix("director_").removeprefix("lvs_")
        for name in host_settings.DIRECTOR
        if not name.startswith("director_track_")
    } | {"tracked"}


@pytest.mark.parametrize("role", TABLES)
def test_a_template_that_fails_is_named(role: str) -> None:
    for name in TABLES[role]:
        given: dict[str, Any] = {"director_interface": "eth1", name: LookupError("no facts")}
        problems = Problems()
        READERS[role](given, problems)
        assert Problem(Code.UNREADABLE, name, "", "no facts") in problems.found


def test_those_that_have_to_be_alike_are_settings_of_directors() -> None:
    assert host_settings.ALIKE.keys() <= host_settings.DIRECTOR.keys()


@pytest.mark.parametrize(
    ("role", "name", "value", "code", "rule"),
    [
        ("director", "director_table_purge", "yes", Code.UNKNOWN_WORD, "not one of none, real_servers, all"),
        ("director", "director_conn_tab_bits", 99, Code.OUT_OF_RANGE, "an integer from 8 to 27"),
        ("director", "director_conn_tab_bits", "x", Code.NOT_AN_INTEGER, "an integer from 8 to 27"),
        ("director", "director_may_restart", "x", Code.NOT_A_BOOLEAN, "neither true nor false"),
        ("director", "director_no_log", "x", Code.NOT_A_BOOLEAN, "neither true nor false"),
        ("director", "director_firewall_openings", "rel/path", Code.MALFORMED, "the absolute path of a directory"),
        ("director", "lvs_clean_up", "maybe", Code.NOT_A_BOOLEAN, "neither true nor false"),
        ("director", "lvs_install_packages", "nope", Code.NOT_A_BOOLEAN, "neither true nor false"),
        ("director", "lvs_state", "gone", Code.UNKNOWN_WORD, "not one of present, absent"),
        ("real_server", "lvs_install_packages", "nope", Code.NOT_A_BOOLEAN, "neither true nor false"),
        ("real_server", "lvs_state", "gone", Code.UNKNOWN_WORD, "not one of present, absent"),
        ("real_server", "real_server_purge", "maybe", Code.NOT_A_BOOLEAN, "neither true nor false"),
        ("real_server", "real_server_vip_interface", "a/b", Code.MALFORMED, "a valid interface name"),
        ("real_server", "real_server_ingress", "eth0 eth1", Code.NOT_A_LIST, "a list of interfaces"),
        ("real_server", "real_server_ingress", ["eth0", "a b"], Code.MALFORMED, "a valid interface name"),
    ],
)
def test_settings_of_tasks_are_checked_before_any_host_is(
    role: str, name: str, value: object, code: Code, rule: str
) -> None:
    """Modules would refuse them too, when other hosts have been changed already."""
    problems = Problems()
    READERS[role]({"director_interface": "eth1", name: value}, problems)
    (problem,) = problems.found
    assert (problem.code, problem.where) == (code, name)
    assert rule in problem.text


@pytest.mark.parametrize(
    ("role", "given"),
    [
        ("director", {"director_conn_tab_bits": 0, "director_firewall_openings": "/etc/nftables.d"}),
        ("director", {"director_conn_tab_bits": "20", "director_no_log": "yes", "lvs_state": "absent"}),
        ("real_server", {"real_server_ingress": ["eth0", "eth1.100"], "real_server_vip_interface": "dummy0"}),
    ],
)
def test_settings_of_tasks_that_are_right(role: str, given: dict[str, object]) -> None:
    problems = Problems()
    READERS[role]({"director_interface": "eth1", **given}, problems)
    assert problems.found == ()
