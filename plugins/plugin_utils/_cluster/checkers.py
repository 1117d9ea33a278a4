# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes the health checks, keepalived, ldirectord or mon: its services, and what it cannot do for them.

Each takes its services from the same description. What one of them cannot do is refused here, rather than done in
another way; what they do in another way than keepalived stands in the documentation. Limits are those of ldirectord(8)
and of the program in the versions 4.12.0 and 4.16.0, which are the same, and of the monitors of mon 1.3.6 and 1.4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import family_of
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import HEALTH_CHECKER
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.service_reader import MAX_WEIGHT_SUM
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import HealthCheck, Service

#: Not below /run: a drain outlasts a reboot of the director.
DRAIN_DIRECTORY = "/var/lib/lvs-cluster/drain"
#: A fault: the key and the text.
Fault = tuple[str, str]
Checked = tuple[ResolvedService, HealthCheck]
_SETTLE = 30.0  # seconds, for a busy director
_NAMING = 1.0  # seconds, for an address that the DNS does not know (ldirectord)
_LDIRECTORD_TYPES = ("http", "https", "tcp", "dns", "smtp", "ping", "misc")
_MAX_WEIGHT = 65535  # ipvsadm.c, parse_options
_MON_TYPES = ("http", "tcp", "dns", "smtp", "ping", "misc")
_DNS_PORT = 53  # dns.monitor asks no other
_IPV4_ONLY = ("http", "tcp", "smtp")  # inet_aton() in these monitors


def checked(resolved: Iterable[ResolvedService]) -> list[Checked]:
    """The services that the health checker owns, with their checks."""
    return [(item, item.service.health_check) for item in resolved if item.service.health_check is not None]


def drain_files(resolved: Iterable[ResolvedService]) -> dict[str, str]:
    """The file that drains each real server, in all services that the health checker owns: address -> path."""
    addresses = {server.address for item, _check in checked(resolved) for server in item.servers}
    ordered = sorted(addresses, key=lambda address: (address.version, int(address)))
    return {str(address): f"{DRAIN_DIRECTORY}/{address}" for address in ordered}


def runs_commands(resolved: Iterable[ResolvedService]) -> bool:
    """Return whether a health check is a command."""
    return any(check.type == "misc" for _item, check in checked(resolved))


