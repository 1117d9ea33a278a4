# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VIPs of a real server without ARP: the plan of arp_silence, and its execution. Pure.

Every plan follows one rule: while the host holds a VIP, no interface answers ARP for it. So ARP is suppressed before
the first VIP is added and until after the last one is removed. Undoing a plan half-way passes the same states
backwards.

What the kernel does (net/ipv4/arp.c: arp_ignore, arp_announce; include/linux/inetdevice.h: IN_DEV_MAXCONF): the larger
of the values of "all" and of the incoming interface counts. 1 and 2 answer only for addresses of that interface, 8 for
none, but 3 answers for every address of global scope, and 4 to 7 mean 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from . import sandbox
from .engine import (
    Add,
    ChangeUnit,
    Host,
    Operation,
    Outcome,
    Plan,
    Remove,
    change_files,
    plan_bookkeeping,
    predict,
    settle,
)
from .errors import HostError
from .state import VIPS_RECORD, Address, HostState, KnownVip, Query, Record, Unit, device_unit, parse_record
from .sysctl import overridden, render_sysctls, sysctl_writes
from .validate import IPAddress, display, interface_name, parse_address, unicast_address

SYSCTL_FILE = "/etc/sysctl.d/91-lvs-cluster-arp.conf"
RECORD_FILE = VIPS_RECORD
VIPS_UNIT = "lvs-cluster-vips.service"
#: A host that the module has changed has at least one of these.
TRACES = (RECORD_FILE, f"/etc/systemd/system/{VIPS_UNIT}")
HEADER = "Written by the Ansible module lvs.cluster.arp_silence, which overwrites changes."

# Answer only for addresses of the incoming interface; announce only addresses of the outgoing interface.
SILENCE = {"arp_ignore": "1", "arp_announce": "2"}
_SILENT_VALUES = frozenset({1, 2, 8})

# lo exists from the start, so its VIPs are added before any link is up. Another interface has to appear first.
_ORDER_LO = """\
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=systemd-sysctl.service
"""
_ORDER_DEVICE = """\
Requires={device}
Before=network.target network-online.target shutdown.target
After=systemd-sysctl.service {device}
"""
_UNIT = """\
# {header}
[Unit]
Description=Virtual IP addresses of LVS on {interface}, silent in ARP
DefaultDependencies=no
{order}Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
# No VIP without silence: where this fails, the next command does not run.
ExecStart=/bin/sh -ec 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce'
ExecStart=ip -force -batch -
StandardInput=data
{addresses}{sandbox}
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class ArpSilence:
    """The arguments of a task: addresses in normal form and order, their interface, and further interfaces without ARP.

    purge: remove VIPs and restore sysctls of earlier tasks that are no longer listed.
    """

    present: bool = True
    vips: tuple[str, ...] = ()
    interface: str = "lo"
    ingress: tuple[str, ...] = ()
    persist: bool = True
    purge: bool = True


def parse_silence(
    present: bool, vips: Sequence[str], interface: str, ingress: Sequence[str], persist: bool, purge: bool = True
) -> ArpSilence:
    """Check the arguments. Raises HostError with a sentence that names the option and the value."""
    for option, name in (("interface", interface), *(("ingress", name) for name in ingress)):
        interface_name(option, name)
    addresses = {unicast_address("vips", vip, "a VIP") for vip in vips}
    return ArpSilence(
        present, _in_order(addresses), interface, tuple(dict.fromkeys(ingress)), persist, purge or not present
    )


def _in_order(addresses: Iterable[IPAddress]) -> tuple[str, ...]:
    return tuple(str(item) for item in sorted(addresses, key=lambda item: (item.version, item.packed)))


def keys_of_interest(silence: ArpSilence, record: Record, interfaces: Iterable[str]) -> frozenset[str]:
    """Return the sysctls whose values a plan needs; interfaces are the host's."""
    names = {"all", silence.interface, *interfaces, *silence.ingress}
    conf = {_key(name, option) for name in names for option in SILENCE}
    return frozenset({*conf, *record.sysctls, _disable_ipv6(silence)})


