# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that accept no connection, as sentences, from the results of the module connect_check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import InputError, clip, limited

_NONE = "no connection was tried: lvs_verify_from matches no host, or --limit excludes it"


def connection_problems(connections: object, results: object) -> list[str]:
    """Return a sentence for each service that accepted no connection.

    ``connections``: ``[{"name": "web", "address": "192.0.2.10", "port": 80}]``. ``results``: host -> the result of
    connect_check, successful or failed. Addresses that are not in ``connections`` are ignored.
    """
    if not isinstance(connections, (list, tuple)) or not isinstance(results, Mapping):
        raise InputError("connection_problems: a list of connections and a dictionary of results are needed")
    if not results:
        return [_NONE]
    return limited(
        [problem for host, result in results.items() for problem in _problems(str(host), result, connections)]
    )


def _problems(host: str, result: object, connections: list[object] | tuple[object, ...]) -> Iterator[str]:
    refused = result.get("refused") if isinstance(result, Mapping) else None
    lost = isinstance(result, Mapping) and (result.get("unreachable") is True or result.get("failed") is True)
    if not isinstance(refused, (list, tuple)) or (lost and not refused):
        why = result.get("msg") if isinstance(result, Mapping) else None
        yield f"no connection from {host} was tried: {clip(why) if why else 'the module gave no reason'}"
        return
    reasons = {
        (str(one.get("address")), str(one.get("port"))): clip(one.get("reason", ""))
        for one in refused
        if isinstance(one, Mapping)
    }
    for one in connections:
        if not isinstance(one, Mapping):
            raise InputError("connection_problems: a connection is not a dictionary")
        reason = reasons.get((str(one["address"]), str(one["port"])))
        if reason is not None:
            yield (
                f"{one['name']}, {one['address']} port {one['port']}: no connection from {host} was accepted "
                f"({reason}). If that host cannot reach the VIPs, set lvs_verify_from to one that can"
            )
