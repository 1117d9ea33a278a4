# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the table: files, archive and unit, in a directory of the test's own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import (
    boot,
    netlink,
    persist,
    plan,
    programs,
    rules,
    timeouts,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import InvalidValue
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.timeouts import Kept
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

TEXT = "-A -t 192.0.2.10:80 -s rr\n-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1 -x 9\n-A -f 21 -s rr\n"
PYTHON = "/usr/bin/python3 -I"
TABLE = plan.plan({}, rules.parse(TEXT)).predicted


@pytest.fixture(name="place")
def place_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RULES_FILE", "TIMEOUTS_FILE", "ARCHIVE", "UNIT_FILE", "ENABLED"):
        monkeypatch.setattr(persist, name, f"{tmp_path}{getattr(persist, name)}")
    return tmp_path


class Systemctl:
    """systemctl enable and disable, as far as the files are concerned."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, arguments: Sequence[str]) -> None:
        self.calls.append(list(arguments))
        link = Path(persist.ENABLED)
        if arguments[0] == "enable":
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(persist.UNIT_FILE)
        elif arguments[0] == "disable":
            link.unlink()


def keep() -> persist.Kept:
    kept = boot.to_keep(TABLE, TABLE, PYTHON)
    persist.carry_out(kept, Systemctl())
    return kept


def test_nothing_is_recorded_at_first(place: Path) -> None:
    assert persist.recorded() == {}
    assert not boot.to_forget().changed


def test_looking_writes_nothing(place: Path) -> None:
    assert boot.to_keep(TABLE, TABLE, PYTHON).changed
    assert list(place.iterdir()) == []


def test_what_is_kept_is_recorded_and_keeping_it_again_changes_nothing(place: Path) -> None:
    assert keep().changed
    assert persist.recorded() == TABLE
    again = boot.to_keep(TABLE, TABLE, PYTHON)
    assert (again.changed, again.diff()) == (False, [])


def test_the_files(place: Path) -> None:
    keep()
    written = Path(persist.RULES_FILE).read_text()
    assert "".join(line for line in written.splitlines(keepends=True) if not line.startswith("#")) == TEXT
    unit = Path(persist.UNIT_FILE).read_text()
    assert f"ExecStart=/usr/bin/python3 -I {persist.ARCHIVE} {persist.RULES_FILE}\n" in unit
    assert "Before=keepalived.service" in unit
    assert "ExecStop" not in unit
    for path in (persist.RULES_FILE, persist.ARCHIVE, persist.UNIT_FILE):
        assert Path(path).stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("_umask")
def test_modes_do_not_depend_on_the_umask(place: Path) -> None:
    keep()
    for path in (persist.RULES_FILE, persist.ARCHIVE, persist.UNIT_FILE):
        assert Path(path).stat().st_mode & 0o777 == 0o644
        made = [parent for parent in Path(path).parents if parent.is_relative_to(place) and parent != place]
        assert {parent.stat().st_mode & 0o777 for parent in made} == {0o755}


def test_a_changed_rule_is_one_change(place: Path) -> None:
    keep()
    (change,) = boot.to_keep(plan.plan(TABLE, rules.parse("-A -f 21 -s wlc")).predicted, TABLE, PYTHON).diff()
    assert change["before_header"] == persist.RULES_FILE
    assert "-A -f 21 -s rr\n" in change["before"]
    assert "-A -f 21 -s wlc\n" in change["after"]


def test_recording_leaves_the_unit_alone(place: Path) -> None:
    assert boot.installed_python() is None
    keep()
    unit = Path(persist.UNIT_FILE)
    unit.write_text(unit.read_text().replace("/usr/bin/python3 -I", "/usr/bin/python3.11"))
    assert boot.installed_python() == "/usr/bin/python3.11"
    kept = persist.to_record(TABLE, list(TABLE)[:1])
    assert ([change.path for change in kept.changes], kept.enable) == ([persist.RULES_FILE], None)
    (change,) = boot.to_keep(TABLE, TABLE, PYTHON).changes
    assert change.path == persist.UNIT_FILE


def test_forgetting_leaves_nothing(place: Path) -> None:
    keep()
    systemctl = Systemctl()
    persist.carry_out(boot.to_forget(), systemctl)
    assert (systemctl.calls[0][0], systemctl.calls[0][-1]) == ("disable", persist.UNIT)
    assert [path for path in place.rglob("*") if not path.is_dir()] == []
    assert not list(place.rglob("lvs-cluster"))
    assert not boot.to_forget().changed


def test_directories_with_something_else_in_them_stay(place: Path) -> None:
    keep()
    other = Path(persist.RULES_FILE).with_name("other")
    other.touch()
    persist.carry_out(boot.to_forget(), Systemctl())
    assert other.exists()


def test_a_damaged_record_is_an_error_that_names_it_and_what_to_do(place: Path) -> None:
    keep()
    Path(persist.RULES_FILE).write_text("-A -f 0\n")
    with pytest.raises(InvalidValue) as caught:
        persist.recorded()
    assert str(caught.value) == (
        f"{persist.RULES_FILE}: rules line 1 -f must not be zero (got '0');"
        " correct the line, or remove it and, with ipvsadm, what it describes"
    )


def test_a_write_that_fails_leaves_the_old_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep()

    def no_space(_old: str, _new: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError, match="No space left"):
        persist.carry_out(boot.to_keep({}, [], PYTHON), Systemctl())
    assert persist.recorded() == TABLE
    assert [path.name for path in Path(persist.RULES_FILE).parent.iterdir()] == ["ipvs.rules"]


def everything(place: Path) -> dict[str, bytes | str]:
    """All files and links below the place."""
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in place.rglob("*")
        if path.is_symlink() or path.is_file()
    }


class Refusing(Systemctl):
    """systemctl that fails when it is called for the nth time."""

    def __init__(self, bad: int) -> None:
        super().__init__()
        self._left = bad

    def __call__(self, arguments: Sequence[str]) -> None:
        self._left -= 1
        if self._left == 0:
            raise OSError(f"systemctl {arguments[0]}: refused")
        super().__call__(arguments)


@pytest.mark.parametrize("there", [False, True], ids=["nothing", "kept"])
@pytest.mark.parametrize("forget", [False, True], ids=["keep", "forget"])
@pytest.mark.parametrize("step", range(1, 6))
def test_whichever_step_fails_everything_is_as_before(
    place: Path, monkeypatch: pytest.MonkeyPatch, there: bool, forget: bool, step: int
) -> None:
    if there:
        keep()
        Path(persist.ARCHIVE).write_bytes(b"an older one")
        Path(persist.UNIT_FILE).write_text("an older one")
    before = everything(place)
    planned = boot.to_forget() if forget else boot.to_keep({}, [], PYTHON)
    left = [step]
    original = persist._change

    def failing(path: str, data: bytes | None) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(28, "No space left on device", path)
        original(path, data)

    monkeypatch.setattr(persist, "_change", failing)
    if step > len(planned.changes):
        return
    with pytest.raises(OSError, match="No space left"):
        persist.carry_out(planned, Systemctl())
    assert everything(place) == before


@pytest.mark.parametrize("there", [False, True], ids=["enable", "disable"])
def test_a_unit_that_is_refused_leaves_everything_as_before(place: Path, there: bool) -> None:
    if there:
        keep()
    before = everything(place)
    planned = boot.to_forget() if there else boot.to_keep(TABLE, TABLE, PYTHON)
    with pytest.raises(OSError, match=r"^systemctl (enable|disable): refused$"):
        persist.carry_out(planned, Refusing(1))
    assert everything(place) == before


def test_what_cannot_be_put_back_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    original = persist._change

    def failing(path: str, data: bytes | None) -> None:
        if path != persist.RULES_FILE:
            raise OSError(30, "Read-only file system", path)
        original(path, data)

    monkeypatch.setattr(persist, "_change", failing)
    Path(persist.ARCHIVE).write_bytes(b"an older one")

    def write_and_refuse(arguments: Sequence[str]) -> None:
        raise AssertionError(arguments)

    planned = boot.to_keep({}, [], PYTHON)
    monkeypatch.setattr(persist, "read", lambda path: b"neither")
    with pytest.raises(OSError, match=f"this could not be restored: {persist.ARCHIVE} "):
        persist.carry_out(planned, write_and_refuse)


def test_the_archive_is_the_same_every_time() -> None:
    assert boot.build_archive() == boot.build_archive()


def test_the_archive_needs_neither_ansible_nor_this_tree(tmp_path: Path) -> None:
    archive = tmp_path / "ipvs-restore.pyz"
    archive.write_bytes(boot.build_archive())
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-I", str(archive), str(tmp_path / "missing")]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 1
    assert result.stderr == f"{tmp_path}/missing: [Errno 2] No such file or directory: '{tmp_path}/missing'\n"
    sources = zipfile.ZipFile(io.BytesIO(archive.read_bytes()))
    assert not [name for name in sources.namelist() if b"import ansible" in sources.read(name)]


def test_the_restorer_says_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert programs.restore([]) == 2
    assert capsys.readouterr().err == "usage: ipvs-restore.pyz RULES-FILE\n"


class Restored:
    """What the restorer had the kernel do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake = support.FakeKernel({})
        monkeypatch.setattr(programs, "Ipvs", lambda: contextlib.nullcontext(self.fake))

    def run(self, path: Path, data: bytes) -> int:
        path.write_bytes(data)
        return programs.restore([str(path)])

    def text(self) -> str:
        return rules.render(self.fake.table, self.fake.table)


