# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's network: a namespace with one bridge a link, and a namespace for every host that is no machine.

A machine's card is a tap on its link's bridge, so a link is one real segment: its ARP is real. Nothing is routed or
bridged out of the namespaces.
"""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .base import LabError, run
from .topology import MANAGEMENT, MANAGEMENT_GATEWAY, Host, Topology


@dataclass(frozen=True)
class Card:
    """A machine's network card: the interface's `name` inside, its `mac`, the `tap` outside, its `addresses`."""

    name: str
    mac: str
    tap: str
    addresses: tuple[str, ...]


def namespace(topology: Topology, host: Host | None = None) -> str:
    """The network namespace of the lab (its bridges and machines), or of a host that is a namespace."""
    return f"lvs-{topology.name}" + (f"-{host.name}" if host else "")


def namespace_path(topology: Topology, host: Host | None = None) -> Path:
    return Path("/run/netns") / namespace(topology, host)


def cards(topology: Topology, host: Host) -> list[Card]:
    """A machine's cards: the management link first, then its links in the file's order."""
    ports: list[tuple[str, tuple[str, ...]]] = [(MANAGEMENT, (f"{topology.management_address(host)}/24",))]
    ports += [(port.link, port.addresses) for port in host.ports]
    index = topology.hosts.index(host)
    # The locally administered bit is set (x2:...), the lab's name keeps labs apart in captures.
    lab = hashlib.sha256(topology.name.encode()).digest()
    return [
        Card(link, f"52:54:{lab[0]:02x}:{lab[1]:02x}:{index:02x}:{number:02x}", f"t{index}-{link}", addresses)
        for number, (link, addresses) in enumerate(ports)
    ]


def names(topology: Topology) -> list[str]:
    return [namespace(topology), *(namespace(topology, host) for host in topology.namespaces)]


def make(topology: Topology) -> None:
    """Make every namespace, bridge, tap and cable of the lab. Raises LabError if a namespace is there already."""
    there = [name for name in names(topology) if (Path("/run/netns") / name).exists()]
    if there:
        raise LabError(f"network namespace {there[0]} is there already: another lab named {topology.name}?")
    for name in names(topology):
        run(["ip", "netns", "add", name])
    lab = namespace(topology)
    lines = ["link set lo up"]
    for link in (MANAGEMENT, *topology.links):
        # No delay before forwarding, no snooping: a plain cable with as many ends as needed.
        lines += [f"link add {link} type bridge forward_delay 0 stp_state 0 mcast_snooping 0", f"link set {link} up"]
    lines.append(f"address add {MANAGEMENT_GATEWAY}/24 dev {MANAGEMENT}")
    for host in topology.machines:
        for card in cards(topology, host):
            lines += [f"tuntap add dev {card.tap} mode tap", f"link set {card.tap} master {card.name} up"]
    for index, host in enumerate(topology.namespaces):
        for port in host.ports:
            cable = f"c{index}-{port.link}"
            lines += [
                f"link add {cable} type veth peer name {port.link} netns {namespace(topology, host)}",
                f"link set {cable} master {port.link} up",
            ]
    run(["ip", "-n", lab, "-batch", "-"], "\n".join(lines))
    for host in topology.namespaces:
        _configure(topology, host)


def _configure(topology: Topology, host: Host) -> None:
    lines = ["link set lo up"]
    for port in host.ports:
        lines.append(f"link set {port.link} up")
        lines += [f"address add {address} dev {port.link}{_nodad(address)}" for address in port.addresses]
    lines += [f"route add {to} via {via}" for to, via in host.routes]
    run(["ip", "-n", namespace(topology, host), "-batch", "-"], "\n".join(lines))
    if host.forward:
        inside = ["nsenter", f"--net={namespace_path(topology, host)}", "--"]
        run([*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])


def _nodad(address: str) -> str:
    # Nobody else has the address: the second that duplicate detection takes would only be waited for.
    return " nodad" if ":" in address else ""


def remove(topology: Topology) -> None:
    """Remove what make() made, as far as it is there; whoever still runs inside a namespace is ended first."""
    for name in reversed(names(topology)):
        if (Path("/run/netns") / name).exists():
            for pid in run(["ip", "netns", "pids", name]).split():
                subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
            run(["ip", "netns", "delete", name])
