# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that makes one health check of a real server, in a protocol that not all health checkers have.

    python3 -I protocol-check.py TYPE ADDRESS PORT SECONDS [KEY=VALUE]...

Health checkers run it as an unprivileged user, and end it after SECONDS. Its status is 0 if the server is healthy.
Otherwise it is 1, and one line on stderr and in the system's log says why: keepalived discards the output of commands.
Values have percent-encoding. Those of ``credentials`` and ``ca`` are files. ``tls`` is the name in the certificate.

No module imports it: the role director copies this file. It needs the standard library alone, and imports what most
checks do not need late, because each check is a process of its own. An alarm ends the whole exchange, and no more than
`LIMIT` bytes of a server are read.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import syslog
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

#: The most bytes that are read from a server.
LIMIT = 2**20
_MAX_LINE = 8192  # bytes
_MALFORMED = "sent a malformed message"


class Failed(Exception):
    """The server is not healthy; the text says why."""


class Fault(Failed):
    """The check cannot be made because of something on this host."""


class Stream:
    """A connection. All methods raise Failed or OSError."""

    def __init__(self, connection: socket.socket) -> None:
        self.send = connection.sendall
        self.received = b""
        self._receive = connection.recv
        self._left = LIMIT

    def more(self) -> bool:
        """Receive some bytes; return False if the server has closed the connection."""
        data = self._receive(16384)
        self._left -= len(data)
        if self._left < 0:
            raise Failed(f"sent more than {LIMIT} bytes")
        self.received += data
        return bool(data)

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        while len(self.received) < size:
            if not self.more():
                raise Failed("closed the connection")
        data, self.received = self.received[:size], self.received[size:]
        return data

    def line(self) -> bytes:
        """Return a line without its end."""
        while b"\n" not in self.received:
            if len(self.received) > _MAX_LINE:
                raise Failed(f"sent a line of more than {_MAX_LINE} bytes")
            if not self.more():
                raise Failed("closed the connection")
        line, _end, self.received = self.received.partition(b"\n")
        return line.rstrip(b"\r")


class Check:
    """The arguments. ``secret`` is the first line of the file ``credentials``, empty without one. Raises Fault."""

    def __init__(self, words: Sequence[str]) -> None:
        try:
            self.kind, self.address, port, seconds, *others = words
            self.port, self.seconds = int(port), float(seconds)
            options = dict(word.split("=", 1) for word in others if not self._of_other_family(word))
            self.options = {key: decoded(value) for key, value in options.items()}
        except ValueError:
            raise Fault("usage: TYPE ADDRESS PORT SECONDS [KEY=VALUE]...") from None
        if self.kind not in {*STREAMS, "radius"} or self.seconds <= 0:
            raise Fault("the type is unknown, or the time is not positive")
        self.secret = b""

    def _of_other_family(self, word: str) -> bool:
        """Return True for a source address that cannot reach the server; there can be one for each family."""
        return word.startswith("source=") and (":" in word) != (":" in self.address)

    def option(self, key: str) -> bytes:
        return self.options.get(key, "").encode()

    def read_secret(self) -> None:
        if "credentials" in self.options:
            self.secret = first_line(self.options["credentials"])

    def authority(self, usual: int = 0) -> str:
        """Return the server's address as in a URL, with its port unless that is the usual one."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return host if self.port == usual else f"{host}:{self.port}"

    def connect(self) -> socket.socket:
        """Return a connected socket, with TLS if that is wanted."""
        kind = socket.SOCK_DGRAM if self.kind == "radius" else socket.SOCK_STREAM
        connection = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, kind)
        try:
            connection.settimeout(self.seconds)
            if "source" in self.options:
                connection.bind((self.options["source"], 0))
            connection.connect((self.address, self.port))
            return self._secured(connection) if "tls" in self.options else connection
        except BaseException:
            connection.close()
            raise

    def _secured(self, connection: socket.socket) -> socket.socket:
        import ssl

        authorities = self.options.get("ca")
        try:
            context = ssl.create_default_context(cafile=authorities)
        except OSError as error:
            raise Fault(f"ca: {authorities}: {error.strerror or error}") from error
        if self.kind == "grpc":
            context.set_alpn_protocols(["h2"])
        return context.wrap_socket(connection, server_hostname=self.options["tls"])


def decoded(text: str) -> str:
    """Return a text without its percent-encoding. Raises ValueError."""
    head, *parts = text.split("%")
    return head + "".join(chr(int(part[:2], 16)) + part[2:] for part in parts)


def shown(data: bytes) -> str:
    """Return a server's text for a message: printable ASCII characters alone, and not many."""
    return "".join(chr(one) if 32 <= one < 127 else "?" for one in data[:160])


