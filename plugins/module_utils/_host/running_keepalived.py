# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the states of keepalived's VRRP instances, and the real servers that it has added.

keepalived writes both on SIGUSR1 (keepalived(8)). The form is that of keepalived/vrrp/vrrp_print.c and
vrrp_data.c, and of keepalived/check/check_data.c (dump_vs, dump_rs), in the versions 2.2.7 and 2.3.3: sections with a
head in dashes, and in them lines ``Key = value``. The functions that parse that text are pure and come first.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from .director_state import HANDOVER_FILE, is_joining
from .errors import HostError
from .files import read_text, remove_file
from .process import RunCommand

_VRRP_HEAD = re.compile(r"^------< (.*) >------$", re.MULTILINE)
_INSTANCES, _LINKS = "VRRP Topology", "Interfaces"
#: The states of a master and of a backup.
SOUND = ("MASTER", "BACKUP")
#: The values of the handover file with which a director takes VIPs, first or after others (_render/keepalived.py).
_STAND_BY = ("0", "1")

_SERVICE, _SERVER, _BEHIND = "Virtual server", "Real server", "Health checkers"
_CHECKERS_HEAD = re.compile(r"^ *------< (.*) >------$", re.MULTILINE)
_ADDRESS = re.compile(r"^ VS VIP = (\S+), VPORT = ([0-9]+)$", re.MULTILINE)
_MARK = re.compile(r"^ VS FWMARK = ([0-9]+)$", re.MULTILINE)
_FAMILY = re.compile(r"^   Address family = inet(6?)$", re.MULTILINE)
_PROTOCOL = re.compile(r"^   protocol = (TCP|UDP|SCTP)$", re.MULTILINE)
_ENDPOINT = re.compile(r"^   RIP = (\S+), RPORT = ([0-9]+), WEIGHT = ([0-9]+) ", re.MULTILINE)
_ALIVE = re.compile(r"^   alive = ([0-9]+)$", re.MULTILINE)
#: 1 if it has added the real server to the table and not removed it since (ipvswrapper.c: ipvs_cmd).
_ADDED = re.compile(r"^   RS set = ([0-9]+)$", re.MULTILINE)

# It answers between two rounds of its own work, which is soon; one that hangs never does.
_SECONDS = 10.0
_INTERVAL = 0.05
#: Its output files, in its own /tmp: one for each of its processes, readable only by root.
_VRRP, _CHECKERS = "keepalived.data", "keepalived_check.data"
_FILES = (_VRRP, "keepalived_parent.data", _CHECKERS)


def vrrp_complete(text: str) -> bool:
    """Return True if the text has all sections that this file reads: the links come last."""
    return _LINKS in _sections(text) and text.endswith("\n")


def vrrp_states(text: str) -> dict[str, str]:
    """Return the instances and their states, ``{"lvs_ipv4": "BACKUP"}``; FAULT is one, and INIT until all scripts have
    run.
    """
    return {name: values.get("State", "") for name, values in _entries(_sections(text).get(_INSTANCES, ""))}


def fault_reasons(text: str) -> list[str]:
    """Return possible reasons for the state FAULT, each in a few words; empty without any."""
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


def run_scripts(text: str) -> list[str]:
    """Return the names of the scripts that it runs."""
    return [name for name, _values in _scripts(text)]


def pending_scripts(text: str) -> list[str]:
    """Return the scripts that have not ended yet. Until then an instance keeps its state after a reload."""
    return [name for name, values in _scripts(text) if values.get("Init state") in ("INIT", "INIT/RELOAD")]


