# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that makes health checks, against small servers: right ones, wrong ones and hostile ones."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import ipaddress
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import syslog
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host import protocol_check
from ansible_collections.lvs.cluster.plugins.module_utils._host.protocol_check import LIMIT, STREAMS, Check, Stream

SOURCE = Path(protocol_check.__file__)
#: Seconds that a check has in these tests, and a check of a server that does not answer.
LONG, SHORT = "20", "0.4"
#: What a server sends (bytes), and what it has to receive (bytes in a list).
Steps = Sequence[Any]


@pytest.fixture(autouse=True)
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, str]]]:
    """The lines in the log, and the handler of signals as before."""
    found: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *_words: None)
    monkeypatch.setattr(syslog, "syslog", lambda level, text: found.append((level, text)))
    before = signal.getsignal(signal.SIGALRM)
    yield found
    signal.signal(signal.SIGALRM, before)


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := connection.recv(size - len(data))):
        data += part
    return data


def talk(connection: socket.socket, steps: Steps) -> None:
    """Send and receive; what is not received as it should is sent back, for the message of the test."""
    for step in steps:
        if callable(step):
            step(connection)
        elif isinstance(step, bytes):
            connection.sendall(step)
        elif (found := receive(connection, len(step[0]))) != step[0]:
            connection.sendall(b"unexpected: %s\r\n" % found)
            return


@contextlib.contextmanager
def server(steps: Steps, address: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server for one connection; yields its port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        listener.settimeout(30)

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as plain:
                plain.settimeout(30)
                with contextlib.nullcontext(plain) if context is None else context.wrap_socket(plain, True) as end:
                    talk(end, steps)
                    # unread octets would turn the end of the connection into a reset, which may overtake the answer
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_WR)
                        while end.recv(4096):
                            pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)
        assert not thread.is_alive()


def check(kind: str, steps: Steps, *options: str, seconds: str = LONG, address: str = "127.0.0.1", **given: Any) -> int:
    with server(steps, address, **given) as port:
        return protocol_check.main([kind, address, str(port), seconds, *options])


def reason(capsys: pytest.CaptureFixture[str]) -> str:
    """What the program says of the server, without its name."""
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text.rstrip("\n").partition(": ")[2]


def ber(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes([tag, 0x81, len(content)]) + content  # a long form, as some servers write


def ldap(number: int, tag: int, *parts: bytes) -> bytes:
    return ber(0x30, ber(2, bytes([number])), ber(tag, *parts))


def result(code: int, text: bytes = b"") -> bytes:
    return ber(10, bytes([code])) + ber(4) + ber(4, text)


def frame(kind: int, flags: int, number: int, content: bytes = b"") -> bytes:
    return len(content).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, number) + content


def packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


NONCE = bytes(range(1, 21))


def greeting(plugin: bytes = b"mysql_native_password") -> bytes:
    rest = struct.pack("<I", 7) + NONCE[:8] + b"\0" + b"\xff\xf7\x08\x02\0\xff\x81\x15" + bytes(10) + NONCE[8:] + b"\0"
    return packet(0, b"\x0a8.0.1\0" + rest + plugin + b"\0")


def login(user: bytes, proof: bytes = b"", plugin: bytes = b"mysql_native_password") -> bytes:
    head = struct.pack("<IIB", 0x88201, 2**24, 33) + bytes(23)
    return packet(1, head + user + b"\0" + bytes([len(proof)]) + proof + plugin + b"\0")


def native(secret: bytes, nonce: bytes = NONCE) -> bytes:
    stored = hashlib.sha1(hashlib.sha1(secret).digest()).digest()  # noqa: S324
    mask = hashlib.sha1(nonce + stored).digest()  # noqa: S324
    return bytes(a ^ b for a, b in zip(hashlib.sha1(secret).digest(), mask, strict=True))  # noqa: S324


