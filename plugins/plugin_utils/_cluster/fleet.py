# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clusters of an inventory, and those that a run is for.

A cluster is a set of directors with one description. A director belongs to one cluster, a real server to one or
several, by the variable ``lvs_cluster``. The description of a cluster is the variable of its directors.

    groups + variables  ->  Fleet: an inventory for each cluster
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.agreement import DESCRIPTION, check_agreement, some
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    CLUSTER_VARIABLE,
    DIRECTORS,
    REAL_SERVERS,
    Inventory,
    InventoryError,
    hosts_of_group,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    Problems,
    plain,
    suggestion,
)

#: The cluster of a host without the variable.
DEFAULT = "default"
#: The clusters of a run, a list or one text with commas between them.
SELECTION = "lvs_clusters"
#: The groups of a run -> the variables with other names of them.
GROUP_VARIABLES = {DIRECTORS: "lvs_directors_group", REAL_SERVERS: "lvs_real_servers_group"}
#: The director that becomes the master.
FAILOVER_TARGET = "lvs_failover_to"
#: Names are written to messages, and selected with commas between them.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


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
        for name in names[:1]:
            directors.setdefault(name, []).append(host)
    for host in inventory.real_servers:
        names = of_host[host] if host in of_host else _names_of(host, inventory, problems)
        of_host[host] = names
        for name in names:
            real_servers.setdefault(name, []).append(host)
    unknown: dict[str, list[str]] = {name: hosts for name, hosts in real_servers.items() if name not in directors}
    for name, hosts in unknown.items() if directors else ():
        given = f"{name!r}" if name != DEFAULT else f"{name!r} (the one of hosts without {CLUSTER_VARIABLE})"
        belong = "belongs" if len(hosts) == 1 else "belong"
        text = f"{given} has no directors{suggestion(name, directors)}, and {some(hosts)} {belong} to it"
        if DEFAULT in directors:
            text += f"; the variable is not set for {some(directors[DEFAULT])}"
        problems.add(Code.UNKNOWN_CLUSTER, CLUSTER_VARIABLE, "", text, name)
    if len(directors) < 2:
        return Fleet(inventory, dict.fromkeys(directors or [DEFAULT], inventory), of_host)
    parts = {
        name: inventory.of_cluster(name, hosts, real_servers.get(name, ()), of_host)
        for name, hosts in directors.items()
    }
    return Fleet(inventory, parts, of_host)


def _names_of(host: str, inventory: Inventory, problems: Problems) -> tuple[str, ...]:
    """Return the clusters of a host; none if the variable is wrong."""
    where = f"host {host}"
    try:
        given = inventory.variable(host, CLUSTER_VARIABLE)
    except InventoryError as error:
        error.note(problems, "")
        return ()
    if given is None:
        return (DEFAULT,)
    names = names_in(given)
    for name in names or [given]:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            text = "is not a name of 1 to 64 letters, digits, '_', '.' and '-', nor a list of them"
            text += ": write a number in quotes" if isinstance(name, (int, float)) else ""
            problems.refuse(Code.MALFORMED, where, CLUSTER_VARIABLE, name, text)
            return ()
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
            text = f"is not a cluster{suggestion(name, fleet.clusters)}; the inventory has {some(list(fleet.clusters))}"
            problems.refuse(Code.UNKNOWN_CLUSTER, SELECTION, "", name, text)
    return [name for name in names if isinstance(name, str) and name in fleet.clusters]


