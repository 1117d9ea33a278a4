# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The needs of all hosts of a run, from the clusters of an inventory.

Fleet  ->  a Cluster each  ->  Plan
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.agreement import (
    check_agreement,
    check_variables,
    some,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import (
    Cluster,
    DirectorModel,
    RealServerModel,
    check_settings,
    expand_cluster,
    inventory_of,
    real_server_of,
    require_member,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet import (
    SELECTION,
    Fleet,
    description_of,
    read_fleet,
    selected_clusters,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet_checks import check_across
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    DIRECTORS,
    REAL_SERVERS,
    Inventory,
    InventoryError,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description import drain_options
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    ModelError,
    Problem,
    Problems,
)


@dataclass(frozen=True)
class Plan:
    """The needs of the hosts of a run.

    ``problems`` has one a line, and is empty if there are none; the models have all hosts without a problem. Lines
    about settings begin with their hosts, unless all directors or all real servers have the same problem; those about
    a cluster begin with its name, if the inventory has several. ``selected`` are the clusters of the run, and
    ``clusters`` has the valid ones of them and of those that share real servers with them.
    """

    problems: str
    fleet: Fleet | None = None
    selected: tuple[str, ...] = ()
    directors: dict[str, DirectorModel] = field(default_factory=dict)
    real_servers: dict[str, RealServerModel] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)


def make_plan(
    description: object,
    groups: object,
    hostvars: object,
    written: Callable[[str], object] | None,
    settings: Mapping[str, Mapping[str, Mapping[str, object]]],
    selection: object = None,
) -> Plan:
    """Expand the descriptions for some hosts, with all problems of them and of the variables of hosts.

    ``description``: that of a cluster whose directors have none. ``settings``: the group of directors or of real
    servers -> a host of it -> those of its variables that are in `host_settings.DIRECTOR` or
    `host_settings.REAL_SERVER`. ``selection``: the clusters of the run; those that share real servers with them are
    validated too.
    """
    problems = Problems()
    try:
        fleet = read_fleet(inventory_of(groups, hostvars, written), problems)
    except ModelError as error:
        return Plan(str(error))
    selected = selected_clusters(selection, fleet, problems)
    if problems.found:
        return Plan(str(ModelError(problems.found)), fleet)
    found: dict[Problem, None] = {}
    clusters: dict[str, Cluster | None] = {}
    for name in fleet.related(selected):
        cluster, of_cluster = _expand(fleet.clusters[name], description)
        clusters[name] = cluster
        found.update(dict.fromkeys(_in_cluster(name, of_cluster, fleet)))
    valid = {name: cluster for name, cluster in clusters.items() if cluster is not None}
    if fleet.several:
        check_across(fleet, valid, description, problems)
        found.update(dict.fromkeys(problems.found))
    plan = Plan("", fleet, tuple(selected) or tuple(fleet.clusters), clusters=valid)
    for group in (DIRECTORS, REAL_SERVERS):
        of_hosts: dict[Problem, list[str]] = {}
        for host, variables in settings.get(group, {}).items():
            try:
                _add_model(plan, fleet, group, host, variables)
            except ModelError as error:
                for problem in error.problems:
                    of_hosts.setdefault(problem, []).append(host)
        hosts = list(settings.get(group, {}))
        for problem, concerned in of_hosts.items():
            if problem not in found:
                prefix = "" if concerned == hosts else some(concerned)
                where = ": ".join(part for part in (prefix, problem.where) if part)
                found[replace(problem, where=where)] = None
    return replace(plan, problems=str(ModelError(found)))


def clusters_of(host: str, given: object, fleet: Fleet, only: Sequence[str] = ()) -> list[Cluster]:
    """Return the clusters of a host, or some of them; raises `ModelError`.

    ``given``: the description, if there is one cluster only; without it, that of the directors.
    """
    names = only or fleet.of_host.get(host, ()) or list(fleet.clusters)[:1]
    return [_cluster(name, given, fleet) for name in names]


def _cluster(name: str, given: object, fleet: Fleet) -> Cluster:
    inventory = fleet.clusters[name]
    try:
        description = description_of(inventory, given) if fleet.several or given is None else given
    except InventoryError as error:
        problems = Problems()
        error.note(problems, "")
        raise ModelError(problems.found) from error
    return expand_cluster(description, inventory)


def draining(hosts: object, given: object, fleet: Fleet, selected: Sequence[str]) -> dict[str, object]:
    """Return what drains real servers in all their services; raises `ModelError` for a host without services.

    ``{"addresses": ["192.0.2.11"], "of_director": {"lb1": {...}}, "of_host": {"rs1": {"connections": [...],
    "directors": ["lb1"]}}}``

    ``of_director`` has the directors of the clusters of these hosts, each with the options for its cluster
    (`cluster_model.Draining`) and with its ``vips``. ``of_host`` has where a host accepts TCP, and the directors
    of its clusters. ``given``: the description, if there is one cluster only; without it, that of the directors.
    ``selected``: the clusters of the
    run, all for none.
    """
    problems = Problems()
    names = [str(host) for host in (hosts if isinstance(hosts, (list, tuple)) else [hosts])]
    clusters: dict[str, Cluster] = {}
    for host in names:
        require_member(REAL_SERVERS, host, fleet.whole, problems)
        names_of_host = fleet.of_host.get(host, ())
        within = [name for name in names_of_host if not selected or name in selected]
        if names_of_host and not within:
            text = f"belongs to {' and '.join(names_of_host)}, and {SELECTION} selects {' and '.join(selected)}"
            problems.add(Code.EXCLUDED, f"host {host}", "", text)
        for name in within:
            if name not in clusters:
                clusters[name] = _cluster(name, given, fleet)
        if within and not any(host in clusters[name].by_host for name in within):
            problems.add(Code.NO_SERVICE, f"host {host}", "", "is not a real server of any service")
    problems.raise_any()
    addresses: dict[str, None] = {}
    of_director: dict[str, object] = {}
    of_host: dict[str, dict[str, list[object]]] = {}
    for cluster in clusters.values():
        directors = cluster.inventory.directors
        serving = [host for host in names if host in cluster.by_host]
        found = cluster.draining(serving)
        addresses.update(dict.fromkeys(found.addresses))
        options = {**asdict(found), "vips": [str(vip) for vip in cluster.vips()]}
        of_director.update(dict.fromkeys(directors, options))
        for host in serving:
            own = of_host.setdefault(host, {"connections": [], "directors": []})
            own["connections"] += cluster.draining([host]).connections
            own["directors"] += directors
    return {"addresses": list(addresses), "of_director": of_director, "of_host": of_host}


def check_draining(
    hosts: Sequence[str],
    of_host: Mapping[str, Mapping[str, Sequence[object]]],
    fleet: Fleet,
    directors: Collection[str],
    updates: bool,
    problems: Problems,
) -> None:
    """Note directors that do not agree, and directors that would go on sending requests to a drained host.

    ``of_host``: see `draining`. ``directors``: those that drain. ``updates``: the hosts are updated after the drain, so
    no director may send them any requests.
    """
    concerned = {director for one in of_host.values() for director in one["directors"]}
    for name, inventory in fleet.clusters.items():
        own = set(inventory.directors)
        if concerned.intersection(own):
            check_agreement(inventory, problems)
            drained = [host for host in hosts if host in of_host and own.intersection(of_host[host]["directors"])]
            if own.isdisjoint(directors):
                belong = "belongs" if len(drained) == 1 else "belong"
                which = f"of cluster {name}, which {some(drained)} {belong} to" if fleet.several else ""
                problems.add(Code.NOT_IN_GROUP, drain_options.DIRECTORS, "", f"has no director {which}".rstrip())
        elif updates:
            for host in hosts:
                if name in fleet.of_host.get(host, ()):
                    text = f"belongs to {name} too, whose directors would send requests to it during the update"
                    problems.add(Code.EXCLUDED, host, "", f"{text}: add {name} to {SELECTION}")


def needs_elsewhere(
    fleet: Fleet, selected: Sequence[str], settings: Mapping[str, Mapping[str, object]]
) -> dict[str, RealServerModel]:
    """Return what real servers need for the clusters that are not in a run; raises `ModelError`.

    ``settings``: real servers -> those of their variables that are in `host_settings.REAL_SERVER`. Those that belong to
    no other cluster are left out.
    """
    others = {
        host: [name for name in fleet.of_host[host] if name not in selected] if selected else [] for host in settings
    }
    found: dict[Problem, None] = {}
    clusters: dict[str, Cluster] = {}
    for name in dict.fromkeys(name for names in others.values() for name in names):
        cluster, problems = _expand(fleet.clusters[name], None)
        found.update(dict.fromkeys(_in_cluster(name, problems, fleet)))
        if cluster is not None:
            clusters[name] = cluster
    if found:
        raise ModelError(found)
    models: dict[str, RealServerModel] = {}
    for host, names in others.items():
        if names:
            try:
                models[host] = real_server_of([clusters[name] for name in names], host, settings[host])
            except ModelError as error:
                found.update(dict.fromkeys(error.problems))
    if found:
        raise ModelError(found)
    return models


def _expand(inventory: Inventory, given: object) -> tuple[Cluster | None, list[Problem]]:
    """Return a cluster, None if it cannot be used, and its problems."""
    found: dict[Problem, None] = {}
    cluster, description = None, None
    try:
        description = description_of(inventory, given)
        cluster = expand_cluster(description, inventory)
        cluster.check()
    except InventoryError as error:
        problems = Problems()
        error.note(problems, "")
        found.update(dict.fromkeys(problems.found))
    except ModelError as error:
        found.update(dict.fromkeys(error.problems))
    problems = Problems()
    check_variables(inventory, problems)
    if description is not None:
        check_agreement(inventory, problems)
    # the first service that has both hosts notes their address too
    shared = {problem.text for problem in found if problem.code is Code.ADDRESS_TWICE}
    found.update(dict.fromkeys(problem for problem in problems.found if problem.text not in shared))
    return cluster, list(found)


def _in_cluster(name: str, problems: Iterable[Problem], fleet: Fleet) -> list[Problem]:
    """Return the problems of a cluster, with its name if there are others."""
    if not fleet.several:
        return list(problems)
    return [
        replace(problem, where=": ".join(part for part in (f"cluster {name}", problem.where) if part))
        for problem in problems
    ]


def _add_model(plan: Plan, fleet: Fleet, group: str, host: str, variables: Mapping[str, object]) -> None:
    """Add the model of a host to a plan, or check its settings alone if one of its clusters cannot be used."""
    if variables.get("lvs_state") == "absent":
        text = "'absent' is for the roles alone. The playbook lvs.cluster.teardown removes what they added"
        raise ModelError([Problem(Code.UNKNOWN_WORD, "", "lvs_state", text)])
    names = fleet.of_host.get(host, ())
    clusters = [plan.clusters[name] for name in names if name in plan.clusters]
    if len(clusters) < len(names) or not names:
        inventory = fleet.clusters[names[0]] if names else fleet.whole
        check_settings(group, variables, inventory)
    elif group == DIRECTORS:
        plan.directors[host] = clusters[0].director(host, variables)
    else:
        plan.real_servers[host] = real_server_of(clusters, host, variables)
