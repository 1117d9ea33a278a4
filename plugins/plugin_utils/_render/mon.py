# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mon's configuration: the real servers that it checks, and its alerts. mon(8) in the versions 1.3.6 and 1.4.1 only
checks, and does not use IPVS.

Its alert records the result for a program of ours (module_utils/_ipvs/programs.py), which owns the services: any
protocol, method and scheduler is possible, and checks that mon's own monitors do not support are refused. mon and its
children run as an unprivileged user. The program runs as root, in a unit of its own, which systemd starts after a
record.

- A watch for each real server of each service: an alert is then about that one, and the output of a monitor need not be
  parsed.
- ``alertevery``: the alert is repeated while the failure lasts, so a lost one does not matter.
- mon starts without results, and gives no alert for a real server that is healthy from the start. So after a start of
  mon, failed real servers count as healthy until enough checks have failed; ``randstart`` makes the first one at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ansible_collections.lvs.cluster.plugins.module_utils._host import sandbox
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import health_state as health
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.check_commands import PROGRAMS
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import Checked, filled_in, own_checks
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.ipvs_entries import server_entry, service_entry
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import PLACEHOLDER
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import TEMPLATES, Check, HealthCheck
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import (
    HEADER,
    File,
    megabytes,
    programs,
    unit,
    unit_file,
)

CONFIGURATION = "/etc/lvs-cluster/mon.cf"
UNIT = "mon"
_ALERT = "lvs.alert"
_HEALTH = "/usr/local/lib/lvs-cluster/ipvs-restore.pyz health"
_USER = "mon"  # and its group, as in Debian's package
_MAX_PROCESSES = 500
_RUNTIME = health.FAILED.removeprefix("/run/")
_NEEDS = """\
Requires=lvs-cluster-health.path
Wants=lvs-cluster-health.service
After=lvs-cluster-health.path lvs-cluster-health.service
"""
# Replaces the package's unit. After SIGTERM mon exits with status 1 (its handler). It runs up to maxprocs
# monitors at a time, and one that uses all memory must not end the others.
_SERVICE = """\
User={user}
{capabilities}RuntimeDirectory={runtime}
RuntimeDirectoryMode=0770
ExecStart=/usr/sbin/mon -c {configuration}
ExecReload=/bin/touch {changed}
IgnoreSIGPIPE=false
KillMode=mixed
Restart=always
SuccessExitStatus=1
RestartSec=2
MemoryMax={megabytes}M
OOMPolicy=continue
{sandbox}"""
# PathExists is checked again after each end of the service; PathChanged would miss changes while it runs
# (systemd 252 and 257, core/path.c: path_spec_check_good).
_PATH = f"""\
{HEADER}
[Unit]
Description=What mon has found, for the IPVS table
PartOf={UNIT}.service
StartLimitIntervalSec=0

[Path]
PathExists={health.CHANGED}
"""
# mon's group may remove the file that systemd watches. A failed run is repeated. systemd must not limit the number of
# runs: it would stop watching the path. With -I, Python loads no modules from the environment.
_APPLY = f"""\
{HEADER}
[Unit]
Description=The IPVS services that mon checks
After=lvs-cluster-ipvs.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
SupplementaryGroups={_USER}
RuntimeDirectory=lvs-cluster
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
StateDirectory=lvs-cluster
ReadWritePaths=-{health.FAILED}
ExecStart=/usr/bin/python3 -I {_HEALTH} apply
# What alerts write down meanwhile is one run.
ExecStartPost=/bin/sleep 1
TimeoutStartSec=90
Restart=on-failure
RestartSec=2
{sandbox.program("CAP_NET_ADMIN")}"""


def files(checked: Sequence[Checked], user: str) -> list[File]:
    """Return the configuration, the alert, the units, and programs, which mon runs as its own user: ``user`` is
    empty.
    """
    commands = programs(checked, user, _USER)
    monitors = {whose: file.path.rpartition("/")[2] for whose, file in commands.items()}
    return [
        *commands.values(),
        File(health.CONFIGURATION, json.dumps(services(checked), indent=1) + "\n", "reload"),
        File(CONFIGURATION, configuration(checked, monitors), "restart", group=_USER),
        unit_file("lvs-cluster-health.path", _PATH, "restart"),
        unit_file("lvs-cluster-health.service", _APPLY, "reload"),
        unit(UNIT, _service_section(checked), _NEEDS),
    ]


def _service_section(checked: Sequence[Checked]) -> str:
    """Return the unit's section. Only ping needs a capability: fping's own has no effect with NoNewPrivileges."""
    capabilities = ["CAP_NET_RAW"] if _types(checked) & {"ping"} else []
    watches = len(_watches(checked))
    return _SERVICE.format(
        user=_USER,
        capabilities="".join(f"AmbientCapabilities={name}\n" for name in capabilities),
        runtime=_RUNTIME,
        configuration=CONFIGURATION,
        changed=health.CHANGED,
        megabytes=megabytes(min(watches, _MAX_PROCESSES)),
        sandbox=sandbox.checker(*capabilities),
    )


