# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the VIPs: the VRRP instances of one director.

VRRP version 3 (RFC 5798), unicast between the directors, one instance per family since a packet carries one.

An advertisement lists addresses, and a director drops one whose list differs from its own (keepalived/vrrp/vrrp.c:
vrrp_check_packet). It takes itself for the master then. While the directors are set up one after the other their VIPs
differ, so no VIP is advertised. What is advertised is a dummy address that never changes, because keepalived takes
no instance of version 3 that advertises none (vrrp_complete_instance). VIPs are excluded from the advertisement, whose
length they would be limited by otherwise: 255 addresses, or what the MTU holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import DIRECTORS, Inventory, InventoryError
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    IPAddress,
    family_of,
    to_boolean,
    to_integer,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, plain, show

# dev_valid_name() in net/core/dev.c: 15 characters, no slash, colon or white space, not "." or ".."
# without what keepalived's parser gives a meaning, anywhere or at the beginning of a line (keepalived.conf(5): ~SEQ and
# @config-id; lib/parser.c, read_line()), and without the wildcard of nftables
LINK = re.compile(r"(?!\.\.?$|[~@])[^\s/:!#$*\"'\\{}\x00-\x1f\x7f]{1,15}")
MAX_REFRESH = 86400
#: What every sender sets (RFC 5798, sections 5.1.1.3 and 5.1.2.3), and each router on the way lowers by one.
TTL = 255
MAX_HOPS = TTL - 1
MAX_DELAY = 1000  # keepalived.conf(5), preempt_delay
#: The address that is advertised in each family, as keepalived takes it: the dummy addresses of IANA's registries of
#: special-purpose addresses (RFC 7600, RFC 9780), which no packet may have as its destination. No source is chosen from
#: an address of the scope host, or from an IPv6 address of prefix length 128, which keepalived adds as deprecated.
ADVERTISED = {"ipv4": "192.0.0.8/32 scope host", "ipv6": "100:0:0:1::1/128"}


