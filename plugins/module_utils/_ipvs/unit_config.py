# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the module service_config: a systemd unit, its files, and its virtual services in the IPVS table."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._host.director_state import MAX_WRITTEN, Held, without_services, written_services
from .._host.errors import HostError
from .._host.files import read_text, write_text
from .._host.local_addresses import all_addresses
from .._host.process import RunCommand, booted, require_root, runner
from .._host.service_plan import (
    RELOAD,
    RESTART,
    STOP,
    STOPPED,
    Applied,
    ConfigFile,
    ServicePlan,
    ServiceState,
    Wanted,
    applied,
    check,
    pending,
    plan_service,
)
from .._host.service_unit import ServiceUnit
from .._host.task import fail_without_library, respawn_with_library
from .._host.validate import IPAddress, parse_address, unicast_address
from . import arguments, model
from .continuity import Handover, InterimVips, await_change, dropped, held_alone
from .converge import ConvergeError
from .kernel import KernelError, LibraryMissing
from .model import InvalidValue, ServiceKey

Step = Callable[[], None]

#: The table as the kernel shows it without netlink.
TABLE = "/proc/net/ip_vs"
_SERVICE = re.compile(r"(TCP|UDP|SCTP)\s+(\[[0-9a-fA-F:]+\]|[0-9A-F]{8}):([0-9A-F]{4})\s")
_MARK = re.compile(r"FWM\s+([0-9A-F]{8})\s")
KEEPALIVED, NONE = "keepalived", "none"
#: The longest wait for keepalived between two reloads, try by try.
_PAUSES = (1.0, 3.0, 10.0)  # seconds
#: The longest time until a service is in the table.
_APPEARS = 20.0  # seconds
#: The longest time for a director to release its VIPs: keepalived reads the file at once, and others take over within
#: about three intervals.
_RELEASED = 30.0  # seconds
_STAYS_AWAY = ". This director takes no VIP until a run of site succeeds"
#: The values of the handover file (director_state.JOINING): this director takes no VIP, or it has its own priority.
NO_VIP, HANDED_BACK = "3 restarting\n", "0\n"


@dataclass(frozen=True)
class Task:
    """The options of a task besides the unit: how absent services are added, and which services outlast their owner.

    ``may_restart``: restart the unit if reloads do not add them. ``handover_file``: the file by which this
    host releases its ``vips`` before a restart; empty for a single director.
    """

    wanted: Wanted
    add_missing: str = NONE
    keep: frozenset[ServiceKey] = frozenset()
    may_restart: bool = False
    handover_file: str = ""
    vips: frozenset[IPAddress] = frozenset()


def parse_task(params: Mapping[str, Any]) -> Task:
    """Return the arguments as values. Raises HostError and InvalidValue."""
    keys = [arguments.service_key(entry) for entry in params["services"]]
    files = tuple(
        ConfigFile(
            entry["path"],
            entry["content"],
            entry["owner"],
            entry["group"],
            entry["mode"],
            entry["on_change"],
            tuple(entry["validate"]),
            entry["validate_status"],
            entry["validate_content"] or "",
        )
        for entry in params["files"] or ()
    )
    name = params["name"]
    unit = name if "." in name else f"{name}.service"
    keep = frozenset(arguments.service_key(entry) for entry in params["keep"])
    wanted = Wanted(
        unit,
        params["state"],
        files,
        tuple(params["directories"]),
        frozenset(map(str, keys)),
        frozenset(map(str, keep)),
    )
    check(wanted)
    handover = params["handover"] or {"file": "", "vips": []}
    vips = frozenset(unicast_address("handover.vips", text, "an address to have") for text in handover["vips"])
    return Task(wanted, params["add_missing"], keep, params["may_restart"], handover["file"], vips)


def keepalived_identity(key: ServiceKey) -> dict[str, object]:
    """Return a key as `written_services` has it."""
    if key.fwmark:
        return {"fwmark": key.fwmark, "family": model.FAMILY_NAMES[key.family]}
    address = model.address_text(key.address)
    return {"address": address, "port": key.port, "protocol": model.PROTOCOL_NAMES[key.protocol]}


