# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One difference from the described state, as modules return it. Pure.

A diff is for people; programs, and the sentences of the playbook verify, use the differences.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PRESENT, ABSENT = "present", "absent"
#: The value of texts, such as files, which a result does not repeat.
DIFFERENT, DESCRIBED = "different", "as described"


@dataclass(frozen=True)
class Difference:
    """One difference: ``kind`` and ``name`` identify the object, ``found`` and ``wanted`` are its values."""

    kind: str
    name: str
    found: str = ""
    wanted: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it as modules do."""
        return {"kind": self.kind, "name": self.name, "is": self.found, "should": self.wanted}


def as_dicts(differences: Iterable[Difference]) -> list[dict[str, str]]:
    """Return differences as modules do."""
    return [difference.as_dict() for difference in differences]


def of_text(kind: str, name: str, before: object, after: object) -> Difference:
    """Return the difference between two texts, of which None is absent, without the texts."""
    if before is None:
        return Difference(kind, name, ABSENT, DESCRIBED)
    return Difference(kind, name, PRESENT, ABSENT) if after is None else Difference(kind, name, DIFFERENT, DESCRIBED)


def of_value(kind: str, name: str, before: str | None, after: str | None) -> Difference:
    """Return the difference between two values, of which None is absent."""
    return Difference(kind, name, ABSENT if before is None else before, ABSENT if after is None else after)
