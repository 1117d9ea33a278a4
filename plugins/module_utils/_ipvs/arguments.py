# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of modules: their specifications, and plain dicts to patches. Pure.

The specifications are documented in the doc fragment ipvs. Combinations are checked here. Wrong input is one
InvalidValue, a sentence that names the service and the option. The dicts may come from AnsibleModule, from a cluster
description on the controller or from a test.

A service dict has ``address``, ``port`` and ``protocol``, or ``fwmark`` and ``family``; then ``scheduler``,
``scheduler_flags``, ``persistence_timeout``, ``persistence_netmask``, ``persistence_engine``, ``one_packet``,
``real_servers`` and ``name``. A real server dict has ``address``, ``port``, ``forward_method``, ``weight``,
``upper_threshold``, ``lower_threshold``, ``tunnel_type``, ``tunnel_port``, ``tunnel_checksum``. What is None or missing
is unset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from socket import inet_pton
from typing import Any

from . import model
from .model import InvalidValue, RealServerKey, RealServerPatch, ServiceKey, ServicePatch, SettingsPatch

Arguments = Mapping[str, Any]
Spec = dict[str, Any]

# option -> highest value
_NUMBERS = {
    "weight": model.MAX_WEIGHT,
    "upper_threshold": model.MAX_THRESHOLD,
    "lower_threshold": model.MAX_THRESHOLD,
    "tunnel_port": 65535,
}
_CHOICES = {
    "forward_method": model.FORWARD_METHODS,
    "tunnel_type": model.TUNNEL_TYPES,
    "tunnel_checksum": model.TUNNEL_CHECKSUMS,
}


# The keys of a real server dict.
_IDENTITY = ("address", "port")
_REAL_SERVER_KEYS = frozenset([*_IDENTITY, *_NUMBERS, *_CHOICES])


def identity_spec() -> Spec:
    """Return the options that identify a virtual service."""
    return {
        "address": {"type": "str"},
        "port": {"type": "int"},
        "protocol": {"type": "str", "choices": list(model.PROTOCOLS)},
        "fwmark": {"type": "int"},
        "family": {"type": "str", "choices": list(model.FAMILIES)},
    }


def service_option(required: bool = False) -> Spec:
    """Return an option that names a virtual service."""
    return {"type": "dict", "required": required, "options": identity_spec()}


def real_server_spec() -> Spec:
    """Return a real server and its attributes."""
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


def service_spec() -> Spec:
    """Return a virtual service with its attributes and real servers."""
    return {
        **identity_spec(),
        "scheduler": {"type": "str"},
        "scheduler_flags": {"type": "list", "elements": "str"},
        "persistence_timeout": {"type": "int"},
        "persistence_netmask": {"type": "str"},
        "persistence_engine": {"type": "str"},
        "one_packet": {"type": "bool"},
        # Without options: they are checked below, in a twentieth of the time that AnsibleModule takes for each dict.
        "real_servers": {"type": "list", "elements": "dict"},
    }


def state_spec() -> Spec:
    """Return the option ``state``."""
    return {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}


def waiting_spec() -> Spec:
    """Return the option for the connections that must have ended."""
    return {
        "type": "list",
        "elements": "str",
        "choices": ["active", "inactive", "persistent"],
        "default": ["active"],
    }


def draining_spec() -> Spec:
    """Return the options of a drain."""
    return {
        "state": {"type": "str", "choices": ["present", "absent", "drained"], "default": "present"},
        "drain_timeout": {"type": "float"},
        "drain_expired": {"type": "str", "choices": ["fail", "force"], "default": "fail"},
        "drain_wait_for": waiting_spec(),
        "drain_udp_pause": {"type": "float", "default": 10},
        "minimum_in_service": {"type": "int"},
    }


def _number(label: str, key: str, value: object, low: int, high: int) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)  # the result of a template for a number
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidValue(label, key, value, f"must be a whole number from {low} to {high}")
    return value


def _choice(label: str, key: str, value: object, choices: Mapping[str, int]) -> int:
    if not isinstance(value, str) or value not in choices:
        raise InvalidValue(label, key, value, f"must be one of {', '.join(choices)}")
    return choices[value]


