#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: director
short_description: Set up the kernel, nftables and the IPVS table of a director in one task
version_added: 0.1.0
description:
  - Combines five modules in one task, which costs a host little more than a task of one of them. They are
    M(lvs.cluster.ipvs_kernel), M(lvs.cluster.ipvs_quiesce), M(lvs.cluster.nftables_table), M(lvs.cluster.ipvs_table)
    and M(lvs.cluster.ipvs_timeout).
  - The role P(lvs.cluster.director#role) uses it. The same settings persist across reboots as with the five modules.
  - All options are validated before anything is changed. A part that fails is rolled back. The parts before it keep
    their changes.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes
  - lvs.cluster.attributes.actiongroup_lvs
  - lvs.cluster.ipvs
options:
  parts:
    description:
      - The parts to apply. Other parts stay unchanged. They are always applied in the order of the default, and with
        O(state=absent) in the reverse order.
      - V(kernel) corresponds to M(lvs.cluster.ipvs_kernel), V(nftables) to the table C(lvs_cluster) of nftables,
        V(table) to the IPVS table, and V(timeouts) to the timeouts of IPVS connections. Each of them is set now and
        after a reboot. V(leaving) drains real servers before they are removed, as M(lvs.cluster.ipvs_quiesce) does.
        With O(state=absent) it removes the host routes of that module.
    type: list
    elements: str
    choices: [kernel, leaving, nftables, table, timeouts]
    default: [kernel, leaving, nftables, table, timeouts]
  modules:
    description: As O(lvs.cluster.ipvs_kernel#module:modules).
    type: list
    elements: str
    default: [ip_vs]
  conn_tab_bits:
    description: As O(lvs.cluster.ipvs_kernel#module:conn_tab_bits).
    type: int
  sysctls:
    description: As O(lvs.cluster.ipvs_kernel#module:sysctls).
    type: dict
  defence_threshold:
    description: As O(lvs.cluster.ipvs_kernel#module:defence_threshold).
    type: bool
    default: false
  rules:
    description: As O(lvs.cluster.nftables_table#module:rules). If it is empty, the table does not exist.
    type: str
    default: ""
  services:
    description: The virtual services of the IPVS table, as O(lvs.cluster.ipvs_table#module:services).
    type: list
    elements: dict
    default: []
  health_checked:
    description:
      - The virtual services that a health checker manages, in the form of O(services).
      - The part V(table) adds and removes none of them, and none of their real servers. It sets the given values on
        existing entries, because a health checker does not edit these. A weight of 0 stays unchanged, and so do real
        servers that are given without a weight, such as sorry servers.
      - Real servers that were removed from the table by other means are added again, if they are in the table according
        to keepalived or mon.
    type: list
    elements: dict
    default: []
  purge:
    description: As O(lvs.cluster.ipvs_table#module:purge).
    type: str
    choices: [none, real_servers, all]
    default: real_servers
  leaving_timeout:
    description: As O(lvs.cluster.ipvs_quiesce#module:timeout).
    type: float
    default: 60
  vips:
    description: As O(lvs.cluster.ipvs_quiesce#module:vips).
    type: list
    elements: str
    default: []
  keepalived_configuration:
    description: As O(lvs.cluster.ipvs_quiesce#module:keepalived_configuration).
    type: path
    default: /etc/keepalived/keepalived.conf
  drain_directory:
    description: As O(lvs.cluster.ipvs_drain#module:drain_directory).
    type: path
    default: /var/lib/lvs-cluster/drain
  timeouts:
    description: The timeouts of connections, with the options of M(lvs.cluster.ipvs_timeout).
    type: dict
    default: {}
    suboptions:
      tcp:
        description: As O(lvs.cluster.ipvs_timeout#module:tcp).
        type: int
      tcp_fin:
        description: As O(lvs.cluster.ipvs_timeout#module:tcp_fin).
        type: int
      udp:
        description: As O(lvs.cluster.ipvs_timeout#module:udp).
        type: int
  state:
    description:
      - V(present) applies the parts. V(absent) removes what they have set up and restores the former values. The part
        V(leaving) then drains no real servers.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Like O(lvs.cluster.ipvs_table#module:persist), this module has one record per host. So only one task per host may
    use it, and that task must describe everything.
seealso:
  - module: lvs.cluster.real_server
  - module: lvs.cluster.ipvs_table
  - module: lvs.cluster.service_config
"""

EXAMPLES = r"""
- name: Set up a director with one service
  lvs.cluster.director:
    sysctls:
      net.ipv4.ip_forward: 1
    services:
      - name: web
        address: 192.0.2.10
        port: 80
        real_servers:
          - address: 198.51.100.11
            forward_method: nat
    timeouts:
      udp: 30

- name: Change a weight only
  lvs.cluster.director:
    parts: [table]
    services:
      - name: web
        address: 192.0.2.10
        port: 80
        real_servers:
          - address: 198.51.100.11
            forward_method: nat
            weight: 5

- name: Remove everything that the module has set up
  lvs.cluster.director:
    state: absent
"""

RETURN = r"""
parts:
  description:
    - The return values of each of the modules.
    - A part that failed and the parts after it are absent. The return values of the failed part's module, other than
      the message, are then next to RV(parts).
  returned: success, and failure of a part
  type: dict
  contains:
    kernel:
      description: The return values of M(lvs.cluster.ipvs_kernel).
      type: dict
    leaving:
      description: The return values of M(lvs.cluster.ipvs_quiesce).
      type: dict
    nftables:
      description: The return values of M(lvs.cluster.nftables_table).
      type: dict
    table:
      description: The return values of M(lvs.cluster.ipvs_table).
      type: dict
    timeouts:
      description: The return values of M(lvs.cluster.ipvs_timeout).
      type: dict
  sample: {"kernel": {"changed": false}}
diff:
  description: The state before and after, as one dictionary for each part and for each file that the part changes.
  returned: success
  type: list
  elements: dict
  sample: [{"before": "", "after": "-A -t 192.0.2.10:80 -s rr\n"}]
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
      description: As the module of the part returns it.
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
      should: "5"
"""

import gc
from contextlib import closing
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._host.nft_table import converge_table, parse_table
from ansible_collections.lvs.cluster.plugins.module_utils._host.process import runner
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import Target, host_part
from ansible_collections.lvs.cluster.plugins.module_utils._host.task import Part, run_parts
from ansible_collections.lvs.cluster.plugins.module_utils._host.tuning import converge_kernel, parse_settings
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import (
    arguments,
    leaving,
    settings,
    timeouts,
    whole_table,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import module as ipvs_module

_NFTABLES = "lvs_cluster"
#: In their order, which the role needs too. Rules accept replies of described real servers only, so those that leave
#: are drained before.
_PARTS = ["kernel", "leaving", "nftables", "table", "timeouts"]


def main() -> None:
    gc.disable()  # a table can have ten thousand dicts, and the process is short
    spec = timeouts.spec()
    module = AnsibleModule(
        argument_spec={
            "parts": {"type": "list", "elements": "str", "choices": _PARTS, "default": _PARTS},
            "modules": {"type": "list", "elements": "str", "default": ["ip_vs"]},
            "conn_tab_bits": {"type": "int"},
            "sysctls": {"type": "dict"},
            "defence_threshold": {"type": "bool", "default": False},
            "rules": {"type": "str", "default": ""},
            "services": {"type": "list", "elements": "dict", "default": []},
            "health_checked": {"type": "list", "elements": "dict", "default": []},
            "purge": {"type": "str", "choices": ["none", "real_servers", "all"], "default": "real_servers"},
            "leaving_timeout": {"type": "float", "default": leaving.DEFAULT_TIMEOUT},
            "vips": {"type": "list", "elements": "str", "default": []},
            "keepalived_configuration": {"type": "path", "default": "/etc/keepalived/keepalived.conf"},
            "drain_directory": {"type": "path", "default": drain_files.DIRECTORY},
            "timeouts": {
                "type": "dict",
                "default": {},
                "options": {name: spec[name] for name in ("tcp", "tcp_fin", "udp")},
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        with closing(Target(runner(module))) as target:
            run_parts(module, _parts(module, target), **ipvs_module.invocation(module.params))
    finally:
        gc.freeze()  # otherwise the end of the process would still walk through all of them


def _parts(module: AnsibleModule, target: Target) -> list[Part]:
    """Return the requested parts, in the order of their execution."""
    given = module.params
    present = given["state"] == "present"
    services, checked = (_services(module, option) for option in ("services", "health_checked"))
    leave = {
        **given,
        "services": services,
        "health_checked": checked,
        "timeout": given["leaving_timeout"],
    }
    identity = arguments.identity_spec()
    keep = {
        "services": services if present else [],
        "rules": None,
        "exclude": [{key: one[key] for key in identity} for one in checked],
        "owned_elsewhere": checked if present else [],
        "purge": given["purge"],
        "drain_directory": given["drain_directory"] if present else None,
        "keepalived_configuration": given["keepalived_configuration"],
        "state": given["state"],
        "persist": True,
    }
    timeouts = {**given["timeouts"], "state": given["state"], "persist": True}
    parts = (
        host_part(
            module,
            target,
            "kernel",
            lambda: parse_settings(
                present,
                given["modules"],
                given["conn_tab_bits"],
                given["sysctls"] if present else None,
                given["defence_threshold"],
            ),
            converge_kernel,
            needs_pyroute2=False,
        ),
        ipvs_module.part(
            module,
            "leaving",
            lambda: (
                leaving.prepare(module, leave, "director", "leaving_timeout")
                if present
                else leaving.prepare_absent(module)
            ),
        ),
        host_part(
            module,
            target,
            "nftables",
            lambda: parse_table(present and bool(given["rules"]), _NFTABLES, given["rules"], True, True),
            converge_table,
            needs_pyroute2=False,
        ),
        ipvs_module.part(module, "table", lambda: whole_table.prepare(module, keep)),
        ipvs_module.part(module, "timeouts", lambda: settings.prepare_timeouts(module, timeouts)),
    )
    asked = [part for part in parts if part.name in given["parts"]]
    return asked if present else asked[::-1]


def _services(module: AnsibleModule, option: str) -> list[dict[str, Any]]:
    """Return services as the modules for one part get them; end the process for invalid ones."""
    spec = {"type": "list", "elements": "dict", "options": {"name": {"type": "str"}, **arguments.service_spec()}}
    result = ArgumentSpecValidator({option: spec}).validate({option: module.params[option]})
    for error in result.errors:
        # The sentence of AnsibleModule.
        where = f"Unsupported parameters for ({module._name}) module: " if isinstance(error, UnsupportedError) else ""
        module.fail_json(msg=f"{where}{error.msg}")
    services: list[dict[str, Any]] = result.validated_parameters[option]
    return services


if __name__ == "__main__":
    main()
