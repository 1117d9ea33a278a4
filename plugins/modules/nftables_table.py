#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nftables_table
short_description: Manage one complete nftables table
version_added: 0.1.0
description:
  - Manages one nftables table of the family C(inet), with exactly the given rules, now and after a reboot.
  - Rules are compared in the form in which the kernel lists them. So a different spelling is not a change, and manual
    changes are reverted.
  - A change is validated first and then applied as one transaction, so it is never partly in effect. Other tables are
    never changed.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
requirements:
  - nft (package nftables) 0.9.8 or newer
  - unshare (package util-linux)
options:
  name:
    description:
      - The name of the table. The task owns the complete table.
    type: str
    default: lvs_cluster
  rules:
    description:
      - The content of the table, such as chains, sets and maps, in the syntax of C(nft) and without the enclosing
        braces.
      - Required if O(state=present).
    type: str
  persist:
    description:
      - Whether the table is also loaded at every boot. This requires systemd.
      - V(false) removes the files that an earlier task installed for this.
    type: bool
    default: true
  purge:
    description:
      - Whether to remove content of the present table that O(rules) does not contain.
      - With V(false) the task only adds, and returns RV(leftovers). Use it while a director may still send traffic by
        its former configuration.
      - With V(false), sets also keep the elements of the present table, and chains keep its rules. A rule that drops or
        rejects packets is kept or added only if both tables contain it, or if both contain all sets that it names. So
        no packet is dropped that either table accepts. With O(state=absent) nothing is changed.
    type: bool
    default: true
  state:
    description:
      - V(present) adds or changes the table.
      - V(absent) removes the table and the module's files.
    type: str
    choices: [present, absent]
    default: present
notes:
  - A change of the table resets its counters and dynamic sets. A task without changes does not affect them.
  - The rules are validated in a separate network namespace. So they must match interfaces by C(iifname) and C(oifname),
    not by C(iif) and C(oif), which require the interface to exist.
  - The module writes C(/etc/lvs-cluster/nftables-NAME.nft), C(/etc/systemd/system/lvs-cluster-nftables-NAME.service),
    C(/etc/systemd/system/nftables.service.d/lvs-cluster-NAME.conf) and C(/var/lib/lvs-cluster/nftables-NAME.json).
  - The unit runs at boot and whenever C(nftables.service) is started, because C(/etc/nftables.conf) usually begins with
    C(flush ruleset). The drop-in file does the same whenever C(nftables.service) is reloaded.
seealso:
  - module: lvs.cluster.ipvs_kernel
"""

EXAMPLES = r"""
- name: Mark the traffic of a firewall mark service
  lvs.cluster.nftables_table:
    rules: |
      chain marks {
          type filter hook prerouting priority mangle; policy accept;
          ip daddr 192.0.2.10 tcp dport { 80, 443 } meta mark set 21
      }

- name: Remove the table
  lvs.cluster.nftables_table:
    state: absent
"""

RETURN = r"""
leftovers:
  description: The changes that a run with O(purge=true) would still make, as text.
  returned: if O(purge=false)
  type: list
  elements: str
  sample: [swap in the nftables table inet lvs_cluster]
diff:
  description: The state that the module manages, before and after the task. Both are equal if nothing changed.
  returned: always
  type: dict
  contains:
    before:
      description: One line for each line of the table, as C(nft) lists it, and for each line of the module's files.
      type: str
    after:
      description: The same after the task. In check mode it is a prediction.
      type: str
  sample:
    before: ""
    after: |
      nftables lvs_cluster: table inet lvs_cluster {
      nftables lvs_cluster: }
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
      description: The table or the path.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: nftables table
      name: "lvs_cluster"
      is: "different"
      should: "as described"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host.nft_table import converge_table, parse_table
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "lvs_cluster"},
            "rules": {"type": "str"},
            "persist": {"type": "bool", "default": True},
            "purge": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["rules"])],
        supports_check_mode=True,
    )
    wanted = module.params
    run(
        module,
        lambda: parse_table(
            wanted["state"] == "present", wanted["name"], wanted["rules"] or "", wanted["persist"], wanted["purge"]
        ),
        converge_table,
    )


if __name__ == "__main__":
    main()
