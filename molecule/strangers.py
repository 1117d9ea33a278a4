# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that no host of the cluster sends: forged VRRP, synchronisation and tunnel packets."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence

import cluster
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vrrp import VRRPv3
from scapy.packet import Packet, Raw
from testinfra.host import Host

SYNC_GROUP, SYNC_PORT = "224.0.0.81", 8848
#: The Ethernet address of that group (RFC 1112, section 6.4).
SYNC_MAC = "01:00:5e:00:00:51"
#: include/net/ip_vs.h: IP_VS_TCP_S_ESTABLISHED.
ESTABLISHED = 1
#: include/uapi/linux/ip_vs.h: IP_VS_CONN_F_DROUTE.
DIRECT_ROUTING = 3
VRRP = 112


def mac(host: Host, interface: str) -> str:
    found: str = host.check_output("cat /sys/class/net/%s/address", interface)
    return found


def namespace_mac(client: str, interface: str) -> str:
    words = cluster.on_client("ip", "-oneline", "link", "show", "dev", interface, client=client).split()
    return words[words.index("link/ether") + 1]


def send(
    packets: Sequence[Packet],
    destination: str,
    interface: str = "cluster",
    client: str = "client",
    times: int = 1,
    interval: float = 0.0,
) -> None:
    """Send packets from a client's namespace to the Ethernet address `destination`, `interval` seconds apart."""
    own = namespace_mac(client, interface)
    frames = "\n".join(bytes(Ether(src=own, dst=destination) / packet).hex() for packet in packets)
    program = cluster.ROOT / "molecule" / "frames.py"
    words = [str(cluster.LAB / f"{client}.sh"), "-c", f"exec {sys.executable} {program} {interface} {times} {interval}"]
    done = subprocess.run(
        words, input=frames, capture_output=True, text=True, check=True, timeout=times * interval + 60
    )
    if int(done.stdout) != times * len(packets):
        raise RuntimeError(f"{done.stdout.strip()} of {times * len(packets)} packets were sent")


def ip(source: str, destination: str, protocol: int, ttl: int = 64) -> Packet:
    """An IPv4 or IPv6 header."""
    if ":" in destination:
        return IPv6(src=source, dst=destination, nh=protocol, hlim=ttl)
    return IP(src=source, dst=destination, proto=protocol, ttl=ttl)


def advert(source: str, director: Host, instance: str, ttl: int, to: str) -> Packet:
    """A VRRP advertisement of the highest priority but one, for the addresses that a director's instance has."""
    text = director.check_output("cat /etc/keepalived/keepalived.conf")
    (block,) = re.findall(rf"^vrrp_instance {instance} {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL)
    (inside,) = re.findall(r"virtual_ipaddress {\n(.*?)}", block, re.DOTALL)
    addresses = [line.split()[0].partition("/")[0] for line in inside.splitlines() if line.strip()]
    (router,) = re.findall(r"virtual_router_id (\d+)", block)
    (interval,) = re.findall(r"advert_int (\S+)", block)
    message = VRRPv3(
        vrid=int(router), priority=254, ipcount=len(addresses), adv=round(100 * float(interval)), addrlist=addresses
    )
    return ip(source, to, VRRP, ttl) / message


def sync_message(
    source: str, sync_id: int, client: tuple[str, int], vip: tuple[str, int], real: tuple[str, int]
) -> Packet:
    """One TCP connection, as the kernel's daemon sends it (net/netfilter/ipvs/ip_vs_sync.c: ip_vs_sync_mesg, _v4)."""
    addresses = b"".join(socket.inet_aton(address) for address, _port in (client, vip, real))
    ports = struct.pack("!HHH", client[1], vip[1], real[1])
    body = struct.pack("!IH", DIRECT_ROUTING, ESTABLISHED) + ports + struct.pack("!II", 0, 900) + addresses
    connection = struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(body) + 4) + body
    header = struct.pack("!BBHBbH", 0, sync_id, 8 + len(connection), 1, 1, 0)
    return IP(src=source, dst=SYNC_GROUP, ttl=1) / UDP(sport=40000, dport=SYNC_PORT) / Raw(header + connection)


def question(source: str, destination: str, port: int, source_port: int) -> Packet:
    """A datagram that a responder answers."""
    return ip(source, destination, socket.IPPROTO_UDP) / UDP(sport=source_port, dport=port) / Raw(b"who\n")


def wrapped(kind: str, outer: tuple[str, str], inner: Packet, checksum: bool = False, port: int = 6080) -> Packet:
    """A packet in a tunnel's: ``ipip``, ``gre`` or ``gue`` (include/net/gue.h: version 0 without options).

    The end of a tunnel with GRE takes only packets with a ``checksum``, or only those without.
    """
    source, destination = outer
    number = 41 if isinstance(inner, IPv6) else 4
    if kind == "ipip":
        return ip(source, destination, number) / inner
    if kind == "gre":
        kind_of_inner = 0x86DD if number == 41 else 0x0800
        return (
            ip(source, destination, socket.IPPROTO_GRE) / GRE(proto=kind_of_inner, chksum_present=int(checksum)) / inner
        )
    header = struct.pack("!BBH", 0, number, 0)
    return ip(source, destination, socket.IPPROTO_UDP) / UDP(sport=port, dport=port) / Raw(header + bytes(inner))