def _address(label: str, key: str, value: object) -> bytes:
    try:
        return model.pack_address(value)  # type: ignore[arg-type]  # anything but text is refused there
    except ValueError as error:
        raise InvalidValue(label, key, value, str(error)) from None


def _one_line(value: object) -> str:
    """Return it as a message shows it: line breaks and the like are escaped."""
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]


def _hint(arguments: Arguments) -> str:
    """Return a name for a service whose key is not known yet."""
    if arguments.get("name"):
        return _one_line(arguments["name"])
    if arguments.get("fwmark") is not None:
        return _one_line(f"fwmark {arguments['fwmark']}")
    if arguments.get("address") is not None:
        port = "" if arguments.get("port") is None else f" port {arguments['port']}"
        return _one_line(f"{arguments.get('protocol') or 'tcp'} {arguments['address']}{port}")
    return "virtual service"


def service_key(arguments: Arguments, within: str = "") -> ServiceKey:
    """Return the identity of a service. ``within``: its option with a dot, for messages (``service.``)."""
    label = _hint(arguments)
    fwmark, address, port = arguments.get("fwmark"), arguments.get("address"), arguments.get("port")
    protocol, family = arguments.get("protocol"), arguments.get("family")
    if fwmark is not None:
        for option in ("address", "port", "protocol"):
            if arguments.get(option) is not None:
                raise InvalidValue(label, within + option, arguments[option], "cannot be combined with fwmark")
        fwmark = _number(label, f"{within}fwmark", fwmark, 1, 2**32 - 1)
        number = _choice(label, f"{within}family", "ipv4" if family is None else family, model.FAMILIES)
        return ServiceKey(fwmark, number, 0, b"", 0)
    if address is None:
        raise InvalidValue(label, f"{within}address", None, "or fwmark is needed to identify the service")
    packed = _address(label, f"{within}address", address)
    number = model.family_of(packed)
    if family is not None and _choice(label, f"{within}family", family, model.FAMILIES) != number:
        raise InvalidValue(label, f"{within}family", family, f"does not match address {address}")
    if port is None:
        reason = f"is needed with {within}address (0: every port, of a persistent service)"
        raise InvalidValue(label, f"{within}port", None, reason)
    port = _number(label, f"{within}port", port, 0, 65535)
    protocol = _choice(label, f"{within}protocol", "tcp" if protocol is None else protocol, model.PROTOCOLS)
    key = ServiceKey(0, number, protocol, packed, port)
    model.check_service_key(label, key, f"{within}address")
    return key


def _name(label: str, option: str, arguments: Arguments) -> str | None:
    value = arguments.get(option)
    if value is None or (value == "" and option == "persistence_engine"):
        return value
    try:
        return model.parse_name(str(value))
    except ValueError as error:
        raise InvalidValue(label, option, value, str(error)) from None


def _settings(label: str, key: ServiceKey, arguments: Arguments) -> SettingsPatch:
    scheduler, engine = _name(label, "scheduler", arguments), _name(label, "persistence_engine", arguments)
    names, timeout = arguments.get("scheduler_flags"), arguments.get("persistence_timeout")
    netmask: Any = arguments.get("persistence_netmask")
    flags = None
    if names is not None:
        if names and scheduler is None:
            raise InvalidValue(label, "scheduler_flags", names, "needs scheduler, since flags belong to a scheduler")
        flags = model.check_scheduler_flags(label, scheduler or model.DEFAULT_SCHEDULER, names)
    if timeout is not None:
        timeout = _number(label, "persistence_timeout", timeout, 0, model.MAX_PERSISTENCE_TIMEOUT)
    if netmask is not None:
        try:
            netmask = model.parse_netmask(key.family, str(netmask))
        except ValueError as error:
            raise InvalidValue(label, "persistence_netmask", netmask, str(error)) from None
    if timeout == 0:
        for option, value in (("persistence_netmask", netmask), ("persistence_engine", engine)):
            if value:
                raise InvalidValue(label, option, arguments[option], "needs a persistence_timeout above 0")
    return SettingsPatch(scheduler, flags, timeout, netmask, engine, arguments.get("one_packet"))


