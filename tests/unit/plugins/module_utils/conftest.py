# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpreters with and without pyroute2."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture(scope="session", name="python_of_tests")
def _python_of_tests() -> str:
    """The interpreter of these tests, which has pyroute2."""
    return sys.executable


@pytest.fixture(scope="session", name="bare_python")
def _bare_python(tmp_path_factory: pytest.TempPathFactory, python_of_tests: str) -> str:
    """An interpreter with the standard library alone."""
    place = tmp_path_factory.mktemp("bare")
    subprocess.run([python_of_tests, "-m", "venv", "--without-pip", place], check=True)
    return str(place / "bin/python3")
