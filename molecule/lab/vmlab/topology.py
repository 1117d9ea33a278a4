# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Topologies: which hosts there are, on which links, with which addresses. Pure: text in, values out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .base import LabError
from .recipes import RECIPES

MANAGEMENT = "mgmt"
"""The link that carries SSH; every machine is on it, and nothing under test is."""

# An interface carries its link's name, and the kernel ends names at 15 bytes (IFNAMSIZ).
NAME = re.compile(r"[a-z][a-z0-9-]{0,11}\Z")


@dataclass(frozen=True)
class Port:
    """A host's place on a link: the link's name (also the interface's) and `address/prefix` texts."""

    link: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Host:
    """A machine made from an image, or (`image` None) a bare network namespace such as a client."""

    name: str
    image: str | None
    ports: tuple[Port, ...]
    routes: tuple[tuple[str, str], ...] = ()
    services: tuple[str, ...] = ()
    forward: bool = False


@dataclass(frozen=True)
class Topology:
    name: str
    links: tuple[str, ...]
    hosts: tuple[Host, ...] = field(default_factory=tuple)

    @property
    def machines(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.image)

    @property
    def namespaces(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if not host.image)

    def host(self, name: str) -> Host:
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"lab {self.name} has no host {name!r}; it has {', '.join(h.name for h in self.hosts)}")

    def management_address(self, host: Host) -> str:
        """The host's own address on the management link, by its place in the file."""
        return str(ipaddress.ip_address("198.18.0.10") + self.hosts.index(host))


MANAGEMENT_GATEWAY = "198.18.0.1"


def load(path: Path, name: str | None = None) -> Topology:
    """Read a topology file. Raises LabError naming the file, the key and the value that is wrong."""
    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise LabError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    try:
        return parse(data, name)
    except LabError as error:
        raise LabError(f"{path}: {error}") from error


def parse(data: Any, name: str | None = None) -> Topology:
    top = _mapping(data, "the topology", {"name", "links", "hosts"})
    links = tuple(_name(link, "links") for link in _list(top.get("links"), "links"))
    if MANAGEMENT in links:
        raise LabError(f"links: {MANAGEMENT!r} is the lab's own")
    hosts = tuple(
        _host(_name(key, "hosts"), value, links) for key, value in _mapping(top.get("hosts"), "hosts", None).items()
    )
    if not hosts:
        raise LabError("hosts: there is none")
    seen: dict[tuple[str, str], str] = {}
    for host in hosts:
        for port in host.ports:
            for address in port.addresses:
                key = (port.link, str(ipaddress.ip_interface(address).ip))
                if key in seen:
                    raise LabError(f"hosts.{host.name}: {key[1]} on link {port.link} is {seen[key]}'s already")
                seen[key] = host.name
    return Topology(_name(name or top.get("name"), "name"), links, hosts)


def _host(name: str, data: Any, links: tuple[str, ...]) -> Host:
    where = f"hosts.{name}"
    keys = _mapping(data, where, {"image", "namespace", "addresses", "routes", "services", "forward"})
    image = keys.get("image")
    if bool(image) == bool(keys.get("namespace", False)):
        raise LabError(f"{where}: give either an image ({', '.join(sorted(RECIPES))}) or namespace: true")
    if image and image not in RECIPES:
        raise LabError(f"{where}.image: {image!r} is none of {', '.join(sorted(RECIPES))}")
    if not image and keys.get("services"):
        raise LabError(f"{where}.services: a namespace runs no services")
    ports = []
    for link, addresses in _mapping(keys.get("addresses", {}), f"{where}.addresses", None).items():
        if link not in links:
            raise LabError(f"{where}.addresses: {link!r} is no link; the links are {', '.join(links)}")
        texts = [addresses] if isinstance(addresses, str) else _list(addresses, f"{where}.addresses.{link}")
        ports.append(Port(link, tuple(_interface(text, f"{where}.addresses.{link}") for text in texts)))
    routes = []
    for route in _list(keys.get("routes", []), f"{where}.routes"):
        entry = _mapping(route, f"{where}.routes", {"to", "via"})
        via = _address(entry.get("via"), f"{where}.routes.via")
        if not any(on_link(via, port.addresses) for port in ports):
            raise LabError(f"{where}.routes.via: {via} is on none of the host's links")
        routes.append((str(entry.get("to")), via))
    services = tuple(str(item) for item in _list(keys.get("services", []), f"{where}.services"))
    return Host(name, image, tuple(ports), tuple(routes), services, bool(keys.get("forward", False)))


def on_link(address: str, own: Iterable[str]) -> bool:
    """Whether an address is in the network of one of a host's own, which are `address/prefix` texts."""
    return any(ipaddress.ip_address(address) in ipaddress.ip_interface(one).network for one in own)


def _mapping(value: Any, where: str, allowed: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise LabError(f"{where}: {value!r} is no mapping")
    for key in value:
        if allowed is not None and key not in allowed:
            raise LabError(f"{where}: {key!r} is none of {', '.join(sorted(allowed))}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise LabError(f"{where}: {value!r} is no list")
    return value


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not NAME.match(value):
        raise LabError(f"{where}: {value!r} is no name (a small letter, then up to 11 small letters, digits, hyphens)")
    return value


def _interface(value: Any, where: str) -> str:
    try:
        return str(ipaddress.ip_interface(value))
    except ValueError as error:
        raise LabError(f"{where}: {value!r} is no address with a prefix length") from error


def _address(value: Any, where: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise LabError(f"{where}: {value!r} is no address") from error
