# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every refusal of the description, one mistake at a time in a description that is sound otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import ModelError
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.service_reader import KEYS
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

Build = Callable[[object], Cluster]


def service(**changes: Any) -> dict[str, Any]:
    """A sound service with these keys changed, those set to ``...`` taken out."""
    base = {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "web"}]}
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def nat(**changes: Any) -> dict[str, Any]:
    return service(forward_method="nat", **changes)


def tun(**changes: Any) -> dict[str, Any]:
    return service(forward_method="tun", **changes)


def servers(*entries: object) -> dict[str, Any]:
    return service(real_servers=list(entries))


def check(kind: str, service_port: object = 80, **given: Any) -> dict[str, Any]:
    """A service with a health check; what is no key of a service goes into the check."""
    own = {key: given.pop(key) for key in list(given) if key in KEYS and key not in {"name", "port"}}
    return service(port=service_port, health_check={"type": kind, **given}, **own)


REFUSALS: list[tuple[object, str]] = [
    # the whole
    (None, "lvs_virtual_services: is missing (the list of services; an empty one takes all services away)"),
    ("web", "lvs_virtual_services: 'web' is not a list of services"),
    ({"name": "web"}, "lvs_virtual_services: {'name': 'web'} is not a list of services"),
    (["web"], "lvs_virtual_services[0]: 'web' is not a mapping of keys and values"),
    # names and keys
    ([service(name=...)], "lvs_virtual_services[0]: name: is missing"),
    (
        [service(), service(name="two words", port=81)],
        "lvs_virtual_services[1]: name: 'two words' is not a name of 1 to 64 letters, digits, '_', '.' and '-'",
    ),
    (
        [service(name=5)],
        "lvs_virtual_services[0]: name: 5 is not a name of 1 to 64 letters, digits, '_', '.' and '-'",
    ),
    (
        [service(shceduler="rr")],
        "service web: shceduler: is not a key of a service (did you mean 'scheduler'?)",
    ),
    ([{**service(), 7: 1}], "service web: 7: is not a key of a service; known: name "),
    (
        [check("tcp", sorry_server={"host": "rs1"})],
        "service web: sorry_server.host: is not a key of sorry_server; known: ",
    ),
    # identity
    ([service(address=...)], "service web: address: is missing (the VIP; or give fwmark and family)"),
    ([service(address=3221225994)], "service web: address: 3221225994 is not an IP address"),
    ([service(address="224.0.0.1")], "service web: address: '224.0.0.1' is a multicast address"),
    ([service(address="ff02::1")], "service web: address: 'ff02::1' is a multicast address"),
    ([service(address="0.0.0.0")], "service web: address: '0.0.0.0' is the unspecified address"),
    ([service(address="::")], "service web: address: '::' is the unspecified address"),
    ([service(address="127.0.0.1")], "service web: address: '127.0.0.1' is a loopback address"),
    ([service(address="::1")], "service web: address: '::1' is a loopback address"),
    ([service(address="255.255.255.255")], "service web: address: '255.255.255.255' is a reserved address"),
    ([service(address="169.254.0.1")], "service web: address: '169.254.0.1' is a link-local address"),
    ([service(address="fe80::1")], "service web: address: 'fe80::1' is a link-local address"),
    ([service(address="fe80::1%eth0")], "service web: address: 'fe80::1%eth0' is not an IP address"),
    (
        [service(address="::ffff:192.0.2.1")],
        "service web: address: '::ffff:192.0.2.1' is an IPv4-mapped address (write 192.0.2.1)",
    ),
    ([service(family="ipv6")], "service web: family: 'ipv6' is not the family of the address 192.0.2.10"),
    ([service(family="inet")], "service web: family: 'inet' is not a family; known: ipv4 ipv6"),
    (
        [service(fwmark=21, port=..., family="ipv4")],
        "service web: address: cannot go with fwmark (21): the mark is the identity",
    ),
    (
        [service(fwmark=21, address=..., family="ipv4")],
        "service web: port: cannot go with fwmark (21): the mark is the identity",
    ),
    (
        [service(fwmark=21, address=..., port=...)],
        "service web: family: is missing: a fwmark needs one of ipv4 ipv6",
    ),
    (
        [service(marks=[{"address": "192.0.2.10"}])],
        "service web: marks: needs a fwmark: it says which traffic gets the mark",
    ),
    (
        [service(fwmark=21, address=..., port=..., family="ipv4", marks=[{"address": "2001:db8::1"}])],
        "service web: marks[0].address: '2001:db8::1' is ipv6, and the service is ipv4",
    ),
    (
        [service(fwmark=21, address=..., port=..., family="ipv4", marks=[{"ports": [80]}])],
        "service web: marks[0].address: is missing (the VIP whose traffic gets the mark)",
    ),
    (
        [service(fwmark=21, address=..., port=..., family="ipv4", marks=[{"address": "192.0.2.10", "port": 0}])],
        "service web: marks[0].port: 0 is not between 1 and 65535",
    ),
    (
        [service(fwmark=21, address=..., port=..., family="ipv4", marks=["192.0.2.10"])],
        "service web: marks[0]: '192.0.2.10' is not a mapping such as {address: 192.0.2.10, ports: [80, 443]}",
    ),
    (
        [service(fwmark=21, address=..., port=..., family="ipv4", marks=[{"address": "192.0.2.101"}])],
        "service web: marks: 192.0.2.101 cannot be a VIP: it is the own address of host rs1",
    ),
    (
        [service(fwmark=21, address=..., port=..., family="ipv4", forward_method="fullnat", synproxy=True)],
        "service web: synproxy: is for tcp only, and marks names other traffic (or none)",
    ),
    (
        [service(fwmark=21, address=..., port=..., family="ipv4", forward_method="fullnat")],
        "service web: marks: is missing: with fullnat, the directors have to know whose addresses to translate",
    ),
    (
        [service(fwmark=21, address=..., port=..., family="ipv4", forward_method="nat")],
        "service web: marks: is missing: with nat, real servers have to know which of their packets are replies",
    ),
    (
        [service(fwmark=0, address=..., port=..., family="ipv4")],
        "service web: fwmark: 0 is not between 1 and 4294967295",
    ),
    # ports
    ([service(port=...)], "service web: ports: is missing (a list of ports; or give port)"),
    ([service(ports=[443])], "service web: ports: [443] and port 80: give one"),
    ([service(port=65536)], "service web: port: 65536 is not between 0 and 65535"),
    ([service(port=-1)], "service web: port: -1 is not between 0 and 65535"),
    ([service(port="http")], "service web: port: 'http' is not an integer"),
    ([service(port=80.0)], "service web: port: 80.0 is not an integer"),
    ([service(port=True)], "service web: port: true is not an integer"),
    ([service(port=0)], "service web: port: 0 (every port) needs persistence"),
    ([service(port=..., ports=[80, 0])], "service web: ports: 0 (every port) needs persistence"),
    ([service(port=..., ports=[80, "80"])], "service web: ports[1]: 80 is there twice"),
    ([service(port=..., ports=[])], "service web: ports: is an empty list"),
    ([service(port=..., ports="80,443")], "service web: ports: '80,443' is not a list"),
    ([service(port=..., ports=[80, [443]])], "service web: ports[1]: [443] is not an integer"),
    # scheduling
    ([service(protocol="icmp")], "service web: protocol: 'icmp' is not a protocol; known: tcp udp sctp"),
    ([service(protocol="TCP")], "service web: protocol: 'TCP' is not a protocol (did you mean 'tcp'?)"),
    ([service(scheduler=1)], "service web: scheduler: 1 is not a scheduler; known: rr wrr lc wlc lblc lblcr dh sh "),
    (
        [service(scheduler_flags=["sh-port"])],
        "service web: scheduler_flags[0]: 'sh-port' is not a flag of the scheduler wlc",
    ),
    (
        [service(scheduler="sh", scheduler_flags=["sh-prot"])],
        "service web: scheduler_flags[0]: 'sh-prot' is not a scheduler flag (did you mean 'sh-port'?)",
    ),
    ([service(scheduler_flags="sh-port")], "service web: scheduler_flags: 'sh-port' is not a list"),
    ([service(one_packet=True)], "service web: one_packet: is for udp only, and the protocol is tcp"),
    ([service(one_packet="maybe")], "service web: one_packet: 'maybe' is neither true nor false"),
    # persistence
    ([service(persistence=300)], "service web: persistence: 300 is not a mapping of keys and values"),
    (
        [service(persistence={"timeuot": 3})],
        "service web: persistence.timeuot: is not a key of persistence (did you mean 'timeout'?)",
    ),
    ([service(persistence={"timeout": 0})], "service web: persistence.timeout: 0 is not between 1 and 2678400"),
    ([service(persistence={"netmask": 0})], "service web: persistence.netmask: 0 is not between 1 and 32"),
    ([service(persistence={"netmask": 64})], "service web: persistence.netmask: 64 is not between 1 and 32"),
    (
        [service(persistence={"netmask": "255.0.255.0"})],
        "service web: persistence.netmask: '255.0.255.0' is not a mask of 1 to 32 leading one bits",
    ),
    (
        [service(persistence={"netmask": "0.0.0.0"})],
        "service web: persistence.netmask: '0.0.0.0' is not a mask of 1 to 32 leading one bits",
    ),
    (
        [service(persistence={"engine": "http"})],
        "service web: persistence.engine: 'http' is not a persistence engine; known: sip",
    ),
    # forwarding
    (
        [service(forward_method="masq")],
        "service web: forward_method: 'masq' is not a forwarding method; known: nat dr tun fullnat",
    ),
    (
        [service(tunnel={"type": "gue", "port": 6080})],
        "service web: tunnel: is for the forwarding method tun only, and this is dr",
    ),
    ([tun(tunnel={"type": "vxlan"})], "service web: tunnel.type: 'vxlan' is not a tunnel type; known: ipip gue gre"),
    (
        [tun(tunnel={"type": "gue"})],
        "service web: tunnel.port: is missing: gue needs the UDP port on which the real servers decapsulate",
    ),
    (
        [tun(tunnel={"type": "gre", "port": 6080})],
        "service web: tunnel.port: 6080 is for gue only, and the type is gre",
    ),
    (
        [tun(tunnel={"type": "gre", "checksum": "remcsum"})],
        "service web: tunnel.checksum: 'remcsum' is not possible with gre",
    ),
    (
        [service(port=21, helper="ftp")],
        "service web: helper: ftp is for nat only, and the forwarding method is dr",
    ),
    (
        [nat(port=21, helper="ftp", protocol="udp")],
        "service web: helper: ftp is for a service by address over tcp",
    ),
    (
        [nat(port=2121, helper="ftp")],
        "service web: helper: ftp is for the port 21 alone, on which the kernel listens in",
    ),
    (
        [nat(port=21, helper="tfp")],
        "service web: helper: 'tfp' is not a helper (did you mean 'ftp'?)",
    ),
    (
        [service(synproxy=True)],
        "service web: synproxy: is for nat and fullnat only, and the forwarding method is dr",
    ),
    (
        [nat(synproxy=True, protocol="udp")],
        "service web: synproxy: is for tcp only, and the protocol is udp",
    ),
    # real servers
    ([service(real_servers=...)], "service web: real_servers: is missing"),
    ([service(real_servers=[])], "service web: real_servers: is an empty list"),
    ([service(real_servers={"group": "web"})], "service web: real_servers: {'group': 'web'} is not a list"),
    ([servers("rs1")], "service web: real_servers[0]: 'rs1' is not a mapping such as {group: web}, {host: rs1} or "),
    ([servers({"weight": 1})], "service web: real_servers[0]: needs exactly one of group, host, address; it has none"),
    (
        [servers({"host": "rs1", "group": "web"})],
        "service web: real_servers[0]: needs exactly one of group, host, address; it has group and host",
    ),
    (
        [servers({"group": ["web"]})],
        "service web: real_servers[0].group: ['web'] is not the name of an inventory",
    ),
    (
        [servers({"host": "rs1", "wieght": 1})],
        "service web: real_servers[0].wieght: is not a key of a real server (did you mean 'weight'?)",
    ),
    (
        [servers({"host": "rs1", "weight": -1})],
        "service web: real_servers[0].weight: -1 is not between 0 and 21474",
    ),
    ([servers({"host": "rs1", "weight": 1.5})], "service web: real_servers[0].weight: 1.5 is not an integer"),
    ([servers({"host": "rs1", "weight": True})], "service web: real_servers[0].weight: true is not an integer"),
    ([servers({"host": "rs1", "weight": "1" * 5000})], "service web: real_servers[0].weight: '111"),
    ([servers({"host": "rs1", "weight": 10**5000})], "service web: real_servers[0].weight: a number of more than 30"),
    (
        [servers({"host": "rs1", "upper_threshold": 5, "lower_threshold": 6})],
        "service web: real_servers[0].lower_threshold: 6 is above upper_threshold 5",
    ),
    (
        [servers({"group": "web", "lower_threshold": 6}, {"host": "rs1", "upper_threshold": 9})],
        "service web: real_servers[0].lower_threshold: 6 needs an upper_threshold",
    ),
    ([servers({"address": "10.0.0.300"})], "service web: real_servers[0].address: '10.0.0.300' is not an IP address"),
    (
        [servers({"address": "169.254.169.254"})],
        "service web: real_servers[0].address: '169.254.169.254' is a link-local address",
    ),
    (
        [check("tcp", sorry_server={"address": "169.254.1.1"})],
        "service web: sorry_server.address: '169.254.1.1' is a link-local address",
    ),
    (
        [check("tcp", sorry_server={"address": "fe80::1"})],
        "service web: sorry_server.address: 'fe80::1' is a link-local address",
    ),
    ([servers({"address": "fe80::7"})], "service web: real_servers[0].address: 'fe80::7' is a link-local address"),
    (
        [servers({"address": "2001:db8::7"})],
        "service web: real_servers[0].address: '2001:db8::7' is ipv6, the service is ipv4, and dr cannot mix them",
    ),
    (
        [servers({"host": "rs1"}, {"host": "rs1"})],
        "service web: real_servers[1]: host rs1 (192.0.2.101) is a real server of this service by real_servers[0]",
    ),
    (
        [servers({"group": "web"}, {"group": "real_servers"})],
        "service web: real_servers[1]: host rs2 (192.0.2.22) is a real server of this service by real_servers[0]",
    ),
    (
        [servers({"group": "web"}, {"group": "real_servers"}, {"host": "rs2"})],
        "service web: real_servers[1]: host rs2 is a real server of this service by real_servers[0] already",
    ),
    (
        [servers({"host": "rs1"}, {"host": "rs1", "port": 80})],
        "service web: real_servers[1]: host rs1 (192.0.2.101) is a real server of this service by real_servers[0]",
    ),
    (
        [nat(port=..., ports=[80, 443], real_servers=[{"host": "rs1"}, {"host": "rs1", "port": 443}])],
        "service web: real_servers[1]: host rs1 (192.0.2.101) is a real server of this service by real_servers[0]",
    ),
    ([service(**{"\x07": 1})], "service web: '\\x07': is not a key of a service"),
    (
        [servers({"host": "rs1"}, {"address": "192.0.2.101"})],
        "service web: real_servers[1]: 192.0.2.101 is a real server of this service by real_servers[0] already",
    ),
    (
        [nat(real_servers=[{"host": "rs1", "port": 0}])],
        "service web: real_servers[0].port: 0 is not a port to send requests to (leave it out for the service's",
    ),
    (
        [nat(port=0, persistence={}, real_servers=[{"host": "rs1", "port": 80}])],
        "service web: real_servers[0].port: 80 is not possible for a service of every port: the packet's port is kept",
    ),
    # VIPs and hosts' own addresses
    (
        [service(address="192.0.2.101", real_servers=[{"host": "rs1"}])],
        "service web: address: 192.0.2.101 cannot be a VIP: it is the own address of host rs1",
    ),
    (
        [service(address="192.0.2.2")],
        "service web: address: 192.0.2.2 cannot be a VIP: it is the own address of director lb1",
    ),
    (
        [service(), servers({"address": "192.0.2.10"}) | {"name": "loop", "port": 81}],
        "service web: address: 192.0.2.10 cannot be a VIP: it is the own address of a real server",
    ),
    # health checks
    (
        [service(health_check={})],
        "service web: health_check.type: is missing (one of http https tcp udp dns smtp ping misc file)",
    ),
    ([service(health_check="tcp")], "service web: health_check: 'tcp' is not a mapping of keys and values"),
    ([service(health_check={"type": "htp"})], "service web: health_check.type: 'htp' is not a health check (did you "),
    (
        [check("tcp", pth="/")],
        "service web: health_check.pth: is not a key of health_check (did you mean 'path'?)",
    ),
    ([check("tcp", path="/")], "service web: health_check.path: is for http, https and file only, and the type is tcp"),
    ([check("dns", status=200)], "service web: health_check.status: is for http and https only, and the type is dns"),
    ([check("http", command="/bin/true")], "service web: health_check.command: is for misc only, and the type is http"),
    ([check("ping", port=80)], "service web: health_check.port: is for http, https, tcp, udp, dns and smtp only, and"),
    (
        [check("file", path="/etc/out", interval=5)],
        "service web: health_check.interval: is for checks that ask at intervals, and the type is file",
    ),
    ([check("http", path="healthz")], "service web: health_check.path: 'healthz' is not a path that starts with '/'"),
    ([check("http", path='/a"b')], "service web: health_check.path: '/a\"b' is not a path that starts with '/', with"),
    ([check("http", path="/$a")], "service web: health_check.path: '/$a' is not a path that starts with '/', without"),
    ([check("http", host="a b")], "service web: health_check.host: 'a b' is not the name of a host, with or without"),
    ([check("http", status=99)], "service web: health_check.status: 99 is not between 100 and 599"),
    ([check("http", port=0)], "service web: health_check.port: 0 is not between 1 and 65535"),
    ([check("http", interval=0)], "service web: health_check.interval: 0 is not between 0.1 and 86400"),
    ([check("http", interval="soon")], "service web: health_check.interval: 'soon' is not a number of seconds"),
    ([check("http", interval=True)], "service web: health_check.interval: true is not a number of seconds"),
    ([check("http", timeout="nan")], "service web: health_check.timeout: 'nan' is not between 0.1 and 86400"),
    ([check("http", retries=-1)], "service web: health_check.retries: -1 is not between 0 and 1000"),
    ([check("http", alpha="maybe")], "service web: health_check.alpha: 'maybe' is neither true nor false"),
    ([check("dns")], "service web: health_check.name: is missing (the name to ask for)"),
    ([check("dns", name="a..b")], "service web: health_check.name: 'a..b' is not a domain name"),
    (
        [check("dns", name="a", record="SRV")],
        "service web: health_check.record: 'SRV' is not a type of records; known: A AAAA CNAME MX NS SOA TXT",
    ),
    ([check("smtp", helo="a b")], "service web: health_check.helo: 'a b' is not the name of a host"),
    ([check("misc")], "service web: health_check.command: is missing (what to run on the director)"),
    ([check("misc", command="true")], "service web: health_check.command: 'true' is not a command with its absolute"),
    (
        [check("misc", command="/tmp/check --all")],  # noqa: S108
        "service web: health_check.command: '/tmp/check --all' is in a directory of which health checkers have one of",
    ),
    (
        [check("file", path="/var/tmp/state")],  # noqa: S108
        "service web: health_check.path: '/var/tmp/state' is in a directory of which health checkers have one of",
    ),
    ([check("misc", command="/a $b")], "service web: health_check.command: '/a $b' is not a command with its absolu"),
    (
        [check("misc", command="/bin/true", timeout=0.5)],
        "service web: health_check.timeout: 0.5 is not a whole number of seconds, and misc takes nothing else",
    ),
    ([check("file")], "service web: health_check.path: is missing (the file on the director)"),
    ([check("file", path="out")], "service web: health_check.path: 'out' is not an absolute path of letters, digits"),
    (
        [check("http", service_port=0, persistence={})],
        "service web: health_check.port: is missing: a service of every port does not say where to connect to",
    ),
    (
        [check("tcp", fwmark=21, family="ipv4", address=..., service_port=...)],
        "service web: health_check.port: is missing: a fwmark service does not say where to connect to",
    ),
    # what the pool has to be for it
    ([check("tcp", quorum=0)], "service web: health_check.quorum: 0 is not between 1 and 4294967295"),
    ([check("tcp", quorum=3)], "service web: health_check.quorum: 3 is more than the weights of all real servers tog"),
    (
        [check("tcp", real_servers=[{"group": "web", "weight": 0}])],
        "service web: health_check.quorum: 1 is more than the weights of all real servers together, 0",
    ),
    (
        [check("tcp", real_servers=[{"group": "real_servers", "weight": 2**31 - 1}])],
        "service web: real_servers: the weights of all real servers together, 6442450941, are more than keepalived",
    ),
    (
        [check("tcp", quorum=2, hysteresis=2)],
        "service web: health_check.hysteresis: 2 is not below the quorum 2",
    ),
    (
        [check("tcp", quorum=2, hysteresis=1)],
        "service web: health_check.hysteresis: 1 and the quorum 2 are more than the weights of all real servers",
    ),
    # sorry servers
    (
        [service(sorry_server={"address": "198.51.100.9"})],
        "service web: sorry_server: needs a health_check, which is what tells that no real server is left",
    ),
    ([check("tcp", sorry_server={})], "service web: sorry_server.address: is missing"),
    (
        [check("tcp", sorry_server={"address": "2001:db8::9"})],
        "service web: sorry_server.address: '2001:db8::9' is not ipv4 as the service is",
    ),
    (
        [check("tcp", sorry_server={"address": "198.51.100.9", "port": 81})],
        "service web: sorry_server.port: 81 is not the service's port 80, and dr rewrites no port",
    ),
    (
        [check("ping", service_port=0, persistence={}, sorry_server={"address": "198.51.100.9", "port": 80})],
        "service web: sorry_server.port: 80 is not possible for a service of every port: the packet's port is kept",
    ),
    (
        [check("tcp", sorry_server={"address": "192.0.2.101"})],
        "service web: sorry_server.address: 192.0.2.101 is a real server of this service by real_servers[0]",
    ),
    (
        [check("tcp", sorry_server={"address": "198.51.100.9"}), service(name="b", address="198.51.100.9")],
        "service b: address: 198.51.100.9 cannot be a VIP: it is the own address of the sorry server of service web",
    ),
]


