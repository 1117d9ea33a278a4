# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of hosts is never a template, whatever it was put together with."""

from __future__ import annotations

from typing import Any

from ansible.template import is_trusted_as_template, trust_as_template

from ansible_collections.lvs.cluster.plugins.filter.filters import untrusted
from ansible_collections.lvs.cluster.tests.unit.plugins.filter.support import internal


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for text in texts(item)]
    return [text for one in value for text in texts(one)] if isinstance(value, (list, tuple)) else [value]


def test_all_texts_are_marked() -> None:
    text = trust_as_template("{{ x }}")
    assert is_trusted_as_template(text)
    marked = untrusted({text: [text, (text,), {"a": text}]})
    assert marked == {"{{ x }}": ["{{ x }}", ("{{ x }}",), {"a": "{{ x }}"}]}
    assert len(texts(marked)) == 5
    assert not any(is_trusted_as_template(one) for one in texts(marked))


def test_no_result_for_a_playbook_is_a_template() -> None:
    said = trust_as_template("{{ x }}")
    found = internal("deviations", {"kernel": {"changed": True, "differences": [{"kind": said}]}}, said)
    assert any("{{ x }}" in one for one in found)
    assert not any(is_trusted_as_template(one) for one in found)
