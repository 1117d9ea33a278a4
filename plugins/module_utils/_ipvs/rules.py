# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables as text, in the form of ``ipvsadm-save -n``, both ways. Pure.

``ipvsadm --restore`` accepts the text of ``render`` without its comments, from ``#`` on. The text has the thresholds
too (``-x``, ``-y``), which ipvsadm omits when it saves. ``parse`` reads everything that ipvsadm writes, long options,
empty lines and comments. As in ipvsadm, missing flags, persistence and tunnel options are off; other missing values are
unset.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from socket import inet_pton

from . import model
from .model import (
    AF_INET,
    AF_INET6,
    InvalidValue,
    RealServer,
    RealServerKey,
    RealServerPatch,
    ServiceKey,
    ServicePatch,
    Settings,
    SettingsPatch,
    Table,
)

_PROTOCOL_OPTIONS = {6: "-t", 17: "-u", 132: "--sctp-service"}
# ipvsadm has no option for the method local and writes -g. So does this file, with a comment that only it reads.
_LOCAL_MARK = "local"
_FORWARD_OPTIONS = {model.NAT: "-m", model.LOCAL: "-g", model.TUN: "-i", model.DR: "-g"}
_CHECKSUM_OPTIONS = {"--tun-nocsum": model.NOCSUM, "--tun-csum": model.CSUM, "--tun-remcsum": model.REMCSUM}

# Short forms of long options, in the words of ipvsadm(8).
_LONG = {
    "--add-service": "-A",
    "--add-server": "-a",
    "--tcp-service": "-t",
    "--udp-service": "-u",
    "--fwmark-service": "-f",
    "--ipv6": "-6",
    "--scheduler": "-s",
    "--sched-flags": "-b",
    "--persistent": "-p",
    "--netmask": "-M",
    "--ops": "-o",
    "--real-server": "-r",
    "--masquerading": "-m",
    "--ipip": "-i",
    "--gatewaying": "-g",
    "--weight": "-w",
    "--u-threshold": "-x",
    "--l-threshold": "-y",
}
_IDENTITY = {"-t": 6, "-u": 17, "--sctp-service": 132, "-f": 0}
_SERVICE_OPTIONS = frozenset(["-t", "-u", "--sctp-service", "-f", "-6", "-s", "-p", "-M", "--pe", "-o", "-b"])
_SERVER_OPTIONS = frozenset(
    [
        "-t",
        "-u",
        "--sctp-service",
        "-f",
        "-6",
        "-r",
        "-m",
        "-i",
        "-g",
        "-w",
        "-x",
        "-y",
        "--tun-type",
        "--tun-port",
        "--tun-nocsum",
        "--tun-csum",
        "--tun-remcsum",
    ]
)
# Only their short forms, without `=`, are cached between lines.
_IDENTITY_OPTIONS = frozenset(["-t", "-u", "--sctp-service", "-f", "-6"])
_ATTRIBUTE_OPTIONS = _SERVER_OPTIONS - _IDENTITY_OPTIONS - {"-r"}
_WITHOUT_VALUE = frozenset(["-6", "-o", "-m", "-i", "-g", "--tun-nocsum", "--tun-csum", "--tun-remcsum"])


#: The format of the files of persist.py, named in one of their lines: a newer one may have other meanings.
FORMAT = 1
_FORMAT = re.compile(r"^# Format: ([0-9]{1,9})$", re.MULTILINE)


def newer_format(text: str) -> int:
    """Return the format that a text names, if that is newer than this one; 0 otherwise."""
    found = _FORMAT.search(text)
    return int(found[1]) if found and int(found[1]) > FORMAT else 0


def render(table: Table, keys: Iterable[ServiceKey] | None = None) -> str:
    """Return the text of a table, or of those of its services that ``keys`` names; sorted, one line an entry."""
    lines: list[str] = []
    for key in sorted(table) if keys is None else sorted(key for key in keys if key in table):
        service = table[key]
        identity = _identity(key)
        lines.append(f"-A {identity} {settings_options(key, service.settings)}")
        prefix = f"-a {identity} -r "
        lines += [
            f"{prefix}{model.endpoint(address, port)} {server_options(server)}"
            for (_family, address, port), server in sorted(service.real_servers.items())
        ]
    return "".join(line + "\n" for line in lines)


