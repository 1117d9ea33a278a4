# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host lacks and has too much, in words, from what tasks in check mode would change.

The modules of this collection show a host as lines, one for each thing: a diff is what is to be told.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import InputError, limited

_SYSCTL = re.compile(r"((?:net|kernel|fs|vm)[./]\S+) = (.*)")
_VIP = re.compile(r"address (\S+)/\d+ dev (\S+)")
#: A line of a file, of a unit of systemd or of an nftables table; what it is said of.
_FILE = re.compile(r"(/\S+|\S+\.(?:service|conf)): ?.*")
_RUNS = re.compile(r"(\S+\.service): (not )?running")
_TABLE = re.compile(r"nftables (\S+): ?.*")
_REMEMBERS = re.compile(r"/\S+: remembers .*")
_ENTRY = re.compile(r"-([Aa]) (.*)")
_OTHERWISE = re.compile(r"(tunnel \S+|-A \S+ \S+) (.*)")
_WEIGHTS = re.compile(r" -w \d+")
_WEIGHT = re.compile(r"(-a .*) -w (\d+)( .*)?")
#: A host chooses what it reports; of each side of a diff at most so many characters are read.
MAX_DIFF = 2**24
MAX_DIFFERENCES = 10000


def of_results(results: object, host: object) -> list[str]:
    """Return what results of tasks say: what each is about -> the result (`deviations`).

    Results that are undefined, skipped or unchanged say nothing.
    """
    if not isinstance(results, Mapping):
        raise InputError("deviations: the input is not a dictionary of results")
    return limited(deviations(str(host), {str(what): result for what, result in results.items()}))


def deviations(host: str, results: Mapping[str, object]) -> list[str]:
    """A sentence for each thing in which a host differs from the description; empty when it is as described.

    ``results`` has, by what each is about, results of tasks that ran in check mode with diff mode.
    """
    found = []
    for what, result in results.items():
        if isinstance(result, Mapping) and result.get("changed"):
            if isinstance(result.get("differences"), list):
                found += [f"{host}: {sentence}" for sentence in _of_service(result["differences"])]
                continue
            diffs = result.get("diff")
            parts = [part for part in (diffs if isinstance(diffs, list) else [diffs]) if isinstance(part, Mapping)]
            if parts and all(_of_weights(part) for part in parts):
                continue  # weights change at run time, and the kernel has what it should
            sentences = list(dict.fromkeys(sentence for part in parts for sentence in _explained(part)))
            found += [f"{host}: {sentence}" for sentence in sentences or [f"{what} is not as described"]]
    return found


#: What is said of a difference that service_config reports: by its kind and what there is.
_DIFFERENCES = {
    ("file", "absent"): "{name} does not exist",
    ("file", "different"): "{name} is not as the role writes it",
    ("file", "present"): "{name} exists, and nothing uses it any more",
    ("directory", "absent"): "the directory {name} does not exist",
    ("enabled", "disabled"): "{unit} is not enabled, so it does not start at boot",
    ("enabled", "enabled"): "{unit} is enabled, and is not used here",
    ("running", "stopped"): "{unit} is not running",
    ("running", "running"): "{unit} is running, and is not used here",
    ("configuration", "not read"): "{unit} has not read its present configuration",
}


def _of_service(differences: list[object]) -> Iterator[str]:
    """The sentences of what service_config reports. What is absent from the table is told with the whole table."""
    for one in differences[:MAX_DIFFERENCES]:
        if isinstance(one, Mapping):
            kind, name, found = (str(one.get(key, "")) for key in ("kind", "name", "is"))
            text = _DIFFERENCES.get((kind, found))
            if text is not None:
                yield text.replace("{unit}", name.removesuffix(".service")).replace("{name}", name)


def _of_weights(part: Mapping[str, object]) -> bool:
    """Whether this is about the file that brings the table back, and only weights in it are others."""
    before, after = ([_WEIGHTS.sub("", line) for line in _lines(part, key)] for key in ("before", "after"))
    return before == after and (_path(part) is not None or part.get("before") == part.get("after"))


def _path(part: Mapping[str, object]) -> str | None:
    header = str(part.get("after_header") or part.get("before_header") or "")
    return header.split(maxsplit=1)[0] if header.startswith("/") else None