def real_server_key(label: str, service: ServiceKey, arguments: Arguments) -> RealServerKey:
    """Return the identity of a real server; its port is the service's where none is given."""
    address, port = arguments.get("address"), arguments.get("port")
    try:
        packed = inet_pton(model.AF_INET, address)  # type: ignore[arg-type]  # what else it may be comes next
    except (OSError, TypeError, UnicodeError, ValueError):
        if address is None:
            raise InvalidValue(label, "real server address", None, "is needed") from None
        packed = _address(label, "real server address", address)
    port = model.default_port(service) if port is None else _number(label, "real server port", port, 0, 65535)
    key = RealServerKey(model.family_of(packed), packed, port)
    model.check_real_server_key(label, key)
    return key


def _real_server(label: str, key: RealServerKey, arguments: Arguments) -> RealServerPatch:
    if arguments.get("state") == "absent":
        return RealServerPatch(absent=True)
    values: dict[str, Any] = {}
    if arguments.get("state") == "drained":
        if arguments.get("weight"):
            raise InvalidValue(label, f"real server {key}: weight", arguments["weight"], "must be 0 with state drained")
        values.update(weight=0, only_existing=True)
    for option, value in arguments.items():
        if value is None:
            continue
        if option in _NUMBERS:
            values[option] = _number(label, f"real server {key}: {option}", value, 0, _NUMBERS[option])
        elif option in _CHOICES:
            values[option] = _choice(label, f"real server {key}: {option}", value, _CHOICES[option])
    return RealServerPatch(**values)


def real_servers(
    label: str, service: ServiceKey, entries: Iterable[Arguments] | None
) -> dict[RealServerKey, RealServerPatch] | None:
    """Return patches of a service's real servers; a server that is listed twice is refused."""
    if entries is None:
        return None
    patches: dict[RealServerKey, RealServerPatch] = {}
    # Real servers of one service are mostly alike in everything but their addresses.
    alike: dict[object, RealServerPatch] = {}
    for entry in entries:
        key = real_server_key(label, service, entry)
        if key in patches:
            raise InvalidValue(label, "real_servers", str(key), "must not list a real server twice")
        values = tuple([(option, value, type(value)) for option, value in entry.items() if option not in _IDENTITY])
        try:
            patch = alike.get(values)
        except TypeError:  # a list or the like, which is refused in a moment
            patch = None
        if patch is None:
            _refuse_unknown(label, entry)
            patch = alike[values] = _real_server(label, key, entry)
        patches[key] = patch
    return patches


def _refuse_unknown(label: str, entry: Arguments) -> None:
    unknown = sorted(str(option) for option in entry if option not in _REAL_SERVER_KEYS)
    if unknown:
        possible = ", ".join(sorted(_REAL_SERVER_KEYS))
        raise InvalidValue(label, "real_servers", unknown[0], f"must have no other options than {possible}")


def service(arguments: Arguments) -> ServicePatch:
    """Return a service dict as a patch. ``state: absent`` removes it; its other options are then ignored."""
    key = service_key(arguments)
    patch = ServicePatch(key, name=_one_line(arguments.get("name") or ""), absent=arguments.get("state") == "absent")
    if patch.absent:
        return patch
    return patch._replace(
        settings=_settings(patch.label, key, arguments),
        real_servers=real_servers(patch.label, key, arguments.get("real_servers")),
    )


def only_real_server(arguments: Arguments) -> ServicePatch:
    """Return a patch of a service, from a real server dict with ``service`` (a dict of the identity) and ``state``."""
    key = service_key(arguments["service"], "service.")
    patch = ServicePatch(key, settings=None)
    server_key = real_server_key(patch.label, key, arguments)
    return patch._replace(real_servers={server_key: _real_server(patch.label, server_key, arguments)})


def services(entries: Iterable[Arguments]) -> list[ServicePatch]:
    """Return a list of service dicts as patches; a service that is listed twice is refused."""
    patches = [service(entry) for entry in entries]
    refuse_duplicates(patches)
    return patches


def refuse_duplicates(patches: Iterable[ServicePatch]) -> None:
    """Raise InvalidValue if two patches are for one service."""
    seen: dict[ServiceKey, ServicePatch] = {}
    for patch in patches:
        if patch.key in seen:
            other = seen[patch.key]
            what = f"is described twice, also as {other.name}" if other.name else "is described twice"
            raise InvalidValue(patch.label, "services", str(patch.key), what, whole=True)
        seen[patch.key] = patch
