# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole keepalived.conf of one director, as text.

Sources: keepalived.conf(5), and the parsers in keepalived/core/global_parser.c and keepalived/vrrp/vrrp_parser.c. The
versions 2.2.7 and 2.3.3 accept this text.

**Virtual servers.** Syntax and limits are those of keepalived.conf(5) and keepalived/check/check_*.c in 2.2.7 and
2.3.3. Services keep the order of the description, real servers have their canonical order: the kernel's table of ``mh``
depends on it.

Draining without a reload: each real server has a FILE_CHECK of the file `drain_file`. How that works, in both versions:

- keepalived/trackers/track_file.c: a missing or empty file counts as 0. The directory must exist and is watched, so a
  new, removed or changed file counts at once.
- process_update_checker_track_file_status: the file's number times the check's weight is added to the real server's
  weight, and the kernel gets the sum, or 0 if it is negative (update_svr_wgt in check/ipwrapper.c, real_weight in
  check_data.h).
- Only a product of -2147483648 or less counts as a failed check, and removes the real server (weight_range in
  track_file.h, IPVS_WEIGHT_FAULT in ip_vs.h).
- With a weight of 0, any number but 0 is a failed check. The type ``file`` uses that.
- On reload, the file counts before the table is touched (check/check_daemon.c: set_track_file_weights,
  set_effective_weights), so a drain outlasts it.

- Its price: on reload, a real server whose only other check has changed counts as checked already, and a failed one is
  in service until the new check fails too (check/ipwrapper.c: migrate_checkers, a_checker_has_run).

