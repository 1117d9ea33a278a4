# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IPVS says in /proc, and lists of modules, as they are and damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import netlink, readings

STATS = """\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       1        7        0               D2                0

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       0        A        0               FF                0
"""
HEADINGS = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
CONNECTION = "TCP C0000264 8A2C C000020A 0050 C633640B 0050 ESTABLISHED     899\n"
CONNECTION6 = (
    "TCP 2001:0db8:0000:0000:0000:0000:0000:0002 9C40 2001:0db8:0000:0000:0000:0000:0000:000a 0050"
    " 2001:0db8:0000:0000:0000:0000:0000:0011 0050 ESTABLISHED     899\n"
)
NOTHING = dict.fromkeys(netlink.COUNTERS, 0)


def test_totals() -> None:
    assert readings.parse_totals(STATS) == (
        {"connections": 1, "packets_in": 7, "packets_out": 0, "bytes_in": 210, "bytes_out": 0},
        {"connections": 0, "packets_in": 10, "packets_out": 0, "bytes_in": 255, "bytes_out": 0},
    )


_counters = st.lists(st.integers(0, 2**64 - 1), min_size=5, max_size=5)


@given(_counters, _counters)
def test_any_totals(counters: list[int], rates: list[int]) -> None:
    numbers = [(f"{a:8X} {b:8X} {c:8X} {d:16X} {e:16X}") for a, b, c, d, e in (counters, rates)]
    lines = STATS.splitlines()
    lines[2], lines[5] = numbers
    found = readings.parse_totals("\n".join(lines))
    assert [list(values.values()) for values in found] == [counters, rates]


@pytest.mark.parametrize("text", ["", HEADINGS, STATS[: STATS.index("Conns/s")], STATS + STATS, "1 2 3 4 5 6\n" * 2])
def test_totals_of_another_form_are_zeros(text: str) -> None:
    assert readings.parse_totals(text) == (NOTHING, NOTHING)


def test_connections() -> None:
    assert list(readings.parse_connections([HEADINGS, CONNECTION, CONNECTION6])) == [
        {
            "protocol": "tcp",
            "client_address": "192.0.2.100",
            "client_port": 35372,
            "address": "192.0.2.10",
            "port": 80,
            "real_server_address": "198.51.100.11",
            "real_server_port": 80,
            "state": "ESTABLISHED",
            "expires": 899,
        },
        {
            "protocol": "tcp",
            "client_address": "2001:db8::2",
            "client_port": 40000,
            "address": "2001:db8::a",
            "port": 80,
            "real_server_address": "2001:db8::11",
            "real_server_port": 80,
            "state": "ESTABLISHED",
            "expires": 899,
        },
    ]


def test_a_real_server_of_another_family() -> None:
    server = "2001:0db8:0000:0000:0000:0000:0000:0011"
    (entry,) = readings.parse_connections([CONNECTION.replace("C633640B", server)])
    assert (entry["client_address"], entry["real_server_address"]) == ("192.0.2.100", "2001:db8::11")
    (entry,) = readings.parse_connections([CONNECTION6.replace(server, "C633640B")])
    assert (entry["client_address"], entry["real_server_address"]) == ("2001:db8::2", "198.51.100.11")


def test_a_template_of_a_persistence_engine() -> None:
    line = "UDP C0000264 0000 C000020A 13C4 C633640B 13C4 NONE            353 sip 1234@client.example\n"
    (entry,) = readings.parse_connections([line])
    assert (entry["persistence_engine"], entry["persistence_data"]) == ("sip", "1234@client.example")
    assert (entry["client_port"], entry["port"], entry["state"], entry["expires"]) == (0, 5060, "NONE", 353)


@pytest.mark.parametrize(
    "line",
    [
        HEADINGS,
        "\n",
        CONNECTION.rsplit(maxsplit=1)[0],
        CONNECTION.replace("C0000264", "C00002G4"),
        CONNECTION.replace("C0000264", "C000264"),
        CONNECTION.replace("8A2C", "port"),
        CONNECTION.replace("899", "soon"),
        CONNECTION6.replace("9C40 2001:0db8", "9C40 2001"),
    ],
)
def test_lines_of_another_form_are_skipped(line: str) -> None:
    assert len(list(readings.parse_connections([line, CONNECTION]))) == 1


def test_modules_of_every_list() -> None:
    loaded = "ip_vs_wrr 16384 1 - Live 0x0\nip_vs 200704 3 ip_vs_wrr, Live 0x0\nnf_nat 1 1 ip_vs_ftp, Live 0x0\n"
    order = "".join(
        f"kernel/net/netfilter/ipvs/ip_vs{name}\n"
        for name in (".ko", "_rr.ko", "_mh.ko.xz", "_pe_sip.ko", "_ftp.ko", "_lblcr.ko.zst")
    )
    assert readings.parse_modules([loaded, order, ""]) == (["lblcr", "mh", "rr", "wrr"], ["sip"])


def test_files_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert readings.totals(nowhere) == (NOTHING, NOTHING)
    assert readings.connections(nowhere) == []


def test_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / os.uname().release
    directory.mkdir()
    (directory / "modules.builtin").write_text("kernel/net/netfilter/ipvs/ip_vs_sh.ko\n")
    (tmp_path / "stats").write_text(STATS)
    (tmp_path / "connections").write_bytes((HEADINGS + CONNECTION).encode()[:-1] + b" sip \xe9\xff\n")
    monkeypatch.setattr(readings, "MODULES", "/nowhere")
    assert readings.available(str(tmp_path)) == (["sh"], [])
    assert readings.totals(str(tmp_path / "stats"))[0]["packets_in"] == 7
    (entry,) = readings.connections(str(tmp_path / "connections"))
    assert entry["persistence_engine"] == "sip"
