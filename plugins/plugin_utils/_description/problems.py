# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of a description: collected, then raised together.

Every problem has a code and is one complete line: it names the service (or the host, or the variable), the path of the
key, and the value. The earliest problem comes first, because Ansible shows the beginning of a message.
"""

from __future__ import annotations

import difflib
import ipaddress
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

#: Further problems are only counted.
MAX_LINES = 25
#: The longest part of a value that a message shows, in characters.
MAX_SHOWN = 160
#: The most keys that a message lists.
MAX_WORDS = 12


class Code(str, Enum):
    """The kinds of problems: a word that tests compare, and its meaning.

    Sentences can change without a change here. A new code is for a new kind of problem, not for a new place.
    """

    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Code:
        """Return a code that is equal to its word."""
        code = str.__new__(cls, word)
        code._value_ = word
        code.meaning = meaning
        return code

    # keys and names
    MISSING = "missing", "a key or variable that is needed is not given"
    UNKNOWN_KEY = "unknown_key", "a mapping has a key that is not one of its keys"
    UNKNOWN_VARIABLE = "unknown_variable", "a variable begins as those of this collection do, and is not one of them"
    UNKNOWN_WORD = "unknown_word", "a value is not one of the words that can stand there"
    UNKNOWN_GROUP = "unknown_group", "the inventory has no group of this name"
    UNKNOWN_CLUSTER = "unknown_cluster", "no director belongs to a cluster of this name"
    UNKNOWN_HOST = "unknown_host", "the inventory has no host of this name"
    NOT_IN_GROUP = "not_in_group", "a host is not in the group that it has to be in"
    IN_GROUP = "in_group", "a director that is to leave is still in the group of directors"
    EXCLUSIVE_KEYS = "exclusive_keys", "two keys are given of which one rules out the other"
    NEEDS_KEY = "needs_key", "a key or value is given without another key that it needs"
    EXCLUDED = "excluded", "a host is named that --limit excludes from the run"
    # types and ranges
    NOT_A_LIST = "not_a_list", "a value is not a list, or has elements of another type than it should have"
    NOT_A_MAPPING = "not_a_mapping", "a value is not a mapping, or not one of the values accepted instead"
    NOT_A_BOOLEAN = "not_a_boolean", "a value is neither true nor false"
    NOT_AN_INTEGER = "not_an_integer", "a value is not an integer"
    NOT_SECONDS = "not_seconds", "a value is not a number of seconds"
    OUT_OF_RANGE = "out_of_range", "a number is too low or too high"
    EXCEEDS = "exceeds", "a number is not below another one, or higher than others allow"
    EMPTY = "empty", "a list or a group has no elements"
    MALFORMED = "malformed", "a value does not have the form that is needed: of a name, a path, a command"
    UNREADABLE = "unreadable", "the template of a variable has no value"
    TWICE = "twice", "a value that has to be unique is listed twice"
    # addresses
    NOT_AN_ADDRESS = "not_an_address", "a value is not an IP address"
    UNUSABLE_ADDRESS = "unusable_address", "an address is of a kind that cannot stand there, such as multicast"
    OTHER_FAMILY = "other_family", "an address or a mask is of another family than what it belongs to"
    NO_ADDRESS = "no_address", "a host has no address, or none of the family that is needed"
    ADDRESS_TWICE = "address_twice", "two hosts have one address"
    VIP_IN_USE = "vip_in_use", "a VIP is the address of a host"
    NO_VIP = "no_vip", "an address is not a VIP of the cluster"
    NO_GATEWAY = "no_gateway", "a family of real servers behind nat has no gateway"
    HELD_GATEWAY = "held_gateway", "a gateway is a VIP that a real server behind it holds itself"
    FIXED_GATEWAY = "fixed_gateway", "a gateway stays with one host when the VIPs move"
    # combinations
    NOT_FOR_METHOD = "not_for_method", "a key or value is not possible with the forwarding method"
    NOT_FOR_PROTOCOL = "not_for_protocol", "a key or value is not possible with the protocol or the port"
    NOT_FOR_TYPE = "not_for_type", "a key or value is not possible with the type or the scheduler beside it"
    NOT_FOR_CHECKER = "not_for_checker", "the health checker of the directors cannot do this"
    PORT_IS_KEPT = "port_is_kept", "a server has a port of its own where ports are not rewritten"
    PRIVATE_DIRECTORY = "private_directory", "a path is in a directory of which the health checker has a private one"
    ROOT = "root", "root is named where no command may run as root"
    # between services and between hosts
    SERVICE_TWICE = "service_twice", "two services have the same address, protocol and port, or the same mark"
    SERVER_TWICE = "server_twice", "a service has a real server twice, or its sorry server among its real servers"
    MARKED_TWICE = "marked_twice", "traffic is claimed by a firewall mark and by another service"
    DIRECTOR_AS_SERVER = "director_as_server", "a director is a server where the forwarding method rules that out"
    TUNNELS_DIFFER = "tunnels_differ", "a real server is to have two tunnels that exclude each other"
    NO_SERVICE = "no_service", "a real server is in no service"
    DIFFERS = "differs", "hosts have different values of a variable that has to be the same"
    ID_TWICE = "id_twice", "two clusters on one network have the same virtual router id"
    GROUPS_DIFFER = "groups_differ", "services whose VIPs have to move together are in several VRRP groups"
    FACTS_OVERRIDE = "facts_override", "facts that a host has reported override variables of the inventory"


@dataclass(frozen=True)
class Problem:
    """One problem: ``where`` is ``service web``, ``key`` is ``real_servers[0].port`` or empty.

    ``text`` is the rest of the sentence. ``value`` is the wrong value as ``text`` shows it; empty if there is none.
    """

    code: Code
    where: str
    key: str
    text: str
    value: str = ""

    def __str__(self) -> str:
        """Return the sentence."""
        return ": ".join(part for part in (self.where, self.key, self.text) if part)


class ModelError(ValueError):
    """The description, the inventory or a setting cannot be used.

    ``problems`` has all problems, and the exception's text has one sentence a line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MAX_LINES]]
        if len(self.problems) > MAX_LINES:
            lines.append(f"and {len(self.problems) - MAX_LINES} more problems like these")
        super().__init__("\n".join(lines))


