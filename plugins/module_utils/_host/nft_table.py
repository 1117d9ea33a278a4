# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables_table without Ansible: reads what its planner needs, and carries the plan out.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from .nft_plan import NftTable, plan_table, union
from .operations import Plan
from .settle import Outcome, settle
from .state import HostState
from .systemd import require_boot
from .target import Query, Target


def converge_table(target: Target, table: NftTable, check_mode: bool) -> Outcome:
    """Give a host the wanted table of nftables, or predict it. Raises HostError."""
    wanted = None
    if table.present:
        if table.persist:
            require_boot(target.root, "load the table")
        wanted = target.nftables.would_list(table.name, table.rules)
    both = wanted if table.purge else _with_present(target, table, wanted)

    def read() -> HostState:
        return target.read(
            Query(
                files=(table.file,),
                record=table.record,
                unit=table.unit,
                more_units=(table.drop_in,),
                table=table.name,
            )
        )

    def plan(state: HostState) -> Plan:
        return plan_table(state, table, both)

    def purging(state: HostState) -> Plan:
        return plan_table(state, table, wanted)

    return settle(read, plan, target.apply, check_mode, purge=None if table.purge else purging)


def _with_present(target: Target, table: NftTable, wanted: str | None) -> str | None:
    """Return the wanted table together with the present one, as nft would list it."""
    present = target.nftables.listing(table.name)
    if present is None or wanted is None or present == wanted:
        return present if wanted is None else wanted
    return target.nftables.would_list(table.name, union(present, wanted))