def key_of(name: str) -> ServiceKey | None:
    """Return the key of this text (`ServiceKey`), None for any other text."""
    words = name.split()
    try:
        if words[0] == "fwmark":
            return ServiceKey(int(words[1]), model.FAMILIES[words[2]], 0, b"", 0)
        address, _colon, port = words[1].rpartition(":")
        packed = model.pack_address(address.strip("[]"))
        return ServiceKey(0, model.family_of(packed), model.PROTOCOLS[words[0]], packed, int(port))
    except (IndexError, KeyError, ValueError):
        return None


def keys_of(names: Iterable[str]) -> frozenset[ServiceKey]:
    """Return the keys of these names."""
    return frozenset(key for key in map(key_of, names) if key is not None)


def parse_services(lines: Iterable[str]) -> Iterator[ServiceKey]:
    """Yield the virtual services of /proc/net/ip_vs (ip_vs_ctl.c: ip_vs_info_seq_show).

    It does not have the family of one with a firewall mark, so such a service is returned for both.
    """
    for line in lines:
        service, mark = _SERVICE.match(line), _MARK.match(line)
        if service:
            packed = model.pack_address(service[2].strip("[]")) if ":" in service[2] else bytes.fromhex(service[2])
            protocol = model.PROTOCOLS[service[1].lower()]
            yield ServiceKey(0, model.family_of(packed), protocol, packed, int(service[3], 16))
        elif mark:
            for family in model.FAMILY_NAMES:
                yield ServiceKey(int(mark[1], 16), family, 0, b"", 0)


def services_in_table(path: str = TABLE) -> set[ServiceKey]:
    """Return every virtual service; none if IPVS is not loaded."""
    try:
        with open(path, encoding="ascii", errors="replace") as lines:
            return set(parse_services(lines))
    except OSError:
        return set()