def first_line(path: str) -> bytes:
    """Return the first line of a file without its end. Raises Fault."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_MAX_LINE).rstrip(b"\r\n")
    except OSError as error:
        raise Fault(f"credentials: {path}: {error.strerror}") from error
    if not line:
        raise Fault(f"credentials: {path}: the first line is empty")
    return line


def expect(stream: Stream, *beginnings: bytes) -> bytes:
    """Return the next line, which has to begin with one of these."""
    line = stream.line()
    if not line.startswith(beginnings):
        raise Failed(f"answered {shown(line)}")
    return line


def ftp(stream: Stream, check: Check) -> None:
    """RFC 959: a greeting, and an answer to QUIT."""
    _ftp_reply(stream, b"220")
    stream.send(b"QUIT\r\n")
    _ftp_reply(stream, b"2")


def _ftp_reply(stream: Stream, code: bytes) -> None:
    line = expect(stream, code)
    if line[3:4] == b"-":  # of several lines
        end = line[:3] + b" "
        while not line.startswith(end):
            line = stream.line()


def imap(stream: Stream, check: Check) -> None:
    """RFC 3501: a greeting, and an answer to LOGOUT."""
    expect(stream, b"* OK", b"* PREAUTH")
    stream.send(b"a LOGOUT\r\n")
    while expect(stream, b"* ", b"a OK").startswith(b"* "):
        pass


def pop(stream: Stream, check: Check) -> None:
    """RFC 1939: a greeting, and an answer to QUIT."""
    expect(stream, b"+OK")
    stream.send(b"QUIT\r\n")
    expect(stream, b"+OK")


def redis(stream: Stream, check: Check) -> None:
    """PING, after AUTH if there are credentials. https://redis.io/docs/latest/develop/reference/protocol-spec/"""
    if check.secret:
        user = check.option("user")
        _redis_ask(stream, [b"AUTH", *([user] if user else []), check.secret], b"+OK")
    _redis_ask(stream, [b"PING"], b"+PONG")


def _redis_ask(stream: Stream, words: Sequence[bytes], answer: bytes) -> None:
    parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)]
    stream.send(b"".join(parts))
    expect(stream, answer)


def ldap(stream: Stream, check: Check) -> None:
    """RFC 4511: a simple bind, anonymous without a user, or a search for the object ``name``."""
    name, user = check.option("name"), check.option("user")
    if user or not name:
        bind = _ber(0x60, _ber(2, b"\3"), _ber(4, user), _ber(0x80, check.secret))
        stream.send(_ber(0x30, _ber(2, b"\1"), bind))
        _ldap_result("bind", *_ldap_message(stream, b"\1"), 0x61)
    if name:
        # the base object alone, no aliases, one entry, no time limit, without values, (objectClass=*), no attributes
        limits = _ber(10, b"\0") + _ber(10, b"\0") + _ber(2, b"\1") + _ber(2, b"\0") + _ber(1, b"\xff")
        search = _ber(0x63, _ber(4, name), limits, _ber(0x87, b"objectClass"), _ber(0x30, _ber(4, b"1.1")))
        stream.send(_ber(0x30, _ber(2, b"\2"), search))
        operation, content = _ldap_message(stream, b"\2")
        found = operation == 0x64
        while operation in {0x64, 0x73}:  # an entry, a reference to another server
            operation, content = _ldap_message(stream, b"\2")
        _ldap_result("search", operation, content, 0x65)
        if not found:
            raise Failed(f"has no object {shown(name)}")
    stream.send(_ber(0x30, _ber(2, b"\3"), _ber(0x42)))


def _ber(tag: int, *parts: bytes) -> bytes:
    """Return an element in BER."""
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    return bytes([tag, 0x82]) + struct.pack("!H", size) + content


