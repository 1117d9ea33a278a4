# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two clusters of one inventory must not have in common: VIPs, gateways, addresses and virtual router ids.

**Networks.** The inventory has addresses without prefix lengths. Two clusters whose directors have addresses in one
network of `NETWORKS` are treated as if they were on the same link.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, expand_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet import Fleet, description_of
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import Inventory, InventoryError
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of, to_integer
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    DIRECTOR,
    NAT_GATEWAY,
    VIRTUAL_ROUTER_ID,
    VRRP_GROUPS,
    read_vrrp_groups,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError, Problems

#: The prefix lengths of what counts as one network, by family.
NETWORKS = {"ipv4": 24, "ipv6": 64}


def check_across(fleet: Fleet, clusters: Mapping[str, Cluster], given: object, problems: Problems) -> None:
    """Note addresses that the masters of two clusters would hold, or a master and a host of another cluster, and ids
    that are used twice.

    ``clusters``: those that are valid. The addresses of the others count as far as their descriptions can be read.
    """
    holders: dict[IPAddress, tuple[str, str, str]] = {}
    shared: dict[tuple[str, str, str, str], list[IPAddress]] = {}
    for name, cluster in _all_clusters(fleet, clusters, given).items():
        for address, (where, what) in _held(cluster).items():
            first, _where, other = holders.setdefault(address, (name, where, what))
            if first != name and (name in clusters or first in clusters):
                shared.setdefault((name, where, other, first), []).append(address)
    for (name, where, other, first), (address, *more) in shared.items():
        # once is enough for a network
        rest = f" (and {len(more)} addresses more)" if more else ""
        text = f"is also {other} of cluster {first}{rest}: the masters of both would hold it"
        problems.refuse(Code.VIP_IN_USE, f"cluster {name}: {where}", "", address, text)
    for host in dict.fromkeys((*fleet.whole.directors, *fleet.whole.real_servers)):
        of_host = fleet.of_host.get(host, ())
        try:
            addresses = fleet.whole.addresses(host).values()
        except InventoryError:
            continue  # noted where it is needed
        for address in addresses:
            name, where, _what = holders.get(address, ("", "", ""))
            # within its own cluster the model of that cluster notes it
            if name and name not in of_host and not clusters.keys().isdisjoint((name, *of_host)):
                text = f"is the address of host {host} of cluster {' and '.join(of_host)}"
                problems.refuse(Code.VIP_IN_USE, f"cluster {name}: {where}", "", address, text)
    _check_ids(fleet, clusters, problems)


def _held(cluster: Cluster) -> dict[IPAddress, tuple[str, str]]:
    """Return the addresses that the master of a cluster holds: where each is described, and what it is."""
    found: dict[IPAddress, tuple[str, str]] = {}
    for item in cluster.resolved:
        where = item.service.where
        for vip in item.service.vips:
            found.setdefault(vip, (where, f"the VIP of {where}"))
    for gateway in cluster.gateways.values():
        found.setdefault(gateway, (NAT_GATEWAY, f"the {NAT_GATEWAY}"))
    return found


def _all_clusters(fleet: Fleet, clusters: Mapping[str, Cluster], given: object) -> dict[str, Cluster]:
    """Return these clusters, and the others of the inventory that can be read."""
    found: dict[str, Cluster] = {}
    for name, inventory in fleet.clusters.items():
        if name in clusters:
            found[name] = clusters[name]
            continue
        try:
            found[name] = expand_cluster(description_of(inventory, given), inventory)
        except (InventoryError, ModelError):
            continue  # it is not a part of this run
    return found


def _check_ids(fleet: Fleet, clusters: Mapping[str, Cluster], problems: Problems) -> None:
    """Note two clusters on one network with the same virtual router id, which is also that of synchronisation."""
    users: dict[tuple[object, int], str] = {}
    noted: set[tuple[str, str]] = set()
    for name, inventory in fleet.clusters.items():
        numbers = _virtual_router_ids(inventory)
        for network, (variable, number) in [(one, item) for one in _networks(inventory) for item in numbers.items()]:
            first = users.setdefault((network, number), name)
            if first == name or (first, name) in noted or not (first in clusters or name in clusters):
                continue
            noted.add((first, name))
            text = (
                f"is {number} for the clusters {first} and {name}, which both have directors in {network}: give one of "
                "them another id"
            )
            problems.add(Code.ID_TWICE, variable, "", text, str(number))


def _virtual_router_ids(inventory: Inventory) -> dict[str, int]:
    """Return the virtual router ids of a cluster, by their places; empty if they cannot be read."""
    first = inventory.directors[0]
    try:
        given, groups = (inventory.variable(first, name) for name in (VIRTUAL_ROUTER_ID, VRRP_GROUPS))
    except InventoryError:
        return {}
    number = to_integer(DIRECTOR[VIRTUAL_ROUTER_ID] if given is None else given)
    found = {} if number is None else {VIRTUAL_ROUTER_ID: number}
    for name, group in read_vrrp_groups(groups, number, Problems()).items():
        found[f"{VRRP_GROUPS}: {name}.virtual_router_id"] = group.virtual_router_id
    return found


def _networks(inventory: Inventory) -> list[object]:
    found: dict[object, None] = {}
    for director in inventory.directors:
        try:
            addresses = inventory.addresses(director)
        except InventoryError:
            continue
        for address in addresses.values():
            prefix = NETWORKS[family_of(address)]
            found[ipaddress.ip_network(f"{address}/{prefix}", strict=False)] = None
    return list(found)
