# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters: the layer between Ansible's templates and the rooms below plugin_utils, which do not import Ansible.

``cluster``, ``director`` and ``real_server`` are public; each is documented in the file of its name.
``_internal`` is for the playbooks of this collection alone: its functions change with them.

ansible-core evaluates the keyword ``hosts`` of a play, which has a filter in it, before it starts a worker for the
first task. So all workers inherit the imports of this file, and the plugins that it loads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import test_loader
from ansible.template import is_trusted_as_template
from ansible.utils.unsafe_proxy import wrap_var
from ansible.utils.vars import load_extra_vars
from jinja2 import Undefined, UndefinedError, pass_context
from jinja2.runtime import Context
from jinja2.utils import missing

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import (
    DirectorModel,
    RealServerModel,
    expand_cluster,
    inventory_of,
    real_server_of,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet import (
    FAILOVER_TARGET,
    GROUP_VARIABLES,
    SELECTION,
    Fleet,
    check_failover,
    check_groups,
    check_selection,
    read_fleet,
    renamed_groups,
    selected_clusters,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet_plan import (
    check_draining,
    clusters_of,
    draining,
    make_plan,
    needs_elsewhere,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    DIRECTORS,
    REAL_SERVERS,
    hosts_of_group,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description import drain_options, host_settings
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    ModelError,
    Problems,
    show,
    suggestion,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.variables import overriding_facts
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify import (
    deviations,
    drain_run,
    findings,
    reports,
    run_order,
    run_summary,
    vip_owners,
)

T = TypeVar("T")

# Otherwise each worker would load all tests of ansible-core anew for its first condition with one of them.
test_loader.get("ansible.builtin.defined")


@pass_context
def cluster(context: Context, description: Any, check_hosts: Any = False) -> dict[str, object]:
    """Return the whole cluster of the task's host (`Cluster.as_dict`)."""

    def wanted(fleet: Fleet, _hosts: Mapping[str, Any]) -> dict[str, object]:
        name = _cluster_of_task(context, fleet)
        whole = expand_cluster(description, fleet.clusters[name])
        if check_hosts:
            whole.check_hosts()
        return whole.as_dict()

    return _expanded(context, wanted)


@pass_context
def director(context: Context, description: Any, host: Any, settings: Any = None) -> dict[str, object]:
    """Return the needs of a director (`host_models.director`)."""

    return _of_director(context, description, host, settings, host_models.director)


def _of_director(
    context: Context, description: Any, host: Any, settings: Any, shape: Callable[[DirectorModel], dict[str, object]]
) -> dict[str, object]:
    def wanted(fleet: Fleet, hosts: Mapping[str, Any]) -> dict[str, object]:
        variables = _settings(context, hosts, host, host_settings.DIRECTOR, settings)
        names = fleet.of_host.get(str(host), ()) or list(fleet.clusters)
        return shape(expand_cluster(description, fleet.clusters[names[0]]).director(host, variables))

    return _expanded(context, wanted)


def _director_of_role(context: Context, description: Any, host: Any) -> dict[str, object]:
    """Return what the role director needs (`host_models.director_of_role`)."""
    return _of_director(context, description, host, None, host_models.director_of_role)


@pass_context
def real_server(context: Context, description: Any, host: Any, settings: Any = None) -> dict[str, object]:
    """Return the needs of a real server (`host_models.real_server`)."""

    return _of_real_server(context, description, host, settings, host_models.real_server)


def _of_real_server(
    context: Context, description: Any, host: Any, settings: Any, shape: Callable[[RealServerModel], dict[str, object]]
) -> dict[str, object]:
    def wanted(fleet: Fleet, hosts: Mapping[str, Any]) -> dict[str, object]:
        variables = _settings(context, hosts, host, host_settings.REAL_SERVER, settings)
        return shape(real_server_of(clusters_of(host, description, fleet), host, variables))

    return _expanded(context, wanted)


def _real_server_of_role(context: Context, description: Any, host: Any) -> dict[str, object]:
    """Return what the role real_server needs (`host_models.real_server_of_role`)."""
    return _of_real_server(context, description, host, None, host_models.real_server_of_role)


def _cluster_of_task(context: Context, fleet: Fleet) -> str:
    """Return the only cluster of the inventory, or of the task's host."""
    host = str(_variable(context, "inventory_hostname", ""))
    names = fleet.of_host.get(host, ()) if fleet.several else list(fleet.clusters)
    if len(names) != 1:
        known = " and ".join(list(fleet.clusters)[:10])
        raise AnsibleFilterError(f"the inventory has the clusters {known}, and {show(host)} is not in one of them only")
    return names[0]


def _draining(context: Context, description: Any, hosts: Any) -> dict[str, Any]:
    """Return what drains real servers in all their services, for each director (`fleet.draining`)."""
    return _expanded(
        context,
        lambda fleet, _hosts: draining(hosts, description, fleet, _selection(context, fleet)),
    )


def _drain_options(context: Context, description: Any, hosts: Any = None, batch: Any = None) -> dict[str, Any]:
    """Return the options of a drain (`drain_options`); raise an error for problems with them or with the description.

    ``hosts``: those of the play after --limit; none if the ``batch`` is known already. Then ``directors`` are those of
    its clusters.
    """
    groups = _variable(context, "groups", {})
    given = {name: _readable(context.resolve_or_missing, name) for name in drain_options.VARIABLES}
    problems = Problems()
    found: dict[str, Any] = drain_options.drain_options(
        {name: value for name, value in given.items() if value is not missing}, groups, hosts, problems
    )
    try:
        problems.raise_any()
    except ModelError as error:
        raise AnsibleFilterError(str(error)) from None
    concerned = _draining(context, description, found["real_servers"] if batch is None else batch)["of_director"]
    if batch is not None:
        found["directors"] = [director for director in found["directors"] if director in concerned]
    return found


def _drain_problems(context: Context, description: Any, run_hosts: Any, updates: Any = False) -> str:
    """Return the problems of the options of a drain, one a line; empty without problems."""
    try:
        options = _drain_options(context, description, run_hosts)
        hosts, directors = options["real_servers"], options["directors"]

        def wanted(fleet: Fleet, _hosts: Mapping[str, Any]) -> dict[str, Any]:
            of_host: Any = draining(hosts, description, fleet, _selection(context, fleet))["of_host"]
            problems = Problems()
            check_draining(hosts, of_host, fleet, directors, updates is True, problems)
            problems.raise_any()
            return {}

        _expanded(context, wanted)
    except AnsibleFilterError as error:
        return str(error)
    return ""


def _run_problems(context: Context, _groups: Any, run_hosts: Any, fails_over: Any = False) -> str:
    """Return the problems of the clusters of all hosts, and of the selection of those of a run, one a line.

    ``fails_over``: the target of a failover is checked too.
    """

    def wanted(fleet: Fleet, _hosts: Mapping[str, Any]) -> dict[str, Any]:
        problems = Problems()
        selected = check_selection(
            _variable(context, SELECTION), fleet, load_extra_vars(DataLoader()), set(run_hosts), problems
        )
        if fails_over is True:
            target = _variable(context, FAILOVER_TARGET)
            check_failover(target, fleet, selected, set(run_hosts), problems)
        problems.raise_any()
        # a wrong value raises
        run_order.names_of_real_servers(_variable(context, "lvs_left_out", ()), _variable(context, "groups", {}))
        return {}

    try:
        _expanded(context, wanted)
    except (AnsibleFilterError, reports.InputError) as error:
        return str(error)
    return ""


def _renamed_groups(context: Context, groups: Any) -> list[dict[str, str]]:
    """Return the hosts of groups that stand for those of the directors and real servers (`fleet.renamed_groups`)."""
    return renamed_groups(groups, _group_names(context), Problems())


def _group_problems(context: Context, groups: Any) -> str:
    """Return the problems of the groups of directors and real servers, one a line; empty without problems."""
    problems = Problems()
    renamed_groups(groups, _group_names(context), problems)
    check_groups(groups, _group_names(context), problems)
    return str(ModelError(problems.found)) if problems.found else ""


def _group_names(context: Context) -> dict[str, Any]:
    return {group: _variable(context, name) for group, name in GROUP_VARIABLES.items()}


def _teardown(context: Context, _groups: Any, run_hosts: Any) -> dict[str, object]:
    """Return the clusters and hosts of a teardown, and what real servers keep, in the shape of `_plan`."""
    hosts = set(run_hosts).difference(run_order.names_of(_variable(context, "lvs_left_out", ())))

    def wanted(fleet: Fleet, hostvars: Mapping[str, Any]) -> dict[str, object]:
        selected = _selection(context, fleet)
        clusters = {
            name: {
                "directors": [host for host in inventory.directors if host in hosts],
                "real_servers": [host for host in inventory.real_servers if host in hosts],
            }
            for name, inventory in fleet.clusters.items()
            if not selected or name in selected
        }
        settings = {
            host: _settings(context, hostvars, host, host_settings.REAL_SERVER, None)
            for cluster in clusters.values()
            for host in cluster["real_servers"]
        }
        models = needs_elsewhere(fleet, selected, settings)
        real_servers = {host: host_models.real_server_of_role(model) for host, model in models.items()}
        return {"problems": "", "clusters": clusters, "real_servers": real_servers}

    try:
        return _expanded(context, wanted)
    except AnsibleFilterError as error:
        return {"problems": str(error), "clusters": {}, "real_servers": {}}


def _plan(context: Context, description: Any, of_run: Any, whole: Any = False) -> dict[str, object]:
    """Return the needs of all hosts of a run, and all problems (`fleet.make_plan`).

    ``{"problems": "", "turns": 2, "clusters": {"default": {"directors": ["lb1"], "real_servers": ["rs1"]}},
    "checks": {"lb1": options of the module host_check}, "directors": {"lb1": `director_of_role`}, "real_servers":
    {"rs1": `real_server_of_role`}}``

    ``clusters`` has the hosts of the run, and with ``whole`` also ``cluster``, the result of the filter cluster, beside
    ``vips_of_hosts``. ``turns`` is the number of directors of the largest one. No host has needs if there are problems.
    """
    groups, hostvars = (_variable(context, name) for name in ("groups", "hostvars"))
    hosts = _Hosts(hostvars) if isinstance(hostvars, Mapping) else {}
    written = getattr(hostvars, "raw_get", None)
    found: dict[str, object] = {"problems": "", "turns": 0, "clusters": {}, "directors": {}, "real_servers": {}}
    try:
        refuse_overriding_facts(groups, hosts, written)
    except ModelError as error:
        return {**found, "problems": str(error)}
    wanted = set(of_run)
    settings = {
        group: {
            host: _settings(context, hosts, host, known, None) for host in _in_group(groups, group) if host in wanted
        }
        for group, known in ((DIRECTORS, host_settings.DIRECTOR), (REAL_SERVERS, host_settings.REAL_SERVER))
    }
    plan = make_plan(description, groups, hosts, written, settings, _variable(context, SELECTION))
    if plan.problems or plan.fleet is None:
        return {**found, "problems": plan.problems}
    clusters: dict[str, dict[str, Any]] = {
        name: {
            "directors": [host for host in plan.fleet.clusters[name].directors if host in plan.directors],
            "real_servers": [host for host in plan.fleet.clusters[name].real_servers if host in plan.real_servers],
            **({"cluster": plan.clusters[name].as_dict()} if whole else {}),
        }
        for name in plan.selected
    }
    return {
        "problems": "",
        "clusters": clusters,
        "turns": max(len(cluster["directors"]) for cluster in clusters.values()),
        **({"vips_of_hosts": _vips_of_hosts(clusters)} if whole else {}),
        "checks": {
            **{host: host_models.director_check(model) for host, model in plan.directors.items()},
            **{host: host_models.real_server_check(model) for host, model in plan.real_servers.items()},
        },
        "directors": {host: host_models.director_of_role(model) for host, model in plan.directors.items()},
        "real_servers": {host: host_models.real_server_of_role(model) for host, model in plan.real_servers.items()},
    }


def _vips_of_hosts(clusters: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the VIPs of the clusters of each host."""
    found: dict[str, list[str]] = {}
    for cluster in clusters.values():
        vips = [vip["address"] for vip in cluster["cluster"]["vips"]]
        for host in (*cluster["directors"], *cluster["real_servers"]):
            found.setdefault(host, []).extend(vips)
    return found


def _selection(context: Context, fleet: Fleet) -> list[str]:
    """Return the clusters of the run; raises `ModelError` for one that the inventory does not have."""
    problems = Problems()
    found = selected_clusters(_variable(context, SELECTION), fleet, problems)
    problems.raise_any()
    return found


def _overriding_facts(context: Context, groups: Any) -> str:
    """Return the problems of `refuse_overriding_facts`; empty without problems."""
    hostvars = _variable(context, "hostvars")
    hosts = _Hosts(hostvars) if isinstance(hostvars, Mapping) else {}
    try:
        refuse_overriding_facts(groups, hosts, getattr(hostvars, "raw_get", None))
    except ModelError as error:
        return str(error)
    return ""


def _in_group(groups: object, group: str) -> list[str]:
    return hosts_of_group(groups, group) if isinstance(groups, Mapping) else []


# With --syntax-check, ansible-core evaluates the keyword hosts without hostvars.
def _hosts_of_run(context: Context, wanted: Any, one_more: Any = False) -> str:
    """Return the hosts of a run: those of its clusters, without those that are left out (`run_order.hosts_of_run`).

    ``one_more``: with a host of another group, for the reason that `run_order.play_hosts` has.
    """
    groups = _variable(context, "groups", {})
    within = None
    selection = _variable(context, SELECTION)
    if selection is not None:
        # tasks/validate_run.yml has ended the run if there are problems
        fleet = _memberships(context)
        within = fleet.hosts(selected_clusters(selection, fleet, Problems()))
    left_out = _variable(context, "lvs_left_out", ())
    found = run_order.hosts_of_run(wanted, groups, left_out, within)
    if one_more is not True:
        return found
    members = {host for group in wanted for host in _in_group(groups, group)}
    others = [host for group in GROUP_VARIABLES for host in _in_group(groups, group) if host not in members]
    hostvars = _variable(context, "hostvars", {})
    spare = run_order.first_answered(
        [host for host in others if (within is None or host in within) and host not in run_order.names_of(left_out)],
        hostvars,
        findings.PROBE,
    )
    return ",".join([*found.split(":"), *spare]) if within is None else ",".join([found, *spare])


def _memberships(context: Context) -> Fleet:
    """Return the clusters of all hosts; problems with them are reported where the descriptions are expanded."""
    groups, hostvars = _variable(context, "groups", {}), _variable(context, "hostvars", {})
    return read_fleet(inventory_of(groups, _Hosts(hostvars)), Problems())


def _hosts_beside(context: Context, wanted: Any, director: Any) -> str:
    """Return the directors of the cluster of a director; those of all clusters for another host."""
    groups, fleet = _variable(context, "groups", {}), _memberships(context)
    if not fleet.several or director not in fleet.whole.directors:
        return run_order.hosts_of_run(wanted, groups)
    return run_order.pattern(fleet.clusters[fleet.of_host[str(director)][0]].directors)


def _hosts_left(context: Context, group: Any, whole: Any = False) -> str:
    """Return the hosts of a group with which a run continues, as the hosts of a play (`run_order.play_hosts`)."""
    others = set(_in_group(_variable(context, "groups", {}), str(group)))
    return _play_hosts(context, _left(context, str(group), whole is True), others)


def _play_hosts(context: Context, hosts: Iterable[str], never: Collection[str] = ()) -> str:
    """``never``: hosts on which the tasks of the play would not be skipped."""
    left = [*_left(context, DIRECTORS), *_left(context, REAL_SERVERS)]
    return run_order.play_hosts(hosts, [host for host in left if host not in never])


def _left(context: Context, group: str, whole: bool = False) -> list[str]:
    local = _local(context)
    plan = local.get("lvs_plan")
    clusters = plan["clusters"] if isinstance(plan, Mapping) else {}
    run = local.get("lvs_run")
    return run_order.hosts_left(clusters, run["lost"] if isinstance(run, Mapping) else [], group, whole)


def _local(context: Context) -> Mapping[str, Any]:
    """Return the variables of localhost, whose facts no managed host can set."""
    hostvars = _variable(context, "hostvars", {})
    known = isinstance(hostvars, Mapping) and "localhost" in hostvars
    return cast(Mapping[str, Any], hostvars["localhost"]) if known else {}


def _turn(context: Context, directors: Any, host: Any) -> int:
    local = _local(context)
    plan = local["lvs_plan"]
    vips = plan.get("directors", {}).get(host, {}).get("vips", ())
    return run_order.turn(directors, host, local["lvs_run"]["held"], plan["turns"], vips)


def _run_state(context: Context, plan: Any, lost: Any) -> dict[str, object]:
    return run_order.run_state(plan, _variable(context, "hostvars", {}), lost)


def _findings(context: Context, clusters: Any, probed: Any, others: Any) -> dict[str, object]:
    return findings.findings(clusters, _variable(context, "hostvars", {}), probed, others)


def _summary(context: Context, clusters: Any, lost: Any, of_run: Any) -> list[str]:
    """``of_run``: the name of the playbook: only site is for real servers that were left out."""
    hostvars, local = _variable(context, "hostvars", {}), _local(context)
    fleet = _memberships(context)
    left_out = [
        host
        for host in (run_order.names_of(_variable(context, "lvs_left_out", ())) if of_run == "site" else [])
        if set(fleet.of_host.get(host, ())).intersection(clusters) or not fleet.several
    ]
    return run_summary.summary(clusters, hostvars, lost, local["lvs_run"]["faults"], left_out, of_run == "teardown")


def _joining_directors(context: Context, _directors: Any) -> str:
    left = _left(context, DIRECTORS)
    run = _local(context).get("lvs_run")
    joining = run["joining"] if isinstance(run, Mapping) else {}
    return _play_hosts(context, [host for host in left if host in joining and joining[host]["waits"]])


def _lacking_packages(context: Context, _hosts: Any) -> str:
    run = _local(context).get("lvs_run")
    lacking = set(run["lacking"]) if isinstance(run, Mapping) else set()
    return _play_hosts(context, [host for host in _left(context, REAL_SERVERS) if host in lacking])


def _incomplete(context: Context, directors: Any, part: Any = "") -> list[str]:
    return run_order.incomplete(directors, _variable(context, "hostvars", {}), str(part))


def _with_leftovers(context: Context, _hosts: Any) -> str:
    left = _left(context, REAL_SERVERS)
    return _play_hosts(context, run_order.with_leftovers(left, _variable(context, "hostvars", {})))


#: The functions that `_internal` calls with its input and arguments.
_FUNCTIONS: dict[str, Callable[..., object]] = {
    "deviations": deviations.of_results,
    "drain_failure": drain_run.drain_failure,
    "drained_on": drain_run.drained_on,
    "failover_groups": run_order.failover_groups,
    "held_vips": vip_owners.held_by,
    "from_json": json.loads,
    "not_undrained": drain_run.not_undrained,
    "owner_problems": vip_owners.owner_problems_of_results,
    "selected_steps": run_order.selected_steps,
    "unchanged": lambda value: value,
}
#: The functions that read the inventory too.
_OF_INVENTORY: dict[str, Callable[..., object]] = {
    "drain_options": _drain_options,
    "drain_problems": _drain_problems,
    "draining": _draining,
    "of_director": _director_of_role,
    "overriding_facts": _overriding_facts,
    "plan": _plan,
    "run_state": _run_state,
    "findings": _findings,
    "group_problems": _group_problems,
    "hosts_beside": _hosts_beside,
    "hosts_left": _hosts_left,
    "hosts_of_run": _hosts_of_run,
    "incomplete": _incomplete,
    "joining_directors": _joining_directors,
    "lacking_packages": _lacking_packages,
    "of_real_server": _real_server_of_role,
    "renamed_groups": _renamed_groups,
    "run_problems": _run_problems,
    "summary": _summary,
    "teardown": _teardown,
    "turn": _turn,
    "with_leftovers": _with_leftovers,
}


@pass_context
def _internal(context: Context, value: Any, name: str, *arguments: Any, **options: Any) -> Any:
    """Call one of the functions above. Texts of managed hosts may be in the result, so none of it is a template."""
    if name not in _FUNCTIONS and name not in _OF_INVENTORY:
        raise AnsibleFilterError(f"_internal: {show(name)} is not one of its functions")
    try:
        if name in _OF_INVENTORY:
            return untrusted(_OF_INVENTORY[name](context, value, *arguments, **options))
        return untrusted(_FUNCTIONS[name](value, *arguments, **options))
    except (reports.InputError, reports.ReportError) as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"cluster": cluster, "director": director, "real_server": real_server, "_internal": _internal}


def untrusted(value: T) -> T:
    """Return the value with all of its texts marked as untrusted: Ansible never treats them as templates."""
    return cast(T, wrap_var(value))


def _expanded(context: Context, wanted: Callable[[Fleet, Mapping[str, Any]], dict[str, object]]) -> dict[str, object]:
    """Read the clusters from the variables of all hosts, and return a part.

    A `ModelError` becomes `AnsibleFilterError`, word for word.
    """
    groups, hostvars = (_variable(context, name) for name in ("groups", "hostvars"))
    hosts = _Hosts(hostvars) if isinstance(hostvars, Mapping) else hostvars
    try:
        written = getattr(hostvars, "raw_get", None)
        # Before any variable of a host is read.
        refuse_overriding_facts(groups, hosts, written)
        problems = Problems()
        fleet = read_fleet(inventory_of(groups, hosts, written), problems)
        problems.raise_any()
        return wanted(fleet, hosts)
    except ModelError as error:
        raise AnsibleFilterError(str(error)) from None


def _variable(context: Context, name: str, default: object = None) -> Any:
    """Return a variable of the task."""
    value = context.resolve_or_missing(name)
    return default if value is missing else value


def _settings(
    context: Context, hosts: Mapping[str, Any], host: object, known: Mapping[str, object], instead: Any
) -> dict[str, object]:
    """Return the known variables that are set for a host.

    For the host of the task they are the variables of the task, because roles and tasks have variables of their own.
    """
    instead = {} if instead is None else instead
    if not isinstance(instead, Mapping):
        raise AnsibleFilterError("settings: not a dictionary of variables")
    for name in instead:
        if name not in known:
            raise AnsibleFilterError(f"settings: {show(name)} is not a setting of {host}{suggestion(name, known)}")
    of_task = host == _variable(context, "inventory_hostname")
    others = hosts.get(str(host))
    found: dict[str, object] = {}
    for name in known:
        if name in instead:
            found[name] = instead[name]
        elif of_task:
            found[name] = _readable(context.resolve_or_missing, name)
        elif isinstance(others, Mapping):
            found[name] = others.get(name, missing)
    return {name: value for name, value in found.items() if value is not missing}


def refuse_overriding_facts(groups: object, hostvars: object, raw_get: Callable[[str], object] | None) -> None:
    """Raise `ModelError` if a host of the cluster has reported facts that override the inventory.

    Facts can be in a persistent cache before a run contacts its first host, and any module may return some during the
    run. ``raw_get``: ansible-core's ``HostVars.raw_get``, the variables of a host with unevaluated templates.
    """
    if not isinstance(groups, Mapping) or not isinstance(hostvars, Mapping):
        return  # `build_cluster` reports it
    problems = Problems()
    for host in dict.fromkeys([*hosts_of_group(groups, DIRECTORS), *hosts_of_group(groups, REAL_SERVERS)]):
        variables = hostvars.get(host)
        if not isinstance(variables, Mapping) or not variables.get("ansible_facts"):
            continue
        names = overriding_facts(raw_get(host) if raw_get else variables, is_trusted_as_template)
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            problems.add(
                Code.FACTS_OVERRIDE,
                f"host {host}",
                "",
                f"its facts override variables of the inventory: {', '.join(name[:70] for name in names[:3])}{more}. "
                "A host must not set its own address, or settings of other hosts. Find out which module returned these "
                "facts, and run again with --flush-cache. A template that is meant to use a fact must read it from "
                "ansible_facts",
            )
    problems.raise_any()


def _readable(look_up: Callable[[str], Any], name: str) -> Any:
    """Return a value, or the exception of its look-up, which may evaluate a template.

    A host's address is often a template over its facts, and without facts it fails on access. The model can then name
    the host, which Ansible's own message does not.
    """
    try:
        return _looked_up(look_up(name))
    except (AnsibleError, UndefinedError) as error:
        return error


class _Readable(Mapping[str, Any]):
    """A mapping with values that are read in that way."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        return _readable(self._values.__getitem__, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _looked_up(value: Any) -> Any:
    """Return the value with all of its content, whose templates are evaluated at their look-up."""
    if isinstance(value, Undefined):
        str(value)  # raises with the reason
    if isinstance(value, list):
        return [_looked_up(one) for one in value]
    if isinstance(value, dict):
        return {key: _looked_up(one) for key, one in value.items()}
    return value


class _Hosts(_Readable):
    """``hostvars`` with every host's variables readable in that way, looked up once each."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._found: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._found:
            variables = super().__getitem__(key)
            self._found[key] = _Readable(variables) if isinstance(variables, Mapping) else variables
        return self._found[key]
