# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: director
author: The lvs.cluster authors (@lvs-cluster)
version_added: 0.1.0
short_description: What one director of an LVS cluster needs
description:
  - Expands the description of a cluster (the variable C(lvs_virtual_services)) into what one director needs, which is
    its IPVS table, its VIPs, kernel modules, sysctls, and keepalived's configuration with VRRP and health checks.
  - The whole description is validated first, against the inventory too, whichever host is asked for. Everything that
    is wrong is reported at once, one line each, naming the service, the key and the value.
  - Nothing is read but the arguments, so the filter gives the same in check mode and on a fresh host.
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
    description: The inventory name of the director, which must be in the group C(directors).
    type: str
    required: true
  groups:
    description:
      - The variable C(groups). The directors are the group C(directors), in the order of their priority.
      - All real servers that Ansible manages are in the group C(real_servers) or in groups below it.
    type: dict
    required: true
  hostvars:
    description:
      - The variable C(hostvars). Only hosts that a service names, and directors, are looked up.
      - A host's address is its variable C(lvs_address) (one address, or a list with one per family), else
        C(ansible_host) where that is an address.
    type: dict
    required: true
  interface:
    description: The network interface on which the VIPs live.
    type: str
    required: true
  virtual_router_id:
    description: The VRRP id, unique on the link, from 1 to 255.
    type: int
    default: 51
  advert_interval:
    description: Seconds between VRRP advertisements, from 0.01 to 40.95.
    type: float
    default: 1
  sysctls:
    description: Further sysctls, which win over those that the filter chooses.
    type: dict
    default: {}
  nat_gateway:
    description:
      - The directors' address on the network of the real servers, through which these answer with
        C(forward_method=nat). One address, or a list with one per family.
      - With several directors it moves with the VIPs.
      - By default the address of the director itself, if it is the only one.
    type: raw
  gateway_interface:
    description: The network interface of that address. By default the one of the VIPs.
    type: str
  preempt:
    description: Whether a director takes the VIPs from one of a lower priority.
    type: bool
    default: true
  preempt_delay:
    description: Seconds after which it does so.
    type: int
    default: 30
  garp_refresh:
    description: Seconds after which the master tells the link again where the VIPs are. With V(0) it never does.
    type: int
    default: 60
  sync_daemon:
    description:
      - Whether several directors tell each other of their connections. A dictionary switches that on too, and can have
        the keys C(id), C(maxlen), C(port), C(ttl) and C(group).
    type: raw
    default: true
  sync_interface:
    description: The network interface for that. By default the one of the VIPs.
    type: str
  script_user:
    description: The user that runs the commands of health checks and tracked scripts.
    type: str
    default: keepalived_script
  health_checker:
    description: Who makes the health checks and owns the services that have one.
    type: str
    choices: [keepalived, ldirectord, mon]
    default: keepalived
  track_interfaces:
    description:
      - Network interfaces that have to be up on one of several directors, as names or as dictionaries with C(name) and
        C(weight).
    type: list
    elements: raw
    default: []
  track_scripts:
    description:
      - Commands that have to succeed on one of several directors, dictionaries with C(name), C(command), C(interval),
        C(timeout), C(fall), C(rise) and C(weight).
    type: list
    elements: dict
    default: []
  vrrp_hops:
    description: The number of routers between two directors. VRRP that more routers have forwarded is dropped.
    type: int
    default: 0
  transit:
    description:
      - Whether the director forwards packets that belong to no service, with C(forward_method=nat) and C(fullnat).
      - Without it such packets are dropped. It is required where O(sysctls) switches forwarding on too.
    type: bool
  sync_senders:
    description:
      - The addresses from which all directors send what they tell each other of connections. With several directors,
        what comes from others is dropped.
      - By default these are the directors' addresses, if that is on the link of the VIPs and over IPv4. Otherwise only
        what comes from another link is dropped.
    type: list
    elements: str
  timeouts:
    description:
      - After how many idle seconds a connection is forgotten, a dictionary with any of C(tcp), C(tcp_fin) and C(udp).
      - The variable C(director_timeouts) has to be the same for all directors in the inventory.
    type: dict
    default: {}
  flood_defence:
    description: Whether IPVS drops half-open connections and new ones when the host runs out of memory.
    type: bool
    default: true
  leaving_timeout:
    description: For how many seconds to wait for the connections of real servers that are no longer described.
    type: int
    default: 60
  directors_that_leave:
    description:
      - Directors that have left the group C(directors) for good, by their names or addresses. A host that has another
        one as a peer fails in M(lvs.cluster.host_check).
    type: list
    elements: str
    default: []
  packages:
    description: The distribution's packages that it takes, instead of the usual ones.
    type: list
    elements: str
seealso:
  - plugin: lvs.cluster.real_server
    plugin_type: filter
  - plugin: lvs.cluster.cluster
    plugin_type: filter
  - module: lvs.cluster.ipvs_table
"""

EXAMPLES = r"""
- name: Expand the description for this director
  ansible.builtin.set_fact:
    director_model: >-
      {{ lvs_virtual_services
         | lvs.cluster.director(inventory_hostname, groups, hostvars, interface='eth1') }}

