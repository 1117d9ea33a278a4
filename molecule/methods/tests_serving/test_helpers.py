# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Protocols that IPVS looks into: FTP's data connections, and the calls of SIP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import clients
import cluster
import pytest
from testinfra.host import Host

Machines = Callable[[str], Host]

FTP = ("192.0.2.26", "2001:db8::26")
SIP = "192.0.2.28"
CALLS = 20


@pytest.mark.parametrize("vip", FTP)
def test_ftp_in_both_modes_from_both_real_servers(vip: str) -> None:
    cluster.wait_for_service(vip=FTP[0])
    program = str(cluster.ROOT / "molecule" / "ftp.py")
    lines = cluster.on_client("python3", program, vip, vip).splitlines()
    found = [json.loads(line) for line in lines]
    print(f"{vip}: {found}")
    for mode in ("active", "passive"):
        assert {one[mode] for one in found} == {"rs1", "rs2"}


def test_every_packet_of_a_call_goes_to_one_real_server(machine: Machines) -> None:
    """SIPp's calls share one port of the client, so that only their Call-IDs tell them apart."""
    program = f"sipp -sn uac -m {CALLS} -r 10 -nostdin -timeout 60 -trace_stat -fd 1 {SIP}:5060"
    for name in cluster.REAL_SERVERS:
        machine(name).check_output(
            f"systemd-run --quiet --unit=sipp sipp -sn uas -i {SIP} -p 5060 -nostdin -trace_counts -fd 1"
        )
    try:
        done = machine("prober").run(f"cd /tmp && {program}")
        successful = re.findall(r"Successful call +\| +\d+ +\| +(\d+)", done.stdout)
        # a request of a call that a real server does not know is answered with 481, and the call fails
        assert (done.rc, successful[-1:]) == (0, [str(CALLS)]), done.stdout[-3000:] + done.stderr
        # they write their counts a moment after the last call
        clients.until(lambda: sum(counts(machine).values()) >= CALLS, 10)
        served = counts(machine)
    finally:
        for name in cluster.REAL_SERVERS:
            machine(name).run("systemctl stop sipp")
    print(f"SIP: {CALLS} calls, {served}")
    assert sum(served.values()) == CALLS
    assert all(served.values())


def counts(machine: Machines) -> dict[str, int]:
    """How many calls each real server has taken."""
    return {name: calls(machine(name)) for name in cluster.REAL_SERVERS}


def calls(host: Host) -> int:
    """How many INVITEs a real server has received, by the counts that SIPp writes every second."""
    text = host.check_output("cat $(ls -t /*_counts.csv /tmp/uas_*_counts.csv 2>/dev/null | head -1)")
    header, *rows = text.splitlines()
    column = next(index for index, name in enumerate(header.split(";")) if "INVITE_Recv" in name)
    return int(rows[-1].split(";")[column])
