# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiving ends of tunnels: the plan of ipvs_tunnel. Pure.

A director encapsulates a client's packet unchanged (net/netfilter/ipvs/ip_vs_xmit.c: ip_vs_tunnel_xmit). A device with
the outer destination address removes the outer header, and receives the packet for the VIP. The route to the client
does not use that device, so reverse path filtering (rp_filter) would drop every packet. It must be off there, and the
larger of the values of "all" and of the device counts (include/linux/inetdevice.h: IN_DEV_RPFILTER).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

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
from .state import (
    GUE_MODULES,
    OWN_DIRECTORY,
    TUNNEL_KINDS,
    GuePort,
    HostState,
    Query,
    Record,
    TunnelDevice,
    Unit,
    is_our_tunnel,
    parse_record,
)
from .sysctl import LoadModule, SetSysctl, interfaces_in, overridden, render_sysctls, sysctl_writes
from .validate import unicast_address

SYSCTL_FILE = "/etc/sysctl.d/91-lvs-cluster-tunnel.conf"
RECORD_FILE = f"{OWN_DIRECTORY}/ipvs_tunnel.json"
TUNNELS_UNIT = "lvs-cluster-tunnels.service"
#: A host that the module has changed has one of these.
TRACES = (RECORD_FILE, f"/etc/systemd/system/{TUNNELS_UNIT}")
HEADER = "Written by the Ansible module lvs.cluster.ipvs_tunnel, which overwrites changes."
_USE = "the address that a director sends to"
TYPES = ("ipip", "gue", "gre")
FAMILIES = ("ipv4", "ipv6")
CHECKSUMS = ("none", "csum", "remcsum")
#: The devices that the kernel creates when it loads a module. They are down, so their rp_filter does not matter.
_FALLBACK = frozenset({"tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0"})
#: The kinds of devices by inner and outer family; GUE's UDP header is removed before.
_PLAIN = {
    ("ipv4", "ipv4"): "ipip",
    ("ipv4", "ipv6"): "sit",
    ("ipv6", "ipv4"): "ip6tnl",
    ("ipv6", "ipv6"): "ip6tnl",
}
_GRE = {"ipv4": "gre", "ipv6": "ip6gre"}
MODULES = (*(module for module, _mode in TUNNEL_KINDS.values()), *GUE_MODULES.values())

_TUNNELS_UNIT = """\
# {header}
[Unit]
Description=Receiving ends of the tunnels of LVS
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=systemd-modules-load.service systemd-sysctl.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
# What is there already is refused, and does no harm.
{commands}{sandbox}
[Install]
WantedBy=multi-user.target
"""


def tunnels_option() -> dict[str, Any]:
    """Return the ends of tunnels."""
    return {
        "type": "list",
        "elements": "dict",
        "options": {
            "address": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["ipip", "gue", "gre"], "default": "ipip"},
            "families": {"type": "list", "elements": "str", "choices": ["ipv4", "ipv6"]},
            "port": {"type": "int"},
            "checksum": {"type": "str", "choices": ["none", "csum", "remcsum"], "default": "none"},
        },
    }


@dataclass(frozen=True)
class End:
    """One end: the kind of device, its address, and True if it receives inner IPv4."""

    kind: str
    local: str
    checksum: bool
    ipv4: bool


@dataclass(frozen=True)
class Wanted:
    """The arguments of a task: ends, each once, and ports of GUE. purge: remove those of earlier tasks."""

    present: bool
    ends: tuple[End, ...]
    ports: tuple[GuePort, ...]
    persist: bool
    purge: bool = True

    @property
    def modules(self) -> tuple[str, ...]:
        """The kernel modules that this needs."""
        return tuple(
            dict.fromkeys(
                (*(TUNNEL_KINDS[end.kind][0] for end in self.ends), *(GUE_MODULES[port.family] for port in self.ports))
            )
        )


def parse_tunnels(present: bool, tunnels: Sequence[Mapping[str, object]], persist: bool, purge: bool = True) -> Wanted:
    """Check what a task gives. Raises HostError with a sentence that names the option and the value."""
    ends: dict[tuple[str, str], End] = {}
    ports: set[GuePort] = set()
    for number, given in enumerate(tunnels):
        where = f"tunnels[{number}]"
        address = unicast_address(f"{where}.address", str(given["address"]), _USE)
        outer, kind = f"ipv{address.version}", str(given.get("type") or "ipip")
        checksum, port = str(given.get("checksum") or "none"), given.get("port")
        inner = given.get("families") or [outer]
        if not isinstance(inner, (list, tuple)):
            raise HostError(f"{where}.families: {inner!r} is not a list")
        _check(where, kind, port, checksum)
        if kind == "gue":
            ports.add(GuePort(outer, int(str(port))))
        for family in inner:
            device = _GRE[outer] if kind == "gre" else _PLAIN[outer, str(family)]
            end = End(device, str(address), kind == "gre" and checksum == "csum", family == "ipv4")
            other = ends.setdefault((device, end.local), end)
            if other.checksum != end.checksum:
                raise HostError(
                    f"{where}.checksum: gre at {address} is listed with and without checksums, and a kernel device"
                    " accepts only one of them"
                )
            ends[device, end.local] = replace(end, ipv4=end.ipv4 or other.ipv4)
    return Wanted(
        present, tuple(ends[key] for key in sorted(ends)), tuple(sorted(ports)), persist, purge or not present
    )


