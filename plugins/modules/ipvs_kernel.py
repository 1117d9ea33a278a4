#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_kernel
short_description: Load IPVS into the kernel and set its sysctls, now and at boot
version_added: 0.1.0
description:
  - Loads kernel modules, sets the size of the connection table and sets sysctls, all of it at once and for every boot.
  - The order is right in both cases, which matters because C(net.ipv4.vs.*) only exists once C(ip_vs) is loaded,
    and because writing some sysctls changes others.
  - The values that were found before the first change are remembered, those that the kernel changed along with a
    listed sysctl included. O(state=absent) puts them back, and so does a task that no longer lists a sysctl.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
options:
  modules:
    description:
      - Kernel modules to have, by their own names rather than by aliases. The list replaces that of the task before.
      - One that is built into the kernel counts as loaded. Modules are never unloaded.
    type: list
    elements: str
    default: [ip_vs]
  conn_tab_bits:
    description:
      - The size of the IPVS connection table as a power of two, from V(8) to V(20), with newer kernels up to V(27).
      - V(0) takes the setting out, which leaves the size to the kernel. Without this option it stays as it is.
      - The kernel reads it when it loads C(ip_vs). If that is loaded already, the module warns that the size will only
        change at the next boot.
      - From Linux 6.5 on, the kernel lowers it to what half of the memory has room for, such as V(17) with 512 MiB, and
        this is no difference.
      - From Linux 7.1 on, each network namespace has a table of its own, which grows and shrinks with the number of
        connections. This option is its largest size there. The sysctl C(net.ipv4.vs.conn_lfactor), from V(-8) to V(8)
        and V(-4) by default, says when it grows. It does when there are more than 2 to this power connections for each
        bucket, so a smaller number makes a larger table with fewer collisions. C(net.ipv4.vs.svc_lfactor), V(-3) by
        default, does the same for the table of services. Older kernels have neither sysctl.
    type: int
  sysctls:
    description:
      - Names of sysctls and their values. The dictionary replaces that of the task before. Without this option it stays
        as it is.
      - Where the name of an interface holds a dot, write slashes, as in C(net/ipv4/conf/eth0.100/rp_filter).
      - They are written in this order, except that those which change others (such as C(net.ipv4.ip_forward) and
        C(net.ipv4.conf.default.*)) come first.
    type: dict
  defence_threshold:
    description:
      - Whether to set C(net.ipv4.vs.amemthresh), below which C(drop_entry=1) and C(drop_packet=1) act, to less free
        memory than a healthy host has, and more than it has when allocations fail. These are the watermarks C(low) and
        C(min) of C(/proc/zoneinfo), with the pages that zones reserve for others.
      - It counts as one of the O(sysctls), which have to be given too, at least as C({}). A value of their own for it
        has precedence. Without this option it is restored like any other that the list no longer has.
      - C(drop_entry) and C(drop_packet) are for O(sysctls) to set.
    type: bool
    default: false
  state:
    description:
      - V(present) sets everything. V(absent) puts the sysctls back as they were and removes the files.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Files are C(/etc/modules-load.d/lvs-cluster.conf), C(/etc/modprobe.d/lvs-cluster.conf),
    C(/etc/sysctl.d/90-lvs-cluster.conf) and, for what was there before, C(/var/lib/lvs-cluster/kernel.json).
    So use one task of this module for a host.
  - A file in a C(sysctl.d) directory that sorts later and sets a listed sysctl to another value wins at boot.
    The module warns about it and names the file.
  - Turning C(net.ipv4.ip_forward) on makes the kernel set C(forwarding) of every interface and turn
    C(net.ipv4.conf.all.accept_redirects) off. It does not touch C(send_redirects).
  - In check mode on a host that has not loaded C(ip_vs) yet, C(net.ipv4.vs.*) cannot be looked up and is predicted.
seealso:
  - module: lvs.cluster.ipvs_table
  - module: lvs.cluster.arp_silence
"""

EXAMPLES = r"""
- name: Prepare a director for NAT with a big connection table
  lvs.cluster.ipvs_kernel:
    modules:
      - ip_vs
      - ip_vs_wrr
    conn_tab_bits: 20
    sysctls:
      net.ipv4.ip_forward: 1
      net.ipv4.conf.all.send_redirects: 0
      net.ipv4.vs.expire_nodest_conn: 1

- name: Put everything back as it was
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
      description: One line for each kernel module, sysctl and line of a file.
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
