#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_config
short_description: Manage a systemd service and its configuration files
version_added: 0.1.0
description:
  - Validates and writes the files of a systemd unit, and enables and starts the unit. The unit is reloaded or restarted
    if its process has not read the present files.
  - The files that the process has read are recorded in C(/var/lib/lvs-cluster), together with the InvocationID of the
    unit. So a task that is interrupted between writing and reloading is completed by the next one, and check mode
    reports that the configuration is not read. A unit that was started by other means after the files were written has
    read them. In case of doubt the unit is reloaded.
  - Virtual services that the unit removes from the IPVS table can be kept for their next owner.
  - With O(add_missing=keepalived), a host without VRRP peers before or after the change holds its VIPs on C(lo) while
    keepalived replaces their VRRP instances. If the task is killed, these addresses expire in the kernel after some
    time.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
options:
  name:
    description: The unit, with or without C(.service).
    type: str
    required: true
  state:
    description:
      - V(started) enables and runs the unit with these files. V(stopped) stops and disables it, and keeps its files. A
        unit that does not exist counts as stopped.
      - With V(stopped), the virtual services that an earlier task listed in O(services) are removed from the IPVS
        table, unless they are in O(keep).
    type: str
    choices: [started, stopped]
    default: started
  files:
    description:
      - The files of the unit. Either all or none of them are written. Required with O(state=started).
      - Files of an earlier task that are no longer listed are removed, except those that had V(nothing) for
        O(files[].on_change).
    type: list
    elements: dict
    suboptions:
      path:
        description: The absolute path. Missing directories are created.
        type: path
        required: true
      content:
        description: The text of the file.
        type: str
        required: true
      owner:
        description: The owner of the file.
        type: str
        default: root
      group:
        description: The group of the file.
        type: str
        default: root
      mode:
        description: The permissions, as octal digits in quotes.
        type: str
        default: "0644"
      on_change:
        description:
          - The action by which a running unit reads a changed file. V(nothing) is for files that take effect at the
            next start.
          - After a change below C(/etc/systemd/system), C(daemon-reload) is always run.
        type: str
        choices: [reload, restart, nothing]
        default: reload
      validate:
        description:
          - A command and its arguments that validates the file. C(%s) is replaced with the path of the new file.
          - In check mode the validation is skipped if the program is not installed.
        type: list
        elements: str
        default: []
      validate_status:
        description: The exit status of the command for a valid file.
        type: int
        default: 0
      validate_content:
        description: The text to validate in place of O(files[].content).
        type: str
  directories:
    description:
      - Directories that must exist before the files are read. A new directory counts as a change that requires a
        reload.
    type: list
    elements: path
    default: []
  services:
    description: Virtual services that the running unit must have in the IPVS table.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: The address (VIP) of the virtual service.
        type: str
      port:
        description: The port. Required with an address.
        type: int
      protocol:
        description: The protocol of a service with an address; V(tcp) if it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark, in place of address, port and protocol.
        type: int
      family:
        description: The address family of a service with a firewall mark; V(ipv4) if it is not given.
        type: str
        choices: [ipv4, ipv6]
  add_missing:
    description:
      - The method by which a running unit adds O(services) that are absent from the table.
      - V(keepalived) reloads the unit twice, first without these services, because keepalived compares its
        configuration with the former one and not with the table. No VIP moves. V(reload) reloads the unit once. With
        V(none) the task only reports the difference.
    type: str
    choices: [keepalived, reload, none]
    default: none
  keep:
    description:
      - Virtual services to keep in the table although the unit removes them when it is reloaded, restarted or stopped.
        They are added again unchanged within milliseconds. Until then nftables drops their packets instead of rejecting
        them, so clients send them again.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: The address (VIP) of the virtual service.
        type: str
      port:
        description: The port. Required with an address.
        type: int
      protocol:
        description: The protocol of a service with an address; V(tcp) if it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark, in place of address, port and protocol.
        type: int
      family:
        description: The address family of a service with a firewall mark; V(ipv4) if it is not given.
        type: str
        choices: [ipv4, ipv6]
  may_restart:
    description:
      - Whether the unit is restarted if a reload fails, or if O(services) are still absent after the reloads of
        O(add_missing), for example because the process hangs. Otherwise the task fails.
    type: bool
    default: false
  handover:
    description:
      - The way in which keepalived releases its VIPs before a restart that O(may_restart) allows, so that another
        director takes them. The module does not check whether another director is ready.
      - Without this option, a host without VRRP peers holds them on C(lo) meanwhile.
    type: dict
    suboptions:
      file:
        description:
          - A file that keepalived tracks. It begins with V(3) during the restart. Afterwards it contains its former
            content, or V(0).
          - If the restart does not solve the problem, V(3) stays until a task succeeds.
        type: path
        required: true
      vips:
        description: The VIPs that this host must have released before keepalived is restarted.
        type: list
        elements: str
        required: true
