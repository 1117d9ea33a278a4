# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of a host: the usual ones, or those that are given."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.requirements import (
    director_packages,
    real_server_packages,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import CHECKERS
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError, show
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import check_all, expected


@pytest.fixture
def cluster() -> Cluster:
    hosts = {"lb1": {"lvs_address": "192.0.2.2"}, "rs1": {"lvs_address": "192.0.2.11"}}
    tunnel: dict[str, Any] = {"name": "web", "address": "192.0.2.10", "port": 80, "forward_method": "tun"}
    services = [{**tunnel, "real_servers": [{"host": "rs1"}]}]
    return build_cluster(services, {"directors": ["lb1"], "real_servers": ["rs1"]}, hosts)


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_director_takes_those_of_its_health_checker(checker: str, cluster: Cluster) -> None:
    names = support.director(cluster, director_health_checker=checker)["packages"]
    assert {"keepalived", "python3-pyroute2", checker} <= set(names)
    assert len(names) == len(set(names))
    assert names == director_packages(checker)


def test_a_real_server_takes_nftables_for_tunnels(cluster: Cluster) -> None:
    assert real_server_packages(False) == ["python3-pyroute2"]
    assert support.real_server(cluster, "rs1")["packages"] == ["python3-pyroute2", "nftables"]


def test_those_that_are_given_are_all(cluster: Cluster) -> None:
    given = ["keepalived=1:2.3.3-1"]
    assert support.director(cluster, director_packages=given, director_health_checker="mon")["packages"] == given
    assert support.real_server(cluster, "rs1", real_server_packages=[])["packages"] == []


@pytest.mark.parametrize("given", ["keepalived", {"keepalived": 1}, 7, [7], [""], [" "], [None]])
def test_what_is_no_list_of_names_is_refused(given: object, cluster: Cluster) -> None:
    code, value = (Code.MALFORMED, given[0]) if isinstance(given, list) else (Code.NOT_A_LIST, given)
    with pytest.raises(ModelError) as caught:
        support.director(cluster, director_packages=given)
    check_all(caught.value.problems, expected(code, "director_packages", "", show(value)))
    with pytest.raises(ModelError) as caught:
        support.real_server(cluster, "rs1", real_server_packages=given)
    check_all(caught.value.problems, expected(code, "real_server_packages", "", show(value)))
