# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit of the real systemd with its files, and services that stay in the table although their owner removes them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import rules, unit_config
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.continuity import EXPIRE, TABLE, Handover, shield
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import ServiceKey

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

RULES = """\
-A -t 192.0.2.10:80 -s wrr -p 300
-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 0
-a -t 192.0.2.10:80 -r 198.51.100.12:80 -g -w 5
-A -t [2001:db8::10]:80 -s rr
-a -t [2001:db8::10]:80 -r [2001:db8::12]:80 -g -w 1
-A -u 192.0.2.10:53 -s rr
-a -u 192.0.2.10:53 -r 198.51.100.11:53 -i -w 1 --tun-type ipip
-A -f 7 -s wlc
-a -f 7 -r 198.51.100.11:0 -g -w 1
"""
UNIT = "lvs-test.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
CONFIGURATION = "/etc/lvs-test.conf"
READ = "/run/lvs-test.read"
RECORD = f"/var/lib/lvs-cluster/{UNIT}.applied"
UNIT_TEXT = f"""\
[Service]
Type=exec
ExecStartPre=/bin/cp {CONFIGURATION} {READ}
ExecStart=/bin/sleep infinity
ExecReload=/bin/cp {CONFIGURATION} {READ}
ExecStopPost=-/sbin/ipvsadm -D -t 192.0.2.10:80
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def run(host: Host) -> Callable[[list[str]], tuple[int, str, str]]:
    def command(words: list[str]) -> tuple[int, str, str]:
        done = host.attempt(*words)
        return done.returncode, done.stdout, done.stderr

    return command


@pytest.fixture
def keys(host: Host) -> list[ServiceKey]:
    host.restore(RULES)
    return [patch.key for patch in rules.parse(RULES)]


def refused(port: int = 80) -> bool:
    """Whether a connection to the VIP, which is on lo, is refused. One that is dropped is not."""
    with socket.socket() as asking:
        asking.settimeout(0.5)
        try:
            asking.connect(("192.0.2.10", port))
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
    raise AssertionError("somebody answers")


def test_proc_has_the_services(host: Host, keys: list[ServiceKey]) -> None:
    marks = {key for key in unit_config.services_in_table() if key.fwmark}
    assert unit_config.services_in_table() - marks == {key for key in keys if not key.fwmark}
    assert {key.fwmark for key in marks} == {7}
    host.clear()
    assert unit_config.services_in_table() == set()


def test_what_is_removed_stays(
    host: Host, keys: list[ServiceKey], run: Callable[[list[str]], tuple[int, str, str]]
) -> None:
    before = host.save()
    other = "-A -t 192.0.2.99:80 -s rr\n"
    host.restore(other)
    Path(EXPIRE).write_text("1")

    def act() -> None:
        assert Path(EXPIRE).read_text() == "0\n"
        host.clear()
        time.sleep(0.1)

    assert Handover(run).keep(keys, act, at_once=True) == set(keys)
    assert host.save() == before
    assert Path(EXPIRE).read_text() == "1\n"
    assert TABLE not in host.run("nft", "list", "tables").stdout


def test_the_gap_is_dropped_and_not_refused(
    host: Host, keys: list[ServiceKey], run: Callable[[list[str]], tuple[int, str, str]]
) -> None:
    host.run("ip", "address", "add", "192.0.2.10/32", "dev", "lo")
    host.clear()
    assert refused()
    with Handover(run)._hidden(keys):
        assert not refused()
        assert refused(81)
    assert refused()
    host.run("nft", "-f", "-", text=shield(keys, lifetime=1))
    assert not refused()
    time.sleep(2)  # as if the run had been killed
    assert refused()
    host.run("nft", "delete", "table", "inet", TABLE)


class TestAUnit:
    """Real systemd; the unit copies what it reads."""

    @pytest.fixture(autouse=True)
    def _clean(self, host: Host) -> Iterator[None]:
        yield
        host.attempt("systemctl", "disable", "--now", UNIT)
        for path in (UNIT_FILE, CONFIGURATION, READ, RECORD):
            Path(path).unlink(missing_ok=True)
        host.run("systemctl", "daemon-reload")

    @staticmethod
    def task(text: str, **more: Any) -> dict[str, Any]:
        files = [
            {"path": CONFIGURATION, "content": text, "mode": "0640", "validate": ["grep", "-q", "good", "%s"]},
            {"path": UNIT_FILE, "content": UNIT_TEXT, "on_change": "restart"},
        ]
        return {"name": "lvs-test", "files": files, **more}

    @staticmethod
    def invocation(host: Host) -> str:
        return host.run("systemctl", "show", "--property=InvocationID", "--value", UNIT).stdout

    def test_it_is_started_reloaded_and_left_alone(self, host: Host) -> None:
        predicted = host.ok("service_config", check=True, **self.task("good 1\n"))
        assert not Path(UNIT_FILE).exists()
        result = host.ok("service_config", **self.task("good 1\n"))
        assert (result["changed"], result["action"], result["differences"]) == (
            True,
            "start",
            predicted["differences"],
        )
        assert Path(READ).read_text() == "good 1\n"
        assert not host.ok("service_config", **self.task("good 1\n"))["changed"]
        begun = self.invocation(host)
        assert host.ok("service_config", **self.task("good 2\n"))["action"] == "reload"
        assert Path(READ).read_text() == "good 2\n"
        assert self.invocation(host) == begun
        assert not host.ok("service_config", check=True, **self.task("good 2\n"))["changed"]

    @pytest.mark.parametrize("check", [True, False])
    def test_what_the_program_refuses_is_not_written(self, host: Host, check: bool) -> None:
        host.ok("service_config", **self.task("good 1\n"))
        message = host.failure("service_config", check=check, **self.task("bad\n"))
        assert message == f"grep refuses {CONFIGURATION}, and no file was changed: exit status 1"
        assert Path(CONFIGURATION).read_text() == "good 1\n"

    def test_a_restart_by_others_has_read_the_files(self, host: Host) -> None:
        host.ok("service_config", **self.task("good 1\n"))
        time.sleep(3)
        host.run("systemctl", "restart", UNIT)
        assert not host.ok("service_config", **self.task("good 1\n"))["changed"]

    def test_a_run_that_was_killed_is_completed(self, host: Host) -> None:
        host.ok("service_config", **self.task("good 1\n"))
        record = Path(RECORD)
        record.write_text(record.read_text().replace('"pending": false', '"pending": true'))
        Path(READ).unlink()
        result = host.ok("service_config", check=True, **self.task("good 1\n"))
        assert {one["kind"] for one in result["differences"]} == {"configuration"}
        host.ok("service_config", **self.task("good 1\n"))
        assert Path(READ).read_text() == "good 1\n"
        assert not host.ok("service_config", **self.task("good 1\n"))["changed"]

    def test_it_is_stopped(self, host: Host) -> None:
        host.ok("service_config", **self.task("good 1\n"))
        assert host.ok("service_config", name="lvs-test", state="stopped")["changed"]
        assert host.attempt("systemctl", "is-active", UNIT).returncode
        assert not host.ok("service_config", name="lvs-test", state="stopped")["changed"]
        assert not Path(RECORD).exists()
