# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the kernel's edge can be told without a kernel: words, chunks, and what is refused before a message."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import kernel, netlink, plan, rules
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support

SERVICE = plan.plan({}, rules.parse("-A -f 1 -s xyz -p 1 --pe sip")).operations[0]
SERVER = plan.plan({}, rules.parse("-A -f 1\n-a -f 1 -r 192.0.2.1")).operations[1]


@pytest.mark.parametrize(
    ("code", "operation", "words"),
    [
        (
            errno.ENOENT,
            SERVICE,
            "this kernel has no scheduler xyz or no persistence engine sip, not even as a module (ENOENT)",
        ),
        (errno.ENOENT, SERVER, "there is no such real server (ENOENT)"),
        (errno.ESRCH, SERVER, "there is no such virtual service (ESRCH)"),
        (errno.EEXIST, SERVICE, "it already exists (EEXIST)"),
        (
            errno.EINVAL,
            SERVER,
            "the kernel refuses this value as invalid, for instance an address that is not a host's (EINVAL)",
        ),
        (errno.EAFNOSUPPORT, SERVICE, "this kernel's IPVS has no IPv6, or it is switched off (EAFNOSUPPORT)"),
        (errno.ENOMEM, SERVICE, "Cannot allocate memory (ENOMEM)"),
    ],
)
def test_errors_in_words(code: int, operation: plan.Operation, words: str) -> None:
    assert kernel.explain(code, operation) == words


@pytest.mark.parametrize("name", ["modules.alias", "modules.builtin.alias", "modules.builtin.modinfo"])
def test_a_kernel_that_can_load_ip_vs(tmp_path: Path, name: str) -> None:
    assert not kernel.can_load("6.1.0", str(tmp_path))
    (tmp_path / "6.1.0").mkdir()
    (tmp_path / "6.1.0" / name).write_text("alias net-pf-16-proto-16-family-IPVS ip_vs\n")
    assert kernel.can_load("6.1.0", str(tmp_path))


class FakeSocket:
    """Answers chunks as the kernel does: each failing message, and the last one."""

    def __init__(self, fails: Callable[[int], int]) -> None:
        self.chunks: list[int] = []
        self.answers: list[bytes] = []
        self.fails = fails

    def sendto(self, data: bytes, _address: tuple[int, int]) -> None:
        messages = list(netlink.messages(data))
        self.chunks.append(len(messages))
        for message in messages:
            code = self.fails(message.sequence)
            if code or message is messages[-1]:
                header = netlink.NLMSG_HEADER.pack(20, netlink.NLMSG_ERROR, 0, message.sequence, 0)
                self.answers.append(header + netlink.S32.pack(-code))

    def recv(self, _size: int) -> bytes:
        data, self.answers = b"".join(self.answers[:3]), self.answers[3:]
        return data

    def close(self) -> None:
        pass


def apply(operations: list[plan.Operation], fails: Callable[[int], int]) -> tuple[list[int], list[kernel.Failure]]:
    with kernel.Ipvs() as ipvs:
        socket = FakeSocket(fails)
        ipvs._socket = socket
        return socket.chunks, ipvs.apply(operations, [])


def operations_on(count: int, verb: str) -> list[plan.Operation]:
    return [SERVER._replace(verb=verb)] * count


def test_chunks() -> None:
    chunks, failures = apply(operations_on(801, plan.ADD) + operations_on(2, plan.REMOVE), lambda _sequence: 0)
    assert (chunks, failures) == ([400, 400, 1, 2], [])


def test_the_first_chunk_with_a_failure_is_the_last() -> None:
    operations = operations_on(801, plan.ADD)
    chunks, failures = apply(operations, lambda sequence: errno.EINVAL if sequence in (402, 407, 800) else 0)
    assert chunks == [400, 400]
    assert [failure.code for failure in failures] == [errno.EINVAL] * 3


def test_nothing_is_removed_after_a_failure() -> None:
    operations = operations_on(1, plan.ADD) + operations_on(1, plan.REMOVE)
    chunks, failures = apply(operations, lambda _sequence: errno.ENOENT)
    assert (chunks, len(failures)) == ([1], 1)


def test_without_the_right_nothing_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status = tmp_path / "self/status"
    status.parent.mkdir()
    status.write_text("Name:\tpython3\nCapEff:\t0000000000000400\n")
    monkeypatch.setattr(kernel, "_PROC", str(tmp_path))
    assert "needs root (CAP_NET_ADMIN)" in refused(lambda: kernel.Ipvs().read())


def test_check_mode_where_ip_vs_is_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel, "_need_net_admin", lambda: None)
    monkeypatch.setattr(kernel, "_PROC_TABLE", str(tmp_path / "missing"))
    monkeypatch.setattr(kernel, "can_load", lambda: True)
    with kernel.Ipvs(load=False) as ipvs:
        assert ipvs.read() == {}
        assert not ipvs.loaded
    monkeypatch.setattr(kernel, "can_load", lambda: False)
    assert refused(lambda: kernel.Ipvs(load=False).read()).startswith(
        f"the running kernel {os.uname().release} has no IPVS: "
    )


def test_nothing_is_changed_where_ip_vs_is_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel, "_need_net_admin", lambda: None)
    monkeypatch.setattr(kernel, "_PROC_TABLE", str(tmp_path / "missing"))
    monkeypatch.setattr(kernel, "can_load", lambda: True)
    sent: list[plan.Operation] = []
    with kernel.Ipvs(load=False) as ipvs:
        said = refused(lambda: ipvs.apply([SERVICE], sent))
        assert refused(lambda: ipvs.command(netlink.GET_INFO)) == said
    assert (sent, said) == ([], "the kernel module ip_vs is not loaded, so the IPVS table cannot be changed")


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(kernel.KernelError) as caught:
        call()
    return str(caught.value)


def test_support_is_as_strict_as_the_kernel() -> None:
    fake = support.FakeKernel({})
    assert [failure.code for failure in fake.apply([SERVER], [])] == [errno.ESRCH]


IMPORTS = """
import sys
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import load_library
found = load_library()
assert not [name for name in sys.modules if name.startswith("pyroute2")]
import pyroute2
assert pyroute2.IPRoute and pyroute2.netlink.generic
again = load_library()
assert again.socket is pyroute2.netlink.generic.GenericNetlinkSocket
"""


def test_importing_the_little_that_is_needed_leaves_the_whole_library_importable() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, env=environment)
