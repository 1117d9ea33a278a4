# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From `Service` values and the inventory to real servers with addresses.

This file has the checks that need several services or the inventory: groups and hosts become addresses, a host's own
values override its group's, and services are compared with each other and with the hosts' addresses.

If two services claim the same traffic, only one would get it. IPVS looks for the mark of a packet first
(net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_service_find), and a packet has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ansible_collections.lvs.cluster.plugins.module_utils._host.state import port_text
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    Inventory,
    InventoryError,
    of_two_hosts,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.service_reader import check_entry
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    UNREWRITTEN,
    Check,
    HealthCheck,
    ServerEntry,
    Service,
    Traffic,
    Tunnel,
)

#: Why a director cannot be a real server: by forwarding method.
_NOT_ON_DIRECTORS = {
    **dict.fromkeys(UNREWRITTEN, "a backup director balances requests again instead of answering them"),
    "nat": "the replies of a backup director bypass the master, which has to translate them",
}


@dataclass(frozen=True)
class RealServer:
    """A real server of one service, or its sorry server.

    ``host`` is its inventory name, None for one that Ansible does not manage. ``port`` None is the service's own port,
    ``weight`` None leaves the kernel's; a threshold of 0 is none. ``tunnel`` counts with tun only. ``checks`` are its
    health checks, with their placeholders (`checkers.filled_in`).
    """

    path: str
    host: str | None
    address: IPAddress
    port: int | None
    weight: int | None
    upper_threshold: int
    lower_threshold: int
    forward_method: str
    tunnel: Tunnel
    checks: tuple[Check, ...] = ()
    alpha: bool = True
    inhibit_on_failure: bool = False

    @property
    def holds_vip(self) -> bool:
        """True if packets reach it unrewritten, so that it must hold the VIP."""
        return self.forward_method in UNREWRITTEN

    @property
    def order(self) -> tuple[int, int, int]:
        """The canonical order, the same on every director, because the table of ``mh`` depends on it."""
        return (self.address.version, int(self.address), self.port or 0)


@dataclass(frozen=True)
class ResolvedService:
    """A service and its real servers in canonical order."""

    service: Service
    servers: tuple[RealServer, ...]

    @property
    def sorry_server(self) -> RealServer | None:
        """The sorry server, if there is one."""
        sorry = self.service.sorry_server
        if sorry is None:
            return None
        method, tunnel = sorry.forward_method, sorry.tunnel
        return RealServer("sorry_server", None, sorry.address, sorry.port, None, 0, 0, method, tunnel)

    @property
    def all_servers(self) -> tuple[RealServer, ...]:
        """The real servers and the sorry server."""
        sorry = self.sorry_server
        return self.servers if sorry is None else (*self.servers, sorry)

    @cached_property
    def methods(self) -> frozenset[str]:
        """The forwarding methods in use; the service's own if it has no real servers."""
        used = frozenset(server.forward_method for server in self.all_servers)
        return used or frozenset([self.service.forward_method])


def resolve(services: Sequence[Service], inventory: Inventory, problems: Problems) -> list[ResolvedService]:
    """Resolve every service; problems are added to ``problems``."""
    _check_duplicates(services, problems)
    resolver = _Resolver(inventory, problems)
    resolved = [ResolvedService(service, resolver.servers(service)) for service in services]
    own = _addresses_of_directors(inventory)
    _check_vips(resolved, own, problems)
    _check_real_servers(resolved, own, inventory, problems)
    if len(inventory.directors) > 1:
        _check_sorry_servers(resolved, own, problems)
    return resolved


def _check_duplicates(services: Iterable[Service], problems: Problems) -> None:
    owners: dict[tuple[object, ...], str] = {}
    for service in services:
        for identity in service.identities():
            earlier = owners.setdefault(tuple(identity.values()), service.name)
            if earlier == service.name:
                continue  # its own, or that of a service whose name is noted already
            if service.fwmark is not None:
                key, what = "fwmark", f"{service.fwmark} ({service.family})"
            else:
                key, what = "address", f"{service.address} {service.protocol} port {identity['port']}"
            text = f"{what} already belongs to service {earlier}"
            problems.add(Code.SERVICE_TWICE, service.where, key, text, what)


