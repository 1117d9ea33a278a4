# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived writes about its instances, read: the lines are those of real ones (2.2.7), most left out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.running_keepalived import (
    fault_reasons,
    pending_scripts,
    run_scripts,
    vrrp_complete,
    vrrp_states,
)

DUMP = """\
------< Global definitions >------
 Network namespace = (default)
 Default interface = eth0
------< VRRP Topology >------
 VRRP Instance = lvs_ipv4
   VRRP Version = 3
   Sync group = lvs
   State = {state}
   Wantstate = FAULT
   Interface = eth1
   Unicast Peer :
     192.0.2.3
       State = something else
 VRRP Instance = lvs_ipv6
   State = {state}
   Interface = eth1
------< VRRP Sockpool >------
 fd_in 15 fd_out = 16
   Interface = eth1
------< VRRP Sync groups >------
 VRRP Sync Group = lvs, FAULT
   Num member fault 2, num member init 0
   Tracked interfaces :
     eth2 weight 0
     eth3 weight -20
------< VRRP Scripts >------
 VRRP Script = uplink
   Command = '/usr/bin/false'
   Init state = {init}
   Status = {status}
   State = idle
 VRRP Script = disk
   Status = GOOD
------< VRRP Track files >------
 Track file = director
   File = /var/lib/lvs-cluster/drain/director
   Status = {number}
------< Interfaces >------
 Name = eth1
   index = 2
   State = UP, RUNNING
 Name = eth2
   State = {link}
 Name = eth3
   State = not UP, not RUNNING, no broadcast, no multicast
 Name = eth4
   State = not UP, not RUNNING
"""


def dump(
    state: str = "BACKUP", status: str = "GOOD", init: str = "unknown", number: int = 0, link: str = "UP, RUNNING"
) -> str:
    return DUMP.format(state=state, status=status, init=init, number=number, link=link)


def test_what_is_well() -> None:
    assert vrrp_states(dump()) == {"lvs_ipv4": "BACKUP", "lvs_ipv6": "BACKUP"}
    assert fault_reasons(dump()) == []
    assert pending_scripts(dump()) == []
    assert run_scripts(dump()) == ["uplink", "disk"]


@pytest.mark.parametrize("init", ["INIT", "INIT/RELOAD"])
def test_what_is_not_known_yet(init: str) -> None:
    assert pending_scripts(dump(status="BAD", init=init)) == ["uplink"]
    assert pending_scripts(dump("FAULT", status="BAD", init="INIT/FAILED")) == []
    assert pending_scripts(dump(status="GOOD")) == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"status": "BAD"}, "the script uplink fails"),
        ({"status": "BAD", "init": "INIT/FAILED"}, "the script uplink fails"),
        ({"number": 3}, "/var/lib/lvs-cluster/drain/director says 3"),
        ({"link": "UP, not RUNNING"}, "the interface eth2 is down"),
    ],
)
def test_why_there_is_a_fault(fault: dict[str, Any], says: str) -> None:
    text = dump("FAULT", **fault)
    assert vrrp_states(text) == {"lvs_ipv4": "FAULT", "lvs_ipv6": "FAULT"}
    assert fault_reasons(text) == [says]


def test_half_of_it_is_not_taken_for_all() -> None:
    text = dump()
    assert vrrp_complete(text)
    for end in range(text.index("------< Interfaces")):
        assert not vrrp_complete(text[:end])


@pytest.mark.parametrize("text", ["", "\n", "VRRP Instance = a", "------< VRRP Topology >------\n   State = BACKUP\n"])
def test_other_text_says_nothing(text: str) -> None:
    assert not vrrp_complete(text)
    assert vrrp_states(text) == {}
    assert fault_reasons(text) == []
