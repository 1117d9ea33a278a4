# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: virtual_servers
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: The services in a configuration of keepalived
description:
  - Says which virtual services a configuration of keepalived has, as the modules tell services apart.
  - Those that stand in other files, which it includes, and those of a C(virtual_server_group) are left out.
positional: _input
options:
  _input:
    description: The text of the configuration, of at most 1048576 characters.
    type: str
    required: true
seealso:
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Take the services of a keepalived that has been removed out of the kernel
  lvs.cluster.ipvs_table:
    services: "{{ lookup('ansible.builtin.file', 'keepalived.conf.old') | lvs.cluster.virtual_servers }}"
    state: absent
"""

RETURN = r"""
_value:
  description: What tells them apart, as O(lvs.cluster.ipvs_table#module:exclude) takes it, in the order of the text.
  type: list
  elements: dict
  sample:
    - {"address": "192.0.2.10", "port": 80, "protocol": "tcp"}
    - {"fwmark": 21, "family": "ipv6"}
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.module_utils.ipvs.written import MAX_WRITTEN, written_services
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import untrusted


def virtual_servers(text: Any) -> list[dict[str, object]]:
    """`written.written_services` as a filter."""
    if not isinstance(text, str):
        raise AnsibleFilterError("virtual_servers: the input is not the text of a configuration")
    if len(text) > MAX_WRITTEN:
        raise AnsibleFilterError(
            f"virtual_servers: the configuration has {len(text)} characters; at most {MAX_WRITTEN} are read"
        )
    return untrusted(written_services(str(text)))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"virtual_servers": virtual_servers}