def plan_silence(state: HostState, silence: ArpSilence, sysctl_files: Sequence[tuple[str, str]] = ()) -> Plan:
    """Return operations that lead a host to the described state. Raises HostError if that is impossible.

    state holds keys_of_interest, every address of the host, SYSCTL_FILE, RECORD_FILE, VIPS_UNIT and which directories
    of these exist; sysctl_files are the host's sysctl.d files, see sysctl.overridden.
    """
    old = parse_record(RECORD_FILE, state.records.get(RECORD_FILE))
    named = {_address(vip, silence.interface) for vip in silence.vips}
    wanted = named if silence.present else set()
    ours = {_address(vip, known.interface) for vip, known in old.vips.items() if known.added}
    if silence.present:
        _refuse_impossible(state, silence)
        _refuse_elsewhere(state, silence, ours)
    # A VIP that only moves to another interface is listed, and moves at once.
    known = {_address(vip, one.interface) for vip, one in old.vips.items() if vip not in silence.vips}
    kept = frozenset[Address]() if silence.purge else known & state.addresses
    wanted |= kept

    # With state absent, a VIP from before the first task is removed if the task names it, and otherwise stays.
    missing = sorted(wanted - state.addresses)
    surplus = sorted(((ours | named) - wanted) & state.addresses)
    listed = _listed(silence, old)
    files = {SYSCTL_FILE: render_sysctls(HEADER, listed) if silence.persist else None}
    boot_vips = _in_order(parse_address(item.address) for item in wanted if item.interface == silence.interface)
    boot_unit = vips_unit(HEADER, silence.interface, boot_vips) if boot_vips and silence.persist else None
    new = Record(
        sysctls={key: old.sysctls.get(key) or state.sysctls.get(key) for key in listed},
        vips={item.address: KnownVip(item.interface, item in missing or item in ours) for item in wanted},
    )
    books = plan_bookkeeping(state, RECORD_FILE, old, new, [path for path, text in files.items() if text is not None])

    silencing = sysctl_writes(state, listed)
    addresses: list[Operation] = [*map(Add, missing), *map(Remove, surplus)]
    before = state.units.get(VIPS_UNIT)
    units: list[Operation] = [] if before == boot_unit else [ChangeUnit(VIPS_UNIT, before, boot_unit)]
    keeping = change_files(state, files)
    proper = [*keeping, *silencing, *addresses, *units] if silence.present else [*addresses, *units, *keeping]
    # Sysctls that are no longer listed are restored last, when no VIP depends on them.
    back = {key: value for key, value in old.sysctls.items() if key not in listed and value is not None}
    operations = (*books.opening, *proper, *sysctl_writes(state, back), *books.closing)
    predicted = predict(state, operations)
    if silence.present:
        _refuse_talkative(predicted, silence)
    conflicts = overridden(SYSCTL_FILE.rsplit("/", 1)[-1], listed, sysctl_files) if silence.persist else []
    return Plan(
        operations,
        predicted,
        warnings=(*conflicts, *_left_talking(predicted, silence, old)),
        shown_sysctls=frozenset({*listed, *old.sysctls}),
        shown_addresses=frozenset(ours | named),
    )


def _key(interface: str, option: str) -> str:
    return f"net/ipv4/conf/{interface}/{option}"


def _disable_ipv6(silence: ArpSilence) -> str:
    return f"net/ipv6/conf/{silence.interface}/disable_ipv6"


def _address(vip: str, interface: str) -> Address:
    return Address(vip, 128 if ":" in vip else 32, interface)


def _listed(silence: ArpSilence, old: Record) -> dict[str, str]:
    if not silence.present:
        return {}
    former = () if silence.purge else tuple(key.split("/")[3] for key in old.sysctls)
    names = dict.fromkeys(("all", *silence.ingress, *former))
    return {_key(name, option): value for name in names for option, value in SILENCE.items()}


def _refuse_impossible(state: HostState, silence: ArpSilence) -> None:
    for option, name in (("interface", silence.interface), *(("ingress", name) for name in silence.ingress)):
        if state.sysctls.get(_key(name, "arp_ignore")) is None:
            raise HostError(f"{option}: this host has no interface {name}")
    ipv6 = [vip for vip in silence.vips if ":" in vip]
    if ipv6 and state.sysctls.get(_disable_ipv6(silence)) != "0":
        missing = state.sysctls.get(_disable_ipv6(silence)) is None
        why = "this kernel runs without IPv6" if missing else f"{display(_disable_ipv6(silence))} is 1"
        raise HostError(f"vips: {ipv6[0]} cannot be added to {silence.interface}: {why}")


