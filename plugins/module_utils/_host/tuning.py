# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules, their options and sysctls: the plan of ipvs_kernel, and its execution. Pure.

The order of a plan: the record of the former state, the module options, the modules, the sysctls (which need the
modules), the files for the next boot. Removal has the reverse order, and never unloads a kernel module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from mmap import PAGESIZE

from .engine import Host, Operation, Outcome, Plan, change_files, plan_bookkeeping, predict, settle
from .errors import HostError
from .state import KERNEL_RECORD, HostState, Query, Record, parse_record
from .sysctl import (
    LoadModule,
    SetSysctl,
    brought_by,
    in_writing_order,
    influenced,
    interfaces_in,
    overridden,
    parse_sysctl_file,
    parse_sysctls,
    render_sysctls,
    values_after_write,
)
from .validate import MODULE_NAME, display

MODULES_FILE = "/etc/modules-load.d/lvs-cluster.conf"
OPTIONS_FILE = "/etc/modprobe.d/lvs-cluster.conf"
SYSCTL_FILE = "/etc/sysctl.d/90-lvs-cluster.conf"
RECORD_FILE = KERNEL_RECORD
FILES = (MODULES_FILE, OPTIONS_FILE, SYSCTL_FILE)
HEADER = "Written by the Ansible module lvs.cluster.ipvs_kernel, which overwrites changes."

THRESHOLD = "net/ipv4/vs/amemthresh"
_PAGE = PAGESIZE

# net/netfilter/ipvs/ip_vs_conn.c, ip_vs_conn_init: 8 to 20, in newer kernels up to 27 if the memory suffices.
CONN_TAB_BITS = range(8, 28)


@dataclass(frozen=True)
class KernelSettings:
    """The arguments of a task. None: unchanged.

    conn_tab_bits: 0 is the kernel's own choice. sysctls: path to value, in the order in which they have to be written.
    defence_threshold: the host computes THRESHOLD itself.
    """

    present: bool = True
    modules: tuple[str, ...] = ()
    conn_tab_bits: int | None = None
    sysctls: Mapping[str, str] | None = None
    defence_threshold: bool = False


def parse_settings(
    present: bool,
    modules: Sequence[str],
    conn_tab_bits: int | None,
    sysctls: Mapping[str, object] | None,
    defence_threshold: bool = False,
) -> KernelSettings:
    """Check the arguments. Raises HostError with a sentence that names the option and the value."""
    for name in modules:
        if not MODULE_NAME.fullmatch(name):
            raise HostError(f"modules: {name!r} is not a valid name of a kernel module")
    if conn_tab_bits and conn_tab_bits not in CONN_TAB_BITS:
        raise HostError(
            f"conn_tab_bits: {conn_tab_bits} is not between {CONN_TAB_BITS[0]} and {CONN_TAB_BITS[-1]},"
            " nor 0 for the kernel's own choice"
        )
    names = tuple(dict.fromkeys(name.replace("-", "_") for name in modules))  # the kernel writes underscores
    if present and defence_threshold and sysctls is None:
        raise HostError("defence_threshold: requires sysctls")
    parsed = None if sysctls is None else parse_sysctls(sysctls)
    return KernelSettings(present, names, conn_tab_bits, parsed, defence_threshold)


