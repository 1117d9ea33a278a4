# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clusters of an inventory, and the needs of all hosts of a run.

A cluster is a set of directors with one description. A director belongs to one cluster, a real server to one or
several, by the variable ``lvs_cluster``. The description of a cluster is the variable of its directors.

    groups + variables  ->  Fleet: an inventory for each cluster  ->  a Cluster each  ->  Plan

**Networks.** The inventory has addresses without prefix lengths. Two clusters whose directors have addresses in one
network of `NETWORKS` are treated as if they were on the same link.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.agreement import (
    DESCRIPTION,
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
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    CLUSTER_VARIABLE,
    DIRECTORS,
    REAL_SERVERS,
    Inventory,
    InventoryError,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of, to_integer
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import DIRECTOR, VIRTUAL_ROUTER_ID
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    ModelError,
    Problem,
    Problems,
    plain,
    suggestion,
)

#: The cluster of a host without the variable.
DEFAULT = "default"
#: The clusters of a run, a list or one text with commas between them.
SELECTION = "lvs_clusters"
#: Names are written to messages, and selected with commas between them.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: The prefix lengths of what counts as one network, by family.
NETWORKS = {"ipv4": 24, "ipv6": 64}


@dataclass(frozen=True)
class Fleet:
    """The clusters of an inventory, in the order of their first directors.

    ``clusters`` maps a name to the inventory of that cluster alone; a single one has the whole inventory. ``of_host``
    maps directors and real servers to the names of their clusters.
    """

    whole: Inventory
    clusters: Mapping[str, Inventory]
    of_host: Mapping[str, tuple[str, ...]]

    @property
    def several(self) -> bool:
        """True if the inventory has more than one cluster."""
        return len(self.clusters) > 1

    def related(self, selected: Sequence[str]) -> list[str]:
        """Return these clusters, and those that share a real server with one of them; all for none."""
        if not selected:
            return list(self.clusters)
        chosen, wanted = set(selected), set(selected)
        for names in self.of_host.values():
            if chosen.intersection(names):
                wanted.update(names)
        return [name for name in self.clusters if name in wanted]

    def hosts(self, selected: Sequence[str]) -> list[str]:
        """Return the directors and real servers of some clusters, the directors first; of all clusters for none."""
        members = dict.fromkeys((*self.whole.directors, *self.whole.real_servers))
        wanted = set(selected)
        return [host for host in members if not wanted or wanted.intersection(self.of_host.get(host, ()))]


def read_fleet(inventory: Inventory, problems: Problems) -> Fleet:
    """Read the clusters of all directors and real servers; notes wrong names, and clusters without directors."""
    of_host: dict[str, tuple[str, ...]] = {}
    directors: dict[str, list[str]] = {}
    real_servers: dict[str, list[str]] = {}
    for host in inventory.directors:
        names = _names_of(host, inventory, problems)
        of_host[host] = names[:1]
        if len(names) > 1:
            text = f"is {' and '.join(names)}, and a director belongs to one cluster"
            problems.add(Code.TWICE, f"host {host}", CLUSTER_VARIABLE, text)
        directors.setdefault(names[0], []).append(host)
    for host in inventory.real_servers:
        names = of_host[host] if host in of_host else _names_of(host, inventory, problems)
        of_host[host] = names
        for name in names:
            real_servers.setdefault(name, []).append(host)
    unknown: dict[str, list[str]] = {name: hosts for name, hosts in real_servers.items() if name not in directors}
    for name, hosts in unknown.items() if directors else ():
        given = f"{name!r}" if name != DEFAULT else f"{name!r} (the one of hosts without {CLUSTER_VARIABLE})"
        text = f"{given} has no directors{suggestion(name, directors)}, and {some(hosts)} belongs to it"
        problems.add(Code.UNKNOWN_CLUSTER, CLUSTER_VARIABLE, "", text, name)
    if len(directors) < 2:
        return Fleet(inventory, dict.fromkeys(directors or [DEFAULT], inventory), of_host)
    parts = {
        name: inventory.of_cluster(name, hosts, real_servers.get(name, ()), of_host)
        for name, hosts in directors.items()
    }
    return Fleet(inventory, parts, of_host)


def _names_of(host: str, inventory: Inventory, problems: Problems) -> tuple[str, ...]:
    """Return the clusters of a host, at least one."""
    where = f"host {host}"
    try:
        given = inventory.variable(host, CLUSTER_VARIABLE)
    except InventoryError as error:
        error.note(problems, where)
        return (DEFAULT,)
    if given is None:
        return (DEFAULT,)
    names = names_in(given)
    for name in names or [given]:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            text = "is not a name of 1 to 64 letters, digits, '_', '.' and '-', nor a list of them"
            problems.refuse(Code.MALFORMED, where, CLUSTER_VARIABLE, name, text)
            return (DEFAULT,)
    return tuple(dict.fromkeys(map(str, names)))


def names_in(given: object) -> list[object]:
    """Return the elements of a list, or of one text with commas between them; strings are plain ones."""
    elements = plain(given).split(",") if isinstance(given, str) else given
    if not isinstance(elements, (list, tuple)):
        return []
    return [plain(one).strip() if isinstance(one, str) else one for one in elements]


