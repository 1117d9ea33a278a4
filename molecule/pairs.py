# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of a director of the scenario pair is, when all is well."""

from __future__ import annotations

import cluster
from testinfra.host import Host

VIP6 = "[2001:db8::10]"
RULES = [
    f"-A -t {cluster.VIP}:80 -s mh -b mh-fallback,mh-port",
    f"-A -t {cluster.VIP}:7001 -s rr",
    f"-A -t {cluster.VIP}:7002 -s wrr",
    f"-A -t {cluster.VIP}:7003 -s rr",
    f"-A -t {cluster.VIP}:8000 -s rr",
    *(f"-a -t {cluster.VIP}:8000 -r 192.0.2.1{one}:7002 -m -w 1" for one in (1, 2)),
    f"-A -t {VIP6}:80 -s rr",
    *(f"-a -t {cluster.VIP}:{port} -r 192.0.2.1{one}:{port} -g -w 1" for port in (80, 7001, 7002) for one in (1, 2)),
    *(f"-a -t {cluster.VIP}:7003 -r 192.0.2.1{one}:7003 -m -w 1" for one in (1, 2)),
    *(f"-a -t {VIP6}:80 -r [2001:db8::1{one}]:80 -g -w 1" for one in (1, 2)),
]


def table(director: Host) -> list[str]:
    """The kernel's table, in an order that does not depend on when entries came."""
    return sorted(cluster.table(director))
