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
  - A timeout that is not given is left as it is, and at least one is needed, unless O(persist=true).
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
  persist:
    description:
      - Whether the timeouts are set at each boot too, by the unit C(lvs-cluster-ipvs), which the option
        O(lvs.cluster.ipvs_table#module:persist) of M(lvs.cluster.ipvs_table) has as well.
      - The task then names all timeouts that are to be kept. One that an earlier task kept and this one does not name
        gets the value back that was found before.
    type: bool
    default: false
  state:
    description:
      - V(absent) puts the timeouts back that were kept, and keeps none.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Without O(persist=true) they hold until the kernel module C(ip_vs) is unloaded or the machine reboots.
  - What is kept is in C(/etc/lvs-cluster/ipvs.timeouts).
seealso:
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Forget idle TCP connections after an hour
  lvs.cluster.ipvs_timeout:
    tcp: 3600

- name: All three, also after a reboot
  lvs.cluster.ipvs_timeout:
    tcp: 900
    tcp_fin: 60
    udp: 30
    persist: true

- name: Put back what there was before
  lvs.cluster.ipvs_timeout:
    state: absent
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
  description:
    - The timeouts before and after, as the option of C(ipvsadm); both empty where nothing changes.
    - With O(persist=true) or O(state=absent) a list of such pairs, for the timeouts and for every file that changes;
      empty when nothing changes.
  returned: success
  type: raw
  sample:
    before: "--set 900 120 300\n"
    after: "--set 3600 120 300\n"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import module, settings, timeouts


def main() -> None:
    ansible = AnsibleModule(timeouts.spec(), supports_check_mode=True)
    module.run_prepared(ansible, settings.prepare_timeouts)


if __name__ == "__main__":
    main()
