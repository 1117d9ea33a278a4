#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_sync_daemon
short_description: Run the connection synchronisation daemons of IPVS
version_added: 0.1.0
description:
  - Starts, changes and stops the kernel threads that send the connections of this director to others (V(master)) and
    take theirs (V(backup)), so that connections survive a failover.
  - Both can run at the same time, on directors that are each active for some services.
  - What is not given is left as it is. The kernel cannot change a daemon that runs, so a change is a stop and a start,
    in which a message can be lost. Where the start fails, what ran before is started again.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.loading
options:
  role:
    description: Which daemon, or which two; both then get the same options.
    type: list
    elements: str
    choices: [master, backup]
    required: true
  interface:
    description: The interface that messages leave or arrive on. Needed to start a daemon that does not run.
    type: str
  sync_id:
    description:
      - V(0) to V(255). A backup takes the messages of masters with the same number, and with V(0) those of all.
      - V(0) if it is not given and the daemon does not run.
    type: int
  multicast_group:
    description: An IPv4 or IPv6 multicast address; V(224.0.0.81) for a daemon that does not run.
    type: str
  port:
    description: The UDP port; V(8848) for a daemon that does not run.
    type: int
  ttl:
    description: Time to live (hop limit) of the messages, V(1) to V(255); V(1) for a daemon that does not run.
    type: int
  sync_maxlen:
    description:
      - The largest message in bytes, without its IP and UDP headers; from V(1) for a master, from V(1024) for a backup.
      - Where it is not given, the kernel derives it from the interface's MTU when it starts the daemon.
    type: int
  state:
    description:
      - V(started) makes the daemon run as described, V(stopped) ends it whatever its options are.
    type: str
    choices: [started, stopped]
    default: started
notes:
  - On a director with C(keepalived) that is set up with C(lvs_sync_daemon), keepalived starts and stops the daemons.
    Leave them to it there.
  - The kernel starts no daemon while a real server is of another address family than its virtual service, and adds no
    such real server while a daemon runs.
  - A daemon runs until it is stopped or the machine reboots.
seealso:
  - module: lvs.cluster.ipvs_info
"""

EXAMPLES = r"""
- name: Send connections to the other director
  lvs.cluster.ipvs_sync_daemon:
    role: master
    interface: eth1
    sync_id: 7

- name: Both ways, as one of two active directors does
  lvs.cluster.ipvs_sync_daemon:
    role: [master, backup]
    interface: eth1
    sync_id: 7
    multicast_group: 224.0.0.82
    port: 8850
    ttl: 2
    sync_maxlen: 1400

- name: Neither
  lvs.cluster.ipvs_sync_daemon:
    role: [master, backup]
    state: stopped
"""

RETURN = r"""
sync_daemons:
  description: The daemons that run, or in check mode would run, master first.
  returned: success
  type: list
  elements: dict
  contains: &daemon
    role:
      description: V(master) or V(backup).
      type: str
      sample: master
    interface:
      description: The interface that messages leave or arrive on.
      type: str
      sample: eth1
    sync_id:
      description: The number that master and backup have in common.
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
      description: The largest message in bytes; V(0) in check mode where the kernel is going to derive it.
      type: int
      sample: 1472
diff:
  description: The daemons before and after, as the options of C(ipvsadm); both empty where nothing changes.
  returned: success
  type: dict
  sample:
    before: ""
    after: |
      --start-daemon master --mcast-interface eth1 --syncid 7 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1
"""

from ansible.module_utils.basic import AnsibleModule

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
        return module.change("IPVS sync daemons", change, sync_daemons=found)

    module.run(ansible, work)


if __name__ == "__main__":
    main()
