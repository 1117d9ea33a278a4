# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers out of all their services and back in, and the files that say so. keepalived's part the pair shows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import persist
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
        f"real_servers: {FIRST} is drained already: it may be under maintenance, or an earlier run failed"
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
    assert message == f"{persist.RULES_FILE}: Read-only file system; the table was restored"
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
        "web (tcp 192.0.2.10:80): minimum_in_service 1 would not be met: without real server 198.51.100.11:80,"
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
        "the health checks have not added real servers after 0.3 seconds: 198.51.100.12:80 of tcp 192.0.2.99:80"
    )
    assert message in str(host.ok("ipvs_drain", expired="force", **arguments)["warnings"])
    host.restore(f"-a -t 192.0.2.99:80 -r {SECOND}:80 -g -w 1\n")
    assert host.ok("ipvs_drain", **arguments)["waited"] < 0.3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"real_servers": ["rs1"]}, "real_servers: real_servers is not an IPv4 or IPv6 address (got 'rs1')"),
        ({"real_servers": ["198.51.100.9"]}, "real_servers: 198.51.100.9 is not a real server of any of the services"),
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


DATAGRAMS = """\
import socket, sys, time
mode, address, port, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if mode == "serve":
    one.bind((address, port))
    while True:
        _data, peer = one.recvfrom(100)
        one.sendto(address.encode(), peer)
one.bind(("", 40000))
one.settimeout(0.15)
end = time.monotonic() + seconds
while time.monotonic() < end:
    one.sendto(b"who", (address, port))
    try:
        print(one.recv(100).decode(), flush=True)
    except OSError:
        print("lost", flush=True)
    time.sleep(0.05)
"""


class Datagrams:
    """A flow of UDP that never pauses, from one port, and who answers it."""

    def __init__(self, namespace: str, seconds: float) -> None:
        self._program = subprocess.Popen(
            [*self.command(namespace), "send", traffic.VIP, "53", str(seconds)], stdout=subprocess.PIPE, text=True
        )

    @staticmethod
    def command(namespace: str) -> list[str]:
        return ["ip", "netns", "exec", namespace, sys.executable, "-c", DATAGRAMS]

    def answers(self) -> list[str]:
        """Who has answered, in turn, once it has ended."""
        text, _errors = self._program.communicate(timeout=60)
        return text.splitlines()


@pytest.fixture
def names(host: Host, tmp_path: Path) -> Iterator[tuple[traffic.Site, dict[str, Any]]]:
    """A service of UDP with two real servers that serve, and what tasks here have in common."""
    first, second = traffic.SERVERS[:2]
    servers = [{"address": address, "forward_method": "nat", "weight": 2} for address in (first, second)]
    services = [
        {"name": "dns", "address": traffic.VIP, "port": 53, "protocol": "udp", "real_servers": servers},
    ]
    Path("/proc/sys/net/ipv4/vs/expire_nodest_conn").write_text("1")
    with traffic.site() as site:
        serving = [
            subprocess.Popen([*Datagrams.command(site.server), "serve", address, "53", "0"])
            for address in (first, second)
        ]
        try:
            time.sleep(1)
            host.ok("ipvs_table", services=[{**services[0], "scheduler": "rr"}])
            yield site, {"services": services, "drain_directory": str(tmp_path)}
        finally:
            for one in serving:
                one.kill()
                one.wait()


def test_a_flow_of_udp_that_does_not_pause_is_told_and_moved_by_force(
    host: Host, names: tuple[traffic.Site, dict[str, Any]]
) -> None:
    site, drains = names
    flow = Datagrams(site.client, 40)
    time.sleep(2)
    lines = [line.split() for line in host.run("ipvsadm", "-Ln").stdout.splitlines() if line.startswith("  -> 198")]
    (first,) = [words[1].partition(":")[0] for words in lines if words[5] == "1"]
    before = host.save()
    message = host.failure("ipvs_drain", real_servers=[first], timeout=8, udp_pause=4, **drains)
    assert message == (
        f"connections are left after 8 seconds: {first}:53 of dns (udp {traffic.VIP}:53) gets packets of UDP flows that"
        " do not pause for 4 s; with expired=force (lvs_drain_expired) their next packets go to other real servers"
    )
    forced = host.ok("ipvs_drain", real_servers=[first], timeout=4, udp_pause=4, expired="force", **drains)
    assert forced["moved"] == [f"{first}:53 of dns (udp {traffic.VIP}:53)"]
    assert sorted(host.save().splitlines()) == sorted(
        before.replace(f"-r {first}:53 -m -w 2", f"-r {first}:53 -m -w 0").splitlines()
    )
    answers = flow.answers()
    assert answers[0] == first
    assert answers[-1] in traffic.SERVERS[:2]
    assert answers[-1] != first
    moved = next(number for number, answer in enumerate(answers) if answer not in (first, "lost"))
    assert first not in answers[moved:], "it does not come back"
    assert "lost" not in answers
    host.ok("ipvs_drain", real_servers=[first], state="in_service", **drains)
    assert sorted(host.save().splitlines()) == sorted(before.splitlines())


def test_a_flow_of_udp_that_pauses_resumes_elsewhere(host: Host, names: tuple[traffic.Site, dict[str, Any]]) -> None:
    site, drains = names
    first = Datagrams(site.client, 3).answers()[-1]
    done = host.ok("ipvs_drain", real_servers=[first], udp_pause=4, timeout=60, **drains)
    assert 3 <= done["waited"] < 15
    assert done["moved"]
    again = Datagrams(site.client, 2).answers()  # the same port, within the kernel's 300 seconds
    assert set(again) == set(traffic.SERVERS[:2]) - {first}


def test_check_mode_does_not_wait_for_a_flow(host: Host, names: tuple[traffic.Site, dict[str, Any]]) -> None:
    site, drains = names
    flow = Datagrams(site.client, 5)
    time.sleep(1)
    begun = time.monotonic()
    assert host.ok("ipvs_drain", check=True, real_servers=[traffic.SERVERS[0]], **drains)["changed"]
    assert time.monotonic() - begun < 4
    flow.answers()


def test_the_quorum_is_kept(host: Host, drains: dict[str, Any]) -> None:
    theirs = [{"address": "192.0.2.99", "port": 80, "quorum": 2, "real_servers": [{"address": FIRST}]}]
    host.run("ipvsadm", "-a", "-t", "192.0.2.99:80", "-r", SECOND, "-g", "-w", "1")
    before = host.save()
    message = host.failure("ipvs_drain", real_servers=[FIRST], health_checked=theirs, **drains)
    assert "the quorum 2 of its health_check would not be met: without real server" in message
    assert host.save() == before
