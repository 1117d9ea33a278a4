# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers out of all their services and back in, and the files that say so. keepalived's part the pair shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils.ipvs import persist
from ansible_collections.lvs.cluster.tests.kernel import traffic

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

pytestmark = pytest.mark.usefixtures("_nothing_kept")

FIRST, SECOND = "198.51.100.11", "198.51.100.12"
WEB: dict[str, Any] = {
    "name": "web",
    "address": "192.0.2.10",
    "port": 80,
    "real_servers": [{"address": FIRST, "weight": 3}, {"address": SECOND}],
}
MARK: dict[str, Any] = {"fwmark": 7, "real_servers": [{"address": FIRST}, {"address": SECOND}]}
SERVICES = [WEB, MARK]
OTHER = f"-A -t 192.0.2.99:80 -s rr\n-a -t 192.0.2.99:80 -r {FIRST}:80 -g -w 1\n"


def rules(web: int, mark: int = 1) -> str:
    """The table, with these weights of the first real server."""
    return (
        f"-A -t 192.0.2.10:80 -s wlc\n-a -t 192.0.2.10:80 -r {FIRST}:80 -g -w {web}\n"
        f"-a -t 192.0.2.10:80 -r {SECOND}:80 -g -w 1\n{OTHER}"
        f"-A -f 7 -s wlc\n-a -f 7 -r {FIRST}:0 -g -w {mark}\n-a -f 7 -r {SECOND}:0 -g -w 1\n"
    )


@pytest.fixture
def drains(host: Host, tmp_path: Path) -> dict[str, Any]:
    """What all tasks here have in common; the table is as described, and has a service of somebody else's."""
    host.restore(OTHER)
    host.ok("ipvs_table", services=SERVICES, persist=True)
    assert host.save() == rules(3)
    return {"services": SERVICES, "drain_directory": str(tmp_path / "made" / "drain")}


def test_out_of_all_services_and_back(host: Host, drains: dict[str, Any]) -> None:
    drained = Path(drains["drain_directory"]) / FIRST
    predicted = host.ok("ipvs_drain", check=True, real_servers=[FIRST], **drains)
    assert not drained.exists()
    assert host.save() == rules(3)
    result = host.ok("ipvs_drain", real_servers=[FIRST], **drains)
    assert (result["changed"], result["switched"]) == (True, [FIRST])
    assert result["diff"] == predicted["diff"]
    assert host.save() == rules(0, 0)
    assert drained.read_text() == "1\n"
    again = host.ok("ipvs_drain", real_servers=[FIRST], **drains)
    assert (again["changed"], again["switched"], again["diff"]) == (False, [], [])
    # the table that comes back at boot says it too
    assert f"-a -t 192.0.2.10:80 -r {FIRST}:80 -g -w 0\n" in Path(persist.RULES_FILE).read_text()
    table: dict[str, Any] = {"services": SERVICES, "drain_directory": drains["drain_directory"], "persist": True}
    assert host.ok("ipvs_table", **table)["changed"] is False
    back = host.ok("ipvs_drain", real_servers=[FIRST], state="in_service", **drains)
    assert (back["changed"], back["switched"]) == (True, [FIRST])
    assert host.save() == rules(3)
    assert not drained.exists()
    assert host.ok("ipvs_table", **table)["changed"] is False


def test_one_of_two_gets_it_and_it_goes_back_as_it_was(host: Host, drains: dict[str, Any]) -> None:
    host.run("ipvsadm", "-e", "-f", "7", "-r", f"{FIRST}:0", "-g", "-w", "0")
    mine = host.ok("ipvs_drain", real_servers=[FIRST], refuse_drained=True, **drains)
    message = host.failure("ipvs_drain", real_servers=[FIRST, SECOND], refuse_drained=True, **drains)
    assert message == (
        f"real_servers: {FIRST} is drained already: somebody works on it, or a run that failed has left it so"
    )
    host.ok("ipvs_drain", real_servers=[FIRST], state="in_service", **{**drains, "services": mine["former"]})
    assert host.save() == rules(3, 0)


def test_what_the_table_lacks_goes_back_too(host: Host, drains: dict[str, Any]) -> None:
    missing = {"address": "192.0.2.10", "port": 81, "real_servers": [{"address": "198.51.100.13"}]}
    drains["services"] = [*SERVICES, missing]
    result = host.ok("ipvs_drain", real_servers=[FIRST, "198.51.100.13"], **drains)
    assert result["switched"] == [FIRST, "198.51.100.13"]
    back = {**drains, "services": result["former"]}
    host.ok("ipvs_drain", real_servers=result["switched"], state="in_service", **back)
    assert host.save() == rules(3)
    assert list(Path(drains["drain_directory"]).iterdir()) == []


