# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about the IPVS table as plain dicts, in the words of the modules' options.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from typing import Any

from . import model, rules, uapi, wire
from .kernel import Ipvs
from .model import RealServer, RealServerKey, ServiceKey, Settings, VirtualService

Facts = dict[str, Any]


def gather(ipvs: Ipvs) -> Facts:
    """Read everything; what the module ipvs_info returns. Raises KernelError."""
    numbers = ipvs.numbers(uapi.GET_INFO)
    config = ipvs.numbers(uapi.GET_CONFIG)
    facts: Facts = {
        "loaded": ipvs.loaded,
        "version": _version(numbers.get(uapi.INFO_VERSION, 0)) if ipvs.loaded else "",
        "connection_table_size": numbers.get(uapi.INFO_CONN_TAB_SIZE, 0),
        "timeouts": {name: config.get(kind, 0) for name, kind in uapi.TIMEOUTS.items()},
        "services": [],
        "rules": "",
    }
    if not ipvs.loaded:
        return facts
    table: dict[ServiceKey, VirtualService] = {}
    for key, settings, data, message in sorted(ipvs.services(), key=lambda entry: entry[0]):
        entry = service_facts(key, settings)
        entry["statistics"], entry["rates"] = wire.decode_statistics(data, message, is_service=True)
        servers: dict[RealServerKey, RealServer] = {}
        described: list[tuple[RealServerKey, Facts]] = []
        for server_key, server, connections, server_data, server_message in ipvs.real_servers(key):
            server_entry = real_server_facts(server_key, server)
            server_entry["connections"] = connections._asdict()
            server_entry["statistics"], server_entry["rates"] = wire.decode_statistics(
                server_data, server_message, is_service=False
            )
            servers[server_key] = server
            described.append((server_key, server_entry))
        entry["real_servers"] = [facts_of for _key, facts_of in sorted(described, key=lambda pair: pair[0])]
        facts["services"].append(entry)
        table[key] = VirtualService(settings, servers)
    facts["rules"] = rules.render(table)
    return facts


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
