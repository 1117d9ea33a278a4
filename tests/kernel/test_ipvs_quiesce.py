# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves the table is drained first. The pair shows that its connections end by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import leaving

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

# an address that every host has, so that its services are served here
VIP = "127.0.0.1"
FIRST, SECOND = "198.51.100.11", "198.51.100.12"
WEB: dict[str, Any] = {
    "name": "web",
    "address": VIP,
    "port": 80,
    "real_servers": [{"address": FIRST}, {"address": SECOND}],
}
CHECKED: dict[str, Any] = {"address": VIP, "port": 81, "real_servers": [{"address": SECOND}]}
MARK: dict[str, Any] = {"fwmark": 7, "real_servers": [{"address": FIRST}]}
THEIRS = f"-A -t {VIP}:81 -s rr\n-a -t {VIP}:81 -r {FIRST}:81 -g -w 4\n-a -t {VIP}:81 -r {SECOND}:81 -g -w 1\n"
OTHER = f"-A -t 192.0.2.99:80 -s rr\n-a -t 192.0.2.99:80 -r {FIRST}:80 -g -w 1\n"


def table(host: Host) -> list[str]:
    return sorted(host.save().splitlines())


def rules(web: int, checked: int, mark: int) -> list[str]:
    text = (
        f"-A -t {VIP}:80 -s wlc\n-a -t {VIP}:80 -r {FIRST}:80 -g -w {web}\n-a -t {VIP}:80 -r {SECOND}:80 -g -w 1\n"
        + THEIRS.replace("-w 4", f"-w {checked}")
        + OTHER
        + f"-A -f 7 -s wlc\n-a -f 7 -r {FIRST}:0 -g -w {mark}\n"
    )
    return sorted(text.splitlines())


@pytest.fixture(autouse=True)
def _table(host: Host, _nothing_kept: None) -> Iterator[None]:
    Path(leaving.RECORD).unlink(missing_ok=True)
    host.restore(THEIRS + OTHER)
    host.ok("ipvs_table", services=[WEB, MARK], persist=True)
    assert table(host) == rules(1, 4, 1)
    yield
    # It is the machine's, not the namespace's, and other tests have no record.
    Path(leaving.RECORD).unlink(missing_ok=True)


def left(host: Host, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """The first real server leaves everything, and the service by mark leaves as a whole."""
    web = {**WEB, "real_servers": [{"address": SECOND}]}
    return host.ok("ipvs_quiesce", check=check, **{"services": [web], "health_checked": [CHECKED], **arguments})


def test_it_takes_the_weight_of_what_leaves_and_gives_it_back(host: Host) -> None:
    predicted = left(host, check=True)
    assert table(host) == rules(1, 4, 1)
    result = left(host)
    assert (result["changed"], result["diff"]) == (True, predicted["diff"])
    assert result["leaving"] == [
        f"{FIRST}:80 of web (tcp {VIP}:80)",
        f"{FIRST}:81 of tcp {VIP}:81",
        f"{FIRST}:0 of fwmark 7 ipv4",
    ]
    assert table(host) == rules(0, 0, 0)
    assert left(host)["changed"] is False
    both = {**CHECKED, "real_servers": [{"address": FIRST}, {"address": SECOND}]}
    back = host.ok("ipvs_quiesce", services=[WEB, MARK], health_checked=[both])
    assert back["changed"]
    assert table(host) == rules(1, 4, 1)
    assert not Path(leaving.RECORD).exists()


def test_what_is_not_served_here_is_left_alone(host: Host) -> None:
    elsewhere = {"address": "192.0.2.99", "port": 80, "real_servers": [{"address": SECOND}]}
    result = host.ok("ipvs_quiesce", services=[WEB, MARK], health_checked=[elsewhere], vips=["192.0.2.99"])
    assert (result["changed"], result["leaving"]) == (False, [])
    assert table(host) == rules(1, 4, 1)


def test_nothing_is_drained_without_time_or_with_purge_none(host: Host) -> None:
    assert left(host, timeout=0)["leaving"] == []
    kept = left(host, purge="none", health_checked=[])
    assert kept["leaving"] == [f"{FIRST}:0 of fwmark 7 ipv4"], "what is on record is removed all the same"
