# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several modules check of what a task gives.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import re

from .address import IPAddress, parse_address
from .errors import HostError

MODULE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,54}")  # include/linux/module.h: MODULE_NAME_LEN
_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")  # systemd.unit(5); no option of systemctl

# What the kernel takes (include/uapi/linux/if.h: IFNAMSIZ; net/core/dev.c: dev_valid_name), less what systemd's units,
# the files of sysctl.d or the batches of ip would read as something else.
_INTERFACE_NAME = re.compile(r"(?!-|\.\.?$)[^\s/:!#$%;=*\"'\\{}\x00-\x1f\x7f]{1,15}")


def module_name(where: str, text: str) -> str:
    """The name of a kernel module. Raises HostError, which names the option."""
    if not MODULE_NAME.fullmatch(text):
        raise HostError(f"{where}: {text!r} is not a valid name of a kernel module")
    return text


def unit_name(where: str, text: str) -> str:
    """The name of a unit of systemd. Raises HostError, which names the option."""
    if not _UNIT_NAME.fullmatch(text):
        raise HostError(f"{where}: {text!r} is not a valid name of a service")
    return text


def interface_name(where: str, text: str) -> str:
    """The name of one network interface. Raises HostError, which names the option."""
    if not _INTERFACE_NAME.fullmatch(text) or text in ("all", "default"):
        raise HostError(f"{where}: {text!r} is not a valid interface name")
    return text


def unicast_address(where: str, text: str, use: str) -> IPAddress:
    """The address of one host on a network. Raises HostError, which names the option and what the address is for."""
    try:
        address = parse_address(text)
    except ValueError:
        raise HostError(f"{where}: {text!r} is no IP address") from None
    mapped = address.version == 6 and address.ipv4_mapped is not None
    if mapped or address.is_unspecified or address.is_multicast or address.is_loopback or "%" in text:
        raise HostError(f"{where}: {text} cannot be {use}")
    return address
