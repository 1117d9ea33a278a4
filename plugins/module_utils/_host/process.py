# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of this process, and its commands. Works without Ansible: programs at boot use it too."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Callable

from .errors import HostError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_CAP_NET_ADMIN = 12  # include/uapi/linux/capability.h

UNIT_DIRECTORY = "/etc/systemd/system"
#: The search path for commands. A login by SSH may lack the last ones, even root's.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"

#: Runs a command without a shell, in English, and returns exit status, standard output and standard error. The status
#: of a command that cannot be started is 127. `runner` makes one.
RunCommand = Callable[[list[str]], tuple[int, str, str]]


def has_net_admin(proc: str = "/proc") -> bool:
    """Return True if this process has CAP_NET_ADMIN, according to /proc. Raises OSError and ValueError."""
    with open(os.path.join(proc, "self/status"), encoding="ascii", errors="replace") as stream:
        effective = next((line.split()[1] for line in stream if line.startswith("CapEff:")), None)
    return effective is None or bool(int(effective, 16) >> _CAP_NET_ADMIN & 1)


def require_root(proc: str = "/proc") -> None:
    """Raise HostError unless this is root with CAP_NET_ADMIN, which addresses, sysctls and IPVS need."""
    if os.geteuid() != 0:
        raise HostError("this module has to run as root on the managed host: set become to true")
    if not has_net_admin(proc):
        raise HostError("root lacks CAP_NET_ADMIN here (a container?): start the container with --cap-add NET_ADMIN")


def has_command(name: str) -> bool:
    """Return True if this command is on SEARCH_PATH."""
    return shutil.which(name, path=SEARCH_PATH) is not None


def booted(root: str = "/") -> bool:
    """Return True if systemd is the init system of this host: the test of sd_booted(3)."""
    return os.path.isdir(os.path.join(root, "run/systemd/system"))


def systemctl(run: RunCommand, *words: str) -> None:
    """Run systemctl. Raises HostError with the last line that it wrote."""
    status, output, errors = run(["systemctl", *words])
    if status != 0:
        lines = (errors.strip() or output.strip() or f"exit status {status}").splitlines()
        raise HostError(f"systemctl {' '.join(words)} failed: {lines[-1]}")


def runner(module: AnsibleModule) -> RunCommand:
    """Return a `RunCommand` for a module."""

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
