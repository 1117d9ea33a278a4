#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: real_server
short_description: Set up VIPs, tunnels, nftables and return routes of a real server in one task
version_added: 0.1.0
description:
  - Combines M(lvs.cluster.arp_silence), M(lvs.cluster.ipvs_tunnel), M(lvs.cluster.nftables_table) and
    M(lvs.cluster.return_route), in this order. One task instead of four starts only one interpreter on the host.
  - All options are validated before anything is changed. A part that fails is rolled back. The parts before it keep
    their changes.
  - Objects of an earlier task that are no longer listed are removed, unless O(purge=false).
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
requirements:
  - pyroute2 0.7.2 or newer (package python3-pyroute2), for the Python interpreter that Ansible uses or for
    C(/usr/bin/python3). The module runs under the latter if the former lacks it
options:
  vips:
    description: The VIPs, as O(lvs.cluster.arp_silence#module:vips).
    type: list
    elements: str
    default: []
  interface:
    description: The interface that holds the VIPs.
    type: str
    default: lo
  ingress:
    description: Interfaces on which ARP is suppressed individually, as O(lvs.cluster.arp_silence#module:ingress).
    type: list
    elements: str
    default: []
  tunnels:
    description: The tunnels by which the directors send.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description:
          - The address of this host to which the directors send. It must be on an interface.
          - Its family is that of the outer packets.
        type: str
        required: true
      type:
        description: The tunnel type, as O(lvs.cluster.ipvs_real_server#module:tunnel_type).
        type: str
        choices: [ipip, gue, gre]
        default: ipip
      families:
        description:
          - The families of the VIPs, which are those of the inner packets.
          - By default the family of O(tunnels[].address).
        type: list
        elements: str
        choices: [ipv4, ipv6]
      port:
        description: The UDP port of O(tunnels[].type=gue), on every address of this host.
        type: int
      checksum:
        description:
          - As O(lvs.cluster.ipvs_real_server#module:tunnel_checksum).
          - It is used with O(tunnels[].type=gre) only, because a GRE device accepts either packets with checksums or
            packets without. For GUE the kernel accepts both.
        type: str
        choices: [none, csum, remcsum]
        default: none
  rules:
    description:
      - The rules of the nftables table C(lvs_real_server), as O(lvs.cluster.nftables_table#module:rules). If it is
        empty, the table does not exist.
    type: str
    default: ''
  return_route:
    description: The replies that return through the directors.
    type: dict
    default: {}
    suboptions:
      gateways:
        description: The directors' addresses, as O(lvs.cluster.return_route#module:gateways).
        type: list
        elements: str
        default: []
      services:
        description: The sources of the replies.
        type: list
        elements: dict
        default: []
        suboptions:
          address:
            description: An address of this host, to which the director sends requests. It must be on an interface.
            type: str
            required: true
          protocol:
            description: The protocol. By default every protocol.
            type: str
            choices: [tcp, udp, sctp]
          port:
            description:
              - The source port of the replies, or a range such as V(10000-20000), for which there is one rule. By
                default, or if it is V(0), every port.
              - A rule of the kernel matches ports up to 65534.
            type: str
            default: '0'
      direct:
        description: The directors' own addresses, as O(lvs.cluster.return_route#module:direct).
        type: list
        elements: str
        default: []
      traffic:
        description: The traffic that goes through the gateways, as O(lvs.cluster.return_route#module:traffic).
        type: str
        choices: [services, all]
        default: services
  purge:
    description:
      - Whether to remove objects of an earlier task that are no longer listed.
      - With V(false) the task only adds, and returns RV(leftovers).
      - It has no effect with O(state=absent).
    type: bool
    default: true
  state:
    description:
      - V(present) applies the options to the host.
      - V(absent) removes everything that the four modules have set up, and their files.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The configuration persists across reboots.
seealso:
  - module: lvs.cluster.arp_silence
  - module: lvs.cluster.ipvs_tunnel
  - module: lvs.cluster.nftables_table
  - module: lvs.cluster.return_route
"""

EXAMPLES = r"""
- name: Set up a VIP with direct routing and return routes for a service with NAT
  lvs.cluster.real_server:
    vips: [192.0.2.10]
    return_route:
      gateways: [192.0.2.1]
      services:
        - {address: 192.0.2.11, protocol: tcp, port: 8080}

- name: Remove everything that the module has set up
  lvs.cluster.real_server:
    state: absent
"""

RETURN = r"""
leftovers:
  description: The changes that a run with O(purge=true) would still make, as text.
  returned: if O(purge=false)
  type: list
  elements: str
  sample: [remove the address 192.0.2.20/32 dev lo]
parts:
  description: The return values of each of the modules. The parts after a failed one are absent.
  returned: always
  type: dict
  contains:
    vips:
      description: The return values of M(lvs.cluster.arp_silence).
      type: dict
    tunnels:
      description: The return values of M(lvs.cluster.ipvs_tunnel).
      type: dict
    nftables:
      description: The return values of M(lvs.cluster.nftables_table).
      type: dict
    return_route:
      description: The return values of M(lvs.cluster.return_route).
      type: dict
  sample: {"vips": {"changed": false}}
diff:
  description: The state before and after, as one dictionary for each part.
  returned: success
  type: list
  elements: dict
  sample: [{"before": "", "after": "address 192.0.2.10/32 dev lo\n"}]
differences:
  description: The differences from the task, before it is applied. Empty if nothing changes.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of object that differs.
      type: str
    name:
      description: As the module of the part returns it.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: address
      name: "192.0.2.10/32 dev lo"
      is: "absent"
      should: "present"
"""

from contextlib import closing

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host import arp, decapsulation, routing
from ansible_collections.lvs.cluster.plugins.module_utils._host.nft_table import converge_table, parse_table
from ansible_collections.lvs.cluster.plugins.module_utils._host.process import runner
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import Target, host_part
from ansible_collections.lvs.cluster.plugins.module_utils._host.task import run_parts

_TABLE = "lvs_real_server"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "vips": {"type": "list", "elements": "str", "default": []},
            "interface": {"type": "str", "default": "lo"},
            "ingress": {"type": "list", "elements": "str", "default": []},
            "tunnels": {**decapsulation.tunnels_option(), "default": []},
            "rules": {"type": "str", "default": ""},
            "return_route": {
                "type": "dict",
                "default": {},
                "options": {
                    "gateways": {"type": "list", "elements": "str", "default": []},
                    "services": {**routing.replies_option(), "default": []},
                    "direct": {"type": "list", "elements": "str", "default": []},
                    "traffic": {"type": "str", "choices": ["services", "all"], "default": "services"},
                },
            },
            "purge": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    wanted, routes = module.params, module.params["return_route"]
    present, purge = wanted["state"] == "present", wanted["purge"]
    number = routing.USUAL_NUMBER
    with closing(Target(runner(module))) as target:
        parts = (
            host_part(
                module,
                target,
                "vips",
                lambda: arp.parse_silence(
                    present, wanted["vips"] if present else [], wanted["interface"], wanted["ingress"], True, purge
                ),
                arp.converge_silence,
                arp.TRACES,
            ),
            host_part(
                module,
                target,
                "tunnels",
                lambda: decapsulation.parse_tunnels(present, wanted["tunnels"] if present else [], True, purge),
                decapsulation.converge_tunnels,
                decapsulation.TRACES,
            ),
            host_part(
                module,
                target,
                "nftables",
                lambda: parse_table(present and bool(wanted["rules"]), _TABLE, wanted["rules"], True, purge),
                converge_table,
            ),
            host_part(
                module,
                target,
                "return_route",
                lambda: routing.parse_return_route(
                    present,
                    routes.get("gateways", []),
                    routes.get("services", []),
                    routes.get("traffic") == "all",
                    number,
                    number,
                    True,
                    purge,
                    routes.get("direct", []),
                ),
                routing.converge_return_route,
                routing.TRACES,
            ),
        )
        run_parts(module, parts)


if __name__ == "__main__":
    main()
