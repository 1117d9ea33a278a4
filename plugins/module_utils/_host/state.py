# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a host as values, and the record in JSON of the values that teardown restores. Pure.

Addresses, routes, routing rules, tunnels and units are in the words of ip(8) and systemd.unit(5).

There is one record a module, in /var/lib/lvs-cluster. Every record holds: "format", 1; "sysctls", the keys that the
task lists, with the values found before the first change (null while the kernel module of the key is not loaded);
"side_effects", the same for keys that the kernel changed along with them; "directories", those that were created. The
record of arp_silence also holds "vips": address to {"interface": name, "added": whether the module added it}; that of
ipvs_tunnel holds "gue", the ports that it added.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, Union

from .difference import PRESENT, Difference, of_text, of_value
from .errors import HostError
from .validate import display

#: The directory of the records.
OWN_DIRECTORY = "/var/lib/lvs-cluster"
KERNEL_RECORD = f"{OWN_DIRECTORY}/kernel.json"
VIPS_RECORD = f"{OWN_DIRECTORY}/arp_silence.json"

RECORD_FORMAT = 1
Entry = TypeVar("Entry")

#: The numbers of the protocols that IPVS balances (RFC 9293, RFC 768, RFC 9260).
PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
MAIN_TABLE = 254  # include/uapi/linux/rtnetlink.h: RT_TABLE_MAIN
#: Marks our rules that lead to a table of another owner (FRA_PROTOCOL), to find them again: a number that is unused in
#: include/uapi/linux/rtnetlink.h (RTPROT_*) or etc/iproute2/rt_protos.
ROUTE_PROTOCOL = 151
#: After every other route of a table; the value of Documentation/networking/vrf.rst for the same purpose.
FALLBACK_METRIC = 4278198272

#: Kinds of devices: the kernel module, and ip's name for the packets that it decapsulates.
TUNNEL_KINDS = {
    "ipip": ("ipip", "mode ipip"),
    "sit": ("sit", "mode ip6ip"),
    "ip6tnl": ("ip6_tunnel", "mode any"),
    "gre": ("ip_gre", ""),
    "ip6gre": ("ip6_gre", ""),
}
#: Kernel modules that remove GUE's UDP header, by the outer family.
GUE_MODULES = {"ipv4": "fou", "ipv6": "fou6"}
#: The names of our devices, as nftables matches them.
TUNNEL_DEVICES = "lvs-*"
_OUR_TUNNEL = re.compile(rf"lvs-({'|'.join(TUNNEL_KINDS)})\d{{1,3}}")


@dataclass(frozen=True)
class Unit:
    """A unit file's text, if C(multi-user.target) wants the unit, and if it runs (None: either).

    A name with a slash is that of a drop-in: C(nftables.service.d/x.conf). It is never enabled.
    """

    text: str
    enabled: bool = True
    running: bool | None = None


def device_unit(interface: str) -> str:
    """Return systemd's unit of an interface."""
    return f"sys-subsystem-net-devices-{escape(interface)}.device"


def escape(name: str) -> str:
    """Return a name as systemd writes it in a unit's name (systemd-escape(1))."""
    escaped = re.sub(r"[^A-Za-z0-9:_.]", lambda match: "".join(f"\\x{byte:02x}" for byte in match[0].encode()), name)
    return f"\\x2e{escaped[1:]}" if escaped.startswith(".") else escaped


@dataclass(frozen=True, order=True)
class Address:
    """An address on an interface: normal text ("2001:db8::1"), prefix length and interface name."""

    place = "addresses"
    noun = "address"
    address: str
    prefix: int
    interface: str

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix} dev {self.interface}"


@dataclass(frozen=True, order=True)
class Route:
    """A default route in a table of its own. The gateway need not be on the interface's networks (onlink)."""

    table: int
    family: str
    gateway: str
    interface: str

    def __str__(self) -> str:
        return f"default ({self.family}) via {self.gateway} dev {self.interface} onlink table {self.table}"


@dataclass(frozen=True, order=True)
class Fallback:
    """The route for replies while a table lacks its default route: it refuses them, instead of the main table sending
    them.

    It has no interface, so it stays when one goes down. Then the director's health checks fail.
    """

    place = "fallbacks"
    noun = "route"
    table: int
    family: str

    def __str__(self) -> str:
        return f"{self.batch_words()} ({self.family})"

    def batch_words(self) -> str:
        """Return the same for ip."""
        return f"unreachable default table {self.table} metric {FALLBACK_METRIC}"


def fallbacks(routes: Iterable[Route]) -> list[Fallback]:
    """Return the fallbacks of these routes."""
    return sorted({Fallback(route.table, route.family) for route in routes})


