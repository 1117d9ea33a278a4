# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the table across reboots, as far as that goes without one: a wiped namespace and the archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import persist

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

pytestmark = pytest.mark.usefixtures("_nothing_kept")

WEB: dict[str, Any] = {"address": "192.0.2.10", "port": 80, "scheduler": "rr"}
DNS: dict[str, Any] = {"address": "2001:db8::10", "port": 53, "protocol": "udp", "scheduler": "wlc"}
SERVERS = [{"address": "198.51.100.11", "upper_threshold": 9}, {"address": "198.51.100.12", "weight": 5}]
SERVICES = [{**WEB, "real_servers": SERVERS}, DNS]
THEIRS = "-A -f 99 -s rr\n"


def restore(host: Host) -> int:
    """What the unit does at boot, with nothing of ours on the Python path."""
    (command,) = [line for line in Path(persist.UNIT_FILE).read_text().splitlines() if line.startswith("ExecStart=")]
    return host.attempt(*command[len("ExecStart=") :].split(), env={}).returncode


def boot(host: Host) -> int:
    host.clear()
    return restore(host)


def files() -> list[str]:
    return [path for path in (persist.RULES_FILE, persist.ARCHIVE, persist.UNIT_FILE) if Path(path).exists()]


def enabled(host: Host) -> bool:
    return host.attempt("systemctl", "is-enabled", persist.UNIT).stdout == "enabled\n"


def test_the_table_comes_back(host: Host) -> None:
    predicted = host.ok("ipvs_table", check=True, services=SERVICES, persist=True)
    assert files() == []
    applied = host.ok("ipvs_table", services=SERVICES, persist=True)
    assert applied["diff"] == predicted["diff"]
    assert (len(files()), enabled(host)) == (3, True)
    saved, thresholds = host.save(), host.thresholds()
    again = host.ok("ipvs_table", services=SERVICES, persist=True)
    assert (again["changed"], again["diff"]) == (False, [])
    assert boot(host) == 0
    assert (host.save(), host.thresholds()) == (saved, thresholds)
    assert boot(host) == 0


def test_what_others_own_is_left_alone_at_boot(host: Host) -> None:
    host.ok("ipvs_table", services=SERVICES, persist=True)
    mine = host.save()
    host.clear()
    host.restore(THEIRS)
    assert restore(host) == 0
    assert host.save() == mine + THEIRS


def test_a_service_that_is_no_longer_described_goes(host: Host) -> None:
    host.restore(THEIRS)
    host.ok("ipvs_table", services=SERVICES, persist=True)
    host.ok("ipvs_table", services=[DNS], persist=True)
    assert host.save() == f"-A -u [2001:db8::10]:53 -s wlc\n{THEIRS}"
    assert boot(host) == 0
    assert host.save() == "-A -u [2001:db8::10]:53 -s wlc\n"


def test_a_service_that_somebody_else_took_over_stays(host: Host) -> None:
    host.ok("ipvs_table", services=SERVICES, persist=True)
    saved = host.save()
    host.ok("ipvs_table", services=[DNS], exclude=[{"address": "192.0.2.10", "port": 80}], persist=True)
    assert host.save() == saved
    assert "192.0.2.10" not in Path(persist.RULES_FILE).read_text()


def test_absent_takes_one_service_or_everything(host: Host) -> None:
    host.restore(THEIRS)
    host.ok("ipvs_table", services=SERVICES, persist=True)
    host.ok("ipvs_table", services=[WEB], persist=True, state="absent")
    assert "192.0.2.10" not in host.save() + Path(persist.RULES_FILE).read_text()
    assert enabled(host)
    predicted = host.ok("ipvs_table", check=True, services=[], persist=True, state="absent")
    result = host.ok("ipvs_table", services=[], persist=True, state="absent")
    assert result["diff"] == predicted["diff"]
    assert (host.save(), files(), enabled(host)) == (THEIRS, [], False)
    assert not Path("/etc/lvs-cluster").exists()
    assert not Path("/usr/local/lib/lvs-cluster").exists()
    assert not host.ok("ipvs_table", services=[], persist=True, state="absent")["changed"]


def shown_timeouts(host: Host) -> list[str]:
    return host.run("ipvsadm", "-L", "--timeout").stdout.split()[-3:]


def test_timeouts_come_back_and_go(host: Host) -> None:
    host.ok("ipvs_table", services=SERVICES, persist=True)
    predicted = host.ok("ipvs_timeout", check=True, tcp=3600, udp=30, persist=True)
    applied = host.ok("ipvs_timeout", tcp=3600, udp=30, persist=True)
    assert applied["diff"] == predicted["diff"]
    assert shown_timeouts(host) == ["3600", "120", "30"]
    again = host.ok("ipvs_timeout", tcp=3600, udp=30, persist=True)
    assert (again["changed"], again["diff"]) == (False, [])
    saved = host.save()
    host.run("ipvsadm", "--set", "900", "120", "300")
    assert boot(host) == 0
    assert (host.save(), shown_timeouts(host)) == (saved, ["3600", "120", "30"])
    host.ok("ipvs_timeout", tcp=60, persist=True)
    assert shown_timeouts(host) == ["60", "120", "300"]
    predicted = host.ok("ipvs_timeout", check=True, state="absent")
    assert host.ok("ipvs_timeout", state="absent")["diff"] == predicted["diff"]
    assert shown_timeouts(host) == ["900", "120", "300"]
    assert not host.ok("ipvs_timeout", state="absent")["changed"]
    assert (len(files()), enabled(host)) == (3, True), "the table is kept"


def test_one_bad_entry_does_not_cost_the_others(host: Host) -> None:
    host.ok("ipvs_table", services=SERVICES, persist=True)
    saved = host.save()
    with Path(persist.RULES_FILE).open("a", encoding="ascii") as file:
        file.write("-A -f 7 -s no_such\n")
    assert boot(host) == 1
    assert host.save() == saved


def test_a_line_that_cannot_be_read_does_not_cost_the_others(host: Host) -> None:
    """As one that a newer version has written."""
    host.ok("ipvs_table", services=SERVICES, persist=True)
    saved = host.save()
    path = Path(persist.RULES_FILE)
    path.write_bytes(b"-A -f 7 --of-a-newer-version\n\xff\n" + path.read_bytes())
    assert boot(host) == 1
    assert host.save() == saved
    message = host.failure("ipvs_table", services=SERVICES, persist=True)
    assert "rules line 1 option is not one that this command has" in message
    assert "correct the line, or remove it" in message


def test_a_damaged_record_is_told_before_anything_is_touched(host: Host) -> None:
    host.ok("ipvs_table", services=SERVICES, persist=True)
    saved = host.save()
    Path(persist.RULES_FILE).write_text("-A -t nonsense\n")
    message = host.failure("ipvs_table", services=[], persist=True)
    assert message.startswith("/etc/lvs-cluster/ipvs.rules: rules line 1 ")
    assert host.save() == saved
