# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a host: the variables of its role that the cluster model reads, their defaults, and checked values.

A new setting is a line in `DIRECTOR` or `REAL_SERVER`, and a field with its reading below. A unit test compares the
defaults with the argument specifications of the roles.

An unset variable has its default. A variable that is set to null is null, which only settings without a default accept.
A wrong value is noted as a problem, and only then the returned value is meaningless.

Sources of limits: keepalived.conf(5) in the versions 2.2.7 and 2.3.3, and the code that is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.tuning import CONN_TAB_BITS
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import address_fault, display, parse_key
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.timeouts import MAX_TIMEOUT, Timeouts
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import (
    COMMAND_RULE,
    MAX_SECONDS,
    read_command,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    LINK,
    LINK_RULE,
    MAX_PORT,
    Fields,
    IPAddress,
    family_of,
    to_address,
    to_boolean,
    to_integer,
    to_seconds,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    Problems,
    known_ones,
    plain,
    show,
    suggestion,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.service_reader import (
    GROUP_NAME,
    GROUP_RULE,
    INVENTORY_NAME,
    NO_GROUP,
)

#: The variables of a director, with the defaults of its role; None stands for a setting that has none.
DIRECTOR: dict[str, object] = {
    "director_interface": None,
    "director_virtual_router_id": 51,
    "director_vrrp_groups": {},
    "director_vips": {},
    "director_priority": None,
    "director_advert_interval": 1,
    "director_gateway_interface": None,
    "director_preempt": True,
    "director_preempt_delay": 30,
    "director_garp_refresh": 60,
    "director_vrrp_hops": 0,
    "director_sync_daemon": True,
    "director_sync_interface": None,
    "director_sync_senders": None,
    "director_health_checker": "keepalived",
    "director_track_interfaces": [],
    "director_track_scripts": [],
    "director_notify": {},
    "director_email": None,
    # keepalived's own default, if that user exists (keepalived.conf(5), script_user)
    "director_script_user": "keepalived_script",
    "director_check_sources": None,
    "lvs_nat_gateway": None,
    "director_sysctls": {},
    "director_timeouts": {},
    "director_flood_defence": True,
    "director_leaving_timeout": 60,
    "lvs_directors_that_leave": None,
    "director_packages": None,
    "director_transit": None,
    "director_table_purge": "real_servers",
    "director_conn_tab_bits": 18,
    "director_may_restart": False,
    "director_no_log": False,
    "director_firewall_openings": None,
    "lvs_clean_up": True,
    "lvs_install_packages": True,
    "lvs_state": "present",
}
#: The same for a real server.
REAL_SERVER: dict[str, object] = {
    "real_server_tunnel_mtu": 1500,
    "real_server_tunnel_guard": True,
    "lvs_nat_gateway": None,
    "real_server_return_traffic": "services",
    "real_server_packages": None,
    "real_server_vip_interface": "lo",
    "real_server_ingress": [],
    "real_server_purge": True,
    "lvs_install_packages": True,
    "lvs_state": "present",
}

INTERFACE = "director_interface"
VIRTUAL_ROUTER_ID = "director_virtual_router_id"
VIRTUAL_ROUTER_IDS = (1, 255)
VRRP_GROUPS = "director_vrrp_groups"
_GROUP_KEYS = ("virtual_router_id", "first")
VIPS = "director_vips"
_VIP_KEYS = ("interface", "prefix", "label")
#: include/uapi/linux/if.h: IFNAMSIZ less the end of the string.
_LABEL_LENGTH = 15
_VIP_LABEL = re.compile(r"[A-Za-z0-9_.:-]+")
PRIORITY = "director_priority"
#: RFC 5798, section 5.2.4: 0 resigns, and 255 is for the owner of the address.
PRIORITIES = (1, 254)
PRIORITY_RULE = "an integer from 1 to 254"
SYNC_DAEMON = "director_sync_daemon"
HEALTH_CHECKER = "director_health_checker"
CHECK_SOURCES = "director_check_sources"
TIMEOUTS = "director_timeouts"
TRANSIT = "director_transit"
LEAVING_DIRECTORS = "lvs_directors_that_leave"
NAT_GATEWAY = "lvs_nat_gateway"
RETURN_TRAFFIC = "real_server_return_traffic"
TUNNEL_GUARD = "real_server_tunnel_guard"

#: The TTL of every VRRP packet (RFC 5798, sections 5.1.1.3 and 5.1.2.3), which each router lowers by one.
TTL = 255
MAX_HOPS = TTL - 1
MAX_REFRESH = 86400
MAX_DELAY = 1000  # keepalived.conf(5), preempt_delay
KEEPALIVED = "keepalived"
CHECKERS = (KEEPALIVED, "ldirectord", "mon")
#: The kinds of traffic that a real server can send through the directors.
TRAFFIC_CHOICES = ("services", "all")
PURGE_CHOICES = ("none", "real_servers", "all")
STATES = ("present", "absent")
#: IPv6 requires this of every link (RFC 8200 section 5).
_MTUS = range(1280, 65536)
# names that useradd of both Debian and Red Hat accepts
_DIRECTORY = re.compile(r"/[^\x00-\x1f\x7f\"]*")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")

SYNC_KEYS = ("id", "maxlen", "port", "ttl", "group")
#: The kernel's defaults (net/netfilter/ipvs/ip_vs_sync.c, start_sync_thread).
DEFAULT_GROUP = "224.0.0.81"
DEFAULT_PORT = 8848
#: keepalived/core/global_parser.c, lvs_syncd_handler: a datagram less the headers of IPv4 and UDP.
MAX_LENGTH = 65535 - 20 - 8

TRACKED_INTERFACES = "director_track_interfaces"
TRACKED_SCRIPTS = "director_track_scripts"
INTERFACE_KEYS = ("name", "weight")
SCRIPT_KEYS = ("name", "command", "interval", "timeout", "fall", "rise", "weight")
#: The most by which a priority can be lowered (keepalived.conf(5)).
LOWEST_WEIGHT = -253
_MOST_TIMES = 1000
_SCRIPT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


NOTIFY = "director_notify"
#: The states with commands, and the words of keepalived.conf(5).
NOTIFICATIONS = {
    "master": "notify_master",
    "backup": "notify_backup",
    "fault": "notify_fault",
    "stop": "notify_stop",
    "any": "notify",
}
EMAIL = "director_email"
EMAIL_KEYS = ("to", "server", "from", "helo", "timeout", "about")
#: The subjects of e-mails.
VRRP = "vrrp"
HEALTH_CHECKS = "health_checks"
SUBJECTS = (VRRP, HEALTH_CHECKS)
SMTP_PORT = 25
SMTP_TIMEOUT = 30  # seconds, keepalived's default
_MAX_SMTP_TIMEOUT = 3600
# A domain name with a letter (RFC 5321, section 4.1.2).
_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DOMAIN = rf"(?=[0-9.-]*[A-Za-z]){_LABEL}(?:\.{_LABEL})*"
HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_DOMAIN}")
HOST_NAME_RULE = "the name of a host"
# Without characters that are special to the parsers of keepalived and ldirectord, or to a mail server.
EMAIL_ADDRESS = re.compile(rf"(?=.{{1,100}}$)[A-Za-z0-9][A-Za-z0-9._%+=-]{{0,63}}@{_DOMAIN}")
EMAIL_ADDRESS_RULE = "an e-mail address of at most 100 characters, such as ops@example.net"
_SERVER = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?")
_LOOPBACK = ("127.0.0.1", "::1")
#: keepalived prepares a message in 1024 characters, and does not end one that is longer (keepalived/core/smtp.c,
#: body_cmd). The rest is for the subject, the text and the sender. Each address has up to 4 characters beside it.
MAX_RECIPIENTS = 400


