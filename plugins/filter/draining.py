# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: draining
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: What takes real servers out of all their services
description:
  - Validates the description of a cluster (the variable C(lvs_virtual_services)) against the inventory, and says what
    the module M(lvs.cluster.ipvs_drain) needs to know about some real servers of it.
positional: _input, hosts, groups, hostvars
options:
  _input:
    description:
      - The description, a list with one dictionary per service.
      - The role P(lvs.cluster.director#role) documents its keys.
    type: list
    elements: dict
    required: true
  hosts:
    description: The inventory names of the real servers. Each has to be in a service.
    type: list
    elements: str
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
seealso:
  - module: lvs.cluster.ipvs_drain
"""

EXAMPLES = r"""
- name: Take rs1 out of service
  lvs.cluster.ipvs_drain:
    real_servers: "{{ drain.addresses }}"
    services: "{{ drain.services }}"
    health_checked: "{{ drain.health_checked }}"
  vars:
    drain: "{{ lvs_virtual_services | lvs.cluster.draining(['rs1'], groups, hostvars) }}"
"""

RETURN = r"""
_value:
  description: Arguments of M(lvs.cluster.ipvs_drain), and where the real servers accept connections.
  type: dict
  contains:
    addresses:
      description: The addresses of these real servers, for its option O(lvs.cluster.ipvs_drain#module:real_servers).
      type: list
      elements: str
    services:
      description: Services of theirs that no health checker owns, for its option of this name.
      type: list
      elements: dict
    health_checked:
      description:
        - Services of theirs that a health checker owns, for its option of this name, each with its C(quorum) less the
          C(hysteresis).
      type: list
      elements: dict
    seen_within:
      description: After how many seconds a health checker has seen a drain.
      type: float
    connections:
      description: Where they accept TCP connections, C(address) and C(port).
      type: list
      elements: dict
  sample:
    addresses: [192.0.2.11]
    services: []
    health_checked:
      - {"name": "web", "address": "192.0.2.10", "port": 80, "protocol": "tcp",
         "real_servers": [{"address": "192.0.2.11", "port": 80}], "quorum": 1}
    seen_within: 33.0
    connections:
      - {"address": "192.0.2.11", "port": 80}
"""

from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import expand


def draining(description: Any, hosts: Any, groups: Any, hostvars: Any) -> dict[str, object]:
    """`Cluster.draining` as a filter."""
    return expand(description, groups, hostvars, lambda cluster: cluster.draining(hosts))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"draining": draining}
