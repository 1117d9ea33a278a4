# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be put back some day, as JSON text.

One file a module, in /var/lib/lvs-cluster. Every record holds: "format", 1; "sysctls", the keys that the task lists,
with the values found before the first change (null while the kernel module that brings the key is not loaded);
"side_effects", the same for keys that the kernel changed along with them; "directories", those that had to be made.
The record of arp_silence also holds "vips": address to {"interface": name, "added": whether the module added it}; that
of ipvs_tunnel holds "gue", the ports that it added.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import HostError
from .sysctl import display

FORMAT = 1


@dataclass(frozen=True)
class KnownVip:
    """A VIP that a task listed: its interface, and whether the module added it (else it was there before)."""

    interface: str
    added: bool


@dataclass(frozen=True)
class Record:
    """The content of a record, as the module's docstring says. Keys of sysctls are paths below /proc/sys."""

    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    side_effects: Mapping[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    vips: Mapping[str, KnownVip] = field(default_factory=dict)
    gue: tuple[str, ...] = ()

    def originals(self) -> dict[str, str]:
        """Every remembered value, of listed keys and of side effects."""
        known = {key: value for key, value in self.sysctls.items() if value is not None}
        return {**self.side_effects, **known}

    def __bool__(self) -> bool:
        return bool(self.sysctls or self.side_effects or self.directories or self.vips or self.gue)


def parse_record(path: str, text: str | None) -> Record:
    """The record in this text; an empty one where there is none.

    Raises HostError naming the file where it is damaged.
    """
    if text is None:
        return Record()
    try:
        raw = json.loads(text)
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']}")
        return Record(
            sysctls={_text(key): None if value is None else _text(value) for key, value in raw["sysctls"].items()},
            side_effects={_text(key): _text(value) for key, value in raw["side_effects"].items()},
            directories=tuple(_text(item) for item in raw["directories"]),
            vips={_text(key): _vip(value) for key, value in raw.get("vips", {}).items()},
            gue=tuple(_text(item) for item in raw.get("gue", [])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError(
            f"{path} is no record that this version can read ({error});"
            " move it away, and put back by hand what it remembered"
        ) from error


def render_record(record: Record) -> str | None:
    """The text of a record, or None where there is nothing to remember."""
    if not record:
        return None
    raw: dict[str, Any] = {
        "format": FORMAT,
        "sysctls": dict(record.sysctls),
        "side_effects": dict(record.side_effects),
        "directories": list(record.directories),
    }
    if record.vips:
        raw["vips"] = {
            address: {"interface": vip.interface, "added": vip.added} for address, vip in record.vips.items()
        }
    if record.gue:
        raw["gue"] = list(record.gue)
    return json.dumps(raw, indent=2, sort_keys=True) + "\n"


def remembered_lines(path: str, text: str | None) -> list[str]:
    """What a record remembers, a line each, for a diff."""
    record = parse_record(path, text)
    lines = [f"the value of {display(key)}" for key in sorted({*record.sysctls, *record.side_effects})]
    lines += [
        f"the address {address} dev {vip.interface}{'' if vip.added else ', which was there before'}"
        for address, vip in sorted(record.vips.items())
    ]
    lines += [f"adding {port}" for port in record.gue]
    return lines + [f"making {directory}" for directory in record.directories]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _vip(value: Any) -> KnownVip:
    if not isinstance(value["added"], bool):
        raise TypeError(f"{value['added']!r} is no boolean")
    return KnownVip(_text(value["interface"]), value["added"])
