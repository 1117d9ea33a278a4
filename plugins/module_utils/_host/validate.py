# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of arguments: IP addresses, names, keys of sysctls. Pure.

Addresses are read from text and written in one form. Python's ipaddress differs from inet_ntop(3) in ::/96, and its
form of IPv4-mapped addresses has changed with Python 3.13. The kernel's tools, keepalived and pyroute2 use the form of
inet_ntop. Names of files and comparisons with their reports depend on the form, so every address that becomes text is
one of these.
"""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address
from socket import AF_INET6, inet_ntop
from typing import Union

from .errors import HostError

MODULE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,54}")  # include/linux/module.h: MODULE_NAME_LEN
_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")  # systemd.unit(5); not an option of systemctl
# The kernel's rule (include/uapi/linux/if.h: IFNAMSIZ; net/core/dev.c: dev_valid_name), without characters that are
# special in systemd's units, the files of sysctl.d or the batches of ip.
_INTERFACE_NAME = re.compile(r"(?!-|\.\.?$)[^\s/:!#$%;=*\"'\\{}\x00-\x1f\x7f]{1,15}")
_COMPONENT = re.compile(r"[A-Za-z0-9_.:@+-]+")  # of the key of a sysctl


class IPv6Address(ipaddress.IPv6Address):
    """An IPv6 address whose text is that of inet_ntop(3), with its zone behind it."""

    __slots__ = ()

    def __str__(self) -> str:
        text = inet_ntop(AF_INET6, self.packed)
        return f"{text}%{self.scope_id}" if self.scope_id else text


IPAddress = Union[IPv4Address, IPv6Address]


def parse_address(text: str) -> IPAddress:
    """Return the address that a text without prefix length spells. Raises ValueError."""
    return IPv6Address(text) if ":" in text else IPv4Address(text)


def packed_text(address: bytes) -> str:
    """Return the text of an address of 4 or 16 bytes."""
    return str(IPv4Address(address) if len(address) == 4 else IPv6Address(address))


def address_fault(address: IPAddress, link_local: bool = False) -> str:
    """Return why an address cannot be that of one host on a network, as the end of a sentence; empty if it can.

    The kernel refuses some of these as real servers (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_new_dest: unicast, and its
    own addresses) and accepts all of them as VIPs, where they can only be mistakes. ``link_local``: accept link-local
    addresses, because the link is known.
    """
    if isinstance(address, IPv6Address):
        # First of all: since Python 3.13 the other properties are those of the IPv4 address inside.
        if address.ipv4_mapped is not None:
            return f"is an IPv4-mapped address (write {address.ipv4_mapped})"
        if address.scope_id:
            return "is an address with a zone"
    if address.is_unspecified:
        return "is the unspecified address"
    if address.is_multicast:
        return "is a multicast address"
    if address.is_loopback:
        return "is a loopback address"
    if address.is_link_local and not link_local:  # 169.254.0.0/16 has the metadata services of clouds
        return "is a link-local address"
    if isinstance(address, IPv4Address) and address.is_reserved:  # 240.0.0.0/4, with the broadcast address
        return "is a reserved address"
    return ""


def unicast_address(where: str, text: str, use: str, link_local: bool = False) -> IPAddress:
    """Return the address of one host on a network. Raises HostError, which names the option and the ``use`` of it."""
    try:
        address = parse_address(text)
    except ValueError:
        hint = "; give it without a prefix length" if "/" in text else ""
        raise HostError(f"{where}: {text!r} is not an IP address{hint}") from None
    fault = address_fault(address, link_local)
    if fault:
        raise HostError(f"{where}: {text} {fault}, which cannot be {use}")
    return address


def module_name(where: str, text: str) -> str:
    """Return the name of a kernel module. Raises HostError, which names the option."""
    if not MODULE_NAME.fullmatch(text):
        raise HostError(f"{where}: {text!r} is not a valid name of a kernel module")
    return text


def unit_name(where: str, text: str) -> str:
    """Return the name of a unit of systemd. Raises HostError, which names the option."""
    if not _UNIT_NAME.fullmatch(text):
        raise HostError(f"{where}: {text!r} is not a valid name of a service")
    return text


def interface_name(where: str, text: str) -> str:
    """Return the name of one network interface. Raises HostError, which names the option."""
    if not _INTERFACE_NAME.fullmatch(text) or text in ("all", "default"):
        raise HostError(f"{where}: {text!r} is not a valid interface name")
    return text


def parse_key(text: str) -> str:
    """Return the path of a key written with dots or with slashes.

    As in sysctl.d(5) the first separator decides, and the other character is then part of names:
    "net.ipv4.conf.eth0/100.arp_ignore" belongs to the interface eth0.100. Raises HostError naming the key.
    """
    path = text
    separators = [character for character in text if character in "./"]
    if separators and separators[0] == ".":
        path = text.translate(str.maketrans("./", "/."))
    parts = path.split("/")
    if len(parts) < 2 or not all(_COMPONENT.fullmatch(part) and part not in (".", "..") for part in parts):
        raise HostError(f"sysctls: {text!r} is not a valid sysctl name; write it like net.ipv4.ip_forward")
    return path


def display(key: str) -> str:
    """Return a key as users write it: with dots, or with slashes if a name in it has a dot."""
    return key if "." in key else key.replace("/", ".")


def normal_value(text: str) -> str:
    """Return a value with its parts separated by one blank: the kernel separates them by tabs."""
    return " ".join(text.split())