def _refuse_elsewhere(state: HostState, silence: ArpSilence, ours: set[Address]) -> None:
    """Refuse VIPs on other interfaces, for which the host answers ARP in any case, and VIPs with another prefix
    length.
    """
    for address in sorted(state.addresses - ours):
        if address.address not in silence.vips:
            continue
        if address.interface != silence.interface:
            raise HostError(
                f"vips: {address.address} is already on {address.interface}, where this host answers ARP for it;"
                " remove it there first, or exclude this host if it is a director"
            )
        if address != _address(address.address, silence.interface):
            raise HostError(
                f"vips: {address.address} is already on {address.interface} with the prefix length {address.prefix},"
                " which makes the whole network local; remove it there first"
            )


def _refuse_talkative(state: HostState, silence: ArpSilence) -> None:
    for name, value in _talkative(state):
        raise HostError(
            f"ingress: {display(_key(name, 'arp_ignore'))} is {value}, which lets {name} answer ARP for addresses of"
            f" {silence.interface} whatever net.ipv4.conf.all.arp_ignore says; list {name} in ingress"
        )


def _talkative(state: HostState) -> list[tuple[str, str]]:
    """Return interfaces, with their arp_ignore, on which the host would answer ARP for an address of another
    interface.
    """
    overall = _number(state.sysctls.get(_key("all", "arp_ignore")))
    found = []
    for key, value in sorted(state.sysctls.items()):
        name = key.split("/")[3]
        relevant = key == _key(name, "arp_ignore") and name not in ("all", "default", "lo")
        if relevant and value is not None and max(overall, _number(value)) not in _SILENT_VALUES:
            found.append((name, value))
    return found


def _number(value: str | None) -> int:
    return int(value) if value is not None and value.isdigit() else 0


def _left_talking(predicted: HostState, silence: ArpSilence, old: Record) -> list[str]:
    """Return warnings about VIPs that existed before the first task, stay after the last one, and are then
    announced.
    """
    if silence.present or not _talkative(predicted):
        return []
    return [
        f"{vip} was on {known.interface} before and stays there;"
        " with the sysctls restored, this host answers ARP for it again"
        for vip, known in sorted(old.vips.items())
        if ":" not in vip and _address(vip, known.interface) in predicted.addresses
    ]


def vips_unit(header: str, interface: str, vips: Sequence[str]) -> Unit:
    """Return the unit that suppresses ARP and then adds these addresses to the interface.

    It runs before the network is up (for an interface other than lo: once that exists), so that services can bind to a
    VIP. It has no ExecStop: stopping it must not end live connections.
    """
    device = device_unit(interface)
    order = _ORDER_LO if interface == "lo" else _ORDER_DEVICE.format(device=device)
    addresses = "".join(f"StandardInputText=address replace {batch_words(vip, interface)}\n" for vip in vips)
    return Unit(
        _UNIT.format(
            header=header, interface=interface, order=order, addresses=addresses, sandbox=sandbox.early("CAP_NET_ADMIN")
        )
    )


def batch_words(vip: str, interface: str) -> str:
    """Return an address in the words of C(ip address), as network.py adds it."""
    if ":" in vip:
        return f"{vip}/128 dev {interface} nodad preferred_lft 0"
    return f"{vip}/32 dev {interface} scope host"


def converge_silence(target: Host, silence: ArpSilence, check_mode: bool) -> Outcome:
    """Apply the described VIPs and ARP sysctls to a host, or predict the result. Raises HostError."""
    if silence.present and silence.persist:
        target.require_boot("restore the VIPs", needs_ip=True)
    sysctl_files = target.sysctl_files()

    def read() -> HostState:
        record = parse_record(RECORD_FILE, target.text(RECORD_FILE))
        keys = keys_of_interest(silence, record, target.interfaces())
        return target.read(Query(keys, (), (SYSCTL_FILE,), RECORD_FILE, VIPS_UNIT, addresses=True))

    def plan(state: HostState, purge: bool = silence.purge) -> Plan:
        return plan_silence(state, replace(silence, purge=purge), sysctl_files)

    purging = None if silence.purge else partial(plan, purge=True)
    return settle(read, plan, target.apply, check_mode, target.check, purging)