class _Resolver:
    """Resolves the entries of one service after the other to real servers."""

    def __init__(self, inventory: Inventory, problems: Problems) -> None:
        self._inventory = inventory
        self._problems = problems
        self._directors = frozenset(inventory.directors)
        self._told: set[str] = set()

    def servers(self, service: Service) -> tuple[RealServer, ...]:
        """Return the real servers of one service, each once, in canonical order."""
        servers = []
        # per port of the service: a given port can equal a default one
        found: dict[tuple[IPAddress, int, int], RealServer] = {}
        for host, entry in self._expand(service):
            server = self._server(service, host, entry)
            if server is None:
                continue
            servers.append(server)
            for port in service.ports:
                same = found.setdefault((server.address, port, server.port or port), server)
                if same is not server:
                    self._note_twice(service, server, same)
        return tuple(sorted(servers, key=lambda server: server.order))

    def _expand(self, service: Service) -> Iterator[tuple[str | None, ServerEntry]]:
        """Yield the hosts of groups; a host's own entry replaces the one that it has by a group."""
        own = {entry.name for entry in service.real_servers if entry.kind == "host"}
        defaults: dict[str, ServerEntry] = {}
        for entry in service.real_servers:
            if entry.kind == "group":
                for host in self._group(service, entry):
                    if host not in own:
                        yield host, entry
                    elif host in defaults:
                        text = f"host {host} is already a real server of this service by {defaults[host].path}"
                        self._problems.add(Code.SERVER_TWICE, service.where, entry.path, text, host)
                    else:
                        defaults[host] = entry
        for entry in service.real_servers:
            if entry.kind == "address":
                yield None, entry
            elif entry.kind == "host" and self._is_server(service, entry):
                yield entry.name, self._own(service, entry, defaults.get(entry.name))

    def _own(self, service: Service, entry: ServerEntry, default: ServerEntry | None) -> ServerEntry:
        """Return a host's entry, with its group's values as defaults."""
        merged = entry if default is None else _merged(entry, default)
        if any(other.kind == "group" and other.forward_method for other in service.real_servers):
            check_entry(service, merged, self._problems)
        return merged

    def _group(self, service: Service, entry: ServerEntry) -> tuple[str, ...]:
        try:
            return self._inventory.servers_of(entry.name)
        except InventoryError as error:
            error.note(self._problems, service.where, f"{entry.path}.group")
            return ()

    def _is_server(self, service: Service, entry: ServerEntry) -> bool:
        try:
            self._inventory.require_real_server(entry.name)
        except InventoryError as error:
            error.note(self._problems, service.where, f"{entry.path}.host")
            return False
        return True

    def _server(self, service: Service, host: str | None, entry: ServerEntry) -> RealServer | None:
        method = entry.forward_method or service.forward_method
        upper, lower = entry.upper_threshold or 0, entry.lower_threshold or 0
        if lower > upper:
            # the kernel returns ERANGE, also without an upper one
            code = Code.EXCEEDS if upper else Code.NEEDS_KEY
            rule = f"is above upper_threshold {upper}" if upper else "needs an upper_threshold"
            self._problems.refuse(code, service.where, f"{entry.path}.lower_threshold", lower, rule)
        address = entry.address
        if host is not None:
            if host in self._directors and method in _NOT_ON_DIRECTORS:
                text = f"host {host} is a director too: {_NOT_ON_DIRECTORS[method]}"
                self._problems.add(Code.DIRECTOR_AS_SERVER, service.where, entry.path, text, host)
                return None
            address = address or self._host_address(service, host, entry, method)
        if address is None:
            return None
        pool = service.health_check or HealthCheck(())
        inhibit = entry.inhibit_on_failure
        return RealServer(
            path=entry.path,
            host=host,
            address=address,
            # if only the packet's own port counts, 0 and "not given" are the same
            port=entry.port or None,
            weight=entry.weight,
            upper_threshold=upper,
            lower_threshold=lower,
            forward_method=method,
            tunnel=entry.tunnel or service.tunnel,
            checks=self._checks(service, host, entry, address, pool.checks),
            alpha=pool.alpha if entry.alpha is None else entry.alpha,
            inhibit_on_failure=pool.inhibit_on_failure if inhibit is None else inhibit,
        )

    def _checks(
        self, service: Service, host: str | None, entry: ServerEntry, address: IPAddress, shared: tuple[Check, ...]
    ) -> tuple[Check, ...]:
        """Return the checks of a real server, with its address of the family that they are for."""
        checks = shared if entry.checks is None else entry.checks
        if not any(check.family for check in checks):
            return checks
        return tuple(self._of_family(service, host, entry, address, check) for check in checks)

    def _of_family(
        self, service: Service, host: str | None, entry: ServerEntry, address: IPAddress, check: Check
    ) -> Check:
        if check.family is None or check.family == family_of(address):
            return replace(
                check, family=None, connect_address=check.connect_address or (address if check.family else None)
            )
        if host is None:
            text = f"{check.family} is not the family of {address}, which is all that is known of this real server"
            key = f"{entry.path}.health_check.family"
            self._problems.add(Code.NO_ADDRESS, service.where, key, text, check.family)
            return check
        try:
            return replace(check, family=None, connect_address=self._inventory.address(host, check.family))
        except InventoryError as error:
            if str(error) not in self._told:
                self._told.add(str(error))
                error.note(self._problems, service.where, entry.path)
            return check

    def _host_address(self, service: Service, host: str, entry: ServerEntry, method: str) -> IPAddress | None:
        try:
            return self._inventory.address(host, service.family, mixed=method == "tun")
        except InventoryError as error:
            # once is enough: the host lacks something, not each service that uses it
            if str(error) not in self._told:
                self._told.add(str(error))
                error.note(self._problems, service.where, entry.path)
            return None

    def _note_twice(self, service: Service, server: RealServer, earlier: RealServer) -> None:
        code, value = Code.SERVER_TWICE, str(server.address)
        already = f"is already a real server of this service by {earlier.path}"
        if server.host is None:
            text = f"{value} {already}"
        elif earlier.host is None or earlier.host == server.host:
            text = f"host {server.host} ({value}) {already}"
        else:
            code, text = Code.ADDRESS_TWICE, f"{value} {of_two_hosts(earlier.host, server.host)}"
            if text in self._told:
                return  # once is enough: the hosts have one address, not each service that uses them
            self._told.add(text)
        self._problems.add(code, service.where, server.path, text, value)


