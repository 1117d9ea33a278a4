# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From ``lvs_virtual_services`` as written to `Service` values.

Checks everything that needs only the description; `resolve` does what needs the inventory. An element with a problem
yields no `Service`, so later steps get complete ones only.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.lvs.cluster.plugins.module_utils._host.state import port_text
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import address_fault
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import (
    DEFAULT_PERSISTENCE_TIMEOUT,
    DEFAULT_SCHEDULER,
    MAX_PERSISTENCE_TIMEOUT,
    MAX_THRESHOLD,
    MAX_WEIGHT,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import (
    CHECK_KEYS,
    HIGHER,
    MAX_FWMARK,
    PLACEHOLDER,
    POOL_KEYS,
    SERVER_CHECK_KEYS,
    WITH_PORT,
    OwnChecks,
    read_health_check,
    read_own_checks,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import (
    MAX_PORT,
    Fields,
    IPAddress,
    family_of,
    in_yaml,
    to_address,
    to_integer,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problems, plain, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    ENGINES,
    FAMILIES,
    FORWARD_METHODS,
    FTP_PORT,
    HELPERS,
    KEYS,
    PROTOCOLS,
    QUORUM_COMMANDS,
    SCHEDULER_FLAGS,
    SCHEDULERS,
    TEMPLATES,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    UNREWRITTEN,
    Check,
    Persistence,
    PortRange,
    ServerEntry,
    Service,
    SorryServer,
    Traffic,
    Tunnel,
)

VARIABLE = "lvs_virtual_services"
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
INVENTORY_NAME = re.compile(r"[^\s\x00-\x1f]{1,255}")

_PERSISTENCE_KEYS = ("timeout", "netmask", "engine")
_TUNNEL_KEYS = ("type", "port", "checksum")
#: Mappings and their keys, for a key that is on another level of a service.
_DEEPER = {
    "persistence": _PERSISTENCE_KEYS,
    "tunnel": _TUNNEL_KEYS,
    "a real server": SERVER_KEYS,
    "health_check": (*CHECK_KEYS, *SERVER_CHECK_KEYS, *POOL_KEYS),
}
_NETWORK = re.compile(r"\s*([^/]+)/([0-9]{1,3})\s*", re.ASCII)
_NO_NETWORK = "neither an IP address nor a network such as 192.0.2.16/28"
_ADDRESS_RANGE = re.compile(r"\s*[0-9a-fA-F.:]+\s*-\s*[0-9a-fA-F.:]+\s*")
_PORT_RULE = "a port from 1 to 65535, or a range such as 10000-20000"


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
        faces = _read_service(fields)
        if len(problems) == before:
            services += faces
    return services


def _read_service(fields: Fields) -> list[Service]:
    """Return a service for each address and protocol. A wrong value is read as an empty one, and no other value is
    compared with it.
    """
    fields.refuse_unknown(KEYS, "a service", _DEEPER)
    name = fields.text("name", _NAME, "a name of 1 to 64 letters, digits, '_', '.' and '-'")
    if not fields.given("name"):
        fields.fault(Code.MISSING, "name", "is missing")
    addresses, fwmark, families = _identity(fields)
    before = len(fields.problems)
    marks = _marks(fields, families[0] if families else None)
    sound_marks = len(fields.problems) == before
    protocols = _protocols(fields)
    scheduler = fields.choice("scheduler", "a scheduler", SCHEDULERS, DEFAULT_SCHEDULER)
    method = fields.choice("forward_method", "a forwarding method", FORWARD_METHODS, "dr")
    flags = _scheduler_flags(fields, scheduler)
    persistence = {family: _persistence(fields, families, family) for family in families or ("",)}
    one_packet = fields.boolean("one_packet")
    by_mark = fields.given("fwmark")
    if one_packet and not by_mark and protocols and "udp" not in protocols:
        fields.fault(Code.NOT_FOR_PROTOCOL, "one_packet", f"is for udp only, and the protocol is {protocols[0]}")
    ports = (0,) if by_mark else _single_ports(fields, addresses, protocols)
    other = next((protocol for protocol in protocols if protocol != "tcp"), "")
    if not by_mark and 0 in ports and not fields.given("persistence"):
        key = "port" if fields.given("port") else "ports"
        fields.refuse(Code.NEEDS_KEY, key, 0, "(every port) needs persistence")
    tunnelled = method in ("tun", "") or any(entry.get("forward_method") == "tun" for entry in _raw_servers(fields))
    tunnel = _tunnel(fields, method, tunnelled) or Tunnel()
    synproxy = fields.boolean("synproxy")
    if synproxy and method in UNREWRITTEN:
        # the real server's SYN-ACK goes past the director, which could not translate sequence numbers
        text = f"is for nat and fullnat only, and the forwarding method is {method}"
        fields.fault(Code.NOT_FOR_METHOD, "synproxy", text)
    elif synproxy and other:
        fields.fault(Code.NOT_FOR_PROTOCOL, "synproxy", f"is for tcp only, and the protocol is {other}")
    elif synproxy and by_mark and sound_marks and not (marks and all(item.protocol == "tcp" for item in marks)):
        text = "is for tcp only, and marks lists other traffic or none"
        fields.fault(Code.NOT_FOR_PROTOCOL, "synproxy", text)
    helper = _helper(fields, method, other, ports)
    group = fields.text("vrrp_group", GROUP_NAME, GROUP_RULE) or NO_GROUP
    before = len(fields.problems)
    health_check = read_health_check(fields)
    sound_check = health_check is not None and len(fields.problems) == before
    sorry_servers = read_sorry_servers(fields, method, tunnel)
    servers = read_server_entries(fields, sound_check)
    if name is None or not families:
        return []
    faces: list[tuple[IPAddress | None, str | None, str]] = [(None, None, families[0])]
    if fwmark is None:
        faces = [(address, protocol, family_of(address)) for address in addresses for protocol in protocols or ("",)]
    found = [
        Service(
            where=fields.where,
            name=name,
            family=family,
            address=address,
            fwmark=fwmark,
            marks=marks,
            protocol=protocol,
            ports=ports,
            scheduler=scheduler,
            scheduler_flags=flags,
            persistence=persistence[family],
            one_packet=one_packet and protocol in ("udp", None),
            forward_method=method,
            tunnel=tunnel,
            real_servers=_of_family(servers, family, families),
            health_check=health_check,
            sorry_server=_sorry_of_family(sorry_servers, family),
            synproxy=synproxy,
            helper=helper,
            vrrp_group="" if group == NO_GROUP else group,
        )
        for address, protocol, family in faces
    ]
    for service in found:
        if servers and not service.real_servers:
            remedy = "remove this VIP"
            if any((entry.forward_method or method) == "tun" for entry in servers):
                remedy = "write a service of its own for this VIP, in which tun accepts the other family"
            text = f"has none with an {service.family} address, which {service.address} needs: add one, or {remedy}"
            fields.fault(Code.NO_ADDRESS, "real_servers", text)
        _check_entries(service, fields.problems)
        check_health(fields, service)
    return found


def _of_family(servers: Sequence[ServerEntry], family: str, families: Sequence[str]) -> tuple[ServerEntry, ...]:
    """Return the real servers of one of a service's families. An address of another one of them is not for it: a host
    then has the inventory's.
    """
    found = []
    for entry in servers:
        if entry.address is None or family_of(entry.address) == family or family_of(entry.address) not in families:
            found.append(entry)
        elif entry.kind == "host":
            found.append(replace(entry, address=None))
    return tuple(found)


def _sorry_of_family(sorry_servers: Sequence[SorryServer], family: str) -> SorryServer | None:
    """Return the sorry server of a family, or one of another family, which only tun accepts."""
    fit = [sorry for sorry in sorry_servers if family_of(sorry.address) == family]
    return next(iter([*fit, *sorry_servers]), None)


def _identity(fields: Fields) -> tuple[tuple[IPAddress, ...], int | None, tuple[str, ...]]:
    """Return addresses or fwmark, and the families that follow from them, each once; none if both are wrong."""
    family = fields.choice("family", "a family", FAMILIES, "")
    if fields.given("fwmark"):
        for other in fields.present(("address", "addresses", "port", "ports", "protocol", "protocols")):
            mark = show(fields.values["fwmark"])
            text = f"cannot be combined with fwmark {mark}, which alone identifies the service: remove one of them"
            fields.fault(Code.EXCLUSIVE_KEYS, other, text)
        if not fields.given("family"):
            fields.fault(Code.MISSING, "family", f"is missing: a fwmark needs one of {' '.join(FAMILIES)}")
        fwmark = fields.integer("fwmark", 1, MAX_FWMARK)
        return (), fwmark, (family,) if family and fwmark is not None else ()
    if not fields.given("address") and not fields.given("addresses"):
        fields.fault(Code.MISSING, "address", "is missing (the VIP; or give fwmark and family)")
    found = _one_or_several(fields, "address", "addresses")
    addresses: dict[IPAddress, None] = {}
    for path, value in found:
        address = fields.address_at(path, value)
        if address in addresses:
            fields.refuse(Code.TWICE, path, address, "is listed twice")
        elif address is not None:
            addresses[address] = None
    for address in addresses:
        if family and family != family_of(address):
            fields.refuse(Code.OTHER_FAMILY, "family", family, f"is not the family of the address {address}")
    return tuple(addresses), None, tuple(dict.fromkeys(map(family_of, addresses)))


def _one_or_several(fields: Fields, single: str, several: str) -> list[tuple[str, object]]:
    """Return the values of two keys that exclude each other, one of which is a list, with their places."""
    if fields.given(single) and fields.given(several):
        text = f"cannot be combined with {single} {show(fields.values[single])}: remove one of them"
        fields.refuse(Code.EXCLUSIVE_KEYS, several, fields.values[several], text)
        return []
    if fields.given(single):
        return [(single, fields.values[single])]
    found = list(fields.elements(several))
    if fields.values.get(several) in ([], ()):
        fields.fault(Code.EMPTY, several, "is an empty list")
    return found


def _protocols(fields: Fields) -> tuple[str, ...]:
    """Return the protocols, each once; empty if there is a wrong one."""
    if not fields.given("protocol") and not fields.given("protocols"):
        return ("tcp",)
    before = len(fields.problems)
    found: list[str] = []
    for path, value in _one_or_several(fields, "protocol", "protocols"):
        protocol = fields.choice_at(path, value, "a protocol", PROTOCOLS)
        if protocol in found:
            fields.refuse(Code.TWICE, path, protocol, "is listed twice")
        elif protocol is not None:
            found.append(protocol)
    return tuple(found) if len(fields.problems) == before else ()


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
        inner.refuse_unknown(("address", "protocol", "port", "ports"), "marks", HIGHER)
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
        if isinstance(value, str) and _ADDRESS_RANGE.fullmatch(value):
            text = f"is {_NO_NETWORK}: give networks, or an element for each address"
            fields.refuse(Code.NOT_AN_ADDRESS, "address", value, text)
            return None
        single = fields.address("address")
        return None if single is None else (single, single.max_prefixlen)
    found = _NETWORK.fullmatch(value)
    address, prefix = (to_address(found[1]), int(found[2])) if found else (None, 0)
    if address is None or prefix > address.max_prefixlen:
        fields.refuse(Code.NOT_AN_ADDRESS, "address", value, f"is {_NO_NETWORK}")
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


def _single_ports(fields: Fields, addresses: Sequence[IPAddress], protocols: Sequence[str]) -> tuple[int, ...]:
    """Return the ports of a service by address; each of them is a virtual service in the kernel."""
    ports = _ports(fields, 0, f"an integer from 0 to {MAX_PORT}")
    wide = [one for one in ports if one[0] < one[1]]
    if wide and addresses and protocols:
        marked = ", ".join(port_text((max(low, 1), high)) for low, high in ports if high)
        family = family_of(addresses[0])
        elements = [
            f"{{address: {in_yaml(address)}, protocol: {protocol}, ports: [{marked}]}}"
            for address in addresses
            for protocol in protocols
            if family_of(address) == family
        ]
        former = fields.present(("address", "addresses", "protocol", "protocols", "port", "ports"))
        text = (
            "is a range, which only a service by fwmark can have: "
            f"in place of {', '.join(former[:-1])} and {former[-1]} "
            f"write {{fwmark: 1, family: {family}, marks: [{', '.join(elements)}]}}"
        )
        fields.refuse(Code.NEEDS_KEY, "port" if fields.given("port") else "ports", port_text(wide[0]), text)
    return tuple(low for low, _high in ports)


def _ports(fields: Fields, lowest: int, rule: str) -> tuple[PortRange, ...]:
    """Return ports and ranges of them in their order; no two overlap. ``rule``: see `Fields.range_at`."""
    known = range(lowest, MAX_PORT + 1)
    if fields.given("port") and fields.given("ports"):
        text = f"cannot be combined with port {show(fields.values['port'])}: remove one of them"
        fields.refuse(Code.EXCLUSIVE_KEYS, "ports", fields.values["ports"], text)
        return ()
    if fields.given("port"):
        port = fields.range_at("port", fields.values["port"], known, rule)
        return () if port is None else (port,)
    if not fields.given("ports"):
        fields.fault(Code.MISSING, "ports", "is missing (a list of ports; or give port)")
        return ()
    before = len(fields.problems)
    ports: list[PortRange] = []
    for path, value in fields.elements("ports"):
        port = fields.range_at(path, value, known, rule)
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


def _persistence(fields: Fields, families: Sequence[str], family: str) -> Persistence | None:
    """Return the persistence of one of the service's families; an empty one is not known."""
    inner = fields.mapping("persistence", "{timeout: 300}")
    if inner is None:
        return None
    inner.refuse_unknown(_PERSISTENCE_KEYS, "persistence", HIGHER)
    bits = 128 if family == "ipv6" else 32
    netmask = None
    if inner.given("netmask") and len(families) > 1:
        text = "is for one family, and the service has addresses of both: write two services"
        inner.refuse(Code.OTHER_FAMILY, "netmask", inner.values["netmask"], text)
    elif inner.given("netmask") and family:
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
    inner.refuse_unknown(_TUNNEL_KEYS, "tunnel", HIGHER)
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


def _helper(fields: Fields, method: str, other: str, ports: tuple[int, ...]) -> str | None:
    """Return the helper that translates addresses inside a protocol; only nat needs one, and only nat has one.

    ``other``: a protocol of the service that is not tcp, or an empty string.
    """
    if not fields.given("helper"):
        return None
    helper = fields.choice("helper", "a helper", HELPERS, "")
    if not helper:
        return None
    if method not in ("nat", ""):
        text = f"is for nat only, and the forwarding method is {method}"
        fields.refuse(Code.NOT_FOR_METHOD, "helper", helper, text)
    elif fields.given("fwmark") or other:
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
        entry = _read_entry(inner, fields, read_own_checks(inner, fields, checked))
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


def _read_entry(fields: Fields, service: Fields, own: OwnChecks) -> ServerEntry | None:
    fields.refuse_unknown(SERVER_KEYS, "a real server", HIGHER)
    kinds = fields.present(KINDS)
    if kinds == ["host", "address"]:
        kinds = ["host"]  # at an address of its own for this service
    if len(kinds) != 1:
        code = Code.EXCLUSIVE_KEYS if kinds else Code.MISSING
        found = " and ".join(kinds) or "none"
        fields.fault(code, "", f"needs exactly one of {', '.join(KINDS)}; it has {found}")
        return None
    kind = kinds[0]
    address = _server_address(fields)
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


def _server_address(fields: Fields) -> IPAddress | None:
    value = fields.values.get("address")
    given = to_address(value)
    if given is not None and given.is_loopback:
        text = "is a loopback address, which only a sorry_server can have: give the address that the directors send to"
        fields.refuse(Code.UNUSABLE_ADDRESS, "address", value, text)
        return None
    return fields.address("address")


def read_sorry_servers(fields: Fields, method: str, tunnel: Tunnel) -> list[SorryServer]:
    """Return the value of ``sorry_server``, one for each of its addresses; empty if it is not given or has none.

    ``method`` and ``tunnel`` are the service's.
    """
    inner = fields.mapping("sorry_server", "{address: 192.0.2.99}")
    if inner is None:
        return []
    inner.refuse_unknown(SORRY_KEYS, "sorry_server", HIGHER)
    if not inner.given("address"):
        inner.fault(Code.MISSING, "address", "is missing")
    addresses = _sorry_addresses(inner)
    port = inner.integer("port", 1, MAX_PORT)
    given = inner.choice("forward_method", "a forwarding method", FORWARD_METHODS, method)
    own_tunnel = _own_tunnel(inner, fields)
    found = []
    for address in addresses:
        own = given
        if address.is_loopback:
            if inner.given("forward_method") and own not in ("dr", ""):
                text = f"is not possible for the director itself ({address}): only dr is"
                inner.refuse(Code.NOT_FOR_METHOD, "forward_method", own, text)
            own = "dr"
        if own_tunnel is not None and own not in ("tun", ""):
            inner.fault(Code.NOT_FOR_METHOD, "tunnel", _ONLY_TUN.format(own))
        found.append(SorryServer(address, port, own, own_tunnel or tunnel))
    return found


def _sorry_addresses(inner: Fields) -> list[IPAddress]:
    """Return one address, or one of each family."""
    value = inner.values.get("address")
    several = isinstance(value, (list, tuple))
    if several and not value:
        inner.fault(Code.EMPTY, "address", "is an empty list")
    found: dict[str, IPAddress] = {}
    for path, one in inner.elements("address") if several else [("address", value)]:
        address = None if one is None and not several else inner.address_at(path, one, loopback=True)
        if address is None:
            continue
        family = family_of(address)
        if family in found:
            inner.refuse(Code.TWICE, path, address, f"is {family} as {found[family]} is: give one address per family")
        else:
            found[family] = address
    return list(found.values())


def check_health(fields: Fields, service: Service) -> None:
    """Check the service against its health checks and its sorry server."""
    sorry, portless = service.sorry_server, _portless(service)
    for where, check in _all_checks(service):
        if portless and check.type in WITH_PORT and check.port is None:
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
            text = owner.text(key) if isinstance(owner, Check) else getattr(owner, key, None)
            if text:
                yield f"{where}.{key}", text


def _placed(path: str, checks: Sequence[Check]) -> list[tuple[str, Check]]:
    if len(checks) == 1:
        return [(path, checks[0])]
    return [(f"{path}[{number}]", check) for number, check in enumerate(checks)]
