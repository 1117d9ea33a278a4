# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules of the host side have: argument specifications.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

from typing import Any


def tunnels() -> dict[str, Any]:
    """The ends of tunnels."""
    return {
        "type": "list",
        "elements": "dict",
        "options": {
            "address": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["ipip", "gue", "gre"], "default": "ipip"},
            "families": {"type": "list", "elements": "str", "choices": ["ipv4", "ipv6"]},
            "port": {"type": "int"},
            "checksum": {"type": "str", "choices": ["none", "csum", "remcsum"], "default": "none"},
        },
    }


def replies() -> dict[str, Any]:
    """What replies come from."""
    return {
        "type": "list",
        "elements": "dict",
        "options": {
            "address": {"type": "str", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp", "sctp"]},
            "port": {"type": "int", "default": 0},
        },
    }
