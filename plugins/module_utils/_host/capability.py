# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this process may configure the host at all.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import os

from .errors import HostError

_CAP_NET_ADMIN = 12  # include/uapi/linux/capability.h


def require_root(proc: str = "/proc") -> None:
    """Raises HostError unless this is root with CAP_NET_ADMIN: addresses, sysctls and IPVS all ask for it."""
    if os.geteuid() != 0:
        raise HostError("this module has to run as root on the managed host: set become to true")
    with open(os.path.join(proc, "self/status"), encoding="ascii", errors="replace") as stream:
        effective = [line.split()[1] for line in stream if line.startswith("CapEff:")]
    if not int(effective[0], 16) >> _CAP_NET_ADMIN & 1:
        raise HostError("root lacks CAP_NET_ADMIN here (a container?): start the container with --cap-add NET_ADMIN")
