# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a director's own firewall has to let through, as rules of nftables to include in its chains.

A packet passes every base chain of a hook, and one that drops it has the last word. So a table of ours could accept as
much as it likes: what another table drops stays dropped. The rules have to stand in that table's own chains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.forward_methods import answering
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import family_of
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import SorryServer
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.sync_daemon import SyncDaemon
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.nftables import to_vip

_WORD = {"ipv4": "ip", "ipv6": "ip6"}


def input_rules(
    resolved: Iterable[ResolvedService], peers: Sequence[str], sync_daemon: SyncDaemon | None = None
) -> list[str]:
    """For a chain of the input hook: VRRP and connections of the other directors, and clients' packets to services."""
    rules = [f"{'ip6' if ':' in peer else 'ip'} saddr {peer} meta l4proto vrrp accept" for peer in peers]
    if sync_daemon is not None:
        rules.append(sync_daemon.opening())
    for item in resolved:
        for traffic in item.service.traffic:
            # data connections of FTP go to ports that nobody knows before
            rules.append(f"{to_vip(replace(traffic, ports=()) if item.service.helper else traffic)} accept")
    return list(dict.fromkeys(rules))


def forward_rules(resolved: Iterable[ResolvedService]) -> list[str]:
    """For a chain of the forward hook: replies of real servers, which IPVS translates only after it."""
    rules = []
    for item in resolved:
        if item.service.forward_method not in ("nat", "fullnat"):
            continue
        servers: list[RealServer | SorryServer] = [*item.servers]
        if item.service.sorry_server is not None:
            servers.append(item.service.sorry_server)
        for server in servers:
            for traffic in item.service.traffic:
                match = f"{_WORD[family_of(server.address)]} saddr {server.address}"
                for port in answering(item.service, server, traffic):
                    if port:
                        rules.append(f"{match} {traffic.protocol} sport {port} accept")
                    elif traffic.protocol:
                        rules.append(f"{match} meta l4proto {traffic.protocol} accept")
                    else:
                        rules.append(f"{match} accept")
    return list(dict.fromkeys(rules))
