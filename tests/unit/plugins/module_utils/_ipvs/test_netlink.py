# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values to netlink bytes and back. data/*.hex is what a 6.1 kernel sent for the table RULES, one buffer each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import netlink, plan, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import RealServer, RealServerKey, Table
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

RULES = """\
-A -t 192.0.2.10:443 -s sh -p 60 -M 255.255.255.0 --pe sip -b sh-fallback,sh-port
-a -t 192.0.2.10:443 -r 198.51.100.11:8443 -m -w 7 -x 100 -y 50
-a -t 192.0.2.10:443 -r [2001:db8::11]:443 -i -w 0 --tun-type gue --tun-port 6080 --tun-csum
-A -u [2001:db8::10]:53 -s rr -o
-A -f 21 -6 -s wlc -p 300 -M 64
"""
TABLE = plan.plan({}, rules.parse(RULES)).predicted
WEB = min(TABLE)


def received(name: str) -> tuple[bytes, list[netlink.Message]]:
    data = bytes.fromhex((Path(__file__).parent / "data" / f"{name}.hex").read_text().replace("\n", ""))
    return data, list(netlink.messages(data))


def test_services_of_a_real_kernel() -> None:
    data, messages = received("services")
    found = dict(netlink.decode_service(data, message) for message in messages)
    assert found == {key: service.settings for key, service in TABLE.items()}


def test_real_servers_of_a_real_kernel() -> None:
    data, messages = received("real_servers")
    decoded = [netlink.decode_dest(data, message) for message in messages]
    assert {key: server for key, server, _connections in decoded} == TABLE[WEB].real_servers
    assert all(connections == (0, 0, 0) for _key, _server, connections in decoded)


def dumped(data: bytes, sequence: int) -> tuple[dict[RealServerKey, RealServer], netlink.Message | None]:
    """What a whole dump is decoded to, and the message that ended it."""
    servers = netlink.RealServers(netlink.NLMSG_HEADER.unpack_from(data)[1], sequence)
    return servers.found, servers.take(data)


def test_real_servers_of_a_real_kernel_are_read_at_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(netlink, "decode_dest")
    data, messages = received("real_servers")
    assert dumped(data, messages[0].sequence) == (TABLE[WEB].real_servers, None)


def answer(key: RealServerKey, server: RealServer, *, unusual: bool, statistics: int) -> bytes:
    """A message as the kernel would send it, or with its attributes in another order."""
    (add,) = [plan.Operation(plan.ADD, WEB, None, key, server)]
    sent = netlink.pack([add], 28, 1)
    _service, (start, end) = [(start, end) for _kind, start, end in netlink.attributes(sent, 20, len(sent))]
    family, counters = sent[end - 8 : end], b"".join(netlink.attribute(kind, b"\0\0\0\0") for kind in (7, 8, 9))
    pieces = [sent[start : end - 8], counters, family, netlink.attribute(netlink.DEST_STATS, bytes(statistics))]
    nested = netlink.attribute(netlink.ATTR_DEST, b"".join(reversed(pieces) if unusual else pieces))
    return netlink.request(28, 7, netlink.NEW_DEST, 0, nested)


@given(support.tables(), st.lists(st.booleans(), min_size=1), st.lists(st.integers(0, 3), min_size=1))
def test_a_dump_of_any_messages(table: Table, unusual: list[bool], statistics: list[int]) -> None:
    for service in table.values():
        servers = list(service.real_servers.items())
        data = b"".join(
            answer(key, server, unusual=unusual[number % len(unusual)], statistics=statistics[number % len(statistics)])
            for number, (key, server) in enumerate(servers)
        )
        data += netlink.NLMSG_HEADER.pack(20, netlink.NLMSG_DONE, 2, 7, 0) + bytes(4)
        if not servers:
            continue
        found, end = dumped(data, 7)
        assert (found, dumped(data, 8)) == (dict(servers), ({}, None))
        assert end is not None
        assert netlink.end_of(data, 7) == end
        assert netlink.end_of(data[:-20], 7) is None
        expected = {netlink.image(key, server) for key, server in servers}
        alike = not any(unusual) and len(set(statistics)) == 1
        assert not alike or set(netlink.images(data)) == expected


