#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nftables_table
short_description: Keep one whole table of nftables
version_added: 0.1.0
description:
  - Gives a host one table of nftables of the family C(inet), with exactly the given rules, now and after a reboot.
  - Rules are compared as the kernel holds them, so a different spelling is no change, and what somebody changed by hand
    is put right.
  - A change is checked first and then swapped in as one transaction. No packet meets half of it, and other tables are
    never touched.
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
      - The name of the table. All of it belongs to the task.
    type: str
    default: lvs_cluster
  rules:
    description:
      - What stands between the braces of the table, in the language of C(nft). That is chains, sets, maps and the like.
      - Required if O(state=present).
    type: str
  persist:
    description:
      - Also load the table at every boot, which needs systemd.
      - V(false) removes the files that an earlier task installed for this.
    type: bool
    default: true
  purge:
    description:
      - Whether what the present table has, and O(rules) does not have, ends with this task.
      - With V(false) the task only adds, and returns RV(leftovers). Use it while a director may still send traffic by
        its former configuration.
      - With V(false) sets have the elements of the present table as well, and chains its rules. A rule that drops or
        rejects packets stays, or is added, only if both tables have it, or if all sets that it names are in both. So no
        packet is dropped that either table lets pass. With O(state=absent) nothing is changed.
    type: bool
    default: true
  state:
    description:
      - V(present) gives the host the table.
      - V(absent) removes the table and the module's files.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Whatever changes a table starts its counters and dynamic sets anew. A task that finds nothing to change leaves them
    alone.
  - The rules are tried out in a network namespace of their own first. So they must name interfaces by C(iifname) and
    C(oifname), not by C(iif) and C(oif), which need the interface to be there.
  - Files are C(/etc/lvs-cluster/nftables-NAME.nft), C(/etc/systemd/system/lvs-cluster-nftables-NAME.service),
    C(/etc/systemd/system/nftables.service.d/lvs-cluster-NAME.conf) and C(/var/lib/lvs-cluster/nftables-NAME.json).
  - The unit runs at boot and whenever C(nftables.service) is started, since C(/etc/nftables.conf) usually begins with
    C(flush ruleset). The drop-in does the same whenever C(nftables.service) is reloaded.
seealso:
  - module: lvs.cluster.ipvs_kernel
"""

EXAMPLES = r"""
- name: Mark what belongs together for a fwmark service
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
      description: One line for each line of the table, as C(nft) lists it, and of the module's files.
      type: str
    after:
      description: The same after the task. In check mode it is a prediction.
      type: str
  sample:
    before: ""
    after: |
      nftables lvs_cluster: table inet lvs_cluster {
      nftables lvs_cluster: }
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
