# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of ipvs_kernel: order, side effects of the kernel, putting back, and what is refused."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import ChangeFile, Outcome, settle
from ansible_collections.lvs.cluster.plugins.module_utils._host.errors import HostError
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import HostState, parse_record
from ansible_collections.lvs.cluster.plugins.module_utils._host.sysctl import LoadModule, SetSysctl
from ansible_collections.lvs.cluster.plugins.module_utils._host.tuning import (
    FILES,
    MODULES_FILE,
    OPTIONS_FILE,
    RECORD_FILE,
    SYSCTL_FILE,
    KernelSettings,
    defence_threshold,
    keys_of_interest,
    listed_sysctls,
    most_tab_bits,
    parse_settings,
    plan_kernel,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._host.simulated import SimulatedHost

CONF = "net/ipv4/conf"
FORWARD = "net/ipv4/ip_forward"
INTERFACES = ("eth0", "lo")
VS = {"net/ipv4/vs/conntrack": "0", "net/ipv4/vs/expire_nodest_conn": "0"}


def host(loaded: bool = True, **sysctls: str) -> HostState:
    """A host with lo and eth0; sysctls like all_accept_redirects="0" are of net/ipv4/conf."""
    values: dict[str, str | None] = {FORWARD: "0", "net/core/somaxconn": "4096", f"{CONF}/all/forwarding": "0"}
    for option in ("accept_redirects", "send_redirects", "rp_filter"):
        values.update({f"{CONF}/{name}/{option}": "1" for name in ("all", "default", *INTERFACES)})
    values.update({f"{CONF}/{name}/forwarding": "0" for name in ("default", *INTERFACES)})
    values.update({f"net/ipv6/conf/{name}/forwarding": "0" for name in ("all", "default", *INTERFACES)})
    for name, value in sysctls.items():
        interface, option = name.split("_", 1)
        values[f"{CONF}/{interface}/{option}"] = value
    values.update(VS if loaded else dict.fromkeys(VS))
    return HostState(
        sysctls=values,
        modules={"ip_vs": loaded},
        files=dict.fromkeys(FILES),
        records={RECORD_FILE: None},
        directories=frozenset({"/etc", "/etc/modules-load.d", "/etc/modprobe.d", "/etc/sysctl.d", "/var", "/var/lib"}),
    )


def wanted(sysctls: dict[str, Any] | None = None, **options: Any) -> KernelSettings:
    return parse_settings(True, options.get("modules", ["ip_vs"]), options.get("conn_tab_bits"), sysctls)


ABSENT = parse_settings(False, ["ip_vs"], None, None)


def run(simulated: SimulatedHost, task: KernelSettings, check_mode: bool = False) -> Outcome:
    return settle(simulated.read, lambda now: plan_kernel(now, task), simulated.apply, check_mode)


def done(state: HostState, task: KernelSettings, followers: tuple[str, ...] = ()) -> HostState:
    simulated = SimulatedHost(state, {"ip_vs": VS}, followers=followers)
    run(simulated, task)
    return simulated.state


def test_modules_come_before_sysctls_and_their_options_before_them() -> None:
    plan = plan_kernel(host(loaded=False), wanted({"net.ipv4.vs.conntrack": 1}, conn_tab_bits=20))
    order = [operation for operation in plan.operations if isinstance(operation, (LoadModule, SetSysctl, ChangeFile))]
    assert [getattr(item, "path", type(item)) for item in order] == [
        RECORD_FILE,
        OPTIONS_FILE,
        LoadModule,
        SetSysctl,
        MODULES_FILE,
        SYSCTL_FILE,
    ]


def test_check_mode_predicts_sysctls_of_a_module_that_is_not_loaded() -> None:
    task = wanted({"net.ipv4.vs.conntrack": 1})
    checked = SimulatedHost(host(loaded=False), {"ip_vs": VS})
    prediction = run(checked, task, check_mode=True)
    assert checked.applied == []
    real = SimulatedHost(host(loaded=False), {"ip_vs": VS})
    assert run(real, task) == prediction
    assert parse_record(RECORD_FILE, real.state.records[RECORD_FILE]).sysctls == {"net/ipv4/vs/conntrack": "0"}


def test_absent_puts_back_what_a_loaded_module_brought_but_keeps_the_module() -> None:
    state = done(done(host(loaded=False), wanted({"net.ipv4.vs.conntrack": 1}, conn_tab_bits=20)), ABSENT)
    assert state == host(loaded=True)


def test_ip_forward_comes_first_and_everything_it_changes_is_put_back() -> None:
    before = host(all_accept_redirects="0", eth0_forwarding="1")
    task = wanted({"net.ipv4.conf.all.send_redirects": 0, "net.ipv4.ip_forward": 1})
    plan = plan_kernel(before, task)
    assert next(item.key for item in plan.operations if isinstance(item, SetSysctl)) == FORWARD
    held = done(before, task)
    assert held.sysctls[f"{CONF}/lo/forwarding"] == "1"
    assert done(held, ABSENT) == before


def test_a_listed_sysctl_holds_against_the_side_effect_of_another() -> None:
    held = done(host(), wanted({"net.ipv4.conf.all.accept_redirects": 1, "net.ipv4.ip_forward": 1}))
    assert held.sysctls[f"{CONF}/all/accept_redirects"] == "1"


def test_what_is_no_longer_listed_gets_the_value_that_it_would_have() -> None:
    both = wanted({"net.ipv4.conf.all.accept_redirects": 1, "net.ipv4.ip_forward": 1, "net.core.somaxconn": 5})
    only = wanted({"net.ipv4.ip_forward": 1})
    assert done(done(host(), both), only).sysctls == done(host(), only).sysctls
    assert done(done(done(host(), both), only), ABSENT) == host()


def test_conf_default_reaches_interfaces_and_is_put_back_on_them() -> None:
    held = done(host(), wanted({"net.ipv4.conf.default.rp_filter": 2}), followers=("eth0",))
    assert held.sysctls[f"{CONF}/eth0/rp_filter"] == "2"
    assert done(held, ABSENT, followers=("eth0",)) == host()


def test_a_listed_interface_holds_against_conf_default() -> None:
    task = wanted({"net.ipv4.conf.eth0.rp_filter": 1, "net.ipv4.conf.default.rp_filter": 2})
    held = done(host(), task, followers=("eth0",))
    assert held.sysctls[f"{CONF}/eth0/rp_filter"] == "1"
    assert held.sysctls[f"{CONF}/default/rp_filter"] == "2"


def test_a_value_that_was_right_already_is_remembered_too() -> None:
    held = done(host(), wanted({"net.core.somaxconn": 4096}))
    drifted = done(held, wanted({"net.core.somaxconn": 1}))
    assert done(drifted, ABSENT) == host()


def test_options_that_are_not_given_stay() -> None:
    held = done(host(), wanted({"net.core.somaxconn": 1}, conn_tab_bits=20))
    assert plan_kernel(held, wanted()).operations == ()
    loose = done(held, wanted({}, conn_tab_bits=0))
    assert loose.files[OPTIONS_FILE] is None
    assert loose.files[SYSCTL_FILE] is None
    assert loose.sysctls == host().sysctls


def test_files_are_what_the_boot_tools_read() -> None:
    held = done(
        host(eth0_rp_filter="1"),
        wanted({"net.ipv4.ip_forward": 1, "net.ipv4.vs.conntrack": True}, modules=["ip-vs", "ip_vs"], conn_tab_bits=12),
    )
    lines = {path: (text or "").splitlines()[1:] for path, text in held.files.items()}
    assert lines == {
        MODULES_FILE: ["ip_vs"],
        OPTIONS_FILE: ["options ip_vs conn_tab_bits=12"],
        SYSCTL_FILE: ["net.ipv4.ip_forward = 1", "net.ipv4.vs.conntrack = 1"],
    }


def test_a_later_file_that_wins_at_boot_is_named() -> None:
    files = [("/etc/sysctl.d/99-local.conf", "net/ipv4/ip_forward = 0\n"), ("/usr/lib/sysctl.d/50.conf", "x.y = 1")]
    (warning,) = plan_kernel(host(), wanted({"net.ipv4.ip_forward": 1}), files).warnings
    assert warning == (
        "/etc/sysctl.d/99-local.conf sets net.ipv4.ip_forward to 0,"
        " and wins at boot over 90-lvs-cluster.conf, which sets it to 1"
    )


@pytest.mark.parametrize(
    ("state", "task", "sentence"),
    [
        (host(), wanted({"net.ipv4.vs.nonsense": 1}), "sysctls: the running kernel has no net.ipv4.vs.nonsense"),
        (
            host(loaded=False),
            wanted({"net.ipv4.vs.conntrack": 1}, modules=[]),
            "sysctls: the running kernel has no net.ipv4.vs.conntrack; it comes with ip_vs, so list that in modules",
        ),
        (
            host(loaded=False),
            wanted({"net.ipv4.vs.conntrack": 1, "net.ipv4.nonsense": 1}),
            "sysctls: the running kernel has no net.ipv4.nonsense",
        ),
    ],
)
def test_what_the_kernel_does_not_know_is_refused(state: HostState, task: KernelSettings, sentence: str) -> None:
    with pytest.raises(HostError) as error:
        plan_kernel(state, task)
    assert str(error.value) == sentence


def test_a_sysctl_that_does_not_come_with_the_module_is_refused_and_all_is_put_back() -> None:
    simulated = SimulatedHost(host(loaded=False), {"ip_vs": VS})
    with pytest.raises(HostError) as error:
        run(simulated, wanted({"net.ipv4.vs.nonsense": 1, "net.ipv4.ip_forward": 1}, conn_tab_bits=12))
    assert str(error.value) == (
        "sysctls: the running kernel has no net.ipv4.vs.nonsense;"
        " everything else was restored, but these kernel modules stay loaded: ip_vs"
    )
    assert simulated.state == host(loaded=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"modules": ["ip vs"]}, "modules: 'ip vs' is not a valid name of a kernel module"),
        ({"modules": ["-r"]}, "modules: '-r' is not a valid name of a kernel module"),
        (
            {"conn_tab_bits": 7},
            "conn_tab_bits: 7 is not between 8 and 27, nor 0 for the kernel's own choice",
        ),
        (
            {"sysctls": {"ip_forward": 1}},
            "sysctls: 'ip_forward' is not a valid sysctl name; write it like net.ipv4.ip_forward",
        ),
        (
            {"sysctls": {"net.core.somaxconn": None}},
            "sysctls: net.core.somaxconn: None is not a valid sysctl value; give a number or one line of text",
        ),
        (
            {"sysctls": {"net.core.somaxconn": 1, "net/core/somaxconn": 1}},
            "sysctls: net.core.somaxconn and net/core/somaxconn are the same key",
        ),
        (
            {"sysctls": {"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.forwarding": 0}},
            "sysctls: net.ipv4.ip_forward and net.ipv4.conf.all.forwarding are one value in the kernel:"
            " it cannot be 1 and 0",
        ),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HostError) as error:
        wanted(options.pop("sysctls", None), **options)
    assert str(error.value) == sentence


