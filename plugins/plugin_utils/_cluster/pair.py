# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relations between directors: VRRP instances, connection synchronisation, and directors that leave.

VRRP version 3 (RFC 5798), unicast between the directors, one instance per family since a packet carries one. The VIPs
of a group of services move together. Each group has instances of its own, so its master can be another director.

An advertisement lists addresses, and a director drops one whose list differs from its own (keepalived/vrrp/vrrp.c:
vrrp_check_packet). Then it becomes master too. While the directors are set up one after the other their VIPs differ, so
no VIP is advertised, but a constant dummy address, because keepalived refuses an instance of version 3 that advertises
none (vrrp_complete_instance). This also avoids the limit of an advertisement: 255 addresses, or what fits into the MTU.

keepalived runs the kernel's daemon of connection synchronisation, as master if its VRRP instance is MASTER and
otherwise as backup (keepalived.conf(5), lvs_sync_daemon). With several groups each director sends the connections of
its own VIPs and receives the others, so both daemons run. keepalived starts both if the line names no instance, in the
process of its health checks, which exists only beside a virtual server (core/main.c: running_checker;
check/check_daemon.c: start_check, the same in 2.2.7 and 2.3.3). The kernel has a thread for each, and sends no
datagram back to its own host (ip_vs_sync.c: start_sync_thread; make_send_sock: set_mcast_loop).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import DRAIN_DIRECTORY
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import DIRECTORS, Inventory, InventoryError
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    IPAddress,
    family_of,
    to_address,
    to_integer,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    HEALTH_CHECKER,
    KEEPALIVED,
    LEAVING_DIRECTORS,
    PRIORITIES,
    PRIORITY,
    SYNC_DAEMON,
    VRRP_GROUPS,
    DirectorSettings,
    SyncDaemon,
    VrrpGroup,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    Problems,
    known_ones,
    suggestion,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.service_reader import NO_GROUP
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import Service

#: The address that is advertised in each family, as keepalived takes it: the dummy addresses of IANA's registries of
#: special-purpose addresses (RFC 7600, RFC 9780), which no packet may have as its destination. The kernel does not
#: select an address of the scope host as a source, nor an IPv6 address of prefix length 128, which keepalived adds as
#: deprecated.
ADVERTISED = {"ipv4": "192.0.0.8/32 scope host", "ipv6": "100:0:0:1::1/128"}
#: The same for the other groups, each with its virtual router id. If two instances of a director had one address, and
#: one of them became backup and removed it, the other would become backup too (core/keepalived_netlink.c:
#: netlink_if_address_filter, address_is_ours). IPv4 has only one dummy address. 240.0.0.0/4 is reserved, and IANA's
#: registry allows it neither as a source nor as a destination.
ADVERTISED_BY_GROUP = {"ipv4": "240.0.0.{}/32 scope host", "ipv6": "100:0:0:1::1:{:x}/128"}
#: A 1 in it lowers the priority, a 3 is a fault (`_render.keepalived`). It counts for all groups of the director. With
#: several groups each has one of its own beside it (`handover_file`).
HANDOVER_FILE = f"{DRAIN_DIRECTORY}/director"
#: The priority of the first director, and what each further one has less.
FIRST, STEP = 200, 10
#: The amount by which a failover lowers a priority: more than the difference of any two, but too little for a fault.
HANDOVER = 100
BACKUP_ONLY = "net.ipv4.vs.backup_only"
#: The largest number of ports, from the daemon's own on (ip_vs_sync.c, start_sync_thread; IPVS_SYNC_PORTS_MAX).
PORTS_SYSCTL = "net.ipv4.vs.sync_ports"
MAX_PORTS = 64


@dataclass(frozen=True)
class Group:
    """VIPs that move together, and the gateways of nat that move with them; ``name`` is empty for the default group."""

    name: str
    virtual_router_id: int
    first: str | None
    vips: tuple[IPAddress, ...]
    gateways: tuple[IPAddress, ...] = ()

    @property
    def shown(self) -> str:
        """Its name in the description."""
        return self.name or NO_GROUP


