# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the directors' IPVS tables at run time, as sentences.

The role compares its own services with the description; this file compares the services of health checkers, and the
tables of the directors, which must match for a seamless failover.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, model
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import ServiceKey
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import (
    InputError,
    ReportError,
    clip,
    integer,
    kind,
    limited,
    mapping,
    text,
    texts,
)

#: A virtual service or a real server, as ipvs_info shows it or as the cluster model has it.
Facts = Mapping[str, Any]

_IDENTITY = ("address", "port", "protocol", "fwmark", "family")
_COUNTERS = ("statistics", "rates", "connections", "position", "real_servers")
_THRESHOLDS = ("upper_threshold", "lower_threshold")
#: Schedulers that choose by the position in the kernel's list (net/netfilter/ipvs: ip_vs_dh.c, ip_vs_mh.c, ip_vs_sh.c).
_BY_ORDER = ("dh", "mh", "sh")


def table_problems_of_results(cluster: Any, tables: Any, drained: Any = None) -> list[str]:
    """Return the problems in results of ipvs_info: director -> the result (`table_problems`).

    ``cluster`` is what the filter of this name returns. ``drained`` has results of ipvs_table by director.
    """
    try:
        checked, own = cluster["health_checked"], cluster["services"]
        given = dict(tables), dict(drained or {})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not what the filter cluster and ipvs_info return: {error!r}") from error
    return limited(table_problems(checked, own, *given))


def table_problems(
    checked: Sequence[Facts],
    own: Sequence[Facts],
    tables: Mapping[str, object],
    drained: Mapping[str, object],
) -> list[str]:
    """Return one sentence for each problem.

    ``checked`` are the services with health checks, each with its real servers, and ``own`` the others. ``tables`` maps
    a director to its services as ipvs_info shows them, ``drained`` to the addresses that are drained there: those may
    have weight 0. Both may be whole results. Reports are checked: an invalid one is a problem of that director, which
    is then left out of the comparisons.
    """
    problems: list[str] = []
    there: dict[str, dict[ServiceKey, Facts]] = {}
    out: dict[str, set[bytes]] = {}
    for director, table in tables.items():
        try:
            out[director] = _read_drained(drained.get(director, ()))
            there[director] = _read_table(table)
        except ReportError as error:
            problems.append(f"{director}: its answer is not one of lvs.cluster.ipvs_info: {error}")
    for service in checked:
        for director, entries in there.items():
            problems += _out_of_service(director, service, entries.get(_key(service)), out[director])
    for is_checked, services in ((True, checked), (False, own)):
        for service in services:
            found = [
                (director, entries[_key(service)]) for director, entries in there.items() if _key(service) in entries
            ]
            for director, entry in found[1:]:
                begin = f"{found[0][0]} and {director} differ in {_named(service)}"
                # each director has asked for these by itself
                varying = {"weight"} if service.get("dynamic_weights") else set()
                problems += [f"{begin}: {text}" for text in _differing(is_checked, varying, found[0][1], entry)]
    return problems


def _read_table(table: object) -> dict[ServiceKey, Facts]:
    """Return the services that a director reports; raises `ReportError`."""
    if isinstance(table, Mapping):
        table = table.get("services")
    if not isinstance(table, (list, tuple)):
        raise ReportError(f"services is {kind(table)}, not a list")
    read: dict[ServiceKey, Facts] = {}
    for entry in table:
        service = mapping(entry, "an element of services")
        try:
            key = _key(service)
        except (KeyError, ValueError) as error:
            raise ReportError(f"an element of services is not a virtual service: {clip(str(error))}") from error
        text(service.get("scheduler"), f"scheduler of {key}")
        servers = service.get("real_servers")
        if not isinstance(servers, (list, tuple)):
            raise ReportError(f"real_servers of {key} is {kind(servers)}, not a list")
        for server in servers:
            _check_server(mapping(server, f"a real server of {key}"), key)
        read[key] = service
    return read


def _check_server(server: Facts, key: ServiceKey) -> None:
    try:
        model.pack_address(text(server.get("address"), f"address of a real server of {key}"))
    except ValueError as error:
        raise ReportError(f"address of a real server of {key}: {clip(str(error))}") from error
    for name in ("port", "weight", "position", *_THRESHOLDS):
        integer(server.get(name), f"{name} of a real server of {key}")


def _read_drained(addresses: object) -> set[bytes]:
    if isinstance(addresses, Mapping):
        addresses = addresses.get("drained", ())
    try:
        return {model.pack_address(address) for address in texts(addresses, "drained")}
    except ValueError as error:
        raise ReportError(f"drained: {clip(str(error))}") from error


def _key(service: Facts) -> ServiceKey:
    names = ("fwmark", "family") if service.get("fwmark") else ("address", "port", "protocol")
    return arguments.service_key({name: service[name] for name in names})


def _end(server: Facts) -> str:
    return model.endpoint(model.pack_address(server["address"]), server["port"])


def _named(service: Facts) -> str:
    return f"{service.get('name')} ({_key(service)})"


def _out_of_service(director: str, service: Facts, entry: Facts | None, drained: set[bytes]) -> Iterator[str]:
    if entry is None:
        yield f"{director}: {_named(service)} is not in the IPVS table, where its health checker has to put it"
        return
    there = {_end(server): server for server in entry["real_servers"]}
    for server in service["real_servers"]:
        end = _end(server)
        weight = there[end]["weight"] if end in there else 0
        if server.get("weight", 1) and not weight and model.pack_address(server["address"]) not in drained:
            yield f"{director}: {end} is out of service in {_named(service)}, by its health check"
        # keepalived leaves them unchanged at a reload (check/ipwrapper.c: clear_diff_rs)
        for key in _THRESHOLDS:
            if weight and (found := there[end][key]) != server[key]:
                yield f"{director}: {key} of {end} in {_named(service)} is {found}, and should be {server[key]}"


def _differing(checked: bool, varying: Collection[str], one: Facts, other: Facts) -> Iterator[str]:
    settings = [key for key in one if key not in _IDENTITY + _COUNTERS and one[key] != other.get(key)]
    for key in settings:
        yield f"{clip(key)} is {clip(one[key])} and {clip(other.get(key))}"
    sides = [{_end(server): server for server in entry["real_servers"]} for entry in (one, other)]
    for end in sorted({*sides[0], *sides[1]}):
        left, right = sides[0].get(end), sides[1].get(end)
        if checked and not ((left or {}).get("weight") and (right or {}).get("weight")):
            continue  # by a health check, which is reported elsewhere
        if left is None or right is None:
            yield f"only one of them has {end}"
            continue
        for key in left:
            if key not in (*_COUNTERS, *_IDENTITY, *varying) and left[key] != right.get(key):
                yield f"{clip(key)} of {end} is {clip(left[key])} and {clip(right.get(key))}"
    if one["scheduler"] in _BY_ORDER and not settings and sides[0].keys() == sides[1].keys():
        orders = [sorted(side, key=lambda end: side[end]["position"]) for side in sides]
        if orders[0] != orders[1]:
            yield (
                f"{one['scheduler']} chooses by the order of the real servers, which is {', '.join(orders[0])}"
                f" and {', '.join(orders[1])}"
            )
