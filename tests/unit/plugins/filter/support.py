# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters called without a playbook."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment
from jinja2.runtime import Context

from ansible_collections.lvs.cluster.plugins.filter import filters


def context(**variables: Any) -> Context:
    """A task with these variables."""
    return Environment().from_string("").new_context(variables)  # noqa: S701 - nothing is rendered


def internal(name: str, value: Any, *arguments: Any, variables: dict[str, Any] | None = None, **options: Any) -> Any:
    """What a function for the playbooks returns, in a task with some variables."""
    return filters._internal(context(**(variables or {})), value, name, *arguments, **options)
