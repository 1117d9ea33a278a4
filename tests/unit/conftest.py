# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all unit tests share: umasks, and how hypothesis looks for examples.

It tries the same ones in every run, or new ones when asked to search.

A run that finds something new belongs to whoever searches, not to whoever changes another part:
`pytest --hypothesis-profile=search` tries others every time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# The time that an example takes says how busy the machine is, and nothing about the code.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("repeatable", untimed, derandomize=True, database=None)
settings.register_profile("search", untimed)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The switch for golden files; what it writes is to be read like any other change, so the test fails then."""
    parser.addoption("--update", action="store_true", help="write golden files anew, and fail if one has changed")


@pytest.fixture(params=[0o022, 0o027, 0o077], ids="umask {:03o}".format)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The umasks of common and of hardened hosts."""
    before = os.umask(request.param)
    yield
    os.umask(before)
