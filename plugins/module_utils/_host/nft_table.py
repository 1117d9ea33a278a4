# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One whole table of nftables, also at every boot: the plan of nftables_table, and its execution. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from . import sandbox
from .engine import (
    ChangeUnit,
    Host,
    Operation,
    Outcome,
    Plan,
    RemoveDirectory,
    change_files,
    plan_bookkeeping,
    predict,
    settle,
)
from .errors import HostError
from .state import OWN_DIRECTORY, HostState, Query, Record, Unit, parse_record

CONFIG_DIRECTORY = "/etc/lvs-cluster"
HEADER = "Written by the Ansible module lvs.cluster.nftables_table, which overwrites changes."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")

# Debian's and Red Hat's nftables.service begin with "flush ruleset", so each of their starts must load our table again:
# they want this unit, which for that does not stay active. A reload is propagated only to active units (systemd,
# src/core/job.c: job_type_collapse), so the drop-in does that.
_TABLE_UNIT = """\
# {header}
[Unit]
Description=The nftables table inet {name}
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=systemd-modules-load.service local-fs.target nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart=nft --file {path}
{sandbox}
[Install]
WantedBy=multi-user.target nftables.service
"""


# The commands of a reload run one after the other (systemd.service(5), ExecReload=). If the distribution's own fails,
# it has flushed nothing, and this one does not run.
_RELOAD_DROP_IN = """\
# {header}
[Service]
ExecReload=-nft --file {path}
"""


@dataclass(frozen=True)
class ChangeTable(Operation):
    """Swap a table of nftables for another, in one transaction. Both are as nft lists them, which it also reads."""

    name: str
    before: str | None
    after: str | None

    def applied(self, state: HostState) -> HostState:
        return replace(state, tables={**state.tables, self.name: self.after})

    def inverse(self) -> Operation | None:
        return ChangeTable(self.name, self.after, self.before)

    def carry_out(self, host: Any) -> None:
        host.nftables.swap(self.name, self.after)

    def __str__(self) -> str:
        return f"{'remove' if self.after is None else 'swap in'} the nftables table inet {self.name}"


@dataclass(frozen=True)
class NftTable:
    """The arguments of a task. rules: the text between the braces of a table."""

    present: bool
    name: str
    rules: str = ""
    persist: bool = True
    #: True if this task ends what the present table accepts or changes and these rules do not.
    purge: bool = True

    @property
    def file(self) -> str:
        """The file with the table for the next boot."""
        return f"{CONFIG_DIRECTORY}/nftables-{self.name}.nft"

    @property
    def record(self) -> str:
        """The record of created directories."""
        return f"{OWN_DIRECTORY}/nftables-{self.name}.json"

    @property
    def unit(self) -> str:
        """The unit that loads the file."""
        return f"lvs-cluster-nftables-{self.name}.service"

    @property
    def drop_in(self) -> str:
        """The drop-in that loads the file when nftables.service is reloaded."""
        return f"nftables.service.d/lvs-cluster-{self.name}.conf"


def parse_table(present: bool, name: str, rules: str, persist: bool, purge: bool = True) -> NftTable:
    """Check what a task gives. Raises HostError with a sentence that names the option and the value."""
    if not _NAME.fullmatch(name):
        raise HostError(f"name: {name!r} is not a valid table name (letters, digits and '_', at most 32)")
    if not balanced(rules):
        raise HostError("rules: the braces do not match, so this is not what stands between the braces of one table")
    if re.search(r"(^|[;{}])\s*include\b", _bare(rules), re.MULTILINE):
        raise HostError("rules: 'include' is not possible here")
    return NftTable(present, name, rules, persist, purge)


def balanced(rules: str) -> bool:
    """Return True if no brace of the rules closes the surrounding block. Braces in quotes and comments do not count."""
    depth = 0
    for brace in re.findall(r"[{}]", _bare(rules)):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _bare(rules: str) -> str:
    """Return rules without comments and strings, which may span several lines (nftables, scanner.l)."""
    return re.sub(r'"[^"]*"|#[^\n]*', "", rules)


@dataclass
class _Block:
    """A set, a chain or the like of a table: its lines, and the elements of a set."""

    lines: list[str]
    elements: list[str] | None = None


