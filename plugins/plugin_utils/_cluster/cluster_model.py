# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster model: one description, expanded into what each host needs.

    description + inventory  ->  read  ->  resolve  ->  Cluster  ->  director(host), real_server(host), as_dict()

Pure: nothing here touches a host, a file or Ansible. Everything is validated before anything comes out, for the whole
cluster, whichever host is asked for; what is wrong comes as one `ModelError` with one line per problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from ansible_collections.lvs.cluster.plugins.module_utils.host.tunnel_plan import parse_tunnels
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.agreement import DESCRIPTION, check_agreement
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.forward_methods import (
    check_marks,
    check_return_traffic,
    direct,
    floating,
    read_gateways,
    replies,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.host_packages import (
    director_packages,
    real_server_packages,
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
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.overlaps import check_overlaps
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.own_state import (
    addresses_of_director,
    addresses_of_real_server,
    read_leaving,
    state_of_director,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import (
    director_addresses,
    instances,
    read_link,
    read_settings,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.requirements import (
    forwards,
    kernel_modules,
    read_flood_defence,
    read_leaving_timeout,
    read_sysctls,
    read_timeouts,
    sysctls,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService, resolve
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.tunnelling import (
    check_tunnels,
    read_guard,
    read_mtu,
    real_server_rules,
    route_sources,
    tunnel_ends,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of, to_address
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.health import check_pools, seen_within
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import ModelError, Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.service_reader import read_services
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import UNREWRITTEN
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.sync_daemon import (
    check_families,
    known_senders,
    read_senders,
    read_sync_daemon,
    used_ports,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.tracking import Tracked, read_tracked
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.variables import check_variables, found_elsewhere
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.guards import (
    read_transit,
    routed_families,
    sync_guard,
    transit_guard,
    vrrp_guard,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.keepalived import (
    DEFAULT_SCRIPT_USER,
    HANDOVER_FILE,
    VALIDATING_USER,
    configuration,
    hands_over,
    read_user,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.ldirectord import LDIRECTORD
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.mon import MON
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.nftables import director_rules
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.openings import forward_rules, input_rules
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.source_addresses import addresses_unit
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import KEEPALIVED, read_checker, refuse
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.virtual_servers import (
    checked,
    drain_files,
    runs_commands,
)

_OTHER_CHECKERS = {checker.unit: checker for checker in (LDIRECTORD, MON)}


def build_cluster(
    description: object, groups: object, hostvars: object, written: Callable[[str], object] | None = None
) -> Cluster:
    """Validate ``lvs_virtual_services`` against the inventory and expand it; raises `ModelError`.

    ``written``: the variables of a host with their templates as written (`Inventory`).
    """
    if not isinstance(groups, Mapping):
        raise ModelError([f"groups: {show(groups)} is not a mapping of group names to lists of hosts"])
    if not isinstance(hostvars, Mapping):
        raise ModelError([f"hostvars: {show(hostvars)} is not a mapping of host names to variables"])
    problems = Problems()
    inventory = Inventory(groups, hostvars, written)
    if description is None and (where := found_elsewhere(DESCRIPTION, inventory)):
        problems.add(DESCRIPTION, "", f"is missing{where}, and all directors and real servers need it")
        problems.raise_any()
    services = read_services(description, problems)
    resolved = resolve(services, inventory, problems)
    check_marks(resolved, problems)
    check_overlaps(services, problems)
    check_tunnels(resolved, problems)
    check_pools(resolved, problems)
    inventory.check_names((server.host for item in resolved for server in item.servers if server.host), problems)
    problems.raise_any()
    return Cluster(tuple(resolved), inventory)


@dataclass(frozen=True)
class Cluster:
    """A valid description together with the inventory it was checked against."""

    resolved: tuple[ResolvedService, ...]
    inventory: Inventory

    def director(
        self,
        host: str,
        interface: object,
        virtual_router_id: object = 51,
        advert_interval: object = 1,
        extra_sysctls: object = None,
        nat_gateway: object = None,
        gateway_interface: object = None,
        preempt: object = True,
        preempt_delay: object = 30,
        garp_refresh: object = 60,
        sync_daemon: object = True,
        sync_interface: object = None,
        script_user: object = DEFAULT_SCRIPT_USER,
        health_checker: object = KEEPALIVED,
        track_interfaces: object = None,
        track_scripts: object = None,
        vrrp_hops: object = 0,
        transit: object = None,
        sync_senders: object = None,
        timeouts: object = None,
        flood_defence: object = True,
        leaving_timeout: object = 60,
        directors_that_leave: object = None,
        packages: object = None,
    ) -> dict[str, object]:
        """What one director needs; raises `ModelError` when the host is none or a setting is bad.

        - ``vips``: ``[{"address": "192.0.2.10", "family": "ipv4", "prefix": 32}]``, IPv4 first, then by number
        - ``services``: what the module ``ipvs_table`` takes, one entry a port (`table.table_entries`)
        - ``owned_elsewhere``: identities (`Service.identities`) of services that belong to the health checker, which
          is the module's ``exclude``
        - ``health_checked``: the same services with their real and sorry servers (`table.health_checked`)
        - ``leaving_timeout``: for how many seconds the director waits for connections of real servers that leave
        - ``identities``: those of all services
        - ``packages``: a list of names (`packages.director_packages`)
        - ``kernel_modules``: a list of names (`kernel_settings.kernel_modules`)
        - ``sysctls``: key -> value (`kernel_settings.sysctls`), with ``extra_sysctls`` over them
        - ``defence_threshold``: whether the host works out the threshold of its flood defence
        - ``timeouts``: ``{"tcp": 900}``, those that are given, as the module ``ipvs_timeout`` takes them
        - ``nftables``: the rules of the table lvs_cluster (`nftables.director_rules`, `guards`), empty for no table
        - ``vrrp``: ``{"instances": [...]}`` (`vrrp.Instance.as_dict`)
        - ``keepalived``: its whole configuration (`keepalived.configuration`)
        - ``keepalived_validated``: the text that is validated instead, only if it names a user for commands
        - ``addresses_unit``: the unit that has keepalived wait for the addresses it needs, empty where there is
          nobody to speak to (`source_addresses`)
        - ``health_checker``: its ``name``, and the ``files`` that it takes beside that (`health_checkers.File`)
        - ``drain_files``: address -> path, the files that drain real servers of services that belong to the health
          checker (`virtual_servers`); their directory has to be there before keepalived is
        - ``drainable``: the addresses of all real servers
        - ``handover_file``: a path; a 1 in that file makes others come first. Empty where there is no other director
        - ``script_user``: the user that commands of health checks and tracked ones run as, empty where there is nobody
          to make for that
        - ``interfaces``: names of network interfaces that have to be there
        - ``interface_variables``: these names -> the variable that names each
        - ``own_addresses``, ``present``: what the director has to be like now (`own_state.addresses_of_director`,
          `own_state.state_of_director`)
        - ``route_sources``: ``[{"to": "198.51.100.11", "from": ["192.0.2.2"]}]``, from which addresses of this director
          real servers take packets of tunnels
        - ``undecided_forwarding``: families that the role forwards and for which ``transit`` is not given; somebody may
          rely on a host that forwarded them before
        - ``sync_source``: ``{"interface": "eth1", "from": ["192.0.2.2"]}``, which addresses the other directors take
          synchronisation from; empty where they take it from all on that link
        - ``openings``: rules for the host's own firewall, by hook: ``{"input": [...], "forward": [...]}`` (`openings`)
        """
        problems = Problems()
        _require_member(DIRECTORS, host, self.inventory, problems)
        settings = read_settings(
            interface,
            virtual_router_id,
            advert_interval,
            gateway_interface,
            problems,
            preempt,
            preempt_delay,
            garp_refresh,
            vrrp_hops,
            found_elsewhere("director_interface", self.inventory) if interface is None else "",
        )
        link = read_link(sync_interface, "director_sync_interface", settings.interface, problems)
        daemon = read_sync_daemon(sync_daemon, link, problems)
        senders = read_senders(sync_senders, daemon, problems) if daemon is not None else ()
        checker = read_checker(health_checker, problems)
        other = _OTHER_CHECKERS.get(checker)
        tracked = read_tracked(track_interfaces, track_scripts, problems)
        if len(self.inventory.directors) < 2 or not self.vips():  # nobody could take over, or nothing
            tracked = Tracked()
        checks_as_user = runs_commands(self.resolved) and (other is None or other.changes_user)
        user = read_user(script_user, problems) if checks_as_user or tracked.scripts else ""
        if other is not None:
            refuse(other, checked(self.resolved), problems)
        gateways = read_gateways(nat_gateway, self.resolved, self.inventory, problems)
        extra = read_sysctls(extra_sysctls, "director_sysctls", problems)
        seconds = read_timeouts(timeouts, self.inventory, problems)
        defends = read_flood_defence(flood_defence, problems)
        leaving = read_leaving_timeout(leaving_timeout, problems)
        gone = read_leaving(directors_that_leave, self.inventory, problems)
        installed = director_packages(packages, checker, problems)
        routed = routed_families(self.resolved)
        passes = read_transit(transit, routed, extra, problems)
        problems.raise_any()
        vips = self.vips()
        inside = floating(gateways.values(), vips, self.inventory)
        vrrp = instances(host, vips, inside, self.inventory, settings, problems)
        if not any(instance.peers for instance in vrrp):
            daemon = None
        if daemon is not None:
            check_families(self.resolved, problems)
        problems.raise_any()
        runs_as = user if tracked.scripts or other is None else ""

        def configured(as_user: str) -> str:
            return configuration(host, vrrp, () if other else self.resolved, daemon, as_user, tracked)

        services = [item.service for item in self.resolved]
        kernel = {**sysctls(services, len(self.inventory.directors), settings.interfaces, defends), **extra}
        moving = [vip for vip in vips if forwards(kernel, vip.version)] if any(one.peers for one in vrrp) else []
        guards = [vrrp_guard(vrrp)]
        try:
            guards.append("" if passes else transit_guard(self.resolved, settings.interfaces, self.inventory))
            outer_sources = route_sources(host, self.resolved, self.inventory)
        except InventoryError as error:
            raise ModelError([str(error)]) from error
        sync_source: dict[str, object] = {}
        if daemon is not None:
            daemon = replace(daemon, ports=used_ports(kernel))
            known = {} if senders else known_senders(daemon, settings.interface, self.inventory)
            guards.append(sync_guard(daemon, senders or [one for name, one in known.items() if name != host]))
            # with IPv6 the address that the kernel takes cannot be told
            if (senders or known) and daemon.family == "ipv4":
                sync_source = {"interface": daemon.interface, "from": [*senders] or [known[host]]}
        links = {settings.interface: "director_interface"}
        links.setdefault(settings.gateway_interface or settings.interface, "director_gateway_interface")
        if daemon:
            links.setdefault(link, "director_sync_interface")
        for name in tracked.interface_names:
            links.setdefault(name, "director_track_interfaces")
        return {
            "vips": [{"address": str(vip), "family": family_of(vip), "prefix": vip.max_prefixlen} for vip in vips],
            "services": table_entries(self.resolved),
            "owned_elsewhere": self.owned_elsewhere(),
            "health_checked": health_checked(self.resolved),
            "leaving_timeout": leaving,
            "identities": self.identities(),
            "packages": installed,
            "kernel_modules": kernel_modules(services),
            "sysctls": kernel,
            "defence_threshold": defends,
            "timeouts": seconds,
            "nftables": director_rules(services, settings.interfaces, moving, guards),
            "vrrp": {"instances": [instance.as_dict() for instance in vrrp]},
            "keepalived": configured(runs_as),
            **({"keepalived_validated": configured(VALIDATING_USER)} if runs_as else {}),
            "addresses_unit": addresses_unit(vrrp, daemon),
            "health_checker": other.as_dict(checked(self.resolved), user)
            if other
            else {"name": checker, "files": list[object]()},
            "drain_files": drain_files(self.resolved),
            "drainable": [
                str(one) for one in _sorted({server.address for item in self.resolved for server in item.servers})
            ],
            "handover_file": HANDOVER_FILE if hands_over(vrrp) else "",
            "script_user": user,
            "interfaces": list(links),
            "interface_variables": links,
            "own_addresses": addresses_of_director(host, vrrp, self.inventory),
            "present": state_of_director(vrrp, gone, self.resolved, bool(vips)),
            "sync_source": sync_source,
            "route_sources": outer_sources,
            "undecided_forwarding": routed if passes is None else list[str](),
            "openings": {
                "input": input_rules(
                    self.resolved, [peer for instance in vrrp for peer in instance.peers.values()], daemon
                ),
                "forward": forward_rules(self.resolved),
            },
        }

    def real_server(
        self,
        host: str,
        nat_gateway: object = None,
        tunnel_mtu: object = 1500,
        return_traffic: object = "services",
        tunnel_guard: object = True,
        packages: object = None,
    ) -> dict[str, object]:
        """What one real server needs; raises `ModelError` for a host of another group, or when a setting is bad.

        - ``vips``: ``["192.0.2.10", "2001:db8::10"]``, those that it must hold silently: of its services that forward
          by dr or tun, IPv4 first, then by number. Empty for a host that no such service names.
        - ``return_route``: ``{"gateways": ["192.0.2.1"], "services": [...], "direct": ["192.0.2.2"]}``, what the
          module of that name takes, for its services that forward by nat. All are empty for a host that has none.
          ``return_traffic`` is only checked.
        - ``tunnels``: what the module ``ipvs_tunnel`` takes (`tunnels.tunnel_ends`)
        - ``own_addresses``: the addresses that it has to have now (`own_state.addresses_of_real_server`)
        - ``packages``: a list of names (`packages.real_server_packages`)
        - ``kernel_modules``: the kernel modules that those need
        - ``nftables``: the rules of the table lvs_real_server (`tunnels.real_server_rules`), empty for no table
        """
        problems = Problems()
        _require_member(REAL_SERVERS, host, self.inventory, problems)
        mtu = read_mtu(tunnel_mtu, problems)
        guard = read_guard(tunnel_guard, problems)
        gateways = read_gateways(nat_gateway, self.resolved, self.inventory, problems)
        check_return_traffic(host, return_traffic, self.resolved, problems)
        rules = real_server_rules(host, self.resolved, mtu, guard, self.inventory, problems)
        ends = tunnel_ends(host, self.resolved)
        installed = real_server_packages(packages, bool(ends), problems)
        problems.raise_any()
        services = replies(host, self.resolved)
        used = {family_of(address) for address in (to_address(one["address"]) for one in services) if address}
        return {
            "vips": [str(vip) for vip in self.vips(host)],
            "return_route": {
                "gateways": [str(address) for family, address in sorted(gateways.items()) if family in used],
                "services": services,
                "direct": direct(self.inventory, used),
            },
            "tunnels": ends,
            "own_addresses": addresses_of_real_server(host, self.resolved, self.inventory),
            "packages": installed,
            "kernel_modules": list(parse_tunnels(True, ends, True).modules),
            "nftables": rules,
        }

    def draining(self, hosts: object) -> dict[str, object]:
        """What takes real servers out of all their services; raises `ModelError` for a host that is in none.

        ``{"addresses": ["192.0.2.11"], "services": [...], "health_checked": [...], "connections": [...],
        "seen_within": 33.0}``

        ``services`` and ``health_checked`` are what the module ``ipvs_drain`` takes, of the services that have one of
        these hosts, and with these alone; ``health_checked`` with their ``quorum``. ``connections`` are
        ``{"address": "192.0.2.11", "port": 80}``: where these hosts accept TCP. ``seen_within`` is after how many
        seconds a health checker has seen a drain.
        """
        problems = Problems()
        names = [str(host) for host in (hosts if isinstance(hosts, (list, tuple)) else [hosts])]
        for host in names:
            _require_member(REAL_SERVERS, host, self.inventory, problems)
        found = {server.host: set[IPAddress]() for item in self.resolved for server in item.servers}
        for item in self.resolved:
            for server in item.servers:
                found[server.host].add(server.address)
        for host in names:
            if host not in found:
                problems.add(f"host {host}", "", "is a real server of no service")
        problems.raise_any()
        # The files that drain are named after addresses, so a service that has one without a host's name counts too.
        wanted = {address for host in names for address in found[host]}
        concerned = [item for item in self.resolved if any(server.address in wanted for server in item.servers)]
        resolved = [
            replace(item, servers=tuple(server for server in item.servers if server.address in wanted))
            for item in concerned
        ]
        ends = {
            (server.address, server.port or port)
            for item in resolved
            if item.service.protocol == "tcp"
            for port in item.service.ports
            for server in item.servers
        }
        return {
            "addresses": [
                str(one) for one in _sorted({server.address for item in resolved for server in item.servers})
            ],
            "services": pools(resolved, health_checked=False),
            "health_checked": pools(resolved, health_checked=True, quorum=True),
            "seen_within": seen_within(concerned),
            "connections": [
                {"address": str(address), "port": port}
                for address, port in sorted(ends, key=lambda end: (end[0].version, int(end[0]), end[1]))
                if port
            ],
        }

    def check_hosts(self) -> None:
        """Raise `ModelError` for variables that nobody knows, and for settings and addresses that contradict."""
        problems = Problems()
        check_variables(self.inventory, problems)
        check_agreement(self.inventory, problems)
        problems.raise_any()

    def as_dict(self) -> dict[str, object]:
        """The whole cluster, for checks from outside and for reports.

        ``{"vips": [as for a director], "services": [...], "owned_elsewhere": [...], "health_checked": [`table.pools`],
        "directors": ["lb1"],
        "addresses": {"lb1": ["192.0.2.2"]},
        "handover_file": "",
        "real_servers": {"rs1": {"vips": ["192.0.2.10"]}}, "direct_vips": ["192.0.2.10"],
        "connections": [{"name": "web", "address": "192.0.2.10", "port": 80}]}``

        ``addresses`` has every host of both groups that has any, ``real_servers`` every host of the group.
        ``direct_vips`` are on the real servers' link (those of dr), and ``connections`` what accepts TCP. Raises
        `ModelError` also for what any director would be refused, its own settings apart.
        """
        problems = Problems()
        try:
            self.inventory.members(DIRECTORS)
        except InventoryError as error:
            problems.add(f"group {DIRECTORS}", "", str(error))
        problems.raise_any()
        director_addresses(self.vips(), self.inventory, problems)
        problems.raise_any()
        serving: dict[str, set[IPAddress]] = {host: set() for host in self.inventory.real_servers}
        for item in self.resolved:
            if item.service.forward_method in UNREWRITTEN:
                for server in item.servers:
                    if server.host is not None:
                        serving[server.host].update(item.service.vips)
        return {
            "vips": [
                {"address": str(vip), "family": family_of(vip), "prefix": vip.max_prefixlen} for vip in self.vips()
            ],
            "services": table_entries(self.resolved),
            "owned_elsewhere": self.owned_elsewhere(),
            "health_checked": pools(self.resolved, health_checked=True, thresholds=True),
            "directors": list(self.inventory.directors),
            "addresses": self._addresses(),
            "handover_file": HANDOVER_FILE if len(self.inventory.directors) > 1 and self.vips() else "",
            "real_servers": {host: {"vips": [str(vip) for vip in _sorted(vips)]} for host, vips in serving.items()},
            "direct_vips": [
                str(vip)
                for vip in _sorted(
                    {vip for item in self.resolved if item.service.forward_method == "dr" for vip in item.service.vips}
                )
            ],
            "connections": [
                {"name": item.service.name, "address": str(traffic.address), "port": port}
                for item in self.resolved
                for traffic in item.service.traffic
                if traffic.protocol == "tcp"
                for port in traffic.ports
            ],
        }

    def _addresses(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for host in (*self.inventory.directors, *self.inventory.real_servers):
            with suppress(InventoryError):  # a host that no service uses needs none
                found[host] = [str(address) for address in self.inventory.addresses(host).values()]
        return found

    def vips(self, host: str | None = None) -> list[IPAddress]:
        """All VIPs; or those that one real server must hold itself."""
        return _sorted(
            {vip for item in self.resolved if host is None or _holds_vip(host, item) for vip in item.service.vips}
        )

    def identities(self) -> list[dict[str, object]]:
        """The identities of all services, in the order of the description."""
        return [identity for item in self.resolved for identity in item.service.identities()]

    def owned_elsewhere(self) -> list[dict[str, object]]:
        """The identities of services that belong to the health checker, in the order of the description."""
        return [
            identity
            for item in self.resolved
            if item.service.health_check is not None
            for identity in item.service.identities()
        ]


def _holds_vip(host: str, item: ResolvedService) -> bool:
    """Whether a real server must have the service's VIP for itself, since packets come to it unrewritten."""
    return item.service.forward_method in UNREWRITTEN and any(server.host == host for server in item.servers)


def _sorted(vips: set[IPAddress]) -> list[IPAddress]:
    return sorted(vips, key=lambda vip: (vip.version, int(vip)))


def _require_member(group: str, host: object, inventory: Inventory, problems: Problems) -> None:
    """Note a group without hosts, or a host that is not one of them."""
    try:
        members = inventory.members(group)
    except InventoryError as error:
        problems.add(f"group {group}", "", str(error))
        return
    if host not in members:
        problems.add(f"host {host}", "", f"is not in the inventory group {group!r}")
