# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a run, the order of the directors, and the settings of a director that joins.

**Joining.** A director without adverts takes the VIPs, and it accepts only those of peers that have it as a peer and
list the same address (`_cluster.pair`). So a new director takes no VIP until all are set up, if another one holds the
VIPs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import REAL_SERVERS, hosts_of_group
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import (
    InputError,
    ReportError,
    boolean,
    held_vips,
    mapping,
    texts,
)

#: The variable in which the check of a host registers its result.
HOST_CHECK = "site_host_check"
#: The variables in which the roles publish their results.
DIRECTOR_RESULT = "director_result"
REAL_SERVER_RESULT = "real_server_result"


@dataclass(frozen=True)
class Report:
    """The present state of a director: `host_check`'s answer, with every value checked.

    ``drained`` are addresses of real servers of the description.
    """

    held: tuple[str, ...]
    configured: bool
    joins: bool
    joining: bool
    drained: tuple[str, ...]

    @classmethod
    def of(cls, result: object, vips: Iterable[str], real_servers: Iterable[str]) -> Report:
        """Return the state in a result of host_check; raises `ReportError` for other results.

        Other drained real servers have left the description, and are ignored.
        """
        held = held_vips(result, vips)
        values = mapping(mapping(result, "the result").get("director"), "director")
        drained = set(texts(values.get("drained"), "director.drained"))
        flags = {name: boolean(values.get(name), f"director.{name}") for name in ("configured", "joins", "joining")}
        return cls(held=tuple(held), drained=tuple(one for one in real_servers if one in drained), **flags)


@dataclass(frozen=True)
class Order:
    """The settings of a director that may join: ``waits`` keeps the VIPs off until all have it as a peer, and
    ``drained`` is from the others.
    """

    waits: bool
    drained: tuple[str, ...]


def order(host: str, reports: Mapping[str, Report | None]) -> Order:
    """Return the settings of a director. ``reports`` has all directors, None for those without an answer.

    A new one copies the drains that all other configured ones have, so that one alone cannot cause a drain.
    """
    own = reports[host]
    if own is None or not own.joins:
        return Order(own is not None and own.joining, ())
    others = [report for name, report in reports.items() if name != host]
    serve = any(report is None or report.held for report in others)
    waits = own.joining or (serve and not own.held)
    known = [report for report in others if report is not None and report.configured]
    fresh = not own.configured
    drained = [one for one in known[0].drained if all(one in other.drained for other in known)] if known else []
    return Order(waits, tuple(drained) if fresh else ())


def run_state(plan: object, hostvars: object, failed: object) -> dict[str, object]:
    """Return what is known of the hosts of a run after their check.

    ``{"lost": ["rs1", "lb4"], "faults": {"lb4": "its answer is ..."}, "held": {"lb1": ["192.0.2.10"], "lb2": []},
    "joining": {"lb1": {"waits": False, "drained": []}}, "lacking": ["rs2"]}``: the hosts that failed (``failed``) or
    have a fault, and of each other director the VIPs that it holds, whether it takes none until all are set up, and the
    addresses of real servers that it drains because the others do. ``lacking`` are the real servers that lack packages.

    ``plan``: the needs of the hosts (the filter for it returns them). Each host has a result of host_check in the
    variable `HOST_CHECK`.
    """
    if not isinstance(plan, Mapping) or not isinstance(hostvars, Mapping) or not isinstance(failed, (list, tuple)):
        raise InputError("run_state: the plan, the variable hostvars and a list of hosts are needed")
    gone = set(failed)
    reports: dict[str, Report | None] = {}
    faults: dict[str, str] = {}
    for host, model in plan["directors"].items():
        result = hostvars[host].get(HOST_CHECK) if host in hostvars and host not in gone else None
        if result is None:
            continue
        try:
            reports[host] = Report.of(result, [vip["address"] for vip in model["vips"]], model["drainable"])
        except ReportError as error:
            faults[host] = f"its answer is not one of lvs.cluster.host_check: {error}"
    lacking = []
    for host in (*plan["directors"], *plan["real_servers"]):
        result = (
            hostvars[host].get(HOST_CHECK) if host in hostvars and host not in gone and host not in faults else None
        )
        if isinstance(result, Mapping):
            try:
                if texts(result.get("missing_packages", []), "missing_packages") and host in plan["real_servers"]:
                    lacking.append(host)
            except ReportError as error:
                faults[host] = f"its answer is not one of lvs.cluster.host_check: {error}"
    joining = {}
    for host in reports:
        found = order(host, {one: reports.get(one) for one in plan["directors"][host]["directors"]})
        joining[host] = {"waits": found.waits, "drained": list(found.drained)}
    held = {host: list(report.held) for host, report in reports.items() if report is not None}
    lost = [*map(str, failed), *faults]
    return {"lost": lost, "faults": faults, "held": held, "joining": joining, "lacking": lacking}