def _check(where: str, kind: str, port: object, checksum: str) -> None:
    if kind == "gue" and (not isinstance(port, int) or not 1 <= port <= 65535):
        raise HostError(f"{where}.port: {port!r} is not a UDP port, which gue requires (1 to 65535)")
    if kind != "gue" and port:
        raise HostError(f"{where}.port: {port!r} is for gue only, and the type is {kind}")
    if checksum == "remcsum" and kind != "gue":
        raise HostError(f"{where}.checksum: remcsum is for gue only, and the type is {kind}")
    if checksum == "csum" and kind == "ipip":
        raise HostError(f"{where}.checksum: ipip has no checksum")


def keys_of_interest(record: Record, interfaces: Iterable[str]) -> frozenset[str]:
    """Return the sysctls whose values a plan needs; interfaces are the host's."""
    return frozenset({*map(_rp_filter, ("all", "default", *interfaces)), *record.sysctls})


def plan_tunnels(state: HostState, wanted: Wanted, sysctl_files: Sequence[tuple[str, str]] = ()) -> Plan:
    """Return operations that bring a host to what is wanted. Raises HostError if that cannot be had.

    state holds keys_of_interest, every address of the host, our tunnel devices, all GUE ports, MODULES, RECORD_FILE,
    SYSCTL_FILE, TUNNELS_UNIT and which directories of these exist; sysctl_files are the host's, see sysctl.overridden.
    """
    old = parse_record(RECORD_FILE, state.records.get(RECORD_FILE))
    ends = wanted.ends if wanted.present else ()
    devices = _devices(state, ends)
    ipv4 = {device.name for device, end in zip(devices, ends) if end.ipv4}
    ports = frozenset(wanted.ports) if ends else frozenset[GuePort]()
    if not wanted.purge:
        listed_names = {device.name for device in devices}
        devices = _with_former(state, devices)
        former = {device.name for device in devices} - listed_names
        # If the record has no sysctls, all devices had only inner IPv6.
        ipv4 |= {name for name in former if old.sysctls and state.sysctls.get(_rp_filter(name)) == "0"}
        ports |= {port for port in state.gue_ports if str(port) in old.gue}
    present = bool(devices or ports)

    listed = _reverse_path(state, old) if ipv4 else {}
    own = {_rp_filter(name): "0" for name in sorted(ipv4)}
    keep = present and wanted.persist
    files = {SYSCTL_FILE: render_sysctls(HEADER, {**listed, **own}) if keep else None}
    ours = {text for text in old.gue if any(str(port) == text for port in state.gue_ports)}
    ours |= {str(port) for port in ports - state.gue_ports}
    new = Record(
        sysctls={key: _original(state, old, key) for key in listed},
        gue=tuple(sorted(ours & {str(port) for port in ports})),
    )
    paths = [path for path, text in files.items() if text is not None]
    books = plan_bookkeeping(state, RECORD_FILE, old, new, paths)

    modules = [LoadModule(name) for name in wanted.modules if present and not state.modules.get(name)]
    missing = [device for device in devices if device not in state.tunnels]
    surplus = sorted(state.tunnels - set(devices))
    operations: list[Operation] = [*modules, *change_files(state, files), *sysctl_writes(state, listed)]
    for device in surplus:
        # so that a later task can restore the value
        operations += sysctl_writes(state, {_rp_filter(device.name): state.sysctls.get(_rp_filter("default")) or "0"})
        operations.append(Remove(device))
    for device in missing:
        operations.append(Add(device))
        if device.name in ipv4:
            # its value is unknown before it exists: it copies that of "default"
            operations.append(SetSysctl(_rp_filter(device.name), None, "0"))
    there = {key: value for key, value in own.items() if key not in {_rp_filter(device.name) for device in missing}}
    operations += sysctl_writes(state, there)
    operations += map(Add, sorted(ports - state.gue_ports))
    operations += [Remove(port) for port in sorted(state.gue_ports - ports) if str(port) in old.gue]
    unit = tunnels_unit(HEADER, devices, sorted(ports), sorted(ipv4)) if keep else None
    installed = state.units.get(TUNNELS_UNIT)
    if installed != unit:
        operations.append(ChangeUnit(TUNNELS_UNIT, installed, unit))
    # Sysctls that are no longer listed are restored last, when the tunnels are removed.
    back = {key: value for key, value in old.sysctls.items() if key not in listed and value is not None}
    everything = (*books.opening, *operations, *sysctl_writes(state, back), *books.closing)
    conflicts = overridden(SYSCTL_FILE.rsplit("/", 1)[-1], {**listed, **own}, sysctl_files) if keep else []
    return Plan(
        everything,
        predict(state, everything),
        warnings=tuple(conflicts),
        shown_sysctls=frozenset({*listed, *own, *old.sysctls}),
    )


