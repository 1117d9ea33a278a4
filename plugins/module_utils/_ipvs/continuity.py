# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps virtual services and VIPs on a director while its health checker is reloaded, restarted or replaced.

Virtual services stay in the table although a health checker removes them. A health checker removes its services from
the table when it is stopped, and those that its new configuration lacks when it is reloaded
(keepalived/check/ipwrapper.c: clear_service_vs; ldirectord: ld_cmd_children, cleanstop). If such a service passes to
another owner, it is added again unchanged, a few milliseconds later. Connections outlast that: the kernel keeps the
real servers of a removed service in its trash list while connections use them, and reuses them when they are added
again (net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_trash_get_dest).

Meanwhile no client sees an error:

- IPVS is at priority 99 of the hook input (ip_vs_core.c: ip_vs_ops). Packets that it takes never reach priority 101,
  where packets of these services are dropped. So a SYN in that moment is dropped and repeated, not refused.
- A service without real servers is answered with an ICMP error (ip_vs_core.c: ip_vs_leave), which is not sent.
- With ``expire_nodest_conn=0`` IPVS drops packets of a connection without its real server, and keeps the connection.

All of this is in an nftables table of its own, whose entries time out: a killed run leaves no rule that drops packets.

VIPs stay on lo while keepalived replaces a VRRP instance of a director that has no others, or is restarted there. When
a director gets its first peer, or loses its last one, keepalived changes between multicast and unicast. It removes the
VIPs of the former instance, and the new one takes them after about three advert intervals (vrrp_exist() in
keepalived/vrrp/vrrp.c). An address on lo is local too, so the director balances meanwhile: Linux answers ARP for it on
every interface unless arp_ignore prevents it (arp_ignore() in net/ipv4/arp.c). It answers neighbour discovery only for
addresses of the interface (ndisc_recv_ns() in net/ipv6/ndisc.c), so IPv6 neighbours use their present entries.

These addresses have a lifetime: the kernel removes them if the process is killed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from .._host.director_state import Held, instances
from .._host.errors import HostError
from .._host.files import read_text
from .._host.local_addresses import all_addresses
from .._host.process import RunCommand, has_command
from .._host.validate import IPAddress
from . import model, rules
from .converge import converge
from .kernel import Ipvs
from .model import AF_INET, ServiceKey

if TYPE_CHECKING:
    from .._host.nft import Nftables

TABLE = "lvs_cluster_handover"
EXPIRE = "/proc/sys/net/ipv4/vs/expire_nodest_conn"
#: The longest time until a reload has removed services that the new configuration lacks.
PATIENCE = 30.0  # seconds
_PAUSE = 0.005  # seconds
_LIFETIME = int(PATIENCE) + 15  # seconds
#: The longest time for keepalived to remove the VIPs after a reload.
_BEGINS = 10.0  # seconds
#: The longest time for it to take them, besides four advert intervals.
_MARGIN = 10.0  # seconds
_LOOK = 0.1  # seconds

Act = Callable[[], None]


def shield(keys: Iterable[ServiceKey], lifetime: int = _LIFETIME) -> str:
    """Return the nftables table that hides a gap of these services, as text of nft. Pure."""
    elements: dict[str, list[str]] = {}
    for key in sorted(keys):
        family = "4" if key.family == AF_INET else "6"
        if key.fwmark:
            elements.setdefault(f"marks{family}", []).append(str(key.fwmark))
            continue
        address = model.address_text(key.address)
        protocol = model.PROTOCOL_NAMES[key.protocol]
        if key.port:
            elements.setdefault(f"services{family}", []).append(f"{address} . {protocol} . {key.port}")
        else:
            elements.setdefault(f"protocols{family}", []).append(f"{address} . {protocol}")
        elements.setdefault(f"vips{family}", []).append(address)
    lines = [f"table inet {TABLE} {{"]
    for name, ones in sorted(elements.items()):
        text = ", ".join(f"{one} timeout {lifetime}s" for one in dict.fromkeys(ones))
        lines += [
            f"  set {name} {{",
            f"    type {_TYPES[name]}",
            "    flags timeout",
            f"    elements = {{ {text} }}",
            "  }",
        ]
    for chain, hook in (("input", "input priority 101"), ("output", "output priority 0")):
        lines += [f"  chain {chain} {{", f"    type filter hook {hook};"]
        lines += [f"    {rule} drop" for name, (at, rule) in _RULES.items() if at == chain and name in elements]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


