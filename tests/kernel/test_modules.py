# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each module does to a real table, and what it says where it cannot."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import kernel

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.plan import Operation
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

VIP, PORT = "192.0.2.10", 80
WEB: dict[str, Any] = {"address": VIP, "port": PORT}
TWO = """\
-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1
-a -t 192.0.2.10:80 -r 198.51.100.12:80 -g -w 5
"""
OTHER = "-A -u 192.0.2.20:53 -s rr\n-a -u 192.0.2.20:53 -r 198.51.100.20:53 -m -w 1\n"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Words for every operation that reaches the kernel."""
    operations: list[str] = []
    original = kernel.Ipvs._apply_chunk

    def spy(ipvs: kernel.Ipvs, chunk: list[Operation]) -> list[kernel.Failure]:
        operations.extend(operation.describe() for operation in chunk)
        return original(ipvs, chunk)

    monkeypatch.setattr(kernel.Ipvs, "_apply_chunk", spy)
    return operations


def test_a_service_with_real_servers(host: Host) -> None:
    servers: list[dict[str, Any]] = [{"address": "198.51.100.11"}, {"address": "198.51.100.12", "weight": 5}]
    result = host.ok("ipvs_service", **WEB, scheduler="rr", real_servers=servers)
    assert result["changed"]
    assert result["diff"]["after"] == host.save() == TWO


def test_a_service_goes_with_its_real_servers(host: Host) -> None:
    host.restore(TWO + OTHER)
    result = host.ok("ipvs_service", **WEB, state="absent")
    assert (result["diff"]["before"], result["diff"]["after"]) == (TWO, "")
    assert host.save() == OTHER
    assert not host.ok("ipvs_service", **WEB, state="absent")["changed"]


def test_a_weight_is_one_message(host: Host, sent: list[str]) -> None:
    host.restore(TWO)
    host.ok("ipvs_real_server", service=WEB, address="198.51.100.12", weight=0)
    assert sent == ["set real server 198.51.100.12:80 of virtual service tcp 192.0.2.10:80"]
    assert host.save() == TWO.replace("-w 5", "-w 0")


def test_a_weight_that_is_not_given_stays(host: Host, sent: list[str]) -> None:
    host.restore(TWO.replace("-w 5", "-w 0"))
    servers: list[dict[str, Any]] = [{"address": "198.51.100.11"}, {"address": "198.51.100.12"}]
    assert not host.ok("ipvs_service", **WEB, scheduler="rr", real_servers=servers)["changed"]
    assert sent == []


def test_weights_up_to_the_kernels_limit(host: Host) -> None:
    host.restore(TWO)
    host.ok("ipvs_real_server", service=WEB, address="198.51.100.12", weight=2**31 - 1)
    assert host.save() == TWO.replace("-w 5", "-w 2147483647")


def test_every_setting_of_a_service_is_edited_in_place(host: Host, sent: list[str]) -> None:
    host.restore(TWO)
    host.ok(
        "ipvs_service",
        **WEB,
        scheduler="sh",
        scheduler_flags=["sh-port"],
        persistence_timeout=60,
        persistence_netmask="24",
        persistence_engine="sip",
    )
    assert sent == ["set virtual service tcp 192.0.2.10:80"]
    assert host.save().startswith("-A -t 192.0.2.10:80 -s sh -p 60 -M 255.255.255.0 --pe sip -b sh-port\n")
    host.ok("ipvs_service", **WEB, scheduler="rr", persistence_timeout=0)
    assert host.save() == TWO


def test_a_real_server_comes_and_goes(host: Host) -> None:
    host.restore(TWO)
    server: dict[str, Any] = {"service": WEB, "address": "198.51.100.13"}
    tunnel: dict[str, Any] = {
        "forward_method": "tun",
        "tunnel_type": "gue",
        "tunnel_port": 6080,
        "tunnel_checksum": "csum",
    }
    host.ok("ipvs_real_server", **server, **tunnel, upper_threshold=9, lower_threshold=3)
    assert host.save() == TWO + (
        "-a -t 192.0.2.10:80 -r 198.51.100.13:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum\n"
    )
    assert host.thresholds()[-1] == "198.51.100.13:80 9 3"
    host.ok("ipvs_real_server", **server, forward_method="nat")
    assert host.save() == TWO + "-a -t 192.0.2.10:80 -r 198.51.100.13:80 -m -w 1\n"
    host.ok("ipvs_real_server", **server, state="absent")
    assert host.save() == TWO


def test_purge(host: Host) -> None:
    services = [{**WEB, "real_servers": [{"address": "198.51.100.11"}]}]
    for purge, left in [
        ("none", TWO + OTHER),
        ("real_servers", TWO.replace("-a -t 192.0.2.10:80 -r 198.51.100.12:80 -g -w 5\n", "") + OTHER),
        ("all", TWO.replace("-a -t 192.0.2.10:80 -r 198.51.100.12:80 -g -w 5\n", "")),
    ]:
        host.clear()
        host.restore(TWO + OTHER)
        predicted = host.ok("ipvs_table", check=True, services=services, purge=purge)
        result = host.ok("ipvs_table", services=services, purge=purge)
        assert host.save() == left
        assert result["diff"] == predicted["diff"]
    host.restore(OTHER)
    exclude = [{"address": "192.0.2.20", "port": 53, "protocol": "udp"}]
    assert not host.ok("ipvs_table", services=services, purge="all", exclude=exclude)["changed"]


def test_a_failing_scheduler_is_rolled_back(host: Host) -> None:
    host.restore(TWO + OTHER)
    services = [
        {**WEB, "scheduler": "wlc", "real_servers": [{"address": "198.51.100.12", "weight": 9}]},
        {"name": "bad", "address": "192.0.2.30", "port": 80, "scheduler": "no_such"},
    ]
    assert host.failure("ipvs_table", services=services, purge="all") == (
        "cannot add virtual service bad (tcp 192.0.2.30:80): this kernel has no scheduler no_such, not even as a module"
        " (ENOENT); the table was restored"
    )
    assert host.save() == TWO + OTHER


def test_a_real_server_that_the_kernel_refuses_is_rolled_back(host: Host) -> None:
    host.run("ip", "link", "add", "dummy0", "type", "bridge")
    host.run("ip", "address", "add", "198.51.100.1/24", "brd", "+", "dev", "dummy0")
    host.run("ip", "link", "set", "dummy0", "up")
    host.restore(TWO)
    servers = [{"address": f"198.51.100.{number}"} for number in range(2, 256)]
    message = host.failure("ipvs_service", **WEB, real_servers=servers)
    assert message.startswith("cannot add real server 198.51.100.255:80 to virtual service tcp 192.0.2.10:80: ")
    assert message.endswith("(EINVAL); the table was restored")
    assert host.save() == TWO


def test_values_that_the_kernel_would_take_are_refused(host: Host) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"address": VIP, "port": 0}, "port (every port) needs a persistent service"),
        ({"address": "224.0.0.1", "port": 80}, "address must not be a multicast address"),
        ({"fwmark": 0}, "fwmark must be a whole number from 1"),
        ({**WEB, "one_packet": True}, "one_packet is for udp and firewall mark services only"),
        ({**WEB, "scheduler": "none"}, "scheduler must be a name"),
        ({**WEB, "real_servers": [{"address": "198.51.100.1", "port": 81}]}, "port must be the service's port 80"),
    ]
    for service, words in refused:
        assert words in host.failure("ipvs_service", **service)
    assert host.save() == ""


def test_a_real_server_of_a_service_that_is_not_there(host: Host) -> None:
    server: dict[str, Any] = {"service": WEB, "address": "198.51.100.11"}
    assert "no such virtual service, so it cannot have real servers" in host.failure("ipvs_real_server", **server)
    predicted = host.ok("ipvs_real_server", check=True, **server)
    assert predicted["diff"]["after"] == "-a -t 192.0.2.10:80 -r 198.51.100.11:80 -g -w 1\n"
    assert predicted["warnings"]
    assert not host.ok("ipvs_real_server", **server, state="absent")["changed"]


def wait_for_statistics(host: Host, packets: int) -> None:
    """The kernel adds its processors' counters up every two seconds (ip_vs_est.c)."""
    for _try in range(100):
        if f" {packets} " in host.run("ipvsadm", "-L", "-n", "--stats", "--exact").stdout:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {packets} packets within ten seconds")


