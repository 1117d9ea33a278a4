# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with one service that behaves as keepalived does: systemd, its files below a directory, and the IPVS table.

It compares its configuration with its former one and never with the table (keepalived 2.2.7 and 2.3.3,
check/ipwrapper.c: clear_diff_services, init_service_vs).
"""

from __future__ import annotations

import getpass
import grp
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from ansible_collections.lvs.cluster.plugins.module_utils._host.director_state import Held, instances, written_services
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import IPAddress, parse_address
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.continuity import Handover
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import ServiceKey
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.unit_config import Service, parse_task

CONFIGURATION = "/etc/keepalived/keepalived.conf"
DRAIN = "/var/lib/lvs-cluster/drain"
HANDOVER = f"{DRAIN}/director"
ME, MY_GROUP = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name


class Killed(BaseException):
    """The controller or the module's process is gone: nothing cleans up."""


def virtual_server(address: str, port: int = 80) -> str:
    """A block of a configuration."""
    return f"\nvirtual_server {address} {port} {{\n    protocol TCP\n    real_server 192.0.2.11 {port} {{\n    }}\n}}\n"


def identity(address: str, port: int = 80) -> dict[str, object]:
    """A service as a task names it."""
    return {"address": address, "port": port, "protocol": "tcp", "fwmark": None, "family": None}


def key(address: str, port: int = 80) -> ServiceKey:
    """The same as a key."""
    return arguments.service_key(identity(address, port))


class Host:
    """``calls`` are the changes that systemctl was told to make; ``told`` is what was reloaded into the process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.table: set[ServiceKey] = set()
        self.calls: list[str] = []
        self.active = self.enabled = False
        self.starts = 0
        self.started = 0.0
        self.read: str | None = None
        self.refused = ""
        self.ever: list[frozenset[ServiceKey]] = []
        self.hangs = False
        self.vips: set[IPAddress] = set()
        self.gives_up = True
        self.on_lo: dict[IPAddress, str] = {}
        self.moments = 0  # for which keepalived has no VIP

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _configuration(self) -> str:
        path = self.path(CONFIGURATION)
        return path.read_text() if path.exists() else ""

    def services(self, text: str) -> set[ServiceKey]:
        return {arguments.service_key(one) for one in written_services(text)}

    def _load(self, reload: bool) -> None:
        before = self.services(self.read or "") if reload else set()
        former = instances(self.read or "")
        self.read = self._configuration()
        # vrrp_exist() in keepalived/vrrp/vrrp.c
        for name, new in instances(self.read).items():
            old = former.get(name)
            if old and (old.virtual_router_id, not old.peers) != (new.virtual_router_id, not new.peers):
                self.moments = 7
        after = self.services(self.read)
        self.table -= before - after
        self.table |= after - before

    def run(self, command: list[str]) -> tuple[int, str, str]:
        verb = command[1]
        if command[0] == "ip":
            return self._ip(command[2:])
        if command[0] == "validate":
            refused = self.refused and self.refused in Path(command[1]).read_text()
            return (5, "", f"{command[1]}: unknown keyword\n") if refused else (0, "", "")
        if verb == "show":
            started = int((self.started - (time.time() - time.monotonic())) * 1e6) if self.active else 0
            values = {
                "LoadState": "loaded",
                "ActiveState": "active" if self.active else "inactive",
                "UnitFileState": "enabled" if self.enabled else "disabled",
                "InvocationID": f"start{self.starts}" if self.active else "",
                "NeedDaemonReload": "no",
                "ExecMainStartTimestampMonotonic": str(started),
            }
            return 0, "".join(f"{name}={value}\n" for name, value in values.items()), ""
        self.calls.append(verb)
        if verb == "enable":
            self.enabled = True
        elif verb == "disable":
            self.enabled = False
        elif verb == "start" and not self.active:
            self.start()
        elif verb == "restart":
            self.stop()
            self.start()
        elif verb == "reload":
            if not self.active:
                return 1, "", "it does not run"
            if self.hangs:
                return 1, "", "Job for keepalived.service timed out."
            self._load(reload=True)
        elif verb == "stop":
            self.stop()
        return 0, "", ""

    def _ip(self, words: list[str]) -> tuple[int, str, str]:
        """What `ip address add` and `ip address del` do with lo."""
        verb, text, *options = words
        assert options[:2] == ["dev", "lo"]
        if verb == "add":
            self.on_lo[parse_address(text.split("/")[0])] = " ".join(options[2:])
        else:
            del self.on_lo[parse_address(text.split("/")[0])]
        return 0, "", ""

    def sleep(self, _seconds: float) -> None:
        """Time passes for keepalived too."""
        self.moments = max(0, self.moments - 1)

    def start(self, at: float | None = None) -> None:
        """What systemctl does, and what others do."""
        self.active, self.hangs = True, False
        self.moments = 7
        self.starts += 1
        self.started = time.time() if at is None else at
        self._load(reload=False)

    def stop(self) -> None:
        """It takes its services along."""
        self.table -= self.services(self.read or "")
        self.active, self.read = False, None

    def held(self) -> list[Held]:
        """The VIPs of this host: none while the file of handovers says so, and none of keepalived's for a moment."""
        path = self.path(HANDOVER)
        away = (path.exists() and path.read_text().startswith("3") and self.gives_up) or self.moments > 0
        places = [(one, "lo") for one in self.on_lo] + [(one, "eth1") for one in ([] if away else self.vips)]
        return [Held(one, one.max_prefixlen, interface) for one, interface in places]

    def keep(self, keys: set[ServiceKey], act: Callable[[], None], at_once: bool) -> set[ServiceKey]:
        """What `Handover.keep` does."""
        before = self.table & keys
        act()
        gone = before - self.table
        self.table |= gone
        return gone

    def remove(self, keys: frozenset[ServiceKey]) -> None:
        """What `Handover.remove` does."""
        self.table -= keys


def parameters(text: str, services: list[dict[str, object]] | None = None, **more: object) -> dict[str, object]:
    """The arguments of a task."""
    file = {
        "path": CONFIGURATION,
        "content": text,
        "owner": ME,
        "group": MY_GROUP,
        "mode": "0640",
        "on_change": "reload",
        "validate": [],
        "validate_status": 0,
        "validate_content": None,
    }
    return {
        "name": "keepalived",
        "state": "started",
        "files": [file],
        "directories": [],
        "services": services or [],
        "add_missing": "keepalived",
        "keep": [],
        "may_restart": False,
        "handover": None,
        **more,
    }


def service(host: Host, task: dict[str, object]) -> Service:
    """The module's work on this host."""
    kept = cast(Handover, host)  # its keep and remove are called
    return Service(parse_task(task), host.run, str(host.root), lambda: host.table, kept, host.sleep, host.held)


def apply(host: Host, task: dict[str, object], steps: int | None = None) -> bool:
    """Run a task, or its first steps alone; whether it changes anything."""
    work = service(host, task)
    state = work.read()
    plan = work.plan(state)
    work.validate(plan, check_mode=False)
    for number, step in enumerate(work.steps(state, plan)):
        if number == steps:
            raise Killed
        step()
    return plan.changed


def differences(host: Host, task: dict[str, object]) -> list[tuple[str, str]]:
    """What check mode reports."""
    work = service(host, task)
    return [(one.kind, one.name) for one in work.plan(work.read()).differences]
