# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on the host, through AnsibleModule.run_command.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .systemd import SEARCH_PATH, RunCommand

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def runner(module: AnsibleModule) -> RunCommand:
    """Return what runs commands for a module, as `systemd.RunCommand` says."""

    def run_command(command: list[str]) -> tuple[int, str, str]:
        try:
            status, output, errors = module.run_command(
                command,
                environ_update={"LC_ALL": "C", "PATH": SEARCH_PATH},
                errors="replace",
                expand_user_and_vars=False,
                handle_exceptions=False,
            )
        except OSError as error:
            return 127, "", f"{command[0]}: {error.strerror}"
        return status, output, errors

    return run_command
