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
    "site_joined",
    "site_released",
    "verify_probe",
    "verify_table",
)
#: The variable in which a run stores what is wrong with the owners of the VIPs.
OWNER_PROBLEMS = "site_owner_problems"
#: The most names of hosts that a line has.
_NAMES = 5


def summary(
    clusters: object,
    hostvars: object,
    lost: object,
    faults: Mapping[str, str],
    left_out: Sequence[str] = (),
    removes: bool = False,
) -> list[str]:
    """Return a table with a line for each cluster of the run, and sentences about the hosts that were lost.

    ``clusters``: name -> ``{"directors": ["lb1"], "real_servers": ["rs1"]}``, the hosts of the run. ``lost``: those
    that failed or could not be reached; ``faults`` has others, whose answers cannot be used. ``left_out``: real servers
    that the user left out. ``removes``: the run is a teardown.
    """
    if not isinstance(clusters, Mapping) or not isinstance(hostvars, Mapping) or not isinstance(lost, (list, tuple)):
        raise InputError("summary: a dictionary of clusters, the variable hostvars and a list of hosts are needed")
    gone = {*lost, *faults}
    rows = [("cluster", "result", "changed")]
    sentences: list[str] = []
    unchanged: dict[str, None] = {}
    for name, cluster in clusters.items():
        hosts = [*cluster["directors"], *cluster["real_servers"]]
        if not hosts:
            rows.append((str(name), "not in this run", "-"))
            continue
        failed = [host for host in hosts if host in gone]
        changed = [host for host in hosts if _changed(_of(hostvars, host))]
        visited = [host for host in cluster["directors"] if host in gone or DIRECTOR_RESULT in _of(hostvars, host)]
        left = [host for host in cluster["directors"] if host not in visited]
        if removes:
            kept = [host for host in cluster["real_servers"] if REAL_SERVER_RESULT not in _of(hostvars, host)]
            kept = [host for host in kept if host not in gone]
            unchanged.update(dict.fromkeys(kept))
            result = "failed" if failed else "incomplete" if kept else "ok"
        else:
            result = "failed" if failed else "ok"
        rows.append((str(name), result, _some(changed)))
        sentences += [f"{host} failed: {faults.get(host) or reason(_of(hostvars, host))}" for host in failed]
        if failed and left:
            sentences.append(f"{_why(failed, hostvars)}, so {_are(left)} unchanged: {_remedy(failed, hostvars)}")
    failed = [host for cluster in clusters.values() for host in cluster["directors"] if host in gone]
    if unchanged and failed:
        sentences.append(f"{_why(failed, hostvars)}, so {_are(list(unchanged))} unchanged: {_remedy(failed, hostvars)}")
    if left_out:
        them, they = ("it", "it") if len(left_out) == 1 else ("them", "they")
        sentences.append(
            f"{_some(left_out)} {_were(left_out)} left out of this run. The directors still send requests to {them}, "
            f"unless drained or without a passed health check. Run lvs.cluster.site again when {they} can be reached"
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    return [*table, *dict.fromkeys(sentences)]


def _why(failed: Sequence[str], hostvars: Mapping[str, object]) -> str:
    return f"{_some(failed)} {_were(failed)} lost" if _all_lost(failed, hostvars) else f"{_some(failed)} failed"


def _remedy(failed: Sequence[str], hostvars: Mapping[str, object]) -> str:
    lost = _all_lost(failed, hostvars)
    return f"run it again when {_some(failed)} can be reached" if lost else "run it again when that is mended"


def _all_lost(hosts: Sequence[str], hostvars: Mapping[str, object]) -> bool:
    return all(_is_lost(_of(hostvars, host)) for host in hosts)


def _are(hosts: Sequence[str]) -> str:
    return f"{_some(hosts)} {'is' if len(hosts) == 1 else 'are'}"


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


def _is_lost(variables: Mapping[str, object]) -> bool:
    """Return True if the host could not be reached any more."""
    results = (variables.get(name) for name in _REGISTERED)
    return any(isinstance(result, Mapping) and result.get("unreachable") is True for result in results)


def _were(hosts: Sequence[str]) -> str:
    return "was" if len(hosts) == 1 else "were"


def reason(variables: Mapping[str, object]) -> str:
    """Return why a host failed, from what its tasks registered."""
    return clip(next(_messages(variables), "see its error above"))


def _messages(variables: Mapping[str, object]) -> Iterator[object]:
    for name in _REGISTERED:
        result = variables.get(name)
        if isinstance(result, Mapping) and (result.get("failed") is True or result.get("unreachable") is True):
            yield result.get("msg") or "see its error above"
    owners = variables.get(OWNER_PROBLEMS)
    if isinstance(owners, (list, tuple)) and owners:
        yield "; ".join(map(str, owners))
