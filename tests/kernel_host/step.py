# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run arp_silence one operation at a time, each failing once: first to put VIPs on, then to remove them.

After each operation, undoing ones included, and after each run it says what happened, and goes on at the next line of
its input. Arguments: the VIPs.
"""

from __future__ import annotations

import subprocess
import sys

from ansible_collections.lvs.cluster.plugins.module_utils._host.arp import converge_silence, parse_silence
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.target import Target


def say(what):
    print(what, flush=True)
    sys.stdin.readline()


def run_command(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class SteppedTarget(Target):
    """Says every operation, and fails at one."""

    fail_at = 0

    def apply(self, operation):
        self.fail_at -= 1
        if self.fail_at == -1:
            raise HostError("injected")
        super().apply(operation)
        say(str(operation))


def run(present, fail_at):
    target = SteppedTarget(run_command)
    target.fail_at = fail_at
    try:
        converge_silence(target, parse_silence(present, sys.argv[1:], "lo", [], True), False)
    except HostError as error:
        say(f"failed: {error}")
        return False
    finally:
        target.close()
    say("done")
    return True


for present in (True, False):
    fail_at = 0
    while not run(present, fail_at):
        fail_at += 1
