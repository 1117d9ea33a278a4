# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection synchronisation: whether the directors tell each other of their connections, and how.

keepalived runs the kernel's daemon, as master where its VRRP instance is MASTER and as backup elsewhere
(keepalived.conf(5), lvs_sync_daemon).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import Inventory, InventoryError
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    MAX_PORT,
    Fields,
    family_of,
    to_address,
    to_boolean,
    to_integer,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show

VARIABLE = "director_sync_daemon"
SENDERS_VARIABLE = "director_sync_senders"
KEYS = ("id", "maxlen", "port", "ttl", "group")
#: What the kernel takes where nothing is given (net/netfilter/ipvs/ip_vs_sync.c, start_sync_thread).
DEFAULT_GROUP = "224.0.0.81"
DEFAULT_PORT = 8848
#: The kernel uses so many ports, from that on (ip_vs_sync.c, start_sync_thread; IPVS_SYNC_PORTS_MAX).
PORTS_SYSCTL = "net.ipv4.vs.sync_ports"
MAX_PORTS = 64
#: keepalived/core/global_parser.c, lvs_syncd_handler: a datagram less the headers of IPv4 and UDP.
MAX_LENGTH = 65535 - 20 - 8


@dataclass(frozen=True)
class SyncDaemon:
    """The daemon of one director; what is None is left to keepalived, whose ``id`` is then the VRRP id."""

    interface: str
    id: int | None = None
    maxlen: int | None = None
    port: int | None = None
    ttl: int | None = None
    group: str | None = None
    ports: int = 1

    def line(self, instance: str) -> str:
        """As keepalived takes it in ``global_defs``, bound to a VRRP instance."""
        options = {key: getattr(self, key) for key in KEYS}
        given = [f"{key} {value}" for key, value in options.items() if value is not None]
        return " ".join(["lvs_sync_daemon", self.interface, "inst", instance, *given])

    def opening(self) -> str:
        """The rule that lets in what other directors send.

        By interface and not by sender: the kernel sends from the first address of the interface (ip_vs_sync.c,
        bind_mcastif_addr), which need not be the director's address in the inventory.
        """
        return f'iifname "{self.interface}" {self.match} accept'

    @property
    def family(self) -> str:
        """The family of its datagrams."""
        return "ipv6" if ":" in (self.group or DEFAULT_GROUP) else "ipv4"

    @property
    def match(self) -> str:
        """Its datagrams, as a match of nftables."""
        first = self.port or DEFAULT_PORT
        ports = str(first) if self.ports == 1 else f"{first}-{min(first + self.ports - 1, MAX_PORT)}"
        protocol = "ip" if self.family == "ipv4" else "ip6"
        return f"{protocol} daddr {self.group or DEFAULT_GROUP} udp dport {ports}"


def read_sync_daemon(value: object, interface: str, problems: Problems) -> SyncDaemon | None:
    """The role's variable: true, false, or a mapping that sets some of `KEYS`; None for no daemon."""
    if not isinstance(value, Mapping):
        wanted = to_boolean(value)
        if wanted is None:
            problems.add(VARIABLE, "", f"{show(value)} is neither true nor false, nor a mapping such as {{id: 5}}")
        return SyncDaemon(interface) if wanted else None
    fields = Fields(value, VARIABLE, "", problems)
    fields.refuse_unknown(KEYS, "the sync daemon")
    group = None
    if fields.given("group"):
        address = to_address(fields.values["group"])
        if address is None or not address.is_multicast:
            fields.fault("group", f"{show(fields.values['group'])} is not a multicast address")
        group = str(address)
    return SyncDaemon(
        interface,
        id=fields.integer("id", 0, 255),
        maxlen=fields.integer("maxlen", 1, MAX_LENGTH),
        port=fields.integer("port", 1, MAX_PORT),
        ttl=fields.integer("ttl", 1, 255),
        group=group,
    )


def used_ports(values: Mapping[str, int | str]) -> int:
    """Return how many ports the kernel uses with these sysctls."""
    return min(max(to_integer(values.get(PORTS_SYSCTL, 1)) or 1, 1), MAX_PORTS)


def read_senders(value: object, daemon: SyncDaemon, problems: Problems) -> tuple[str, ...]:
    """Return the addresses that all directors send from, as the role's variable has them; empty if it is not given."""
    found: dict[str, None] = {}
    for element in value if isinstance(value, (list, tuple)) else [] if value is None else [value]:
        address = to_address(element)
        if address is None:
            problems.add(SENDERS_VARIABLE, "", f"{show(element)} is not an IP address")
        elif address.is_multicast or address.is_unspecified or address.is_loopback:
            problems.add(SENDERS_VARIABLE, "", f"{show(str(address))} is not the address of a host")
        elif family_of(address) != daemon.family:
            text = f"{address} is {family_of(address)}, and the group of the synchronisation is {daemon.family}"
            problems.add(SENDERS_VARIABLE, "", text)
        else:
            found[str(address)] = None
    return tuple(found)


def known_senders(daemon: SyncDaemon, interface: str, inventory: Inventory) -> dict[str, str]:
    """Return director -> the address it sends from, as far as the inventory says; empty if it does not.

    It says so only on the link of the VIPs (``interface``), where ``lvs_address`` is. With IPv4 the kernel sends from
    the first address of the interface (ip_vs_sync.c, bind_mcastif_addr), which the module host_check compares. With
    IPv6 the source depends on the scope of the group (make_send_sock does not bind): usually a link-local address.
    """
    if daemon.interface != interface or daemon.family == "ipv6":
        return {}
    try:
        return {host: str(inventory.address(host, daemon.family)) for host in inventory.directors}
    except InventoryError:
        return {}


def check_families(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note services whose real servers are of the other family: the kernel has no daemon beside them.

    net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_genl_new_daemon and ip_vs_genl_set_cmd say EINVAL, whichever comes second.
    """
    for item in resolved:
        addresses = [server.address for server in item.servers]
        if item.service.sorry_server is not None:
            addresses.append(item.service.sorry_server.address)
        for address in addresses:
            if family_of(address) != item.service.family:
                text = (
                    f"cannot run while service {item.service.name} ({item.service.family}) has the real server "
                    f"{address}: the kernel does not synchronise across families (set it to false)"
                )
                problems.add(VARIABLE, "", text)
                return
