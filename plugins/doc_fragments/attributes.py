# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that the modules of this collection document alike.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of modules; a module adds the support of each that has none here."""

    # Every module that changes something.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns details on what has changed (or in check mode would change) when in diff mode.
    support: full
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second run indicates no change.
    support: full
  platform:
    description: The platform of the target host. The module requires root (CAP_NET_ADMIN), also in check mode.
    support: full
    platforms: linux
"""

    # Modules that only read.
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the changed status prediction without modifying the target.
    support: full
    details: This module changes nothing.
  diff_mode:
    description: Returns details on what has changed (or in check mode would change) when in diff mode.
    support: N/A
    details: This module changes nothing.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second run indicates no change.
    support: full
    details: This module changes nothing.
  platform:
    description: The platform of the target host. The module requires root (CAP_NET_ADMIN), also in check mode.
    support: full
    platforms: linux
"""

    # Membership in the action group of all modules; the conformance checks ask for this fragment by name.
    ACTIONGROUP_LVS = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/lvs.cluster.lvs) in C(module_defaults) to set defaults for all modules of this collection.
    support: full
    membership:
      - lvs.cluster.lvs
"""
