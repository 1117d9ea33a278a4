# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that say which real servers are drained, whoever owns their services: keepalived watches the same ones.

PRIVATE to the collection lvs.cluster: may change without notice. The pure part comes first.

A file is named after the address and holds a number. As keepalived reads it (keepalived/trackers/track_file.c), one
that is empty or not there counts as 0, and 0 is not drained.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Sequence

from . import model
from .model import RealServerPatch, ServicePatch

DIRECTORY = "/var/lib/lvs-cluster/drain"
_DRAINED = b"1\n"
_NUMBER = re.compile(rb"\s*[-+]?([0-9]+)")


def without_weight(patches: Iterable[ServicePatch], drained: Collection[bytes]) -> list[ServicePatch]:
    """The same patches with weight 0 for the real servers whose packed address is among ``drained``."""
    return [_without_weight(patch, drained) for patch in patches] if drained else list(patches)


def _without_weight(patch: ServicePatch, drained: Collection[bytes]) -> ServicePatch:
    servers = patch.real_servers or {}
    quiesced: dict[model.RealServerKey, RealServerPatch] = {
        key: server._replace(weight=0)
        for key, server in servers.items()
        if key.address in drained and not server.absent
    }
    return patch._replace(real_servers={**servers, **quiesced}) if quiesced else patch


def says_drained(content: bytes) -> bool:
    """Whether a file with this content drains."""
    number = _NUMBER.match(content)
    return number is not None and int(number[1]) != 0


def read(directory: str) -> set[bytes]:
    """The packed addresses of the real servers that are drained; none where there is no such directory.

    Raises OSError where it cannot be read. Files that are not named after an address are somebody else's.
    """
    drained: set[bytes] = set()
    try:
        names: Sequence[str] = os.listdir(directory)
    except FileNotFoundError:
        return drained
    for name in names:
        try:
            address = model.pack_address(name)
        except ValueError:
            continue
        with (
            contextlib.suppress(FileNotFoundError, IsADirectoryError),
            open(os.path.join(directory, name), "rb") as file,
        ):
            if says_drained(file.read(64)):
                drained.add(address)
    return drained


def write(directory: str, addresses: Iterable[bytes]) -> None:
    """Drain these. Raises OSError. Written in place: to keepalived each is a file that comes or is written again."""
    os.makedirs(directory, mode=0o755, exist_ok=True)
    for address in sorted(addresses):
        with open(os.path.join(directory, model.address_text(address)), "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(_DRAINED)


def remove(directory: str, addresses: Iterable[bytes]) -> None:
    """Drain these no longer, however their file's name spells the address. Raises OSError."""
    wanted = frozenset(addresses)
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        with contextlib.suppress(ValueError, FileNotFoundError):
            if model.pack_address(name) in wanted:
                os.unlink(os.path.join(directory, name))
