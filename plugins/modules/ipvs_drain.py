#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_drain
short_description: Take real servers out of all their services on a director, and put them back
version_added: 0.1.0
description:
  - Takes real servers out of every virtual service that has them, whoever owns the service. They get weight 0, so no
    new connections, and those that they have stay.
  - What is drained is written down, a file for each real server in O(drain_directory). M(lvs.cluster.ipvs_table) and
    the role P(lvs.cluster.director#role) respect that, and so do the health checkers that this role sets up. So a real
    server stays drained through runs of the role, reloads of keepalived, failovers and reboots.
  - It works on one director. The playbooks C(lvs.cluster.drain), C(lvs.cluster.undrain) and
    C(lvs.cluster.rolling_update) use it on all of them.
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
      - V(drained) takes them out, V(in_service) puts them back.
    type: str
    choices: [drained, in_service]
    default: drained
  services:
    description:
      - The virtual services whose weights this module sets, in the form of the same option of
        M(lvs.cluster.ipvs_table). Of each, only its identity and the addresses, ports and weights of the
        O(real_servers) matter.
      - With O(state=in_service) a real server gets the weight that is given. Where none is given and it has weight 0,
        it gets weight 1.
      - Services and real servers that the table does not have are left out. Other services are not touched.
    type: list
    elements: dict
    default: []
    suboptions: &services
      name:
        description: A name for messages. IPVS does not store it.
        type: str
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
      real_servers:
        description: Its real servers, dictionaries with C(address), C(port) and C(weight).
        type: list
        elements: dict
      quorum:
        description:
          - Below which weight in service the health checker takes the whole service down. Only in O(health_checked).
        type: int
  health_checked:
    description:
      - The virtual services whose weights a health checker sets, in the same form.
      - With O(state=drained) the module sees that it has done so. It fails, and takes everything back, when
        that takes longer than O(seen_within).
    type: list
    elements: dict
    default: []
    suboptions: *services
  minimum_in_service:
    description:
      - Refuse what would leave fewer real servers than so many with a weight above 0 in a service.
      - What would leave less weight than the C(quorum) of a service in O(health_checked) is refused as well, unless
        this option is V(0).
      - Tasks that run on the director at the same time take turns, so that together they do not undercut it either.
    type: int
    default: 1
  seen_within:
    description:
      - For how many seconds to wait until a health checker has seen a drain. keepalived sees it at once, and ldirectord
        when it makes its next check.
    type: float
    default: 30
  refuse_drained:
    description:
      - With O(state=drained), fail where one of them is drained already, and change nothing. Of tasks that run at the
        same time and want the same real server one gets it.
    type: bool
    default: false
  wait:
    description:
      - With O(state=drained), wait until their connections are gone. With O(state=in_service), wait until the health
        checks let them in, in those of O(health_checked) that give them a weight above 0.
    type: bool
    default: true
  timeout:
    description:
      - For how many seconds. Where it is not given, V(300) with O(state=drained) and V(60) with O(state=in_service).
    type: float
  expired:
    description:
      - What to do when O(timeout) is over. V(fail) fails, V(force) warns and goes on. The real servers stay drained, or
        in service, either way.
      - With V(force), flows of UDP that have not paused go to other real servers with their next packet.
    type: str
    choices: [fail, force]
    default: fail
  wait_for:
    description:
      - Which connections have to be gone, as O(lvs.cluster.ipvs_real_server#module:drain_wait_for).
    type: list
    elements: str
    choices: [active, inactive, persistent]
    default: [active]
  udp_pause:
    description:
      - UDP has no end that IPVS could see. A flow counts as ended when its real server got no packet for so many
        seconds, or for O(timeout) if that is less. V(0) does not look at flows of UDP; otherwise it is at least V(3),
        since the kernel counts packets every 2 seconds.
      - Flows that have ended in this way are moved. The real server is removed from the UDP services and added again
        with weight 0 a second later, so the next packet of each flow goes to another one. That takes the sysctl
        C(net.ipv4.vs.expire_nodest_conn), which the role P(lvs.cluster.director#role) sets.
      - With the schedulers V(dh), V(mh) and V(sh), which choose by the order of the real servers, flows are moved with
        O(expired=force) only.
      - Services with C(one_packet) have no flows. Those of a firewall mark are not looked at; use O(wait_for).
    type: float
    default: 10
  vips:
    description:
      - Wait for connections only while this host has one of these addresses, since a director that stands by hears
        late, or not at all, of those that end. Where none is given the module waits in any case.
    type: list
    elements: str
    default: []
  drain_directory:
    description:
      - Where it is written down.
    type: path
    default: /var/lib/lvs-cluster/drain
seealso:
  - module: lvs.cluster.ipvs_real_server
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Take a real server out, wait for its connections to end, and never leave fewer than two others
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

- name: Put it back, with weight 5
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
  description: The addresses of the real servers that were not drained before, or not in service.
  returned: success
  type: list
  elements: str
  sample: [198.51.100.11]
former:
  description:
    - These real servers in their O(services), with the weights that they had before, and without one where the table
      had them not. As O(services) with O(state=in_service) it puts these back.
  returned: success
  type: list
  elements: dict
moved:
  description: The real servers of UDP services whose flows go to others now.
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
    - The virtual services that change, before and after, as M(lvs.cluster.ipvs_table) returns them, and the real
      servers that are written down. The list is empty when nothing changes.
  returned: success
  type: list
  elements: dict
"""

import contextlib
import ipaddress

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.network import Addresses
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, module, out_of_service
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import KernelError


def _has_one_of(vips: list[str], addresses: Addresses) -> bool:
    """Return whether this host has one of these addresses, or none is given."""
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
    with contextlib.closing(Addresses()) as addresses:  # one connection for all that is asked while it waits
        vips = ansible.params["vips"]
        module.run(ansible, lambda: out_of_service.manage(ansible, lambda: _has_one_of(vips, addresses)))


if __name__ == "__main__":
    main()
