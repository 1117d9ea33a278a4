#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_timeout
short_description: Set the timeouts of IPVS connections
version_added: 0.1.0
description:
  - Sets after how many idle seconds the director forgets a connection, as C(ipvsadm --set) does.
  - A timeout that is not given is left as it is. At least one is needed.
  - Connections that exist take the new timeout with their next packet.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.loading
options:
  tcp:
    description: Seconds for an established TCP connection, V(1) to V(2147483). The kernel starts with V(900).
    type: int
  tcp_fin:
    description: Seconds for a TCP connection after a FIN. The kernel starts with V(120).
    type: int
  udp:
    description: Seconds for UDP. The kernel starts with V(300).
    type: int
notes:
  - They hold until the kernel module C(ip_vs) is unloaded or the machine reboots.
seealso:
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Forget idle TCP connections after an hour
  lvs.cluster.ipvs_timeout:
    tcp: 3600

- name: All three
  lvs.cluster.ipvs_timeout:
    tcp: 900
    tcp_fin: 60
    udp: 30
"""

RETURN = r"""
timeouts:
  description: All three as they are, or in check mode would be, in seconds.
  returned: success
  type: dict
  contains:
    tcp:
      description: Of TCP connections.
      type: int
      sample: 900
    tcp_fin:
      description: Of TCP connections after a FIN.
      type: int
      sample: 120
    udp:
      description: Of UDP.
      type: int
      sample: 300
diff:
  description: The timeouts before and after, as the option of C(ipvsadm); both empty where nothing changes.
  returned: success
  type: dict
  sample:
    before: "--set 900 120 300\n"
    after: "--set 3600 120 300\n"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils.ipvs import argspec, module, settings, timeouts
from ansible_collections.lvs.cluster.plugins.module_utils.ipvs.kernel import Ipvs


def main() -> None:
    ansible = AnsibleModule(argspec.timeouts(), required_one_of=[("tcp", "tcp_fin", "udp")], supports_check_mode=True)

    def work() -> module.Result:
        given = timeouts.from_arguments(ansible.params)
        with Ipvs(load=not ansible.check_mode) as ipvs:
            change, now = settings.set_timeouts(ipvs, given, ansible.check_mode)
        return module.change("IPVS timeouts", change, timeouts=now._asdict())

    module.run(ansible, work)


if __name__ == "__main__":
    main()
