# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys ``health_check`` and ``sorry_server`` of a service.

What is refused here, keepalived would refuse too, or worse, change with no more than a line in the log. Its limits are
those of keepalived/check/check_*.c in the versions 2.2.7 and 2.3.3, which do not differ in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import MAX_PORT, Fields
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    HEALTH_CHECKS,
    UNREWRITTEN,
    HealthCheck,
    Service,
    SorryServer,
)

#: Types that connect to a port.
CONNECTING = ("http", "https", "tcp", "udp", "dns", "smtp")
_WEB = ("http", "https")
#: A file is watched by the kernel, so nothing about it is timed.
_TIMED = tuple(kind for kind in HEALTH_CHECKS if kind != "file")
#: The types that a key is for, where that is not all of them.
TYPES_OF = {
    "port": CONNECTING,
    "interval": _TIMED,
    "timeout": _TIMED,
    "retries": _TIMED,
    "delay_before_retry": _TIMED,
    "path": (*_WEB, "file"),
    "status": _WEB,
    "host": _WEB,
    "name": ("dns",),
    "record": ("dns",),
    "helo": ("smtp",),
    "command": ("misc",),
}
KEYS = ("type", *TYPES_OF, "quorum", "hysteresis", "alpha", "inhibit_on_failure")
#: Keys without which a type says nothing.
_NEEDED = {
    "dns": ("name", "the name to ask for"),
    "misc": ("command", "what to run on the director"),
    "file": ("path", "the file on the director"),
}
#: Those that keepalived.conf(5) lists; the list in the code (check_dns.c: DNS_TYPE) is longer.
RECORDS = ("A", "AAAA", "CNAME", "MX", "NS", "SOA", "TXT")
MAX_SECONDS = 86400
_SETTLE = 30.0  # seconds, for a busy director
_NAMING = 1.0  # seconds, for an address that the DNS does not know (ldirectord.py)
MAX_WEIGHT_SUM = 2**32 - 1

# keepalived reads lines of at most 1023 characters (lib/parser.h: MAXBUF), has no escape for a double quote that both
# versions know, and replaces what follows a dollar sign.
_URL_PATH = re.compile(r"/[!#%-\[\]-~]{0,799}")
_FILE_PATH = re.compile(r"/[A-Za-z0-9._/@:+=,-]{1,799}")
COMMAND = re.compile(r"/[ !#%&(-\[\]-~]{1,799}")
#: Health checkers have these directories of their own (PrivateTmp), and do not see what is in the host's.
_NOT_SEEN = ("/tmp/", "/var/tmp/")  # noqa: S108
COMMAND_RULE = """a command with its absolute path, without quotes and the characters $\\"""
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|\.")


def read_health_check(fields: Fields) -> HealthCheck | None:
    """The value of ``health_check``, with its defaults filled in; None when it is not given or has no sound type."""
    inner = fields.mapping("health_check")
    if inner is None:
        return None
    inner.refuse_unknown(KEYS, "health_check")
    if not inner.given("type"):
        inner.fault("type", f"is missing (one of {' '.join(HEALTH_CHECKS)})")
    kind = inner.choice("type", "a health check", HEALTH_CHECKS, "")
    if not kind:
        return None
    for key, kinds in TYPES_OF.items():
        if inner.given(key) and kind not in kinds:
            inner.fault(key, f"is {_only(kinds)}, and the type is {kind}")
    needed, what = _NEEDED.get(kind, ("", ""))
    if needed and not inner.given(needed):
        inner.fault(needed, f"is missing ({what})")
    return _read(inner, kind)


def _only(kinds: tuple[str, ...]) -> str:
    if kinds == _TIMED:
        return "for checks that ask at intervals"
    return f"for {', '.join(kinds[:-1])} and {kinds[-1]} only" if len(kinds) > 1 else f"for {kinds[0]} only"


