# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of a cluster, that notice everything: requests at a steady rate, and connections that stay.

`load.py RATE HELD URL ADDRESS PORT` runs on a client. It asks URL RATE times a second, a connection each, whatever
became of those before, and holds HELD connections to a responder on ADDRESS and PORT, each asked every BEAT seconds.
It says "ready" when all of these are there. Every line on its input is answered with one line of JSON about the time
since the one before, and the end of its input ends it.

A request succeeds when its answer is complete within PATIENCE, so also when its SYN had to be sent again. It is a
prompt one when it was connected within PROMPT: then no SYN was lost. The longest time between the starts of two prompt
requests is how long the service was away.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE = 15.0  # seconds; a SYN is sent again after 1, 3 and 7 (net/ipv4/tcp_input.c, RFC 6298)
PROMPT = 0.5
#: Seconds between two questions over a connection that stays. More often, they would be most of the traffic.
BEAT = 4.0


@dataclass
class Report:
    """What happened since the one before."""

    begun: float
    requests: int = 0
    failed: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    prompt: list[float] = field(default_factory=list)
    beats: int = 0

    def as_json(self, held: int, broken: list[str]) -> str:
        """Times are in seconds; away is [how long, when it began, as Unix time]."""
        # A request that began less than PROMPT ago may still become a prompt one.
        starts = sorted([self.begun, *self.prompt, time.time() - PROMPT])
        gaps = [(later - earlier, earlier) for earlier, later in itertools.pairwise(starts)]
        away = max(gaps, default=(0.0, self.begun))
        return json.dumps(
            {
                "requests": self.requests,
                "failed": self.failed[:20],
                "failures": len(self.failed),
                "answers": self.answers,
                "prompt": len(self.prompt),
                "usual_gap": statistics.median(gap for gap, _start in gaps) if gaps else 0.0,
                "away": list(away),
                "held": held,
                "broken": broken,
                "beats": self.beats,
            }
        )


class Load:
    """The clients."""

    def __init__(self, rate: float, url: str) -> None:
        parts = urlsplit(url)
        self._rate = rate
        self._address, self._port = str(parts.hostname), parts.port or 80
        self._request = f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.hostname}\r\n\r\n".encode()
        self.held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.broken: list[str] = []
        self.report = Report(time.time())
        self._tasks: set[asyncio.Task[None]] = set()

    def _start(self, work: asyncio.Task[None]) -> None:
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)

    async def hold(self, count: int, address: str, port: int) -> None:
        for _number in range(count):
            self.held.append(await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE))
        for number, (reader, writer) in enumerate(self.held):
            self._start(asyncio.ensure_future(self._beat(number, BEAT * number / count, reader, writer)))

    async def _beat(
        self, number: int, after: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await asyncio.sleep(after)
        try:
            while True:
                writer.write(b"who\n")
                if not await asyncio.wait_for(reader.readline(), PATIENCE):
                    raise ConnectionError("closed")
                self.report.beats += 1
                await asyncio.sleep(BEAT)
        except (TimeoutError, OSError) as error:
            self.broken.append(f"{number}: {error!r}")

    async def ask(self) -> None:
        """Requests by the clock, which does not wait for answers."""
        due = time.monotonic()
        while True:
            self._start(asyncio.ensure_future(self._one()))
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _one(self) -> None:
        begun = time.time()
        self.report.requests += 1
        try:
            text = await asyncio.wait_for(self._answer(begun), PATIENCE)
        except (TimeoutError, OSError, ValueError) as error:
            self.report.failed.append(f"{begun:.2f}: {error!r}")
        else:
            self.report.answers[text] = self.report.answers.get(text, 0) + 1

    async def _answer(self, begun: float) -> str:
        reader, writer = await asyncio.open_connection(self._address, self._port)
        prompt = time.time() - begun < PROMPT
        try:
            writer.write(self._request)
            head, _blank, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        status = head.partition(b"\r\n")[0].split()
        if status[1:2] != [b"200"]:
            raise ValueError(f"answered {b' '.join(status).decode()!r}")
        if prompt:
            self.report.prompt.append(begun)
        return body.decode().strip()

    def take_report(self) -> str:
        """The report so far. What becomes of a request is in the report of the time in which it ends."""
        done, self.report = self.report, Report(time.time())
        return done.as_json(len(self.held) - len(self.broken), self.broken)


async def main(rate: str, held: str, url: str, address: str, port: str) -> None:
    load = Load(float(rate), url)
    await load.hold(int(held), address, int(port))
    asking = asyncio.ensure_future(load.ask())
    while not load.report.answers:
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(load.take_report(), flush=True)
    asking.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