notes:
  - The module requires root and a running systemd. O(keep) requires pyroute2 on the host. With nftables on the host,
    clients do not notice the change.
seealso:
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Configure and start keepalived
  lvs.cluster.service_config:
    name: keepalived
    files:
      - path: /etc/keepalived/keepalived.conf
        content: "{{ lookup('ansible.builtin.template', 'keepalived.conf.j2') }}"
        mode: "0640"
        validate: [keepalived, --config-test, --use-file=%s]
    services:
      - {address: 192.0.2.10, port: 80}
    add_missing: keepalived

- name: Stop ldirectord and keep a virtual service in the table for its next owner
  lvs.cluster.service_config:
    name: ldirectord
    state: stopped
    keep:
      - {address: 192.0.2.10, port: 80}
"""

RETURN = r"""
running:
  description: Whether the unit was running before the task.
  returned: success
  type: bool
  sample: true
action:
  description: The action on the process, or in check mode the predicted one. Empty if there is none.
  returned: success
  type: str
  sample: reload
differences:
  description: The deviations that were found.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: One of C(file), C(directory), C(enabled), C(running), C(configuration) and C(service).
      type: str
    name:
      description: The path, the unit, or the virtual service.
      type: str
    is:
      description: The state that was found.
      type: str
    should:
      description: The expected state.
      type: str
  sample:
    - {"kind": "configuration", "name": "keepalived.service", "is": "not read", "should": "read"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.unit_config import run


def main() -> None:
    identities = {"type": "list", "elements": "dict", "options": arguments.identity_spec(), "default": []}
    run(
        AnsibleModule(
            argument_spec={
                "name": {"type": "str", "required": True},
                "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
                "files": {
                    "type": "list",
                    "elements": "dict",
                    "options": {
                        "path": {"type": "path", "required": True},
                        "content": {"type": "str", "required": True},
                        "owner": {"type": "str", "default": "root"},
                        "group": {"type": "str", "default": "root"},
                        "mode": {"type": "str", "default": "0644"},
                        "on_change": {"type": "str", "choices": ["reload", "restart", "nothing"], "default": "reload"},
                        "validate": {"type": "list", "elements": "str", "default": []},
                        "validate_status": {"type": "int", "default": 0},
                        "validate_content": {"type": "str"},
                    },
                },
                "directories": {"type": "list", "elements": "path", "default": []},
                "services": identities,
                "add_missing": {"type": "str", "choices": ["keepalived", "reload", "none"], "default": "none"},
                "keep": identities,
                "may_restart": {"type": "bool", "default": False},
                "handover": {
                    "type": "dict",
                    "options": {
                        "file": {"type": "path", "required": True},
                        "vips": {"type": "list", "elements": "str", "required": True},
                    },
                },
            },
            required_if=[("state", "started", ("files",))],
            supports_check_mode=True,
        )
    )


if __name__ == "__main__":
    main()
