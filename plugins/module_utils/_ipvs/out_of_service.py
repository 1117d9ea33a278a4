# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ipvs_drain: drains real servers in all their services on this director, and returns them to service.

The weights of the role's own services are set here. The health checker sets those of its services when it reads the
file (_host/drain_files.py). The files are the record for both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from ansible.module_utils.basic import AnsibleModule

from .._host import drain_files
from .._host.difference import as_dicts
from .._host.wait import until
from . import arguments, drain, model, module, persist, programs, readings
from .converge import ConvergeError, Outcome, converge, in_words, turn
from .differences import of_drains
from .kernel import Ipvs, KernelError
from .model import (
    InvalidValue,
    RealServer,
    RealServerKey,
    RealServerPatch,
    ServiceKey,
    ServicePatch,
    Table,
    VirtualService,
)

#: The default time, in seconds, in which the health checker must react to a file.
SETTLE = 30.0
IN_SERVICE_TIMEOUT = 60.0  # seconds
#: How long real servers are absent from the table while their UDP flows move, in seconds. The kernel looks for the
#: connections of removed real servers 1 jiffy later (ip_vs_ctl.c: expire_nodest_conn_work).
_AWAY = (1.0, 2.0, 4.0)
#: These choose by the order in which real servers were added, so adding one again changes the choice for all clients.
_BY_ORDER = ("dh", "mh", "sh")
_EXPIRE = "/proc/sys/net/ipv4/vs/expire_nodest_conn"


