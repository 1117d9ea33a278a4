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
  - Makes one real server of a virtual service of the Linux Virtual Server what is described.
  - What is not given is left as it is. A real server that exists is edited in place, so its connections live on.
  - The virtual service has to exist, unless O(state=absent); it and its other real servers are not touched.
  - It can take a real server out of service gently. O(state=drained) sets its weight to 0 and waits until its
    connections are gone; O(state=absent) with O(drain_timeout) does the same and then removes it.
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
      - V(present) makes it what is described, V(absent) removes it.
      - V(drained) gives an existing real server weight 0, so that it gets no new connections, and waits for those that
        it has to end. It stays so until a task gives it another weight. A real server that is not there is not added;
        a warning says so. Without the virtual service the task fails.
      - V(absent) without the virtual service is fine.
    type: str
    choices: [present, absent, drained]
    default: present
  drain_timeout:
    description:
      - How many seconds to wait for connections to end, V(0) to V(2678400).
      - V(300) with O(state=drained) if it is not given. With O(state=absent) there is no waiting if it is not given,
        and the connections of the real server end.
    type: float
  drain_expired:
    description:
      - What to do when O(drain_timeout) is over and connections are left. V(fail) fails and leaves the real server with
        weight 0, so that another run waits on. V(force) warns and goes on.
    type: str
    choices: [fail, force]
    default: fail
  drain_wait_for:
    description:
      - Which connections have to be gone. V(active) are established ones. V(inactive) are all others, for instance
        those that are being closed, and everything of UDP. V(persistent) are templates that bind clients to the real
        server for the service's persistence timeout.
      - Templates keep sending new connections of their clients to a real server with weight 0, unless the sysctl
        C(net.ipv4.vs.expire_quiescent_template) is 1.
    type: list
    elements: str
    choices: [active, inactive, persistent]
    default: [active]
  drain_udp_pause:
    description:
      - A flow of UDP counts as ended when the real server got no packet for so many seconds, or for O(drain_timeout) if
        that is less. V(0) does not look at flows of UDP; otherwise it is at least V(3), since the kernel counts packets
        every 2 seconds.
      - With the sysctl C(net.ipv4.vs.expire_nodest_conn) at 1, the next packet of a flow goes to another real server
        once this one is removed. Until then it keeps all flows that go on.
    type: float
    default: 10
  minimum_in_service:
    description:
      - Refuse what would take a real server out and leave fewer than so many with a weight above 0 in the service.
      - Tasks that run on the director at the same time, each with this option, take turns, so that together they do
        not undercut it either.
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
- name: Take a real server out of service, keeping its connections
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    weight: 0

- name: Take it out, wait for its connections to end, and never leave fewer than two others
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    state: drained
    drain_timeout: 120
    minimum_in_service: 2

- name: Put it back into service
  lvs.cluster.ipvs_real_server:
    service:
      address: 192.0.2.10
      port: 80
    address: 198.51.100.11
    weight: 1

- name: A real server behind a GUE tunnel
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

- name: Remove another when its connections have ended, at the latest after a minute
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
  description: Whether the connections that O(drain_wait_for) names are gone, and flows of UDP pause.
  returned: after waiting
  type: bool
waited:
  description: The number of seconds that the module waited.
  returned: after waiting
  type: float
  sample: 3.4
connections:
  description: Connections of the real server at the end of the waiting.
  returned: after waiting, where the real server is there
  type: dict
  contains:
    active:
      description: Established ones.
      type: int
    inactive:
      description: All others.
      type: int
    persistent:
      description: Templates that bind clients to it.
      type: int
statistics:
  description: Its counters at the end of the waiting, as RV(lvs.cluster.ipvs_info#module:services).
  returned: after waiting, where the real server is there
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
    - A task that fails because connections are left when O(drain_timeout) is over has set the weight to 0 if it was
      above. It returns C(changed) and this too.
  returned: success, and when waiting fails
  type: dict
  contains:
    before:
      description: The virtual service as it was.
      type: str
      sample: |
        -A -t 192.0.2.10:80 -s wlc
        -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
    after:
      description: The virtual service as it is, or in check mode would be.
      type: str
      sample: |
        -A -t 192.0.2.10:80 -s wlc
        -a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 0
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