def caching(secret: bytes, nonce: bytes = NONCE) -> bytes:
    mask = hashlib.sha256(hashlib.sha256(hashlib.sha256(secret).digest()).digest() + nonce).digest()
    return bytes(a ^ b for a, b in zip(hashlib.sha256(secret).digest(), mask, strict=True))


OK, QUIT = b"\0\0\0\2\0\0\0", packet(0, b"\1")
STARTUP = b"\0\0\0\x20\0\3\0\0user\0lvs\0database\0shop\0\0"
READY = b"S\0\0\0\x08a\0b\0" + b"K\0\0\0\x0c12345678" + b"Z\0\0\0\5I"
BIND = b"0\x0c\2\1\1`\7\2\1\3\4\0\x80\0"
UNBIND = b"0\5\2\1\3B\0"
SEARCH = b"0\x3b\2\1\2c\x36\4\x11dc=example,dc=net\n\1\0\n\1\0\2\1\1\2\1\0\1\1\xff\x87\x0bobjectClass0\5\4\0031.1"
FOUND = ldap(2, 0x64, ber(4, b"dc=example,dc=net"), ber(0x30))
NAME = "name=dc%3Dexample,dc=net"
SERVING = frame(0, 0, 1, b"\0\0\0\0\2\x08\1")
SETTINGS = frame(4, 0, 0, struct.pack("!HI", 3, 100))
END = frame(1, 5, 1, b"\x88")


def grpc_request(field: bytes = b"") -> Callable[[socket.socket], None]:
    def take(connection: socket.socket) -> None:
        authority = f"127.0.0.1:{connection.getsockname()[1]}".encode()
        headers = b"\x83\x86\x04\x1c/grpc.health.v1.Health/Check\x01" + bytes([len(authority)]) + authority
        headers += b"\0\x0ccontent-type\x10application/grpc\0\x02te\x08trailers"
        wanted = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"\0\2\0\0\0\0") + frame(1, 4, 1, headers)
        wanted += frame(0, 1, 1, b"\0" + struct.pack("!I", len(field)) + field)
        assert receive(connection, len(wanted)) == wanted

    return take


