# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of IPVS as plain dicts, in the words of the modules' options: over netlink, and in /proc.

Over netlink: services and real servers with their counters. In /proc only: totals, connections, and available
schedulers.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Optional

from . import model, netlink
from .kernel import Ipvs
from .model import RealServer, RealServerKey, ServiceKey, Settings, Table, VirtualService

Facts = dict[str, Any]
Wanted = Optional[Callable[[ServiceKey], bool]]

STATS = "/proc/net/ip_vs_stats"
CONNECTIONS = "/proc/net/ip_vs_conn"
MODULES = "/proc/modules"

_MODULE = re.compile(r"(?:^|/)ip_vs_([a-z0-9_]+)(?:\.ko|\s|$)", re.MULTILINE)
_NO_SCHEDULERS = frozenset(["ftp"])  # the one application helper
_ENGINE = "pe_"


def services(ipvs: Ipvs, wanted: Wanted = None) -> tuple[list[Facts], Table]:
    """Return the services that ``wanted`` accepts, sorted, with counters and real servers; and as a table."""
    table: dict[ServiceKey, VirtualService] = {}
    described: list[Facts] = []
    for key, settings, data, message in sorted(ipvs.services(), key=lambda entry: entry[0]):
        if wanted is not None and not wanted(key):
            continue
        entry = service_facts(key, settings)
        entry["statistics"], entry["rates"] = netlink.decode_statistics(data, message, is_service=True)
        servers = {server: (values, facts) for server, values, facts in real_servers(ipvs, key)}
        for position, (_values, facts) in enumerate(servers.values()):
            facts["position"] = position
        entry["real_servers"] = [servers[server][1] for server in sorted(servers)]
        described.append(entry)
        table[key] = VirtualService(settings, {server: values for server, (values, _facts) in servers.items()})
    return described, table


def real_servers(ipvs: Ipvs, service: ServiceKey) -> Iterator[tuple[RealServerKey, RealServer, Facts]]:
    """Yield the real servers of a service, each also in the form of ipvs_info with its counters."""
    for key, server, connections, data, message in ipvs.real_servers(service):
        entry = real_server_facts(key, server)
        entry["connections"] = connections._asdict()
        entry["statistics"], entry["rates"] = netlink.decode_statistics(data, message, is_service=False)
        yield key, server, entry


def identity(facts: Facts) -> str:
    """Return the name in messages of a service that is given as facts."""
    if "fwmark" in facts:
        return f"fwmark {facts['fwmark']} {facts['family']}"
    return f"{facts['protocol']} {model.endpoint(model.pack_address(facts['address']), facts['port'])}"


def service_facts(key: ServiceKey, settings: Settings) -> Facts:
    """Return a service in the options of ipvs_service; of the identity only what it has, and always ``family``."""
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
    """Return a real server in the options of ipvs_real_server; the tunnel's only with V(tun)."""
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


def parse_totals(text: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return counters and rates of /proc/net/ip_vs_stats (ip_vs_stats_show: hexadecimal), with a service's names."""
    numbers = []
    for line in text.splitlines():
        try:
            values = [int(word, 16) for word in line.split()]
        except ValueError:
            continue
        if len(values) == len(netlink.COUNTERS):
            numbers.append(dict(zip(netlink.COUNTERS, values)))
    nothing = dict.fromkeys(netlink.COUNTERS, 0)
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (nothing, dict(nothing))


def _address(text: str) -> str:
    """Return ``C0A80001`` or ``[2001:0db8:...]`` as canonical text."""
    if len(text) == 8 and ":" not in text:
        return socket.inet_ntop(socket.AF_INET, bytes.fromhex(text))
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text.strip("[]")))


def parse_connections(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the entries of /proc/net/ip_vs_conn (ip_vs_conn_seq_show), without other lines such as the headings."""
    for line in lines:
        words = line.split()
        if len(words) < 9:
            continue
        try:
            entry = _connection(words)
        except (OSError, ValueError):
            continue
        yield entry


def _connection(words: list[str]) -> dict[str, Any]:
    client, client_port, vip, port, server, server_port = words[1:7]
    entry = {
        "protocol": words[0].lower(),
        "client_address": _address(client),
        "client_port": int(client_port, 16),
        "address": _address(vip),
        "port": int(port, 16),
        "real_server_address": _address(server),
        "real_server_port": int(server_port, 16),
        "state": words[7],
        "expires": int(words[8]),
    }
    if len(words) > 9:
        entry["persistence_engine"] = words[9]
        entry["persistence_data"] = " ".join(words[10:])
    return entry


def parse_modules(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return schedulers and persistence engines by the names of their modules, in lists of modules of any form."""
    names = {name for text in texts for name in _MODULE.findall(text)} - _NO_SCHEDULERS
    engines = sorted(name[len(_ENGINE) :] for name in names if name.startswith(_ENGINE))
    return sorted(name for name in names if not name.startswith(_ENGINE)), engines


def totals(path: str = STATS) -> tuple[dict[str, int], dict[str, int]]:
    """Return counters and rates of everything; zeros if IPVS is not loaded."""
    return parse_totals(_text(path))


def connections(path: str = CONNECTIONS) -> list[dict[str, Any]]:
    """Return every connection and template; none if IPVS is not loaded."""
    try:
        with open(path, encoding="ascii", errors="replace") as lines:
            return list(parse_connections(lines))
    except OSError:
        return []


def available(root: str = "/lib/modules") -> tuple[list[str], list[str]]:
    """Return schedulers and persistence engines that the running kernel has, loaded or not."""
    directory = os.path.join(root, os.uname().release)
    files = [MODULES, *(os.path.join(directory, name) for name in ("modules.order", "modules.builtin"))]
    return parse_modules(_text(path) for path in files)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
