# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a client sees while a flood comes from a hundred thousand addresses, over TCP and over UDP.

`.venv/bin/python tests/benchmark/flood.py [COUNT [RATE [MEMORY [LIMIT]]]]`, as root, with the machines of the scenario
`methods` set up (`molecule converge -s methods`). It compares the flood defence on and off. Reboot the director before,
so that its table has the size that the role has set: in that scenario something else loads ip_vs first.
With MEMORY, in MiB, a file takes all memory of the director but this, and the flood is of SYNs alone. With LIMIT, each
real server has that upper_threshold. The requests are spread over the time of the flood.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "molecule"))

import cluster
import testinfra
from testinfra.host import Host

VIP, PORT = "192.0.2.21", 7001
FIRST = "198.18.16.1"
NETWORKS = ("198.18.16.0/20", "198.18.32.0/19", "198.18.64.0/18", "198.18.128.0/17", "198.19.0.0/16")
REQUESTS = 200
UDP_TIMEOUT = 30  # seconds
FULL = "/run/lvs-cluster-full"
ASK = """
import socket, sys, time
kind, family = (socket.SOCK_STREAM, 6) if sys.argv[1] == "tcp" else (socket.SOCK_DGRAM, 17)
first, pause = time.monotonic(), float(sys.argv[5])
for number in range(int(sys.argv[4])):
    time.sleep(max(0, first + number * pause - time.monotonic()))
    begun = time.monotonic()
    try:
        with socket.socket(socket.AF_INET, kind) as one:
            one.settimeout(4)
            one.connect((sys.argv[2], int(sys.argv[3])))
            one.sendall(b"who\\n")
            one.recv(100)
        print(time.monotonic() - begun)
    except OSError as error:
        print(type(error).__name__)
"""


def get(name: str) -> Host:
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(cluster.LAB / "ssh_config"), controlpersist=60)


@contextlib.contextmanager
def routes(hosts: list[Host]) -> Iterator[None]:
    """Answers to those who are not there go to the client, which drops them."""
    for host in hosts:
        host.check_output("; ".join(f"ip route replace {network} via {cluster.CLIENT}" for network in NETWORKS))
    try:
        yield
    finally:
        for host in hosts:
            host.run("; ".join(f"ip route del {network}" for network in NETWORKS))


def state(director: Host) -> str:
    """Connections, memory and the settings that decide what a flood does."""
    count = int(director.check_output("ipvsadm -Lnc | wc -l")) - 2
    size = re.search(r"size=(\d+)", director.check_output("cat /proc/net/ip_vs"))
    free = re.search(r"MemAvailable:\s+(\d+)", director.check_output("cat /proc/meminfo"))
    names = " ".join(f"net.ipv4.vs.{name}" for name in ("drop_entry", "drop_packet", "amemthresh"))
    settings = ", ".join(director.check_output(f"sysctl {names}").replace("net.ipv4.vs.", "").splitlines())
    return f"{count} connections, {size and size[1]} rows, {free and int(free[1]) // 1024} MiB available, {settings}"


@contextlib.contextmanager
def defence(director: Host, enabled: bool) -> Iterator[None]:
    """The sysctls that drop entries and packets, as the role sets them or off."""
    names = ("drop_entry", "drop_packet")

    def write(value: int) -> None:
        director.check_output("; ".join(f"sysctl -qw net.ipv4.vs.{name}={value}" for name in names))

    if not enabled:
        write(0)
    try:
        yield
    finally:
        if not enabled:
            write(1)


@contextlib.contextmanager
def left(director: Host, memory: int) -> Iterator[None]:
    """Leave so much memory, in MiB; 0 is all of it. The file is in memory, and nothing is there to swap it to."""
    if memory:
        available = "$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)"
        director.check_output(
            f"mkdir -p {FULL} && mount -t tmpfs -o size=95% none {FULL} &&"
            f" head -c $(({available} - {memory}))M /dev/zero >{FULL}/file"
        )
    try:
        yield
    finally:
        if memory:
            director.run(f"umount {FULL}")