def _scripts(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    return _entries(_sections(text).get("VRRP Scripts", ""))


def _sections(text: str) -> dict[str, str]:
    parts = _VRRP_HEAD.split(text)
    return dict(zip(parts[1::2], parts[2::2]))


def _entries(section: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the entries of a section: the name in its first line, and the first value of each key."""
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


class AddedServer(NamedTuple):
    """A real server in keepalived's view of the table.

    ``service`` identifies its service: ``{"address": "192.0.2.10", "port": 80, "protocol": "tcp"}``, or fwmark and
    family. A failed one is present only with inhibit_on_failure, with weight 0 (ipvswrapper.c: ipvs_cmd).
    """

    service: Mapping[str, object]
    address: str
    port: int
    weight: int


def checkers_complete(text: str) -> bool:
    """Return True if the text has all virtual servers: the health checkers follow them."""
    return _BEHIND in _CHECKERS_HEAD.findall(text) and text.endswith("\n")


def added(text: str) -> list[AddedServer]:
    """Return the real servers in keepalived's view of the table, in its order."""
    found = []
    service: dict[str, object] | None = None
    parts = _CHECKERS_HEAD.split(text)
    for head, section in zip(parts[1::2], parts[2::2]):
        if head == _SERVICE:
            service = _service_identity(section)
        elif head != _SERVER:
            service = None
        elif service is not None:
            endpoint, is_added, alive = (one.search(section) for one in (_ENDPOINT, _ADDED, _ALIVE))
            if endpoint is not None and is_added is not None and alive is not None and int(is_added[1]):
                weight = int(endpoint[3]) if int(alive[1]) else 0
                found.append(AddedServer(service, endpoint[1], int(endpoint[2]), weight))
    return found


def _service_identity(section: str) -> dict[str, object] | None:
    """Return the identity of a virtual server; None for a group, which the role does not write."""
    address, mark = _ADDRESS.search(section), _MARK.search(section)
    family, protocol = _FAMILY.search(section), _PROTOCOL.search(section)
    if mark is not None and family is not None:
        return {"fwmark": int(mark[1]), "family": "ipv6" if family[1] else "ipv4"}
    if address is not None and protocol is not None:
        return {"address": address[1], "port": int(address[2]), "protocol": protocol[1].lower()}
    return None


def require_vrrp(run: RunCommand, wanted: Iterable[str] = (), may_join: bool = False) -> dict[str, str]:
    """Return the states of all instances, if each is master or backup and the ``wanted`` scripts are run.

    With ``may_join`` an instance can also be in the state FAULT, if the only reason is that its director joins.

    Raises HostError otherwise, and if a script has not finished its first run, which could change the state.
    """
    text = _ask(_main_process(run), _VRRP, vrrp_complete)
    found = vrrp_states(text)
    if not found:
        raise HostError("keepalived has no VRRP instance")
    joining = is_joining(read_text(HANDOVER_FILE))
    accepted = ("FAULT",) if may_join and joining and len(fault_reasons(text)) == 1 else ()
    for state in sorted(set(found.values()) - {*SOUND, *accepted}):
        names = " and ".join(name for name, other in found.items() if other == state)
        why = "; ".join(fault_reasons(text)) if state == "FAULT" else ""
        if why and joining:
            why += (
                ", because the other directors may not be configured with this one: run lvs.cluster.site for all"
                " directors"
            )
        raise HostError(f"keepalived's {names} cannot take the VIPs in the state {state}" + (f": {why}" if why else ""))
    missing = sorted(set(wanted) - set(run_scripts(text)))
    if missing:
        raise HostError(
            f"keepalived does not run the script {' and '.join(missing)}: check that its user (script_user)"
            " may run the command"
        )
    waiting = pending_scripts(text)
    if waiting:
        raise HostError(f"keepalived has not finished the first run of the script {' and '.join(waiting)}")
    return found


def added_servers(run: RunCommand) -> list[AddedServer]:
    """Return the real servers that keepalived's checkers have added to the IPVS table and not removed since.

    Raises HostError if keepalived does not report them, such as one without virtual servers.
    """
    return added(_ask(_main_process(run), _CHECKERS, checkers_complete))


def _main_process(run: RunCommand) -> int:
    status, output, _errors = run(["systemctl", "show", "--property=MainPID", "keepalived"])
    number = output.strip().partition("=")[2]
    if status or not number.isdigit() or number == "0":
        raise HostError("the service keepalived does not run")
    return int(number)


def _is_roots(path: str) -> bool:
    """Return True if the file is root's: every user can create files in /tmp with any unused name."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == 0


def clear(path: str) -> None:
    """Remove an obstacle at the path of a file. Raises HostError.

    keepalived replaces a file of any owner, but cannot replace a directory, and every user can create one in /tmp. A
    directory that is not empty is moved into another directory beside it, which belongs to root.
    """
    if not os.path.isdir(path) or os.path.islink(path):
        remove_file(path)
        return
    try:
        with contextlib.suppress(OSError):
            os.rmdir(path)
            return
        aside = tempfile.mkdtemp(prefix=f"{os.path.basename(path)}.", dir=os.path.dirname(path))
        os.rename(path, os.path.join(aside, os.path.basename(path)))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HostError(
            f"cannot move the directory {path}, where keepalived writes a file: {error.strerror}"
        ) from error


def _ask(process: int, name: str, is_complete: Callable[[str], bool]) -> str:
    """Return the text that the process writes into the file of this name."""
    # It has a /tmp of its own, by PrivateTmp= of its unit, unless it was started before the role wrote that.
    paths = {one: os.path.join("/proc", str(process), "root/tmp", one) for one in _FILES}
    for path in paths.values():
        clear(path)
    try:
        os.kill(process, signal.SIGUSR1)
    except ProcessLookupError:
        raise HostError("the service keepalived does not run") from None
    before, others = None, False
    until = time.monotonic() + _SECONDS
    try:
        while time.monotonic() < until:
            time.sleep(_INTERVAL)
            text = read_text(paths[name]) if _is_roots(paths[name]) else None
            if text is not None and text == before and is_complete(text):
                return text
            before = text
            others = others or any(_is_roots(path) for one, path in paths.items() if one != name)
    finally:
        for path in paths.values():
            clear(path)
    text = f"keepalived did not report its state within {_SECONDS:.0f} s"
    if others:
        what = "VRRP" if name == _VRRP else "health checks"
        text += f", but others of its processes did: that for {what} may hang. Restart keepalived when another director"
        text += " is ready"
    raise HostError(text)
