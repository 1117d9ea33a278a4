# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Current table + desired patches + scope -> ordered operations and the predicted table. Pure.

Order matters in three ways. An existing entry is edited in place, never deleted and added again, because that would end
its connections. Additions and edits come before removals, so a batch that fails in between has removed nothing. And
everything is sorted, because the scheduler mh builds its table in the order in which real servers were added: every
director has to add them alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from . import model
from .model import (
    InvalidValue,
    RealServer,
    RealServerKey,
    RealServerPatch,
    ServiceKey,
    ServicePatch,
    Settings,
    SettingsPatch,
    Table,
    VirtualService,
)

ADD, SET, REMOVE = "add", "set", "remove"

PURGE_NONE, PURGE_REAL_SERVERS, PURGE_ALL = "none", "real_servers", "all"


class Operation(NamedTuple):
    """One message to the kernel: about a real server if ``server_key`` is set, otherwise about the service itself."""

    verb: str  # ADD, SET or REMOVE
    service: ServiceKey
    settings: Settings | None = None  # to ADD or SET a service
    server_key: RealServerKey | None = None
    server: RealServer | None = None  # to ADD or SET a real server

    def describe(self, label: str = "") -> str:
        """Return the operation in words; ``label`` is how to call the service."""
        service = f"virtual service {label or self.service}"
        if self.server_key is None:
            return f"{self.verb} {service}"
        preposition = {ADD: "to", SET: "of", REMOVE: "from"}[self.verb]
        return f"{self.verb} real server {self.server_key} {preposition} {service}"


class Scope(NamedTuple):
    """Entries that may be removed without being listed as absent.

    ``purge``: PURGE_NONE; PURGE_REAL_SERVERS: real servers that a described service does not list; PURGE_ALL: also
    services that are not described. ``exclude``: services of other owners, which PURGE_ALL leaves unchanged.
    ``retired``: services that were ours and are removed unless described.
    """

    purge: str = PURGE_NONE
    exclude: frozenset[ServiceKey] = frozenset()
    retired: frozenset[ServiceKey] = frozenset()


NOTHING_MORE = Scope()


class Plan(NamedTuple):
    """The operations, and the table before and after them."""

    operations: Sequence[Operation]
    current: Table
    predicted: Table


class MissingService(InvalidValue):
    """Real servers are described for a service that does not exist."""

    def __init__(self, patch: ServicePatch) -> None:
        reason = "there is no such virtual service, so it cannot have real servers"
        super().__init__(patch.label, "service", str(patch.key), reason, whole=True)


def merge_settings(patch: ServicePatch, current: Settings | None) -> Settings:
    """Return a service's settings with a patch applied (None: a new service). InvalidValue for an invalid result."""
    given = patch.settings or SettingsPatch()
    family = patch.key.family
    base = current or Settings(persistence_netmask=model.full_netmask(family))
    scheduler = base.scheduler if given.scheduler is None else given.scheduler
    flags = given.scheduler_flags
    if flags is None:
        # Flags have another meaning in another scheduler.
        flags = base.scheduler_flags if scheduler == base.scheduler else 0
    timeout = base.persistence_timeout if given.persistence_timeout is None else given.persistence_timeout
    netmask = base.persistence_netmask if given.persistence_netmask is None else given.persistence_netmask
    engine = base.persistence_engine if given.persistence_engine is None else given.persistence_engine
    if not timeout and given.persistence_timeout is None:
        _refuse_without_persistence(patch, given)
    if not timeout and given.persistence_engine is None:
        engine = ""  # ends with the persistence it serves
    one_packet = base.one_packet if given.one_packet is None else given.one_packet
    merged = Settings(scheduler, flags, timeout, netmask, engine, one_packet).normalised(family)
    if merged != current:
        model.check_settings(patch.label, patch.key, merged)
    return merged


def _refuse_without_persistence(patch: ServicePatch, given: SettingsPatch) -> None:
    reason = "needs persistence_timeout: the service is not persistent"
    if given.persistence_netmask is not None:
        netmask = model.netmask_text(patch.key.family, given.persistence_netmask)
        raise InvalidValue(patch.label, "persistence_netmask", netmask, reason)
    if given.persistence_engine:
        raise InvalidValue(patch.label, "persistence_engine", given.persistence_engine, reason)


_NEW_SERVER = RealServer()


def merge_real_server(
    patch: ServicePatch, key: RealServerKey, given: RealServerPatch, current: RealServer | None
) -> RealServer:
    """Return a real server with a patch applied (None: a new one). InvalidValue for an invalid result."""
    base = _NEW_SERVER if current is None else current
    values = [old if new is None else new for old, new in zip(base, given)]
    merged = RealServer(*values)
    if merged == current:
        return current
    if current is not None:
        # Tunnel settings end with their tunnel, unless the patch sets them.
        if merged.forward_method != model.TUN:
            merged = merged._replace(
                tunnel_type=given.tunnel_type or 0,
                tunnel_port=given.tunnel_port or 0,
                tunnel_checksum=given.tunnel_checksum or 0,
            )
        elif merged.tunnel_type != current.tunnel_type:
            merged = merged._replace(tunnel_port=given.tunnel_port or 0, tunnel_checksum=given.tunnel_checksum or 0)
    model.check_real_server(patch.label, patch.key, key, merged)
    return merged


