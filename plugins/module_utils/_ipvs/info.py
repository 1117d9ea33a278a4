# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about the IPVS table as plain dicts, in the words of the modules' options.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Optional

from . import daemon, model, proc, rules, timeouts, uapi, wire
from .kernel import Ipvs
from .model import RealServer, RealServerKey, ServiceKey, Settings, Table, VirtualService

Facts = dict[str, Any]
Wanted = Optional[Callable[[ServiceKey], bool]]


def gather(ipvs: Ipvs, wanted: Wanted = None, with_connections: bool = False) -> Facts:
    """Read everything; what the module ipvs_info returns. Raises KernelError.

    ``wanted``: which services to read; None stands for all.
    """
    numbers = ipvs.numbers(uapi.GET_INFO)
    schedulers, engines = proc.available()
    facts: Facts = {
        "loaded": ipvs.loaded,
        "version": _version(numbers.get(uapi.INFO_VERSION, 0)) if ipvs.loaded else "",
        "kernel_version": os.uname().release,
        "connection_table_size": numbers.get(uapi.INFO_CONN_TAB_SIZE, 0),
        "schedulers": schedulers,
        "persistence_engines": engines,
        "timeouts": timeouts.decode(ipvs.numbers(uapi.GET_CONFIG))._asdict(),
        "sync_daemons": [daemon.facts(*daemon.decode(*answer)) for answer in ipvs.ask(uapi.GET_DAEMON)],
        "services": [],
        "rules": "",
    }
    facts["statistics"], facts["rates"] = proc.totals()
    if with_connections:
        facts["connections"] = proc.connections()
    if ipvs.loaded:
        facts["services"], table = services(ipvs, wanted)
        facts["rules"] = rules.render(table)
    return facts


def services(ipvs: Ipvs, wanted: Wanted = None) -> tuple[list[Facts], Table]:
    """The services that ``wanted`` accepts, sorted, with counters and real servers; and as a table."""
    table: dict[ServiceKey, VirtualService] = {}
    described: list[Facts] = []
    for key, settings, data, message in sorted(ipvs.services(), key=lambda entry: entry[0]):
        if wanted is not None and not wanted(key):
            continue
        entry = service_facts(key, settings)
        entry["statistics"], entry["rates"] = wire.decode_statistics(data, message, is_service=True)
        servers = {server: (values, facts) for server, values, facts in real_servers(ipvs, key)}
        for position, (_values, facts) in enumerate(servers.values()):
            facts["position"] = position
        entry["real_servers"] = [servers[server][1] for server in sorted(servers)]
        described.append(entry)
        table[key] = VirtualService(settings, {server: values for server, (values, _facts) in servers.items()})
    return described, table


def real_servers(ipvs: Ipvs, service: ServiceKey) -> Iterator[tuple[RealServerKey, RealServer, Facts]]:
    """The real servers of a service, each also in the form of ipvs_info with its counters."""
    for key, server, connections, data, message in ipvs.real_servers(service):
        entry = real_server_facts(key, server)
        entry["connections"] = connections._asdict()
        entry["statistics"], entry["rates"] = wire.decode_statistics(data, message, is_service=False)
        yield key, server, entry


def identity(facts: Facts) -> str:
    """How messages call a service that is given as facts."""
    if "fwmark" in facts:
        return f"fwmark {facts['fwmark']} {facts['family']}"
    return f"{facts['protocol']} {model.endpoint(model.pack_address(facts['address']), facts['port'])}"


def _version(number: int) -> str:
    return f"{number >> 16 & 0xFF}.{number >> 8 & 0xFF}.{number & 0xFF}"


def service_facts(key: ServiceKey, settings: Settings) -> Facts:
    """A service in the options of ipvs_service; of the identity only what it has, and always ``family``."""
    facts: Facts = {"family": model.FAMILY_NAMES.get(key.family, str(key.family))}
    if key.fwmark:
        facts["fwmark"] = key.fwmark
    else:
        facts["address"] = model.address_text(key.address)
        facts["port"] = key.port
        facts["protocol"] = model.PROTOCOL_NAMES.get(key.protocol, str(key.protocol))
    facts["scheduler"] = settings.scheduler
    facts["scheduler_flags"] = model.scheduler_flag_names(settings.scheduler, settings.scheduler_flags)
    facts["persistence_timeout"] = settings.persistence_timeout
    facts["persistence_netmask"] = model.netmask_text(key.family, settings.persistence_netmask)
    facts["persistence_engine"] = settings.persistence_engine
    facts["one_packet"] = settings.one_packet
    return facts


def real_server_facts(key: RealServerKey, server: RealServer) -> Facts:
    """A real server in the options of ipvs_real_server; the tunnel's only with V(tun)."""
    facts: Facts = {
        "address": model.address_text(key.address),
        "port": key.port,
        "forward_method": model.FORWARD_METHOD_NAMES.get(server.forward_method, str(server.forward_method)),
        "weight": server.weight,
        "upper_threshold": server.upper_threshold,
        "lower_threshold": server.lower_threshold,
    }
    if server.forward_method == model.TUN:
        facts["tunnel_type"] = model.TUNNEL_TYPE_NAMES.get(server.tunnel_type, str(server.tunnel_type))
        facts["tunnel_port"] = server.tunnel_port
        facts["tunnel_checksum"] = model.TUNNEL_CHECKSUM_NAMES.get(server.tunnel_checksum, str(server.tunnel_checksum))
    return facts
