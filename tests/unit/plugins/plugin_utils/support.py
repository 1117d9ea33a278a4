# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts are given, as the filters return it, and what is known of a problem beside its sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet_plan import make_plan
from ansible_collections.lvs.cluster.plugins.plugin_utils._description import host_settings
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, Problem
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models


def director(cluster: Cluster, host: str = "lb1", **variables: object) -> dict[str, Any]:
    """What a director with these variables is given; its interface is eth1 unless they have another."""
    assert variables.keys() <= host_settings.DIRECTOR.keys()
    return host_models.director(cluster.director(host, {"director_interface": "eth1", **variables}))


def real_server(cluster: Cluster, host: str, **variables: object) -> dict[str, Any]:
    """What a real server with these variables is given."""
    assert variables.keys() <= host_settings.REAL_SERVER.keys()
    return host_models.real_server(cluster.real_server(host, variables))


def problems_of(
    description: object,
    groups: Mapping[str, Sequence[str]],
    hosts: Mapping[str, Mapping[str, object]],
    settings: Mapping[str, Mapping[str, object]],
) -> str:
    """All problems of a run with these hosts, whose settings are given: one a line."""
    of_groups = {
        group: {host: settings[host] for host in groups[group] if host in settings}
        for group in ("directors", "real_servers")
    }
    return make_plan(description, groups, hosts, None, of_groups).problems


@dataclass(frozen=True)
class Expected:
    """A problem, of whose text only some words are known: names, values and remedies."""

    code: Code
    where: str
    key: str
    value: str
    says: tuple[str, ...]

    def check(self, problem: Problem) -> None:
        """Assert that a problem is this one."""
        known = (self.code, self.where, self.key, self.value)
        assert (problem.code, problem.where, problem.key, problem.value) == known, str(problem)
        assert self.value in problem.text
        for words in self.says:
            assert re.search(rf"(?<!\w){re.escape(words)}(?!\w)", problem.text), f"{words!r} is not in: {problem}"


def expected(code: Code, where: str, key: str = "", value: str = "", *says: str) -> Expected:
    """A problem; ``value`` is written as in a message."""
    return Expected(code, where, key, value, says)


def check_all(problems: Sequence[Problem], *wanted: Expected) -> None:
    """Assert that these are the problems, in this order, and no others."""
    assert len(problems) == len(wanted), [str(problem) for problem in problems]
    for problem, one in zip(problems, wanted, strict=True):
        one.check(problem)
