# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The present state of a director, by its keepalived.conf and its addresses, compared with the described one. Pure.

The file is the one that plugin_utils/_render/keepalived.py writes, of this version or an earlier one. Of any other file
the addresses and the virtual services are read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .validate import IPAddress, parse_address

CONFIGURATION = "/etc/keepalived/keepalived.conf"
#: The beginning of a file of the role (plugin_utils/_render/unit_files.py).
HEADER = "# Written by the role lvs.cluster.director"
#: Units that the role writes if the description needs them, and files that only the role writes before the unit or
#: removes before it: of an interrupted run, these may exist without the unit.
UNITS = {
    "ldirectord": ("/etc/lvs-cluster/ldirectord.cf",),
    "mon": ("/etc/lvs-cluster/health.json", "/etc/lvs-cluster/mon.cf"),
    "lvs-cluster-addresses": ("/usr/local/lib/lvs-cluster/wait-for-addresses",),
}
_DESCRIPTION = re.compile(r"^Description=(?:Health checks|Addresses) of lvs\.cluster", re.MULTILINE)
HANDOVER_FILE = "/var/lib/lvs-cluster/drain/director"
#: In that file: the number of a fault, with a word if the director joins rather than fails over.
#: keepalived reads the number alone (keepalived/trackers/track_file.c: process_track_file, strtol).
JOINING = "3 joining\n"

# These also match configurations of other origin. The text up to the next match belongs to one service. The file is a
# host's, so the patterns take linear time: blanks end at the end of a line, and numbers are limited.
_FLAGS = re.MULTILINE | re.ASCII
_WRITTEN = re.compile(
    r"^[ \t]*virtual_server[ \t]+(?:fwmark[ \t]+([0-9]{1,10})|([0-9A-Fa-f.:]{2,45})(?:[ \t]+([0-9]{1,5}))?)\s{0,99}\{",
    _FLAGS,
)
_FAMILY = re.compile(r"^[ \t]*ip_family[ \t]+(inet6?)", _FLAGS)
_PROTOCOL = re.compile(r"^[ \t]*protocol[ \t]+(\w{1,9})", _FLAGS)
#: The longest configuration that is read, in characters.
MAX_WRITTEN = 2**20

#: The identity of a service: ``{"address": "192.0.2.10", "port": 80, "protocol": "tcp"}``, or fwmark and family.
Identity = Mapping[str, object]
_ADDRESSES = ("virtual_ipaddress", "virtual_ipaddress_excluded")