@pytest.mark.parametrize(("description", "message"), REFUSALS, ids=[message[:70] for dummy, message in REFUSALS])
def test_refusal(build: Build, description: object, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        build(description)
    assert caught.value.problems[0].startswith(message)


def test_two_hosts_with_one_address(inventory: dict[str, Any]) -> None:
    hostvars = {**inventory["hostvars"], "rs1": {"lvs_address": "192.0.2.22"}}
    with pytest.raises(ModelError) as caught:
        build_cluster([service()], inventory["groups"], hostvars)
    assert str(caught.value) == (
        "service web: real_servers[0]: host rs1 has the address 192.0.2.22, and so has host rs2"
    )


def test_a_director_is_no_real_server() -> None:
    groups = {"all": ["lb1"], "directors": ["lb1"], "real_servers": ["lb1"]}
    with pytest.raises(ModelError) as caught:
        build_cluster([servers({"host": "lb1"})], groups, {"lb1": {"lvs_address": "192.0.2.2"}})
    assert str(caught.value) == (
        "service web: real_servers[0]: host lb1 is a director too: "
        "as a backup it would balance requests again, not answer them"
    )


def test_a_director_is_no_real_server_behind_nat() -> None:
    groups = {"all": ["lb1"], "directors": ["lb1"], "real_servers": ["lb1"]}
    with pytest.raises(ModelError) as caught:
        build_cluster([nat(real_servers=[{"host": "lb1"}])], groups, {"lb1": {"lvs_address": "192.0.2.2"}})
    assert str(caught.value) == (
        "service web: real_servers[0]: host lb1 is a director too: "
        "its replies would not pass the director that balances, unless that is itself"
    )


def test_a_director_that_may_be_the_backup_is_no_sorry_server() -> None:
    groups = {"directors": ["lb1", "lb2"], "real_servers": ["rs1"], "web": ["rs1"]}
    hostvars = {"lb1": {"lvs_address": "192.0.2.2"}, "lb2": {"lvs_address": "192.0.2.3"}}
    hostvars["rs1"] = {"lvs_address": "192.0.2.101"}
    described = [check("tcp", sorry_server={"address": "192.0.2.3"})]
    with pytest.raises(ModelError) as caught:
        build_cluster(described, groups, hostvars)
    assert str(caught.value) == (
        "service web: sorry_server.address: 192.0.2.3 is the own address of director lb2: "
        "as a backup it would balance requests again, not answer them"
    )
    # The only one is no backup.
    assert build_cluster(described, {**groups, "directors": ["lb2"]}, hostvars).vips()


@pytest.mark.parametrize(
    ("gateway", "says"),
    [
        (
            None,
            "lvs_nat_gateway: has no ipv4 address, which service web (nat) needs: one that fails over with the VIPs",
        ),
        (
            "2001:db8::1",
            "lvs_nat_gateway: has no ipv4 address, which service web (nat) needs: one that fails over with",
        ),
        ("192.0.2.3", "lvs_nat_gateway: 192.0.2.3 is the own address of lb2, and does not move with the VIPs"),
        ("192.0.2.101", "lvs_nat_gateway: 192.0.2.101 is the own address of rs1, and does not move with the VIPs"),
        ("gateway", "lvs_nat_gateway: 'gateway' is not an IP address"),
        (["192.0.2.1", "192.0.2.4"], "lvs_nat_gateway: 192.0.2.1 and 192.0.2.4 are both ipv4"),
        ("224.0.0.1", "lvs_nat_gateway: '224.0.0.1' is a multicast address"),
    ],
)
def test_gateways_that_are_none(gateway: object, says: str) -> None:
    groups = {"directors": ["lb1", "lb2"], "real_servers": ["rs1"], "web": ["rs1"]}
    addresses = {"lb1": "192.0.2.2", "lb2": "192.0.2.3", "rs1": "192.0.2.101"}
    hostvars = {host: {"lvs_address": address} for host, address in addresses.items()}
    cluster = build_cluster([nat()], groups, hostvars)
    for expand in (
        lambda: support.director(cluster, "lb1", lvs_nat_gateway=gateway),
        lambda: support.real_server(cluster, "rs1", lvs_nat_gateway=gateway),
    ):
        with pytest.raises(ModelError) as caught:
            expand()
        assert caught.value.problems[0].startswith(says)


def marked(name: str, fwmark: int, *traffic: dict[str, Any]) -> dict[str, Any]:
    return service(name=name, address=..., port=..., fwmark=fwmark, family="ipv4", marks=list(traffic))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (
            marked("b", 2, {"address": "192.0.2.10", "protocol": "tcp", "ports": [443, 8443]}),
            "service b: marks: 192.0.2.10 tcp 443 has the mark of service a",
        ),
        (
            marked("b", 2, {"address": "192.0.2.10"}),
            "service b: marks: 192.0.2.10 tcp 80 443 has the mark of service a",
        ),
        (
            service(name="b", address="192.0.2.10", port=443),
            "service b: address: 192.0.2.10 tcp 443 has the mark of service a, which would get it all",
        ),
    ],
)
def test_packets_that_are_marked_for_another_service(build: Build, other: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError) as caught:
        build([marked("a", 1, {"address": "192.0.2.10", "protocol": "tcp", "ports": [80, 443]}), other])
    assert str(caught.value) == says


