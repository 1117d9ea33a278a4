# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of this collection, and facts that override them.

**Names.** A variable with one of our prefixes that is not ours is misspelt. A unit test compares the names
with the roles' argument specifications, with the playbooks and with the documentation.

**Facts.** Every module may return ``ansible_facts``, so a host chooses their names. With ``inject_facts_as_vars``,
which is ansible-core's default, facts override the variables of groups and hosts (ansible/vars/manager.py: get_vars).
So a host could set its own address or weight, and thereby the directors' configuration.

``ansible_facts`` has the names without the prefix ``ansible_`` (ansible/vars/manager.py: namespace_facts), among the
variables they have it: ``lvs_gue`` is the fact of an interface with this name, and overrides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes

from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import DIRECTOR, REAL_SERVER

#: The prefixes of this collection's variables.
PREFIXES = ("lvs_", "director_", "real_server_")
#: Variables of each host that Ansible sets and facts override (ansible/inventory/host.py: get_magic_vars). With them a
#: host could take the name and the groups of another one.
IDENTITY = frozenset(("inventory_hostname", "inventory_hostname_short", "group_names"))
_ENVIRONMENT = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])  # noqa: S701 - it parses only

#: Lists the user's own variables with our prefixes.
OTHER_VARIABLES = "lvs_other_variables"
#: Variables that users set, for hosts and groups or with -e: of the cluster model, and of tasks only.
SETTINGS = frozenset(
    (
        *DIRECTOR,
        *REAL_SERVER,
        "director_kubernetes_schedulers",
        "director_missing_packages",
        "director_seen",
        "lvs_address",
        "lvs_drain_expired",
        "lvs_drain_timeout",
        "lvs_drain_udp_pause",
        "lvs_drain_wait_for",
        "lvs_draining_directors",
        "lvs_directors_group",
        "lvs_failover_force",
        "lvs_failover_groups",
        "lvs_failover_to",
        "lvs_cluster",
        "lvs_clusters",
        "lvs_left_out",
        "lvs_minimum_in_service",
        "lvs_other_variables",
        "lvs_real_servers",
        "lvs_real_servers_group",
        "lvs_return_timeout",
        "lvs_tunnel_sources",
        "lvs_update_connects",
        "lvs_update_serial",
        "lvs_update_tasks",
        "lvs_verify_from",
        "lvs_virtual_services",
        "real_server_missing_packages",
    )
)
#: Variables that roles and playbooks set. Hosts have these from the first task on that sets them.
INTERNAL = frozenset(
    (
        "director_addresses_files",
        "director_mon_stopped",
        "director_checker",
        "director_checker_service",
        "director_check_program_files",
        "director_checker_programs",
        "director_checkers",
        "director_diff",
        "director_requested_parts",
        "director_needs_packages",
        "director_part_results",
        "director_install_packages",
        "director_installed",
        "director_keepalived",
        "director_keepalived_files",
        "director_kubernetes_sysctls",
        "director_host_state",
        "director_lacks_packages",
        "director_read_state",
        "director_expanded_model",
        "director_given_model",
        "director_model",
        "director_mon_unit",
        "director_openings",
        "director_other_drop_ins",
        "director_parts",
        "director_lacks_script_user",
        "director_prepared_parts",
        "director_other_tags",
        "director_parts_of_steps",
        "director_tags_of_steps",
        "director_results_of_parts",
        "director_applied",
        "director_removed_drop_in",
        "director_removed_files",
        "director_result",
        "director_result_of_steps",
        "director_results_of_steps",
        "director_state",
        "director_steps",
        "director_stopped",
        "director_unwanted_units",
        "director_validation",
        "lvs_undrain_result",
        "lvs_batch",
        "lvs_director",
        "lvs_drained_directors",
        "lvs_fails_over",
        "lvs_faults",
        "lvs_drain_result",
        "lvs_drain_targets",
        "lvs_held",
        "lvs_lost_hosts",
        "lvs_overriding_facts",
        "lvs_run",
        "lvs_plan",
        "lvs_whole_clusters",
        "lvs_undrain_failures",
        "lvs_drain_options",
        "lvs_drain_options_set",
        "lvs_refuse_drained",
        "lvs_remedy",
        "lvs_drained_director",
        "lvs_update_options",
        "lvs_updates",
        "lvs_drain_wait_result",
        "real_server_needs_packages",
        "real_server_install_packages",
        "real_server_installed",
        "real_server_lacks_packages",
        "real_server_model",
        "real_server_expanded_model",
        "real_server_given_model",
        "real_server_result",
        "real_server_state",
    )
)
KNOWN = SETTINGS | INTERNAL


def overriding_facts(variables: object, trusted: Callable[[str], bool]) -> list[str]:
    """Return the names of facts that override one of our variables, or one that their templates use.

    ``variables``: those of one host, with unevaluated templates. ``trusted``: returns True for a text by the author of
    the inventory or the playbook.
    """
    facts = variables.get("ansible_facts") if isinstance(variables, Mapping) else None
    if not isinstance(variables, Mapping) or not isinstance(facts, Mapping) or not facts:
        return []
    ours = [name for name in variables if isinstance(name, str) and _is_ours(name)]
    return [name for name in ours if name in facts] or [
        name for name in _used_by(ours, variables, trusted) if name in facts and not _written(variables[name], trusted)
    ]


def _used_by(names: list[str], variables: Mapping[str, object], trusted: Callable[[str], bool]) -> list[str]:
    """Return the names that the templates of these variables use, recursively."""
    found = dict.fromkeys(names)
    queue = list(names)
    while queue:
        for text in _texts(variables[queue.pop()]):
            for name in _names(text) if trusted(text) else ():
                if name in variables and name not in found and name != "ansible_facts":
                    found[name] = None
                    queue.append(name)
    return [name for name in found if not _is_ours(name)]


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIXES) or name in IDENTITY


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key)
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


def _written(value: object, trusted: Callable[[str], bool]) -> bool:
    texts = list(_texts(value))
    return bool(texts) and all(trusted(text) for text in texts)


def _names(text: str) -> frozenset[str]:
    return _parsed(str.__str__(text)) if "{{" in text or "{%" in text else frozenset()


@lru_cache(maxsize=1024)
def _parsed(text: str) -> frozenset[str]:
    try:
        return frozenset(node.name for node in _ENVIRONMENT.parse(text).find_all(nodes.Name))
    except TemplateSyntaxError:
        return frozenset()  # Ansible refuses it at its use
