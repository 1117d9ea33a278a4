# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit of systemd as a value, and the units that put VIPs, routes, tunnels and nftables rules back at boot.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import sandbox
from .routing import OURS, Route, Rule, fallbacks
from .tunnels import GUE_MODULES, GuePort, TunnelDevice

VIPS_UNIT = "lvs-cluster-vips.service"
ROUTES_UNIT = "lvs-cluster-routes.service"
WATCH_UNIT = "lvs-cluster-routes-watch.service"
TUNNELS_UNIT = "lvs-cluster-tunnels.service"

_SANDBOX = sandbox.early("CAP_NET_ADMIN")

# lo is there from the start, so its VIPs come on before any link is up. Another interface has to appear first.
_ORDER_LO = """\
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=systemd-sysctl.service
"""
_ORDER_DEVICE = """\
Requires={device}
Before=network.target network-online.target shutdown.target
After=systemd-sysctl.service {device}
"""
_UNIT = """\
# {header}
[Unit]
Description=Virtual IP addresses of LVS on {interface}, silent in ARP
DefaultDependencies=no
{order}Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
# No VIP without silence: where this fails, the next command does not run.
ExecStart=/bin/sh -ec 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce'
ExecStart=ip -force -batch -
StandardInput=data
{addresses}{sandbox}
[Install]
WantedBy=multi-user.target
"""
# Debian's and Red Hat's nftables.service begin with "flush ruleset", so each of their starts must bring ours back: they
# want this unit, which for that does not stay active. A reload is propagated to units that are active alone
# (systemd, src/core/job.c: job_type_collapse), so that is the drop-in's part.
_TABLE_UNIT = """\
# {header}
[Unit]
Description=The nftables table inet {name}
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=systemd-modules-load.service local-fs.target nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart=nft --file {path}
{sandbox}
[Install]
WantedBy=multi-user.target nftables.service
"""


# The commands of a reload run one after the other (systemd.service(5), ExecReload=). If the distribution's own fails it
# has flushed nothing, and this one does not run.
_RELOAD_DROP_IN = """\
# {header}
[Service]
ExecReload=-nft --file {path}
"""

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
# Whoever sets up the network may be later, and a route needs its interface to be up.
{links}# A batch is of one family.
{commands}StandardInput=data
{batch}{sandbox}
[Install]
WantedBy=multi-user.target
"""
# The kernel removes the routes of an interface that goes down or loses its last address, and rules stay
# (net/ipv4/fib_frontend.c: fib_disable_ip). No part of systemd sees that. What is set again without need is not
# announced (net/ipv4/fib_trie.c: fib_table_insert), and what is announced begins with no digit: there is no loop.
# A second after its start, ip listens; what it misses before that is set then.
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
_TUNNELS_UNIT = """\
# {header}
[Unit]
Description=Receiving ends of the tunnels of LVS
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=systemd-modules-load.service systemd-sysctl.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
# What is there already is refused, and does no harm.
{commands}{sandbox}
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Unit:
    """A unit file's text, whether C(multi-user.target) wants the unit, and whether it runs (None: does not matter).

    A name with a slash is that of a drop-in: C(nftables.service.d/x.conf). It is never enabled.
    """

    text: str
    enabled: bool = True
    running: bool | None = None


def vips_unit(header: str, interface: str, vips: Sequence[str]) -> Unit:
    """The unit that silences ARP and then puts these addresses on the interface.

    It runs before the network is brought up (for an interface other than lo: as soon as that is there), so that
    services which bind to a VIP find it. It has no ExecStop: stopping it must not take a VIP from live connections.
    """
    device = _device(interface)
    order = _ORDER_LO if interface == "lo" else _ORDER_DEVICE.format(device=device)
    addresses = "".join(f"StandardInputText=address replace {batch_words(vip, interface)}\n" for vip in vips)
    return Unit(_UNIT.format(header=header, interface=interface, order=order, addresses=addresses, sandbox=_SANDBOX))


def table_unit(header: str, name: str, path: str) -> Unit:
    """The unit that loads a table of nftables from a file at boot, before the network is up.

    It has no ExecStop: stopping it must not open what the table closes.
    """
    return Unit(_TABLE_UNIT.format(header=header, name=name, path=path, sandbox=_SANDBOX))


