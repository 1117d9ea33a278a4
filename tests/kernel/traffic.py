# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client and real servers in network namespaces around the director under test, and programs that make traffic.

The director is the namespace that the test runs in: 192.0.2.1 towards the client 192.0.2.100, with the VIP 192.0.2.10;
198.51.100.1 towards the real servers 198.51.100.11 and on, which share a namespace and have it as their gateway.

Run as a program: `traffic.py server` answers every line with the address it was sent to; `traffic.py client` takes
commands on its standard input (see Client) and answers each with one line of JSON; `traffic.py sniffer` waits for a
line, then answers with the destination and source port of every TCP SYN that has reached the real servers' interface.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

VIP, PORT = "192.0.2.10", 80
SERVERS = [f"198.51.100.{number}" for number in range(11, 15)]
# Seconds that an attempt may take: to open a connection and get its answer, or to get another answer on one that
# stays. Far above what retransmitting a lost SYN takes (1, 3, 7 and 15 s after the first).
PATIENCE = 30.0


async def serve() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = writer.get_extra_info("sockname")[0]
        with contextlib.suppress(ConnectionError):
            while await reader.readline():
                writer.write(f"{name}\n".encode())
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "0.0.0.0", PORT, backlog=1000)
    say("ready")
    async with server:
        await server.serve_forever()


def say(answer: Any) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


class Flow:
    """One connection to the VIP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.port: int = writer.get_extra_info("sockname")[1]

    @classmethod
    async def open(cls) -> Flow:
        return cls(*await asyncio.open_connection(VIP, PORT))

    async def ask(self) -> str:
        """Return which server answers. Raises OSError."""
        self.writer.write(b"who\n")
        answer = await self.reader.readline()
        if not answer:
            raise ConnectionError("closed")
        return answer.decode().strip()


class Program:
    """The client's state between commands."""

    def __init__(self) -> None:
        self.held: list[Flow] = []
        self.answered: dict[str, list[int]] = {}  # server -> source ports
        self.failed: list[str] = []
        self.finished = 0  # short connections that were answered
        self.beats = 0
        self.running = False
        self.tasks: list[asyncio.Task[None]] = []

    async def stream(self) -> None:
        """Short connections, one after another."""
        while self.running:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.attempt()
            except OSError as error:  # a TimeoutError is one
                self.failed.append(repr(error))
            await asyncio.sleep(0.01)

    async def attempt(self) -> None:
        flow = await Flow.open()
        try:
            self.answered.setdefault(await flow.ask(), []).append(flow.port)
            self.finished += 1
        finally:
            flow.writer.close()

    async def beat(self, flow: Flow) -> None:
        """A heartbeat on a connection that stays."""
        while self.running:
            try:
                async with asyncio.timeout(PATIENCE):
                    await flow.ask()
                self.beats += 1
            except OSError as error:
                self.failed.append(f"held connection: {error!r}")
                return
            await asyncio.sleep(0.2)

    async def more(self, count: int) -> int:
        """Wait until so many more short connections are answered; return how many were when the wait ended.

        The real server of each connection that is open now may just have been removed, so that every stream waits for
        an answer that never comes. After that, each of the answers may take as long as an attempt may. The wait has to
        be longer than both together.
        """
        before, end = self.finished, time.monotonic() + PATIENCE * (1 + count)
        while self.finished < before + count and time.monotonic() < end:
            await asyncio.sleep(0.005)
        return self.finished - before

    async def obey(self, command: str, count: int) -> Any:
        if command == "open":
            async with asyncio.timeout(PATIENCE * count):
                new = [await Flow.open() for _one in range(count)]
                self.held += new
                return [await flow.ask() for flow in new]
        if command in ("close", "reset"):
            for flow in self.held[:count]:
                if command == "reset":
                    sock = flow.writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                flow.writer.close()
                await flow.writer.wait_closed()
            del self.held[:count]
            return len(self.held)
        if command == "start":
            self.running = True
            self.tasks = [asyncio.ensure_future(self.stream()) for _one in range(count)]
            self.tasks += [asyncio.ensure_future(self.beat(flow)) for flow in self.held]
            return True
        if command == "more":
            return await self.more(count)
        self.running = False
        await asyncio.gather(*self.tasks)
        held = [flow.port for flow in self.held]
        return {"answered": self.answered, "failed": self.failed, "beats": self.beats, "held": held}


