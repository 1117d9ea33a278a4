# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module ipvs_real_server does beyond one call: draining, and the floor of servers in service.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from . import arguments, drain, module
from .converge import ConvergeError, Guard, Outcome, converge
from .kernel import Ipvs, KernelError
from .model import InvalidValue, RealServerKey, RealServerPatch, ServicePatch
from .plan import MissingService


def manage(ansible: AnsibleModule) -> module.Result:
    """The result of the module. Raises what converge raises."""
    params = ansible.params
    patch = arguments.only_real_server(params)
    ((key, server),) = (patch.real_servers or {}).items()
    _refuse_what_does_not_go_together(patch, params)
    return _Run(ansible, patch, key, server).result()


def _refuse_what_does_not_go_together(patch: ServicePatch, params: dict[str, Any]) -> None:
    minimum, timeout, state = params["minimum_in_service"], params["drain_timeout"], params["state"]
    if minimum is not None and minimum < 0:
        raise InvalidValue(patch.label, "minimum_in_service", minimum, "must not be negative")
    if timeout is not None and not 0 <= timeout <= drain.MAX_TIMEOUT:
        raise InvalidValue(patch.label, "drain_timeout", timeout, f"must be from 0 to {drain.MAX_TIMEOUT} seconds")
    drain.check_pause(patch.label, "drain_udp_pause", params["drain_udp_pause"])
    if timeout is not None and state == "present":
        raise InvalidValue(patch.label, "drain_timeout", timeout, "goes with state drained or absent only")


@contextlib.contextmanager
def _with_failure(done: module.Result) -> Iterator[None]:
    """Return what has been done with a failure too: the weight is 0 by then, whatever comes after it."""
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
        self._guard: Guard | None = None if minimum is None else drain.floor(patch, minimum)

    def result(self) -> module.Result:
        state, timeout = self._params["state"], self._params["drain_timeout"]
        # What is not loaded has no real servers to drain or remove.
        to_hold = state == "present"
        with Ipvs(load=to_hold and not self._module.check_mode, needed=state != "absent") as ipvs:
            if state == "drained":
                return self._drain(ipvs, drain.DEFAULT_TIMEOUT if timeout is None else timeout)
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
        with drain.turn(self._guard is not None and not self._module.check_mode):
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
        return {"changed": quiesced.changed or removed.changed, "diff": diff, **waited}

    def _wait(self, ipvs: Ipvs, timeout: float) -> module.Result:
        waiting = drain.Waiting(self._params["drain_wait_for"], timeout, self._params["drain_udp_pause"])
        drained = drain.wait(ipvs, self._patch, self._key, waiting)
        result: module.Result = {"drained": drained.done, "waited": round(drained.waited, 1)}
        if drained.facts:
            result.update({name: drained.facts[name] for name in ("connections", "statistics")})
        if not drained.done:
            self._explain(drained, timeout, result)
        return result

    def _explain(self, drained: drain.Drained, timeout: float, result: module.Result) -> None:
        """Raise ConvergeError, or with drain_expired=force only say so."""
        who = f"real server {self._key} of virtual service {self._patch.label}"
        if drained.facts and drained.facts["weight"]:
            raise ConvergeError(
                f"{who} is not drained: another process has given it weight {drained.facts['weight']} meanwhile;"
                f" it has {drained.remaining}",
                result,
            )
        text = f"{who} is not drained after {timeout:g} seconds: it has {drained.remaining}"
        if self._params["drain_expired"] == drain.FAIL:
            raise ConvergeError(f"{text}. Its weight stays 0; drain_expired=force would go on all the same", result)
        self._module.warn(text)
