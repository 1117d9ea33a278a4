# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs at boot."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import task
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import boot

SYSTEM = task.SYSTEM_PYTHON
OTHER = "/opt/app/bin/python3.11"


class Pythons:
    """Answers the probe of those that are there: where each finds pyroute2, or None."""

    def __init__(self, **libraries: str | None) -> None:
        self.libraries: dict[str, str | None] = dict(libraries)

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        assert command[1:3] == ["-I", "-c"]
        if command[0] not in self.libraries:
            return 127, "", f"{command[0]}: No such file or directory"
        found = self.libraries[command[0]]
        return (1, "", "") if found is None else (0, f"{found}\n", "")


class Files:
    """lstat of files that all belong to root, but for what is said here: owner, mode by path."""

    def __init__(self, **differing: tuple[int, int]) -> None:
        self.differing: dict[str, tuple[int, int]] = dict(differing)

    def __call__(self, path: str) -> os.stat_result:
        owner, mode = self.differing.get(path, (0, stat.S_IFDIR | 0o755))
        return os.stat_result((mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))


@pytest.fixture(autouse=True)
def _root_owns_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "_lstat", Files())
    monkeypatch.setattr(sys, "executable", OTHER)


def command(pythons: Pythons, installed: str | None = None) -> str:
    return boot.boot_command(pythons, installed)


def test_the_systems_python_runs_at_boot_whichever_one_runs_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Pythons(**{SYSTEM: "/usr/lib/python3/dist-packages/pyroute2", OTHER: "/opt/app/lib/pyroute2"})
    for name in (OTHER, "/usr/bin/python3.11", SYSTEM, ""):
        monkeypatch.setattr(sys, "executable", name)
        assert command(both) == "/usr/bin/python3 -I"
    assert command(both, installed=OTHER) == "/usr/bin/python3 -I"


@pytest.mark.parametrize("libraries", [{SYSTEM: None}, {}])
def test_another_one_of_roots_runs_at_boot_where_the_systems_has_no_library(libraries: dict[str, str | None]) -> None:
    assert command(Pythons(**libraries, **{OTHER: "/opt/app/lib/pyroute2"})) == f"{OTHER} -I"


def test_the_one_that_is_installed_stays_as_long_as_it_works() -> None:
    both = Pythons(**{SYSTEM: None, OTHER: "/opt/app/lib/pyroute2", "/opt/old/python3": "/opt/old/lib/pyroute2"})
    assert command(both, installed="/opt/old/python3") == "/opt/old/python3 -I"
    del both.libraries["/opt/old/python3"]
    assert command(both, installed="/opt/old/python3") == f"{OTHER} -I"


@pytest.mark.parametrize(
    ("path", "owner", "mode"),
    [
        (OTHER, 1000, stat.S_IFREG | 0o755),
        (OTHER, 0, stat.S_IFREG | 0o775),
        ("/opt/app", 1000, stat.S_IFDIR | 0o755),
        ("/opt", 0, stat.S_IFDIR | 0o1777),
        ("/opt/app/lib/pyroute2", 0, stat.S_IFDIR | 0o757),
    ],
)
def test_one_that_others_may_change_never_runs_at_boot(
    monkeypatch: pytest.MonkeyPatch, path: str, owner: int, mode: int
) -> None:
    monkeypatch.setattr(boot, "_lstat", Files(**{path: (owner, mode)}))
    with pytest.raises(HostError) as caught:
        command(Pythons(**{SYSTEM: None, OTHER: "/opt/app/lib/pyroute2"}))
    assert str(caught.value) == (
        "persist: no Python of this host can restore the IPVS table at boot:"
        f" /usr/bin/python3 does not find pyroute2, and {OTHER} is not used because users other than root may change"
        f" {path}; install pyroute2 for /usr/bin/python3 (Debian and Ubuntu: python3-pyroute2)"
    )


def test_links_are_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/python").touch()
    (tmp_path / "link").symlink_to("real/python")
    real = str(tmp_path.resolve() / "real")
    links = {str(tmp_path / "link"): (0, stat.S_IFLNK | 0o777)}
    monkeypatch.setattr(boot, "_lstat", Files(**links))
    assert boot.open_to_others(str(tmp_path / "link")) is None
    monkeypatch.setattr(boot, "_lstat", Files(**{**links, real: (0, stat.S_IFDIR | 0o777)}))
    assert boot.open_to_others(str(tmp_path / "link")) == real


def test_a_name_that_systemd_would_read_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my app/bin/python%i")
    with pytest.raises(HostError, match=r"and /opt/my app/bin/python%i is not used because of its name; install"):
        command(Pythons(**{SYSTEM: None, "/opt/my app/bin/python%i": "/opt/lib/pyroute2"}))


def test_nothing_is_wrong_with_a_host_that_has_no_library_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in check mode before the packages are installed; a real run fails without the library anyway."""
    monkeypatch.setattr(boot, "find_spec", lambda _name: None)
    assert command(Pythons(**{SYSTEM: None, OTHER: None})) == "/usr/bin/python3 -I"


def test_a_library_that_only_the_environment_of_the_task_has_is_none() -> None:
    with pytest.raises(HostError, match=f"/usr/bin/python3 does not find pyroute2, and {OTHER} does not either; in"):
        command(Pythons(**{SYSTEM: None, OTHER: None}))


def really(command: list[str]) -> tuple[int, str, str]:
    """Run a command as a module does."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_probe_itself(monkeypatch: pytest.MonkeyPatch, python_of_tests: str, bare_python: str) -> None:
    monkeypatch.setattr(boot, "SYSTEM_PYTHON", python_of_tests)
    assert boot.boot_command(really) == f"{python_of_tests} -I"
    monkeypatch.setattr(boot, "SYSTEM_PYTHON", bare_python)
    monkeypatch.setattr(sys, "executable", bare_python)
    with pytest.raises(HostError, match=f"{bare_python} does not find pyroute2; install"):
        boot.boot_command(really)
