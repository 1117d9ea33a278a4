# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""arp_silence without Ansible: reads what its planner needs, and carries the plan out.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .arp_plan import RECORD_FILE, SYSCTL_FILE, ArpSilence, keys_of_interest, plan_silence
from .operations import Plan, SetSysctl
from .procsys import require_writable
from .record import parse_record
from .settle import Outcome, settle
from .state import HostState
from .systemd import require_boot
from .target import Query, Target
from .unit import VIPS_UNIT


def converge_silence(target: Target, silence: ArpSilence, check_mode: bool) -> Outcome:
    """Give a host the wanted VIPs and silence about them, or predict it. Raises HostError."""
    if silence.present and silence.persist:
        require_boot(target.root, "put the VIPs back", needs_ip=True)
    sysctl_files = target.sysctl_files()

    def read() -> HostState:
        record = parse_record(RECORD_FILE, target.text(RECORD_FILE))
        keys = keys_of_interest(silence, record, target.interfaces())
        return target.read(Query(keys, (), (SYSCTL_FILE,), RECORD_FILE, VIPS_UNIT, addresses=True))

    def check(plan: Plan) -> None:
        require_writable((item.key for item in plan.operations if isinstance(item, SetSysctl)), target.proc)

    def plan(state: HostState, purge: bool = silence.purge) -> Plan:
        return plan_silence(state, replace(silence, purge=purge), sysctl_files)

    purging = None if silence.purge else partial(plan, purge=True)
    return settle(read, plan, target.apply, check_mode, check, purging)