@dataclass(frozen=True)
class VrrpGroup:
    """VIPs that move together, beside those of the default group.

    ``first`` is the director with the highest priority in this group; None for the one that has it in the default one.
    """

    virtual_router_id: int
    first: str | None = None


@dataclass(frozen=True)
class VipOptions:
    """How a director holds a VIP. ``interface`` is empty for the usual one, and ``label`` for none."""

    interface: str
    prefix: int
    label: str


@dataclass(frozen=True)
class SyncDaemon:
    """The daemon of connection synchronisation; None leaves a value to keepalived, whose ``id`` is then the VRRP id.

    ``ports`` is the number of ports that the kernel uses, from ``port`` on.
    """

    interface: str
    id: int | None = None
    maxlen: int | None = None
    port: int | None = None
    ttl: int | None = None
    group: str | None = None
    ports: int = 1

    @property
    def family(self) -> str:
        """The family of its datagrams."""
        return "ipv6" if ":" in (self.group or DEFAULT_GROUP) else "ipv4"


@dataclass(frozen=True)
class TrackedInterface:
    """An interface that must be up. Otherwise the priority is lowered by ``weight``; None is a fault."""

    name: str
    weight: int | None = None


@dataclass(frozen=True)
class TrackedScript:
    """A command that has to end with status 0, run every ``interval`` seconds and ended after ``timeout``.

    It fails after ``fall`` failures in a row, until ``rise`` successes in a row. ``weight`` is as for an interface.
    """

    name: str
    command: str
    interval: int = 1
    timeout: int = 5
    fall: int = 2
    rise: int = 2
    weight: int | None = None


@dataclass(frozen=True)
class Tracked:
    """Everything that a director tracks, in the given order.

    A director with a fault releases the VIPs at once and takes none, as long as there is another director
    (keepalived.conf(5): vrrp_script, track_interface, track_script; keepalived/vrrp/vrrp_track.c). keepalived tracks
    the interfaces of the VIPs and the gateway by itself.
    """

    interfaces: tuple[TrackedInterface, ...] = ()
    scripts: tuple[TrackedScript, ...] = ()

    @property
    def interface_names(self) -> list[str]:
        """The interfaces that must exist."""
        return [entry.name for entry in self.interfaces]


@dataclass(frozen=True)
class Email:
    """E-mail about changes of state: plain SMTP to port ``port`` of ``server``, a name or an address.

    ``about`` are some of `SUBJECTS`. ``timeout`` is in seconds. None stands for a default (`checkers.emails`).
    """

    to: tuple[str, ...]
    server: str
    port: int
    sender: str | None
    helo: str | None
    timeout: int | None
    about: tuple[str, ...]