@contextlib.contextmanager
def limited(director: Host, limit: int) -> Iterator[None]:
    """Give each real server of the service that upper_threshold; 0 is none."""
    service = f"-a -t {VIP}:{PORT} "

    def write(value: int) -> None:
        servers = [line for line in director.check_output("ipvsadm -Sn").splitlines() if line.startswith(service)]
        assert servers
        director.check_output("; ".join(f"ipvsadm -e {line[3:]} -x {value}" for line in servers))

    if limit:
        write(limit)
    yield
    if limit and director.run("true").rc == 0:
        write(0)


def boot(director: Host) -> str:
    """Which start of the director this is, once it answers."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        found = director.run("cat /proc/sys/kernel/random/boot_id")
        if not found.rc:
            return str(found.stdout)
        time.sleep(2)
    raise SystemExit("the director does not answer")


def flood(director: Host, protocol: str, count: int, rate: int) -> subprocess.Popen[str]:
    mac = director.check_output("cat /sys/class/net/cluster/address")
    program = cluster.ROOT / "molecule" / "flood.py"
    words = f"exec {sys.executable} {program} cluster {mac} {VIP} {PORT} {count} {rate} {protocol} {FIRST}"
    return subprocess.Popen([str(cluster.LAB / "client.sh"), "-c", words], stdout=subprocess.PIPE, text=True)


def ask(protocol: str, seconds: float = 0.0) -> str:
    """What a client sees of its requests, which it makes in so many seconds, in words."""
    words = ["python3", "-c", ASK, protocol, VIP, str(PORT), str(REQUESTS), str(seconds / REQUESTS)]
    lines = cluster.on_client(*words, seconds=REQUESTS * 5 + int(seconds)).split()
    times = sorted(float(line) for line in lines if line[0].isdigit())
    failed = [line for line in lines if not line[0].isdigit()]
    middle, last = (f"{1000 * one:.0f} ms" for one in ((times or [0.0])[len(times) // 2], (times or [0.0])[-1]))
    return f"{len(times)} answered, {len(failed)} failed, median {middle}, longest {last}"


def measure(director: Host, protocol: str, count: int, rate: int) -> None:
    """One flood, and what a client sees before and in it."""
    print(f"  {protocol}, before: {state(director)}")
    print(f"  {protocol}, without flood: {ask(protocol)}")
    with flood(director, protocol, count, rate) as process:
        begun = time.monotonic()
        print(f"  {protocol}, in the flood: {ask(protocol, count / rate)}", flush=True)
        process.wait()
        print(f"  {protocol}, after {count} packets in {time.monotonic() - begun:.0f} s: {state(director)}")
    killed = director.run("journalctl -k --since -3min | grep -Eic 'out of memory|no memory'").stdout.strip()
    print(f"  {protocol}, messages of the kernel that memory has run out: {killed}", flush=True)
    # The entries of this flood are not to be in the next one: those of the UDP service end in half a minute too.
    clear = "[ $(ipvsadm -Lnc | wc -l) -lt 1000 ]"
    while director.run(clear).rc:
        time.sleep(1)


def main() -> int:
    given = (*sys.argv[1:], *("100000", "1500", "0", "0")[len(sys.argv) - 1 :])
    count, rate, memory, limit = (int(word) for word in given)
    director = get(cluster.DIRECTOR)
    for enabled in (True, False):
        print(f"defence {'on' if enabled else 'off'}:")
        for protocol in ("tcp",) if memory else ("tcp", "udp"):
            started = boot(director)
            director.check_output(f"ipvsadm --set 0 0 {UDP_TIMEOUT}")
            with routes([director, *map(get, cluster.REAL_SERVERS)]), defence(director, enabled):
                try:
                    with left(director, memory), limited(director, limit):
                        measure(director, protocol, count, rate)
                except (AssertionError, RuntimeError) as error:  # of a command that the director does not answer
                    print(f"  {protocol}: {str(error)[:200]}")
                if boot(director) != started:
                    print(f"  {protocol}: the director has restarted", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
