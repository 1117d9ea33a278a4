# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VIPs a change of keepalived.conf drops for a moment, and that they are on lo meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import parse_address
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.continuity import InterimVips, dropped
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs.simulated_unit import (
    Host,
    Killed,
    apply,
    parameters,
)

VIP, VIP6, GATEWAY, OTHER = map(parse_address, ("192.0.2.10", "2001:db8::10", "10.0.0.1", "192.0.2.20"))


def configuration(
    peers: tuple[str, ...] = (), router: int = 51, interval: str = "1.0", name: str = "lvs_ipv4", more: str = ""
) -> str:
    """As plugin_utils/_render/keepalived.py writes it."""
    unicast = "".join(f"        {peer} min_ttl 255 max_ttl 255 # lb2\n" for peer in peers)
    block = f"    unicast_peer {{\n{unicast}    }}\n" if peers else ""
    vips = "        192.0.2.10/32\n        2001:db8::10/128\n        10.0.0.1/32 dev eth2\n"
    return (
        f"vrrp_instance {name} {{\n    virtual_router_id {router}\n    advert_int {interval}\n{block}"
        "    virtual_ipaddress {\n        192.0.0.8/32 scope host\n    }\n"
        f"    virtual_ipaddress_excluded {{\n{vips}{more}    }}\n}}\n"
    )


ALONE, PAIR, THREE = configuration(), configuration(("192.0.2.3",)), configuration(("192.0.2.3", "192.0.2.4"))


@pytest.mark.parametrize(("before", "after"), [(ALONE, PAIR), (PAIR, ALONE), (ALONE, configuration(router=52))])
def test_those_of_a_director_that_is_alone_before_or_after(before: str, after: str) -> None:
    addresses, seconds = dropped(before, after)
    assert addresses >= {VIP, VIP6, GATEWAY}
    assert seconds == 14.0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ALONE, ALONE.replace("priority", "#")),
        (ALONE, configuration(interval="0.2")),
        (PAIR, THREE),
        (THREE, PAIR),
        (PAIR, configuration(("192.0.2.3",), router=52)),  # the other one takes them
        ("", PAIR),
        (PAIR, ""),
        (configuration(name="mine"), PAIR),
        ("}\n}\nunicast_peer {\nvrrp_instance", PAIR),
    ],
)
def test_no_others(before: str, after: str) -> None:
    assert dropped(before, after) == (frozenset(), 0.0)


def test_one_that_comes_or_goes_is_not_among_them() -> None:
    more = configuration(("192.0.2.3",), more="        192.0.2.20/32\n")
    assert OTHER not in dropped(ALONE, more)[0]
    assert OTHER not in dropped(more, ALONE)[0]


@pytest.mark.parametrize(("interval", "seconds"), [("0.2", 10.8), ("40.95", 173.8), ("9" * 30, 173.8), ("x", 173.8)])
def test_how_long_it_may_take(interval: str, seconds: float) -> None:
    assert dropped(ALONE, configuration(("192.0.2.3",), interval=interval))[1] == pytest.approx(seconds)


@pytest.fixture
def serving(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    assert apply(host, parameters(ALONE))
    host.vips = {VIP, VIP6, GATEWAY}
    host.moments = 0
    host.calls.clear()
    return host


def test_they_are_on_lo_until_keepalived_has_them_again(serving: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    local = []
    sleep = serving.sleep

    def watched(seconds: float) -> None:
        local.append({one.address for one in serving.held()})
        sleep(seconds)

    monkeypatch.setattr(serving, "sleep", watched)
    assert apply(serving, parameters(PAIR))
    assert serving.calls == ["reload"]
    assert len(local) >= 7, "keepalived had none for this long"
    assert all(held == serving.vips for held in local)
    assert not serving.on_lo
    assert serving.moments == 0
    assert not apply(serving, parameters(PAIR))


@pytest.mark.parametrize("kills", [(1,), (2,), (3,), (2, 1, 2)])
def test_also_when_runs_were_killed_before(
    serving: Host, monkeypatch: pytest.MonkeyPatch, kills: tuple[int, ...]
) -> None:
    """Also between writing and reloading, when the former configuration is no longer on the host."""
    local = []
    sleep = serving.sleep

    def watched(seconds: float) -> None:
        local.append({one.address for one in serving.held()})
        sleep(seconds)

    for steps in kills:
        with pytest.raises(Killed):
            apply(serving, parameters(PAIR), steps)
    monkeypatch.setattr(serving, "sleep", watched)
    assert apply(serving, parameters(PAIR))
    assert serving.read == PAIR
    assert serving.moments == 0
    assert len(local) >= 7
    assert all(held == serving.vips for held in local)
    assert not serving.on_lo
    assert not apply(serving, parameters(PAIR))
    record = serving.path("/var/lib/lvs-cluster/keepalived.service.applied").read_text()
    assert str(VIP) not in record, "it is over"


def test_a_single_director_has_them_while_keepalived_is_restarted(
    serving: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = []
    start = serving.start

    def watched() -> None:
        local.append({one.address for one in serving.held() if one.interface == "lo"})
        start()

    monkeypatch.setattr(serving, "start", watched)
    serving.hangs = True
    assert apply(serving, parameters(ALONE.replace("51", "52"), may_restart=True))
    assert local == [serving.vips]
    assert not serving.on_lo
    assert {one.interface for one in serving.held()} == {"eth1"}


def test_with_an_end_if_the_process_is_killed(serving: Host) -> None:
    class Killed(BaseException):
        pass

    def reload() -> None:
        with InterimVips(serving.run, held=serving.held).meanwhile({VIP, VIP6, OTHER}, 10.0):
            assert serving.on_lo == {
                VIP: "scope host valid_lft 50 preferred_lft 0",
                VIP6: "nodad valid_lft 50 preferred_lft 0",
            }
            raise Killed

    with pytest.raises(Killed):
        reload()


def test_a_backup_gets_none(serving: Host) -> None:
    serving.vips = set()
    assert apply(serving, parameters(PAIR))
    assert not serving.on_lo


def test_nor_is_one_removed_that_lo_has_otherwise(serving: Host) -> None:
    serving.vips = {VIP6, GATEWAY}
    serving.on_lo = {VIP: "of others"}
    assert apply(serving, parameters(PAIR))
    assert serving.on_lo == {VIP: "of others"}


def test_a_reload_that_fails(serving: Host) -> None:
    serving.hangs = True
    with pytest.raises(HostError, match="timed out"):
        apply(serving, parameters(PAIR))
    assert not serving.on_lo


def test_an_address_that_lo_does_not_take(serving: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(words: list[str]) -> tuple[int, str, str]:
        return (2, "", "RTNETLINK answers: Permission denied") if "2001:db8::10/128" in words else run(words)

    run = serving._ip
    monkeypatch.setattr(serving, "_ip", refused)
    with pytest.raises(HostError, match="ip address add 2001:db8::10/128 dev lo failed: RTNETLINK answers: Perm"):
        apply(serving, parameters(PAIR))
    assert VIP not in serving.on_lo
    assert "reload" not in serving.calls
