# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a drain over several directors."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.drain_run import (
    drain_failure,
    drained_on,
    not_undrained,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import InputError

ADDRESSES = ["192.0.2.11", "192.0.2.12"]
FORMER = [{"address": "192.0.2.10", "port": 80, "real_servers": []}]
ANSWER: dict[str, Any] = {"changed": True, "switched": ADDRESSES[:1], "former": FORMER, "other": "x"}


def test_each_director_adds_its_own_record() -> None:
    first = drained_on([], "lb1", ANSWER, ADDRESSES)
    assert first == [{"director": "lb1", "switched": ["192.0.2.11"], "former": FORMER, "fault": ""}]
    both = drained_on(first, "lb2", {**ANSWER, "switched": [], "former": []}, ADDRESSES)
    assert both == [*first, {"director": "lb2", "switched": [], "former": [], "fault": ""}]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"unreachable": True, "msg": "no route"}, "lb2 cannot be reached: no route"),
        ({}, "lb2: its answer is not one of lvs.cluster.ipvs_drain: switched is missing"),
        ("text", "the result is a string"),
        ({**ANSWER, "switched": "192.0.2.11"}, "switched is a string"),
        ({**ANSWER, "switched": ["192.0.2.99"]}, "'192.0.2.99' in it, which is not drained here"),
        ({**ANSWER, "former": "x"}, "former is not a list of services"),
        ({**ANSWER, "former": None}, "former is not a list of services"),
    ],
)
def test_an_answer_that_cannot_be_used_is_a_fault_and_leaves_nothing_to_undo(answer: Any, words: str) -> None:
    (record,) = drained_on([], "lb2", answer, ADDRESSES)
    assert words in str(record["fault"])
    assert (record["switched"], record["former"]) == ([], [])


@pytest.mark.parametrize("recorded", [False, True])
def test_a_director_that_cannot_be_reached_is_named_whether_it_was_recorded_or_not(recorded: bool) -> None:
    lost = {"unreachable": True, "msg": "no route"}
    done = drained_on([], "lb1", ANSWER, ADDRESSES)
    if recorded:
        done = drained_on(done, "lb2", lost, ADDRESSES)
    assert drain_failure(done, ["lb1", "lb2", "lb3"], lost, {}) == "lb2 cannot be reached: no route"
    assert drain_failure(done, ["lb1", "lb2"], ANSWER, {"msg": "would not be met"}) == "would not be met"


def test_an_undrain_records_failures_and_goes_on() -> None:
    failed = not_undrained([], "lb1", {"changed": True})
    assert failed == []
    failed = not_undrained(failed, "lb2", {"failed": True, "msg": "no answer"})
    failed = not_undrained(failed, "lb3", {"unreachable": True, "msg": "no route"})
    failed = not_undrained(failed, "lb4", "text")
    assert [(one["director"], one["unreached"], one["text"]) for one in failed] == [
        ("lb2", False, "lb2: no answer"),
        ("lb3", True, "lb3 cannot be reached: no route"),
        ("lb4", False, "lb4: "),
    ]


def test_a_playbook_that_gives_something_else() -> None:
    with pytest.raises(InputError):
        drained_on("x", "lb1", ANSWER, ADDRESSES)
    with pytest.raises(InputError):
        drained_on([], "lb1", ANSWER, "x")
    with pytest.raises(InputError):
        not_undrained([5], "lb1", ANSWER)
