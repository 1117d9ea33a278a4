# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolved services as the module ``ipvs_table`` takes them."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import Service

#: The kernel has no method fullnat: it uses nat, and nftables does the rest.
_KERNEL_METHOD = {"fullnat": "nat"}


def table_entries(resolved: Iterable[ResolvedService]) -> list[dict[str, object]]:
    """Return the option ``services`` of ``ipvs_table``: one entry a port, of services without a health checker.

    ::

        {"name": "web", "address": "192.0.2.10", "port": 80, "protocol": "tcp",      # or fwmark and family
         "scheduler": "wlc", "scheduler_flags": [], "one_packet": False,
         "persistence_timeout": 300, "persistence_netmask": "32", "persistence_engine": "",   # or just a timeout of 0
         "real_servers": [{"address": "198.51.100.11", "port": 80, "forward_method": "dr", "weight": 5,
                           "upper_threshold": 0, "lower_threshold": 0}]}                # and tunnel_* with tun

    All keys are present, defaults too, because the description is complete: a key that is removed from it gets its
    default in the kernel again. The only exception is ``weight``, which is present only if described: weights change at
    run time (a drain, a health checker) and must outlast a second run.
    """
    return [
        _entry(item, identity, port)
        for item in resolved
        if item.service.health_check is None
        for identity, port in zip(item.service.identities(), item.service.ports)
    ]


def pools(
    resolved: Iterable[ResolvedService],
    health_checked: bool,
    thresholds: bool = False,
    quorum: bool = False,
    vips: bool = False,
) -> list[dict[str, object]]:
    """Return the real servers of services with, or without, a health checker, one entry a port.

    ``{"name": "web", "address": "192.0.2.10", "port": 80, "protocol": "tcp",      # or fwmark and family
    "real_servers": [{"address": "198.51.100.11", "port": 80, "weight": 5}]}``, without a weight where none is given,
    and with ``upper_threshold`` and ``lower_threshold`` where these are asked for. If it is asked for, ``quorum`` is
    the weight in service below which keepalived takes the service down (ipwrapper.c: update_quorum_state). With
    thresholds, a service whose weights a health check sets has ``dynamic_weights``. ``vips`` are
    the known addresses that its clients send to, if these are asked for.
    """
    return [
        {
            "name": item.service.name,
            **identity,
            "real_servers": [
                _endpoint(server, port) | (_thresholds(server) if thresholds else {}) for server in item.servers
            ],
        }
        | (_quorum(item.service) if quorum else {})
        | ({"dynamic_weights": True} if thresholds and dynamic(item) else {})
        | ({"vips": [str(vip) for vip in item.service.vips]} if vips and item.service.vips else {})
        for item in resolved
        if (item.service.health_check is not None) == health_checked
        for identity, port in zip(item.service.identities(), item.service.ports)
    ]


def dynamic(item: ResolvedService) -> bool:
    """Return True if a health check sets weights."""
    return any(check.dynamic for server in item.servers for check in server.checks)


def _quorum(service: Service) -> dict[str, object]:
    check = service.health_check
    return {} if check is None else {"quorum": check.quorum - check.hysteresis}


def health_checked(resolved: Iterable[ResolvedService]) -> list[dict[str, object]]:
    """Return what may be in the kernel's table for services of the health checker, one entry a port.

    In the form of `table_entries`. A sorry server is in the table too while no real server is healthy. It has no weight
    here, and all others have one: health checkers give 1 where the description has none.
    """
    found = []
    for item in resolved:
        if item.service.health_check is None:
            continue
        sorry = item.sorry_server
        for identity, port in zip(item.service.identities(), item.service.ports):
            servers = [{"weight": 1, **server_entry(server, port)} for server in item.servers]
            if sorry is not None:
                servers.append({**_endpoint(sorry, port), **forwarding(sorry)})
            found.append({**service_entry(item.service, identity), "real_servers": servers})
    return found


def _endpoint(server: RealServer, port: int) -> dict[str, object]:
    weight = {} if server.weight is None else {"weight": server.weight}
    return {"address": str(server.address), "port": port if server.port is None else server.port, **weight}


def _thresholds(server: RealServer) -> dict[str, object]:
    return {"upper_threshold": server.upper_threshold, "lower_threshold": server.lower_threshold}


def _entry(item: ResolvedService, identity: dict[str, object], port: int) -> dict[str, object]:
    servers = [server_entry(server, port) for server in item.servers]
    return {**service_entry(item.service, identity), "real_servers": servers}


def service_entry(service: Service, identity: dict[str, object]) -> dict[str, object]:
    """Return a service without its real servers."""
    entry: dict[str, object] = {
        "name": service.name,
        **identity,
        "scheduler": service.scheduler,
        "scheduler_flags": list(service.scheduler_flags),
        "one_packet": service.one_packet,
        "persistence_timeout": 0,
    }
    if service.persistence is not None:
        entry["persistence_timeout"] = service.persistence.timeout
        entry["persistence_netmask"] = str(service.persistence.netmask)
        entry["persistence_engine"] = service.persistence.engine or ""
    return entry


def server_entry(server: RealServer, port: int) -> dict[str, object]:
    """Return a real server of a service on this port, without a weight where none is given."""
    return {**_endpoint(server, port), **forwarding(server), **_thresholds(server)}


def forwarding(server: RealServer) -> dict[str, object]:
    """Return the method by which packets reach a real server, as ``ipvs_table`` takes it."""
    found: dict[str, object] = {"forward_method": _KERNEL_METHOD.get(server.forward_method, server.forward_method)}
    if server.forward_method == "tun":
        found["tunnel_type"] = server.tunnel.type
        found["tunnel_port"] = server.tunnel.port
        found["tunnel_checksum"] = server.tunnel.checksum
    return found