def port_text(ports: tuple[int, int]) -> str:
    """Return ``80`` or ``10000-20000``, as ip and nft take the first and the last of some ports."""
    low, high = ports
    return str(low) if low == high else f"{low}-{high}"


@dataclass(frozen=True, order=True)
class Rule:
    """A routing rule: packets from an address ("": all), of one protocol ("": all), from some ports.

    ports: the first and the last one, both 0 for all.

    more_than_default: ignore default routes in the table (suppress_prefixlength 0).
    destination: of the packets ("": all).
    """

    place = "rules"
    noun = "routing rule"
    table: int
    priority: int
    family: str
    address: str = ""
    protocol: str = ""
    ports: tuple[int, int] = (0, 0)
    more_than_default: bool = False
    destination: str = ""

    @property
    def marked(self) -> bool:
        """Return True if the rule is marked with our protocol, because it leads to a foreign table."""
        return self.more_than_default or bool(self.destination)

    def __str__(self) -> str:
        words = self._words(self.protocol)
        return words if self.address or self.destination else f"{words} ({self.family})"

    def batch_words(self) -> str:
        """Return the same for ip itself, which has names of protocols only with /etc/protocols (package netbase)."""
        return self._words(str(PROTOCOL_NUMBERS.get(self.protocol, self.protocol)))

    def _words(self, protocol: str) -> str:
        which = f" ipproto {protocol}" if protocol else ""
        port = f" sport {port_text(self.ports)}" if self.ports[0] else ""
        to = f" to {self.destination}" if self.destination else ""
        suppress = " suppress_prefixlength 0" if self.more_than_default else ""
        mark = f" protocol {ROUTE_PROTOCOL}" if self.marked else ""
        packets = f"from {self.address or 'all'}{to}{which}{port}"
        return f"{packets} lookup {self.table}{suppress}{mark} priority {self.priority}"


def is_our_tunnel(name: str) -> bool:
    """Return True if a device has a name of this collection."""
    return _OUR_TUNNEL.fullmatch(name) is not None


@dataclass(frozen=True, order=True)
class TunnelDevice:
    """A device that decapsulates packets to the address C(local), from any sender.

    checksum: accept only packets with GRE's checksum (net/ipv4/ip_tunnel.c: ip_tunnel_rcv). up: the device is up.
    """

    place = "tunnels"
    noun = "tunnel"
    kind: str
    local: str
    checksum: bool
    name: str
    up: bool = True

    def __str__(self) -> str:
        return f"{self.name} {self.value()}"

    def value(self) -> str:
        """Return its properties besides the name."""
        return f"type {self.words()}{'' if self.up else ' down'}"

    def words(self) -> str:
        """Return it in the words of C(ip link add), from the type on."""
        mode = TUNNEL_KINDS[self.kind][1]
        options = [mode] if mode else []
        return " ".join([self.kind, *options, f"local {self.local}", *(["icsum"] if self.checksum else [])])


@dataclass(frozen=True, order=True)
class GuePort:
    """A UDP port on which the kernel removes the headers of GUE; family is that of the outer packet."""

    place = "gue_ports"
    noun = "port"
    family: str
    port: int

    def __str__(self) -> str:
        return f"{self.family} udp port {self.port} gue"


#: Objects of which hosts have any number. ``place`` is their field of HostState, ``noun`` is for messages.
Item = Union[Address, Rule, Fallback, TunnelDevice, GuePort]


@dataclass(frozen=True)
class KnownVip:
    """A VIP that a task listed: its interface, and True if the module added it (otherwise it existed before)."""

    interface: str
    added: bool


