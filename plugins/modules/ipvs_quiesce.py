#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_quiesce
short_description: Drain real servers before they are removed from the IPVS table
version_added: 0.1.0
description:
  - Sets weight 0 on real servers that are in the kernel's table but no longer described, and waits until their
    connections have ended. A later task removes them. The removal of a real server cuts its connections.
  - It covers the services of M(lvs.cluster.ipvs_table) and those of a health checker. A health checker does not change
    the weight again, unless a check fails or it reads a new configuration.
  - All real servers of a service that M(lvs.cluster.ipvs_table) or keepalived manages since an earlier run, and that is
    no longer described, are drained. Meanwhile the service refuses new connections.
  - Only services whose address is on this host are drained, because a backup director has no connections of its own.
  - If new connections would fail meanwhile, real servers are not drained, and the module warns. This is the case if the
    service has no other real server in service, with the scheduler V(dh), and with V(sh) and V(mh) without their
    fallback flags.
  - If a run was interrupted and a real server is described again, its former weight is restored.
  - Real servers that change to direct routing get a host route. Without it, IPVS would continue to use the route that
    connections of the former method use, and new connections would fail (C(net/netfilter/ipvs/ip_vs_xmit.c)).
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
options:
  services:
    description:
      - The virtual services that M(lvs.cluster.ipvs_table) manages, in the form of
        O(lvs.cluster.ipvs_table#module:services).
      - Only their identities and the addresses, ports and forwarding methods of the real servers are used.
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
      scheduler:
        description: Not used.
        type: str
      scheduler_flags:
        description: Not used.
        type: list
        elements: str
      persistence_timeout:
        description: Not used.
        type: int
      persistence_netmask:
        description: Not used.
        type: str
      persistence_engine:
        description: Not used.
        type: str
      one_packet:
        description: Not used.
        type: bool
      real_servers:
        description: The real servers, as dictionaries with C(address), C(port) and C(forward_method).
        type: list
        elements: dict
  health_checked:
    description:
      - The virtual services that a health checker manages, in the same form. A sorry server counts as one of the real
        servers.
    type: list
    elements: dict
    default: []
    suboptions: *services
  purge:
    description:
      - As O(lvs.cluster.ipvs_table#module:purge). With V(none), the services of O(services) keep their real servers.
    type: str
    choices: [none, real_servers, all]
    default: real_servers
  timeout:
    description:
      - The maximum number of seconds to wait until there are no active connections. The module warns about remaining
        ones.
      - With V(0), nothing is drained.
      - The module does not wait for persistence templates, inactive connections and UDP.
    type: float
    default: 60
  vips:
    description:
      - Services with a firewall mark are drained if this host holds one of these addresses. If the list is empty, they
        are always drained.
    type: list
    elements: str
    default: []
  keepalived_configuration:
    description:
      - The configuration file of keepalived. If the role P(lvs.cluster.director#role) has written it, services in it
        that are no longer described are drained. So run this module before the file changes.
    type: path
    default: /etc/keepalived/keepalived.conf
  drain_directory:
    description:
      - The directory with the records of M(lvs.cluster.ipvs_drain). The weight of a drained real server is not
        restored.
    type: path
    default: /var/lib/lvs-cluster/drain
seealso:
  - module: lvs.cluster.ipvs_table
  - module: lvs.cluster.ipvs_drain
"""

EXAMPLES = r"""
- name: Drain real servers that the next task removes
  lvs.cluster.ipvs_quiesce:
    services:
      - name: web
        address: 192.0.2.10
        port: 80
        real_servers:
          - address: 192.0.2.12
    timeout: 120

- name: Apply the description to the IPVS table
  lvs.cluster.ipvs_table:
    services:
      - name: web
        address: 192.0.2.10
        port: 80
        real_servers:
          - address: 192.0.2.12
    purge: real_servers
    persist: true
"""

RETURN = r"""
leaving:
  description: The real servers that are drained for removal, as text.
  returned: success
  type: list
  elements: str
  sample: ["192.0.2.11:80 of web (tcp 192.0.2.10:80)"]
routes:
  description:
    - The host routes that were added to real servers that change to direct routing, in the syntax of C(ip route).
    - Without them, IPVS would continue to use a route of the former method, which does not lead to the real server with
      direct routing. They stay until the host reboots. Routes that were lost with their interface are added again.
  returned: success
  type: list
  elements: str
  sample: ["192.0.2.11 via 192.0.2.11 dev eth0 onlink src 192.0.2.2 proto 151"]
waited:
  description: The number of seconds that the module waited.
  returned: after waiting
  type: float
  sample: 3.4
diff:
  description:
    - The changed virtual services before and after, in the form of C(ipvsadm-save -n).
  returned: success
  type: dict
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
      description: The real server, the virtual service or the route.
      type: str
    is:
      description: The state found. V(absent) if it did not exist; V(different) for texts, which are not repeated.
      type: str
    should:
      description: The described state.
      type: str
  sample:
    - kind: weight
      name: "198.51.100.11:80 in web (tcp 192.0.2.10:80)"
      is: "1"
      should: "0"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, leaving, module


def main() -> None:
    services = {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str"}, **arguments.service_spec()},
    }
    ansible = AnsibleModule(
        {
            "services": services,
            "health_checked": services,
            "purge": {"type": "str", "choices": ["none", "real_servers", "all"], "default": "real_servers"},
            "timeout": {"type": "float", "default": leaving.DEFAULT_TIMEOUT},
            "vips": {"type": "list", "elements": "str", "default": []},
            "keepalived_configuration": {"type": "path", "default": "/etc/keepalived/keepalived.conf"},
            "drain_directory": {"type": "path", "default": drain_files.DIRECTORY},
        },
        supports_check_mode=True,
    )
    module.run_prepared(ansible, leaving.prepare)


if __name__ == "__main__":
    main()
