# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipvs_tunnel without Ansible: reads what its planner needs, and carries the plan out.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .errors import HostError
from .operations import LoadModule, Plan, SetSysctl
from .procsys import require_writable
from .record import parse_record
from .settle import Outcome, settle
from .state import HostState
from .systemd import has_command, require_boot
from .target import Query, Target
from .tunnel_plan import MODULES, RECORD_FILE, SYSCTL_FILE, Wanted, keys_of_interest, plan_tunnels
from .unit import TUNNELS_UNIT


def converge_tunnels(target: Target, wanted: Wanted, check_mode: bool) -> Outcome:
    """Give a host the wanted ends of tunnels, or predict it. Raises HostError."""
    if wanted.present and wanted.persist and wanted.ends:
        require_boot(target.root, "set the tunnels up", needs_ip=True)
    if not has_command("ip"):
        raise HostError("the command ip is missing (package iproute2)")
    sysctl_files = target.sysctl_files()

    def read() -> HostState:
        record = parse_record(RECORD_FILE, target.text(RECORD_FILE))
        keys = keys_of_interest(record, target.interfaces())
        query = Query(keys, MODULES, (SYSCTL_FILE,), RECORD_FILE, TUNNELS_UNIT, addresses=True, tunnels=True)
        return target.read(query)

    def check(plan: Plan) -> None:
        for operation in plan.operations:
            if isinstance(operation, LoadModule):
                target.modules.require_loadable(operation.name)
        require_writable((item.key for item in plan.operations if isinstance(item, SetSysctl)), target.proc)

    def plan(state: HostState, purge: bool = wanted.purge) -> Plan:
        return plan_tunnels(state, replace(wanted, purge=purge), sysctl_files)

    purging = None if wanted.purge else partial(plan, purge=True)
    return settle(read, plan, target.apply, check_mode, check, purging)