def check_selection(
    selection: object, fleet: Fleet, extra: Mapping[str, object], run_hosts: Collection[str], problems: Problems
) -> list[str]:
    """Return the clusters that a run is for, none for all; notes options that select others than they say.

    ``extra``: the variables of the command line. ``run_hosts``: the hosts that --limit leaves.
    """
    if CLUSTER_VARIABLE in extra:
        text = f"is given for all hosts (did you mean {SELECTION}?): it says which cluster a host belongs to"
        problems.refuse(Code.EXCLUDED, CLUSTER_VARIABLE, "", extra[CLUSTER_VARIABLE], text)
    members = fleet.hosts([])
    if SELECTION not in extra and any(SELECTION in fleet.whole.names(host) for host in members):
        text = "is a variable of the inventory, and selects the clusters of one run: give it with -e"
        problems.add(Code.EXCLUDED, SELECTION, "", text)
    selected = selected_clusters(selection, fleet, problems)
    if selected and not set(fleet.hosts(selected)).intersection(run_hosts):
        text = f"selects {' and '.join(selected)}, and --limit excludes all hosts of it"
        problems.add(Code.EXCLUDED, SELECTION, "", text)
    return selected


def renamed_groups(
    groups: Mapping[object, object], given: Mapping[str, object], problems: Problems
) -> list[dict[str, str]]:
    """Return the hosts of groups with other names: ``[{"host": "lb1", "group": "directors"}]``, in their order.

    ``given``: a group of `GROUP_VARIABLES` -> its name in the inventory, None if that is the same.
    """
    found: list[dict[str, str]] = []
    for group, name in given.items():
        if name is None or name == group:
            continue
        known = [one for one in groups if isinstance(one, str) and one not in GROUP_VARIABLES]
        hosts = hosts_of_group(groups, plain(name)) if isinstance(name, str) and name in known else []
        own = hosts_of_group(groups, group)
        if not hosts:
            text = f"is not a group with hosts{suggestion(name, known)}"
            problems.refuse(Code.UNKNOWN_GROUP, GROUP_VARIABLES[group], "", name, text)
        elif own and own != hosts:
            text = f"is not the group {group!r}, which the inventory has too: rename that one"
            problems.refuse(Code.TWICE, GROUP_VARIABLES[group], "", name, text)
        else:
            found += [{"host": host, "group": group} for host in hosts]
    return found


def check_groups(groups: Mapping[object, object], given: Mapping[str, object], problems: Problems) -> None:
    """Note that the inventory has no directors: a run would end without an error, because its plays have no hosts."""
    if given[DIRECTORS] is None and not hosts_of_group(groups, DIRECTORS):
        text = f"has no hosts: put the directors into it, or name another group with {GROUP_VARIABLES[DIRECTORS]}"
        problems.add(Code.EMPTY, f"group {DIRECTORS}", "", text)


def check_failover(
    target: object, fleet: Fleet, selected: Sequence[str], run_hosts: Collection[str], problems: Problems
) -> None:
    """Note a target of a failover that is not a director of the run, and directors that do not agree."""
    directors = fleet.whole.directors
    name = plain(target) if isinstance(target, str) else target
    if len(directors) < 2:
        return  # the playbook says that a failover requires two
    if not name:
        problems.add(Code.MISSING, FAILOVER_TARGET, "", f"is missing: it must be one of {', '.join(directors)}")
        return
    if name not in directors:
        text = f"is not one of the directors ({', '.join(directors)})"
        problems.refuse(Code.NOT_IN_GROUP, FAILOVER_TARGET, "", name, text)
        return
    cluster = fleet.of_host[str(name)][0]
    if selected and cluster not in selected:
        text = f"belongs to cluster {cluster}, and {SELECTION} selects {' and '.join(selected)}"
        problems.refuse(Code.EXCLUDED, FAILOVER_TARGET, "", name, text)
    elif name not in run_hosts:
        text = "is a director, and --limit excludes it from this run"
        problems.refuse(Code.EXCLUDED, FAILOVER_TARGET, "", name, text)
    check_agreement(fleet.clusters[cluster], problems)


def description_of(inventory: Inventory, given: object) -> object:
    """Return the description of a cluster: the variable of its first director that has one, otherwise the given."""
    for host in inventory.directors:
        if DESCRIPTION in inventory.names(host):
            return inventory.variable(host, DESCRIPTION)
    return given
