#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_tunnel
short_description: Set up the receiving end of LVS tunnels on a real server
version_added: 0.1.0
description:
  - With the forwarding method C(tun), a director encapsulates a client's packet in another one to the real server. This
    module sets up the decapsulation on the real server, for every tunnel type of IPVS.
  - Each tunnel gets its own device (C(lvs-ipip0), C(lvs-gre0) and so on) with the address to which the directors send.
    The kernel's C(tunl0), C(gre0) and similar devices stay unchanged.
  - Reverse path filtering (C(rp_filter)) is off on these devices, because replies to clients take another route. The
    value of C(all) applies to every interface, so it is set to V(0). Each other interface keeps the value that was
    effective through C(all), which is set on the interface itself.
  - The list is the desired state. A device of this module that is not listed is removed, unless O(purge=false).
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
requirements:
  - pyroute2 0.7.2 or newer (package python3-pyroute2), for the Python interpreter that Ansible uses or for
    C(/usr/bin/python3). The module runs under the latter if the former lacks it
  - iproute2 4.19 or newer
options:
  tunnels:
    description:
      - The tunnels by which the directors send.
      - Required if O(state=present). An empty list has the same effect as O(state=absent).
    type: list
    elements: dict
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
  persist:
    description:
      - Whether the tunnels are also set up at every boot. This requires systemd.
      - V(false) removes the files that an earlier task installed for this.
    type: bool
    default: true
  purge:
    description:
      - Whether to remove devices and ports of this module that are not listed.
      - With V(false) the task only adds, and returns RV(leftovers). Use it while a director may still send traffic by
        its former configuration.
      - It has no effect with O(state=absent).
    type: bool
    default: true
  state:
    description:
      - V(present) sets up the listed tunnels, and removes others of this module.
      - V(absent) removes them, and restores the sysctls to the values before the first task.
    type: str
    choices: [present, absent]
    default: present
notes:
  - M(lvs.cluster.arp_silence) adds the VIPs themselves to C(lo).
  - Encapsulated packets must fit the path MTU between director and real server. Clamp the TCP segment size (MSS) in the
    real server's SYN and ACK packets, as the role P(lvs.cluster.real_server#role) does. UDP has no equivalent.
  - Kernel modules that were loaded stay loaded. Devices that the kernel creates with them, such as C(tunl0), which is
    down, stay too.
  - The module writes C(/etc/systemd/system/lvs-cluster-tunnels.service) and
    C(/etc/sysctl.d/91-lvs-cluster-tunnel.conf). It records former values in C(/var/lib/lvs-cluster/ipvs_tunnel.json).
seealso:
  - module: lvs.cluster.arp_silence
  - module: lvs.cluster.ipvs_real_server
"""

EXAMPLES = r"""
- name: Accept IPv4 in IPv4 (IPIP)
  lvs.cluster.ipvs_tunnel:
    tunnels:
      - address: 198.51.100.11

- name: Accept GUE on one port, for VIPs of both families
  lvs.cluster.ipvs_tunnel:
    tunnels:
      - address: 198.51.100.11
        type: gue
        port: 6080
        families: [ipv4, ipv6]

- name: Remove everything that the module has set up
  lvs.cluster.ipvs_tunnel:
    state: absent
"""

RETURN = r"""
leftovers:
  description: The changes that a run with O(purge=true) would still make, as text.
  returned: if O(purge=false)
  type: list
  elements: str
  sample: [remove the tunnel lvs-ipip0 type ipip mode ipip local 198.51.100.11]
diff:
  description: The state that the module manages, before and after the task. Both are equal if nothing changed.
  returned: success
  type: dict
  contains:
    before:
      description: One line for each tunnel, each sysctl and each line of a file.
      type: str
    after:
      description: The same after the task. In check mode it is a prediction.
      type: str
  sample:
    before: |
      net.ipv4.conf.all.rp_filter = 2
    after: |
      net.ipv4.conf.all.rp_filter = 0
      tunnel lvs-ipip0 type ipip mode ipip local 198.51.100.11
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
      description: The tunnel, the sysctl or the path.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: tunnel
      name: "lvs-ipip0"
      is: "absent"
      should: "type ipip mode ipip local 198.51.100.11"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host.decapsulation import (
    TRACES,
    converge_tunnels,
    parse_tunnels,
    tunnels_option,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "tunnels": tunnels_option(),
            "persist": {"type": "bool", "default": True},
            "purge": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["tunnels"])],
        supports_check_mode=True,
    )
    wanted = module.params
    run(
        module,
        lambda: parse_tunnels(
            wanted["state"] == "present", wanted["tunnels"] or [], wanted["persist"], wanted["purge"]
        ),
        converge_tunnels,
        traces=TRACES,
    )


if __name__ == "__main__":
    main()
