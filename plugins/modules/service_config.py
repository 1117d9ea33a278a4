#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_config
short_description: Keep a service of systemd running with its present configuration
version_added: 0.1.0
description:
  - Writes the files of a systemd unit, has programs validate them first, enables and starts the unit, and reloads or
    restarts it if its process has not read the present files.
  - What the process has read is recorded in C(/var/lib/lvs-cluster), together with the InvocationID of the unit. A task
    that is interrupted between writing and reloading is therefore completed by the next one, and check mode says that
    the configuration is not read. A unit that was started by others after the files were written has read them. If
    that is in doubt, it is reloaded.
  - Virtual services that the unit removes from the IPVS table can stay there for their next owner.
  - With O(add_missing=keepalived), a host without VRRP peers before or after the change holds its VIPs on C(lo) while
    keepalived replaces their VRRP instances. The kernel removes them after some time if the task is killed.
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
      - V(started) has the unit enabled and running with these files. V(stopped) stops and disables it, and leaves its
        files alone. A unit that does not exist counts as stopped.
      - With V(stopped) the virtual services that an earlier task named in O(services) leave the IPVS table, unless they
        are in O(keep).
    type: str
    choices: [started, stopped]
    default: started
  files:
    description:
      - The files of the unit. All of them are written, or none. It is required with O(state=started).
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
        description: The user that owns it.
        type: str
        default: root
      group:
        description: The group that owns it.
        type: str
        default: root
      mode:
        description: The permissions, as octal digits in quotes.
        type: str
        default: "0644"
      on_change:
        description:
          - What a running unit needs to read a changed file. V(nothing) is for what counts from the next start.
          - C(daemon-reload) is run in any case after a change below C(/etc/systemd/system).
        type: str
        choices: [reload, restart, nothing]
        default: reload
      validate:
        description:
          - A command and its arguments that refuses a bad file. C(%s) stands for the path of the candidate.
          - In check mode it is left out if the program is not installed.
        type: list
        elements: str
        default: []
      validate_status:
        description: The exit status of the command for a good file.
        type: int
        default: 0
      validate_content:
        description: The text that is validated, if that is not O(files[].content).
        type: str
  directories:
    description:
      - Directories that must exist before the files are read. A new one counts as a change that needs a reload.
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
      - How the unit is made to add O(services) that are absent from the table although it is running.
      - V(keepalived) reloads it twice, first without these services, since keepalived compares its configuration with
        the former one and not with the table. No VIP moves. V(reload) reloads the unit once. With V(none) the task
        reports the difference only.
    type: str
    choices: [keepalived, reload, none]
    default: none
  keep:
    description:
      - Virtual services that stay in the table although the unit removes them when it is reloaded, restarted or
        stopped. They are added again as they were, within milliseconds. Until then nftables drops their packets rather
        than refuse them, so clients send them again.
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
        O(add_missing), such as with a process that hangs. Otherwise the task fails.
    type: bool
    default: false
  handover:
    description:
      - How keepalived gives its VIPs up before a restart that O(may_restart) allows, so that another director takes
        them. Whether one is ready is not looked at.
      - Without this option a host that has no VRRP peers holds them on C(lo) meanwhile.
    type: dict
    suboptions:
      file:
        description:
          - A file that keepalived tracks. It begins with V(3) until the restart is over, and holds then what it held
            before, or V(0).
          - If the restart does not help, it stays so until a task succeeds.
        type: path
        required: true
      vips:
        description: The VIPs that this host must not have before keepalived is restarted.
        type: list
        elements: str
        required: true
notes:
  - It needs root and a running systemd. O(keep) needs pyroute2 on the host, and nftables for clients that see nothing
    of it.
seealso:
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Keep keepalived running with its configuration
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

- name: Stop ldirectord, and leave a virtual service in the table for its next owner
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
  description: What was (or in check mode would be) done with the process, empty for nothing.
  returned: success
  type: str
  sample: reload
differences:
  description: What was not as wanted.
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
      description: What it was.
      type: str
    should:
      description: What it should be.
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
