# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd and programs, as files of a director.

**Addresses.** keepalived waits for the addresses that it needs. A link comes up late at boot, and an IPv6 address is
unusable during duplicate address detection (RFC 4862, section 5.4). A keepalived 2.2.7 that starts earlier cannot bind
its socket, and stays in the state FAULT until it is reloaded (open_sockpool_socket in keepalived/vrrp/vrrp.c); 2.3.3
recovers. If the link is missing, both versions start the synchronisation only at their next change of state or reload.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.lvs.cluster.plugins.module_utils._host import sandbox
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.check_commands import PROGRAMS
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import Checked, own_checks
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import Instance
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import PLACEHOLDER
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import SyncDaemon
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import Check

#: The first line of our configurations.
HEADER = "# Written by the role lvs.cluster.director: changes made here are lost."
#: Waits for addresses (roles/director/files).
WAIT = "/usr/local/lib/lvs-cluster/wait-for-addresses"
#: The arguments of those programs, by placeholder.
_ARGUMENTS = {"vip": "${vip%]}", "vport": "$2", "address": "${address%]}", "port": "$4", "name": "$5"}
_UNBRACKETED = "vip=${1#[} address=${3#[}\n"
_PATIENCE = 30  # seconds, less than systemd's timeout for the start of this unit
# The drop-in of keepalived's unit wants this one (roles/director/files). PartOf: stopping keepalived ends the wait too.
_TEXT = """\
{header}
[Unit]
Description=Addresses of lvs.cluster that keepalived needs
PartOf=keepalived.service
After=network.target network-online.target
Before=keepalived.service

[Service]
TimeoutStartSec=90
RuntimeDirectory=lvs-cluster-addresses
ExecStartPre=-timeout {patience} {wait} start {addresses}
ExecStart={wait} late {addresses}
{sandbox}"""


@dataclass(frozen=True)
class File:
    """A file on the director. ``on_change``: the action after a change, ``reload`` or ``restart`` of the unit.

    ``validate`` is a command with ``%s`` for the path of a candidate; its status is ``validate_status`` for a valid
    one. With another ``group`` than root, the health checker's own user reads the file. Commands and paths may contain
    secrets, so files with them are readable by no other user.
    """

    path: str
    content: str
    on_change: str
    mode: str = "0640"
    validate: tuple[str, ...] = ()
    validate_status: int = 0
    group: str = "root"

    def as_dict(self) -> dict[str, object]:
        """Return the file as the module ``service_config`` takes it."""
        return {**asdict(self), "validate": list(self.validate)}


def unit(name: str, service: str, needs: str = "") -> File:
    """Return the systemd unit that replaces the package's: its section ``service``, and lines on the units it needs."""
    text = f"""\
{HEADER}
[Unit]
Description=Health checks of lvs.cluster, by {name}
Documentation=man:{name}(8)
After=network.target lvs-cluster-ipvs.service keepalived.service
{needs}
[Service]
{service}
[Install]
WantedBy=multi-user.target
"""
    return unit_file(f"{name}.service", text, "restart")


def unit_file(name: str, text: str, on_change: str) -> File:
    """Return a file of systemd's configuration, which any user may read."""
    return File(f"/etc/systemd/system/{name}", text, on_change, "0644")


def program(command: str, user: str, seconds: float) -> str:
    """Return a script that runs a health check's command for at most these seconds, as another user if one is named.

    The script's arguments are the VIP, its port, the real server's address and port, and its name. The command gets
    those that it has placeholders for, each as a part of one word, and not the capabilities of the caller. ldirectord
    gives IPv6 addresses in brackets (ld_gethostbyname), which the command does not get.
    """
    # setpriv takes a user's name, but not the group of that; runuser would open a session each time
    other = f' --reuid={user} --regid="$(id -g {user})" --init-groups' if user else ""
    return (
        f"#!/bin/sh\n{HEADER}\n{_UNBRACKETED if PLACEHOLDER.search(command) else ''}exec setpriv{other} \\\n"
        "    --inh-caps=-all --ambient-caps=-all --no-new-privs -- \\\n"
        f"    timeout {seconds:.0f} {' '.join(map(_word, command.split()))}\n"
    )


def _word(word: str) -> str:
    """Return a word for a shell, with the script's arguments for placeholders."""
    parts = PLACEHOLDER.split(word)
    texts = [
        f'"{_ARGUMENTS[part]}"' if number % 2 else shlex.quote(part)
        for number, part in enumerate(parts)
        if number % 2 or part
    ]
    return "".join(texts)


def programs(checked: Iterable[Checked], user: str, group: str = "root") -> Mapping[tuple[str, Check], File]:
    """Return the scripts of all commands, for root and ``group`` to run: service name and check -> file."""
    found: dict[tuple[str, Check], File] = {}
    for item, _pool in checked:
        name, number = item.service.name, 0
        for _place, check, _servers in own_checks(item):
            if check.command is None or (name, check) in found:
                continue
            path = f"{PROGRAMS}/check-{name}" + (f"+{number}" if number else "")  # no name has a +
            text = program(check.command, user, check.timeout)
            found[name, check] = File(path, text, "reload", "0750", group=group)
            number += 1
    return found


def megabytes(processes: int) -> int:
    """Return the memory limit for this many simultaneous checks, each a Perl process with a real server's answer."""
    return 512 + 32 * processes


def addresses_unit(instances: Sequence[Instance], sync_daemon: SyncDaemon | None) -> str:
    """Return the whole unit, ending in a newline; empty for a single director."""
    addresses = list(dict.fromkeys(one.source_address for one in instances if one.source_address))
    if not addresses:
        return ""
    # The kernel sends from an address of the link (ip_vs_sync.c, bind_mcastif_addr).
    if sync_daemon is not None and all(sync_daemon.interface != one.settings.interface for one in instances):
        link = shlex.quote(sync_daemon.interface).replace("%", "%%")
        addresses.append(f"{6 if ':' in (sync_daemon.group or '') else 4}={link}")
    return _TEXT.format(
        header=HEADER,
        patience=_PATIENCE,
        wait=WAIT,
        addresses=" ".join(addresses),
        sandbox=sandbox.program(),  # root needs no capability to control systemd
    )
