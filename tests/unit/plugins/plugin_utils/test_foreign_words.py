# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of keepalived lead to keys, types and variables that exist, and the page has them too."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.lvs.cluster.plugins.plugin_utils._description import foreign_words, service_reader
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import CHECK_KEYS, POOL_KEYS
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import DIRECTOR, SCRIPT_KEYS
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import HEALTH_CHECKS, KEYS

PAGE = Path(__file__).resolve().parents[4] / "docs/docsite/rst/reference/health_checks.rst"
MAPPINGS = {
    "a service": KEYS,
    "a real server": service_reader.SERVER_KEYS,
    "health_check": (*CHECK_KEYS, *POOL_KEYS),
    "persistence": ("timeout", "netmask", "engine"),
    "sorry_server": service_reader.SORRY_KEYS,
    "a tracked script": SCRIPT_KEYS,
}


def test_each_key_exists() -> None:
    assert [word for word, (key, place) in foreign_words.KEYS.items() if key not in MAPPINGS[place]] == []


def test_no_word_is_a_key_in_the_same_place() -> None:
    assert [word for word, (_key, place) in foreign_words.KEYS.items() if word in MAPPINGS[place]] == []


def test_each_type_and_variable_exists() -> None:
    assert set(foreign_words.TYPES.values()) <= set(HEALTH_CHECKS)
    assert set(foreign_words.VARIABLES.values()) <= set(DIRECTOR)


def test_the_page_has_each_word() -> None:
    section = PAGE.read_text().partition("For users of keepalived.conf\n")[2]
    words = {*foreign_words.KEYS, *foreign_words.TYPES, *foreign_words.VARIABLES, *foreign_words.WITHOUT}
    of_groups = {"notification_email_from", "regex_no_match", "regex_options", "regex_stack"}
    missing = {word for word in words if word not in section}
    assert missing <= {*of_groups, "regex_min_offset", "regex_max_offset"}
