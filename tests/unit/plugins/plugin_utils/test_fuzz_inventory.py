# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an inventory is like, there is a model or a `ModelError`, and a host that shrinks is told or refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host import director_state
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import (
    Cluster,
    build_cluster,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet_plan import make_plan
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import ALIKE, DIRECTOR, REAL_SERVER
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import MAX_LINES, ModelError, Problem
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.variables import SETTINGS
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

FEW = settings(max_examples=200, deadline=None)
NAMES = ["lb1", "lb2", "lb3", "rs1", "rs2", "other", "a b", "2001:db8::7"]
OWN = {name: f"192.0.2.{number}" for number, name in enumerate(NAMES, 1)}
WEB = [{"name": "web", "address": "192.0.2.100", "port": 80, "real_servers": [{"group": "real_servers"}]}]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::2", "eth1", "51", "no", "lb2", "keepalived", "192.0.2.0/24"]),
    st.just(ValueError("a template that cannot be had")),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=8,
)
names = st.sampled_from(NAMES)
sound_groups = st.fixed_dictionaries(
    {
        "directors": st.lists(st.sampled_from(NAMES[:3]), min_size=1, unique=True),
        "real_servers": st.lists(st.sampled_from(NAMES[3:6]), min_size=1, unique=True),
    }
)
groups = st.one_of(
    sound_groups,
    sound_groups,
    st.fixed_dictionaries(
        {"directors": st.lists(names, max_size=4), "real_servers": st.lists(names, max_size=4)},
        optional={"web": st.lists(names, max_size=2), "all": st.just(NAMES)},
    ),
    st.dictionaries(st.sampled_from(["directors", "real_servers", "web", 7]), anything, max_size=3),
)
variables = st.dictionaries(
    st.one_of(
        st.sampled_from(sorted(SETTINGS)),
        st.sampled_from(["lvs_addres", "director_", "lvs_rack", "ansible_host", "ansible_facts"]),
        st.integers(),
    ),
    anything,
    max_size=5,
)


@st.composite
def hostvars(draw: st.DrawFn) -> Any:
    """Hosts with sound addresses and a description, most of them, and whatever goes over that."""
    if draw(st.integers(0, 19)) == 7:
        return draw(anything)
    hosts: dict[Any, Any] = {}
    for name in NAMES:
        own: Any = {"lvs_address": OWN[name], "lvs_virtual_services": WEB, "director_interface": "eth1"}
        if draw(st.integers(0, 3)) == 3:
            own = {**own, **draw(variables)}
        if draw(st.integers(0, 19)) == 7:
            own = draw(anything)
        hosts[name] = own
    return hosts


def refused(question: Callable[[], object]) -> tuple[Problem, ...]:
    """The problems that it ends with; none if there is an answer, which a module can be given."""
    try:
        json.dumps(question())
    except ModelError as error:
        return error.problems
    return ()


def sound(problems: Iterable[Problem]) -> bool:
    return all(problem.text and str(problem).isprintable() and problem.value in problem.text for problem in problems)


def of_role(given: Mapping[Any, object], defaults: Mapping[str, object]) -> dict[str, object]:
    return {name: given[name] for name in defaults if name in given}


def ask(cluster: Cluster, host: str, own: object) -> None:
    """Ask for all that is known of a host, by its own variables; each answer is one, or a `ModelError`."""
    given = own if isinstance(own, Mapping) else {}
    for question in (
        lambda: support.director(cluster, host, **{"director_interface": None, **of_role(given, DIRECTOR)}),
        lambda: support.real_server(cluster, host, **of_role(given, REAL_SERVER)),
    ):
        assert sound(refused(question))


def clusters_or_descriptions(hosts: Any, groups: Any) -> bool:
    """True if hosts have clusters, or if the directors have descriptions, which count instead of the given one."""
    directors = groups.get("directors") if isinstance(groups, dict) else None
    for host, own in hosts.items() if isinstance(hosts, dict) else ():
        if isinstance(own, Mapping) and "lvs_cluster" in own:
            return True
        described = isinstance(own, Mapping) and "lvs_virtual_services" in own
        if described and isinstance(directors, list) and host in directors:
            return True
    return False


@FEW
@given(description=st.one_of(st.just(WEB), st.just(WEB), st.just(WEB), anything), groups=groups, hosts=hostvars())
def test_any_inventory(description: Any, groups: Any, hosts: Any) -> None:
    try:
        cluster = build_cluster(description, groups, hosts)
    except ModelError as error:
        event("refused")
        found = error.problems
    else:
        event("built")
        found = (*refused(cluster.check_hosts), *refused(cluster.as_dict))
        for host in NAMES:
            ask(cluster, host, hosts.get(host))
    assert sound(found)
    given = {
        group: {
            host: of_role(own, known)
            for host, own in (hosts.items() if isinstance(hosts, dict) else ())
            if isinstance(own, dict) and host in of_run
        }
        for group, known, of_run in (("directors", DIRECTOR, ("n1", "n2")), ("real_servers", REAL_SERVER, ("n2", "n4")))
    }
    together = make_plan(description, groups, hosts, None, given).problems.splitlines()
    assert all(line and line.isprintable() for line in together)
    if len(together) < MAX_LINES and not clusters_or_descriptions(hosts, groups):
        assert {str(problem) for problem in found} <= set(together)


def present(directors: list[str], host: str, vips: list[str]) -> str:
    text = support.director(built(directors, vips), host)["keepalived"]
    assert isinstance(text, str)
    return text


def built(directors: list[str], vips: list[str]) -> Cluster:
    services = [
        {"name": f"s{number}", "address": vip, "port": 80, "real_servers": [{"address": "192.0.2.200"}]}
        for number, vip in enumerate(vips)
    ]
    hosts = {name: {"lvs_address": OWN[name]} for name in NAMES}
    return build_cluster(services, {"directors": directors, "real_servers": []}, hosts)


@FEW
@given(
    before=st.lists(st.sampled_from(NAMES[:6]), min_size=1, max_size=4, unique=True),
    after=st.lists(st.sampled_from(NAMES[:6]), min_size=1, max_size=4, unique=True),
    leaving=st.lists(st.sampled_from(NAMES[:6]), max_size=2, unique=True),
    vips=st.lists(st.integers(101, 120).map("192.0.2.{}".format), min_size=1, max_size=4, unique=True),
)
def test_no_peer_is_lost_that_is_not_named(
    before: list[str], after: list[str], leaving: list[str], vips: list[str]
) -> None:
    host = after[0]
    if host not in before:
        before = [*before, host]
    now = director_state.instances(present(before, host, ["192.0.2.100"]))
    try:
        wanted: Any = support.director(built(after, vips), host, lvs_directors_that_leave=leaving)["present"]
    except ModelError:
        assert set(leaving) & set(after)
        return
    lost = director_state.lost_peers(now, wanted["instances"], wanted["leaving"])
    gone = [name for name in before if name not in after and name not in leaving]
    assert bool(lost) == bool(gone)
    for name in gone:
        assert f"{name} ({OWN[name]})" in lost
    if not lost and len(after) > 1 and len(before) > 1:
        assert not director_state.joins(now, wanted["instances"]), "whatever the VIPs are, the adverts are the same"


def test_the_settings_that_have_to_agree_are_settings() -> None:
    assert set(ALIKE) <= SETTINGS