@dataclass(frozen=True)
class Instance:
    """One ``vrrp_instance`` of keepalived. ``peers`` maps the names of the other directors to their addresses.

    ``group`` is the name of its group, empty for the default one.
    """

    family: str
    group: str
    virtual_router_id: int
    settings: DirectorSettings
    state: str
    priority: int
    source_address: str | None
    peers: Mapping[str, str]
    addresses: tuple[str, ...]

    @property
    def name(self) -> str:
        """keepalived's name of the instance."""
        return f"lvs_{self.group}_{self.family}" if self.group else f"lvs_{self.family}"

    @property
    def advertised(self) -> str:
        """The address that its adverts have, as keepalived takes it."""
        if self.group:
            return ADVERTISED_BY_GROUP[self.family].format(self.virtual_router_id)
        return ADVERTISED[self.family]

    def as_dict(self) -> dict[str, object]:
        """Return the values above, and ``name``, ``interface``, ``virtual_router_id`` and ``advert_interval``
        (seconds).

        ``state`` is the initial one: MASTER on the only director, otherwise BACKUP, which keepalived.conf(5) requires
        for nopreempt and preempt_delay. ``source_address`` is null and ``peers`` is empty without another director.
        ``addresses`` are the VIPs, and the gateway of nat, as keepalived takes them: with their prefix length, and with
        their interface if it is another. ``advertised`` is the address that adverts have (`ADVERTISED`).
        """
        return {
            "name": self.name,
            "family": self.family,
            "interface": self.settings.interface,
            "virtual_router_id": self.virtual_router_id,
            "advert_interval": self.settings.advert_interval,
            "state": self.state,
            "priority": self.priority,
            "source_address": self.source_address,
            "peers": list(self.peers.values()),
            "addresses": list(self.addresses),
            "advertised": self.advertised,
        }


def director_addresses(
    vips: Sequence[IPAddress], inventory: Inventory, problems: Problems
) -> dict[str, dict[str, str]]:
    """Return the VRRP addresses of the directors: family -> director -> address, for the families of the VIPs.

    A single director sends no VRRP to peers and needs no address, so its family has none.
    """
    families = sorted({family_of(vip) for vip in vips})
    found: dict[str, dict[str, str]] = {family: {} for family in families}
    for family in families:
        for director in inventory.directors if len(inventory.directors) > 1 else ():
            try:
                found[family][director] = str(inventory.address(director, family))
            except InventoryError as error:
                error.note(problems, f"group {DIRECTORS}")
    return found


def instances(
    host: str, groups: Sequence[Group], inventory: Inventory, settings: DirectorSettings, problems: Problems
) -> list[Instance]:
    """Return the instances of one director: one for each family of each group, IPv4 first."""
    usual = priorities(inventory, problems)
    found = director_addresses([vip for group in groups for vip in group.vips], inventory, problems)
    return [
        Instance(
            family=family,
            group=group.name,
            virtual_router_id=group.virtual_router_id,
            settings=settings,
            state="BACKUP" if speakers else "MASTER",
            priority=with_first(usual, group.first)[host],
            source_address=speakers.get(host),
            peers={director: address for director, address in speakers.items() if director != host},
            addresses=(
                *(_vip(vip, settings) for vip in group.vips if family_of(vip) == family),
                *(_inside(gateway, settings) for gateway in group.gateways if family_of(gateway) == family),
            ),
        )
        for group in groups
        for family, speakers in found.items()
        if any(family_of(vip) == family for vip in group.vips)
    ]


def vrrp_groups(
    resolved: Iterable[ResolvedService],
    known: Mapping[str, VrrpGroup],
    of_default: int,
    gateways: Iterable[IPAddress] = (),
) -> list[Group]:
    """Return the groups that have VIPs, the default one first, then by name; IPv4 first in each, then by number.

    ``known``: the groups beside the default one, whose virtual router id is ``of_default``. A gateway moves with the
    VIPs of the services by nat of its family, so that requests and replies pass the same director (`check_groups`).
    """
    vips: dict[str, set[IPAddress]] = {}
    behind: dict[str, str] = {}
    for item in resolved:
        service = item.service
        if service.vips:
            vips.setdefault(service.vrrp_group, set()).update(service.vips)
        if _has_gateway(item):
            behind[service.family] = service.vrrp_group
    gateways = list(gateways)
    found = []
    for name in sorted(vips):
        group = known[name] if name else VrrpGroup(of_default)
        ordered = sorted(vips[name], key=lambda vip: (vip.version, int(vip)))
        own = [gateway for gateway in gateways if behind.get(family_of(gateway), "") == name]
        found.append(Group(name, group.virtual_router_id, group.first, tuple(ordered), tuple(own)))
    return found


def _has_gateway(item: ResolvedService) -> bool:
    """Return True if real servers that Ansible manages send their replies to a gateway."""
    return any(server.forward_method == "nat" and server.host is not None for server in item.servers)


