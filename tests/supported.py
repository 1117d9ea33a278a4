# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection supports on the controller. Everything else that names versions is compared with this.

A unit test compares the documents and settings. `make lock` writes a lock file for each release.
"""

from __future__ import annotations

#: Minor releases of ansible-core, the oldest first, each with the releases of Python that its controller supports:
#: the support matrix in https://docs.ansible.com/ansible/latest/reference_appendices/release_and_maintenance.html.
#: The tests use the first of these that is installed. The first ones differ, so that as many as possible are tested.
ANSIBLE_CORE = {
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.13", "3.12", "3.14"),
}


def numbers(version: str) -> tuple[int, ...]:
    """Return a version in a form that compares."""
    return tuple(map(int, version.split(".")))


def oldest_python() -> str:
    """Return the oldest Python that any supported ansible-core runs on."""
    return min((one for pythons in ANSIBLE_CORE.values() for one in pythons), key=numbers)
