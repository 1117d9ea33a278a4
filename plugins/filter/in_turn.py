# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: in_turn
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: The directors in the order in which a run changes them
description:
  - Returns the directors that a run has asked which VIPs they have, those with VIPs last. Another director is then
    ready to take over before the one that serves is changed.
  - Among the others, the last of the group is first.
positional: _input, hostvars, steps
options:
  _input:
    description: The directors.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars). A director that was asked has the fact C(lvs_held), a list.
    type: dict
    required: true
  steps:
    description: Variables that a director must have too, such as those that tasks register that tags can leave out.
    type: list
    elements: str
    default: []
seealso:
  - plugin: lvs.cluster.held_vips
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Change the directors, one at a time
  hosts: "{{ groups['directors'] | lvs.cluster.in_turn(hostvars) | join(',') }}"
  serial: 1
  gather_facts: false
  tasks:
    - name: Say who it is
      ansible.builtin.debug:
        var: inventory_hostname
"""

RETURN = r"""
_value:
  description: The directors' inventory names.
  type: list
  elements: str
  sample: [lb2, lb1]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def in_turn(directors: Any, hostvars: Any, steps: Any = ()) -> list[str]:
    """Return the directors that have been asked, those with VIPs last."""
    if not isinstance(directors, (list, tuple)) or not isinstance(hostvars, Mapping):
        raise AnsibleFilterError("in_turn: a list of hosts and the variable hostvars are needed")
    held = {host: hostvars[host].get("lvs_held") for host in directors if host in hostvars}
    asked = [host for host, vips in reversed(held.items()) if isinstance(vips, (list, tuple))]
    asked = [host for host in asked if all(hostvars[host].get(step) is not None for step in steps)]
    return sorted(asked, key=lambda host: len(held[host]) > 0)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"in_turn": in_turn}