- name: Bring the IPVS table in line
  lvs.cluster.ipvs_table:
    services: "{{ director_model.services }}"
    exclude: "{{ director_model.owned_elsewhere }}"
    purge: real_servers
"""

RETURN = r"""
_value:
  description: What the director needs.
  type: dict
  contains:
    vips:
      description: The VIPs of all services, IPv4 first, then by number.
      type: list
      elements: dict
      contains:
        address:
          description: The address.
          type: str
        family:
          description: V(ipv4) or V(ipv6).
          type: str
        prefix:
          description: The prefix length, V(32) or V(128).
          type: int
    services:
      description:
        - The IPVS table, exactly as the option O(lvs.cluster.ipvs_table#module:services) takes it, with one entry
          per port.
        - Every option is given except the weights that the description leaves out.
      type: list
      elements: dict
    owned_elsewhere:
      description:
        - The identities of services that belong to a health checker.
        - This is for the option O(lvs.cluster.ipvs_table#module:exclude).
      type: list
      elements: dict
    packages:
      description: The distribution's packages that it takes.
      type: list
      elements: str
    identities:
      description: The identities of all services.
      type: list
      elements: dict
    kernel_modules:
      description: C(ip_vs) and the modules of the schedulers and persistence engines in use.
      type: list
      elements: str
    sysctls:
      description:
        - Sysctls by name. Forwarding is switched on only for methods that need it, which direct routing does not.
      type: dict
    defence_threshold:
      description: The option O(lvs.cluster.ipvs_kernel#module:defence_threshold).
      type: bool
    timeouts:
      description: The timeouts that are given, as the module M(lvs.cluster.ipvs_timeout) takes them.
      type: dict
    nftables:
      description: The rules of the table C(lvs_cluster) of nftables. Empty when the director needs none.
      type: str
    vrrp:
      description: The VRRP instances.
      type: dict
      contains:
        instances:
          description: One instance for each family that has VIPs.
          type: list
          elements: dict
          contains:
            name:
              description: The name of the instance.
              type: str
            family:
              description: V(ipv4) or V(ipv6).
              type: str
            interface:
              description: The network interface.
              type: str
            virtual_router_id:
              description: The VRRP id.
              type: int
            advert_interval:
              description: Seconds between advertisements.
              type: float
            state:
              description: V(MASTER) on the first director of the group, V(BACKUP) on the others.
              type: str
            priority:
              description: V(200) on the first director, 10 less on each further one, and at least V(1).
              type: int
            source_address:
              description: The director's own address, or null when it is the only director.
              type: str
            peers:
              description: The other directors' addresses.
              type: list
              elements: str
            addresses:
              description: The VIPs, and the gateway of NAT, with their prefix lengths.
              type: list
              elements: str
            advertised:
              description: The address that adverts have, which is none of them and never changes.
              type: str
    keepalived:
      description: The whole of keepalived's configuration.
      type: str
    keepalived_validated:
      description: The text that keepalived validates instead, only if the configuration names a user for commands.
      type: str
    addresses_unit:
      description:
        - A unit of systemd that has keepalived wait for the addresses it speaks from. Empty with one director.
      type: str
    health_checked:
      description:
        - What may be in the kernel's table for services of the health checker, real servers and sorry servers, as
          O(lvs.cluster.ipvs_quiesce#module:health_checked) takes it.
      type: list
      elements: dict
    leaving_timeout:
      description: For how many seconds to wait for the connections of real servers that are no longer described.
      type: int
    health_checker:
      description: Who makes the health checks.
      type: dict
      contains:
        name:
          description: V(keepalived), V(ldirectord) or V(mon), which is its unit of systemd too.
          type: str
        files:
          description:
            - The files that it takes, each with C(path), C(content), C(mode), C(group), C(validate) (a command), and
              C(then), which is what its unit has to be when the file has changed, V(reloaded) or V(restarted).
          type: list
          elements: dict
    drain_files:
      description:
        - The files that drain real servers of services with a health check, by the real server's address. A C(1) in
          the file makes the weight 0.
      type: dict
    drainable:
      description: The addresses of all real servers.
      type: list
      elements: str
    handover_file:
      description: A file. A C(1) in it makes other directors come first. Empty when there is none.
      type: str
    script_user:
      description: The user that runs the commands of health checks and tracked scripts. Empty when there are none.
      type: str
    interfaces:
      description: The names of the network interfaces that have to be there.
      type: list
      elements: str
    interface_variables:
      description:
        - The variable that names each of these interfaces. This is for the option
          O(lvs.cluster.host_check#module:interface_variables).
      type: dict
    own_addresses:
      description:
        - The addresses that the director has to have. This is for the option
          O(lvs.cluster.host_check#module:own_addresses).
      type: list
      elements: dict
    present:
      description:
        - What the director may be like now. This is for the option O(lvs.cluster.host_check#module:director).
      type: dict
    sync_source:
      description:
        - The C(interface) on which connections are synchronised, and the addresses (C(from)) that the other directors
          accept that from. This is for the option O(lvs.cluster.host_check#module:sync_source). Empty if they accept it
          from every address, or if there is none.
      type: dict
    route_sources:
      description:
        - From which addresses of this director (C(from)) real servers take packets of tunnels (C(to)). This is for the
          option O(lvs.cluster.host_check#module:route_sources).
      type: list
      elements: dict
    undecided_forwarding:
      description:
        - Address families that the director forwards without O(transit). This is for the option
          O(lvs.cluster.host_check#module:no_forwarding).
      type: list
      elements: str
    openings:
      description: Rules of nftables for the director's own firewall.
      type: dict
      contains:
        input:
          description: The rules for a chain of the input hook.
          type: list
          elements: str
        forward:
          description: The rules for a chain of the forward hook.
          type: list
          elements: str
  sample:
    vips: [{"address": "192.0.2.10", "family": "ipv4", "prefix": 32}]
    services:
      - name: web
        address: 192.0.2.10
        port: 80
        protocol: tcp
        scheduler: rr
        scheduler_flags: []
        one_packet: false
        persistence_timeout: 0
        real_servers:
          - {"address": "192.0.2.21", "port": 80, "forward_method": "dr", "upper_threshold": 0, "lower_threshold": 0}
    owned_elsewhere: []
    identities:
      - {address: 192.0.2.10, port: 80, protocol: tcp}
    packages: [ipvsadm, keepalived, nftables, python3-pyroute2]
    kernel_modules: [ip_vs, ip_vs_rr]
    sysctls:
      net.ipv4.vs.expire_nodest_conn: 1
      net.ipv4.vs.expire_quiescent_template: 1
      net.ipv4.vs.drop_entry: 1
      net.ipv4.vs.drop_packet: 1
    defence_threshold: true
    timeouts: {}
    nftables: ""
    vrrp:
      instances:
        - name: lvs_ipv4
          family: ipv4
          interface: eth1
          virtual_router_id: 51
          advert_interval: 1.0
          state: MASTER
          priority: 200
          source_address: null
          peers: []
          addresses: [192.0.2.10/32]
          advertised: 192.0.0.8/32 scope host
    keepalived: "global_defs {...}"
    addresses_unit: ""
    health_checked: []
    leaving_timeout: 60
    health_checker: {"name": "keepalived", "files": []}
    drain_files: {}
    drainable: [192.0.2.21]
    handover_file: ""
    script_user: ""
    interfaces: [eth1]
    interface_variables: {"eth1": "director_interface"}
    own_addresses: []
    present: {"instances": [], "leaving": [], "real_servers": []}
    sync_source: {}
    route_sources: []
    undecided_forwarding: []
    openings:
      input: [ip daddr 192.0.2.10 tcp dport 80 accept]
      forward: []
"""

from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models
from ansible_collections.lvs.cluster.plugins.plugin_utils.filtering import expand


def director(
    description: Any,
    host: str,
    groups: Any,
    hostvars: Any,
    interface: Any,
    virtual_router_id: Any = 51,
    advert_interval: Any = 1,
    sysctls: Any = None,
    nat_gateway: Any = None,
    gateway_interface: Any = None,
    preempt: Any = True,
    preempt_delay: Any = 30,
    garp_refresh: Any = 60,
    sync_daemon: Any = True,
    sync_interface: Any = None,
    script_user: Any = "keepalived_script",
    health_checker: Any = "keepalived",
    track_interfaces: Any = None,
    track_scripts: Any = None,
    vrrp_hops: Any = 0,
    transit: Any = None,
    sync_senders: Any = None,
    timeouts: Any = None,
    flood_defence: Any = True,
    leaving_timeout: Any = 60,
    directors_that_leave: Any = None,
    packages: Any = None,
) -> dict[str, object]:
    """`Cluster.director` as a filter."""

    variables = {
        "director_interface": interface,
        "director_virtual_router_id": virtual_router_id,
        "director_advert_interval": advert_interval,
        "director_sysctls": sysctls,
        "lvs_nat_gateway": nat_gateway,
        "director_gateway_interface": gateway_interface,
        "director_preempt": preempt,
        "director_preempt_delay": preempt_delay,
        "director_garp_refresh": garp_refresh,
        "director_sync_daemon": sync_daemon,
        "director_sync_interface": sync_interface,
        "director_script_user": script_user,
        "director_health_checker": health_checker,
        "director_track_interfaces": track_interfaces,
        "director_track_scripts": track_scripts,
        "director_vrrp_hops": vrrp_hops,
        "director_transit": transit,
        "director_sync_senders": sync_senders,
        "director_timeouts": timeouts,
        "director_flood_defence": flood_defence,
        "director_leaving_timeout": leaving_timeout,
        "lvs_directors_that_leave": directors_that_leave,
        "director_packages": packages,
    }

    def wanted(cluster: Cluster) -> dict[str, object]:
        return host_models.director(cluster.director(host, variables))

    return expand(description, groups, hostvars, wanted)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Filter names and what they call."""
        return {"director": director}