@dataclass(frozen=True)
class DirectorSettings:
    """The settings of a director, checked. Times are in seconds.

    ``virtual_router_id`` is unique per link and family (1 to 255); ``vrrp_groups`` has others. ``gateway_interface``
    is the link of the real servers, empty if it is that of the VIPs. With ``preempt`` a director takes the VIPs from
    one of a lower priority, after ``preempt_delay``: meanwhile it receives the other's connections and runs its
    health checks. Every ``garp_refresh`` the master announces the VIPs to the link again; 0 means never.
    ``vrrp_hops`` is the number of routers between two directors. ``nat_gateway`` and ``check_sources`` have an
    address by family. ``transit`` is None if it is not set, and so are ``packages`` and ``email``. ``notify`` has
    commands by state (`NOTIFICATIONS`). ``script_user`` is not checked, since most directors need none (`read_user`).
    """

    interface: str
    virtual_router_id: int
    vrrp_groups: Mapping[str, VrrpGroup]
    vips: Mapping[IPAddress, VipOptions]
    priority: int | None
    advert_interval: float
    gateway_interface: str
    preempt: bool
    preempt_delay: int
    garp_refresh: int
    vrrp_hops: int
    sync_interface: str
    sync_daemon: SyncDaemon | None
    sync_senders: tuple[str, ...]
    health_checker: str
    tracked: Tracked
    notify: Mapping[str, str]
    email: Email | None
    script_user: object
    check_sources: Mapping[str, IPAddress]
    nat_gateway: Mapping[str, IPAddress]
    sysctls: Mapping[str, int | str]
    timeouts: Mapping[str, int]
    flood_defence: bool
    leaving_timeout: int
    directors_that_leave: tuple[str, ...]
    packages: tuple[str, ...] | None
    transit: bool | None
    table_purge: str
    conn_tab_bits: int
    may_restart: bool
    no_log: bool
    firewall_openings: str
    clean_up: bool
    install_packages: bool
    state: str

    @property
    def min_ttl(self) -> int:
        """The lowest TTL or hop limit that an advert of a peer has on arrival."""
        return TTL - self.vrrp_hops

    def link(self, vip: IPAddress) -> str:
        """Return the interface that has a VIP."""
        return (self.vips[vip].interface if vip in self.vips else "") or self.interface

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The links of clients and of real servers, which can be the same."""
        links = (self.interface, self.gateway_interface, *(options.interface for options in self.vips.values()))
        return tuple(dict.fromkeys(name for name in links if name))

    @property
    def outside(self) -> tuple[str, ...]:
        """The links of clients that are not that of the gateway of nat."""
        links = dict.fromkeys((self.interface, *map(self.link, self.vips)))
        return tuple(name for name in links if name != (self.gateway_interface or self.interface))


@dataclass(frozen=True)
class RealServerSettings:
    """The settings of a real server, checked. ``tunnel_mtu`` is in octets, ``nat_gateway`` has an address by family."""

    tunnel_mtu: int
    tunnel_guard: bool
    nat_gateway: Mapping[str, IPAddress]
    return_traffic: str
    packages: tuple[str, ...] | None
    vip_interface: str
    ingress: tuple[str, ...]
    purge: bool
    install_packages: bool
    state: str


def read_director_settings(
    variables: Mapping[str, object], problems: Problems, elsewhere: str = ""
) -> DirectorSettings:
    """Read the variables in `DIRECTOR`; an exception instead of a value is the reason for its absence.

    ``elsewhere`` names other hosts with a ``director_interface`` (`agreement.found_elsewhere`).
    """
    given = _Given(variables, DIRECTOR, problems)
    remedy = elsewhere or ": set it for the group directors, for example to eth0"
    interface = given.needed_link(INTERFACE, f"is missing (the link of the VIPs){remedy}")
    sync_interface = given.link("director_sync_interface") or interface
    daemon = _sync_daemon(given.value(SYNC_DAEMON), sync_interface, problems)
    senders = given.value("director_sync_senders")
    return DirectorSettings(
        interface=interface,
        virtual_router_id=given.integer(VIRTUAL_ROUTER_ID, *VIRTUAL_ROUTER_IDS, "an integer from 1 to 255"),
        vrrp_groups=read_vrrp_groups(given.value(VRRP_GROUPS), given.value(VIRTUAL_ROUTER_ID), problems),
        vips=read_vips(given.value(VIPS), interface, problems),
        priority=None if given.value(PRIORITY) is None else given.integer(PRIORITY, *PRIORITIES, PRIORITY_RULE),
        # version 3 counts hundredths of a second in 12 bits
        advert_interval=given.fraction("director_advert_interval", 0.01, 40.95),
        gateway_interface=given.link("director_gateway_interface", " (the link of the real servers)"),
        preempt=given.boolean("director_preempt"),
        preempt_delay=given.seconds("director_preempt_delay", MAX_DELAY),
        garp_refresh=given.seconds("director_garp_refresh", MAX_REFRESH),
        vrrp_hops=given.integer("director_vrrp_hops", 0, MAX_HOPS, f"a number of routers from 0 to {MAX_HOPS}"),
        sync_interface=sync_interface,
        sync_daemon=daemon,
        sync_senders=_senders(senders, daemon, problems) if daemon is not None else (),
        health_checker=_health_checker(given.value(HEALTH_CHECKER), problems),
        tracked=_tracked(given.value(TRACKED_INTERFACES), given.value(TRACKED_SCRIPTS), problems),
        notify=_notify(given.value(NOTIFY), problems),
        email=_email(given.value(EMAIL), problems),
        script_user=given.value("director_script_user"),
        check_sources=given.addresses(CHECK_SOURCES),
        nat_gateway=given.addresses(NAT_GATEWAY),
        sysctls=_sysctls(given.value("director_sysctls"), "director_sysctls", problems),
        timeouts=read_timeouts(given.value(TIMEOUTS), problems),
        flood_defence=given.boolean("director_flood_defence"),
        leaving_timeout=given.seconds("director_leaving_timeout", MAX_TIMEOUT),
        directors_that_leave=_leaving(given.value(LEAVING_DIRECTORS), problems),
        packages=given.packages("director_packages"),
        transit=None if given.value(TRANSIT) is None else given.boolean(TRANSIT),
        table_purge=given.choice("director_table_purge", PURGE_CHOICES),
        conn_tab_bits=given.table_bits("director_conn_tab_bits"),
        may_restart=given.boolean("director_may_restart"),
        no_log=given.boolean("director_no_log"),
        firewall_openings=given.directory("director_firewall_openings"),
        clean_up=given.boolean("lvs_clean_up"),
        install_packages=given.boolean("lvs_install_packages"),
        state=given.choice("lvs_state", STATES),
    )


def read_real_server_settings(variables: Mapping[str, object], problems: Problems) -> RealServerSettings:
    """Read the variables in `REAL_SERVER`, as `read_director_settings` does."""
    given = _Given(variables, REAL_SERVER, problems)
    mtu = "real_server_tunnel_mtu"
    return RealServerSettings(
        tunnel_mtu=given.integer(mtu, _MTUS[0], _MTUS[-1], f"a number of octets from {_MTUS[0]} to {_MTUS[-1]}"),
        tunnel_guard=given.boolean(TUNNEL_GUARD, otherwise=True),
        nat_gateway=given.addresses(NAT_GATEWAY),
        return_traffic=given.choice(RETURN_TRAFFIC, TRAFFIC_CHOICES),
        packages=given.packages("real_server_packages"),
        vip_interface=given.link("real_server_vip_interface"),
        ingress=given.links("real_server_ingress"),
        purge=given.boolean("real_server_purge"),
        install_packages=given.boolean("lvs_install_packages"),
        state=given.choice("lvs_state", STATES),
    )


class _Given:
    """The variables of one host, with defaults for unset ones."""

    def __init__(self, variables: Mapping[str, object], defaults: Mapping[str, object], problems: Problems) -> None:
        self._variables = variables
        self._defaults = defaults
        self._problems = problems

    def value(self, name: str) -> object:
        """Return the variable, or its default."""
        value = self._variables.get(name, self._defaults[name])
        if isinstance(value, Exception):
            self._problems.add(Code.UNREADABLE, name, "", str(value))
            return self._defaults[name]
        return value

    def fault(self, code: Code, name: str, value: object, rule: str) -> None:
        """Note a value that does not match ``rule``."""
        self._problems.refuse(code, name, "", value, f"is {rule}")

    def needed_link(self, name: str, missing: str) -> str:
        """Return the name of the network interface of the VIPs."""
        if self.value(name) in (None, ""):
            self._problems.add(Code.MISSING, name, "", missing)
            return ""
        return self.link(name, " (the link of the VIPs)")

    def link(self, name: str, what: str = "") -> str:
        """Return the name of a network interface; empty if it is not given."""
        value = self.value(name)
        if value is None or value == "":
            return ""
        text = plain(value) if isinstance(value, str) else ""
        if not LINK.fullmatch(text):
            self.fault(Code.MALFORMED, name, value, f"not {LINK_RULE}{what}")
        return text

    def links(self, name: str) -> tuple[str, ...]:
        """Return names of network interfaces."""
        value = self.value(name)
        if not isinstance(value, (list, tuple)):
            self.fault(Code.NOT_A_LIST, name, value, "not a list of interfaces")
            return ()
        for element in value:
            if not isinstance(element, str) or not LINK.fullmatch(element):
                self.fault(Code.MALFORMED, name, element, f"not {LINK_RULE}")
        return tuple(plain(element) for element in value if isinstance(element, str))

    def directory(self, name: str) -> str:
        """Return an absolute path; empty if it is not given."""
        value = self.value(name)
        if value is None:
            return ""
        text = plain(value) if isinstance(value, str) else ""
        if not _DIRECTORY.fullmatch(text):
            self.fault(Code.MALFORMED, name, value, "not the absolute path of a directory")
        return text

    def table_bits(self, name: str) -> int:
        """Return the bits of the connection table; 0 is the kernel's own choice."""
        first, last = CONN_TAB_BITS[0], CONN_TAB_BITS[-1]
        value = self.value(name)
        number = to_integer(value)
        if number is None or (number and number not in CONN_TAB_BITS):
            code = Code.NOT_AN_INTEGER if number is None else Code.OUT_OF_RANGE
            self.fault(code, name, value, f"neither an integer from {first} to {last} nor 0, the kernel's own choice")
            return 0
        return number

    def integer(self, name: str, low: int, high: int, rule: str) -> int:
        """Return an integer in a range."""
        value = self.value(name)
        number = to_integer(value)
        if number is None or not low <= number <= high:
            code = Code.NOT_AN_INTEGER if number is None else Code.OUT_OF_RANGE
            self.fault(code, name, value, f"not {rule}")
            return low
        return number

    def seconds(self, name: str, most: int) -> int:
        """Return a whole number of seconds."""
        return self.integer(name, 0, most, f"a number of seconds from 0 to {most}")

    def fraction(self, name: str, low: float, high: float) -> float:
        """Return a number of seconds to the hundredth."""
        value = self.value(name)
        number = to_seconds(value)
        number = None if number is None else round(number, 2)
        if number is None or not low <= number <= high:
            code = Code.NOT_SECONDS if number is None else Code.OUT_OF_RANGE
            self.fault(code, name, value, f"not a number of seconds from {low} to {high}")
            return low
        return number

    def boolean(self, name: str, otherwise: bool = False) -> bool:
        """Return True or False; ``otherwise`` for a wrong value."""
        value = self.value(name)
        wanted = to_boolean(value)
        if wanted is None:
            self.fault(Code.NOT_A_BOOLEAN, name, value, "neither true nor false")
        return otherwise if wanted is None else wanted

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """Return one of some words."""
        value = self.value(name)
        if value not in known:
            self.fault(Code.UNKNOWN_WORD, name, value, f"not one of {', '.join(known)}")
            return known[0]
        return str(value)

    def packages(self, name: str) -> tuple[str, ...] | None:
        """Return a list of packages; None if it is not given."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            self.fault(Code.NOT_A_LIST, name, value, "not a list of packages")
            return ()
        for package in value:
            if not isinstance(package, str) or not package.strip():
                self.fault(Code.MALFORMED, name, package, "not a valid package name")
        return tuple(plain(package) for package in value if isinstance(package, str))

    def addresses(self, name: str) -> dict[str, IPAddress]:
        """Return one address, or a list with one per family: family -> address."""
        value = self.value(name)
        if value is None or value == "":
            return {}
        found: dict[str, IPAddress] = {}
        for element in value if isinstance(value, (list, tuple)) else [value]:
            address = to_address(element)
            if address is None:
                self.fault(Code.NOT_AN_ADDRESS, name, element, "not an IP address")
            elif address_fault(address):
                self._problems.refuse(Code.UNUSABLE_ADDRESS, name, "", element, address_fault(address))
            elif family_of(address) in found:
                text = f"is {family_of(address)} as {found[family_of(address)]} is: give one address per family"
                self._problems.refuse(Code.TWICE, name, "", address, text)
            else:
                found[family_of(address)] = address
        return found


def read_vrrp_groups(value: object, of_default: object, problems: Problems) -> dict[str, VrrpGroup]:
    """Return the groups of VIPs by their names. ``of_default``: the virtual router id of the default group."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        text = "is not a mapping such as {blue: {virtual_router_id: 52, first: lb2}}"
        problems.refuse(Code.NOT_A_MAPPING, VRRP_GROUPS, "", value, text)
        return {}
    found: dict[str, VrrpGroup] = {}
    users = {to_integer(of_default): VIRTUAL_ROUTER_ID}
    for name, element in value.items():
        if not isinstance(name, str) or not GROUP_NAME.fullmatch(name):
            problems.refuse(Code.MALFORMED, VRRP_GROUPS, "", name, f"is not {GROUP_RULE}")
        elif name == NO_GROUP:
            text = f"is the group of all other VIPs, which has {VIRTUAL_ROUTER_ID} and {PRIORITY}: use another name"
            problems.refuse(Code.TWICE, VRRP_GROUPS, "", name, text)
        elif not isinstance(element, Mapping):
            text = "is not a mapping such as {virtual_router_id: 52, first: lb2}"
            problems.refuse(Code.NOT_A_MAPPING, VRRP_GROUPS, plain(name), element, text)
        else:
            group = _vrrp_group(Fields(element, VRRP_GROUPS, plain(name), problems), users)
            if group is not None:
                found[plain(name)] = group
    return found


