# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer between the ipvs_* modules and the code that does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from .._host.difference import Difference, as_dicts
from .._host.task import Part, PartFailedError, fail_without_library, respawn_with_library
from .converge import ConvergeError, Outcome, converge
from .kernel import Ipvs, KernelError, LibraryMissing
from .model import InvalidValue, ServicePatch, Settings, VirtualService
from .plan import NOTHING_MORE, PURGE_ALL, MissingService, Scope, plan

Result = dict[str, Any]

# The most entries of the arguments that a result repeats. More take longer to send than to apply.
MANY = 1000


class Change(NamedTuple):
    """The change that was (or in check mode would be) made: the settings before and after as text, both empty if
    equal.
    """

    before: str
    after: str
    differences: Sequence[Difference] = ()

    @property
    def changed(self) -> bool:
        """True if there was a change."""
        return self.before != self.after


NO_CHANGE = Change("", "")


def run(module: AnsibleModule, work: Callable[[], Result]) -> None:
    """Call ``work`` and end the module with its result, or with one sentence about the failure."""
    respawn_with_library(module)
    try:
        with _as_sentences(module):
            result = work()
    except PartFailedError as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(**result, **invocation(module.params))


def run_prepared(module: AnsibleModule, prepare: Callable[[AnsibleModule, Result], Callable[[], Result]]) -> None:
    """Call the function that ``prepare`` returns for the module's arguments; end the module as `run` does."""

    def work() -> Result:
        return prepare(module, module.params)()

    run(module, work)


@contextmanager
def _as_sentences(module: AnsibleModule) -> Iterator[None]:
    """Turn all expected exceptions into PartFailedError."""
    try:
        yield
    except InvalidValue as error:
        raise PartFailedError(str(error), {"service": error.service, "key": error.key}) from error
    except LibraryMissing as error:
        fail_without_library(module, error, "to talk to IPVS")
    except ConvergeError as error:
        raise PartFailedError(str(error), error.result) from error
    except KernelError as error:
        raise PartFailedError(str(error)) from error


def part(module: AnsibleModule, name: str, prepare: Callable[[], Callable[[], Result]]) -> Part:
    """Return a part of a module that does more than this; ``prepare`` and the work that it returns raise the exceptions
    that `run` handles.
    """

    def begin() -> Callable[[], Result]:
        with _as_sentences(module):
            work = prepare()

        def carried_out() -> Result:
            with _as_sentences(module):
                return work()

        return carried_out

    return Part(name, begin)


def invocation(params: Result) -> Result:
    """Return a substitute for thousands of entries in the arguments, which AnsibleModule would process for seconds."""
    short, entries = {}, 0
    for name in ("services", "health_checked"):
        services = params.get(name) or []
        servers = sum(len(service.get("real_servers") or ()) for service in services)
        entries += len(services) + servers
        if services:
            short[name] = f"{len(services)} virtual services, {servers} real servers"
    return {"invocation": {"module_args": {**params, **short}}} if entries > MANY else {}


def apply(module: AnsibleModule, desired: Iterable[ServicePatch], scope: Scope = NOTHING_MORE) -> Result:
    """Apply the described table; return the result of the module."""
    patches = list(desired)
    to_hold = any(not patch.absent for patch in patches) or scope.purge == PURGE_ALL
    with Ipvs(load=to_hold and not module.check_mode, needed=to_hold) as ipvs:
        try:
            outcome = converge(ipvs, patches, scope, module.check_mode)
        except MissingService as error:
            if not module.check_mode:
                raise
            return would_be_added(module, patches, error)
    return table_result(module, outcome)


def table_result(module: AnsibleModule, outcome: Outcome) -> Result:
    """Return an outcome as a module's result. A diff of thousands of lines is left out if Ansible does not show it."""
    if len(outcome.operations) > MANY and not module._diff:
        return {"changed": True}
    return {"changed": outcome.changed, "diff": table_diff(outcome), "differences": table_differences(outcome)}


def table_diff(outcome: Outcome) -> Result:
    """Return an outcome in the form that Ansible shows as a diff."""
    return {
        "before": outcome.before,
        "after": outcome.after,
        "before_header": "IPVS table",
        "after_header": "IPVS table",
    }


def table_differences(outcome: Outcome) -> list[dict[str, str]]:
    """Return the entries that change, as data."""
    if not outcome.changed:
        return []
    from .differences import of_table

    return as_dicts(of_table(outcome))


def would_be_added(module: AnsibleModule, patches: list[ServicePatch], error: MissingService) -> Result:
    """Check mode: an earlier task may add the service, and has not done so."""
    from . import rules

    warn_of_missing(module, error)
    as_if = {patch.key: VirtualService(Settings(), {}) for patch in patches}
    outcome = Outcome(plan(as_if, patches), patches)
    lines = rules.render(outcome.table).splitlines(keepends=True)
    added = [difference for difference in table_differences(outcome) if difference["kind"] == "real server"]
    diff = {"before": "", "after": "".join(line for line in lines if line.startswith("-a "))}
    return {"changed": True, "diff": diff, "differences": added}


def warn_of_missing(module: AnsibleModule, error: MissingService) -> None:
    """Check mode: the error of a real run, unless an earlier task adds the service."""
    module.warn(f"{error}. A real run fails here unless an earlier task adds the service.")


def change(header: str, changed: Change, **result: Any) -> Result:
    """Return the result of a module that changes something besides the table."""
    diff = {"before": changed.before, "after": changed.after, "before_header": header, "after_header": header}
    return {"changed": changed.changed, "diff": diff, **result}


def read(gather: Callable[[Ipvs], Result]) -> Result:
    """Return what ``gather`` reads, as the result of a module that changes nothing, and so does not load ip_vs
    either.
    """
    with Ipvs(load=False) as ipvs:
        return {"changed": False, **gather(ipvs)}
