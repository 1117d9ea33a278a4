#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_drain
short_description: Drain real servers in all their services on a director, or return them to service
version_added: 0.1.0
description:
  - Drains real servers in every virtual service that contains them, including those of a health checker. They get
    weight 0. So they receive no new connections and keep existing ones.
  - Drained real servers are recorded as one file each in O(drain_directory). M(lvs.cluster.ipvs_table), the role
    P(lvs.cluster.director#role) and the health checkers that this role sets up respect this record. So a real server
    stays drained through runs of the role, reloads of keepalived, failovers and reboots.
  - The module covers one director. The playbooks C(lvs.cluster.drain), C(lvs.cluster.undrain) and
    C(lvs.cluster.rolling_update) use it on all directors.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
options:
  real_servers:
    description:
      - The addresses (RIP) of the real servers.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(drained) drains the real servers. V(in_service) returns them to service.
    type: str
    choices: [drained, in_service]
    default: drained
  services:
    description:
      - The virtual services whose weights this module sets, in the form of O(lvs.cluster.ipvs_table#module:services).
        Only their identities and the addresses, ports and weights of the O(real_servers) are used.
      - With O(state=in_service) a real server gets the given weight. If none is given and it has weight 0, it gets
        weight 1.
      - Services and real servers that are not in the table are skipped. Other services are not changed.
    type: list
    elements: dict
    default: []
    suboptions:
      name: &name
        description: A name for messages. IPVS does not store it.
        type: str
      address: &address
        description: The address (VIP) of the virtual service.
        type: str
      port: &port
        description: The port. Required with an address.
        type: int
      protocol: &protocol
        description: The protocol of a service with an address; V(tcp) if it is not given.
        type: str
        choices: [tcp, udp, sctp]
      fwmark: &fwmark
        description: The firewall mark, in place of address, port and protocol.
        type: int
      family: &family
        description: The address family of a service with a firewall mark; V(ipv4) if it is not given.
        type: str
        choices: [ipv4, ipv6]
      real_servers: &real_servers
        description: The real servers, as dictionaries with C(address), C(port) and C(weight).
        type: list
        elements: dict
      quorum:
        description: Ignored. Only services in O(health_checked) have a quorum.
        type: int
      vips: &vips
        description: The addresses that count for the connections of this service, in place of O(vips).
        type: list
        elements: str
  health_checked:
    description:
      - The virtual services whose weights a health checker sets, in the same form.
      - With O(state=drained) the module verifies that the health checker has applied the drain. If that takes longer
        than O(seen_within), the task fails and is rolled back.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      address: *address
      port: *port
      protocol: *protocol
      fwmark: *fwmark
      family: *family
      real_servers: *real_servers
      quorum:
        description: The total weight in service below which the health checker takes the whole service down.
        type: int
      vips: *vips
  minimum_in_service:
    description:
      - The minimum number of real servers with a weight above 0 in a service. A drain that would leave fewer is
        refused.
      - A drain that would leave less weight than O(health_checked[].quorum) of a service is refused too, unless this
        option is V(0).
      - Tasks that run on the director at the same time are serialised, so they observe the minimum together.
    type: int
    default: 1
  seen_within:
    description:
      - The number of seconds to wait until a health checker has applied a drain. keepalived applies it at once,
        ldirectord with its next check.
    type: float
    default: 30
  refuse_drained:
    description:
      - Whether a task with O(state=drained) fails without changes if one of the real servers is drained already. Of
        several tasks that drain the same real server at the same time, only one succeeds.
    type: bool
    default: false
  wait:
    description:
      - With O(state=drained), whether to wait until the connections of the real servers have ended. With
        O(state=in_service), whether to wait until health checks have added them to the services in O(health_checked)
        that give them a weight above 0.
    type: bool
    default: true
  timeout:
    description:
      - The number of seconds to wait. By default V(300) with O(state=drained) and V(60) with O(state=in_service).
    type: float
  expired:
    description:
      - The action when O(timeout) expires. V(fail) fails, V(force) warns and continues. In both cases the real servers
        stay drained, or in service.
      - With V(force), UDP flows that have not paused move to other real servers with their next packet.
    type: str
    choices: [fail, force]
    default: fail
  wait_for:
    description:
      - The kinds of connections that must have ended, as O(lvs.cluster.ipvs_real_server#module:drain_wait_for).
    type: list
    elements: str
    choices: [active, inactive, persistent]
    default: [active]
  udp_pause:
    description:
      - IPVS cannot detect the end of a UDP flow. A flow counts as ended if its real server received no packet for this
        number of seconds, or for O(timeout) if that is less. With V(0), UDP flows are ignored. Otherwise the value is
        at least V(3), because the kernel sums its counters every 2 seconds.
      - Flows that have ended in this way are moved. The real server is removed from the UDP services, and added again
        with weight 0 a second later. So the next packet of each flow goes to another real server. This requires the
        sysctl C(net.ipv4.vs.expire_nodest_conn), which the role P(lvs.cluster.director#role) sets.
      - With the schedulers V(dh), V(mh) and V(sh), which depend on the order of the real servers, flows are moved with
        O(expired=force) only.
      - Services with C(one_packet) have no flows. Services with a firewall mark are not checked for flows. Use
        O(wait_for) for them.
    type: float
    default: 10
  vips:
    description:
      - The module waits for connections only while this host holds one of these addresses, because a backup director is
        informed late or never of the end of a connection. If the list is empty, it always waits.
      - A service can have O(services[].vips) or O(health_checked[].vips) instead, if the VIPs are on several directors.
    type: list
    elements: str
    default: []
  drain_directory:
    description:
      - The directory with the record of drained real servers.
    type: path
    default: /var/lib/lvs-cluster/drain
seealso:
  - module: lvs.cluster.ipvs_real_server
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Drain a real server, wait for its connections, and keep at least two others in service
  lvs.cluster.ipvs_drain:
    real_servers: [198.51.100.11]
    services:
      - address: 192.0.2.10
        port: 80
        real_servers:
          - address: 198.51.100.11
            port: 80
    minimum_in_service: 2
    timeout: 120

- name: Return the real server to service with weight 5
  lvs.cluster.ipvs_drain:
    real_servers: [198.51.100.11]
    state: in_service
    services:
      - address: 192.0.2.10
        port: 80
        real_servers:
          - address: 198.51.100.11
            port: 80
            weight: 5
"""

RETURN = r"""
switched:
  description: The addresses of the real servers that were not in the requested O(state) before.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.11]
former:
  description:
    - These real servers in their O(services) with their former weights. A real server that the table did not contain
      has no weight. Pass this value as O(services) with O(state=in_service) to restore the weights.
  returned: success
  type: list
  elements: dict
moved:
  description: The real servers of UDP services whose flows were moved to others.
  returned: after waiting for connections
  type: list
  elements: str
  sample: ["198.51.100.11:53 of dns (udp 192.0.2.10:53)"]
waited:
  description: The number of seconds that the module waited.
  returned: after waiting
  type: float
  sample: 3.4
diff:
  description:
    - The changed virtual services before and after, as M(lvs.cluster.ipvs_table) returns them, and the record of
      drained real servers. The list is empty if nothing changes.
  returned: success
  type: list
  elements: dict
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
    - kind: drain
      name: "198.51.100.11"
      is: "in service"
      should: "drained"
"""

import contextlib
import ipaddress
from collections.abc import Iterable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.network import Addresses
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, module, out_of_service
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import KernelError


def _has_one_of(vips: Iterable[str], addresses: Addresses) -> bool:
    """Return True if this host has one of these addresses, or if none is given."""
    if not vips:
        return True
    try:
        return not addresses.in_use().isdisjoint(ipaddress.ip_address(vip) for vip in vips)
    except (HostError, ValueError) as error:
        raise KernelError(f"vips: {error}") from error


def main() -> None:
    services = {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str"},
            **arguments.identity_spec(),
            "real_servers": {"type": "list", "elements": "dict"},
            "quorum": {"type": "int"},
            "vips": {"type": "list", "elements": "str"},
        },
    }
    ansible = AnsibleModule(
        {
            "real_servers": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "in_service"], "default": "drained"},
            "services": services,
            "health_checked": services,
            "minimum_in_service": {"type": "int", "default": 1},
            "seen_within": {"type": "float", "default": out_of_service.SETTLE},
            "refuse_drained": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "float"},
            "expired": {"type": "str", "choices": ["fail", "force"], "default": "fail"},
            "wait_for": arguments.waiting_spec(),
            "udp_pause": {"type": "float", "default": 10},
            "vips": {"type": "list", "elements": "str", "default": []},
            "drain_directory": {"type": "path", "default": drain_files.DIRECTORY},
        },
        supports_check_mode=True,
    )
    with contextlib.closing(Addresses()) as addresses:  # one connection for all requests of the wait
        module.run(ansible, lambda: out_of_service.manage(ansible, lambda vips: _has_one_of(vips, addresses)))


if __name__ == "__main__":
    main()
