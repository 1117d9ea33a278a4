# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbook site over fleets of hosts that do not exist, beside a play of as many trivial tasks.

`.venv/bin/python tests/fleet/run.py [--forks N] [--seconds N] [CASE ...]`; `make fleet` calls it. It prints a line for
each fleet. The ratio is of two runs one after the other: site without changes, and as many trivial tasks on the same
hosts. Times alone depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.standins import hosts as standins

COUNTER = Path(__file__).with_name("count_tasks.py")
#: The play of site in which the directors have their turns.
TURNS = "Set up the directors"
#: Bounds of the ratio, of seconds until the first host is contacted, of MB, and of tasks for each host. Those that run
#: once for all hosts are not counted.
RATIO, FIRST, MEMORY, TASKS = 1.5, 10.0, 1024, {"director": 15, "real server": 8}
#: Ten times the hosts take at most so many times as long.
GROWTH = 11.0


@dataclass(frozen=True)
class Fleet:
    """One inventory: a number of clusters, each with so many directors, real servers and services."""

    name: str
    clusters: int
    directors: int
    real_servers: int
    services: int = 3

    @property
    def hosts(self) -> list[str]:
        """The names of all hosts."""
        return [host for cluster in range(self.clusters) for host in (*self.lbs(cluster), *self.rss(cluster))]

    def lbs(self, cluster: int) -> list[str]:
        """The directors of one cluster."""
        return [f"lb{cluster}-{number}" for number in range(self.directors)]

    def rss(self, cluster: int) -> list[str]:
        """The real servers of one cluster."""
        return [f"rs{cluster}-{number}" for number in range(self.real_servers)]

    def vips(self, cluster: int) -> list[str]:
        """The VIPs of one cluster."""
        return [_address(128, cluster * self.services + number) for number in range(self.services)]

    def inventory(self, place: Path) -> dict[str, Any]:
        """The inventory, with interpreters in this directory."""
        # each of several clusters has a network of its own
        numbers = {
            host: cluster * 250 + number
            for cluster in range(self.clusters)
            for number, host in enumerate((*self.lbs(cluster), *self.rss(cluster)))
        }

        def variables(host: str) -> dict[str, Any]:
            address = _address(64, numbers[host])
            interpreter = str(place / host / "python3")
            return {"lvs_address": address, "ansible_host": address, "ansible_python_interpreter": interpreter}

        children = {}
        for cluster in range(self.clusters):
            children[f"cluster{cluster}"] = {
                "hosts": {host: variables(host) for host in (*self.lbs(cluster), *self.rss(cluster))},
                "vars": {
                    **({"lvs_cluster": f"c{cluster}"} if self.clusters > 1 else {}),
                    "lvs_virtual_services": self.description(cluster),
                },
            }
        for group, members in (("directors", self.lbs), ("real_servers", self.rss)):
            names = [host for cluster in range(self.clusters) for host in members(cluster)]
            children[group] = {"hosts": dict.fromkeys(names)}
        shared = {"ansible_connection": "local", "ansible_become": False, "director_interface": "eth1"}
        return {"all": {"vars": shared, "children": children}}

    def description(self, cluster: int) -> list[dict[str, Any]]:
        """The services of one cluster, every other one with a health check."""
        check = {"health_check": {"type": "tcp"}}
        return [
            {
                "name": f"s{number}",
                "address": vip,
                "port": 80,
                "scheduler": "rr",
                "forward_method": "dr",
                "real_servers": [{"group": "real_servers"}],
                **(check if number % 2 else {}),
            }
            for number, vip in enumerate(self.vips(cluster))
        ]

    def answers(self, seconds: float) -> dict[str, Any]:
        """What the hosts answer, after some seconds: all is as described, and the first director of each cluster has
        its VIPs.
        """
        held = {self.lbs(cluster)[0]: {"host_check": self._held(cluster)} for cluster in range(self.clusters)}
        return {"seconds": seconds, "all": standins.AS_DESCRIBED, **held}

    def _held(self, cluster: int) -> dict[str, Any]:
        return {**standins.AS_DESCRIBED["host_check"], "held": self.vips(cluster)}


FLEETS = {
    fleet.name: fleet
    for fleet in (
        Fleet("10", 1, 2, 10),
        Fleet("100", 1, 2, 100),
        Fleet("1000", 1, 2, 1000),
        Fleet("services", 1, 2, 120, services=300),
        Fleet("clusters", 100, 2, 8),
    )
}


def _address(block: int, number: int) -> str:
    return f"10.{block + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


@dataclass(frozen=True)
class Run:
    """A run of ansible-playbook: seconds, until the first task that connects, MB of its largest process, and counts."""

    seconds: float
    first: float
    counts: dict[str, Any]

    def seconds_of(self, play: str) -> float:
        """The seconds of a play, until the next one begins."""
        begun = [one["begun"] for one in self.counts["plays"]]
        number = [one["name"] for one in self.counts["plays"]].index(play)
        return float(begun[number + 1] - begun[number])

    def tasks(self, host: str) -> int:
        """The tasks of a host, without those that run once for all hosts."""
        found = [play["hosts"].get(host, (0, 0, 0)) for play in self.counts["plays"]]
        return sum(connecting + local for connecting, local, _once in found)

    @property
    def once(self) -> int:
        """The tasks that run once for all hosts."""
        return sum(once for play in self.counts["plays"] for _connecting, _local, once in play["hosts"].values())


