#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_counters
short_description: Zero the counters of IPVS
version_added: 0.1.0
description:
  - Zeroes the counters of one virtual service and its real servers, or all counters including the totals. It returns
    the former values. Connections are not affected.
  - If all counters are zero already, nothing is changed.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.loading
  - lvs.cluster.ipvs.one_service
attributes:
  idempotent:
    support: partial
    details: With traffic, counters exceed zero again at once, and a second run zeroes them again.
notes:
  - The kernel sums the per-CPU counters every two seconds. Packets that were not summed yet when the counters were
    zeroed appear afterwards.
seealso:
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Zero all counters
  lvs.cluster.ipvs_counters:

- name: Zero the counters of one virtual service and register the former values
  lvs.cluster.ipvs_counters:
    service:
      address: 192.0.2.10
      port: 80
  register: until_now
"""

RETURN = r"""
services:
  description:
    - The virtual services whose counters were zeroed, with their real servers and former counters, in the form of
      RV(lvs.cluster.ipvs_info#module:services).
  returned: success
  type: list
  elements: dict
statistics:
  description: The former totals.
  returned: success, without O(service)
  type: dict
  contains:
    connections:
      description: Connections scheduled.
      type: int
    packets_in:
      description: Packets from clients.
      type: int
    packets_out:
      description: Packets to clients. They pass the director with V(nat) only.
      type: int
    bytes_in:
      description: Bytes from clients.
      type: int
    bytes_out:
      description: Bytes to clients.
      type: int
diff:
  description: A line for the totals and for each virtual service and real server that changes. Both are empty if
    nothing changes.
  returned: success
  type: dict
  sample:
    before: "tcp 192.0.2.10:80: connections 3, packets_in 15, packets_out 0, bytes_in 900, bytes_out 0\n"
    after: "tcp 192.0.2.10:80: connections 0, packets_in 0, packets_out 0, bytes_in 0, bytes_out 0\n"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, info, module
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import Ipvs


def main() -> None:
    ansible = AnsibleModule({"service": arguments.service_option()}, supports_check_mode=True)

    def work() -> module.Result:
        service = ansible.params["service"]
        key = None if service is None else arguments.service_key(service, "service.")
        with Ipvs(load=False) as ipvs:
            change, before = info.zero_counters(ipvs, key, ansible.check_mode)
        return module.change("IPVS counters", change, **before)

    module.run(ansible, work)


if __name__ == "__main__":
    main()
