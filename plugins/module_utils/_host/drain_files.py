# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of drained real servers as files, for services of every owner. keepalived reads the same files.

Addresses are packed: 4 or 16 bytes.

A file is named after the address and holds a number. As in keepalived (keepalived/trackers/track_file.c), an empty or
missing file counts as 0, and 0 is not drained. ldirectord only checks that a file exists, and writes an IPv6 address in
brackets (ldirectord, _check_real_for_maintenance): so such an address has two files.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from socket import AF_INET, AF_INET6, inet_pton

from .files import make_directories
from .validate import packed_text

DIRECTORY = "/var/lib/lvs-cluster/drain"
_DRAINED = b"1\n"
_NUMBER = re.compile(rb"\s*[-+]?([0-9]+)")


def says_drained(content: bytes) -> bool:
    """Return True if a file with this content drains."""
    number = _NUMBER.match(content)
    return number is not None and int(number[1]) != 0


def read(directory: str) -> set[bytes]:
    """Return the packed addresses of the real servers that are drained; none if there is no such directory.

    Raises OSError if it cannot be read. Files that are not named after an address are ignored.
    """
    drained: set[bytes] = set()
    try:
        names: Sequence[str] = os.listdir(directory)
    except FileNotFoundError:
        return drained
    for name in names:
        try:
            address = _address_of(name)
        except ValueError:
            continue
        with (
            contextlib.suppress(FileNotFoundError, IsADirectoryError),
            open(os.path.join(directory, name), "rb") as file,
        ):
            if says_drained(file.read(64)):
                drained.add(address)
    return drained


def _address_of(name: str) -> bytes:
    """Return the packed address that a file is named after; ValueError if it is none."""
    bracketed = name[1:-1] if name.startswith("[") and name.endswith("]") else ""
    text = bracketed if ":" in bracketed else name
    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except OSError as error:
        raise ValueError(f"{name} is not an IP address") from error


def _names(address: bytes) -> list[str]:
    text = packed_text(address)
    return [text, f"[{text}]"] if ":" in text else [text]


def write(directory: str, addresses: Iterable[bytes]) -> None:
    """Drain these. Raises OSError. Files are written in place, so keepalived detects a new or changed file."""
    make_directories(directory)
    for name in (name for address in sorted(addresses) for name in _names(address)):
        with open(os.path.join(directory, name), "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(_DRAINED)


def remove(directory: str, addresses: Iterable[bytes]) -> None:
    """End the drain of these, for any spelling of the address in a file's name. Raises OSError."""
    wanted = frozenset(addresses)
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        with contextlib.suppress(ValueError, FileNotFoundError):
            if _address_of(name) in wanted:
                os.unlink(os.path.join(directory, name))
