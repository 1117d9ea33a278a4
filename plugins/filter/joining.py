# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: joining
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: Whether a director has to wait until the others know it
description:
  - From what all directors report before any of them is changed, tells what one of them is told. It is for the playbook
    C(lvs.cluster.site).
  - What a director reports is checked. An answer of another form ends the run with a message that names the director.
positional: _input, host, vips, real_servers
options:
  _input:
    description:
      - The results of M(lvs.cluster.host_check) by director, with O(lvs.cluster.host_check#module:director) given. An
        empty one is of a director that was not asked.
    type: dict
    required: true
  host:
    description: The inventory name of the director.
    type: str
    required: true
  vips:
    description: The VIPs of the cluster.
    type: list
    elements: str
    required: true
  real_servers:
    description: The addresses of all real servers of the cluster.
    type: list
    elements: str
    required: true
seealso:
  - module: lvs.cluster.host_check
  - module: lvs.cluster.director_join
"""

EXAMPLES = r"""
- name: Show what the director is told
  ansible.builtin.debug:
    msg: >-
      {{ {'lb1': lb1, 'lb2': lb2} | lvs.cluster.joining('lb2', ['192.0.2.10'], ['192.0.2.11']) }}
  vars:
    lb1:
      held: [192.0.2.10]
      director: {configured: true, joins: false, joining: false, drained: [192.0.2.11]}
    lb2:
      held: []
      director: {configured: false, joins: true, joining: false, drained: []}
"""

RETURN = r"""
_value:
  description: What the director is told.
  type: dict
  contains:
    waits:
      description: Whether it takes no VIP until all directors are set up.
      type: bool
    drained:
      description: The addresses of the real servers that are drained on the others, if it is new.
      type: list
      elements: str
  sample: {"waits": true, "drained": ["192.0.2.11"]}
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import ReportError, texts
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.run_order import order, read


def joining(results: Any, host: Any, vips: Any, real_servers: Any) -> dict[str, Any]:
    """`joining.order` as a filter."""
    if not isinstance(results, Mapping) or host not in results:
        raise AnsibleFilterError(f"joining: the input is not a dictionary of results by director that has {host}")
    try:
        reports = read(results, texts(vips, "vips"), texts(real_servers, "real_servers"))
        found = order(host, reports)
    except ReportError as error:
        raise AnsibleFilterError(str(error)) from error
    return {"waits": found.waits, "drained": list(found.drained)}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"joining": joining}