So the weight here is the real server's own, negative, and at least 1: a 1 in the file makes 0 of its weight.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.checkers import (
    checked,
    drain_files,
    filled_in,
    own_checks,
    quorum_command,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import DirectorModel
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.pair import (
    HANDOVER,
    HANDOVER_FILE,
    Instance,
    handover_file,
    hands_over,
    several_groups,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.resolve import RealServer, ResolvedService
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.through_vip import way_to
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.check_reader import CONNECTING
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import IPAddress, family_of, to_address
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    HEALTH_CHECKS,
    KEEPALIVED,
    NOTIFICATIONS,
    SMTP_TIMEOUT,
    SYNC_KEYS,
    TTL,
    VRRP,
    Email,
    SyncDaemon,
    Tracked,
    TrackedScript,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    QUORUM_COMMANDS,
    Check,
    HealthCheck,
    Service,
    Tunnel,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import HEADER

_METHODS = {"dr": "DR", "tun": "TUN", "nat": "NAT", "fullnat": "NAT"}
_CHECKS = {
    "http": "HTTP_GET",
    "https": "SSL_GET",
    "tcp": "TCP_CHECK",
    "udp": "UDP_CHECK",
    "dns": "DNS_CHECK",
    "smtp": "SMTP_CHECK",
    "ping": "PING_CHECK",
    "misc": "MISC_CHECK",
    "file": "FILE_CHECK",
}
_DYNAMIC = 253  # the largest weight by misc_dynamic, which an exit status has plus 2
#: Outside of quotes, the parser ends a word or a line at these characters.
_QUOTED = frozenset("!#{} '")
#: The user in a configuration while keepalived validates it. Version 2.2.7 of Debian 12 exits during validation after
#: it has looked for a command as another user (lib/notify.c, check_script_secure; 2.3.3 does not).
VALIDATING_USER = "root"


def block(head: str, lines: Iterable[str]) -> list[str]:
    """Return the lines of a block with its content indented; blocks can be nested."""
    return [f"{head} {{", *(f"    {line}" for line in lines), "}"]


def number(value: float) -> str:
    """Return seconds to the millisecond, without an exponent, and without a fraction for whole numbers."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def configuration(model: DirectorModel, script_user: str) -> str:
    """Return the whole file, ending in a newline; an empty ``script_user`` means none. A single director tracks
    nothing.
    """
    instances, email = model.instances, model.emails.get(KEEPALIVED)
    text = "\n".join([HEADER, *_global(model.host, instances, model.sync_daemon, script_user, email), ""])
    blocks: list[list[str]] = []
    groups: dict[str, list[Instance]] = {}
    for instance in instances:
        groups.setdefault(instance.group, []).append(instance)
    if hands_over(instances):
        blocks.append(block("track_file director", [f"file {HANDOVER_FILE}"]))
        for name in groups if len(groups) > 1 else ():
            path = handover_file(name, True)
            blocks.append(block(f"track_file {_name(path)}", [f"file {path}"]))
        blocks += [_script(script) for script in model.tracked.scripts]
    for members in groups.values():
        blocks += _vrrp_group(members, model, len(groups) > 1)
    # it has the services only if it checks them
    resolved = model.resolved if model.health_checker == KEEPALIVED else ()
    emails = email is not None and HEALTH_CHECKS in email.about
    blocks += virtual_servers(model, resolved, emails)
    return text + "".join("\n" + "\n".join(lines) + "\n" for lines in blocks)


def _vrrp_group(instances: Sequence[Instance], model: DirectorModel, several: bool) -> Iterator[list[str]]:
    """Yield the blocks of the instances that move together. ``several``: there are other groups."""
    name = instances[0].group
    watch = [*_tracking(model.tracked), *_handover(name, several)] if hands_over(instances) else []
    commands = [f'{NOTIFICATIONS[state]} "{command}"' for state, command in model.notify.items()]
    shared: list[str] = []
    if len(instances) > 1 and hands_over(instances):
        # both families move together, so that a director never holds half of the VIPs
        members = block("group", [instance.name for instance in instances])
        yield block(f"vrrp_sync_group lvs{'_' * bool(name)}{name}", [*members, *watch, *commands])
        # a group has one setting for all of its members, and runs commands and sends e-mails once for all
        watch, commands, shared = [], [], ["smtp_alert false"] * (KEEPALIVED in model.emails)
    for number, instance in enumerate(instances):
        # without a sync group, the first instance stands for all, which are on one link
        yield _instance(instance, [*shared, *watch, *(commands if number == 0 else [])])


def _global(
    host: str, instances: Sequence[Instance], sync_daemon: SyncDaemon | None, script_user: str, email: Email | None
) -> list[str]:
    lines = [f"router_id {host}", "vrrp_version 3", "vrrp_check_unicast_src", "enable_script_security"]
    if script_user:
        lines.append(f"script_user {script_user}")
    if sync_daemon is not None and instances:
        lines.append(_sync_daemon(sync_daemon, instances))
    lines += _email(email)
    lines += ["# At boot keepalived may be there before the interface is.", "dynamic_interfaces"]
    return block("global_defs", lines)


def _email(email: Email | None) -> Iterator[str]:
    """Yield the settings of e-mails. A sender is always given: version 2.3.3 ends with a signal if it has none and the
    host's name cannot be resolved (core/global_data.c: init_global_data, core/smtp.c: mail_cmd).
    """
    if email is None:
        return
    yield from block("notification_email", email.to)
    yield f"notification_email_from {email.sender}"
    yield f"smtp_server {email.server} {email.port}"
    if email.helo is not None:
        yield f"smtp_helo_name {email.helo}"
    yield f"smtp_connect_timeout {email.timeout or SMTP_TIMEOUT}"
    for word, subject in (("smtp_alert_vrrp", VRRP), ("smtp_alert_checker", HEALTH_CHECKS)):
        yield f"{word} {'true' if subject in email.about else 'false'}"
    # one for each change of a real server, and not for each of its checks
    yield "no_checker_emails"


def _handover(group: str, several: bool) -> list[str]:
    """Return the lines of the handover files: each 1 in their numbers lowers the priority.

    Lowering it by more than 253 is a fault: the director releases the VIPs at once (keepalived/trackers/track_file.c).
    """
    paths = dict.fromkeys((HANDOVER_FILE, handover_file(group, several)))
    return block("track_file", [f"{_name(path)} weight {-HANDOVER}" for path in paths])


def _name(path: str) -> str:
    """Return keepalived's name of a handover file."""
    return path.rpartition("/")[2]


def _instance(instance: Instance, watch: list[str]) -> list[str]:
    settings = instance.settings
    lines = [
        f"state {instance.state}",
        f"interface {settings.interface}",
        f"virtual_router_id {instance.virtual_router_id}",
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
        # keepalived sets it by default with IPv4 only; IPv6 uses the host's default (vrrp_build_ancillary_data() in
        # keepalived/vrrp/vrrp.c)
        lines.append(f"unicast_ttl {TTL}")
        accepted = f"min_ttl {settings.min_ttl} max_ttl {TTL}"
        # the names are for the comparison with the inventory (module_utils/_host/director_state.py)
        lines += block("unicast_peer", [f"{peer} {accepted} # {name}" for name, peer in instance.peers.items()])
    lines += watch
    lines += block("virtual_ipaddress", [instance.advertised])
    lines += block("virtual_ipaddress_excluded", instance.addresses)
    return block(f"vrrp_instance {instance.name}", lines)


@dataclass(frozen=True)
class _Pool:
    """A service, and what its ports have in common. ``interval`` is that of `_interval`."""

    item: ResolvedService
    check: HealthCheck
    model: DirectorModel
    silence: Sequence[str]
    interval: float | None


def virtual_servers(model: DirectorModel, resolved: Sequence[ResolvedService], emails: bool) -> list[list[str]]:
    """Return the blocks of the configuration: the watched files, then one ``virtual_server`` for each port.

    ``emails``: services have e-mails, unless they rule them out.
    """
    files = {_drain(address): path for address, path in drain_files(resolved).items()}
    paths = {
        check.path
        for item, _pool in checked(resolved)
        for server in item.servers
        for port in item.service.ports
        for check in (filled_in(one, item.service, server, port) for one in server.checks if one.type == "file")
        if check.path
    }
    files.update((_switch(path), path) for path in sorted(paths))
    blocks = [block(f"track_file {name}", [f"file {path}"]) for name, path in files.items()]
    for item, check in checked(resolved):
        # a real server does not have this from its service (check_data.c: validate_check_config)
        silence = ["smtp_alert false"] * (emails and not check.email)
        pool = _Pool(item, check, model, silence, _interval(item))
        blocks += [_virtual_server(pool, port) for port in item.service.ports]
    return blocks


def _virtual_server(pool: _Pool, port: int) -> list[str]:
    item, service = pool.item, pool.item.service
    lines = [f"# {service.name}"]
    if service.fwmark is not None:
        head = f"fwmark {service.fwmark}"
        # before persistence_granularity, whose form depends on it
        lines.append(f"ip_family {'inet6' if service.family == 'ipv6' else 'inet'}")
    else:
        head = _endpoint(service.address, port)
        lines.append(f"protocol {(service.protocol or '').upper()}")
    lines += [f"lvs_sched {service.scheduler}", *service.scheduler_flags]  # flags count only after their scheduler
    lines += ["ops"] * service.one_packet
    method = _method(service.forward_method, service.tunnel)
    lines += [f"lvs_method {method}", *_persistence(service), *_settings(pool, port), *pool.silence]
    for server in item.servers:
        lines += _real_server(server, pool, port)
    if not item.servers and item.sorry_server is not None:
        lines += _only_server(item.sorry_server, service, port)
    return block(f"virtual_server {head}", lines)


def _endpoint(address: IPAddress | None, port: int) -> str:
    """Return an address and a port; a port of 0 is left out."""
    return f"{address} {port}" if port else str(address)


def _method(forward_method: str, tunnel: Tunnel) -> str:
    """Return keepalived's name of the method. It has no fullnat: that is NAT, and nftables does the rest."""
    method = _METHODS[forward_method]
    if forward_method != "tun" or tunnel.type == "ipip":
        return method
    words = [method, "type", tunnel.type]
    if tunnel.port:
        words += ["port", str(tunnel.port)]
    if tunnel.checksum != "none":
        words.append(tunnel.checksum)
    return " ".join(words)


def _own_method(server: RealServer, service: Service) -> str:
    """Return the method of a real server or a sorry server; empty for the service's."""
    own = _method(server.forward_method, server.tunnel)
    return "" if own == _method(service.forward_method, service.tunnel) else own


def _persistence(service: Service) -> Iterator[str]:
    persistence = service.persistence
    if persistence is None:
        return
    yield f"persistence_timeout {persistence.timeout}"
    if service.family == "ipv6":
        if persistence.netmask != 128:
            yield f"persistence_granularity {persistence.netmask}"
    elif persistence.netmask != 32:
        yield f"persistence_granularity {dotted_mask(persistence.netmask)}"
    if persistence.engine:
        yield f"persistence_engine {persistence.engine}"


def dotted_mask(bits: int) -> str:
    """Return an IPv4 netmask of so many bits, 255.255.255.0 for instance."""
    return str(ipaddress.IPv4Network((0, bits)).netmask)


def _settings(pool: _Pool, port: int) -> Iterator[str]:
    """Yield the settings that apply to all real servers together."""
    item, check = pool.item, pool.check
    if pool.interval is not None:
        yield f"delay_loop {number(pool.interval)}"
        if check.alpha:
            yield "alpha"
    if check.inhibit_on_failure:
        yield "inhibit_on_failure"
    if check.quorum > 1 and item.servers:
        yield f"quorum {check.quorum}"
    if check.hysteresis and item.servers:
        yield f"hysteresis {check.hysteresis}"
    if check.omega:
        yield "omega"
    for key in QUORUM_COMMANDS:
        command = getattr(check, key)
        if command is not None:
            yield f'{key} "{quorum_command(command, item.service, port)}"'
    sorry = item.sorry_server
    if sorry is not None and item.servers:
        yield f"sorry_server {_endpoint(sorry.address, sorry.port or port)}"
        if method := _own_method(sorry, item.service):
            yield f"sorry_server_lvs_method {method}"


def _interval(item: ResolvedService) -> float | None:
    """Return the seconds between the first check of a service; those of others can differ. None if all are files."""
    checks = (check for _place, check, _servers in own_checks(item))
    return next((check.interval for check in checks if check.type != "file"), None)


def _only_server(sorry: RealServer, service: Service, port: int) -> list[str]:
    """Return the sorry server as the real server of a service without any: keepalived ignores a service that has none
    (check_data.c: validate_check_config).
    """
    lines = ["weight 1"]
    if method := _own_method(sorry, service):
        lines.append(f"lvs_method {method}")
    return block(f"real_server {_endpoint(sorry.address, sorry.port or port)}", lines)


def _real_server(server: RealServer, pool: _Pool, port: int) -> list[str]:
    service = pool.item.service
    weight = 1 if server.weight is None else server.weight
    lines = [f"weight {weight}"]
    if method := _own_method(server, service):
        lines.append(f"lvs_method {method}")
    for key in ("alpha", "inhibit_on_failure"):
        wanted = getattr(server, key)
        if wanted != getattr(pool.check, key):
            lines.append(f"{key} {'true' if wanted else 'false'}")
    if server.upper_threshold:
        lines.append(f"uthreshold {server.upper_threshold}")
    if server.lower_threshold:
        lines.append(f"lthreshold {server.lower_threshold}")
    lines += pool.silence
    for check in server.checks:
        filled = filled_in(check, service, server, port)
        connection = _connection(filled, server, pool, port)
        lines += block(_CHECKS[check.type], [*connection, *_check(filled, pool.interval)])
    # a command can set a weight of at most 253 (check_misc.c)
    least = _DYNAMIC if any(check.dynamic for check in server.checks) else 1
    drain = [f"track_file {_drain(str(server.address))}", f"weight -{max(weight, least)}"]
    lines += block("FILE_CHECK", drain)
    return block(f"real_server {_endpoint(server.address, server.port or port)}", lines)


def _connection(check: Check, server: RealServer, pool: _Pool, port: int) -> Iterator[str]:
    """Yield the lines about the packets of a check. A ping has an address only (check_ping.c)."""
    if check.through_vip:
        item, model = pool.item, pool.model
        yield f"connect_ip {item.service.vips[0]}"
        yield f"connect_port {check.port or port}"
        yield f"bindto {model.check_sources[item.service.family]}"
        yield f"fwmark {model.check_marks[way_to(item, server)]}"
        return
    sources = pool.model.settings.check_sources
    asked = check.connect_address or server.address
    if check.connect_address is not None:
        yield f"connect_ip {asked}"
    if check.type not in CONNECTING:
        return
    if check.port is not None:
        yield f"connect_port {check.port}"
    elif check.connect_address is not None:
        yield f"connect_port {server.port or port}"
    if family_of(asked) in sources:
        yield f"bindto {sources[family_of(asked)]}"
    if check.interface is not None:
        yield f"bind_if {check.interface}"
    if check.mark is not None:
        yield f"fwmark {check.mark}"


def _check(check: Check, usual: float | None) -> Iterator[str]:
    """Yield the content of the block of a health check. ``usual``: the interval of its service."""
    if check.type == "file" and check.path is not None:
        yield f"track_file {_switch(check.path)}"
        yield "weight 0"  # any number but 0 in the file is a failed check
        return
    if check.command is not None:
        yield f'misc_path "{check.command}"'
        yield f"misc_timeout {number(check.timeout)}"
        if check.dynamic:
            yield "misc_dynamic"
    else:
        yield f"connect_timeout {number(check.timeout)}"
    if check.interval != usual:
        yield f"delay_loop {number(check.interval)}"
    yield f"retry {check.retries}"
    yield f"delay_before_retry {number(check.delay_before_retry)}"
    if check.warmup is not None:
        yield f"warmup {number(check.warmup)}"
    if check.type in ("http", "https"):
        yield from _url(check)
    elif check.type == "dns":
        yield f"type {check.record}"
        yield f"name {check.name}"
    elif check.helo is not None:
        yield f"helo_name {check.helo}"


def pattern(text: str) -> str:
    """Return a regular expression that finds a text, for PCRE and Perl.

    It has no quotes, no dollar sign, which keepalived would replace with what follows, and no '#', which begins a
    comment in ldirectord's configuration. keepalived looks for partial matches too (check_http.c: check_regex), and
    counts one at the end of an answer as none. A text has no partial match where it matches.
    """
    return "".join(f"\\x{ord(one):02x}" if one in '"#$' else re.escape(one) for one in text)


def _url(check: Check) -> Iterator[str]:
    if check.type == "https" and check.host is not None and _is_name(check.host):
        # it sends the whole virtualhost (check_ssl.c: ssl_connect), and only a name is valid (RFC 6066, section 3)
        yield "enable_sni"
    codes = " ".join(str(low) if low == high else f"{low}-{high}" for low, high in check.status)
    lines = [f"path {_word(check.path or '/')}", f"status_code {codes}"]
    if check.digest is not None:
        lines.append(f"digest {check.digest}")
    if check.body is not None:
        # the parser takes a backslash as an escape here (lib/parser.c: alloc_strvec_quoted_escaped)
        escaped = pattern(check.body).replace("\\", "\\\\")
        lines.append(f'regex "{escaped}"')
    if check.host is not None:
        lines.append(f"virtualhost {check.host}")
    yield from block("url", lines)


def _is_name(host: str) -> bool:
    """Return False for an address, and for a name with a port."""
    return ":" not in host and to_address(host) is None


def _word(text: str) -> str:
    return f'"{text}"' if _QUOTED.intersection(text) else text


def _drain(address: str) -> str:
    return f"drain_{address}"


def _switch(path: str) -> str:
    return f"check_{path}"


def _sync_daemon(daemon: SyncDaemon, instances: Sequence[Instance]) -> str:
    """Return the line for connection synchronisation, bound to a VRRP instance, or to none with several groups.

    Without an id and an instance, keepalived would restart the daemons at each reload, and end with a signal at a
    reload that adds the line (check/check_daemon.c: start_check; check/ipvswrapper.c: ipvs_syncd_changed).
    """
    options = {key: getattr(daemon, key) for key in SYNC_KEYS}
    bound = ["inst", instances[0].name]
    if several_groups(instances):
        bound = []
        if options["id"] is None:
            options["id"] = instances[0].settings.virtual_router_id
    given = [f"{key} {value}" for key, value in options.items() if value is not None]
    return " ".join(["lvs_sync_daemon", daemon.interface, *bound, *given])


def _script(script: TrackedScript) -> list[str]:
    """Return the definition of a script, which must precede the blocks that track it."""
    return block(
        f"vrrp_script {script.name}",
        [
            f'script "{script.command}"',
            f"interval {script.interval}",
            f"timeout {script.timeout}",
            f"fall {script.fall}",
            f"rise {script.rise}",
        ],
    )


def _tracking(tracked: Tracked) -> list[str]:
    """Return the blocks inside an instance, or a group of instances, that tracks."""
    found: list[str] = []
    for head, entries in (("track_interface", tracked.interfaces), ("track_script", tracked.scripts)):
        if entries:
            found += block(head, [entry.name + _weight(entry.weight) for entry in entries])
    return found


def _weight(weight: int | None) -> str:
    return "" if weight is None else f" weight {weight}"
