# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of layer 7 behind layer 4: both levels balance, and the application sees the client."""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Iterator

import cluster
import pytest
from testinfra.host import Host

URL = "http://192.0.2.28:8000/"
TIMES = 20


@pytest.fixture
def example(machine: Callable[[str], Host]) -> Iterator[cluster.Run]:
    # the directors have the service already
    yield cluster.playbook("example_layer7", "--limit=real_servers", scenario="methods")
    for name in cluster.REAL_SERVERS:
        machine(name).check_output(
            "systemctl disable --now haproxy && rm /etc/nginx/conf.d/layer7.conf && systemctl reload nginx"
        )


def test_both_levels_balance_and_the_application_sees_the_client(example: cluster.Run) -> None:
    assert example.status == 0, example.text
    cluster.wait_for_service(vip="192.0.2.28")
    balancers: collections.Counter[str] = collections.Counter()
    applications: collections.Counter[str] = collections.Counter()
    for _number in range(TIMES):
        answer = cluster.on_client("curl", "--silent", "--fail", "--include", "--max-time", "10", URL)
        balancers.update(re.findall(r"(?im)^x-balancer: (\S+)", answer))
        applications.update(answer.splitlines()[-1:])
    print(f"layer 7: HAProxy {dict(balancers)}, applications {dict(applications)}")
    assert balancers == {"rs1": TIMES // 2, "rs2": TIMES // 2}
    assert set(applications) == {f"{name} {cluster.CLIENT}" for name in cluster.REAL_SERVERS}
