# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vip_problems
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: What is wrong with the VIPs as the link sees them
description:
  - Puts together what several hosts saw with the module M(lvs.cluster.arp_probe).
  - Each VIP must be held by exactly one director, and nobody else may answer ARP or neighbour solicitations for it.
  - A result that M(lvs.cluster.arp_probe) does not return is a problem of that host.
  - The sentences are marked as untrusted, so that Ansible never treats them as templates.
positional: _input, directors, probes, on_link
options:
  _input:
    description: The VIPs.
    type: list
    elements: str
    required: true
  directors:
    description: The inventory names of the directors.
    type: list
    elements: str
    required: true
  probes:
    description: The results of M(lvs.cluster.arp_probe) by the inventory name of the host.
    type: dict
    required: true
  on_link:
    description: Those VIPs that are on the link on which all these hosts asked, so that each must hear an answer.
    type: list
    elements: str
    default: []
seealso:
  - module: lvs.cluster.arp_probe
"""

EXAMPLES = r"""
- name: Nobody but one director answers for a VIP
  ansible.builtin.assert:
    that: >-
      ['192.0.2.10'] | lvs.cluster.vip_problems(groups['directors'], probes) == []
"""

RETURN = r"""
_value:
  description: One sentence for each thing that is wrong.
  type: list
  elements: str
  sample: ["rs2 answers ARP for 192.0.2.10 on eth1: arp_ignore is 0 on all and eth1"]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import ReportError, clip, limited
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.vip_owners import Probe
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.vip_owners import vip_problems as problems
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import untrusted


def vip_problems(vips: Any, directors: Any, probes: Any, on_link: Any = ()) -> list[str]:
    """`outside.vip_problems` as a filter."""
    failed = []
    seen = {}
    if not isinstance(probes, Mapping):
        raise AnsibleFilterError("probes: not a dictionary of results of lvs.cluster.arp_probe")
    for host, probe in probes.items():
        try:
            if isinstance(probe, Mapping) and probe.get("failed"):
                failed.append(f"{host}: {clip(probe.get('msg'))}")
            else:
                seen[str(host)] = Probe.of(probe)
        except ReportError as error:
            failed.append(f"{host}: its answer is not one of lvs.cluster.arp_probe: {error}")
    texts = ([str(vip) for vip in some] for some in (vips, directors, on_link))
    wanted, holders, heard = texts
    return untrusted(limited([*failed, *problems(wanted, holders, seen, heard)]))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"vip_problems": vip_problems}
