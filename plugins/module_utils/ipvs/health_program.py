# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mon's alerts say becomes the table: the program that they call, in the archive that persist.py writes.

PRIVATE to the collection lvs.cluster: may change without notice. Needs pyroute2, but not Ansible.

What mon told is kept in files, one for each watch that fails (`health.FAILED`); the files that drain are read as well.
A service that the role wrote down before and no longer does is taken out, unless it is the role's own by now.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
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

_WATCH = re.compile(r"[A-Za-z0-9_.-]{1,255}")


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


def _note(watch: str, failed: bool) -> None:
    path = os.path.join(health.FAILED, watch)
    if failed:
        with open(path, "w", encoding="utf-8"):
            pass
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def main(words: Sequence[str]) -> int:
    """``apply``, ``failed WATCH`` or ``well WATCH``; the exit status, and on stderr what was done."""
    verb, watch = (*words, "", "")[:2]
    if (verb, len(words)) not in (("apply", 1), ("failed", 2), ("well", 2)):
        return _say("usage: health apply | failed WATCH | well WATCH", 2)
    if len(words) == 2 and (not _WATCH.fullmatch(watch) or watch in (".", "..")):
        return _say(f"{watch!r} is not the name of a watch", 2)
    try:
        if watch:
            _note(watch, verb == "failed")
        with Ipvs() as ipvs:
            outcome = apply(ipvs) if verb == "apply" else follow(ipvs)
    except (OSError, InvalidValue, KernelError, ConvergeError) as error:
        return _say(f"{' '.join(words)}: {error}", 1)
    return _say(f"{' '.join(words)}: {len(outcome.operations)} changes made", 0)


def _say(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status
