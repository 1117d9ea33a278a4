# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records: text and back, and what a damaged one leads to."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils.host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils.host.record import (
    KnownVip,
    Record,
    parse_record,
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
        '{"format": 1}',
        '{"format": 1, "sysctls": {"a": 1}, "side_effects": {}, "directories": []}',
        '{"format": 1, "sysctls": [], "side_effects": {}, "directories": []}',
        '{"format": 1, "sysctls": {}, "side_effects": {}, "directories": [], "vips": {"a": {"interface": "lo"}}}',
    ],
)
def test_a_damaged_record_is_named(text: str) -> None:
    with pytest.raises(HostError, match=r"^/var/lib/r.json is no record that this version can read"):
        parse_record("/var/lib/r.json", text)


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
