# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of the host side. Pure."""

from __future__ import annotations


class HostError(Exception):
    """An error for the user, as one sentence. Modules pass its text to C(fail_json) unchanged."""


class FileError(HostError, OSError):
    """A file or directory that cannot be read, written, made or removed. An OSError for programs without Ansible."""


class MissingLibrary(HostError):
    """A Python library that the host lacks, and the distribution package that holds it."""

    def __init__(self, imported: str, package: str) -> None:
        super().__init__(f"the Python library {imported} is missing (package {package})")
        self.imported = imported
        self.package = package