def test_marks_side_by_side(build: Build) -> None:
    first = marked("a", 1, {"address": "192.0.2.10", "protocol": "tcp", "ports": [80, 443]})
    second = marked("b", 2, {"address": "192.0.2.10", "protocol": "udp"})
    third = marked("c", 3, {"address": "192.0.2.11"}, {"address": "192.0.2.11", "protocol": "tcp", "port": 80})
    build([first, second, third, service(name="d", address="192.0.2.10", port=8080)])


@pytest.mark.parametrize(
    ("traffic", "method", "says"),
    [
        ("all", "dr", "real_server_return_traffic: 'all' is not possible on rs1, which answers clients itself for"),
        ("some", "nat", "real_server_return_traffic: 'some' is not one of services, all"),
    ],
)
def test_return_traffic_that_cannot_be(traffic: str, method: str, says: str) -> None:
    groups = {"directors": ["lb1"], "real_servers": ["rs1"], "web": ["rs1"]}
    hostvars = {"lb1": {"lvs_address": "192.0.2.2"}, "rs1": {"lvs_address": "192.0.2.101"}}
    cluster = build_cluster([service(forward_method=method)], groups, hostvars)
    support.real_server(cluster, "rs1", lvs_nat_gateway=None)
    with pytest.raises(ModelError) as caught:
        support.real_server(cluster, "rs1", lvs_nat_gateway=None, real_server_return_traffic=traffic)
    assert str(caught.value).startswith(says)


