# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic that two services claim, of which only one would get it.

IPVS looks for the mark of a packet first (net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_service_find), and a packet has one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import Service, Traffic


def check_overlaps(services: Iterable[Service], problems: Problems) -> None:
    """Note the services whose clients' packets are marked for another service."""
    services = list(services)
    marked = [(service, traffic) for service in services for traffic in service.marks]
    for number, (service, traffic) in enumerate(marked):
        for other, others in marked[:number]:
            if other is not service and _overlap(traffic, others):
                problems.add(service.where, "marks", f"{_words(traffic, others)} has the mark of service {other.name}")
    for service in services:
        for traffic in service.traffic if service.fwmark is None else ():
            for other, others in marked:
                if _overlap(traffic, others):
                    text = f"{_words(traffic, others)} has the mark of service {other.name}, which would get it all"
                    problems.add(service.where, "address", text)


def _overlap(one: Traffic, other: Traffic) -> bool:
    return (
        one.address == other.address
        and (one.protocol == other.protocol or not one.protocol or not other.protocol)
        and (not one.ports or not other.ports or bool(set(one.ports) & set(other.ports)))
    )


def _words(one: Traffic, other: Traffic) -> str:
    """What is claimed twice, such as "192.0.2.10 tcp 80"."""
    protocol = one.protocol or other.protocol
    ports = sorted(set(one.ports) & set(other.ports)) if one.ports and other.ports else sorted(one.ports or other.ports)
    return " ".join([str(one.address), *([protocol] if protocol else []), *map(str, ports)])