def _identity(key: ServiceKey) -> str:
    if key.fwmark:
        return f"-f {key.fwmark}{' -6' if key.family == AF_INET6 else ''}"
    return (
        f"{_PROTOCOL_OPTIONS.get(key.protocol, f'--protocol-{key.protocol}')} {model.endpoint(key.address, key.port)}"
    )


def settings_options(key: ServiceKey, settings: Settings) -> str:
    """Return the options after the identity on the line of a service."""
    line = f"-s {settings.scheduler}"
    if settings.persistence_timeout:
        line += f" -p {settings.persistence_timeout}"
        if settings.persistence_netmask != model.full_netmask(key.family):
            line += f" -M {model.netmask_text(key.family, settings.persistence_netmask)}"
    if settings.persistence_engine:
        line += f" --pe {settings.persistence_engine}"
    if settings.one_packet:
        line += " -o"
    if settings.scheduler_flags:
        line += f" -b {','.join(model.scheduler_flag_names(settings.scheduler, settings.scheduler_flags))}"
    return line


def server_line(key: RealServerKey, server: RealServer) -> str:
    """Return the words after ``-r`` on the line of one real server."""
    return f"{model.endpoint(key.address, key.port)} {server_options(server)}"


@functools.lru_cache(4096)
def server_options(server: RealServer) -> str:
    """Return the options after the address on the line of a real server."""
    line = f"{_FORWARD_OPTIONS.get(server.forward_method, '-g')} -w {server.weight}"
    if server.upper_threshold:
        line += f" -x {server.upper_threshold}"
    if server.lower_threshold:
        line += f" -y {server.lower_threshold}"
    if server.forward_method == model.LOCAL:
        line += f"  # {_LOCAL_MARK}"
    if server.forward_method == model.TUN:
        line += f" --tun-type {model.TUNNEL_TYPE_NAMES.get(server.tunnel_type, server.tunnel_type)}"
        if server.tunnel_type == model.GUE:
            line += f" --tun-port {server.tunnel_port}"
        if server.tunnel_type != model.IPIP:
            line += "".join(f" {option}" for option in _checksum_options(server.tunnel_checksum))
    return line


def _checksum_options(checksum: int) -> list[str]:
    if checksum == model.NOCSUM:
        return ["--tun-nocsum"]
    return [option for option, bit in _CHECKSUM_OPTIONS.items() if checksum & bit]


def parse(text: str, skip: Callable[[InvalidValue], None] | None = None) -> list[ServicePatch]:
    """Return the services that a text describes. InvalidValue names the line and the option that is wrong.

    ``skip`` is given the error of each line that cannot be read, which then describes nothing.
    """
    parser = _Parser()
    for number, line in enumerate(text.splitlines(), 1):
        if parser.take_like_before(line):
            continue
        try:
            parser.take(f"rules line {number}", line)
        except InvalidValue as error:
            if skip is None:
                raise
            skip(error)
    return [patch._replace(real_servers=parser.servers[key]) for key, patch in parser.patches.items()]