def test_all_problems_come_together_first_one_first(build: Build) -> None:
    with pytest.raises(ModelError) as caught:
        build(
            [
                service(scheduler="rrr", port=70000),
                service(name="b", address=...),
                service(name="c", port=81, sorry_server={"address": "198.51.100.9"}),
            ]
        )
    assert str(caught.value).splitlines() == [
        "service web: scheduler: 'rrr' is not a scheduler (did you mean 'rr'?)",
        "service web: port: 70000 is not between 0 and 65535",
        "service b: address: is missing (the VIP; or give fwmark and family)",
        "service c: sorry_server: needs a health_check, which is what tells that no real server is left",
    ]


def test_very_many_problems_are_counted(build: Build) -> None:
    with pytest.raises(ModelError) as caught:
        build([service(name=f"s{number}", port="x") for number in range(100)])
    lines = str(caught.value).splitlines()
    assert len(caught.value.problems) == 100
    assert len(lines) == 26
    assert lines[-1] == "and 75 more problems like these"


def test_a_host_without_address_is_told_once(inventory: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        build_cluster([service(), service(name="b", port=81)], inventory["groups"], {})
    assert caught.value.problems == (
        "service web: real_servers[0]: set lvs_address for host rs2: it has none",
        "service web: real_servers[0]: set lvs_address for host rs1: it has none",
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"lvs_address": "rs1.example.net"}, "lvs_address of host rs1: 'rs1.example.net' is not an IP address"),
        ({"lvs_address": ["192.0.2.1", None]}, "lvs_address of host rs1: null is not an IP address"),
        ({"lvs_address": "127.0.0.1"}, "lvs_address of host rs1: '127.0.0.1' is a loopback address"),
        ({"lvs_address": []}, "set lvs_address for host rs1: the list is empty"),
        (
            {"lvs_address": ["192.0.2.1", "192.0.2.3"]},
            "lvs_address of host rs1: 192.0.2.1 and 192.0.2.3 are both IPv4, and it takes one per family",
        ),
        (
            {"lvs_address": ["2001:db8::1"]},
            "set lvs_address for host rs1: an IPv4 address is needed beside 2001",
        ),
        ({"lvs_address": "169.254.169.254"}, "lvs_address of host rs1: '169.254.169.254' is a link-local address"),
        (
            {"ansible_host": "169.254.1.1"},
            "set lvs_address for host rs1: it has none, and ansible_host is '169.254.1.1'",
        ),
        ({"ansible_host": "127.0.0.1"}, "set lvs_address for host rs1: it has none, and ansible_host is '127.0.0.1'"),
        ({"lvs_address": LookupError("no facts")}, "lvs_address of host rs1: no facts"),
        ({"ansible_host": LookupError("no facts")}, "ansible_host of host rs1: no facts"),
        (None, "set lvs_address for host rs1: it has none"),
    ],
)
def test_host_addresses(inventory: dict[str, Any], variables: object, message: str) -> None:
    hostvars = {**inventory["hostvars"], "rs1": variables}
    with pytest.raises(ModelError) as caught:
        build_cluster([servers({"host": "rs1"})], inventory["groups"], hostvars)
    assert str(caught.value).startswith(f"service web: real_servers[0]: {message}")