class Service:
    """The unit and the table of this host."""

    def __init__(
        self,
        task: Task,
        run: RunCommand,
        root: str = "/",
        table: Callable[[], Iterable[ServiceKey]] = services_in_table,
        handover: Handover | None = None,
        sleep: Callable[[float], None] = time.sleep,
        held: Callable[[], Collection[Held]] | None = None,
    ) -> None:
        self.task = task
        self._wanted = task.wanted
        self._unit = ServiceUnit(task.wanted.unit, run, root)
        self._table = table
        self._handover = handover or Handover(run)
        self._sleep = sleep
        self._held = held or (lambda: all_addresses(run))
        self._interim = InterimVips(run, sleep, self._held)
        self._root = root

    def read(self) -> ServiceState:
        """Return the state. Raises HostError."""
        state = self._unit.read(self._wanted)
        written: list[ServiceKey] = []
        if self.task.add_missing == KEEPALIVED and state.applied is None:
            for file in state.files.values():
                if file is not None and len(file.content) <= MAX_WRITTEN:
                    written += self._written(file.content.decode("utf-8", "replace"))
        needed = self._wanted.services or self._wanted.state == STOPPED
        table = self._present() if needed else None
        handed_over = self.task.handover_file if self._handover_text() == NO_VIP else ""
        return replace(state, table=table, written=frozenset(map(str, written)), handed_over=handed_over)

    def _handover_path(self) -> str:
        return os.path.join(self._root, self.task.handover_file.lstrip("/"))

    def _hand_over(self, text: str) -> None:
        write_text(self._handover_path(), text)

    def _handover_text(self) -> str:
        return (read_text(self._handover_path()) or "") if self.task.handover_file else ""

    def _written(self, text: str) -> Iterator[ServiceKey]:
        for identity in written_services(text):
            with contextlib.suppress(InvalidValue):
                yield arguments.service_key(identity)

    def _present(self) -> frozenset[str]:
        return frozenset(map(str, self._table()))

    def plan(self, state: ServiceState) -> ServicePlan:
        """Return the plan."""
        return plan_service(state, self._wanted)

    def validate(self, plan: ServicePlan, check_mode: bool) -> None:
        """Validate the files with the programs that read them. Raises HostError."""
        self._unit.validate(plan, self._wanted, if_installed=check_mode)

    def steps(self, state: ServiceState, plan: ServicePlan) -> Iterator[Step]:
        """Yield the steps that carry a plan out, in their order. A run that ends between two is completed by the next.

        Each raises HostError, KernelError or ConvergeError.
        """
        wanted = self._wanted
        if wanted.state == STOPPED:
            yield from self._stopping(plan)
            return
        marked = bool(plan.write or plan.remove or plan.directories or plan.action or plan.missing)
        drops, seconds = self._dropped(state, plan)
        if marked:
            record = pending(state, wanted, frozenset(map(str, drops)), seconds)
            yield lambda: self._unit.record(wanted, record)
        if plan.directories:
            yield lambda: self._unit.make(plan.directories)
        if plan.write:
            yield lambda: self._unit.write(plan.write, state.files)
        if plan.remove:
            yield lambda: self._unit.remove(plan.remove)
        if plan.daemon_reload:
            yield lambda: self._unit.systemctl("daemon-reload")
        if plan.enable:
            yield lambda: self._unit.systemctl("enable")
        if plan.action:
            yield lambda: self._act(plan, drops, seconds)
        if plan.missing:
            yield lambda: self._add(plan.missing)
        if state.handed_over:
            yield lambda: self._hand_over(HANDED_BACK)
        yield lambda: self._applied(None if marked else state.applied)

    def _stopping(self, plan: ServicePlan) -> Iterator[Step]:
        if plan.enable is False:
            yield lambda: self._unit.systemctl("disable")
        if plan.action == STOP:
            yield lambda: self._act(plan)
        if plan.orphans:
            yield lambda: self._handover.remove(keys_of(plan.orphans))
        yield self._forget

    def _forget(self) -> None:
        """Remove the record."""
        self._unit.forget(self._wanted)

    def kept(self, plan: ServicePlan) -> frozenset[ServiceKey]:
        """Return the services that stay with another owner, and that the unit removes from the table."""
        if plan.action == RELOAD:
            return self.task.keep & keys_of(plan.released)
        # A unit that stops removes all its services, so their names are not needed.
        return self.task.keep if plan.action in (RESTART, STOP) else frozenset()

    def _dropped(self, state: ServiceState, plan: ServicePlan) -> tuple[frozenset[IPAddress], float]:
        """Return the VIPs that keepalived removes for a moment at a reload, and the longest duration in seconds.

        Those of an interrupted run are recorded: it may have replaced the configuration that keepalived has read.
        """
        if plan.action != RELOAD or self.task.add_missing != KEEPALIVED:
            return frozenset(), 0.0
        found: set[IPAddress] = set()
        longest = 0.0
        before = state.applied
        if before is not None and before.pending and before.invocation == state.unit.invocation:
            with contextlib.suppress(ValueError):
                found |= {parse_address(text) for text in before.interim}
            longest = before.seconds
        for file in plan.write:
            written = state.files.get(file.path)
            if written is not None and len(written.content) <= MAX_WRITTEN:
                addresses, seconds = dropped(written.content.decode("utf-8", "replace"), file.content)
                found |= addresses
                longest = max(longest, seconds)
        return frozenset(found), longest

    def _act(self, plan: ServicePlan, dropped_vips: Collection[IPAddress] = (), seconds: float = 0.0) -> None:
        """Start, reload, restart or stop the unit. The host keeps the VIPs that it removes for up to these seconds."""

        def act() -> None:
            if not dropped_vips:
                self._unit.systemctl(plan.action)
                return
            with self._interim.meanwhile(dropped_vips, seconds):
                self._unit.systemctl(plan.action)

        keep = self.kept(plan)
        try:
            if keep:
                self._handover.keep(keep, act, at_once=plan.action != RELOAD)
            else:
                act()
        except HostError:
            if plan.action != RELOAD or not self.task.may_restart:
                raise
            self._restart_with_handover(self._wanted.services)
        if plan.action != STOP and not self._unit.show().active:
            raise HostError(f"{self._wanted.unit} ended after its {plan.action}; see journalctl -u {self._wanted.unit}")

    def _add(self, names: Collection[str]) -> None:
        """Make the process add its services to the table, if they are still absent."""
        if self._appear(names, 2.0):
            return
        if self.task.add_missing == KEEPALIVED:
            self._reload_twice(names)
        elif self.task.add_missing == RELOAD:
            self._reloads()
        if self._appear(names, _APPEARS) or self.task.add_missing == NONE:
            return
        if not self.task.may_restart:
            raise HostError(
                f"{self._wanted.unit} did not add {', '.join(self._absent(names))} to the IPVS table after a reload, so"
                f" it must be restarted: {self._cost()}. It is restarted if director_may_restart of the role, or"
                " may_restart of the module, is true"
            )
        self._restart_with_handover(names)

    def _restart_with_handover(self, names: Collection[str]) -> None:
        """Release the VIPs, restart the unit, and take the VIPs again once these services are in the table."""
        before = self._handover_text() or HANDED_BACK
        handed_over = self._let_vips_go()
        self._restart()
        if not self._appear(names, _APPEARS):
            raise HostError(
                f"{self._wanted.unit} did not add {', '.join(self._absent(names))} to the IPVS table after a restart:"
                f" see journalctl -u {self._wanted.unit}{_STAYS_AWAY if handed_over else ''}"
            )
        if handed_over:
            self._hand_over(before)

    def _cost(self) -> str:
        """Return the effect of a restart on clients."""
        if self.task.handover_file:
            return "this director releases its VIPs before, and another one takes them if it is ready"
        if self.task.add_missing == KEEPALIVED:
            return "the VIPs are on lo for some seconds, and neighbour discovery for them is not answered"
        kept = "stay in the table" if self.task.keep else "may be gone"
        return f"its services {kept} meanwhile, and are not checked"

    def _restart(self) -> None:
        """Restart the unit. Its services stay in the table, and the VIPs of a single director on the host."""
        keep = self.task.keep
        found = [held_alone(file.content) for file in self._wanted.files if self.task.add_missing == KEEPALIVED]
        vips = frozenset[IPAddress]().union(*(addresses for addresses, _seconds in found))

        def act() -> None:
            with self._interim.meanwhile(vips, max((seconds for _addresses, seconds in found), default=0.0)):
                self._unit.systemctl(RESTART)

        if keep:
            self._handover.keep(keep, act, at_once=True)
        else:
            act()

    def _let_vips_go(self) -> bool:
        """Release the VIPs. Return True if this host takes them again, that is, if it was not blocked before."""
        if not self.task.handover_file or self._handover_text().startswith("3"):
            return False
        before = self._handover_text()
        self._hand_over(NO_VIP)
        if await_change(self._holds_no_vip, _RELEASED, self._sleep):
            return True
        self._hand_over(before or HANDED_BACK)
        raise HostError(
            f"{self._wanted.unit} must be restarted, but keepalived did not release the VIPs within {_RELEASED:g}"
            " seconds: if there is another director, fail over to it (lvs.cluster.failover), then restart the unit here"
            f" (systemctl restart {self._wanted.unit})"
        )

    def _holds_no_vip(self) -> bool:
        return self.task.vips.isdisjoint(one.address for one in self._held())

    def _reloads(self) -> bool:
        """Reload the unit; return True if that succeeds. For a process that hangs, systemd waits until its timeout."""
        try:
            self._unit.systemctl(RELOAD)
        except HostError:
            return False
        return True

    def _reload_twice(self, names: Collection[str]) -> None:
        """Reload keepalived without services, and again with them.

        It compares a configuration with the former one, not with the kernel: the second reload adds what the first one
        removes (check/ipwrapper.c: clear_diff_services, init_service_vs). Its VRRP instances are unchanged. The second
        reload waits until all processes have read the first (core/main.c: process_reload_signal), but the parent has to
        have read the file before that is replaced.
        """
        identities = [keepalived_identity(key) for key in sorted(keys_of(names))]
        cut = [
            (file, replace(file, content=without_services(file.content, identities)))
            for file in self._wanted.files
            if len(file.content) <= MAX_WRITTEN
        ]
        cut = [(file, without) for file, without in cut if without.content != file.content]
        for pause in _PAUSES if cut else ():
            found = self._unit.read(self._wanted).files
            try:
                self._unit.write([without for _file, without in cut], found)
                if not self._reloads():
                    return
                self._sleep(pause)
            finally:
                self._unit.write([file for file, _without in cut], found)
            if not self._reloads() or self._appear(names, 2 * pause):
                return

    def _absent(self, names: Iterable[str]) -> list[str]:
        return sorted(set(names) - self._present())

    def _appear(self, names: Collection[str], seconds: float) -> bool:
        """Return True if all of these services are in the table within this time."""
        return await_change(lambda: not self._absent(names), seconds, self._sleep) or not self._absent(names)

    def _applied(self, recorded: Applied | None) -> None:
        record = applied(self._wanted, self._unit.show().invocation)
        if recorded != record:
            self._unit.record(self._wanted, record)


