# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived writes about its VRRP instances when it is asked to (keepalived(8), SIGUSR1). Pure.

The form is that of keepalived/vrrp/vrrp_print.c and vrrp_data.c in the versions 2.2.7 and 2.3.3: sections with a head
in dashes, and in them lines ``Key = value``.

PRIVATE to the collection lvs.cluster: may change without notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEAD = re.compile(r"^------< (.*) >------$", re.MULTILINE)
_INSTANCES, _LINKS = "VRRP Topology", "Interfaces"
#: The states in which a director has the VIPs, or stands by.
SOUND = ("MASTER", "BACKUP")
#: What the file of a handover says of one that takes the VIPs, first or after others (plugin_utils/keepalived.py).
_STAND_BY = ("0", "1")


def complete(text: str) -> bool:
    """Whether all of it is there that is read here: the links come last."""
    return _LINKS in _sections(text) and text.endswith("\n")


def states(text: str) -> dict[str, str]:
    """The instances and their states, ``{"lvs_ipv4": "BACKUP"}``; FAULT is one, and INIT until all scripts have run."""
    return {name: values.get("State", "") for name, values in _entries(_sections(text).get(_INSTANCES, ""))}


def reasons(text: str) -> list[str]:
    """Why an instance may be in the state FAULT, each in a few words; empty where it does not say."""
    sections = _sections(text)
    watched = {values.get("Interface") for _name, values in _entries(sections.get(_INSTANCES, ""))}
    watched.update(re.findall(r"^ +(\S+) weight 0$", sections.get("VRRP Sync groups", ""), re.MULTILINE))
    watched.update(re.findall(r"^ +(\S+) weight 0$", sections.get(_INSTANCES, ""), re.MULTILINE))
    found = [
        f"the interface {name} is down"
        for name, values in _entries(sections.get(_LINKS, ""))
        if name in watched and re.search(r"\bnot (UP|RUNNING)\b", values.get("State", ""))
    ]
    found += [f"the script {name} fails" for name, values in _scripts(text) if values.get("Status") == "BAD"]
    found += [
        f"{values.get('File')} says {values['Status']}"
        for _name, values in _entries(sections.get("VRRP Track files", ""))
        if values.get("Status", "0") not in _STAND_BY
    ]
    return found


def scripts(text: str) -> list[str]:
    """The names of the scripts that it runs."""
    return [name for name, _values in _scripts(text)]


def pending(text: str) -> list[str]:
    """The scripts that have not run to their end yet. After a reload an instance stays until then what it was."""
    return [name for name, values in _scripts(text) if values.get("Init state") in ("INIT", "INIT/RELOAD")]


def _scripts(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    return _entries(_sections(text).get("VRRP Scripts", ""))


def _sections(text: str) -> dict[str, str]:
    parts = _HEAD.split(text)
    return dict(zip(parts[1::2], parts[2::2]))


def _entries(section: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The entries of a section: what its first line names, and the first value of each key."""
    name = ""
    values: dict[str, str] = {}
    for line in section.splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            continue
        if line.startswith(" ") and not line.startswith("  "):
            if name:
                yield name, values
            name, values = value, {}
        else:
            values.setdefault(key, value)
    if name:
        yield name, values