@pytest.mark.parametrize(
    ("host", "settings", "message"),
    [
        ("rs1", {}, "host rs1: is not in the inventory group 'directors'"),
        ("lb1", {"interface": None}, "director_interface: is missing (the link on which the VIPs live)"),
        ("lb1", {"interface": "a/b"}, "director_interface: 'a/b' is not the name of a network interface"),
        ("lb1", {"interface": "x" * 16}, "director_interface: 'xxxxxxxxxxxxxxxx' is not the name of a network"),
        ("lb1", {"virtual_router_id": 0}, "director_virtual_router_id: 0 is not an integer from 1 to 255"),
        ("lb1", {"virtual_router_id": "x"}, "director_virtual_router_id: 'x' is not an integer from 1 to 255"),
        ("lb1", {"advert_interval": 41}, "director_advert_interval: 41 is not a number of seconds from 0.01 to 40.95"),
        ("lb1", {"advert_interval": "nan"}, "director_advert_interval: 'nan' is not a number of seconds"),
        ("lb1", {"advert_interval": "soon"}, "director_advert_interval: 'soon' is not a number of seconds"),
        ("lb1", {"advert_interval": True}, "director_advert_interval: true is not a number of seconds"),
        ("lb1", {"preempt": "maybe"}, "director_preempt: 'maybe' is neither true nor false"),
        ("lb1", {"garp_refresh": -1}, "director_garp_refresh: -1 is not a number of seconds from 0 to 86400"),
        ("lb1", {"vrrp_hops": 255}, "director_vrrp_hops: 255 is not a number of routers from 0 to 254"),
        ("lb1", {"vrrp_hops": "far"}, "director_vrrp_hops: 'far' is not a number of routers from 0 to 254"),
        ("lb1", {"transit": "maybe"}, "director_transit: 'maybe' is neither true nor false"),
        ("lb1", {"flood_defence": 2}, "director_flood_defence: 2 is neither true nor false"),
        (
            "lb1",
            {"leaving_timeout": -1},
            "director_leaving_timeout: -1 is not a number of seconds from 0 to 2147483",
        ),
        (
            "lb1",
            {"leaving_timeout": "soon"},
            "director_leaving_timeout: 'soon' is not a number of seconds from 0 to 2147483",
        ),
        (
            "lb1",
            {"timeouts": 900},
            "director_timeouts: 900 is not a mapping such as {tcp: 900, tcp_fin: 120, udp: 300}",
        ),
        ("lb1", {"timeouts": {"tcp": 0}}, "director_timeouts: tcp: 0 is not between 1 and 2147483"),
        ("lb1", {"timeouts": {"tcp_fin": "soon"}}, "director_timeouts: tcp_fin: 'soon' is not an integer"),
        (
            "lb1",
            {"timeouts": {"tcpfin": 5}},
            "director_timeouts: tcpfin: is not a key of the timeouts (did you mean 'tcp_fin'?)",
        ),
        ("lb1", {"sync_daemon": 5}, "director_sync_daemon: 5 is neither true nor false, nor a mapping such as {id: 5}"),
        (
            "lb1",
            {"sync_daemon": {"prot": 5}},
            "director_sync_daemon: prot: is not a key of the sync daemon (did you me",
        ),
        ("lb1", {"sync_daemon": {"id": 256}}, "director_sync_daemon: id: 256 is not between 0 and 255"),
        (
            "lb1",
            {"sync_daemon": {"group": "192.0.2.1"}},
            "director_sync_daemon: group: '192.0.2.1' is not a multicast address",
        ),
        ("lb1", {"sync_senders": "lb2"}, "director_sync_senders: 'lb2' is not an IP address"),
        ("lb1", {"sync_senders": ["224.0.0.81"]}, "director_sync_senders: '224.0.0.81' is a multicast address"),
        (
            "lb1",
            {"sync_senders": ["192.0.2.2", "fe80::2"]},
            "director_sync_senders: fe80::2 is ipv6, and the group of the synchronisation is ipv4",
        ),
        ("lb1", {"sync_interface": "a b"}, "director_sync_interface: 'a b' is not the name of a network interface"),
        ("lb1", {"interface": "a#b"}, "director_interface: 'a#b' is not the name of a network interface"),
        ("lb1", {"interface": "eth*"}, "director_interface: 'eth*' is not the name of a network interface"),
        ("lb1", {"sync_interface": "~SEQ(A,1,3)x"}, "director_sync_interface: '~SEQ(A,1,3)x' is not the name of a"),
        ("lb1", {"track_interfaces": ["@low"]}, "director_track_interfaces[0]: name: '@low' is not the name of a"),
        ("lb1", {"track_interfaces": "eth2"}, "director_track_interfaces: 'eth2' is not a list"),
        (
            "lb1",
            {"track_interfaces": ["eth2", 5]},
            "director_track_interfaces[1]: 5 is neither the name of a network interface nor a mapping",
        ),
        ("lb1", {"track_interfaces": ["a b"]}, "director_track_interfaces[0]: name: 'a b' is not the name of a"),
        ("lb1", {"track_interfaces": [{"weight": -5}]}, "director_track_interfaces[0]: name: is missing (the name of"),
        (
            "lb1",
            {"track_interfaces": [{"name": "eth2", "weight": 5}]},
            "director_track_interfaces[0]: weight: 5 is not between -253 and -1",
        ),
        ("lb1", {"track_interfaces": ["eth2", {"name": "eth2"}]}, "director_track_interfaces: 'eth2' is there twice"),
        ("lb1", {"track_scripts": ["/bin/true"]}, "director_track_scripts[0]: '/bin/true' is not a mapping of"),
        ("lb1", {"track_scripts": [{"name": "up"}]}, "director_track_scripts[0]: command: is missing (a command with"),
        (
            "lb1",
            {"track_scripts": [{"name": "up", "command": "ping -c 1 192.0.2.1"}]},
            "director_track_scripts[0]: command: 'ping -c 1 192.0.2.1' is not a command with its absolute path",
        ),
        (
            "lb1",
            {"track_scripts": [{"name": "up", "command": "/tmp/up"}]},  # noqa: S108
            "director_track_scripts[0]: command: '/tmp/up' is in a directory of which health checkers have one of",
        ),
        (
            "lb1",
            {"track_scripts": [{"name": "up", "command": "/bin/true", "intervall": 5}]},
            "director_track_scripts[0]: intervall: is not a key of a tracked script (did you mean 'interval'?)",
        ),
        (
            "lb1",
            {"track_scripts": [{"name": "up", "command": "/bin/true", "fall": 0}]},
            "director_track_scripts[0]: fall: 0 is not between 1 and 1000",
        ),
        (
            "lb1",
            {"track_scripts": [{"name": "up", "command": "/bin/true"}] * 2},
            "director_track_scripts: 'up' is there twice",
        ),
        ("lb1", {"sysctls": "x=1"}, "director_sysctls: 'x=1' is not a mapping of sysctl keys and values"),
        ("lb1", {"sysctls": {"ip_forward": 1}}, "director_sysctls: 'ip_forward' is not the name of a sysctl"),
        ("lb1", {"sysctls": {5: 1}}, "director_sysctls: 5 is not the name of a sysctl"),
        (
            "lb1",
            {"sysctls": {"a.b": 1, "a/b": 2}},
            "director_sysctls: a.b: is there twice, the second time as",
        ),
        ("lb1", {"sysctls": {"a.b": [1]}}, "director_sysctls: a.b: [1] is neither an integer nor a line of text"),
    ],
)
def test_director_settings(build: Build, host: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        support.director(build([service()]), host, **{f"director_{name}": value for name, value in settings.items()})
    assert caught.value.problems[0].startswith(message)


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ("a b", "director_script_user: 'a b' is not the name of a user"),
        (None, "director_script_user: null is not the name of a user"),
        ("root", "director_script_user: 'root' is not for health checks and tracked scripts: name another user"),
    ],
)
def test_script_users(build: Build, user: object, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        support.director(build([check("misc", command="/bin/true")]), "lb1", director_script_user=user)
    assert str(caught.value) == message
    assert support.director(build([service()]), "lb1", director_script_user=user)["script_user"] == "", (
        "nobody asks for one"
    )


def test_no_synchronisation_across_families() -> None:
    groups = {"directors": ["lb1", "lb2"], "real_servers": ["rs1"], "web": ["rs1"]}
    addresses = {"lb1": "192.0.2.2", "lb2": "192.0.2.3", "rs1": "2001:db8::1"}
    hostvars = {host: {"lvs_address": address} for host, address in addresses.items()}
    cluster = build_cluster([tun()], groups, hostvars)
    with pytest.raises(ModelError) as caught:
        support.director(cluster, "lb1")
    assert str(caught.value) == (
        "director_sync_daemon: cannot run while service web (ipv4) has the real server 2001:db8::1: "
        "the kernel does not synchronise across families (set it to false)"
    )
    assert support.director(cluster, "lb1", director_sync_daemon=False)["vips"]


def test_directors_with_peers_need_addresses() -> None:
    groups = {"directors": ["lb1", "lb2"], "real_servers": ["rs1"]}
    hostvars = {"lb1": {"lvs_address": "192.0.2.2"}, "rs1": {"lvs_address": ["192.0.2.4", "2001:db8::4"]}}
    cluster = build_cluster([service(address="2001:db8::10", real_servers=[{"host": "rs1"}])], groups, hostvars)
    for ask in (cluster.as_dict, lambda: support.director(cluster, "lb1")):
        with pytest.raises(ModelError) as caught:
            ask()
        assert caught.value.problems == (
            "group directors: set lvs_address for host lb1: an IPv6 address is needed beside 192.0.2.2",
            "group directors: set lvs_address for host lb2: it has none",
        )


def test_groups_that_are_missing(build: Build) -> None:
    with pytest.raises(ModelError, match="host db1: is not in the inventory group 'real_servers'"):
        support.real_server(build([service()]), "db1")
    with pytest.raises(ModelError, match="group directors: there is no inventory group 'directors'"):
        support.director(build_cluster([], {"all": []}, {}), "lb1")
    with pytest.raises(ModelError, match="group real_servers: the inventory group 'real_servers' has no hosts"):
        support.real_server(build_cluster([], {"real_servers": []}, {}), "rs1")
    with pytest.raises(ModelError, match="groups: null is not a mapping"):
        build_cluster([], None, {})
    with pytest.raises(ModelError, match="hostvars: 5 is not a mapping"):
        build_cluster([], {}, 5)


@pytest.mark.parametrize("name", ["lb1\n}\nvrrp_script x {", "lb 1", "lb1#prod", "lb{1}", "lb1!a", "l" * 254, "lb1$a"])
def test_names_that_would_end_a_configuration(name: str) -> None:
    rule = "is not a name of 1 to 253 letters, digits, '_', '.', ':' and '-'"
    director = {"groups": {"directors": [name, "lb2"], "real_servers": ["rs1"]}}
    server = {"groups": {"directors": ["lb2"], "real_servers": ["rs1", name]}}
    for inventory in (director, server):
        hostvars = {host: {"lvs_address": f"192.0.2.{number}"} for number, host in enumerate((name, "lb2", "rs1"), 1)}
        with pytest.raises(ModelError) as caught:
            build_cluster([service(real_servers=[{"group": "real_servers"}])], inventory["groups"], hostvars)
        assert len(caught.value.problems) == 1
        assert caught.value.problems[0].startswith("host '")
        assert caught.value.problems[0].endswith(rule)


def test_names_that_are_addresses() -> None:
    groups = {"directors": ["2001:db8::2"], "real_servers": ["192.0.2.11", "RS_2.example-net"]}
    hostvars = {"192.0.2.11": {"lvs_address": "192.0.2.11"}, "RS_2.example-net": {"lvs_address": "192.0.2.12"}}
    cluster = build_cluster([service(real_servers=[{"group": "real_servers"}])], groups, hostvars)
    assert "router_id 2001:db8::2\n" in str(support.director(cluster, "2001:db8::2")["keepalived"])
