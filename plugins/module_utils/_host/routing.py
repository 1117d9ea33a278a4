# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes for replies of services through the directors, or for all traffic: the plan of return_route. Pure.

A reply of a real server behind NAT has to pass the director, which translates it back. A rule for the replies' source
(address, protocol, port) leads to a routing table of its own, which has only a default route. So replies to a client on
the same link go through the director too. Other traffic, such as logins and updates, is unchanged.

A host that changes from dr or tun to nat has its rules before the directors change, and before any of them has the
gateway's address. Replies to health checks come from the same address and port, and would be lost. So until a task with
purge, an earlier rule sends packets for the directors themselves to the main table.

For all traffic, the last rule leads everything to that table, after one that uses the main table without its default
routes. So the main table's own default routes, which DHCP and others set, are unchanged.

While the table has no default route, an unreachable one refuses the replies, which would otherwise reach the client
untranslated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from . import sandbox
from .engine import (
    Add,
    ChangeUnit,
    Host,
    Operation,
    Outcome,
    Plan,
    Remove,
    change_files,
    plan_bookkeeping,
    predict,
    settle,
)
from .errors import HostError
from .state import (
    MAIN_TABLE,
    OWN_DIRECTORY,
    ROUTE_PROTOCOL,
    VIPS_RECORD,
    HostState,
    Query,
    Record,
    Route,
    Rule,
    Unit,
    device_unit,
    fallbacks,
    parse_record,
    port_text,
)
from .validate import interface_name, unicast_address

NETWORKD_FILE = "/etc/systemd/networkd.conf.d/91-lvs-cluster.conf"
RECORD_FILE = f"{OWN_DIRECTORY}/return_route.json"
ROUTES_UNIT = "lvs-cluster-routes.service"
WATCH_UNIT = "lvs-cluster-routes-watch.service"
#: A host that the module has changed has at least one of these.
TRACES = (RECORD_FILE, f"/etc/systemd/system/{ROUTES_UNIT}")
HEADER = "Written by the Ansible module lvs.cluster.return_route, which overwrites changes."
_USE = "the address of a host on the link"
PROTOCOLS = ("tcp", "udp", "sctp")
#: The last port that a rule can match (include/net/fib_rules.h: fib_rule_port_range_valid).
LAST_PORT = 65534
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
# Excludes the kernel's own tables and priorities, and those that are most used by hand (ip-rule(8)).
#: The usual number of the routing table, and the usual priority of the rules that lead to it.
USUAL_NUMBER = 5151
_TABLES = range(256, 2**32)
_PRIORITIES = range(2, 32764)  # the one before and the two after it are used too
# At its start networkd would remove routes and rules of others (networkd.conf(5)).
_NETWORKD = "# {header}\n[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"

_ROUTES_UNIT = """\
# {header}
[Unit]
Description=Replies of LVS services go by the directors
DefaultDependencies=no
Requires={devices}
After=systemd-sysctl.service {devices}
Before=network.target network-online.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
# The network may be set up later, and a route needs its interface to be up.
{links}# A batch is of one family.
{commands}StandardInput=data
{batch}{sandbox}
[Install]
WantedBy=multi-user.target
"""
# The kernel removes the routes of an interface that goes down or loses its last address, and rules stay
# (net/ipv4/fib_frontend.c: fib_disable_ip). systemd does not detect that. A route that is set again unchanged is not
# announced (net/ipv4/fib_trie.c: fib_table_insert), and announced routes do not begin with a digit: there is no loop.
# ip listens within a second after its start; routes that were lost before are set then.
_WATCH_UNIT = """\
# {header}
[Unit]
Description=Restore return routes of LVS that an interface has lost
After={routes_unit}

[Service]
Type=exec
ExecStart=/bin/sh -c 'routes=$$(cat); restore() {{ {commands}}}; ip monitor link address route | {{ sleep 1; restore; \
while read -r event; do case "$$event" in [0-9]*|Deleted*) restore;; esac; done; }}'
Restart=always
RestartSec=1
StandardInput=data
{batch}{sandbox}
[Install]
WantedBy=multi-user.target
"""


