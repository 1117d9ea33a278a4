# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""arp_silence without Ansible: reads what its planner needs, and carries the plan out.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from .arp_plan import RECORD_FILE, SYSCTL_FILE, ArpSilence, keys_of_interest, plan_silence
from .errors import HostError
from .procsys import require_writable
from .record import parse_record
from .settle import Outcome, settle
from .state import HostState, Plan, SetSysctl
from .systemd import booted, has_command
from .target import Query, Target
from .unit import VIPS_UNIT


def converge_silence(target: Target, silence: ArpSilence, check_mode: bool) -> Outcome:
    """Give a host the wanted VIPs and silence about them, or predict it. Raises HostError."""
    if silence.present and silence.persist:
        _require_boot(target)
    sysctl_files = target.sysctl_files()

    def read() -> HostState:
        record = parse_record(RECORD_FILE, target.text(RECORD_FILE))
        keys = keys_of_interest(silence, record, target.interfaces())
        return target.read(Query(keys, (), (SYSCTL_FILE,), RECORD_FILE, VIPS_UNIT, addresses=True))

    def check(plan: Plan) -> None:
        require_writable((item.key for item in plan.operations if isinstance(item, SetSysctl)), target.proc)

    return settle(read, lambda state: plan_silence(state, silence, sysctl_files), target.apply, check_mode, check)


def _require_boot(target: Target) -> None:
    """Raises HostError where a unit cannot keep VIPs across reboots, before anything is touched."""
    if not booted(target.root):
        raise HostError(
            "persist: systemd does not run on this host (a container?), so nothing would put the VIPs back at boot;"
            " set persist to false to hold them until then"
        )
    if not has_command("ip"):
        raise HostError("persist: the command ip is missing, which puts VIPs back at boot (package iproute2)")