@dataclass(frozen=True)
class Settings:
    """The director role's VRRP variables, checked.

    ``virtual_router_id`` is unique per link and family (1 to 255); ``advert_interval`` is in seconds.
    ``gateway_interface`` is the link of the real servers, where it is another than that of the VIPs. ``preempt`` is
    whether a director takes the VIPs from one of a lower priority, and ``preempt_delay`` after how many seconds. In
    these it learns of the other's connections and makes its health checks. Every ``garp_refresh`` seconds the master
    tells the link again where the VIPs are; 0 is never. ``hops`` is the number of routers between two directors.
    """

    interface: str
    virtual_router_id: int
    advert_interval: float
    gateway_interface: str = ""
    preempt: bool = True
    preempt_delay: int = 30
    garp_refresh: int = 60
    hops: int = 0

    @property
    def min_ttl(self) -> int:
        """The lowest TTL or hop limit that an advert of a peer has on arrival."""
        return TTL - self.hops

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The links of clients and of real servers, which can be one."""
        return tuple(dict.fromkeys(name for name in (self.interface, self.gateway_interface) if name))


@dataclass(frozen=True)
class Instance:
    """One ``vrrp_instance`` of keepalived. ``peers`` maps the names of the other directors to their addresses."""

    family: str
    settings: Settings
    state: str
    priority: int
    source_address: str | None
    peers: Mapping[str, str]
    addresses: tuple[str, ...]

    @property
    def name(self) -> str:
        """What keepalived calls it."""
        return f"lvs_{self.family}"

    @property
    def advertised(self) -> str:
        """The address that its adverts have, as keepalived takes it."""
        return ADVERTISED[self.family]

    def as_dict(self) -> dict[str, object]:
        """The values above, and ``name``, ``interface``, ``virtual_router_id`` and ``advert_interval`` (seconds).

        ``state`` is where it starts: MASTER on the only director, else BACKUP, which keepalived.conf(5) asks for beside
        nopreempt and preempt_delay. ``source_address`` is null and ``peers`` is empty when there is no other director.
        ``addresses`` are the VIPs, and the gateway of nat, as keepalived takes them: with their prefix length, and with
        their interface if it is another. ``advertised`` is the address that adverts have (`ADVERTISED`).
        """
        return {
            "name": self.name,
            "family": self.family,
            "interface": self.settings.interface,
            "virtual_router_id": self.settings.virtual_router_id,
            "advert_interval": self.settings.advert_interval,
            "state": self.state,
            "priority": self.priority,
            "source_address": self.source_address,
            "peers": list(self.peers.values()),
            "addresses": list(self.addresses),
            "advertised": self.advertised,
        }


def read_settings(
    interface: object,
    virtual_router_id: object,
    advert_interval: object,
    gateway_interface: object,
    problems: Problems,
    preempt: object = True,
    preempt_delay: object = 30,
    garp_refresh: object = 60,
    hops: object = 0,
    elsewhere: str = "",
) -> Settings:
    """Check the director role's variables. What is bad is noted, and only then the result is of no use.

    ``elsewhere`` says which other hosts have a ``director_interface``.
    """
    name = plain(interface) if isinstance(interface, str) else ""
    if interface is None or interface == "":
        problems.add("director_interface", "", f"is missing (the link on which the VIPs live){elsewhere}")
    elif not LINK.fullmatch(name):
        text = f"{show(interface)} is not the name of a network interface (the link on which the VIPs live)"
        problems.add("director_interface", "", text)
    router = to_integer(virtual_router_id)
    if router is None or not 1 <= router <= 255:
        problems.add("director_virtual_router_id", "", f"{show(virtual_router_id)} is not an integer from 1 to 255")
    interval = _seconds(advert_interval)
    # version 3 counts hundredths of a second in 12 bits
    if interval is None or not 0.01 <= interval <= 40.95:
        text = f"{show(advert_interval)} is not a number of seconds from 0.01 to 40.95"
        problems.add("director_advert_interval", "", text)
    inside = plain(gateway_interface) if isinstance(gateway_interface, str) else ""
    if gateway_interface is not None and gateway_interface != "" and not LINK.fullmatch(inside):
        text = f"{show(gateway_interface)} is not the name of a network interface (the link of the real servers)"
        problems.add("director_gateway_interface", "", text)
    preempts = to_boolean(preempt)
    if preempts is None:
        problems.add("director_preempt", "", f"{show(preempt)} is neither true nor false")
    delay = _whole_seconds(preempt_delay, MAX_DELAY, "director_preempt_delay", problems)
    refresh = _whole_seconds(garp_refresh, MAX_REFRESH, "director_garp_refresh", problems)
    routers = to_integer(hops)
    if routers is None or not 0 <= routers <= MAX_HOPS:
        problems.add("director_vrrp_hops", "", f"{show(hops)} is not a number of routers from 0 to {MAX_HOPS}")
        routers = 0
    return Settings(name, router or 0, interval or 0.0, inside, bool(preempts), delay, refresh, routers)


def _whole_seconds(value: object, most: int, variable: str, problems: Problems) -> int:
    seconds = to_integer(value)
    if seconds is None or not 0 <= seconds <= most:
        problems.add(variable, "", f"{show(value)} is not a number of seconds from 0 to {most}")
        return 0
    return seconds


def read_link(value: object, variable: str, default: str, problems: Problems) -> str:
    """The name of a network interface in a variable that can be left out."""
    if value is None or value == "":
        return default
    name = plain(value) if isinstance(value, str) else ""
    if not LINK.fullmatch(name):
        problems.add(variable, "", f"{show(value)} is not the name of a network interface")
    return name


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return round(float(value), 2)
    except (ValueError, OverflowError):
        return None


def director_addresses(
    vips: Sequence[IPAddress], inventory: Inventory, problems: Problems
) -> dict[str, dict[str, str]]:
    """Between which addresses the directors speak VRRP: family -> director -> address, for the families of the VIPs.

    A single director speaks to nobody and needs no address, so its family has none.
    """
    families = sorted({family_of(vip) for vip in vips})
    found: dict[str, dict[str, str]] = {family: {} for family in families}
    for family in families:
        for director in inventory.directors if len(inventory.directors) > 1 else ():
            try:
                found[family][director] = str(inventory.address(director, family))
            except InventoryError as error:
                problems.add(f"group {DIRECTORS}", "", str(error))
    return found


def instances(
    host: str,
    vips: Sequence[IPAddress],
    gateways: Sequence[IPAddress],
    inventory: Inventory,
    settings: Settings,
    problems: Problems,
) -> list[Instance]:
    """The instances of one director: one for each family that has VIPs, IPv4 first.

    Gateways go along with the VIPs of their family, so that requests and replies never meet two directors.

    The first host of the group has priority 200, each further one 10 less, and never less than 1 (0 resigns and 255
    is for the owner of the address).
    """
    position = inventory.directors.index(host)
    return [
        Instance(
            family=family,
            settings=settings,
            state="BACKUP" if speakers else "MASTER",
            priority=max(1, 200 - 10 * position),
            source_address=speakers.get(host),
            peers={director: address for director, address in speakers.items() if director != host},
            addresses=(
                *(f"{vip}/{vip.max_prefixlen}" for vip in vips if family_of(vip) == family),
                *(_inside(gateway, settings) for gateway in gateways if family_of(gateway) == family),
            ),
        )
        for family, speakers in director_addresses(vips, inventory, problems).items()
    ]


def _inside(gateway: IPAddress, settings: Settings) -> str:
    """A gateway as keepalived takes it (keepalived.conf(5), virtual_ipaddress)."""
    text = f"{gateway}/{gateway.max_prefixlen}"
    if settings.gateway_interface in ("", settings.interface):
        return text
    return f"{text} dev {settings.gateway_interface}"
