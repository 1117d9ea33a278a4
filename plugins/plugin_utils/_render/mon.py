# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mon's configuration: the real servers that it watches, and what its alerts do.

mon(8) in the versions 1.3.6 and 1.4.1 asks, and knows nothing of IPVS. Its alert writes down what it has found, for a
program of ours (module_utils/_ipvs/programs.py), which owns the services: any protocol, method and scheduler is
possible, and what mon's own monitors cannot ask is refused. mon and its children are an unprivileged user's. The
program is root's, in a unit of its own, which systemd starts when something was written down.

- A watch for each real server of each service: an alert is then about that one, and nothing has to be read out of what
  a monitor says.
- ``alertevery``: the alert is given again while the failure lasts, so one that got lost is made up for.
- mon begins with nothing known, and gives no alert for a real server that is well from the start. So what had failed
  counts as well again when mon is started, until as many checks have failed as it takes, of which ``randstart`` makes
  the first at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ansible_collections.lvs.cluster.plugins.module_utils._host import sandbox
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import health_state as health
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import Checked
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.ipvs_entries import server_entry, service_entry
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import HealthCheck
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import (
    HEADER,
    PROGRAMS,
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
_USER = "mon"  # and its group, as Debian's package makes them
_MAX_PROCESSES = 500
_RUNTIME = health.FAILED.removeprefix("/run/")
_NEEDS = """\
Requires=lvs-cluster-health.path
Wants=lvs-cluster-health.service
After=lvs-cluster-health.path lvs-cluster-health.service
"""
# In the place of the package's unit. Told to end, mon ends with status 1 (its handler of SIGTERM). It runs up to
# maxprocs monitors at a time, and one that takes all memory must not end the others.
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
# PathExists is looked at again whenever the service has ended, where PathChanged would miss what changes while it runs
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
# mon's group may remove the file that systemd looks for. A run in which something went wrong is made again. systemd
# must not count runs: with too many of them it would no longer look at the path. With -I, Python takes no modules from
# the environment.
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
    """The configuration, the alert, the units, and programs, which mon runs as its own user: ``user`` is empty."""
    commands = programs(checked, user, _USER)
    monitors = {name: file.path.rpartition("/")[2] for name, file in commands.items()}
    return [
        *commands.values(),
        File(health.CONFIGURATION, json.dumps(services(checked), indent=1) + "\n", "reload"),
        File(CONFIGURATION, configuration(checked, monitors), "restart", group=_USER),
        unit_file("lvs-cluster-health.path", _PATH, "restart"),
        unit_file("lvs-cluster-health.service", _APPLY, "reload"),
        unit(UNIT, _service_section(checked), _NEEDS),
    ]


def _service_section(checked: Sequence[Checked]) -> str:
    """The unit's section. Only to ping takes a capability: fping's own would not count with NoNewPrivileges."""
    capabilities = ["CAP_NET_RAW"] if any(check.type == "ping" for _item, check in checked) else []
    watches = sum(len(item.service.ports) * len(item.servers) for item, _check in checked)
    return _SERVICE.format(
        user=_USER,
        capabilities="".join(f"AmbientCapabilities={name}\n" for name in capabilities),
        runtime=_RUNTIME,
        configuration=CONFIGURATION,
        changed=health.CHANGED,
        megabytes=megabytes(min(watches, _MAX_PROCESSES)),
        sandbox=sandbox.checker(*capabilities),
    )


def services(checked: Sequence[Checked]) -> list[dict[str, object]]:
    """What health.py reads: the services as they are when all is well, and by which watch each real server is known."""
    entries: list[dict[str, object]] = []
    for item, check in checked:
        for identity, port in zip(item.service.identities(), item.service.ports):
            sorry = item.service.sorry_server
            entries.append(
                {
                    "service": service_entry(item.service, identity),
                    "quorum": check.quorum,
                    "inhibit_on_failure": check.inhibit_on_failure,
                    "real_servers": [
                        {"weight": 1, **server_entry(item.service, server, port), "watch": _watch(item, server, port)}
                        for server in item.servers
                    ],
                    "sorry_server": None
                    if sorry is None
                    else server_entry(item.service, _as_real_server(sorry.address, sorry.port), port),
                }
            )
    return entries


def _as_real_server(address: IPAddress, port: int | None) -> RealServer:
    return RealServer("sorry_server", None, address, port, 1, 0, 0)


def configuration(checked: Sequence[Checked], monitors: dict[str, str]) -> str:
    """The whole file. ``monitors`` are the names of programs by the service's name."""
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
    watches = [
        (item, check, server, port) for item, check in checked for port in item.service.ports for server in item.servers
    ]
    for item, _check, server, port in watches:
        lines += ["", f"hostgroup {_watch(item, server, port)} {server.address}"]
    for item, check, server, port in watches:
        lines += ["", f"watch {_watch(item, server, port)}"]
        monitor = _monitor(check, check.port or server.port or port, monitors.get(item.service.name, ""))
        lines += [f"    {line}" for line in _service(check, monitor)]
    return "\n".join(lines) + "\n"


def _watch(item: ResolvedService, server: RealServer, port: int) -> str:
    """A name in the characters that mon takes. Read from its end it is another for each real server."""
    host = str(server.address).replace(":", "-")
    return f"{item.service.name}_{port}_{host}_{port if server.port is None else server.port}"


def _service(check: HealthCheck, monitor: str) -> Iterator[str]:
    yield "service health"
    inner = [f"interval {check.interval:.0f}s", f"monitor {monitor}", "period wd {Sun-Sat}"]
    if check.retries:
        inner.append(f"    alertafter {check.retries + 1}")
    inner += ["    alertevery 30s", f"    alert {_ALERT} failed", f"    upalert {_ALERT} well"]
    yield from (f"    {line}" for line in inner)


def _monitor(check: HealthCheck, port: int, program: str) -> str:
    """A monitor and its arguments, to which mon adds the address."""
    seconds = f"{check.timeout:.0f}"
    if check.type == "misc":
        return f"{program} ;;"
    if check.type == "ping":
        return f"fping.monitor -r 1 -t {seconds}000"  # to it, 0 means 3
    if check.type == "dns":
        return f"dns.monitor -caching_only -query {check.name}:{check.record} -retry 1 -timeout {seconds}"
    if check.type == "smtp":  # smtp.monitor dies with the Perl of Debian 12
        return f"smtp3.monitor --port={port} --timeout={seconds} --alarmtime={seconds}"
    words = [f"{check.type}.monitor", "-p", str(port), "-t", seconds]
    if check.type == "http":
        words += ["-u", f'"{check.path or "/"}"']
    return " ".join(words)
