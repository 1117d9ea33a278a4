# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: owner_problems
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: What is wrong with the owners of VIPs while directors are set up one after the other
description:
  - Once the last director is set up, each VIP has to be on exactly one of them.
  - Until then a VIP must not lose its owner, and must not get a second one. What two directors had before, those that
    follow may put right, and where the configuration has changed they do not understand each other until all have it.
positional: _input, now, before, last, changed
options:
  _input:
    description: The VIPs.
    type: list
    elements: str
    required: true
  now:
    description:
      - What M(lvs.cluster.host_check) returned on a director, or the list of the VIPs that it holds, by its inventory
        name.
    type: dict
    required: true
  before:
    description: Those that it had when the run began.
    type: dict
    required: true
  last:
    description: Whether all directors are set up.
    type: bool
    required: true
  changed:
    description: Whether the configuration of one of them has changed in this run.
    type: bool
    required: true
seealso:
  - module: lvs.cluster.host_check
"""

EXAMPLES = r"""
- name: Exactly one director has the VIP
  ansible.builtin.assert:
    that: >-
      ['192.0.2.10']
      | lvs.cluster.owner_problems({'lb1': ['192.0.2.10'], 'lb2': []}, {}, last=true, changed=false) == []
"""

RETURN = r"""
_value:
  description: One sentence for each thing that is wrong.
  type: list
  elements: str
  sample: ["no director has 192.0.2.10, which lb1 had before"]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import ReportError, held_vips, limited, texts
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.vip_owners import owner_problems as problems
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import untrusted


def owner_problems(vips: Any, now: Any, before: Any, last: Any, changed: Any) -> list[str]:
    """`outside.owner_problems` as a filter."""
    for name, one in (("now", now), ("before", before)):
        if not isinstance(one, Mapping):
            raise AnsibleFilterError(f"{name}: not a dictionary of lists of VIPs by director")
    try:
        wanted = texts(vips, "the input")
        seen = [{str(host): _held(host, held, wanted) for host, held in one.items()} for one in (now, before)]
    except ReportError as error:
        raise AnsibleFilterError(str(error)) from error
    return untrusted(limited(problems(wanted, seen[0], seen[1], bool(last), bool(changed))))


def _held(host: Any, reported: Any, vips: list[str]) -> list[str]:
    try:
        return held_vips(reported if isinstance(reported, Mapping) else {"held": reported}, vips)
    except ReportError as error:
        raise ReportError(f"the answer of {host} is not one of lvs.cluster.host_check: {error}") from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"owner_problems": owner_problems}
