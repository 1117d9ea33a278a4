# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At boot: bring the IPVS table to what a rules file describes, and set the timeouts that are in a file beside it.

The main program of the archive that persist.py writes.

PRIVATE to the collection lvs.cluster: may change without notice. Needs pyroute2, but not Ansible.

Services that the file does not mention are left alone, and so are real servers that it does not list. Lines that cannot
be read, such as those of a newer version, are skipped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from . import rules, timeouts, uapi
from .converge import ConvergeError, converge
from .kernel import Ipvs, KernelError, explain
from .model import InvalidValue


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(arguments: Sequence[str]) -> int:
    """Restore from the file named by the only argument; returns the exit status and says on stderr what was done."""
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
            code = ipvs.command(uapi.SET_CONFIG, timeouts.encode({name: one.value for name, one in kept.items()}))
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
    """Restore as much as can be: one bad line or entry must not leave the host without all the others."""
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
