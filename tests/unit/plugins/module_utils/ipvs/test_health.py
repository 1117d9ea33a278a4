# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mon's alerts make of the services: which real server gets which weight, and who is said to be wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path
from socket import inet_aton
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils.ipvs import health, health_program, plan, rules
from ansible_collections.lvs.cluster.plugins.module_utils.ipvs.model import InvalidValue

SORRY = {"address": "192.0.2.99", "port": 8080, "forward_method": "nat", "weight": 1}


def entry(**values: Any) -> dict[str, Any]:
    servers = [
        {
            "watch": f"web_{number}",
            "address": f"192.0.2.1{number}",
            "port": 80,
            "forward_method": "nat",
            "weight": number,
        }
        for number in (1, 2, 3)
    ]
    service = {"name": "web", "address": "192.0.2.10", "port": 80, "protocol": "tcp", "scheduler": "rr"}
    return {
        "service": service,
        "quorum": 1,
        "inhibit_on_failure": False,
        "real_servers": servers,
        "sorry_server": None,
        **values,
    }


def weights(described: dict[str, Any], drained: str = "", failed: str = "") -> dict[str, int]:
    """The weights by the last part of an address: the table that comes out of an empty one."""
    addresses = [inet_aton(address) for address in drained.split()]
    table = plan.plan({}, health.wanted([described], addresses, failed.split())).predicted
    (service,) = table.values()
    return {key.address[3:].hex(): server.weight for key, server in service.real_servers.items()}


ONE, TWO, THREE, EXCUSE = (f"{last:02x}" for last in (11, 12, 13, 99))


@pytest.mark.parametrize(
    ("values", "drained", "failed", "expected"),
    [
        ({}, "", "", {ONE: 1, TWO: 2, THREE: 3}),
        ({}, "", "web_2 web_9", {ONE: 1, THREE: 3}),
        ({"inhibit_on_failure": True}, "", "web_2", {ONE: 1, TWO: 0, THREE: 3}),
        ({}, "192.0.2.11", "", {ONE: 0, TWO: 2, THREE: 3}),
        # A drain is for work: a real server that fails meanwhile goes as any other.
        ({}, "192.0.2.11", "web_1", {TWO: 2, THREE: 3}),
        ({}, "", "web_1 web_2 web_3", {}),
        ({"sorry_server": SORRY}, "", "web_1 web_2", {THREE: 3}),
        ({"sorry_server": SORRY}, "", "web_1 web_2 web_3", {EXCUSE: 1}),
        ({"sorry_server": SORRY}, "192.0.2.13", "web_1 web_2", {THREE: 0, EXCUSE: 1}),
        (
            {"sorry_server": SORRY, "inhibit_on_failure": True},
            "",
            "web_1 web_2 web_3",
            {ONE: 0, TWO: 0, THREE: 0, EXCUSE: 1},
        ),
        # Too few of weight: those that are well keep what they have, and get nothing new.
        ({"sorry_server": SORRY, "quorum": 4}, "", "web_3", {ONE: 0, TWO: 0, EXCUSE: 1}),
        ({"sorry_server": SORRY, "quorum": 4}, "", "web_2", {ONE: 1, THREE: 3}),
        ({"quorum": 4}, "", "web_3", {ONE: 1, TWO: 2}),
    ],
)
def test_weights(values: dict[str, Any], drained: str, failed: str, expected: dict[str, int]) -> None:
    assert weights(entry(**values), drained, failed) == expected


def test_nothing_depends_on_what_was_before() -> None:
    """The sorry server goes, and whoever was out comes back as described."""
    described = entry(sorry_server=SORRY)
    before = plan.plan({}, health.wanted([described], (), ["web_1", "web_2", "web_3"])).predicted
    scope = plan.Scope(plan.PURGE_REAL_SERVERS)
    after = plan.plan(before, health.wanted([described], (), ["web_1"]), scope).predicted
    assert rules.render(after).splitlines() == [
        "-A -t 192.0.2.10:80 -s rr",
        "-a -t 192.0.2.10:80 -r 192.0.2.12:80 -m -w 2",
        "-a -t 192.0.2.10:80 -r 192.0.2.13:80 -m -w 3",
    ]


def test_bad_values_are_told() -> None:
    described = entry()
    described["real_servers"][1]["weight"] = -1
    with pytest.raises(InvalidValue, match=r"web .*192\.0\.2\.12:80.*weight"):
        health.wanted([described], (), ())
    with pytest.raises(InvalidValue, match="described twice"):
        health.wanted([entry(), entry()], (), ())


@pytest.mark.parametrize("spoilt", [{}, {"service": None}, entry(real_servers=[{}]), entry(sorry_server=1)])
def test_what_the_role_has_not_written_is_told(spoilt: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=r"health\.json.* is not what the role director writes"):
        health.wanted([spoilt], (), ["web_1", "web_2", "web_3"])


def test_a_file_that_is_damaged_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "health.json"
    damaged.write_text("[{")
    monkeypatch.setattr(health, "CONFIGURATION", str(damaged))
    monkeypatch.setattr(health_program, "Ipvs", contextlib.nullcontext)
    assert health_program.main(["apply"]) == 1
    assert f"apply: {damaged}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["apply", "now"], ["failed", "web_1"], [""], ["x"]])
def test_words_that_say_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert health_program.main(words) == 2
    assert capsys.readouterr().err == "usage: health apply | follow\n"
