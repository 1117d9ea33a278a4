# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: deviations
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: In what a host differs from its description, in words
description:
  - Says in words what tasks of this collection's modules, run in check mode and diff mode, would change on a host.
  - The sentences have text of the host in them. They are marked as untrusted, so that Ansible never treats them as
    templates.
positional: _input, host
options:
  _input:
    description: Results of tasks, by what each is about. What is undefined, skipped or unchanged says nothing.
    type: dict
    required: true
  host:
    description: The name of the host.
    type: str
    required: true
seealso:
  - plugin: lvs.cluster.vip_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: The VIPs are held silently
  ansible.builtin.assert:
    that: "{'VIPs': silence} | lvs.cluster.deviations(inventory_hostname) == []"
"""

RETURN = r"""
_value:
  description: One sentence for each thing that is not as described.
  type: list
  elements: str
  sample: ["rs2: net.ipv4.conf.all.arp_ignore is 0, and should be 1"]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.deviations import deviations as explained
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import limited
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import untrusted


def deviations(results: Any, host: Any) -> list[str]:
    """`deviations.deviations` as a filter."""
    if not isinstance(results, Mapping):
        raise AnsibleFilterError("deviations: the input is not a dictionary of results")
    return untrusted(limited(explained(str(host), {str(what): result for what, result in results.items()})))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"deviations": deviations}