def check_groups(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note services in several groups whose VIPs have to move together."""
    of_vip: dict[IPAddress, Service] = {}
    of_family: dict[str, Service] = {}
    for item in resolved:
        service = item.service
        for vip in service.vips:
            first = of_vip.setdefault(vip, service)
            if first.vrrp_group != service.vrrp_group:
                _note_groups(service, first, f"which has {vip} too: one VIP is in one group", problems)
                break
        if _has_gateway(item):
            first = of_family.setdefault(service.family, service)
            if first.vrrp_group != service.vrrp_group:
                why = "which is nat too: a real server has one gateway per family, which moves with one group"
                _note_groups(service, first, why, problems)


def _note_groups(service: Service, other: Service, why: str, problems: Problems) -> None:
    own, others = (one.vrrp_group or NO_GROUP for one in (service, other))
    text = f"is not the group of service {other.name} ({others}), {why}"
    problems.refuse(Code.GROUPS_DIFFER, service.where, "vrrp_group", own, text)


def check_group_names(
    resolved: Iterable[ResolvedService], known: Mapping[str, VrrpGroup], inventory: Inventory, problems: Problems
) -> None:
    """Note groups of services that are not ``known``, and directors of groups that are not in the cluster."""
    if any(problem.where == VRRP_GROUPS for problem in problems.found):
        return  # they cannot be read
    for item in resolved:
        name = item.service.vrrp_group
        if name and name not in known:
            near = suggestion(name, known) or known_ones([*known, NO_GROUP])
            problems.refuse(
                Code.UNKNOWN_WORD, item.service.where, "vrrp_group", name, f"is not a group in {VRRP_GROUPS}{near}"
            )
    for name, group in known.items():
        if group.first is not None and group.first not in inventory.directors:
            near = suggestion(group.first, inventory.directors) or known_ones(inventory.directors)
            text = f"is not a director of this cluster{near}"
            problems.refuse(Code.NOT_IN_GROUP, VRRP_GROUPS, f"{name}.first", group.first, text)


def check_both_daemons(
    resolved: Sequence[ResolvedService], checker: str, extra: Mapping[str, int | str], problems: Problems
) -> None:
    """Note what rules out both daemons of connection synchronisation on one director, which several groups need.

    ``extra``: the sysctls of the inventory.
    """
    if checker != KEEPALIVED or not any(item.service.health_check is not None for item in resolved):
        reason = f"{HEALTH_CHECKER} is {checker}" if checker != KEEPALIVED else "no service has a health check"
        text = (
            f"cannot run with several VRRP groups, because {reason}: keepalived sends and receives connections at the "
            "same time only beside health checks of its own (set it to false)"
        )
        problems.add(Code.NOT_FOR_CHECKER, SYNC_DAEMON, "", text)
    if str(extra.get(BACKUP_ONLY, 0)) != "0":
        # include/net/ip_vs.h: sysctl_backup_only; the backup daemon runs on every director
        text = f"cannot be {extra[BACKUP_ONLY]} with several VRRP groups: no director would balance"
        problems.add(Code.EXCLUSIVE_KEYS, "director_sysctls", BACKUP_ONLY, text, str(extra[BACKUP_ONLY]))


def with_first(found: Mapping[str, int], first: str | None) -> dict[str, int]:
    """Return the same priorities in another order: ``first`` has the highest, the others keep their order."""
    order = sorted(found, key=lambda director: (director != first, -found[director]))
    return dict(zip(order, sorted(found.values(), reverse=True))) if first in found else dict(found)


def priorities(inventory: Inventory, problems: Problems) -> dict[str, int]:
    """Return director -> its VRRP priority; notes those that two directors have, or that are too far apart.

    Without the variable, the first host of the group has priority 200, and each further one 10 less, but at least 1.
    """
    low, high = PRIORITIES
    found: dict[str, int] = {}
    given: list[str] = []
    for position, director in enumerate(inventory.directors):
        found[director] = max(low, FIRST - STEP * position)
        try:
            number = to_integer(inventory.variable(director, PRIORITY))
        except InventoryError as error:
            error.note(problems, f"group {DIRECTORS}")
            continue
        # a value of another form is noted with the settings of that director
        if number is not None and low <= number <= high:
            found[director] = number
            given.append(director)
    if given:
        _check_priorities(found, given, problems)
    return found


def _check_priorities(found: Mapping[str, int], given: Sequence[str], problems: Problems) -> None:
    """``given``: the directors whose priority the inventory has."""
    holders: dict[int, str] = {}
    for director, number in found.items():
        first = holders.setdefault(number, director)
        if first != director:
            one, other = (f"{host}{'' if host in given else ' (by default)'}" for host in (first, director))
            text = f"is {number} for {one} and for {other}: set it for each director, to another value"
            problems.add(Code.TWICE, PRIORITY, "", text, str(number))
    highest, lowest = max(holders), min(holders)
    if highest - lowest >= HANDOVER:
        text = (
            f"is {highest} for {holders[highest]} and {lowest} for {holders[lowest]}: they must be less than "
            f"{HANDOVER} apart, because a failover lowers a priority by {HANDOVER}"
        )
        problems.add(Code.OUT_OF_RANGE, PRIORITY, "", text, str(lowest))


def _vip(vip: IPAddress, settings: DirectorSettings) -> str:
    """Return a VIP as keepalived takes it (keepalived.conf(5), virtual_ipaddress)."""
    options = settings.vips.get(vip)
    if options is None:
        return f"{vip}/{vip.max_prefixlen}"
    words = [f"{vip}/{options.prefix}"]
    if settings.link(vip) != settings.interface:
        words.append(f"dev {settings.link(vip)}")
    if options.label:
        words.append(f"label {options.label}")
    if vip.version == 6 and options.prefix != vip.max_prefixlen:
        # keepalived's default for others: the kernel does not select a deprecated address as a source
        words.append("preferred_lft 0")
    return " ".join(words)


def _inside(gateway: IPAddress, settings: DirectorSettings) -> str:
    """Return a gateway as keepalived takes it (keepalived.conf(5), virtual_ipaddress)."""
    text = f"{gateway}/{gateway.max_prefixlen}"
    if settings.gateway_interface in ("", settings.interface):
        return text
    return f"{text} dev {settings.gateway_interface}"


def hands_over(instances: Sequence[Instance]) -> bool:
    """Return True if there is another director to hand over to."""
    return any(instance.peers for instance in instances)


def several_groups(instances: Iterable[Instance]) -> bool:
    """Return True if groups of VIPs can have different masters."""
    return len({instance.group for instance in instances}) > 1


def handover_file(group: str, several: bool) -> str:
    """Return the file that moves a group alone; the director's own if there are no ``several``."""
    return f"{HANDOVER_FILE}_{group or NO_GROUP}" if several else HANDOVER_FILE


def used_ports(values: Mapping[str, int | str]) -> int:
    """Return the number of ports that the kernel uses with these sysctls."""
    return min(max(to_integer(values.get(PORTS_SYSCTL, 1)) or 1, 1), MAX_PORTS)


def known_senders(daemon: SyncDaemon, interface: str, inventory: Inventory) -> dict[str, str]:
    """Return director -> its source address, as far as the inventory has it; empty otherwise.

    The inventory has it only on the link of the VIPs (``interface``), where ``lvs_address`` is. With IPv4 the kernel
    sends from the first address of the interface (ip_vs_sync.c, bind_mcastif_addr), which the module host_check
    compares. With IPv6 the source depends on the scope of the group (make_send_sock does not bind): usually a
    link-local address.
    """
    if daemon.interface != interface or daemon.family == "ipv6":
        return {}
    try:
        return {host: str(inventory.address(host, daemon.family)) for host in inventory.directors}
    except InventoryError:
        return {}


def check_families(resolved: Iterable[ResolvedService], problems: Problems) -> None:
    """Note services with real servers of the other family: the kernel does not run a daemon beside them.

    net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_genl_new_daemon and ip_vs_genl_set_cmd return EINVAL for the second one.
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
                problems.add(Code.OTHER_FAMILY, SYNC_DAEMON, "", text, str(address))
                return


def leaving_directors(names: Iterable[str], inventory: Inventory, problems: Problems) -> list[str]:
    """Return the directors that may leave: the given values, and the addresses of these names in the inventory."""
    found: dict[str, None] = {}
    for one in names:
        if one in inventory.directors:
            text = f"is in the inventory group {DIRECTORS!r}: remove it from the group first"
            problems.refuse(Code.IN_GROUP, LEAVING_DIRECTORS, "", one, text)
        address = to_address(one)
        found[one if address is None else str(address)] = None
        with suppress(InventoryError):  # it may have left the inventory
            found.update((str(own), None) for own in inventory.addresses(one).values())
    return list(found)
