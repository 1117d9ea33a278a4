# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a clone a host of its own: a shell script for its guest agent. Pure: values in, text out."""

from __future__ import annotations

import shlex
import time
import uuid
from collections.abc import Iterable

from .network import Card
from .topology import Host, on_link

NETWORKD = "/etc/systemd/network"


def script(host: Host, cards: list[Card], authorized_key: str, host_key: str) -> str:
    """Name, clock, machine id, SSH keys and addresses; `host_key` is an OpenSSH private key.

    The machine's cards are plugged in after it: udev names a card by the .link file written here, networkd gives it
    its addresses, and both do so again at each boot.
    """
    lines = [f"date -u -s @{time.time():.0f} >/dev/null"]
    lines += [f"hostname {host.name}"]
    files = {"/etc/hostname": f"{host.name}\n", "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n"}
    files["/etc/machine-id"] = f"{uuid.uuid4().hex}\n"
    files["/root/.ssh/authorized_keys"] = authorized_key
    files["/etc/ssh/ssh_host_ed25519_key"] = host_key
    for card in cards:
        files[f"{NETWORKD}/10-{card.name}.link"] = f"[Match]\nMACAddress={card.mac}\n\n[Link]\nName={card.name}\n"
        routes = [route for route in host.routes if on_link(route[1], card.addresses)]
        files[f"{NETWORKD}/10-{card.name}.network"] = _network(card, routes)
    if host.forward:
        files["/etc/sysctl.d/10-forward.conf"] = "net.ipv4.ip_forward=1\nnet.ipv6.conf.all.forwarding=1\n"
        lines.append("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    lines.append(f"umask 077; mkdir -p /root/.ssh {NETWORKD}")
    lines += [f"printf %s {shlex.quote(text)} > {path}" for path, text in files.items()]
    lines.append(f"chmod 755 {NETWORKD}; chmod 644 {NETWORKD}/* /etc/hostname /etc/hosts /etc/machine-id")
    lines.append("udevadm control --reload; networkctl reload")
    # Links instead of `systemctl enable`, which runs Perl for every service that has an init script too.
    wants = "/etc/systemd/system/multi-user.target.wants"
    lines += [f"ln -s /lib/systemd/system/{name}.service {wants}/" for name in host.services]
    lines.append(f"systemctl start {' '.join(('ssh', *host.services))}")
    return "\n".join(lines) + "\n"


def _network(card: Card, routes: Iterable[tuple[str, str]]) -> str:
    text = f"[Match]\nMACAddress={card.mac}\n\n[Network]\nIPv6AcceptRA=no\n"
    text += "".join(f"Address={address}\n" for address in card.addresses)
    for to, via in routes:
        everything = "::/0" if ":" in via else "0.0.0.0/0"
        text += f"\n[Route]\nDestination={everything if to == 'default' else to}\nGateway={via}\n"
    return text