def selected_clusters(given: object, fleet: Fleet, problems: Problems) -> list[str]:
    """Return the clusters that a run is for; none for all of them, if nothing is given.

    An empty value is refused: it is a variable of the caller that is not set, and a teardown would remove everything.
    """
    if given is None:
        return []
    names = names_in(given)
    for name in names or [given]:
        if not isinstance(name, str) or name not in fleet.clusters:
            known = ", ".join(list(fleet.clusters)[:10])
            text = f"is not a cluster{suggestion(name, fleet.clusters)}; the inventory has {known}"
            problems.refuse(Code.UNKNOWN_CLUSTER, SELECTION, "", name, text)
    return [name for name in names if isinstance(name, str) and name in fleet.clusters]


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


def description_of(inventory: Inventory, given: object) -> object:
    """Return the description of a cluster: the variable of its first director that has one, otherwise the given."""
    for host in inventory.directors:
        if DESCRIPTION in inventory.names(host):
            return inventory.variable(host, DESCRIPTION)
    return given


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
    names = fleet.of_host.get(host, ())
    clusters = [plan.clusters[name] for name in names if name in plan.clusters]
    if len(clusters) < len(names) or not names:
        inventory = fleet.clusters[names[0]] if names else fleet.whole
        check_settings(group, variables, inventory)
    elif group == DIRECTORS:
        plan.directors[host] = clusters[0].director(host, variables)
    else:
        plan.real_servers[host] = real_server_of(clusters, host, variables)


def check_across(fleet: Fleet, clusters: Mapping[str, Cluster], given: object, problems: Problems) -> None:
    """Note VIPs of two clusters, VIPs that are addresses of hosts of another one, and ids that are used twice.

    ``clusters``: those that are valid. VIPs of the others count as far as their descriptions can be read.
    """
    vips: dict[IPAddress, tuple[str, str]] = {}
    for name, cluster in _all_clusters(fleet, clusters, given).items():
        own: dict[IPAddress, str] = {}
        for item in cluster.resolved:
            own.update(dict.fromkeys((vip for vip in item.service.vips if vip not in own), item.service.where))
        for vip, service in own.items():
            first, other = vips.setdefault(vip, (name, service))
            if first != name and (name in clusters or first in clusters):
                text = f"is also the VIP of {other} of cluster {first}: a VIP belongs to one cluster"
                problems.refuse(Code.VIP_IN_USE, f"cluster {name}: {service}", "", vip, text)
    for host in dict.fromkeys((*fleet.whole.directors, *fleet.whole.real_servers)):
        try:
            addresses = fleet.whole.addresses(host).values()
        except InventoryError:
            continue  # noted where it is needed
        for address in addresses:
            name, service = vips.get(address, ("", ""))
            # within its own cluster the model of that cluster notes it
            if name in clusters and name not in fleet.of_host.get(host, ()):
                text = f"is the address of host {host} of cluster {' and '.join(fleet.of_host.get(host, ()))}"
                problems.refuse(Code.VIP_IN_USE, f"cluster {name}: {service}", "", address, text)
    _check_ids(fleet, clusters, problems)


def _all_clusters(fleet: Fleet, clusters: Mapping[str, Cluster], given: object) -> dict[str, Cluster]:
    """Return these clusters, and the others of the inventory that can be read."""
    found: dict[str, Cluster] = {}
    for name, inventory in fleet.clusters.items():
        if name in clusters:
            found[name] = clusters[name]
            continue
        try:
            found[name] = expand_cluster(description_of(inventory, given), inventory)
        except (InventoryError, ModelError):
            continue  # it is not a part of this run
    return found


def _check_ids(fleet: Fleet, clusters: Mapping[str, Cluster], problems: Problems) -> None:
    """Note two clusters on one network with the same virtual router id, which is also that of synchronisation."""
    users: dict[tuple[object, int], str] = {}
    noted: set[tuple[str, str]] = set()
    for name, inventory in fleet.clusters.items():
        number = _virtual_router_id(inventory)
        if number is None:
            continue
        for network in _networks(inventory):
            first = users.setdefault((network, number), name)
            if first == name or (first, name) in noted or not (first in clusters or name in clusters):
                continue
            noted.add((first, name))
            text = (
                f"is {number} for the clusters {first} and {name}, which both have directors in {network}: give one of "
                "them another id"
            )
            problems.add(Code.ID_TWICE, VIRTUAL_ROUTER_ID, "", text, str(number))


def _virtual_router_id(inventory: Inventory) -> int | None:
    try:
        given = inventory.variable(inventory.directors[0], VIRTUAL_ROUTER_ID)
    except InventoryError:
        return None
    return to_integer(DIRECTOR[VIRTUAL_ROUTER_ID] if given is None else given)


def _networks(inventory: Inventory) -> list[object]:
    found: dict[object, None] = {}
    for director in inventory.directors:
        try:
            addresses = inventory.addresses(director)
        except InventoryError:
            continue
        for address in addresses.values():
            prefix = NETWORKS[family_of(address)]
            found[ipaddress.ip_network(f"{address}/{prefix}", strict=False)] = None
    return list(found)
