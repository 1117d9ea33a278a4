# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draining a real server: the minimum in service, and the wait for connections to end.

Also the module ipvs_real_server.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from .._host.wait import until as wait_until
from . import arguments, module, readings
from .converge import ConvergeError, Guard, Outcome, converge, turn
from .kernel import Ipvs, KernelError
from .model import (
    UDP,
    InvalidValue,
    RealServerKey,
    RealServerPatch,
    ServiceKey,
    ServicePatch,
    VirtualService,
)
from .plan import MissingService, Plan

FAIL, FORCE = "fail", "force"
ACTIVE, INACTIVE, PERSISTENT = "active", "inactive", "persistent"
DEFAULT_TIMEOUT = 300.0  # seconds
MAX_TIMEOUT = 86400 * 31  # seconds
#: The default pause after which a flow of UDP counts as ended, in seconds. The kernel counts packets every 2 seconds.
UDP_PAUSE = 10.0
_SHORTEST_PAUSE = 3.0


def in_service(service: VirtualService | None) -> set[RealServerKey]:
    """Return the real servers that get new connections by their weight."""
    return {key for key, server in service.real_servers.items() if server.weight > 0} if service else set()


def _plural(number: int) -> str:
    return "" if number == 1 else "s"


def floor(patch: ServicePatch, minimum: int) -> Callable[[Plan], None]:
    """Return a guard that refuses a plan which leaves fewer than ``minimum`` real servers in service."""

    def guard(plan: Plan) -> None:
        before = in_service(plan.current.get(patch.key))
        after = in_service(plan.predicted.get(patch.key))
        if len(after) < len(before) and len(after) < minimum:
            raise undercut(patch, minimum, before - after, len(before))

    return guard


def undercut(patch: ServicePatch, minimum: int, out: Collection[RealServerKey], total: int) -> InvalidValue:
    """Return the error that fewer than ``minimum`` of ``total`` real servers would stay in service without ``out``."""
    keys = ", ".join(str(key) for key in sorted(out))
    return InvalidValue(
        patch.label,
        "minimum_in_service",
        minimum,
        f"minimum_in_service {minimum} would not be met: without real server {keys},"
        f" {total - len(out)} of {total} real server{_plural(total)} in service would be left",
        whole=True,
    )


def quorum_lost(patch: ServicePatch, quorum: int, out: Collection[RealServerKey], left: int) -> InvalidValue:
    """Return the error that the health checker would remove all real servers of the service without ``out``."""
    keys = ", ".join(str(key) for key in sorted(out))
    return InvalidValue(
        patch.label,
        "quorum",
        quorum,
        f"the quorum {quorum} of its health_check would not be met: without real server {keys}, a weight of {left}"
        " would be left in service. Drain fewer real servers at a time, or set minimum_in_service"
        " (lvs_minimum_in_service) to 0",
        whole=True,
    )


class Waiting(NamedTuple):
    """The kinds of connections of a wait, and its times."""

    wait_for: Sequence[str]  # of ACTIVE, INACTIVE, PERSISTENT
    timeout: float  # seconds
    udp_pause: float = 0.0  # seconds without a packet, until a flow of UDP counts as ended; 0: it does at once


