# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""arp_probe on a real link: who answers, and who only seems to."""

from __future__ import annotations

import ipaddress
import struct
import threading

import pytest

SOURCE = ["10.9.0.1", "2001:db8:9::1"]
HOST_MAC, NEXT_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")


def advertisement(target, hardware, hop_limit):
    """A frame in which the neighbour tells the host whose an IPv6 address is."""
    source, destination = (ipaddress.ip_address(f"2001:db8:9::{last}").packed for last in (2, 1))
    claimed = ipaddress.ip_address(target).packed
    message = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + claimed + b"\x02\x01" + hardware
    summed = source + destination + struct.pack("!II", len(message), 58) + message
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    message = message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), 58, hop_limit) + source + destination
    return HOST_MAC + NEXT_MAC + b"\x86\xdd" + header + message


def reply(address, hardware):
    """A frame in which the neighbour tells the host whose an IPv4 address is."""
    claimed = ipaddress.ip_address(address).packed
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + hardware + claimed + HOST_MAC + bytes([10, 9, 0, 1])
    return HOST_MAC + NEXT_MAC + b"\x08\x06" + body


@pytest.fixture(name="send")
def _send(neighbour):
    """Send frames over and over until the test ends."""
    stop = threading.Event()
    threads = []

    def start(frames):
        def loop():
            while not stop.wait(0.02):
                for frame in frames:
                    neighbour._socket.send(frame)

        threads.append(threading.Thread(target=loop))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def test_the_neighbour_answers_for_its_own_addresses(lab):
    lab.ip(lab.next, "address", "add", "192.0.2.10/32", "dev", "lo")
    wanted = ["10.9.0.2", "2001:db8:9::2", "192.0.2.10", "10.9.0.77", "2001:db8:9::77"]
    result = lab.module("arp_probe", addresses=wanted, source=SOURCE)
    neighbours = {address: ["02:00:00:00:00:02"] for address in wanted[:3]}
    assert result.raw["answers"] == {**neighbours, "10.9.0.77": [], "2001:db8:9::77": []}


def test_an_advertisement_from_beyond_the_link_does_not_count(lab, send):
    frames = [advertisement("2001:db8:9::77", b"\x02\0\0\0\0\x77", hops) for hops in (1, 64, 254)]
    send([*frames, advertisement("2001:db8:9::78", b"\x02\0\0\0\0\x78", 255)])
    result = lab.module("arp_probe", addresses=["2001:db8:9::77", "2001:db8:9::78"], source=SOURCE)
    assert result.raw["answers"] == {"2001:db8:9::77": [], "2001:db8:9::78": ["02:00:00:00:00:78"]}


def test_a_flood_of_answers_is_cut_off(lab, send):
    made_up = [bytes([2, 0, 0, 0, number, 9]) for number in range(100)]
    send([reply("10.9.0.77", mac) for mac in made_up])
    send([advertisement("2001:db8:9::77", mac, 255) for mac in made_up])
    result = lab.module("arp_probe", addresses=["10.9.0.77", "2001:db8:9::77"], source=SOURCE)
    assert {address: len(macs) for address, macs in result.raw["answers"].items()} == {
        "10.9.0.77": 16,
        "2001:db8:9::77": 16,
    }
