# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: director_parts
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: The parts of a director that a run with tags is about
description:
  - Returns what O(lvs.cluster.director#module:parts) takes. The tags of the role P(lvs.cluster.director#role) decide.
  - With no such tag among O(_input), all parts are meant. They are if the role itself has been given a tag.
positional: _input, skipped
options:
  _input:
    description: The variable C(ansible_run_tags).
    type: list
    elements: str
    required: true
  skipped:
    description: The variable C(ansible_skip_tags).
    type: list
    elements: str
    default: []
seealso:
  - module: lvs.cluster.director
"""

EXAMPLES = r"""
- name: What a run is about
  ansible.builtin.debug:
    msg: "{{ ansible_run_tags | lvs.cluster.director_parts(ansible_skip_tags) }}"
"""

RETURN = r"""
_value:
  description: Names of parts, in their order.
  type: list
  elements: str
  sample: [leaving, table, timeouts]
"""

from typing import Any

from ansible.errors import AnsibleFilterError

#: Of each part, the tags that ask for it. Whatever removes real servers drains them first.
_TAGS = {
    "kernel": {"lvs_kernel"},
    "leaving": {"lvs_table", "lvs_nftables", "lvs_keepalived", "lvs_health_checker"},
    "nftables": {"lvs_nftables"},
    "table": {"lvs_table"},
    "timeouts": {"lvs_table"},
}


def director_parts(tags: Any, skipped: Any = ()) -> list[str]:
    """Return the parts that some tag asks for that is not skipped."""
    if not all(isinstance(one, (list, tuple)) for one in (tags, skipped)):
        raise AnsibleFilterError("director_parts: two lists of tags are needed")
    known = set().union(*_TAGS.values())
    asked = known if "all" in tags or not known.intersection(tags) else known.intersection(tags)
    return [part for part, own in _TAGS.items() if own & asked - set(skipped)]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"director_parts": director_parts}
