# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications that several ipvs_* modules share; documented in the doc fragment ipvs.

PRIVATE to the collection lvs.cluster: may change without notice. What goes together is checked by
:mod:`.arguments`, which says in one sentence which service and option is wrong.
"""

from __future__ import annotations

from typing import Any

from . import model

Spec = dict[str, Any]


def identity() -> Spec:
    """What identifies a virtual service."""
    return {
        "address": {"type": "str"},
        "port": {"type": "int"},
        "protocol": {"type": "str", "choices": list(model.PROTOCOLS)},
        "fwmark": {"type": "int"},
        "family": {"type": "str", "choices": list(model.FAMILIES)},
    }


def service_identity(required: bool = False) -> Spec:
    """An option that names a virtual service."""
    return {"type": "dict", "required": required, "options": identity()}


def real_server() -> Spec:
    """A real server and its attributes."""
    return {
        "address": {"type": "str", "required": True},
        "port": {"type": "int"},
        "forward_method": {"type": "str", "choices": ["nat", "dr", "tun", "local"]},
        "weight": {"type": "int"},
        "upper_threshold": {"type": "int"},
        "lower_threshold": {"type": "int"},
        "tunnel_type": {"type": "str", "choices": list(model.TUNNEL_TYPES)},
        "tunnel_port": {"type": "int"},
        "tunnel_checksum": {"type": "str", "choices": list(model.TUNNEL_CHECKSUMS)},
    }


def service() -> Spec:
    """A virtual service with its attributes and real servers."""
    return {
        **identity(),
        "scheduler": {"type": "str"},
        "scheduler_flags": {"type": "list", "elements": "str"},
        "persistence_timeout": {"type": "int"},
        "persistence_netmask": {"type": "str"},
        "persistence_engine": {"type": "str"},
        "one_packet": {"type": "bool"},
        # Without options: .arguments checks them, in a twentieth of the time that AnsibleModule takes for each dict.
        "real_servers": {"type": "list", "elements": "dict"},
    }


def state() -> Spec:
    """Whether it should be there."""
    return {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}


def waiting() -> Spec:
    """An option that says which connections have to be gone."""
    return {
        "type": "list",
        "elements": "str",
        "choices": ["active", "inactive", "persistent"],
        "default": ["active"],
    }


def draining() -> Spec:
    """How a real server goes."""
    return {
        "state": {"type": "str", "choices": ["present", "absent", "drained"], "default": "present"},
        "drain_timeout": {"type": "float"},
        "drain_expired": {"type": "str", "choices": ["fail", "force"], "default": "fail"},
        "drain_wait_for": waiting(),
        "drain_udp_pause": {"type": "float", "default": 10},
        "minimum_in_service": {"type": "int"},
    }


def timeouts() -> Spec:
    """The timeouts of connections, and whether they are kept."""
    return {
        **{name: {"type": "int"} for name in ("tcp", "tcp_fin", "udp")},
        "persist": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def sync_daemon() -> Spec:
    """The synchronisation daemons."""
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