class _Parser:
    """The result of the lines so far.

    ``services`` and ``server_patches`` cache the results of the words before and after ``-r ADDRESS``, because
    consecutive lines of a big table repeat them.
    """

    def __init__(self) -> None:
        self.patches: dict[ServiceKey, ServicePatch] = {}
        self.servers: dict[ServiceKey, dict[RealServerKey, RealServerPatch]] = {}
        self._identities: dict[tuple[str, str, bool], ServiceKey] = {}
        self._heads: dict[str, ServiceKey] = {}
        self._tails: dict[str, RealServerPatch] = {}

    def take_like_before(self, line: str) -> bool:
        """Read an IPv4 real server whose other words are cached; return True if the line was one."""
        head, _option, rest = line.partition(" -r ")
        endpoint, _space, tail = rest.partition(" ")
        key, patch = self._heads.get(head), self._tails.get(tail)
        if key is None or patch is None:
            return False
        host, _colon, port = endpoint.rpartition(":")
        try:
            address = inet_pton(AF_INET, host)
        except (OSError, UnicodeError, ValueError):
            return False
        if not (0 < address[0] < 224 and port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535):
            return False
        server_key = RealServerKey(AF_INET, address, int(port))
        if server_key in self.servers[key]:
            return False
        self.servers[key][server_key] = patch
        return True

    def take(self, where: str, line: str) -> None:
        """Read any line."""
        content, _hash, comment = line.partition("#")
        words = content.split()
        if words[:1] == ["ipvsadm"]:
            words = words[1:]
        if not words:
            return
        command = _LONG.get(words[0], words[0])
        if command == "-A":
            options = _options(where, words[1:], _SERVICE_OPTIONS)
            key = _service_key(where, options, self._identities)
            if key in self.patches:
                raise InvalidValue(where, "-A", str(key), "adds a service that an earlier line has added")
            self.patches[key] = ServicePatch(key, _parse_settings(where, key, options))
            self.servers[key] = {}
        elif command == "-a":
            options = _options(where, words[1:], _SERVER_OPTIONS)
            key = _service_key(where, options, self._identities)
            if key not in self.patches:
                raise InvalidValue(where, "-a", str(key), "names a service that no earlier line has added")
            server_key = _server_key(where, key, options)
            if server_key in self.servers[key]:
                raise InvalidValue(where, "-r", str(server_key), "adds a real server that an earlier line has added")
            patch = _parse_server(where, options)
            if patch.forward_method == model.DR and comment.strip() == _LOCAL_MARK:
                patch = patch._replace(forward_method=model.LOCAL)
            self.servers[key][server_key] = patch
            if content == line:
                self._remember(line, key, patch)
        else:
            raise InvalidValue(where, "command", words[0], "must be -A or -a: what ipvsadm-save -n writes")

    def _remember(self, line: str, key: ServiceKey, patch: RealServerPatch) -> None:
        head, option, rest = line.partition(" -r ")
        _endpoint_text, _space, tail = rest.partition(" ")
        # Only if the words before -r are about the service and those after it about the real server.
        if option and _about(head.split()[1:], _IDENTITY_OPTIONS) and _about(tail.split(), _ATTRIBUTE_OPTIONS):
            self._heads[head] = key
            self._tails[tail] = patch


def _about(words: list[str], options: frozenset[str]) -> bool:
    return all(word in options for word in words if word.startswith("-"))


def _options(where: str, words: list[str], allowed: frozenset[str]) -> dict[str, str]:
    """Return options of one line by their short names; "" for those without a value."""
    options: dict[str, str] = {}
    rest: Iterator[str] = iter(_split_words(words))
    pending: str | None = None
    for word in rest:
        if pending is not None:
            options[pending], pending = word, None
            continue
        name = _LONG.get(word, word)
        if name not in allowed:
            raise InvalidValue(where, "option", word, "is not one that this command has")
        if name in options:
            raise InvalidValue(where, "option", word, "is given twice")
        options[name] = ""
        if name not in _WITHOUT_VALUE:
            pending = name
    if pending is not None and pending not in ("-p", "-b"):
        raise InvalidValue(where, pending, "", "needs a value")
    return options


def _split_words(words: list[str]) -> Iterator[str]:
    """Yield ``--option=value`` as two words; a ``-p`` without its optional value gets the default."""
    for index, word in enumerate(words):
        if word.startswith("--") and "=" in word:
            yield from word.split("=", 1)
        else:
            yield word
        if word in ("-p", "--persistent") and (index + 1 == len(words) or words[index + 1].startswith("-")):
            yield str(model.DEFAULT_PERSISTENCE_TIMEOUT)


def _integer(where: str, option: str, text: str, low: int, high: int) -> int:
    try:
        number = int(text) if text.isascii() and "_" not in text else low - 1
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise InvalidValue(where, option, text, f"must be a whole number from {low} to {high}")
    return number


def _endpoint(where: str, option: str, text: str) -> tuple[bytes, int | None]:
    """Return packed address and port (None if the text has none) of ``192.0.2.1:80`` or ``[2001:db8::1]:80``."""
    host, port = text, ""
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise InvalidValue(where, option, text, "must be [address]:port")
        port = port[1:]
    elif text.count(":") == 1:
        host, _colon, port = text.partition(":")
    try:
        address = model.pack_address(host)
    except ValueError:
        raise InvalidValue(where, option, text, "must be a numeric address and port (ipvsadm-save -n)") from None
    return address, _integer(where, f"the port of {option}", port, 0, 65535) if port else None


def _service_key(
    where: str, options: dict[str, str], identities: dict[tuple[str, str, bool], ServiceKey]
) -> ServiceKey:
    given = [option for option in _IDENTITY if option in options]
    if len(given) != 1:
        raise InvalidValue(where, "service", " ".join(given), "must be named by one of -t, -u, --sctp-service, -f")
    option = given[0]
    index = (option, options[option], "-6" in options)
    key = identities.get(index)
    if key is None:
        key = identities[index] = _parse_service_key(where, *index)
    return key


