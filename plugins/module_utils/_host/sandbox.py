# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox lines of a systemd service, for all units that this collection writes. Pure.

The settings are those of systemd.exec(5). Units that write sysctls get no ProtectKernelTunables. No unit gets
PrivateNetwork or PrivateUsers, because they change the host's own network.
"""

from __future__ import annotations

from collections.abc import Sequence

_SHARED = """\
NoNewPrivileges=yes
CapabilityBoundingSet={capabilities}
PrivateMounts=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""
# A unit without default dependencies may run before the root file system is writable. systemd 252 makes a directory
# in /tmp for PrivateDevices (core/namespace.c: mount_private_dev), and PrivateTmp waits for systemd-tmpfiles-setup.
_EARLY = """\
ProtectSystem=strict
ProtectHome=yes
DevicePolicy=closed
MemoryDenyWriteExecute=yes
UMask=0077
"""
# An interpreter of Python may be below a home directory.
_PROGRAM = """\
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
MemoryDenyWriteExecute=yes
UMask=0077
"""
# Commands of health checks may be anywhere, write below /run and /var, and be written in languages that are compiled
# while they run. They see other processes, which some of them check.
_CHECKER = """\
ProtectSystem=full
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
"""


def early(*capabilities: str) -> str:
    """Return the lines for a unit that sets up the network at boot with ``ip``, ``nft`` and sysctls."""
    return _lines(_EARLY, capabilities)


def program(*capabilities: str) -> str:
    """Return the lines for a program of this collection that runs after the basic boot, and sets no sysctl."""
    return _lines(_PROGRAM, capabilities)


def checker(*capabilities: str) -> str:
    """Return the lines for a health checker, whose children run commands that users describe."""
    return _lines(_CHECKER, capabilities)


def _lines(own: str, capabilities: Sequence[str]) -> str:
    return _SHARED.format(capabilities=" ".join(capabilities)) + own
