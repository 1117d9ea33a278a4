# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module ipvs_drain does: real servers out of all their services on this director, and back in.

PRIVATE to the collection lvs.cluster: may change without notice.

A service is either ours, then its weights are set here, or the health checker's, which sets them when it sees the file
(:mod:`.drain_files`). The files are the record for both.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator

from ansible.module_utils.basic import AnsibleModule

from . import arguments, drain, drain_files, health_program, info, model, module, persist
from .converge import ConvergeError, Outcome, converge
from .kernel import Ipvs, KernelError
from .model import InvalidValue, RealServerKey, RealServerPatch, ServiceKey, ServicePatch, Table, VirtualService

#: How long the health checker may take to see a file, in seconds, where nothing else is said.
SETTLE = 30.0
IN_SERVICE_TIMEOUT = 60.0  # seconds
_PAUSE = 0.2


def manage(ansible: AnsibleModule, is_master: Callable[[], bool]) -> module.Result:
    """The result of the module. Raises what converge raises. ``is_master``: whether waiting for connections counts."""
    try:
        return _Run(ansible, is_master).result()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise KernelError(f"{where}{error.strerror or error}") from error


class _Run:
    def __init__(self, ansible: AnsibleModule, is_master: Callable[[], bool]) -> None:
        self._module = ansible
        self._params = params = ansible.params
        self._is_master = is_master
        self._directory: str = params["drain_directory"]
        self._addresses = frozenset(_address(text) for text in params["real_servers"])
        self._ours = self._concerned(params["services"])
        self._theirs = self._concerned(params["health_checked"])
        arguments.refuse_duplicates([*self._ours, *self._theirs])
        self._check()

    def _concerned(self, entries: Iterable[arguments.Arguments]) -> list[ServicePatch]:
        """The services that have one of these real servers, with these alone."""
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
                "real_servers", text, text, f"{text} is a real server of none of the services", whole=True
            )
        minimum, timeout = self._params["minimum_in_service"], self._params["timeout"]
        if minimum < 0:
            raise InvalidValue("real_servers", "minimum_in_service", minimum, "must not be negative")
        if timeout is not None and not 0 <= timeout <= drain.MAX_TIMEOUT:
            raise InvalidValue("real_servers", "timeout", timeout, f"must be from 0 to {drain.MAX_TIMEOUT} seconds")

    def _all(self) -> list[ServicePatch]:
        return [*self._ours, *self._theirs]

    def result(self) -> module.Result:
        with Ipvs(load=False) as ipvs:
            with drain.turn(not self._module.check_mode):
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
            reason = f"{text} is drained already: somebody works on it, or a run that failed has left it so"
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
        """Change files and weights, all of it or nothing."""
        kept = persist.recorded()
        if self._module.check_mode:
            return self._result(converge(ipvs, patches, check_mode=True), files, current)
        try:
            change(self._directory, files)
            outcome = converge(ipvs, patches)
            self._tell(ipvs)
            if self._params["state"] == "drained":
                self._await_checker(ipvs)
            self._keep(kept, outcome)
        except (ConvergeError, InvalidValue, KernelError, OSError):
            with contextlib.suppress(OSError):  # what is told is what went wrong first
                change_back(self._directory, files)
            with contextlib.suppress(ConvergeError, InvalidValue, KernelError, OSError):
                self._tell(ipvs)
            converge(ipvs, [_as_it_was(patch, current) for patch in patches])
            raise
        return self._result(outcome, files, current)

    def _tell(self, ipvs: Ipvs) -> None:
        """keepalived and ldirectord look at the files themselves, and mon at nothing but real servers."""
        if self._theirs and health_program.present():
            health_program.follow(ipvs)

    def _read(self, ipvs: Ipvs) -> Table:
        return ipvs.read({patch.key for patch in self._all()}.__contains__)

    def _check_floor(self, current: Table) -> None:
        minimum = self._params["minimum_in_service"]
        for patch in self._all():
            before = drain.in_service(current.get(patch.key))
            out = before & (patch.real_servers or {}).keys()
            if out and len(before) - len(out) < minimum:
                raise drain.undercut(patch, minimum, out, len(before))

    def _await_checker(self, ipvs: Ipvs) -> None:
        """Until it has seen the files. Where it does not run, its services are not in the table: nothing is awaited."""
        within = self._params["seen_within"]
        end = time.monotonic() + within
        while True:
            left = [(patch, key) for patch, key, facts in self._entries(ipvs, self._theirs) if facts["weight"]]
            if not left:
                return
            if time.monotonic() >= end:
                patch, key = left[0]
                raise ConvergeError(
                    f"the health checker has not given real server {key} of virtual service {patch.label} the weight 0"
                    f" within {within:g} seconds, so it stays in service. Does it run, and does its configuration"
                    f" watch {self._directory}, as the role director writes it?"
                )
            time.sleep(_PAUSE)

    def _entries(
        self, ipvs: Ipvs, patches: Iterable[ServicePatch]
    ) -> Iterator[tuple[ServicePatch, RealServerKey, info.Facts]]:
        """The real servers that this is about, as the kernel has them."""
        for patch in patches:
            for key, _server, facts in info.real_servers(ipvs, patch.key):
                if key in (patch.real_servers or {}):
                    yield patch, key, facts

    def _keep(self, kept: Table, outcome: Outcome) -> None:
        """Have the table that comes back at boot say the same, where one is kept."""
        updated = {key: self._with_weights(service, outcome.table.get(key)) for key, service in kept.items()}
        if updated != kept:
            persist.carry_out(persist.to_record(updated, updated), lambda words: module.systemctl(self._module, words))

    def _with_weights(self, service: VirtualService, changed: VirtualService | None) -> VirtualService:
        """A service that is kept, with the weights that these real servers have now in the kernel."""
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
        return {"changed": bool(files) or outcome.changed, "switched": names, "former": former, "diff": diff}

    def _wait(self, ipvs: Ipvs) -> module.Result:
        if self._params["state"] == "drained":
            return self._wait_for_connections(ipvs)
        return self._wait_for_health(ipvs)

    def _until(self, timeout: float, left: Callable[[], list[str]], text: str) -> float:
        """Wait until nothing is left; returns the seconds. ConvergeError, or a warning, with what is left."""
        begun = time.monotonic()
        while True:
            remaining = left()
            waited = time.monotonic() - begun
            if not remaining:
                return waited
            if waited >= timeout:
                words = f"{text} after {timeout:g} seconds: {'; '.join(remaining)}"
                if self._params["expired"] == drain.FAIL:
                    raise ConvergeError(words, {"waited": round(waited, 1)})
                self._module.warn(words)
                return waited
            time.sleep(min(_PAUSE, timeout - waited))

    def _wait_for_connections(self, ipvs: Ipvs) -> module.Result:
        timeout = drain.DEFAULT_TIMEOUT if self._params["timeout"] is None else self._params["timeout"]

        def left() -> list[str]:
            if not self._is_master():
                return []
            entries = list(self._entries(ipvs, self._all()))
            for patch, key, facts in entries:
                if facts["weight"]:
                    raise ConvergeError(
                        f"another process has given {key} of {patch.label} weight {facts['weight']} again"
                    )
            return [
                f"{key} of {patch.label} has {drain.remaining(facts)}"
                for patch, key, facts in entries
                if any(facts["connections"][kind] for kind in self._params["wait_for"])
            ]

        return {"waited": round(self._until(timeout, left, "connections are left"), 1)}

    def _wait_for_health(self, ipvs: Ipvs) -> module.Result:
        timeout = IN_SERVICE_TIMEOUT if self._params["timeout"] is None else self._params["timeout"]

        def left() -> list[str]:
            there = {(patch.key, key) for patch, key, facts in self._entries(ipvs, self._theirs) if facts["weight"]}
            services = self._read(ipvs)
            return [
                f"{key} of {patch.label}"
                + ("" if patch.key in services else " (not in the table: does the health checker run?)")
                for patch in self._theirs
                for key, server in _servers(patch)
                if server.weight != 0 and (patch.key, key) not in there
            ]

        return {"waited": round(self._until(timeout, left, "the health checks leave real servers out"), 1)}


