# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of nftables_table: one table of nftables, whole, and back at every boot.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .bookkeeping import change_files, plan_bookkeeping
from .errors import HostError
from .operations import ChangeTable, ChangeUnit, Operation, Plan, RemoveDirectory, predict
from .record import Record, parse_record
from .state import HostState
from .unit import reload_drop_in, table_unit

CONFIG_DIRECTORY = "/etc/lvs-cluster"
HEADER = "Written by the Ansible module lvs.cluster.nftables_table, which overwrites changes."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")


@dataclass(frozen=True)
class NftTable:
    """What a task wants: the rules are what stands between the braces of a table."""

    present: bool
    name: str
    rules: str = ""
    persist: bool = True

    @property
    def file(self) -> str:
        """Where the table is kept for the next boot."""
        return f"{CONFIG_DIRECTORY}/nftables-{self.name}.nft"

    @property
    def record(self) -> str:
        """Where the module remembers what it made."""
        return f"/var/lib/lvs-cluster/nftables-{self.name}.json"

    @property
    def unit(self) -> str:
        """What loads the file."""
        return f"lvs-cluster-nftables-{self.name}.service"

    @property
    def drop_in(self) -> str:
        """What loads the file when nftables.service is reloaded."""
        return f"nftables.service.d/lvs-cluster-{self.name}.conf"


def parse_table(present: bool, name: str, rules: str, persist: bool) -> NftTable:
    """Check what a task gives. Raises HostError with a sentence that names the option and the value."""
    if not _NAME.fullmatch(name):
        raise HostError(f"name: {name!r} is no name of a table (letters, digits and '_', at most 32)")
    if not balanced(rules):
        raise HostError("rules: the braces do not match, so this is not what stands between the braces of one table")
    if re.search(r"(^|[;{}])\s*include\b", _bare(rules), re.MULTILINE):
        raise HostError("rules: 'include' is not possible here")
    return NftTable(present, name, rules, persist)


def balanced(rules: str) -> bool:
    """Whether no brace of the rules closes what is around them. Braces in quotes and comments do not count."""
    depth = 0
    for brace in re.findall(r"[{}]", _bare(rules)):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _bare(rules: str) -> str:
    """Rules without their strings, which may go over several lines (nftables, scanner.l), and comments."""
    return re.sub(r'"[^"]*"|#[^\n]*', "", rules)


#: How many lines of a script come before the rules.
LINES_BEFORE = 3


def script(name: str, rules: str | None) -> str:
    """Commands of nft that replace a table, or remove it: adding it first makes its removal right in any case."""
    text = f"table inet {name}\ndelete table inet {name}\n"
    return text if rules is None else f"{text}table inet {name} {{\n{rules.rstrip()}\n}}\n"


def plan_table(state: HostState, table: NftTable, wanted: str | None) -> Plan:
    """Operations that bring a host to what is wanted; wanted is the table as nft would list it, None for none.

    state holds the table, its file, record and unit, and which directories of these exist.
    """
    old = parse_record(table.record, state.records.get(table.record))
    keep = wanted is not None and table.persist
    text = f"# {HEADER}\n{script(table.name, None)}{wanted}" if keep else None
    books = plan_bookkeeping(state, table.record, old, Record(), [table.file] if keep else [])
    before = state.tables.get(table.name)
    operations: list[Operation] = [] if before == wanted else [ChangeTable(table.name, before, wanted)]
    operations += change_files(state, {table.file: text})
    units = {
        table.drop_in: reload_drop_in(HEADER, table.file) if keep else None,
        table.unit: table_unit(HEADER, table.name, table.file) if keep else None,
    }
    operations += [
        ChangeUnit(name, state.units.get(name), unit) for name, unit in units.items() if state.units.get(name) != unit
    ]
    closing = list(books.closing)
    if operations and not keep and CONFIG_DIRECTORY in state.directories:
        # it belongs to the collection: whoever leaves it last takes it along
        closing.append(RemoveDirectory(CONFIG_DIRECTORY))
    everything = (*books.opening, *operations, *closing)
    return Plan(everything, predict(state, everything))
