# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health checkers keepalived, ldirectord and mon: their services, and the limits of each.

All use the same description. Keys that one does not support are refused here, not replaced; differences from keepalived
are documented. Limits are those of ldirectord(8) and of the program in the versions 4.12.0 and 4.16.0, which are the
same, and of the monitors of mon 1.3.6 and 1.4.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.check_commands import (
    MAX_COMMAND,
    command,
    program_path,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import (
    MAX_WEIGHT_SUM,
    PLACEHOLDER,
    UNCHECKED,
    text_fault,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    CHECK_SOURCES,
    EMAIL,
    EMAIL_ADDRESS,
    HEALTH_CHECKER,
    HEALTH_CHECKS,
    HOST_NAME,
    KEEPALIVED,
    SMTP_PORT,
    VRRP,
    Email,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    OWN_TYPES,
    QUORUM_COMMANDS,
    TEMPLATES,
    Check,
    HealthCheck,
    Service,
)

#: Not below /run: a drain outlasts a reboot of the director.
DRAIN_DIRECTORY = "/var/lib/lvs-cluster/drain"
#: A limit of a health checker: the key, its value, and the sentence about the value.
Fault = tuple[str, object, str]
Checked = tuple[ResolvedService, HealthCheck]
_SETTLE = 30.0  # seconds, for a busy director
_NAMING = 1.0  # seconds, for an address without a DNS name (ldirectord)
_LDIRECTORD_TYPES = ("http", "https", "tcp", "dns", "smtp", "ping", "misc")
_MAX_WEIGHT = 65535  # ipvsadm.c, parse_options
_MON_TYPES = ("http", "tcp", "dns", "smtp", "ping", "misc")
_DNS_PORT = 53  # dns.monitor asks no other
_KEEPALIVED_KEYS = ("helo", "digest", "dynamic", "interface", "mark", "through_vip", "warmup")
_IPV4_ONLY = ("http", "tcp", "smtp")  # inet_aton() in these monitors
#: The characters that an inventory name may have in a command or a path.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}")


def checked(resolved: Iterable[ResolvedService]) -> list[Checked]:
    """Return the services that the health checker owns, with their checks."""
    return [(item, item.service.health_check) for item in resolved if item.service.health_check is not None]


def filled_in(check: Check, service: Service, server: RealServer, port: int) -> Check:
    """Return the check of a real server for one port of its service, with values in place of placeholders."""
    if not any("{" in (check.text(key) or "") for key in TEMPLATES):
        return check
    values = _values(service, server, port)
    # an IPv6 address stands in brackets in the name of a host (RFC 3986, section 3.2.2)
    bracketed = {key: f"[{value}]" if ":" in value else value for key, value in values.items()}
    return replace(
        check,
        path=_filled(check.path, values),
        body=_filled(check.body, values),
        host=_filled(check.host, bracketed),
        name=_filled(check.name, values),
        user=_filled(check.user, values),
        database=_filled(check.database, values),
        tls=None if check.tls is None else replace(check.tls, name=_filled(check.tls.name, values)),
        command=_filled(check.command, values),
    )


def quorum_command(command: str, service: Service, port: int) -> str:
    """Return a command for one port of a service, with values in place of placeholders."""
    return PLACEHOLDER.sub(lambda found: {"vip": str(service.address), "vport": str(port)}[found[1]], command)


def _filled(text: str | None, values: Mapping[str, str]) -> str | None:
    return None if text is None else PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _values(service: Service, server: RealServer, port: int) -> dict[str, str]:
    return {
        "address": str(server.address),
        "port": str(server.port or port),
        "name": server.host or str(server.address),
        "vip": str(service.address),
        "vport": str(port),
    }


def own_checks(item: ResolvedService) -> Iterator[tuple[str, Check, list[RealServer]]]:
    """Yield all checks of a service and of its real servers, each with its place and the real servers that have it.

    The place is ``health_check`` or, for a check of an entry, ``real_servers[1].health_check``, with a number behind it
    for one of several.
    """
    shared = item.service.health_check
    if shared is None:
        return
    usual: list[RealServer] = []
    groups: dict[tuple[str, tuple[Check, ...]], list[RealServer]] = {("health_check", shared.checks): usual}
    for server in item.servers:
        if server.checks is shared.checks:
            usual.append(server)
            continue
        same = server.checks == shared.checks
        place = "health_check" if same else f"{server.path}.health_check"
        groups.setdefault((place, server.checks), []).append(server)
    for (place, checks), servers in groups.items():
        for number, check in enumerate(checks):
            yield (place if len(checks) == 1 else f"{place}[{number}]"), check, servers


def drain_files(resolved: Iterable[ResolvedService]) -> dict[str, str]:
    """Return the file that drains each real server, in all services that the health checker owns: address -> path."""
    addresses = {server.address for item, _check in checked(resolved) for server in item.servers}
    ordered = sorted(addresses, key=lambda address: (address.version, int(address)))
    return {str(address): f"{DRAIN_DIRECTORY}/{address}" for address in ordered}


def runs_commands(resolved: Iterable[ResolvedService]) -> bool:
    """Return whether a health check is a command, or a service has commands for its quorum."""
    return any(
        pool.quorum_up
        or pool.quorum_down
        or any(check.type == "misc" or check.by_program for _place, check, _servers in own_checks(item))
        for item, pool in checked(resolved)
    )


def _check_any(item: ResolvedService, problems: Problems) -> None:
    """Note a service of which no real server is checked."""
    if item.servers and not any(server.checks for server in item.servers):
        text = f"is for no real server: all of them have the health_check {UNCHECKED}"
        problems.add(Code.EMPTY, item.service.where, "health_check", text)


def check_pools(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note values that the health checker cannot use with the resolved real servers of a service. keepalived lowers a
    quorum above the sum of the weights (check_data.c: validate_check_config), but not a hysteresis that keeps the
    service down (ipwrapper.c: set_quorum_states).

    It adds the weights as an unsigned int.
    """
    for item in resolved:
        service = item.service
        if service.health_check is None or not item.servers:
            continue
        _check_texts(item, problems)
        _check_quorum_commands(item, service.health_check, problems)
        _check_any(item, problems)
        weights = sum(1 if server.weight is None else server.weight for server in item.servers)
        quorum, hysteresis = service.health_check.quorum, service.health_check.hysteresis
        if quorum > weights:
            text = f"is more than {weights}, the total weight of the real servers"
            if not weights:  # the quorum need not be written
                text += ": give one of them a weight above 0"
            problems.refuse(Code.EXCEEDS, service.where, "health_check.quorum", quorum, text)
        elif quorum + hysteresis > weights:
            text = f"and the quorum {quorum} are more than {weights}, the total weight of the real servers"
            problems.refuse(Code.EXCEEDS, service.where, "health_check.hysteresis", hysteresis, text)
        elif weights > MAX_WEIGHT_SUM:
            text = f"is the total weight, and keepalived accepts at most {MAX_WEIGHT_SUM}"
            problems.refuse(Code.OUT_OF_RANGE, service.where, "real_servers", weights, text)
        sorry = service.sorry_server
        if sorry is None:
            continue
        for server in item.servers:
            if server.address == sorry.address and any(
                (server.port or port) == (sorry.port or port) for port in service.ports
            ):
                text = f"is already a real server of this service by {server.path}"
                problems.refuse(Code.SERVER_TWICE, service.where, "sorry_server.address", sorry.address, text)
                break


def _check_texts(item: ResolvedService, problems: Problems) -> None:
    """Note texts that are wrong with the values of a real server."""
    for place, check, servers in own_checks(item):
        _check_length(item, place, check, servers, problems)
        for key in TEMPLATES:
            text = check.text(key) or ""
            if not PLACEHOLDER.search(text):
                continue
            for server in servers:
                if "{name}" in text and server.host is not None and not _PLAIN_NAME.fullmatch(server.host):
                    rule = (
                        f"cannot have the name of host {server.host}, "
                        "which does not consist of letters, digits and _.:-, or begins with one of .:-"
                    )
                    problems.refuse(Code.MALFORMED, item.service.where, f"{place}.{key}", text, rule)
                    break
                value = filled_in(check, item.service, server, item.service.ports[0]).text(key)
                fault = text_fault(key, check.type, value)
                if fault:
                    problems.refuse(Code.MALFORMED, item.service.where, f"{place}.{key}", value, fault)
                    break


def _check_length(
    item: ResolvedService, place: str, check: Check, servers: Sequence[RealServer], problems: Problems
) -> None:
    """Note a check by the program whose command is too long for keepalived: long texts, or many special characters."""
    if not check.by_program:
        return
    words = Check("misc", command=command(check, program_path(KEEPALIVED)))
    for server in servers:
        length = len(filled_in(words, item.service, server, max(item.service.ports)).command or "")
        if length > MAX_COMMAND:
            text = f"is a command of {length} characters, more than {MAX_COMMAND}: shorten its texts"
            problems.add(Code.EXCEEDS, item.service.where, place, text)
            return


def _check_quorum_commands(item: ResolvedService, pool: HealthCheck, problems: Problems) -> None:
    """Note commands that are wrong with the values of their service."""
    for key in QUORUM_COMMANDS:
        text = getattr(pool, key)
        value = quorum_command(text or "", item.service, max(item.service.ports))
        if text and (fault := text_fault(key, "", value)):
            problems.refuse(Code.MALFORMED, item.service.where, f"health_check.{key}", value, fault)


def seen_within(resolved: Iterable[ResolvedService]) -> float:
    """Return the seconds after which a health checker has noticed a drain.

    ldirectord notices it only with its checks, one real server of a service after the other, each with a DNS look-up.
    """
    rounds = [
        max((check.interval for server in item.servers for check in server.checks), default=0)
        + sum(check.timeout + _NAMING for server in item.servers for check in server.checks)
        for item in resolved
        if item.service.health_check is not None
    ]
    return _SETTLE + max(rounds, default=0)


def check_checker(
    health_checker: str, sources: Mapping[str, IPAddress], resolved: Iterable[ResolvedService], problems: Problems
) -> None:
    """Note keys that a health checker does not support.

    ``sources``: the addresses that a director's checks come from, by family.
    """
    faults = _FAULTS.get(health_checker)
    if faults is None:
        return
    for source in sources.values() if health_checker != KEEPALIVED else ():
        text = f"is not possible: remove the variable ({HEALTH_CHECKER}: {health_checker})"
        problems.refuse(Code.NOT_FOR_CHECKER, CHECK_SOURCES, "", source, text)
    for item, check in checked(resolved):
        noted: set[tuple[str, object, str]] = set()
        for key, value, text in faults(item, check):
            # once is enough for a value that real servers have from the service
            what = (key.rpartition("health_check")[2], value, text)
            if what in noted:
                continue
            noted.add(what)
            text = f"{text} ({HEALTH_CHECKER}: {health_checker})"
            problems.refuse(Code.NOT_FOR_CHECKER, item.service.where, key, value, text)


def emails(email: Email | None, host: str, health_checker: str) -> dict[str, Email]:
    """Return the e-mails of each program, with what each is about and with all defaults: program -> settings."""
    found: dict[str, Email] = {}
    if email is None:
        return found
    for kind in email.about:
        program = KEEPALIVED if kind == VRRP else health_checker
        before = found[program].about if program in found else ()
        sender = email.sender or f"{program}@{host}"
        helo = email.helo or (host if HOST_NAME.fullmatch(host) else None)
        found[program] = replace(email, about=(*before, kind), sender=sender, helo=helo)
    return found


def check_email(email: Email | None, host: str, health_checker: str, problems: Problems) -> None:
    """Note e-mails that a program cannot send, and a director whose name cannot stand in an address."""
    if email is None:
        return
    if email.sender is None and not EMAIL_ADDRESS.fullmatch(f"{KEEPALIVED}@{host}"):
        text = f"is missing: the default has the director's name, and {host} cannot stand in an e-mail address"
        problems.add(Code.MISSING, EMAIL, "from", text)
    if HEALTH_CHECKS in email.about and health_checker in _EMAIL_FAULTS:
        for key, value, text in _EMAIL_FAULTS[health_checker](email):
            text = f"{text} ({HEALTH_CHECKER}: {health_checker})"
            problems.refuse(Code.NOT_FOR_CHECKER, EMAIL, key, value, text)


def _email_faults_of_ldirectord(email: Email) -> Iterator[Fault]:
    """Yield what ldirectord does not support (read_config, ld_emailalert_net_smtp)."""
    if len(email.to) > 1:
        yield "to", ", ".join(email.to), "is not possible; only one address is"
    if ":" in email.server:
        yield "server", email.server, "is not possible: give a name or an IPv4 address"
    if email.port != SMTP_PORT:
        yield "server", email.port, f"is not possible as a port; only {SMTP_PORT} is"
    for key in ("helo", "timeout"):
        if value := getattr(email, key):
            yield key, value, "is not possible: remove the key"


def _email_faults_of_mon(_email: Email) -> Iterator[Fault]:
    """Yield what mon does not support: its mail.alert needs a mail server on the director."""
    yield "about", HEALTH_CHECKS, f"is not possible: set about to [{VRRP}]"


_EMAIL_FAULTS: dict[str, Callable[[Email], Iterator[Fault]]] = {
    "ldirectord": _email_faults_of_ldirectord,
    "mon": _email_faults_of_mon,
}


def _common_faults(item: ResolvedService, types: Sequence[str], keys: Sequence[str]) -> Iterator[Fault]:
    """Yield what neither ldirectord nor mon supports. ``keys``: the keys of a check that one of them does not have."""
    for place, check, _servers in own_checks(item):
        yield from _faults_of_any(place, check, types, keys)
        if place.endswith("]"):
            yield place, check.type, "is one of several checks, and only one is possible"
    for server in item.servers:
        yield from _own_key(item, server, "alpha")
    pool = item.service.health_check
    if pool is not None and pool.hysteresis:
        yield "health_check.hysteresis", pool.hysteresis, "is not possible; only 0 is"
    for key in (*QUORUM_COMMANDS, "omega"):
        if value := getattr(pool, key, None):
            yield f"health_check.{key}", value, "is not possible: remove the key"


def _own_key(item: ResolvedService, server: RealServer, key: str) -> Iterator[Fault]:
    """Yield a value that differs from that of the service."""
    value = getattr(server, key)
    if value != getattr(item.service.health_check, key):
        yield f"{server.path}.health_check.{key}", value, "is not possible for a single real server: remove the key"


def _faults_of_any(place: str, check: Check, types: Sequence[str], keys: Sequence[str]) -> Iterator[Fault]:
    if check.type not in types and not check.by_program:
        possible = ", ".join((*types, *OWN_TYPES))
        beside = ", and https with tls" if check.type == "https" else ""
        yield f"{place}.type", check.type, f"is not possible; possible are {possible}{beside}"
    for key in ["warmup"] if check.by_program else keys:
        value = getattr(check, key)
        if value is not None and value is not False:
            yield f"{place}.{key}", value, "is not possible: remove the key"
    for key, seconds in (("interval", check.interval), ("timeout", check.timeout)):
        if seconds != int(seconds):
            yield f"{place}.{key}", seconds, "is not a whole number of seconds"
    if check.type in ("http", "https") and not check.by_program and check.status != Check(check.type).status:
        codes = [low if low == high else f"{low}-{high}" for low, high in check.status]
        text = "is not possible; only 200 is success (remove the key)"
        yield f"{place}.status", codes[0] if len(codes) == 1 else ", ".join(map(str, codes)), text


def _faults_of_keepalived(item: ResolvedService, _pool: HealthCheck) -> Iterator[Fault]:
    """Yield what keepalived does not support: it ignores a virtual server without real servers (check_data.c:
    validate_check_config), and ends its test of the configuration with an error.
    """
    if not item.all_servers:
        text = "real servers are not possible for a service with a health_check and without a sorry_server"
        yield "real_servers", 0, text


def _faults_of_ldirectord(item: ResolvedService, pool: HealthCheck) -> Iterator[Fault]:
    """Yield what ldirectord does not support of a service."""
    if family := next((check.family for check in pool.checks if check.family), None):
        # with it each real server has an address of its own to connect to (resolve), which is no key of the description
        yield "health_check.family", family, "is not possible: remove the key"
        return
    yield from _common_faults(item, _LDIRECTORD_TYPES, (*_KEEPALIVED_KEYS, "connect_address"))
    service = item.service
    for check in pool.checks[:1]:
        yield from _faults_of_check(service, check)
    if pool.quorum > 1:
        yield "health_check.quorum", pool.quorum, "is not possible; only 1 is"
    for server in item.servers:
        if server.checks != pool.checks:
            value = server.checks[0].type if server.checks else UNCHECKED
            text = "as a check of its own is not possible: a service has one check for all of its real servers"
            yield f"{server.path}.health_check", value, text
        yield from _own_key(item, server, "inhibit_on_failure")
    if service.protocol == "sctp":
        yield "protocol", service.protocol, "is not possible; possible are tcp, udp"
    for server in item.all_servers:
        if server.forward_method == "tun" and server.tunnel.type != "ipip":
            place = "tunnel.type" if server.tunnel == service.tunnel else f"{server.path}.tunnel.type"
            yield place, server.tunnel.type, "is not possible; only ipip is"
            break
    if service.persistence is not None and service.persistence.engine:
        yield "persistence.engine", service.persistence.engine, "is not possible: remove the key"
    if service.one_packet and service.fwmark is not None:
        yield "one_packet", service.one_packet, "is not possible for a fwmark service"
    sorry = None if service.sorry_server is None else service.sorry_server.address
    if sorry is not None and family_of(sorry) != service.family:
        yield "sorry_server.address", sorry, f"is {family_of(sorry)}, and the service is {service.family}"
    for server in item.servers:
        yield from _faults_of_server(service, server, sorry)


def _faults_of_server(service: Service, server: RealServer, sorry: IPAddress | None) -> Iterator[Fault]:
    if server.address == sorry:
        # It would delete the real server instead of the sorry server, on another port (_remove_service).
        yield "sorry_server.address", sorry, f"is also a real server of this service, by {server.path}"
    if family_of(server.address) != service.family:
        text = f"is {family_of(server.address)}, and the service is {service.family}"
        yield f"{server.path}.address", server.address, text
    if server.weight is not None and server.weight > _MAX_WEIGHT:
        yield f"{server.path}.weight", server.weight, f"is more than {_MAX_WEIGHT}"


def _faults_of_check(service: Service, check: Check) -> Iterator[Fault]:
    if check.by_program:
        # a command gets no names
        for key in TEMPLATES:
            if "{name}" in (text := check.text(key) or ""):
                yield f"health_check.{key}", text, "is not possible with {name}"
        return
    if check.type == "tcp" and service.protocol == "udp":
        others = ", ".join(("ping", "dns", "misc", *OWN_TYPES))
        yield "health_check.type", check.type, f"is not possible for a udp service; possible are {others}"
    if check.type == "ping" and service.family == "ipv6":
        others = ", ".join(kind for kind in (*_LDIRECTORD_TYPES, *OWN_TYPES) if kind != "ping")
        yield "health_check.type", check.type, f"is not possible for ipv6; possible are {others}"
    if check.type == "dns" and check.record != "A":
        yield "health_check.record", check.record, "is not possible; only A is"
    if check.path is not None and "#" in check.path:
        yield "health_check.path", check.path, "is not possible: '#' begins a comment"
    if check.path is not None and PLACEHOLDER.search(check.path + (check.body or "")):
        # it would take such a path of a single real server for a whole URL, and lose one with two slashes
        for part, found in ((f"{check.type}://", f"{check.type}://" in check.path), ("//", check.path[:2] == "//")):
            if found:
                yield "health_check.path", check.path, f"is not possible with a placeholder and {part}"
    # its virtualhost is for all real servers, and a command gets no names
    for key, words in (("host", ("address", "port", "name")), ("command", ("name",))):
        text = getattr(check, key) or ""
        for word in PLACEHOLDER.findall(text):
            if word in words:
                yield f"health_check.{key}", text, f"is not possible with {{{word}}}"


def _faults_of_mon(item: ResolvedService, _pool: HealthCheck) -> Iterator[Fault]:
    """Yield what mon does not support of a service."""
    yield from _common_faults(item, _MON_TYPES, (*_KEEPALIVED_KEYS, "host", "body"))
    for place, check, servers in own_checks(item):
        asked = [check.connect_address or server.address for server in servers]
        if check.type in _IPV4_ONLY and (six := [address for address in asked if family_of(address) == "ipv6"]):
            others = ", ".join(kind for kind in (*_MON_TYPES, *OWN_TYPES) if kind not in _IPV4_ONLY)
            text = f"is not possible for {six[0]}; possible are {others}"
            yield f"{place}.type", check.type, text
        if check.type == "dns":
            ports = {check.port or server.port or port for server in servers for port in item.service.ports}
            for port in sorted(ports - {_DNS_PORT}):
                yield f"{place}.port", port, f"is not possible for dns; only {_DNS_PORT} is"


_FAULTS: dict[str, Callable[[ResolvedService, HealthCheck], Iterator[Fault]]] = {
    KEEPALIVED: _faults_of_keepalived,
    "ldirectord": _faults_of_ldirectord,
    "mon": _faults_of_mon,
}
#: Health checkers whose own user runs the commands. The others change to the user in director_script_user.
OWN_USER = ("mon",)
