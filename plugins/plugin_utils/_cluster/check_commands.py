# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks that a program of ours makes (module_utils/_host/protocol_check.py), as commands.

All health checkers run it as they run a command of the type ``misc``, so a check means the same with each of them.
keepalived leaves a check out if it cannot run the command (check/check_misc.c: check_misc_script_security). So the
command is the interpreter, which fails if the program is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import PLACEHOLDER
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import KEEPALIVED
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import Check

#: The directory of programs that ldirectord and mon run; the role removes all of it.
PROGRAMS = "/usr/local/lib/lvs-cluster/checks"
#: The longest command: keepalived reads lines of at most 1023 characters (lib/parser.h: MAXBUF).
MAX_COMMAND = 800
# -I: neither the environment nor a user's libraries
_PYTHON = "/usr/bin/python3 -I"
#: A placeholder, or a character that is special in a file, a shell or the program.
_SPECIAL = re.compile(rf"({PLACEHOLDER.pattern})|[^A-Za-z0-9._~/:,=@+-]")
_FIRST_ADDRESS = re.compile(r"^\{(address|vip)\}")
_PORT_OF_HOST = re.compile(r":([0-9]{1,5}|\{v?port\})$")


def program_path(health_checker: str) -> str:
    """Return the place of the program. keepalived's own is removed when it is no longer among its files."""
    directory = "/usr/local/lib/lvs-cluster" if health_checker == KEEPALIVED else PROGRAMS
    return f"{directory}/protocol-check.py"


def uses_program(resolved: Iterable[ResolvedService]) -> bool:
    """Return whether a health check needs the program."""
    return any(check.by_program for item in resolved for checks in _all(item) for check in checks)


def _all(item: ResolvedService) -> Iterator[tuple[Check, ...]]:
    if item.service.health_check is not None:
        yield item.service.health_check.checks
        yield from (server.checks for server in item.servers)


def with_commands(
    resolved: Sequence[ResolvedService], program: str, sources: Iterable[IPAddress]
) -> Sequence[ResolvedService]:
    """Return the services with commands in place of checks by the program. ``sources``: the addresses that the checks
    come from.
    """
    known: dict[tuple[Check, ...], tuple[Check, ...]] = {}

    def converted(checks: tuple[Check, ...]) -> tuple[Check, ...]:
        # equal ones stay one object, by which a real server's checks are those of its service (checkers.own_checks)
        if checks not in known:
            known[checks] = tuple(_as_command(one, program, sources) if one.by_program else one for one in checks)
        return known[checks]

    def of_server(server: RealServer) -> RealServer:
        return replace(server, checks=converted(server.checks))

    def of_service(item: ResolvedService) -> ResolvedService:
        pool = item.service.health_check
        if pool is None or not uses_program([item]):
            return item
        service = replace(item.service, health_check=replace(pool, checks=converted(pool.checks)))
        return ResolvedService(service, tuple(map(of_server, item.servers)))

    return tuple(map(of_service, resolved))


def _as_command(check: Check, program: str, sources: Iterable[IPAddress]) -> Check:
    return Check(
        "misc",
        interval=check.interval,
        timeout=check.timeout,
        retries=check.retries,
        delay_before_retry=check.delay_before_retry,
        warmup=check.warmup,
        command=command(check, program, sources),
    )


def command(check: Check, program: str, sources: Iterable[IPAddress] = ()) -> str:
    """Return the command of a check, with the placeholders of its texts and of the real server's address and port."""
    asked = "{address}" if check.connect_address is None else str(check.connect_address)
    port = "{port}" if check.port is None else str(check.port)
    options = [f"{key}={_encoded(value)}" for key, value in _options(check) if value]
    options += [f"source={source}" for source in sources]
    return " ".join([_PYTHON, program, check.type, asked, port, f"{check.timeout:.0f}", *options])


def _options(check: Check) -> Iterator[tuple[str, str | None]]:
    for key in ("name", "user", "database", "credentials"):
        yield key, getattr(check, key)
    if check.tls is not None:
        host = _PORT_OF_HOST.sub("", check.host or "").strip("[]")
        yield "tls", check.tls.name or host or "{address}"
        yield "ca", check.tls.ca
    if check.type != "https":
        return
    yield "path", check.path
    yield "status", ",".join(str(low) if low == high else f"{low}-{high}" for low, high in check.status)
    # the program removes the brackets around an IPv4 address
    yield "host", _FIRST_ADDRESS.sub(r"[{\1}]", check.host or "")
    yield "body", check.body
    yield "digest", (check.digest or "").lower()


def _encoded(text: str) -> str:
    """Return a text as a part of a command's word, with percent-encoding for all but placeholders."""
    return _SPECIAL.sub(lambda found: found[1] or f"%{ord(found[0]):02X}", text)
