# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mon's alerts write down becomes the table: the program that they call, in the archive that persist.py writes.

PRIVATE to the collection lvs.cluster: may change without notice. Needs pyroute2, but not Ansible.

The alerts keep a file for each watch that fails (`health.FAILED`); the files that drain are read as well.
A service that the role wrote down before and no longer does is taken out, unless it is the role's own by now.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from . import drain_files, health
from .converge import ConvergeError, Outcome, converge
from .kernel import Ipvs, KernelError
from .model import InvalidValue, ServicePatch
from .plan import PURGE_REAL_SERVERS, Scope

#: What was written down when the table was last brought in line as a whole.
APPLIED = "/var/lib/lvs-cluster/health.json"


def present() -> bool:
    """Whether there are such services on this host."""
    return os.path.exists(health.CONFIGURATION)


def follow(ipvs: Ipvs) -> Outcome:
    """Bring the services in line with what is known. Raises what converge raises, and OSError."""
    with _configuration() as entries:
        return converge(ipvs, _now(entries), Scope(PURGE_REAL_SERVERS))


def apply(ipvs: Ipvs) -> Outcome:
    """Like `follow`, and take out those that are no longer written down. For root."""
    from . import persist  # which imports this

    with _configuration() as entries:
        former = frozenset(health.keys(_applied()) - health.keys(entries) - persist.recorded().keys())
        outcome = converge(ipvs, _now(entries), Scope(PURGE_REAL_SERVERS, retired=former))
        persist.write(APPLIED, json.dumps([{"service": entry["service"]} for entry in entries]).encode())
        return outcome


def _now(entries: Sequence[Mapping[str, Any]]) -> list[ServicePatch]:
    return health.wanted(entries, drain_files.read(drain_files.DIRECTORY), _failed())


@contextlib.contextmanager
def _configuration() -> Iterator[list[Mapping[str, Any]]]:
    """What the role wrote, and the turn of whoever reads it: root and mon's user alike may lock what they may read."""
    with open(health.CONFIGURATION, encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield _parsed(file)


def _applied() -> list[Mapping[str, Any]]:
    try:
        with open(APPLIED, encoding="utf-8") as file:
            return _parsed(file)
    except FileNotFoundError:
        return []


def _parsed(file: TextIO) -> list[Mapping[str, Any]]:
    try:
        found: list[Mapping[str, Any]] = json.load(file)
    except ValueError as error:
        raise InvalidValue(file.name, "services", str(error), "is not what the role director writes") from error
    return found


def _failed() -> list[str]:
    try:
        return os.listdir(health.FAILED)
    except FileNotFoundError:
        return []  # mon does not run, and nobody says that anything has failed


def main(words: Sequence[str]) -> int:
    """``apply`` or ``follow``; the exit status, and on stderr what was done."""
    verbs = {"apply": apply, "follow": follow}
    if len(words) != 1 or words[0] not in verbs:
        return _say(f"usage: health {' | '.join(verbs)}", 2)
    try:
        with Ipvs() as ipvs:
            outcome = verbs[words[0]](ipvs)
    except (OSError, InvalidValue, KernelError, ConvergeError) as error:
        return _say(f"{words[0]}: {error}", 1)
    return _say(f"{words[0]}: {len(outcome.operations)} changes made", 0)


def _say(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status
