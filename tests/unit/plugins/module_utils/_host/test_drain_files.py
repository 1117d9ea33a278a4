# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that drain: what their content says, and whose they are."""

from __future__ import annotations

from pathlib import Path
from socket import AF_INET6, inet_aton, inet_pton

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files

IPV4, IPV6 = inet_aton("192.0.2.11"), inet_pton(AF_INET6, "2001:db8::11")


@pytest.mark.parametrize("content", [b"1\n", b"1", b"  2\n", b"-1\n", b"+1", b"01"])
def test_drained(content: bytes) -> None:
    assert drain_files.says_drained(content)


@pytest.mark.parametrize("content", [b"", b"\n", b"0\n", b"00", b"yes\n", b"-\n"])
def test_not_drained(content: bytes) -> None:
    assert not drain_files.says_drained(content)


def test_written_read_and_removed(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    assert drain_files.read(str(directory)) == set()
    drain_files.remove(str(directory), [IPV4])
    drain_files.write(str(directory), [IPV6, IPV4])
    assert sorted(path.name for path in directory.iterdir()) == ["192.0.2.11", "2001:db8::11", "[2001:db8::11]"]
    (directory / "director").write_text("1\n")
    (directory / "[192.0.2.12]").write_text("1\n")  # nobody's
    assert drain_files.read(str(directory)) == {IPV4, IPV6}
    (directory / "[192.0.2.12]").unlink()
    (directory / "2001:db8::11").rename(directory / "2001:DB8:0::11")  # as somebody may have spelt it
    assert drain_files.read(str(directory)) == {IPV4, IPV6}
    drain_files.remove(str(directory), [IPV6])
    assert sorted(path.name for path in directory.iterdir()) == ["192.0.2.11", "director"]


@pytest.mark.usefixtures("_umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    drain_files.write(str(tmp_path / "a" / "b"), [IPV6, IPV4])
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    files = dict.fromkeys(["192.0.2.11", "2001:db8::11", "[2001:db8::11]"], 0o644)
    assert modes == {"a": 0o755, "b": 0o755, **files}
    with pytest.raises(OSError, match="cannot make the directory"):
        drain_files.write(str(tmp_path / "a" / "b" / "192.0.2.11" / "c"), [IPV4])
