# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VIPs on lo while keepalived replaces a VRRP instance of a director that has no others, or is restarted there.

When a director gets its first peer, or loses its last one, keepalived changes between multicast and unicast. It removes
the VIPs of the former instance, and the new one takes them after about three advert intervals (vrrp_exist() in
keepalived/vrrp/vrrp.c). An address on lo is local all the same, so the director serves meanwhile: Linux answers ARP for
it on every interface unless arp_ignore says otherwise (arp_ignore() in net/ipv4/arp.c). Neighbour discovery it answers
for addresses of the interface alone (ndisc_recv_ns() in net/ipv6/ndisc.c), so IPv6 neighbours use what they know.

These addresses have a lifetime: the kernel removes them if the process is killed.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from .address import IPAddress
from .director_state import Held, instances
from .errors import HostError
from .source import all_addresses
from .systemd import RunCommand

#: How long keepalived gets to remove the VIPs after a reload.
_BEGINS = 10.0  # seconds
#: How long it gets to take them, besides four advert intervals.
_MARGIN = 10.0  # seconds
_LOOK = 0.1  # seconds


def dropped(before: str, after: str) -> tuple[frozenset[IPAddress], float]:
    """Return the addresses that keepalived drops for a moment when it reads ``after``, and seconds it may take. Pure.

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
    """Return the addresses of instances without peers, and seconds that keepalived takes to get them at most. Pure."""
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

    @contextmanager
    def meanwhile(self, addresses: Collection[IPAddress], seconds: float) -> Iterator[None]:
        """Hold those of these addresses that the host has now on lo, until keepalived has them again.

        ``seconds`` is how long that may take from the end of the block. Raises HostError.
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
        """Wait until keepalived has removed these addresses and taken them again, or has not in time."""
        for _look in range(int(_BEGINS / _LOOK)):
            if not self._on_interfaces() >= set(addresses):
                break
            self._sleep(_LOOK)
        for _look in range(int(seconds / _LOOK)):
            if self._on_interfaces() >= set(addresses):
                return
            self._sleep(_LOOK)

    def _on_interfaces(self) -> set[IPAddress]:
        return {one.address for one in self._held() if one.interface != "lo"}

    def _ip(self, verb: str, address: IPAddress, lifetime: int = 0) -> None:
        # ip(8) of Debian 12 and 13: a preferred lifetime of 0 keeps the kernel from using it as a source
        words = ["scope", "host"] if address.version == 4 else ["nodad"]
        lives = [*words, "valid_lft", str(lifetime), "preferred_lft", "0"] if verb == "add" else []
        text = f"{address}/{address.max_prefixlen}"
        status, output, errors = self._run(["ip", "address", verb, text, "dev", "lo", *lives])
        if status and verb == "add":
            raise HostError(f"ip address add {text} dev lo failed: {errors.strip() or output.strip()}")
