# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of hosts as dictionaries, with all texts for other programs: what the roles take."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.check_commands import with_commands
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import OWN_USER, Checked, checked
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import DirectorModel, RealServerModel
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.through_vip import asked
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import KEEPALIVED, Email
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import ldirectord, mon
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.keepalived import VALIDATING_USER, configuration
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.nftables import (
    director_rules,
    forward_rules,
    input_rules,
    local_sources_guard,
    real_server_rules,
    sync_guard,
    transit_guard,
    vrrp_guard,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import File, addresses_unit

#: The results of `director` that the role and the playbooks read.
_OF_ROLE = (
    *("directors", "vips", "owned_elsewhere", "identities", "packages", "vrrp", "keepalived", "keepalived_validated"),
    *("addresses_unit", "health_checker", "check_program", "drain_files", "drainable", "handover_file", "script_user"),
    "openings",
)

_FILES: dict[str, Callable[[Sequence[Checked], str, Email | None], list[File]]] = {
    "ldirectord": ldirectord.files,
    "mon": lambda services, user, _email: mon.files(services, user),
}


def director(model: DirectorModel) -> dict[str, object]:
    """Return the result of the filter ``director``; its documentation describes the keys.

    Beside the values of the model:

    - ``nftables``: the rules of the table lvs_cluster, empty for no table
    - ``keepalived``: the whole configuration. ``keepalived_validated`` is the text to validate instead, present only if
      the configuration names a user for commands
    - ``addresses_unit``: the unit that delays keepalived until its addresses are usable, empty without another director
    - ``health_checker``: its ``name``, and the ``files`` that it takes beside keepalived's
    - ``check_program``: the path of the program that makes health checks, present only if one needs it
    - ``openings``: rules for the host's own firewall, by hook: ``{"input": [...], "forward": [...]}``
    """
    settings, checker = model.settings, model.health_checker
    peers = list(dict.fromkeys(peer for instance in model.instances for peer in instance.peers.values()))

    if model.check_program:
        sources = settings.check_sources.values()
        model = replace(model, resolved=tuple(with_commands(model.resolved, model.check_program, sources)))
    files: list[File] = []
    if checker in _FILES:
        # the script user may be there for keepalived's commands alone
        user = "" if checker in OWN_USER else model.script_user
        files = _FILES[checker](checked(model.resolved), user, model.emails.get(checker))
    return {
        "directors": list(model.directors),
        "vips": [_vip(vip, model) for vip in model.vips],
        "services": model.services,
        "owned_elsewhere": model.owned_elsewhere,
        "health_checked": model.health_checked,
        "leaving_timeout": settings.leaving_timeout,
        "identities": model.identities,
        "packages": model.packages,
        "kernel_modules": model.kernel_modules,
        "sysctls": model.sysctls,
        "defence_threshold": settings.flood_defence,
        "timeouts": dict(settings.timeouts),
        "nftables": _table(model),
        "vrrp": {"instances": [instance.as_dict() for instance in model.instances]},
        "keepalived": configuration(model, model.keepalived_user),
        **({"keepalived_validated": configuration(model, VALIDATING_USER)} if model.keepalived_user else {}),
        "addresses_unit": addresses_unit(model.instances, model.sync_daemon),
        "health_checker": {"name": checker, "files": [file.as_dict() for file in files]},
        **({"check_program": model.check_program} if model.check_program else {}),
        "drain_files": model.drain_files,
        "drainable": model.drainable,
        "handover_file": model.handover_file,
        "script_user": model.script_user,
        "interfaces": list(model.interface_variables),
        "interface_variables": model.interface_variables,
        "own_addresses": model.own_addresses,
        "present": model.present,
        "sync_source": model.sync_source,
        "route_sources": model.route_sources,
        "undecided_forwarding": model.undecided_forwarding,
        "openings": {
            "input": input_rules(model.resolved, peers, model.sync_daemon),
            "forward": forward_rules(model.resolved),
        },
    }


def _vip(vip: IPAddress, model: DirectorModel) -> dict[str, object]:
    group = model.groups[vip]
    options = model.settings.vips.get(vip)
    prefix = vip.max_prefixlen if options is None else options.prefix
    found: dict[str, object] = {"address": str(vip), "family": family_of(vip), "prefix": prefix}
    return {**found, "vrrp_group": group} if group else found


def director_of_role(model: DirectorModel) -> dict[str, Any]:
    """Return those results of `director` that the role reads, and ``options``: those of the module director.

    ``options`` is JSON, and has all of them but ``parts``. Tables can have many thousands of entries, and ansible-core
    visits each entry of a dictionary several times for all that is stored or looked up (`_lazy_containers` and
    `_jinja_bits` below lib/ansible/_internal/_templating), but a text only once.
    """
    found, settings = director(model), model.settings
    return {
        **{name: found[name] for name in _OF_ROLE if name in found},
        "options": json.dumps(
            {
                "modules": model.kernel_modules,
                "sysctls": model.sysctls,
                "defence_threshold": settings.flood_defence,
                "conn_tab_bits": settings.conn_tab_bits,
                "rules": found["nftables"],
                "services": model.services,
                "health_checked": model.health_checked,
                "purge": settings.table_purge,
                "leaving_timeout": settings.leaving_timeout,
                "vips": [str(vip) for vip in model.vips],
                "timeouts": dict(settings.timeouts),
            }
        ),
    }


def real_server_of_role(model: RealServerModel) -> dict[str, Any]:
    """Return what the role reads: ``directors``, ``packages`` and ``options``: those of the module real_server.

    ``options`` is JSON too, and has all of them but ``purge``.
    """
    found, settings = real_server(model), model.settings
    return {
        "directors": found["directors"],
        "packages": found["packages"],
        "options": json.dumps(
            {
                "vips": found["vips"],
                "interface": settings.vip_interface,
                "ingress": list(settings.ingress),
                "tunnels": model.tunnels,
                "rules": found["nftables"],
                "return_route": {**model.return_route, "traffic": settings.return_traffic},
            }
        ),
    }


def director_check(model: DirectorModel) -> dict[str, object]:
    """Return the options of the module host_check for a director."""
    programs = dict.fromkeys([KEEPALIVED, model.health_checker])
    return {
        **_check(model, lambda: [*programs, *(["nft"] if _table(model) else [])]),
        "vips": [str(vip) for vip in model.vips],
        "interfaces": list(model.interface_variables),
        "interface_variables": model.interface_variables,
        "director": model.present,
        "director_files": True,
        "users": [model.script_user] if model.script_user else [],
        **({"sync_source": model.sync_source} if model.sync_source else {}),
        "route_sources": model.route_sources,
        "no_forwarding": model.undecided_forwarding,
    }


def real_server_check(model: RealServerModel) -> dict[str, object]:
    """Return the options of the module host_check for a real server."""
    return _check(model, lambda: ["nft"] if _rules(model) else [])


def _check(model: DirectorModel | RealServerModel, programs: Callable[[], list[str]]) -> dict[str, object]:
    # if the roles do not install packages, they must be installed already
    installed = not model.settings.install_packages
    return {
        "kernel_modules": model.kernel_modules,
        "own_addresses": model.own_addresses,
        "packages": model.packages,
        "libraries": ["pyroute2"] if installed else [],
        "programs": programs() if installed else [],
    }


def _rules(model: RealServerModel) -> str:
    return real_server_rules(model.host, model.resolved, model.settings.tunnel_mtu, model.tunnel_sources)


def _table(model: DirectorModel) -> str:
    settings = model.settings
    moving: dict[str, list[IPAddress]] = {}
    for vip in model.moving:
        moving.setdefault(settings.link(vip), []).append(vip)
    guards = [vrrp_guard(model.instances)]
    if not model.transit:
        guards.append(transit_guard(model.resolved, settings.outside, model.sending_all))
    if "ipv4" in model.check_sources:
        ends = asked(model.resolved)["ipv4"]
        guards.append(local_sources_guard(settings.interfaces, model.check_sources["ipv4"], ends))
    if model.sync_daemon is not None:
        guards.append(sync_guard(model.sync_daemon, model.sync_senders))
    return director_rules(model.resolved, settings.interfaces, moving, guards)


def real_server(model: RealServerModel) -> dict[str, object]:
    """Return the result of the filter ``real_server``; its documentation describes the keys.

    ``nftables`` are the rules of the table lvs_real_server, empty for no table.
    """
    return {
        "directors": list(model.directors),
        "vips": [str(vip) for vip in model.vips],
        "return_route": model.return_route,
        "tunnels": model.tunnels,
        "own_addresses": model.own_addresses,
        "packages": model.packages,
        "kernel_modules": model.kernel_modules,
        "nftables": _rules(model),
    }
