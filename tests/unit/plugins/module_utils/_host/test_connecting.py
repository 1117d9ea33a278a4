# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to many ports, on loopback."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import connecting


def listener(address: str = "127.0.0.1", port: int = 0) -> socket.socket:
    end = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    end.bind((address, port))
    return end


@pytest.fixture(name="accepting")
def _accepting() -> Iterator[tuple[str, int]]:
    with listener() as end:
        end.listen(512)
        yield "127.0.0.1", end.getsockname()[1]


@pytest.fixture(name="refusing")
def _refusing() -> Iterator[tuple[str, int]]:
    """A port that is bound, so that nothing else takes it, and does not listen."""
    with listener() as end:
        yield "127.0.0.1", end.getsockname()[1]


@pytest.fixture(name="silent")
def _silent() -> Iterator[tuple[str, int]]:
    """A port with a full queue, which drops further packets that open connections (tcp(7), tcp_abort_on_overflow)."""
    with listener() as end:
        end.listen(0)
        address = end.getsockname()
        full = [socket.socket() for _number in range(4)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(address)
        time.sleep(0.1)
        yield "127.0.0.1", address[1]
        for one in full:
            one.close()


def test_each_has_its_own_answer(
    accepting: tuple[str, int], refusing: tuple[str, int], silent: tuple[str, int]
) -> None:
    found = connecting.connect([silent, accepting, refusing, accepting], 1, 10)
    assert found == ["no answer", "", "Connection refused", ""]


def test_one_address_family_that_cannot_be_reached(accepting: tuple[str, int]) -> None:
    unreachable, reason = ("255.255.255.255", 80), "Permission denied"
    assert connecting.connect([unreachable, accepting], 0.2, 10)[1] == ""
    assert connecting.connect([unreachable], 0.2, 10)[0] in (reason, "Network is unreachable")


def test_ipv6() -> None:
    with listener("::1") as end:
        end.listen()
        assert connecting.connect([("::1", end.getsockname()[1])], 5, 10) == [""]


def test_those_without_an_answer_wait_together(silent: tuple[str, int]) -> None:
    begun = time.monotonic()
    assert connecting.connect([silent] * 40, 1, 40) == ["no answer"] * 40
    assert time.monotonic() - begun < 10, "and not 40 seconds"


def test_no_more_than_so_many_are_tried_at_once(silent: tuple[str, int]) -> None:
    begun = time.monotonic()
    assert connecting.connect([silent] * 6, 0.5, 2) == ["no answer"] * 6
    assert time.monotonic() - begun >= 1.5


def test_a_refused_one_is_tried_again(refusing: tuple[str, int]) -> None:
    with listener() as end:
        port = end.getsockname()[1]
        threading.Timer(0.7, end.listen).start()
        assert connecting.connect([("127.0.0.1", port), refusing], 5, 2) == ["", "Connection refused"]


def test_many_more_than_are_tried_at_once(accepting: tuple[str, int], refusing: tuple[str, int]) -> None:
    found = connecting.connect([accepting, refusing] * 150, 0.2, 16)
    assert found == ["", "Connection refused"] * 150


def test_nothing_to_connect_to() -> None:
    assert connecting.connect([], 1, 1) == []


def test_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(100, 200)]
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _what, limit: limits.append(limit))
    assert connecting._possible(10) == 10
    assert limits == [(100, 200)]
    assert connecting._possible(1000) == 136
    assert limits[-1] == (200, 200)