def reload_drop_in(header: str, path: str) -> Unit:
    """The drop-in of nftables.service that loads a table from a file at each reload, which flushes all of them."""
    return Unit(_RELOAD_DROP_IN.format(header=header, path=path), enabled=False)


def routes_unit(header: str, routes: Sequence[Route], rules: Sequence[Rule]) -> Unit:
    """The unit that sets routes and rules as soon as the interfaces are there.

    It has no ExecStop: stopping it must not turn replies of live connections away.
    """
    interfaces = sorted({route.interface for route in routes})
    lines = _route_lines(routes)
    # so that it can run again
    flushed = {(rule.family, f"protocol {OURS}" if rule.marked else f"table {rule.table}") for rule in rules}
    lines += [f"{family[-1]} rule flush {which}" for family, which in sorted(flushed)]
    lines += [f"{rule.family[-1]} rule add {rule.batch_words()}" for rule in rules]
    commands = [
        f"ExecStart=/bin/sh -ec 'sed -n \"s/^{family} //p\" | ip -{family} -force -batch -'\n"
        for family in sorted({line[0] for line in lines})
    ]
    return Unit(
        _ROUTES_UNIT.format(
            header=header,
            devices=" ".join(map(_device, interfaces)),
            links="".join(f"ExecStart=ip link set dev {interface} up\n" for interface in interfaces),
            commands="".join(commands),
            batch="".join(f"StandardInputText={line}\n" for line in lines),
            sandbox=_SANDBOX,
        )
    )


def watch_unit(header: str, routes: Sequence[Route]) -> Unit:
    """The unit that sets routes again when an interface has lost them, for as long as it runs."""
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
        sandbox=_SANDBOX,
    )
    return Unit(text, running=True)


def _route_lines(routes: Sequence[Route]) -> list[str]:
    """What sets routes, and what is met without them: a line each, behind the number of the family."""
    lines = [
        f"{route.family[-1]} route replace default via {route.gateway} dev {route.interface} onlink table {route.table}"
        for route in routes
    ]
    lines += [f"{one.family[-1]} route replace {one.batch_words()}" for one in fallbacks(routes)]
    return lines


def tunnels_unit(
    header: str, devices: Sequence[TunnelDevice], ports: Sequence[GuePort], unfiltered: Sequence[str]
) -> Unit:
    """The unit that sets tunnel devices and GUE ports up before the network is.

    unfiltered: devices whose packets must not be dropped by reverse path filtering. It has no ExecStop: stopping it
    must not end live connections.
    """
    lines = []
    modules = sorted({GUE_MODULES[port.family] for port in ports})
    if modules:
        # Outside the sandbox, which nothing else here needs to leave.
        lines.append(f"+modprobe --all {' '.join(modules)}")
    lines += [f"-ip -{port.family[-1]} fou add port {port.port} gue" for port in ports]
    for device in devices:
        lines.append(f"-ip link add name {device.name} type {device.words()}")
        lines.append(f"-ip link set dev {device.name} addrgenmode none")
        lines.append(f"ip link set dev {device.name} up")
    if unfiltered:
        echoes = (f"echo 0 >/proc/sys/net/ipv4/conf/{name}/rp_filter" for name in ("all", *unfiltered))
        lines.append(f"/bin/sh -ec '{'; '.join(echoes)}'")
    commands = "".join(f"ExecStart={line}\n" for line in lines)
    return Unit(_TUNNELS_UNIT.format(header=header, commands=commands, sandbox=_SANDBOX))


def _device(interface: str) -> str:
    """The unit by which systemd knows an interface."""
    return f"sys-subsystem-net-devices-{escape(interface)}.device"


def batch_words(vip: str, interface: str) -> str:
    """An address in the words of C(ip address), as addresses.py adds it."""
    if ":" in vip:
        return f"{vip}/128 dev {interface} nodad preferred_lft 0"
    return f"{vip}/32 dev {interface} scope host"


def escape(name: str) -> str:
    """A name as systemd writes it in a unit's name (systemd-escape(1))."""
    escaped = re.sub(r"[^A-Za-z0-9:_.]", lambda match: "".join(f"\\x{byte:02x}" for byte in match[0].encode()), name)
    return f"\\x2e{escaped[1:]}" if escaped.startswith(".") else escaped
