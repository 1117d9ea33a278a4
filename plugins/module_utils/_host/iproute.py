# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels' receiving ends through the command ip.

Not through pyroute2, as links otherwise would be: it has nothing for the family fou (0.7 to 0.9), and takes the flags
of GRE in three ways. The command is needed for the next boot anyway, and is given the same words there.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from .errors import HostError
from .systemd import RunCommand
from .tunnels import KINDS, GuePort, TunnelDevice, is_ours

_FAMILIES = {"inet": "ipv4", "inet6": "ipv6"}


class Tunnels:
    """Tunnel devices and GUE ports, through a command runner."""

    def __init__(self, run: RunCommand) -> None:
        self._run = run

    def read_devices(self) -> frozenset[TunnelDevice]:
        """The devices that this collection has made. Raises HostError."""
        found = set()
        for link in self._listed("-details", "link", "show"):
            info = link.get("linkinfo", {})
            name, kind, data = link.get("ifname", ""), info.get("info_kind"), info.get("info_data", {})
            if is_ours(name) and kind in KINDS:
                up = "UP" in link.get("flags", ())
                found.add(TunnelDevice(kind, data.get("local", ""), bool(data.get("icsum")), name, up))
        return frozenset(found)

    def read_gue_ports(self) -> frozenset[GuePort]:
        """Every port of GUE, whoever asked for it. Raises HostError, also where the kernel module is not loaded."""
        return frozenset(
            GuePort(_FAMILIES[one["family"]], int(one["port"]))
            for one in self._listed("fou", "show")
            if "gue" in one and one.get("family") in _FAMILIES
        )

    def add(self, device: TunnelDevice) -> None:
        """Make a device and set it up. Raises HostError with the kernel's reason."""
        self._ip("link", "add", "name", device.name, "type", *device.words().split())
        try:
            self.set_up(device)
        except HostError:
            self.remove(device)
            raise

    def set_up(self, device: TunnelDevice) -> None:
        """Set it up, without an address of its own: nothing is sent through it. Raises HostError."""
        # one after the other: in one command the kernel sets it up first, and it gets its address
        with contextlib.suppress(HostError):  # a kernel without IPv6 has nothing to generate
            self._ip("link", "set", "dev", device.name, "addrgenmode", "none")
        self._ip("link", "set", "dev", device.name, "up")

    def remove(self, device: TunnelDevice) -> None:
        """Remove a device. Raises HostError with the kernel's reason."""
        self._ip("link", "delete", "dev", device.name)

    def add_gue_port(self, port: GuePort) -> None:
        """Have the kernel take GUE on a port. Raises HostError with the kernel's reason."""
        self._ip(f"-{port.family[-1]}", "fou", "add", "port", str(port.port), "gue")

    def remove_gue_port(self, port: GuePort) -> None:
        """Undo add_gue_port. Raises HostError with the kernel's reason."""
        self._ip(f"-{port.family[-1]}", "fou", "del", "port", str(port.port))

    def _listed(self, *words: str) -> list[dict[str, Any]]:
        text = self._ip("-json", *words)
        try:
            found = json.loads(text or "[]")
        except ValueError as error:
            raise HostError(f"ip {' '.join(words)} writes no JSON ({error}): this iproute2 is too old") from error
        return [one for one in found if isinstance(one, dict)]

    def _ip(self, *words: str) -> str:
        status, output, errors = self._run(["ip", *words])
        if status == 0:
            return output
        # as in "Error: Unknown device type." and "RTNETLINK answers: File exists", sometimes followed by more
        said = (errors.strip() or output.strip() or f"exit status {status}").splitlines()[0]
        raise HostError(said.rpartition("RTNETLINK answers: ")[2].removeprefix("Error: ").rstrip("."))
