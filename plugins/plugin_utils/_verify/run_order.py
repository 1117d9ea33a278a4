# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directors that the others do not know yet.

A director that hears nothing takes the VIPs, and one hears only those that have it as a peer and whose adverts list
the same address (vrrp.py). So such a director takes none until all are set up, if another one holds the VIPs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import (
    ReportError,
    boolean,
    clip,
    held_vips,
    mapping,
    texts,
)


@dataclass(frozen=True)
class Report:
    """What a director is now: `host_check`'s answer, of which every value is checked.

    ``drained`` are addresses of real servers of the description.
    """

    held: tuple[str, ...]
    configured: bool
    joins: bool
    joining: bool
    drained: tuple[str, ...]

    @classmethod
    def of(cls, result: object, vips: Iterable[str], real_servers: Iterable[str]) -> Report:
        """Return what a result of host_check says; raises `ReportError` for any other.

        Other real servers may be drained, which have left the description.
        """
        held = held_vips(result, vips)
        values = mapping(mapping(result, "the result").get("director"), "director")
        drained = set(texts(values.get("drained"), "director.drained"))
        flags = {name: boolean(values.get(name), f"director.{name}") for name in ("configured", "joins", "joining")}
        return cls(held=tuple(held), drained=tuple(one for one in real_servers if one in drained), **flags)


@dataclass(frozen=True)
class Order:
    """What a director is told: whether it takes no VIP until all know it, and what is drained on the others."""

    waits: bool
    drained: tuple[str, ...]


def order(host: str, reports: Mapping[str, Report | None]) -> Order:
    """Return what a director is told. ``reports`` has all directors, None for those that were not asked.

    A new one takes over what is drained on all others that are configured, so that one alone cannot have a real server
    drained.
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
    """Return the reports of all directors; an empty result is of one that was not asked. Raises `ReportError`."""
    found: dict[str, Report | None] = {}
    vips, real_servers = list(vips), list(real_servers)
    for host, result in results.items():
        try:
            found[host] = Report.of(result, vips, real_servers) if result else None
        except ReportError as error:
            raise ReportError(f"{clip(host)}: its answer is not one of lvs.cluster.host_check: {error}") from error
    return found
