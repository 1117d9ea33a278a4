# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection synchronisation daemons as values, their plan, and their netlink attributes. Pure.

The kernel has at most one master and one backup in a network namespace. It has no command to change a running daemon,
so a change is a stop and a start. The kernel's side is start_sync_thread (ip_vs_sync.c) and ip_vs_genl_new_daemon
(ip_vs_ctl.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import model, netlink
from .model import InvalidValue

MASTER, BACKUP = "master", "backup"
ROLES = {MASTER: 1, BACKUP: 2}  # IP_VS_STATE_*
ROLE_NAMES = {number: name for name, number in ROLES.items()}

DEFAULT_GROUP = bytes([224, 0, 0, 81])
DEFAULT_PORT = 8848
DEFAULT_TTL = 1
MIN_MAXLEN = {MASTER: 1, BACKUP: 1024}
MAX_SYNC_ID = 255  # 8 bits in the messages

_NUMBERS = {form.size: form for form in (netlink.U8, netlink.U16, netlink.U32)}
_INTERFACE = re.compile(r"[^\s/:\0]{1,15}")


class SyncDaemon(NamedTuple):
    """A running daemon, or one to start."""

    interface: str
    sync_id: int = 0  # a backup with 0 takes every master's messages
    multicast_group: bytes = DEFAULT_GROUP
    port: int = DEFAULT_PORT
    ttl: int = DEFAULT_TTL
    sync_maxlen: int = 0  # bytes of a message without IP and UDP headers; 0: the kernel derives it from the MTU


class DaemonPatch(NamedTuple):
    """A daemon as it should be; None: unchanged, the default at its start."""

    interface: str | None = None
    sync_id: int | None = None
    multicast_group: bytes | None = None
    port: int | None = None
    ttl: int | None = None
    sync_maxlen: int | None = None


Daemons = Mapping[str, SyncDaemon]  # by role


class Step(NamedTuple):
    """Stop a daemon (``daemon`` is None) or start one."""

    role: str
    daemon: SyncDaemon | None = None


def spec() -> dict[str, Any]:
    """Return the synchronisation daemons."""
    return {
        "role": {"type": "list", "elements": "str", "choices": ["master", "backup"], "required": True},
        "interface": {"type": "str"},
        "sync_id": {"type": "int"},
        "multicast_group": {"type": "str"},
        "port": {"type": "int"},
        "ttl": {"type": "int"},
        "sync_maxlen": {"type": "int"},
        "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    }


def _label(role: str) -> str:
    return f"sync daemon {role}"


def roles(names: Iterable[str]) -> list[str]:
    """Return the roles that are named, each once, master first. InvalidValue if none is."""
    wanted = [role for role in ROLES if role in set(names)]
    if not wanted:
        raise InvalidValue("sync daemon", "role", [], f"must name one or both of {', '.join(ROLES)}")
    return wanted


def from_arguments(arguments: Mapping[str, Any]) -> DaemonPatch:
    """Return options of the module as a patch. InvalidValue if one cannot be."""
    wanted = roles(arguments["role"])
    label = _label(" and ".join(wanted))
    interface, group = arguments.get("interface"), arguments.get("multicast_group")
    if interface is not None and not (_INTERFACE.fullmatch(interface) and interface.isascii()):
        raise InvalidValue(label, "interface", interface, "must be the name of an interface, of at most 15 characters")
    packed = None
    if group is not None:
        try:
            packed = model.pack_address(group)
        except ValueError as error:
            raise InvalidValue(label, "multicast_group", group, str(error)) from None
        if not (224 <= packed[0] < 240 if len(packed) == 4 else packed[0] == 0xFF):
            raise InvalidValue(label, "multicast_group", group, "must be a multicast address")
    header = 28 if packed is None or len(packed) == 4 else 48
    low = max(MIN_MAXLEN[role] for role in wanted)
    limits = {"sync_id": (0, MAX_SYNC_ID), "port": (1, 65535), "ttl": (1, 255), "sync_maxlen": (low, 65535 - header)}
    numbers = {}
    for key, (lowest, highest) in limits.items():
        value = numbers[key] = arguments.get(key)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise InvalidValue(label, key, value, f"must be a whole number from {lowest} to {highest}")
    return DaemonPatch(interface, multicast_group=packed, **numbers)


def merge(role: str, patch: DaemonPatch, current: SyncDaemon | None) -> SyncDaemon:
    """Return a daemon with a patch applied (None: a stopped one). InvalidValue without an interface."""
    if current is None:
        if patch.interface is None:
            raise InvalidValue(_label(role), "interface", None, "is needed to start it")
        base = SyncDaemon(patch.interface)
    else:
        base = current
    merged = base._replace(**{name: value for name, value in patch._asdict().items() if value is not None})
    moved = merged.interface != base.interface or len(merged.multicast_group) != len(base.multicast_group)
    if moved and patch.sync_maxlen is None:
        return merged._replace(sync_maxlen=0)  # another MTU, another header
    return merged


def plan(current: Daemons, roles: Iterable[str], patch: DaemonPatch | None) -> tuple[list[Step], dict[str, SyncDaemon]]:
    """Return steps that apply ``patch`` to the daemons of ``roles`` (None: stop), and the daemons afterwards."""
    steps: list[Step] = []
    predicted = dict(current)
    for role in roles:
        old = current.get(role)
        new = None if patch is None else merge(role, patch, old)
        if new == old:
            continue
        if old is not None:
            steps.append(Step(role))
            del predicted[role]
        if new is not None:
            steps.append(Step(role, new))
            predicted[role] = new
    return steps, predicted


def way_back(before: Daemons, now: Daemons, roles: Iterable[str]) -> list[Step]:
    """Return steps from ``now`` to ``before``, of these roles."""
    steps: list[Step] = []
    for role in roles:
        old, found = before.get(role), now.get(role)
        if old == found:
            continue
        steps.extend([Step(role)] if found else [])
        steps.extend([Step(role, old)] if old else [])
    return steps


def differing(predicted: Daemons, actual: Daemons, roles: Iterable[str]) -> list[str]:
    """Return the roles in which ``actual`` is not as predicted; a message size that the kernel derives is any size."""

    def comparable(daemon: SyncDaemon | None, like: SyncDaemon | None) -> SyncDaemon | None:
        derived = daemon is not None and like is not None and not like.sync_maxlen
        return daemon._replace(sync_maxlen=0) if derived and daemon else daemon

    return [role for role in roles if comparable(actual.get(role), predicted.get(role)) != predicted.get(role)]


def render(daemons: Daemons, roles: Iterable[str]) -> str:
    """Return the options of ipvsadm that start them, a line each."""
    return "".join(
        f"--start-daemon {role} {options(daemons[role])}\n" for role in ROLES if role in roles and role in daemons
    )


def options(daemon: SyncDaemon) -> str:
    """Return the options of ipvsadm."""
    size = f" --sync-maxlen {daemon.sync_maxlen}" if daemon.sync_maxlen else ""
    return (
        f"--mcast-interface {daemon.interface} --syncid {daemon.sync_id}{size}"
        f" --mcast-group {model.address_text(daemon.multicast_group)} --mcast-port {daemon.port}"
        f" --mcast-ttl {daemon.ttl}"
    )


def encode(step: Step) -> tuple[int, bytes]:
    """Return command and payload of a step. Port and group are in the byte orders that ip_vs_genl_new_daemon reads."""
    inner = netlink.attribute(netlink.DAEMON_STATE, netlink.U32.pack(ROLES[step.role]))
    if step.daemon is None:
        return netlink.DEL_DAEMON, netlink.attribute(netlink.ATTR_DAEMON | netlink.NLA_F_NESTED, inner)
    daemon = step.daemon
    ipv4 = len(daemon.multicast_group) == 4
    inner += (
        netlink.attribute(netlink.DAEMON_MCAST_IFN, daemon.interface.encode() + b"\0")
        + netlink.attribute(netlink.DAEMON_SYNC_ID, netlink.U32.pack(daemon.sync_id))
        + netlink.attribute(netlink.DAEMON_MCAST_GROUP if ipv4 else netlink.DAEMON_MCAST_GROUP6, daemon.multicast_group)
        + netlink.attribute(netlink.DAEMON_MCAST_PORT, netlink.U16.pack(daemon.port))
        + netlink.attribute(netlink.DAEMON_MCAST_TTL, netlink.U8.pack(daemon.ttl))
    )
    if daemon.sync_maxlen:
        inner += netlink.attribute(netlink.DAEMON_SYNC_MAXLEN, netlink.U16.pack(daemon.sync_maxlen))
    return netlink.NEW_DAEMON, netlink.attribute(netlink.ATTR_DAEMON | netlink.NLA_F_NESTED, inner)


def decode(data: bytes, message: netlink.Message) -> tuple[str, SyncDaemon]:
    """Return a daemon of a GET_DAEMON answer, with its role."""
    nested = next(
        (start, end)
        for kind, start, end in netlink.attributes(data, message.start, message.end)
        if kind == netlink.ATTR_DAEMON
    )
    values = {kind: data[start:end] for kind, start, end in netlink.attributes(data, *nested)}

    def number(kind: int, default: int) -> int:
        value = values.get(kind)
        return default if value is None else int(_NUMBERS[len(value)].unpack(value)[0])

    group = values.get(netlink.DAEMON_MCAST_GROUP) or values.get(netlink.DAEMON_MCAST_GROUP6) or DEFAULT_GROUP
    return ROLE_NAMES[number(netlink.DAEMON_STATE, 0)], SyncDaemon(
        values[netlink.DAEMON_MCAST_IFN].split(b"\0", 1)[0].decode("utf-8", "replace"),
        number(netlink.DAEMON_SYNC_ID, 0),
        group,
        number(netlink.DAEMON_MCAST_PORT, DEFAULT_PORT),
        number(netlink.DAEMON_MCAST_TTL, DEFAULT_TTL),
        number(netlink.DAEMON_SYNC_MAXLEN, 0),
    )


def facts(role: str, daemon: SyncDaemon) -> dict[str, Any]:
    """Return a daemon in the options of the module ipvs_sync_daemon."""
    return {
        "role": role,
        **daemon._asdict(),
        "multicast_group": model.address_text(daemon.multicast_group),
    }
