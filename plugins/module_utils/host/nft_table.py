# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables_table without Ansible: reads what its planner needs, and carries the plan out.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from .nft_plan import NftTable, plan_table
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

    return settle(read, lambda state: plan_table(state, table, wanted), target.apply, check_mode)
