#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_service
short_description: Manage one IPVS virtual service
version_added: 0.1.0
description:
  - Adds, changes or removes one virtual service of the Linux Virtual Server, with its real servers if they are given.
  - Values that are not given stay unchanged. An existing entry is edited in place and keeps its connections.
  - Other virtual services are not changed.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.loading
  - lvs.cluster.ipvs.identity
  - lvs.cluster.ipvs.service
  - lvs.cluster.ipvs.state
options:
  real_servers:
    description:
      - The real servers of the virtual service. Other real servers stay unless O(purge=true).
    type: list
    elements: dict
    suboptions:
      address:
        description: The address (RIP) of the real server.
        type: str
        required: true
      port:
        description: The port. By default it is the port of the virtual service, or V(0) with a firewall mark.
        type: int
      forward_method:
        description: The forwarding method. If it is not given, a new real server gets V(dr).
        type: str
        choices: [nat, dr, tun, local]
      weight:
        description: The weight, its share of new connections. If it is not given, a new real server gets V(1).
        type: int
      upper_threshold:
        description: At this number of connections the real server gets no new ones. V(0) means no limit.
        type: int
      lower_threshold:
        description: Below this number of connections the real server gets new ones again.
        type: int
      tunnel_type:
        description: The encapsulation for V(tun).
        type: str
        choices: [ipip, gue, gre]
      tunnel_port:
        description: The UDP port of the encapsulation V(gue).
        type: int
      tunnel_checksum:
        description: The checksum of the encapsulations V(gue) and V(gre).
        type: str
        choices: [none, csum, remcsum]
  purge:
    description:
      - Whether to remove real servers that O(real_servers) does not list. If O(real_servers) is not given, nothing is
        removed.
      - This option is a boolean. O(lvs.cluster.ipvs_table#module:purge) is a choice. Its V(real_servers) corresponds to
        V(true).
    type: bool
    default: false
seealso:
  - module: lvs.cluster.ipvs_table
  - module: lvs.cluster.ipvs_real_server
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Add a web service with two real servers and direct routing
  lvs.cluster.ipvs_service:
    address: 192.0.2.10
    port: 80
    scheduler: wlc
    real_servers:
      - address: 198.51.100.11
      - address: 198.51.100.12
        weight: 2

- name: Add a persistent IPv6 service for a firewall mark
  lvs.cluster.ipvs_service:
    fwmark: 21
    family: ipv6
    persistence_timeout: 300
    persistence_netmask: "64"

- name: Add a service with exactly one real server and NAT
  lvs.cluster.ipvs_service:
    address: 192.0.2.10
    port: 53
    protocol: udp
    one_packet: true
    purge: true
    real_servers:
      - address: 198.51.100.11
        port: 5353
        forward_method: nat

- name: Remove a service
  lvs.cluster.ipvs_service:
    address: 192.0.2.10
    port: 80
    state: absent
"""

RETURN = r"""
diff:
  description:
    - The virtual service before and after, in the form of C(ipvsadm-save -n), sorted, with thresholds.
    - Both are empty if and only if nothing changes.
  returned: success
  type: dict
  contains:
    before:
      description: The virtual service before the task.
      type: str
      sample: ""
    after:
      description: The virtual service after the task. In check mode it is a prediction.
      type: str
      sample: |
        -A -t 192.0.2.10:80 -s wlc
        -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
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
      description: The virtual service or the real server.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: virtual service
      name: "tcp 192.0.2.10:80"
      is: "-s wlc"
      should: "-s rr"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, module, plan


def main() -> None:
    ansible = AnsibleModule(
        {**arguments.service_spec(), "purge": {"type": "bool", "default": False}, **arguments.state_spec()},
        supports_check_mode=True,
    )
    scope = plan.Scope(plan.PURGE_REAL_SERVERS if ansible.params["purge"] else plan.PURGE_NONE)
    module.run(ansible, lambda: module.apply(ansible, [arguments.service(ansible.params)], scope))


if __name__ == "__main__":
    main()
