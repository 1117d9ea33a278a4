# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests' own tools decide: which Python a release is tested with, and what a run's length means."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.tests import matrix, run
from ansible_collections.lvs.cluster.tests.run import LIMIT_MINUTES, ROOT, STAGES, TOTAL_MINUTES, Result, Stage, summary


def interpreter(folder: Path, name: str, status: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\nexit {status}\n")
    (folder / name).chmod(0o755)


def test_a_release_is_tested_with_the_first_python_that_works(tmp_path: Path) -> None:
    interpreter(tmp_path / "broken", "python3.11", 127)
    interpreter(tmp_path / "bin", "python3.12")
    interpreter(tmp_path / "bin", "python3.13")
    pair = matrix.choose("2.19", f"{tmp_path / 'broken'}:{tmp_path / 'bin'}")
    assert pair is not None
    assert pair.interpreter == tmp_path / "bin" / "python3.12"
    assert pair.name == "ansible-core 2.19 on Python 3.12"
    interpreter(tmp_path / "bin", "python3.11")
    pair = matrix.choose("2.19", f"{tmp_path / 'broken'}:{tmp_path / 'bin'}")
    assert pair is not None
    assert pair.python == "3.11"


def test_a_shim_that_does_not_start_is_replaced_by_what_it_stands_for(tmp_path: Path) -> None:
    interpreter(tmp_path / "shims", "python3.12", 127)
    interpreter(tmp_path / "versions" / "3.12.1" / "bin", "python3.12")
    pair = matrix.choose("2.20", str(tmp_path / "shims"))
    assert pair is not None
    assert pair.interpreter == tmp_path / "versions" / "3.12.1" / "bin" / "python3.12"


def test_make_uses_what_a_shim_stands_for(tmp_path: Path) -> None:
    interpreter(tmp_path / "shims", "python3.12", 127)
    interpreter(tmp_path / "versions" / "3.11.7" / "bin", "python3.11")
    interpreter(tmp_path / "versions" / "3.12.1" / "bin", "python3.12")
    interpreter(tmp_path / "bin", "python3.11")
    environment = {"PATH": f"{tmp_path / 'shims'}:{tmp_path / 'bin'}:/usr/bin:/bin"}

    def chosen(name: str) -> str:
        command = [str(ROOT / ".ci" / "interpreter"), name]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert chosen("python3.12") == str(tmp_path / "versions" / "3.12.1" / "bin" / "python3.12")
    assert chosen("python3.11") == "python3.11"  # it starts
    assert chosen("python3.99") == "python3.99"  # for .ci/packages to refuse


def test_a_release_without_a_python_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(matrix, "REPORT", tmp_path / "report")
    monkeypatch.setattr("sys.argv", ["matrix.py"])
    assert matrix.main() == 0
    assert "NOT TESTED, this machine has none of Python 3.12, 3.13, 3.14\n" in (tmp_path / "report").read_text()
    assert "this environment, in the other stages" in capsys.readouterr().out


def test_what_is_too_long_fails_and_what_is_long_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage("unit", "", 3, ("true",))
    assert summary([Result(stage, 60.0)], 60)
    assert "warning" not in capsys.readouterr().out
    long = TOTAL_MINUTES * 60 + 1
    assert summary([Result(stage, long)], long)
    assert "warning: all stages took 60:01; more than 90:00 is a failure" in capsys.readouterr().out
    long = LIMIT_MINUTES * 60 + 1
    assert not summary([Result(stage, long)], long)
    assert capsys.readouterr().out.endswith("1 passed, 1 failed\n")


def test_the_budgets_fit_into_the_limit() -> None:
    assert sum(stage.minutes for stage in STAGES if stage.when != "full" and not stage.beside) <= LIMIT_MINUTES


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "LOGS", tmp_path)
    return tmp_path


def there(path: Path) -> str:
    """A program that waits until a file has content."""
    return f"""
import pathlib, time
path = pathlib.Path({str(path)!r})
while not path.exists() or not path.read_text():
    time.sleep(0.05)
"""


def write(path: Path, expression: str = "'x'") -> str:
    """A program that gives a file content."""
    return f"import os\nwith open({str(path)!r}, 'w') as file:\n    file.write({expression})\n"


def test_a_stage_beside_others_is_there_at_the_end(logs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = logs / "two"
    beside = Stage("beside", "", 3, python(f"{there(path)}import os; print('nice', os.nice(0))"), beside=True, nice=19)
    one, two = Stage("one", "", 3, python("print('one')")), Stage("two", "", 3, python(write(path)))
    results = run.run_in_order([beside, one, two])
    assert [(result.stage.name, result.status) for result in results] == [("beside", 0), ("one", 0), ("two", 0)]
    assert results[0].seconds is not None
    text = capfd.readouterr().out
    assert text.index("=== one: passed") < text.index("nice 19\n") < text.index("=== beside: passed")


def test_a_failure_beside_others_stops_them(logs: Path) -> None:
    """It fails while the first of the others runs."""
    begun, path = logs / "begun", logs / "there"
    failing = f"{there(begun)}{write(path, 'str(os.getpid())')}raise SystemExit(3)"
    beside = Stage("beside", "", 3, python(failing), beside=True)
    ended = """
command = pathlib.Path("/proc", path.read_text(), "cmdline")
while command.exists() and command.read_bytes():
    time.sleep(0.05)
"""
    one = Stage("one", "", 3, python(f"{write(begun)}{there(path)}{ended}"))
    results = run.run_in_order([beside, one, Stage("two", "", 3, ("true",))])
    assert [(result.status, result.seconds is not None) for result in results] == [(3, True), (0, True), (0, False)]


def runs(pid: str) -> bool:
    """Whether a process runs: one that has ended, and that nobody has asked about yet, has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_failure_ends_what_runs_beside(logs: Path) -> None:
    path = logs / "there"
    program = f"import os, time; open({str(path)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    # With a process of its own, which ignores an interrupt, as those do that a shell starts in the background.
    beside = Stage("beside", "", 3, ("sh", "-c", '"$0" -c "$1" & wait', sys.executable, program), beside=True)
    one = Stage("one", "", 3, python(f"{there(path)}raise SystemExit(1)"))
    results = run.run_in_order([beside, one, Stage("two", "", 3, ("true",))])
    assert [(result.status, result.seconds is not None) for result in results] == [(0, False), (1, True), (0, False)]
    deadline = time.monotonic() + 30
    while runs(path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(path.read_text())


def test_a_report_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "report").write_text("ansible-core 2.20: NOT TESTED\n")
    stage = Stage("matrix", "", 3, ("true",), report="report")
    assert summary([Result(stage, 60.0)], 60)
    assert "\nmatrix:\nansible-core 2.20: NOT TESTED\n" in capsys.readouterr().out
    assert summary([Result(stage)], 60)
    assert "NOT TESTED" not in capsys.readouterr().out
