# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All findings of the playbook verify: problems, drained real servers, and a summary, for all clusters of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify import run_summary
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.balance import table_problems_of_results
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.connections import connection_problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import InputError, ReportError, text, texts
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.run_order import DIRECTOR_RESULT
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.vip_owners import (
    seen_of_results,
    vip_problems_of_results,
)

#: The variables in which the playbook stores its results for each host.
PROBE, TABLE, CONNECTIONS = "verify_probe", "verify_table", "verify_connections"
DIRECTOR_PROBLEMS, REAL_SERVER_PROBLEMS = "verify_director_problems", "verify_real_server_problems"

Variables = Mapping[str, object]


def findings(clusters: object, hostvars: object, probed: object, others: object) -> dict[str, object]:
    """Return ``{"problems": [...], "drained": [...], "seen": [...]}``, each a list of sentences or addresses.

    ``clusters``: name -> ``{"directors": [...], "real_servers": [...], "cluster": the result of the filter cluster}``,
    the hosts of the run. ``probed``: the hosts that probed the VIPs. ``others``: the hosts that connected to the
    services.
    """
    if not isinstance(clusters, Mapping) or not isinstance(hostvars, Mapping):
        raise InputError("findings: a dictionary of clusters and the variable hostvars are needed")
    hosts = {host: _of(hostvars, host) for host in texts(probed, "probed")}
    connected = {host: _of(hostvars, host) for host in texts(others, "others")}
    results = {host: values[CONNECTIONS] for host, values in connected.items() if CONNECTIONS in values}
    found: dict[str, list[str]] = {"problems": [], "drained": [], "seen": []}
    for name, cluster in clusters.items():
        directors = {host: _of(hostvars, host) for host in cluster["cluster"]["directors"]}
        real_servers = {host: _of(hostvars, host) for host in cluster["real_servers"]}
        found["problems"] += _problems(cluster["cluster"], directors, real_servers, hosts, results)
        found["drained"] += _drained(directors.values())
        probes = {host: values.get(PROBE, {}) for host, values in hosts.items()}
        text = seen_of_results(cluster["cluster"], probes, list(real_servers))
        found["seen"].append(f"cluster {name}: {text}" if len(clusters) > 1 else text)
    return {kind: list(dict.fromkeys(lines)) for kind, lines in found.items()}


def _of(hostvars: Mapping[str, object], host: str) -> Variables:
    found = hostvars.get(host, {})
    return found if isinstance(found, Mapping) else {}


def _problems(
    cluster: Mapping[str, object],
    directors: Mapping[str, Variables],
    real_servers: Mapping[str, Variables],
    hosts: Mapping[str, Variables],
    connections: Mapping[str, object],
) -> list[str]:
    """Return the problems of one cluster."""
    vips = [one["address"] for one in _listed(cluster["vips"]) if isinstance(one, Mapping)]
    groups = {
        text(one["name"], "a group's name"): texts(one["vips"], "a group's VIPs")
        for one in _listed(cluster["vrrp_groups"])
        if isinstance(one, Mapping)
    }
    probes = {host: values[PROBE] for host, values in hosts.items() if PROBE in values}
    tables = {host: values[TABLE] for host, values in directors.items() if TABLE in values}
    results = {host: _table_result(values) for host, values in directors.items()}
    return [
        *vip_problems_of_results(vips, list(directors), probes, _listed(cluster["direct_vips"]), groups),
        *_compared(real_servers, REAL_SERVER_PROBLEMS, "a real server"),
        *_compared(directors, DIRECTOR_PROBLEMS, "a director"),
        *table_problems_of_results(cluster, tables, results),
        *connection_problems(cluster["connections"], connections),
    ]


def _compared(hosts: Mapping[str, Variables], name: str, what: str) -> list[str]:
    found: list[str] = []
    for host, values in hosts.items():
        problems = values.get(name)
        if isinstance(problems, (list, tuple)):
            found += map(str, problems)
        else:
            found.append(f"{what}, {host}, was not compared: {run_summary.reason(values)}")
    return found


def _drained(directors: Iterable[Variables]) -> list[str]:
    found: list[str] = []
    for values in directors:
        try:
            found += texts(_table_result(values).get("drained", []), "drained")
        except ReportError:
            continue  # the comparison of the tables reports it
    return found


def _table_result(values: Variables) -> Variables:
    """Return the result of the module ipvs_table in the result of the role."""
    result: object = values.get(DIRECTOR_RESULT)
    for key in ("parts", "table"):
        result = result.get(key) if isinstance(result, Mapping) else None
    return result if isinstance(result, Mapping) else {}


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()
