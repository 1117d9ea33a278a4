# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived.conf of one director, all of it, as text.

Sources: keepalived.conf(5), and the parsers in keepalived/core/global_parser.c and keepalived/vrrp/vrrp_parser.c. What
is written here, the versions 2.2.7 and 2.3.3 take.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import TTL, Instance
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, plain, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.sync_daemon import SyncDaemon
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.tracking import Tracked
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.blocks import HEADER, block
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.virtual_servers import (
    DRAIN_DIRECTORY,
    virtual_servers,
)

#: Whom keepalived itself takes where nobody is named and that user exists (keepalived.conf(5), script_user).
DEFAULT_SCRIPT_USER = "keepalived_script"
#: Whom a configuration names while keepalived validates it. The version 2.2.7 of Debian 12 ends in the middle of that
#: after it has looked for a command as another user (lib/notify.c, check_script_secure; 2.3.3 does not).
VALIDATING_USER = "root"
#: A 1 in it makes other directors come first, a 3 is a fault (see _handover).
HANDOVER_FILE = f"{DRAIN_DIRECTORY}/director"
#: Further than any two priorities that follow each other, and not so far that the director would resign.
_HANDOVER = 100


# what useradd of Debian and Red Hat take alike
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def read_user(value: object, problems: Problems) -> str:
    """The user that runs the commands of health checks and the tracked ones."""
    name = plain(value) if isinstance(value, str) else ""
    if not _USER.fullmatch(name):
        problems.add("director_script_user", "", f"{show(value)} is not the name of a user")
    elif name == "root":
        problems.add(
            "director_script_user", "", "'root' is not for health checks and tracked scripts: name another user"
        )
    return name


def configuration(
    host: str,
    instances: Sequence[Instance],
    resolved: Sequence[ResolvedService],
    sync_daemon: SyncDaemon | None,
    script_user: str,
    tracked: Tracked,
) -> str:
    """The whole file, ending in a newline; an empty ``script_user`` is none. A single director tracks nothing."""
    text = "\n".join([HEADER, *_global(host, instances, sync_daemon, script_user), ""])
    group = len(instances) > 1 and any(instance.peers for instance in instances)
    blocks: list[list[str]] = []
    watch: list[str] = []
    if hands_over(instances):
        blocks += [block("track_file director", [f"file {HANDOVER_FILE}"]), *tracked.definitions()]
        watch = [*tracked.lines(), *_handover()]
    if group:
        # both families move together, so that a director never has half of a cluster
        members = block("group", [instance.name for instance in instances])
        blocks.append(block("vrrp_sync_group lvs", [*members, *watch]))
    # a group has one for all of its members
    blocks += [_instance(instance, [] if group else watch) for instance in instances]
    blocks += virtual_servers(resolved)
    return text + "".join("\n" + "\n".join(lines) + "\n" for lines in blocks)


def _global(host: str, instances: Sequence[Instance], sync_daemon: SyncDaemon | None, script_user: str) -> list[str]:
    lines = [f"router_id {host}", "vrrp_version 3", "vrrp_check_unicast_src", "enable_script_security"]
    if script_user:
        lines.append(f"script_user {script_user}")
    if sync_daemon is not None and instances:
        lines.append(sync_daemon.line(instances[0].name))
    lines += ["# At boot keepalived may be there before the interface is.", "dynamic_interfaces"]
    return block("global_defs", lines)


def hands_over(instances: Sequence[Instance]) -> bool:
    """Whether there is anybody to hand over to."""
    return any(instance.peers for instance in instances)


def _handover() -> list[str]:
    """What a number in the file does: each 1 lowers the priority.

    A priority that is lowered by more than 253 is a fault: the director lets the VIPs go at once
    (keepalived/trackers/track_file.c).
    """
    return block("track_file", [f"director weight {-_HANDOVER}"])


def _instance(instance: Instance, watch: list[str]) -> list[str]:
    settings = instance.settings
    lines = [
        f"state {instance.state}",
        f"interface {settings.interface}",
        f"virtual_router_id {settings.virtual_router_id}",
        f"priority {instance.priority}",
        f"advert_int {settings.advert_interval}",
    ]
    if instance.peers:
        if not settings.preempt:
            lines.append("nopreempt")
        elif settings.preempt_delay:
            lines.append(f"preempt_delay {settings.preempt_delay}")
        if settings.garp_refresh:
            lines.append(f"garp_master_refresh {settings.garp_refresh}")
        lines.append(f"unicast_src_ip {instance.source_address}")
        # keepalived sets it by default with IPv4 only; with IPv6 the host's own applies (vrrp_build_ancillary_data() in
        # keepalived/vrrp/vrrp.c)
        lines.append(f"unicast_ttl {TTL}")
        accepted = f"min_ttl {settings.min_ttl} max_ttl {TTL}"
        # the names are for whoever compares the file with an inventory (module_utils/host/keepalived_conf.py)
        lines += block("unicast_peer", [f"{peer} {accepted} # {name}" for name, peer in instance.peers.items()])
    lines += watch
    lines += block("virtual_ipaddress", [instance.advertised])
    lines += block("virtual_ipaddress_excluded", instance.addresses)
    return block(f"vrrp_instance {instance.name}", lines)
