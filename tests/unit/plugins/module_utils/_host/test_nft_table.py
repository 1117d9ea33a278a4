# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of nftables_table, without nft: what is wanted comes as a listing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import settle
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.nft_table import (
    CONFIG_DIRECTORY,
    ChangeTable,
    balanced,
    parse_table,
    plan_table,
    script,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import HostState
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._host.simulated import SimulatedHost

WANTED = parse_table(True, "lvs_cluster", "chain c { }", True)
LISTING = "table inet lvs_cluster {\n\tchain c {\n\t}\n}\n"
FRESH = HostState(directories=frozenset({"/etc", "/var", "/var/lib"}))


def run(host: SimulatedHost, listing: str | None, table: object = WANTED) -> bool:
    assert isinstance(table, type(WANTED))
    return settle(host.read, lambda state: plan_table(state, table, listing), host.apply, False).changed


def test_a_table_comes_and_goes() -> None:
    host = SimulatedHost(FRESH)
    assert run(host, LISTING)
    assert host.state.tables == {"lvs_cluster": LISTING}
    text = host.state.files[WANTED.file]
    assert text is not None
    assert text.endswith(LISTING)
    assert "delete table inet lvs_cluster" in text
    assert not run(host, LISTING)
    assert run(host, None)
    assert (host.state.tables["lvs_cluster"], host.state.files[WANTED.file]) == (None, None)
    assert host.state.directories == FRESH.directories
    assert not run(host, None)


@pytest.mark.parametrize("fail_at", range(6))
def test_a_failure_half_way_leaves_what_was(fail_at: int) -> None:
    old = LISTING.replace("c {", "old {")
    before = replace(FRESH, tables={"lvs_cluster": old}, directories=FRESH.directories | {CONFIG_DIRECTORY})
    host = SimulatedHost(before, fail_at=fail_at)
    try:
        run(host, LISTING)
    except HostError:
        assert host.state.tables == {"lvs_cluster": old}
        assert host.state.files.get(WANTED.file) is None
        assert host.state.units.get(WANTED.unit) is None
        assert host.state.directories == before.directories
    else:
        assert fail_at >= len(host.applied), "nothing was left to fail at"


def test_a_reload_of_nftables_loads_the_table_again() -> None:
    host = SimulatedHost(FRESH)
    run(host, LISTING)
    drop_in = host.state.units["nftables.service.d/lvs-cluster-lvs_cluster.conf"]
    assert drop_in is not None
    assert f"[Service]\nExecReload=-nft --file {WANTED.file}\n" in drop_in.text
    assert not drop_in.enabled
    run(host, None)
    assert host.state.units[WANTED.drop_in] is None


def test_without_persistence_only_the_table_is_touched() -> None:
    host = SimulatedHost(FRESH)
    assert run(host, LISTING, replace(WANTED, persist=False))
    assert host.applied == [ChangeTable("lvs_cluster", None, LISTING)]


@pytest.mark.parametrize(
    ("rules", "sound"),
    [
        ("chain c { }", True),
        ("", True),
        ('chain c { comment "}" }', True),
        ("chain c { # }\n}", True),
        ("}", False),
        ("} table inet other {", False),
        ("chain c {", False),
        ('chain "{ }', True),
        ('chain c { comment "}\n" }', True),
        ('set s { comment "x\n" } } delete table inet y; table inet z { chain c { comment "z\n"; }', False),
    ],
)
def test_braces(rules: str, sound: bool) -> None:
    assert balanced(rules) is sound


@pytest.mark.parametrize(
    "rules", ['include "/f"', 'chain x { }; include "/f"', 'chain x { }\n\tinclude "/f"', 'chain x { include "/f"; }']
)
def test_files_are_not_included(rules: str) -> None:
    with pytest.raises(HostError, match="'include' is not possible here"):
        parse_table(True, "x", rules, True)


@pytest.mark.parametrize("rules", ["chain include_them { }", 'chain x { comment "; include"; }', "# ; include this"])
def test_a_word_is_no_command(rules: str) -> None:
    assert parse_table(True, "x", rules, True).rules == rules


@pytest.mark.parametrize("name", ["", "a b", "x{", "1st", "a" * 33, "a;flush"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(HostError, match=r"^name: "):
        parse_table(True, name, "", True)


def test_the_script_replaces_the_table_whether_it_is_there_or_not() -> None:
    assert script("x", "chain c { }\n\n") == "table inet x\ndelete table inet x\ntable inet x {\nchain c { }\n}\n"
    assert script("x", None) == "table inet x\ndelete table inet x\n"
