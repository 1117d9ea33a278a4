#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_real_server
short_description: Manage one real server of an IPVS virtual service
version_added: 0.1.0
description:
  - Makes one real server of a virtual service of the Linux Virtual Server what is described.
  - What is not given is left as it is. A real server that exists is edited in place, so its connections live on.
  - The virtual service has to exist; it and its other real servers are not touched.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.real_server
  - lvs.cluster.ipvs.state
options:
  service:
    description:
      - The virtual service that the real server belongs to.
    type: dict
    required: true
    suboptions:
      address:
        description: The address (VIP) of the virtual service.
        type: str
      port:
        description: The port of the virtual service; needed with O(service.address).
        type: int
      protocol:
        description: The protocol of a virtual service with O(service.address); V(tcp) where it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark of the virtual service, instead of address, port and protocol.
        type: int
      family:
        description: The address family of a virtual service with O(service.fwmark); V(ipv4) where it is not given.
        type: str
        choices: [ipv4, ipv6]
seealso:
  - module: lvs.cluster.ipvs_service
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Take a real server out of service, keeping its connections
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    weight: 0

- name: A real server behind a GUE tunnel
  lvs.cluster.ipvs_real_server:
    service:
      fwmark: 21
    address: 198.51.100.12
    forward_method: tun
    tunnel_type: gue
    tunnel_port: 6080

- name: Remove a real server
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    state: absent
"""

RETURN = r"""
diff:
  description:
    - The virtual service with its real servers before and after, in the form of C(ipvsadm-save -n), sorted, with
      thresholds.
    - Both are empty exactly when nothing changes.
  returned: success
  type: dict
  contains:
    before:
      description: The virtual service as it was.
      type: str
      sample: |
        -A -t 192.0.2.10:80 -s wlc
        -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
    after:
      description: The virtual service as it is, or in check mode would be.
      type: str
      sample: |
        -A -t 192.0.2.10:80 -s wlc
        -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils.ipvs import argspec, arguments, module


def main() -> None:
    ansible = AnsibleModule(
        {
            "service": {"type": "dict", "required": True, "options": argspec.identity()},
            **argspec.real_server(),
            **argspec.state(),
        },
        supports_check_mode=True,
    )
    module.run(ansible, lambda: module.apply(ansible, [arguments.only_real_server(ansible.params)]))


if __name__ == "__main__":
    main()
