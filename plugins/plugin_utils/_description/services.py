# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of ``lvs_virtual_services``.

One `Service` is one complete element of the list, or its part for one address and protocol: with defaults and
normalised addresses, but not yet resolved against the inventory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import model
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of

#: Of one element of the description.
KEYS = (
    "name",
    "address",
    "fwmark",
    "family",
    "marks",
    "ports",
    "port",
    "protocol",
    "addresses",
    "protocols",
    "scheduler",
    "scheduler_flags",
    "persistence",
    "one_packet",
    "forward_method",
    "tunnel",
    "real_servers",
    "health_check",
    "sorry_server",
    "synproxy",
    "helper",
    "vrrp_group",
)
#: In the kernel's tree, net/netfilter/ipvs/ip_vs_<name>.c each. Strict, so that a typo is found here and not by a
#: director's kernel. The module ipvs_table accepts any name, for other schedulers.
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos")
SCHEDULER_FLAGS = ("sh-fallback", "sh-port", "mh-fallback", "mh-port")
PROTOCOLS = tuple(model.PROTOCOLS)
FAMILIES = tuple(model.FAMILIES)
FORWARD_METHODS = ("nat", "dr", "tun", "fullnat")
#: Methods that forward the packet unchanged: same port, and the real server must hold the VIP itself.
UNREWRITTEN = frozenset(["dr", "tun"])
TUNNEL_TYPES = tuple(model.TUNNEL_TYPES)
TUNNEL_CHECKSUMS = tuple(model.TUNNEL_CHECKSUMS)
#: Types of health checks that a program of ours makes, for each health checker (module_utils/_host/protocol_check.py).
OWN_TYPES = ("ftp", "imap", "pop", "ldap", "mysql", "pgsql", "radius", "redis", "grpc")
HEALTH_CHECKS = ("http", "https", "tcp", "udp", "dns", "smtp", "ping", "misc", "file", *OWN_TYPES)
#: In these keys of a health check, words in braces stand for values of the real server and of its service.
TEMPLATES = ("path", "body", "host", "name", "user", "database", "tls.name", "command")
PLACEHOLDERS = ("address", "port", "name", "vip", "vport")
#: Keys with commands for a whole virtual service, and the words in braces that stand for its values.
QUORUM_COMMANDS = ("quorum_up", "quorum_down")
QUORUM_PLACEHOLDERS = ("vip", "vport")
ENGINES = ("sip",)
#: Protocols with addresses in their payload: the kernel's ip_vs_<name>.c beside ip_vs_app.c.
HELPERS = ("ftp",)
#: The first and the last of some ports.
PortRange = tuple[int, int]
#: In the ports that a real server answers from.
EVERY_PORT: PortRange = (0, 0)
FTP_PORT = 21  # the port that ip_vs_ftp inspects by default (module parameter ports, IPPORT_FTP)


@dataclass(frozen=True)
class Persistence:
    """Clients stay on their real server: for ``timeout`` seconds, by networks of ``netmask`` prefix bits."""

    timeout: int
    netmask: int
    engine: str | None


@dataclass(frozen=True)
class Tunnel:
    """The encapsulation of ``forward_method: tun``; ``port`` is the UDP port of gue, 0 otherwise."""

    type: str = "ipip"
    port: int = 0
    checksum: str = "none"


@dataclass(frozen=True)
class Traffic:
    """Traffic to the VIPs of one network: one protocol or (None) all, some ports or (empty) all.

    ``address`` is the first one, and ``prefix`` is 32 or 128 for a single VIP. ``ports`` are sorted and disjoint.
    """

    address: IPAddress
    prefix: int
    protocol: str | None
    ports: tuple[PortRange, ...]

    @property
    def destination(self) -> str:
        """The VIP or the network, as nft takes it."""
        return str(self.address) if self.prefix == self.address.max_prefixlen else f"{self.address}/{self.prefix}"

    @property
    def vips(self) -> Sequence[IPAddress]:
        """Each address of the network."""
        kind, first = type(self.address), int(self.address)
        return [kind(first + number) for number in range(2 ** (self.address.max_prefixlen - self.prefix))]


