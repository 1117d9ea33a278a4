#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_real_server
short_description: Manage one real server of an IPVS virtual service
version_added: 0.1.0
description:
  - Adds, changes, drains or removes one real server of a virtual service of the Linux Virtual Server.
  - Values that are not given stay unchanged. An existing real server is edited in place and keeps its connections.
  - The virtual service must exist, unless O(state=absent). The service itself and its other real servers are not
    changed.
  - O(state=drained) sets the weight to 0 and waits until the connections of the real server have ended. O(state=absent)
    with O(drain_timeout) does the same and then removes it.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
  - lvs.cluster.ipvs.loading
  - lvs.cluster.ipvs.real_server
options:
  state:
    description:
      - V(present) adds or changes the real server. V(absent) removes it.
      - V(drained) sets weight 0 on an existing real server, so that it gets no new connections, and waits until
        existing ones have ended. The weight stays 0 until a task sets another. A real server that does not exist is not
        added, and the module warns. If the virtual service does not exist, the task fails.
      - With V(absent), the virtual service need not exist.
    type: str
    choices: [present, absent, drained]
    default: present
  drain_timeout:
    description:
      - The number of seconds to wait for connections to end, V(0) to V(2678400).
      - By default V(300) with O(state=drained). With O(state=absent) and without this option, the real server is
        removed at once, which ends its connections.
    type: float
  drain_expired:
    description:
      - The action if connections remain when O(drain_timeout) expires. V(fail) fails. The real server keeps weight 0,
        so that another run continues to wait. V(force) warns and continues.
    type: str
    choices: [fail, force]
    default: fail
  drain_wait_for:
    description:
      - The kinds of connections that must have ended. V(active) are established ones. V(inactive) are all others, such
        as closing ones, and everything of UDP. V(persistent) are templates that bind clients to the real server for the
        service's persistence timeout.
      - Templates direct new connections of their clients to a real server even at weight 0, unless the sysctl
        C(net.ipv4.vs.expire_quiescent_template) is 1.
    type: list
    elements: str
    choices: [active, inactive, persistent]
    default: [active]
  drain_udp_pause:
    description:
      - A UDP flow counts as ended if the real server received no packet for this number of seconds, or for
        O(drain_timeout) if that is less. With V(0), UDP flows are ignored. Otherwise the value is at least V(3),
        because the kernel sums its counters every 2 seconds.
      - If the sysctl C(net.ipv4.vs.expire_nodest_conn) is 1, the next packet of a flow goes to another real server
        after this one is removed. Until then it keeps all continuing flows.
    type: float
    default: 10
  minimum_in_service:
    description:
      - The minimum number of real servers with a weight above 0 in the service. A task that would take a real server
        out of service and leave fewer is refused.
      - Tasks with this option that run on the director at the same time are serialised, so they observe the minimum
        together.
    type: int
  service:
    description:
      - The virtual service that the real server belongs to.
    type: dict
    required: true
    suboptions:
      address:
        description: The address (VIP) of the virtual service.
        type: str
      port:
        description: The port of the virtual service. Required with O(service.address).
        type: int
      protocol:
        description: The protocol of a virtual service with O(service.address); V(tcp) if it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: The firewall mark of the virtual service, in place of address, port and protocol.
        type: int
      family:
        description: The address family of a virtual service with O(service.fwmark); V(ipv4) if it is not given.
        type: str
        choices: [ipv4, ipv6]
seealso:
  - module: lvs.cluster.ipvs_service
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Set weight 0 and keep existing connections
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    weight: 0

- name: Drain a real server, wait for its connections, and keep at least two others in service
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    state: drained
    drain_timeout: 120
    minimum_in_service: 2

- name: Return the real server to service
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    weight: 1

- name: Add a real server behind a GUE tunnel
  lvs.cluster.ipvs_real_server:
    service:
      fwmark: 21
    address: 198.51.100.12
    forward_method: tun
    tunnel_type: gue
    tunnel_port: 6080

- name: Remove a real server
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    state: absent

- name: Remove a real server when its connections have ended, at the latest after a minute
  lvs.cluster.ipvs_real_server:
    service:
      fwmark: 21
    address: 198.51.100.12
    state: absent
    drain_timeout: 60
    drain_expired: force
"""

RETURN = r"""
drained:
  description: Whether the connections that O(drain_wait_for) lists have ended and UDP flows pause.
  returned: after waiting
  type: bool
waited:
  description: The number of seconds that the module waited.
  returned: after waiting
  type: float
  sample: 3.4
connections:
  description: The connections of the real server at the end of the wait.
  returned: after waiting, if the real server exists
  type: dict
  contains:
    active:
      description: Established connections.
      type: int
    inactive:
      description: All other connections.
      type: int
    persistent:
      description: Persistence templates, which bind clients to it.
      type: int
statistics:
  description: The counters of the real server at the end of the wait, as in RV(lvs.cluster.ipvs_info#module:services).
  returned: after waiting, if the real server exists
  type: dict
  contains:
    connections:
      description: Connections scheduled.
      type: int
    packets_in:
      description: Packets from clients.
      type: int
    packets_out:
      description: Packets to clients. They pass the director with V(nat) only.
      type: int
    bytes_in:
      description: Bytes from clients.
      type: int
    bytes_out:
      description: Bytes to clients.
      type: int
diff:
  description:
    - The virtual service with its real servers before and after, in the form of C(ipvsadm-save -n), sorted, with
      thresholds.
    - Both are empty if and only if nothing changes.
    - If a task fails because connections remain when O(drain_timeout) expires, it has set the weight to 0. It then
      returns C(changed) and this value too.
  returned: success, and when waiting fails
  type: dict
  contains:
    before:
      description: The virtual service before the task.
      type: str
      sample: |
        -A -t 192.0.2.10:80 -s wlc
        -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
    after:
      description: The virtual service after the task. In check mode it is a prediction.
      type: str
      sample: |
        -A -t 192.0.2.10:80 -s wlc
        -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 0
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
      description: The real server or the virtual service.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: weight
      name: "198.51.100.11:80 in tcp 192.0.2.10:80"
      is: "1"
      should: "5"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, drain, module


def main() -> None:
    ansible = AnsibleModule(
        {
            "service": arguments.service_option(required=True),
            **arguments.real_server_spec(),
            **arguments.draining_spec(),
        },
        supports_check_mode=True,
    )
    module.run(ansible, lambda: drain.manage_real_server(ansible))


if __name__ == "__main__":
    main()
