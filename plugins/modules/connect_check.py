#!/usr/bin/python
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: connect_check
short_description: Check that many TCP ports accept connections
version_added: 0.1.0
description:
  - Connects to many addresses and ports at the same time, closes each connection at once, and fails if one of them
    accepts none.
  - It needs no privileges.
author:
  - The lvs.cluster authors (@lvs-cluster)
extends_documentation_fragment:
  - lvs.cluster.attributes.info
  - lvs.cluster.attributes.actiongroup_lvs
options:
  connections:
    description: Where to connect to.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: A name for messages, such as that of the service.
        type: str
      address:
        description: An IP address.
        type: str
        required: true
      port:
        description: A TCP port, from 1 to 65535.
        type: int
        required: true
  timeout:
    description: How long one of them is tried, in seconds. A refused connection is tried again every half second.
    type: float
    default: 10
  at_once:
    description:
      - How many of them are tried at the same time. With O(timeout=10) and V(1000), two thousand of them that do not
        answer take 20 seconds.
      - It is less if the limit of the process for open files is lower.
    type: int
    default: 1000
seealso:
  - module: lvs.cluster.host_check
"""

EXAMPLES = r"""
- name: Check that the services accept connections
  lvs.cluster.connect_check:
    connections:
      - name: web
        address: 192.0.2.10
        port: 80
      - name: web-ipv6
        address: 2001:db8::10
        port: 80
"""

RETURN = r"""
refused:
  description: Those that accepted no connection, with the reason of the last attempt.
  returned: always
  type: list
  elements: dict
  contains:
    address:
      description: The address.
      type: str
    port:
      description: The port.
      type: int
    reason:
      description: The error of the last attempt, or V(no answer).
      type: str
  sample: [{"address": "192.0.2.10", "port": 80, "reason": "Connection refused"}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host.connecting import connect
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import parse_address

MANY = 5


def ends_of(connections: list[dict[str, object]]) -> list[tuple[str, int]]:
    """Return addresses in normal form, and ports. Raises ValueError for invalid ones."""
    found = []
    for number, one in enumerate(connections):
        try:
            address = str(parse_address(str(one["address"])))
        except ValueError:
            raise ValueError(f"connections[{number}].address: {one['address']!r} is not an IP address") from None
        port = int(str(one["port"]))
        if not 1 <= port <= 65535:
            raise ValueError(f"connections[{number}].port: {port} is not from 1 to 65535")
        found.append((address, port))
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connections": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str"},
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "required": True},
                },
            },
            "timeout": {"type": "float", "default": 10},
            "at_once": {"type": "int", "default": 1000},
        },
        supports_check_mode=True,
    )
    given, timeout, at_once = (module.params[name] for name in ("connections", "timeout", "at_once"))
    try:
        ends = ends_of(given)
        for name, value in (("timeout", timeout), ("at_once", at_once)):
            if value <= 0:
                raise ValueError(f"{name}: {value} is not above 0")
    except ValueError as error:
        module.fail_json(msg=str(error), refused=[])
    reasons = connect(ends, timeout, at_once)
    refused = [
        {"address": address, "port": port, "reason": reason} for (address, port), reason in zip(ends, reasons) if reason
    ]
    if not refused:
        module.exit_json(changed=False, refused=[])
    said = [
        f"{one['name'] + ', ' if one['name'] else ''}{address} port {port} ({reason})"
        for one, (address, port), reason in zip(given, ends, reasons)
        if reason
    ]
    more = f" and {len(said) - MANY} more" if len(said) > MANY else ""
    module.fail_json(msg=f"No connection was accepted: {'; '.join(said[:MANY])}{more}", refused=refused)


if __name__ == "__main__":
    main()