async def obey() -> None:
    program = Program()
    loop = asyncio.get_running_loop()
    say("ready")
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        command, count = line.split()
        say(await program.obey(command, int(count)))


def sniff() -> None:
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    seen: list[tuple[str, int]] = []

    def listen() -> None:
        while True:
            packet, address = sniffer.recvfrom(65535)
            header = (packet[0] & 15) * 4
            outgoing = address[2] == socket.PACKET_OUTGOING
            if not outgoing and packet[9] == socket.IPPROTO_TCP and packet[header + 13] & 0x12 == 0x02:
                seen.append((socket.inet_ntoa(packet[16:20]), int.from_bytes(packet[header : header + 2], "big")))

    threading.Thread(target=listen, daemon=True).start()
    say("ready")
    sys.stdin.readline()
    say(seen)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class Site:
    """The namespaces, and the programs in them. `client` and `server` are names for `ip netns exec`."""

    def __init__(self) -> None:
        self.client, self.server = f"lvs-client-{os.getpid()}", f"lvs-server-{os.getpid()}"
        self._programs: list[subprocess.Popen[str]] = []

    def up(self) -> None:
        for name, link, near, far in (
            (self.client, "front", ["192.0.2.1/24", f"{VIP}/32"], ["192.0.2.100/24"]),
            (self.server, "back", ["198.51.100.1/24"], [f"{address}/24" for address in SERVERS]),
        ):
            ip("netns", "add", name)
            ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            for address in near:
                ip("address", "add", address, "dev", link)
            for address in far:
                ip("-n", name, "address", "add", address, "dev", "eth0")
            ip("link", "set", link, "up")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "route", "add", "default", "via", near[0].partition("/")[0])
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def start(self, role: str, namespace: str) -> subprocess.Popen[str]:
        """Start one of this file's programs, and wait until it is ready."""
        command = ["ip", "netns", "exec", namespace, sys.executable, str(Path(__file__).resolve()), role]
        pipe = subprocess.PIPE
        program = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self._programs.append(program)
        assert json.loads(line_of(program)) == "ready"
        return program

    def down(self) -> None:
        for program in self._programs:
            program.kill()
            program.wait()
        for name in (self.client, self.server):
            subprocess.run(["ip", "netns", "delete", name], check=False)


def line_of(program: subprocess.Popen[str]) -> str:
    output: IO[str] | None = program.stdout
    assert output is not None
    return output.readline()


class Remote:
    """A program that takes lines and answers with JSON."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program

    def tell(self, line: str) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(f"{line}\n")
        self._program.stdin.flush()

    def answer(self) -> Any:
        return json.loads(line_of(self._program))


class Sniffer(Remote):
    """Sees what reaches the real servers."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.start("sniffer", site.server))

    def flows(self) -> list[tuple[str, int]]:
        """Destination and source port of every SYN so far; it ends with that."""
        self.tell("")
        return list(map(tuple, self.answer()))


class Client(Remote):
    """The client's program."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.start("client", site.client))

    def send(self, command: str, count: int = 0) -> None:
        """Give a command without waiting for its answer."""
        self.tell(f"{command} {count}")

    def ask(self, command: str, count: int = 0) -> Any:
        """`open N` connections that stay: who answered each; `close N` or `reset N` of them; `start N` streams of short
        connections, and a heartbeat on those that stay; `more N`: wait for answers to N short ones, and how many there
        were when the wait ended (see Program.more); `stop`: source ports by who answered them, failures, heartbeats,
        and the source ports of those that stay."""
        self.send(command, count)
        return self.answer()


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Namespaces with real servers that serve."""
    around = Site()
    try:
        around.up()
        around.start("server", around.server)
        yield around
    finally:
        around.down()


def until(condition: Any, seconds: float = 20.0) -> bool:
    """Wait for a condition; whether it came true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


if __name__ == "__main__":
    if sys.argv[1] == "sniffer":
        sniff()
    else:
        asyncio.run(serve() if sys.argv[1] == "server" else obey())
