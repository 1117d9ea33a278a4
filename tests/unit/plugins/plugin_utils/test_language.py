# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the whole language means, also where the roles do not build it yet, and how the expansion grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

Build = Callable[[object], Cluster]
Takes = Callable[[dict[str, Any]], None]


def director(cluster: Cluster) -> dict[str, Any]:
    return support.director(cluster, "lb1")


class TestForwarding:
    def test_nat_rewrites_ports_and_routes(self, build: Build, takes: Takes) -> None:
        servers = [{"group": "web", "port": 8080}, {"host": "rs9"}, {"host": "rs9", "port": 81}]
        cluster = build(
            [{"name": "a", "address": "192.0.2.10", "port": 80, "forward_method": "nat", "real_servers": servers}]
        )
        model = director(cluster)
        takes(model)
        ends = [(server["address"], server["port"]) for server in model["services"][0]["real_servers"]]
        assert ends == [("192.0.2.9", 80), ("192.0.2.9", 81), ("192.0.2.22", 8080), ("192.0.2.101", 8080)]
        assert model["sysctls"]["net.ipv4.ip_forward"] == 1
        assert model["sysctls"]["net.ipv4.conf.all.send_redirects"] == 0
        assert "net.ipv4.vs.conntrack" not in model["sysctls"]
        assert model["sysctls"]["net.ipv4.conf.eth1.send_redirects"] == 0, "the greater of all and the interface counts"
        assert support.real_server(cluster, "rs9") == {
            "directors": ["lb1"],
            "vips": [],  # with nat the VIP is the director's alone
            "return_route": {
                "gateways": ["192.0.2.2"],
                "services": [{"address": "192.0.2.9", "protocol": "tcp", "port": port} for port in (80, 81)],
                "direct": ["192.0.2.2"],
            },
            "own_addresses": [{"address": "192.0.2.9", "interface": ""}],
            "tunnels": [],
            "packages": ["python3-pyroute2"],
            "kernel_modules": [],
            "nftables": "",
        }

    def test_ftp_has_its_module_and_every_reply_goes_back(self, build: Build, takes: Takes) -> None:
        service = {"name": "a", "address": "192.0.2.10", "port": 21, "forward_method": "nat", "helper": "ftp"}
        cluster = build([{**service, "real_servers": [{"host": "rs9"}]}])
        model = director(cluster)
        takes(model)
        assert "ip_vs_ftp" in model["kernel_modules"]
        routes: Any = support.real_server(cluster, "rs9")["return_route"]
        assert routes["services"] == [{"address": "192.0.2.9", "protocol": "tcp", "port": 0}]

    def test_fullnat_is_nat_to_the_kernel(self, build: Build, takes: Takes) -> None:
        service = {"name": "a", "address": "2001:db8::10", "port": 80, "forward_method": "fullnat"}
        model = director(build([{**service, "real_servers": [{"host": "rs2"}]}]))
        takes(model)
        assert model["services"][0]["real_servers"][0]["forward_method"] == "nat"
        assert model["sysctls"]["net.ipv4.vs.conntrack"] == 1
        assert model["sysctls"]["net.ipv6.conf.all.forwarding"] == 1

    def test_tun_mixes_families_and_holds_vips(self, build: Build, takes: Takes) -> None:
        tunnel = {"type": "gue", "port": 6080, "checksum": "csum"}
        service = {"name": "a", "address": "2001:db8::10", "port": 80, "forward_method": "tun", "tunnel": tunnel}
        cluster = build([{**service, "real_servers": [{"group": "web"}, {"address": "198.51.100.7"}]}])
        model = director(cluster)
        takes(model)
        assert [server["address"] for server in model["services"][0]["real_servers"]] == [
            "192.0.2.101",
            "198.51.100.7",
            "2001:db8::22",
        ]
        assert model["services"][0]["real_servers"][0]["tunnel_type"] == "gue"
        assert model["services"][0]["real_servers"][0]["tunnel_port"] == 6080
        assert model["services"][0]["real_servers"][0]["tunnel_checksum"] == "csum"
        assert "net.ipv4.ip_forward" not in model["sysctls"]
        assert support.real_server(cluster, "rs1")["vips"] == ["2001:db8::10"]

    def test_fwmark(self, build: Build, takes: Takes) -> None:
        servers = [{"group": "web"}]
        model = director(
            build(
                [
                    {"name": "a", "fwmark": 21, "family": "ipv4", "real_servers": servers},
                    {"name": "b", "fwmark": 21, "family": "ipv6", "real_servers": [{"host": "rs2"}]},
                ]
            )
        )
        takes(model)
        assert [(entry["fwmark"], entry["family"]) for entry in model["services"]] == [(21, "ipv4"), (21, "ipv6")]
        assert model["services"][0]["real_servers"][0]["port"] == 0
        assert model["vips"] == []

    def test_a_health_checked_service_belongs_to_the_checker(self, build: Build, takes: Takes) -> None:
        service = {"address": "192.0.2.10", "real_servers": [{"group": "web"}]}
        checked = {**service, "name": "a", "ports": [80, 443], "health_check": {"type": "http"}}
        model = director(build([checked, {**service, "name": "b", "port": 81}]))
        takes(model)
        assert model["owned_elsewhere"] == [
            {"address": "192.0.2.10", "port": 80, "protocol": "tcp"},
            {"address": "192.0.2.10", "port": 443, "protocol": "tcp"},
        ]
        assert [entry["name"] for entry in model["services"]] == ["b"]
        assert [vip["address"] for vip in model["vips"]] == ["192.0.2.10"]


