# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: a lab, the collection's own site.yml, and requests that show who answers."""

from __future__ import annotations

import collections
import http.client
import re
import subprocess
import sys
import time
from pathlib import Path

import yaml
from vmlab import fdpass, labs, network, topology
from vmlab.base import LabError, Progress

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOPOLOGY = HERE / "topologies" / "demo.yml"
INVENTORY = HERE / "demo" / "inventory.yml"
REQUESTS = 30
CLOSED_PORT = 9


def virtual_services() -> list[tuple[str, str, int]]:
    """Name, VIP and port of the services that answer HTTP, from the description."""
    variables = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]
    return [
        (service["name"], service["address"], int(port))
        for service in variables["lvs_virtual_services"]
        for port in service.get("ports", [service.get("port")])
    ]


def playbook_command(folder: Path) -> list[str]:
    inventories = ["-i", str(folder / "inventory.yml"), "-i", str(INVENTORY.relative_to(ROOT))]
    return [".venv/bin/ansible-playbook", *inventories, "lvs.cluster.site"]


def wait_for(vip: str, seconds: float = 60) -> None:
    """Until somebody has the VIP: a port without a service is refused there, and a VIP that is nowhere says nothing."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection = http.client.HTTPConnection(vip, CLOSED_PORT, timeout=1)
            connection.connect()
        except ConnectionRefusedError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise LabError(f"nobody answers at {vip}: {error}") from error
        time.sleep(0.1)


def ask(vip: str, port: int) -> str:
    """One request on a connection of its own: who answered."""
    connection = http.client.HTTPConnection(vip, port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip()
    except OSError as error:
        return f"nobody ({error})"
    finally:
        connection.close()


def run_on(folder: Path, host: str, command: str) -> str:
    words = ["ssh", "-F", str(folder / "ssh_config"), host, command]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def seen_clients(folder: Path, host: str) -> collections.Counter[str]:
    """The clients' addresses in a real server's log, with the number of requests of each."""
    log = run_on(folder, host, "cat /var/log/nginx/access.log")
    return collections.Counter(re.findall(r"^(\S+) ", log, re.MULTILINE))


def show(folder: Path, lab: topology.Topology) -> bool:
    """Send the requests, print who answered; returns whether all were answered, by all real servers alike."""
    servers = [host.name for host in lab.machines if "nginx" in host.services]
    before = {server: seen_clients(folder, server) for server in servers}
    # From here on this process is on the client's link, and nowhere else.
    fdpass.enter(str(network.namespace_path(lab, lab.host("client"))))
    good = True
    for name, vip, port in virtual_services():
        wait_for(vip)
        answers = collections.Counter(ask(vip, port) for _number in range(REQUESTS))
        print(f"\n{REQUESTS} requests from the client to {name}, {vip} port {port}:\n")
        print("  real server    answers   client's address in its log")
        for server in sorted({*servers, *answers}):
            clients = seen_clients(folder, server) - before[server] if server in before else collections.Counter()
            addresses = ", ".join(f"{address} ({count})" for address, count in clients.items())
            print(f"  {server:14} {answers[server]:7}   {addresses}")
            before[server] = before.get(server, collections.Counter()) + clients
        good = good and sum(answers[server] for server in servers) == REQUESTS
    return good


def statistics_of(folder: Path, connections: int, limit: float = 10) -> str:
    """The director's table with its statistics, once these show so many connections to real servers, or after `limit`
    seconds: the kernel adds them up every two seconds (net/netfilter/ipvs/ip_vs_est.c)."""
    ends = time.monotonic() + limit
    while True:
        text = run_on(folder, "director1", "ipvsadm -Ln --stats --exact")
        counted = sum(int(line.split()[2]) for line in text.splitlines()[3:] if line.startswith("  -> "))
        if counted >= connections or time.monotonic() > ends:
            return text


def up() -> int:
    lab = topology.load(TOPOLOGY)
    folder = labs.up(lab, Progress())
    command = playbook_command(folder)
    print(f"\n$ {' '.join(command)}", flush=True)
    subprocess.run(command, cwd=ROOT, check=True)
    good = show(folder, lab)
    print("\nThe director's table (director1# ipvsadm -Ln --stats --exact):\n")
    print(statistics_of(folder, REQUESTS * len(virtual_services())))
    print(f"""\
Look around:            molecule/lab/lab ssh demo director1
                        molecule/lab/lab ssh demo client curl -s http://{virtual_services()[0][1]}/
Change the description: {INVENTORY.relative_to(ROOT)}, then make demo again, or
                        {" ".join(command)} --check --diff
Take it down:           make demo-down""")
    if not good:
        print("Some requests were not answered by a real server.", file=sys.stderr)
    return 0 if good else 1


def main() -> int:
    try:
        if sys.argv[1:] == ["up"]:
            return up()
        if sys.argv[1:] == ["down"]:
            labs.down(topology.load(TOPOLOGY).name, Progress())
            return 0
        print("usage: demo.py up|down", file=sys.stderr)
        return 2
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"demo: `{' '.join(map(str, error.cmd[:3]))} …` failed ({error.returncode})", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
