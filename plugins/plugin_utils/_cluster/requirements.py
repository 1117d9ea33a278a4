# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel modules and sysctls a director needs for its services.

Sources: Documentation/networking/ipvs-sysctl.rst and ip-sysctl.rst in the kernel's tree, and the code that is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.lvs.cluster.plugins.module_utils.host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils.host.sysctl import display, parse_key
from ansible_collections.lvs.cluster.plugins.module_utils.ipvs.timeouts import MAX_TIMEOUT, Timeouts
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import DIRECTORS, Inventory, InventoryError
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import Fields, to_boolean, to_integer
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Problems, plain, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import UNREWRITTEN, Service

TIMEOUTS_VARIABLE = "director_timeouts"
LEAVING_VARIABLE = "director_leaving_timeout"
#: Methods whose replies the director forwards as a router.
ROUTED = ("nat", "fullnat")


def kernel_modules(services: Sequence[Service]) -> list[str]:
    """``ip_vs``, a module for each scheduler, persistence engine and helper in use: sorted, ``ip_vs`` first.

    And ``nf_conntrack`` where connection tracking is to be set, since that brings the sysctls.

    The kernel would load a scheduler on demand, but naming it makes a kernel without it fail before the table is
    touched rather than in the middle of it.
    """
    needed = {f"ip_vs_{service.scheduler}" for service in services}
    needed |= {
        f"ip_vs_pe_{service.persistence.engine}"
        for service in services
        if service.persistence and service.persistence.engine
    }
    needed |= {f"ip_vs_{service.helper}" for service in services if service.helper}
    if any(service.synproxy for service in services):
        needed.add("nf_conntrack")
    return ["ip_vs", *sorted(needed)]


#: Schedulers that know from a packet alone where it goes.
_STATELESS = ("mh", "sh")


def sysctls(
    services: Sequence[Service], directors: int, interfaces: Sequence[str] = (), flood_defence: bool = True
) -> dict[str, int | str]:
    """The sysctls of one of ``directors`` directors: key with dots -> value.

    ``interfaces`` are those on which it has to do with clients and real servers.

    Always:

    - ``expire_nodest_conn=1``: a client whose real server was taken out gets an error at once, where 0 lets its packets
      vanish until the client gives up.
    - ``expire_quiescent_template=1``: persistent clients leave a real server of weight 0; with 0 they keep renewing
      their ticket, and a drain never ends.

    With ``flood_defence``:

    - ``drop_entry=1`` and ``drop_packet=1``: when the host runs out of memory, IPVS drops entries of half-open
      connections every second, and a part of the packets that would open connections (net/netfilter/ipvs/ip_vs_ctl.c:
      update_defense_level()). Otherwise they do nothing. The threshold is the host's own (the module ipvs_kernel).

    With dr or tun:

    - ``conn_reuse_mode=3``: a new connection from a client's port that was used before is scheduled anew if the old one
      is in FIN_WAIT, which is the last state that the director sees of it. With the kernel's own 1 that is done in
      TIME_WAIT only, which the director sees with nat. Otherwise the new connection would take the old one's entry,
      with its forwarding method and its real server, although the service may have others by now
      (ipvs-sysctl.rst; net/netfilter/ipvs/ip_vs_core.c: is_new_conn_expected()).

    With several directors, for the synchronisation of connections (ip_vs_sync.c: ip_vs_sync_conn_needed):

    - ``sync_threshold=3 0`` and ``sync_refresh_period=10``: a connection is told of when it is established, and again
      with the first packet after ten seconds. With the kernel's own ``3 50`` and 0 it is with every 50th packet, and a
      director that comes back would take the VIPs before it knows of connections that are quiet.

    With several directors and the scheduler mh or sh:

    - ``sloppy_tcp=1`` and ``sloppy_sctp=1``: a packet in the middle of a connection that the director knows nothing of,
      since the other one had it and it was too young to be synchronised, is scheduled as a SYN is. These schedulers
      choose the same real server as the other director did, so not even such a connection breaks at a failover.

    With nat or fullnat only:

    - ``ip_forward=1`` (and IPv6's ``forwarding``): replies pass through the director as through a router. With dr and
      tun replies go past it, and the request is taken in the LOCAL_IN hook and sent out as a packet of its own
      (``ip_vs_dr_xmit`` and ``ip_vs_tunnel_xmit``), so forwarding is not asked of the kernel. It is then left as it
      is: a director that routes between its links is not something to switch on by the way.
    - ``send_redirects=0``: otherwise a one-armed director tells its real servers to send replies past it. It counts if
      it is set for all or for the interface (include/linux/inetdevice.h: IN_DEV_TX_REDIRECTS), so both are cleared.
      Only forwarded packets cause redirects (net/ipv4/ip_forward.c), so dr and tun need no such setting. IPv6 has none,
      and `nftables.director_rules` sees to it instead.

    With fullnat or synproxy only:

    - ``conntrack=1``: connection tracking knows of IPVS's translation, which the rules in `nftables` build on. It is
      costly, so it is left alone otherwise.

    With synproxy only (Documentation/networking/nf_conntrack-sysctl.rst; the kernel's own selftests set the same):

    - ``nf_conntrack_tcp_loose=0``: a client's ACK to a cookie is then invalid, not a connection picked up half-way.
    - ``tcp_timestamps=1`` and ``tcp_syncookies=1``: cookies, which carry the client's TCP options in the timestamp.

    Left at the kernel's own: ``backup_only``. With 1, a director whose sync daemon is in backup state does not balance.
    keepalived moves VIPs and switches the daemon one after the other (vrrp/vrrp.c: vrrp_state_become_master), so in
    between a director with the VIP would answer clients with RST. What it is for cannot come about: two directors that
    are each other's real server and pass a packet to and fro. The description refuses that.
    """
    found: dict[str, int | str] = {
        "net.ipv4.vs.expire_nodest_conn": 1,
        "net.ipv4.vs.expire_quiescent_template": 1,
    }
    if flood_defence:
        found["net.ipv4.vs.drop_entry"] = 1
        found["net.ipv4.vs.drop_packet"] = 1
    if any(service.forward_method in UNREWRITTEN for service in services):
        found["net.ipv4.vs.conn_reuse_mode"] = 3
    if directors > 1:
        found["net.ipv4.vs.sync_threshold"] = "3 0"
        found["net.ipv4.vs.sync_refresh_period"] = 10
    if directors > 1 and any(service.scheduler in _STATELESS for service in services):
        found["net.ipv4.vs.sloppy_tcp"] = 1
        found["net.ipv4.vs.sloppy_sctp"] = 1
    routed = {service.family for service in services if service.forward_method in ROUTED}
    if "ipv4" in routed:
        found["net.ipv4.ip_forward"] = 1
        found["net.ipv4.conf.all.send_redirects"] = 0
        for interface in dict.fromkeys(interfaces):
            found[display(f"net/ipv4/conf/{interface}/send_redirects")] = 0
    if "ipv6" in routed:
        found["net.ipv6.conf.all.forwarding"] = 1
    if any(service.forward_method == "fullnat" or service.synproxy for service in services):
        found["net.ipv4.vs.conntrack"] = 1
    if any(service.synproxy for service in services):
        found["net.netfilter.nf_conntrack_tcp_loose"] = 0
        found["net.ipv4.tcp_syncookies"] = 1
        found["net.ipv4.tcp_timestamps"] = 1
    return found