_TYPES = {
    "services4": "ipv4_addr . inet_proto . inet_service",
    "services6": "ipv6_addr . inet_proto . inet_service",
    "protocols4": "ipv4_addr . inet_proto",
    "protocols6": "ipv6_addr . inet_proto",
    "marks4": "mark",
    "marks6": "mark",
    "vips4": "ipv4_addr",
    "vips6": "ipv6_addr",
}
_RULES = {
    "services4": ("input", "ip daddr . meta l4proto . th dport @services4"),
    "services6": ("input", "ip6 daddr . meta l4proto . th dport @services6"),
    "protocols4": ("input", "ip daddr . meta l4proto @protocols4"),
    "protocols6": ("input", "ip6 daddr . meta l4proto @protocols6"),
    "marks4": ("input", "meta nfproto ipv4 meta mark @marks4"),
    "marks6": ("input", "meta nfproto ipv6 meta mark @marks6"),
    "vips4": ("output", "ip saddr @vips4 icmp type destination-unreachable"),
    "vips6": ("output", "ip6 saddr @vips6 icmpv6 type destination-unreachable"),
}


class Handover:
    """Keeps services in the table although a reload or stop removes them."""

    def __init__(
        self,
        run: RunCommand,
        open_table: Callable[[], Ipvs] = Ipvs,
        expire: str = EXPIRE,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._run = run
        self._open_table = open_table
        self._expire = expire
        self._warn = warn

    def keep(self, keys: Collection[ServiceKey], act: Act, at_once: bool) -> set[ServiceKey]:
        """Call ``act`` and keep the present ones of these services unchanged in the table.

        ``at_once``: ``act`` returns when the services have been removed; otherwise they are waited for. Returns the
        services that were removed and added again. Raises what ``act`` raises, KernelError and ConvergeError.
        """
        with self._open_table() as ipvs:
            before = ipvs.read(frozenset(keys).__contains__)
            if not before:
                act()
                return set()
            patches = {patch.key: patch for patch in rules.parse(rules.render(before, before))}
            with self._hidden(before):
                return self._watch(ipvs, patches, act, at_once)

    def remove(self, keys: Collection[ServiceKey]) -> None:
        """Remove these services from the table. Raises KernelError and ConvergeError."""
        if keys:
            with self._open_table() as ipvs:
                converge(ipvs, [model.ServicePatch(key, absent=True) for key in sorted(keys)])

    def _watch(
        self, ipvs: Ipvs, patches: dict[ServiceKey, model.ServicePatch], act: Act, at_once: bool
    ) -> set[ServiceKey]:
        worker = _Worker(act)
        worker.start()
        added: set[ServiceKey] = set()
        until = time.monotonic() + PATIENCE
        while True:
            ended = not worker.is_alive()  # before the table is read, so that the last removal is included
            present = {key for key, *_rest in ipvs.services()}
            gone = [patch for key, patch in patches.items() if key not in present]
            if gone:
                converge(ipvs, gone)
                added.update(patch.key for patch in gone)
            if ended and (worker.error or at_once or len(added) == len(patches) or time.monotonic() > until):
                break
            time.sleep(_PAUSE)
        if worker.error is not None:
            raise worker.error
        return added

    @contextlib.contextmanager
    def _hidden(self, keys: Collection[ServiceKey]) -> Iterator[None]:
        """Hide from clients that the services are absent for a moment."""
        nftables = self._nftables() if has_command("nft") else None
        if nftables is not None:
            try:
                nftables.swap(TABLE, shield(keys))
            except HostError as error:
                nftables = None
                self._warn(f"clients may see errors for a moment, since nftables does not work here: {error}")
        expired = (read_text(self._expire) or "").strip()
        try:
            if expired == "1":
                self._write("0")
            yield
        finally:
            if expired == "1":
                self._write("1")
            if nftables is not None:
                nftables.swap(TABLE, None)

    def _nftables(self) -> Nftables:
        from .._host.nft import Nftables

        return Nftables(self._run)

    def _write(self, value: str) -> None:
        with contextlib.suppress(OSError), open(self._expire, "w", encoding="ascii") as file:
            file.write(value)


class _Worker(threading.Thread):
    """Runs a function beside the reading of the table; ``error`` is its exception."""

    def __init__(self, act: Act) -> None:
        super().__init__(daemon=True)
        self._act = act
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._act()
        except (HostError, OSError, ValueError) as error:
            self.error = error


def await_change(done: Callable[[], bool], seconds: float, sleep: Callable[[float], None]) -> bool:
    """Call ``done`` ten times a second until it returns true or the time is over; return its last answer."""
    for _look in range(int(seconds / _LOOK)):
        if done():
            return True
        sleep(_LOOK)
    return False


def dropped(before: str, after: str) -> tuple[frozenset[IPAddress], float]:
    """Return the addresses that keepalived removes for a moment when it reads ``after``, and the longest duration in
    seconds. Pure.

    Only those of a director without peers before or after: if there are others, one of them takes the VIPs.
    """
    found: set[IPAddress] = set()
    longest = 0.0
    former = instances(before)
    for name, new in instances(after).items():
        old = former.get(name)
        if old is None or (old.peers and new.peers):
            continue
        if bool(old.peers) != bool(new.peers) or old.virtual_router_id != new.virtual_router_id:
            found |= old.addresses & new.addresses
            longest = max(longest, 4 * new.advert_interval + _MARGIN)
    return frozenset(found), longest


def held_alone(text: str) -> tuple[frozenset[IPAddress], float]:
    """Return the addresses of instances without peers, and the most seconds that keepalived needs to take them.
    Pure.
    """
    alone = [instance for instance in instances(text).values() if not instance.peers]
    addresses = {address for instance in alone for address in instance.addresses}
    longest = max((4 * instance.advert_interval + _MARGIN for instance in alone), default=0.0)
    return frozenset(addresses), longest


class InterimVips:
    """The addresses on lo, through a command runner."""

    def __init__(
        self,
        run: RunCommand,
        sleep: Callable[[float], None] = time.sleep,
        held: Callable[[], Collection[Held]] | None = None,
    ) -> None:
        self._run = run
        self._sleep = sleep
        self._held = held or (lambda: all_addresses(run))

    @contextlib.contextmanager
    def meanwhile(self, addresses: Collection[IPAddress], seconds: float) -> Iterator[None]:
        """Hold the present ones of these addresses on lo, until keepalived has taken them again.

        ``seconds``: the longest time for that after the end of the block. Raises HostError.
        """
        held = [one for one in self._held() if one.address in addresses]
        on_lo = {one.address for one in held if one.interface == "lo"}
        ours = {one.address for one in held} - on_lo
        added: list[IPAddress] = []
        try:
            for address in sorted(ours, key=str):
                self._ip("add", address, int(_BEGINS + seconds) + 30)
                added.append(address)
            yield
            if added:
                self._wait(added, seconds)
        finally:
            for address in added:
                self._ip("del", address)

    def _wait(self, addresses: Collection[IPAddress], seconds: float) -> None:
        """Wait until keepalived has removed these addresses and taken them again, or until the time is over."""
        wanted = set(addresses)
        await_change(lambda: not self._on_interfaces() >= wanted, _BEGINS, self._sleep)
        await_change(lambda: self._on_interfaces() >= wanted, seconds, self._sleep)

    def _on_interfaces(self) -> set[IPAddress]:
        return {one.address for one in self._held() if one.interface != "lo"}

    def _ip(self, verb: str, address: IPAddress, lifetime: int = 0) -> None:
        # ip(8) of Debian 12 and 13: with a preferred lifetime of 0 the kernel does not select it as a source
        words = ["scope", "host"] if address.version == 4 else ["nodad"]
        lives = [*words, "valid_lft", str(lifetime), "preferred_lft", "0"] if verb == "add" else []
        text = f"{address}/{address.max_prefixlen}"
        status, output, errors = self._run(["ip", "address", verb, text, "dev", "lo", *lives])
        if status and verb == "add":
            raise HostError(f"ip address add {text} dev lo failed: {errors.strip() or output.strip()}")