def _address(text: str) -> bytes:
    try:
        return model.pack_address(text)
    except ValueError as error:
        raise InvalidValue("real_servers", "real_servers", text, str(error)) from None


def _servers(patch: ServicePatch) -> Iterable[tuple[RealServerKey, RealServerPatch]]:
    return (patch.real_servers or {}).items()


def _weighted(given: RealServerPatch, current: Table, service: ServiceKey, key: RealServerKey) -> RealServerPatch:
    """The weight that is described, or any but 0."""
    weight = given.weight
    if weight is None:
        found = current[service].real_servers.get(key) if service in current else None
        weight = None if found is not None and found.weight else model.RealServer().weight
    return RealServerPatch(weight=weight, only_existing=True)


def _as_arguments(patch: ServicePatch, found: VirtualService | None) -> dict[str, object]:
    """The real servers of a patch with the weights that they have, in the form of the option services.

    What the table lacks is named too, without a weight: whoever gives this back names all real servers.
    """
    facts = info.service_facts(patch.key, model.Settings())
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


def _as_it_was(patch: ServicePatch, current: Table) -> ServicePatch:
    found = current[patch.key].real_servers if patch.key in current else {}
    servers = {
        key: RealServerPatch(weight=found[key].weight, only_existing=True)
        for key, _one in _servers(patch)
        if key in found
    }
    return patch._replace(real_servers=servers)
