# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host lacks and has too much, in words, from what tasks in check mode would change. Private. Pure.

The modules of this collection show a host as lines, one for each thing: a diff is what is to be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_SYSCTL = re.compile(r"((?:net|kernel|fs|vm)[./]\S+) = (.*)")
_VIP = re.compile(r"address (\S+)/\d+ dev (\S+)")
#: A line of a file, of a unit of systemd or of an nftables table; what it is said of.
_FILE = re.compile(r"(/\S+|\S+\.service): ?.*")
_TABLE = re.compile(r"nftables (\S+): ?.*")
_REMEMBERS = re.compile(r"/\S+: remembers .*")
_ENTRY = re.compile(r"-([Aa]) (.*)")
_OTHERWISE = re.compile(r"(tunnel \S+|-A \S+ \S+) (.*)")
_WEIGHTS = re.compile(r" -w \d+")
_WEIGHT = re.compile(r"(-a .*) -w (\d+)( .*)?")


def deviations(host: str, results: Mapping[str, object]) -> list[str]:
    """A sentence for each thing in which a host differs from the description; empty when it is as described.

    ``results`` has, by what each is about, results of tasks that ran in check mode with diff mode.
    """
    found = []
    for what, result in results.items():
        if isinstance(result, Mapping) and result.get("changed"):
            diffs = result.get("diff")
            parts = [part for part in (diffs if isinstance(diffs, list) else [diffs]) if isinstance(part, Mapping)]
            if parts and all(_of_weights(part) for part in parts):
                continue  # weights change at run time, and the kernel has what it should
            sentences = list(dict.fromkeys(sentence for part in parts for sentence in _explained(part)))
            found += [f"{host}: {sentence}" for sentence in sentences or [f"{what} is not as described"]]
    return found


def _of_weights(part: Mapping[str, object]) -> bool:
    """Whether this is about the file that brings the table back, and only weights in it are others."""
    before, after = ([_WEIGHTS.sub("", line) for line in _lines(part, key)] for key in ("before", "after"))
    return before == after and (_path(part) is not None or part.get("before") == part.get("after"))


def _path(part: Mapping[str, object]) -> str | None:
    header = str(part.get("after_header") or part.get("before_header") or "")
    return header.split(maxsplit=1)[0] if header.startswith("/") else None


def _lines(part: Mapping[str, object], key: str) -> list[str]:
    return str(part.get(key) or "").splitlines()


def _explained(part: Mapping[str, object]) -> Iterator[str]:
    """The sentences of one part of a diff: a file's says by its header which it is, as others have no names in it."""
    path = _path(part)
    if path is not None:
        if part.get("before") != part.get("after") and not _of_weights(part):
            yield f"{path} is not as the role writes it"
        return
    before, after = (_lines(part, key) for key in ("before", "after"))
    gone = [line for line in before if line not in after]
    new = [line for line in after if line not in before]
    yield from _changed_values(gone, new)
    yield from _changed_weights(gone, new)
    yield from _changed_otherwise(gone, new)
    for line in new:
        yield from _missing(line)
    for line in gone:
        yield from _surplus(line)


def _changed_values(gone: list[str], new: list[str]) -> Iterator[str]:
    """Sysctls, taken out of the lists: a value is there before and after."""
    values = {found[1]: found[2] for found in map(_SYSCTL.fullmatch, gone) if found}
    for line in list(new):
        found = _SYSCTL.fullmatch(line)
        if found:
            new.remove(line)
            if found[1] in values:
                yield f"{found[1]} is {values[found[1]]}, and should be {found[2]}"
            else:
                yield f"{found[1]} is not there, and should be {found[2]}"
    gone[:] = [line for line in gone if not _SYSCTL.fullmatch(line)]


def _changed_weights(gone: list[str], new: list[str]) -> Iterator[str]:
    """Real servers that differ in their weight alone, taken out of the lists."""
    had = {found[1] + (found[3] or ""): (line, found) for line, found in _matches(_WEIGHT, gone)}
    for line, found in list(_matches(_WEIGHT, new)):
        old = had.get(found[1] + (found[3] or ""))
        if old:
            gone.remove(old[0])
            new.remove(line)
            yield f"the weight of {found[1]} is {old[1][2]}, and should be {found[2]}"


def _changed_otherwise(gone: list[str], new: list[str]) -> Iterator[str]:
    """Tunnels and virtual services that are there, but not as they should be, taken out of the lists."""
    had = {found[1]: (line, found[2]) for line, found in _matches(_OTHERWISE, gone)}
    for line, found in list(_matches(_OTHERWISE, new)):
        if found[1] in had:
            old, value = had[found[1]]
            gone.remove(old)
            new.remove(line)
            yield f"the {found[1].replace('-A', 'virtual service')} is {value}, and should be {found[2]}"


def _matches(pattern: re.Pattern[str], lines: Iterable[str]) -> Iterator[tuple[str, re.Match[str]]]:
    for line in lines:
        found = pattern.fullmatch(line)
        if found:
            yield line, found


def _missing(line: str) -> Iterator[str]:
    vip, entry = _VIP.fullmatch(line), _ENTRY.fullmatch(line)
    if vip:
        yield f"the VIP {vip[1]} is not on {vip[2]}"
    elif entry:
        yield f"the IPVS table has no {'virtual service' if entry[1] == 'A' else 'real server'} {entry[2]}"
    elif line.startswith("kernel module "):
        yield f"the {line} is not loaded"
    else:
        yield from _about_a_file(line, f"there is no {line}")


def _surplus(line: str) -> Iterator[str]:
    vip, entry = _VIP.fullmatch(line), _ENTRY.fullmatch(line)
    if vip:
        yield f"{vip[1]} is on {vip[2]}, and no service asks for it"
    elif entry:
        kind = "virtual service" if entry[1] == "A" else "real server"
        yield f"the IPVS table has the {kind} {entry[2]}, which is not described so"
    elif not line.startswith("kernel module "):
        yield from _about_a_file(line, f"there is the {line}, which nothing asks for")


def _about_a_file(line: str, otherwise: str) -> Iterator[str]:
    """One sentence for a file, however many lines differ; none for what a record remembers."""
    table, file = _TABLE.fullmatch(line), _FILE.fullmatch(line)
    if _REMEMBERS.fullmatch(line):
        return
    if table:
        yield f"the nftables table inet {table[1]} is not as described"
    elif file:
        yield f"{file[1]} is not as the role writes it"
    else:
        yield otherwise