def manage(
    ansible: AnsibleModule,
    holds: Callable[[tuple[str, ...]], bool],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> module.Result:
    """Return the result of the module. Raises the exceptions of converge. ``holds``: True on the director that has one
    of these VIPs.
    """
    try:
        return _Run(ansible, holds, clock, sleep).result()
    except OSError as error:
        raise KernelError(in_words(error)) from error


class _Run:
    def __init__(
        self,
        ansible: AnsibleModule,
        holds: Callable[[tuple[str, ...]], bool],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._module = ansible
        self._clock, self._sleep = clock, sleep
        self._params = params = ansible.params
        self._holds = holds
        self._directory: str = params["drain_directory"]
        self._addresses = frozenset(_address(text) for text in params["real_servers"])
        self._ours = self._concerned(params["services"])
        self._theirs = self._concerned(params["health_checked"])
        self._quorums = {arguments.service_key(entry): entry.get("quorum") or 0 for entry in params["health_checked"]}
        every = [*params["services"], *params["health_checked"]]
        self._vips = {arguments.service_key(entry): tuple(entry.get("vips") or params["vips"]) for entry in every}
        arguments.refuse_duplicates([*self._ours, *self._theirs])
        self._check()

    def _concerned(self, entries: Iterable[arguments.Arguments]) -> list[ServicePatch]:
        """Return the services that have one of these real servers, reduced to these real servers."""
        concerned = []
        for patch in arguments.services(entries):
            servers = {
                key: server for key, server in (patch.real_servers or {}).items() if key.address in self._addresses
            }
            if servers:
                concerned.append(patch._replace(settings=None, real_servers=servers))
        return concerned

    def _check(self) -> None:
        known = {key.address for patch in self._all() for key in patch.real_servers or {}}
        for address in sorted(self._addresses - known):
            text = model.address_text(address)
            raise InvalidValue(
                "real_servers", text, text, f"{text} is not a real server of any of the services", whole=True
            )
        minimum, timeout = self._params["minimum_in_service"], self._params["timeout"]
        if minimum < 0:
            raise InvalidValue("real_servers", "minimum_in_service", minimum, "must not be negative")
        drain.check_pause("real_servers", "udp_pause", self._params["udp_pause"])
        if timeout is not None and not 0 <= timeout <= drain.MAX_TIMEOUT:
            raise InvalidValue("real_servers", "timeout", timeout, f"must be from 0 to {drain.MAX_TIMEOUT} seconds")

    def _all(self) -> list[ServicePatch]:
        return [*self._ours, *self._theirs]

    def result(self) -> module.Result:
        with Ipvs(load=False) as ipvs:
            with turn(not self._module.check_mode):
                result = self._take_out(ipvs) if self._params["state"] == "drained" else self._put_back(ipvs)
            if self._params["wait"] and not self._module.check_mode:
                try:
                    result.update(self._wait(ipvs))
                except ConvergeError as error:
                    error.result = {**result, **error.result}
                    raise
        return result

    def _take_out(self, ipvs: Ipvs) -> module.Result:
        current = self._read(ipvs)
        drained = drain_files.read(self._directory)
        if self._params["refuse_drained"]:
            self._refuse(self._addresses & drained)
        self._check_floor(current)
        files = self._addresses - drained
        quiesced = [
            patch._replace(
                real_servers=dict.fromkeys(patch.real_servers or {}, RealServerPatch(weight=0, only_existing=True))
            )
            for patch in self._ours
        ]
        return self._switch(ipvs, current, quiesced, files, drain_files.write, drain_files.remove)

    def _refuse(self, drained: Iterable[bytes]) -> None:
        for address in sorted(drained):
            text = model.address_text(address)
            reason = f"{text} is drained already: it may be under maintenance, or an earlier run failed"
            raise InvalidValue("real_servers", text, text, reason, whole=True)

    def _put_back(self, ipvs: Ipvs) -> module.Result:
        current = self._read(ipvs)
        files = self._addresses & drain_files.read(self._directory)
        weighted = [
            patch._replace(
                real_servers={key: _weighted(server, current, patch.key, key) for key, server in _servers(patch)}
            )
            for patch in self._ours
        ]
        return self._switch(ipvs, current, weighted, files, drain_files.remove, drain_files.write)

    def _switch(
        self,
        ipvs: Ipvs,
        current: Table,
        patches: list[ServicePatch],
        files: frozenset[bytes],
        change: Callable[[str, Iterable[bytes]], None],
        change_back: Callable[[str, Iterable[bytes]], None],
    ) -> module.Result:
        """Change files and weights, or roll back."""
        kept = persist.recorded()
        if self._module.check_mode:
            return self._result(converge(ipvs, patches, check_mode=True), files, current)

        def commit(outcome: Outcome) -> None:
            self._tell(ipvs)
            if self._params["state"] == "drained":
                self._await_checker(ipvs)
            self._keep(kept, outcome)

        try:
            change(self._directory, files)
            outcome = converge(ipvs, patches, commit=commit)
        except (ConvergeError, InvalidValue, KernelError, OSError) as error:
            problems = self._back(ipvs, files, change_back)
            if problems:
                raise ConvergeError("; ".join([in_words(error), *problems]), getattr(error, "result", None)) from error
            raise
        return self._result(outcome, files, current)

    def _back(
        self, ipvs: Ipvs, files: frozenset[bytes], change_back: Callable[[str, Iterable[bytes]], None]
    ) -> list[str]:
        """Undo the changes outside the table; return a clause for each one that could not be undone."""
        problems = []
        try:
            change_back(self._directory, files)
        except OSError as error:
            problems.append(f"the files in {self._directory} could not be restored: {in_words(error)}")
        try:
            self._tell(ipvs)
        except (ConvergeError, InvalidValue, KernelError, OSError) as error:
            problems.append(f"mon's services could not be restored: {in_words(error)}")
        return problems

    def _tell(self, ipvs: Ipvs) -> None:
        """Apply the files for mon; keepalived and ldirectord read the files themselves."""
        if self._theirs and programs.present():
            programs.follow(ipvs)

    def _read(self, ipvs: Ipvs) -> Table:
        return ipvs.read({patch.key for patch in self._all()}.__contains__)

    def _check_floor(self, current: Table) -> None:
        minimum = self._params["minimum_in_service"]
        for patch in self._all():
            before = drain.in_service(current.get(patch.key))
            out = before & (patch.real_servers or {}).keys()
            if out and len(before) - len(out) < minimum:
                raise drain.undercut(patch, minimum, out, len(before))
            quorum = self._quorums.get(patch.key, 0)
            weight = sum(server.weight for server in _found(patch, current).values())
            left = weight - sum(_found(patch, current)[key].weight for key in out)
            if minimum and left < quorum <= weight:
                raise drain.quorum_lost(patch, quorum, out, left)

    def _await_checker(self, ipvs: Ipvs) -> None:
        """Wait until it has reacted to the files. If it does not run, its services are absent: do not wait."""
        within = self._params["seen_within"]
        left: list[tuple[ServicePatch, RealServerKey]] = []

        def seen() -> bool:
            left[:] = [(patch, key) for patch, key, facts in self._entries(ipvs, self._theirs) if facts["weight"]]
            return not left

        met, _waited = until(seen, within, self._clock, self._sleep)
        if not met:
            patch, key = left[0]
            raise ConvergeError(
                f"the health checker has not given real server {key} of virtual service {patch.label} the weight 0"
                f" within {within:g} seconds, so it stays in service. Check that it runs and that its configuration"
                f" watches {self._directory}, as the role director writes it"
            )

    def _entries(
        self, ipvs: Ipvs, patches: Iterable[ServicePatch]
    ) -> Iterator[tuple[ServicePatch, RealServerKey, readings.Facts]]:
        """Yield the real servers of the task, as the kernel has them."""
        for patch in patches:
            for key, _server, facts in readings.real_servers(ipvs, patch.key):
                if key in (patch.real_servers or {}):
                    yield patch, key, facts

    def _keep(self, kept: Table, outcome: Outcome) -> None:
        """Record the same weights in the table that is restored at boot, if there is one."""
        updated = {key: self._with_weights(service, outcome.table.get(key)) for key, service in kept.items()}
        if updated != kept:
            persist.carry_out(persist.to_record(updated, updated), lambda words: persist.systemctl(self._module, words))

    def _with_weights(self, service: VirtualService, changed: VirtualService | None) -> VirtualService:
        """Return a service that is kept, with the weights that these real servers have now in the kernel."""
        now = changed.real_servers if changed else {}
        found = {key: server for key, server in now.items() if key.address in self._addresses}
        servers = {
            key: server._replace(weight=found[key].weight)
            if key in found and key.address in self._addresses
            else server
            for key, server in service.real_servers.items()
        }
        return service._replace(real_servers=servers)

    def _result(self, outcome: Outcome, files: frozenset[bytes], current: Table) -> module.Result:
        names = [model.address_text(address) for address in sorted(files, key=lambda one: (len(one), one))]
        listed = "".join(f"{name}\n" for name in names)
        sides = ("", listed) if self._params["state"] == "drained" else (listed, "")
        diff = [module.table_diff(outcome)] if outcome.changed else []
        if files:
            headers = {"before_header": self._directory, "after_header": self._directory}
            diff.append({"before": sides[0], "after": sides[1], **headers})
        former = [_as_arguments(patch, current.get(patch.key)) for patch in self._ours]
        recorded = of_drains(names if files else (), self._params["state"] == "drained")
        return {
            "changed": bool(files) or outcome.changed,
            "switched": names,
            "former": former,
            "diff": diff,
            "differences": [*module.table_differences(outcome), *as_dicts(recorded)],
        }

    def _wait(self, ipvs: Ipvs) -> module.Result:
        if self._params["state"] == "drained":
            return self._wait_for_connections(ipvs)
        return self._wait_for_health(ipvs)

    def _until(self, timeout: float, left: Callable[[], list[str]], text: str, remedy: str = "") -> float:
        """Wait until no connections remain; return the seconds. Otherwise raise ConvergeError, or warn with the
        remaining ones.
        """
        remaining: list[str] = []

        def done() -> bool:
            remaining[:] = left()
            return not remaining

        met, waited = until(done, timeout, self._clock, self._sleep)
        if not met:
            self._expire(f"{text} after {timeout:g} seconds: {'; '.join(remaining)}", waited, remedy)
        return waited

    def _expire(self, words: str, waited: float, remedy: str = "") -> None:
        if self._params["expired"] == drain.FAIL:
            raise ConvergeError(f"{words}{remedy}", {"waited": round(waited, 1)})
        self._module.warn(words)

    def _wait_for_connections(self, ipvs: Ipvs) -> module.Result:
        timeout = drain.DEFAULT_TIMEOUT if self._params["timeout"] is None else self._params["timeout"]
        pause = min(self._params["udp_pause"], timeout)
        flows = drain.Flows(pause, self._clock)
        running = False

        def left() -> list[str]:
            nonlocal running
            running = False
            held = {vips: self._holds(vips) for vips in set(self._vips.values())}
            words = []
            counted = (patch for patch in self._all() if held[self._vips[patch.key]])
            for patch, key, facts in self._entries(ipvs, counted):
                if facts["weight"]:
                    raise ConvergeError(
                        f"another process has given {key} of {patch.label} weight {facts['weight']} again"
                    )
                if any(facts["connections"][kind] for kind in self._params["wait_for"]):
                    words.append(f"{key} of {patch.label} has {drain.remaining(facts)}")
                elif flows.run(patch.key, key, facts):
                    running = True
                    words.append(f"{key} of {patch.label} gets packets of UDP flows that do not pause for {pause:g} s")
            return words

        try:
            waited = self._until(timeout, left, "connections are left")
        except ConvergeError as error:
            if not running:
                raise
            # a UDP flow that continues ends only with expired=force
            remedy = "with expired=force (lvs_drain_expired) their next packets go to other real servers"
            raise ConvergeError(f"{error}; {remedy}", error.result) from error
        return {"waited": round(waited, 1), "moved": self._move_flows(ipvs) if pause else []}

    def _move_flows(self, ipvs: Ipvs) -> list[str]:
        """Move the remaining UDP flows to another real server with their next packet; return their former real servers.

        With the sysctl expire_nodest_conn the kernel removes the connections of a removed real server. Every director
        adds it again at once, with weight 0, because the next master has these flows too.
        """
        moved: dict[tuple[ServiceKey, RealServerKey], str] = {}
        for away in _AWAY:
            with turn(True):
                patches = self._with_flows(ipvs, first=not moved)
                if not patches:
                    break
                moved.update({(patch.key, key): f"{key} of {patch.label}" for patch in patches for key in _keys(patch)})
                if not _forgets():
                    self._module.warn(
                        f"UDP flows that continue will reach a drained real server again ({_joined(moved)}):"
                        " set net.ipv4.vs.expire_nodest_conn to 1, and drain once more"
                    )
                    return []
                self._readd(ipvs, patches, away)
        else:
            if self._with_flows(ipvs, first=False):
                self._expire(f"UDP flows returned each time they were moved: {_joined(moved)}", 0)
        return list(moved.values())

    def _with_flows(self, ipvs: Ipvs, first: bool) -> list[ServicePatch]:
        """Return the real servers at weight 0 that have UDP entries in the kernel."""
        current = self._read(ipvs)
        patches = []
        for patch in self._all():
            service = current.get(patch.key)
            if patch.key.protocol != model.UDP or service is None or service.settings.one_packet:
                continue
            by_order = service.settings.scheduler in _BY_ORDER
            if by_order and self._params["expired"] != drain.FORCE:
                continue
            have = {key for _patch, key, facts in self._entries(ipvs, [patch]) if facts["connections"][drain.INACTIVE]}
            # The order must stay the same on all directors, with or without entries.
            servers = {
                key: RealServerPatch(*server)
                for key, server in _found(patch, current).items()
                if key in (patch.real_servers or {}) and not server.weight and (key in have or (by_order and first))
            }
            if servers:
                patches.append(patch._replace(settings=None, real_servers=servers))
        return patches

    def _readd(self, ipvs: Ipvs, patches: list[ServicePatch], away: float) -> None:
        gone = RealServerPatch(absent=True)
        try:
            converge(ipvs, [patch._replace(real_servers=dict.fromkeys(_keys(patch), gone)) for patch in patches])
            self._sleep(away)
        finally:
            converge(ipvs, patches)

    def _wait_for_health(self, ipvs: Ipvs) -> module.Result:
        timeout = IN_SERVICE_TIMEOUT if self._params["timeout"] is None else self._params["timeout"]

        def left() -> list[str]:
            there = {(patch.key, key) for patch, key, facts in self._entries(ipvs, self._theirs) if facts["weight"]}
            services = self._read(ipvs)
            return [
                f"{key} of {patch.label}"
                + ("" if patch.key in services else " (not in the table; check that the health checker runs)")
                for patch in self._theirs
                for key, server in _servers(patch)
                if server.weight != 0 and (patch.key, key) not in there
            ]

        return {"waited": round(self._until(timeout, left, "the health checks have not added real servers"), 1)}


def _address(text: str) -> bytes:
    try:
        return model.pack_address(text)
    except ValueError as error:
        raise InvalidValue("real_servers", "real_servers", text, str(error)) from None


def _servers(patch: ServicePatch) -> Iterable[tuple[RealServerKey, RealServerPatch]]:
    return (patch.real_servers or {}).items()


def _keys(patch: ServicePatch) -> Iterable[RealServerKey]:
    return (patch.real_servers or {}).keys()


def _found(patch: ServicePatch, current: Table) -> Mapping[RealServerKey, RealServer]:
    return current[patch.key].real_servers if patch.key in current else {}


def _joined(moved: Mapping[tuple[ServiceKey, RealServerKey], str]) -> str:
    return "; ".join(moved.values())


def _forgets() -> bool:
    """Return True if the kernel removes the connections of a removed real server."""
    with open(_EXPIRE, encoding="ascii") as file:
        return file.read().strip() != "0"


def _weighted(given: RealServerPatch, current: Table, service: ServiceKey, key: RealServerKey) -> RealServerPatch:
    """Return a patch with the described weight, or with any but 0."""
    weight = given.weight
    if weight is None:
        found = current[service].real_servers.get(key) if service in current else None
        weight = None if found is not None and found.weight else model.RealServer().weight
    return RealServerPatch(weight=weight, only_existing=True)


def _as_arguments(patch: ServicePatch, found: VirtualService | None) -> dict[str, object]:
    """Return the real servers of a patch with the weights that they have, in the form of the option services.

    Real servers that the table lacks are listed without a weight, so a later call with this value names all of them.
    """
    facts = readings.service_facts(patch.key, model.Settings())
    there = found.real_servers if found is not None else {}
    identity: dict[str, object] = {
        name: facts[name] for name in ("address", "port", "protocol", "fwmark", "family") if name in facts
    }
    servers = [
        {"address": model.address_text(key.address), "port": key.port}
        | ({"weight": there[key].weight} if key in there else {})
        for key, _server in _servers(patch)
    ]
    return {**identity, "real_servers": servers}
