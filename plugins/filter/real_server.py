# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: real_server
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: What one real server of an LVS cluster needs
description:
  - Expands the description of a cluster (the variable C(lvs_virtual_services)) into what one real server needs, which
    is the list of VIPs that it holds silently, the way that its replies take with NAT, and the tunnels that end there.
  - The VIPs are those of the services that name this host and forward by direct routing or through a tunnel, since
    packets then reach the real server with the VIP as their destination.
  - The whole description is validated first, against the inventory too, whichever host is asked for. Everything that
    is wrong is reported at once, one line each, naming the service, the key and the value.
positional: _input, host, groups, hostvars
options:
  _input:
    description:
      - The description, a list with one dictionary per service.
      - The role P(lvs.cluster.director#role) documents its keys.
    type: list
    elements: dict
    required: true
  host:
    description: The inventory name of the real server, which must be in the group C(real_servers).
    type: str
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  nat_gateway:
    description:
      - The directors' address on the network of the real servers, as for the filter P(lvs.cluster.director#filter).
    type: raw
  tunnel_mtu:
    description: The largest packet that gets from the directors to this host, in octets.
    type: int
    default: 1500
  return_traffic:
    description:
      - What this host is to send through the directors.
      - It is checked against the description, and changes nothing in the result.
    type: str
    choices: [services, all]
    default: services
  tunnel_guard:
    description:
      - Whether this host drops what comes through a tunnel and is not from a director, or not for a VIP.
      - The directors' addresses are C(lvs_address) and what the variable C(lvs_tunnel_sources) of the directors names.
    type: bool
    default: true
  packages:
    description: The distribution's packages that it takes, instead of the usual ones.
    type: list
    elements: str
seealso:
  - plugin: lvs.cluster.director
    plugin_type: filter
  - plugin: lvs.cluster.cluster
    plugin_type: filter
  - module: lvs.cluster.arp_silence
"""

EXAMPLES = r"""
- name: Hold this host's VIPs silently
  lvs.cluster.arp_silence:
    vips: "{{ (lvs_virtual_services | lvs.cluster.real_server(inventory_hostname, groups, hostvars)).vips }}"
"""

RETURN = r"""
_value:
  description: What the real server needs.
  type: dict
  contains:
    vips:
      description: The VIPs to hold, IPv4 first, then by number. Empty when no service needs one on this host.
      type: list
      elements: str
    return_route:
      description:
        - What the module M(lvs.cluster.return_route) takes. Empty lists when no service forwards by NAT to this host.
      type: dict
      contains:
        gateways:
          description: The directors' addresses.
          type: list
          elements: str
        services:
          description: What replies come from.
          type: list
          elements: dict
        direct:
          description: The directors' own addresses.
          type: list
          elements: str
    tunnels:
      description:
        - What the module M(lvs.cluster.ipvs_tunnel) takes.
        - Empty when no service forwards to this host through a tunnel.
      type: list
      elements: dict
    own_addresses:
      description:
        - The addresses that the real server has to have. This is for the option
          O(lvs.cluster.host_check#module:own_addresses).
      type: list
      elements: dict
    packages:
      description: The distribution's packages that it takes.
      type: list
      elements: str
    kernel_modules:
      description: The kernel modules that the tunnels need.
      type: list
      elements: str
    nftables:
      description:
        - The rules of an nftables table, as the module M(lvs.cluster.nftables_table) takes them. They make TCP segments
          small enough for the tunnels, and drop what comes through these and is not from a director, or not for a VIP.
          Empty when there are no tunnels.
      type: str
  sample:
    vips: [192.0.2.10, "2001:db8::10"]
    return_route:
      gateways: [192.0.2.1]
      services: [{"address": "192.0.2.11", "protocol": "tcp", "port": 8080}]
      direct: [192.0.2.2, 192.0.2.3]
    tunnels: []
    own_addresses: [{"address": "192.0.2.11", "interface": ""}]
    packages: [python3-pyroute2]
    kernel_modules: []
    nftables: ""
"""

from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import expand


def real_server(
    description: Any,
    host: str,
    groups: Any,
    hostvars: Any,
    nat_gateway: Any = None,
    tunnel_mtu: Any = 1500,
    return_traffic: Any = "services",
    tunnel_guard: Any = True,
    packages: Any = None,
) -> dict[str, object]:
    """`Cluster.real_server` as a filter."""
    variables = {
        "lvs_nat_gateway": nat_gateway,
        "real_server_tunnel_mtu": tunnel_mtu,
        "real_server_return_traffic": return_traffic,
        "real_server_tunnel_guard": tunnel_guard,
        "real_server_packages": packages,
    }
    return expand(
        description,
        groups,
        hostvars,
        lambda cluster: host_models.real_server(cluster.real_server(host, variables)),
    )


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"real_server": real_server}