def test_info_agrees_with_ipvsadm(host: Host) -> None:
    """Traffic over loopback, so that the numbers are not all zero."""
    host.run("ip", "address", "add", f"{VIP}/32", "dev", "lo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        rules = f"-A -u {VIP}:53 -s rr\n-a -u {VIP}:53 -r 127.0.0.1:{port} -m -w 1\n"
        host.restore(rules)
        for _packet in range(7):
            client.sendto(b"12345", (VIP, 53))
        assert server.recv(9) == b"12345"
        wait_for_statistics(host, packets=7)
        listed = host.run("ipvsadm", "-L", "-n", "--stats", "--exact").stdout.splitlines()
        info = host.ok("ipvs_info")
    (service,) = info["services"]
    (real_server,) = service["real_servers"]
    for line, entry in ((listed[3], service), (listed[4], real_server)):
        assert [int(number) for number in line.split()[-5:]] == list(entry["statistics"].values())
    assert service["statistics"]["connections"] == 1
    assert service["statistics"]["packets_in"] == 7
    assert real_server["connections"] == {"active": 0, "inactive": 1, "persistent": 0}
    assert info["rules"] == rules == host.save()
    version = host.run("ipvsadm", "-L", "-n").stdout.splitlines()[0]
    assert version == f"IP Virtual Server version {info['version']} (size={info['connection_table_size']})"
    timeouts = host.run("ipvsadm", "-L", "--timeout").stdout.split()[-3:]
    assert timeouts == [str(seconds) for seconds in info["timeouts"].values()]


def test_counters_survive_a_change_of_weight(host: Host) -> None:
    host.run("ip", "address", "add", f"{VIP}/32", "dev", "lo")
    host.restore(f"-A -u {VIP}:53 -s rr\n-a -u {VIP}:53 -r 127.0.0.1:5353 -m -w 1\n")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"1", (VIP, 53))
    wait_for_statistics(host, packets=1)
    service = {"address": VIP, "port": 53, "protocol": "udp"}
    host.ok("ipvs_real_server", service=service, address="127.0.0.1", port=5353, weight=2)
    (entry,) = host.ok("ipvs_info")["services"]
    assert entry["real_servers"][0]["statistics"]["connections"] == 1