def test_keys_of_interest_hold_everything_that_a_listed_key_changes() -> None:
    keys = keys_of_interest({FORWARD: "1"}, parse_record(RECORD_FILE, None), INTERFACES)
    assert f"{CONF}/eth0/forwarding" in keys
    assert f"{CONF}/all/accept_redirects" in keys


def test_the_own_file_counts_only_as_far_as_the_record_knows_it() -> None:
    held = done(host(), wanted({"net.core.somaxconn": 1}))
    record = parse_record(RECORD_FILE, held.records[RECORD_FILE])
    text = f"{held.files[SYSCTL_FILE]}net.ipv4.ip_forward = 1\n"
    assert listed_sysctls(wanted(), record, text) == {"net/core/somaxconn": "1"}


TASKS = st.builds(
    wanted,
    st.none()
    | st.dictionaries(
        st.sampled_from(
            [
                "net.ipv4.ip_forward",
                "net.ipv4.conf.all.accept_redirects",
                "net.ipv4.conf.default.rp_filter",
                "net.ipv4.conf.eth0.rp_filter",
                "net.ipv4.conf.eth0.forwarding",
                "net.ipv4.conf.default.forwarding",
                "net.ipv6.conf.all.forwarding",
                "net.ipv6.conf.eth0.forwarding",
                "net.ipv4.vs.conntrack",
            ]
        ),
        st.sampled_from(["0", "1"]),
    ),
    conn_tab_bits=st.sampled_from([None, 0, 12, 20]),
)
HOSTS = st.builds(
    lambda loaded, redirects, forwarding, rp_filter: host(
        loaded, all_accept_redirects=redirects, eth0_forwarding=forwarding, lo_rp_filter=rp_filter
    ),
    st.booleans(),
    st.sampled_from("01"),
    st.sampled_from("01"),
    st.sampled_from("012"),
)
FOLLOWERS = st.sampled_from([(), ("eth0",)])


