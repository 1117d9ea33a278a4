#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: arp_probe
short_description: Ask a link who answers ARP for an address
version_added: 0.1.0
description:
  - Sends ARP requests for IPv4 addresses on one of the host's links and returns the hardware addresses that answered.
  - With direct routing every VIP must be answered by one director and by no real server, which this shows from
    outside. A host does not hear itself, so what it answers is seen by the others.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes.info
  - lvs.cluster.attributes.actiongroup_lvs
options:
  addresses:
    description: The IPv4 addresses to ask for.
    type: list
    elements: str
    required: true
  source:
    description:
      - The host's own addresses on the link. The first IPv4 address among them finds the interface and is the sender
        of the requests.
    type: list
    elements: str
    required: true
  seconds:
    description: How long answers are waited for. Requests are sent three times over the first half of it.
    type: float
    default: 1
seealso:
  - module: lvs.cluster.arp_silence
  - plugin: lvs.cluster.vip_problems
    plugin_type: filter
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
  description: For each address the hardware addresses that answered for it.
  returned: success
  type: dict
  sample: {"192.0.2.10": ["52:54:00:12:34:56"]}
hardware_address:
  description: The hardware address of this host on the link.
  returned: success
  type: str
  sample: 52:54:00:12:34:56
holds:
  description: Which of the addresses this host has itself, on whichever interface.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.10]
interface:
  description: The interface that was asked on.
  returned: success
  type: str
  sample: eth1
"""

import ipaddress

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils.host.arp_ask import ask, find_link, holders
from ansible_collections.lvs.cluster.plugins.module_utils.host.arp_frame import mac
from ansible_collections.lvs.cluster.plugins.module_utils.host.capability import require_root
from ansible_collections.lvs.cluster.plugins.module_utils.host.errors import HostError


def ipv4_addresses(option: str, texts: list[str]) -> list[str]:
    """The IPv4 ones among addresses. Raises HostError for what is no address."""
    found = []
    for text in texts:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise HostError(f"{option}: {text!r} is not an IP address") from None
        if address.version == 4:
            found.append(str(address))
    return found


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
        addresses = ipv4_addresses("addresses", module.params["addresses"])
        source = ipv4_addresses("source", module.params["source"])
        if not source:
            raise HostError("source: there is no IPv4 address to ask from")
        require_root()
        link = find_link(source[0])
        answers = ask(link, addresses, module.params["seconds"])
    except HostError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        answers=answers,
        holds=holders(addresses),
        interface=link.interface,
        hardware_address=mac(link.hardware),
    )


if __name__ == "__main__":
    main()
