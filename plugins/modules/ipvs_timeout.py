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
  - Sets the number of idle seconds after which a connection expires, as C(ipvsadm --set) does.
  - A timeout that is not given stays unchanged. At least one is required, unless O(persist=true).
  - An existing connection gets the new timeout with its next packet.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.loading
options:
  tcp:
    description: Seconds for an established TCP connection, V(1) to V(2147483). The kernel's default is V(900).
    type: int
  tcp_fin:
    description: Seconds for a TCP connection after a FIN. The kernel's default is V(120).
    type: int
  udp:
    description: Seconds for UDP. The kernel's default is V(300).
    type: int
  persist:
    description:
      - Whether the timeouts are also set at every boot, by the unit C(lvs-cluster-ipvs).
        O(lvs.cluster.ipvs_table#module:persist) uses the same unit.
      - The task must then list all timeouts to persist. A timeout that an earlier task persisted and this one does not
        list is restored to its former value.
    type: bool
    default: false
  state:
    description:
      - V(present) sets the timeouts. V(absent) restores the former values of persisted timeouts, and persists none.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Without O(persist=true) the timeouts apply until the kernel module C(ip_vs) is unloaded or the host reboots.
  - Persisted timeouts are recorded in C(/etc/lvs-cluster/ipvs.timeouts).
seealso:
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Expire idle TCP connections after an hour
  lvs.cluster.ipvs_timeout:
    tcp: 3600

- name: Set all three timeouts, also after a reboot
  lvs.cluster.ipvs_timeout:
    tcp: 900
    tcp_fin: 60
    udp: 30
    persist: true

- name: Restore the former timeouts
  lvs.cluster.ipvs_timeout:
    state: absent
"""

RETURN = r"""
timeouts:
  description: All three timeouts in seconds, after the task. In check mode they are a prediction.
  returned: success
  type: dict
  contains:
    tcp:
      description: The timeout of TCP connections.
      type: int
      sample: 900
    tcp_fin:
      description: The timeout of TCP connections after a FIN.
      type: int
      sample: 120
    udp:
      description: The timeout of UDP.
      type: int
      sample: 300
diff:
  description:
    - The timeouts before and after, as the option of C(ipvsadm). Both are empty if nothing changes.
    - With O(persist=true) or O(state=absent) it is a list of such pairs, for the timeouts and for every file that
      changes. The list is empty if nothing changes.
  returned: success
  type: raw
  sample:
    before: "--set 900 120 300\n"
    after: "--set 3600 120 300\n"
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
      description: The timeout or the path.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: timeout
      name: "tcp"
      is: "900"
      should: "3600"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import module, settings, timeouts


def main() -> None:
    ansible = AnsibleModule(timeouts.spec(), supports_check_mode=True)
    module.run_prepared(ansible, settings.prepare_timeouts)


if __name__ == "__main__":
    main()
