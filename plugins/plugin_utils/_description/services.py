# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that ``lvs_virtual_services`` is made of.

One `Service` is one element of the list, exactly as meant and complete: defaults filled in, addresses normalised,
nothing resolved against the inventory yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import model
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of

#: In the kernel's tree, net/netfilter/ipvs/ip_vs_<name>.c each. Strict, so that a typo is told here and not by a
#: director's kernel; for a scheduler beyond these there is the module ipvs_table, which takes any name.
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos")
SCHEDULER_FLAGS = ("sh-fallback", "sh-port", "mh-fallback", "mh-port")
PROTOCOLS = tuple(model.PROTOCOLS)
FAMILIES = tuple(model.FAMILIES)
FORWARD_METHODS = ("nat", "dr", "tun", "fullnat")
#: Methods that hand the packet over as it came: same port, and the real server must hold the VIP itself.
UNREWRITTEN = ("dr", "tun")
TUNNEL_TYPES = tuple(model.TUNNEL_TYPES)
TUNNEL_CHECKSUMS = tuple(model.TUNNEL_CHECKSUMS)
HEALTH_CHECKS = ("http", "https", "tcp", "udp", "dns", "smtp", "ping", "misc", "file")
ENGINES = ("sip",)
#: Protocols that name addresses in what they say: the kernel's ip_vs_<name>.c beside ip_vs_app.c.
HELPERS = ("ftp",)
FTP_PORT = 21  # on which ip_vs_ftp listens in, unless its module parameter says another (IPPORT_FTP)


@dataclass(frozen=True)
class Persistence:
    """Clients stay on their real server: for ``timeout`` seconds, by networks of ``netmask`` prefix bits."""

    timeout: int
    netmask: int
    engine: str | None


@dataclass(frozen=True)
class Tunnel:
    """How ``forward_method: tun`` wraps packets; ``port`` is the UDP port of gue, 0 otherwise."""

    type: str = "ipip"
    port: int = 0
    checksum: str = "none"


@dataclass(frozen=True)
class Traffic:
    """What clients send to one VIP: one protocol or (None) all, some ports or (empty) all."""

    address: IPAddress
    protocol: str | None
    ports: tuple[int, ...]


@dataclass(frozen=True)
class ServerEntry:
    """One element of ``real_servers``: ``kind`` is group, host or address, ``name`` what it is called there.

    ``path`` is where it stands (``real_servers[2]``). What is None was not given: the weight is then left as the
    kernel has it, the port is the service's, and for a host that also comes in by a group, the group's value counts. A
    host's ``address`` is the one that this service uses, in the place of the inventory's.
    """

    path: str
    kind: str
    name: str
    address: IPAddress | None
    port: int | None
    weight: int | None
    upper_threshold: int | None
    lower_threshold: int | None


@dataclass(frozen=True)
class SorryServer:
    """Where requests go while no real server is healthy."""

    address: IPAddress
    port: int | None


@dataclass(frozen=True)
class HealthCheck:
    """What the health checker asks every real server, and what it makes of the answers.

    ``interval``, ``timeout`` and ``delay_before_retry`` are in seconds. ``port`` None is the real server's own.
    ``path`` is a URL's with http and https, and a file's on the director with file. Which of the others mean something
    depends on ``type`` (`service_reader.TYPES_OF`); the rest are None.
    """

    type: str
    port: int | None = None
    interval: float = 2
    timeout: float = 1
    retries: int = 2
    delay_before_retry: float = 1
    path: str | None = None
    status: int = 200
    host: str | None = None
    name: str | None = None
    record: str = "A"
    helo: str | None = None
    command: str | None = None
    quorum: int = 1
    hysteresis: int = 0
    alpha: bool = True
    inhibit_on_failure: bool = False


@dataclass(frozen=True)
class Service:
    """One element of ``lvs_virtual_services``.

    Either ``address``, ``protocol`` and ``ports`` are set, or ``fwmark`` is (then ``protocol`` is None and ``ports`` is
    ``(0,)``, which is what its real servers use). ``marks`` is what the directors put that mark on; empty where others
    do.
    """

    name: str
    family: str
    address: IPAddress | None
    fwmark: int | None
    marks: tuple[Traffic, ...]
    protocol: str | None
    ports: tuple[int, ...]
    scheduler: str
    scheduler_flags: tuple[str, ...]
    persistence: Persistence | None
    one_packet: bool
    forward_method: str
    tunnel: Tunnel
    real_servers: tuple[ServerEntry, ...]
    health_check: HealthCheck | None
    sorry_server: SorryServer | None
    synproxy: bool
    helper: str | None

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"service {self.name}"

    @property
    def traffic(self) -> tuple[Traffic, ...]:
        """What comes to this service, as far as the description says."""
        if self.address is None:
            return self.marks
        return (Traffic(self.address, self.protocol, () if 0 in self.ports else self.ports),)

    @property
    def vips(self) -> tuple[IPAddress, ...]:
        """The addresses that clients send to, each once."""
        return tuple(dict.fromkeys(traffic.address for traffic in self.traffic))

    def identities(self) -> list[dict[str, object]]:
        """What the kernel tells its virtual services apart by, as the modules take it: one dict a port.

        ``{"address": "192.0.2.10", "port": 80, "protocol": "tcp"}`` or ``{"fwmark": 21, "family": "ipv4"}``.
        """
        if self.fwmark is not None:
            return [{"fwmark": self.fwmark, "family": self.family}]
        return [{"address": str(self.address), "port": port, "protocol": self.protocol} for port in self.ports]

    def takes(self, address: IPAddress) -> bool:
        """Whether a real server may have this address: the kernel mixes families only in tunnels."""
        return self.forward_method == "tun" or family_of(address) == self.family
