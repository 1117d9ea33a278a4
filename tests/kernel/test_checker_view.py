# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers that somebody removes by hand, while the real keepalived takes them to be in the table."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

pytestmark = pytest.mark.usefixtures("_nothing_kept")

CONFIGURATION = Path("/etc/keepalived/keepalived.conf")
DROP_IN = Path("/run/systemd/system/keepalived.service.d/test.conf")
SERVERS = ("198.51.100.11", "198.51.100.12", "2001:db8::11")
CHECK = "TCP_CHECK {\n      connect_timeout 5\n      connect_port 7999\n    }"
TEXT = f"""\
virtual_server 192.0.2.10 80 {{
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  real_server 198.51.100.11 8080 {{
    weight 5
    {CHECK}
  }}
  real_server 198.51.100.12 8080 {{
    weight 3
    {CHECK}
  }}
}}
virtual_server 2001:db8::10 53 {{
  lvs_sched rr
  lvs_method DR
  protocol UDP
  delay_loop 1
  real_server 2001:db8::11 53 {{
    {CHECK}
  }}
}}
virtual_server fwmark 7 {{
  ip_family inet
  lvs_sched rr
  lvs_method DR
  delay_loop 1
  real_server 198.51.100.11 {{
    {CHECK}
  }}
  real_server 198.51.100.12 {{
    inhibit_on_failure
    {CHECK}
  }}
}}
"""


def entry(address: str, port: int, method: str, weight: int = 1) -> dict[str, Any]:
    return {"address": address, "port": port, "forward_method": method, "weight": weight}


HEALTH_CHECKED: list[dict[str, Any]] = [
    {
        "name": "web",
        "address": "192.0.2.10",
        "port": 80,
        "scheduler": "wrr",
        "real_servers": [entry("198.51.100.11", 8080, "nat", 5), entry("198.51.100.12", 8080, "nat", 3)],
    },
    {
        "name": "names",
        "address": "2001:db8::10",
        "port": 53,
        "protocol": "udp",
        "scheduler": "rr",
        "real_servers": [entry("2001:db8::11", 53, "dr")],
    },
    {
        "name": "marked",
        "fwmark": 7,
        "scheduler": "rr",
        "real_servers": [entry("198.51.100.11", 0, "dr"), entry("198.51.100.12", 0, "dr")],
    },
]
TASK: dict[str, Any] = {"parts": ["table"], "health_checked": HEALTH_CHECKED}


def listen(address: str) -> socket.socket:
    """Return a socket that completes connections, which is all that the check needs."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, 7999), family=family, backlog=500)


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


@pytest.fixture(name="listeners")
def health_checks_of_the_test(host: Host) -> Iterator[dict[str, socket.socket]]:
    """The real keepalived, in the network namespace of the test, and what it asks."""
    for address in SERVERS:
        words = ["nodad"] if ":" in address else []
        host.run("ip", "address", "add", address, "dev", "lo", *words)
    listeners = {address: listen(address) for address in SERVERS}
    before = CONFIGURATION.read_text() if CONFIGURATION.exists() else None
    CONFIGURATION.write_text(TEXT)
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f"[Service]\nNetworkNamespacePath=/proc/{os.getpid()}/ns/net\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", "keepalived")
    try:
        until(lambda: host.save().count("-a ") == 5, "keepalived adds its real servers")
        yield listeners
    finally:
        host.attempt("systemctl", "stop", "keepalived")
        DROP_IN.unlink()
        host.run("systemctl", "daemon-reload")
        if before is None:
            CONFIGURATION.unlink()
        else:
            CONFIGURATION.write_text(before)
        for one in listeners.values():
            one.close()


def test_what_was_removed_by_hand_comes_back_and_what_has_failed_does_not(
    host: Host, listeners: dict[str, socket.socket]
) -> None:
    complete = host.save()
    host.ok("director", **TASK)  # which writes files
    assert host.save() == complete
    assert not host.ok("director", **TASK)["changed"]
    listeners["198.51.100.12"].close()
    failed = "-a -t 192.0.2.10:80 -r 198.51.100.12:8080 -m -w 3\n"
    inhibited = "-a -f 7 -r 198.51.100.12:0 -g -w "
    partly = complete.replace(failed, "").replace(f"{inhibited}1\n", f"{inhibited}0\n")
    until(lambda: host.save() == partly, "keepalived takes out what has failed")
    assert not host.ok("director", **TASK)["changed"], "what has failed stays out"

    host.run("ipvsadm", "-d", "-t", "192.0.2.10:80", "-r", "198.51.100.11:8080")
    host.run("ipvsadm", "-d", "-u", "[2001:db8::10]:53", "-r", "[2001:db8::11]:53")
    host.run("ipvsadm", "-d", "-f", "7", "-r", "198.51.100.11")
    host.run("ipvsadm", "-d", "-f", "7", "-r", "198.51.100.12")
    edited = host.save()
    assert host.ok("director", check=True, **TASK)["changed"]
    assert host.save() == edited
    assert host.ok("director", **TASK)["changed"]
    assert host.save() == partly
    assert not host.ok("director", **TASK)["changed"]

    # A whole service is keepalived's to add (service_config).
    host.run("ipvsadm", "-D", "-f", "7")
    assert not host.ok("director", **TASK)["changed"]

    # keepalived's view and the table agree: it still takes out and puts back.
    listeners["198.51.100.12"] = listen("198.51.100.12")
    until(lambda: failed in host.save(), "keepalived puts back what is well again")
    listeners["198.51.100.11"].close()
    until(lambda: "198.51.100.11" not in host.save(), "keepalived takes out what was put back")
