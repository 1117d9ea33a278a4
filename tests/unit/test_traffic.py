# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the kernel tests waits longer than what it watches can take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ansible_collections.lvs.cluster.tests.kernel import traffic


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readline():
        writer.write(b"198.51.100.11\n")
    writer.close()


async def watch(monkeypatch: pytest.MonkeyPatch, hanging: int, silent: int, count: int) -> tuple[Any, Any]:
    """Three streams whose first connections find no server, as while one is removed: what `more` and `stop` say."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    kept: list[asyncio.StreamWriter] = []
    mute = await asyncio.start_server(lambda _reader, writer: kept.append(writer), "127.0.0.1", 0)
    connect = asyncio.open_connection
    calls = 0

    async def open_connection(*_where: object) -> Any:
        nonlocal calls
        calls += 1
        if calls <= hanging:
            await asyncio.Event().wait()
        there = mute if calls <= hanging + silent else server
        return await connect(*there.sockets[0].getsockname())

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    program = traffic.Program()
    await program.obey("start", 3)
    try:
        return await program.obey("more", count), await program.obey("stop", 0)
    finally:
        for writer in kept:
            writer.close()
        server.close()
        mute.close()


@pytest.mark.parametrize(("hanging", "silent"), [(0, 0), (3, 0), (0, 3), (2, 1)])
def test_connections_that_hang_do_not_end_the_wait_for_others(
    monkeypatch: pytest.MonkeyPatch, hanging: int, silent: int
) -> None:
    monkeypatch.setattr(traffic, "PATIENCE", 0.3)
    more, stopped = asyncio.run(watch(monkeypatch, hanging, silent, 5))
    assert more >= 5
    assert len(stopped["failed"]) == hanging + silent


def test_the_wait_ends_when_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "PATIENCE", 0.02)
    more, _stopped = asyncio.run(watch(monkeypatch, 10**6, 0, 5))
    assert more == 0
