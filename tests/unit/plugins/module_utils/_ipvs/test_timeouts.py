# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeouts of connections: what is taken, and netlink bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import netlink, timeouts
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.timeouts import MAX_TIMEOUT, Timeouts
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

some_timeouts = st.dictionaries(st.sampled_from(Timeouts._fields), st.integers(1, MAX_TIMEOUT))


def test_what_is_not_given_is_not_set() -> None:
    assert timeouts.from_arguments({"tcp": 1, "tcp_fin": None, "check_mode": True}) == {"tcp": 1}


@pytest.mark.parametrize("value", [0, -1, MAX_TIMEOUT + 1, 2**64, True, "30", 1.5])
def test_refused(value: Any) -> None:
    assert support.refused(lambda: timeouts.from_arguments({"udp": value})) == (
        f"IPVS timeouts: udp must be a whole number from 1 to 2147483 (seconds) (got {value!r})"
    )


def test_the_text_is_that_of_ipvsadm() -> None:
    assert timeouts.render(timeouts.merged(Timeouts(900, 120, 300), {"tcp_fin": 60})) == "--set 900 60 300\n"


@given(some_timeouts)
def test_what_is_sent_can_be_read(given_timeouts: dict[str, int]) -> None:
    data = netlink.request(28, 1, netlink.SET_CONFIG, 0, timeouts.encode(given_timeouts))
    numbers = netlink.decode_numbers(data, next(netlink.messages(data)))
    assert timeouts.decode(numbers) == timeouts.merged(Timeouts(), given_timeouts)
    assert len(numbers) == len(given_timeouts)


def test_the_attributes_have_the_kernels_numbers() -> None:
    """IPVS_CMD_ATTR_TIMEOUT_* in linux/ip_vs.h."""
    assert timeouts.encode({"udp": 3, "tcp": 1, "tcp_fin": 2}) == b"".join(
        netlink.attribute(kind, netlink.U32.pack(value)) for kind, value in ((4, 1), (5, 2), (6, 3))
    )


def test_without_ipvs_there_are_none() -> None:
    assert timeouts.decode({}) == Timeouts(0, 0, 0)


kept_timeouts = st.dictionaries(
    st.sampled_from(Timeouts._fields),
    st.builds(timeouts.Kept, st.integers(1, MAX_TIMEOUT), st.integers(0, MAX_TIMEOUT)),
)


@given(kept_timeouts)
def test_what_is_kept_can_be_read(kept: dict[str, timeouts.Kept]) -> None:
    assert timeouts.parse_kept(f"# a comment\n\n{timeouts.render_kept(kept)}", "file") == kept


@pytest.mark.parametrize(
    "line", ["tcp", "tcp 0 before 900", "sctp 5 before 6", "tcp 5 before", "tcp 5 before -1", " tcp 5"]
)
def test_a_line_that_is_none(line: str) -> None:
    says = support.refused(lambda: timeouts.parse_kept(line, "/a/file"))
    assert says == (
        f"/a/file: line 1, {line!r}, must be a timeout such as 'tcp 3600 before 900'; correct or remove the line"
    )