def hosts_of_run(
    wanted: Iterable[str], groups: Mapping[object, object], left_out: object = (), within: Iterable[str] | None = None
) -> str:
    """Return a pattern for the keyword ``hosts``: groups, without the real servers that a run leaves out.

    ``left_out``: a list of inventory names, or one text with commas between them. ``within``: the hosts of the
    clusters of the run; None for all.
    """
    names = names_of_real_servers(left_out, groups)
    if within is None:
        return ":".join([*wanted, *(f"!{name}" for name in names)])
    members = {host for group in wanted for host in hosts_of_group(groups, group)}
    return pattern(host for host in within if host in members and host not in names)


def names_of(left_out: object) -> list[str]:
    """Return the real servers that a run leaves out; raises `InputError` for another form."""
    names = [name.strip() for name in left_out.split(",") if name.strip()] if isinstance(left_out, str) else left_out
    if not isinstance(names, (list, tuple)):
        raise InputError(f"lvs_left_out: {names!r} is neither a list nor names with commas between them")
    return list(names)


def names_of_real_servers(left_out: object, groups: Mapping[object, object]) -> list[str]:
    """Return the same; raises `InputError` also for a host that is not a real server."""
    names, known = names_of(left_out), hosts_of_group(groups, REAL_SERVERS)
    for name in names:
        if name not in known:
            raise InputError(
                f"lvs_left_out: {name!r} is not a host of the group {REAL_SERVERS}, and only those can be left out"
            )
    return names


def pattern(hosts: Iterable[str]) -> str:
    """Return a pattern for the keyword ``hosts`` that matches these hosts, and none if there are none."""
    return ",".join(hosts) or "all,!all"


def play_hosts(hosts: Iterable[str], left: Iterable[str]) -> str:
    """Return a pattern for the hosts of a play, and for one more as the last, if there is one among those that are
    left.

    The tasks of the play are skipped on that host. Otherwise ansible-core would end the playbook with a play in which
    all hosts failed (lib/ansible/executor/playbook_executor.py: run), and other clusters could not go on.
    """
    own = list(hosts)
    spare = [host for host in left if host not in own]
    return pattern([*own, *spare[:1]] if own else own)


def first_answered(hosts: Iterable[str], hostvars: object, name: str) -> list[str]:
    """Return the first host that was reached by the task that registered this variable, in a list; an empty one if none
    was.
    """
    variables = hostvars if isinstance(hostvars, Mapping) else {}
    for host in hosts:
        result = variables[host].get(name) if host in variables else None
        if isinstance(result, Mapping) and result.get("unreachable") is not True:
            return [host]
    return []


def hosts_left(clusters: object, lost: object, group: str, whole: bool = False) -> list[str]:
    """Return the hosts with which a run continues: those of clusters that have lost none.

    ``clusters``: name -> ``{"directors": ["lb1"], "real_servers": ["rs1"]}``, the hosts of the run. ``lost``: a list. A
    real server of several clusters is left if one of them is, unless it is lost itself; with ``whole`` only if all are.
    """
    if not isinstance(clusters, Mapping) or not isinstance(lost, (list, tuple)):
        raise InputError("hosts_left: a dictionary of clusters and a list of hosts are needed")
    gone = set(lost)
    found: dict[str, None] = {}
    ended: set[str] = set()
    for cluster in clusters.values():
        if gone.isdisjoint((*cluster["directors"], *cluster["real_servers"])):
            found.update(dict.fromkeys(cluster[group]))
        else:
            ended.update(cluster[group])
    return [host for host in found if not whole or host not in ended]


