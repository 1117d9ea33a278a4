# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that a health checker removes, and that stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import continuity, rules
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.continuity import Handover, shield
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import ServiceKey
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.plan import plan
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs.support import FakeKernel

RULES = """\
-A -t 192.0.2.10:80 -s wrr -p 300 -M 255.255.255.0
-a -t 192.0.2.10:80 -r 192.0.2.11:80 -g -w 0
-a -t 192.0.2.10:80 -r 192.0.2.12:80 -g -w 5 -x 10 -y 5
-A -f 21 -6 -s rr
-a -f 21 -6 -r [2001:db8::11]:0 -i -w 1 --tun-type ipip
-A -u 192.0.2.53:53 -s rr -o
-a -u 192.0.2.53:53 -r 192.0.2.11:53 -g -w 1
"""


class Kernel(FakeKernel):
    def __init__(self) -> None:
        super().__init__(plan({}, rules.parse(RULES)).predicted)

    def services(self) -> Iterator[tuple[ServiceKey, object, bytes, object]]:  # type: ignore[override]
        for key in list(self.table):
            yield key, None, b"", None


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def expire(tmp_path: Path) -> Path:
    path = tmp_path / "expire_nodest_conn"
    path.write_text("1\n")
    return path


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(continuity, "has_command", lambda _name: True)
    return []


def runner(scripts: list[str], status: int = 0) -> Callable[[list[str]], tuple[int, str, str]]:
    def run(command: list[str]) -> tuple[int, str, str]:
        if "--check" not in command:
            scripts.append(Path(command[-1]).read_text())
        return status, "", "no nftables\n"

    return run


def moved(
    kernel: Kernel, expire: Path, scripts: list[str], act: Callable[[], None], at_once: bool = True, status: int = 0
) -> set[ServiceKey]:
    return Handover(runner(scripts, status), lambda: kernel, str(expire), scripts.append).keep(
        set(kernel.table), act, at_once
    )


@pytest.mark.parametrize("at_once", [False, True])
def test_they_are_as_before(kernel: Kernel, expire: Path, scripts: list[str], at_once: bool) -> None:
    before = dict(kernel.table)

    def remove() -> None:
        assert expire.read_text() == "0"
        for key in list(kernel.table):
            time.sleep(0.01)
            del kernel.table[key]

    assert moved(kernel, expire, scripts, remove, at_once) == set(before)
    assert rules.render(kernel.table) == rules.render(before)
    assert expire.read_text() == "1"


def test_one_that_goes_after_the_reload_has_returned(kernel: Kernel, expire: Path, scripts: list[str]) -> None:
    before = dict(kernel.table)
    reads = 0
    services = kernel.services

    def later() -> Iterator[tuple[ServiceKey, object, bytes, object]]:
        nonlocal reads
        reads += 1
        if reads == 5:
            kernel.table.clear()
        return services()

    kernel.services = later  # type: ignore[method-assign]
    assert moved(kernel, expire, scripts, lambda: None, at_once=False) == set(before)
    assert rules.render(kernel.table) == rules.render(before)


def test_those_that_never_go_are_waited_for_in_vain(
    kernel: Kernel, expire: Path, scripts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuity, "PATIENCE", 0.1)
    assert moved(kernel, expire, scripts, lambda: None, at_once=False) == set()
    assert kernel.sent == []


def test_the_gap_is_hidden_and_the_hiding_ends(kernel: Kernel, expire: Path, scripts: list[str]) -> None:
    moved(kernel, expire, scripts, kernel.table.clear)
    begin = f"table inet {continuity.TABLE}\ndelete table inet {continuity.TABLE}\n"
    assert [script.startswith(begin) for script in scripts] == [True, True]
    assert scripts[0] == begin + shield(Kernel().table)
    assert scripts[1] == begin


def test_also_when_the_reload_fails(kernel: Kernel, expire: Path, scripts: list[str]) -> None:
    def fail() -> None:
        raise HostError("systemctl reload failed")

    with pytest.raises(HostError, match="systemctl reload failed"):
        moved(kernel, expire, scripts, fail, at_once=False)
    assert expire.read_text() == "1"
    assert len(scripts) == 2


def test_without_nftables_it_goes_on_with_a_warning(kernel: Kernel, expire: Path, scripts: list[str]) -> None:
    moved(kernel, expire, scripts, kernel.table.clear, status=1)
    assert scripts[-1] == "clients may see errors for a moment, since nftables does not work here: no nftables"
    assert rules.render(kernel.table) == rules.render(Kernel().table)


def test_services_that_are_not_in_the_table_are_not_made(expire: Path, scripts: list[str]) -> None:
    kernel = Kernel()
    keys = set(kernel.table)
    kernel.table.clear()
    done = []
    work = Handover(runner(scripts), lambda: kernel, str(expire))
    assert work.keep(keys, lambda: done.append(True), at_once=False) == set()
    assert done == [True]
    assert scripts == []


def test_the_table_of_nftables() -> None:
    assert shield(Kernel().table, 45) == (
        """\
table inet lvs_cluster_handover {
  set marks6 {
    type mark
    flags timeout
    elements = { 21 timeout 45s }
  }
  set services4 {
    type ipv4_addr . inet_proto . inet_service
    flags timeout
    elements = { 192.0.2.10 . tcp . 80 timeout 45s, 192.0.2.53 . udp . 53 timeout 45s }
  }
  set vips4 {
    type ipv4_addr
    flags timeout
    elements = { 192.0.2.10 timeout 45s, 192.0.2.53 timeout 45s }
  }
  chain input {
    type filter hook input priority 101;
    ip daddr . meta l4proto . th dport @services4 drop
    meta nfproto ipv6 meta mark @marks6 drop
  }
  chain output {
    type filter hook output priority 0;
    ip saddr @vips4 icmp type destination-unreachable drop
  }
}
"""
    )


def test_every_port_of_an_address() -> None:
    (patch,) = rules.parse("-A -t [2001:db8::10]:0 -s rr -p 300\n")
    text = shield([patch.key])
    assert "elements = { 2001:db8::10 . tcp timeout" in text
    assert "ip6 daddr . meta l4proto @protocols6 drop" in text
    assert "ip6 saddr @vips6 icmpv6 type destination-unreachable drop" in text
