# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From ``lvs_virtual_services`` as written to `Service` values.

Checks everything that needs only the description; `resolve` does what needs the inventory. An element with a problem
yields no `Service`, so later steps get complete ones only.

Values that are refused in ``health_check``, keepalived would refuse too, or worse, change and only log that.
Its limits are those of keepalived/check/check_*.c in the versions 2.2.7 and 2.3.3, which do not differ in them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.module_utils._host.state import port_text
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import address_fault
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import (
    DEFAULT_PERSISTENCE_TIMEOUT,
    DEFAULT_SCHEDULER,
    MAX_PERSISTENCE_TIMEOUT,
    MAX_THRESHOLD,
    MAX_WEIGHT,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    LINK,
    LINK_RULE,
    MAX_PORT,
    Fields,
    IPAddress,
    family_of,
    to_address,
    to_integer,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problems, plain, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    ENGINES,
    FAMILIES,
    FORWARD_METHODS,
    FTP_PORT,
    HEALTH_CHECKS,
    HELPERS,
    PLACEHOLDERS,
    PROTOCOLS,
    QUORUM_COMMANDS,
    QUORUM_PLACEHOLDERS,
    SCHEDULER_FLAGS,
    SCHEDULERS,
    TEMPLATES,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    UNREWRITTEN,
    Check,
    HealthCheck,
    Persistence,
    PortRange,
    ServerEntry,
    Service,
    SorryServer,
    Traffic,
    Tunnel,
)

