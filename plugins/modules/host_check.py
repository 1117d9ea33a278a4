#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_check
short_description: Check that a host meets the requirements of the roles
version_added: 0.1.0
description:
  - Checks the requirements of the roles that they cannot install themselves. It changes nothing.
  - If a requirement is not met, the task fails with a message about the first such requirement. So a playbook can stop
    before it has changed any host.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes.info
  - lvs.cluster.attributes.actiongroup_lvs
options:
  kernel_modules:
    description:
      - Kernel modules that must be loaded, loadable or built into the running kernel. They are not loaded.
    type: list
    elements: str
    default: []
  libraries:
    description:
      - Python libraries that must be available to the Python interpreter of the modules. They are not imported.
      - V(pyroute2) may also be available to C(/usr/bin/python3) only, because the modules then run under that
        interpreter.
    type: list
    elements: str
    default: []
  programs:
    description:
      - Programs that must be installed.
    type: list
    elements: str
    default: []
  packages:
    description:
      - Packages of the distribution to look for. A missing one is not an error. A package is installed if C(dpkg) or
        C(rpm) lists it under exactly this name.
    type: list
    elements: str
    default: []
  services:
    description:
      - systemd services that must be running.
    type: list
    elements: str
    default: []
  addresses:
    description:
      - IP addresses that the host must hold on any of its interfaces.
    type: list
    elements: str
    default: []
  no_addresses:
    description:
      - IP addresses that the host must not hold.
    type: list
    elements: str
    default: []
  vips:
    description:
      - IP addresses to look for. A missing one is not an error.
    type: list
    elements: str
    default: []
  interfaces:
    description:
      - Network interfaces that must exist, up or down.
    type: list
    elements: str
    default: []
  interface_variables:
    description:
      - The variable that names each interface, by interface. It is used in messages.
    type: dict
    default: {}
  own_addresses:
    description:
      - IP addresses that must be the host's own, by which other hosts reach it.
      - They are read with C(ip), which requires no Python library.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: The address.
        type: str
        required: true
      interface:
        description: The network interface that must hold it. By default any interface.
        type: str
        default: ''
  director:
    description:
      - The desired state of the host as a director. It is compared with the present C(/etc/keepalived/keepalived.conf).
      - The task fails if the host has a director as a peer that O(director.instances[].peers) no longer lists, unless
        O(director.leaving) does. If that director still runs, both would hold the VIPs.
      - The task fails if the host holds one of O(vips) that keepalived did not add, such as a static address.
    type: dict
    suboptions:
      instances:
        description: The desired VRRP instances.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: The name.
            type: str
            required: true
          virtual_router_id:
            description: The virtual router id.
            type: int
            required: true
          advertised:
            description: The address in its advertisements.
            type: str
            required: true
          peers:
            description: The addresses of the other directors.
            type: list
            elements: str
            required: true
      leaving:
        description: Names and addresses of directors that are permanently removed.
        type: list
        elements: str
        default: []
      real_servers:
        description: Real servers whose addresses the host must not hold.
        type: list
        elements: dict
        default: []
        suboptions:
          address:
            description: The address.
            type: str
            required: true
          service:
            description: The name of the service, for the message.
            type: str
            required: true
  director_files:
    description:
      - Whether to look for files that the role C(director) has written on this host in an earlier run.
    type: bool
    default: false
  users:
    description:
      - Names of users to look for. A missing one is not an error.
    type: list
    elements: str
    default: []
  sync_source:
    description:
      - The source addresses (IPv4) from which the other directors accept connection synchronisation of this host.
      - The kernel uses the first address of the interface as the source.
    type: dict
    suboptions:
      interface:
        description: The network interface.
        type: str
        required: true
      from:
        description: The addresses that the other directors accept.
        type: list
        elements: str
        required: true
  route_sources:
    description:
      - The source addresses from which other hosts accept packets of this host.
      - A host to which there is no route at present is not checked.
    type: list
    elements: dict
    default: []
    suboptions:
      to:
        description: The other host's IP address.
        type: str
        required: true
      from:
        description: The source addresses that it accepts.
        type: list
        elements: str
        required: true
  no_forwarding:
    description:
      - Address families in which the host must not forward packets, unless M(lvs.cluster.ipvs_kernel) enabled
        forwarding.
      - A director drops forwarded packets that belong to no service. On a host that was a router before, this would
        stop traffic that other hosts rely on.
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: []
  vrrp:
    description:
      - Whether keepalived must be running with VRRP instances in the state C(MASTER), with their addresses, or
        C(BACKUP). An instance in the state C(FAULT), in which it takes no address, is an error.
      - The module sends keepalived the signal C(SIGUSR1), reads the file that keepalived then writes to C(/tmp), and
        removes it.
    type: bool
    default: false
  vrrp_scripts:
    description:
      - The names of scripts that keepalived must run, with O(vrrp=true). keepalived skips scripts that their user may
        not execute.
    type: list
    elements: str
    default: []
  vrrp_joining:
    description:
      - Whether O(vrrp=true) accepts the state C(FAULT) if M(lvs.cluster.director_join) is its only reason.
    type: bool
    default: false
  wait:
    description:
      - Seconds in which the host must fulfil the conditions. The module repeats the checks until then. With V(0) it
        checks once.
    type: float
    default: 0.0
  virtual_services:
    description:
      - Virtual services that must exist in the IPVS table. Their settings are not checked.
    type: list
    elements: dict
    default: []
    suboptions:
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
notes:
  - The module requires root, a running systemd, which restores everything at boot, and the listed kernel modules.
