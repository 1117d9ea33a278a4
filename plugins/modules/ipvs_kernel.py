#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_kernel
short_description: Load the IPVS kernel modules and set sysctls, now and at boot
version_added: 0.1.0
description:
  - Loads kernel modules and sets the size of the connection table and sysctls, immediately and at every boot.
  - The order is correct in both cases. It matters because C(net.ipv4.vs.*) exists only after C(ip_vs) is loaded, and
    because some sysctls change others when they are written.
  - The values before the first change are recorded, including those that the kernel changed along with a listed sysctl.
    They are restored by O(state=absent), and by a task that no longer lists the sysctl.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
options:
  modules:
    description:
      - Kernel modules to load, by their real names, not by aliases. The list replaces that of an earlier task.
      - A module that is built into the kernel counts as loaded. Modules are never unloaded.
    type: list
    elements: str
    default: [ip_vs]
  conn_tab_bits:
    description:
      - The size of the IPVS connection table as a power of two, from V(8) to V(20), with newer kernels up to V(27).
      - V(0) removes the setting, so that the kernel's default applies. If it is not given, the setting stays unchanged.
      - The kernel reads it when it loads C(ip_vs). If C(ip_vs) is loaded already, the module warns that the size
        changes at the next boot.
      - From Linux 6.5 on, the kernel lowers it if half of the memory has no room for as many connections, such as to
        V(17) with 512 MiB. The module does not report the lowered size as a change.
      - From Linux 7.1 on, each network namespace has its own table, which grows and shrinks with the number of
        connections. This option is then its maximum size. The table grows when a bucket has more than 2 to the power of
        C(net.ipv4.vs.conn_lfactor) connections on average. This sysctl ranges from V(-8) to V(8) and is V(-4) by
        default. A smaller number makes a larger table with fewer collisions. C(net.ipv4.vs.svc_lfactor), V(-3) by
        default, does the same for the table of services. Older kernels have neither sysctl.
    type: int
  sysctls:
    description:
      - Names of sysctls and their values. The dictionary replaces that of an earlier task. If it is not given, the
        sysctls stay unchanged.
      - If the name of an interface contains a dot, use slashes, as in C(net/ipv4/conf/eth0.100/rp_filter).
      - Sysctls are written in the given order. Those that change others, such as C(net.ipv4.ip_forward) and
        C(net.ipv4.conf.default.*), are written first.
    type: dict
  defence_threshold:
    description:
      - Whether to set C(net.ipv4.vs.amemthresh), the amount of free memory below which C(drop_entry=1) and
        C(drop_packet=1) take effect. The value is less free memory than a host has in normal operation, and more than
        it has when allocations fail. It is derived from the watermarks C(low) and C(min) of C(/proc/zoneinfo), with the
        pages that zones reserve for others.
      - It counts as one of the O(sysctls), which must be given too, at least as C({}). A value in O(sysctls) takes
        precedence. With V(false) it is restored like any other sysctl that is no longer listed.
      - C(drop_entry) and C(drop_packet) themselves are set by O(sysctls).
    type: bool
    default: false
  state:
    description:
      - V(present) applies the settings. V(absent) restores the sysctls and removes the files.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The module writes C(/etc/modules-load.d/lvs-cluster.conf), C(/etc/modprobe.d/lvs-cluster.conf) and
    C(/etc/sysctl.d/90-lvs-cluster.conf). It records former values in C(/var/lib/lvs-cluster/kernel.json). Use only one
    task of this module per host.
  - A file in a C(sysctl.d) directory that sorts later overrides a listed sysctl at boot. The module warns about a
    different value and names the file.
  - If C(net.ipv4.ip_forward) is enabled, the kernel enables C(forwarding) of every interface and disables
    C(net.ipv4.conf.all.accept_redirects). It does not change C(send_redirects).
  - In check mode on a host without C(ip_vs) loaded, C(net.ipv4.vs.*) cannot be read and is predicted.
seealso:
  - module: lvs.cluster.ipvs_table
  - module: lvs.cluster.arp_silence
"""

EXAMPLES = r"""
- name: Prepare a director for NAT with a large connection table
  lvs.cluster.ipvs_kernel:
    modules:
      - ip_vs
      - ip_vs_wrr
    conn_tab_bits: 20
    sysctls:
      net.ipv4.ip_forward: 1
      net.ipv4.conf.all.send_redirects: 0
      net.ipv4.vs.expire_nodest_conn: 1

- name: Restore the sysctls and remove the files
  lvs.cluster.ipvs_kernel:
    state: absent
"""

RETURN = r"""
diff:
  description: The state that the module manages, before and after the task. Both are equal if nothing changed.
  returned: always
  type: dict
  contains:
    before:
      description: One line for each kernel module, each sysctl and each line of a file.
      type: str
    after:
      description: The same after the task. In check mode it is a prediction.
      type: str
  sample:
    before: |
      net.ipv4.ip_forward = 0
    after: |
      kernel module ip_vs
      net.ipv4.ip_forward = 1
      /etc/modules-load.d/lvs-cluster.conf: ip_vs
      /etc/sysctl.d/90-lvs-cluster.conf: net.ipv4.ip_forward = 1
      /var/lib/lvs-cluster/kernel.json: remembers the value of net.ipv4.ip_forward
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
      description: The sysctl, the kernel module or the path.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: sysctl
      name: "net.ipv4.ip_forward"
      is: "0"
      should: "1"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host.target import run
from ansible_collections.lvs.cluster.plugins.module_utils._host.tuning import converge_kernel, parse_settings


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "modules": {"type": "list", "elements": "str", "default": ["ip_vs"]},
            "conn_tab_bits": {"type": "int"},
            "sysctls": {"type": "dict"},
            "defence_threshold": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    run(
        module,
        lambda: parse_settings(
            wanted["state"] == "present",
            wanted["modules"],
            wanted["conn_tab_bits"],
            wanted["sysctls"],
            wanted["defence_threshold"],
        ),
        converge_kernel,
    )


if __name__ == "__main__":
    main()
