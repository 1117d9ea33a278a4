# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records: text and back, and what a damaged one leads to."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import Plan, settle
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import (
    HostState,
    KnownVip,
    Record,
    parse_record,
    record_warnings,
    remembered_lines,
    render_record,
)

TEXTS = st.text("abc./0", min_size=1, max_size=6)
RECORDS = st.builds(
    Record,
    sysctls=st.dictionaries(TEXTS, st.none() | TEXTS, max_size=3),
    side_effects=st.dictionaries(TEXTS, TEXTS, max_size=3),
    directories=st.lists(TEXTS, max_size=2).map(tuple),
    vips=st.dictionaries(TEXTS, st.builds(KnownVip, TEXTS, st.booleans()), max_size=2),
)


@given(record=RECORDS)
def test_text_and_back(record: Record) -> None:
    assert parse_record("r", render_record(record)) == record


def test_nothing_to_remember_is_no_file() -> None:
    assert render_record(Record()) is None
    assert parse_record("r", None) == Record()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"format": 2}',
        '{"format": 1',
        "\\0" * 40,
    ],
)
def test_a_damaged_record_is_named(text: str) -> None:
    with pytest.raises(HostError, match=r"^/var/lib/r.json is not a record that this version can read"):
        parse_record("/var/lib/r.json", text)


EMPTY = '"side_effects": {}, "directories": []'


@pytest.mark.parametrize(
    ("text", "found", "problem"),
    [
        ('{"format": 1}', Record(), "sysctls is missing; side_effects is missing; directories is missing"),
        ('{"format": 1, "sysctls": {"a": 1, "b": "2"}, %s}', Record({"b": "2"}), "sysctls: a: 1 is not a string"),
        ('{"format": 1, "sysctls": [], %s}', Record(), "sysctls: [] is not an object"),
        (
            '{"format": 1, "sysctls": {}, %s, "gue": ["6080", 7], "vips": {"a": {"interface": "lo"}, "b": 1}}',
            Record(gue=("6080",)),
            "vips: a: 'added'; vips: b: 'int' object is not subscriptable; gue: 7 is not a string",
        ),
    ],
)
def test_what_can_be_read_of_a_damaged_record_is_known(text: str, found: Record, problem: str) -> None:
    text = text.replace("%s", EMPTY)
    assert parse_record("/r.json", text) == found
    assert record_warnings({"/q.json": None, "/r.json": text, "/s.json": render_record(Record({"a": "1"}))}) == [
        f"/r.json is damaged, and these entries cannot be restored: {problem}. Restore them by hand after"
        " teardown; the next change writes the other entries again"
    ]


@given(record=RECORDS.filter(bool), data=st.data())
def test_a_record_that_was_cut_off_is_read_as_far_as_it_goes(record: Record, data: st.DataObject) -> None:
    text = render_record(record)
    assert text is not None
    cut = text[: data.draw(st.integers(0, len(text) - 3))]
    try:
        found = parse_record("/r.json", cut)
    except HostError:
        assert '"format": 1' not in cut.rpartition("\n")[0]
        return
    assert found.sysctls.items() <= record.sysctls.items()
    assert found.side_effects.items() <= record.side_effects.items()
    assert found.vips.items() <= record.vips.items()
    assert found.directories == record.directories[: len(found.directories)]
    assert found.unreadable


def test_a_run_says_what_of_the_record_cannot_be_read() -> None:
    text = '{"format": 1, "sysctls": {"a": 1}, "side_effects": {}, "directories": []}'
    state = HostState(records={"/r.json": text})
    outcome = settle(lambda: state, lambda found: Plan((), found, ("something else",)), lambda _one: None, False)
    assert outcome.warnings[0] == "something else"
    assert "/r.json is damaged" in outcome.warnings[1]


@given(text=st.text(max_size=40))
def test_any_text_is_a_record_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(HostError):
        parse_record("/r.json", text)


def test_originals_prefer_what_was_listed() -> None:
    assert Record({"a/b": None, "a/c": "1"}, {"a/b": "2", "a/c": "3"}).originals() == {"a/b": "2", "a/c": "1"}


def test_lines_for_a_diff_hold_no_values() -> None:
    record = Record({"a/b": "secret"}, {"a/c": "secret"}, ("/d",), {"192.0.2.1": KnownVip("lo", False)})
    assert remembered_lines("r", render_record(record)) == [
        "the value of a.b",
        "the value of a.c",
        "the address 192.0.2.1 dev lo, which was there before",
        "making /d",
    ]