_INHERITED = (
    *("port", "weight", "upper_threshold", "lower_threshold", "forward_method", "tunnel"),
    *("checks", "alpha", "inhibit_on_failure"),
)


def _merged(own: ServerEntry, default: ServerEntry) -> ServerEntry:
    """Return a host's entry, with its group's values as defaults."""

    given = {name: value for name in _INHERITED if (value := getattr(own, name)) is not None}
    if own.forward_method not in ("tun", None):
        given.setdefault("tunnel", None)  # that of the group is for another method
    return replace(default, path=own.path, kind=own.kind, name=own.name, address=own.address, **given)


def _addresses_of_directors(inventory: Inventory) -> dict[IPAddress, str]:
    """Return the director of each of their own addresses."""
    holders: dict[IPAddress, str] = {}
    for host in inventory.directors:
        try:
            holders.update((address, f"director {host}") for address in inventory.addresses(host).values())
        except InventoryError:
            continue  # a director needs an address only where VRRP has peers, and that is checked there
    return holders


def _check_real_servers(
    resolved: Sequence[ResolvedService], directors: Mapping[IPAddress, str], inventory: Inventory, problems: Problems
) -> None:
    """Note real servers that have the address of a director, under any name."""
    for item in resolved:
        for server in item.servers:
            method = server.forward_method
            if method not in _NOT_ON_DIRECTORS:
                continue
            if server.address in directors and server.host not in inventory.directors:
                text = f"is an address of {directors[server.address]}: {_NOT_ON_DIRECTORS[method]}"
                problems.refuse(Code.DIRECTOR_AS_SERVER, item.service.where, server.path, server.address, text)


