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
    clip,
    held_vips,
    mapping,
    texts,
)

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


def read(results: Mapping[str, object], vips: Iterable[str], real_servers: Iterable[str]) -> dict[str, Report | None]:
    """Return the reports of all directors; an empty result is of one without a task. Raises `ReportError`."""
    found: dict[str, Report | None] = {}
    vips, real_servers = list(vips), list(real_servers)
    for host, result in results.items():
        try:
            found[host] = Report.of(result, vips, real_servers) if result else None
        except ReportError as error:
            raise ReportError(f"{clip(host)}: its answer is not one of lvs.cluster.host_check: {error}") from error
    return found


def order_of_results(results: object, host: object, vips: object, real_servers: object) -> dict[str, object]:
    """Return the settings of a director, from the results of host_check of all directors: director -> the result.

    ``{"waits": True, "drained": ["192.0.2.11"]}``: ``waits`` if it takes no VIP until all directors are set up; the
    addresses of real servers that are drained on the others, if it is new. An empty result is of a director without a
    task.
    """
    if not isinstance(results, Mapping) or host not in results:
        raise InputError(f"joining: the input is not a dictionary of results by director that has {host}")
    found = order(str(host), read(results, texts(vips, "vips"), texts(real_servers, "real_servers")))
    return {"waits": found.waits, "drained": list(found.drained)}


def hosts_of_run(wanted: Iterable[str], groups: Mapping[object, object], left_out: object = ()) -> str:
    """Return a pattern for the keyword ``hosts``: groups, without the real servers that a run leaves out.

    ``left_out``: a list of inventory names, or one text with commas between them.
    """
    names = [name.strip() for name in left_out.split(",") if name.strip()] if isinstance(left_out, str) else left_out
    if not isinstance(names, (list, tuple)):
        raise InputError(f"lvs_left_out: {names!r} is neither a list nor names with commas between them")
    known = hosts_of_group(groups, REAL_SERVERS)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(
            f"lvs_left_out: {unknown[0]!r} is not a host of the group {REAL_SERVERS}, and only those can be left out"
        )
    return ":".join([*wanted, *(f"!{name}" for name in names)])


def in_turn(directors: object, hostvars: object) -> list[str]:
    """Return the directors in the order in which a run changes them: those that hold VIPs last.

    Another director is then ready to take over before the master is changed. Among the others, the last of the group is
    first. A checked director has the fact ``lvs_held``, a list; others are left out.
    """
    if not isinstance(directors, (list, tuple)) or not isinstance(hostvars, Mapping):
        raise InputError("in_turn: a list of hosts and the variable hostvars are needed")
    held = {host: hostvars[host].get("lvs_held") for host in directors if host in hostvars}
    asked = [host for host, vips in reversed(held.items()) if isinstance(vips, (list, tuple))]
    return sorted(asked, key=lambda host: len(held[host]) > 0)


def joining_directors(directors: object, hostvars: object) -> list[str]:
    """Return the directors that wait until all others have them as a peer: the fact ``site_joining`` says so."""
    if not isinstance(directors, (list, tuple)) or not isinstance(hostvars, Mapping):
        raise InputError("joining_directors: a list of hosts and the variable hostvars are needed")
    joining = {host: hostvars[host].get("site_joining") for host in directors if host in hostvars}
    return [host for host, state in joining.items() if isinstance(state, Mapping) and state.get("waits") is True]


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
