# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognise hosts that forwarded packets before this collection switched forwarding on.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from collections.abc import Iterable

from .files import read_text
from .kernel_plan import RECORD_FILE
from .procsys import read_sysctls
from .record import parse_record

KEYS = {"ipv4": "net/ipv4/ip_forward", "ipv6": "net/ipv6/conf/all/forwarding"}


def routers_before(families: Iterable[str]) -> list[tuple[str, str]]:
    """Return the families in which the host forwarded packets by itself, each with the sysctl. Raises HostError.

    Where ipvs_kernel has set the sysctl, its record has the value from before.
    """
    original = parse_record(RECORD_FILE, read_text(RECORD_FILE)).originals()
    keys = {family: KEYS[family] for family in families}
    now = read_sysctls(keys.values())
    return [(family, key) for family, key in keys.items() if original.get(key, now[key]) not in (None, "0")]