def test_a_failure_at_the_end_undoes_it(host: Host, drains: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(30, "Read-only file system", persist.RULES_FILE)

    monkeypatch.setattr(persist, "carry_out", refuse)
    message = host.failure("ipvs_drain", real_servers=[FIRST], **drains)
    assert message == f"{persist.RULES_FILE}: Read-only file system; the table was put back as it was"
    assert host.save() == rules(3)
    assert list(Path(drains["drain_directory"]).iterdir()) == []


def test_the_table_respects_the_files_alone(host: Host, drains: dict[str, Any]) -> None:
    directory = Path(drains["drain_directory"])
    directory.mkdir(parents=True)
    (directory / FIRST).write_text("1")
    (directory / SECOND).write_text("0\n")
    (directory / "director").write_text("1\n")
    table: dict[str, Any] = {"services": SERVICES, "drain_directory": str(directory)}
    assert host.ok("ipvs_table", **table)["changed"] is True
    assert host.save() == rules(0, 0)
    (directory / FIRST).write_text("\n")
    host.ok("ipvs_table", **table)
    assert host.save() == rules(3, 0)  # no weight is described there, so what it has stays


def test_the_floor_is_kept_and_nothing_is_touched(host: Host, drains: dict[str, Any]) -> None:
    message = host.failure("ipvs_drain", real_servers=[FIRST, SECOND], **drains)
    assert message == (
        "web (tcp 192.0.2.10:80): minimum_in_service 1 would be undercut: without real server 198.51.100.11:80,"
        " 198.51.100.12:80, 0 of 2 real servers in service would be left"
    )
    host.ok("ipvs_drain", real_servers=[FIRST], **drains)
    message = host.failure("ipvs_drain", real_servers=[SECOND], **drains)
    assert "without real server 198.51.100.12:80, 0 of 1 real server in service would be left" in message
    assert host.save() == rules(0, 0)
    assert [path.name for path in Path(drains["drain_directory"]).iterdir()] == [FIRST]
    host.ok("ipvs_drain", real_servers=[SECOND], minimum_in_service=0, **drains)


def test_without_keepalived_s_help_it_is_taken_back(host: Host, drains: dict[str, Any]) -> None:
    theirs = [{"address": "192.0.2.99", "port": 80, "real_servers": [{"address": FIRST}]}]
    arguments: dict[str, Any] = {"real_servers": [FIRST], "health_checked": theirs, "minimum_in_service": 0, **drains}
    arguments["seen_within"] = 0.5
    message = host.failure("ipvs_drain", **arguments)
    assert "the health checker has not given real server 198.51.100.11:80 of virtual service tcp" in message
    assert host.save() == rules(3)
    assert list(Path(drains["drain_directory"]).iterdir()) == []


def test_health_checks_that_leave_it_out(host: Host, drains: dict[str, Any]) -> None:
    theirs = [{"address": "192.0.2.99", "port": 80, "real_servers": [{"address": SECOND}]}]
    arguments: dict[str, Any] = {
        "real_servers": [SECOND],
        "state": "in_service",
        "health_checked": theirs,
        "timeout": 0.3,
        **drains,
    }
    message = host.failure("ipvs_drain", **arguments)
    assert message == (
        "the health checks leave real servers out after 0.3 seconds: 198.51.100.12:80 of tcp 192.0.2.99:80"
    )
    assert message in str(host.ok("ipvs_drain", expired="force", **arguments)["warnings"])
    host.restore(f"-a -t 192.0.2.99:80 -r {SECOND}:80 -g -w 1\n")
    assert host.ok("ipvs_drain", **arguments)["waited"] < 0.3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"real_servers": ["rs1"]}, "real_servers: real_servers is not an IPv4 or IPv6 address (got 'rs1')"),
        ({"real_servers": ["198.51.100.9"]}, "real_servers: 198.51.100.9 is a real server of none of the services"),
        ({"minimum_in_service": -1}, "real_servers: minimum_in_service must not be negative (got -1)"),
        ({"timeout": -1}, "real_servers: timeout must be from 0 to 2678400 seconds (got -1.0)"),
        ({"health_checked": [WEB]}, "web (tcp 192.0.2.10:80): is described twice, also as web"),
        ({"drain_directory": "/proc/drain"}, "cannot make the directory /proc/drain: No such file or directory"),
    ],
)
def test_refusals(host: Host, drains: dict[str, Any], wrong: dict[str, Any], message: str) -> None:
    assert host.failure("ipvs_drain", **{"real_servers": [FIRST], **drains, **wrong}) == message
    assert host.save() == rules(3)


def test_waits_for_connections_where_the_vip_is(host: Host, tmp_path: Path) -> None:
    first, second = traffic.SERVERS[:2]
    services: list[dict[str, Any]] = [
        {
            "address": traffic.VIP,
            "port": traffic.PORT,
            "real_servers": [{"address": address, "forward_method": "nat"} for address in (first, second)],
        }
    ]
    arguments: dict[str, Any] = {
        "real_servers": [first],
        "services": services,
        "drain_directory": str(tmp_path),
        "timeout": 0.5,
    }
    with traffic.site() as site:
        client = traffic.Client(site)
        host.ok("ipvs_table", services=[{**services[0], "scheduler": "rr"}])
        client.ask("open", 4)
        message = host.failure("ipvs_drain", **arguments)
        assert message == (
            f"connections are left after 0.5 seconds: {first}:{traffic.PORT} of tcp {traffic.VIP}:{traffic.PORT} has"
            " 2 active connections"
        )
        host.ok("ipvs_drain", vips=["192.0.2.77"], **arguments)
        assert host.failure("ipvs_drain", vips=[traffic.VIP], **arguments) == message
        client.ask("close", 4)
        assert host.ok("ipvs_drain", **{**arguments, "timeout": 60}, wait_for=["active"])["changed"] is False
