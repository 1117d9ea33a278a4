#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_sync_daemon
short_description: Manage the connection synchronisation daemons of IPVS
version_added: 0.1.0
description:
  - Starts, changes and stops the kernel threads that synchronise connections between directors, so that connections
    survive a failover. V(master) sends the connections of this director to others. V(backup) receives theirs.
  - Both can run at the same time, on directors that are each master for some services.
  - Values that are not given stay unchanged. The kernel cannot change a running daemon, so a change is a stop and a
    start, in which a message can be lost. If the start fails, the former daemon is started again.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.loading
options:
  role:
    description: The daemon to manage, or both. Both then get the same options.
    type: list
    elements: str
    choices: [master, backup]
    required: true
  interface:
    description: The interface on which messages are sent or received. Required to start a daemon that is not running.
    type: str
  sync_id:
    description:
      - V(0) to V(255). A backup accepts messages of masters with the same number. With V(0) it accepts those of all
        masters.
      - By default V(0) for a daemon that is not running.
    type: int
  multicast_group:
    description: An IPv4 or IPv6 multicast address. By default V(224.0.0.81) for a daemon that is not running.
    type: str
  port:
    description: The UDP port. By default V(8848) for a daemon that is not running.
    type: int
  ttl:
    description: The time to live (hop limit) of the messages, V(1) to V(255). By default V(1) for a daemon that is not
      running.
    type: int
  sync_maxlen:
    description:
      - The maximum size of a message in bytes, without its IP and UDP headers. The minimum is V(1) for a master and
        V(1024) for a backup.
      - If it is not given, the kernel derives it from the interface's MTU when it starts the daemon.
    type: int
  state:
    description:
      - V(started) runs the daemon with the given options. V(stopped) stops it, with any options.
    type: str
    choices: [started, stopped]
    default: started
notes:
  - If keepalived is configured with C(lvs_sync_daemon), it starts and stops the daemons. Do not use this module there.
  - The kernel refuses to start a daemon while a real server is of another address family than its virtual service. It
    refuses to add such a real server while a daemon runs.
  - A daemon runs until it is stopped or the host reboots.
seealso:
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Send connections to the other director
  lvs.cluster.ipvs_sync_daemon:
    role: master
    interface: eth1
    sync_id: 7

- name: Synchronise in both directions, as with two active directors
  lvs.cluster.ipvs_sync_daemon:
    role: [master, backup]
    interface: eth1
    sync_id: 7
    multicast_group: 224.0.0.82
    port: 8850
    ttl: 2
    sync_maxlen: 1400

- name: Stop both daemons
  lvs.cluster.ipvs_sync_daemon:
    role: [master, backup]
    state: stopped
"""

RETURN = r"""
sync_daemons:
  description: The running daemons, master first. In check mode they are a prediction.
  returned: success
  type: list
  elements: dict
  contains: &daemon
    role:
      description: V(master) or V(backup).
      type: str
      sample: master
    interface:
      description: The interface on which messages are sent or received.
      type: str
      sample: eth1
    sync_id:
      description: The number that masters and backups share.
      type: int
      sample: 7
    multicast_group:
      description: The multicast address.
      type: str
      sample: 224.0.0.81
    port:
      description: The UDP port.
      type: int
      sample: 8848
    ttl:
      description: Time to live (hop limit).
      type: int
      sample: 1
    sync_maxlen:
      description: The maximum size of a message in bytes. V(0) in check mode if the kernel will derive it.
      type: int
      sample: 1472
diff:
  description: The daemons before and after, as options of C(ipvsadm). Both are empty if nothing changes.
  returned: success
  type: dict
  sample:
    before: ""
    after: |
      --start-daemon master --mcast-interface eth1 --syncid 7 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1
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
      description: The role of the daemon.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: sync daemon
      name: "master"
      is: "absent"
      should: "--mcast-interface eth1 --syncid 7 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host.difference import as_dicts
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import daemon, module, settings
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import Ipvs


def main() -> None:
    ansible = AnsibleModule(daemon.spec(), supports_check_mode=True)

    def work() -> module.Result:
        roles = daemon.roles(ansible.params["role"])
        stopped = ansible.params["state"] == "stopped"
        patch = None if stopped else daemon.from_arguments(ansible.params)
        with Ipvs(load=not stopped and not ansible.check_mode, needed=not stopped) as ipvs:
            change, running = settings.set_daemons(ipvs, roles, patch, ansible.check_mode)
        found = [daemon.facts(role, running[role]) for role in daemon.ROLES if role in running]
        return module.change("IPVS sync daemons", change, sync_daemons=found, differences=as_dicts(change.differences))

    module.run(ansible, work)


if __name__ == "__main__":
    main()
