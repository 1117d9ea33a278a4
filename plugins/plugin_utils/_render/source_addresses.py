# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived waits for the addresses that it needs: a unit of systemd, as text.

A link comes up late at boot, and an address of IPv6 cannot be used before the link has been asked who else has it
(RFC 4862, section 5.4). A keepalived 2.2.7 that starts before that cannot bind its socket, and stays in the state FAULT
until it is reloaded, whatever comes later (open_sockpool_socket in keepalived/vrrp/vrrp.c); 2.3.3 does not stay so.
Neither version starts the synchronisation on a link that is not there before its next change of state or reload.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ansible_collections.lvs.cluster.plugins.module_utils.host import sandbox
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import Instance
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.sync_daemon import SyncDaemon
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.blocks import HEADER

_PATIENCE = 30  # seconds, and less than what systemd has for the start of this unit

# The drop-in of keepalived's unit wants this one (roles/director/files).
# PartOf: whoever stops keepalived stops the waiting too. A reload of a keepalived that is about to start would be none.
_TEXT = """\
{header}
[Unit]
Description=Addresses of lvs.cluster, for keepalived to speak from
PartOf=keepalived.service
After=network.target network-online.target
Before=keepalived.service

[Service]
TimeoutStartSec=90
RuntimeDirectory=lvs-cluster-addresses
Environment="USABLE={usable}"
# keepalived starts without them in the end, since its health checks do not need them, and is told when they are there.
ExecStartPre=-timeout {patience} sh -c "until ${{USABLE}}; do sleep 0.2; done; touch %t/lvs-cluster-addresses/in-time"
ExecStart=sh -c "test -e %t/lvs-cluster-addresses/in-time && exit; \\
    echo 'keepalived starts although not all can be used: {names}'; \\
    until ${{USABLE}} && systemctl -q is-active keepalived; do sleep 1; done; \\
    exec systemctl reload keepalived"
{sandbox}"""


def addresses_unit(instances: Sequence[Instance], sync_daemon: SyncDaemon | None) -> str:
    """The whole unit, ending in a newline; empty for a director that speaks to nobody."""
    addresses = [one.source_address for one in instances if one.source_address]
    if not addresses:
        return ""
    names = list(addresses)
    shown = [f"-o address show to {address}" for address in addresses]
    # The kernel sends from the link's own address, whichever that is (ip_vs_sync.c, bind_mcastif_addr).
    if sync_daemon is not None and all(sync_daemon.interface != one.settings.interface for one in instances):
        link = shlex.quote(sync_daemon.interface).replace("%", "%%")
        family = 6 if ":" in (sync_daemon.group or "") else 4
        names.append("the one for the synchronisation")
        shown.append(f"-{family} -o address show dev {link}")
    usable = [f"ip {what} -tentative | grep -q ." for what in shown]
    return _TEXT.format(
        header=HEADER,
        patience=_PATIENCE,
        usable=" && \\\n    ".join(usable),
        names=", ".join(names),
        sandbox=sandbox.program(),  # systemd takes orders from root without a capability
    )
