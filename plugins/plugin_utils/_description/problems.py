# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a description: collected, then raised together.

Every problem is one line that can stand alone: it names the service (or the host, or the variable), the path of the
key, and the value. The line of the earliest problem comes first, because Ansible shows the beginning of a message.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable

#: More lines than this do not help anybody; the rest is counted.
MAX_LINES = 25
#: A value is shown with at most so many characters.
MAX_SHOWN = 160


class ModelError(ValueError):
    """The description, the inventory or a setting cannot be used.

    ``problems`` holds one complete sentence per problem, and the exception's text is these, one a line.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = list(self.problems[:MAX_LINES])
        if len(self.problems) > MAX_LINES:
            lines.append(f"and {len(self.problems) - MAX_LINES} more problems like these")
        super().__init__("\n".join(lines))


class Problems:
    """A collector: the parts of the model add to it, and one place raises."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._noted = 0

    def __len__(self) -> int:
        """How many were noted, those that say the same again included."""
        return self._noted

    def add(self, where: str, key: str, text: str) -> None:
        """Note one problem: ``where`` is ``service web``, ``key`` is ``real_servers[0].port`` or empty."""
        line = " ".join((f"{where}: {key}: {text}" if key else f"{where}: {text}").split())
        if not line.isprintable():
            line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        self._lines[line] = None
        self._noted += 1

    @property
    def lines(self) -> tuple[str, ...]:
        """What was collected, one complete sentence each."""
        return tuple(self._lines)

    def raise_any(self) -> None:
        """Raise `ModelError` with everything collected; do nothing if there is nothing."""
        if self._lines:
            raise ModelError(self._lines)


class _Short(reprlib.Repr):
    """``repr`` that stays on one short line whatever it is given: nested, endless, or thousands of digits long."""

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
    """The text alone: Ansible's strings carry tags, and have a ``repr`` and a type of their own."""
    return str.__str__(text)


def show(value: object) -> str:
    """A value as it appears in a message: on one line, at most `MAX_SHOWN` characters, strings in quotes; None is
    written ``null``.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value = plain(value)
    text = " ".join(_SHORT.repr(value).split())
    # the parts of a nested value are short each, but not together
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 20]}...{text[-17:]}"


def suggestion(word: object, known: Iterable[str]) -> str:
    """`` (did you mean 'rr'?)`` when one of the known words is near, else an empty string."""
    if not isinstance(word, str):
        return ""
    names = {name.casefold(): name for name in known}
    # difflib's own 0.6 takes code for record
    near = difflib.get_close_matches(word.casefold()[:70], names, n=1, cutoff=0.65)
    return f" (did you mean {names[near[0]]!r}?)" if near else ""


def known_ones(known: Iterable[str]) -> str:
    """``; known: rr wrr``, for a message about what is none of them."""
    return f"; known: {' '.join(known)}"
