# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads typed values from a mapping of the user.

As lenient as Ansible (``"80"`` is the integer 80, ``"yes"`` is true, null means not given) and otherwise strict. Wrong
data raises no exception: it is noted as a problem and read as "not given", so that one run finds every mistake.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from ansible_collections.lvs.cluster.plugins.module_utils._host import validate as _address
from ansible_collections.lvs.cluster.plugins.module_utils._host.validate import address_fault
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.foreign_words import KEYS, key_hint, type_hint
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import (
    Code,
    Problems,
    known_ones,
    plain,
    show,
    some_known,
    suggestion,
)

IPAddress = _address.IPAddress
MAX_PORT = 65535

# The words of ansible.module_utils.parsing.convert_bool; repeated because a pure file does not import Ansible.
_TRUE = frozenset(("y", "yes", "on", "1", "true", "t"))
_FALSE = frozenset(("n", "no", "off", "0", "false", "f"))
_RANGE = re.compile(r"\s*([0-9]{1,9})\s*-\s*([0-9]{1,9})\s*")
#: An address and a port: 192.0.2.13:80, [2001:db8::13]:80, or with a blank as in keepalived.conf.
_WITH_PORT = re.compile(r"\s*(?:([^\s\[\]:]+):|\[?([^\s\[\]]+)(?:\]:|\s+))[0-9]{1,5}\s*", re.ASCII)
_LISTED = re.compile(r"[A-Za-z0-9._:-]{1,70}")
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)


def to_integer(value: object) -> int | None:
    """Return an int for an int, or a string that looks like one; None for other values (booleans and floats too)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return None


def to_boolean(value: object) -> bool | None:
    """Return a bool for Ansible's words for booleans; None for other values."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None
    return None