VARIABLE = "lvs_virtual_services"
KEYS = (
    "name",
    "address",
    "fwmark",
    "family",
    "marks",
    "ports",
    "port",
    "protocol",
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
MAX_FWMARK = 2**32 - 1
#: The most addresses of a network in marks: each is a VIP that a director holds.
MAX_VIPS = 256
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: It becomes a part of keepalived's names, and of a file's.
GROUP_NAME = re.compile(r"[A-Za-z0-9_.-]{1,20}")
GROUP_RULE = "a name of 1 to 20 letters, digits, '_', '.' and '-'"
#: The group of the VIPs whose services name none.
NO_GROUP = "default"

KINDS = ("group", "host", "address")
SERVER_KEYS = (
    *KINDS,
    "port",
    "weight",
    "upper_threshold",
    "lower_threshold",
    "forward_method",
    "tunnel",
    "health_check",
)
SORRY_KEYS = ("address", "port", "forward_method", "tunnel")
#: The value of health_check for a real server that is not checked.
UNCHECKED = "none"
INVENTORY_NAME = re.compile(r"[^\s\x00-\x1f]{1,255}")

#: Types that connect to a port.
CONNECTING = ("http", "https", "tcp", "udp", "dns", "smtp")
_WEB = ("http", "https")
#: The kernel watches the file, so it has no times.
_TIMED = tuple(kind for kind in HEALTH_CHECKS if kind != "file")
#: The types that a key is for, if not all.
TYPES_OF = {
    "port": CONNECTING,
    "interval": _TIMED,
    "timeout": _TIMED,
    "retries": _TIMED,
    "delay_before_retry": _TIMED,
    "warmup": _TIMED,
    "connect_address": (*CONNECTING, "ping"),
    "interface": CONNECTING,
    "mark": CONNECTING,
    "path": (*_WEB, "file"),
    "status": _WEB,
    "body": _WEB,
    "digest": _WEB,
    "host": _WEB,
    "name": ("dns",),
    "record": ("dns",),
    "helo": ("smtp",),
    "command": ("misc",),
}
CHECK_KEYS = ("type", *TYPES_OF)
#: Keys of health_check that are for a real server, and not for one of its checks.
SERVER_CHECK_KEYS = ("alpha", "inhibit_on_failure")
#: Keys of health_check that are for all real servers of a service together.
POOL_KEYS = ("quorum", "hysteresis", *QUORUM_COMMANDS, "omega", "email")
_PERSISTENCE_KEYS = ("timeout", "netmask", "engine")
_TUNNEL_KEYS = ("type", "port", "checksum")
#: Mappings and their keys, for a key that is on another level of a service.
_HIGHER = {"a service": KEYS}
_DEEPER = {
    "persistence": _PERSISTENCE_KEYS,
    "tunnel": _TUNNEL_KEYS,
    "a real server": SERVER_KEYS,
    "health_check": (*CHECK_KEYS, *SERVER_CHECK_KEYS, *POOL_KEYS),
}
#: Keys that a type requires.
_NEEDED = {
    "dns": ("name", "the domain name to query"),
    "misc": ("command", "the command to run on the director"),
    "file": ("path", "the file on the director"),
}
#: Those that keepalived.conf(5) lists; the list in the code (check_dns.c: DNS_TYPE) is longer.
RECORDS = ("A", "AAAA", "CNAME", "MX", "NS", "SOA", "TXT")
MAX_SECONDS = 86400
MAX_WEIGHT_SUM = 2**32 - 1
# keepalived reads lines of at most 1023 characters (lib/parser.h: MAXBUF), has no escape for a double quote that both
# versions know, and replaces what follows a dollar sign.
_URL_PATH = re.compile(r"/[!#%-\[\]-~]{0,799}")
_FILE_PATH = re.compile(r"/[A-Za-z0-9._/@:+=,-]{1,799}")
_NOT_IN_COMMANDS = re.compile(r"[^ -~]|[\"$'\\]")
_COMMAND_LENGTH = range(2, 801)
#: Health checkers have their own copies of these directories (PrivateTmp), and do not see the host's.
_NOT_SEEN = ("/tmp/", "/var/tmp/")  # noqa: S108
COMMAND_RULE = "a command that begins with an absolute path, such as /bin/ping"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|\.")
_BODY = re.compile(r"[ -~]{1,180}")
_DIGEST = re.compile(r"[0-9A-Fa-f]{32}")
_NETWORK = re.compile(r"\s*([^/]+)/([0-9]{1,3})\s*", re.ASCII)
_RANGE = re.compile(r"\s*([0-9]{1,9})\s*-\s*([0-9]{1,9})\s*")
_STATUSES = range(100, 600)
_STATUS_RULE = "a status from 100 to 599, a range such as 200-299, or a list of these"
_PORT_RULE = "a port from 1 to 65535, or a range such as 10000-20000"
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
#: What looks like a placeholder: lower-case words in braces, and the known ones in any case, with blanks or unclosed.
_LIKE_A_PLACEHOLDER = re.compile(
    r"\{([a-z_]+)\}|(?i:\{\s*(?:%s)[0-9]*\s*\}|\{(?:%s)\b(?!\}))" % (("|".join(PLACEHOLDERS),) * 2)
)
#: Values to check a text with, before the real servers are known.
_SAMPLE = {"address": "192.0.2.1", "port": "80", "name": "rs1", "vip": "192.0.2.1", "vport": "80"}


def read_services(description: object, problems: Problems) -> list[Service]:
    """Read the whole list; return valid elements in their order, and add problems to ``problems``."""
    if description is None:
        problems.add(Code.MISSING, VARIABLE, "", "is missing (the list of services; an empty list removes all of them)")
        return []
    if not isinstance(description, (list, tuple)):
        problems.refuse(Code.NOT_A_LIST, VARIABLE, "", description, "is not a list of services")
        return []
    services = []
    named: dict[str, str] = {}
    for index, element in enumerate(description):
        where = place = f"{VARIABLE}[{index}]"
        if not isinstance(element, Mapping):
            text = "is not a mapping such as {name: web, address: 192.0.2.10, port: 80, real_servers: [{group: web}]}"
            problems.refuse(Code.NOT_A_MAPPING, where, "", element, text)
            continue
        name = element.get("name")
        if isinstance(name, str) and _NAME.fullmatch(name):
            name = plain(name)
            first = named.setdefault(name, place)
            where = f"service {name}" if first == place else f"{place} ({name})"
            if first != place:
                problems.refuse(Code.TWICE, where, "name", name, f"is already the name of another service ({first})")
        before = len(problems)
        fields = Fields(element, where, "", problems)
        service = _read_service(fields)
        if service is not None and len(problems) == before:
            services.append(service)
    return services


def _read_service(fields: Fields) -> Service | None:
    """Return one service. A wrong value is read as an empty one, and no other value is compared with it."""
    fields.refuse_unknown(KEYS, "a service", _DEEPER)
    name = fields.text("name", _NAME, "a name of 1 to 64 letters, digits, '_', '.' and '-'")
    if not fields.given("name"):
        fields.fault(Code.MISSING, "name", "is missing")
    address, fwmark, family = _identity(fields)
    before = len(fields.problems)
    marks = _marks(fields, family)
    sound_marks = len(fields.problems) == before
    protocol = fields.choice("protocol", "a protocol", PROTOCOLS, "tcp")
    scheduler = fields.choice("scheduler", "a scheduler", SCHEDULERS, DEFAULT_SCHEDULER)
    method = fields.choice("forward_method", "a forwarding method", FORWARD_METHODS, "dr")
    flags = _scheduler_flags(fields, scheduler)
    persistence = _persistence(fields, family)
    one_packet = fields.boolean("one_packet")
    by_mark = fields.given("fwmark")
    if one_packet and not by_mark and protocol not in ("udp", ""):
        fields.fault(Code.NOT_FOR_PROTOCOL, "one_packet", f"is for udp only, and the protocol is {protocol}")
    ports = (0,) if by_mark else _single_ports(fields, name, address, protocol)
    if not by_mark and 0 in ports and not fields.given("persistence"):
        key = "port" if fields.given("port") else "ports"
        fields.refuse(Code.NEEDS_KEY, key, 0, "(every port) needs persistence")
    of_servers = (entry.get("forward_method") for entry in _raw_servers(fields))
    methods = {method, *(one if isinstance(one, str) else "" for one in of_servers if one is not None)}
    tunnel = _tunnel(fields, method, tunnelled=bool(methods & {"tun", ""})) or Tunnel()
    synproxy = fields.boolean("synproxy")
    if synproxy and method in UNREWRITTEN:
        # the real server's SYN-ACK goes past the director, which could not translate sequence numbers
        text = f"is for nat and fullnat only, and the forwarding method is {method}"
        fields.fault(Code.NOT_FOR_METHOD, "synproxy", text)
    elif synproxy and protocol not in ("tcp", ""):
        fields.fault(Code.NOT_FOR_PROTOCOL, "synproxy", f"is for tcp only, and the protocol is {protocol}")
    elif synproxy and by_mark and sound_marks and not (marks and all(item.protocol == "tcp" for item in marks)):
        text = "is for tcp only, and marks lists other traffic or none"
        fields.fault(Code.NOT_FOR_PROTOCOL, "synproxy", text)
    helper = _helper(fields, method, protocol, ports)
    group = fields.text("vrrp_group", GROUP_NAME, GROUP_RULE) or NO_GROUP
    before = len(fields.problems)
    health_check = read_health_check(fields)
    sound_check = health_check is not None and len(fields.problems) == before
    sorry_server = read_sorry_server(fields, method, tunnel)
    servers = read_server_entries(fields, sound_check)
    if name is None or family is None:
        return None
    service = Service(
        where=fields.where,
        name=name,
        family=family,
        address=address,
        fwmark=fwmark,
        marks=marks,
        protocol=None if fwmark is not None else protocol,
        ports=ports,
        scheduler=scheduler,
        scheduler_flags=flags,
        persistence=persistence,
        one_packet=one_packet,
        forward_method=method,
        tunnel=tunnel,
        real_servers=servers,
        health_check=health_check,
        sorry_server=sorry_server,
        synproxy=synproxy,
        helper=helper,
        vrrp_group="" if group == NO_GROUP else group,
    )
    _check_entries(service, fields.problems)
    check_health(fields, service)
    return service


def _identity(fields: Fields) -> tuple[IPAddress | None, int | None, str | None]:
    """Return address or fwmark, and the family that follows from it; the family is None if both are wrong."""
    family = fields.choice("family", "a family", FAMILIES, "")
    if fields.given("fwmark"):
        for other in fields.present(("address", "port", "ports", "protocol")):
            mark = show(fields.values["fwmark"])
            text = f"cannot be combined with fwmark {mark}, which alone identifies the service: remove one of them"
            fields.fault(Code.EXCLUSIVE_KEYS, other, text)
        if not fields.given("family"):
            fields.fault(Code.MISSING, "family", f"is missing: a fwmark needs one of {' '.join(FAMILIES)}")
        fwmark = fields.integer("fwmark", 1, MAX_FWMARK)
        return None, fwmark, family if family and fwmark is not None else None
    if not fields.given("address"):
        fields.fault(Code.MISSING, "address", "is missing (the VIP; or give fwmark and family)")
        return None, None, None
    address = fields.address("address")
    if address is None:
        return None, None, None
    if family and family != family_of(address):
        fields.refuse(Code.OTHER_FAMILY, "family", family, f"is not the family of the address {address}")
    return address, None, family_of(address)


def _marks(fields: Fields, family: str | None) -> tuple[Traffic, ...]:
    """Return the traffic that gets the service's firewall mark."""
    if fields.given("marks") and not fields.given("fwmark"):
        fields.fault(Code.NEEDS_KEY, "marks", "needs a fwmark, which is the mark that this traffic gets")
        return ()
    found = []
    for path, value in fields.elements("marks"):
        if not isinstance(value, Mapping):
            text = "is not a mapping such as {address: 192.0.2.10, ports: [80, 443]}"
            fields.refuse(Code.NOT_A_MAPPING, path, value, text)
            continue
        inner = Fields(value, fields.where, path, fields.problems)
        inner.refuse_unknown(("address", "protocol", "port", "ports"), "marks", _HIGHER)
        if not inner.given("address"):
            inner.fault(Code.MISSING, "address", "is missing (the VIP whose traffic gets the mark)")
        network = _network(inner)
        every = not inner.given("port") and not inner.given("ports")
        ports = () if every else _ports(inner, 1, _PORT_RULE)
        protocol = inner.choice("protocol", "a protocol", PROTOCOLS, "" if every else "tcp") or None
        if network is None:
            continue
        traffic = Traffic(*network, protocol, tuple(sorted(ports)))
        if family is not None and (own := family_of(traffic.address)) != family:
            shown = traffic.destination
            text = f"{shown} is {own}, and the service is {family}"
            inner.problems.add(Code.OTHER_FAMILY, inner.where, inner.key("address"), text, shown)
        else:
            found.append(traffic)
    return tuple(found)


def _network(fields: Fields) -> tuple[IPAddress, int] | None:
    """Return the first address and the prefix length of a network of VIPs, which can be a single one."""
    value = fields.values.get("address")
    if not isinstance(value, str) or "/" not in value:
        single = fields.address("address")
        return None if single is None else (single, single.max_prefixlen)
    found = _NETWORK.fullmatch(value)
    address, prefix = (to_address(found[1]), int(found[2])) if found else (None, 0)
    if address is None or prefix > address.max_prefixlen:
        text = "is neither an IP address nor a network such as 192.0.2.16/28"
        fields.refuse(Code.NOT_AN_ADDRESS, "address", value, text)
        return None
    bits = address.max_prefixlen - prefix
    first = type(address)(int(address) >> bits << bits)
    if 2**bits > MAX_VIPS:
        longest = address.max_prefixlen - MAX_VIPS.bit_length() + 1
        text = (
            f"has {2**bits} addresses, and the master holds each of them as a VIP: give networks of at most "
            f"{MAX_VIPS} (/{longest}), each in an element of its own"
        )
        fields.refuse(Code.OUT_OF_RANGE, "address", value, text)
    elif first != address:
        text = f"is not the first address of a network: give {first}/{prefix}"
        fields.refuse(Code.MALFORMED, "address", value, text)
    elif fault := next(filter(None, map(address_fault, Traffic(first, prefix, None, ()).vips)), ""):
        fields.refuse(Code.UNUSABLE_ADDRESS, "address", value, fault)
    else:
        return first, prefix
    return None


def _single_ports(fields: Fields, name: str | None, address: IPAddress | None, protocol: str) -> tuple[int, ...]:
    """Return the ports of a service by address; each of them is a virtual service in the kernel."""
    ports = _ports(fields, 0, f"an integer from 0 to {MAX_PORT}")
    wide = [one for one in ports if one[0] < one[1]]
    if wide and name and address is not None and protocol:
        marked = ", ".join(port_text((max(low, 1), high)) for low, high in ports if high)
        vip = f'"{address}"' if address.version == 6 else str(address)
        text = (
            "is a range, which only a service by fwmark can have: write it as "
            f"{{name: {name}, fwmark: 1, family: {family_of(address)}, "
            f"marks: [{{address: {vip}, protocol: {protocol}, ports: [{marked}]}}], "
            f"real_servers: {show(fields.values.get('real_servers'))}}}"
        )
        fields.refuse(Code.NEEDS_KEY, "port" if fields.given("port") else "ports", port_text(wide[0]), text)
    return tuple(low for low, _high in ports)


def _ports(fields: Fields, lowest: int, rule: str) -> tuple[PortRange, ...]:
    """Return ports and ranges of them in their order; no two overlap. ``rule``: see `_range`."""
    known = range(lowest, MAX_PORT + 1)
    if fields.given("port") and fields.given("ports"):
        text = f"cannot be combined with port {show(fields.values['port'])}: remove one of them"
        fields.refuse(Code.EXCLUSIVE_KEYS, "ports", fields.values["ports"], text)
        return ()
    if fields.given("port"):
        port = _range(fields, "port", fields.values["port"], known, rule)
        return () if port is None else (port,)
    if not fields.given("ports"):
        fields.fault(Code.MISSING, "ports", "is missing (a list of ports; or give port)")
        return ()
    before = len(fields.problems)
    ports: list[PortRange] = []
    for path, value in fields.elements("ports"):
        port = _range(fields, path, value, known, rule)
        if port is None:
            continue
        other = next((one for one in ports if one[0] <= port[1] and port[0] <= one[1]), None)
        if other is None:
            ports.append(port)
        else:
            text = "is listed twice" if other == port else f"overlaps {port_text(other)}, which is listed too"
            fields.refuse(Code.TWICE, path, port[0] if port[0] == port[1] else port_text(port), text)
    if not ports and len(fields.problems) == before:
        fields.fault(Code.EMPTY, "ports", "is an empty list")
    return tuple(ports)


def _scheduler_flags(fields: Fields, scheduler: str) -> tuple[str, ...]:
    flags = set()
    for path, value in fields.elements("scheduler_flags"):
        flag = fields.choice_at(path, value, "a scheduler flag", SCHEDULER_FLAGS)
        if flag is None:
            continue
        if scheduler and not flag.startswith(f"{scheduler}-"):
            fields.refuse(Code.NOT_FOR_TYPE, path, flag, f"is not a flag of the scheduler {scheduler}")
        flags.add(flag)
    return tuple(sorted(flags))


def _persistence(fields: Fields, family: str | None) -> Persistence | None:
    inner = fields.mapping("persistence", "{timeout: 300}")
    if inner is None:
        return None
    inner.refuse_unknown(_PERSISTENCE_KEYS, "persistence", _HIGHER)
    bits = 128 if family == "ipv6" else 32
    netmask = None
    if inner.given("netmask") and family is not None:
        netmask = _netmask(inner, family, bits)
    timeout = inner.whole_seconds("timeout", 1, MAX_PERSISTENCE_TIMEOUT)
    return Persistence(
        timeout=DEFAULT_PERSISTENCE_TIMEOUT if timeout is None else timeout,
        netmask=bits if netmask is None else netmask,
        engine=inner.choice("engine", "a persistence engine", ENGINES, "") or None,
    )


def _netmask(inner: Fields, family: str, bits: int) -> int | None:
    """Return prefix bits from a prefix length, or for IPv4 from a dotted mask."""
    value = inner.values["netmask"]
    if to_integer(value) is None and isinstance(value, str):
        try:
            mask = ipaddress.IPv4Address(value)
        except ValueError:
            pass
        else:
            if family == "ipv6":
                text = "is an IPv4 mask, and the VIP is IPv6: give 1 to 128"
                inner.refuse(Code.OTHER_FAMILY, "netmask", value, text)
                return None
            ones = bin(int(mask)).count("1")
            if ones and int(mask) == (0xFFFFFFFF << (32 - ones)) & 0xFFFFFFFF:
                return ones
            inner.refuse(Code.MALFORMED, "netmask", value, "is not a mask of 1 to 32 leading one bits")
            return None
    return inner.integer("netmask", 1, bits)


def _raw_servers(fields: Fields) -> list[Mapping[object, object]]:
    """Return the elements of ``real_servers`` that are mappings, as written."""
    given = fields.values.get("real_servers")
    return [entry for entry in given if isinstance(entry, Mapping)] if isinstance(given, (list, tuple)) else []


def _tunnel(fields: Fields, method: str, tunnelled: bool) -> Tunnel | None:
    """Return the value of ``tunnel``; None if it is not given. ``tunnelled``: a real server may have the method tun."""
    inner = fields.mapping("tunnel", "{type: gre}")
    if inner is None:
        return None
    before = len(inner.problems)
    inner.refuse_unknown(_TUNNEL_KEYS, "tunnel", _HIGHER)
    tunnel = Tunnel(
        type=inner.choice("type", "a tunnel type", TUNNEL_TYPES, "ipip"),
        port=inner.integer("port", 0, MAX_PORT) or 0,
        checksum=inner.choice("checksum", "a tunnel checksum", TUNNEL_CHECKSUMS, "none"),
    )
    if len(inner.problems) > before:
        return tunnel
    if not tunnelled:
        # explicit defaults are harmless; other values would be ignored
        if tunnel != Tunnel():
            fields.fault(Code.NOT_FOR_METHOD, "tunnel", _ONLY_TUN.format(method))
    elif tunnel.type == "gue" and tunnel.port == 0:
        text = "is missing: gue needs the UDP port on which the real servers decapsulate"
        inner.fault(Code.MISSING, "port", text)
    elif tunnel.type != "gue" and tunnel.port:
        inner.refuse(Code.NOT_FOR_TYPE, "port", tunnel.port, f"is for gue only, and the type is {tunnel.type}")
    elif (tunnel.type, tunnel.checksum) in (("ipip", "csum"), ("ipip", "remcsum"), ("gre", "remcsum")):
        inner.refuse(Code.NOT_FOR_TYPE, "checksum", tunnel.checksum, f"is not possible with {tunnel.type}")
    return tunnel


def _helper(fields: Fields, method: str, protocol: str, ports: tuple[int, ...]) -> str | None:
    """Return the helper that translates addresses inside a protocol; only nat needs one, and only nat has one."""
    if not fields.given("helper"):
        return None
    helper = fields.choice("helper", "a helper", HELPERS, "")
    if not helper:
        return None
    if method not in ("nat", ""):
        text = f"is for nat only, and the forwarding method is {method}"
        fields.refuse(Code.NOT_FOR_METHOD, "helper", helper, text)
    elif fields.given("fwmark") or protocol not in ("tcp", ""):
        text = "is for tcp services with an address only"
        fields.refuse(Code.NOT_FOR_PROTOCOL, "helper", helper, text)
    elif ports and ports != (FTP_PORT,):
        text = f"is for port {FTP_PORT} only: the kernel inspects no other port"
        fields.refuse(Code.NOT_FOR_PROTOCOL, "helper", helper, text)
    return helper


_ONLY_TUN = "is for tun only, and the forwarding method is {}"


def _check_entries(service: Service, problems: Problems) -> None:
    """Check the real servers against the service."""
    by_group = any(entry.kind == "group" and entry.forward_method for entry in service.real_servers)
    for entry in service.real_servers:
        # a host may have the method of its group's entry: then it is checked with that (resolve)
        if not by_group or entry.kind != "host" or entry.forward_method:
            check_entry(service, entry, problems)


def check_entry(service: Service, entry: ServerEntry, problems: Problems) -> None:
    """Check a real server against its service, with its own forwarding method or that of the service."""
    method = entry.forward_method or service.forward_method
    if entry.address is not None and method and not service.takes(entry.address, method):
        text = f"is {family_of(entry.address)}, the service is {service.family}, and {method} cannot mix them"
        problems.refuse(Code.OTHER_FAMILY, service.where, f"{entry.path}.address", entry.address, text)
    if entry.port is not None:
        _check_port(service, f"{entry.path}.port", entry.port, method, problems)
    if entry.tunnel is not None and method not in ("tun", ""):
        problems.add(Code.NOT_FOR_METHOD, service.where, f"{entry.path}.tunnel", _ONLY_TUN.format(method))
    if service.synproxy and entry.forward_method in UNREWRITTEN:
        key = f"{entry.path}.forward_method"
        problems.refuse(Code.NOT_FOR_METHOD, service.where, key, method, "is not possible with synproxy")
    if service.helper and entry.forward_method not in ("nat", None):
        text = f"is not possible with the helper {service.helper}, which is for nat only"
        problems.refuse(Code.NOT_FOR_METHOD, service.where, f"{entry.path}.forward_method", method, text)


def _check_port(service: Service, key: str, port: int, method: str, problems: Problems) -> None:
    """Check the port of a real server or a sorry server against those of the service."""
    if service.fwmark is not None or 0 in service.ports:
        if port:
            text = f"is not possible for {_portless(service)}, which keeps the port of each packet: remove the key"
            problems.refuse(Code.PORT_IS_KEPT, service.where, key, port, text)
    elif method in UNREWRITTEN:
        for own in service.ports:
            if port != own:
                text = f"is not the service's port {own}, and {method} does not rewrite ports"
                problems.refuse(Code.PORT_IS_KEPT, service.where, key, port, text)
    elif not port:
        text = "is not a port for requests: remove the key for the service's own port"
        problems.refuse(Code.OUT_OF_RANGE, service.where, key, port, text)


def _portless(service: Service) -> str:
    """Return the words for a service without a port of its own, or an empty string for one with a port."""
    if service.fwmark is not None:
        return "a fwmark service"
    return "a service of every port" if 0 in service.ports else ""


def read_server_entries(fields: Fields, checked: bool) -> tuple[ServerEntry, ...]:
    """Return the valid entries of the list in their order, and note problems. ``checked``: the service has valid health
    checks.
    """
    before = len(fields.problems)
    entries = []
    for path, value in fields.elements("real_servers"):
        if not isinstance(value, Mapping):
            text = "is not a mapping such as {group: web}, {host: rs1} or {address: …}"
            fields.refuse(Code.NOT_A_MAPPING, path, value, text)
            continue
        inner = Fields(value, fields.where, path, fields.problems)
        entry = _read_entry(inner, fields, _read_own_checks(inner, fields, checked))
        if entry is not None:
            entries.append(entry)
    if not entries and len(fields.problems) == before and not fields.given("real_servers"):
        text = "is missing (an empty list is a service without real servers)"
        fields.fault(Code.MISSING, "real_servers", text)
    return tuple(entries)


def _own_tunnel(fields: Fields, service: Fields) -> Tunnel | None:
    """Return the tunnel of a real server: its keys override those of the service's tunnel of the same type."""
    shared, own = service.values.get("tunnel"), fields.values.get("tunnel")
    if isinstance(shared, Mapping) and isinstance(own, Mapping):
        former = shared.get("type") or Tunnel.type
        if (own.get("type") or former) == former:
            given = {key: value for key, value in own.items() if value is not None}
            fields = Fields({"tunnel": {**shared, **given}}, fields.where, fields.path, fields.problems)
    return _tunnel(fields, "", tunnelled=True)


@dataclass(frozen=True)
class _OwnChecks:
    """The ``health_check`` of a real server; None for the service's. ``checks`` is empty for none."""

    checks: tuple[Check, ...] | None = None
    alpha: bool | None = None
    inhibit_on_failure: bool | None = None


def _read_own_checks(fields: Fields, service: Fields, checked: bool) -> _OwnChecks:
    """Return the ``health_check`` of a real server."""
    if not fields.given("health_check"):
        return _OwnChecks()
    value = fields.values["health_check"]
    if not service.given("health_check"):
        text = "needs a health_check of the service, whose real servers then belong to the health checker"
        fields.fault(Code.NEEDS_KEY, "health_check", text)
        return _OwnChecks()
    if value == UNCHECKED:
        return _OwnChecks(checks=())
    shared = service.values["health_check"]
    if isinstance(value, Mapping) and isinstance(shared, (list, tuple)):
        text = "is not a list, as the health_check of the service is: it would not be clear which of them it changes"
        fields.refuse(Code.NOT_A_LIST, "health_check", value, text)
        return _OwnChecks()
    example = f"{{port: 8080}}, not a list, and not {UNCHECKED}"
    given = _check_mappings(fields, example)
    known = (*CHECK_KEYS, *SERVER_CHECK_KEYS)
    for inner in given:
        inner.refuse_unknown(known, "the health_check of a real server", {"that of the service": POOL_KEYS})
    if not checked or not given:
        return _OwnChecks()
    pool = _Pool(given, SERVER_CHECK_KEYS)
    if isinstance(value, Mapping) and isinstance(shared, Mapping):
        given = [Fields(_overridden(shared, value), fields.where, given[0].path, fields.problems)]
    return _OwnChecks(tuple(_read_checks(given)), pool.given_boolean("alpha"), pool.given_boolean("inhibit_on_failure"))


def _overridden(shared: Mapping[object, object], own: Mapping[object, object]) -> dict[object, object]:
    """Return the service's check with a real server's values; with another type, only keys that both types have."""
    former = shared.get("type")
    kind = own.get("type") or former
    given = {key: value for key, value in own.items() if value is not None}
    if kind == former:
        return {key: value for key, value in shared.items() if key not in (*POOL_KEYS, *SERVER_CHECK_KEYS)} | given
    both = {key for key, kinds in TYPES_OF.items() if kind in kinds and former in kinds}
    if "file" in (kind, former):
        both.discard("path")  # of a file, and not of a URL
    return {key: value for key, value in shared.items() if key in both} | given


def _read_entry(fields: Fields, service: Fields, own: _OwnChecks) -> ServerEntry | None:
    fields.refuse_unknown(SERVER_KEYS, "a real server", _HIGHER)
    kinds = fields.present(KINDS)
    if kinds == ["host", "address"]:
        kinds = ["host"]  # at an address of its own for this service
    if len(kinds) != 1:
        code = Code.EXCLUSIVE_KEYS if kinds else Code.MISSING
        found = " and ".join(kinds) or "none"
        fields.fault(code, "", f"needs exactly one of {', '.join(KINDS)}; it has {found}")
        return None
    kind = kinds[0]
    address = fields.address("address") if fields.given("address") else None
    name: str | None
    if kind == "address":
        name = None if address is None else str(address)
    else:
        name = fields.text(kind, INVENTORY_NAME, f"the name of an inventory {kind}")
    port = fields.integer("port", 0, 65535)
    weight = fields.integer("weight", 0, MAX_WEIGHT)
    upper = fields.integer("upper_threshold", 0, MAX_THRESHOLD)
    lower = fields.integer("lower_threshold", 0, MAX_THRESHOLD)
    method = fields.choice("forward_method", "a forwarding method", FORWARD_METHODS, "") or None
    tunnel = _own_tunnel(fields, service)
    if name is None:
        return None
    return ServerEntry(
        path=fields.path,
        kind=kind,
        name=name,
        address=address,
        port=port,
        weight=weight,
        upper_threshold=upper,
        lower_threshold=lower,
        forward_method=method,
        tunnel=tunnel,
        checks=own.checks,
        alpha=own.alpha,
        inhibit_on_failure=own.inhibit_on_failure,
    )


def read_health_check(fields: Fields) -> HealthCheck | None:
    """Return the value of ``health_check`` with its defaults; None if it is not given or a check has no valid type."""
    given = _check_mappings(fields, "{type: http}")
    for inner in given:
        inner.refuse_unknown((*CHECK_KEYS, *SERVER_CHECK_KEYS, *POOL_KEYS), "health_check", _HIGHER)
    checks = _read_checks(given)
    if not given or len(checks) < len(given):
        return None
    pool = _Pool(given, (*SERVER_CHECK_KEYS, *POOL_KEYS))
    default = HealthCheck(())
    before = len(fields.problems)
    quorum = int(_or(pool.of("quorum").integer("quorum", 1, MAX_WEIGHT_SUM), default.quorum))
    sound_quorum = len(fields.problems) == before
    inner = pool.of("hysteresis")
    hysteresis = int(_or(inner.integer("hysteresis", 0, MAX_WEIGHT_SUM), default.hysteresis))
    if hysteresis >= quorum and sound_quorum:
        inner.refuse(Code.EXCEEDS, "hysteresis", hysteresis, f"is not below the quorum {quorum}")
    return HealthCheck(
        checks=tuple(checks),
        quorum=quorum,
        hysteresis=hysteresis,
        alpha=pool.of("alpha").boolean("alpha", default.alpha),
        inhibit_on_failure=pool.of("inhibit_on_failure").boolean("inhibit_on_failure", default.inhibit_on_failure),
        quorum_up=_quorum_command(pool.of("quorum_up"), "quorum_up"),
        quorum_down=_quorum_command(pool.of("quorum_down"), "quorum_down"),
        omega=pool.of("omega").boolean("omega", default.omega),
        email=pool.of("email").boolean("email", default.email),
    )


def _check_mappings(fields: Fields, example: str) -> list[Fields]:
    """Return the health checks as written: one for a mapping, several for a list; none if there are wrong ones."""
    value = fields.values.get("health_check")
    if value == UNCHECKED:
        text = "is for single real servers: remove the key of a service without health checks"
        fields.refuse(Code.UNKNOWN_WORD, "health_check", value, text)
        return []
    if not isinstance(value, (list, tuple)):
        inner = fields.mapping("health_check", example)
        return [] if inner is None else [inner]
    if not value:
        fields.fault(Code.EMPTY, "health_check", "is an empty list")
    found = []
    for path, element in fields.elements("health_check"):
        if isinstance(element, Mapping):
            found.append(Fields(element, fields.where, fields.key(path), fields.problems))
        else:
            fields.refuse(Code.NOT_A_MAPPING, path, element, "is not a mapping such as {type: http}")
    return found if len(found) == len(value) else []


class _Pool:
    """The keys for all checks together, which may be in one of several."""

    def __init__(self, given: Sequence[Fields], keys: Sequence[str]) -> None:
        self._given = given
        for key in keys:
            for inner in [one for one in given if one.given(key)][1:]:
                inner.fault(Code.TWICE, key, "is already in another check of the list, and is for all of them together")

    def of(self, key: str) -> Fields:
        """Return the check that has a key; the first one if none has."""
        return next((inner for inner in self._given if inner.given(key)), self._given[0])

    def given_boolean(self, key: str) -> bool | None:
        """Return a boolean; None if it is not given."""
        inner = self.of(key)
        return inner.boolean(key) if inner.given(key) else None


def _only(kinds: tuple[str, ...]) -> str:
    if kinds == _TIMED:
        return "for periodic checks only"
    return f"for {', '.join(kinds[:-1])} and {kinds[-1]} only" if len(kinds) > 1 else f"for {kinds[0]} only"


def _read_checks(given: Sequence[Fields]) -> list[Check]:
    """Return the valid checks; one that is there twice is noted."""
    found: dict[Check, Fields] = {}
    for inner in given:
        check = _read_check(inner)
        if check is not None and found.setdefault(check, inner) is not inner:
            inner.fault(Code.TWICE, "", f"is the same check as {found[check].path}")
    return list(found)


def _read_check(inner: Fields) -> Check | None:
    """Return one check with its defaults; None without a valid type."""
    if not inner.given("type"):
        inner.fault(Code.MISSING, "type", f"is missing (one of {' '.join(HEALTH_CHECKS)})")
    kind = inner.choice("type", "a health check", HEALTH_CHECKS, "")
    if not kind:
        return None
    for key, kinds in TYPES_OF.items():
        if inner.given(key) and kind not in kinds:
            inner.fault(Code.NOT_FOR_TYPE, key, f"is {_only(kinds)}, and the type is {kind}")
    needed, what = _NEEDED.get(kind, ("", ""))
    if needed and not inner.given(needed):
        inner.fault(Code.MISSING, needed, f"is missing ({what})")
    default = Check(kind)
    port = inner.integer("port", 1, MAX_PORT)
    check = Check(
        type=kind,
        port=0 if port is None and inner.given("port") else port,  # a wrong one is not a missing one
        interval=_or(inner.seconds("interval", 0.1, MAX_SECONDS), default.interval),
        timeout=_or(inner.seconds("timeout", 0.1, MAX_SECONDS), default.timeout),
        retries=int(_or(inner.integer("retries", 0, 1000), default.retries)),
        delay_before_retry=_or(inner.seconds("delay_before_retry", 0, MAX_SECONDS), default.delay_before_retry),
        path=_path(inner, kind),
        status=_status(inner) or default.status,
        body=_template(inner, "body", kind),
        host=_template(inner, "host", kind),
        name=_template(inner, "name", kind),
        record=inner.choice("record", "a type of records", RECORDS, default.record),
        helo=inner.text("helo", _HOST, "the name of a host"),
        warmup=inner.seconds("warmup", 0, MAX_SECONDS),
        connect_address=inner.address("connect_address"),
        interface=inner.text("interface", LINK, LINK_RULE),
        mark=inner.integer("mark", 1, MAX_FWMARK),
        digest=inner.text("digest", _DIGEST, "an MD5 digest of 32 hexadecimal digits"),
        command=_template(inner, "command", kind),
    )
    for key in ("path", "command"):
        value = getattr(check, key)
        if value is not None and (key == "command" or kind == "file"):
            _refuse_private(inner, key, value)
    if kind == "misc" and check.timeout != int(check.timeout):
        text = "is not a whole number of seconds, which misc needs"
        inner.refuse(Code.NOT_AN_INTEGER, "timeout", check.timeout, text)
    return check


def _status(inner: Fields) -> tuple[tuple[int, int], ...]:
    """Return ranges of statuses, from one, from ``200-299``, or from a list of such values; empty if not given or
    wrong.
    """
    if not inner.given("status"):
        return ()
    value = inner.values["status"]
    if not isinstance(value, (list, tuple)):
        found = _range(inner, "status", value, _STATUSES, _STATUS_RULE)
        return (found,) if found else ()
    if not value:
        inner.fault(Code.EMPTY, "status", "is an empty list")
    ranges = [_range(inner, path, one, _STATUSES, _STATUS_RULE) for path, one in inner.elements("status")]
    return tuple(sorted(one for one in ranges if one is not None))


def _range(inner: Fields, path: str, value: object, known: range, rule: str) -> tuple[int, int] | None:
    """Return a range of numbers, or one number as a range; None if wrong. ``rule`` completes "'x' is not ..."."""
    if isinstance(value, str) and (found := _RANGE.fullmatch(value)):
        low, high = int(found[1]), int(found[2])
        if known[0] <= low <= high <= known[-1]:
            return low, high
        fault = "ends before it begins" if low > high else f"is not within {known[0]} and {known[-1]}"
        inner.refuse(Code.OUT_OF_RANGE, path, value, fault)
        return None
    if to_integer(value) is None:
        inner.refuse(Code.NOT_AN_INTEGER, path, value, f"is not {rule}")
        return None
    number = inner.integer_at(path, value, known[0], known[-1])
    return None if number is None else (number, number)


def _path(inner: Fields, kind: str) -> str | None:
    if kind not in TYPES_OF["path"]:
        return None
    return _template(inner, "path", kind) or ("/" if kind in _WEB else None)


def _quorum_command(inner: Fields, key: str) -> str | None:
    """Return a command for a whole virtual service; None if not given or wrong."""
    command = _template(inner, key, "")
    if command is not None:
        _refuse_private(inner, key, command)
    return command


def _template(inner: Fields, key: str, kind: str) -> str | None:
    """Return a text that may have placeholders; None if not given or wrong."""
    if not inner.given(key):
        return None
    value = inner.values[key]
    before = len(inner.problems)
    if isinstance(value, str):
        known = QUORUM_PLACEHOLDERS if key in QUORUM_COMMANDS else PLACEHOLDERS
        for found in _LIKE_A_PLACEHOLDER.finditer(value):
            if found[1] not in known:
                listed = ", ".join(f"{{{name}}}" for name in known)
                text = f"has {found[0]}, which is not one of the placeholders {listed}"
                inner.refuse(Code.UNKNOWN_WORD, key, value, text)
        if len(inner.problems) > before:
            return None
        rule = text_fault(key, kind, PLACEHOLDER.sub(lambda found: _SAMPLE[found[1]], value))
    else:
        rule = text_fault(key, kind, value)
        if isinstance(value, (Mapping, int, float)):
            rule += ": put it in quotes"
    if rule:
        inner.refuse(Code.MALFORMED, key, value, rule)
        return None
    return plain(str(value))


def text_fault(key: str, kind: str, value: object) -> str:
    """Return what is wrong with a text of a health check without placeholders; empty if nothing is. ``kind``: its
    type.
    """
    if key == "command" or key in QUORUM_COMMANDS:
        return _command_fault(value)
    pattern, rule = _TEXTS[key if key != "path" or kind != "file" else "file"]
    return "" if isinstance(value, str) and pattern.fullmatch(value) else f"is not {rule}"


_TEXTS = {
    "path": (
        _URL_PATH,
        """a path that starts with '/', without spaces and the characters "$\\, which keepalived does not accept""",
    ),
    "file": (_FILE_PATH, "an absolute path of letters, digits and the characters ._/@:+=,-"),
    "host": (_HOST, "the name of a host, with or without a port"),
    "name": (_DOMAIN, "a domain name"),
    "body": (_BODY, "a text of 1 to 180 printable ASCII characters"),
}


def read_command(fields: Fields, key: str) -> str | None:
    """Return a command of keepalived without placeholders; None if not given or wrong."""
    if not fields.given(key):
        return None
    value = fields.values[key]
    rule = _command_fault(value)
    if rule:
        fields.refuse(Code.MALFORMED, key, value, rule)
        return None
    _refuse_private(fields, key, str(value))
    return plain(str(value))


def _command_fault(value: object) -> str:
    if not isinstance(value, str):
        return "is not a string with a command"
    if not value.startswith("/"):
        return "has to begin with an absolute path, such as /bin/ping"
    if found := _NOT_IN_COMMANDS.search(value):
        character = "'\\'" if found[0] == "\\" else show(found[0])
        return (
            f"contains {character}; only ASCII characters without quotes, backslashes and $ are possible: "
            "put what needs them into a script"
        )
    if len(value) not in _COMMAND_LENGTH:
        return f"does not have {_COMMAND_LENGTH[0]} to {_COMMAND_LENGTH[-1]} characters"
    return ""


def _refuse_private(fields: Fields, key: str, path: str) -> None:
    """Note a file or command in a directory that health checkers do not see."""
    if path.startswith(_NOT_SEEN):
        text = "is in a directory that is private to each service (PrivateTmp): use another directory"
        fields.refuse(Code.PRIVATE_DIRECTORY, key, path, text)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def read_sorry_server(fields: Fields, method: str, tunnel: Tunnel) -> SorryServer | None:
    """Return the value of ``sorry_server``; None if it is not given or has no address.

    ``method`` and ``tunnel`` are the service's.
    """
    inner = fields.mapping("sorry_server", "{address: 192.0.2.99}")
    if inner is None:
        return None
    inner.refuse_unknown(SORRY_KEYS, "sorry_server", _HIGHER)
    if not inner.given("address"):
        inner.fault(Code.MISSING, "address", "is missing")
    address = inner.address("address", loopback=True)
    port = inner.integer("port", 1, MAX_PORT)
    own = inner.choice("forward_method", "a forwarding method", FORWARD_METHODS, method)
    own_tunnel = _own_tunnel(inner, fields)
    if address is None:
        return None
    if address.is_loopback:
        if inner.given("forward_method") and own not in ("dr", ""):
            text = f"is not possible for the director itself ({address}): only dr is"
            inner.refuse(Code.NOT_FOR_METHOD, "forward_method", own, text)
        own = "dr"
    if own_tunnel is not None and own not in ("tun", ""):
        inner.fault(Code.NOT_FOR_METHOD, "tunnel", _ONLY_TUN.format(own))
    return SorryServer(address, port, own, own_tunnel or tunnel)


def check_health(fields: Fields, service: Service) -> None:
    """Check the service against its health checks and its sorry server."""
    sorry, portless = service.sorry_server, _portless(service)
    for where, check in _all_checks(service):
        if portless and check.type in CONNECTING and check.port is None:
            fields.fault(Code.MISSING, f"{where}.port", f"is missing: {portless} has no port to connect to")
    for where, template in _templates(service):
        for word in PLACEHOLDER.findall(template):
            if (portless and word in ("port", "vport")) or (service.fwmark is not None and word == "vip"):
                text = f"has {{{word}}}, and {portless} has none"
                fields.refuse(Code.NOT_FOR_TYPE, where, template, text)
    if sorry is None:
        return
    if not fields.given("health_check"):
        text = "needs a health_check, which detects that no real server is left"
        fields.fault(Code.NEEDS_KEY, "sorry_server", text)
    if sorry.forward_method and not service.takes(sorry.address, sorry.forward_method):
        text = f"is {family_of(sorry.address)}, and the service is {service.family}"
        fields.refuse(Code.OTHER_FAMILY, "sorry_server.address", sorry.address, text)
    if service.synproxy and sorry.forward_method in UNREWRITTEN - {service.forward_method}:
        key, value = ("forward_method", sorry.forward_method)
        if sorry.address.is_loopback:
            key, value = ("address", str(sorry.address))
        fields.refuse(Code.NOT_FOR_METHOD, f"sorry_server.{key}", value, "is not possible with synproxy")
    if sorry.port is not None:
        _check_port(service, "sorry_server.port", sorry.port, sorry.forward_method, fields.problems)


def _all_checks(service: Service) -> list[tuple[str, Check]]:
    """Return all checks of the service and of its real servers, each with its place."""
    found = [] if service.health_check is None else _placed("health_check", service.health_check.checks)
    for entry in service.real_servers:
        found += _placed(f"{entry.path}.health_check", entry.checks or ())
    return found


def _templates(service: Service) -> Iterator[tuple[str, str]]:
    """Yield all texts that may have placeholders, each with its place."""
    places: list[tuple[str, object, tuple[str, ...]]] = [(*place, TEMPLATES) for place in _all_checks(service)]
    for where, owner, keys in (*places, ("health_check", service.health_check, QUORUM_COMMANDS)):
        for key in keys:
            text = getattr(owner, key, None)
            if text:
                yield f"{where}.{key}", text


def _placed(path: str, checks: Sequence[Check]) -> list[tuple[str, Check]]:
    if len(checks) == 1:
        return [(path, checks[0])]
    return [(f"{path}[{number}]", check) for number, check in enumerate(checks)]