def test_the_whole_cluster(build: Build) -> None:
    cluster = build([{"name": "a", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "web"}]}])
    whole: dict[str, Any] = cluster.as_dict()
    assert whole["services"] == director(cluster)["services"]
    assert whole["vips"] == [{"address": "192.0.2.10", "family": "ipv4", "prefix": 32}]
    assert whole["directors"] == ["lb1"]
    assert whole["real_servers"] == {
        "rs9": {"vips": []},
        "rs2": {"vips": ["192.0.2.10"]},
        "rs1": {"vips": ["192.0.2.10"]},
    }
    assert whole["real_servers"] == {
        host: {"vips": support.real_server(cluster, host)["vips"]} for host in ("rs1", "rs2", "rs9")
    }


def test_expanding_leaves_the_description_alone(build: Build) -> None:
    description = [
        {"name": "a", "address": "192.0.2.10", "port": "80", "real_servers": [{"group": "web", "weight": "2"}]}
    ]
    before = repr(description)
    assert director(build(description)) == director(build(description))
    assert repr(description) == before


class CountingHosts(Mapping[str, Any]):
    """Stands in for Ansible's lazy hostvars: slow on access, so every host once, and no host that nobody needs."""

    def __init__(self, hosts: dict[str, Any]) -> None:
        self.hosts = hosts
        self.asked: list[str] = []

    def __getitem__(self, host: str) -> Any:
        self.asked.append(host)
        return self.hosts[host]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("nobody needs all hosts")

    def __len__(self) -> int:
        raise AssertionError("nobody needs all hosts")


def test_hosts_are_looked_up_once_and_only_when_needed(inventory: dict[str, Any]) -> None:
    hostvars = CountingHosts(inventory["hostvars"])
    services = [
        {"name": f"s{port}", "address": "192.0.2.10", "port": port, "real_servers": [{"group": "web"}]}
        for port in range(1, 20)
    ]
    support.director(build_cluster(services, inventory["groups"], hostvars), "lb1")
    assert sorted(hostvars.asked) == ["lb1", "rs1", "rs2"]


def test_cost_is_linear() -> None:
    hosts = [f"rs{number}" for number in range(100)]
    groups = {"all": ["lb1", *hosts], "directors": ["lb1"], "real_servers": hosts}
    hostvars = {host: {"lvs_address": f"10.0.1.{number + 1}"} for number, host in enumerate(hosts)}

    def seconds(services: int) -> float:
        description = [
            {"name": f"s{port}", "address": "192.0.2.10", "port": port, "real_servers": [{"group": "real_servers"}]}
            for port in range(1, services + 1)
        ]
        start = time.process_time()
        model = director(build_cluster(description, groups, hostvars))
        assert sum(len(entry["real_servers"]) for entry in model["services"]) == services * 100
        return time.process_time() - start

    small = min(seconds(50) for _number in range(3))
    large = min(seconds(200) for _number in range(3))
    assert large < 2, f"200 services with 100 real servers each took {large:.2f} s"
    assert large < small * 8, f"4 times the services took {large / small:.1f} times as long"