def replies_option() -> dict[str, Any]:
    """Return the option for the sources of replies."""
    return {
        "type": "list",
        "elements": "dict",
        "options": {
            "address": {"type": "str", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp", "sctp"]},
            "port": {"type": "str", "default": "0"},
        },
    }


@dataclass(frozen=True)
class ChangeRoute(Operation):
    """Add, replace or remove the default route of a family. Replacing is atomic."""

    before: Route | None
    after: Route | None

    def applied(self, state: HostState) -> HostState:
        without = state.routes - {self.before} if self.before else state.routes
        return replace(state, routes=without | {self.after} if self.after else without)

    def inverse(self) -> Operation | None:
        return ChangeRoute(self.after, self.before)

    def carry_out(self, host: Any) -> None:
        host.routes.change(self.before, self.after)

    def __str__(self) -> str:
        return f"remove the route {self.before}" if self.after is None else f"set the route {self.after}"


@dataclass(frozen=True)
class Source:
    """A source of replies: protocol "" means every one. ``ports``: the first and the last one, both 0 for every one."""

    address: str
    protocol: str = ""
    ports: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class ReturnRoute:
    """The arguments of a task; gateways by family.

    everything: use them for all traffic that leaves the link, not for replies only.
    purge: remove rules and routes of earlier tasks that are no longer listed.
    """

    present: bool
    gateways: Mapping[str, str]
    services: tuple[Source, ...]
    everything: bool
    table: int
    priority: int
    persist: bool
    purge: bool = True
    #: The directors' own addresses.
    direct: tuple[str, ...] = ()


def parse_return_route(
    present: bool,
    gateways: Sequence[str],
    services: Sequence[Mapping[str, object]],
    everything: bool,
    table: int,
    priority: int,
    persist: bool,
    purge: bool = True,
    direct: Sequence[str] = (),
) -> ReturnRoute:
    """Check the arguments. Raises HostError with a sentence that names the option and the value."""
    if table not in _TABLES:
        raise HostError(f"table: {table} is not between {_TABLES[0]} and {_TABLES[-1]}")
    if priority not in _PRIORITIES:
        raise HostError(f"priority: {priority} is not between {_PRIORITIES[0]} and {_PRIORITIES[-1]}")
    by_family: dict[str, str] = {}
    for text in gateways:
        address = unicast_address("gateways", text, _USE, link_local=True)
        family = f"ipv{address.version}"
        if family in by_family:
            raise HostError(f"gateways: {by_family[family]} and {address} are both {family}, and only one is possible")
        by_family[family] = str(address)
    found = []
    for number, service in enumerate(services):
        where = f"services[{number}]"
        address = unicast_address(f"{where}.address", str(service["address"]), "a VIP")
        if f"ipv{address.version}" not in by_family:
            raise HostError(f"{where}.address: {address} needs a gateway of its family, and gateways has none")
        protocol, ports = str(service.get("protocol") or ""), _ports(f"{where}.port", service.get("port") or 0)
        if ports[0] and not protocol:
            raise HostError(f"{where}.port: {port_text(ports)} needs a protocol")
        found.append(Source(str(address), protocol, ports))
    return ReturnRoute(
        present,
        by_family,
        tuple(found),
        everything,
        table,
        priority,
        persist,
        purge or not present,
        tuple(str(unicast_address("direct", text, _USE, link_local=True)) for text in direct),
    )


def _ports(where: str, value: object) -> tuple[int, int]:
    """Return the first and the last of some ports, from 8080 or "10000-20000". Raises HostError."""
    found = _PORTS.fullmatch(str(value))
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (-1, -1)
    if not ((low, high) == (0, 0) or 1 <= low <= high <= LAST_PORT):
        raise HostError(f"{where}: {value} is not a port from 1 to {LAST_PORT}, a range of them, or 0 for every port")
    return low, high


def plan_return_route(state: HostState, wanted: ReturnRoute, answers_itself: bool = False) -> Plan:
    """Return operations that lead a host to the described state. Raises HostError if that is impossible.

    state holds every address of the host, the routing table's routes and rules, RECORD_FILE, ROUTES_UNIT, NETWORKD_FILE
    and which directories of these exist. answers_itself: True if the host has VIPs, whose replies go directly to
    clients.
    """
    old = parse_record(RECORD_FILE, state.records.get(RECORD_FILE))
    routes = _routes(state, wanted) if wanted.present and wanted.services else {}
    rules = _rules(wanted, routes)
    if not wanted.purge:
        rules = _with_former(state, wanted, rules, answers_itself)
        in_use = {rule.family for rule in state.rules if rule.address}
        routes = routes | {route.family: route for route in state.routes if route.family in in_use}
    present = bool(routes)
    keep = present and wanted.persist
    files = {NETWORKD_FILE: _NETWORKD.format(header=HEADER) if keep else None}
    set_again = sorted(routes.values())
    units = {
        ROUTES_UNIT: routes_unit(HEADER, set_again, sorted(rules)) if keep else None,
        WATCH_UNIT: watch_unit(HEADER, set_again) if keep else None,
    }
    books = plan_bookkeeping(state, RECORD_FILE, old, Record(), [NETWORKD_FILE] if keep else [])
    # Replies without their route would use the next rule, the main table: so routes are added first and removed last.
    # Rules are added in order and removed in reverse order, so that the one for all traffic is never alone.
    had = {route.family: route for route in state.routes}
    set_routes = [ChangeRoute(had.get(family), route) for family, route in routes.items() if had.get(family) != route]
    gone = [ChangeRoute(route, None) for family, route in sorted(had.items()) if family not in routes]
    last = frozenset(fallbacks(routes.values()))
    # The watching unit would add a removed route again.
    unwatched = [ChangeUnit(WATCH_UNIT, state.units.get(WATCH_UNIT), None)] if state.units.get(WATCH_UNIT) else []
    operations: list[Operation] = [*change_files(state, files), *(() if keep else unwatched), *set_routes]
    operations += map(Add, sorted(last - state.fallbacks))
    operations += map(Add, sorted(rules - state.rules))
    operations += map(Remove, sorted(state.rules - rules, reverse=True))
    operations += gone
    operations += map(Remove, sorted(state.fallbacks - last))
    operations += [
        ChangeUnit(name, state.units.get(name), unit)
        for name, unit in units.items()
        if state.units.get(name) != unit and (keep or name != WATCH_UNIT)
    ]
    everything = (*books.opening, *operations, *books.closing)
    return Plan(everything, predict(state, everything))


def _rules(wanted: ReturnRoute, routes: Mapping[str, Route]) -> frozenset[Rule]:
    """Return the rules of these routes' families; with a gateway for all traffic, except to the links of the host."""
    found = set()
    for source in wanted.services if routes else ():
        family = "ipv6" if ":" in source.address else "ipv4"
        found.add(Rule(wanted.table, wanted.priority, family, source.address, source.protocol, source.ports))
    for family in routes if wanted.everything else ():
        found.add(Rule(MAIN_TABLE, wanted.priority + 1, family, more_than_default=True))
        found.add(Rule(wanted.table, wanted.priority + 2, family))
    return frozenset(found)


def _with_former(
    state: HostState, wanted: ReturnRoute, rules: frozenset[Rule], answers_itself: bool
) -> frozenset[Rule]:
    """Return these rules and those of earlier tasks for single addresses.

    A rule for all traffic is removed at once, because the rules for services work without it. It is not added while the
    host answers clients itself: these replies would go to the gateways too.
    """
    for_services = {rule for rule in rules if rule.address}
    for_everything = rules - for_services
    former = {rule for rule in state.rules if rule.address or rule.destination}
    new = {rule.family for rule in for_services - state.rules} if answers_itself else set[str]()
    families = [(address, "ipv6" if ":" in address else "ipv4") for address in wanted.direct]
    direct = {
        Rule(MAIN_TABLE, wanted.priority - 1, family, destination=address)
        for address, family in families
        if family in new
    }
    if answers_itself:
        for_everything &= state.rules
    return frozenset(for_services | for_everything | former | direct)


def _routes(state: HostState, wanted: ReturnRoute) -> dict[str, Route]:
    """Return the default route of each family, through the interface that has the services' addresses."""
    interfaces = {address.address: address.interface for address in state.addresses}
    found: dict[str, Route] = {}
    for source in wanted.services:
        interface = interfaces.get(source.address)
        if interface is None:
            raise HostError(f"services: this host has no address {source.address}")
        if wanted.persist:
            interface_name("services", interface)
        family = "ipv6" if ":" in source.address else "ipv4"
        gateway = wanted.gateways[family]
        if gateway in interfaces:
            raise HostError(f"gateways: {gateway} is an address of this host itself")
        route = Route(wanted.table, family, gateway, interface)
        if found.setdefault(family, route) != route:
            raise HostError(
                f"services: {source.address} is on {interface}, another address of its family on"
                f" {found[family].interface}, and both must use {gateway}"
            )
    return found


def routes_unit(header: str, routes: Sequence[Route], rules: Sequence[Rule]) -> Unit:
    """Return the unit that sets routes and rules once the interfaces exist.

    It has no ExecStop: stopping it must not redirect replies of live connections.
    """
    interfaces = sorted({route.interface for route in routes})
    lines = _route_lines(routes)
    # so that it can run again
    flushed = {(rule.family, f"protocol {ROUTE_PROTOCOL}" if rule.marked else f"table {rule.table}") for rule in rules}
    lines += [f"{family[-1]} rule flush {which}" for family, which in sorted(flushed)]
    lines += [f"{rule.family[-1]} rule add {rule.batch_words()}" for rule in rules]
    commands = [
        f"ExecStart=/bin/sh -ec 'sed -n \"s/^{family} //p\" | ip -{family} -force -batch -'\n"
        for family in sorted({line[0] for line in lines})
    ]
    return Unit(
        _ROUTES_UNIT.format(
            header=header,
            devices=" ".join(map(device_unit, interfaces)),
            links="".join(f"ExecStart=ip link set dev {interface} up\n" for interface in interfaces),
            commands="".join(commands),
            batch="".join(f"StandardInputText={line}\n" for line in lines),
            sandbox=sandbox.early("CAP_NET_ADMIN"),
        )
    )


def watch_unit(header: str, routes: Sequence[Route]) -> Unit:
    """Return the unit that sets routes again when an interface has lost them, for as long as it runs."""
    families = sorted({route.family[-1] for route in routes})
    # ip prints an error for each route while the interface is down, so its output is discarded.
    commands = "".join(
        f'echo "$$routes" | sed -n "s/^{family} //p" | ip -{family} -force -batch - 2>/dev/null; '
        for family in families
    )
    text = _WATCH_UNIT.format(
        header=header,
        routes_unit=ROUTES_UNIT,
        commands=commands,
        batch="".join(f"StandardInputText={line}\n" for line in _route_lines(routes)),
        sandbox=sandbox.early("CAP_NET_ADMIN"),
    )
    return Unit(text, running=True)


def _route_lines(routes: Sequence[Route]) -> list[str]:
    """Return the commands for routes and their fallbacks, a line each, after the number of the family."""
    lines = [
        f"{route.family[-1]} route replace default via {route.gateway} dev {route.interface} onlink table {route.table}"
        for route in routes
    ]
    lines += [f"{one.family[-1]} route replace {one.batch_words()}" for one in fallbacks(routes)]
    return lines


def converge_return_route(target: Host, wanted: ReturnRoute, check_mode: bool) -> Outcome:
    """Apply the described routes and rules to a host, or predict the result. Raises HostError."""
    if wanted.present and wanted.persist and wanted.services:
        target.require_boot("set the routes", needs_ip=True)

    def read() -> HostState:
        return target.read(
            Query(
                files=(NETWORKD_FILE,),
                record=RECORD_FILE,
                unit=ROUTES_UNIT,
                more_units=(WATCH_UNIT,),
                addresses=True,
                routes=wanted.table,
            )
        )

    vips = parse_record(VIPS_RECORD, target.text(VIPS_RECORD)).vips if not wanted.purge else {}

    def plan(state: HostState, purge: bool = wanted.purge) -> Plan:
        return plan_return_route(state, replace(wanted, purge=purge), bool(vips))

    return settle(read, plan, target.apply, check_mode, purge=None if wanted.purge else partial(plan, purge=True))