def defence_threshold(zoneinfo: str, present: str | None) -> str:
    """Return net.ipv4.vs.amemthresh in pages, from /proc/zoneinfo: between a healthy host's free memory and none.

    IPVS compares it with free memory and the buffers of block devices, but not with the page cache of files
    (net/netfilter/ipvs/ip_vs_ctl.c: update_defense_level()), which takes nearly all memory of a healthy host in time.
    With a share of all memory, such a host would always be below the threshold. The kernel frees memory when a zone has
    less than its watermark low, and refuses ordinary allocations below min. The pages that a zone reserves for others
    (protection) count in both (mm/page_alloc.c: __zone_watermark_ok()). The threshold is in the middle. A ``present``
    one between the two stays, because the watermarks differ a little from boot to boot. If the kernel does not report
    them, IPVS's own default is used.
    """
    zones = [_zone(text) for text in zoneinfo.split("Node ")[1:]]
    lowest = sum(min(free, reserved + minimum) for free, minimum, _low, reserved in zones)
    highest = sum(min(free, reserved + low) for free, _minimum, low, reserved in zones)
    if not lowest:
        return "1024"
    if present is not None and present.isdigit() and lowest < int(present) < highest:
        return present
    return str((lowest + highest + 1) // 2)


def most_tab_bits(zoneinfo: str) -> int | None:
    """Return the largest conn_tab_bits of each kernel on a host with this memory; None if the memory is not known.

    Linux 6.5 and later lower a higher value to the largest that fits into half of the memory, with four connections per
    row and entries of 512 bytes (net/netfilter/ipvs/ip_vs_conn.c: ip_vs_conn_init()). Linux 7.1 and later have room for
    eight times as many rows.
    """
    total = sum(int(found) for found in re.findall(r"^ +managed +([0-9]+)$", zoneinfo, re.MULTILINE))
    return (total * _PAGE // 8 // 512 - 1).bit_length() if total else None


def _zone(text: str) -> tuple[int, int, int, int]:
    """Return the free pages of a zone, its watermarks min and low, and the most that it reserves for others."""

    def pages(word: str) -> int:
        found = re.search(rf"^ +{word} +([0-9]+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0

    reserved = re.search(r"^ +protection: \(([0-9, ]+)\)$", text, re.MULTILINE)
    return pages("pages free"), pages("min"), pages("low"), max(map(int, reserved[1].split(","))) if reserved else 0


def listed_sysctls(settings: KernelSettings, record: Record, sysctl_file: str | None) -> dict[str, str]:
    """Return the sysctls after the task: those that it lists or, if it lists none, those of the former task."""
    if not settings.present:
        return {}
    if settings.sysctls is not None:
        return dict(settings.sysctls)
    return {key: value for key, value in parse_sysctl_file(sysctl_file or "").items() if key in record.sysctls}


def keys_of_interest(listed: Iterable[str], record: Record, interfaces: Sequence[str]) -> frozenset[str]:
    """Return the sysctls whose values a plan needs; interfaces are the host's."""
    keys = {*listed, *record.sysctls, *record.side_effects}
    return frozenset(keys.union(*(influenced(key, interfaces) for key in keys)))


def plan_kernel(state: HostState, settings: KernelSettings, sysctl_files: Sequence[tuple[str, str]] = ()) -> Plan:
    """Return operations that bring a host to what is wanted. Raises HostError if the kernel lacks a listed sysctl.

    state holds keys_of_interest, the listed modules, FILES, RECORD_FILE and which directories of these exist;
    sysctl_files are the host's sysctl.d files, see sysctl.overridden.
    """
    old = parse_record(RECORD_FILE, state.records.get(RECORD_FILE))
    listed = listed_sysctls(settings, old, state.files.get(SYSCTL_FILE))
    loads = [LoadModule(name) for name in settings.modules if settings.present and not state.modules.get(name)]
    _refuse_unknown(state, listed, settings.modules, [load.name for load in loads])
    writes = _writes(state, _targets(state, listed, old), listed)
    files = _wanted_files(settings, state, listed)
    new = _wanted_record(state, old, listed, {write.key for write in writes})
    books = plan_bookkeeping(state, RECORD_FILE, old, new, [path for path, text in files.items() if text is not None])
    options = {
        OPTIONS_FILE: files.pop(OPTIONS_FILE)
    }  # before the modules, which read their options when they are loaded
    proper: list[Operation] = [*change_files(state, options), *loads]
    proper += [*writes, *change_files(state, files)] if settings.present else [*change_files(state, files), *writes]
    operations = (*books.opening, *proper, *books.closing)
    predicted = predict(state, operations)
    return Plan(
        operations,
        predicted,
        warnings=tuple(overridden(SYSCTL_FILE.rsplit("/", 1)[-1], listed, sysctl_files)),
        shown_sysctls=frozenset({*old.sysctls, *old.side_effects, *new.sysctls, *new.side_effects}),
    )


def _refuse_unknown(state: HostState, listed: Iterable[str], modules: Iterable[str], to_load: Sequence[str]) -> None:
    for key in listed:
        if state.sysctls.get(key) is None and not brought_by(key, to_load):
            comes_with_ip_vs = brought_by(key, ["ip_vs"]) and not any(name.startswith("ip_vs") for name in modules)
            hint = "; it comes with ip_vs, so list that in modules" if comes_with_ip_vs else ""
            raise HostError(f"sysctls: the running kernel has no {display(key)}{hint}")


def _targets(state: HostState, listed: Mapping[str, str], record: Record) -> dict[str, str]:
    """Return the target values: the listed ones, and for other recorded keys those without any task.

    The latter are the recorded values, plus the side effects of writing the listed keys.
    """
    originals = record.originals()
    natural: dict[str, str | None] = dict(originals)
    for key, value in listed.items():
        natural = values_after_write(natural, key, value)
    interfaces = interfaces_in(state.sysctls)
    freed: set[str] = {key for key in record.sysctls if key not in listed}
    freed = freed.union(*(influenced(key, interfaces) for key in freed)).intersection(originals)
    if not listed:
        freed = set(originals)
    there = (key for key in freed if state.sysctls.get(key) is not None)  # an interface may no longer exist
    return {**{key: natural[key] or originals[key] for key in there}, **listed}


def _writes(state: HostState, targets: Mapping[str, str], listed: Mapping[str, str]) -> list[SetSysctl]:
    """Return writes that lead to the targets, each planned with the side effects of earlier ones."""
    values: dict[str, str | None] = dict(state.sysctls)
    writes = []
    for key in in_writing_order([*sorted(key for key in targets if key not in listed), *listed]):
        if values.get(key) != targets[key]:
            writes.append(SetSysctl(key, values.get(key), targets[key]))
            values = values_after_write(values, key, targets[key])
    return writes


def _wanted_files(settings: KernelSettings, state: HostState, listed: Mapping[str, str]) -> dict[str, str | None]:
    if not settings.present:
        return dict.fromkeys(FILES, None)
    options = state.files.get(OPTIONS_FILE)
    if settings.conn_tab_bits is not None:
        options = _file([f"options ip_vs conn_tab_bits={settings.conn_tab_bits}"] if settings.conn_tab_bits else [])
    return {
        OPTIONS_FILE: options,
        MODULES_FILE: _file(settings.modules),
        SYSCTL_FILE: render_sysctls(HEADER, listed),
    }


def _file(lines: Sequence[str]) -> str | None:
    return "".join(f"{line}\n" for line in (f"# {HEADER}", *lines)) if lines else None


def _wanted_record(state: HostState, old: Record, listed: Iterable[str], written: set[str]) -> Record:
    """Return the values to remember after the plan; an older record has the original values."""
    current = {key: value for key, value in state.sysctls.items() if value is not None}
    originals = {**current, **old.originals()}
    interfaces = interfaces_in(state.sysctls)
    side_effects: set[str] = set()
    for key in listed:
        followers = influenced(key, interfaces)
        side_effects |= followers if key in written else followers.intersection(old.originals())
    sysctls = {key: originals.get(key) for key in listed}
    return Record(sysctls, {key: originals[key] for key in side_effects if key in originals and key not in sysctls})


def converge_kernel(target: Host, settings: KernelSettings, check_mode: bool) -> Outcome:
    """Apply the described modules, options and sysctls to a host's kernel, or predict the result. Raises HostError."""
    sysctl_files = target.sysctl_files()
    if settings.present and settings.defence_threshold:
        settings = _with_threshold(target, settings)

    def read() -> HostState:
        record = parse_record(RECORD_FILE, target.text(RECORD_FILE))
        listed = listed_sysctls(settings, record, target.text(SYSCTL_FILE))
        keys = keys_of_interest(listed, record, target.interfaces())
        return target.read(Query(keys, settings.modules, FILES, RECORD_FILE))

    def plan(state: HostState) -> Plan:
        return plan_kernel(state, settings, sysctl_files)

    outcome = settle(read, plan, target.apply, check_mode, target.check)
    late = conn_tab_bits_pending(target, settings)
    return replace(outcome, warnings=(*outcome.warnings, late)) if late else outcome


def _with_threshold(target: Host, settings: KernelSettings) -> KernelSettings:
    """Return the settings with the threshold among the sysctls, unless it is listed."""
    sysctls = dict(settings.sysctls or {})
    present = parse_sysctl_file(target.text(SYSCTL_FILE) or "").get(THRESHOLD)
    sysctls.setdefault(THRESHOLD, defence_threshold(target.zoneinfo(), present))
    return replace(settings, sysctls=sysctls)


def conn_tab_bits_pending(target: Host, settings: KernelSettings) -> str | None:
    """Return a sentence if ip_vs runs with another table size, which it reads only when it is loaded."""
    running = target.modules.parameter("ip_vs", "conn_tab_bits")
    if not settings.present or not settings.conn_tab_bits or running in (None, str(settings.conn_tab_bits)):
        return None
    most = most_tab_bits(target.zoneinfo())
    if most is not None and most <= int(running or 0) < settings.conn_tab_bits:
        return None  # the kernel has lowered it
    if target.modules.built_in("ip_vs"):
        how = (
            f"ip_vs is built into this kernel, so put ip_vs.conn_tab_bits={settings.conn_tab_bits} on its command line"
        )
    else:
        how = "the new value takes effect when ip_vs is loaded again, at the next boot at the latest"
    return f"conn_tab_bits: ip_vs runs with {running}, not {settings.conn_tab_bits}; {how}"