@settings(max_examples=150, deadline=None)
@given(state=HOSTS, tasks=st.lists(TASKS, min_size=1, max_size=3), followers=FOLLOWERS)
def test_any_history_ends_in_what_is_listed_and_absent_undoes_it(
    state: HostState, tasks: list[KernelSettings], followers: tuple[str, ...]
) -> None:
    before = state
    for task in tasks:
        checked = run(SimulatedHost(state, {"ip_vs": VS}), task, check_mode=True)
        assert checked.changed == (checked.before != checked.after)
        state = done(state, task, followers)
        assert plan_kernel(state, task).operations == ()
        for key, value in (task.sysctls or {}).items():
            assert state.sysctls[key] == value
    expected = dict(before.sysctls)
    if state.modules["ip_vs"]:
        expected.update(VS)
    final = done(state, ABSENT, followers)
    assert final.sysctls == expected
    assert (final.files, final.records, final.directories) == (before.files, before.records, before.directories)


@settings(max_examples=150, deadline=None)
@given(state=HOSTS, first=TASKS, second=TASKS | st.just(ABSENT), fail_at=st.integers(0, 12))
def test_a_task_that_fails_half_way_is_undone(
    state: HostState, first: KernelSettings, second: KernelSettings, fail_at: int
) -> None:
    state = done(state, first)
    simulated = SimulatedHost(state, {"ip_vs": VS}, fail_at=fail_at)
    with contextlib.suppress(HostError):
        run(simulated, second)
        return
    loaded = {**state.modules, **simulated.state.modules}
    brought = VS if loaded != state.modules else {}
    assert simulated.state == replace(state, modules=loaded, sysctls={**state.sysctls, **brought})


