# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls and kernel modules: keys, what a write changes along with it, sysctl.d files, and operations on them. Pure.

A key is kept as its path below /proc/sys ("net/ipv4/conf/eth0.100/arp_ignore"), since interface names may hold dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .engine import Operation
from .errors import HostError
from .state import HostState
from .validate import display, normal_value, parse_key

IP_FORWARD = "net/ipv4/ip_forward"
_ALL_FORWARDING = "net/ipv4/conf/all/forwarding"
_ALL_ACCEPT_REDIRECTS = "net/ipv4/conf/all/accept_redirects"
_CONF = re.compile(r"net/ipv([46])/conf/([^/]+)/([^/]+)")

# Two names of one value (devinet.c: the ip_forward entry points at IPV4_DEVCONF_ALL(FORWARDING)).
_ALIASES = {IP_FORWARD: _ALL_FORWARDING, _ALL_FORWARDING: IP_FORWARD}
# net.ipv6.conf.all keys that the kernel copies to default and to every interface (net/ipv6/addrconf.c:
# addrconf_fixup_forwarding, addrconf_disable_ipv6, addrconf_fixup_linkdown).
_IPV6_COPIED = frozenset({"forwarding", "disable_ipv6", "ignore_routes_with_linkdown"})

# Keys that exist only with a kernel module: prefix of the key, and prefixes of the names of its modules.
# All of ip_vs_* need ip_vs, which needs nf_conntrack; a tunnel's module makes its fallback device.
_BROUGHT_BY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("net/ipv4/vs/", ("ip_vs",)),
    ("net/netfilter/nf_conntrack_", ("nf_conntrack", "ip_vs", "nf_nat", "nft_ct", "nft_masq", "nft_synproxy")),
    ("net/nf_conntrack_max", ("nf_conntrack", "ip_vs", "nf_nat")),
    ("net/bridge/", ("br_netfilter",)),
    ("net/ipv4/conf/tunl0/", ("ipip",)),
    ("net/ipv4/conf/gre0/", ("ip_gre",)),
    ("net/ipv6/conf/ip6tnl0/", ("ip6_tunnel",)),
    ("net/ipv6/conf/ip6gre0/", ("ip6_gre",)),
)


def parse_sysctls(raw: Mapping[str, object]) -> dict[str, str]:
    """Return keys and values of a task as paths and normal values, in the order in which they have to be written.

    The order is the task's, but keys whose write changes others come first. Raises HostError naming key and value.
    """
    parsed: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, value in raw.items():
        key = parse_key(str(name))
        if key in parsed:
            raise HostError(f"sysctls: {names[key]} and {name} are the same key")
        parsed[key] = _parse_value(str(name), value)
        names[key] = str(name)
        alias = _ALIASES.get(key)
        if alias in parsed and parsed[alias] != parsed[key]:
            raise HostError(
                f"sysctls: {names[alias]} and {name} are one value in the kernel:"
                f" it cannot be {parsed[alias]} and {parsed[key]}"
            )
    return {key: parsed[key] for key in in_writing_order(parsed)}


def _parse_value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and "\n" not in value.strip() and value.strip() and normal_value(value).isprintable():
        return normal_value(value)
    raise HostError(f"sysctls: {name}: {value!r} is not a valid sysctl value; give a number or one line of text")


def in_writing_order(keys: Iterable[str]) -> list[str]:
    """Return keys in an order in which each keeps its value: those that change many others first, otherwise
    unchanged.
    """
    return sorted(keys, key=_rank)  # sorted() is stable


def _rank(key: str) -> int:
    if key in _ALIASES:
        return 0
    match = _CONF.fullmatch(key)
    if match and match.group(2) == "all" and (match.group(1) == "6" and match.group(3) in _IPV6_COPIED):
        return 0
    return 1 if match and match.group(2) == "default" else 2


def influenced(key: str, interfaces: Iterable[str]) -> frozenset[str]:
    """Return keys that the kernel may change when this one changes, besides itself; interfaces are the host's.

    net/ipv4/devinet.c, inet_forward_change: a change of ip_forward sets conf.all.accept_redirects to the opposite, and
    forwarding of default and every interface to the same. (send_redirects is unchanged, contrary to ip-sysctl.rst.)
    devinet_copy_dflt_conf: conf.default.X is copied to interfaces that had neither X written nor an address.
    """
    if key in _ALIASES:
        forwarding = {f"net/ipv4/conf/{name}/forwarding" for name in ("all", "default", *interfaces)}
        return frozenset({IP_FORWARD, _ALL_ACCEPT_REDIRECTS, *forwarding} - {key})
    match = _CONF.fullmatch(key)
    if match is None:
        return frozenset()
    family, interface, name = match.groups()
    if family == "6" and interface == "all" and name in _IPV6_COPIED:
        return frozenset(f"net/ipv6/conf/{other}/{name}" for other in ("default", *interfaces))
    if family == "4" and interface == "default" and name != "forwarding":
        return frozenset(f"net/ipv4/conf/{other}/{name}" for other in interfaces)
    return frozenset()


def values_after_write(values: Mapping[str, str | None], key: str, value: str) -> dict[str, str | None]:
    """Return the predictable values after a write; copies of conf.default are not predictable (`influenced`)."""
    changed = {**values, key: value}
    if values.get(key) == value:
        return changed  # the kernel reacts to changes only
    if _rank(key) == 0:
        for other in influenced(key, interfaces_in(values)):
            if values.get(other) is not None:
                opposite = "1" if value == "0" else "0"
                changed[other] = opposite if other == _ALL_ACCEPT_REDIRECTS else value
    return changed


