# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a task is given: it is applied as described, or one sentence is returned and the table is as before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

EXAMPLES = int(os.environ.get("LVS_FUZZ_EXAMPLES", "60"))
BEFORE = """\
-A -t 192.0.2.10:80 -s sh -p 60 -M 255.255.255.0 -b sh-port
-a -t 192.0.2.10:80 -r 198.51.100.11:80 -i -w 7 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.10:80 -r 198.51.100.12:8080 -m -w 0
-A -f 21 -6 -s mh
-a -f 21 -6 -r [2001:db8::11]:0 -g -w 65535
"""

ODD_NUMBERS = st.sampled_from([-(2**31) - 1, -1, 0, 1, 80, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32, 2**64])
ODD_TEXTS = st.sampled_from(
    ["", " ", "0", "-1", "\0", "é", "\U0001f600", "none", "rr", "a" * 15, "a" * 16, "../x", "1.2.3", "::", "no_such"]
)
# Without st.text(): its tables of all characters take more memory than a machine has. And without half characters
# (surrogates), at which AnsibleModule fails before it calls anything of ours.
CHARACTERS = st.sampled_from([*"ab9.:/-_ #=%[]{}'\"\\", "\0", "\n", "\t", "é", "٣", "\U0001f600"])
TEXTS = st.one_of(ODD_TEXTS, st.lists(CHARACTERS, max_size=20).map("".join))
HOSTS = ["192.0.2.10", "198.51.100.11", "198.51.100.12", "2001:db8::11", "127.0.0.1", "0.0.0.1", "240.0.0.1"]
NO_HOSTS = ["0.0.0.0", "224.0.0.1", "255.255.255.255", "fe80::1", "fe80::1%lo", "ff02::1", "::", "::ffff:192.0.2.1"]
ADDRESSES = st.one_of(st.sampled_from(HOSTS), st.sampled_from(NO_HOSTS), st.ip_addresses().map(str), TEXTS)
SERVER: dict[str, st.SearchStrategy[Any]] = {
    "port": ODD_NUMBERS,
    "forward_method": st.sampled_from(["nat", "dr", "tun", "local"]),
    "weight": ODD_NUMBERS,
    "upper_threshold": ODD_NUMBERS,
    "lower_threshold": ODD_NUMBERS,
    "tunnel_type": st.sampled_from(["ipip", "gue", "gre"]),
    "tunnel_port": ODD_NUMBERS,
    "tunnel_checksum": st.sampled_from(["none", "csum", "remcsum"]),
}
IDENTITY: dict[str, st.SearchStrategy[Any]] = {
    "address": ADDRESSES,
    "port": st.one_of(st.just(80), ODD_NUMBERS),
    "protocol": st.sampled_from(["tcp", "udp", "sctp"]),
    "fwmark": ODD_NUMBERS,
    "family": st.sampled_from(["ipv4", "ipv6"]),
}
SERVICE: dict[str, st.SearchStrategy[Any]] = {
    **IDENTITY,
    "scheduler": st.one_of(st.sampled_from(["rr", "wlc", "sh", "mh", "lblcr", "ip_vs_rr", "pe_sip"]), TEXTS),
    "scheduler_flags": st.lists(st.one_of(st.sampled_from(["sh-port", "mh-fallback", "flag-3"]), TEXTS), max_size=2),
    "persistence_timeout": ODD_NUMBERS,
    "persistence_netmask": st.one_of(st.sampled_from(["24", "/64", "255.0.255.0", "128", "0"]), TEXTS),
    "persistence_engine": st.one_of(st.just("sip"), TEXTS),
    "one_packet": st.booleans(),
    "real_servers": st.lists(
        st.fixed_dictionaries({"address": ADDRESSES}, optional={**SERVER, "colour": TEXTS}), max_size=3
    ),
}
# Mostly right, so that much of it comes as far as the kernel.
LIKELY = st.fixed_dictionaries(
    {"address": st.sampled_from(["192.0.2.10", "2001:db8::10"]), "port": st.just(80)},
    optional={key: SERVICE[key] for key in ("scheduler", "persistence_timeout", "real_servers", "protocol")},
)
JUNK = ["-y", "5", "-x", "--tun-remcsum", "--pe", "sip", "#", "-o", "ipvsadm", "é"]
WORDS = st.sampled_from([*BEFORE.split(), *JUNK])
LINES = st.one_of(
    st.sampled_from(BEFORE.splitlines()),
    st.lists(WORDS, max_size=12).map(" ".join),
    st.builds(
        lambda line, word, at: " ".join([*line.split()[:at], word, *line.split()[at + 1 :]]),
        st.sampled_from(BEFORE.splitlines()),
        st.one_of(WORDS, TEXTS),
        st.integers(0, 12),
    ),
)

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def table(host: Host) -> Iterator[Host]:
    """A table to spoil, once for all examples of a test."""
    host.restore(BEFORE)
    yield host
    host.clear()


