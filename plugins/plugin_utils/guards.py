# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chains of the table lvs_cluster that drop packets which no service needs. Private to the collection.

Each chain accepts by default and only drops: another table of the host can still drop what these chains let through.

**vrrp_guard.** A director accepts a VRRP advert of its virtual router id from its peers only, and only if no router has
forwarded it (TTL or hop limit 255; a forged source address cannot change that). keepalived checks the same with
``vrrp_check_unicast_src``, ``min_ttl`` and ``max_ttl`` (vrrp_check_packet() in keepalived/vrrp/vrrp.c), but logs each
packet that it refuses. The rules match the virtual router id, the second octet of the header in versions 2 and 3 (RFC
5798, section 5.1), so other VRRP routers on the host are not affected. A single director has no peers. keepalived then
sends and receives multicast adverts, and one of priority 255 would take the VIPs away, so it accepts none.

The protocol is a number, since nft takes names of protocols from /etc/protocols, which a small host does not have.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.lvs.cluster.plugins.plugin_utils.nftables import any_of, base_chain
from ansible_collections.lvs.cluster.plugins.plugin_utils.vrrp import Instance

_IP = {"ipv4": "ip", "ipv6": "ip6"}
_HOPS = {"ipv4": "ip ttl", "ipv6": "ip6 hoplimit"}
_VRRP = 112  # RFC 5798, section 5.1.1.4


def vrrp_guard(instances: Iterable[Instance]) -> str:
    """Return the chain that drops VRRP adverts which are not from a peer; empty without instances."""
    rules: list[str] = []
    for instance in instances:
        ours = f"meta l4proto {_VRRP} @th,8,8 {instance.settings.virtual_router_id}"
        if not instance.peers:
            rules.append(f"{ours} meta nfproto {instance.family} drop")
            continue
        rules.append(f"{ours} {_IP[instance.family]} saddr != {any_of(instance.peers)} drop")
        rules.append(f"{ours} {_HOPS[instance.family]} < {instance.settings.min_ttl} drop")
    return base_chain("vrrp_guard", "filter hook input priority filter", rules)
