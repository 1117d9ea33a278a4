# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster model: one description, expanded into what each host needs.

    description + inventory  ->  read  ->  resolve  ->  Cluster  ->  director(host), real_server(host), as_dict()

Pure: nothing here touches a host, a file or Ansible. The whole cluster is validated first, for any host; all problems
are one `ModelError` with one line each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from ansible_collections.lvs.cluster.plugins.module_utils._host.decapsulation import parse_tunnels
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.agreement import (
    DESCRIPTION,
    check_agreement,
    check_timeouts,
    check_variables,
    different_gateways,
    found_elsewhere,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.check_commands import program_path, uses_program
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import (
    OWN_USER,
    check_checker,
    check_email,
    check_pools,
    drain_files,
    emails,
    runs_commands,
    seen_within,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.forward_methods import (
    all_tunnel_sources,
    check_marks,
    check_reply_ports,
    check_return_traffic,
    check_transit,
    check_tunnels,
    direct,
    floating,
    gateways_of,
    held_vips,
    nat_services,
    replies,
    route_sources,
    routed_families,
    sending_all,
    tunnel_ends,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import (
    DIRECTORS,
    REAL_SERVERS,
    Inventory,
    InventoryError,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.ipvs_entries import (
    health_checked,
    pools,
    table_entries,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import (
    HANDOVER_FILE,
    Instance,
    check_both_daemons,
    check_families,
    check_group_names,
    check_groups,
    director_addresses,
    handover_file,
    hands_over,
    instances,
    known_senders,
    leaving_directors,
    priorities,
    several_groups,
    used_ports,
    vrrp_groups,
    with_first,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.requirements import (
    addresses_of_director,
    addresses_of_real_server,
    director_packages,
    forwards,
    kept_addresses,
    kernel_modules,
    real_server_packages,
    state_of_director,
    sysctls,
    sysctls_of_checks,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import (
    RealServer,
    ResolvedService,
    check_overlaps,
    resolve,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.through_vip import (
    Way,
    asked,
    check_through_vip,
    entries,
    marks,
    sources,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of, to_address
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    CHECK_SOURCES,
    DIRECTOR,
    INTERFACE,
    KEEPALIVED,
    NAT_GATEWAY,
    VIPS,
    VIRTUAL_ROUTER_ID,
    VRRP_GROUPS,
    DirectorSettings,
    Email,
    RealServerSettings,
    SyncDaemon,
    Tracked,
    VrrpGroup,
    read_director_settings,
    read_real_server_settings,
    read_user,
    read_vips,
    read_vrrp_groups,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    ModelError,
    Problems,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.service_reader import read_services


def build_cluster(
    description: object, groups: object, hostvars: object, written: Callable[[str], object] | None = None
) -> Cluster:
    """Validate ``lvs_virtual_services`` against the inventory and expand it; raises `ModelError`.

    ``written``: the variables of a host with their templates as written (`Inventory`).
    """
    return expand_cluster(description, inventory_of(groups, hostvars, written))


def inventory_of(groups: object, hostvars: object, written: Callable[[str], object] | None = None) -> Inventory:
    """Return the inventory; raises `ModelError` if it is not one."""
    problems = Problems()
    if not isinstance(groups, Mapping):
        text = "is not a mapping of group names to lists of hosts"
        problems.refuse(Code.NOT_A_MAPPING, "groups", "", groups, text)
        raise ModelError(problems.found)
    if not isinstance(hostvars, Mapping):
        text = "is not a mapping of host names to variables"
        problems.refuse(Code.NOT_A_MAPPING, "hostvars", "", hostvars, text)
        raise ModelError(problems.found)
    return Inventory(groups, hostvars, written)


def expand_cluster(description: object, inventory: Inventory) -> Cluster:
    """Return the cluster of a description and an inventory; raises `ModelError`."""
    problems = Problems()
    if description is None and (where := found_elsewhere(DESCRIPTION, inventory)):
        problems.add(Code.MISSING, DESCRIPTION, "", f"is missing{where}, and all directors need it")
        problems.raise_any()
    services = read_services(description, problems)
    resolved = resolve(services, inventory, problems)
    check_marks(resolved, problems)
    check_through_vip(resolved, problems)
    check_reply_ports(resolved, problems)
    check_overlaps(services, problems)
    check_groups(resolved, problems)
    check_tunnels(resolved, problems)
    check_pools(resolved, problems)
    inventory.check_names((server.host for item in resolved for server in item.servers if server.host), problems)
    problems.raise_any()
    return Cluster(tuple(resolved), inventory)


@dataclass(frozen=True)
class DirectorModel:
    """The needs of one director, as values; `_render.host_models` turns them into texts for other programs.

    - ``directors``: those of its cluster, in their order
    - ``resolved``: all services
    - ``vips``: IPv4 first, then by number
    - ``groups``: of each VIP the name of its VRRP group, empty for the default one
    - ``instances``: the VRRP instances, one for each family of each group
    - ``health_checker``: its name
    - ``tracked``: what it tracks; empty if no other director could take over
    - ``notify``: commands by state (`host_settings.NOTIFICATIONS`); empty if there are no VIPs
    - ``emails``: program -> the e-mails that it sends (`checkers.emails`)
    - ``sync_daemon``: None without connection synchronisation. ``sync_senders`` are the addresses that it accepts that
      from, empty if they are not known. ``sync_source``: ``{"interface": "eth1", "from": ["192.0.2.2"]}``, the
      addresses that the other directors accept synchronisation from; empty if they accept all on that link
    - ``script_user``: the user that commands run as, of health checks, services, tracked scripts and notifications;
      empty if there are none. ``keepalived_user`` is the same if keepalived runs some of them
    - ``check_program``: the path of the program that makes health checks (`check_commands`); empty if none needs it
    - ``transit``: True if it forwards packets of no service. ``sending_all``: addresses of real servers that send
      all of their traffic through the directors
    - ``moving``: VIPs for which it would forward packets while another director has them
    - ``services``: what the module ``ipvs_table`` takes, one entry a port (`ipvs_entries.table_entries`)
    - ``check_marks``: the firewall marks of health checks through a VIP (`through_vip.marks`), and ``check_sources``
      the addresses that these come from, by family
    - ``owned_elsewhere``: identities (`Service.identities`) of services that belong to the health checker, which
      is the module's ``exclude``
    - ``health_checked``: the same services with their real and sorry servers (`ipvs_entries.health_checked`)
    - ``identities``: those of all services
    - ``packages``: a list of names
    - ``kernel_modules``: a list of names (`requirements.kernel_modules`)
    - ``sysctls``: key -> value (`requirements.sysctls`), with those of the inventory over them
    - ``drain_files``: address -> path, the files that drain real servers of services that belong to the health
      checker; their directory has to exist before keepalived is started
    - ``drainable``: the addresses of all real servers
    - ``handover_file``: a path; a 1 in that file lowers the priority. Empty without another director
    - ``interface_variables``: the network interfaces that have to exist -> the variable that names each
    - ``own_addresses``, ``present``: the required state of the director (`requirements.addresses_of_director`,
      `requirements.state_of_director`)
    - ``route_sources``: ``[{"to": "198.51.100.11", "from": ["192.0.2.2"]}]``, the addresses of this director from which
      real servers accept tunnel packets
    - ``undecided_forwarding``: forwarded families without a ``director_transit``; other hosts may rely on a director
      that already forwarded them
    """

    host: str
    directors: tuple[str, ...]
    settings: DirectorSettings
    resolved: tuple[ResolvedService, ...]
    vips: tuple[IPAddress, ...]
    groups: Mapping[IPAddress, str]
    instances: tuple[Instance, ...]
    health_checker: str
    tracked: Tracked
    notify: Mapping[str, str]
    emails: Mapping[str, Email]
    sync_daemon: SyncDaemon | None
    sync_senders: tuple[str, ...]
    sync_source: dict[str, object]
    script_user: str
    keepalived_user: str
    check_program: str
    transit: bool
    sending_all: frozenset[IPAddress]
    moving: tuple[IPAddress, ...]
    services: list[dict[str, object]]
    check_marks: Mapping[Way, int]
    check_sources: Mapping[str, IPAddress]
    owned_elsewhere: list[dict[str, object]]
    health_checked: list[dict[str, object]]
    identities: list[dict[str, object]]
    packages: list[str]
    kernel_modules: list[str]
    sysctls: dict[str, int | str]
    drain_files: dict[str, str]
    drainable: list[str]
    handover_file: str
    interface_variables: dict[str, str]
    own_addresses: list[dict[str, str]]
    present: dict[str, object]
    route_sources: list[dict[str, object]]
    undecided_forwarding: list[str]


@dataclass(frozen=True)
class RealServerModel:
    """The needs of one real server, as values.

    - ``directors``: those of its clusters
    - ``vips``: those that it must hold without ARP: of its services with dr or tun, IPv4 first, then by number. Empty
      for a host without such services.
    - ``return_route``: ``{"gateways": ["192.0.2.1"], "services": [...], "direct": ["192.0.2.2"]}``, what the
      module of that name takes, for its services that forward by nat. All are empty for a host without any.
    - ``tunnels``: what the module ``ipvs_tunnel`` takes (`forward_methods.tunnel_ends`)
    - ``tunnel_sources``: the addresses from which it accepts tunnel packets, by family; None for all
    - ``own_addresses``: the addresses that it has to have now (`requirements.addresses_of_real_server`)
    - ``packages``: a list of names
    - ``kernel_modules``: the kernel modules that the tunnels need
    """

    host: str
    directors: tuple[str, ...]
    settings: RealServerSettings
    resolved: tuple[ResolvedService, ...]
    vips: tuple[IPAddress, ...]
    return_route: dict[str, object]
    tunnels: list[dict[str, object]]
    tunnel_sources: dict[str, list[IPAddress]] | None
    own_addresses: list[dict[str, str]]
    packages: list[str]
    kernel_modules: list[str]


@dataclass(frozen=True)
class Draining:
    """What drains real servers.

    - ``addresses``: theirs
    - ``services``, ``health_checked``: options of the module ``ipvs_drain``: their services, reduced to them;
      ``health_checked`` with their ``quorum``, and both with ``vips`` if these can be on different directors
    - ``seen_within``: seconds until a health checker has noticed a drain
    - ``connections``: ``{"address": "192.0.2.11", "port": 80}``, where they accept TCP
    """

    addresses: list[str]
    services: list[dict[str, object]]
    health_checked: list[dict[str, object]]
    seen_within: float
    connections: list[dict[str, object]]


@dataclass(frozen=True)
class Cluster:
    """A valid description together with the inventory it was checked against."""

    resolved: tuple[ResolvedService, ...]
    inventory: Inventory

    @cached_property
    def by_host(self) -> dict[str, tuple[ResolvedService, ...]]:
        """The services of each real server, reduced to it: what a host costs does not depend on the others."""
        found: dict[str, list[ResolvedService]] = {}
        for item in self.resolved:
            servers: dict[str, list[RealServer]] = {}
            for server in item.servers:
                if server.host is not None:
                    servers.setdefault(server.host, []).append(server)
            for host, own in servers.items():
                found.setdefault(host, []).append(ResolvedService(item.service, tuple(own)))
        return {host: tuple(items) for host, items in found.items()}

    @cached_property
    def _servers(self) -> dict[IPAddress, str]:
        """The addresses of all real servers, and the host of each."""
        return {server.address: server.host or "a real server" for item in self.resolved for server in item.servers}

    @cached_property
    def _nat_services(self) -> dict[str, str]:
        """The families with a host that Ansible manages behind nat, and the first such service of each."""
        return nat_services(self.resolved)

    def director(self, host: str, variables: Mapping[str, object]) -> DirectorModel:
        """Return the needs of one director; raises `ModelError` if the host is not one or a setting is wrong.

        ``variables``: those set for the host that are in `host_settings.DIRECTOR`.
        """
        problems = Problems()
        require_member(DIRECTORS, host, self.inventory, problems)
        settings = _director_settings(variables, self.inventory, problems)
        vips = self.vips()
        # no director could take over, or there are no VIPs
        tracked = settings.tracked if len(self.inventory.directors) > 1 and vips else Tracked()
        notify = settings.notify if vips else {}
        checker = settings.health_checker
        commands = runs_commands(self.resolved) and checker not in OWN_USER
        of_vrrp = bool(tracked.scripts or notify)
        user = read_user(settings.script_user, problems) if commands or of_vrrp else ""
        check_checker(checker, settings.check_sources, self.resolved, problems)
        check_email(settings.email, host, checker, problems)
        from_here = self._check_sources(host, settings, problems)
        gateways = self.gateways_of(settings.nat_gateway, problems)
        check_timeouts(self.inventory, problems)
        leaving = leaving_directors(settings.directors_that_leave, self.inventory, problems)
        routed = routed_families(self.resolved)
        check_transit(settings.transit, routed, settings.sysctls, problems)
        check_group_names(self.resolved, settings.vrrp_groups, self.inventory, problems)
        problems.raise_any()
        for vip in settings.vips:
            if vip not in vips:
                problems.refuse(Code.NO_VIP, VIPS, "", vip, "is not a VIP of any service")
        inside = floating(gateways.values(), vips, self.inventory)
        groups = vrrp_groups(self.resolved, settings.vrrp_groups, settings.virtual_router_id, inside)
        vrrp = instances(host, groups, self.inventory, settings, problems)
        pair = any(instance.peers for instance in vrrp)
        daemon = settings.sync_daemon if pair else None
        if daemon is not None:
            check_families(self.resolved, problems)
            if several_groups(vrrp):
                check_both_daemons(self.resolved, checker, settings.sysctls, problems)
        problems.raise_any()
        services = [item.service for item in self.resolved]
        kernel = {
            **sysctls(self.resolved, len(self.inventory.directors), settings.interfaces, settings.flood_defence),
            **(sysctls_of_checks(settings.interfaces) if "ipv4" in from_here else {}),
            **kept_addresses(settings),
            **settings.sysctls,
        }
        try:
            through = set[IPAddress]() if settings.transit else sending_all(self.resolved, self.inventory)
            outer_sources = route_sources(host, self.resolved, self.inventory)
        except InventoryError as error:
            error.note(problems, "")
            raise ModelError(problems.found) from error
        senders, source = self._synchronisation(host, daemon, settings)
        return DirectorModel(
            host=host,
            directors=self.inventory.directors,
            settings=settings,
            resolved=self.resolved,
            vips=tuple(vips),
            groups={vip: group.name for group in groups for vip in group.vips},
            instances=tuple(vrrp),
            health_checker=checker,
            tracked=tracked,
            notify=notify,
            emails=emails(settings.email, host, checker),
            sync_daemon=None if daemon is None else replace(daemon, ports=used_ports(kernel)),
            sync_senders=senders,
            sync_source=source,
            script_user=user,
            keepalived_user=user if of_vrrp or checker == KEEPALIVED else "",
            check_program=program_path(checker) if uses_program(self.resolved) else "",
            transit=bool(settings.transit),
            sending_all=frozenset(through),
            moving=tuple(vip for vip in vips if pair and forwards(kernel, vip.version)),
            services=[*table_entries(self.resolved), *entries(self.resolved)],
            check_marks=marks(self.resolved),
            check_sources=from_here,
            owned_elsewhere=self.owned_elsewhere(),
            health_checked=health_checked(self.resolved),
            identities=self.identities(),
            packages=director_packages(checker) if settings.packages is None else list(settings.packages),
            kernel_modules=kernel_modules(services),
            sysctls=kernel,
            drain_files=drain_files(self.resolved),
            drainable=[
                str(one) for one in _sorted({server.address for item in self.resolved for server in item.servers})
            ],
            handover_file=HANDOVER_FILE if hands_over(vrrp) else "",
            interface_variables=_links(settings, daemon, tracked),
            own_addresses=addresses_of_director(
                host, vrrp, [*settings.check_sources.values(), *from_here.values()], self.inventory
            ),
            present=state_of_director(vrrp, leaving, self.resolved, bool(vips)),
            route_sources=outer_sources,
            undecided_forwarding=routed if settings.transit is None else [],
        )

    def _check_sources(self, host: str, settings: DirectorSettings, problems: Problems) -> dict[str, IPAddress]:
        """Return the addresses that the director's checks through a VIP come from: family -> address."""
        needed = asked(self.resolved)
        if not needed:
            return {}
        own: dict[str, IPAddress] = {}
        with suppress(InventoryError):
            own = dict(self.inventory.addresses(host))
        found = sources(settings.check_sources, own, self.resolved)
        for family in needed:
            if family not in found:
                text = f"is missing: health checks through a VIP need an {family} address of {host}"
                problems.add(Code.NO_ADDRESS, CHECK_SOURCES, "", text, family)
        return found

    @cached_property
    def _different_gateways(self) -> dict[str, str]:
        """The texts about hosts with different gateways; once for all hosts, each of which may need it."""
        return different_gateways(self.inventory)

    @cached_property
    def held_vips(self) -> dict[IPAddress, str]:
        """The VIPs that no real server can have as its gateway, with the texts; once for all real servers."""
        return held_vips(self.resolved)

    def _synchronisation(
        self, host: str, daemon: SyncDaemon | None, settings: DirectorSettings
    ) -> tuple[tuple[str, ...], dict[str, object]]:
        """Return the addresses from which a director accepts synchronisation, and from which the others accept its
        own.
        """
        if daemon is None:
            return (), {}
        given = settings.sync_senders
        known = {} if given else known_senders(daemon, settings.interface, self.inventory)
        senders = given or tuple(one for name, one in known.items() if name != host)
        # with IPv6 the source that the kernel selects is not predictable
        if senders and daemon.family == "ipv4":
            return senders, {"interface": daemon.interface, "from": [*given] or [known[host]]}
        return senders, {}

    def real_server(self, host: str, variables: Mapping[str, object]) -> RealServerModel:
        """Return the needs of one real server; raises `ModelError` for a host of another group, or for a wrong setting.

        ``variables``: those set for the host that are in `host_settings.REAL_SERVER`.
        """
        return real_server_of([self], host, variables)

    def gateways_of(self, given: Mapping[str, IPAddress], problems: Problems) -> dict[str, IPAddress]:
        """Return the gateway of each family that needs one (`forward_methods.gateways_of`)."""
        return gateways_of(
            given, self._nat_services, self._servers, self.inventory, problems, lambda: self._different_gateways
        )

    @cached_property
    def gateways(self) -> dict[str, IPAddress]:
        """The gateways that the variable of the directors has, for the families that need one."""
        found: dict[str, IPAddress] = {}
        with suppress(InventoryError):
            given = self.inventory.variable(self.inventory.directors[0], NAT_GATEWAY)
            for one in given if isinstance(given, (list, tuple)) else [given]:
                address = to_address(one)
                if address is not None and family_of(address) in self._nat_services:
                    found.setdefault(family_of(address), address)
        return found

    def draining(self, hosts: Sequence[str]) -> Draining:
        """Return what drains real servers, which are in services, in all their services of this cluster."""
        # Drain files are named after addresses, so services that list an address without a host count too.
        own = {server.address for host in hosts for item in self.by_host[host] for server in item.servers}
        concerned = [item for item in self.resolved if any(server.address in own for server in item.servers)]
        resolved = [
            replace(item, servers=tuple(server for server in item.servers if server.address in own))
            for item in concerned
        ]
        several = len({item.service.vrrp_group for item in self.resolved if item.service.vips}) > 1
        ends = {
            (server.address, server.port or port)
            for item in resolved
            if item.service.protocol == "tcp"
            for port in item.service.ports
            for server in item.servers
        }
        return Draining(
            addresses=[str(one) for one in _sorted({server.address for item in resolved for server in item.servers})],
            services=pools(resolved, health_checked=False, vips=several),
            health_checked=pools(resolved, health_checked=True, quorum=True, vips=several),
            seen_within=seen_within(concerned),
            connections=[
                {"address": str(address), "port": port}
                for address, port in sorted(ends, key=lambda end: (end[0].version, int(end[0]), end[1]))
                if port
            ],
        )

    def check_hosts(self) -> None:
        """Raise `ModelError` for unknown variables, and for contradictory settings and addresses."""
        problems = Problems()
        check_variables(self.inventory, problems)
        check_agreement(self.inventory, problems)
        problems.raise_any()

    def check(self) -> None:
        """Raise `ModelError` for everything that is refused for any director, except its own settings."""
        problems = Problems()
        try:
            self.inventory.members(DIRECTORS)
        except InventoryError as error:
            error.note_group(problems, DIRECTORS)
        problems.raise_any()
        director_addresses(self.vips(), self.inventory, problems)
        try:
            check_group_names(self.resolved, self._known_groups(problems), self.inventory, problems)
            self.inventory.variable(self.inventory.directors[0], VIPS)
        except InventoryError as error:
            error.note(problems, f"group {DIRECTORS}")
        problems.raise_any()

    def _known_groups(self, problems: Problems) -> dict[str, VrrpGroup]:
        """Return the VRRP groups that the variable of the directors has. Raises `InventoryError`."""
        first = self.inventory.directors[0]
        given, of_default = (self.inventory.variable(first, name) for name in (VRRP_GROUPS, VIRTUAL_ROUTER_ID))
        return read_vrrp_groups(given, DIRECTOR[VIRTUAL_ROUTER_ID] if of_default is None else of_default, problems)

    def _groups(self) -> list[dict[str, object]]:
        """Return the VRRP groups that have VIPs."""
        groups = vrrp_groups(self.resolved, self._known_groups(Problems()), 0)
        usual = priorities(self.inventory, Problems())
        return [
            {
                "name": group.shown,
                "vips": [str(vip) for vip in group.vips],
                "priorities": with_first(usual, group.first),
                "handover_file": handover_file(group.name, len(groups) > 1),
            }
            for group in groups
        ]

    def as_dict(self) -> dict[str, object]:
        """Return the whole cluster, for checks from outside and for reports.

        ``{"vips": [as for a director], "services": [...], "owned_elsewhere": [...], "health_checked": [`table.pools`],
        "directors": ["lb1"], "priorities": {"lb1": 200},
        "vrrp_groups": [{"name": "default", "vips": ["192.0.2.10"], "priorities": {"lb1": 200}, "handover_file": ""}],
        "addresses": {"lb1": ["192.0.2.2"]},
        "handover_file": "",
        "real_servers": {"rs1": {"vips": ["192.0.2.10"]}}, "direct_vips": ["192.0.2.10"],
        "connections": [{"name": "web", "address": "192.0.2.10", "port": 80}]}``

        ``addresses`` has every host of both groups that has any, ``real_servers`` every host of the group.
        ``direct_vips`` are on the real servers' link (those of dr without an interface of their own), and
        ``connections`` what accepts TCP. A range of ports is not in them: a server need not listen on each. Raises what
        `check` raises.
        """
        self.check()
        options = read_vips(self.inventory.variable(self.inventory.directors[0], VIPS), "", Problems())
        serving: dict[str, set[IPAddress]] = {host: set() for host in self.inventory.real_servers}
        for item in self.resolved:
            for server in item.servers:
                if server.host is not None and server.holds_vip:
                    serving[server.host].update(item.service.vips)
        return {
            "vips": [
                {
                    "address": str(vip),
                    "family": family_of(vip),
                    "prefix": options[vip].prefix if vip in options else vip.max_prefixlen,
                }
                for vip in self.vips()
            ],
            "services": [*table_entries(self.resolved), *entries(self.resolved)],
            "owned_elsewhere": self.owned_elsewhere(),
            "health_checked": pools(self.resolved, health_checked=True, thresholds=True),
            "directors": list(self.inventory.directors),
            "priorities": priorities(self.inventory, Problems()),
            "vrrp_groups": self._groups(),
            "addresses": self._addresses(),
            "handover_file": HANDOVER_FILE if len(self.inventory.directors) > 1 and self.vips() else "",
            "real_servers": {host: {"vips": [str(vip) for vip in _sorted(vips)]} for host, vips in serving.items()},
            "direct_vips": [
                str(vip)
                for vip in _sorted({vip for item in self.resolved if "dr" in item.methods for vip in item.service.vips})
                if not (vip in options and options[vip].interface)
            ],
            "connections": [
                {"name": item.service.name, "address": str(vip), "port": low}
                for item in self.resolved
                for traffic in item.service.traffic
                if traffic.protocol == "tcp"
                for low, high in traffic.ports
                if low == high
                for vip in traffic.vips
            ],
        }

    def _addresses(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for host in (*self.inventory.directors, *self.inventory.real_servers):
            with suppress(InventoryError):  # a host that no service uses needs none
                found[host] = [str(address) for address in self.inventory.addresses(host).values()]
        return found

    def vips(self, host: str | None = None) -> list[IPAddress]:
        """Return all VIPs, or those that one real server must hold itself."""
        items = self.resolved if host is None else self.by_host.get(host, ())
        return _sorted({vip for item in items if host is None or _holds_vip(item, host) for vip in item.service.vips})

    def identities(self) -> list[dict[str, object]]:
        """Return the identities of all services, in the order of the description."""
        return [identity for item in self.resolved for identity in item.service.identities()]

    def owned_elsewhere(self) -> list[dict[str, object]]:
        """Return the identities of services that belong to the health checker, in the order of the description."""
        return [
            identity
            for item in self.resolved
            if item.service.health_check is not None
            for identity in item.service.identities()
        ]


def real_server_of(clusters: Sequence[Cluster], host: str, variables: Mapping[str, object]) -> RealServerModel:
    """Return the needs of a real server of one or several clusters (`Cluster.real_server`)."""
    problems = Problems()
    for cluster in clusters:
        require_member(REAL_SERVERS, host, cluster.inventory, problems)
    settings = read_real_server_settings(variables, problems)
    own = tuple(item for cluster in clusters for item in cluster.by_host.get(host, ()))
    vips = _sorted({vip for item in own if _holds_vip(item, host) for vip in item.service.vips})
    check_return_traffic(host, settings.return_traffic, own, problems)
    gateways = _return_gateways(clusters, host, settings, vips, problems)
    sources: dict[str, set[IPAddress]] = {}
    for cluster in clusters if settings.tunnel_guard else ():
        found = all_tunnel_sources(host, cluster.by_host.get(host, ()), cluster.inventory, problems)
        for family, addresses in found.items():
            sources.setdefault(family, set()).update(addresses)
    if len(clusters) > 1:
        check_tunnels(own, problems)
    problems.raise_any()
    ends = tunnel_ends(host, own)
    return RealServerModel(
        host=host,
        directors=tuple(director for cluster in clusters for director in cluster.inventory.directors),
        settings=settings,
        resolved=own,
        vips=tuple(vips),
        return_route={
            "gateways": [str(address) for _family, address in sorted(gateways.items())],
            "services": replies(host, own),
            "direct": list(
                dict.fromkeys(address for cluster in clusters for address in direct(cluster.inventory, gateways))
            ),
        },
        tunnels=ends,
        tunnel_sources={family: _sorted(of) for family, of in sources.items()} if settings.tunnel_guard else None,
        own_addresses=addresses_of_real_server(host, own, clusters[0].inventory),
        packages=real_server_packages(bool(ends)) if settings.packages is None else list(settings.packages),
        kernel_modules=list(parse_tunnels(True, ends, True).modules),
    )


def _return_gateways(
    clusters: Sequence[Cluster],
    host: str,
    settings: RealServerSettings,
    vips: Sequence[IPAddress],
    problems: Problems,
) -> dict[str, IPAddress]:
    """Return the gateway of each family in which the host replies for nat: family -> address.

    Notes a gateway that is one of the host's VIPs, and two clusters with different ones.
    """
    found: dict[str, IPAddress] = {}
    for cluster in clusters:
        gateways = cluster.gateways_of(settings.nat_gateway, problems)
        own = cluster.by_host.get(host, ())
        used = {family_of(address) for one in replies(host, own) if (address := to_address(one["address"]))}
        for family, gateway in gateways.items():
            if family not in used:
                continue
            if gateway in vips:
                # the module return_route refuses it too
                text = cluster.held_vips.get(gateway, f"is a VIP that {host} holds itself: give a free address")
                problems.refuse(Code.HELD_GATEWAY, NAT_GATEWAY, "", gateway, text)
            needed = cluster.gateways.get(family, gateway)
            if needed != gateway or found.setdefault(family, gateway) != gateway:
                other = needed if needed != gateway else found[family]
                text = f"is {gateway} for {host}, and another of its clusters needs {other}: a host has one per family"
                problems.add(Code.DIFFERS, NAT_GATEWAY, "", text, str(gateway))
    return found


def check_settings(group: str, variables: Mapping[str, object], inventory: Inventory) -> None:
    """Raise `ModelError` for wrong settings of a host, where its cluster is not known."""
    problems = Problems()
    if group == DIRECTORS:
        _director_settings(variables, inventory, problems)
    else:
        read_real_server_settings(variables, problems)
    problems.raise_any()


def _director_settings(variables: Mapping[str, object], inventory: Inventory, problems: Problems) -> DirectorSettings:
    missing = variables.get(INTERFACE) is None
    return read_director_settings(variables, problems, found_elsewhere(INTERFACE, inventory) if missing else "")


def _links(settings: DirectorSettings, daemon: SyncDaemon | None, tracked: Tracked) -> dict[str, str]:
    """Return the network interfaces that have to exist, and the variable that names each."""
    links = {settings.interface: INTERFACE}
    links.setdefault(settings.gateway_interface or settings.interface, "director_gateway_interface")
    for vip in settings.vips:
        links.setdefault(settings.link(vip), VIPS)
    if daemon is not None:
        links.setdefault(daemon.interface, "director_sync_interface")
    for name in tracked.interface_names:
        links.setdefault(name, "director_track_interfaces")
    return links


def _holds_vip(item: ResolvedService, host: str) -> bool:
    """Return True if a real server must hold the service's VIP, because packets reach it unrewritten."""
    return any(server.holds_vip for server in item.servers if server.host == host)


def _sorted(vips: set[IPAddress]) -> list[IPAddress]:
    return sorted(vips, key=lambda vip: (vip.version, int(vip)))


def require_member(group: str, host: object, inventory: Inventory, problems: Problems) -> None:
    """Note a group without hosts, or a host that is not in it."""
    try:
        members = inventory.members(group)
    except InventoryError as error:
        error.note_group(problems, group)
        return
    if host not in members:
        problems.add(Code.NOT_IN_GROUP, f"host {host}", "", f"is not in the inventory group {group!r}")
