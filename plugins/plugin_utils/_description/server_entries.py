# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list ``real_servers`` of one service, as written."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.lvs.cluster.plugins.module_utils.ipvs.model import MAX_THRESHOLD, MAX_WEIGHT
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import Fields
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import ServerEntry

KINDS = ("group", "host", "address")
KEYS = (*KINDS, "port", "weight", "upper_threshold", "lower_threshold")

_INVENTORY_NAME = re.compile(r"[^\s\x00-\x1f]{1,255}")


def read_server_entries(fields: Fields) -> tuple[ServerEntry, ...]:
    """Read the list; problems are noted, sound entries come back in their order."""
    before = len(fields.problems)
    entries = []
    for path, value in fields.elements("real_servers"):
        if not isinstance(value, Mapping):
            fields.fault(
                path, f"{show(value)} is not a mapping such as {{group: web}}, {{host: rs1}} or {{address: …}}"
            )
            continue
        entry = _read_entry(Fields(value, fields.where, path, fields.problems))
        if entry is not None:
            entries.append(entry)
    if not entries and len(fields.problems) == before:
        fields.fault("real_servers", "is an empty list" if fields.given("real_servers") else "is missing")
    return tuple(entries)


def _read_entry(fields: Fields) -> ServerEntry | None:
    fields.refuse_unknown(KEYS, "a real server")
    kinds = fields.present(KINDS)
    if kinds == ["host", "address"]:
        kinds = ["host"]  # at an address of its own for this service
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        fields.fault("", f"needs exactly one of {', '.join(KINDS)}; it has {found}")
        return None
    kind = kinds[0]
    address = fields.address("address") if fields.given("address") else None
    name: str | None
    if kind == "address":
        name = None if address is None else str(address)
    else:
        name = fields.text(kind, _INVENTORY_NAME, f"the name of an inventory {kind}")
    port = fields.integer("port", 0, 65535)
    weight = fields.integer("weight", 0, MAX_WEIGHT)
    upper = fields.integer("upper_threshold", 0, MAX_THRESHOLD)
    lower = fields.integer("lower_threshold", 0, MAX_THRESHOLD)
    if name is None:
        return None
    return ServerEntry(fields.path, kind, name, address, port, weight, upper, lower)
