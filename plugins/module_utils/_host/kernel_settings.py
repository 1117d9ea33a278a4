# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipvs_kernel without Ansible: reads what its planner needs, and carries the plan out.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from dataclasses import replace

from .files import read_text
from .kernel_plan import (
    FILES,
    RECORD_FILE,
    SYSCTL_FILE,
    THRESHOLD,
    KernelSettings,
    defence_threshold,
    keys_of_interest,
    listed_sysctls,
    most_tab_bits,
    plan_kernel,
)
from .operations import LoadModule, Plan, SetSysctl
from .procsys import require_writable
from .record import parse_record
from .settle import Outcome, settle
from .state import HostState
from .sysctl import parse_file
from .target import Query, Target


def converge_kernel(target: Target, settings: KernelSettings, check_mode: bool) -> Outcome:
    """Give a host's kernel the wanted modules, options and sysctls, or predict it. Raises HostError."""
    sysctl_files = target.sysctl_files()
    if settings.present and settings.defence_threshold:
        settings = _with_threshold(target, settings)

    def read() -> HostState:
        record = parse_record(RECORD_FILE, target.text(RECORD_FILE))
        listed = listed_sysctls(settings, record, target.text(SYSCTL_FILE))
        keys = keys_of_interest(listed, record, target.interfaces())
        return target.read(Query(keys, settings.modules, FILES, RECORD_FILE))

    def check(plan: Plan) -> None:
        for operation in plan.operations:
            if isinstance(operation, LoadModule):
                target.modules.require_loadable(operation.name)
        require_writable((item.key for item in plan.operations if isinstance(item, SetSysctl)), target.proc)

    outcome = settle(read, lambda state: plan_kernel(state, settings, sysctl_files), target.apply, check_mode, check)
    late = conn_tab_bits_pending(target, settings)
    return replace(outcome, warnings=(*outcome.warnings, late)) if late else outcome


def _with_threshold(target: Target, settings: KernelSettings) -> KernelSettings:
    """The threshold goes with the listed sysctls, unless it is one of them."""
    sysctls = dict(settings.sysctls or {})
    present = parse_file(target.text(SYSCTL_FILE) or "").get(THRESHOLD)
    sysctls.setdefault(THRESHOLD, defence_threshold(read_text(f"{target.proc}/zoneinfo") or "", present))
    return replace(settings, sysctls=sysctls)


def conn_tab_bits_pending(target: Target, settings: KernelSettings) -> str | None:
    """A sentence where ip_vs runs with another size of its connection table: it reads that only when it is loaded."""
    running = target.modules.parameter("ip_vs", "conn_tab_bits")
    if not settings.present or not settings.conn_tab_bits or running in (None, str(settings.conn_tab_bits)):
        return None
    most = most_tab_bits(read_text(f"{target.proc}/zoneinfo") or "")
    if most is not None and most <= int(running or 0) < settings.conn_tab_bits:
        return None  # the kernel has lowered it
    if target.modules.built_in("ip_vs"):
        how = (
            f"ip_vs is built into this kernel, so put ip_vs.conn_tab_bits={settings.conn_tab_bits} on its command line"
        )
    else:
        how = "the new value holds once ip_vs is loaded again, at the next boot at the latest"
    return f"conn_tab_bits: ip_vs runs with {running}, not {settings.conn_tab_bits}; {how}"
