# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a real server out of service: the floor that must not be undercut, and waiting for connections to end.

PRIVATE to the collection lvs.cluster: may change without notice. The pure part comes first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from . import info
from .kernel import Ipvs
from .model import UDP, InvalidValue, RealServerKey, ServiceKey, ServicePatch, VirtualService
from .plan import Plan

FAIL, FORCE = "fail", "force"
ACTIVE, INACTIVE, PERSISTENT = "active", "inactive", "persistent"
DEFAULT_TIMEOUT = 300.0  # seconds
MAX_TIMEOUT = 86400 * 31  # seconds
#: How long a flow of UDP has to pause, in seconds, if nothing else is said. The kernel counts packets every 2 seconds.
UDP_PAUSE = 10.0
_SHORTEST_PAUSE = 3.0

# Tasks that run at the same time take turns between looking how many servers are left and taking one out.
LOCK = "/run/lvs-cluster-ipvs.lock"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds


def in_service(service: VirtualService | None) -> set[RealServerKey]:
    """The real servers that get new connections by their weight."""
    return {key for key, server in service.real_servers.items() if server.weight > 0} if service else set()


def _plural(number: int) -> str:
    return "" if number == 1 else "s"


def floor(patch: ServicePatch, minimum: int) -> Callable[[Plan], None]:
    """A guard that refuses a plan which takes real servers out of service and leaves fewer than ``minimum`` in it."""

    def guard(plan: Plan) -> None:
        before = in_service(plan.current.get(patch.key))
        after = in_service(plan.predicted.get(patch.key))
        if len(after) < len(before) and len(after) < minimum:
            raise undercut(patch, minimum, before - after, len(before))

    return guard


def undercut(patch: ServicePatch, minimum: int, out: Collection[RealServerKey], total: int) -> InvalidValue:
    """What says that ``minimum`` would be undercut without ``out``, of ``total`` real servers in service."""
    keys = ", ".join(str(key) for key in sorted(out))
    return InvalidValue(
        patch.label,
        "minimum_in_service",
        minimum,
        f"minimum_in_service {minimum} would be undercut: without real server {keys},"
        f" {total - len(out)} of {total} real server{_plural(total)} in service would be left",
        whole=True,
    )


def quorum_lost(patch: ServicePatch, quorum: int, out: Collection[RealServerKey], left: int) -> InvalidValue:
    """What says that the health checker would take the whole service down without ``out``."""
    keys = ", ".join(str(key) for key in sorted(out))
    return InvalidValue(
        patch.label,
        "quorum",
        quorum,
        f"the quorum {quorum} of its health_check would be lost: without real server {keys}, a weight of {left} would"
        " be left in service. Drain fewer real servers at a time, or set minimum_in_service (lvs_minimum_in_service)"
        " to 0",
        whole=True,
    )


class Waiting(NamedTuple):
    """What to wait for, and for how long."""

    wait_for: Sequence[str]  # of ACTIVE, INACTIVE, PERSISTENT
    timeout: float  # seconds
    udp_pause: float = 0.0  # seconds without a packet, until a flow of UDP counts as ended; 0: it does at once


class Flows:
    """Flows of UDP, seen by the packets that their real servers have got.

    UDP has no end that IPVS could see: its entries are inactive from the start, and each packet renews them
    (ip_vs_conn.c: ip_vs_conn_put). A real server at weight 0 gets packets of such flows only, and the kernel adds them
    up every 2 seconds (ip_vs_est.c).
    """

    def __init__(self, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._seen: dict[tuple[ServiceKey, RealServerKey], tuple[int, float]] = {}

    def run(self, service: ServiceKey, server: RealServerKey, facts: dict[str, Any]) -> bool:
        """Return whether a packet may have come within the pause; also at the first look, which cannot know that."""
        if not self._pause or service.protocol != UDP or not facts["connections"][INACTIVE]:
            return False
        packets, now = facts["statistics"]["packets_in"], self._clock()
        last = self._seen.get((service, server))
        if last is None or last[0] != packets:
            self._seen[service, server] = (packets, now)
            return True
        return now - last[1] < self._pause


def until(
    done: Callable[[], bool],
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[bool, float]:
    """Call ``done`` until it says so or the time is over, ever more seldom. Return its last answer, and the seconds."""
    begun, pause = clock(), _FIRST_PAUSE
    while True:
        met = done()
        waited = clock() - begun
        if met or waited >= timeout:
            return met, waited
        sleep(min(pause, timeout - waited))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def check_pause(service: str, option: str, pause: float) -> None:
    """Raise InvalidValue if a pause is too short for the kernel's counters to show it."""
    if pause and not _SHORTEST_PAUSE <= pause <= MAX_TIMEOUT:
        reason = f"must be 0 or from {_SHORTEST_PAUSE:g} to {MAX_TIMEOUT} seconds"
        raise InvalidValue(service, option, pause, reason)


class Drained(NamedTuple):
    """How the waiting ended. ``facts`` is the real server as ipvs_info shows it, None where it is not there."""

    done: bool
    waited: float  # seconds
    facts: dict[str, Any] | None

    @property
    def remaining(self) -> str:
        """The connections that are left, in words."""
        return remaining(self.facts)


def remaining(facts: dict[str, Any] | None) -> str:
    """The connections of a real server as ipvs_info shows it, in words: ``2 active, 1 inactive connections``."""
    counts = facts["connections"] if facts else {}
    left = {name: number for name, number in counts.items() if number}
    words = ", ".join(f"{number} {name}" for name, number in left.items()) or "no"
    return f"{words} connection{_plural(sum(left.values()))}"


def wait(
    ipvs: Ipvs,
    service: ServicePatch,
    server: RealServerKey,
    waiting: Waiting,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Drained:
    """Wait until the connections are gone, the time is over, or another process has given it weight again."""
    flows = Flows(min(waiting.udp_pause, waiting.timeout), clock)
    facts: dict[str, Any] | None = None
    gone = False

    def ended() -> bool:
        nonlocal facts, gone
        facts = next((entry for key, _server, entry in info.real_servers(ipvs, service.key) if key == server), None)
        gone = facts is None or not (
            any(facts["connections"][kind] for kind in waiting.wait_for) or flows.run(service.key, server, facts)
        )
        return gone or bool(facts and facts["weight"])

    _ended, waited = until(ended, waiting.timeout, clock, sleep)
    return Drained(gone, waited, facts)


@contextlib.contextmanager
def turn(wanted: bool) -> Iterator[None]:
    """Hold the lock, where that is wanted, until the block ends."""
    if not wanted:
        yield
        return
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
