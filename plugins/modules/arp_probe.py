#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: arp_probe
short_description: Ask a link who answers for an address
version_added: 0.1.0
description:
  - Sends ARP requests for IPv4 addresses and neighbour solicitations for IPv6 addresses on one of the host's links, and
    returns the hardware addresses that answered.
  - With direct routing every VIP must be answered by one director and by no real server, which this shows from
    outside. A host does not hear itself, so what it answers is seen by the others.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes.info
  - lvs.cluster.attributes.actiongroup_lvs
options:
  addresses:
    description: The addresses to ask for. Those of a family in which O(source) has none are not asked for.
    type: list
    elements: str
    required: true
  source:
    description:
      - The host's own addresses on the link. The first one of each family is the sender of the requests, and the first
        one of all finds the interface. With none, nobody is asked, and only what the host has itself is returned.
    type: list
    elements: str
    required: true
  seconds:
    description: How long answers are waited for. Requests are sent three times over the first half of it.
    type: float
    default: 1
seealso:
  - module: lvs.cluster.arp_silence
"""

EXAMPLES = r"""
- name: Ask who has the VIP
  lvs.cluster.arp_probe:
    addresses: [192.0.2.10]
    source: ["{{ lvs_address }}"]
  register: probe
"""

RETURN = r"""
answers:
  description:
    - For each address that was asked for, the hardware addresses that answered for it, at most 16.
  returned: success
  type: dict
  sample: {"192.0.2.10": ["52:54:00:12:34:56"]}
arp_ignore:
  description:
    - The sysctl C(arp_ignore) of this host, for C(all) and for the interface. The larger one counts. Empty where it did
      not ask.
  returned: success
  type: dict
  sample: {"all": 0, "eth1": 0}
hardware_address:
  description: The hardware address of this host on the link; empty where it did not ask.
  returned: success
  type: str
  sample: 52:54:00:12:34:56
hardware_addresses:
  description: The hardware addresses of all interfaces of this host.
  returned: success
  type: list
  elements: str
  sample: ["52:54:00:12:34:56"]
holds:
  description: Which of the addresses this host has itself, on whichever interface.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.10]
interface:
  description: The interface that was asked on; empty where it did not ask.
  returned: success
  type: str
  sample: eth1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.probe import (
    ask_arp,
    ask_neighbours,
    find_link,
    hardware_addresses,
    holders,
    mac,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.process import require_root
from ansible_collections.lvs.cluster.plugins.module_utils._host.running_kernel import read_sysctls
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import parse_address


def by_version(option: str, texts: list[str]) -> dict[int, list[str]]:
    """Addresses in normal form by version of IP. Raises HostError for what is none."""
    found: dict[int, list[str]] = {4: [], 6: []}
    for text in texts:
        try:
            address = parse_address(text)
        except ValueError:
            raise HostError(f"{option}: {text!r} is not an IP address") from None
        found[address.version].append(str(address))
    return found


def ignoring(interface: str) -> dict[str, int]:
    """The sysctl arp_ignore of "all" and of an interface."""
    values = read_sysctls(f"net/ipv4/conf/{name}/arp_ignore" for name in ("all", interface))
    return {name: int(value or 0) for name, value in zip(("all", interface), values.values())}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "addresses": {"type": "list", "elements": "str", "required": True},
            "source": {"type": "list", "elements": "str", "required": True},
            "seconds": {"type": "float", "default": 1},
        },
        supports_check_mode=True,
    )
    try:
        addresses = by_version("addresses", module.params["addresses"])
        source = by_version("source", module.params["source"])
        own = [*source[4], *source[6]]
        require_root()
        seconds = module.params["seconds"]
        link = find_link(own[0]) if own else None
        answers = {}
        if link and source[4] and addresses[4]:
            answers.update(ask_arp(link, source[4][0], addresses[4], seconds))
        if link and source[6] and addresses[6]:
            answers.update(ask_neighbours(link.interface, link.hardware, source[6][0], addresses[6], seconds))
    except HostError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        answers=answers,
        holds=holders([*addresses[4], *addresses[6]]),
        arp_ignore=ignoring(link.interface) if link else {},
        interface=link.interface if link else "",
        hardware_address=mac(link.hardware) if link else "",
        hardware_addresses=hardware_addresses(),
    )


if __name__ == "__main__":
    main()