seealso:
  - module: lvs.cluster.ipvs_kernel
"""

EXAMPLES = r"""
- name: Check that the kernel has IPVS
  lvs.cluster.host_check:
    kernel_modules: [ip_vs]

- name: Check for software that the roles do not install
  lvs.cluster.host_check:
    libraries: [pyroute2]
    programs: [keepalived]

- name: Wait until this director holds the VIP
  lvs.cluster.host_check:
    services: [keepalived]
    addresses: [192.0.2.10]
    vrrp: true
  register: check
  until: check is succeeded
  retries: 20
  delay: 1
"""

RETURN = r"""
kernel_release:
  description: The release of the running kernel.
  returned: success
  type: str
  sample: 6.1.0-18-amd64
held:
  description:
    - The O(vips) that the host holds. Empty on a host without pyroute2, which is not set up yet.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.10]
missing_packages:
  description:
    - The O(packages) that are not installed.
  returned: success
  type: list
  elements: str
  sample: [keepalived]
director:
  description: The present state of the host as a director.
  returned: success and O(director)
  type: dict
  contains:
    configured:
      description: Whether the role has configured keepalived on this host.
      type: bool
    joins:
      description:
        - Whether this director and the other ones do not accept each other's advertisements yet. It is new, was the
          only director, or its advertisements had other addresses.
      type: bool
    joining:
      description: Whether M(lvs.cluster.director_join) keeps it from taking VIPs.
      type: bool
    drained:
      description: The addresses of the real servers that are drained on this director.
      type: list
      elements: str
  sample: {"configured": true, "joins": false, "joining": false, "drained": []}
director_files:
  description: Files that the role C(director) has written in an earlier run.
  returned: success and O(director_files=true)
  type: dict
  contains:
    units:
      description:
        - Those of the units C(ldirectord), C(mon) and C(lvs-cluster-addresses) of which the role has written the unit
          or another file. Units of these names from other sources are not listed.
      type: list
      elements: str
    keepalived:
      description: The origin of C(/etc/keepalived/keepalived.conf). V(role) and V(other) tell whether the role wrote
        it. V(none) means that it does not exist.
      type: str
  sample: {"units": ["mon"], "keepalived": "role"}
user_ids:
  description: The user ids of those O(users) that exist.
  returned: success
  type: dict
  sample: {"keepalived_script": 998}
joining:
  description: Whether M(lvs.cluster.director_join) keeps this host from taking VIPs.
  returned: success
  type: bool