def check_pools(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note what the health checker could not do with the real servers that a service turned out to have.

    keepalived lowers a quorum that the weights cannot reach (check_data.c: validate_check_config), but not a hysteresis
    with which it would never come up (ipwrapper.c: set_quorum_states). It adds the weights up as an unsigned int.
    """
    for item in resolved:
        service = item.service
        if service.health_check is None or not item.servers:
            continue
        weights = sum(1 if server.weight is None else server.weight for server in item.servers)
        quorum, hysteresis = service.health_check.quorum, service.health_check.hysteresis
        if quorum > weights:
            text = f"{quorum} is more than the weights of all real servers together, {weights}"
            problems.add(service.where, "health_check.quorum", text)
        elif quorum + hysteresis > weights:
            above = f"{hysteresis} and the quorum {quorum} are"
            text = f"{above} more than the weights of all real servers together, {weights}"
            problems.add(service.where, "health_check.hysteresis", text)
        elif weights > MAX_WEIGHT_SUM:
            text = f"the weights of all real servers together, {weights}, are more than keepalived counts to"
            problems.add(service.where, "real_servers", text)
        sorry = service.sorry_server
        if sorry is None:
            continue
        for server in item.servers:
            if server.address == sorry.address and any(
                (server.port or port) == (sorry.port or port) for port in service.ports
            ):
                text = f"{sorry.address} is a real server of this service by {server.path}"
                problems.add(service.where, "sorry_server.address", text)
                break


def seen_within(resolved: Iterable[ResolvedService]) -> float:
    """After how many seconds a health checker has seen a drain, also one that looks with its checks only.

    ldirectord does, and it asks the real servers of a service one after the other, each also for its name.
    """
    rounds = [
        check.interval + (check.timeout + _NAMING) * len(item.servers)
        for item in resolved
        if (check := item.service.health_check) is not None
    ]
    return _SETTLE + max(rounds, default=0)


def check_checker(health_checker: str, resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note what a health checker cannot do for its services; keepalived can do all that can be described."""
    faults = _FAULTS.get(health_checker)
    if faults is None:
        return
    for item, check in checked(resolved):
        for key, text in faults(item, check):
            problems.add(item.service.where, key, f"{text} ({HEALTH_CHECKER}: {health_checker})")


def _common_faults(check: HealthCheck, types: Sequence[str]) -> Iterator[Fault]:
    """What neither ldirectord nor mon can do."""
    if check.type not in types:
        yield "health_check.type", f"{check.type!r} is not possible, but {', '.join(types)} are"
    for key, seconds in (("interval", check.interval), ("timeout", check.timeout)):
        if seconds != int(seconds):
            yield f"health_check.{key}", f"{show(seconds)} is not a whole number of seconds"
    if check.type in ("http", "https") and check.status != 200:
        yield "health_check.status", f"{check.status} is not possible, only 200 (leave it out), which is success to it"
    if check.helo is not None:
        yield "health_check.helo", f"{show(check.helo)} is not possible, leave it out"
    if check.hysteresis:
        yield "health_check.hysteresis", f"{check.hysteresis} is not possible, only 0"


def _faults_of_ldirectord(item: ResolvedService, check: HealthCheck) -> Iterator[Fault]:
    """What ldirectord cannot do for a service."""
    yield from _common_faults(check, _LDIRECTORD_TYPES)
    yield from _faults_of_check(item.service, check)
    service = item.service
    if service.protocol == "sctp":
        yield "protocol", "sctp is not possible, but tcp and udp are"
    if service.forward_method == "tun" and service.tunnel.type != "ipip":
        yield "tunnel.type", f"{service.tunnel.type!r} is not possible, only ipip"
    if service.persistence is not None and service.persistence.engine:
        yield "persistence.engine", f"{service.persistence.engine!r} is not possible, leave it out"
    if service.one_packet and service.fwmark is not None:
        yield "one_packet", "is not possible for a fwmark service"
    sorry = None if service.sorry_server is None else service.sorry_server.address
    if sorry is not None and family_of(sorry) != service.family:
        yield "sorry_server.address", f"{sorry} is not {service.family} as the service is"
    for server in item.servers:
        if server.address == sorry:
            # It would delete the real server where it means the sorry server, on another port (_remove_service).
            yield "sorry_server.address", f"{server.address} is a real server of this service too"
        if family_of(server.address) != service.family:
            yield f"{server.path}.address", f"{server.address} is not {service.family} as the service is"
        if server.weight is not None and server.weight > _MAX_WEIGHT:
            yield f"{server.path}.weight", f"{server.weight} is more than {_MAX_WEIGHT}"


def _faults_of_check(service: Service, check: HealthCheck) -> Iterator[Fault]:
    if check.type == "tcp" and service.protocol == "udp":
        yield "health_check.type", "'tcp' would be a ping for a udp service: ask for ping, dns or misc"
    if check.type == "ping" and service.family == "ipv6":
        others = ", ".join(kind for kind in _LDIRECTORD_TYPES if kind != "ping")
        yield "health_check.type", f"'ping' is not possible for ipv6, but {others} are"
    if check.type == "dns" and check.record != "A":
        yield "health_check.record", f"{check.record!r} is not possible, only A"
    if check.path is not None and "#" in check.path:
        yield "health_check.path", f"{show(check.path)} is not possible: '#' begins a comment"
    if check.quorum > 1:
        yield "health_check.quorum", f"{check.quorum} is not possible, only 1"


def _faults_of_mon(item: ResolvedService, check: HealthCheck) -> Iterator[Fault]:
    """What mon cannot do for a service."""
    yield from _common_faults(check, _MON_TYPES)
    if check.type in _IPV4_ONLY and (asked := [s.address for s in item.servers if family_of(s.address) == "ipv6"]):
        others = ", ".join(kind for kind in _MON_TYPES if kind not in _IPV4_ONLY)
        text = f"{check.type!r} is not possible for the real server {asked[0]}, but {others} are"
        yield "health_check.type", text
    if check.host is not None:
        yield "health_check.host", f"{show(check.host)} is not possible, leave it out"
    if check.type == "dns":
        ports = {check.port or server.port or port for server in item.servers for port in item.service.ports}
        for port in sorted(ports - {_DNS_PORT}):
            yield "health_check.port", f"{port} is not possible for dns, only {_DNS_PORT}"


_FAULTS: dict[str, Callable[[ResolvedService, HealthCheck], Iterator[Fault]]] = {
    "ldirectord": _faults_of_ldirectord,
    "mon": _faults_of_mon,
}
#: Those whose own user runs the commands of health checks. The others change to the user in director_script_user.
OWN_USER = ("mon",)