def test_an_error_ends_a_dump() -> None:
    data = netlink.NLMSG_HEADER.pack(36, netlink.NLMSG_ERROR, 0, 7, 0) + netlink.S32.pack(-1) + bytes(16)
    _found, end = dumped(data, 7)
    assert end is not None
    assert end.error == 1


def test_statistics_of_a_real_kernel() -> None:
    data, messages = received("real_servers")
    for message in messages:
        counters, rates = netlink.decode_statistics(data, message, is_service=False)
        assert counters == rates == dict.fromkeys(netlink.COUNTERS, 0)


def _stats(kind: int, nested: list[tuple[int, bytes]]) -> bytes:
    return netlink.attribute(kind, b"".join(netlink.attribute(number, value) for number, value in nested))


def test_statistics_of_64_bits_win_and_their_padding_is_skipped() -> None:
    narrow = _stats(netlink.SVC_STATS, [(1, netlink.U32.pack(1))])
    wide = _stats(netlink.SVC_STATS64, [(11, b""), (1, netlink.U64.pack(2**40)), (11, b""), (10, netlink.U64.pack(7))])
    data = netlink.request(28, 1, 1, 0, netlink.attribute(netlink.ATTR_SERVICE, narrow + wide))
    counters, rates = netlink.decode_statistics(data, next(netlink.messages(data)), is_service=True)
    assert counters["connections"] == 2**40
    assert rates["bytes_out"] == 7


@given(support.tables())
def test_what_is_packed_can_be_read(table: Table) -> None:
    operations = plan.plan({}, support.as_patches(table)).operations
    data = netlink.pack(operations, 28, 100) if operations else b""
    messages = list(netlink.messages(data))
    assert [message.sequence for message in messages] == list(range(100, 100 + len(operations)))
    for operation, message in zip(operations, messages, strict=True):
        key, settings = netlink.decode_service(data, message)
        assert key == operation.service
        if operation.server_key is None:
            assert settings == operation.settings
        else:
            assert netlink.decode_dest(data, message)[:2] == (operation.server_key, operation.server)


def test_only_the_last_message_of_a_chunk_asks_for_an_answer() -> None:
    operations = plan.plan({}, support.as_patches(TABLE)).operations
    data = netlink.pack(operations, 28, 1)
    offsets = [message.start - 20 for message in netlink.messages(data)]
    flags = [netlink.NLMSG_HEADER.unpack_from(data, offset)[2] for offset in offsets]
    assert flags == [netlink.NLM_F_REQUEST] * (len(operations) - 1) + [netlink.NLM_F_REQUEST | netlink.NLM_F_ACK]


def test_a_removal_names_the_entry_and_no_more() -> None:
    server: RealServerKey = min(TABLE[WEB].real_servers)
    data = netlink.pack([plan.Operation(plan.REMOVE, WEB, server_key=server), plan.Operation(plan.REMOVE, WEB)], 28, 1)
    commands = [data[message.start - 4] for message in netlink.messages(data)]
    assert commands == [netlink.DEL_DEST, netlink.DEL_SERVICE]
    _service, (start, end) = [(start, end) for _kind, start, end in netlink.attributes(data, 20, 20 + 48 + 40)]
    kinds = {kind for kind, _start, _end in netlink.attributes(data, start, end)}
    assert kinds == {netlink.DEST_ADDR, netlink.DEST_ADDR_FAMILY, netlink.DEST_PORT}


@pytest.mark.parametrize("size", [17, 60, 399])
def test_a_truncated_buffer_is_an_error(size: int) -> None:
    data, _messages = received("real_servers")
    with pytest.raises(ValueError, match="truncated"):
        list(netlink.messages(data[:size]))