def zone(name: str, free: int, minimum: int, low: int, *protection: int) -> str:
    """As mm/vmstat.c, zoneinfo_show_print(), writes it; the sets of pages have other limits that are called high."""
    return (
        f"Node 0, zone {name:>8}\n  pages free     {free}\n        boost    0\n        min      {minimum}\n"
        f"        low      {low}\n        high     {2 * low - minimum}\n        spanned  {free}\n"
        f"        protection: ({', '.join(map(str, protection))})\n  pagesets\n    cpu: 0\n              high:  9\n"
    )


#: A host with 280 MiB of memory, one with 12 GiB, and one whose devices use most of the memory that it has for them.
SMALL = zone("DMA", 3808, 29, 36, 0, 251, 251) + zone("DMA32", 17183, 492, 615, 0, 0, 0) + zone("Normal", 0, 0, 0, 0)
LARGE = (
    zone("DMA", 3840, 23, 28, 0, 3019, 10571)
    + zone("DMA32", 772792, 4818, 6022, 0, 0, 7552)
    + zone("Normal", 1081152, 12053, 15066, 0, 0, 0)
)
USED = zone("DMA32", 700, 4818, 6022, 0, 0, 7552) + zone("Normal", 1081152, 12053, 15066, 0, 0, 0)


@pytest.mark.parametrize(
    ("zoneinfo", "pages"),
    [
        ("", "1024"),
        ("Node 0, zone", "1024"),
        (SMALL, "837"),  # between 29 + 251 + 492 and 36 + 251 + 615
        (LARGE, "30372"),  # between 3840 + 12370 + 12053 and 3840 + 13574 + 15066
        (USED, "14260"),
    ],
)
def test_the_threshold_of_the_flood_defence(zoneinfo: str, pages: str) -> None:
    assert defence_threshold(zoneinfo, None) == pages


@pytest.mark.parametrize(
    ("present", "pages"),
    [("773", "773"), ("901", "901"), ("772", "837"), ("902", "837"), ("0", "837"), ("x", "837"), ("", "837")],
)
def test_a_threshold_that_is_between_them_stays(present: str, pages: str) -> None:
    assert defence_threshold(SMALL, present) == pages


@pytest.mark.parametrize(
    ("managed", "bits"), [((), None), ((3840, 67840), 17), ((131072,), 17), ((131073,), 18), ((4194304,), 22)]
)
def test_the_size_that_the_kernel_lowers_to(managed: tuple[int, ...], bits: int | None) -> None:
    assert most_tab_bits("".join(f"Node 0, zone DMA\n        managed  {pages}\n" for pages in managed)) == bits


def test_the_threshold_belongs_to_the_sysctls() -> None:
    with pytest.raises(HostError) as caught:
        parse_settings(True, ["ip_vs"], None, None, True)
    assert str(caught.value) == "defence_threshold: requires sysctls"
