#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: return_route
short_description: Route a real server's replies through the directors
version_added: 0.1.0
description:
  - With the forwarding method C(nat), a real server's replies must pass the director, which translates them back. This
    module routes the replies of the listed services there. All other routes of the host stay unchanged.
  - A routing rule for each service's address, protocol and port leads to a separate routing table, which contains only
    a default route. So replies to clients on the real server's own network also pass the director, which one-armed NAT
    requires.
  - The list is the desired state. A rule that leads to the table and is not listed is removed, unless
    O(purge=false).
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
requirements:
  - pyroute2 0.7.2 or newer (package python3-pyroute2), for the Python interpreter that Ansible uses or for
    C(/usr/bin/python3). The module runs under the latter if the former lacks it
options:
  gateways:
    description:
      - The directors' address on the real server's network, one for each required address family. With several
        directors it must be an address that fails over with the VIPs.
      - Required if O(state=present).
    type: list
    elements: str
  services:
    description:
      - The sources of the replies.
      - Required if O(state=present). An empty list has the same effect as O(state=absent).
    type: list
    elements: dict
    suboptions:
      address:
        description: An address of this host, to which the director sends requests. It must be on an interface.
        type: str
        required: true
      protocol:
        description: The protocol. By default every protocol.
        type: str
        choices: [tcp, udp, sctp]
      port:
        description:
          - The source port of the replies, or a range such as V(10000-20000), for which there is one rule. By default,
            or if it is V(0), every port.
          - A rule of the kernel matches ports up to 65534.
        type: str
        default: '0'
  traffic:
    description:
      - The traffic that goes through the gateways.
      - With V(services), it is the replies of O(services).
      - With V(all), it is also all traffic that leaves the host's own networks, as if the gateways were the host's
        default routes. Default routes in the main table stay there but are bypassed. The directors must forward this
        traffic. If other routers have no route back, the directors must also translate its source address.
    type: str
    choices: [services, all]
    default: services
  direct:
    description:
      - The directors' own addresses.
      - They are used with O(purge=false) on a host that has VIPs of M(lvs.cluster.arp_silence) and gets new rules.
        Replies to these addresses then use the main table until a task with O(purge=true). So health checks are
        answered although no director holds the address of the gateway yet.
    type: list
    elements: str
    default: []
  table:
    description: The number of the routing table. The task owns the complete table and the rules that lead to it.
    type: int
    default: 5151
  priority:
    description:
      - The priority of the rules. The priority before it and the two after it may be used too (O(direct),
        O(traffic=all)).
      - The rule of the main table has the priority V(32766).
    type: int
    default: 5151
  persist:
    description:
      - Whether routes and rules are also set at every boot. This requires systemd.
      - V(false) removes the files that an earlier task installed for this.
    type: bool
    default: true
  purge:
    description:
      - Whether to remove rules and routes of the table that are not listed.
      - With V(false) the task only adds, and returns RV(leftovers). Use it while a director may still send traffic by
        its former configuration.
      - It has no effect with O(state=absent).
    type: bool
    default: true
  state:
    description:
      - V(present) routes the listed replies through the gateways.
      - V(absent) empties the table and removes the rules and the module's files.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The rules match the source of a reply and not its destination, so they apply to every client.
  - ICMP errors about a service, such as "port unreachable", do not carry its port and take the host's usual route.
  - The module writes C(/etc/systemd/system/lvs-cluster-routes.service), C(lvs-cluster-routes-watch.service) in the same
    directory, C(/var/lib/lvs-cluster/return_route.json) and C(/etc/systemd/networkd.conf.d/91-lvs-cluster.conf). The
    last one prevents systemd-networkd from removing routes and rules that it did not set, which it does by default at
    every start.
  - The kernel removes the routes of an interface that is set down or briefly loses its last address, for example when
    systemd-networkd restarts. The table then still contains an C(unreachable) route of this module, which rejects the
    replies. With O(persist=true) the service C(lvs-cluster-routes-watch.service) adds the route again.
  - Bind a UDP server to its address, unless it sets the source address of its replies (C(IP_PKTINFO)). Otherwise the
    kernel selects the route before the address is known, and the rules do not match its replies.
seealso:
  - module: lvs.cluster.arp_silence
"""

EXAMPLES = r"""
- name: Route replies to web requests through the directors
  lvs.cluster.return_route:
    gateways: [192.0.2.1]
    services:
      - address: 192.0.2.11
        protocol: tcp
        port: 8080
      - address: 192.0.2.11
        protocol: udp
        port: 10000-20000

- name: Route all outgoing traffic through the directors
  lvs.cluster.return_route:
    gateways: [192.0.2.1]
    services:
      - address: 192.0.2.11
    traffic: all

- name: Remove everything that the module has set up
  lvs.cluster.return_route:
    state: absent
"""

RETURN = r"""
leftovers:
  description: The changes that a run with O(purge=true) would still make, as text.
  returned: if O(purge=false)
  type: list
  elements: str
  sample: [remove the routing rule from 192.0.2.11 ipproto tcp sport 8080 lookup 5151 priority 5151]
diff:
  description: The state that the module manages, before and after the task. Both are equal if nothing changed.
  returned: always
  type: dict
  contains:
    before:
      description: One line for each route, each rule and each line of a file.
      type: str
    after:
      description: The same after the task. In check mode it is a prediction.
      type: str
  sample:
    before: ""
    after: |
      route default (ipv4) via 192.0.2.1 dev eth0 onlink table 5151
      rule from 192.0.2.11 ipproto tcp sport 8080 lookup 5151 priority 5151
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
      description: The route, the rule or the path.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: route
      name: "default (ipv4) via 192.0.2.1 dev eth0 onlink table 5151"
      is: "absent"
      should: "present"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host.routing import (
    TRACES,
    USUAL_NUMBER,
    converge_return_route,
    parse_return_route,
    replies_option,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateways": {"type": "list", "elements": "str"},
            "services": replies_option(),
            "traffic": {"type": "str", "choices": ["services", "all"], "default": "services"},
            "direct": {"type": "list", "elements": "str", "default": []},
            "table": {"type": "int", "default": USUAL_NUMBER},
            "priority": {"type": "int", "default": USUAL_NUMBER},
            "persist": {"type": "bool", "default": True},
            "purge": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["gateways", "services"])],
        supports_check_mode=True,
    )
    wanted = module.params
    run(
        module,
        lambda: parse_return_route(
            wanted["state"] == "present",
            wanted["gateways"] or [],
            wanted["services"] or [],
            wanted["traffic"] == "all",
            wanted["table"],
            wanted["priority"],
            wanted["persist"],
            wanted["purge"],
            wanted["direct"],
        ),
        converge_return_route,
        traces=TRACES,
    )


if __name__ == "__main__":
    main()