def _element(read: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Return tag and content of the next element."""
    tag, size = read(2)
    if size & 0x80:
        if not 0x81 <= size <= 0x84:
            raise Failed(_MALFORMED)
        size = int.from_bytes(read(size & 0x7F), "big")
    return tag, read(size)


def _within(data: bytes) -> Callable[[int], bytes]:
    """Return a function that returns the next bytes of these."""
    rest = data

    def read(size: int) -> bytes:
        nonlocal rest
        if size > len(rest):
            raise Failed(_MALFORMED)
        part, rest = rest[:size], rest[size:]
        return part

    return read


def _ldap_message(stream: Stream, number: bytes) -> tuple[int, bytes]:
    """Return the operation of the next message, which has to answer the request of this number."""
    tag, content = _element(stream.read)
    read = _within(content)
    if tag != 0x30 or _element(read) != (2, number):
        raise Failed(_MALFORMED)
    return _element(read)


def _ldap_result(what: str, operation: int, content: bytes, wanted: int) -> None:
    read = _within(content)
    code, _object, text = (_element(read)[1] for _number in range(3))
    if operation != wanted or code != b"\0":
        number = int.from_bytes(code, "big")
        raise Failed(f"answered the {what} with the code {number}" + (f": {shown(text)}" if text else ""))


def mysql(stream: Stream, check: Check) -> None:
    """A whole handshake, as a server blocks hosts that break it off (max_connect_errors).

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
    """
    number, greeting = _mysql_packet(stream)
    rest = greeting[1:].partition(b"\0")[2]  # behind the server's version
    if greeting[:1] != b"\x0a" or len(rest) < 44:
        raise Failed(_MALFORMED)
    nonce, plugin = rest[4:12] + rest[31:43], rest[31 + max(13, rest[20] - 8) :].partition(b"\0")[0]
    if plugin not in {b"mysql_native_password", b"caching_sha2_password"}:
        plugin = b"mysql_native_password"  # the server then asks for the user's own
    answer = _mysql_proof(plugin, check.secret, nonce)
    # CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_RESERVED2 and CLIENT_PLUGIN_AUTH; packets of 16 MB; UTF-8
    head = struct.pack("<IIB23x", 0x1 | 0x200 | 0x8000 | 0x80000, 2**24, 33)
    body = head + check.option("user") + b"\0" + bytes([len(answer)]) + answer + plugin + b"\0"
    _mysql_send(stream, number + 1, body)
    while True:
        number, packet = _mysql_packet(stream)
        if packet[:1] == b"\0":
            break
        if packet[:1] == b"\xfe":  # another plugin, with another nonce
            plugin, _end, nonce = packet[1:].partition(b"\0")
            _mysql_send(stream, number + 1, _mysql_proof(plugin, check.secret, nonce[:20]))
        elif packet == b"\1\4":
            raise Failed("asks for the password itself, which needs TLS: use a user without a password")
        elif packet != b"\1\3":  # caching_sha2_password: the proof is good
            raise Failed(_MALFORMED)
    _mysql_send(stream, 0, b"\1")  # COM_QUIT


def _mysql_packet(stream: Stream) -> tuple[int, bytes]:
    """Return the number of the next packet, and its content, which is not an error."""
    (head,) = struct.unpack("<I", stream.read(4))
    packet = stream.read(head & 0xFFFFFF)
    if packet[:1] == b"\xff":
        text = packet[9:] if packet[3:4] == b"#" else packet[3:]
        raise Failed(f"error {int.from_bytes(packet[1:3], 'little')}: {shown(text)}")
    return head >> 24, packet


def _mysql_send(stream: Stream, number: int, body: bytes) -> None:
    stream.send(struct.pack("<I", len(body) | (number & 0xFF) << 24) + body)


def _mysql_proof(plugin: bytes, secret: bytes, nonce: bytes) -> bytes:
    """Return the proof that the password is known; empty for none."""
    import hashlib

    if plugin not in {b"mysql_native_password", b"caching_sha2_password"}:
        raise Failed(f"asks for the authentication plugin {shown(plugin)}")
    if not secret:
        return b""
    native = plugin == b"mysql_native_password"
    first = (hashlib.sha1(secret, usedforsecurity=False) if native else hashlib.sha256(secret)).digest()
    if native:
        second = hashlib.sha1(first, usedforsecurity=False).digest()
        mask = hashlib.sha1(nonce + second, usedforsecurity=False).digest()
    else:
        mask = hashlib.sha256(hashlib.sha256(first).digest() + nonce).digest()
    return bytes(one ^ other for one, other in zip(first, mask))


def pgsql(stream: Stream, check: Check) -> None:
    """A start-up of a connection. https://www.postgresql.org/docs/current/protocol-flow.html

    A request for a password is a success, and the connection is closed without one: the server does not log that. If it
    needs no password, the connection has to become ready, which also needs the database.
    """
    user = check.option("user")
    names = {b"user": user, b"database": check.option("database") or user}
    body = struct.pack("!I", 0x30000) + b"".join(b"%s\0%s\0" % pair for pair in names.items()) + b"\0"
    stream.send(struct.pack("!I", len(body) + 4) + body)
    accepted = False
    while True:
        kind, size = struct.unpack("!cI", stream.read(5))
        content = stream.read(max(size, 4) - 4)
        if kind == b"E":
            fields = {field[:1]: field[1:] for field in content.split(b"\0")}
            raise Failed(f"error {shown(fields.get(b'C', b''))}: {shown(fields.get(b'M', b''))}")
        if kind == b"R" and content != bytes(4):
            return
        if kind == b"Z" and accepted:
            stream.send(b"X\0\0\0\4")
            return
        accepted = accepted or kind == b"R"
        if kind != b"v" and not (accepted and kind in {b"R", b"S", b"K", b"N"}):
            raise Failed(_MALFORMED)


def radius(connection: socket.socket, check: Check) -> None:
    """Status-Server (RFC 5997). Datagrams that the secret has not signed are ignored, as RFC 2865 wants."""
    import hashlib
    import hmac

    head, nonce, attribute = b"\x0c" + os.urandom(1) + struct.pack("!H", 38), os.urandom(16), b"\x50\x12"
    proof = hmac.new(check.secret, head + nonce + attribute + bytes(16), "md5").digest()
    connection.send(head + nonce + attribute + proof)
    while True:
        answer = connection.recv(4096)
        answer = answer[: int.from_bytes(answer[2:4], "big")]
        signed = hashlib.md5(answer[:4] + nonce + answer[20:] + check.secret, usedforsecurity=False).digest()
        if answer[1:2] == head[1:2] and hmac.compare_digest(signed, answer[4:20]):
            break
    if answer[0] not in {2, 5}:  # Access-Accept, and Accounting-Response from a port for accounting
        raise Failed(f"answered with the code {answer[0]}")


def https(stream: Stream, check: Check) -> None:
    """A request in HTTP/1.0 (RFC 9112), so that the server sends no chunks and closes the connection.

    ``status`` are ranges such as ``200-299,404``. The answer's body has to contain ``body``, and to have the MD5
    ``digest``; it is not read without one of these.
    """
    # an address is in brackets in any case, and only one of IPv6 keeps them
    host = check.options.get("host") or check.authority(443)
    head, bracket, rest = host.partition("]")
    if bracket and ":" not in head:
        host = head[1:] + rest
    path = check.options.get("path", "/")
    lines = [f"GET {path} HTTP/1.0", f"Host: {host}", "User-Agent: lvs.cluster", "Connection: close", "", ""]
    stream.send("\r\n".join(lines).encode())
    line = expect(stream, b"HTTP/1.0 ", b"HTTP/1.1 ")
    status = line[9:12]
    ranges = [one.partition(b"-") for one in (check.option("status") or b"200").split(b",")]
    if (
        len(status) != 3
        or not status.isdigit()
        or not any(low <= status <= (high or low) for low, _dash, high in ranges)
    ):
        raise Failed(f"answered {shown(line)}")
    while stream.line():
        pass
    body, digest = check.option("body"), check.options.get("digest")
    while (digest or body not in stream.received) and stream.more():
        pass
    if body not in stream.received:
        raise Failed("answered without the text")
    if digest:
        import hashlib

        found = hashlib.md5(stream.received, usedforsecurity=False).hexdigest()
        if found != digest:
            raise Failed(f"the digest of the answer is {found}")


def grpc(stream: Stream, check: Check) -> None:
    """Check of grpc.health.v1.Health, over HTTP/2 (RFC 9113), with prior knowledge if there is no TLS.

    https://github.com/grpc/grpc/blob/master/doc/health-checking.md, and PROTOCOL-HTTP2.md there. The headers of the
    answer are not decoded, as a message with this status is enough. The request is far smaller than any usual window,
    and without updates of its windows the server cannot send more than 65,535 bytes of data.
    """
    name = check.option("name")
    field = b"\x0a" + bytes([len(name)]) + name if name else b""
    # HPACK (RFC 7541): POST, the scheme, and literals that are not indexed
    headers = b"\x83" + (b"\x87" if "tls" in check.options else b"\x86")
    headers += _literal(b"\x04", b"/grpc.health.v1.Health/Check") + _literal(b"\x01", check.authority().encode())
    headers += _literal(b"\0\x0ccontent-type", b"application/grpc") + _literal(b"\0\x02te", b"trailers")
    stream.send(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(_SETTINGS, 0, 0, struct.pack("!HI", 2, 0))  # no push
        + _frame(_HEADERS, 4, 1, headers)  # END_HEADERS
        + _frame(_DATA, 1, 1, struct.pack("!BI", 0, len(field)) + field)  # END_STREAM
    )
    message = _grpc_message(stream)
    if not message:
        raise Failed("does not have this service, or no grpc.health.v1.Health")
    if message[:1] != b"\0" or message[5:7] != b"\x08\x01":
        names = {b"": "UNKNOWN", b"\x08\2": "NOT_SERVING", b"\x08\3": "SERVICE_UNKNOWN"}
        raise Failed(f"status {names.get(message[5:7]) or shown(message)}")


_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7


def _grpc_message(stream: Stream) -> bytes:
    """Return the data of the answer to the request."""
    data, awaited = b"", {_SETTINGS}
    while True:
        head = stream.read(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        if size > 16384 or kind not in (awaited or {kind}):
            raise Failed("does not answer in HTTP/2")
        content, awaited = stream.read(size), set()
        of_request = int.from_bytes(head[5:], "big") & 0x7FFFFFFF == 1
        if kind in {_SETTINGS, _PING} and not flags & 1:
            stream.send(_frame(kind, 1, 0, content if kind == _PING else b""))
        elif kind == _RST_STREAM and of_request:
            raise Failed(f"ended the request with the error {int.from_bytes(content, 'big')}")
        elif kind == _GOAWAY and content[4:8] != bytes(4):
            raise Failed(f"ended the connection with the error {int.from_bytes(content[4:8], 'big')}")
        elif kind == _DATA and of_request:
            data += content[1 : len(content) - content[0]] if flags & 8 and content else content
        # frames with more headers can follow the end, and do not matter
        if of_request and kind in {_DATA, _HEADERS} and flags & 1:
            return data


def _frame(kind: int, flags: int, number: int, content: bytes = b"") -> bytes:
    return struct.pack("!IBI", len(content) << 8 | kind, flags, number) + content


def _literal(name: bytes, value: bytes) -> bytes:
    """Return a header of HPACK with a value of less than 127 bytes."""
    return name + bytes([len(value)]) + value


#: The protocols over TCP.
STREAMS: Mapping[str, Callable[[Stream, Check], None]] = {
    "ftp": ftp,
    "imap": imap,
    "pop": pop,
    "ldap": ldap,
    "mysql": mysql,
    "pgsql": pgsql,
    "redis": redis,
    "grpc": grpc,
    "https": https,
}


def make(check: Check) -> None:
    """Make the check. Raises Failed, OSError and ValueError."""
    check.read_secret()  # before anything is sent: MySQL blocks hosts that break off handshakes
    with check.connect() as connection:
        if check.kind == "radius":
            radius(connection, check)
        else:
            STREAMS[check.kind](Stream(connection), check)


def main(words: Sequence[str]) -> int:
    """Make the check of a command line, report a failure, and return the exit status."""

    def too_late(_number: int, _frame: FrameType | None) -> None:
        raise Failed("no valid answer in time")

    level = syslog.LOG_INFO
    try:
        check = Check(words)
        signal.signal(signal.SIGALRM, too_late)
        # before the health checker ends this program, so that there is a reason in the log
        signal.setitimer(signal.ITIMER_REAL, max(check.seconds - 0.2, check.seconds / 2))
        try:
            make(check)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return 0
    except Fault as error:
        level, reason = syslog.LOG_ERR, str(error)
    except Failed as error:
        reason = str(error)
    except (OSError, ValueError) as error:
        reason = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
    text = f"{' '.join(words[:3])}: {reason}"
    sys.stderr.write(f"{text}\n")
    syslog.openlog("lvs-check", 0, syslog.LOG_DAEMON)
    syslog.syslog(level, text)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
