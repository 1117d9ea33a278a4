# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run without Ansible: they are in the archive that boot.py writes, and need pyroute2.

`restore`, at boot: applies a rules file to the IPVS table, and sets the timeouts that are in a file beside it. Services
and real servers that the file does not list are unchanged. Lines that
cannot be read, such as those of a newer version, are skipped.

`health`, for root: applies what mon's alerts record to the table. The alerts keep a file for each watch that fails
(`health_state.FAILED`), and then create one that marks a change (`health_state.CHANGED`). systemd starts
this program while that file exists. The program removes it before it reads anything, so no change is lost, whenever it
comes. The drain files are read too. A service that the role recorded before and no longer does is removed, unless the
role manages it itself by now.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from .._host import drain_files, files
from . import health_state, netlink, persist, rules, timeouts
from .converge import ConvergeError, Outcome, converge
from .kernel import Ipvs, KernelError, explain
from .model import InvalidValue, ServicePatch
from .plan import PURGE_REAL_SERVERS, Scope

#: The record of the last complete change of the table.
APPLIED = "/var/lib/lvs-cluster/health.json"
#: Held from reading files to writing the table. Only root can enter the directory and so hold the lock.
LOCK = "/run/lvs-cluster/health.lock"
_PATIENCE = 20.0  # seconds, several times the duration for the largest table
_PAUSE = 0.05  # seconds


def restore(arguments: Sequence[str]) -> int:
    """Restore from the file named by the only argument; return the exit status, with a report on stderr."""
    if len(arguments) != 1:
        _say("usage: ipvs-restore.pyz RULES-FILE")
        return 2
    path = arguments[0]
    beside = os.path.join(os.path.dirname(path), "ipvs.timeouts")
    failed = _set_timeouts(beside) if os.path.exists(beside) else 0
    if os.path.exists(beside) and not os.path.exists(path):
        return failed
    return _restore_table(path) or failed


def _set_timeouts(path: str) -> int:
    unreadable: list[InvalidValue] = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            kept = timeouts.parse_kept(file.read(), path, unreadable.append)
        for problem in unreadable:
            _say(str(problem))
        if not kept:
            _say(f"{path}: no timeouts set")
            return 1
        with Ipvs() as ipvs:
            code = ipvs.command(netlink.SET_CONFIG, timeouts.encode({name: one.value for name, one in kept.items()}))
    except (OSError, InvalidValue, KernelError) as error:
        _say(f"{path}: {error}")
        return 1
    _say(f"{path}: {explain(code)}" if code else f"{path}: {len(kept)} timeouts set")
    return 1 if code or unreadable else 0


def _restore_table(path: str) -> int:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        with Ipvs() as ipvs:
            return _restore(ipvs, path, text)
    except (OSError, InvalidValue, KernelError, ConvergeError) as error:
        _say(f"{path}: {error}")
        return 1


def _restore(ipvs: Ipvs, path: str, text: str) -> int:
    """Restore as much as possible: one wrong line or entry must not prevent all others."""
    unreadable: list[InvalidValue] = []
    patches = rules.parse(text, unreadable.append)
    for error in unreadable:
        _say(f"{path}: {error}")
    written = rules.newer_format(text)
    if written:
        _say(f"{path}: was written by a newer version of lvs.cluster, in format {written}")
    skipped = f", {len(unreadable)} lines skipped" if unreadable else ""
    try:
        outcome = converge(ipvs, patches)
    except ConvergeError:
        if len(patches) < 2:
            raise
    else:
        _say(f"{path}: {len(patches)} virtual services, {len(outcome.operations)} changes made{skipped}")
        return 1 if unreadable else 0
    failed = 0
    for patch in patches:
        try:
            converge(ipvs, [patch])
        except (ConvergeError, InvalidValue) as error:
            failed += 1
            _say(f"{path}: {error}")
    _say(f"{path}: {len(patches) - failed} virtual services restored, {failed} not{skipped}")
    return 1 if failed or unreadable else 0


def present() -> bool:
    """Return True if there are such services on this host."""
    return os.path.exists(health_state.CONFIGURATION)


def wanted() -> list[ServicePatch]:
    """Return the services by the recorded results. For root. Raises OSError and InvalidValue."""
    with _configuration() as entries:
        return _now(entries)


def follow(ipvs: Ipvs) -> Outcome:
    """Apply the recorded services and results. For root. Raises what converge raises, and OSError."""
    with _configuration() as entries:
        return converge(ipvs, _now(entries), Scope(PURGE_REAL_SERVERS))


def apply(ipvs: Ipvs) -> Outcome:
    """Like `follow`, and remove services that are no longer recorded."""
    with _configuration() as entries:
        former = frozenset(health_state.keys(_applied()) - health_state.keys(entries) - persist.recorded().keys())
        outcome = converge(ipvs, _now(entries), Scope(PURGE_REAL_SERVERS, retired=former))
        services = [{"service": entry["service"]} for entry in entries]
        if services != _applied():
            files.write_bytes(APPLIED, json.dumps(services).encode())
        return outcome


def _now(entries: Sequence[Mapping[str, Any]]) -> list[ServicePatch]:
    return health_state.wanted(entries, drain_files.read(drain_files.DIRECTORY), _failed())


@contextlib.contextmanager
def _configuration() -> Iterator[list[Mapping[str, Any]]]:
    """Hold the lock and yield the configuration that the role wrote."""
    with _turn(), open(health_state.CONFIGURATION, encoding="utf-8") as file:
        yield _parsed(file)


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Hold the lock until the block ends. Raises OSError if another process does not release it."""
    os.makedirs(os.path.dirname(LOCK), mode=0o700, exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    reason = f"another process has held this lock for {_PATIENCE:g} seconds"
                    raise TimeoutError(errno.ETIMEDOUT, reason, LOCK) from None
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


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
        return os.listdir(health_state.FAILED)
    except FileNotFoundError:
        return []  # mon does not run, so there are no failures


def _forget_change() -> str:
    """Remove the file that marks a change; return the reason if that fails."""
    try:
        os.unlink(health_state.CHANGED)
    except FileNotFoundError:
        pass
    except OSError as error:
        return str(error)
    return ""


def health(words: Sequence[str]) -> int:
    """Run ``apply``; return the exit status, with a report on stderr."""
    if list(words) != ["apply"]:
        return _say("usage: health apply", 2)
    problem = _forget_change()  # before anything is read
    try:
        with Ipvs() as ipvs:
            outcome = apply(ipvs)
    except (OSError, InvalidValue, KernelError, ConvergeError) as error:
        return _say(f"apply: {error}", 1)
    _say(f"apply: {len(outcome.operations)} changes made", 0)
    return _say(f"apply: {problem}", 1) if problem else 0


def _say(text: str, status: int = 0) -> int:
    sys.stderr.write(f"{text}\n")
    return status