def test_the_restorer_restores_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restored = Restored(monkeypatch)
    assert restored.run(tmp_path / "ipvs.rules", TEXT.encode()) == 0
    assert restored.text() == TEXT


def test_the_restorer_skips_what_it_cannot_read_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of a newer version, a damaged one, and what depends on them."""
    restored = Restored(monkeypatch)
    path = tmp_path / "ipvs.rules"
    damaged = "-A -f 7 --of-a-newer-version\n-a -f 7 -r 198.51.100.11\n-X\n# \xff\n-A -t 192.0.2.\xff:80\n"
    worse = TEXT.replace("-A -f 21", "-a -t 192.0.2.10:80 -r 198.51.100.12:80 --newer\n-A -f 21")
    assert restored.run(path, (damaged + worse).encode("latin-1")) == 1
    assert restored.text() == TEXT
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" (got")[0].replace("\ufffd", "?") for line in said] == [
        f"{path}: rules line 1: option is not one that this command has",
        f"{path}: rules line 2: -a names a service that no earlier line has added",
        f"{path}: rules line 3: command must be -A or -a: what ipvsadm-save -n writes",
        f"{path}: rules line 5: -t must be a numeric address and port (ipvsadm-save -n)",
        f"{path}: rules line 8: option is not one that this command has",
        f"{path}: 2 virtual services, 3 changes made, 5 lines skipped",
    ]


def test_a_file_of_a_newer_version_is_named_with_the_remedy(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep()
    text = Path(persist.RULES_FILE).read_text()
    assert "# Format: 1\n" in text
    Path(persist.RULES_FILE).write_text(text.replace("# Format: 1", "# Format: 2") + "-A -f 9 --newer\n")
    with pytest.raises(InvalidValue) as caught:
        persist.recorded()
    assert str(caught.value) == (
        f"{persist.RULES_FILE}: was written by a newer version of lvs.cluster (format 2; this one knows 1): use that"
        " version, or have it remove what it keeps (state=absent) before this one is used"
    )
    restored = Restored(monkeypatch)
    assert restored.run(Path(persist.RULES_FILE), Path(persist.RULES_FILE).read_bytes()) == 1
    assert restored.text() == TEXT
    assert (
        f"{persist.RULES_FILE}: was written by a newer version of lvs.cluster, in format 2" in capsys.readouterr().err
    )


def test_a_file_without_a_format_is_one_of_the_first_version(place: Path) -> None:
    keep()
    path = Path(persist.RULES_FILE)
    path.write_text(path.read_text().replace("# Format: 1\n", ""))
    assert persist.recorded() == TABLE


TIMEOUTS = {"tcp": Kept(3600, 900), "udp": Kept(30, 300)}


def test_timeouts_are_kept_with_what_was_there_before(place: Path) -> None:
    systemctl = Systemctl()
    assert boot.recorded_timeouts() == {}
    assert not boot.to_keep_timeouts({}, PYTHON).changed
    kept = boot.to_keep_timeouts(TIMEOUTS, PYTHON)
    persist.carry_out(kept, systemctl)
    assert systemctl.calls[-1] == ["enable", persist.UNIT]
    assert boot.recorded_timeouts() == TIMEOUTS
    lines = Path(persist.TIMEOUTS_FILE).read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["tcp 3600 before 900", "udp 30 before 300"]
    unit = Path(persist.UNIT_FILE).read_text()
    assert f"ConditionPathExists=|{persist.TIMEOUTS_FILE}\n" in unit
    assert not boot.to_keep_timeouts(TIMEOUTS, PYTHON).changed
    persist.carry_out(boot.to_keep_timeouts({}, PYTHON), Systemctl())
    assert [path for path in place.rglob("*") if not path.is_dir()] == []


@pytest.mark.parametrize("table_first", [True, False])
def test_the_table_and_the_timeouts_share_what_restores_them(place: Path, table_first: bool) -> None:
    keep()
    kept = boot.to_keep_timeouts(TIMEOUTS, PYTHON)
    assert [change.path for change in kept.changes] == [persist.TIMEOUTS_FILE]
    persist.carry_out(kept, Systemctl())
    assert not boot.to_keep(TABLE, TABLE, PYTHON).changed
    steps: list[Callable[[], persist.Kept]] = [boot.to_forget, partial(boot.to_keep_timeouts, {}, PYTHON)]
    if not table_first:
        steps.reverse()
    only = steps[0]()
    assert [change.path for change in only.changes] == [persist.RULES_FILE if table_first else persist.TIMEOUTS_FILE]
    assert only.enable is None
    persist.carry_out(only, Systemctl())
    persist.carry_out(steps[1](), Systemctl())
    assert [path for path in place.rglob("*") if not path.is_dir()] == []


def test_damaged_timeouts_are_an_error_that_names_the_file(place: Path) -> None:
    persist.carry_out(boot.to_keep_timeouts(TIMEOUTS, PYTHON), Systemctl())
    Path(persist.TIMEOUTS_FILE).write_text("tcp 5\n")
    with pytest.raises(
        InvalidValue, match=r"ipvs\.timeouts: line \d, '.*', must be a timeout such as 'tcp 3600 before 900'; correct"
    ):
        boot.recorded_timeouts()


class Booting:
    """The kernel that the restorer finds."""

    sent: ClassVar[list[tuple[int, bytes]]] = []
    code = 0

    def __enter__(self) -> Booting:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def command(self, command: int, payload: bytes) -> int:
        self.sent.append((command, payload))
        return self.code


@pytest.mark.parametrize(("code", "says"), [(0, "2 timeouts set"), (1, "not permitted")])
def test_the_restorer_sets_timeouts_without_a_table(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, says: str
) -> None:
    monkeypatch.setattr(programs, "Ipvs", Booting)
    monkeypatch.setattr(Booting, "code", code)
    monkeypatch.setattr(Booting, "sent", [])
    persist.carry_out(boot.to_keep_timeouts(TIMEOUTS, PYTHON), Systemctl())
    assert programs.restore([persist.RULES_FILE]) == (1 if code else 0)
    assert Booting.sent == [(netlink.SET_CONFIG, timeouts.encode({"tcp": 3600, "udp": 30}))]
    assert says in capsys.readouterr().err.lower()


def test_the_restorer_sets_the_timeouts_that_it_can_read(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "Ipvs", Booting)
    monkeypatch.setattr(Booting, "sent", [])
    Path(persist.TIMEOUTS_FILE).parent.mkdir(parents=True)
    Path(persist.TIMEOUTS_FILE).write_bytes(b"# \xff\nsctp 5 before 6\ntcp 3600 before 900\n")
    assert programs.restore([persist.RULES_FILE]) == 1
    assert Booting.sent == [(netlink.SET_CONFIG, timeouts.encode({"tcp": 3600}))]
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"{persist.TIMEOUTS_FILE}: line 2, 'sctp 5 before 6', must be a timeout such as")
    assert said[1] == f"{persist.TIMEOUTS_FILE}: 1 timeouts set"


def test_a_bad_file_of_timeouts_does_not_keep_the_table_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    restored = Restored(monkeypatch)
    (tmp_path / "ipvs.timeouts").write_text("tcp\n")
    assert restored.run(tmp_path / "ipvs.rules", TEXT.encode()) == 1
    assert restored.text() == TEXT
    assert capsys.readouterr().err.startswith(f"{tmp_path}/ipvs.timeouts: ")
