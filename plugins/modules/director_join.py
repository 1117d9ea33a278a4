#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: director_join
short_description: Keep a new director from taking VIPs until all other directors have it as a peer
version_added: 0.1.0
description:
  - A director that is not yet a peer of the others receives no VRRP advertisements from them. It would take VIPs that
    another director holds.
  - The module writes a file that keepalived tracks, as the role P(lvs.cluster.director#role) configures it. If the file
    contains the number 3, keepalived is in the state C(FAULT) and takes no VIP, also after a restart and a reboot.
  - The playbook C(lvs.cluster.site) uses this module. Without that playbook it has little use.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
options:
  state:
    description:
      - With V(joining), keepalived takes no VIP.
      - With V(joined), it takes VIPs again according to its priority. A handover in progress that keeps it from the
        VIPs stays unchanged.
    type: str
    choices: [joining, joined]
    required: true
  drained:
    description:
      - The addresses of real servers that are drained on the other directors. They are drained on this one too.
      - No real server is returned to service.
    type: list
    elements: str
    default: []
notes:
  - The module requires root.
seealso:
  - module: lvs.cluster.host_check
  - module: lvs.cluster.ipvs_drain
"""

EXAMPLES = r"""
- name: Keep a new director from taking VIPs
  lvs.cluster.director_join:
    state: joining
    drained: [192.0.2.11]

- name: Allow the director to take VIPs
  lvs.cluster.director_join:
    state: joined
"""

RETURN = r"""
differences:
  description: What differs from the task, before it was carried out. Empty if nothing changes.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(drain) or V(handover).
      type: str
    name:
      description: The address of a real server, or the path of the file.
      type: str
    is:
      description: What was found.
      type: str
    should:
      description: What it becomes.
      type: str
  sample:
    - kind: drain
      name: "192.0.2.12"
      is: absent
      should: drained
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._host.difference import as_dicts, of_value
from ansible_collections.lvs.cluster.plugins.module_utils._host.director_state import HANDOVER_FILE, JOINING, is_joining
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.files import read_text, write_text
from ansible_collections.lvs.cluster.plugins.module_utils._host.process import require_root
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import packed_text, unicast_address


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["joining", "joined"], "required": True},
            "drained": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    before = after = ""
    try:
        require_root()
        drained = {unicast_address("drained", text, "a real server").packed for text in module.params["drained"]}
        missing = drained - drain_files.read(drain_files.DIRECTORY)
        before = read_text(HANDOVER_FILE) or ""
        joining = is_joining(before)
        after = before
        if module.params["state"] == "joining" and not joining:
            after = JOINING
        elif module.params["state"] == "joined" and joining:
            after = "0\n"
        if not module.check_mode:
            # Before the VIPs: a master must not send requests to a drained real server.
            drain_files.write(drain_files.DIRECTORY, missing)
            if after != before:
                write_text(HANDOVER_FILE, after)
    except HostError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"cannot write {error.filename or drain_files.DIRECTORY}: {error.strerror}")
    names = [packed_text(address) for address in sorted(missing)]
    new = "".join(f"drained: {name}\n" for name in names)
    differences = [of_value("drain", name, None, "drained") for name in names]
    if after != before:
        differences.append(of_value("handover", HANDOVER_FILE, before.strip() or None, after.strip()))
    module.exit_json(
        changed=bool(missing) or after != before,
        diff={
            "before_header": drain_files.DIRECTORY,
            "after_header": drain_files.DIRECTORY,
            "before": f"director: {before}" if after != before else "",
            "after": (f"director: {after}" if after != before else "") + new,
        },
        differences=as_dicts(differences),
    )


if __name__ == "__main__":
    main()
