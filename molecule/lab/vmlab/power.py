# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens to machines in a data centre: one loses its power, or stands still for a while."""

from __future__ import annotations

import asyncio
from pathlib import Path

from qemu.qmp import QMPClient, QMPError

from . import labs
from .base import LabError, need_home_of_our_own, need_root

#: QEMU's own command for each (QMP reference: system_reset, stop and cont).
ACTIONS = {"reset": "system_reset", "pause": "stop", "resume": "cont"}


def power(name: str, host_name: str, action: str) -> None:
    """Reset a machine with no warning, stop its processor, or let that go on."""
    need_root()
    need_home_of_our_own()
    host = labs.read(name).host(host_name)
    if not host.image:
        raise LabError(f"{host_name} is a network namespace, and no machine")
    asyncio.run(_tell(labs.folder_of(name) / host_name / "qmp.sock", host_name, ACTIONS[action]))


async def _tell(monitor: Path, name: str, command: str) -> None:
    client = QMPClient(name)
    try:
        await client.connect(str(monitor))
        await client.execute(command)
        await client.disconnect()
    except QMPError as error:
        raise LabError(f"{name}: QEMU: {command}: {error}") from error