def _vrrp_group(fields: Fields, users: dict[int | None, str]) -> VrrpGroup | None:
    """Return one group. ``users``: the virtual router ids of others, and what has them."""
    fields.refuse_unknown(_GROUP_KEYS, "a VRRP group")
    number = fields.integer("virtual_router_id", *VIRTUAL_ROUTER_IDS)
    first = fields.text("first", INVENTORY_NAME, "the inventory name of a director")
    if not fields.given("virtual_router_id"):
        fields.fault(
            Code.MISSING, "virtual_router_id", "is missing (1 to 255, used by no other VRRP router of the link)"
        )
    if number is None:
        return None
    user = users.setdefault(number, fields.key("virtual_router_id"))
    if user != fields.key("virtual_router_id"):
        fields.refuse(Code.TWICE, "virtual_router_id", number, f"is the id of {user} too: give another one")
    return VrrpGroup(number, first)


def read_vips(value: object, interface: str, problems: Problems) -> dict[IPAddress, VipOptions]:
    """Return the options of VIPs. ``interface``: the usual one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        text = 'is not a mapping such as {"192.0.2.10": {prefix: 24}}'
        problems.refuse(Code.NOT_A_MAPPING, VIPS, "", value, text)
        return {}
    found: dict[IPAddress, VipOptions] = {}
    for given, element in value.items():
        address = to_address(given)
        if address is None:
            problems.refuse(Code.NOT_AN_ADDRESS, VIPS, "", given, "is not an IP address")
        elif address in found:
            problems.refuse(Code.TWICE, VIPS, "", given, "is listed twice")
        elif not isinstance(element, Mapping):
            text = "is not a mapping such as {interface: eth2, prefix: 24, label: 'eth2:web'}"
            problems.refuse(Code.NOT_A_MAPPING, VIPS, str(address), element, text)
        else:
            found[address] = _vip_options(Fields(element, VIPS, str(address), problems), address, interface)
    return found


def _vip_options(fields: Fields, address: IPAddress, usual: str) -> VipOptions:
    fields.refuse_unknown(_VIP_KEYS, "a VIP")
    interface = fields.text("interface", LINK, LINK_RULE)
    prefix = fields.integer("prefix", 1, address.max_prefixlen)
    begin = f"{interface or usual}:"
    label = fields.text("label", _VIP_LABEL, "letters, digits, and the characters _.-:")
    if label is not None and address.version == 6:
        # keepalived/vrrp/vrrp_ipaddress.c: alloc_ipaddress
        fields.refuse(Code.OTHER_FAMILY, "label", label, "is for IPv4 only")
    elif label is not None and not (label.startswith(begin) and len(begin) < len(label) <= _LABEL_LENGTH):
        # ip-address(8); the kernel has IFNAMSIZ characters for it
        text = f"is not a label of at most {_LABEL_LENGTH} characters that begins with {begin}"
        fields.refuse(Code.MALFORMED, "label", label, text)
    return VipOptions(interface or "", address.max_prefixlen if prefix is None else prefix, label or "")


def read_user(value: object, problems: Problems) -> str:
    """Return the user that runs commands."""
    name = plain(value) if isinstance(value, str) else ""
    if not _USER.fullmatch(name):
        problems.refuse(Code.MALFORMED, "director_script_user", "", value, "is not a valid user name")
    elif name == "root":
        text = "must not run commands of health checks, tracked scripts and notifications: name another user"
        problems.refuse(Code.ROOT, "director_script_user", "", name, text)
    return name


def _health_checker(value: object, problems: Problems) -> str:
    name = plain(value) if isinstance(value, str) else ""
    if name not in CHECKERS:
        near = suggestion(value, CHECKERS) or known_ones(CHECKERS)
        problems.refuse(Code.UNKNOWN_WORD, HEALTH_CHECKER, "", value, f"is not a health checker{near}")
    return name


def _sync_daemon(value: object, interface: str, problems: Problems) -> SyncDaemon | None:
    """Return the daemon for true, false, or a mapping that sets some of `SYNC_KEYS`; None for no daemon."""
    if not isinstance(value, Mapping):
        wanted = to_boolean(value)
        if wanted is None:
            text = "is neither true nor false, nor a mapping such as {id: 5}"
            problems.refuse(Code.NOT_A_MAPPING, SYNC_DAEMON, "", value, text)
        return SyncDaemon(interface) if wanted else None
    fields = Fields(value, SYNC_DAEMON, "", problems)
    fields.refuse_unknown(SYNC_KEYS, "the sync daemon")
    group = None
    if fields.given("group"):
        address = to_address(fields.values["group"])
        if address is None or not address.is_multicast:
            code = Code.NOT_AN_ADDRESS if address is None else Code.UNUSABLE_ADDRESS
            fields.refuse(code, "group", fields.values["group"], "is not a multicast address")
        group = "" if address is None else str(address)
    return SyncDaemon(
        interface,
        id=fields.integer("id", 0, 255),
        maxlen=fields.integer("maxlen", 1, MAX_LENGTH),
        port=fields.integer("port", 1, MAX_PORT),
        ttl=fields.integer("ttl", 1, 255),
        group=group,
    )


def _senders(value: object, daemon: SyncDaemon, problems: Problems) -> tuple[str, ...]:
    """Return the addresses that all directors send from; empty if they are not given."""
    variable = "director_sync_senders"
    found: dict[str, None] = {}
    for element in value if isinstance(value, (list, tuple)) else [] if value is None else [value]:
        address = to_address(element)
        if address is None:
            problems.refuse(Code.NOT_AN_ADDRESS, variable, "", element, "is not an IP address")
        elif address_fault(address, link_local=True):
            problems.refuse(Code.UNUSABLE_ADDRESS, variable, "", element, address_fault(address, link_local=True))
        elif daemon.group != "" and family_of(address) != daemon.family:
            text = f"is {family_of(address)}, and the multicast group of the synchronisation is {daemon.family}"
            problems.refuse(Code.OTHER_FAMILY, variable, "", address, text)
        else:
            found[str(address)] = None
    return tuple(found)


def _leaving(value: object, problems: Problems) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) and value:
        value = [one.strip() for one in plain(value).split(",")]
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        text = f'is not a list of names or addresses, as in -e \'{{"{LEAVING_DIRECTORS}": ["lb2"]}}\''
        problems.refuse(Code.NOT_A_LIST, LEAVING_DIRECTORS, "", value, text)
        return ()
    return tuple(map(plain, value))


def read_timeouts(value: object, problems: Problems) -> dict[str, int]:
    """Return the given timeouts of connections, by their names in the module ipvs_timeout."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        text = "is not a mapping such as {tcp: 900, tcp_fin: 120, udp: 300}"
        problems.refuse(Code.NOT_A_MAPPING, TIMEOUTS, "", value, text)
        return {}
    fields = Fields(value, TIMEOUTS, "", problems)
    fields.refuse_unknown(Timeouts._fields, "the timeouts")
    given = {name: fields.whole_seconds(name, 1, MAX_TIMEOUT) for name in Timeouts._fields}
    return {name: seconds for name, seconds in given.items() if seconds is not None}


