# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the scenario from outside, and remembers what the hosts were like before it.

`watch.py start LINK VIP...` writes a snapshot of every machine, then leaves two processes on a namespace of that link:
one that asks for the VIPs by ARP and neighbour solicitations, ten times a second, and a tcpdump that records every
answer. `watch.py stop` ends them. Both end by themselves after an hour.
"""

from __future__ import annotations

import difflib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LAB = Path(os.environ.get("LVS_LAB_HOME", "/var/lib/lvs-lab")) / "labs" / "molecule"
FOLDER = LAB / "watch"
CAPTURE = FOLDER / "arp.pcap"
PROCESSES = FOLDER / "processes"
# Where the watch stands, by link: a namespace and its addresses.
POSTS = {
    "cluster": ("client", "192.0.2.100", "2001:db8::100"),
    "far": ("router", "198.51.100.254", "2001:db8:3::254"),
}
MACHINES = ("director1", "rs1", "rs2")
LIFETIME = 3600
CLAIM = re.compile(r"^\S+ (?P<sender>\S+) > .*Reply (?P<address>\S+) is-at (?P<claimed>[0-9a-f:]+)", re.MULTILINE)
# Whoever answers may leave its link-layer address out; the sender is on the frame.
ADVERTISEMENT = re.compile(
    r"^\S+ (?P<sender>\S+) > .*neighbor advertisement, tgt is (?P<address>[0-9a-f:]+)", re.MULTILINE
)
REQUEST = re.compile(r"Request who-has (\S+) .*tell (\S+),|> ff02::1:ff.*neighbor solicitation, .*who has ([0-9a-f:]+)")

# Everything that the collection changes, and the places where it might leave something. Not what only exists once ip_vs
# is loaded, which happens in between: its sysctls and its table are looked at by themselves. Nor the devices that the
# kernel makes when it loads a tunnel's module, and the numbers of the others, which these change.
SNAPSHOT = r"""
fallback='tunl0|sit0|gre0|gretap0|erspan0|ip6tnl0|ip6gre0'
ip -oneline address | sed -E 's/^[0-9]+: //; s/ +valid_lft.*//' | sort
ip -oneline link show | cut -d' ' -f2 | sort | grep -vE "^($fallback)@"
ip fou show 2>/dev/null
sysctl --all --pattern '^net\.ipv[46]\.(ip_forward|tcp_(syncookies|timestamps)$|conf\.)' 2>/dev/null | sort \
    | grep -vE "^net\.ipv[46]\.conf\.($fallback)\."
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


def changes(host: str) -> str:
    """What is another than in the snapshot, as a diff; empty where everything is as it was."""
    before, after = snapshot_file(host).read_text(), snapshot(host)
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))


def boot_file(host: str) -> Path:
    return FOLDER / f"{host}.boot"


def boot(host: str) -> str:
    """What is another after every boot."""
    return on(host, "cat /proc/sys/kernel/random/boot_id")


def start(link: str, vips: list[str]) -> None:
    stop()
    FOLDER.mkdir(exist_ok=True)
    with ThreadPoolExecutor() as threads:
        for host, text in zip(MACHINES, threads.map(snapshot, MACHINES), strict=True):
            snapshot_file(host).write_text(text)
            boot_file(host).write_text(boot(host))
    namespace, *sources = POSTS[link]
    shell = [str(LAB / f"{namespace}.sh"), "-c"]
    asking = Path(__file__).resolve().with_name("asking.py")
    commands = [
        f"exec timeout {LIFETIME} tcpdump -i {link} -U -w {CAPTURE} 'arp or icmp6'",
        f"exec {sys.executable} {asking} {LIFETIME} {link} {' '.join([*sources, *vips])}",
    ]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*shell, command], start_new_session=True, **quiet) for command in commands]  # type: ignore[call-overload]
    PROCESSES.write_text(" ".join(str(process.pid) for process in started))


def heard() -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """What the watch has recorded: requests for each address, and answers by (address, MAC).

    A MAC is that of the sender; one that claims another's address appears as both.
    """
    words = ["tcpdump", "-nn", "-e", "-r", str(CAPTURE)]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    claims: Counter[tuple[str, str]] = Counter()
    for found in CLAIM.finditer(text):
        sender, claimed = found["sender"], found["claimed"]
        claims[found["address"], sender if sender == claimed else f"{sender} for {claimed}"] += 1
    claims.update((found["address"], found["sender"]) for found in ADVERTISEMENT.finditer(text))
    senders = {source for _namespace, *sources in POSTS.values() for source in sources}
    requests = Counter(
        found[1] or found[3] for found in REQUEST.finditer(text) if found[2] is None or found[2] in senders
    )
    return requests, claims


def answers(vip: str, mac: str | None) -> tuple[int, int, int]:
    """How often was asked for an address, answered with this MAC, and by anybody else."""
    requests, claims = heard()
    right = claims.pop((vip, mac), 0) if mac else 0
    wrong = sum(times for (address, _mac), times in claims.items() if address == vip)
    print(f"{requests[vip]} requests for {vip}: {right} answers by the director, {wrong} by others")
    return requests[vip], right, wrong


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
        start(sys.argv[2], sys.argv[3:])