def read_flood_defence(value: object, problems: Problems) -> bool:
    """Return whether IPVS drops something when memory runs out."""
    wanted = to_boolean(value)
    if wanted is None:
        problems.add("director_flood_defence", "", f"{show(value)} is neither true nor false")
    return bool(wanted)


def read_leaving_timeout(value: object, problems: Problems) -> int:
    """Return for how many seconds a director waits for the connections of real servers that leave."""
    seconds = to_integer(value)
    if seconds is None or not 0 <= seconds <= MAX_TIMEOUT:
        problems.add(LEAVING_VARIABLE, "", f"{show(value)} is not a number of seconds from 0 to {MAX_TIMEOUT}")
        return 0
    return seconds


def read_timeouts(value: object, inventory: Inventory, problems: Problems) -> dict[str, int]:
    """Return the timeouts of connections that are given, by the names that the module ipvs_timeout has for them.

    A director that takes over would forget connections that another one kept, so directors for which the inventory has
    different ones are refused.
    """
    found = _timeouts(value, problems)
    known = []
    for director in inventory.directors:
        try:
            given = inventory.variable(director, TIMEOUTS_VARIABLE)
        except InventoryError as error:
            problems.add(f"group {DIRECTORS}", "", str(error))
            continue
        known.append((director, _timeouts(given, Problems())))
    for director, others in known[1:]:
        first, expected = known[0]
        if others != expected:
            text = f"is {_say(expected)} on {first} and {_say(others)} on {director}"
            problems.add(TIMEOUTS_VARIABLE, "", f"{text}, but has to be the same on all directors")
            break
    return found


def _timeouts(value: object, problems: Problems) -> dict[str, int]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        problems.add(
            TIMEOUTS_VARIABLE, "", f"{show(value)} is not a mapping such as {{tcp: 900, tcp_fin: 120, udp: 300}}"
        )
        return {}
    fields = Fields(value, TIMEOUTS_VARIABLE, "", problems)
    fields.refuse_unknown(Timeouts._fields, "the timeouts")
    given = {name: fields.integer(name, 1, MAX_TIMEOUT) for name in Timeouts._fields}
    return {name: seconds for name, seconds in given.items() if seconds is not None}


def _say(timeouts: Mapping[str, int]) -> str:
    return (
        "not given" if not timeouts else f"{{{', '.join(f'{name}: {seconds}' for name, seconds in timeouts.items())}}}"
    )


def forwards(values: Mapping[str, int | str], version: int) -> bool:
    """Whether these sysctls make a router of the host, for IP of this version."""
    return str(values.get(forwarding_key(f"ipv{version}"), 0)) != "0"


def forwarding_key(family: str) -> str:
    """The sysctl that makes a router of the host."""
    return "net.ipv4.ip_forward" if family == "ipv4" else "net.ipv6.conf.all.forwarding"


def read_sysctls(value: object, variable: str, problems: Problems) -> dict[str, int | str]:
    """The user's own sysctls, checked: key -> integer or string, with the keys written as `sysctls` writes them."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        problems.add(variable, "", f"{show(value)} is not a mapping of sysctl keys and values")
        return {}
    found: dict[str, int | str] = {}
    for given, setting in value.items():
        try:
            key = display(parse_key(given if isinstance(given, str) else ""))
        except HostError:
            problems.add(variable, "", f"{show(given)} is not the name of a sysctl")
            continue
        if key in found:
            problems.add(variable, key, f"is there twice, the second time as {show(given)}")
        elif isinstance(setting, int):
            found[key] = int(setting)  # true and false are 1 and 0
        elif isinstance(setting, str) and setting.strip() and setting.isprintable():
            found[key] = plain(setting)
        else:
            problems.add(variable, key, f"{show(setting)} is neither an integer nor a line of text")
    return found
