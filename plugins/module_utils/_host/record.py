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

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .errors import HostError
from .sysctl import display

FORMAT = 1
Entry = TypeVar("Entry")


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
    #: What is in the file and cannot be read, a clause each. It is not written again.
    unreadable: tuple[str, ...] = field(default=(), compare=False)

    def originals(self) -> dict[str, str]:
        """Every remembered value, of listed keys and of side effects."""
        known = {key: value for key, value in self.sysctls.items() if value is not None}
        return {**self.side_effects, **known}

    def __bool__(self) -> bool:
        return bool(self.sysctls or self.side_effects or self.directories or self.vips or self.gue)


def parse_record(path: str, text: str | None) -> Record:
    """The record in this text; an empty one where there is none. Entries that cannot be read are left out, and named.

    Raises HostError naming the file where nothing of it can be read.
    """
    if text is None:
        return Record()
    unreadable: list[str] = []
    try:
        raw = _loaded(text, unreadable)
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']}")
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(
            f"{path} is no record that this version can read ({error});"
            " move it away, and put back by hand what it remembered"
        ) from error
    read = _Entries(raw, unreadable)
    return Record(
        sysctls=read.mapping("sysctls", lambda value: None if value is None else _text(value)),
        side_effects=read.mapping("side_effects", _text),
        directories=read.texts("directories"),
        vips=read.mapping("vips", _vip),
        gue=read.texts("gue"),
        unreadable=tuple(unreadable),
    )


def _loaded(text: str, unreadable: list[str]) -> dict[str, Any]:
    """The object in this text, and of one that was cut off what is in front of that. Raises ValueError."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raw = _cut_off(text)
        if raw is None:
            raise
        unreadable.append(f"it was cut off ({error})")
    if not isinstance(raw, dict):
        raise ValueError(f"a {type(raw).__name__}")
    return raw


def _cut_off(text: str) -> Any:
    """What is in the whole lines of a text, as `render_record` writes them, or None."""
    lines = text.splitlines()
    while lines:
        closing = ""
        for line in lines:
            if line.endswith(("{", "[")):
                closing = "}]"["{[".index(line[-1])] + closing
            elif line.strip().rstrip(",") in ("}", "]"):
                closing = closing[1:]
        with contextlib.suppress(ValueError):
            return json.loads("\n".join(lines).rstrip(",") + closing)
        lines.pop()
    return None


class _Entries:
    """The entries of a record, without those that cannot be read, which are named."""

    def __init__(self, raw: Mapping[str, Any], unreadable: list[str]) -> None:
        self._raw = raw
        self._unreadable = unreadable
        unreadable += [f"{name} is missing" for name in ("sysctls", "side_effects", "directories") if name not in raw]

    def mapping(self, name: str, read: Callable[[Any], Entry]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        raw = self._raw.get(name, {})
        for key, value in raw.items() if isinstance(raw, dict) else self._not("an object", name, raw):
            try:
                found[key] = read(value)
            except (KeyError, TypeError) as error:
                self._unreadable.append(f"{name}: {key}: {error}")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        raw = self._raw.get(name, [])
        found = []
        for item in raw if isinstance(raw, list) else self._not("a list", name, raw):
            if isinstance(item, str):
                found.append(item)
            else:
                self._unreadable.append(f"{name}: {item!r} is no text")
        return tuple(found)

    def _not(self, what: str, name: str, raw: object) -> tuple[()]:
        self._unreadable.append(f"{name}: {raw!r} is not {what}")
        return ()


def warnings(records: Mapping[str, str | None]) -> list[str]:
    """A sentence for each record, by path and text, of which something cannot be read."""
    return [
        f"{path} is damaged, and these entries cannot be restored: {'; '.join(found)}. Restore them by hand"
        " after teardown; the next change writes the other entries again"
        for path, text in sorted(records.items())
        for found in [parse_record(path, text).unreadable]
        if found
    ]


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
