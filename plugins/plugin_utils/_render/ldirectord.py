# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ldirectord's configuration: the services that it owns.

Syntax and limits are those of ldirectord(8) and of the program in the versions 4.12.0 and 4.16.0, which are the same.

- ``fork = yes``: a process for each service, so that a slow one does not delay the others. ``checkinterval`` of a
  service counts only then.
- ``supervised = yes``: it stays in the foreground, for systemd, and logs to the journal.
- ``quiescent = yes``: a failed real server gets weight 0. With ``no`` it would be deleted with its connections, and so
  would a drained one: to ldirectord ``maintenancedir`` is a failed check.
- It changes the table with ipvsadm, so values that ipvsadm does not support are refused.
- E-mails are about changes while it runs, not about its start, reload and stop: it waits up to two minutes for the
  mail server, and would not stop before that (ld_emailalert_net_smtp; the default of Net::SMTP).
- When it stops it removes its services (``cleanstop``), as keepalived does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ansible_collections.lvs.cluster.plugins.module_utils._host import sandbox
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import endpoint
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import DRAIN_DIRECTORY, Checked, filled_in
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import PLACEHOLDER
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import Email
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import Check, HealthCheck, Service
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.keepalived import dotted_mask, pattern
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import (
    HEADER,
    File,
    megabytes,
    programs,
    unit,
)

CONFIGURATION = "/etc/lvs-cluster/ldirectord.cf"
UNIT = "ldirectord"
_ANY_ADDRESS = "."
_METHODS = {"dr": "gate", "tun": "ipip", "nat": "masq", "fullnat": "masq"}
# In the place of the package's unit, which is for a daemon that goes into the background, and for a system with
# /var/lock/subsys. It gets one SIGTERM: after a second one it would end without removing its services (ldirectord,
# ld_handler_term). Every read of maintenancedir includes a DNS look-up of an address, which must not take long. It
# follows redirects of real servers, but must not reach the addresses at which clouds offer credentials. It needs
# CAP_NET_RAW to ping, and the last three to run commands as another user and to kill them. One process that uses all
# memory must not end the others.
_SERVICE = """\
Type=exec
Environment="RES_OPTIONS=timeout:1 attempts:1"
ExecStart=/usr/sbin/ldirectord {configuration} start
ExecReload=/bin/kill -HUP $MAINPID
# It speaks on the other one. Here Perl warns at every check of an address that has no name.
StandardError=null
KillMode=mixed
Restart=on-failure
IPAddressDeny=169.254.0.0/16
MemoryMax={megabytes}M
OOMPolicy=continue
TasksMax={tasks}
{sandbox}"""
_CAPABILITIES = ("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SETUID", "CAP_SETGID", "CAP_KILL")
# It has no option to test a configuration, but reads it before it reports that no daemon runs with it.
_VALIDATE, _VALID = ("ldirectord", "%s", "status"), 3


def files(checked: Sequence[Checked], user: str, email: Email | None) -> list[File]:
    """Return the configuration, the unit, and the programs that it runs as ``user``."""
    commands = programs(checked, user)
    paths = {name: file.path for (name, _check), file in commands.items()}
    text = configuration(checked, paths, email)
    own = File(CONFIGURATION, text, "reload", validate=_VALIDATE, validate_status=_VALID)
    return [*commands.values(), own, unit(UNIT, _service_section(checked))]


def _service_section(checked: Sequence[Checked]) -> str:
    """Return the unit's section. Each virtual service has a process, and may run one command."""
    processes = sum(len(item.service.ports) for item, _check in checked)
    return _SERVICE.format(
        configuration=CONFIGURATION,
        megabytes=megabytes(processes),
        tasks=512 + 8 * processes,
        sandbox=sandbox.checker(*_CAPABILITIES),
    )


def configuration(checked: Sequence[Checked], commands: dict[str, str], email: Email | None) -> str:
    """Return the whole file. ``commands`` are the paths of programs by the service's name."""
    lines = [
        HEADER,
        "supervised = yes",
        "fork = yes",
        "autoreload = no",
        "quiescent = yes",
        "cleanstop = yes",
        f"maintenancedir = {DRAIN_DIRECTORY}",
    ]
    if email is not None:
        lines += [f"smtp = {email.server}", f"emailalertfrom = {email.sender}"]
        lines += ["emailalertstatus = running", "emailalertfreq = 0"]
    for item, check in checked:
        to = ", ".join(email.to) if email is not None and check.email else ""
        for port in item.service.ports:
            command = commands.get(item.service.name, "")
            lines += ["", f"# {item.service.name}", *_virtual(item, check, port, command, to)]
    return "\n".join(lines) + "\n"


