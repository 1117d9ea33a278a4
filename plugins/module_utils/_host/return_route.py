# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""return_route without Ansible: reads what its planner needs, and carries the plan out.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .arp_plan import RECORD_FILE as VIPS_RECORD
from .operations import Plan
from .record import parse_record
from .route_plan import NETWORKD_FILE, RECORD_FILE, ReturnRoute, plan_return_route
from .settle import Outcome, settle
from .state import HostState
from .systemd import require_boot
from .target import Query, Target
from .unit import ROUTES_UNIT, WATCH_UNIT


def converge_return_route(target: Target, wanted: ReturnRoute, check_mode: bool) -> Outcome:
    """Give a host the wanted routes and rules, or predict it. Raises HostError."""
    if wanted.present and wanted.persist and wanted.services:
        require_boot(target.root, "set the routes", needs_ip=True)

    def read() -> HostState:
        return target.read(
            Query(
                files=(NETWORKD_FILE,),
                record=RECORD_FILE,
                unit=ROUTES_UNIT,
                more_units=(WATCH_UNIT,),
                addresses=True,
                routes=wanted.table,
            )
        )

    vips = parse_record(VIPS_RECORD, target.text(VIPS_RECORD)).vips if not wanted.purge else {}

    def plan(state: HostState, purge: bool = wanted.purge) -> Plan:
        return plan_return_route(state, replace(wanted, purge=purge), bool(vips))

    return settle(read, plan, target.apply, check_mode, purge=None if wanted.purge else partial(plan, purge=True))