PASSES: dict[str, tuple[str, Steps, tuple[str, ...]]] = {
    "ftp": ("ftp", [b"220 ready\r\n", [b"QUIT\r\n"], b"221 bye\r\n"], ()),
    "ftp, several lines": ("ftp", [b"220-a\r\n 220 b\n220 c\r\n", [b"QUIT\r\n"], b"221-x\r\n221 bye\r\n"], ()),
    "imap": ("imap", [b"* OK hello\r\n", [b"a LOGOUT\r\n"], b"* BYE\r\na OK done\r\n"], ()),
    "imap, after another login": ("imap", [b"* PREAUTH hello\r\n", [b"a LOGOUT\r\n"], b"a OK done\r\n"], ()),
    "pop": ("pop", [b"+OK <1@example.net>\r\n", [b"QUIT\r\n"], b"+OK\r\n"], ()),
    "redis": ("redis", [[b"*1\r\n$4\r\nPING\r\n"], b"+PONG\r\n"], ()),
    "redis, a password": (
        "redis",
        [[b"*2\r\n$4\r\nAUTH\r\n$6\r\ns cret\r\n"], b"+OK\r\n", [b"*1\r\n$4\r\nPING\r\n"], b"+PONG\r\n"],
        ("credentials",),
    ),
    "redis, a user": (
        "redis",
        [[b"*3\r\n$4\r\nAUTH\r\n$3\r\nlvs\r\n$6\r\ns cret\r\n"], b"+OK\r\n", [b"*1\r\n$4\r\nPING\r\n"], b"+PONG\r\n"],
        ("credentials", "user=lvs"),
    ),
    "ldap, anonymous": ("ldap", [[BIND], ldap(1, 0x61, result(0)), [UNBIND]], ()),
    "ldap, a user": (
        "ldap",
        [[b"0\x17\2\1\1`\x12\2\1\3\4\5cn=ab\x80\6s cret"], ldap(1, 0x61, result(0)), [UNBIND]],
        ("credentials", "user=cn=ab"),
    ),
    "ldap, an object": ("ldap", [[SEARCH], FOUND, ldap(2, 0x65, result(0)), [UNBIND]], (NAME,)),
    "ldap, a reference": ("ldap", [[SEARCH], FOUND, ldap(2, 0x73), ldap(2, 0x65, result(0)), [UNBIND]], (NAME,)),
    "mysql, no password": ("mysql", [greeting(), [login(b"lvs")], packet(2, OK), [QUIT]], ("user=lvs",)),
    "mysql": (
        "mysql",
        [greeting(), [login(b"lvs", native(b"s cret"))], packet(2, OK), [QUIT]],
        ("user=lvs", "credentials"),
    ),
    "mysql, caching_sha2_password": (
        "mysql",
        [
            greeting(b"caching_sha2_password"),
            [login(b"lvs", caching(b"s cret"), b"caching_sha2_password")],
            packet(2, b"\1\3") + packet(3, OK),
            [QUIT],
        ],
        ("user=lvs", "credentials"),
    ),
    "mysql, another plugin of the user": (
        "mysql",
        [
            greeting(b"client_ed25519"),
            [login(b"lvs", native(b"s cret"))],
            packet(2, b"\xfecaching_sha2_password\0" + NONCE[::-1] + b"\0"),
            [packet(3, caching(b"s cret", NONCE[::-1]))],
            packet(4, b"\1\3") + packet(5, OK),
            [QUIT],
        ],
        ("user=lvs", "credentials"),
    ),
    "pgsql, a password is wanted": ("pgsql", [[STARTUP], b"R\0\0\0\x0c\0\0\0\5abcd"], ("user=lvs", "database=shop")),
    "pgsql": (
        "pgsql",
        [[STARTUP], b"R\0\0\0\x08\0\0\0\0" + READY, [b"X\0\0\0\4"]],
        ("user=lvs", "database=shop"),
    ),
    "pgsql, the database of the user": (
        "pgsql",
        [[b"\0\0\0\x1f\0\3\0\0user\0lvs\0database\0lvs\0\0"], b"v\0\0\0\x0c\0\0\0\0\0\0\0\0R\0\0\0\x08\0\0\0\3"],
        ("user=lvs",),
    ),
    "grpc": ("grpc", [grpc_request(), SETTINGS, SERVING, END], ()),
    "grpc, a service": ("grpc", [grpc_request(b"\x0a\2ab"), SETTINGS, SERVING, END], ("name=ab",)),
    "grpc, between other frames": (
        "grpc",
        [
            grpc_request(),
            SETTINGS + frame(6, 0, 0, b"12345678"),
            [frame(4, 1, 0) + frame(6, 1, 0, b"12345678")],
            frame(4, 1, 0) + frame(8, 0, 0, b"\0\0\1\0") + frame(0, 1, 3, b"other") + frame(99, 1, 1, b"?"),
            frame(7, 0, 0, struct.pack("!II", 1, 0)) + frame(1, 0, 1, b"\x88") + frame(9, 4, 1, b"more"),
            frame(0, 8, 1, b"\3\0\0\0\0" + b"pad") + frame(0, 0, 1, b"\2\x08\1") + frame(1, 1, 1) + frame(9, 4, 1),
        ],
        (),
    ),
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(b"s cret\r\nanother line\n")
    return path


def words(options: Sequence[str], secret: Path) -> list[str]:
    return [f"credentials={secret}" if one == "credentials" else one for one in options]


@pytest.mark.parametrize("name", PASSES)
def test_a_healthy_server(
    name: str, secret: Path, capsys: pytest.CaptureFixture[str], logged: list[tuple[int, str]]
) -> None:
    kind, steps, options = PASSES[name]
    assert check(kind, steps, *words(options, secret)) == 0, capsys.readouterr().err
    assert (capsys.readouterr().err, logged) == ("", [])


FAILS: dict[str, tuple[str, Steps, tuple[str, ...], str]] = {
    "ftp": ("ftp", [b"421 too many users\r\n"], (), "answered 421 too many users"),
    "ftp, a delay": ("ftp", [b"120 in 5 minutes\r\n"], (), "answered 120 in 5 minutes"),
    "ftp, no end": ("ftp", [b"220 ready\r\n", [b"QUIT\r\n"]], (), "closed the connection"),
    "imap": ("imap", [b"* BYE out of order\r\n"], (), "answered * BYE out of order"),
    "imap, control characters": ("imap", [b"\x1b[2J\0\xff\n"], (), "answered ?[2J??"),
    "imap, a refusal": ("imap", [b"* OK\n", [b"a LOGOUT\r\n"], b"a BAD x\r\n"], (), "answered a BAD x"),
    "pop": ("pop", [b"-ERR [SYS/TEMP] x\r\n"], (), "answered -ERR [SYS/TEMP] x"),
    "redis": ("redis", [[b"*1\r\n"], b"-LOADING\r\n"], (), "answered -LOADING"),
    "redis, the password": ("redis", [[b"*2\r\n"], b"-WRONGPASS\r\n"], ("credentials",), "answered -WRONGPASS"),
    "ldap": (
        "ldap",
        [[BIND], ldap(1, 0x61, result(48, b"no anonymous bind"))],
        (),
        "answered the bind with the code 48: no anonymous bind",
    ),
    "ldap, no object": ("ldap", [[SEARCH], ldap(2, 0x65, result(32))], (NAME,), "answered the search with the code 32"),
    "ldap, no access": ("ldap", [[SEARCH], ldap(2, 0x65, result(0))], (NAME,), "has no object dc=example,dc=net"),
    "ldap, of another request": ("ldap", [[BIND], ldap(2, 0x61, result(0))], (), "sent a malformed message"),
    "ldap, another operation": ("ldap", [[BIND], ldap(1, 0x65, result(0))], (), "answered the bind with the code 0"),
    "ldap, the notice of a disconnection": (
        "ldap",
        [[BIND], ldap(0, 0x78, result(52))],
        (),
        "sent a malformed message",
    ),
    "ldap, an endless length": ("ldap", [[BIND], b"0\x80abc"], (), "sent a malformed message"),
    "ldap, a long length": ("ldap", [[BIND], b"0\x84\xff\xff\xff\xff" + bytes(2**20 + 1)], (), "sent more than"),
    "mysql, blocked": ("mysql", [packet(0, b"\xff\x69\4Host is blocked")], ("user=a",), "error 1129: Host is blocked"),
    "mysql, refused": (
        "mysql",
        [greeting(), [login(b"a")], packet(2, b"\xff\x15\4#28000Access denied")],
        ("user=a",),
        "error 1045: Access denied",
    ),
    "mysql, the password in clear": (
        "mysql",
        [greeting(), [login(b"a")], packet(2, b"\xfemysql_clear_password\0")],
        ("user=a",),
        "asks for the authentication plugin mysql_clear_password",
    ),
    "mysql, the password itself": (
        "mysql",
        [greeting(), [login(b"a", native(b"s cret"))], packet(2, b"\1\4")],
        ("user=a", "credentials"),
        "asks for the password itself, which needs TLS: use a user without a password",
    ),
    "mysql, another protocol": ("mysql", [packet(0, b"\x09old\0")], ("user=a",), "sent a malformed message"),
    "mysql, a short greeting": ("mysql", [packet(0, b"\x0a5\0abc")], ("user=a",), "sent a malformed message"),
    "pgsql": (
        "pgsql",
        [[STARTUP], b"E\0\0\0\x24SFATAL\0C57P03\0Mis starting up\0\0\0"],
        ("user=lvs", "database=shop"),
        "error 57P03: is starting up",
    ),
    "pgsql, ready at once": ("pgsql", [[STARTUP], b"Z\0\0\0\5I"], ("user=lvs", "database=shop"), "sent a malformed"),
    "pgsql, no length": ("pgsql", [[STARTUP], b"S\0\0\0\0" * 9], ("user=lvs", "database=shop"), "sent a malformed"),
    "grpc": ("grpc", [grpc_request(), SETTINGS, frame(0, 0, 1, b"\0\0\0\0\2\x08\2"), END], (), "status NOT_SERVING"),
    "grpc, unknown": ("grpc", [grpc_request(), SETTINGS, frame(0, 1, 1, b"\0\0\0\0\0")], (), "status UNKNOWN"),
    "grpc, compressed": ("grpc", [grpc_request(), SETTINGS, frame(0, 1, 1, b"\1\0\0\0\2\x08\1")], (), "status ?????"),
    "grpc, no service": ("grpc", [grpc_request(), SETTINGS, END], (), "does not have this service, or no"),
    "grpc, reset": (
        "grpc",
        [grpc_request(), SETTINGS, frame(3, 0, 1, b"\0\0\0\7")],
        (),
        "ended the request with the error 7",
    ),
    "grpc, gone": (
        "grpc",
        [grpc_request(), SETTINGS, frame(7, 0, 0, struct.pack("!II", 0, 11) + b"too many pings")],
        (),
        "ended the connection with the error 11",
    ),
    "grpc, HTTP/1": ("grpc", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], (), "does not answer in HTTP/2"),
    "grpc, no settings first": ("grpc", [SERVING], (), "does not answer in HTTP/2"),
}


