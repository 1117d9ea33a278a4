# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ipvs_real_server returns when it drains: without a service, and when connections are left."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import drain, netlink, plan, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.converge import ConvergeError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import KernelError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import RealServer, RealServerKey, ServiceKey
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

SERVING = "-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1:0 -g -w 2\n"
QUIESCED = SERVING.replace("-w 2", "-w 0")
MISSING = "fwmark 1 ipv4: there is no such virtual service, so it cannot have real servers"


class Director(support.FakeKernel):
    """A table of which every real server has connections; reading them fails where ``broken``."""

    def __init__(self, text: str, active: int = 0, broken: bool = False) -> None:
        super().__init__(plan.plan({}, rules.parse(text)).predicted)
        self._connections = netlink.Connections(active, 0, 0)
        self._broken = broken

    def real_servers(
        self, service: ServiceKey
    ) -> Iterator[tuple[RealServerKey, RealServer, netlink.Connections, bytes, netlink.Message]]:
        if self._broken:
            raise KernelError("broken")
        data = netlink.request(28, 1, netlink.NEW_DEST, 0, netlink.attribute(netlink.ATTR_DEST, b""))
        (message,) = netlink.messages(data)
        for key, server in self.table[service].real_servers.items() if service in self.table else ():
            yield key, server, self._connections, data, message


class Task:
    """As much of AnsibleModule as the code looks at."""

    _diff = False

    def __init__(self, check_mode: bool = False, **options: Any) -> None:
        self.check_mode = check_mode
        defaults = {
            "minimum_in_service": None,
            "drain_expired": "fail",
            "drain_wait_for": ["active"],
            "drain_udp_pause": 10,
        }
        self.params = {"service": {"fwmark": 1}, "address": "192.0.2.1", "drain_timeout": 0, **defaults, **options}
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def manage(monkeypatch: pytest.MonkeyPatch, director: Director, task: Task) -> dict[str, Any]:
    monkeypatch.setattr(drain, "Ipvs", lambda **_options: director)
    return drain.manage_real_server(task)


def diff_of(result: dict[str, Any]) -> tuple[str, str]:
    return result["diff"]["before"], result["diff"]["after"]


def test_draining_needs_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(state="drained")
    assert support.refused(lambda: manage(monkeypatch, Director(""), task)) == MISSING
    assert task.warnings == []


def test_an_earlier_task_may_make_the_service_in_a_real_run(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(check_mode=True, state="drained")
    result = manage(monkeypatch, Director(""), task)
    assert (result["changed"], diff_of(result)) == (False, ("", ""))
    assert task.warnings == [f"{MISSING}. A real run fails here unless an earlier task adds the service."]


def test_what_goes_needs_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    result = manage(monkeypatch, Director(""), Task(state="absent"))
    assert (result["changed"], diff_of(result)) == (False, ("", ""))


@pytest.mark.parametrize("state", ["drained", "absent"])
def test_the_weight_that_was_taken_shows_when_connections_are_left(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    director = Director(SERVING, active=1)
    with pytest.raises(ConvergeError, match=r"after 0 seconds: it has 1 active connection\. ") as failed:
        manage(monkeypatch, director, Task(state=state))
    assert rules.render(director.table) == QUIESCED
    assert (failed.value.result["changed"], failed.value.result["drained"]) == (True, False)
    assert diff_of(failed.value.result) == (SERVING, QUIESCED)
    with pytest.raises(ConvergeError) as again:
        manage(monkeypatch, director, Task(state=state))
    assert (again.value.result["changed"], diff_of(again.value.result)) == (False, ("", ""))


def test_the_weight_that_was_taken_shows_when_connections_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConvergeError, match="broken") as failed:
        manage(monkeypatch, Director(SERVING, broken=True), Task(state="drained"))
    assert diff_of(failed.value.result) == (SERVING, QUIESCED)


def test_the_weight_that_was_taken_shows_when_the_kernel_does_not_remove_it(monkeypatch: pytest.MonkeyPatch) -> None:
    director = Director(SERVING)
    director.refuse = lambda operation: errno.EINVAL if operation.verb == plan.REMOVE else 0
    with pytest.raises(ConvergeError, match="cannot remove real server") as failed:
        manage(monkeypatch, director, Task(state="absent"))
    assert (failed.value.result["changed"], diff_of(failed.value.result)) == (True, (SERVING, QUIESCED))
