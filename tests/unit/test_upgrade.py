# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What version 0.1.0 has written on hosts is read by this one, which removes it and restores what was there before.

tests/upgrade/0.1.0 has the files of a director with mon and of a real server, as they were on machines of the lab.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import (
    arp,
    director_state,
    nft_table,
    routing,
    service_plan,
    tuning,
)
from ansible_collections.lvs.cluster.plugins.module_utils._host.engine import Operation, Outcome, Plan
from ansible_collections.lvs.cluster.plugins.module_utils._host.state import (
    Address,
    HostState,
    Query,
    Unit,
    parents_of,
    parse_record,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments, health_state, persist

FOLDER = Path(__file__).resolve().parents[1] / "upgrade" / "0.1.0"
DIRECTOR, REAL_SERVER = FOLDER / "director", FOLDER / "real_server"
SYSTEMD = "etc/systemd/system"
VIPS = (("192.0.2.10", "32"), ("2001:db8::10", "128"))


class Host:
    """A host that has these files, and everything of the kernel that they ask for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules = SimpleNamespace(parameter=lambda *_names: None)
        self.nftables = None

    def read(self, query: Query) -> HostState:
        records = [] if query.record is None else [query.record]
        units = [name for name in (query.unit, *query.more_units) if name is not None]
        parents = parents_of((*query.files, *records))
        return HostState(
            sysctls=dict.fromkeys(query.sysctls, "2"),
            addresses=frozenset(Address(address, int(prefix), "lo") for address, prefix in VIPS)
            if query.addresses
            else frozenset(),
            modules=dict.fromkeys(query.modules, True),
            files={path: self.text(path) for path in query.files},
            records={path: self.text(path) for path in records},
            units={name: self._unit(name) for name in units},
            directories=frozenset(path for path in parents if (self.root / path.lstrip("/")).is_dir()),
            tables={} if query.table is None else {query.table: f"table inet {query.table} {{\n}}\n"},
        )

    def _unit(self, name: str) -> Unit | None:
        text = self.text(f"/{SYSTEMD}/{name}")
        return None if text is None else Unit(text, "/" not in name)

    def text(self, path: str) -> str | None:
        file = self.root / path.lstrip("/")
        return file.read_text() if file.is_file() else None

    def interfaces(self) -> tuple[str, ...]:
        return ("cluster", "lo", "mgmt", "outside")

    def sysctl_files(self) -> list[tuple[str, str]]:
        return []

    def zoneinfo(self) -> str:
        return ""

    def apply(self, operation: Operation) -> None:
        raise AssertionError(f"check mode: {operation}")

    def check(self, plan: Plan) -> None:
        pass

    def require_boot(self, use: str, needs_ip: bool = False) -> None:
        pass

    def require_ip(self) -> None:
        pass


def files(root: Path, *patterns: str) -> set[str]:
    """The files that match, as paths of the host."""
    return {f"/{path.relative_to(root)}" for pattern in patterns for path in root.glob(pattern) if path.is_file()}


def removed(outcome: Outcome) -> set[str]:
    """The files and units that an outcome removes, as paths of the host."""
    gone = [one for one in outcome.differences if (one.found, one.wanted) == ("present", "absent")]
    paths = {one.name for one in gone if one.kind in ("file", "record")}
    return paths | {f"/{SYSTEMD}/{one.name}" for one in gone if one.kind == "unit"}


def restored(outcome: Outcome) -> dict[str, str]:
    """The sysctls that an outcome sets."""
    return {one.name: one.wanted for one in outcome.differences if one.kind == "sysctl"}


def recorded(root: Path, name: str) -> dict[str, str]:
    """The values that a record remembers, by the names of sysctls with dots."""
    raw = json.loads((root / "var/lib/lvs-cluster" / name).read_text())
    return {key.replace("/", "."): value for key, value in {**raw["side_effects"], **raw["sysctls"]}.items()}


def test_vips_leave_and_arp_is_as_before() -> None:
    outcome = arp.converge_silence(Host(REAL_SERVER), arp.parse_silence(False, (), "lo", (), True), True)
    assert removed(outcome) == files(
        REAL_SERVER, "etc/sysctl.d/91-*", f"{SYSTEMD}/*-vips.service", "**/arp_silence.json"
    )
    assert restored(outcome).items() >= recorded(REAL_SERVER, "arp_silence.json").items()
    gone = {one.name for one in outcome.differences if one.kind == "address"}
    assert gone == {f"{address}/{prefix} dev lo" for address, prefix in VIPS}


def test_return_routes_leave() -> None:
    wanted = routing.parse_return_route(False, (), (), False, 5151, 5151, True)
    outcome = routing.converge_return_route(Host(REAL_SERVER), wanted, True)
    assert removed(outcome) == files(REAL_SERVER, f"{SYSTEMD}/*-routes*.service", "**/return_route.json")


def test_sysctls_of_a_director_are_as_before() -> None:
    wanted = tuning.parse_settings(False, ["ip_vs"], None, None)
    outcome = tuning.converge_kernel(Host(DIRECTOR), wanted, True)
    paths = ("etc/sysctl.d/90-*", "etc/modules-load.d/*", "etc/modprobe.d/*", "**/kernel.json")
    assert removed(outcome) == files(DIRECTOR, *paths)
    assert restored(outcome).items() >= recorded(DIRECTOR, "kernel.json").items()


def test_the_nftables_table_leaves() -> None:
    wanted = nft_table.parse_table(False, "lvs_cluster", "", True)
    outcome = nft_table.converge_table(Host(DIRECTOR), wanted, True)
    paths = (f"{SYSTEMD}/*-nftables-*.service", f"{SYSTEMD}/nftables.service.d/*", "**/nftables-lvs_cluster.*")
    assert removed(outcome) == files(DIRECTOR, *paths)
    assert [one.name for one in outcome.differences if one.kind == "nftables table"] == ["lvs_cluster"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/var/lib/lvs-cluster/*.json")), ids=lambda path: path.name)
def test_records_are_read_whole(path: Path) -> None:
    if path.name == "health.json":
        return  # below
    assert parse_record(str(path), path.read_text()).unreadable == ()


def test_the_services_that_were_kept_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persist, "RULES_FILE", str(DIRECTOR / "etc/lvs-cluster/ipvs.rules"))
    (key,) = persist.recorded()
    assert str(key) == "tcp 192.0.2.10:8001"


def test_what_mon_had_applied_is_known() -> None:
    for path in ("etc/lvs-cluster/health.json", "var/lib/lvs-cluster/health.json"):
        entries: list[dict[str, Any]] = json.loads((DIRECTOR / path).read_text())
        names = {arguments.service_key(entry["service"]) for entry in entries}
        assert len(names) == 8
    assert health_state.CONFIGURATION == "/etc/lvs-cluster/health.json"


def test_what_keepalived_has_read_is_known() -> None:
    applied = service_plan.parse_applied((DIRECTOR / "var/lib/lvs-cluster/keepalived.service.applied").read_text())
    configuration = (DIRECTOR / "etc/keepalived/keepalived.conf").read_text()
    assert applied is not None
    assert not applied.pending
    assert applied.read == {"/etc/keepalived/keepalived.conf": service_plan.digest(configuration.encode())}
    assert director_state.is_ours(configuration)


@pytest.mark.parametrize("name", ["mon", "lvs-cluster-addresses"])
def test_units_are_known_as_ours(name: str) -> None:
    assert director_state.is_our_unit((DIRECTOR / SYSTEMD / f"{name}.service").read_text())