@dataclass
class Instance:
    """A ``vrrp_instance``. ``peers``: addresses of other directors, and their names if the file has them. ``prefixes``
    has the prefix lengths of ``addresses``.

    ``advert_interval`` is in seconds; keepalived.conf(5), advert_int, has the default.
    """

    name: str
    virtual_router_id: str = ""
    advert_interval: float = 1.0
    advertised: set[IPAddress] = field(default_factory=set)
    addresses: set[IPAddress] = field(default_factory=set)
    prefixes: dict[IPAddress, int] = field(default_factory=dict)
    peers: dict[IPAddress, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """An address of the host: as the kernel has it, with its prefix length and interface."""

    address: IPAddress
    prefix: int
    interface: str

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"


def is_ours(text: str) -> bool:
    """Return True if the role wrote this keepalived.conf."""
    return text.startswith(HEADER)


def is_our_unit(text: str) -> bool:
    """Return True if the role wrote this systemd unit, one of UNITS."""
    return _DESCRIPTION.search(text) is not None


def instances(text: str) -> dict[str, Instance]:
    """Return the VRRP instances of a keepalived.conf by their names."""
    found: dict[str, Instance] = {}
    for name, block, words, comment in _lines(text):
        instance = found.setdefault(name, Instance(name))
        if block == "" and words[0] == "virtual_router_id":
            instance.virtual_router_id = words[-1]
        if block == "" and words[0] == "advert_int":
            instance.advert_interval = _seconds(words[-1])
        address = _address(words[0]) if block else None
        if address is None:
            continue
        if block == "unicast_peer":
            instance.peers[address] = comment
        elif block in _ADDRESSES:
            instance.addresses.add(address)
            prefix = words[0].partition("/")[2]
            known = re.fullmatch(r"[0-9]{1,3}", prefix) is not None
            instance.prefixes[address] = int(prefix) if known else address.max_prefixlen
            if block == "virtual_ipaddress":
                instance.advertised.add(address)
    return found


def _lines(text: str) -> Iterator[tuple[str, str, list[str], str]]:
    """Yield the lines in instances: the instance's name, the block inside it, the words, and the comment."""
    path: list[str] = []
    for line in text.splitlines():
        code, _mark, comment = line.partition("#")
        words = code.split()
        if not words:
            continue
        if words[-1] == "{":
            path.append(" ".join(words[:-1]))
        elif words[0] == "}":
            path = path[:-1]
        elif path and path[0].startswith("vrrp_instance "):
            yield path[0].split()[1], " ".join(path[1:]), words, comment.strip()


def _seconds(word: str) -> float:
    """Return an advert interval; for a damaged line the longest of VRRP (RFC 5798, section 5.2.7)."""
    return float(word) if re.fullmatch(r"[0-9]{1,2}(?:\.[0-9]{1,3})?", word) else 40.95


def _address(word: str) -> IPAddress | None:
    try:
        return parse_address(word.partition("/")[0])
    except ValueError:
        return None


def lost_peers(present: Mapping[str, Instance], wanted: Iterable[Mapping[str, Any]], leaving: Collection[str]) -> str:
    """Return the peers that the host would lose although they are not listed as leaving; ``""`` if there are none.

    By family, since a VRRP group comes and goes with its services.
    """
    kept: dict[int, set[IPAddress]] = {}
    for one in wanted:
        advertised = _advertised(one)
        if advertised is not None:
            kept.setdefault(advertised.version, set()).update(parse_address(text) for text in one["peers"])
    lost: dict[str, None] = {}
    for instance in present.values():
        for address, name in instance.peers.items():
            peers = kept.get(address.version)
            if peers is not None and address not in peers and name not in leaving and str(address) not in leaving:
                lost[f"{name} ({address})" if name else str(address)] = None
    return " and ".join(lost)


def joins(present: Mapping[str, Instance], wanted: Iterable[Mapping[str, Any]]) -> bool:
    """Return True if the others are not configured with this director, which then does not receive their adverts.

    It is new to a cluster with other directors, was the only one, or its adverts had other addresses, as in earlier
    versions of this collection. Another virtual router id does not count: the VIPs move then, and keep an owner because
    both directors hold them for a moment.
    """
    wanted = list(wanted)
    if not any(one["peers"] for one in wanted):
        return False
    if not any(instance.peers for instance in present.values()):
        return True
    return any(
        present[one["name"]].virtual_router_id == str(one["virtual_router_id"])
        and present[one["name"]].advertised != {_advertised(one)}
        for one in wanted
        if one["name"] in present
    )


def _advertised(wanted: Mapping[str, Any]) -> IPAddress | None:
    return _address(wanted["advertised"].split()[0])


def static_vip(
    held: Iterable[Held], vips: Collection[IPAddress], present: Mapping[str, Instance], ours: bool, runs: bool
) -> Held | None:
    """Return a VIP that the host holds and that keepalived has not added; None if there is none.

    keepalived adds the addresses in its configuration, with the prefix lengths there. If the file was replaced by hand,
    a keepalived that ``runs`` may have read the former one.
    """
    listed = {address: prefix for instance in present.values() for address, prefix in instance.prefixes.items()}
    for one in held:
        alone = one.prefix == one.address.max_prefixlen
        by_keepalived = one.address in listed and (one.prefix == listed[one.address] or not ours)
        if one.address in vips and not by_keepalived and not (runs and alone and not ours):
            return one
    return None


def own_address_fault(held: Iterable[Held], address: IPAddress, interface: str) -> str:
    """Return the reason if an address is not the host's own, or not on the given interface; otherwise ``""``."""
    held = list(held)
    where = [one.interface for one in held if one.address == address]
    if not where:
        return f"this host has no address {address}{_remedy(held, address, interface)}"
    if interface and interface not in where:
        return (
            f"{address} is on {where[0]}, and this director uses VRRP on {interface}{_remedy(held, address, interface)}"
        )
    return ""


def _remedy(held: Iterable[Held], address: IPAddress, interface: str) -> str:
    """Return the remedy, with suitable addresses of the same family."""
    fit = [
        str(one.address)
        for one in held
        if one.address.version == address.version
        and one.prefix != one.address.max_prefixlen
        and not (one.address.is_loopback or one.address.is_link_local)
        and interface in ("", one.interface)
    ]
    known = f" ({' or '.join(fit[:3])})" if fit else ""
    place = f"an address of {interface}" if interface else "an address of this host"
    return f": set lvs_address (by default ansible_host) to {place}{known}"


def is_joining(text: str | None) -> bool:
    """Return True if the handover file marks the director as joining."""
    return text is not None and re.match(r"3\s+joining\b", text) is not None


def written_services(text: str) -> list[dict[str, object]]:
    """Return the identities of the services that a configuration has, in its order.

    By default a service is for TCP, and one with a mark for IPv4 (check/check_data.c: alloc_vs).
    """
    return [identity for _begin, _end, identity in _blocks(text)]


def without_services(text: str, unwanted: Sequence[Identity]) -> str:
    """Return a configuration of the role without the ``virtual_server`` blocks of these services.

    Such a block ends with the first line that begins with a closing brace.
    """
    kept, position = "", 0
    for begin, end, identity in _blocks(text):
        close = text.find("\n}\n", begin, end)
        if identity in unwanted and close >= 0:
            kept += text[position:begin]
            position = close + len("\n}\n")
    return kept + text[position:]


def _blocks(text: str) -> Iterator[tuple[int, int, dict[str, object]]]:
    """Yield the start of each service's block, the start of the next one, and its identity."""
    heads = list(_WRITTEN.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends):
        fwmark, address, port = head.groups()
        if fwmark is not None:
            family = _FAMILY.search(text, head.end(), end)
            named = "ipv6" if family and family[1] == "inet6" else "ipv4"
            yield head.start(), end, {"fwmark": int(fwmark), "family": named}
            continue
        protocol = _PROTOCOL.search(text, head.end(), end)
        words = {"port": int(port or 0), "protocol": protocol[1].lower() if protocol else "tcp"}
        with contextlib.suppress(ValueError):  # the head of another block
            yield head.start(), end, {"address": str(parse_address(address)), **words}