def _rp_filter(interface: str) -> str:
    return f"net/ipv4/conf/{interface}/rp_filter"


def _devices(state: HostState, ends: Sequence[End]) -> list[TunnelDevice]:
    """Return a device for each end: an existing one keeps its name, a new one gets a free name."""
    addresses = {address.address for address in state.addresses}
    taken = {device.name for device in state.tunnels}
    found = []
    for end in ends:
        if end.local not in addresses:
            raise HostError(f"tunnels: this host has no address {end.local}")
        same = [device for device in state.tunnels if (device.kind, device.local) == (end.kind, end.local)]
        if same:
            name = min(same).name
        else:
            name = next(name for name in (f"lvs-{end.kind}{number}" for number in range(1000)) if name not in taken)
            taken.add(name)
        found.append(TunnelDevice(end.kind, end.local, end.checksum, name))
    return found


def _with_former(state: HostState, devices: Sequence[TunnelDevice]) -> list[TunnelDevice]:
    """Return these devices and those of earlier tasks.

    The kernel has one device of a kind for an address, so one that needs the other checksum is left unchanged: the
    directors still send packets with the present checksum, which would be lost. The clean-up replaces the device.
    """
    former = {device.name: device for device in state.tunnels if device.up}
    kept = [former.get(device.name, device) for device in devices]
    return kept + sorted(former[name] for name in former.keys() - {device.name for device in devices})


def _reverse_path(state: HostState, old: Record) -> dict[str, str]:
    """Return the values with which "all" is off, and every other interface keeps its effective value.

    Omit interfaces that have it already, such as later ones, which copy "default".
    """
    overall = _original(state, old, _rp_filter("all")) or "0"
    listed = {}
    for name in ("default", *sorted(interfaces_in(state.sysctls) - _FALLBACK)):
        key = _rp_filter(name)
        now = state.sysctls.get(key)
        if is_our_tunnel(name) or now is None:
            continue
        if key in old.sysctls or _number(now) < _number(overall):
            listed[key] = max(_original(state, old, key) or "0", overall, key=_number)
    return {**listed, _rp_filter("all"): "0"}


def _original(state: HostState, old: Record, key: str) -> str | None:
    """Return the value from before the first task; for "all" a newer one if another process has set it since."""
    now, first = state.sysctls.get(key), old.sysctls.get(key)
    if key == _rp_filter("all") and now not in (None, "0"):
        return now
    return first or now


def _number(value: str) -> int:
    return int(value) if value.isdigit() else 0


def tunnels_unit(
    header: str, devices: Sequence[TunnelDevice], ports: Sequence[GuePort], unfiltered: Sequence[str]
) -> Unit:
    """Return the unit that sets up tunnel devices and GUE ports before the network.

    unfiltered: devices whose packets must not be dropped by reverse path filtering. It has no ExecStop: stopping it
    must not end live connections.
    """
    lines = []
    modules = sorted({GUE_MODULES[port.family] for port in ports})
    if modules:
        # Outside the sandbox, which nothing else here needs to leave.
        lines.append(f"+modprobe --all {' '.join(modules)}")
    lines += [f"-ip -{port.family[-1]} fou add port {port.port} gue" for port in ports]
    for device in devices:
        lines.append(f"-ip link add name {device.name} type {device.words()}")
        lines.append(f"-ip link set dev {device.name} addrgenmode none")
        lines.append(f"ip link set dev {device.name} up")
    if unfiltered:
        echoes = (f"echo 0 >/proc/sys/net/ipv4/conf/{name}/rp_filter" for name in ("all", *unfiltered))
        lines.append(f"/bin/sh -ec '{'; '.join(echoes)}'")
    commands = "".join(f"ExecStart={line}\n" for line in lines)
    return Unit(_TUNNELS_UNIT.format(header=header, commands=commands, sandbox=sandbox.early("CAP_NET_ADMIN")))


def converge_tunnels(target: Host, wanted: Wanted, check_mode: bool) -> Outcome:
    """Apply the described ends of tunnels to a host, or predict the result. Raises HostError."""
    if wanted.present and wanted.persist and wanted.ends:
        target.require_boot("set up the tunnels", needs_ip=True)
    target.require_ip()
    sysctl_files = target.sysctl_files()

    def read() -> HostState:
        record = parse_record(RECORD_FILE, target.text(RECORD_FILE))
        keys = keys_of_interest(record, target.interfaces())
        query = Query(keys, MODULES, (SYSCTL_FILE,), RECORD_FILE, TUNNELS_UNIT, addresses=True, tunnels=True)
        return target.read(query)

    def plan(state: HostState, purge: bool = wanted.purge) -> Plan:
        return plan_tunnels(state, replace(wanted, purge=purge), sysctl_files)

    purging = None if wanted.purge else partial(plan, purge=True)
    return settle(read, plan, target.apply, check_mode, target.check, purging)
