# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the language can say and the roles cannot do yet, refused by name. Private to the collection.

The description is validated as a whole language; a role that took a part of it in silence would leave a cluster that
looks right and is not. Each entry below is one refusal, and goes away with the feature it waits for.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.lvs.cluster.plugins.plugin_utils.problems import Problems
from ansible_collections.lvs.cluster.plugins.plugin_utils.services import Service

#: Keys that wait: the attribute of `Service`, and why.
KEYS = {
    "health_check": "the roles do not configure health checks yet",
    "sorry_server": "the roles do not configure sorry servers yet",
}


def refuse_unsupported(services: Iterable[Service], problems: Problems) -> None:
    """Note every part of the description that this version validates but does not build."""
    for service in services:
        for key, reason in KEYS.items():
            if getattr(service, key):
                problems.add(service.where, key, f"is not supported in this version: {reason}")