def turn(directors: object, host: object, held: object, turns: int, vips: Iterable[Mapping[str, str]] = ()) -> int:
    """Return the turn of a director, the last of which is ``turns - 1``: those that hold VIPs are in the last turns,
    and of them those that hold the most groups of VIPs last.

    Another director is then ready to take over before the master is changed. Among directors with as many groups, the
    last in the inventory is first. ``directors`` are those of its cluster, and ``held`` maps the checked ones to the
    VIPs that they hold. ``vips`` has those with a ``vrrp_group``.
    """
    if not isinstance(directors, (list, tuple)) or not isinstance(held, Mapping):
        raise InputError("turn: a list of hosts and a dictionary of lists of VIPs are needed")
    group_of = {one["address"]: one.get("vrrp_group", "") for one in vips}
    groups = {one: len({group_of.get(vip, "") for vip in held[one]}) for one in directors if one in held}
    last_first = sorted(groups, key=lambda one: -groups[one])
    if host not in last_first:
        raise InputError(f"turn: {host} was not checked")
    return turns - 1 - last_first.index(str(host))


def failover_groups(known: object, wanted: object) -> list[str]:
    """Return the names of the VRRP groups that a failover moves: the wanted ones, all for none.

    ``known``: the names of all. ``wanted``: a list of names, or one text with commas between them. Raises `InputError`
    for other names.
    """
    if not isinstance(known, (list, tuple)):
        raise InputError("failover_groups: a list of names is needed")
    names = [name.strip() for name in wanted.split(",")] if isinstance(wanted, str) and wanted else wanted or known
    if not isinstance(names, (list, tuple)):
        raise InputError(f"lvs_failover_groups: {names!r} is neither a list nor names with commas between them")
    for name in names:
        if name not in known:
            raise InputError(
                f"lvs_failover_groups: {name!r} is not a VRRP group of this cluster, which has {' '.join(known)}"
            )
    return [str(name) for name in known if name in names]


def incomplete(directors: object, hostvars: object, part: str = "") -> list[str]:
    """Return the directors on which this run has not applied a part, or not all parts that balance traffic.

    Tags skip parts, and ``--limit`` skips directors.
    """
    if not isinstance(directors, (list, tuple)) or not isinstance(hostvars, Mapping):
        raise InputError("incomplete: a list of hosts and the variable hostvars are needed")
    results = {host: hostvars[host].get(DIRECTOR_RESULT) if host in hostvars else None for host in directors}
    return [host for host, result in results.items() if not _has_applied(result, part)]


def _has_applied(result: object, part: str) -> bool:
    if not isinstance(result, Mapping):
        return False
    parts = result.get("parts")
    return result.get("complete") is True if not part else isinstance(parts, Mapping) and part in parts


def selected_steps(tags: object, run: object, skipped: object) -> list[str]:
    """Return the steps that the tags of a run select.

    ``tags``: step -> its tags. ``run`` and ``skipped``: ansible-core's ``ansible_run_tags`` and ``ansible_skip_tags``,
    with its special tags ``all`` and ``tagged`` (ansible/playbook/taggable.py).
    """
    if not isinstance(tags, Mapping) or not isinstance(run, (list, tuple)) or not isinstance(skipped, (list, tuple)):
        raise InputError("selected_steps: a dictionary of tags by step and two lists of tags are needed")
    special = {"all", "tagged"}
    return [
        str(step)
        for step, own in tags.items()
        if {*own, *special}.intersection(run) and not {*own, *special}.intersection(skipped)
    ]


def with_leftovers(hosts: object, hostvars: object) -> list[str]:
    """Return the real servers with leftovers of earlier descriptions.

    Hosts report their own, and only their existence counts.
    """
    if not isinstance(hosts, (list, tuple)) or not isinstance(hostvars, Mapping):
        raise InputError("with_leftovers: a list of hosts and the variable hostvars are needed")
    return [host for host in hosts if host in hostvars and _has_leftovers(hostvars[host])]


def _has_leftovers(variables: object) -> bool:
    result = variables.get(REAL_SERVER_RESULT) if isinstance(variables, Mapping) else None
    found = result.get("leftovers") if isinstance(result, Mapping) else None
    return isinstance(found, (list, tuple)) and len(found) > 0
