# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: held_vips
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: The VIPs that a director reports as held
description:
  - Checks what M(lvs.cluster.host_check) returned on one director, and returns the VIPs that it holds.
  - An answer that is not one of the module fails with a message that names the host. The result has VIPs of the
    description only, in its order, and no text of the host.
positional: _input, vips, host
options:
  _input:
    description: The result of M(lvs.cluster.host_check).
    type: dict
    required: true
  vips:
    description: The VIPs of the cluster.
    type: list
    elements: str
    required: true
  host:
    description: The inventory name of the director.
    type: str
    required: true
seealso:
  - module: lvs.cluster.host_check
  - plugin: lvs.cluster.owner_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Check which VIPs the director holds
  lvs.cluster.host_check:
    vips: [192.0.2.10]
  register: check

- name: Show the VIPs that the director holds
  ansible.builtin.debug:
    msg: "{{ check | lvs.cluster.held_vips(['192.0.2.10'], inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: Those of the VIPs that the director holds.
  type: list
  elements: str
  sample: [192.0.2.10]
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import ReportError, texts
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import held_vips as checked


def held_vips(result: Any, vips: Any, host: Any) -> list[str]:
    """`reports.held_vips` as a filter."""
    try:
        return checked(result, texts(vips, "vips"))
    except ReportError as error:
        raise AnsibleFilterError(f"{host}: its answer is not one of lvs.cluster.host_check: {error}") from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"held_vips": held_vips}