@dataclass(frozen=True)
class Record:
    """The content of a record, as in the module's docstring. Keys of sysctls are paths below /proc/sys."""

    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    side_effects: Mapping[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    vips: Mapping[str, KnownVip] = field(default_factory=dict)
    gue: tuple[str, ...] = ()
    #: Unreadable parts of the file, a clause each. They are not written again.
    unreadable: tuple[str, ...] = field(default=(), compare=False)

    def originals(self) -> dict[str, str]:
        """Return every recorded value, of listed keys and of side effects."""
        known = {key: value for key, value in self.sysctls.items() if value is not None}
        return {**self.side_effects, **known}

    def __bool__(self) -> bool:
        return bool(self.sysctls or self.side_effects or self.directories or self.vips or self.gue)


def parse_record(path: str, text: str | None) -> Record:
    """Return the record in this text; an empty one if there is none. Unreadable entries are left out, and named.

    Raises HostError with the name of the file if nothing is readable.
    """
    if text is None:
        return Record()
    unreadable: list[str] = []
    try:
        raw = _loaded(text, unreadable)
        if raw["format"] != RECORD_FORMAT:
            raise ValueError(f"format {raw['format']}")
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(
            f"{path} is not a record that this version can read ({error});"
            " move it away, and restore by hand what it recorded"
        ) from error
    read = _Entries(raw, unreadable)
    return Record(
        sysctls=read.mapping("sysctls", lambda value: None if value is None else _text(value)),
        side_effects=read.mapping("side_effects", _text),
        directories=read.texts("directories"),
        vips=read.mapping("vips", _vip),
        gue=read.texts("gue"),
        unreadable=tuple(unreadable),
    )


def _loaded(text: str, unreadable: list[str]) -> dict[str, Any]:
    """Return the object in this text, or the complete part of a truncated one. Raises ValueError."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raw = _cut_off(text)
        if raw is None:
            raise
        unreadable.append(f"it was cut off ({error})")
    if not isinstance(raw, dict):
        raise ValueError(f"a {type(raw).__name__}")
    return raw


def _cut_off(text: str) -> Any:
    """Return the object in the complete lines of a text, as `render_record` writes them, or None."""
    lines = text.splitlines()
    while lines:
        closing = ""
        for line in lines:
            if line.endswith(("{", "[")):
                closing = "}]"["{[".index(line[-1])] + closing
            elif line.strip().rstrip(",") in ("}", "]"):
                closing = closing[1:]
        with contextlib.suppress(ValueError):
            return json.loads("\n".join(lines).rstrip(",") + closing)
        lines.pop()
    return None


class _Entries:
    """The entries of a record, without those that cannot be read, which are named."""

    def __init__(self, raw: Mapping[str, Any], unreadable: list[str]) -> None:
        self._raw = raw
        self._unreadable = unreadable
        unreadable += [f"{name} is missing" for name in ("sysctls", "side_effects", "directories") if name not in raw]

    def mapping(self, name: str, read: Callable[[Any], Entry]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        raw = self._raw.get(name, {})
        for key, value in raw.items() if isinstance(raw, dict) else self._not("an object", name, raw):
            try:
                found[key] = read(value)
            except (KeyError, TypeError) as error:
                self._unreadable.append(f"{name}: {key}: {error}")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        raw = self._raw.get(name, [])
        found = []
        for item in raw if isinstance(raw, list) else self._not("a list", name, raw):
            if isinstance(item, str):
                found.append(item)
            else:
                self._unreadable.append(f"{name}: {item!r} is not a string")
        return tuple(found)

    def _not(self, what: str, name: str, raw: object) -> tuple[()]:
        self._unreadable.append(f"{name}: {raw!r} is not {what}")
        return ()


def record_warnings(records: Mapping[str, str | None]) -> list[str]:
    """Return a sentence for each record, by path and text, of which something cannot be read."""
    return [
        f"{path} is damaged, and these entries cannot be restored: {'; '.join(found)}. Restore them by hand"
        " after teardown; the next change writes the other entries again"
        for path, text in sorted(records.items())
        for found in [parse_record(path, text).unreadable]
        if found
    ]


def render_record(record: Record) -> str | None:
    """Return the text of a record, or None if it has no values."""
    if not record:
        return None
    raw: dict[str, Any] = {
        "format": RECORD_FORMAT,
        "sysctls": dict(record.sysctls),
        "side_effects": dict(record.side_effects),
        "directories": list(record.directories),
    }
    if record.vips:
        raw["vips"] = {
            address: {"interface": vip.interface, "added": vip.added} for address, vip in record.vips.items()
        }
    if record.gue:
        raw["gue"] = list(record.gue)
    return json.dumps(raw, indent=2, sort_keys=True) + "\n"


def remembered_lines(path: str, text: str | None) -> list[str]:
    """Return the values of a record, a line each, for a diff."""
    record = parse_record(path, text)
    lines = [f"the value of {display(key)}" for key in sorted({*record.sysctls, *record.side_effects})]
    lines += [
        f"the address {address} dev {vip.interface}{'' if vip.added else ', which was there before'}"
        for address, vip in sorted(record.vips.items())
    ]
    lines += [f"adding {port}" for port in record.gue]
    return lines + [f"making {directory}" for directory in record.directories]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _vip(value: Any) -> KnownVip:
    if not isinstance(value["added"], bool):
        raise TypeError(f"{value['added']!r} is not a boolean")
    return KnownVip(_text(value["interface"]), value["added"])


@dataclass(frozen=True)
class HostState:
    """The part of a host that a planner requested.

    sysctls: path below /proc/sys ("net/ipv4/ip_forward") to its value, None if the kernel has no such key. addresses:
    every address of every interface, or the relevant ones. modules: kernel module to True if the kernel has it, loaded
    or built in. files: path to text, None if there is no file. records: as files, for the records of teardown. units:
    name of a unit to the unit, None if we have installed none. directories: those that exist. tables: name of an
    nftables table of the family inet to how nft lists it, None if there is none. routes, rules, fallbacks: those of the
    requested routing table. tunnels, gue_ports: the tunnel devices of this collection, and every port on which the
    kernel takes GUE.
    """

    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    addresses: frozenset[Address] = frozenset()
    modules: Mapping[str, bool] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    records: Mapping[str, str | None] = field(default_factory=dict)
    units: Mapping[str, Unit | None] = field(default_factory=dict)
    directories: frozenset[str] = frozenset()
    tables: Mapping[str, str | None] = field(default_factory=dict)
    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()
    fallbacks: frozenset[Fallback] = frozenset()
    tunnels: frozenset[TunnelDevice] = frozenset()
    gue_ports: frozenset[GuePort] = frozenset()


@dataclass(frozen=True)
class Query:
    """The request of a planner. Paths are the host's, below the target's root. table is a table of nftables, routes the
    number of a routing table.

    A request for tunnels also needs the modules of GUE.
    """

    sysctls: Iterable[str] = ()
    modules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    record: str | None = None
    unit: str | None = None
    addresses: bool = False
    table: str | None = None
    routes: int | None = None
    more_units: tuple[str, ...] = ()
    tunnels: bool = False


def directories_for(paths: Iterable[str], existing: frozenset[str]) -> tuple[str, ...]:
    """Return the directories that are missing for these files, outermost first."""
    missing: list[str] = []
    for path in paths:
        parents = path.split("/")[1:-1]
        for depth in range(1, len(parents) + 1):
            directory = "/" + "/".join(parents[:depth])
            if directory not in existing and directory not in missing:
                missing.append(directory)
    return tuple(missing)


def parents_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Return every directory that these files lie in, outermost first."""
    return directories_for(paths, frozenset())


#: The facts of a state: kind and name -> value, None for absent ones.
Facts = dict[tuple[str, str], "str | None"]
#: Kinds with a text as the value: a diff has its lines, a difference only that it differs.
_TEXTS = ("nftables table", "file", "record", "unit")


def facts(state: HostState, shown_sysctls: frozenset[str], shown_addresses: frozenset[Address]) -> Facts:
    """Return the facts of a state: the shown sysctls and addresses, and everything else.

    A record appears by its names, not by the values, which are unknown before a kernel module is loaded.
    """
    found: Facts = {("kernel module", name): "loaded" for name, loaded in sorted(state.modules.items()) if loaded}
    found |= {
        ("sysctl", display(key)): value
        for key, value in sorted(state.sysctls.items())
        if key in shown_sysctls and value is not None
    }
    found |= {("address", str(address)): PRESENT for address in sorted(shown_addresses & state.addresses)}
    found |= {("route", str(route)): PRESENT for route in (*sorted(state.routes), *sorted(state.fallbacks))}
    found |= {("routing rule", str(rule)): PRESENT for rule in sorted(state.rules)}
    found |= {("tunnel", device.name): device.value() for device in sorted(state.tunnels)}
    found |= {("tunnel port", str(port)): PRESENT for port in sorted(state.gue_ports)}
    found |= {("nftables table", name): text for name, text in sorted(state.tables.items())}
    found |= {("file", path): text for path, text in sorted(state.files.items())}
    for path, text in sorted(state.records.items()):
        remembered = remembered_lines(path, text)
        found["record", path] = "".join(f"remembers {what}\n" for what in remembered) if remembered else None
    for name, unit in sorted(state.units.items()):
        if unit is not None:
            found["unit", name] = unit.text
            if "/" not in name:
                found["enabled", name] = "enabled" if unit.enabled else "disabled"
            if unit.running is not None:
                found["running", name] = "running" if unit.running else "stopped"
    return found


def render(shown: Facts) -> str:
    """Return facts as lines for a diff."""
    return "".join(f"{line}\n" for (kind, name), value in shown.items() for line in _lines(kind, name, value))


def _lines(kind: str, name: str, value: str | None) -> list[str]:
    if value is None:
        return []
    if kind in _TEXTS:
        title = f"nftables {name}" if kind == "nftables table" else name
        return [f"{title}: {line}".rstrip() for line in value.splitlines()] or [f"{title}:"]
    if kind == "sysctl":
        return [f"{name} = {value}"]
    if kind == "tunnel":
        return [f"tunnel {name} {value}"]
    if kind in ("enabled", "running"):
        return [f"{name}: {value}"]
    return [name if kind == "tunnel port" else f"{kind.removeprefix('routing ')} {name}"]


def differences(before: Facts, after: Facts) -> tuple[Difference, ...]:
    """Return the facts in which two states differ."""
    return tuple(
        (of_text if kind in _TEXTS else of_value)(kind, name, before.get((kind, name)), after.get((kind, name)))
        for kind, name in dict.fromkeys((*before, *after))
        if before.get((kind, name)) != after.get((kind, name))
    )
