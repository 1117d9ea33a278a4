# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module director: what five modules do, in one task."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

pytestmark = pytest.mark.usefixtures("_nothing_kept")

PARTS = ["kernel", "leaving", "nftables", "table", "timeouts"]
VIP = "192.0.2.10"
RULES = "chain marks {\n  type filter hook prerouting priority mangle;\n  tcp dport 7 meta mark set 21\n}\n"
FILES = ("/etc/sysctl.d/90-lvs-cluster.conf", "/etc/modules-load.d/lvs-cluster.conf", "/var/lib/lvs-cluster")


def service(port: int, *servers: str, **more: Any) -> dict[str, Any]:
    listed = [{"address": f"198.51.100.{one}", "forward_method": "nat", "weight": 1} for one in servers]
    return {"name": f"web-{port}", "address": VIP, "port": port, "scheduler": "rr", "real_servers": listed, **more}


def saved(port: int, *servers: str) -> str:
    lines = "".join(f"-a -t {VIP}:{port} -r 198.51.100.{one}:{port} -m -w 1\n" for one in servers)
    return f"-A -t {VIP}:{port} -s rr\n{lines}"


WANTED: dict[str, Any] = {
    "sysctls": {"net.ipv4.vs.expire_nodest_conn": 1},
    "rules": RULES,
    "services": [service(80, "11", "12")],
    "timeouts": {"tcp": 800},
}


def changed(result: dict[str, Any]) -> list[str]:
    return [name for name, one in result["parts"].items() if one["changed"]]


def now(host: Host) -> tuple[str, str, str, str]:
    sysctl = Path("/proc/sys/net/ipv4/vs/expire_nodest_conn").read_text()
    return host.save(), host.run("nft", "list", "ruleset").stdout, host.run("ipvsadm", "-l", "--timeout").stdout, sysctl


def test_all_of_it_comes_stays_and_goes(host: Host) -> None:
    """One test, since most of these runs have units and files to change, which takes seconds."""
    host.restore(saved(81, "13"))
    before = now(host)
    failed = host.module("director", **{**WANTED, "services": [service(80, "11", scheduler="nothing")]})
    assert failed["failed"]
    assert "nothing" in failed["msg"]
    assert (failed["changed"], list(failed["parts"])) == (True, ["kernel", "leaving", "nftables"])
    half = now(host)
    assert (half[0], half[2]) == (before[0], before[2]), "parts before it stay, and those behind it have not begun"
    assert "table inet lvs_cluster" in half[1]
    assert half[3] == "1\n"

    predicted = host.ok("director", check=True, **WANTED)
    assert now(host) == half
    done = host.ok("director", **WANTED)
    assert list(done["parts"]) == PARTS
    assert changed(done) == changed(predicted) == ["table", "timeouts"]
    table, ruleset, timeouts, sysctl = now(host)
    assert table == saved(80, "11", "12") + saved(81, "13")
    assert (ruleset, sysctl) == half[1:4:2]
    assert "800" in timeouts
    again = host.ok("director", **WANTED)
    assert (again["changed"], changed(again)) == (False, [])

    # Other parts stay as they are. What leaves is drained first.
    host.run("ip", "address", "add", f"{VIP}/32", "dev", "lo")
    checked = {"name": "checked", **service(81, "14")}
    more: dict[str, Any] = {"services": [service(80, "12")], "health_checked": [checked]}
    done = host.ok("director", parts=["table", "leaving"], **more)
    assert list(done["parts"]) == ["leaving", "table"]
    assert done["parts"]["leaving"]["leaving"] == [f"198.51.100.11:80 of web-80 (tcp {VIP}:80)"]
    assert now(host) == (saved(80, "12") + saved(81, "13"), ruleset, timeouts, sysctl)

    gone = host.ok("director", state="absent")
    assert list(gone["parts"]) == PARTS[::-1]
    assert changed(gone) == ["timeouts", "table", "nftables", "kernel"]
    assert now(host) == before
    assert not [path for path in FILES if os.path.exists(path)]
    assert not host.ok("director", state="absent")["changed"]


def test_services_of_a_health_checker_are_edited_and_none_comes_or_goes(host: Host) -> None:
    """keepalived and the others edit nothing that they find in the table."""
    host.restore(
        f"-A -t {VIP}:80 -s rr\n"
        f"-a -t {VIP}:80 -r 198.51.100.11:80 -m -w 1\n"
        f"-a -t {VIP}:80 -r 198.51.100.12:80 -m -w 0\n"
        f"-a -t {VIP}:80 -r 198.51.100.13:80 -m -w 1\n"
        f"-a -t {VIP}:80 -r 198.51.100.14:80 -m -w 7\n"
    )
    checked = service(80, "11", "12", "13", "15", scheduler="wrr", persistence_timeout=60)
    for number, server in enumerate(checked["real_servers"]):
        server.update(weight=2 + number, upper_threshold=9)
    sorry = {"address": "198.51.100.14", "forward_method": "nat"}
    checked["real_servers"].append(sorry)
    absent = service(81, "11")
    task: dict[str, Any] = {"parts": ["table"], "health_checked": [checked, absent], "purge": "all"}
    wanted = (
        f"-A -t {VIP}:80 -s wrr -p 60\n"
        f"-a -t {VIP}:80 -r 198.51.100.11:80 -m -w 2\n"
        f"-a -t {VIP}:80 -r 198.51.100.12:80 -m -w 0\n"
        f"-a -t {VIP}:80 -r 198.51.100.13:80 -m -w 4\n"
        f"-a -t {VIP}:80 -r 198.51.100.14:80 -m -w 7\n"
    )
    predicted = host.ok("director", check=True, _ansible_diff=True, **task)
    assert "-s wrr -p 60" in predicted["diff"][0]["after"]
    assert host.ok("director", **task)["changed"]
    assert host.save() == wanted
    assert host.thresholds() == [
        "198.51.100.11:80 9 0",
        "198.51.100.12:80 9 0",
        "198.51.100.13:80 9 0",
        "198.51.100.14:80 0 0",
    ]
    assert not host.ok("director", **task)["changed"]
    assert (
        not Path("/etc/lvs-cluster/ipvs.rules").exists() or VIP not in Path("/etc/lvs-cluster/ipvs.rules").read_text()
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"services": [service(80, "11", scheduler_flags=["sh-port"])]}, "scheduler_flags"),
        ({"services": [service(80, "11", schedule="rr")]}, "schedule"),
        ({"services": [service(80, "11"), service(80, "12")]}, "described twice"),
        ({"health_checked": [service(80, "11")]}, "described twice"),
        ({"rules": "}"}, "rules: the braces do not match"),
        ({"timeouts": {"udp": 0}}, "udp"),
        ({"sysctls": {"no such": "1"}}, "sysctls"),
        ({"leaving_timeout": -1}, "timeout"),
    ],
)
def test_all_options_are_read_before_anything_is_changed(host: Host, wrong: dict[str, Any], sentence: str) -> None:
    before = now(host)
    message = host.failure("director", **{**WANTED, **wrong})
    assert sentence in message
    assert now(host) == before
    assert not [path for path in FILES if os.path.exists(path)]
