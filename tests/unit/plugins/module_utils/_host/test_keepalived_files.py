# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the way of the file in which keepalived answers, in a directory where anybody can make something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.running_keepalived import clear


@pytest.fixture(name="path")
def file_of_keepalived(tmp_path: Path) -> Path:
    return tmp_path / "keepalived.data"


def test_nothing_is_in_the_way(path: Path) -> None:
    clear(str(path))


def test_files_go(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    elsewhere.mkdir()
    for make in (path.touch, lambda: os.mkfifo(path), lambda: path.symlink_to(elsewhere)):
        make()
        clear(str(path))
        assert not path.is_symlink()
        assert not path.exists()
    assert elsewhere.is_dir()


def test_a_directory_goes_aside_with_what_is_in_it(path: Path) -> None:
    path.mkdir()
    clear(str(path))
    assert not list(path.parent.iterdir())
    path.mkdir()
    (path / "file").write_text("kept")
    clear(str(path))
    assert not path.exists()
    (aside,) = path.parent.iterdir()
    assert aside.stat().st_mode & 0o777 == 0o700
    assert (aside / path.name / "file").read_text() == "kept"


def test_what_cannot_be_moved_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.mkdir()

    def busy(*_paths: str) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "rmdir", busy)
    monkeypatch.setattr(os, "rename", busy)
    with pytest.raises(HostError, match=r"cannot move the directory .*keepalived\.data, .*: Device or resource busy"):
        clear(str(path))
