# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to many TCP ports at the same time."""

from __future__ import annotations

import errno
import heapq
import os
import resource
import selectors
import socket
import time
from collections.abc import Sequence

#: Seconds between two attempts.
_PAUSE = 0.5
#: Descriptors that the process needs for other purposes.
_OTHER_DESCRIPTORS = 64

NO_ANSWER = "no answer"


def connect(ends: Sequence[tuple[str, int]], timeout: float, at_once: int) -> list[str]:
    """Return why no connection was accepted, for each address and port; empty for one that was.

    Each is tried until a connection is accepted or ``timeout`` seconds are over, and closed at once. No more than
    ``at_once`` are tried at the same time, so all of them take at most ``timeout * ceil(len(ends) / at_once)`` seconds.
    """
    attempts = _Attempts(ends, timeout)
    at_once = _possible(at_once)
    following = 0
    try:
        while attempts.unfinished or following < len(ends):
            while attempts.unfinished < at_once and following < len(ends):
                attempts.begin(following)
                following += 1
            attempts.wait()
    finally:
        attempts.close()
    return attempts.reasons


def _possible(at_once: int) -> int:
    """Return the number of sockets that the process may have, at most ``at_once``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = at_once + _OTHER_DESCRIPTORS
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(at_once, soft - _OTHER_DESCRIPTORS))


class _Attempts:
    """The ends that are being tried, each with at most one socket; refused ones are tried again after a pause."""

    def __init__(self, ends: Sequence[tuple[str, int]], timeout: float) -> None:
        self.reasons = [NO_ANSWER] * len(ends)
        self._ends = ends
        self._timeout = timeout
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[int, socket.socket] = {}
        self._deadlines: dict[int, float] = {}
        self._again: list[tuple[float, int]] = []

    @property
    def unfinished(self) -> int:
        """The number of ends that are being tried."""
        return len(self._deadlines)

    def begin(self, number: int) -> None:
        """Begin to try an end."""
        self._deadlines[number] = time.monotonic() + self._timeout
        self._connect(number)

    def wait(self) -> None:
        """Wait until something happens, and deal with it."""
        now = time.monotonic()
        for number in [number for number, deadline in self._deadlines.items() if deadline <= now]:
            self._end(number)
        while self._again and self._again[0][0] <= now:
            _when, number = heapq.heappop(self._again)
            if number in self._deadlines:
                self._connect(number)
        times = [*self._deadlines.values(), *(when for when, _number in self._again[:1])]
        if not times:
            return
        for key, _events in self._selector.select(max(0.0, min(times) - time.monotonic())):
            number = key.data
            self._settle(number, self._sockets[number].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def close(self) -> None:
        """Close what is open, if an exception has ended the attempts."""
        for number in list(self._deadlines):
            self._end(number)
        self._selector.close()

    def _connect(self, number: int) -> None:
        address, port = self._ends[number]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        end = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._sockets[number] = end
        self._selector.register(end, selectors.EVENT_WRITE, number)
        status = end.connect_ex((address, port))
        if status != errno.EINPROGRESS:
            self._settle(number, status)

    def _settle(self, number: int, status: int) -> None:
        self._disconnect(number)
        if status == 0:
            self.reasons[number] = ""
            del self._deadlines[number]
        else:
            self.reasons[number] = os.strerror(status)
            heapq.heappush(self._again, (time.monotonic() + _PAUSE, number))

    def _disconnect(self, number: int) -> None:
        end = self._sockets.pop(number, None)
        if end is not None:
            self._selector.unregister(end)
            end.close()

    def _end(self, number: int) -> None:
        self._disconnect(number)
        del self._deadlines[number]