def play(place: Path, collections: Path, forks: int, *words: str) -> Run:
    """Run ansible-playbook; an error ends the program with its output."""
    counts = place / "counts.json"
    counts.unlink(missing_ok=True)
    (place / "told.jsonl").unlink(missing_ok=True)
    environment = {
        **standins.environment(place, collections),
        "ANSIBLE_CALLBACK_PLUGINS": str(COUNTER.parent),
        "ANSIBLE_CALLBACKS_ENABLED": "count_tasks",
        "ANSIBLE_FORKS": str(forks),
        "FLEET_COUNTS": str(counts),
    }
    program = str(Path(sys.executable).parent / "ansible-playbook")
    begun = time.monotonic()
    with (place / "output").open("w") as output:
        done = subprocess.run(
            [program, "-i", str(place / "inventory.yml"), *words],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    seconds = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{(place / 'output').read_text()[-6000:]}")
    found = json.loads(counts.read_text())
    return Run(seconds, next(one["first"] for one in found["plays"] if one["first"] is not None), found)


def trivial(fleet: Fleet, run: Run) -> list[dict[str, Any]]:
    """A playbook with the same plays of as many trivial tasks for each host.

    A task that connected becomes a module that does nothing, any other one stores a fact. Directors have turns too: the
    last one of each cluster first. One host of the other group is in some plays too, which its tasks skip there.
    """
    plays: list[dict[str, Any]] = []
    for one in run.counts["plays"]:
        for group, members in (("real_servers", fleet.rss), ("directors", fleet.lbs)):
            hosts = [host for cluster in range(fleet.clusters) for host in members(cluster) if host in one["hosts"]]
            if not hosts:
                continue
            counted = Counter(tuple(one["hosts"][host][:2]) for host in hosts)
            connecting, local = counted.most_common(1)[0][0]
            once = sum(one["hosts"][host][2] for host in hosts)
            tasks: list[dict[str, Any]] = [
                {"lvs.cluster.arp_probe": {"addresses": []}} for _number in range(connecting)
            ]
            tasks += [{"ansible.builtin.set_fact": {f"fact_{number}": 1}} for number in range(local)]
            tasks += [{"ansible.builtin.set_fact": {f"once_{number}": 1}, "run_once": True} for number in range(once)]
            everyone = len(hosts) == sum(len(members(cluster)) for cluster in range(fleet.clusters))
            pattern, serial = group if everyone else ",".join(hosts), {}
            if one["name"] == TURNS:
                turns = reversed(list(zip(*map(fleet.lbs, range(fleet.clusters)), strict=True)))
                pattern = ",".join(host for turn in turns for host in turn)
                serial = {"serial": fleet.clusters}
            plays.append({"hosts": pattern, "gather_facts": False, **serial, "tasks": tasks})
    return plays


def measure(fleet: Fleet, forks: int, answer_after: float) -> tuple[float, list[str]]:
    """Run site over a fleet, and the trivial tasks, and print what they took; seconds, and bounds that are exceeded."""
    with tempfile.TemporaryDirectory(prefix="lvs-fleet-") as name:
        place = Path(name)
        collections = standins.collection_without_modules(place / "collections")
        standins.write_interpreters(place, fleet.hosts)
        (place / "answers.json").write_text(json.dumps(fleet.answers(answer_after)))
        (place / "inventory.yml").write_text(yaml.safe_dump(fleet.inventory(place), sort_keys=False))
        (place / "ansible.cfg").touch()
        run = play(place, collections, forks, "lvs.cluster.site")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        (place / "trivial.yml").write_text(yaml.safe_dump(trivial(fleet, run)))
        other = play(place, collections, forks, str(place / "trivial.yml"))
    tasks = {
        group: Counter(run.tasks(host) for cluster in range(fleet.clusters) for host in members(cluster))
        for group, members in (("director", fleet.lbs), ("real server", fleet.rss))
    }
    ratio = run.seconds / other.seconds
    most = {group: sorted(counted)[-1] for group, counted in tasks.items()}
    print(
        f"{fleet.name:>9}: site {run.seconds:6.1f} s, trivial {other.seconds:6.1f} s, ratio {ratio:4.2f}; first host "
        f"after {run.first:5.1f} s; at most {most['director']} tasks for a director, {most['real server']} for a real "
        f"server, and {run.once} once; directors' turns {run.seconds_of(TURNS):5.1f} s; {memory:4.0f} MB",
        flush=True,
    )
    bounds = [("ratio", ratio, RATIO), ("seconds to the first host", run.first, FIRST), ("MB", memory, MEMORY)]
    bounds += [(f"tasks for a {group}", most[group], bound) for group, bound in TASKS.items()]
    return run.seconds, [
        f"{fleet.name}: {name}: {value:.2f}, more than {bound}" for name, value, bound in bounds if value > bound
    ]


def main() -> None:
    """Measure the fleets that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("fleets", nargs="*", metavar="CASE", help=f"one of {', '.join(FLEETS)}; all without any")
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0, help="the time that each module takes on a host")
    given = parser.parse_args()
    seconds: dict[str, float] = {}
    exceeded: list[str] = []
    for name in given.fleets or FLEETS:
        seconds[name], problems = measure(FLEETS[name], given.forks, given.seconds)
        exceeded += problems
    for fewer, more in (("10", "100"), ("100", "1000")):
        if fewer in seconds and more in seconds and seconds[more] > GROWTH * seconds[fewer]:
            exceeded.append(
                f"{more}: {seconds[more] / seconds[fewer]:.1f} times the time of {fewer}, more than {GROWTH}"
            )
    if exceeded:
        raise SystemExit("\n".join(exceeded))


if __name__ == "__main__":
    main()