def check(host: Host, module: str, **arguments: Any) -> None:
    """Check mode and the real run agree, and an error leaves everything as it was."""
    before = host.save(), host.thresholds()
    predicted = host.module(module, check=True, **arguments)
    assert (host.save(), host.thresholds()) == before
    result = host.module(module, **arguments)
    if result.get("failed"):
        assert "Traceback" not in f"{result}"
        assert result["msg"].strip()
        assert (host.save(), host.thresholds()) == before
        return
    assert not predicted.get("failed"), predicted["msg"]
    assert predicted["changed"] == result["changed"]
    assert predicted.get("diff") == result.get("diff")
    again = host.module(module, **arguments)
    assert (again.get("failed"), again["changed"]) == (None, False)


@fuzzed
@given(arguments=st.one_of(LIKELY, st.fixed_dictionaries({}, optional=SERVICE)), purge=st.booleans())
def test_ipvs_service(table: Host, arguments: dict[str, Any], purge: bool) -> None:
    check(table, "ipvs_service", **arguments, purge=purge)


@fuzzed
@given(
    service=st.one_of(st.just({"address": "192.0.2.10", "port": 80}), st.fixed_dictionaries({}, optional=IDENTITY)),
    server=st.fixed_dictionaries({"address": ADDRESSES}, optional=SERVER),
    state=st.sampled_from(["present", "absent"]),
)
def test_ipvs_real_server(table: Host, service: dict[str, Any], server: dict[str, Any], state: str) -> None:
    check(table, "ipvs_real_server", service=service, **server, state=state)


@fuzzed
@given(services=st.lists(st.one_of(LIKELY, st.fixed_dictionaries({}, optional=SERVICE)), max_size=3))
def test_ipvs_table_of_services(table: Host, services: list[dict[str, Any]]) -> None:
    check(table, "ipvs_table", services=services, purge="real_servers")


@fuzzed
@given(lines=st.lists(LINES, max_size=6))
def test_ipvs_table_of_rules(table: Host, lines: list[str]) -> None:
    check(table, "ipvs_table", rules="\n".join(lines), purge="real_servers")


@fuzzed
@given(tcp=ODD_NUMBERS, udp=ODD_NUMBERS)
def test_ipvs_timeout(table: Host, tcp: int, udp: int) -> None:
    check(table, "ipvs_timeout", tcp=tcp, udp=udp)


@fuzzed
@given(
    options=st.fixed_dictionaries(
        {"role": st.lists(st.sampled_from(["master", "backup"]), max_size=2)},
        optional={
            "interface": st.one_of(st.just("lo"), TEXTS),
            "multicast_group": ADDRESSES,
            **dict.fromkeys(["sync_id", "port", "ttl", "sync_maxlen"], ODD_NUMBERS),
        },
    )
)
def test_ipvs_sync_daemon(table: Host, options: dict[str, Any]) -> None:
    daemons = table.run("ipvsadm", "-L", "--daemon").stdout
    result = table.module("ipvs_sync_daemon", **options)
    assert "Traceback" not in f"{result}"
    if result.get("failed"):
        assert table.run("ipvsadm", "-L", "--daemon").stdout == daemons
    else:
        assert not table.ok("ipvs_sync_daemon", **options)["changed"]