def test_host_check_sees_which_services_there_are(host: Host) -> None:
    host.restore(TWO)
    host.ok("host_check", virtual_services=[WEB], vips=["192.0.2.99"])
    missing = {"fwmark": 7, "family": "ipv6"}
    assert (
        host.failure("host_check", virtual_services=[WEB, missing])
        == "the IPVS table has no virtual service fwmark 7 ipv6"
    )


def test_host_check_sees_what_the_role_has_written_and_which_users_there_are(host: Host) -> None:
    unit, conf = Path("/etc/systemd/system/mon.service"), Path("/etc/keepalived/keepalived.conf")
    asked: dict[str, Any] = {"director_files": True, "users": ["root", "nobody-of-this-name"]}
    assert not unit.exists()
    former = conf.read_bytes() if conf.exists() else None
    conf.parent.mkdir(exist_ok=True)
    try:
        conf.write_text("# Written by the role lvs.cluster.director.\n")
        unit.write_text("[Unit]\nDescription=Health checks of lvs.cluster, by mon\n")
        result = host.ok("host_check", **asked)
        assert result["director_files"] == {"units": ["mon"], "keepalived": "role"}
        assert result["user_ids"] == {"root": 0}
        conf.write_text("vrrp_instance a {\n}\n")
        unit.write_text("[Unit]\nDescription=Somebody else's\n")
        assert host.ok("host_check", **asked)["director_files"] == {"units": [], "keepalived": "other"}
        conf.unlink()
        assert host.ok("host_check", **asked)["director_files"]["keepalived"] == "none"
        unit.unlink()
        # as an installation that was killed before it wrote the unit leaves them
        for path in (Path("/etc/lvs-cluster/health.json"), Path("/etc/lvs-cluster/ldirectord.cf")):
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
            name = {"health": "mon"}.get(path.stem, path.stem)
            assert host.ok("host_check", **asked)["director_files"]["units"] == [name]
            path.unlink()
    finally:
        unit.unlink(missing_ok=True)
        conf.unlink(missing_ok=True)
        if former is not None:
            conf.write_bytes(former)


@pytest.mark.parametrize("name", ["ipvs_info", "ipvs_real_server", "ipvs_service", "ipvs_table"])
def test_as_a_process(host: Host, name: str) -> None:
    host.restore(TWO)
    arguments: dict[str, dict[str, Any]] = {
        "ipvs_real_server": {"service": WEB, "address": "198.51.100.11", "weight": 9},
        "ipvs_service": {**WEB, "scheduler": "wlc"},
        "ipvs_table": {"rules": TWO.replace("-w 5", "-w 9")},
    }
    result = host.process(name, **arguments.get(name, {}))
    assert result["changed"] == (host.save() != TWO) == (name != "ipvs_info")


def test_not_root(host: Host) -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for check in (False, True):
        result = host.process("ipvs_table", nobody, rules=TWO, _ansible_check_mode=check)
        assert result["msg"] == (
            "reading and changing the IPVS table needs root (CAP_NET_ADMIN): run the task with become: true"
        )


def test_root_of_a_user_namespace_only(host: Host) -> None:
    result = host.process("ipvs_table", ["unshare", "--user", "--map-root-user"], rules=TWO)
    assert "CAP_NET_ADMIN is needed in the network namespace's own user namespace (EPERM)" in result["msg"]


def test_pyroute2_is_missing(host: Host, tmp_path: Path) -> None:
    (tmp_path / "pyroute2.py").write_text("raise ModuleNotFoundError('No module named pyroute2')\n")
    result = host.process("ipvs_table", path=str(tmp_path), rules=TWO)
    assert "Failed to import the required Python library (pyroute2)" in result["msg"]
    assert "python3-pyroute2" in result["msg"]
    assert "lvs_install_packages" in result["msg"]
    # A wrong value is told without it.
    result = host.process("ipvs_service", path=str(tmp_path), **WEB, weight=1)
    assert "Unsupported parameters" in result["msg"]
    result = host.process("ipvs_service", path=str(tmp_path), address=VIP)
    assert "port is needed with address" in result["msg"]
