# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IPVS says in /proc and not over netlink: totals, connections, and which schedulers the kernel can have.

PRIVATE to the collection lvs.cluster: may change without notice. The parsers are pure and come first.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from . import model, wire
from .model import ServiceKey

STATS = "/proc/net/ip_vs_stats"
CONNECTIONS = "/proc/net/ip_vs_conn"
MODULES = "/proc/modules"
SERVICES = "/proc/net/ip_vs"

_MODULE = re.compile(r"(?:^|/)ip_vs_([a-z0-9_]+)(?:\.ko|\s|$)", re.MULTILINE)
_NO_SCHEDULERS = frozenset(["ftp"])  # the one application helper
_ENGINE = "pe_"


def parse_totals(text: str) -> tuple[dict[str, int], dict[str, int]]:
    """Counters and rates of /proc/net/ip_vs_stats (ip_vs_stats_show: hexadecimal), named as those of a service."""
    numbers = []
    for line in text.splitlines():
        try:
            values = [int(word, 16) for word in line.split()]
        except ValueError:
            continue
        if len(values) == len(wire.COUNTERS):
            numbers.append(dict(zip(wire.COUNTERS, values)))
    nothing = dict.fromkeys(wire.COUNTERS, 0)
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (nothing, dict(nothing))


def _address(text: str) -> str:
    """``C0A80001`` or ``[2001:0db8:...]`` as canonical text."""
    if len(text) == 8 and ":" not in text:
        return socket.inet_ntop(socket.AF_INET, bytes.fromhex(text))
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text.strip("[]")))


def parse_connections(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The entries of /proc/net/ip_vs_conn (ip_vs_conn_seq_show); without lines of another form, as the headings."""
    for line in lines:
        words = line.split()
        if len(words) < 9:
            continue
        try:
            entry = _connection(words)
        except (OSError, ValueError):
            continue
        yield entry


def _connection(words: list[str]) -> dict[str, Any]:
    client, client_port, vip, port, server, server_port = words[1:7]
    entry = {
        "protocol": words[0].lower(),
        "client_address": _address(client),
        "client_port": int(client_port, 16),
        "address": _address(vip),
        "port": int(port, 16),
        "real_server_address": _address(server),
        "real_server_port": int(server_port, 16),
        "state": words[7],
        "expires": int(words[8]),
    }
    if len(words) > 9:
        entry["persistence_engine"] = words[9]
        entry["persistence_data"] = " ".join(words[10:])
    return entry


_SERVICE = re.compile(r"(TCP|UDP|SCTP)\s+(\[[0-9a-fA-F:]+\]|[0-9A-F]{8}):([0-9A-F]{4})\s")
_MARK = re.compile(r"FWM\s+([0-9A-F]{8})\s")


def parse_services(lines: Iterable[str]) -> Iterator[ServiceKey]:
    """The virtual services of /proc/net/ip_vs (ip_vs_ctl.c: ip_vs_info_seq_show).

    It does not say the family of one with a firewall mark, so such a one is there in both.
    """
    for line in lines:
        service, mark = _SERVICE.match(line), _MARK.match(line)
        if service:
            packed = model.pack_address(_address(service[2]))
            protocol = model.PROTOCOLS[service[1].lower()]
            yield ServiceKey(0, model.family_of(packed), protocol, packed, int(service[3], 16))
        elif mark:
            for family in model.FAMILY_NAMES:
                yield ServiceKey(int(mark[1], 16), family, 0, b"", 0)


def services(path: str = SERVICES) -> set[ServiceKey]:
    """Every virtual service; none if IPVS is not loaded."""
    try:
        with open(path, encoding="ascii", errors="replace") as lines:
            return set(parse_services(lines))
    except OSError:
        return set()


def parse_modules(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Schedulers and persistence engines by the names of their modules, in lists of modules of any form."""
    names = {name for text in texts for name in _MODULE.findall(text)} - _NO_SCHEDULERS
    engines = sorted(name[len(_ENGINE) :] for name in names if name.startswith(_ENGINE))
    return sorted(name for name in names if not name.startswith(_ENGINE)), engines


def totals(path: str = STATS) -> tuple[dict[str, int], dict[str, int]]:
    """Counters and rates of everything; zeros where IPVS is not loaded."""
    return parse_totals(_text(path))


def connections(path: str = CONNECTIONS) -> list[dict[str, Any]]:
    """Every connection and template; none where IPVS is not loaded."""
    try:
        with open(path, encoding="ascii", errors="replace") as lines:
            return list(parse_connections(lines))
    except OSError:
        return []


def available(root: str = "/lib/modules") -> tuple[list[str], list[str]]:
    """Schedulers and persistence engines that the running kernel has, loaded or not."""
    directory = os.path.join(root, os.uname().release)
    files = [MODULES, *(os.path.join(directory, name) for name in ("modules.order", "modules.builtin"))]
    return parse_modules(_text(path) for path in files)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
