# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of this collection, so that a misspelt one is found.

A unit test compares the names with the roles' argument specifications, with the playbooks and with the documentation.
"""

from __future__ import annotations

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import Inventory, InventoryError
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.facts import PREFIXES
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, show, suggestion

#: Lists variables of the user's own that begin as ours do.
OTHER_VARIABLES = "lvs_other_variables"

#: What users set, for hosts and groups or with -e.
SETTINGS = frozenset(
    (
        "director_advert_interval",
        "director_conn_tab_bits",
        "director_firewall_openings",
        "director_flood_defence",
        "director_garp_refresh",
        "director_gateway_interface",
        "director_health_checker",
        "director_interface",
        "director_kubernetes_schedulers",
        "director_leaving_timeout",
        "director_may_restart",
        "director_missing_packages",
        "director_no_log",
        "director_packages",
        "director_preempt",
        "director_preempt_delay",
        "director_script_user",
        "director_seen",
        "director_sync_daemon",
        "director_sync_interface",
        "director_sync_senders",
        "director_sysctls",
        "director_table_purge",
        "director_timeouts",
        "director_track_interfaces",
        "director_track_scripts",
        "director_transit",
        "director_virtual_router_id",
        "director_vrrp_hops",
        "lvs_address",
        "lvs_clean_up",
        "lvs_directors_that_leave",
        "lvs_drain_expired",
        "lvs_drain_timeout",
        "lvs_drain_udp_pause",
        "lvs_drain_wait_for",
        "lvs_draining_directors",
        "lvs_failover_force",
        "lvs_failover_to",
        "lvs_install_packages",
        "lvs_left_out",
        "lvs_minimum_in_service",
        "lvs_nat_gateway",
        "lvs_other_variables",
        "lvs_real_servers",
        "lvs_return_timeout",
        "lvs_state",
        "lvs_tunnel_sources",
        "lvs_update_connects",
        "lvs_update_serial",
        "lvs_update_tasks",
        "lvs_verify_from",
        "lvs_virtual_services",
        "real_server_ingress",
        "real_server_missing_packages",
        "real_server_packages",
        "real_server_purge",
        "real_server_return_traffic",
        "real_server_tunnel_guard",
        "real_server_tunnel_mtu",
        "real_server_vip_interface",
    )
)
#: What the roles and playbooks set themselves. Hosts have these from the first task on that sets them.
INTERNAL = frozenset(
    (
        "director_addresses_files",
        "director_applying",
        "director_changed",
        "director_checker",
        "director_checker_service",
        "director_checkers",
        "director_diff",
        "director_asked",
        "director_asks_for_packages",
        "director_complete",
        "director_done",
        "director_install_packages",
        "director_installed",
        "director_keepalived",
        "director_keepalived_files",
        "director_kubernetes_sysctls",
        "director_known",
        "director_lacks_packages",
        "director_looked",
        "director_model",
        "director_mon_unit",
        "director_openings",
        "director_other_drop_ins",
        "director_parts",
        "director_parts_of_steps",
        "director_result",
        "director_state",
        "director_steps",
        "director_stopped",
        "director_unwanted",
        "director_validation",
        "lvs_asked",
        "lvs_back_on",
        "lvs_batch",
        "lvs_director",
        "lvs_drained",
        "lvs_drained_on",
        "lvs_draining",
        "lvs_groups",
        "lvs_held",
        "lvs_hosts",
        "lvs_missing",
        "lvs_named",
        "lvs_not_back",
        "lvs_order",
        "lvs_order_is_set",
        "lvs_refuse_drained",
        "lvs_text",
        "lvs_undo",
        "lvs_unreached",
        "lvs_update",
        "lvs_waited",
        "real_server_asks_for_packages",
        "real_server_install_packages",
        "real_server_installed",
        "real_server_lacks_packages",
        "real_server_model",
        "real_server_result",
        "real_server_state",
    )
)
_KNOWN = SETTINGS | INTERNAL


def check_variables(inventory: Inventory, problems: Problems) -> None:
    """Note every variable of a director or real server that begins as ours do and is none of them."""
    unknown: dict[str, list[str]] = {}
    for host in dict.fromkeys((*inventory.directors, *inventory.real_servers)):
        names = [name for name in inventory.names(host) if name.startswith(PREFIXES) and name not in _KNOWN]
        if not names:
            continue
        others = _others(host, inventory, problems)
        for name in names:
            if name not in others:
                unknown.setdefault(name, []).append(host)
    for name, hosts in sorted(unknown.items()):
        problems.add(
            f"variable {name}",
            "",
            f"is set for {some(hosts)} and is not a variable of this collection{suggestion(name, SETTINGS)}: "
            f"correct it, or list it in {OTHER_VARIABLES} if it is one of your own",
        )


def _others(host: str, inventory: Inventory, problems: Problems) -> frozenset[object]:
    try:
        value = inventory.variable(host, OTHER_VARIABLES)
    except InventoryError as error:
        problems.add(f"host {host}", "", str(error))
        return frozenset()
    if value is None:
        return frozenset()
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        problems.add(f"host {host}", OTHER_VARIABLES, f"{show(value)} is not a list of names of variables")
        return frozenset()
    return frozenset(value)


def found_elsewhere(name: str, inventory: Inventory) -> str:
    """Return ``; rs1 and rs2 have it``, the hosts of the inventory that have a variable, or an empty string."""
    members = dict.fromkeys(host for hosts in inventory.groups.values() for host in hosts)
    having = [host for host in members if name in inventory.names(host)]
    return f"; {some(having)} {'has' if len(having) == 1 else 'have'} it" if having else ""


def some(hosts: list[str]) -> str:
    """Return the names of hosts for a message: ``lb1, lb2 and 5 more``."""
    if len(hosts) > 4:
        return f"{', '.join(hosts[:3])} and {len(hosts) - 3} more"
    return " and ".join([", ".join(hosts[:-1]), hosts[-1]] if len(hosts) > 1 else hosts)
