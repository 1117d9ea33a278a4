# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: The whole of an LVS cluster, from its description
description:
  - Validates the description of a cluster (the variable C(lvs_virtual_services)) against the inventory and expands it
    for all hosts, for checks before a run, for checks from outside and for reports.
  - Everything that is wrong is reported at once, one line each, naming the service, the key and the value.
positional: _input, groups, hostvars, check_hosts
options:
  _input:
    description:
      - The description, a list with one dictionary per service.
      - The role P(lvs.cluster.director#role) documents its keys.
    type: list
    elements: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  check_hosts:
    description:
      - Whether the variables of all hosts of the groups C(directors) and C(real_servers) are checked too.
      - A variable that begins with C(lvs_), C(director_) or C(real_server_) has to be one of this collection, or in the
        list C(lvs_other_variables). Settings that have to be the same may not differ, and no two hosts may have one
        address.
    type: bool
    default: false
seealso:
  - plugin: lvs.cluster.director
    plugin_type: filter
  - plugin: lvs.cluster.real_server
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse a wrong description before any host is touched
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Validate the description
      ansible.builtin.assert:
        that: (lvs_virtual_services | lvs.cluster.cluster(groups, hostvars, check_hosts=true)).services is defined
        quiet: true
"""

RETURN = r"""
_value:
  description: The whole cluster.
  type: dict
  contains:
    vips:
      description: The VIPs of all services, as the filter P(lvs.cluster.director#filter) returns them.
      type: list
      elements: dict
    services:
      description: The IPVS table that every director has, as the filter P(lvs.cluster.director#filter) returns it.
      type: list
      elements: dict
    owned_elsewhere:
      description: The identities of services that belong to a health checker.
      type: list
      elements: dict
    health_checked:
      description: These services with their real servers, the weight and the thresholds of each.
      type: list
      elements: dict
    directors:
      description: The directors' inventory names, the one of the highest priority first.
      type: list
      elements: str
    addresses:
      description:
        - The addresses of each host of the groups C(directors) and C(real_servers), from C(lvs_address) or
          C(ansible_host).
        - A host that has none and that no service uses is left out.
      type: dict
    real_servers:
      description:
        - What each host of the group C(real_servers) needs, as the filter P(lvs.cluster.real_server#filter) returns it.
      type: dict
    direct_vips:
      description: The VIPs of services with direct routing, which are on the link of their real servers.
      type: list
      elements: str
    connections:
      description: What accepts TCP connections, services by mark too. It has not those for every port.
      type: list
      elements: dict
      contains:
        name:
          description: The service.
          type: str
        address:
          description: The VIP.
          type: str
        port:
          description: The port.
          type: int
  sample:
    vips: [{"address": "192.0.2.10", "family": "ipv4", "prefix": 32}]
    services: []
    owned_elsewhere: []
    health_checked: []
    directors: [lb1]
    addresses: {"lb1": ["192.0.2.2"], "rs1": ["192.0.2.11"]}
    real_servers:
      rs1: {"vips": ["192.0.2.10"]}
    direct_vips: [192.0.2.10]
    connections: [{"name": "web", "address": "192.0.2.10", "port": 80}]
"""

from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import expand


def cluster(description: Any, groups: Any, hostvars: Any, check_hosts: Any = False) -> dict[str, object]:
    """`Cluster.as_dict` as a filter."""

    def wanted(whole: Cluster) -> dict[str, object]:
        if check_hosts:
            whole.check_hosts()
        return whole.as_dict()

    return expand(description, groups, hostvars, wanted)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"cluster": cluster}
