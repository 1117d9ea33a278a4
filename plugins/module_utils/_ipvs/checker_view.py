# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health checker's view of the IPVS table. keepalived changes the table when a check succeeds or fails, and never
compares the table with its view.

So a real server that was removed by other means stays absent while its checks succeed (check/ipwrapper.c:
perform_svr_state). The program that applies mon's results reads the table when a check changes. ldirectord does not
report its view.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence

from ansible.module_utils.basic import AnsibleModule

from .._host import running_keepalived
from .._host.director_state import MAX_WRITTEN, written_services
from .._host.errors import HostError
from .._host.files import read_text
from .._host.process import runner
from .._host.running_keepalived import AddedServer
from . import arguments, health_state, programs
from .model import InvalidValue, RealServerKey, RealServerPatch, ServiceKey, ServicePatch, Table, VirtualService

#: The real servers of a service, and the weight of each.
View = Mapping[ServiceKey, Mapping[RealServerKey, int]]


def ask(module: AnsibleModule, configuration: str) -> View:
    """Return the health checker's view; empty for one that does not report it.

    ``configuration``: the path of keepalived's.
    """
    with contextlib.suppress(HostError, OSError, InvalidValue):
        if os.path.isdir(health_state.FAILED):  # mon runs
            return {patch.key: _weights(patch.real_servers or {}) for patch in programs.wanted()}
        if written_services((read_text(configuration) or "")[:MAX_WRITTEN]):
            return _of_keepalived(running_keepalived.added_servers(runner(module)))
    return {}


def _weights(servers: Mapping[RealServerKey, RealServerPatch]) -> dict[RealServerKey, int]:
    return {key: 1 if server.weight is None else server.weight for key, server in servers.items()}


def _of_keepalived(servers: Iterable[AddedServer]) -> View:
    found: dict[ServiceKey, dict[RealServerKey, int]] = {}
    for added in servers:
        service = arguments.service_key(added.service)
        key = arguments.real_server_key(str(service), service, {"address": added.address, "port": added.port})
        found.setdefault(service, {})[key] = added.weight
    return found


def held(table: Table, patches: Iterable[ServicePatch], seen: View) -> list[ServicePatch]:
    """Return the patches, with missing real servers marked that are in the table according to the health checker.

    They get its weight, unless weight 0 is described.
    """
    return [_held(patch, table.get(patch.key), seen.get(patch.key, {})) for patch in patches]


def _held(patch: ServicePatch, existing: VirtualService | None, seen: Mapping[RealServerKey, int]) -> ServicePatch:
    servers = dict(patch.real_servers or {})
    absent = [key for key in servers if existing is not None and key not in existing.real_servers and key in seen]
    for key in absent:
        if servers[key].weight != 0:
            servers[key] = servers[key]._replace(weight=seen[key])
    return patch._replace(real_servers=servers, held=frozenset(absent)) if absent else patch


def gone(patches: Sequence[ServicePatch], seen: View) -> list[ServicePatch]:
    """Return patches that remove marked real servers which the health checker has removed since."""
    found = []
    for patch in patches:
        lost = patch.held - seen.get(patch.key, {}).keys()
        if lost:
            absent = dict.fromkeys(lost, RealServerPatch(absent=True))
            found.append(ServicePatch(patch.key, None, absent, name=patch.name))
    return found
