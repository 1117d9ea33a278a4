# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts_of_run
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: The hosts that a play of this collection is for
description:
  - Returns a pattern for the keyword C(hosts) of a play, with the groups that are given and without the real servers
    that a run leaves out.
  - Ansible evaluates C(hosts) before it starts a worker for the first task. What this filter imports for that, each of
    the workers has, and none has to import it again.
positional: _input, groups, left_out
options:
  _input:
    description: The names of groups.
    type: list
    elements: str
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  left_out:
    description:
      - The real servers to leave out, a list of inventory names or one text with commas between them.
      - One that is no host of the group C(real_servers) is an error.
    type: raw
    default: []
seealso:
  - plugin: lvs.cluster.with_leftovers
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at the cluster without the real servers that cannot be reached
  hosts: "{{ ['directors', 'real_servers'] | lvs.cluster.hosts_of_run(groups, lvs_left_out | default([])) }}"
  gather_facts: false
  tasks:
    - name: Ask who answers for a VIP
      lvs.cluster.arp_probe:
        addresses: [192.0.2.10]
"""

RETURN = r"""
_value:
  description: A pattern of hosts.
  type: str
  sample: "directors:real_servers:!rs7"
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import REAL_SERVERS

# It imports the whole cluster model, which is wanted: see above.
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import hosts_of_group


def hosts_of_run(wanted: Any, groups: Any, left_out: Any = ()) -> str:
    """Return a pattern: the groups, without the hosts that are left out."""
    names = [name.strip() for name in left_out.split(",") if name.strip()] if isinstance(left_out, str) else left_out
    if not isinstance(names, (list, tuple)):
        raise AnsibleFilterError(f"lvs_left_out: {names!r} is neither a list nor names with commas between them")
    known = hosts_of_group(groups, REAL_SERVERS)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise AnsibleFilterError(
            f"lvs_left_out: {unknown[0]!r} is not a host of the group {REAL_SERVERS}, and only those can be left out"
        )
    return ":".join([*wanted, *(f"!{name}" for name in names)])


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"hosts_of_run": hosts_of_run}