class Flows:
    """Flows of UDP, by the packet counters of their real servers.

    IPVS cannot see the end of a flow: its entries are inactive from the start, and each packet renews them
    (ip_vs_conn.c: ip_vs_conn_put). A real server at weight 0 gets packets of such flows only, and the kernel adds them
    up every 2 seconds (ip_vs_est.c).
    """

    def __init__(self, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._seen: dict[tuple[ServiceKey, RealServerKey], tuple[int, float]] = {}

    def run(self, service: ServiceKey, server: RealServerKey, facts: dict[str, Any]) -> bool:
        """Return True if a packet may have come within the pause. The first call has no count, and returns True too."""
        if not self._pause or service.protocol != UDP or not facts["connections"][INACTIVE]:
            return False
        packets, now = facts["statistics"]["packets_in"], self._clock()
        last = self._seen.get((service, server))
        if last is None or last[0] != packets:
            self._seen[service, server] = (packets, now)
            return True
        return now - last[1] < self._pause


def check_pause(service: str, option: str, pause: float) -> None:
    """Raise InvalidValue if a pause is too short for the kernel's counters to show it."""
    if pause and not _SHORTEST_PAUSE <= pause <= MAX_TIMEOUT:
        reason = f"must be 0 or from {_SHORTEST_PAUSE:g} to {MAX_TIMEOUT} seconds"
        raise InvalidValue(service, option, pause, reason)


class Drained(NamedTuple):
    """The result of the wait. ``facts`` is the real server as ipvs_info shows it, None if it is absent."""

    done: bool
    waited: float  # seconds
    facts: dict[str, Any] | None

    @property
    def remaining(self) -> str:
        """The connections that are left, in words."""
        return remaining(self.facts)


def remaining(facts: dict[str, Any] | None) -> str:
    """Return the connections of a real server as ipvs_info shows it, in words: ``2 active, 1 inactive connections``."""
    counts = facts["connections"] if facts else {}
    left = {name: number for name, number in counts.items() if number}
    words = ", ".join(f"{number} {name}" for name, number in left.items()) or "no"
    return f"{words} connection{_plural(sum(left.values()))}"


def wait(
    ipvs: Ipvs,
    service: ServicePatch,
    server: RealServerKey,
    waiting: Waiting,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Drained:
    """Wait until the connections have ended, the time is over, or another process has set its weight."""
    flows = Flows(min(waiting.udp_pause, waiting.timeout), clock)
    facts: dict[str, Any] | None = None
    gone = False

    def ended() -> bool:
        nonlocal facts, gone
        facts = next((entry for key, _server, entry in readings.real_servers(ipvs, service.key) if key == server), None)
        gone = facts is None or not (
            any(facts["connections"][kind] for kind in waiting.wait_for) or flows.run(service.key, server, facts)
        )
        return gone or bool(facts and facts["weight"])

    _ended, waited = wait_until(ended, waiting.timeout, clock, sleep)
    return Drained(gone, waited, facts)


def manage_real_server(ansible: AnsibleModule) -> module.Result:
    """Return the result of the module. Raises what converge raises."""
    params = ansible.params
    patch = arguments.only_real_server(params)
    ((key, server),) = (patch.real_servers or {}).items()
    _refuse_what_does_not_go_together(patch, params)
    return _Run(ansible, patch, key, server).result()


def _refuse_what_does_not_go_together(patch: ServicePatch, params: dict[str, Any]) -> None:
    minimum, timeout, state = params["minimum_in_service"], params["drain_timeout"], params["state"]
    if minimum is not None and minimum < 0:
        raise InvalidValue(patch.label, "minimum_in_service", minimum, "must not be negative")
    if timeout is not None and not 0 <= timeout <= MAX_TIMEOUT:
        raise InvalidValue(patch.label, "drain_timeout", timeout, f"must be from 0 to {MAX_TIMEOUT} seconds")
    check_pause(patch.label, "drain_udp_pause", params["drain_udp_pause"])
    if timeout is not None and state == "present":
        raise InvalidValue(patch.label, "drain_timeout", timeout, "is for state drained or absent only")


@contextlib.contextmanager
def _with_failure(done: module.Result) -> Iterator[None]:
    """Return the changes even if a later step fails: the weight is 0 by then."""
    try:
        yield
    except ConvergeError as error:
        error.result = {**done, **error.result}
        raise
    except KernelError as error:
        raise ConvergeError(str(error), done) from error


class _Run:
    def __init__(
        self, ansible: AnsibleModule, patch: ServicePatch, key: RealServerKey, server: RealServerPatch
    ) -> None:
        self._module = ansible
        self._params = ansible.params
        self._patch = patch
        self._key = key
        self._server = server
        minimum = self._params["minimum_in_service"]
        self._guard: Guard | None = None if minimum is None else floor(patch, minimum)

    def result(self) -> module.Result:
        state, timeout = self._params["state"], self._params["drain_timeout"]
        # Without ip_vs there are no real servers to drain or remove.
        to_hold = state == "present"
        with Ipvs(load=to_hold and not self._module.check_mode, needed=state != "absent") as ipvs:
            if state == "drained":
                return self._drain(ipvs, DEFAULT_TIMEOUT if timeout is None else timeout)
            if state == "absent" and timeout is not None and not self._module.check_mode:
                return self._drain_and_remove(ipvs, timeout)
            try:
                outcome = self._converge(ipvs, self._patch)
            except MissingService as error:
                if not self._module.check_mode:
                    raise
                return module.would_be_added(self._module, [self._patch], error)
            return module.table_result(self._module, outcome)

    def _converge(self, ipvs: Ipvs, patch: ServicePatch) -> Outcome:
        with turn(self._guard is not None and not self._module.check_mode):
            return converge(ipvs, [patch], check_mode=self._module.check_mode, guard=self._guard)

    def _only(self, server: RealServerPatch) -> ServicePatch:
        return self._patch._replace(real_servers={self._key: server})

    def _drain(self, ipvs: Ipvs, timeout: float) -> module.Result:
        outcome = self._converge(ipvs, self._patch)
        service = outcome.table.get(self._patch.key)
        if service is None:
            missing = MissingService(self._patch)
            if not self._module.check_mode:
                raise missing
            module.warn_of_missing(self._module, missing)
        elif self._key not in service.real_servers:
            self._module.warn(f"{self._patch.label}: there is no real server {self._key}, so there is nothing to drain")
        result = module.table_result(self._module, outcome)
        if not self._module.check_mode:
            with _with_failure(result):
                result.update(self._wait(ipvs, timeout))
        return result

    def _drain_and_remove(self, ipvs: Ipvs, timeout: float) -> module.Result:
        quiesced = self._converge(ipvs, self._only(RealServerPatch(weight=0, only_existing=True)))
        with _with_failure(module.table_result(self._module, quiesced)):
            waited = self._wait(ipvs, timeout)
            removed = self._converge(ipvs, self._only(RealServerPatch(absent=True)))
        diff = module.table_diff(removed)
        if quiesced.changed:
            diff["before"] = quiesced.before
        changed = quiesced.changed or removed.changed
        return {"changed": changed, "diff": diff, "differences": module.table_differences(removed), **waited}

    def _wait(self, ipvs: Ipvs, timeout: float) -> module.Result:
        waiting = Waiting(self._params["drain_wait_for"], timeout, self._params["drain_udp_pause"])
        drained = wait(ipvs, self._patch, self._key, waiting)
        result: module.Result = {"drained": drained.done, "waited": round(drained.waited, 1)}
        if drained.facts:
            result.update({name: drained.facts[name] for name in ("connections", "statistics")})
        if not drained.done:
            self._explain(drained, timeout, result)
        return result

    def _explain(self, drained: Drained, timeout: float, result: module.Result) -> None:
        """Raise ConvergeError, or warn with drain_expired=force."""
        who = f"real server {self._key} of virtual service {self._patch.label}"
        if drained.facts and drained.facts["weight"]:
            raise ConvergeError(
                f"{who} is not drained: another process has given it weight {drained.facts['weight']} meanwhile;"
                f" it has {drained.remaining}",
                result,
            )
        text = f"{who} is not drained after {timeout:g} seconds: it has {drained.remaining}"
        if self._params["drain_expired"] == FAIL:
            raise ConvergeError(f"{text}. Its weight stays 0; drain_expired=force continues with a warning", result)
        self._module.warn(text)
