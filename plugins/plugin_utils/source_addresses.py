# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived waits for the addresses that it speaks from: a unit of systemd, as text. Private to the collection.

A link comes up late at boot, and an address of IPv6 cannot be used before the link has been asked who else has it
(RFC 4862, section 5.4). keepalived 2.2.7 that starts before that cannot bind its socket, and stays in the state FAULT
until it is reloaded, whatever comes later (open_sockpool_socket in keepalived/vrrp/vrrp.c); 2.3.3 does not. Where the
interface is not there, neither has the kernel start the synchronisation before its next change of state or reload.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.lvs.cluster.plugins.plugin_utils.blocks import HEADER
from ansible_collections.lvs.cluster.plugins.plugin_utils.vrrp import Instance

_PATIENCE = 30  # seconds; systemd gives up starting a unit after 90

# An address is tentative until it is known to be nobody else's (ip-address(8)). PartOf: whoever stops keepalived stops
# the waiting too.
_TEXT = """\
{header}
[Unit]
Description=Addresses of lvs.cluster, for keepalived to speak from
PartOf=keepalived.service
After=network.target network-online.target
Before=keepalived.service

[Service]
Environment="USABLE={usable}"
# It starts without them in the end, since its health checks do not need them, and is told when they are there.
ExecStartPre=-timeout {patience} sh -c "until ${{USABLE}}; do sleep 0.2; done"
ExecStart=sh -c "${{USABLE}} && exit; \\
    echo 'keepalived starts without {names}'; \\
    until ${{USABLE}}; do sleep 1; done; \\
    exec systemctl reload keepalived"

[Install]
WantedBy=keepalived.service
"""


def addresses_unit(instances: Sequence[Instance]) -> str:
    """The whole unit, ending in a newline; empty for a director that speaks to nobody."""
    addresses = [one.source_address for one in instances if one.source_address]
    if not addresses:
        return ""
    usable = " && \\\n    ".join(f"ip -o address show to {address} -tentative | grep -q ." for address in addresses)
    return _TEXT.format(header=HEADER, patience=_PATIENCE, usable=usable, names=" and ".join(addresses))