def union(present: str, wanted: str) -> str:
    """Return rules that accept every packet which one of two tables accepts. Both tables are as nft lists them.

    Sets have the elements of both tables, and chains the rules of both. A rule that drops packets stays if both tables
    have it, or if it names sets that both have: with the elements of both, it drops only packets of neither.
    """
    before, after = _blocks(present), _blocks(wanted)
    shared = {head.split()[1] for head in before.keys() & after.keys() if before[head].elements is not None}
    found: list[str] = []
    for head in dict.fromkeys((*(head for head in after if after[head].elements is not None), *after, *before)):
        old, new = before.get(head), after.get(head)
        one = after[head] if new else before[head]
        if one.elements is not None:
            both = dict.fromkeys(element for block in (new, old) if block for element in block.elements or ())
            lines = [*one.lines, *([f"elements = {{ {', '.join(both)} }}"] if both else [])]
        else:
            rules = dict.fromkeys(line for block in (new, old) if block for line in block.lines)
            in_both = set(old.lines) & set(new.lines) if old and new else set[str]()
            lines = [line for line in rules if not _drops(line) or line in in_both or _names_only(line, shared)]
        found += [f"{head} {{", *(f"\t{line}" for line in lines), "}"]
    return "\n".join(found)


def _drops(rule: str) -> bool:
    return re.search(r"\b(drop|reject)\b", re.sub(r'"[^"]*"', "", rule)) is not None


def _names_only(rule: str, sets: set[str]) -> bool:
    named = set(re.findall(r"@(\w+)", rule))
    return bool(named) and named <= sets


def _blocks(listing: str) -> dict[str, _Block]:
    """Return the blocks of a listing by their first words, such as C(chain input)."""
    found: dict[str, _Block] = {}
    block = _Block([])
    for line in listing.splitlines()[1:-1]:
        if re.match(r"\t\w+ \w+ \{", line):
            block = _Block([])
            found[line[:-1].strip()] = block
            if line.strip().startswith("set "):
                block.elements = []
        elif line.strip() not in ("", "}") or line.startswith("\t\t"):
            block.lines.append(line.strip())
    for block in found.values():
        if block.elements is not None:
            text = " ".join(block.lines)
            listed = re.search(r"elements = \{(.*)\}", text)
            if listed:
                block.elements = [element.strip() for element in listed[1].split(",")]
                first = next(index for index, line in enumerate(block.lines) if line.startswith("elements = "))
                block.lines = block.lines[:first]
    return found


#: How many lines of a script come before the rules.
LINES_BEFORE = 3


def script(name: str, rules: str | None) -> str:
    """Return the nft commands that replace or remove a table; adding it first allows its removal in any case."""
    text = f"table inet {name}\ndelete table inet {name}\n"
    return text if rules is None else f"{text}table inet {name} {{\n{rules.rstrip()}\n}}\n"


def plan_table(state: HostState, table: NftTable, wanted: str | None) -> Plan:
    """Return operations that lead a host to the described state; wanted: the table as nft would list it, None for none.

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
        # it belongs to the collection, so its last user removes it
        closing.append(RemoveDirectory(CONFIG_DIRECTORY))
    everything = (*books.opening, *operations, *closing)
    return Plan(everything, predict(state, everything))


def table_unit(header: str, name: str, path: str) -> Unit:
    """Return the unit that loads a table of nftables from a file at boot, before the network is up.

    It has no ExecStop: stopping it must not accept packets that the table drops.
    """
    return Unit(_TABLE_UNIT.format(header=header, name=name, path=path, sandbox=sandbox.early("CAP_NET_ADMIN")))


def reload_drop_in(header: str, path: str) -> Unit:
    """Return the drop-in of nftables.service that loads a table from a file at each reload, which flushes all
    tables.
    """
    return Unit(_RELOAD_DROP_IN.format(header=header, path=path), enabled=False)


def converge_table(target: Host, table: NftTable, check_mode: bool) -> Outcome:
    """Apply the described table of nftables to a host, or predict the result. Raises HostError."""
    wanted = None
    if table.present:
        if table.persist:
            target.require_boot("load the table")
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


def _with_present(target: Host, table: NftTable, wanted: str | None) -> str | None:
    """Return the wanted table together with the present one, as nft would list it."""
    present = target.nftables.listing(table.name)
    if present is None or wanted is None or present == wanted:
        return present if wanted is None else wanted
    both: str = target.nftables.would_list(table.name, union(present, wanted))
    return both