@dataclass(frozen=True)
class Tls:
    """A certificate that is verified: with the authorities in the file ``ca`` of a director, and for a ``name``.

    None are the authorities of the director's system, and the host of the request or the real server's address.
    """

    ca: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Check:
    """One health check of a real server.

    ``interval``, ``timeout``, ``delay_before_retry`` and ``warmup`` are in seconds. ``port`` and ``connect_address``
    None are the real server's own. Its packets leave through ``interface``, and have the ``mark``. ``digest`` is the
    MD5 of an answer in hexadecimal digits. With a ``family`` it connects to the host's address of that family, which is
    the ``connect_address`` of a resolved check. With ``through_vip`` it connects to the VIP (`_cluster.through_vip`).
    ``path`` is that of the URL with http and https, and of a file on the director with file; ``status`` are ranges, and
    ``body`` is a text in the answer. The status of a ``dynamic`` command is the weight plus 2. The first line of the
    file ``credentials`` on the director is a password or a secret. ``type`` decides which others are set
    (`service_reader.TYPES_OF`); the rest are None. `TEMPLATES` may have `PLACEHOLDERS` in braces.
    """

    type: str
    port: int | None = None
    interval: float = 2
    timeout: float = 1
    retries: int = 2
    delay_before_retry: float = 1
    path: str | None = None
    status: tuple[tuple[int, int], ...] = ((200, 200),)
    body: str | None = None
    host: str | None = None
    name: str | None = None
    record: str = "A"
    helo: str | None = None
    command: str | None = None
    warmup: float | None = None
    connect_address: IPAddress | None = None
    interface: str | None = None
    mark: int | None = None
    digest: str | None = None
    family: str | None = None
    through_vip: bool = False
    dynamic: bool = False
    user: str | None = None
    database: str | None = None
    credentials: str | None = None
    tls: Tls | None = None

    @property
    def by_program(self) -> bool:
        """True if our program makes the check."""
        return self.type in OWN_TYPES or self.tls is not None

    def text(self, key: str) -> str | None:
        """Return one of the `TEMPLATES`."""
        if key == "tls.name":
            return None if self.tls is None else self.tls.name
        value: str | None = getattr(self, key)
        return value


@dataclass(frozen=True)
class ServerEntry:
    """One element of ``real_servers``: ``kind`` is group, host or address, ``name`` its value.

    ``path`` is its place (``real_servers[2]``). None means not given: then the kernel's weight is unchanged, the others
    are the service's, and a host that a group covers too gets the group's value. A host's ``address`` replaces the
    inventory's for this service.
    """

    path: str
    kind: str
    name: str
    address: IPAddress | None
    port: int | None
    weight: int | None
    upper_threshold: int | None
    lower_threshold: int | None
    forward_method: str | None
    tunnel: Tunnel | None
    checks: tuple[Check, ...] | None
    alpha: bool | None
    inhibit_on_failure: bool | None


@dataclass(frozen=True)
class SorryServer:
    """The server that gets requests while no real server is healthy.

    A loopback address is the director itself, which gets the packets unchanged, as with dr.
    """

    address: IPAddress
    port: int | None
    forward_method: str
    tunnel: Tunnel


@dataclass(frozen=True)
class HealthCheck:
    """The health checks of a service: those of real servers without others, all of which have to pass, and the rules
    for all real servers together.

    `QUORUM_COMMANDS` may have `QUORUM_PLACEHOLDERS` in braces. With ``omega`` the second one also runs when the health
    checker stops. ``email`` False: no e-mail about this service.
    """

    checks: tuple[Check, ...]
    quorum: int = 1
    hysteresis: int = 0
    alpha: bool = True
    inhibit_on_failure: bool = False
    quorum_up: str | None = None
    quorum_down: str | None = None
    omega: bool = False
    email: bool = True


@dataclass(frozen=True)
class Service:
    """One element of ``lvs_virtual_services``, for one of its addresses and protocols. ``where`` is its name in
    messages.

    Either ``address``, ``protocol`` and ``ports`` are set, or ``fwmark`` is (then ``protocol`` is None and ``ports`` is
    ``(0,)``, which is what its real servers use). ``marks`` is the traffic that the directors mark; empty if other
    software does. ``vrrp_group`` is the group of its VIPs, empty for the default one.
    """

    where: str
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
    vrrp_group: str

    @cached_property
    def traffic(self) -> tuple[Traffic, ...]:
        """The traffic of this service, as far as the description has it."""
        if self.address is None:
            return self.marks
        ports = () if 0 in self.ports else tuple((port, port) for port in sorted(self.ports))
        return (Traffic(self.address, self.address.max_prefixlen, self.protocol, ports),)

    @cached_property
    def vips(self) -> tuple[IPAddress, ...]:
        """The addresses that clients send to, each once."""
        return tuple(dict.fromkeys(vip for traffic in self.traffic for vip in traffic.vips))

    def identities(self) -> list[dict[str, object]]:
        """Return the identities of its virtual services in the kernel, as the modules take them: one dict a port.

        ``{"address": "192.0.2.10", "port": 80, "protocol": "tcp"}`` or ``{"fwmark": 21, "family": "ipv4"}``.
        """
        if self.fwmark is not None:
            return [{"fwmark": self.fwmark, "family": self.family}]
        return [{"address": str(self.address), "port": port, "protocol": self.protocol} for port in self.ports]

    def takes(self, address: IPAddress, method: str) -> bool:
        """Return True if a real server may have this address: the kernel mixes families only in tunnels."""
        return method == "tun" or family_of(address) == self.family
