# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a run, cluster by cluster: what changed, what failed and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import InputError, clip
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.run_order import (
    DIRECTOR_RESULT,
    HOST_CHECK,
    REAL_SERVER_RESULT,
)

#: The variables in which the tasks of a run register their results, in the order of the run.
_REGISTERED = (
    HOST_CHECK,
    "real_server_installed",
    REAL_SERVER_RESULT,
    "director_installed",
    "director_applied",
    "director_keepalived",
    "director_checker_service",
    "site_director_check",
)
#: The most names of hosts that a line has.
_NAMES = 5


def summary(
    clusters: object, hostvars: object, lost: object, faults: Mapping[str, str], left_out: Sequence[str] = ()
) -> list[str]:
    """Return a table with a line for each cluster, and sentences about the hosts that were lost.

    ``clusters``: name -> ``{"directors": ["lb1"], "real_servers": ["rs1"]}``, the hosts of the run. ``lost``: those
    that failed or could not be reached; ``faults`` has others, whose answers cannot be used. ``left_out``: real servers
    that the user left out.
    """
    if not isinstance(clusters, Mapping) or not isinstance(hostvars, Mapping) or not isinstance(lost, (list, tuple)):
        raise InputError("summary: a dictionary of clusters, the variable hostvars and a list of hosts are needed")
    gone = {*lost, *faults}
    rows = [("cluster", "result", "changed")]
    sentences: list[str] = []
    for name, cluster in clusters.items():
        hosts = [*cluster["directors"], *cluster["real_servers"]]
        failed = [host for host in hosts if host in gone]
        changed = [host for host in hosts if _changed(_of(hostvars, host))]
        left = [
            host for host in cluster["directors"] if host not in gone and DIRECTOR_RESULT not in _of(hostvars, host)
        ]
        rows.append((str(name), "failed" if failed else "ok", _some(changed)))
        sentences += [f"{host} failed: {faults.get(host) or _reason(_of(hostvars, host))}" for host in failed]
        if failed and left:
            names = _some(failed)
            unchanged = f"{_some(left)} {'is' if len(left) == 1 else 'are'} unchanged"
            remedy = f"run it again when {names} can be reached"
            sentences.append(f"{names} failed or {_were(failed)} lost, so {unchanged}: {remedy}")
    if left_out:
        sentences.append(
            f"{', '.join(left_out)} was left out of this run. The directors still send requests to it, unless it is "
            "drained or failed its health check. Run lvs.cluster.site again when it can be reached"
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    return [*table, *dict.fromkeys(sentences)]


def _of(hostvars: Mapping[str, object], host: str) -> Mapping[str, object]:
    found = hostvars.get(host, {})
    return found if isinstance(found, Mapping) else {}


def _changed(variables: Mapping[str, object]) -> bool:
    results = (variables.get(name) for name in (DIRECTOR_RESULT, REAL_SERVER_RESULT))
    return any(isinstance(result, Mapping) and result.get("changed") is True for result in results)


def _some(hosts: Sequence[str]) -> str:
    if len(hosts) > _NAMES:
        return f"{', '.join(hosts[: _NAMES - 1])} and {len(hosts) - _NAMES + 1} more"
    return " and ".join([", ".join(hosts[:-1]), hosts[-1]] if len(hosts) > 1 else hosts) or "-"


def _were(hosts: Sequence[str]) -> str:
    return "was" if len(hosts) == 1 else "were"


def _reason(variables: Mapping[str, object]) -> str:
    return clip(next(_messages(variables), "see its error above"))


def _messages(variables: Mapping[str, object]) -> Iterator[object]:
    for name in _REGISTERED:
        result = variables.get(name)
        if isinstance(result, Mapping) and (result.get("failed") is True or result.get("unreachable") is True):
            yield result.get("msg") or "see its error above"
