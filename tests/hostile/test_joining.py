# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``site`` and ``failover`` tell a director that the others do not know yet, and when."""

from __future__ import annotations

import json
from typing import Any

NEW = {"configured": False, "joins": True, "joining": False, "drained": []}


def answers(**directors: dict[str, Any]) -> dict[str, Any]:
    return {host: {"host_check": {"director": director}} for host, director in directors.items()}


def joined(run: Any, host: str) -> list[tuple[int, dict[str, Any]]]:
    """What a host was told by director_join, and when: the place among all that it was told."""
    return [(at, json.loads(told)) for at, (module, told) in enumerate(run.told[host]) if module == "director_join"]


def test_a_new_director_waits_and_has_the_drains_of_the_other(cluster: Any) -> None:
    serves = {"configured": True, "joins": True, "joining": False}
    drained = {**serves, "drained": ["192.0.2.11", "203.0.113.9", cluster.payload]}
    run = cluster.run("site", answers=answers(lb1=drained, lb2=NEW))
    assert run.status == 0, run.text
    assert joined(run, "lb1") == []
    (first, waits), (last, takes) = joined(run, "lb2")
    assert (waits["state"], waits["drained"]) == ("joining", ["192.0.2.11"])
    assert takes["state"] == "joined"
    told = run.modules("lb2")
    assert first < told.index("director") < told.index("service_config"), "before there is a service and keepalived"
    assert last > max(at for at, module in enumerate(told) if module == "director")


def test_a_director_alone_is_not_let_in(cluster: Any) -> None:
    """With --limit nobody knows whether the others know it."""
    run = cluster.run("site", "--limit", "lb2,real_servers", answers=answers(lb2=NEW))
    assert run.status != 0
    assert (
        "lb2 takes no VIP, because it may not be configured on lb1: run lvs.cluster.site for all directors" in run.text
    )
    assert [told["state"] for _at, told in joined(run, "lb2")] == ["joining"]


def test_an_interrupted_run_is_completed(cluster: Any) -> None:
    waits = {"configured": True, "joins": False, "joining": True, "drained": []}
    run = cluster.run("site", answers=answers(lb2=waits))
    assert run.status == 0, run.text
    assert [told["state"] for _at, told in joined(run, "lb2")] == ["joining", "joined"]


def test_nothing_is_handed_over_to_one_that_waits(cluster: Any) -> None:
    run = cluster.run("failover", "-e", "lvs_failover_to=lb2", answers={"lb2": {"host_check": {"joining": True}}})
    assert run.status != 0
    assert (
        "lb2 is new and may not be configured on the other directors: run lvs.cluster.site for all directors first"
        in run.text
    )
    assert "copy" not in run.modules("lb1")


def test_with_tags_nobody_is_let_in(cluster: Any) -> None:
    """The others may not know it: what would tell them is left out."""
    waits = {"configured": True, "joins": False, "joining": True, "drained": []}
    run = cluster.run("site", "--tags", "lvs_kernel", answers=answers(lb2=waits))
    assert run.status != 0
    assert "lb2 takes no VIP, because it may not be configured on lb" in run.text
    assert [told["state"] for _at, told in joined(run, "lb2")] == ["joining"]