def _types(checked: Sequence[Checked]) -> set[str]:
    return {check.type for item, _pool in checked for _place, check, _servers in own_checks(item)}


def services(checked: Sequence[Checked]) -> list[dict[str, object]]:
    """Return the input of the health program: the services with all real servers healthy, and the watch of each real
    server.
    """
    entries: list[dict[str, object]] = []
    for item, check in checked:
        for identity, port in zip(item.service.identities(), item.service.ports):
            sorry = item.sorry_server
            entries.append(
                {
                    "service": service_entry(item.service, identity),
                    "quorum": check.quorum,
                    "inhibit_on_failure": check.inhibit_on_failure,
                    "real_servers": [
                        {
                            "weight": 1,
                            **server_entry(server, port),
                            "watch": _watch(item, server, port),
                            **_own_inhibition(server, check),
                        }
                        for server in item.servers
                    ],
                    "sorry_server": None if sorry is None else server_entry(replace(sorry, weight=1), port),
                }
            )
    return entries


def _own_inhibition(server: RealServer, check: HealthCheck) -> dict[str, object]:
    own = server.inhibit_on_failure
    return {} if own == check.inhibit_on_failure else {"inhibit_on_failure": own}


def configuration(checked: Sequence[Checked], monitors: dict[tuple[str, Check], str]) -> str:
    """Return the whole file. ``monitors`` are the names of programs by the service's name and the check.

    A real server without a check has no watch, so it never fails.
    """
    lines = [
        HEADER,
        f"alertdir = {PROGRAMS}",
        f"mondir = /usr/lib/mon/mon.d:{PROGRAMS}",
        "cfbasedir = /etc/mon",
        f"maxprocs = {_MAX_PROCESSES}",
        "randstart = 1s",
        "serverbind = 127.0.0.1",
        "trapbind = 127.0.0.1",
    ]
    watches = _watches(checked)
    for name, (_item, check, server, _port) in watches.items():
        lines += ["", f"hostgroup {name} {check.connect_address or server.address}"]
    for name, (item, check, server, port) in watches.items():
        lines += ["", f"watch {name}"]
        program = monitors.get((item.service.name, check), "")
        if PLACEHOLDER.search(check.command or ""):
            vip = item.service.address or item.service.fwmark
            program += f" {vip} {port} {server.address} {server.port or port} {server.host or server.address}"
        monitor = _monitor(filled_in(check, item.service, server, port), check.port or server.port or port, program)
        lines += [f"    {line}" for line in _service(check, monitor)]
    return "\n".join(lines) + "\n"


def _watches(checked: Sequence[Checked]) -> dict[str, tuple[ResolvedService, Check, RealServer, int]]:
    """Return the watches by name. Addresses and protocols of a service share one if they ask the same."""
    return {
        _watch(item, server, port): (item, check, server, port)
        for item, _pool in checked
        for port in item.service.ports
        for server in item.servers
        for check in server.checks
    }


def _watch(item: ResolvedService, server: RealServer, port: int) -> str:
    """Return a name in mon's characters, which is unique for what is asked of each real server."""
    asked = next((check.connect_address for check in server.checks), None) or server.address
    words = [item.service.name, port, asked, port if server.port is None else server.port]
    texts = [check.text(key) or "" for check in server.checks for key in TEMPLATES]
    if any("{vip}" in text for text in texts):
        words.append(item.service.address or "")
    if asked != server.address and any("{address}" in text or "{name}" in text for text in texts):
        words.append(server.address)
    return "_".join(str(word).replace(":", "-") for word in words)


def _service(check: Check, monitor: str) -> Iterator[str]:
    yield "service health"
    inner = [f"interval {check.interval:.0f}s", f"monitor {monitor}", "period wd {Sun-Sat}"]
    if check.retries:
        inner.append(f"    alertafter {check.retries + 1}")
    inner += ["    alertevery 30s", f"    alert {_ALERT} failed", f"    upalert {_ALERT} well"]
    yield from (f"    {line}" for line in inner)


def _monitor(check: Check, port: int, program: str) -> str:
    """Return a monitor and its arguments; mon adds the address."""
    seconds = f"{check.timeout:.0f}"
    if check.type == "misc":
        return f"{program} ;;"
    if check.type == "ping":
        return f"fping.monitor -r 1 -t {seconds}000"  # it reads 0 as 3
    if check.type == "dns":
        return f"dns.monitor -caching_only -query {check.name}:{check.record} -retry 1 -timeout {seconds}"
    if check.type == "smtp":  # smtp.monitor crashes with the Perl of Debian 12
        return f"smtp3.monitor --port={port} --timeout={seconds} --alarmtime={seconds}"
    words = [f"{check.type}.monitor", "-p", str(port), "-t", seconds]
    if check.type == "http":
        words += ["-u", f'"{check.path or "/"}"']
    return " ".join(words)
