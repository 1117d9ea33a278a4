#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: arp_silence
short_description: Hold VIPs on a real server with ARP suppressed
version_added: 0.1.0
description:
  - Adds virtual IP addresses (VIPs) to a real server behind direct routing or a tunnel. It keeps the host from
    answering ARP for them and from announcing them, now and after a reboot.
  - The host never answers ARP for a VIP. C(arp_ignore=1) and C(arp_announce=2) are set before a VIP is added, and
    restored after the last one is removed. The same holds at boot, and if a task fails and is rolled back.
  - The list is the desired state. A VIP that this module added earlier and that is no longer listed is removed,
    unless O(purge=false).
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
    description:
      - The VIPs, IPv4 or IPv6, without a prefix length.
      - A VIP that the interface already has stays unchanged. With O(state=absent) such a VIP is removed only if it is
        listed.
      - A VIP on another interface of the host is an error, because the host answers ARP for it there.
      - Required if O(state=present).
    type: list
    elements: str
  interface:
    description:
      - The interface that holds the VIPs. A dummy interface is an alternative to V(lo).
    type: str
    default: lo
  ingress:
    description:
      - Interfaces on which ARP is suppressed individually, in addition to C(all).
      - The kernel uses the larger of the values of C(all) and of the interface that receives a request. So this option
        is needed only if an interface has an C(arp_ignore) greater than V(2), which the module reports as an error.
    type: list
    elements: str
    default: []
  persist:
    description:
      - Whether the VIPs and sysctls are also set at every boot. This requires systemd. V(false) removes the files that
        an earlier task installed for this.
    type: bool
    default: true
  purge:
    description:
      - Whether the module removes VIPs that it added earlier and that are no longer listed, and restores sysctls of
        interfaces that are no longer in O(ingress).
      - With V(false) the task only adds, and returns RV(leftovers). Use it while a director may still send traffic by
        its former configuration.
      - It has no effect with O(state=absent).
    type: bool
    default: true
  state:
    description:
      - V(present) adds the listed VIPs and suppresses ARP for them.
      - V(absent) removes the VIPs that this module added and those that are listed. It restores the sysctls to the
        values before the module's first change, and removes the module's files.
    type: str
    choices: [present, absent]
    default: present
notes:
  - IPv4 VIPs get the prefix length 32 and host scope, so the kernel never selects them as a source address by itself.
    For the same reason IPv6 VIPs get the prefix length 128 and a preferred lifetime of 0. Replies of a service still
    carry the VIP.
  - IPv6 needs no sysctl, because neighbour discovery answers only for addresses of the receiving interface.
  - The module writes C(/etc/sysctl.d/91-lvs-cluster-arp.conf) and C(/etc/systemd/system/lvs-cluster-vips.service). It
    records former values in C(/var/lib/lvs-cluster/arp_silence.json). Use only one task of this module per host.
  - The unit C(lvs-cluster-vips.service) runs before the network is brought up. Stopping it removes no VIP.
  - systemd-networkd removes addresses that it did not add from an interface that it manages. Do not include V(lo) in
    its configuration on such a host.
seealso:
  - module: lvs.cluster.ipvs_kernel
"""

EXAMPLES = r"""
- name: Hold the cluster's VIPs
  lvs.cluster.arp_silence:
    vips:
      - 192.0.2.10
      - 2001:db8::10

- name: Hold a VIP in a container without systemd
  lvs.cluster.arp_silence:
    vips: [192.0.2.10]
    persist: false

- name: Remove every VIP that this module added and restore the sysctls
  lvs.cluster.arp_silence:
    state: absent
"""

RETURN = r"""
leftovers:
  description: The changes that a run with O(purge=true) would still make, as text.
  returned: if O(purge=false)
  type: list
  elements: str
  sample: [remove the address 192.0.2.20/32 dev lo]
diff:
  description: The state that the module manages, before and after the task. Both are equal if nothing changed.
  returned: always
  type: dict
  contains:
    before:
      description: One line for each sysctl, each VIP and each line of a file.
      type: str
    after:
      description: The same after the task. In check mode it is a prediction.
      type: str
  sample:
    before: |
      net.ipv4.conf.all.arp_announce = 0
      net.ipv4.conf.all.arp_ignore = 0
    after: |
      net.ipv4.conf.all.arp_announce = 2
      net.ipv4.conf.all.arp_ignore = 1
      address 192.0.2.10/32 dev lo
      /etc/sysctl.d/91-lvs-cluster-arp.conf: net.ipv4.conf.all.arp_ignore = 1
      /etc/sysctl.d/91-lvs-cluster-arp.conf: net.ipv4.conf.all.arp_announce = 2
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
      description: The sysctl, the address or the path.
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

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host.arp import TRACES, converge_silence, parse_silence
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "vips": {"type": "list", "elements": "str"},
            "interface": {"type": "str", "default": "lo"},
            "ingress": {"type": "list", "elements": "str", "default": []},
            "persist": {"type": "bool", "default": True},
            "purge": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["vips"])],
        supports_check_mode=True,
    )
    wanted = module.params
    run(
        module,
        lambda: parse_silence(
            wanted["state"] == "present",
            wanted["vips"] or [],
            wanted["interface"],
            wanted["ingress"],
            wanted["persist"],
            wanted["purge"],
        ),
        converge_silence,
        traces=TRACES if not wanted["vips"] else (),
    )


if __name__ == "__main__":
    main()
