# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directors wait until the others know them, and what they are told to drain."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import ReportError
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.run_order import Order, Report, order, run_state

VIPS = ["192.0.2.10"]
SERVERS = ["192.0.2.11", "192.0.2.12"]
NEW: dict[str, Any] = {"held": [], "director": {"configured": False, "joins": True, "joining": False, "drained": []}}


def report(held: bool = False, **changes: Any) -> dict[str, Any]:
    """A director that is as it has to be, with these differences."""
    own = {"configured": True, "joins": False, "joining": False, "drained": []}
    return {"held": VIPS if held else [], "director": {**own, **changes}}


def told(host: str, **results: Any) -> Order:
    return order(host, {name: Report.of(one, VIPS, SERVERS) if one else None for name, one in results.items()})


def test_nobody_waits_where_all_is_as_it_has_to_be() -> None:
    for host in ("lb1", "lb2"):
        assert told(host, lb1=report(held=True), lb2=report()) == Order(False, ())


def test_a_new_one_waits_if_another_serves() -> None:
    for other in (report(held=True), report(held=True, joins=True), {}):
        assert told("lb2", lb1=other, lb2=NEW).waits
    assert not told("lb1", lb1=report(held=True, joins=True), lb2=NEW).waits, "the one that serves goes on"


def test_nobody_waits_in_a_new_cluster() -> None:
    for host in ("lb1", "lb2"):
        assert told(host, lb1=NEW, lb2=NEW) == Order(False, ())


def test_adverts_with_other_addresses() -> None:
    """An earlier version advertised the VIPs: the backup waits until the master has been set up too."""
    both = {"lb1": report(held=True, joins=True), "lb2": report(joins=True)}
    assert [told(host, **both).waits for host in both] == [False, True]


def test_one_that_waits_already_goes_on_waiting() -> None:
    """A run that was interrupted has configured it, and not the others."""
    assert told("lb2", lb1=report(held=True), lb2=report(joining=True)).waits
    assert told("lb2", lb1=report(), lb2=report(joining=True)).waits


def test_a_new_one_drains_what_all_others_drain() -> None:
    one, both = report(held=True, drained=SERVERS[:1]), report(drained=SERVERS)
    assert told("lb3", lb1=one, lb2=both, lb3=NEW).drained == ("192.0.2.11",)
    assert told("lb3", lb1=both, lb2=both, lb3=NEW).drained == tuple(SERVERS)
    assert told("lb3", lb1=both, lb2=NEW, lb3=NEW).drained == tuple(SERVERS), "a new one has no drains to tell of"
    assert told("lb2", lb1={**both, "director": {**both["director"], "joins": True}}, lb2=NEW).drained == tuple(SERVERS)
    assert told("lb2", lb1={}, lb2=NEW).drained == ()


def test_one_that_is_configured_keeps_its_own_drains() -> None:
    assert told("lb2", lb1=report(held=True, drained=SERVERS), lb2=report(joins=True)).drained == ()


def test_nothing_is_passed_on_but_real_servers_of_the_description() -> None:
    liar = report(held=True, drained=["192.0.2.11", "203.0.113.1", "{{ lookup('pipe', 'id') }}"])
    assert told("lb2", lb1=liar, lb2=NEW).drained == ("192.0.2.11",)


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ("text", "the result is a string, not a dictionary"),
        ({"held": []}, "director is missing, not a dictionary"),
        ({"held": ["192.0.2.99"], "director": {}}, "which is not a VIP of the cluster"),
        ({**NEW, "director": {**NEW["director"], "joins": "yes"}}, "director.joins is a string, not a boolean"),
        ({**NEW, "director": {**NEW["director"], "joining": 1}}, "director.joining is a number, not a boolean"),
        ({**NEW, "director": {**NEW["director"], "configured": None}}, "director.configured is missing, not a boolean"),
        ({**NEW, "director": {**NEW["director"], "drained": "x"}}, "director.drained is a string, not a list"),
    ],
)
def test_an_answer_of_another_form(result: Any, sentence: str) -> None:
    with pytest.raises(ReportError, match=sentence):
        told("lb2", lb1=result, lb2=NEW)
    state = state_of({"lb1": result, "lb2": NEW, "lb3": NEW})
    assert state["lost"] == ["lb1"]
    assert sentence in state["faults"]["lb1"]
    assert sorted(state["joining"]) == sorted(state["held"]) == ["lb2", "lb3"]
    assert state["joining"]["lb2"]["waits"], "what cannot be read may hold the VIPs"


def state_of(results: dict[str, Any], *failed: str) -> dict[str, Any]:
    """The state after the check of three directors of one cluster."""
    names = ["lb1", "lb2", "lb3"]
    model = {"directors": names, "vips": [{"address": VIPS[0]}], "drainable": SERVERS}
    hostvars = {host: {"site_host_check": result} for host, result in results.items()}
    found: dict[str, Any] = run_state(
        {"directors": dict.fromkeys(names, model), "real_servers": {}}, hostvars, list(failed)
    )
    return found


def test_the_state_of_a_run() -> None:
    assert state_of({"lb1": report(held=True), "lb2": NEW, "lb3": {"failed": True}}, "lb3", "rs1") == {
        "lost": ["lb3", "rs1"],
        "faults": {},
        "held": {"lb1": VIPS, "lb2": []},
        "joining": {"lb1": {"waits": False, "drained": []}, "lb2": {"waits": True, "drained": []}},
        "lacking": [],
    }


def test_real_servers_that_lack_packages() -> None:
    checked = {"rs1": ["nftables"], "rs2": [], "rs3": ["nftables"], "rs4": "nftables"}
    hostvars = {host: {"site_host_check": {"missing_packages": packages}} for host, packages in checked.items()}
    state = run_state({"directors": {}, "real_servers": dict.fromkeys(checked)}, hostvars, ["rs3"])
    assert state["lacking"] == ["rs1"]
    assert state["lost"] == ["rs3", "rs4"]
