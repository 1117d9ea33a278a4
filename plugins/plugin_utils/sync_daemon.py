# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection synchronisation: whether the directors tell each other of their connections, and how. Private.

keepalived runs the kernel's daemon, as master where its VRRP instance is MASTER and as backup elsewhere
(keepalived.conf(5), lvs_sync_daemon).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils.fields import (
    MAX_PORT,
    Fields,
    family_of,
    to_address,
    to_boolean,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils.problems import Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils.resolve import ResolvedService

VARIABLE = "director_sync_daemon"
KEYS = ("id", "maxlen", "port", "ttl", "group")
#: What the kernel takes where nothing is given (net/netfilter/ipvs/ip_vs_sync.c, start_sync_thread).
DEFAULT_GROUP = "224.0.0.81"
DEFAULT_PORT = 8848
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
        group = self.group or DEFAULT_GROUP
        family = "ip6" if ":" in group else "ip"
        return f'iifname "{self.interface}" {family} daddr {group} udp dport {self.port or DEFAULT_PORT} accept'


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