def _sysctls(value: object, variable: str, problems: Problems) -> dict[str, int | str]:
    """Return key -> integer or string, with the keys in the form of `requirements.sysctls`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        problems.refuse(Code.NOT_A_MAPPING, variable, "", value, "is not a mapping of sysctl keys and values")
        return {}
    found: dict[str, int | str] = {}
    for given, setting in value.items():
        try:
            key = display(parse_key(given if isinstance(given, str) else ""))
        except HostError:
            problems.refuse(Code.MALFORMED, variable, "", given, "is not a valid sysctl name")
            continue
        if key in found:
            problems.refuse(Code.TWICE, variable, key, given, "is the same key as another one: remove one of them")
        elif isinstance(setting, int):
            found[key] = int(setting)  # true and false are 1 and 0
        elif isinstance(setting, str) and setting.strip() and setting.isprintable():
            found[key] = plain(setting)
        else:
            problems.refuse(Code.MALFORMED, variable, key, setting, "is neither an integer nor a line of text")
    return found


def _notify(value: object, problems: Problems) -> dict[str, str]:
    """Return the commands by state, in the order of `NOTIFICATIONS`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        text = "is not a mapping such as {master: /usr/local/bin/take-over}"
        problems.refuse(Code.NOT_A_MAPPING, NOTIFY, "", value, text)
        return {}
    fields = Fields(value, NOTIFY, "", problems)
    fields.refuse_unknown(NOTIFICATIONS, "the notifications")
    commands = {state: read_command(fields, state) for state in NOTIFICATIONS}
    return {state: command for state, command in commands.items() if command is not None}


