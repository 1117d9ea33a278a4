# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived writes about its virtual servers, read: the form of dump_vs() and dump_rs(), most lines left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host.running_keepalived import added, checkers_complete

DUMP = """\
------< Global definitions >------
 Network namespace = (default)
------< LVS Topology >------
 System is compiled with LVS v1.2.1
 ------< Virtual server >------
 VS VIP = 192.0.2.10, VPORT = 80
   Address family = inet
   protocol = TCP
   quorum = 1, hysteresis = 0
   alive = 1
   ------< Real server >------
   RIP = 198.51.100.11, RPORT = 8080, WEIGHT = 5 EFF WEIGHT = 5
   alive = 1
   RS set = 1
   ------< Real server >------
   RIP = 198.51.100.12, RPORT = 8080, WEIGHT = 3 EFF WEIGHT = 3
   alive = 0
   RS set = 0
 ------< Virtual server >------
 VS VIP = 2001:db8::10, VPORT = 53
   Address family = inet6
   protocol = UDP
   alive = 1
   ------< Real server >------
   RIP = 2001:db8::11, RPORT = 53, WEIGHT = 0 EFF WEIGHT = -254
   alive = 1
   RS set = 1
 ------< Virtual server >------
 VS FWMARK = 7
   Address family = inet6
   protocol = none
   ------< Real server >------
   RIP = 2001:db8::12, RPORT = 0, WEIGHT = 1 EFF WEIGHT = 1
   alive = 0
   RS set = 1
 ------< Virtual server >------
 VS GROUP = [web]:0
   Address family = inet
   protocol = TCP
   ------< Real server >------
   RIP = 198.51.100.13, RPORT = 80, WEIGHT = 1 EFF WEIGHT = 1
   alive = 1
   RS set = 1
------< Health checkers >------
 192.0.2.10:80
   Keepalive method = TCP_CHECK
"""


def test_servers_that_are_in_the_table_with_their_weights() -> None:
    assert [tuple(one) for one in added(DUMP)] == [
        ({"address": "192.0.2.10", "port": 80, "protocol": "tcp"}, "198.51.100.11", 8080, 5),
        ({"address": "2001:db8::10", "port": 53, "protocol": "udp"}, "2001:db8::11", 53, 0),
        ({"fwmark": 7, "family": "ipv6"}, "2001:db8::12", 0, 0),
    ]


def test_complete_with_the_health_checkers() -> None:
    assert checkers_complete(DUMP)
    assert not checkers_complete(DUMP[: DUMP.index("------< Health")])
    assert not checkers_complete(DUMP[:-1])


@given(st.data())
def test_any_part_of_it_is_read(data: st.DataObject) -> None:
    """keepalived writes while this reads."""
    lines = DUMP.splitlines(keepends=True)
    some = data.draw(st.sets(st.sampled_from(range(len(lines)))))
    added("".join(line for number, line in enumerate(lines) if number not in some))
    added(DUMP[: data.draw(st.integers(0, len(DUMP)))])


@pytest.mark.parametrize("text", ["", "\n", "------< Virtual server >------\n"])
def test_nothing(text: str) -> None:
    assert added(text) == []
    assert not checkers_complete(text)
