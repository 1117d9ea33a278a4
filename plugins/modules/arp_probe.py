#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: arp_probe
short_description: Find which hardware addresses answer for an IP address
version_added: 0.1.0
description:
  - Sends ARP requests for IPv4 addresses and neighbour solicitations for IPv6 addresses on one of the host's links, and
    returns the hardware addresses that answered.
  - With direct routing, exactly one director and no real server must answer for each VIP. This module checks that from
    the network. A host does not receive its own requests, so its own answers are visible on other hosts only.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes.info
  - lvs.cluster.attributes.actiongroup_lvs
options:
  addresses:
    description: The addresses to query. Addresses of a family that O(source) lacks are skipped.
    type: list
    elements: str
    required: true
  source:
    description:
      - The host's own addresses on the link. The first one of each family is the sender of the requests. The first one
        of all determines the interface. If the list is empty, no request is sent, and only RV(holds) and
        RV(hardware_addresses) are filled.
    type: list
    elements: str
    required: true
  seconds:
    description: The time to wait for answers. Each request is sent three times during the first half of it.
    type: float
    default: 1
seealso:
  - module: lvs.cluster.arp_silence
"""

EXAMPLES = r"""
- name: Find the holder of the VIP
  lvs.cluster.arp_probe:
    addresses: [192.0.2.10]
    source: ["{{ lvs_address }}"]
  register: probe
"""

RETURN = r"""
answers:
  description:
    - For each queried address, the hardware addresses that answered for it, at most 16.
  returned: success
  type: dict
  sample: {"192.0.2.10": ["52:54:00:12:34:56"]}
arp_ignore:
  description:
    - The sysctl C(arp_ignore) of this host, for C(all) and for the interface. The larger value is effective. Empty if
      no request was sent.
  returned: success
  type: dict
  sample: {"all": 0, "eth1": 0}
hardware_address:
  description: The hardware address of this host on the link. Empty if no request was sent.
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
  description: The O(addresses) that this host itself holds, on any interface.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.10]
interface:
  description: The interface on which requests were sent. Empty if no request was sent.
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
    """Return addresses in normal form by version of IP. Raises HostError for invalid ones."""
    found: dict[int, list[str]] = {4: [], 6: []}
    for text in texts:
        try:
            address = parse_address(text)
        except ValueError:
            raise HostError(f"{option}: {text!r} is not an IP address") from None
        found[address.version].append(str(address))
    return found


def ignoring(interface: str) -> dict[str, int]:
    """Return the sysctl arp_ignore of "all" and of an interface."""
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