def run(module: AnsibleModule) -> None:
    """Apply the arguments to the unit; end the process with the result or with an error."""
    run_command = runner(module)
    try:
        task = parse_task(module.params)
        require_root()
        if not booted():
            raise HostError("systemd does not run on this host, so it has no services to manage")
        service = Service(task, run_command, handover=Handover(run_command, warn=module.warn))
        state = service.read()
        plan = service.plan(state)
        restarts = bool(task.may_restart and task.keep and (plan.missing or plan.action == RELOAD))
        if (service.kept(plan) or plan.orphans or restarts) and not module.check_mode:
            respawn_with_library(module)
        service.validate(plan, module.check_mode)
        if not module.check_mode:
            for step in service.steps(state, plan):
                step()
    except LibraryMissing as error:
        fail_without_library(module, error, "to keep virtual services in the IPVS table")
    except (HostError, InvalidValue, KernelError, ConvergeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=plan.changed,
        running=state.unit.active,
        action=plan.action,
        differences=[difference.as_dict() for difference in plan.differences],
        **({"diff": _diff(state, plan)} if module._diff else {}),
    )


def _diff(state: ServiceState, plan: ServicePlan) -> list[dict[str, Any]]:
    """Return the files that change, and one part for everything else."""
    parts = []
    for file in plan.write:
        found = state.files.get(file.path)
        before = "" if found is None else found.content.decode("utf-8", "replace")
        parts.append(_part(file.path, before, file.content))
        if found is not None and before == file.content:
            parts[-1] = _part(
                f"{file.path} (owner and mode)",
                f"{found.owner}:{found.group} {found.mode}\n",
                f"{file.owner}:{file.group} {file.mode}\n",
            )
    for path in plan.remove:
        gone = state.files.get(path)
        parts.append(_part(path, "" if gone is None else gone.content.decode("utf-8", "replace"), ""))
    others = [one for one in plan.differences if one.kind != "file"]
    if others:
        before, after = ("".join(f"{one.kind} {one.name}: {text}\n" for one, text in side) for side in _sides(others))
        parts.append(_part("service", before, after))
    return parts


def _sides(others: list[Any]) -> tuple[list[tuple[Any, str]], list[tuple[Any, str]]]:
    return [(one, one.found) for one in others], [(one, one.wanted) for one in others]


def _part(name: str, before: str, after: str) -> dict[str, Any]:
    return {"before_header": name, "after_header": name, "before": before, "after": after}