def plan(current: Table, desired: Iterable[ServicePatch], scope: Scope = NOTHING_MORE) -> Plan:
    """Return the operations that lead from ``current`` to what ``desired`` describes, within ``scope``.

    Raises InvalidValue (also for values that are wrong only together with what exists) and MissingService.
    """
    build: list[Operation] = []
    server_removals: list[Operation] = []
    service_removals: list[Operation] = []
    predicted = dict(current)
    described = sorted(desired, key=lambda patch: patch.key)
    for patch in described:
        key = patch.key
        existing = current.get(key)
        if patch.absent:
            if existing is not None:
                service_removals.append(Operation(REMOVE, key))
                del predicted[key]
            continue
        if patch.only_existing and existing is None:
            continue
        if patch.settings is None:
            if existing is None:
                if all(server.absent or server.only_existing for server in (patch.real_servers or {}).values()):
                    continue
                raise MissingService(patch)
            settings = existing.settings
        else:
            settings = merge_settings(patch, existing.settings if existing else None)
            if existing is None:
                build.append(Operation(ADD, key, settings))
            elif settings != existing.settings:
                build.append(Operation(SET, key, settings))
        if patch.real_servers is None and existing is not None:
            servers = existing.real_servers
        else:
            servers = _plan_servers(patch, existing, scope, build, server_removals)
        predicted[key] = VirtualService(settings, servers)
    listed = {patch.key for patch in described}
    for key in sorted(current):
        if key not in listed and (key in scope.retired or (scope.purge == PURGE_ALL and key not in scope.exclude)):
            service_removals.append(Operation(REMOVE, key))
            del predicted[key]
    return Plan(build + server_removals + sorted(service_removals), current, predicted)


def _plan_servers(
    patch: ServicePatch,
    existing: VirtualService | None,
    scope: Scope,
    build: list[Operation],
    removals: list[Operation],
) -> dict[RealServerKey, RealServer]:
    """Append one service's operations on real servers; return its predicted real servers."""
    service = patch.key
    before = existing.real_servers if existing else {}
    listed = patch.real_servers or {}
    after = dict(before)
    # Real servers of one service are mostly alike, so results are cached. They are compared by identity, which is
    # faster than by value; all of them outlive this function.
    merged: dict[object, RealServer] = {}
    zeros: dict[RealServerPatch, RealServerPatch] = {}
    for key in sorted(listed):
        given = listed[key]
        old = before.get(key)
        if given.absent:
            if old is not None:
                removals.append(Operation(REMOVE, service, server_key=key))
                del after[key]
            continue
        if old is None and (given.only_existing or (patch.only_existing and key not in patch.held)):
            continue
        if patch.only_existing and old is not None and not old.weight:
            given = zeros.setdefault(given, given._replace(weight=None))
        alike = (id(given), id(old), key.family, key.port)
        new = merged.get(alike)
        if new is None:
            new = merged[alike] = merge_real_server(patch, key, given, old)
        if old is None:
            build.append(Operation(ADD, service, None, key, new))
        elif new != old:
            build.append(Operation(SET, service, None, key, new))
        after[key] = new
    if scope.purge != PURGE_NONE and not patch.only_existing:
        for key in sorted(before.keys() - listed.keys()):
            removals.append(Operation(REMOVE, service, server_key=key))
            del after[key]
    return after


def undo(operations: Iterable[Operation], before: Table, now: Table) -> Plan:
    """Return the plan that restores every entry of ``operations`` from ``before``, starting from the table ``now``.

    It is made from the present table, not by inverting the operations, because a failed batch took effect in part.
    Other entries are ignored: another writer may have changed them meanwhile. Values are not checked: they were in the
    kernel before.
    """
    touched: dict[ServiceKey, set[RealServerKey]] = {}
    for operation in operations:
        servers = touched.setdefault(operation.service, set())
        if operation.server_key is not None:
            servers.add(operation.server_key)
        elif operation.verb == REMOVE:
            removed = before.get(operation.service)
            servers.update(removed.real_servers if removed else ())
    build: list[Operation] = []
    removals: list[Operation] = []
    predicted = dict(now)
    for key in sorted(touched):
        old, present = before.get(key), now.get(key)
        if old is None:
            if present is not None:
                removals.append(Operation(REMOVE, key))
                del predicted[key]
            continue
        if present is None or present.settings != old.settings:
            build.append(Operation(ADD if present is None else SET, key, old.settings))
        servers_now = dict(present.real_servers) if present else {}
        for server_key in sorted(touched[key]):
            wanted, found = old.real_servers.get(server_key), servers_now.get(server_key)
            if wanted is not None and wanted != found:
                build.append(Operation(ADD if found is None else SET, key, None, server_key, wanted))
                servers_now[server_key] = wanted
            elif wanted is None and found is not None:
                removals.append(Operation(REMOVE, key, server_key=server_key))
                del servers_now[server_key]
        predicted[key] = VirtualService(old.settings, servers_now)
    return Plan(build + removals, now, predicted)


def unmet(operations: Iterable[Operation], predicted: Table, actual: Table) -> list[Operation]:
    """Return the operations whose predicted result is not in the table ``actual``; empty if all are."""
    wrong: list[Operation] = []
    for operation in operations:
        expected, found = predicted.get(operation.service), actual.get(operation.service)
        if operation.server_key is None:
            if (expected and expected.settings) != (found and found.settings):
                wrong.append(operation)
        elif (
            expected is None
            or found is None
            or expected.real_servers.get(operation.server_key) != found.real_servers.get(operation.server_key)
        ):
            wrong.append(operation)
    return wrong