def _email(value: object, problems: Problems) -> Email | None:
    """Return the settings of e-mails; None if they are not given or wrong."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        text = "is not a mapping such as {to: ops@example.net, server: 192.0.2.25}"
        problems.refuse(Code.NOT_A_MAPPING, EMAIL, "", value, text)
        return None
    before = len(problems)
    fields = Fields(value, EMAIL, "", problems)
    fields.refuse_unknown(EMAIL_KEYS, "the e-mails")
    for key, rule in (("to", EMAIL_ADDRESS_RULE), ("server", "the mail server, such as 192.0.2.25")):
        if not fields.given(key):
            fields.fault(Code.MISSING, key, f"is missing ({rule})")
    server, port = _smtp_server(fields)
    sender = fields.text("from", EMAIL_ADDRESS, EMAIL_ADDRESS_RULE)
    helo = fields.text("helo", HOST_NAME, HOST_NAME_RULE)
    timeout = fields.whole_seconds("timeout", 1, _MAX_SMTP_TIMEOUT)
    subjects = _one_or_more(fields, "about")
    about = [fields.choice_at(path, one, "a subject of e-mails", SUBJECTS) for path, one in subjects]
    to = _recipients(fields)
    if len(problems) > before:
        return None
    ordered = tuple(subject for subject in SUBJECTS if subject in about or not fields.given("about"))
    return Email(to, server, port, sender, helo, timeout, ordered)


def _one_or_more(fields: Fields, key: str) -> Iterator[tuple[str, object]]:
    """Yield the elements of a list that is not empty, or a single value, each with its name."""
    value = fields.values.get(key)
    if isinstance(value, str):
        yield key, value
        return
    yield from fields.elements(key)
    if isinstance(value, (list, tuple)) and not value:
        fields.fault(Code.EMPTY, key, "is an empty list")


def _recipients(fields: Fields) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for path, value in _one_or_more(fields, "to"):
        if not isinstance(value, str) or not EMAIL_ADDRESS.fullmatch(value):
            fields.refuse(Code.MALFORMED, path, value, f"is not {EMAIL_ADDRESS_RULE}")
        elif plain(value) in found:
            fields.refuse(Code.TWICE, path, value, "is listed twice")
        else:
            found[plain(value)] = None
    length = sum(len(one) + 4 for one in found)
    if length > MAX_RECIPIENTS:
        text = f"is their length, with 4 for each, and keepalived sends at most {MAX_RECIPIENTS}: use a mailing list"
        fields.refuse(Code.EXCEEDS, "to", length, text)
    return tuple(found)


def _smtp_server(fields: Fields) -> tuple[str, int]:
    """Return the mail server, a name or an address, and its port."""
    if not fields.given("server"):
        return "", 0
    value = fields.values["server"]
    text = plain(value).strip() if isinstance(value, str) else ""
    found = _SERVER.fullmatch(text)
    host, port = (found[1] or found[2] or "", found[3]) if found and to_address(text) is None else (text, None)
    address = to_address(host)
    if address is None and not (HOST_NAME.fullmatch(host) and "[" not in text):
        rule = "is not a name or an address of a host, with or without a port, such as 192.0.2.25 or [2001:db8::25]:25"
        fields.refuse(Code.MALFORMED, "server", value, rule)
    elif address is not None and str(address) not in _LOOPBACK and address_fault(address):
        fields.refuse(Code.UNUSABLE_ADDRESS, "server", value, address_fault(address))
    elif port is not None and not 1 <= int(port) <= MAX_PORT:
        fields.refuse(Code.OUT_OF_RANGE, "server", value, f"has a port that is not between 1 and {MAX_PORT}")
    return host if address is None else str(address), int(port or SMTP_PORT)


def _tracked(interfaces: object, scripts: object, problems: Problems) -> Tracked:
    return Tracked(
        tuple(_unique(TRACKED_INTERFACES, _interfaces(interfaces, problems), problems)),
        tuple(_unique(TRACKED_SCRIPTS, _scripts(scripts, problems), problems)),
    )


def _interfaces(value: object, problems: Problems) -> Iterator[TrackedInterface]:
    for fields in _entries(
        TRACKED_INTERFACES, value, "{name: eth1, weight: -100}", problems, "the name of an interface"
    ):
        fields.refuse_unknown(INTERFACE_KEYS, "a tracked interface")
        name = _needed(fields, "name", LINK, LINK_RULE)
        if name is not None:
            yield TrackedInterface(name, fields.integer("weight", LOWEST_WEIGHT, -1))


def _scripts(value: object, problems: Problems) -> Iterator[TrackedScript]:
    for fields in _entries(TRACKED_SCRIPTS, value, "{name: up, command: /usr/local/bin/check-uplink}", problems):
        fields.refuse_unknown(SCRIPT_KEYS, "a tracked script")
        name = _needed(fields, "name", _SCRIPT_NAME, "a name of 1 to 64 letters, digits, '_', '.' and '-'")
        if not fields.given("command"):
            fields.fault(Code.MISSING, "command", f"is missing ({COMMAND_RULE})")
        command = read_command(fields, "command")
        interval, timeout = (fields.whole_seconds(key, 1, MAX_SECONDS) for key in ("interval", "timeout"))
        fall, rise = (fields.integer(key, 1, _MOST_TIMES) for key in ("fall", "rise"))
        weight = fields.integer("weight", LOWEST_WEIGHT, -1)
        if name is not None and command is not None:
            # keepalived's default timeout is the interval, which a busy director may exceed: it would release the VIPs.
            yield TrackedScript(name, command, interval or 1, timeout or 5, fall or 2, rise or 2, weight)


def _entries(variable: str, value: object, example: str, problems: Problems, short: str = "") -> Iterator[Fields]:
    """Yield the elements of a list of mappings such as ``example``.

    ``short`` describes the short form of one with a name only.
    """
    if value is None:
        return
    if not isinstance(value, (list, tuple)):
        problems.refuse(Code.NOT_A_LIST, variable, "", value, "is not a list")
        return
    for index, element in enumerate(value):
        where = f"{variable}[{index}]"
        if isinstance(element, Mapping):
            yield Fields(element, where, "", problems)
        elif short and isinstance(element, str):
            yield Fields({"name": element}, where, "", problems)
        else:
            either = f"neither {short} nor " if short else "not "
            problems.refuse(Code.NOT_A_MAPPING, where, "", element, f"is {either}a mapping such as {example}")


def _needed(fields: Fields, key: str, pattern: re.Pattern[str], rule: str) -> str | None:
    if not fields.given(key):
        fields.fault(Code.MISSING, key, f"is missing ({rule})")
    return fields.text(key, pattern, rule)


_Entry = TypeVar("_Entry", TrackedInterface, TrackedScript)


def _unique(variable: str, entries: Iterable[_Entry], problems: Problems) -> Iterator[_Entry]:
    """Yield entries with unique names: keepalived uses the first of a name, and only logs the others."""
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            problems.refuse(Code.TWICE, variable, "", entry.name, "is listed twice")
        seen.add(entry.name)
        yield entry


def _same_boolean(value: object) -> Hashable:
    read = to_boolean(value)
    return show(value) if read is None else read


def _same_integer(value: object) -> Hashable:
    read = to_integer(value)
    return show(value) if read is None else read


def _same_seconds(value: object) -> Hashable:
    read = to_seconds(value)
    return show(value) if read is None else round(read, 2)


def _same_daemon(value: object) -> Hashable:
    """Return one value for equal daemons: an empty mapping is a daemon with its defaults."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), str(one)) for key, one in value.items()))
    read = to_boolean(value)
    return () if read else _same_boolean(value)


def _same_groups(value: object) -> Hashable:
    """Return one value for equal groups."""
    if not isinstance(value, Mapping):
        return show({} if value is None else value)
    return frozenset(
        (str(name), frozenset((str(key), str(one)) for key, one in group.items()))
        if isinstance(group, Mapping)
        else (str(name), show(group))
        for name, group in value.items()
    )


def same_addresses(value: object) -> frozenset[str]:
    """Return one value for equal addresses."""
    elements = value if isinstance(value, (list, tuple)) else [] if value in (None, "") else [value]
    return frozenset(str(to_address(one) or show(one)) for one in elements)


#: The variables that must be the same on all directors, each with a function whose results are equal for equal values.
ALIKE: dict[str, Callable[[object], Hashable]] = {
    VIRTUAL_ROUTER_ID: _same_integer,
    VRRP_GROUPS: _same_groups,
    "director_advert_interval": _same_seconds,
    "director_preempt": _same_boolean,
    "director_vrrp_hops": _same_integer,
    SYNC_DAEMON: _same_daemon,
    "director_sync_senders": same_addresses,
    HEALTH_CHECKER: show,
    NAT_GATEWAY: same_addresses,
}
