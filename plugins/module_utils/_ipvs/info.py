# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about IPVS in one dict, as the module ipvs_info returns it; and the zeroing of counters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import daemon, model, netlink, readings, rules, timeouts
from .converge import ConvergeError
from .kernel import Ipvs, explain
from .model import InvalidValue, ServiceKey
from .module import NO_CHANGE, Change
from .readings import Facts, Wanted


def gather(ipvs: Ipvs, wanted: Wanted = None, with_connections: bool = False) -> Facts:
    """Read everything; return the result of the module ipvs_info. Raises KernelError.

    ``wanted``: the services to read; None for all.
    """
    numbers = ipvs.numbers(netlink.GET_INFO)
    schedulers, engines = readings.available()
    facts: Facts = {
        "loaded": ipvs.loaded,
        "version": _version(numbers.get(netlink.INFO_VERSION, 0)) if ipvs.loaded else "",
        "kernel_version": os.uname().release,
        "connection_table_size": numbers.get(netlink.INFO_CONN_TAB_SIZE, 0),
        "schedulers": schedulers,
        "persistence_engines": engines,
        "timeouts": timeouts.decode(ipvs.numbers(netlink.GET_CONFIG))._asdict(),
        "sync_daemons": [daemon.facts(*daemon.decode(*answer)) for answer in ipvs.ask(netlink.GET_DAEMON)],
        "services": [],
        "rules": "",
    }
    facts["statistics"], facts["rates"] = readings.totals()
    if with_connections:
        facts["connections"] = readings.connections()
    if ipvs.loaded:
        facts["services"], table = readings.services(ipvs, wanted)
        facts["rules"] = rules.render(table)
    return facts


def _version(number: int) -> str:
    return f"{number >> 16 & 0xFF}.{number >> 8 & 0xFF}.{number & 0xFF}"


def zero_counters(ipvs: Ipvs, service: ServiceKey | None, check_mode: bool) -> tuple[Change, dict[str, Any]]:
    """Zero the counters of a service and its real servers, or (None) all counters.

    Returns what changed, and the counters before: ``services`` in the form of ipvs_info, and without ``service``
    ``statistics``, the totals. Nothing is read back, because traffic continues to count.
    """
    if not ipvs.opened():
        return NO_CHANGE, {"services": [], **({} if service else {"statistics": dict.fromkeys(netlink.COUNTERS, 0)})}
    services, _table = readings.services(ipvs, None if service is None else (lambda key: key == service))
    if service is not None and not services:
        reason = "there is no such virtual service, so it has no counters"
        raise InvalidValue(service, "service", str(service), reason, whole=True)
    before: dict[str, Any] = {"services": services}
    entries = [entry for one in services for entry in (one, *one["real_servers"])]
    if service is None:
        before["statistics"] = readings.totals()[0]
        entries.append(before)
    if not any(any(entry["statistics"].values()) for entry in entries):
        return NO_CHANGE, before
    if not check_mode:
        code = ipvs.command(netlink.ZERO, b"" if service is None else netlink.service_payload(service))
        if code:
            raise ConvergeError(f"cannot zero counters: {explain(code)}")
    return Change(_counters(before, zero=False), _counters(before, zero=True)), before


def _counters(before: Mapping[str, Any], zero: bool) -> str:
    """Return a line for the totals, every service and every real server that has counted something."""
    lines = [("total", before["statistics"])] if "statistics" in before else []
    for service in before["services"]:
        label = readings.identity(service)
        lines.append((label, service["statistics"]))
        # One that was removed while its service was zeroed has its former counters when it is added again
        # (ip_vs_trash_get_dest).
        for server in service["real_servers"]:
            endpoint = model.endpoint(model.pack_address(server["address"]), server["port"])
            lines.append((f"{label} real server {endpoint}", server["statistics"]))
    return "".join(
        f"{label}: {', '.join(f'{name} {0 if zero else value}' for name, value in statistics.items())}\n"
        for label, statistics in lines
        if any(statistics.values())
    )