class Problems:
    """Collects problems of all parts of the model; one place raises."""

    def __init__(self) -> None:
        self._found: dict[str, Problem] = {}
        self._noted = 0

    def __len__(self) -> int:
        """Return the number of noted problems, duplicates included."""
        return self._noted

    def add(self, code: Code, where: str, key: str, text: str, value: str = "") -> None:
        """Note one problem (`Problem`)."""
        problem = Problem(code, *map(_one_line, (where, key, text, value)))
        self._found.setdefault(str(problem), problem)
        self._noted += 1

    def refuse(self, code: Code, where: str, key: str, value: object, text: str) -> None:
        """Note a wrong value; the message shows it before the text."""
        shown = show(value)
        self.add(code, where, key, f"{shown} {text}", shown)

    @property
    def found(self) -> tuple[Problem, ...]:
        """The collected problems, each once."""
        return tuple(self._found.values())

    def raise_any(self) -> None:
        """Raise `ModelError` with all collected problems, if there are any."""
        if self._found:
            raise ModelError(self.found)


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


class _Short(reprlib.Repr):
    """A ``repr`` of one short line for any value: nested, endless, or thousands of digits long."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 3
        self.maxstring = self.maxother = self.maxlong = 70

    def repr_int(self, x: int, level: int) -> str:
        # repr() of an int with more than 4300 digits raises ValueError
        return repr(int(x)) if abs(x) < 10**30 else "a number of more than 30 digits"


_SHORT = _Short()


def plain(text: str) -> str:
    """Return a plain string: Ansible's strings carry tags, and have a ``repr`` and a type of their own."""
    return str.__str__(text)


def show(value: object) -> str:
    """Return a value as messages show it: one line of at most `MAX_SHOWN` characters, strings in quotes, addresses
    without, None as ``null``.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return str(value)
    if isinstance(value, str):
        value = plain(value)
    text = " ".join(_SHORT.repr(value).split())
    # each part of a nested value is short, but not all together
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 20]}...{text[-17:]}"


def nearest(word: object, known: Iterable[str]) -> str:
    """Return the known word that is near, otherwise an empty string."""
    if not isinstance(word, str):
        return ""
    names = {name.casefold(): name for name in known}
    # difflib's default, 0.6, matches code with record
    near = difflib.get_close_matches(word.casefold()[:70], names, n=1, cutoff=0.65)
    return names[near[0]] if near else ""


def suggestion(word: object, known: Iterable[str]) -> str:
    """Return `` (did you mean 'rr'?)`` if a known word is near, otherwise an empty string."""
    near = nearest(word, known)
    return f" (did you mean {near!r}?)" if near else ""


def known_ones(known: Iterable[str]) -> str:
    """Return ``; known: rr wrr``, for a message about another word."""
    return f"; known: {' '.join(known)}"


def some_known(known: Iterable[str]) -> str:
    """Return the same, but not all of many words."""
    words = list(known)
    others = f" and {len(words) - MAX_WORDS} others" if len(words) > MAX_WORDS + 1 else ""
    return known_ones(words[:MAX_WORDS] if others else words) + others
