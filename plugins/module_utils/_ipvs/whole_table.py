# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the module ipvs_table: rules or services, the scope of the whole table, and its persistence.

Parts that not every task needs are imported on demand: Ansible sends sources, so each task compiles every file that it
imports.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ansible.module_utils.basic import AnsibleModule

from .._host.difference import as_dicts
from . import arguments, model
from .converge import Outcome, converge, in_words, turn
from .kernel import Ipvs, KernelError
from .model import InvalidValue, RealServerPatch, ServiceKey, ServicePatch
from .module import MANY, Result, apply, table_diff, table_differences
from .plan import Scope


def prepare(module: AnsibleModule, params: Result) -> Callable[[], Result]:
    """Return a function that does the work of ipvs_table and returns its result. It raises the exceptions of converge.

    ``params`` are the arguments of that module, and ``owned_elsewhere``: services in the form of its option services
    that a health checker owns. Those in the table get their described values, because a health checker does not edit
    existing entries (keepalived/check/ipvswrapper.c: ipvs_talk()). Real servers that are missing although the health
    checker has them in service are added. Those without a weight are sorry servers, which stay unchanged. Raises
    InvalidValue.
    """
    patches = _described(params)
    elsewhere = [_of_others(patch) for patch in arguments.services(params.get("owned_elsewhere", ()))]
    exclude = frozenset(arguments.service_key(entry) for entry in params["exclude"])
    for patch in patches:
        if patch.key in exclude:
            raise InvalidValue(patch.label, "exclude", str(patch.key), "names a service that is described as well")
    if params["state"] == "absent":
        patches = [ServicePatch(patch.key, absent=True, name=patch.name) for patch in patches]
        scope = Scope()
    else:
        scope = Scope(params["purge"], exclude)
    return lambda: _manage(module, params, patches, elsewhere, scope, exclude)


def _manage(
    module: AnsibleModule,
    params: Result,
    patches: Sequence[ServicePatch],
    elsewhere: Sequence[ServicePatch],
    scope: Scope,
    exclude: frozenset[ServiceKey],
) -> Result:
    if params["drain_directory"] is None:
        return _carry_out(module, params, patches, elsewhere, scope, exclude)
    from .._host import drain_files

    # Drains must not change between reading the files and the table.
    with turn(not module.check_mode):
        try:
            drained = drain_files.read(params["drain_directory"])
        except OSError as error:
            text = f"cannot read which real servers are drained from {params['drain_directory']}: {error.strerror}"
            raise KernelError(text) from error
        if params["state"] == "present":
            patches = without_weight(patches, drained)
            elsewhere = without_weight(elsewhere, drained)
        result = _carry_out(module, params, patches, elsewhere, scope, exclude)
    return {**result, "drained": [model.address_text(address) for address in sorted(drained)]}


def _carry_out(
    module: AnsibleModule,
    params: Result,
    patches: Sequence[ServicePatch],
    elsewhere: Sequence[ServicePatch],
    scope: Scope,
    exclude: frozenset[ServiceKey],
) -> Result:
    if params["persist"]:
        scope = scope._replace(exclude=exclude)
        configuration = params.get("keepalived_configuration", "")
        return _apply_and_keep(module, params["state"] == "present", patches, elsewhere, scope, configuration)
    return apply(module, [*patches, *elsewhere], scope)


def without_weight(patches: Iterable[ServicePatch], drained: Collection[bytes]) -> list[ServicePatch]:
    """Return the same patches with weight 0 for the real servers whose packed address is among ``drained``."""
    return [_without_weight(patch, drained) for patch in patches] if drained else list(patches)


def _without_weight(patch: ServicePatch, drained: Collection[bytes]) -> ServicePatch:
    servers = patch.real_servers or {}
    quiesced: dict[model.RealServerKey, RealServerPatch] = {
        key: server._replace(weight=0)
        for key, server in servers.items()
        if key.address in drained and not server.absent
    }
    return patch._replace(real_servers={**servers, **quiesced}) if quiesced else patch


def _of_others(patch: ServicePatch) -> ServicePatch:
    weighted = {key: server for key, server in (patch.real_servers or {}).items() if server.weight is not None}
    return patch._replace(real_servers=weighted, only_existing=True)


def _described(params: Result) -> list[ServicePatch]:
    if params["rules"] is None:
        return arguments.services(params["services"])
    from . import rules

    return rules.parse(params["rules"])


def _apply_and_keep(
    module: AnsibleModule,
    present: bool,
    patches: Sequence[ServicePatch],
    elsewhere: Sequence[ServicePatch],
    scope: Scope,
    configuration: str,
) -> Result:
    """Like ``apply``, and keep ``patches`` across reboots; kept services that are no longer described are removed.

    Files and table change together or not at all.
    """
    from . import boot, persist

    listed = {patch.key for patch in patches}
    ours = persist.recorded()
    python = boot.command_at_boot(module) if present else ""
    if present:
        scope = scope._replace(retired=frozenset(ours.keys() - listed - scope.exclude))
    elif not patches:
        scope = scope._replace(retired=frozenset(ours.keys() - scope.exclude))

    def files(outcome: Outcome) -> persist.Kept:
        if present:
            return boot.to_keep(outcome.table, listed, python)
        rest = ours.keys() - listed - scope.retired
        return persist.to_record(ours, rest) if rest else boot.to_forget()

    changes: list[persist.Kept] = []

    def keep(outcome: Outcome) -> None:
        changes.append(files(outcome))
        try:
            persist.carry_out(changes[0], lambda arguments: persist.systemctl(module, arguments))
        except OSError as error:
            raise OSError(f"cannot keep the IPVS table across reboots: {in_words(error)}") from error

    with Ipvs(load=present and not module.check_mode, needed=present) as ipvs:
        held = _held(module, ipvs, elsewhere, configuration) if elsewhere else []
        outcome = converge(ipvs, [*patches, *(held or elsewhere)], scope, module.check_mode, commit=keep)
        if held and not module.check_mode:
            _take_back(module, ipvs, held, configuration)
    kept = changes[0] if changes else files(outcome)
    result: Result = {"changed": outcome.changed or kept.changed}
    if len(outcome.operations) <= MANY or module._diff:
        result["diff"] = ([table_diff(outcome)] if outcome.changed else []) + kept.diff()
        result["differences"] = []
    if result["changed"] and "diff" in result:
        from .differences import of_files

        result["differences"] = [*table_differences(outcome), *as_dicts(of_files(kept))]
    return result


def _held(
    module: AnsibleModule, ipvs: Ipvs, elsewhere: Sequence[ServicePatch], configuration: str
) -> list[ServicePatch]:
    """Return services of a health checker with the real servers to add; none if no described one is missing."""
    keys = {patch.key for patch in elsewhere}
    table = ipvs.read(keys.__contains__)
    missing = any(
        patch.key in table and (patch.real_servers or {}).keys() - table[patch.key].real_servers.keys()
        for patch in elsewhere
    )
    if not missing:
        return []
    from . import checker_view

    return checker_view.held(table, elsewhere, checker_view.ask(module, configuration))


def _take_back(module: AnsibleModule, ipvs: Ipvs, held: Sequence[ServicePatch], configuration: str) -> None:
    """Remove real servers that have failed since the health checker's report: in its view they are removed already."""
    if not any(patch.held for patch in held):
        return
    from . import checker_view

    converge(ipvs, checker_view.gone(held, checker_view.ask(module, configuration)))