def _parse_service_key(where: str, option: str, text: str, ipv6: bool) -> ServiceKey:
    if option == "-f":
        # ipvsadm prints marks above 2^31 as negative numbers.
        mark = _integer(where, option, text, -(2**31), 2**32 - 1) & 0xFFFFFFFF
        if not mark:
            raise InvalidValue(where, option, text, "must not be zero")
        return ServiceKey(mark, AF_INET6 if ipv6 else AF_INET, 0, b"", 0)
    if ipv6:
        raise InvalidValue(where, "-6", "", "is for -f only")
    address, port = _endpoint(where, option, text)
    key = ServiceKey(0, model.family_of(address), _IDENTITY[option], address, port or 0)
    model.check_service_key(where, key)
    return key


def _parse_settings(where: str, key: ServiceKey, options: dict[str, str]) -> SettingsPatch:
    scheduler, engine = options.get("-s"), options.get("--pe", "")
    for option, name in (("-s", scheduler), ("--pe", engine or None)):
        if name is not None:
            try:
                model.parse_name(name)
            except ValueError as error:
                raise InvalidValue(where, option, name, str(error)) from None
    timeout, netmask = 0, model.full_netmask(key.family)
    if "-p" in options:
        timeout = _integer(where, "-p", options["-p"], 1, model.MAX_PERSISTENCE_TIMEOUT)
    if "-M" in options:
        try:
            netmask = model.parse_netmask(key.family, options["-M"])
        except ValueError as error:
            raise InvalidValue(where, "-M", options["-M"], str(error)) from None
    flags = 0
    if "-b" in options:
        names = [name for name in options["-b"].split(",") if name]
        flags = model.check_scheduler_flags(where, scheduler or model.DEFAULT_SCHEDULER, names)
        if not names and scheduler in ("sh", "mh"):
            # ipvsadm has no name for the third flag of these two and writes an empty list.
            flags = model.SCHEDULER_FLAG_3
    return SettingsPatch(scheduler, flags, timeout, netmask, engine, "-o" in options)


def _server_key(where: str, service: ServiceKey, options: dict[str, str]) -> RealServerKey:
    if "-r" not in options:
        raise InvalidValue(where, "-r", "", "is needed to name the real server")
    address, port = _endpoint(where, "-r", options["-r"])
    key = RealServerKey(model.family_of(address), address, model.default_port(service) if port is None else port)
    model.check_real_server_key(where, key)
    return key


def _parse_server(where: str, options: dict[str, str]) -> RealServerPatch:
    methods = [
        method for option, method in (("-m", model.NAT), ("-i", model.TUN), ("-g", model.DR)) if option in options
    ]
    checksums = [option for option in _CHECKSUM_OPTIONS if option in options]
    if len(methods) > 1 or len(checksums) > 1:
        raise InvalidValue(where, "-r", options["-r"], "has two options that exclude each other")
    patch = RealServerPatch(methods[0] if methods else None)
    if "-w" in options:
        patch = patch._replace(weight=_integer(where, "-w", options["-w"], 0, model.MAX_WEIGHT))
    if "-x" in options:
        patch = patch._replace(upper_threshold=_integer(where, "-x", options["-x"], 0, model.MAX_THRESHOLD))
    if "-y" in options:
        patch = patch._replace(lower_threshold=_integer(where, "-y", options["-y"], 0, model.MAX_THRESHOLD))
    if patch.forward_method != model.TUN:
        tunnel = [option for option in options if option.startswith("--tun-")]
        if tunnel:
            raise InvalidValue(where, tunnel[0], options[tunnel[0]], "is for -i only")
        return patch
    kind = options.get("--tun-type", "ipip")
    if kind not in model.TUNNEL_TYPES:
        raise InvalidValue(where, "--tun-type", kind, f"must be one of {', '.join(model.TUNNEL_TYPES)}")
    port = _integer(where, "--tun-port", options["--tun-port"], 1, 65535) if "--tun-port" in options else 0
    return patch._replace(
        tunnel_type=model.TUNNEL_TYPES[kind],
        tunnel_port=port,
        tunnel_checksum=sum(_CHECKSUM_OPTIONS[option] for option in checksums),
    )