def interfaces_in(values: Iterable[str]) -> frozenset[str]:
    """Return the names of the interfaces of these keys."""
    matches = (_CONF.fullmatch(key) for key in values)
    return frozenset(match.group(2) for match in matches if match) - {"all", "default"}


def brought_by(key: str, modules: Iterable[str]) -> bool:
    """Return True if loading one of these kernel modules may add a missing key."""
    for beginning, names in _BROUGHT_BY:
        if key.startswith(beginning):
            return any(module == name or module.startswith(name + "_") for module in modules for name in names)
    return False


def render_sysctls(header: str, values: Mapping[str, str]) -> str | None:
    """Return a sysctl.d file with a comment and these keys in their order; None without any."""
    if not values:
        return None
    return f"# {header}\n" + "".join(f"{display(key)} = {value}\n" for key, value in values.items())


def parse_sysctl_file(text: str) -> dict[str, str]:
    """Return the assignments of a sysctl.d file in their order, without wildcards and other lines."""
    return dict(_assignments(text))


def overridden(own_name: str, wanted: Mapping[str, str], files: Sequence[tuple[str, str]]) -> list[str]:
    """Return sentences about sysctl.d files that undo wanted values at the next boot. files are path and text of every
    effective sysctl.d file.

    As in sysctl.d(5), they are applied in the order of their names in all directories, the last assignment wins, and
    one without a wildcard overrides one with.
    """
    last: dict[str, tuple[str, str]] = {}
    for path, text in sorted(files, key=lambda item: item[0].rsplit("/", 1)[-1]):
        if path.rsplit("/", 1)[-1] > own_name:
            for key, value in parse_sysctl_file(text).items():
                last[key] = (path, value)
                if key in _ALIASES:
                    last[_ALIASES[key]] = (path, value)
    return [
        f"{path} sets {display(key)} to {value}, and wins at boot over {own_name}, which sets it to {wanted[key]}"
        for key, (path, value) in last.items()
        if key in wanted and wanted[key] != value
    ]


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        line = line.strip()
        if line.startswith(("#", ";")) or "=" not in line:
            continue
        name, value = line.split("=", 1)
        name = name.strip().lstrip("-").strip()  # a leading minus only says that failing does not matter
        try:
            yield parse_key(name), normal_value(value)
        except HostError:
            continue  # a wildcard, or an invalid key


@dataclass(frozen=True)
class LoadModule(Operation):
    """Load a kernel module. Not undone: another part of the host may use it by then."""

    ends_stage = True  # its sysctls have to be read
    name: str

    def applied(self, state: HostState) -> HostState:
        return replace(state, modules={**state.modules, self.name: True})

    def inverse(self) -> Operation | None:
        return None

    def carry_out(self, host: Any) -> None:
        host.modules.load(self.name)

    def check(self, host: Any) -> None:
        host.modules.require_loadable(self.name)

    @classmethod
    def remains(cls, done: Sequence[Operation]) -> str:
        loaded = [operation.name for operation in done if isinstance(operation, cls)]
        return f"these kernel modules stay loaded: {', '.join(loaded)}"

    def __str__(self) -> str:
        return f"load the kernel module {self.name}"


@dataclass(frozen=True)
class SetSysctl(Operation):
    """Write a sysctl. before is None only in predictions without the kernel module of the key."""

    key: str
    before: str | None
    after: str

    def applied(self, state: HostState) -> HostState:
        return replace(state, sysctls=values_after_write(state.sysctls, self.key, self.after))

    def inverse(self) -> Operation | None:
        return None if self.before is None else SetSysctl(self.key, self.after, self.before)

    def carry_out(self, host: Any) -> None:
        host.write_sysctl(self.key, self.after)

    def check(self, host: Any) -> None:
        host.require_writable(self.key)

    def unsettled(self) -> str:
        return f"{display(self.key)} was set to {self.after}, but the kernel says {self.before}"

    @classmethod
    def side_effects(cls, done: Sequence[Operation], seen: Sequence[HostState], now: HostState) -> list[Operation]:
        """Return writes of the first values of keys that the kernel changed along with these: undoing does not restore
        them.
        """
        first: dict[str, str] = {}
        for state in seen:
            for key, value in state.sysctls.items():
                if value is not None:
                    first.setdefault(key, value)
        interfaces = interfaces_in(now.sysctls)
        keys = {key for item in done if isinstance(item, cls) for key in influenced(item.key, interfaces)}
        values = {key: (now.sysctls.get(key), first.get(key)) for key in in_writing_order(sorted(keys))}
        return [
            SetSysctl(key, value, wanted)
            for key, (value, wanted) in values.items()
            if value is not None and wanted is not None and value != wanted
        ]

    def __str__(self) -> str:
        return f"set {display(self.key)} to {self.after}"


def sysctl_writes(state: HostState, targets: Mapping[str, str]) -> list[Operation]:
    """Return writes of differing keys; a key without a value belongs to an interface that no longer exists."""
    current = {key: state.sysctls.get(key) for key in targets}
    return [SetSysctl(key, current[key], value) for key, value in targets.items() if current[key] not in (None, value)]
