# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the scenario from outside, and remembers what the hosts were like before it.

`watch.py start VIP...` writes a snapshot of every machine, then leaves two processes on the client: one that asks for
the VIPs by ARP, ten times a second, and a tcpdump that records every answer. `watch.py stop` ends them. Both end by
themselves after an hour.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LAB = Path(os.environ.get("LVS_LAB_HOME", "/var/lib/lvs-lab")) / "labs" / "molecule"
FOLDER = LAB / "watch"
CAPTURE = FOLDER / "arp.pcap"
PROCESSES = FOLDER / "processes"
INTERFACE = "cluster"
CLIENT = "192.0.2.100"
MACHINES = ("director1", "rs1", "rs2")
EVERY = 0.1
LIFETIME = 3600
CLAIM = re.compile(r"^\S+ (?P<sender>\S+) > .*Reply (?P<address>\S+) is-at (?P<claimed>[0-9a-f:]+)", re.MULTILINE)
REQUEST = re.compile(rf"Request who-has (\S+) .*tell {re.escape(CLIENT)},")

# Everything that the collection changes, and the places where it might leave something. Not what only exists once ip_vs
# is loaded, which happens in between: its sysctls and its table are looked at by themselves.
SNAPSHOT = r"""
ip -oneline address | sed -E 's/ +valid_lft.*//'
ip -oneline link show | cut -d' ' -f2
sysctl --all --pattern '^net\.ipv[46]\.(ip_forward|tcp_(syncookies|timestamps)$|conf\.)' 2>/dev/null | sort
find /etc /usr/local /var/lib -maxdepth 1 | sort
find /etc/systemd /etc/sysctl.d /etc/modules-load.d /etc/modprobe.d /etc/keepalived /usr/local/lib | sort
cat /etc/sysctl.conf /etc/sysctl.d/* /etc/modules-load.d/* /etc/modprobe.d/* 2>/dev/null
nft list ruleset
ip rule show
systemctl list-units --no-legend --no-pager --plain --type=service --state=active | cut -d' ' -f1 | sort
"""


def on(host: str, command: str) -> str:
    """What a command on a machine prints."""
    words = ["ssh", "-F", str(LAB / "ssh_config"), host, command]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def snapshot_file(host: str) -> Path:
    return FOLDER / f"{host}.before"


def snapshot(host: str) -> str:
    return on(host, SNAPSHOT)


def boot_file(host: str) -> Path:
    return FOLDER / f"{host}.boot"


def boot(host: str) -> str:
    """What is another after every boot."""
    return on(host, "cat /proc/sys/kernel/random/boot_id")


def ask(vips: list[str]) -> None:
    """Broadcast who-has (RFC 826) again and again. Runs on the client."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((INTERFACE, 0))
    mac = wire.getsockname()[4]
    frame = b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001")
    frame += mac + socket.inet_aton(CLIENT) + b"\0" * 6
    end = time.monotonic() + LIFETIME
    while time.monotonic() < end:
        for vip in vips:
            wire.send(frame + socket.inet_aton(vip))
        time.sleep(EVERY)


def start(vips: list[str]) -> None:
    stop()
    FOLDER.mkdir(exist_ok=True)
    with ThreadPoolExecutor() as threads:
        for host, text in zip(MACHINES, threads.map(snapshot, MACHINES), strict=True):
            snapshot_file(host).write_text(text)
            boot_file(host).write_text(boot(host))
    shell = [str(LAB / "client.sh"), "-c"]
    commands = [
        f"exec timeout {LIFETIME} tcpdump -i {INTERFACE} -U -w {CAPTURE} arp",
        f"exec {sys.executable} {Path(__file__).resolve()} ask {' '.join(vips)}",
    ]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*shell, command], start_new_session=True, **quiet) for command in commands]  # type: ignore[call-overload]
    PROCESSES.write_text(" ".join(str(process.pid) for process in started))


def heard() -> tuple[Counter[str], Counter[tuple[str, str, str]]]:
    """What the watch has recorded: requests for each address, and answers by (address, sender's MAC, MAC claimed)."""
    words = ["tcpdump", "-nn", "-e", "-r", str(CAPTURE), "arp"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    claims = Counter((found["address"], found["sender"], found["claimed"]) for found in CLAIM.finditer(text))
    return Counter(REQUEST.findall(text)), claims


def stop() -> None:
    if PROCESSES.exists():
        for pid in PROCESSES.read_text().split():
            try:
                os.killpg(int(pid), signal.SIGTERM)
            except ProcessLookupError:
                continue
        PROCESSES.unlink()
        print("stopped")


if __name__ == "__main__":
    if sys.argv[1] == "stop":
        stop()
    else:
        {"start": start, "ask": ask}[sys.argv[1]](sys.argv[2:])