def _virtual(item: ResolvedService, pool: HealthCheck, port: int, command: str, to: str) -> Iterator[str]:
    service, check = item.service, pool.checks[0]  # it has one for all real servers
    six = "6" if service.family == "ipv6" else ""
    head = str(service.fwmark) if service.address is None else endpoint(service.address.packed, port)
    yield f"virtual{six} = {head}"
    lines = [f"protocol = {service.protocol or 'fwm'}", f"scheduler = {service.scheduler}", *_settings(service)]
    lines += [f'emailalert = "{to}"'] if to else []
    lines += _check(_of_all(item, check, port), command)
    sorry = item.sorry_server
    if sorry is not None:
        method = _METHODS[sorry.forward_method]
        lines.append(f"fallback{six} = {endpoint(sorry.address.packed, sorry.port or port)} {method}")
    for server in item.servers:
        request = _request(service, check, server, port)
        lines.append(f"real{six} = {_real(server, port, request)}")
    yield from (f"    {line}" for line in lines)


def _of_all(item: ResolvedService, check: Check, port: int) -> Check:
    """Return the check with those texts that are the same for all real servers."""
    shared = replace(check, path=None, name=None, body=None) if _differs(check) else check
    return filled_in(shared, item.service, item.servers[0], port) if item.servers else shared


def _differs(check: Check) -> bool:
    """Return whether the request, or what it has to receive, is another one for each real server."""
    return any(PLACEHOLDER.search(text or "") for text in (check.path, check.name, check.body))


def _request(service: Service, check: Check, server: RealServer, port: int) -> str:
    """Return the request to one real server, and what it has to receive; empty if it is the same for all."""
    if not _differs(check):
        return ""
    filled = filled_in(check, service, server, port)
    if filled.type == "dns":
        return f'"{filled.name}", "{_ANY_ADDRESS}"'
    # ldirectord adds the slash at the beginning. If it is written, the second text is lost (add_real_server, where the
    # test for the slash replaces $2), and then the first one counts for nothing (ld_setup).
    return f'"{(filled.path or "/")[1:]}", "{pattern(filled.body or "")}"'


def _settings(service: Service) -> Iterator[str]:
    if service.scheduler_flags:
        yield f"schedflags = {','.join(service.scheduler_flags)}"
    if service.one_packet:
        yield "ops = yes"
    persistence = service.persistence
    if persistence is None:
        return
    yield f"persistent = {persistence.timeout}"
    if service.family == "ipv6":
        yield f"netmask = {persistence.netmask}"
    else:
        yield f"netmask = {dotted_mask(persistence.netmask)}"


def _check(check: Check, command: str) -> Iterator[str]:
    yield f"checkinterval = {check.interval:.0f}"
    yield f"checktimeout = {check.timeout:.0f}"
    yield f"negotiatetimeout = {check.timeout:.0f}"
    yield f"failurecount = {check.retries + 1}"
    if check.port is not None:
        yield f"checkport = {check.port}"
    if check.type == "tcp":
        yield "checktype = connect"
    elif check.type == "ping":
        yield "checktype = ping"
    elif check.type == "misc":
        yield "checktype = external"
        yield f"checkcommand = {command}"
    else:
        yield "checktype = negotiate"
        yield f"service = {check.type}"
    if check.type in ("http", "https"):
        if check.path is not None:
            yield f'request = "{check.path}"'
        if check.body is not None:
            yield f'receive = "{pattern(check.body)}"'
        if check.host is not None:
            yield f'virtualhost = "{check.host}"'
    elif check.type == "dns":
        if check.name is not None:
            yield f'request = "{check.name}"'
        yield f'receive = "{_ANY_ADDRESS}"'  # without this line every answer is a failure


def _real(server: RealServer, port: int, request: str) -> str:
    weight = 1 if server.weight is None else server.weight
    method = _METHODS[server.forward_method]
    words = [endpoint(server.address.packed, port if server.port is None else server.port), method, str(weight)]
    words += [request] if request else []
    if server.lower_threshold:
        words.append(f"l:{server.lower_threshold}")
    if server.upper_threshold:
        words.append(f"u:{server.upper_threshold}")
    return " ".join(words)
