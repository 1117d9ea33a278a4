# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that accept no connection, in words."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.connections import connection_problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._verify.reports import InputError

ENDS = [
    {"name": "web", "address": "192.0.2.10", "port": 80},
    {"name": "web6", "address": "2001:db8::10", "port": 80},
]


def test_all_accept() -> None:
    assert connection_problems(ENDS, {"client": {"refused": [], "changed": False}}) == []


def test_one_does_not() -> None:
    refused = [{"address": "192.0.2.10", "port": 80, "reason": "Connection refused"}]
    assert connection_problems(ENDS, {"client": {"failed": True, "refused": refused}}) == [
        "web, 192.0.2.10 port 80: no connection from client was accepted (Connection refused). If that host cannot "
        "reach the VIPs, set lvs_verify_from to one that can"
    ]


def test_nothing_was_tried() -> None:
    assert connection_problems(ENDS, {}) == [
        "no connection was tried: lvs_verify_from matches no host, or --limit excludes it"
    ]


@pytest.mark.parametrize("result", [{"failed": True, "msg": "no python"}, {"refused": "x", "msg": "no python"}])
def test_the_module_failed(result: dict[str, Any]) -> None:
    assert connection_problems(ENDS, {"client": result}) == ["no connection from client was tried: no python"]


@pytest.mark.parametrize("result", [None, "text", 5, {}, {"msg": {"a": 1}}])
def test_results_of_other_types(result: Any) -> None:
    (problem,) = connection_problems(ENDS, {"client": result})
    assert problem.startswith("no connection from client was tried: ")


def test_what_nobody_was_to_connect_to_is_ignored() -> None:
    refused: list[Any] = [{"address": "203.0.113.9", "port": 80, "reason": "x" * 10**6}, 5, {"address": []}, {}]
    refused += [{"address": "192.0.2.10", "port": []}, {"address": "192.0.2.10", "port": {"a": 1}}]
    assert connection_problems(ENDS, {"client": {"refused": refused}}) == []


def test_a_reason_is_text_of_a_host() -> None:
    refused = [{"address": "192.0.2.10", "port": 80, "reason": "\x1b[2J\n" + "x" * 10**6}]
    (problem,) = connection_problems(ENDS, {"client": {"refused": refused}})
    assert problem.isprintable()
    assert len(problem) <= 500


@pytest.mark.parametrize("given", [(5, {}), (ENDS, 5), ([5], {"client": {"refused": []}})])
def test_wrong_input(given: Any) -> None:
    with pytest.raises(InputError):
        connection_problems(*given)