def _lines(part: Mapping[str, object], key: str) -> list[str]:
    return str(part.get(key) or "")[:MAX_DIFF].splitlines()


def _explained(part: Mapping[str, object]) -> Iterator[str]:
    """The sentences of one part of a diff: a file's says by its header which it is, as others have no names in it."""
    path = _path(part)
    if path is not None:
        if part.get("before") != part.get("after") and not _of_weights(part):
            yield f"{path} is not as the role writes it"
        return
    before, after = (_lines(part, key) for key in ("before", "after"))
    # A host chooses how long its diff is: sets keep this linear.
    there, wanted = frozenset(before), frozenset(after)
    gone = [line for line in before if line not in wanted]
    new = [line for line in after if line not in there]
    yield from _changed_tables(before, after, gone, new)
    yield from _changed_values(gone, new)
    yield from _changed_weights(gone, new)
    yield from _changed_otherwise(gone, new)
    for line in new:
        yield from _missing(line)
    for line in gone:
        yield from _surplus(line)


def _changed_tables(before: list[str], after: list[str], gone: list[str], new: list[str]) -> Iterator[str]:
    """Tables of nftables, one sentence for each, taken out of the lists."""
    had, wanted = ({found[1] for _line, found in _matches(_TABLE, lines)} for lines in (before, after))
    differing = dict.fromkeys(found[1] for _line, found in _matches(_TABLE, [*new, *gone]))
    gone[:] = [line for line in gone if not _TABLE.fullmatch(line)]
    new[:] = [line for line in new if not _TABLE.fullmatch(line)]
    for name in differing:
        if name not in had:
            yield f"the nftables table inet {name} is absent"
        elif name not in wanted:
            yield f"there is the nftables table inet {name}, which no service needs"
        else:
            yield f"the nftables table inet {name} is not as described"


def _changed_values(gone: list[str], new: list[str]) -> Iterator[str]:
    """Sysctls, taken out of the lists: a value is there before and after."""
    values = {found[1]: found[2] for _line, found in _matches(_SYSCTL, gone)}
    told = dict(_matches(_SYSCTL, new))
    new[:] = [line for line in new if line not in told]
    gone[:] = [line for line in gone if not _SYSCTL.fullmatch(line)]
    for found in told.values():
        if found[1] in values:
            yield f"{found[1]} is {values[found[1]]}, and should be {found[2]}"
        else:
            yield f"{found[1]} is not there, and should be {found[2]}"


def _changed_weights(gone: list[str], new: list[str]) -> Iterator[str]:
    """Real servers that differ in their weight alone, taken out of the lists."""
    had = {found[1] + (found[3] or ""): (line, found) for line, found in _matches(_WEIGHT, gone)}
    told = {line: found for line, found in _matches(_WEIGHT, new) if found[1] + (found[3] or "") in had}
    old = [had[found[1] + (found[3] or "")] for found in told.values()]
    _take_out(gone, new, {line for line, _found in old}, told)
    for (_line, before), found in zip(old, told.values()):
        yield f"the weight of {found[1]} is {before[2]}, and should be {found[2]}"


def _changed_otherwise(gone: list[str], new: list[str]) -> Iterator[str]:
    """Tunnels and virtual services that are there, but not as they should be, taken out of the lists."""
    had = {found[1]: (line, found) for line, found in _matches(_OTHERWISE, gone)}
    told = {line: found for line, found in _matches(_OTHERWISE, new) if found[1] in had}
    old = [had[found[1]] for found in told.values()]
    _take_out(gone, new, {line for line, _found in old}, told)
    for (_line, before), found in zip(old, told.values()):
        yield f"the {found[1].replace('-A', 'virtual service')} is {before[2]}, and should be {found[2]}"


def _take_out(gone: list[str], new: list[str], old: Container[str], told: Container[str]) -> None:
    gone[:] = [line for line in gone if line not in old]
    new[:] = [line for line in new if line not in told]


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
    file, runs = _FILE.fullmatch(line), _RUNS.fullmatch(line)
    if _REMEMBERS.fullmatch(line):
        return
    if runs:
        if runs[2]:
            yield f"{runs[1]} does not run"
        return  # one that is not installed is told by its other lines
    if file:
        yield f"{file[1]} is not as the role writes it"
    else:
        yield otherwise
