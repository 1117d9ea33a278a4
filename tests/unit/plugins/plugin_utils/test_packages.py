# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of a host: the usual ones, or those that are given."""

from __future__ import annotations

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.host_packages import (
    director_packages,
    real_server_packages,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import ModelError, Problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._render.unit_files import CHECKERS


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_director_takes_those_of_its_health_checker(checker: str) -> None:
    problems = Problems()
    names = director_packages(None, checker, problems)
    assert {"keepalived", "python3-pyroute2", checker} <= set(names)
    assert len(names) == len(set(names))
    problems.raise_any()


def test_a_real_server_takes_nftables_for_tunnels() -> None:
    problems = Problems()
    assert real_server_packages(None, False, problems) == ["python3-pyroute2"]
    assert real_server_packages(None, True, problems) == ["python3-pyroute2", "nftables"]
    problems.raise_any()


def test_those_that_are_given_are_all() -> None:
    problems = Problems()
    assert director_packages(["keepalived=1:2.3.3-1"], "mon", problems) == ["keepalived=1:2.3.3-1"]
    assert real_server_packages([], True, problems) == []
    problems.raise_any()


@pytest.mark.parametrize("given", ["keepalived", {"keepalived": 1}, 7, [7], [""], [" "], [None]])
def test_what_is_no_list_of_names_is_refused(given: object) -> None:
    problems = Problems()
    director_packages(given, "keepalived", problems)
    with pytest.raises(ModelError) as error:
        problems.raise_any()
    assert "director_packages: " in str(error.value)
