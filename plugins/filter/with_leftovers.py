# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: with_leftovers
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: The real servers that have something left to clean up
description:
  - Returns those hosts that hold something that the description no longer has, after a run of the role
    P(lvs.cluster.real_server#role) with C(real_server_purge=false).
  - A host reports that about itself, and only whether there is something counts.
positional: _input, hostvars
options:
  _input:
    description: Inventory names of real servers.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
seealso:
  - module: lvs.cluster.arp_silence
  - module: lvs.cluster.ipvs_tunnel
  - module: lvs.cluster.nftables_table
  - module: lvs.cluster.return_route
"""

EXAMPLES = r"""
- name: Show the hosts that have something left to clean up
  ansible.builtin.debug:
    msg: "{{ groups['real_servers'] | lvs.cluster.with_leftovers(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Those of the hosts, in their order.
  type: list
  elements: str
  sample: [rs1]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

#: The variable in which the role has what its module returned.
RESULT = "real_server_result"


def _has_leftovers(variables: object) -> bool:
    result = variables.get(RESULT) if isinstance(variables, Mapping) else None
    found = result.get("leftovers") if isinstance(result, Mapping) else None
    return isinstance(found, (list, tuple)) and len(found) > 0


def with_leftovers(hosts: Any, hostvars: Any) -> list[str]:
    """Return those hosts whose results have leftovers."""
    if not isinstance(hosts, (list, tuple)) or not isinstance(hostvars, Mapping):
        raise AnsibleFilterError("with_leftovers: a list of hosts and the variable hostvars are needed")
    return [host for host in hosts if host in hostvars and _has_leftovers(hostvars[host])]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"with_leftovers": with_leftovers}