def _read(inner: Fields, kind: str) -> HealthCheck:
    default = HealthCheck(kind)
    path = None
    if kind == "file":
        path = inner.text("path", _FILE_PATH, "an absolute path of letters, digits and the characters ._/@:+=,-")
    elif kind in _WEB:
        rule = """a path that starts with '/', without spaces and the characters "$\\, which keepalived cannot take"""
        path = inner.text("path", _URL_PATH, rule) or "/"
    check = HealthCheck(
        type=kind,
        port=inner.integer("port", 1, MAX_PORT),
        interval=_or(inner.seconds("interval", 0.1, MAX_SECONDS), default.interval),
        timeout=_or(inner.seconds("timeout", 0.1, MAX_SECONDS), default.timeout),
        retries=int(_or(inner.integer("retries", 0, 1000), default.retries)),
        delay_before_retry=_or(inner.seconds("delay_before_retry", 0, MAX_SECONDS), default.delay_before_retry),
        path=path,
        status=int(_or(inner.integer("status", 100, 599), default.status)),
        host=inner.text("host", _HOST, "the name of a host, with or without a port"),
        name=inner.text("name", _NAME, "a domain name"),
        record=inner.choice("record", "a type of records", RECORDS, default.record),
        helo=inner.text("helo", _HOST, "the name of a host"),
        command=inner.text("command", COMMAND, COMMAND_RULE),
        quorum=int(_or(inner.integer("quorum", 1, MAX_WEIGHT_SUM), default.quorum)),
        hysteresis=int(_or(inner.integer("hysteresis", 0, MAX_WEIGHT_SUM), default.hysteresis)),
        alpha=inner.boolean("alpha", default.alpha),
        inhibit_on_failure=inner.boolean("inhibit_on_failure", default.inhibit_on_failure),
    )
    for key, value in (("path", path if kind == "file" else None), ("command", check.command)):
        if value is not None and not_seen(value):
            inner.fault(key, not_seen(value))
    if kind == "misc" and check.timeout != int(check.timeout):
        inner.fault("timeout", f"{show(check.timeout)} is not a whole number of seconds, and misc takes nothing else")
    if check.hysteresis >= check.quorum:
        inner.fault("hysteresis", f"{check.hysteresis} is not below the quorum {check.quorum}")
    return check


def not_seen(path: str) -> str:
    """Why health checkers do not see this file of the host; empty where they do."""
    if path.startswith(_NOT_SEEN):
        return f"{show(path)} is in a directory of which health checkers have one of their own: use another one"
    return ""


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def read_sorry_server(fields: Fields) -> SorryServer | None:
    """The value of ``sorry_server``; None when it is not given or has no address."""
    inner = fields.mapping("sorry_server")
    if inner is None:
        return None
    inner.refuse_unknown(("address", "port"), "sorry_server")
    if not inner.given("address"):
        inner.fault("address", "is missing")
    address = inner.address("address")
    port = inner.integer("port", 1, MAX_PORT)
    return None if address is None else SorryServer(address, port)


def check_health(fields: Fields, service: Service) -> None:
    """What the service says against its health check and its sorry server."""
    check, sorry = service.health_check, service.sorry_server
    portless = "a fwmark service" if service.fwmark is not None else "a service of every port" * (0 in service.ports)
    if check is not None and portless and check.type in CONNECTING and check.port is None:
        fields.fault("health_check.port", f"is missing: {portless} does not say where to connect to")
    if sorry is None:
        return
    if not fields.given("health_check"):
        fields.fault("sorry_server", "needs a health_check, which is what tells that no real server is left")
    if not service.takes(sorry.address):
        fields.fault("sorry_server.address", f"{show(str(sorry.address))} is not {service.family} as the service is")
    if sorry.port is None:
        return
    if portless:
        text = f"{sorry.port} is not possible for {portless}: the packet's port is kept (leave it out)"
        fields.fault("sorry_server.port", text)
    elif service.forward_method in UNREWRITTEN:
        for port in service.ports:
            if sorry.port != port:
                text = f"{sorry.port} is not the service's port {port}, and {service.forward_method} rewrites no port"
                fields.fault("sorry_server.port", text)


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