def _check_sorry_servers(
    resolved: Sequence[ResolvedService], directors: Mapping[IPAddress, str], problems: Problems
) -> None:
    """Note sorry servers that are directors: a backup cannot be one, like a real server."""
    for item in resolved:
        sorry = item.service.sorry_server
        if sorry is not None and sorry.address in directors and sorry.forward_method in _NOT_ON_DIRECTORS:
            text = f"is an address of {directors[sorry.address]}: {_NOT_ON_DIRECTORS[sorry.forward_method]}"
            where, key = item.service.where, "sorry_server.address"
            problems.refuse(Code.DIRECTOR_AS_SERVER, where, key, sorry.address, text)


def _check_vips(resolved: Sequence[ResolvedService], directors: Mapping[IPAddress, str], problems: Problems) -> None:
    """Note VIPs that are a host's own address."""
    holders = dict(directors)
    for item in resolved:
        for server in item.servers:
            holders.setdefault(server.address, "a real server" if server.host is None else f"host {server.host}")
        if item.service.sorry_server is not None:
            holders.setdefault(item.service.sorry_server.address, f"the sorry server of {item.service.where}")
    for item in resolved:
        for vip in item.service.vips:
            if vip in holders:
                text = f"cannot be a VIP: it is an address of {holders[vip]}"
                key = "address" if item.service.address else "marks"
                problems.refuse(Code.VIP_IN_USE, item.service.where, key, vip, text)


def check_overlaps(services: Iterable[Service], problems: Problems) -> None:
    """Note the services whose clients' packets are marked for another service."""
    services = list(services)
    marked = [(service, traffic) for service in services for traffic in service.marks]
    for number, (service, traffic) in enumerate(marked):
        for other, others in marked[:number]:
            what = "" if other is service else _claimed_twice(traffic, others)
            if what:
                text = f"{what} has the mark of service {other.name}"
                problems.add(Code.MARKED_TWICE, service.where, "marks", text, what)
    for service in services:
        for traffic in service.traffic if service.fwmark is None else ():
            for other, others in marked:
                what = _claimed_twice(traffic, others)
                if what:
                    text = f"{what} has the mark of service {other.name}, which would receive all of it"
                    problems.add(Code.MARKED_TWICE, service.where, "address", text, what)


def _claimed_twice(one: Traffic, other: Traffic) -> str:
    """Return the traffic that both have, such as "192.0.2.10 tcp 80 10000-20000"; empty if there is none."""
    outer, inner = (one, other) if one.prefix <= other.prefix else (other, one)
    bits = outer.address.max_prefixlen - outer.prefix
    if outer.address.version != inner.address.version or int(outer.address) >> bits != int(inner.address) >> bits:
        return ""
    if one.protocol and other.protocol and one.protocol != other.protocol:
        return ""
    ports = one.ports or other.ports
    if one.ports and other.ports:
        both = ((max(a[0], b[0]), min(a[1], b[1])) for a in one.ports for b in other.ports)
        ports = tuple((low, high) for low, high in both if low <= high)
        if not ports:
            return ""
    protocol = one.protocol or other.protocol
    return " ".join([inner.destination, *([protocol] if protocol else []), *map(port_text, ports)])
