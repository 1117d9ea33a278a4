# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mon's alerts come to in the table: the program in the archive, as a process, and a drain that it respects."""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyroute2
import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import drain_files
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import boot, health_state, persist, programs

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

WEB = {"name": "web", "address": "192.0.2.10", "port": 80, "protocol": "tcp", "scheduler": "rr"}
SORRY = {"address": "192.0.2.99", "port": 81, "forward_method": "nat", "weight": 1}
SERVERS = [
    {"address": "198.51.100.11", "port": 80, "forward_method": "nat", "weight": 2, "watch": "web_1"},
    {"address": "198.51.100.12", "port": 80, "forward_method": "nat", "weight": 100000, "watch": "web_2"},
]
pytestmark = pytest.mark.usefixtures("_nothing_kept")

THEIRS = "-A -f 99 -s rr\n"
HEAD = "-A -t 192.0.2.10:80 -s rr\n"
FIRST = "-a -t 192.0.2.10:80 -r 198.51.100.11:80 -m -w "
SECOND = "-a -t 192.0.2.10:80 -r 198.51.100.12:80 -m -w "
EXCUSE = "-a -t 192.0.2.10:80 -r 192.0.2.99:81 -m -w 1\n"


def entry(**values: Any) -> dict[str, Any]:
    return {
        "service": WEB,
        "quorum": 1,
        "inhibit_on_failure": False,
        "real_servers": SERVERS,
        "sorry_server": SORRY,
        **values,
    }


@pytest.fixture(name="archive")
def archive_with_files(host: Host, tmp_path: Path) -> Iterator[Path]:
    """The program, and the files that mon's unit and the role make; somebody else's service is in the table."""
    archive = tmp_path / "health.pyz"
    archive.write_bytes(boot.build_archive())
    Path(health_state.CONFIGURATION).parent.mkdir(exist_ok=True)
    Path(drain_files.DIRECTORY).mkdir(parents=True)  # _nothing_kept removes it
    Path(health_state.FAILED).mkdir()
    host.restore(THEIRS)
    yield archive
    for path in (health_state.CONFIGURATION, programs.APPLIED):
        Path(path).unlink(missing_ok=True)
    shutil.rmtree(health_state.FAILED)
    shutil.rmtree(Path(programs.LOCK).parent)


def describe(*entries: dict[str, Any]) -> None:
    Path(health_state.CONFIGURATION).write_text(json.dumps(entries))


def call(host: Host, archive: Path, *words: str) -> str:
    """What it says, called as by its unit, with pyroute2 on the Python path and nothing else of ours."""
    environment = {"PYTHONPATH": str(Path(pyroute2.__file__).parent.parent)}
    return host.run(sys.executable, str(archive), "health", *words, env=environment).stderr


def say(host: Host, archive: Path, what: str, watch: str) -> str:
    """As mon's alert does: write it down, and that something has changed, which systemd then starts the program for."""
    if what == "failed":
        (Path(health_state.FAILED) / watch).touch()
    else:
        (Path(health_state.FAILED) / watch).unlink(missing_ok=True)
    changed = Path(health_state.CHANGED)
    changed.touch()
    said = call(host, archive, "apply")
    assert not changed.exists()
    return said


def table(host: Host) -> str:
    """Without the service that is somebody else's, which has to be there."""
    saved = host.save()
    assert THEIRS in saved
    return "".join(sorted(saved.replace(THEIRS, "").splitlines(keepends=True)))


def test_what_alerts_say(host: Host, archive: Path) -> None:
    describe(entry())
    assert call(host, archive, "apply") == "apply: 3 changes made\n"
    well = HEAD + FIRST + "2\n" + SECOND + "100000\n"
    assert table(host) == well
    assert call(host, archive, "apply") == "apply: 0 changes made\n"
    say(host, archive, "failed", "web_1")
    assert table(host) == HEAD + SECOND + "100000\n"
    assert say(host, archive, "failed", "web_1") == "apply: 0 changes made\n"
    say(host, archive, "failed", "web_2")
    assert table(host) == HEAD + EXCUSE
    say(host, archive, "well", "web_1")
    assert table(host) == HEAD + FIRST + "2\n"
    # What anybody changes by hand is put right with the next word.
    host.run("ipvsadm", "-e", "-t", "192.0.2.10:80", "-r", "198.51.100.11:80", "-m", "-w", "9")
    say(host, archive, "well", "web_2")
    assert table(host) == well


def test_a_drain_stays_whatever_alerts_say(host: Host, archive: Path) -> None:
    describe(entry(inhibit_on_failure=True))
    call(host, archive, "apply")
    identity = {key: WEB[key] for key in ("name", "address", "port", "protocol")}
    checked = [{**identity, "real_servers": [{key: server[key] for key in ("address", "port")} for server in SERVERS]}]
    words: dict[str, Any] = {"real_servers": ["198.51.100.11"], "health_checked": checked, "wait": False}
    host.ok("ipvs_drain", **words)
    drained = HEAD + FIRST + "0\n" + SECOND + "100000\n"
    assert table(host) == drained
    for says in ("failed", "well"):
        say(host, archive, says, "web_1")
        assert table(host) == drained
    call(host, archive, "apply")
    assert table(host) == drained
    say(host, archive, "failed", "web_1")
    host.ok("ipvs_drain", state="in_service", **words)
    assert table(host) == drained  # it has failed by now
    say(host, archive, "well", "web_1")
    assert table(host) == HEAD + FIRST + "2\n" + SECOND + "100000\n"


def test_what_is_no_longer_written_down_goes_unless_the_role_has_it(host: Host, archive: Path) -> None:
    others = [
        entry(
            service={**WEB, "name": name, "port": port},
            real_servers=[{**server, "watch": f"{name}_{server['watch']}"} for server in SERVERS],
        )
        for name, port in (("gone", 81), ("taken", 82))
    ]
    describe(entry(), *others)
    call(host, archive, "apply")
    Path(persist.RULES_FILE).write_text("-A -t 192.0.2.10:82 -s rr\n")
    describe(entry())
    call(host, archive, "apply")
    assert "192.0.2.10:81" not in table(host)
    assert "192.0.2.10:80" in table(host)
    assert "192.0.2.10:82" in table(host)


def test_who_drains_does_not_wait_for_ever(host: Host, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_PATIENCE", 3.0)
    describe(entry())
    call(host, archive, "apply")
    checked = [{"address": "192.0.2.10", "port": 80, "protocol": "tcp", "real_servers": [{"address": "198.51.100.11"}]}]
    with open(programs.LOCK, "w", encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused = host.failure("ipvs_drain", real_servers=["198.51.100.11"], health_checked=checked, wait=False)
    held = f"{programs.LOCK}: another process has held this lock for 3 seconds"
    assert refused == f"{held}; nothing was changed; mon's services could not be restored: {held}"
    assert "100000" in table(host)
    assert FIRST + "2\n" in table(host)
    assert not list(Path(drain_files.DIRECTORY).iterdir())