@pytest.mark.parametrize("name", FAILS)
def test_a_server_that_is_not_healthy(
    name: str, secret: Path, capsys: pytest.CaptureFixture[str], logged: list[tuple[int, str]]
) -> None:
    kind, steps, options, says = FAILS[name]
    assert check(kind, steps, *words(options, secret)) == 1
    text = reason(capsys)
    assert text.startswith(says), text
    assert [level for level, _text in logged] == [syslog.LOG_INFO]
    assert logged[0][1].endswith(text)


KINDS = sorted(STREAMS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_closes_at_once(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(kind, [b""], "user=a") == 1
    assert reason(capsys) in {"closed the connection", "Connection reset by peer", "Broken pipe"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_does_not_answer(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    begin = time.monotonic()
    assert check(kind, [lambda end: receive(end, 2**20)], "user=a", seconds=SHORT) == 1
    assert time.monotonic() - begin < 10
    assert reason(capsys) in {"no valid answer in time", "timed out"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"a" * 4096, b"* OK x\r\n220-x\r\n" * 400, b"\0" * 4096, b"0\x84\0\0\1\0" * 600])
def test_a_server_that_does_not_end(kind: str, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    def pour(end: socket.socket) -> None:
        while True:
            end.sendall(data)

    begin = time.monotonic()
    assert check(kind, [pour], "user=a", "body=x", seconds="5") == 1
    assert time.monotonic() - begin < 10
    assert reason(capsys)


class Canned:
    """A connection with a fixed answer."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def recv(self, size: int) -> bytes:
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def sendall(self, _data: bytes) -> None: ...


SENT = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [step for _kind, steps, _options in PASSES.values() for step in steps if isinstance(step, bytes)]
        ),
    ),
    max_size=4,
).map(b"".join)


@given(kind=st.sampled_from(KINDS), data=SENT)
@example(kind="grpc", data=SETTINGS + frame(0, 8, 1) + frame(0, 9, 1, b"\xff"))
@example(kind="grpc", data=SETTINGS + frame(3, 0, 1) + frame(7, 0, 0))
@example(kind="mysql", data=packet(0, b"\xff"))
@example(kind="mysql", data=packet(0, b"") * 2)
@example(kind="mysql", data=greeting() + packet(2, b"\xfe"))
@example(kind="pgsql", data=b"E\0\0\0\4")
@example(kind="https", data=b"HTTP/1.1 \xff\xff\xff\r\n\r\n")
@example(kind="ldap", data=ldap(1, 0x61, b"\n"))
def test_any_answer_is_a_success_or_a_failure(kind: str, data: bytes) -> None:
    connection: Any = Canned(data)
    arguments = Check([kind, "192.0.2.1", "80", "1", "user=a", "digest=x"])
    with contextlib.suppress(protocol_check.Failed):
        STREAMS[kind](Stream(connection), arguments)


# radius


@contextlib.contextmanager
def radius(answer: Callable[[bytes], Sequence[bytes]], address: str = "127.0.0.1") -> Iterator[int]:
    """A server for one datagram."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind((address, 0))
        end.settimeout(30)

        def serve() -> None:
            request, client = end.recvfrom(4096)
            for one in answer(request):
                end.sendto(one, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield end.getsockname()[1]
        thread.join(30)


def signed(request: bytes, secret: bytes, code: int = 2, attributes: bytes = b"") -> bytes:
    head = bytes([code]) + request[1:2] + struct.pack("!H", 20 + len(attributes))
    digest = hashlib.md5(head + request[4:20] + attributes + secret).digest()  # noqa: S324
    return head + digest + attributes


def accepted(request: bytes) -> Sequence[bytes]:
    assert (request[0], len(request), request[2:4], request[20:22]) == (12, 38, b"\0\x26", b"\x50\x12")
    proof = hmac.new(b"s cret", request[:22] + bytes(16), "md5").digest()
    return [b"", b"noise", signed(request, b"other"), signed(request, b"s cret", 2, b"\x12\4up") + b"padding"] * (
        proof == request[22:]
    )


def test_radius(secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for address in ("127.0.0.1", "::1"):
        with radius(accepted, address) as port:
            words = ["radius", address, str(port), LONG, f"credentials={secret}"]
            assert protocol_check.main(words) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda request: [signed(request, b"s cret", 3)], "answered with the code 3"),
        (lambda request: [signed(request, b"other"), request, b"\2", b"\2\0\0\xff" * 9], "no valid answer in time"),
        (lambda request: [], "no valid answer in time"),
    ],
)
def test_radius_fails(
    answer: Callable[[bytes], Sequence[bytes]], says: str, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with radius(answer) as port:
        seconds = SHORT if "time" in says else LONG
        assert protocol_check.main(["radius", "127.0.0.1", str(port), seconds, f"credentials={secret}"]) == 1
    assert reason(capsys) in {says, "timed out"}


# HTTP and TLS


def asked(lines: str) -> list[bytes]:
    return [lines.replace("\n", "\r\n").encode()]


def request(host: str, path: str = "/") -> list[bytes]:
    return asked(f"GET {path} HTTP/1.0\nHost: {host}\nUser-Agent: lvs.cluster\nConnection: close\n\n")


@pytest.mark.parametrize(
    ("answer", "options", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", [], ""),
        (b"HTTP/1.0 204\r\n\r\n", ["status=200-204,404"], ""),
        (b"HTTP/1.1 404 No\r\n\r\n", ["status=200-204,404"], ""),
        (b"HTTP/1.1 403 No\r\n\r\n", ["status=200-204,404"], "answered HTTP/1.1 403 No"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", [], "answered HTTP/1.1 500 Oh"),
        (b"HTTP/1.1 2\r\n\r\n", ["status=100-599"], "answered HTTP/1.1 2"),
        (b"HTTP/1.1 2\xff0 OK\r\n\r\n", ["status=100-599"], "answered HTTP/1.1 2?0 OK"),
        (b"SSH-2.0-OpenSSH\r\n", [], "answered SSH-2.0-OpenSSH"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", [], "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n\r\nit's up.\n", ["body=it%27s%20up"], ""),
        (b"HTTP/1.1 200 OK\r\nA: up\r\n\r\ndown\n", ["body=up"], "answered without the text"),
        (b"HTTP/1.1 200 OK\r\n\r\nup\n", ["digest=b16b2bf8ad52d1d0c2e8d2e0d4d2d0c2"], "the digest of the answer is "),
        (b"HTTP/1.1 200 OK\r\n\r\nup\n", [f"digest={hashlib.md5(b'up' + bytes([10])).hexdigest()}"], ""),  # noqa: S324
    ],
)
def test_http(answer: bytes, options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [request("www.example.net:8443", "/a?b=c d"), answer]
    options = [*options, "host=www.example.net:8443", "path=/a?b=c%20d"]
    assert check("https", steps, *options) == bool(says), capsys.readouterr().err
    assert not says or reason(capsys).startswith(says)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("host=%5B192.0.2.1%5D", "192.0.2.1"),
        ("host=%5B192.0.2.1%5D:8443", "192.0.2.1:8443"),
        ("host=%5B2001:db8::1%5D:8443", "[2001:db8::1]:8443"),
        ("host=rs1.example.net", "rs1.example.net"),
    ],
)
def test_only_ipv6_keeps_its_brackets(given: str, sent: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("https", [request(sent), b"HTTP/1.1 200 OK\r\n\r\n"], given) == 0, capsys.readouterr().err


def test_the_host_of_a_request_is_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(connection: socket.socket) -> None:
        talk(connection, [request(f"[::1]:{connection.getsockname()[1]}"), b"HTTP/1.1 200 OK\r\n\r\n"])

    assert check("https", [answer], address="::1") == 0, capsys.readouterr().err


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory: ca.pem, and srv.pem with the key of a server that it has signed."""
    place = tmp_path_factory.mktemp("certificates")
    now = datetime.datetime.now(datetime.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "srv")}
    names = {name: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in keys}
    known: list[x509.GeneralName] = [x509.DNSName("rs1.example.net")]
    known += [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")]
    for name, key in keys.items():
        builder = (
            x509.CertificateBuilder(names["ca"], names[name], key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys["ca"].public_key()), critical=False)
        )
        if name == "srv":
            builder = builder.add_extension(x509.SubjectAlternativeName(known), critical=False)
        else:
            others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
            usage = dict.fromkeys(("digital_signature", *others, "encipher_only", "decipher_only"), False)
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        pem = builder.sign(keys["ca"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        if name == "srv":
            pem += key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        (place / f"{name}.pem").write_bytes(pem)
    return place


def tls(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "srv.pem")
    context.set_alpn_protocols(["h2"])
    return context


GREETS = {
    "https": [request("rs1.example.net"), b"HTTP/1.1 200 OK\r\n\r\n"],
    "ftp": PASSES["ftp"][1],
    "imap": PASSES["imap"][1],
    "pop": PASSES["pop"][1],
    "ldap": PASSES["ldap, anonymous"][1],
    "redis": PASSES["redis"][1],
}


@pytest.mark.parametrize("kind", GREETS)
@pytest.mark.parametrize("name", ["rs1.example.net", "127.0.0.1"])
def test_a_certificate(kind: str, name: str, certificates: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["host=rs1.example.net", f"tls={name}", f"ca={certificates}/ca.pem"]
    assert check(kind, GREETS[kind], *options, context=tls(certificates)) == 0, capsys.readouterr().err


def test_grpc_by_tls_asks_for_http_2(certificates: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(connection: Any) -> None:
        assert connection.selected_alpn_protocol() == "h2"
        data = b""
        while not data.endswith(frame(0, 1, 1, bytes(5))):
            data += connection.recv(4096)
        assert b"\x83\x87\x04" in data
        talk(connection, [SETTINGS, SERVING, END])

    options = ["tls=::1", f"ca={certificates}/ca.pem"]
    assert check("grpc", [answer], *options, address="::1", context=tls(certificates)) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["tls=rs2.example.net", "ca=ca.pem"], "Hostname mismatch"),
        (["tls=192.0.2.1", "ca=ca.pem"], "IP address mismatch"),
        (["tls=rs1.example.net"], "self-signed certificate in certificate chain|unable to get local issuer"),
        (["tls=rs1.example.net", "ca=none.pem"], "ca: .*none.pem: No such file or directory"),
        (["tls=rs1.example.net", "ca=empty.pem"], "ca: .*empty.pem: "),
    ],
)
def test_a_certificate_that_is_refused(
    options: list[str], says: str, certificates: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (certificates / "empty.pem").write_text("")
    options = [one.replace("ca=", f"ca={certificates}/") for one in options]
    assert check("pop", PASSES["pop"][1], *options, context=tls(certificates)) == 1
    text = reason(capsys)
    assert any(re.match(one, text) for one in says.split("|")), text


def test_no_tls_on_the_other_side(certificates: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("pop", PASSES["pop"][1], "tls=rs1.example.net", f"ca={certificates}/ca.pem") == 1
    assert reason(capsys)


# arguments and files


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["credentials=none"], "credentials: {place}/none: No such file or directory"),
        (["credentials=empty"], "credentials: {place}/empty: the first line is empty"),
        (["credentials=."], "credentials: {place}/.: Is a directory"),
    ],
)
def test_credentials_that_cannot_be_read(
    options: list[str],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    logged: list[tuple[int, str]],
) -> None:
    (tmp_path / "empty").write_text("\nsecret\n")
    options = [one.replace("=", f"={tmp_path}/") for one in options]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        assert protocol_check.main(["mysql", "127.0.0.1", str(port), LONG, *options]) == 1
        with pytest.raises(BlockingIOError):  # a server would count a connection without a handshake
            listener.accept()
    text = f"mysql 127.0.0.1 {port}: {says.format(place=tmp_path)}"
    assert capsys.readouterr().err == text + "\n"
    assert logged == [(syslog.LOG_ERR, text)]


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["redis"],
        ["redis", "192.0.2.1", "80"],
        ["redis", "192.0.2.1", "x", "1"],
        ["redis", "192.0.2.1", "80", "0"],
        ["nntp", "192.0.2.1", "80", "1"],
        ["redis", "192.0.2.1", "80", "1", "user"],
        ["redis", "192.0.2.1", "80", "1", "user=%zz"],
    ],
)
def test_wrong_arguments(given: list[str], logged: list[tuple[int, str]]) -> None:
    assert protocol_check.main(given) == 1
    assert [level for level, _text in logged] == [syslog.LOG_ERR]


def test_the_source_of_the_right_family(capsys: pytest.CaptureFixture[str]) -> None:
    sources: list[str] = []
    steps = [lambda end: sources.append(end.getpeername()[0]), *PASSES["redis"][1]]
    for address, wanted in (("127.0.0.1", "127.0.0.9"), ("::1", "::1")):
        given = ["source=127.0.0.9", "source=::1"]
        assert check("redis", steps, *given, address=address) == 0, capsys.readouterr().err
        assert sources.pop() == wanted


def test_a_source_that_is_not_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert protocol_check.main(["redis", "127.0.0.1", "1", LONG, "source=192.0.2.1"]) == 1
    assert reason(capsys) == "Cannot assign requested address"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_values_come_as_they_are(text: str) -> None:
    word = "".join(f"%{ord(one):02X}" if one in "% '" or one > "y" else one for one in text)
    assert Check(["redis", "::1", "1", "1", f"user={word}"]).option("user") == text.encode()


def test_it_runs_alone(secret: Path) -> None:
    """As the health checkers run it: isolated, and with nothing but the standard library."""
    steps = PASSES["redis, a password"][1]
    with server(steps) as port:
        words = ["redis", "127.0.0.1", str(port), LONG, f"credentials={secret}"]
        environment = {"PATH": os.environ["PATH"]}
        program = [sys.executable, "-I", "-S", "-W", "error", str(SOURCE)]
        done = subprocess.run([*program, *words], capture_output=True, check=False, timeout=60, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    done = subprocess.run([*program, "redis"], capture_output=True, check=False, timeout=60, env=environment)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)


def test_what_is_read_has_a_limit() -> None:
    connection: Any = Canned(b"\0" * (LIMIT + 1))
    with pytest.raises(protocol_check.Failed, match="more than 1048576 bytes"):
        Stream(connection).read(2 * LIMIT)
