# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: table_problems
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: What is wrong with the IPVS tables of directors at run time
description:
  - Each service with a health check has to be in the table of every director, and all of its real servers that are not
    drained have to be in service.
  - A result that M(lvs.cluster.ipvs_info) does not return is a problem of that director.
  - The sentences are marked as untrusted, so that Ansible never treats them as templates.
  - All directors have to balance alike, with the real servers in one order where the scheduler depends on that.
positional: _input, tables, drained
options:
  _input:
    description: What the filter P(lvs.cluster.cluster#filter) returns.
    type: dict
    required: true
  tables:
    description: What M(lvs.cluster.ipvs_info) returned, or its list of services, by the inventory name of the director.
    type: dict
    required: true
  drained:
    description:
      - The addresses of the real servers that are drained, or the result of M(lvs.cluster.ipvs_table) that has them, by
        the inventory name of the director.
    type: dict
    default: {}
seealso:
  - module: lvs.cluster.ipvs_info
  - plugin: lvs.cluster.cluster
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Both directors balance, and alike
  ansible.builtin.assert:
    that: >-
      lvs_virtual_services | lvs.cluster.cluster(groups, hostvars)
      | lvs.cluster.table_problems({'lb1': first.services, 'lb2': second.services}) == []
"""

RETURN = r"""
_value:
  description: One sentence for each thing that is wrong.
  type: list
  elements: str
  sample: ["lb1: 192.0.2.11:80 is out of service in web (tcp 192.0.2.10:80), by its health check"]
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.balance import table_problems as problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import limited
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import untrusted


def table_problems(cluster: Any, tables: Any, drained: Any = None) -> list[str]:
    """`tables.table_problems` as a filter."""
    try:
        checked, own = cluster["health_checked"], cluster["services"]
        given = dict(tables), dict(drained or {})
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"not what the filter cluster and ipvs_info return: {error!r}") from error
    return untrusted(limited(problems(checked, own, *given)))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"table_problems": table_problems}
