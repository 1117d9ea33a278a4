# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's home: only where no other user can put something into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from vmlab import base


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LVS_LAB_HOME", str(tmp_path / "above" / "lab"))
    monkeypatch.setenv("SUDO_UID", "0")
    return tmp_path / "above" / "lab"


def test_a_home_is_made_where_there_is_none(place: Path) -> None:
    base.need_home_of_our_own()
    assert place.is_dir()


@pytest.mark.parametrize(
    ("above", "mode", "good"),
    [
        (0o755, 0o700, True),
        (0o1777, 0o755, True),
        (0o777, 0o755, False),
        (0o775, 0o755, False),
        (0o755, 0o777, False),
        (0o755, 0o1777, False),
        (0o755, 0o775, False),
    ],
)
def test_a_home_that_others_may_write_to_is_refused(place: Path, above: int, mode: int, good: bool) -> None:
    place.mkdir(parents=True)
    place.chmod(mode)
    place.parent.chmod(above)
    if good:
        base.need_home_of_our_own()
        return
    with pytest.raises(base.LabError, match="is no safe place for the lab: other users may write to"):
        base.need_home_of_our_own()


@pytest.mark.skipif(os.geteuid() != 0, reason="chown needs root; make test runs as root, make check need not")
def test_the_user_who_called_sudo_may_own_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir(parents=True)
    os.chown(place, 12345, 12345)
    with pytest.raises(base.LabError, match="other users may write"):
        base.need_home_of_our_own()
    monkeypatch.setenv("SUDO_UID", "12345")
    base.need_home_of_our_own()


def test_a_link_counts_for_what_it_points_to(place: Path, tmp_path: Path) -> None:
    place.parent.mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    place.symlink_to(tmp_path / "open")
    with pytest.raises(base.LabError, match=r"other users may write to .*/open;"):
        base.need_home_of_our_own()
