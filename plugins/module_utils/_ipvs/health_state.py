# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The described state of services whose real servers mon checks. Pure. mon reports that a real server has failed, or is
healthy again, and does not use IPVS.

Its results, the drains and the file of the role director determine these services completely: nothing depends on the
former table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from . import arguments
from .model import InvalidValue, RealServerPatch, ServiceKey, ServicePatch

#: The services in the file of the role: the input of `wanted`, as JSON.
CONFIGURATION = "/etc/lvs-cluster/health.json"
#: The runtime directory of mon's unit, which creates and removes it: like mon's own results, it ends with mon. It has a
#: file for each watch that fails.
FAILED = "/run/lvs-cluster-mon"
#: Created after each change in that directory, and removed before it is read. The name of a watch has a "_" in it.
CHANGED = f"{FAILED}/changed"
#: Keys of a real server that ipvs_table does not have.
_OURS = ("watch", "inhibit_on_failure")


def wanted(
    entries: Sequence[Mapping[str, Any]], drained: Collection[bytes], failed: Collection[str]
) -> list[ServicePatch]:
    """Return the services as they should be.

    An entry has a ``service`` as ipvs_table takes it, without ``real_servers``; these beside it, each with its weight
    and the name of its ``watch``; ``quorum``, ``inhibit_on_failure``, which a real server may have too, and a
    ``sorry_server`` or None. ``drained`` are packed addresses, ``failed`` names of watches. InvalidValue for other
    input.
    """
    try:
        patches = [_wanted(entry, drained, failed) for entry in entries]
    except (AttributeError, LookupError, TypeError) as error:
        raise InvalidValue(CONFIGURATION, "services", repr(error), "is not what the role director writes") from error
    arguments.refuse_duplicates(patches)
    return patches


def keys(entries: Sequence[Mapping[str, Any]]) -> set[ServiceKey]:
    """Return the keys of these services."""
    return {arguments.service_key(entry["service"]) for entry in entries}


def _wanted(entry: Mapping[str, Any], drained: Collection[bytes], failed: Collection[str]) -> ServicePatch:
    watches = [server["watch"] for server in entry["real_servers"]]
    usual = entry["inhibit_on_failure"]
    inhibiting = {server["watch"] for server in entry["real_servers"] if server.get("inhibit_on_failure", usual)}
    servers = [{key: value for key, value in server.items() if key not in _OURS} for server in entry["real_servers"]]
    patch = arguments.service({**entry["service"], "real_servers": servers})
    described = patch.real_servers or {}
    # A dict keeps the order of its list, and duplicates of address and port are refused. Several real servers may have
    # one watch.
    watched = list(zip(watches, described.items()))
    well = {key: server for watch, (key, server) in watched if watch not in failed and key.address not in drained}
    lost = sum(server.weight or 0 for server in well.values()) < entry["quorum"] and entry["sorry_server"] is not None
    result: dict[Any, RealServerPatch] = {}
    for watch, (key, server) in watched:
        if watch in failed and watch not in inhibiting:
            continue  # the purge removes it
        result[key] = server if key in well and not lost else server._replace(weight=0)
    if lost:
        sorry = arguments.service({**entry["service"], "real_servers": [entry["sorry_server"]]})
        result.update(sorry.real_servers or {})
    return patch._replace(real_servers=result)
