# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the tree, for tools that must not see the repository around it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from antsibull_fileutils.copier import Copier, GitCopier
from antsibull_fileutils.vcs import detect_vcs

ROOT = Path(__file__).resolve().parent.parent
# Left out of a copy where git cannot say what belongs to the tree.
NOT_CONTENT = [".ansible", ".build", ".git", ".lab", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".venv"]

# A checkout that belongs to another user (run through sudo, mounted into a container) is still this repository.
os.environ.setdefault("GIT_CONFIG_COUNT", "1")
os.environ.setdefault("GIT_CONFIG_KEY_0", "safe.directory")
os.environ.setdefault("GIT_CONFIG_VALUE_0", str(ROOT))


@contextmanager
def copy_of_the_tree() -> Iterator[tuple[Path, Path]]:
    """Copy what git tracks or would track to a place of its own: yields the collections path and the collection in it.

    For tools that follow the link, or that walk up from the collection and take the repository above it for its own.
    """
    with tempfile.TemporaryDirectory(prefix="lvs-cluster-") as place:
        tree = Path(place) / "ansible_collections" / "lvs" / "cluster"
        tree.parent.mkdir(parents=True)
        copier = GitCopier() if detect_vcs(ROOT) == "git" else Copier()
        copier.copy(ROOT, tree, exclude_root=NOT_CONTENT)
        yield Path(place), tree