def to_seconds(value: object) -> float | None:
    """Return seconds, to the millisecond, for a number or its text; None for other values."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return round(float(value), 3)
    except (ValueError, OverflowError):
        return None


#: The names of network interfaces. dev_valid_name() in net/core/dev.c: 15 characters, no slash, colon or white space,
#: not "." or "..". Without characters that are special to keepalived's parser, anywhere or at the beginning of a line
#: (keepalived.conf(5): ~SEQ and @config-id; lib/parser.c, read_line()), and without the wildcard of nftables.
LINK = re.compile(r"(?!\.\.?$|[~@])[^\s/:!#$*\"'\\{}\x00-\x1f\x7f]{1,15}")
LINK_RULE = "a valid interface name"


def to_address(value: object) -> IPAddress | None:
    """Return an IPv4 or IPv6 address for its text without prefix length and zone; None for other values.

    Integers are refused although :mod:`ipaddress` accepts them: ``3221225994`` is always a mistake.
    """
    if not isinstance(value, str) or "%" in value:
        return None
    try:
        return _address.parse_address(value.strip())
    except ValueError:
        return None


def family_of(address: IPAddress) -> str:
    """Return ``ipv4`` or ``ipv6``."""
    return f"ipv{address.version}"


def _readable(key: object) -> str:
    """Return an unknown key as a part of a path."""
    return plain(key) if isinstance(key, str) and key.isprintable() and 0 < len(key) <= 70 else show(key)


def _surplus(value: object) -> str:
    """Return what to leave out of a text that has more than an address; empty if that is not known."""
    if not isinstance(value, str):
        return ""
    if to_address(value.partition("/")[0]) is not None:
        return ": leave out the prefix length"
    with_port = _WITH_PORT.fullmatch(value)
    if with_port and to_address(with_port[1] or with_port[2]) is not None:
        return ": leave out the port, which is a key of its own"
    return ""


def as_list(value: object) -> str:
    """Return how to write a text of several words as a list, as the end of a message; empty if it is no such text."""
    words = re.split(r"\s*[,\s]\s*", value.strip()) if isinstance(value, str) else []
    if len(words) < 2 or not all(map(_LISTED.fullmatch, words)):
        return ""
    return f": write [{', '.join(in_yaml(word) for word in words)}]"


def in_yaml(word: object) -> str:
    """Return a word or an address as an element of a list in YAML."""
    text = str(word)
    return f'"{text}"' if ":" in text else text


class Fields:
    """One mapping of the description: its values by key, and where in the description it stands.

    ``where`` names the service (``service web``), ``path`` the mapping inside it (``persistence``, empty for the
    service itself).
    """

    def __init__(self, values: Mapping[object, object], where: str, path: str, problems: Problems) -> None:
        self.values = values
        self.where = where
        self.path = path
        self.problems = problems

    def key(self, name: str) -> str:
        """Return the full path of one of this mapping's keys."""
        return f"{self.path}.{name}" if self.path else name

    def fault(self, code: Code, name: str, text: str) -> None:
        """Note a problem with one key."""
        self.problems.add(code, self.where, self.key(name) if name else self.path, text)

    def refuse(self, code: Code, name: str, value: object, text: str) -> None:
        """Note a wrong value of one key; the message shows the value before the text."""
        self.problems.refuse(code, self.where, self.key(name) if name else self.path, value, text)

    def given(self, name: str) -> bool:
        """Return True if the key is present and not null."""
        return self.values.get(name) is not None

    def present(self, names: Iterable[str]) -> list[str]:
        """Return the given ones of these names."""
        return [name for name in names if self.given(name)]

    def refuse_unknown(
        self, known: Iterable[str], what: str, elsewhere: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """Note every unknown key, with the mappings that have it, what it is called here, or the nearest known one.

        ``elsewhere``: the keys of the mappings one level deeper or higher, by their words in the message.
        """
        known = tuple(known)
        for key in self.values:
            if key not in known:
                places = [place for place, keys in (elsewhere or {}).items() if key in keys]
                hint = key_hint(key, known, what)
                if places and not (isinstance(key, str) and key in KEYS and KEYS[key][0] in known):
                    hint = f", but of {' and of '.join(places)}"
                hint = hint or suggestion(key, known) or some_known(known)
                self.fault(Code.UNKNOWN_KEY, _readable(key), f"is not a key of {what}{hint}")

    def integer(self, name: str, low: int, high: int) -> int | None:
        """Return an integer in a range; None if not given or wrong."""
        return self.integer_at(name, self.values.get(name), low, high) if self.given(name) else None

    def whole_seconds(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number of seconds in a range; None if not given or wrong."""
        return self.integer_at(name, self.values.get(name), low, high, "seconds") if self.given(name) else None

    def integer_at(self, name: str, value: object, low: int, high: int, unit: str = "") -> int | None:
        """Return the same for a value that is not directly at a key, such as an element of a list."""
        number = to_integer(value)
        if number is None:
            rule = f"a whole number of {unit}" if unit else "an integer"
            self.refuse(Code.NOT_AN_INTEGER, name, value, f"is not {rule} from {low} to {high}")
        elif not low <= number <= high:
            self.refuse(Code.OUT_OF_RANGE, name, number, f"is not between {low} and {high} {unit}".rstrip())
        else:
            return number
        return None

    def range_at(self, name: str, value: object, known: range, rule: str) -> tuple[int, int] | None:
        """Return a range of numbers, or one number as a range; None if wrong. ``rule`` completes "'x' is not ..."."""
        if isinstance(value, str) and (found := _RANGE.fullmatch(value)):
            low, high = int(found[1]), int(found[2])
            if known[0] <= low <= high <= known[-1]:
                return low, high
            fault = "ends before it begins" if low > high else f"is not within {known[0]} and {known[-1]}"
            self.refuse(Code.OUT_OF_RANGE, name, value, fault)
            return None
        if to_integer(value) is None:
            self.refuse(Code.NOT_AN_INTEGER, name, value, f"is not {rule}{as_list(value)}")
            return None
        number = self.integer_at(name, value, known[0], known[-1])
        return None if number is None else (number, number)

    def seconds(self, name: str, low: float, high: float) -> float | None:
        """Return seconds in a range, fractions too; None if not given or wrong."""
        if not self.given(name):
            return None
        value = self.values[name]
        number = to_seconds(value)
        if number is None:
            self.refuse(Code.NOT_SECONDS, name, value, f"is not a number of seconds from {low} to {high}")
        elif not low <= number <= high:  # NaN is not either
            self.refuse(Code.OUT_OF_RANGE, name, value, f"is not between {low} and {high} seconds")
        else:
            return number
        return None

    def boolean(self, name: str, default: bool = False) -> bool:
        """Return a boolean; the default if not given or wrong."""
        if not self.given(name):
            return default
        value = to_boolean(self.values[name])
        if value is None:
            self.refuse(Code.NOT_A_BOOLEAN, name, self.values[name], "is neither true nor false")
            return default
        return value

    def choice(self, name: str, what: str, known: Iterable[str], default: str) -> str:
        """Return one of some words; the default if not given, empty if wrong. ``what`` completes "'x' is not ..."."""
        if not self.given(name):
            return default
        return self.choice_at(name, self.values[name], what, known) or ""

    def choice_at(self, name: str, value: object, what: str, known: Iterable[str]) -> str | None:
        """Return the same for a value that is not directly at a key."""
        known = tuple(known)
        if isinstance(value, str) and value in known:
            return known[known.index(value)]
        hint = type_hint(value, known) or suggestion(value, known) or known_ones(known)
        self.refuse(Code.UNKNOWN_WORD, name, value, f"is not {what}{hint}")
        return None

    def text(self, name: str, pattern: re.Pattern[str], rule: str) -> str | None:
        """Return a string that matches a pattern; None if not given or wrong. ``rule`` completes "'x' is not ..."."""
        if not self.given(name):
            return None
        value = self.values[name]
        if isinstance(value, str) and pattern.fullmatch(value):
            return plain(value)
        self.refuse(Code.MALFORMED, name, value, f"is not {rule}")
        return None

    def address(self, name: str, loopback: bool = False) -> IPAddress | None:
        """Return an address that can be a VIP or a real server; None if not given or wrong.

        ``loopback``: accept those of the loopback interface too.
        """
        return self.address_at(name, self.values[name], loopback) if self.given(name) else None

    def address_at(self, name: str, value: object, loopback: bool = False) -> IPAddress | None:
        """Return the same for a value that is not directly at a key."""
        address = to_address(value)
        if address is None:
            self.refuse(Code.NOT_AN_ADDRESS, name, value, f"is not an IP address{_surplus(value)}")
            return None
        fault = "" if loopback and address.is_loopback else address_fault(address)
        if fault:
            self.refuse(Code.UNUSABLE_ADDRESS, name, value, fault)
            return None
        return address

    def mapping(self, name: str, example: str) -> Fields | None:
        """Return a nested mapping; None if not given or wrong. ``example`` is a mapping for the message."""
        if not self.given(name):
            return None
        value = self.values[name]
        if isinstance(value, Mapping):
            return Fields(value, self.where, self.key(name), self.problems)
        self.refuse(Code.NOT_A_MAPPING, name, value, f"is not a mapping such as {example}")
        return None

    def elements(self, name: str) -> Iterator[tuple[str, object]]:
        """Yield the elements of a list, each with its name such as ``ports[1]``; nothing if not given or wrong."""
        if not self.given(name):
            return
        value = self.values[name]
        if not isinstance(value, (list, tuple)):
            self.refuse(Code.NOT_A_LIST, name, value, f"is not a list{as_list(value)}")
            return
        for index, element in enumerate(value):
            yield f"{name}[{index}]", element