vrrp_states:
  description:
    - The states of keepalived's VRRP instances, by name.
  returned: success and O(vrrp=true)
  type: dict
  sample: {"lvs_ipv4": "BACKUP"}
"""

import os
import pwd
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host import director_state, drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError, MissingLibrary
from ansible_collections.lvs.cluster.plugins.module_utils._host.files import read_text
from ansible_collections.lvs.cluster.plugins.module_utils._host.local_addresses import (
    all_addresses,
    multicast_source,
    route_source,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.network import held_addresses
from ansible_collections.lvs.cluster.plugins.module_utils._host.prerequisites import missing_packages, routers_before
from ansible_collections.lvs.cluster.plugins.module_utils._host.process import (
    UNIT_DIRECTORY,
    RunCommand,
    booted,
    require_root,
    runner,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.running_keepalived import require_vrrp
from ansible_collections.lvs.cluster.plugins.module_utils._host.running_kernel import KernelModules
from ansible_collections.lvs.cluster.plugins.module_utils._host.task import LIBRARY, respawn_with_library
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import (
    IPAddress,
    display,
    module_name,
    unicast_address,
    unit_name,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.wait import until
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import Ipvs, KernelError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import InvalidValue, address_text

# The options that need pyroute2.
_NEED_LIBRARY = ("addresses", "no_addresses", "vips", "virtual_services")


def _held(vips: list[str]) -> list[str]:
    if not vips:
        return []
    wanted = [(unicast_address("vips", text, "an address to have"), text) for text in vips]
    try:
        held = held_addresses()
    except MissingLibrary:
        return []
    return [text for address, text in wanted if address in held]


def _check_virtual_services(wanted: list[dict[str, Any]]) -> None:
    if not wanted:
        return
    keys = [arguments.service_key(entry) for entry in wanted]
    try:
        with Ipvs(load=False) as ipvs:
            there = {key for key, *_rest in ipvs.services()}
    except KernelError as error:
        raise HostError(str(error)) from error
    for key in keys:
        if key not in there:
            raise HostError(f"the IPVS table has no virtual service {key}")


def _check_addresses(wanted: list[str], unwanted: list[str]) -> None:
    if not wanted and not unwanted:
        return
    held = held_addresses()
    for text in wanted:
        if unicast_address("addresses", text, "an address to have", link_local=True) not in held:
            raise HostError(f"this host has no address {text}")
    for text in unwanted:
        if unicast_address("no_addresses", text, "an address to have", link_local=True) in held:
            raise HostError(f"this host has the address {text}")


def _source(option: str, text: str) -> IPAddress:
    return unicast_address(option, text, "an address to send from", link_local=True)


def _check_sync_source(run: RunCommand, wanted: dict[str, Any] | None) -> None:
    if wanted is None:
        return
    found = multicast_source(wanted["interface"], run)
    accepted = [_source("sync_source.from", text) for text in wanted["from"]]
    if found is not None and found not in accepted:
        raise HostError(
            f"this host sends connection synchronisation from {found}, the first address of {wanted['interface']},"
            f" but the other directors accept it from {' '.join(map(str, accepted))} only:"
            " list the addresses of all directors on that link in director_sync_senders"
        )


def _check_route_sources(wanted: list[dict[str, Any]]) -> None:
    for entry in wanted:
        to = unicast_address("route_sources.to", entry["to"], "an address to send to", link_local=True)
        accepted = [_source("route_sources.from", text) for text in entry["from"]]
        found = route_source(to)
        if found is not None and found not in accepted:
            raise HostError(
                f"this host sends to {to} from {found}, and {to} accepts tunnel packets from"
                f" {' '.join(map(str, accepted))} only: add {found} to lvs_tunnel_sources of this host"
            )


def _check_interfaces(wanted: list[str], variables: dict[str, str]) -> None:
    links = [name for _index, name in socket.if_nameindex()]
    for name in wanted:
        if name not in links:
            where = f"{variables[name]}: " if name in variables else ""
            raise HostError(f"{where}this host has no network interface {name}, only {' '.join(links)}")


def _check_own_addresses(run: RunCommand, wanted: list[dict[str, str]]) -> None:
    if not wanted:
        return
    held = all_addresses(run)
    for entry in wanted:
        address = unicast_address("own_addresses", entry["address"], "an address to have", link_local=True)
        fault = director_state.own_address_fault(held, address, entry["interface"])
        if fault:
            raise HostError(fault)


def _director(run: RunCommand, wanted: dict[str, Any], vips: list[str]) -> dict[str, Any]:
    """Return the present state of the host; raises HostError if it must not become the described one."""
    text = read_text(director_state.CONFIGURATION) or ""
    ours = director_state.is_ours(text)
    present = director_state.instances(text)
    lost = director_state.lost_peers(present, wanted["instances"], wanted["leaving"]) if ours else ""
    if lost:
        raise HostError(
            f"this director has {lost} as a peer, which is not in the group directors: if it runs, both would hold the"
            " VIPs. Put it back into the inventory, also if it is only down. If it has left for good, name it in"
            " lvs_directors_that_leave, a list of names or addresses"
        )
    held = all_addresses(run)
    runs = run(["systemctl", "is-active", "--", "keepalived"])[0] == 0
    static = director_state.static_vip(
        held, {unicast_address("vips", vip, "an address to have") for vip in vips}, present, ours, runs
    )
    if static is not None:
        raise HostError(
            f"{static} is on {static.interface}, and keepalived did not add it: remove the address there and from the"
            " configuration of the network, since keepalived adds VIPs to one director at a time"
        )
    servers = {entry["address"]: entry["service"] for entry in wanted["real_servers"]}
    for one in held:
        if str(one.address) in servers:
            raise HostError(
                f"this director has the address {one.address}, which is a real server of service"
                f" {servers[str(one.address)]}: as a backup it would balance requests again, not answer them"
            )
    try:
        drained = sorted(map(address_text, drain_files.read(drain_files.DIRECTORY)))
    except OSError as error:
        raise HostError(f"cannot read {drain_files.DIRECTORY}: {error.strerror}") from error
    return {
        "configured": ours,
        "joins": director_state.joins(present if ours else {}, wanted["instances"]),
        "joining": _joining(),
        "drained": drained,
    }


def _director_files() -> dict[str, Any]:
    keepalived = read_text(director_state.CONFIGURATION)
    writer = "none" if keepalived is None else "role" if director_state.is_ours(keepalived) else "other"
    units = [
        name
        for name, files in director_state.UNITS.items()
        if director_state.is_our_unit(read_text(f"{UNIT_DIRECTORY}/{name}.service") or "")
        or any(os.path.lexists(path) for path in files)
    ]
    return {"units": units, "keepalived": writer}


def _user_ids(names: list[str]) -> dict[str, int]:
    found = {}
    for name in names:
        with suppress(KeyError):
            found[name] = pwd.getpwnam(name).pw_uid
    return found


def _joining() -> bool:
    return director_state.is_joining(read_text(director_state.HANDOVER_FILE))


def _check_forwarding(families: list[str]) -> None:
    for family, key in routers_before(families):
        raise HostError(
            f"this host forwarded {family} packets before ({display(key)} was on): set director_transit to true"
            " to keep forwarding packets that belong to no service, or to false to drop them"
        )


def _look(run: RunCommand, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of the module. Raises HostError for unmet requirements, and InvalidValue."""
    if not booted():
        raise HostError("systemd does not run on this host, so the configuration of the roles would be lost at boot")
    kernel = KernelModules("/", run)
    for name in wanted["kernel_modules"]:
        if not kernel.available(module_name("kernel_modules", name)):
            kernel.require_loadable(name)
    for name in wanted["libraries"]:
        if find_spec(name) is None:
            raise HostError(
                f"{sys.executable} has no library {name}: install it (Debian and Ubuntu: python3-{name}),"
                " or let the roles do so (lvs_install_packages: true)"
            )
    for name in wanted["programs"]:
        if shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            raise HostError(f"{name} is not installed: install it, or let the roles do so (lvs_install_packages: true)")
    _check_interfaces(wanted["interfaces"], wanted["interface_variables"])
    _check_own_addresses(run, wanted["own_addresses"])
    _check_sync_source(run, wanted["sync_source"])
    _check_route_sources(wanted["route_sources"])
    _check_forwarding(wanted["no_forwarding"])
    for name in wanted["services"]:
        if run(["systemctl", "is-active", "--", unit_name("services", name)])[0]:
            raise HostError(f"the service {name} does not run")
    _check_addresses(wanted["addresses"], wanted["no_addresses"])
    _check_virtual_services(wanted["virtual_services"])
    found: dict[str, Any] = {
        "held": _held(wanted["vips"]),
        "joining": _joining(),
        "missing_packages": missing_packages(run, wanted["packages"]),
        "user_ids": _user_ids(wanted["users"]),
    }
    if wanted["director_files"]:
        found["director_files"] = _director_files()
    if wanted["director"] is not None:
        found["director"] = _director(run, wanted["director"], wanted["vips"])
    if wanted["vrrp"]:
        found["vrrp_states"] = require_vrrp(run, wanted["vrrp_scripts"], wanted["vrrp_joining"])
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "kernel_modules": {"type": "list", "elements": "str", "default": []},
            "libraries": {"type": "list", "elements": "str", "default": []},
            "programs": {"type": "list", "elements": "str", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "services": {"type": "list", "elements": "str", "default": []},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "no_addresses": {"type": "list", "elements": "str", "default": []},
            "vips": {"type": "list", "elements": "str", "default": []},
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "interface_variables": {"type": "dict", "default": {}},
            "own_addresses": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "address": {"type": "str", "required": True},
                    "interface": {"type": "str", "default": ""},
                },
            },
            "director": {
                "type": "dict",
                "options": {
                    "instances": {
                        "type": "list",
                        "elements": "dict",
                        "required": True,
                        "options": {
                            "name": {"type": "str", "required": True},
                            "virtual_router_id": {"type": "int", "required": True},
                            "advertised": {"type": "str", "required": True},
                            "peers": {"type": "list", "elements": "str", "required": True},
                        },
                    },
                    "leaving": {"type": "list", "elements": "str", "default": []},
                    "real_servers": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {
                            "address": {"type": "str", "required": True},
                            "service": {"type": "str", "required": True},
                        },
                    },
                },
            },
            "director_files": {"type": "bool", "default": False},
            "users": {"type": "list", "elements": "str", "default": []},
            "sync_source": {
                "type": "dict",
                "options": {
                    "interface": {"type": "str", "required": True},
                    "from": {"type": "list", "elements": "str", "required": True},
                },
            },
            "route_sources": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "to": {"type": "str", "required": True},
                    "from": {"type": "list", "elements": "str", "required": True},
                },
            },
            "no_forwarding": {"type": "list", "elements": "str", "choices": ["ipv4", "ipv6"], "default": []},
            "vrrp": {"type": "bool", "default": False},
            "vrrp_scripts": {"type": "list", "elements": "str", "default": []},
            "vrrp_joining": {"type": "bool", "default": False},
            "wait": {"type": "float", "default": 0.0},
            "virtual_services": {
                "type": "list",
                "elements": "dict",
                "options": arguments.identity_spec(),
                "default": [],
            },
        },
        supports_check_mode=True,
    )
    wanted = module.params
    if LIBRARY in wanted["libraries"] or any(wanted[name] for name in _NEED_LIBRARY):
        respawn_with_library(module)
    run = runner(module)
    found: dict[str, Any] = {}
    faults: list[str] = []

    def fulfilled() -> bool:
        faults.clear()
        found.clear()
        try:
            found.update(_look(run, wanted))
        except HostError as error:
            faults.append(str(error))
        return not faults

    try:
        require_root()
        until(fulfilled, wanted["wait"])
    except (HostError, InvalidValue) as error:
        module.fail_json(msg=str(error))
    if faults:
        module.fail_json(msg=faults[0])
    module.exit_json(changed=False, kernel_release=os.uname().release, **found)


if __name__ == "__main__":
    main()
