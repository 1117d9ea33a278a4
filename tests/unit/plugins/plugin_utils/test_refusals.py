# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every refusal of the description, one mistake at a time in a description that is sound otherwise.

Refusals are known by their codes, their places and their values; the sentences are in test_sentences.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import yaml

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import (
    Cluster,
    build_cluster,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet import Fleet
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.fleet_plan import draining
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import read_director_settings
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError, Problems, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import KEYS
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils.support import Expected, check_all, expected

Build = Callable[[object], Cluster]


def service(**changes: Any) -> dict[str, Any]:
    """A sound service with these keys changed, those set to ``...`` taken out."""
    base = {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "web"}]}
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def by_mark(**changes: Any) -> dict[str, Any]:
    return service(**{"fwmark": 21, "address": ..., "port": ..., "family": "ipv4", **changes})


def marking(**changes: Any) -> dict[str, Any]:
    """A service by mark with one element of marks, to which what is no key of a service goes."""
    traffic = {key: changes.pop(key) for key in ("address", "protocol", "port", "ports") if key in changes}
    return by_mark(marks=[{"address": "192.0.2.10", **traffic}], **changes)


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


def refusal(
    description: object, code: Code, key: str = "", value: str = "", *says: str, where: str = "service web"
) -> Any:
    """A description, and the first problem with it."""
    return pytest.param(description, expected(code, where, key, value, *says), id=f"{where}-{key}-{code.value}")


REFUSALS = [
    # the whole
    refusal(None, Code.MISSING, "", "", "empty list", where="lvs_virtual_services"),
    refusal("web", Code.NOT_A_LIST, "", "'web'", where="lvs_virtual_services"),
    refusal({"name": "web"}, Code.NOT_A_LIST, "", "{'name': 'web'}", where="lvs_virtual_services"),
    refusal(["web"], Code.NOT_A_MAPPING, "", "'web'", where="lvs_virtual_services[0]"),
    # names and keys
    refusal([service(vrrp_group="a/b")], Code.MALFORMED, "vrrp_group", "'a/b'", "20 letters"),
    refusal([service(vrrp_group="x" * 21)], Code.MALFORMED, "vrrp_group", "'xxxxxxxxxxxxxxxxxxxxx'", "20 letters"),
    refusal([service(vrrp_group=52)], Code.MALFORMED, "vrrp_group", "52"),
    refusal([service(name=...)], Code.MISSING, "name", where="lvs_virtual_services[0]"),
    refusal(
        [service(), service(name="two words", port=81)],
        Code.MALFORMED,
        "name",
        "'two words'",
        "1 to 64",
        where="lvs_virtual_services[1]",
    ),
    refusal([service(name=5)], Code.MALFORMED, "name", "5", "1 to 64", where="lvs_virtual_services[0]"),
    refusal([service(shceduler="rr")], Code.UNKNOWN_KEY, "shceduler", "", "'scheduler'"),
    refusal([{**service(), 7: 1}], Code.UNKNOWN_KEY, "7", "", "name address fwmark"),
    refusal([check("tcp", sorry_server={"host": "rs1"})], Code.UNKNOWN_KEY, "sorry_server.host", "", "address port"),
    # identity
    refusal([service(address=...)], Code.MISSING, "address", "", "fwmark and family"),
    refusal([service(address=3221225994)], Code.NOT_AN_ADDRESS, "address", "3221225994"),
    refusal([service(address="224.0.0.1")], Code.UNUSABLE_ADDRESS, "address", "'224.0.0.1'", "multicast"),
    refusal([service(address="ff02::1")], Code.UNUSABLE_ADDRESS, "address", "'ff02::1'", "multicast"),
    refusal([service(address="0.0.0.0")], Code.UNUSABLE_ADDRESS, "address", "'0.0.0.0'", "unspecified"),
    refusal([service(address="::")], Code.UNUSABLE_ADDRESS, "address", "'::'", "unspecified"),
    refusal([service(address="127.0.0.1")], Code.UNUSABLE_ADDRESS, "address", "'127.0.0.1'", "loopback"),
    refusal([service(address="::1")], Code.UNUSABLE_ADDRESS, "address", "'::1'", "loopback"),
    refusal([service(address="255.255.255.255")], Code.UNUSABLE_ADDRESS, "address", "'255.255.255.255'", "reserved"),
    refusal([service(address="169.254.0.1")], Code.UNUSABLE_ADDRESS, "address", "'169.254.0.1'", "link-local"),
    refusal([service(address="fe80::1")], Code.UNUSABLE_ADDRESS, "address", "'fe80::1'", "link-local"),
    refusal([service(address="fe80::1%eth0")], Code.NOT_AN_ADDRESS, "address", "'fe80::1%eth0'"),
    refusal(
        [service(address="::ffff:192.0.2.1")], Code.UNUSABLE_ADDRESS, "address", "'::ffff:192.0.2.1'", "write 192.0.2.1"
    ),
    refusal([service(family="ipv6")], Code.OTHER_FAMILY, "family", "'ipv6'", "192.0.2.10"),
    refusal([service(family="inet")], Code.UNKNOWN_WORD, "family", "'inet'", "ipv4 ipv6"),
    refusal([service(fwmark=21, port=..., family="ipv4")], Code.EXCLUSIVE_KEYS, "address", "", "fwmark 21"),
    refusal([service(fwmark=21, address=..., family="ipv4")], Code.EXCLUSIVE_KEYS, "port", "", "fwmark 21"),
    refusal([service(fwmark=21, address=..., port=...)], Code.MISSING, "family", "", "ipv4 ipv6"),
    refusal([service(marks=[{"address": "192.0.2.10"}])], Code.NEEDS_KEY, "marks", "", "fwmark"),
    refusal(
        [by_mark(marks=[{"address": "2001:db8::1"}])],
        Code.OTHER_FAMILY,
        "marks[0].address",
        "2001:db8::1",
        "is ipv6",
        "service is ipv4",
    ),
    refusal([by_mark(marks=[{"ports": [80]}])], Code.MISSING, "marks[0].address", "", "VIP"),
    refusal(
        [by_mark(marks=[{"address": "192.0.2.10", "port": 0}])], Code.OUT_OF_RANGE, "marks[0].port", "0", "1 and 65535"
    ),
    refusal([by_mark(marks=["192.0.2.10"])], Code.NOT_A_MAPPING, "marks[0]", "'192.0.2.10'", "address: 192.0.2.10"),
    refusal([by_mark(marks=[{"address": "192.0.2.101"}])], Code.VIP_IN_USE, "marks", "192.0.2.101", "host rs1"),
    refusal([by_mark(forward_method="fullnat", synproxy=True)], Code.NOT_FOR_PROTOCOL, "synproxy", "", "tcp", "marks"),
    refusal([by_mark(forward_method="fullnat")], Code.MISSING, "marks", "", "fullnat"),
    refusal([by_mark(forward_method="nat")], Code.MISSING, "marks", "", "nat"),
    refusal([by_mark(fwmark=0)], Code.OUT_OF_RANGE, "fwmark", "0", "1 and 4294967295"),
    # ranges and networks in marks
    refusal([marking(port="20000-10000")], Code.OUT_OF_RANGE, "marks[0].port", "'20000-10000'", "before it begins"),
    refusal([marking(ports=["0-100"])], Code.OUT_OF_RANGE, "marks[0].ports[0]", "'0-100'", "1 and 65535"),
    refusal([marking(ports=["80-65536"])], Code.OUT_OF_RANGE, "marks[0].ports[0]", "'80-65536'", "1 and 65535"),
    refusal([marking(port="80:90")], Code.NOT_AN_INTEGER, "marks[0].port", "'80:90'", "range such as 10000-20000"),
    refusal([marking(port="80-")], Code.NOT_AN_INTEGER, "marks[0].port", "'80-'"),
    refusal([marking(port="-80")], Code.OUT_OF_RANGE, "marks[0].port", "-80", "1 and 65535"),
    refusal([marking(ports=[80, "70-90"])], Code.TWICE, "marks[0].ports[1]", "'70-90'", "overlaps 80"),
    refusal([marking(ports=["70-90", 90])], Code.TWICE, "marks[0].ports[1]", "90", "overlaps 70-90"),
    refusal([marking(ports=["70-90", "70 - 90"])], Code.TWICE, "marks[0].ports[1]", "'70-90'", "listed twice"),
    refusal([marking(address="192.0.2.20/28")], Code.MALFORMED, "marks[0].address", "'192.0.2.20/28'", "192.0.2.16/28"),
    refusal(
        [marking(family="ipv6", address="2001:db8::11/124")],
        Code.MALFORMED,
        "marks[0].address",
        "'2001:db8::11/124'",
        "2001:db8::10/124",
    ),
    refusal([marking(address="198.18.0.0/23")], Code.OUT_OF_RANGE, "marks[0].address", "'198.18.0.0/23'", "512", "/24"),
    refusal(
        [marking(family="ipv6", address="2001:db8::/64")],
        Code.OUT_OF_RANGE,
        "marks[0].address",
        "'2001:db8::/64'",
        "at most 256",
        "/120",
    ),
    refusal([marking(address="192.0.2.16/33")], Code.NOT_AN_ADDRESS, "marks[0].address", "'192.0.2.16/33'"),
    refusal(
        [marking(address="192.0.2.16/255.255.255.240")],
        Code.NOT_AN_ADDRESS,
        "marks[0].address",
        "'192.0.2.16/255.255.255.240'",
        "such as 192.0.2.16/28",
    ),
    refusal([marking(address="192.0.2.16/")], Code.NOT_AN_ADDRESS, "marks[0].address", "'192.0.2.16/'"),
    refusal([marking(address="127.0.0.0/28")], Code.UNUSABLE_ADDRESS, "marks[0].address", "'127.0.0.0/28'", "loopback"),
    refusal(
        [marking(family="ipv6", address="::/127")],
        Code.UNUSABLE_ADDRESS,
        "marks[0].address",
        "'::/127'",
        "unspecified",
    ),
    refusal(
        [marking(address="2001:db8::10/124")],
        Code.OTHER_FAMILY,
        "marks[0].address",
        "2001:db8::10/124",
        "is ipv6",
    ),
    refusal([marking(address="192.0.2.100/30")], Code.VIP_IN_USE, "marks", "192.0.2.101", "host rs1"),
    refusal(
        [marking(forward_method="nat", port="10000-65535", protocol="udp")],
        Code.NOT_FOR_METHOD,
        "marks",
        "10000-65535",
        "end with 65534",
    ),
    # ports
    refusal([service(port=...)], Code.MISSING, "ports", "", "give port"),
    refusal([service(ports=[443])], Code.EXCLUSIVE_KEYS, "ports", "[443]", "port 80"),
    refusal([service(port=65536)], Code.OUT_OF_RANGE, "port", "65536", "0 and 65535"),
    refusal([service(port=-1)], Code.OUT_OF_RANGE, "port", "-1", "0 and 65535"),
    refusal([service(port="http")], Code.NOT_AN_INTEGER, "port", "'http'"),
    refusal([service(port=80.0)], Code.NOT_AN_INTEGER, "port", "80.0"),
    refusal([service(port=True)], Code.NOT_AN_INTEGER, "port", "true"),
    refusal([service(port=0)], Code.NEEDS_KEY, "port", "0", "persistence"),
    refusal([service(port=..., ports=[80, 0])], Code.NEEDS_KEY, "ports", "0", "persistence"),
    refusal([service(port=..., ports=[80, "80"])], Code.TWICE, "ports[1]", "80"),
    refusal([service(port=..., ports=[])], Code.EMPTY, "ports"),
    refusal([service(port=..., ports="80,443")], Code.NOT_A_LIST, "ports", "'80,443'"),
    refusal([service(port=..., ports=[80, [443]])], Code.NOT_AN_INTEGER, "ports[1]", "[443]"),
    refusal([service(port="10000-20000")], Code.NEEDS_KEY, "port", "'10000-20000'", "fwmark"),
    refusal([service(port=..., ports=[80, "90-99"])], Code.NEEDS_KEY, "ports", "'90-99'", "ports: [80, 90-99]"),
    refusal([nat(port=65535)], Code.NOT_FOR_METHOD, "ports", "65535", "up to 65534"),
    refusal(
        [nat(real_servers=[{"host": "rs1", "port": 65535}])],
        Code.NOT_FOR_METHOD,
        "real_servers[0].port",
        "65535",
        "up to 65534",
    ),
    # scheduling
    refusal([service(protocol="icmp")], Code.UNKNOWN_WORD, "protocol", "'icmp'", "tcp udp sctp"),
    refusal([service(protocol="TCP")], Code.UNKNOWN_WORD, "protocol", "'TCP'", "'tcp'"),
    refusal(
        [service(scheduler=1)],
        Code.UNKNOWN_WORD,
        "scheduler",
        "1",
        "rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh twos",
    ),
    refusal(
        [service(scheduler_flags=["sh-port"])], Code.NOT_FOR_TYPE, "scheduler_flags[0]", "'sh-port'", "scheduler wlc"
    ),
    refusal(
        [service(scheduler="sh", scheduler_flags=["sh-prot"])],
        Code.UNKNOWN_WORD,
        "scheduler_flags[0]",
        "'sh-prot'",
        "'sh-port'",
    ),
    refusal([service(scheduler_flags="sh-port")], Code.NOT_A_LIST, "scheduler_flags", "'sh-port'"),
    refusal([service(one_packet=True)], Code.NOT_FOR_PROTOCOL, "one_packet", "", "udp", "tcp"),
    refusal([service(one_packet="maybe")], Code.NOT_A_BOOLEAN, "one_packet", "'maybe'"),
    # persistence
    refusal([service(persistence=300)], Code.NOT_A_MAPPING, "persistence", "300"),
    refusal([service(persistence={"timeuot": 3})], Code.UNKNOWN_KEY, "persistence.timeuot", "", "'timeout'"),
    refusal([service(persistence={"timeout": 0})], Code.OUT_OF_RANGE, "persistence.timeout", "0", "1 and 2678400"),
    refusal([service(persistence={"netmask": 0})], Code.OUT_OF_RANGE, "persistence.netmask", "0", "1 and 32"),
    refusal([service(persistence={"netmask": 64})], Code.OUT_OF_RANGE, "persistence.netmask", "64", "1 and 32"),
    refusal(
        [service(persistence={"netmask": "255.0.255.0"})],
        Code.MALFORMED,
        "persistence.netmask",
        "'255.0.255.0'",
        "mask",
    ),
    refusal([service(persistence={"netmask": "0.0.0.0"})], Code.MALFORMED, "persistence.netmask", "'0.0.0.0'", "mask"),
    refusal([service(persistence={"engine": "http"})], Code.UNKNOWN_WORD, "persistence.engine", "'http'", "sip"),
    # forwarding
    refusal([service(forward_method="masq")], Code.UNKNOWN_WORD, "forward_method", "'masq'", "nat dr tun fullnat"),
    refusal([service(tunnel={"type": "gue", "port": 6080})], Code.NOT_FOR_METHOD, "tunnel", "", "tun", "dr"),
    refusal([tun(tunnel={"type": "vxlan"})], Code.UNKNOWN_WORD, "tunnel.type", "'vxlan'", "ipip gue gre"),
    refusal([tun(tunnel={"type": "gue"})], Code.MISSING, "tunnel.port", "", "gue", "UDP port"),
    refusal([tun(tunnel={"type": "gre", "port": 6080})], Code.NOT_FOR_TYPE, "tunnel.port", "6080", "gue", "gre"),
    refusal(
        [tun(tunnel={"type": "gre", "checksum": "remcsum"})], Code.NOT_FOR_TYPE, "tunnel.checksum", "'remcsum'", "gre"
    ),
    refusal([service(port=21, helper="ftp")], Code.NOT_FOR_METHOD, "helper", "'ftp'", "nat", "dr"),
    refusal(
        [nat(port=21, helper="ftp", protocol="udp")],
        Code.NOT_FOR_PROTOCOL,
        "helper",
        "'ftp'",
        "tcp services with an address",
    ),
    refusal([nat(port=2121, helper="ftp")], Code.NOT_FOR_PROTOCOL, "helper", "'ftp'", "port 21"),
    refusal([nat(port=21, helper="tfp")], Code.UNKNOWN_WORD, "helper", "'tfp'", "'ftp'"),
    refusal([service(synproxy=True)], Code.NOT_FOR_METHOD, "synproxy", "", "nat and fullnat", "dr"),
    refusal([nat(synproxy=True, protocol="udp")], Code.NOT_FOR_PROTOCOL, "synproxy", "", "tcp", "udp"),
    # real servers
    refusal([service(real_servers=...)], Code.MISSING, "real_servers"),
    refusal([service(real_servers={"group": "web"})], Code.NOT_A_LIST, "real_servers", "{'group': 'web'}"),
    refusal([servers("rs1")], Code.NOT_A_MAPPING, "real_servers[0]", "'rs1'", "{host: rs1}"),
    refusal([servers({"weight": 1})], Code.MISSING, "real_servers[0]", "", "group, host, address", "none"),
    refusal(
        [servers({"host": "rs1", "group": "web"})],
        Code.EXCLUSIVE_KEYS,
        "real_servers[0]",
        "",
        "group, host, address",
        "group and host",
    ),
    refusal([servers({"group": ["web"]})], Code.MALFORMED, "real_servers[0].group", "['web']", "inventory group"),
    refusal([servers({"host": "rs1", "wieght": 1})], Code.UNKNOWN_KEY, "real_servers[0].wieght", "", "'weight'"),
    refusal(
        [servers({"host": "rs1", "weight": -1})], Code.OUT_OF_RANGE, "real_servers[0].weight", "-1", "0 and 2147483647"
    ),
    refusal([servers({"host": "rs1", "weight": 1.5})], Code.NOT_AN_INTEGER, "real_servers[0].weight", "1.5"),
    refusal([servers({"host": "rs1", "weight": True})], Code.NOT_AN_INTEGER, "real_servers[0].weight", "true"),
    refusal(
        [servers({"host": "rs1", "weight": "1" * 5000})],
        Code.NOT_AN_INTEGER,
        "real_servers[0].weight",
        "'11111111111111111111111111111111...111111111111111111111111111111111'",
    ),
    refusal(
        [servers({"host": "rs1", "weight": 10**5000})],
        Code.OUT_OF_RANGE,
        "real_servers[0].weight",
        "a number of more than 30 digits",
        "0 and 2147483647",
    ),
    refusal(
        [servers({"host": "rs1", "upper_threshold": 5, "lower_threshold": 6})],
        Code.EXCEEDS,
        "real_servers[0].lower_threshold",
        "6",
        "upper_threshold 5",
    ),
    refusal(
        [servers({"group": "web", "lower_threshold": 6}, {"host": "rs1", "upper_threshold": 9})],
        Code.NEEDS_KEY,
        "real_servers[0].lower_threshold",
        "6",
        "upper_threshold",
    ),
    refusal([servers({"address": "10.0.0.300"})], Code.NOT_AN_ADDRESS, "real_servers[0].address", "'10.0.0.300'"),
    refusal(
        [servers({"address": "169.254.169.254"})],
        Code.UNUSABLE_ADDRESS,
        "real_servers[0].address",
        "'169.254.169.254'",
        "link-local",
    ),
    refusal(
        [check("tcp", sorry_server={"address": "169.254.1.1"})],
        Code.UNUSABLE_ADDRESS,
        "sorry_server.address",
        "'169.254.1.1'",
        "link-local",
    ),
    refusal(
        [check("tcp", sorry_server={"address": "fe80::1"})],
        Code.UNUSABLE_ADDRESS,
        "sorry_server.address",
        "'fe80::1'",
        "link-local",
    ),
    refusal(
        [servers({"address": "fe80::7"})], Code.UNUSABLE_ADDRESS, "real_servers[0].address", "'fe80::7'", "link-local"
    ),
    refusal(
        [servers({"address": "2001:db8::7"})],
        Code.OTHER_FAMILY,
        "real_servers[0].address",
        "2001:db8::7",
        "is ipv6",
        "service is ipv4",
        "dr",
    ),
    refusal(
        [servers({"host": "rs1"}, {"host": "rs1"})],
        Code.SERVER_TWICE,
        "real_servers[1]",
        "192.0.2.101",
        "host rs1",
        "real_servers[0]",
    ),
    refusal(
        [servers({"group": "web"}, {"group": "real_servers"})],
        Code.SERVER_TWICE,
        "real_servers[1]",
        "192.0.2.22",
        "host rs2",
        "real_servers[0]",
    ),
    refusal(
        [servers({"group": "web"}, {"group": "real_servers"}, {"host": "rs2"})],
        Code.SERVER_TWICE,
        "real_servers[1]",
        "rs2",
        "real_servers[0]",
    ),
    refusal(
        [servers({"host": "rs1"}, {"host": "rs1", "port": 80})],
        Code.SERVER_TWICE,
        "real_servers[1]",
        "192.0.2.101",
        "host rs1",
        "real_servers[0]",
    ),
    refusal(
        [nat(port=..., ports=[80, 443], real_servers=[{"host": "rs1"}, {"host": "rs1", "port": 443}])],
        Code.SERVER_TWICE,
        "real_servers[1]",
        "192.0.2.101",
        "host rs1",
        "real_servers[0]",
    ),
    refusal([service(**{"\x07": 1})], Code.UNKNOWN_KEY, "'\\x07'", "", "name address fwmark"),
    refusal(
        [servers({"host": "rs1"}, {"address": "192.0.2.101"})],
        Code.SERVER_TWICE,
        "real_servers[1]",
        "192.0.2.101",
        "real_servers[0]",
    ),
    refusal(
        [nat(real_servers=[{"host": "rs1", "port": 0}])],
        Code.OUT_OF_RANGE,
        "real_servers[0].port",
        "0",
        "service's own port",
    ),
    refusal(
        [nat(port=0, persistence={}, real_servers=[{"host": "rs1", "port": 80}])],
        Code.PORT_IS_KEPT,
        "real_servers[0].port",
        "80",
        "every port",
    ),
    # VIPs and hosts' own addresses
    refusal(
        [service(address="192.0.2.101", real_servers=[{"host": "rs1"}])],
        Code.VIP_IN_USE,
        "address",
        "192.0.2.101",
        "host rs1",
    ),
    refusal([service(address="192.0.2.2")], Code.VIP_IN_USE, "address", "192.0.2.2", "director lb1"),
    refusal(
        [service(), servers({"address": "192.0.2.10"}) | {"name": "loop", "port": 81}],
        Code.VIP_IN_USE,
        "address",
        "192.0.2.10",
        "a real server",
    ),
    # health checks
    refusal(
        [service(health_check={})], Code.MISSING, "health_check.type", "", "http https tcp udp dns smtp ping misc file"
    ),
    refusal([service(health_check="tcp")], Code.NOT_A_MAPPING, "health_check", "'tcp'"),
    refusal([service(health_check={"type": "htp"})], Code.UNKNOWN_WORD, "health_check.type", "'htp'", "'http'"),
    refusal([check("tcp", pth="/")], Code.UNKNOWN_KEY, "health_check.pth", "", "'path'"),
    refusal([check("tcp", path="/")], Code.NOT_FOR_TYPE, "health_check.path", "", "http, https and file", "tcp"),
    refusal([check("dns", status=200)], Code.NOT_FOR_TYPE, "health_check.status", "", "http and https", "dns"),
    refusal([check("http", command="/bin/true")], Code.NOT_FOR_TYPE, "health_check.command", "", "misc", "http"),
    refusal(
        [check("ping", port=80)],
        Code.NOT_FOR_TYPE,
        "health_check.port",
        "",
        "http, https, tcp, udp, dns, smtp, ftp",
        "redis and grpc",
        "ping",
    ),
    refusal(
        [check("file", path="/etc/out", interval=5)],
        Code.NOT_FOR_TYPE,
        "health_check.interval",
        "",
        "periodic checks",
        "file",
    ),
    refusal([check("http", path="healthz")], Code.MALFORMED, "health_check.path", "'healthz'", "path", "'/'"),
    refusal([check("http", path='/a"b')], Code.MALFORMED, "health_check.path", "'/a\"b'", "path", "'/'"),
    refusal([check("http", path="/$a")], Code.MALFORMED, "health_check.path", "'/$a'", "path", "'/'"),
    refusal([check("http", host="a b")], Code.MALFORMED, "health_check.host", "'a b'", "name of a host", "port"),
    refusal([check("http", status=99)], Code.OUT_OF_RANGE, "health_check.status", "99", "100 and 599"),
    refusal([check("http", port=0)], Code.OUT_OF_RANGE, "health_check.port", "0", "1 and 65535"),
    refusal([check("http", interval=0)], Code.OUT_OF_RANGE, "health_check.interval", "0", "0.1 and 86400"),
    refusal([check("http", interval="soon")], Code.NOT_SECONDS, "health_check.interval", "'soon'"),
    refusal([check("http", interval=True)], Code.NOT_SECONDS, "health_check.interval", "true"),
    refusal([check("http", timeout="nan")], Code.OUT_OF_RANGE, "health_check.timeout", "'nan'", "0.1 and 86400"),
    refusal([check("http", retries=-1)], Code.OUT_OF_RANGE, "health_check.retries", "-1", "0 and 1000"),
    refusal([check("http", alpha="maybe")], Code.NOT_A_BOOLEAN, "health_check.alpha", "'maybe'"),
    refusal([check("dns")], Code.MISSING, "health_check.name", "", "name"),
    refusal([check("dns", name="a..b")], Code.MALFORMED, "health_check.name", "'a..b'", "domain name"),
    refusal(
        [check("dns", name="a", record="SRV")],
        Code.UNKNOWN_WORD,
        "health_check.record",
        "'SRV'",
        "A AAAA CNAME MX NS SOA TXT",
    ),
    refusal([check("smtp", helo="a b")], Code.MALFORMED, "health_check.helo", "'a b'", "name of a host"),
    refusal([check("http", digest="abc")], Code.MALFORMED, "health_check.digest", "'abc'", "MD5", "32"),
    refusal([check("tcp", mark=0)], Code.OUT_OF_RANGE, "health_check.mark", "0", "4294967295"),
    refusal([check("tcp", interface="a b")], Code.MALFORMED, "health_check.interface", "'a b'", "interface name"),
    refusal([check("ping", interface="eth1")], Code.NOT_FOR_TYPE, "health_check.interface", "", "ping"),
    refusal(
        [check("misc", command="/bin/a", connect_address="192.0.2.1")],
        Code.NOT_FOR_TYPE,
        "health_check.connect_address",
    ),
    refusal([check("tcp", connect_address="rs1")], Code.NOT_AN_ADDRESS, "health_check.connect_address", "'rs1'"),
    refusal(
        [service(health_check={"type": "tcp", "family": "ipv5"})],
        Code.UNKNOWN_WORD,
        "health_check.family",
        "'ipv5'",
        "ipv6",
    ),
    refusal(
        [service(health_check={"type": "tcp", "family": "ipv6", "connect_address": "192.0.2.7"})],
        Code.EXCLUSIVE_KEYS,
        "health_check.family",
        "'ipv6'",
        "connect_address",
    ),
    refusal([check("tcp", dynamic=True)], Code.NOT_FOR_TYPE, "health_check.dynamic", "", "misc", "tcp"),
    refusal([check("tcp", warmup=-1)], Code.OUT_OF_RANGE, "health_check.warmup", "-1"),
    refusal([check("misc")], Code.MISSING, "health_check.command", "", "command"),
    refusal([check("misc", command="true")], Code.MALFORMED, "health_check.command", "'true'", "absolute path"),
    refusal(
        [check("misc", command="/tmp/check --all")],  # noqa: S108
        Code.PRIVATE_DIRECTORY,
        "health_check.command",
        "'/tmp/check --all'",
        "another directory",
    ),
    refusal(
        [check("file", path="/var/tmp/state")],  # noqa: S108
        Code.PRIVATE_DIRECTORY,
        "health_check.path",
        "'/var/tmp/state'",
        "another directory",
    ),
    refusal([check("misc", command="/a $b")], Code.MALFORMED, "health_check.command", "'/a $b'", "contains '$'"),
    refusal([check("misc", command="/a 'b'")], Code.MALFORMED, "health_check.command", "\"/a 'b'\"", '"\'"'),
    refusal([check("misc", command='/a "b"')], Code.MALFORMED, "health_check.command", "'/a \"b\"'", "'\"'"),
    refusal([check("misc", command="/a \\b")], Code.MALFORMED, "health_check.command", "'/a \\\\b'", "contains"),
    refusal([check("misc", command="/a \u00e9")], Code.MALFORMED, "health_check.command", "'/a \u00e9'", "'\u00e9'"),
    *(
        refusal(
            [check("misc", command=f"/bin/a {word} b")],
            Code.MALFORMED,
            "health_check.command",
            f"'/bin/a {word} b'",
            f"contains the word '{word}'",
            "put it into a script",
        )
        for word in (">", ">>", "<", "|", "||", ";", "&", "&&", "2>", ">/dev/null", "2>&1", "&>/dev/null")
    ),
    refusal([check("tcp", quorum_up="/bin/a | b")], Code.MALFORMED, "health_check.quorum_up", "'/bin/a | b'", "'|'"),
    *(
        refusal(
            [check("misc", command=f"/bin/a {word}")],
            Code.UNKNOWN_WORD,
            "health_check.command",
            f"'/bin/a {word}'",
            f"has {word}",
        )
        for word in ("{rs1}", "{rs-1}")
    ),
    refusal([check("misc", command="/")], Code.MALFORMED, "health_check.command", "'/'", "2 to 800"),
    refusal([check("misc", command=["/bin/true"])], Code.MALFORMED, "health_check.command", "['/bin/true']", "string"),
    refusal([check("tcp", quorum_up="true")], Code.MALFORMED, "health_check.quorum_up", "'true'", "absolute path"),
    refusal([check("tcp", quorum_down="/a 'b'")], Code.MALFORMED, "health_check.quorum_down", "\"/a 'b'\"", "contains"),
    refusal([check("tcp", quorum_down=["/a"])], Code.MALFORMED, "health_check.quorum_down", "['/a']", "string"),
    refusal(
        [check("tcp", quorum_up="/tmp/up")],  # noqa: S108
        Code.PRIVATE_DIRECTORY,
        "health_check.quorum_up",
        "'/tmp/up'",
        "another directory",
    ),
    *(
        refusal(
            [check("tcp", quorum_up=f"/a {word}")],
            Code.UNKNOWN_WORD,
            "health_check.quorum_up",
            f"'/a {word}'",
            word,
            "{vip}, {vport}",
        )
        for word in ("{address}", "{port}", "{name}", "{vips}", "{VIP}")
    ),
    refusal(
        [by_mark(health_check={"type": "ping", "quorum_up": "/a {vip}"})],
        Code.NOT_FOR_TYPE,
        "health_check.quorum_up",
        "'/a {vip}'",
        "{vip}",
        "fwmark service",
    ),
    refusal(
        [by_mark(health_check={"type": "ping", "quorum_down": "/a {vport}"})],
        Code.NOT_FOR_TYPE,
        "health_check.quorum_down",
        "'/a {vport}'",
        "{vport}",
        "fwmark service",
    ),
    refusal(
        [check("ping", service_port=0, persistence={}, quorum_down="/a {vport}")],
        Code.NOT_FOR_TYPE,
        "health_check.quorum_down",
        "'/a {vport}'",
        "{vport}",
        "every port",
    ),
    refusal(
        [check("tcp", quorum_up="/" + "{vip}" * 85)],
        Code.MALFORMED,
        "health_check.quorum_up",
        show("/" + "192.0.2.10" * 85),
        "2 to 800 characters",
    ),
    refusal([check("tcp", omega="x")], Code.NOT_A_BOOLEAN, "health_check.omega", "'x'"),
    refusal([check("tcp", email="ops@example.net")], Code.NOT_A_BOOLEAN, "health_check.email", "'ops@example.net'"),
    refusal(
        [servers({"host": "rs1", "health_check": {"quorum_up": "/a"}}) | {"health_check": {"type": "tcp"}}],
        Code.UNKNOWN_KEY,
        "real_servers[0].health_check.quorum_up",
        "",
        "that of the service",
    ),
    refusal(
        [service(health_check=[{"type": "tcp", "email": False}, {"type": "ping", "email": False}])],
        Code.TWICE,
        "health_check[1].email",
    ),
    refusal(
        [check("misc", command="/bin/true", timeout=0.5)], Code.NOT_AN_INTEGER, "health_check.timeout", "0.5", "misc"
    ),
    refusal([check("mysql")], Code.MISSING, "health_check.user", "", "user"),
    refusal([check("pgsql")], Code.MISSING, "health_check.user", "", "user"),
    refusal([check("radius")], Code.MISSING, "health_check.credentials", "", "shared secret"),
    refusal([check("redis", timeout=0.5)], Code.NOT_AN_INTEGER, "health_check.timeout", "0.5", "redis"),
    refusal(
        [check("https", tls={}, timeout=2.5)], Code.NOT_AN_INTEGER, "health_check.timeout", "2.5", "https with tls"
    ),
    refusal(
        [check("ftp", user="a")], Code.NOT_FOR_TYPE, "health_check.user", "", "ldap, mysql, pgsql and redis", "ftp"
    ),
    refusal([check("redis", mark=1)], Code.NOT_FOR_TYPE, "health_check.mark", "", "smtp only", "redis"),
    refusal([check("imap", interface="eth1")], Code.NOT_FOR_TYPE, "health_check.interface", "", "imap"),
    refusal([check("http", tls={})], Code.NOT_FOR_TYPE, "health_check.tls", "", "https, ftp", "http"),
    refusal([check("mysql", user="a", database="b")], Code.NOT_FOR_TYPE, "health_check.database", "", "pgsql"),
    refusal([check("https", tls={}, mark=1)], Code.EXCLUSIVE_KEYS, "health_check.mark", "", "tls"),
    refusal([check("https", tls={}, interface="eth1")], Code.EXCLUSIVE_KEYS, "health_check.interface", "", "tls"),
    refusal([check("https", tls=True)], Code.NOT_A_MAPPING, "health_check.tls", "true", "{} for the defaults"),
    refusal([check("https", tls={"cafile": "/a"})], Code.UNKNOWN_KEY, "health_check.tls.cafile"),
    refusal([check("https", tls={"status": 200})], Code.UNKNOWN_KEY, "health_check.tls.status", "", "health_check"),
    refusal([check("https", tls={"ca": "ca.pem"})], Code.MALFORMED, "health_check.tls.ca", "'ca.pem'", "absolute path"),
    refusal(
        [check("https", tls={"ca": "/tmp/ca.pem"})],  # noqa: S108
        Code.PRIVATE_DIRECTORY,
        "health_check.tls.ca",
        "'/tmp/ca.pem'",
    ),
    refusal(
        [check("redis", credentials="/var/tmp/a")],  # noqa: S108
        Code.PRIVATE_DIRECTORY,
        "health_check.credentials",
        "'/var/tmp/a'",
    ),
    refusal([check("redis", credentials="secret")], Code.MALFORMED, "health_check.credentials", "'secret'", "path"),
    refusal([check("https", tls={"name": "a b"})], Code.MALFORMED, "health_check.tls.name", "'a b'", "host", "address"),
    refusal([check("https", tls={"name": "{nam}"})], Code.UNKNOWN_WORD, "health_check.tls.name", "'{nam}'", "{name}"),
    refusal(
        [check("ldap", name="dc=\u00e9")], Code.MALFORMED, "health_check.name", "'dc=\u00e9'", "distinguished name"
    ),
    refusal([check("ldap", name="")], Code.MALFORMED, "health_check.name", "''", "1 to 255"),
    refusal([check("grpc", name="a b")], Code.MALFORMED, "health_check.name", "'a b'", "name of a service"),
    refusal([check("pgsql", user="a\nb")], Code.MALFORMED, "health_check.user", "'a\\nb'", "printable ASCII"),
    refusal([check("ldap", user="cn=a")], Code.NEEDS_KEY, "health_check.user", "", "credentials", "ldap"),
    refusal([check("redis", user="a")], Code.NEEDS_KEY, "health_check.user", "", "credentials", "redis"),
    refusal([check("ldap", credentials="/etc/a")], Code.NEEDS_KEY, "health_check.credentials", "", "user", "ldap"),
    refusal(
        [check("https", tls={}, body="%" * 180, path="/" + "a" * 300)],
        Code.EXCEEDS,
        "health_check",
        "",
        "more than 800",
    ),
    refusal([check("redis", service_port=0, persistence={})], Code.MISSING, "health_check.port", "", "every port"),
    refusal(
        [by_mark(health_check={"type": "pgsql", "port": 1, "user": "a", "database": "{vport}"})],
        Code.NOT_FOR_TYPE,
        "health_check.database",
        "'{vport}'",
        "{vport}",
    ),
    refusal(
        [by_mark(health_check={"type": "pop", "port": 1, "tls": {"name": "{vip}"}})],
        Code.NOT_FOR_TYPE,
        "health_check.tls.name",
        "'{vip}'",
        "{vip}",
    ),
    refusal([check("file")], Code.MISSING, "health_check.path", "", "file"),
    refusal([check("file", path="out")], Code.MALFORMED, "health_check.path", "'out'", "absolute path"),
    refusal([check("http", service_port=0, persistence={})], Code.MISSING, "health_check.port", "", "every port"),
    refusal(
        [check("tcp", fwmark=21, family="ipv4", address=..., service_port=...)],
        Code.MISSING,
        "health_check.port",
        "",
        "fwmark",
    ),
    # what the pool has to be for it
    refusal([check("tcp", quorum=0)], Code.OUT_OF_RANGE, "health_check.quorum", "0", "1 and 4294967295"),
    refusal([check("tcp", quorum=3)], Code.EXCEEDS, "health_check.quorum", "3", "2"),
    refusal(
        [check("tcp", real_servers=[{"group": "web", "weight": 0}])], Code.EXCEEDS, "health_check.quorum", "1", "0"
    ),
    refusal(
        [check("tcp", real_servers=[{"group": "real_servers", "weight": 2**31 - 1}])],
        Code.OUT_OF_RANGE,
        "real_servers",
        "6442450941",
        "4294967295",
    ),
    refusal([check("tcp", quorum=2, hysteresis=2)], Code.EXCEEDS, "health_check.hysteresis", "2", "quorum 2"),
    refusal(
        [check("tcp", quorum=2, hysteresis=1)], Code.EXCEEDS, "health_check.hysteresis", "1", "quorum 2", "total weight"
    ),
    # sorry servers
    refusal([service(sorry_server={"address": "198.51.100.9"})], Code.NEEDS_KEY, "sorry_server", "", "health_check"),
    refusal([check("tcp", sorry_server={})], Code.MISSING, "sorry_server.address"),
    refusal(
        [check("tcp", sorry_server={"address": "2001:db8::9"})],
        Code.OTHER_FAMILY,
        "sorry_server.address",
        "2001:db8::9",
        "is ipv6",
        "service is ipv4",
    ),
    refusal(
        [check("tcp", sorry_server={"address": "198.51.100.9", "port": 81})],
        Code.PORT_IS_KEPT,
        "sorry_server.port",
        "81",
        "port 80",
        "dr",
    ),
    refusal(
        [check("ping", service_port=0, persistence={}, sorry_server={"address": "198.51.100.9", "port": 80})],
        Code.PORT_IS_KEPT,
        "sorry_server.port",
        "80",
        "every port",
    ),
    refusal(
        [check("tcp", sorry_server={"address": "192.0.2.101"})],
        Code.SERVER_TWICE,
        "sorry_server.address",
        "192.0.2.101",
        "real_servers[0]",
    ),
    refusal(
        [check("tcp", sorry_server={"address": "198.51.100.9"}), service(name="b", address="198.51.100.9")],
        Code.VIP_IN_USE,
        "address",
        "198.51.100.9",
        "the sorry server of service web",
        where="service b",
    ),
]


@pytest.mark.parametrize(("description", "wanted"), REFUSALS)
def test_refusal(build: Build, description: object, wanted: Expected) -> None:
    with pytest.raises(ModelError) as caught:
        build(description)
    wanted.check(caught.value.problems[0])


@pytest.mark.parametrize(
    ("described", "code", "key", "value"),
    [
        (
            service(forward_method="masq", tunnel={"type": "gre"}, real_servers=[{"host": "rs1", "port": 8080}]),
            Code.UNKNOWN_WORD,
            "forward_method",
            "'masq'",
        ),
        (service(forward_method="masq", synproxy=True), Code.UNKNOWN_WORD, "forward_method", "'masq'"),
        (service(forward_method="masq", helper="ftp", port=21), Code.UNKNOWN_WORD, "forward_method", "'masq'"),
        (
            servers({"address": "2001:db8::7"}) | {"forward_method": "tunel"},
            Code.UNKNOWN_WORD,
            "forward_method",
            "'tunel'",
        ),
        (
            servers({"host": "rs1", "forward_method": ["nat"]}),
            Code.UNKNOWN_WORD,
            "real_servers[0].forward_method",
            "['nat']",
        ),
        (service(protocol="upd", one_packet=True), Code.UNKNOWN_WORD, "protocol", "'upd'"),
        (nat(protocol="TCP", synproxy=True), Code.UNKNOWN_WORD, "protocol", "'TCP'"),
        (nat(protocol="TCP", helper="ftp", port=21), Code.UNKNOWN_WORD, "protocol", "'TCP'"),
        (nat(helper="ftp", port="ftp"), Code.NOT_AN_INTEGER, "port", "'ftp'"),
        (service(scheduler="hs", scheduler_flags=["sh-port"]), Code.UNKNOWN_WORD, "scheduler", "'hs'"),
        (tun(tunnel={"type": "geu", "port": 6080}), Code.UNKNOWN_WORD, "tunnel.type", "'geu'"),
        (by_mark(fwmark=0), Code.OUT_OF_RANGE, "fwmark", "0"),
        (by_mark(fwmark="x", one_packet=True), Code.NOT_AN_INTEGER, "fwmark", "'x'"),
        (
            by_mark(forward_method="nat", synproxy=True, marks=[{"address": "192.0.2.10", "protocol": "TCP"}]),
            Code.UNKNOWN_WORD,
            "marks[0].protocol",
            "'TCP'",
        ),
        (check("http", quorum="two", hysteresis=1), Code.NOT_AN_INTEGER, "health_check.quorum", "'two'"),
        (
            check("tcp", port="ssh", fwmark=21, family="ipv4", address=..., service_port=...),
            Code.NOT_AN_INTEGER,
            "health_check.port",
            "'ssh'",
        ),
    ],
)
def test_a_wrong_value_has_no_second_line(build: Build, described: object, code: Code, key: str, value: str) -> None:
    """Its default is not the user's, so no check of another value rests on it."""
    with pytest.raises(ModelError) as caught:
        build([described])
    check_all(caught.value.problems, expected(code, "service web", key, value))


def test_a_value_of_another_form_is_told_which(build: Build) -> None:
    """The examples of mappings, the ranges of integers, and the unit of seconds."""
    described = service(
        persistence=300,
        tunnel="gre",
        health_check="http",
        sorry_server="192.0.2.99",
    )
    with pytest.raises(ModelError) as caught:
        build(["web", described, check("http", status="ok", timeout="5m", retries="x") | {"name": "b"}])
    check_all(
        caught.value.problems,
        expected(Code.NOT_A_MAPPING, "lvs_virtual_services[0]", "", "'web'", "such as {name: web, address:"),
        expected(Code.NOT_A_MAPPING, "service web", "persistence", "300", "such as {timeout: 300}"),
        expected(Code.NOT_A_MAPPING, "service web", "tunnel", "'gre'", "such as {type: gre}"),
        expected(Code.NOT_A_MAPPING, "service web", "health_check", "'http'", "such as {type: http}"),
        expected(Code.NOT_A_MAPPING, "service web", "sorry_server", "'192.0.2.99'", "such as {address:"),
        expected(Code.NOT_SECONDS, "service b", "health_check.timeout", "'5m'", "seconds from 0.1 to 86400"),
        expected(Code.NOT_AN_INTEGER, "service b", "health_check.retries", "'x'", "integer from 0 to 1000"),
        expected(Code.NOT_AN_INTEGER, "service b", "health_check.status", "'ok'", "status from 100 to 599"),
    )


@pytest.mark.parametrize(
    ("described", "key", "value", "says"),
    [
        (service(persistence={"timeout": "5m"}), "persistence.timeout", "'5m'", "seconds from 1 to 2678400"),
        (service(persistence={"timeout": 0}), "persistence.timeout", "0", "1 and 2678400 seconds"),
        (check("http", interval=0), "health_check.interval", "0", "0.1 and 86400 seconds"),
    ],
)
def test_seconds_have_their_unit(build: Build, described: object, key: str, value: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        build([described])
    (problem,) = caught.value.problems
    expected(problem.code, "service web", key, value, says).check(problem)


@pytest.mark.parametrize(
    ("settings", "where", "key", "value", "says"),
    [
        ({"director_timeouts": {"tcp": "5m"}}, "director_timeouts", "tcp", "'5m'", "seconds from 1 to 2147483"),
        (
            {"director_track_scripts": [{"name": "up", "command": "/bin/true", "interval": "5s"}]},
            "director_track_scripts[0]",
            "interval",
            "'5s'",
            "seconds from 1 to 86400",
        ),
    ],
)
def test_settings_in_seconds_have_their_unit(
    build: Build, settings: dict[str, object], where: str, key: str, value: str, says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        support.director(build([service()]), "lb1", **settings)
    check_all(caught.value.problems, expected(Code.NOT_AN_INTEGER, where, key, value, says))


@pytest.mark.parametrize(
    ("described", "key", "says"),
    [
        (service(quorum=2), "quorum", "of a service, but of health_check"),
        (service(retries=2), "retries", "but of health_check"),
        (service(path="/"), "path", "but of health_check"),
        (service(type="http"), "type", "but of tunnel and of health_check"),
        (service(timeout=300), "timeout", "but of persistence and of health_check"),
        (service(weight=2), "weight", "but of a real server"),
        (service(host="rs1"), "host", "but of a real server and of health_check"),
        (servers({"host": "rs1", "scheduler": "rr"}), "real_servers[0].scheduler", "but of a service"),
        (service(persistence={"scheduler": "rr"}), "persistence.scheduler", "but of a service"),
        (service(health_check={"type": "tcp", "ports": [80]}), "health_check.ports", "but of a service"),
    ],
)
def test_a_key_of_another_level_is_told_where_it_belongs(build: Build, described: object, key: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        build([described])
    (problem,) = caught.value.problems
    expected(Code.UNKNOWN_KEY, "service web", key, "").check(problem)
    assert says in problem.text


def test_a_wrong_group_has_no_family() -> None:
    problems = Problems()
    given = {"director_sync_daemon": {"group": "all"}, "director_sync_senders": ["fe80::2"]}
    read_director_settings({"director_interface": "eth1", **given}, problems)
    check_all(problems.found, expected(Code.NOT_AN_ADDRESS, "director_sync_daemon", "group", "'all'"))


def test_two_hosts_with_one_address(inventory: dict[str, Any]) -> None:
    hostvars = {**inventory["hostvars"], "rs1": {"lvs_address": "192.0.2.22"}}
    with pytest.raises(ModelError) as caught:
        build_cluster([service()], inventory["groups"], hostvars)
    address = expected(Code.ADDRESS_TWICE, "service web", "real_servers[0]", "192.0.2.22", "rs1", "rs2")
    check_all(caught.value.problems, address)


def test_a_director_is_no_real_server() -> None:
    groups = {"all": ["lb1"], "directors": ["lb1"], "real_servers": ["lb1"]}
    with pytest.raises(ModelError) as caught:
        build_cluster([servers({"host": "lb1"})], groups, {"lb1": {"lvs_address": "192.0.2.2"}})
    check_all(
        caught.value.problems,
        expected(Code.DIRECTOR_AS_SERVER, "service web", "real_servers[0]", "lb1", "balances requests again"),
    )


def test_a_director_is_no_real_server_behind_nat() -> None:
    groups = {"all": ["lb1"], "directors": ["lb1"], "real_servers": ["lb1"]}
    with pytest.raises(ModelError) as caught:
        build_cluster([nat(real_servers=[{"host": "lb1"}])], groups, {"lb1": {"lvs_address": "192.0.2.2"}})
    check_all(
        caught.value.problems, expected(Code.DIRECTOR_AS_SERVER, "service web", "real_servers[0]", "lb1", "replies")
    )


def test_a_director_that_may_be_the_backup_is_no_sorry_server() -> None:
    groups = {"directors": ["lb1", "lb2"], "real_servers": ["rs1"], "web": ["rs1"]}
    hostvars = {"lb1": {"lvs_address": "192.0.2.2"}, "lb2": {"lvs_address": "192.0.2.3"}}
    hostvars["rs1"] = {"lvs_address": "192.0.2.101"}
    described = [check("tcp", sorry_server={"address": "192.0.2.3"})]
    with pytest.raises(ModelError) as caught:
        build_cluster(described, groups, hostvars)
    server = expected(
        Code.DIRECTOR_AS_SERVER, "service web", "sorry_server.address", "192.0.2.3", "lb2", "balances requests again"
    )
    check_all(caught.value.problems, server)
    # The only one is no backup.
    assert build_cluster(described, {**groups, "directors": ["lb2"]}, hostvars).vips()


def gateway(code: Code, value: str, *says: str) -> Expected:
    return expected(code, "lvs_nat_gateway", "", value, *says)


@pytest.mark.parametrize(
    ("gateway", "wanted"),
    [
        (None, gateway(Code.NO_GATEWAY, "IPv4", "is missing", "service web", "moves with the VIPs")),
        ("2001:db8::1", gateway(Code.NO_GATEWAY, "IPv4", "has no", "service web", "moves with the VIPs")),
        ("192.0.2.3", gateway(Code.FIXED_GATEWAY, "192.0.2.3", "lb2")),
        ("192.0.2.101", gateway(Code.FIXED_GATEWAY, "192.0.2.101", "rs1")),
        ("gateway", gateway(Code.NOT_AN_ADDRESS, "'gateway'")),
        (["192.0.2.1", "192.0.2.4"], gateway(Code.TWICE, "192.0.2.4", "ipv4", "192.0.2.1")),
        ("224.0.0.1", gateway(Code.UNUSABLE_ADDRESS, "'224.0.0.1'", "multicast")),
    ],
)
def test_gateways_that_are_none(gateway: object, wanted: Expected) -> None:
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
        check_all(caught.value.problems, wanted)


GATEWAY_GROUPS = {"directors": ["lb1", "lb2"], "real_servers": ["rs1", "rs2", "rs3"]}
GATEWAY_HOSTS = {
    host: {"lvs_address": [f"192.0.2.{number}", f"2001:db8::{number}"], "director_interface": "eth1"}
    for number, host in enumerate(("lb1", "lb2", "rs1", "rs2", "rs3"), 2)
}
API = nat(name="api", address="192.0.2.20", real_servers=[{"host": "rs1"}, {"host": "rs2"}])


@pytest.mark.parametrize(
    ("web", "words"),
    [
        (service(real_servers=[{"group": "real_servers"}]), "(dr)"),
        (tun(real_servers=[{"group": "real_servers"}]), "(tun)"),
        (
            by_mark(marks=[{"address": "192.0.2.10"}], real_servers=[{"group": "real_servers"}]),
            "(dr)",
        ),
    ],
)
def test_a_gateway_that_a_real_server_holds_itself(web: dict[str, Any], words: str) -> None:
    cluster = build_cluster([API, web], GATEWAY_GROUPS, GATEWAY_HOSTS)
    wanted = gateway(Code.HELD_GATEWAY, "192.0.2.10", "service web", words, "rs1 and rs2 hold", "a free address")
    for host in ("rs1", "rs2"):
        with pytest.raises(ModelError) as caught:
            support.real_server(cluster, host, lvs_nat_gateway="192.0.2.10")
        check_all(caught.value.problems, wanted)
    # it has no reply to send there
    assert support.real_server(cluster, "rs3", lvs_nat_gateway="192.0.2.10")["vips"] == ["192.0.2.10"]
    assert support.director(cluster, lvs_nat_gateway="192.0.2.10")


def test_a_gateway_that_a_real_server_holds_itself_is_one_line() -> None:
    hosts = {host: {**values, "lvs_nat_gateway": "192.0.2.10"} for host, values in GATEWAY_HOSTS.items()}
    web = service(real_servers=[{"group": "real_servers"}])
    assert support.problems_of([API, web], GATEWAY_GROUPS, hosts, hosts) == (
        "rs1 and rs2: lvs_nat_gateway: 192.0.2.10 is the VIP of service web (dr), which rs1 and rs2 hold themselves: "
        "give a free address of the real servers' network"
    )


@pytest.mark.parametrize(
    "web",
    [
        service(real_servers=[{"host": "rs3"}]),
        service(forward_method="fullnat", real_servers=[{"group": "real_servers"}]),
        nat(real_servers=[{"group": "real_servers"}]),
    ],
)
def test_a_gateway_that_is_the_vip_of_others(web: dict[str, Any]) -> None:
    cluster = build_cluster([API, web], GATEWAY_GROUPS, GATEWAY_HOSTS)
    routes: Any = support.real_server(cluster, "rs1", lvs_nat_gateway="192.0.2.10")["return_route"]
    assert routes["gateways"] == ["192.0.2.10"]


def marked(name: str, fwmark: int, *traffic: dict[str, Any]) -> dict[str, Any]:
    return service(name=name, address=..., port=..., fwmark=fwmark, family="ipv4", marks=list(traffic))


@pytest.mark.parametrize(
    ("other", "key", "value"),
    [
        (
            marked("b", 2, {"address": "192.0.2.10", "protocol": "tcp", "ports": [443, 8443]}),
            "marks",
            "192.0.2.10 tcp 443",
        ),
        (marked("b", 2, {"address": "192.0.2.10"}), "marks", "192.0.2.10 tcp 80 443"),
        (service(name="b", address="192.0.2.10", port=443), "address", "192.0.2.10 tcp 443"),
        (marked("b", 2, {"address": "192.0.2.10/31", "port": "400-500"}), "marks", "192.0.2.10 tcp 443"),
        (marked("b", 2, {"address": "192.0.2.10/31", "ports": [8080, "1-80"]}), "marks", "192.0.2.10 tcp 80"),
    ],
)
def test_packets_that_are_marked_for_another_service(build: Build, other: dict[str, Any], key: str, value: str) -> None:
    with pytest.raises(ModelError) as caught:
        build([marked("a", 1, {"address": "192.0.2.10", "protocol": "tcp", "ports": [80, 443]}), other])
    check_all(caught.value.problems, expected(Code.MARKED_TWICE, "service b", key, value, "service a"))


def test_marks_side_by_side(build: Build) -> None:
    first = marked("a", 1, {"address": "192.0.2.10", "protocol": "tcp", "ports": [80, 443]})
    second = marked("b", 2, {"address": "192.0.2.10", "protocol": "udp"})
    third = marked("c", 3, {"address": "192.0.2.11"}, {"address": "192.0.2.11", "protocol": "tcp", "port": 80})
    build([first, second, third, service(name="d", address="192.0.2.10", port=8080)])
    fourth = marked("e", 5, {"address": "192.0.2.10", "ports": ["81-442", "444-65535"]}, {"address": "192.0.2.12/30"})
    build([first, second, fourth, service(name="d", address="192.0.2.16", port=8080)])


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        (["10000-20000"], ["15000-25000"], "198.18.0.16/28 udp 15000-20000"),
        (["10000-20000"], ["20000"], "198.18.0.16/28 udp 20000"),
        (["10000-20000"], ["20001-30000"], ""),
        ([53, "100-200"], ["1-99", "150-160", "190-300"], "198.18.0.16/28 udp 53 150-160 190-200"),
    ],
)
def test_networks_that_are_marked_twice(build: Build, one: list[object], other: list[object], value: str) -> None:
    both = [
        marked("a", 1, {"address": "198.18.0.16/28", "protocol": "udp", "ports": one}),
        marked("b", 2, {"address": "198.18.0.0/26", "protocol": "udp", "ports": other}),
    ]
    for description in (both, both[::-1]):
        first, second = (entry["name"] for entry in description)
        if not value:
            build(description)
            continue
        with pytest.raises(ModelError) as caught:
            build(description)
        wanted = expected(Code.MARKED_TWICE, f"service {second}", "marks", value, f"service {first}")
        check_all(caught.value.problems, wanted)


@pytest.mark.parametrize("vip", ["192.0.2.10", "2001:db8::10"])
def test_a_range_by_address_is_refused_with_the_way_out(build: Build, vip: str) -> None:
    wrong = service(
        name="rtp", address=vip, port=..., ports=["10000-20000", 5060], protocol="udp", real_servers=[{"host": "rs2"}]
    )
    with pytest.raises(ModelError) as caught:
        build([wrong])
    (problem,) = caught.value.problems
    written = yaml.safe_load(problem.text[problem.text.index("{") :])
    marks = [{"address": vip, "protocol": "udp", "ports": ["10000-20000", 5060]}]
    family = "ipv6" if ":" in vip else "ipv4"
    assert written == {"fwmark": 1, "family": family, "marks": marks}
    assert "in place of address, protocol and ports" in problem.text
    kept = {key: value for key, value in wrong.items() if key not in ("address", "protocol", "ports")}
    right = {**kept, **written}
    assert support.director(build([right]))["vips"] == support.director(build([{**wrong, "ports": [5060]}]))["vips"]


def test_the_port_of_a_server_that_ansible_does_not_manage_needs_no_rule(build: Build) -> None:
    build([nat(port=65535, real_servers=[{"address": "198.51.100.7"}])])
    build([service(port=65535)])


@pytest.mark.parametrize(
    ("traffic", "method", "code", "says"),
    [
        ("all", "dr", Code.NOT_FOR_METHOD, ["rs1", "service web", "(dr)"]),
        ("some", "nat", Code.UNKNOWN_WORD, ["services, all"]),
    ],
)
def test_return_traffic_that_cannot_be(traffic: str, method: str, code: Code, says: list[str]) -> None:
    groups = {"directors": ["lb1"], "real_servers": ["rs1"], "web": ["rs1"]}
    hostvars = {"lb1": {"lvs_address": "192.0.2.2"}, "rs1": {"lvs_address": "192.0.2.101"}}
    cluster = build_cluster([service(forward_method=method)], groups, hostvars)
    support.real_server(cluster, "rs1", lvs_nat_gateway=None)
    with pytest.raises(ModelError) as caught:
        support.real_server(cluster, "rs1", lvs_nat_gateway=None, real_server_return_traffic=traffic)
    check_all(caught.value.problems, expected(code, "real_server_return_traffic", "", f"'{traffic}'", *says))


def test_all_problems_come_together_first_one_first(build: Build) -> None:
    with pytest.raises(ModelError) as caught:
        build(
            [
                service(scheduler="rrr", port=70000),
                service(name="b", address=...),
                service(name="c", port=81, sorry_server={"address": "198.51.100.9"}),
            ]
        )
    check_all(
        caught.value.problems,
        expected(Code.UNKNOWN_WORD, "service web", "scheduler", "'rrr'", "'rr'"),
        expected(Code.OUT_OF_RANGE, "service web", "port", "70000", "0 and 65535"),
        expected(Code.MISSING, "service b", "address", "", "fwmark and family"),
        expected(Code.NEEDS_KEY, "service c", "sorry_server", "", "health_check"),
    )
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]


def test_a_name_twice_is_listed_with_other_mistakes(build: Build) -> None:
    with pytest.raises(ModelError) as caught:
        build([service(scheduler="rrr"), service(port="x"), service(port=81, real_servers=[{"host": "rs99"}])])
    second, third = "lvs_virtual_services[1] (web)", "lvs_virtual_services[2] (web)"
    again = ("another service", "lvs_virtual_services[0]")
    check_all(
        caught.value.problems,
        expected(Code.UNKNOWN_WORD, "service web", "scheduler", "'rrr'", "'rr'"),
        expected(Code.TWICE, second, "name", "'web'", *again),
        expected(Code.NOT_AN_INTEGER, second, "port", "'x'"),
        expected(Code.TWICE, third, "name", "'web'", *again),
        expected(Code.UNKNOWN_HOST, third, "real_servers[0].host", "'rs99'"),
    )


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
    check_all(
        caught.value.problems,
        expected(Code.NO_ADDRESS, "service web", "real_servers[0]", "rs2", "lvs_address"),
        expected(Code.NO_ADDRESS, "service web", "real_servers[0]", "rs1", "lvs_address"),
    )


@pytest.mark.parametrize(
    ("variables", "code", "value", "says"),
    [
        ({"lvs_address": "rs1.example.net"}, Code.NOT_AN_ADDRESS, "'rs1.example.net'", ["lvs_address of host rs1"]),
        ({"lvs_address": ["192.0.2.1", None]}, Code.NOT_AN_ADDRESS, "null", ["lvs_address of host rs1"]),
        ({"lvs_address": "127.0.0.1"}, Code.UNUSABLE_ADDRESS, "'127.0.0.1'", ["lvs_address of host rs1", "loopback"]),
        ({"lvs_address": []}, Code.NO_ADDRESS, "rs1", ["lvs_address", "empty list"]),
        (
            {"lvs_address": ["192.0.2.1", "192.0.2.3"]},
            Code.TWICE,
            "192.0.2.3",
            ["lvs_address of host rs1", "IPv4", "192.0.2.1", "one address per family"],
        ),
        ({"lvs_address": ["2001:db8::1"]}, Code.NO_ADDRESS, "rs1", ["IPv4", "lvs_address", "2001:db8::1"]),
        (
            {"lvs_address": "169.254.169.254"},
            Code.UNUSABLE_ADDRESS,
            "'169.254.169.254'",
            ["lvs_address of host rs1", "link-local"],
        ),
        ({"ansible_host": "169.254.1.1"}, Code.NO_ADDRESS, "rs1", ["lvs_address", "ansible_host", "'169.254.1.1'"]),
        ({"ansible_host": "127.0.0.1"}, Code.NO_ADDRESS, "rs1", ["lvs_address", "ansible_host", "'127.0.0.1'"]),
        ({"lvs_address": LookupError("no facts")}, Code.UNREADABLE, "", ["lvs_address of host rs1: no facts"]),
        ({"ansible_host": LookupError("no facts")}, Code.UNREADABLE, "", ["ansible_host of host rs1: no facts"]),
        (None, Code.NO_ADDRESS, "rs1", ["set lvs_address"]),
    ],
)
def test_host_addresses(inventory: dict[str, Any], variables: object, code: Code, value: str, says: list[str]) -> None:
    hostvars = {**inventory["hostvars"], "rs1": variables}
    with pytest.raises(ModelError) as caught:
        build_cluster([servers({"host": "rs1"})], inventory["groups"], hostvars)
    check_all(caught.value.problems, expected(code, "service web", "real_servers[0]", value, *says))


def setting(variables: dict[str, object], code: Code, where: str, key: str = "", value: str = "", *says: str) -> Any:
    """Variables of a director without ``director_``, as ``where`` is, and the first problem with them."""
    wanted = expected(code, f"director_{where}", key, value, *says)
    return pytest.param(variables, wanted, id=f"{where}-{key}-{code.value}")


def email(changes: dict[str, object], code: Code, key: str, value: str = "", *says: str) -> Any:
    """The same for ``director_email``, which is sound but for these keys."""
    given = {"to": "ops@example.net", "server": "192.0.2.25", **changes}
    wanted = expected(code, "director_email", key, value, *says)
    return pytest.param({"email": given}, wanted, id=f"email-{key}-{code.value}-{value}")


def vip(options: object, code: Code, key: str, value: str = "", *says: str) -> Any:
    """The same for the options of a VIP."""
    where = f"192.0.2.10.{key}" if key else "192.0.2.10"
    wanted = expected(code, "director_vips", where, value, *says)
    return pytest.param({"vips": {"192.0.2.10": options}}, wanted, id=f"vips-{key}-{code.value}-{value}")


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        setting({"interface": None}, Code.MISSING, "interface", "", "", "the link of the VIPs"),
        setting(
            {"interface": "a/b"}, Code.MALFORMED, "interface", "", "'a/b'", "interface name", "the link of the VIPs"
        ),
        setting(
            {"interface": "x" * 16},
            Code.MALFORMED,
            "interface",
            "",
            "'xxxxxxxxxxxxxxxx'",
            "interface name",
            "the link of the VIPs",
        ),
        setting({"virtual_router_id": 0}, Code.OUT_OF_RANGE, "virtual_router_id", "", "0", "1 to 255"),
        setting({"virtual_router_id": "x"}, Code.NOT_AN_INTEGER, "virtual_router_id", "", "'x'", "1 to 255"),
        setting({"vrrp_groups": ["blue"]}, Code.NOT_A_MAPPING, "vrrp_groups", "", "['blue']", "virtual_router_id: 52"),
        setting({"vrrp_groups": {"a b": {}}}, Code.MALFORMED, "vrrp_groups", "", "'a b'", "20 letters"),
        setting({"vrrp_groups": {52: {}}}, Code.MALFORMED, "vrrp_groups", "", "52", "20 letters"),
        setting({"vrrp_groups": {"default": {}}}, Code.TWICE, "vrrp_groups", "", "'default'", "another name"),
        setting({"vrrp_groups": {"blue": 52}}, Code.NOT_A_MAPPING, "vrrp_groups", "blue", "52", "first: lb2"),
        setting({"vrrp_groups": {"blue": {}}}, Code.MISSING, "vrrp_groups", "blue.virtual_router_id", "", "1 to 255"),
        setting(
            {"vrrp_groups": {"blue": {"virtual_router_id": 0}}},
            Code.OUT_OF_RANGE,
            "vrrp_groups",
            "blue.virtual_router_id",
            "0",
        ),
        setting(
            {"vrrp_groups": {"blue": {"virtual_router_id": 52, "frist": "lb1"}}},
            Code.UNKNOWN_KEY,
            "vrrp_groups",
            "blue.frist",
            "",
            "'first'",
        ),
        setting(
            {"vrrp_groups": {"blue": {"virtual_router_id": "51"}}},
            Code.TWICE,
            "vrrp_groups",
            "blue.virtual_router_id",
            "51",
            "director_virtual_router_id",
        ),
        setting(
            {"vrrp_groups": {"blue": {"virtual_router_id": 52}, "green": {"virtual_router_id": 52}}},
            Code.TWICE,
            "vrrp_groups",
            "green.virtual_router_id",
            "52",
            "blue.virtual_router_id",
        ),
        setting(
            {"vrrp_groups": {"blue": {"virtual_router_id": 52, "first": "lb 2"}}},
            Code.MALFORMED,
            "vrrp_groups",
            "blue.first",
            "'lb 2'",
        ),
        setting(
            {"vrrp_groups": {"blue": {"virtual_router_id": 52, "first": "rs1"}}},
            Code.NOT_IN_GROUP,
            "vrrp_groups",
            "blue.first",
            "'rs1'",
            "lb1",
        ),
        setting({"vips": ["192.0.2.10"]}, Code.NOT_A_MAPPING, "vips", "", "['192.0.2.10']", "prefix: 24"),
        setting({"vips": {"192.0.2.10/24": {}}}, Code.NOT_AN_ADDRESS, "vips", "", "'192.0.2.10/24'"),
        setting({"vips": {"2001:db8::10": {}, "2001:DB8::10": {}}}, Code.TWICE, "vips", "", "'2001:DB8::10'"),
        setting({"vips": {"192.0.2.11": {}}}, Code.NO_VIP, "vips", "", "192.0.2.11"),
        vip("eth2", Code.NOT_A_MAPPING, "", "'eth2'", "interface: eth2"),
        vip({"dev": "eth2"}, Code.UNKNOWN_KEY, "dev"),
        vip({"interface": "a/b"}, Code.MALFORMED, "interface", "'a/b'"),
        vip({"prefix": 33}, Code.OUT_OF_RANGE, "prefix", "33"),
        vip({"prefix": 0}, Code.OUT_OF_RANGE, "prefix", "0"),
        vip({"label": "eth1 web"}, Code.MALFORMED, "label", "'eth1 web'"),
        vip({"label": "eth1:"}, Code.MALFORMED, "label", "'eth1:'", "eth1:"),
        vip({"label": "eth1:web-and-more"}, Code.MALFORMED, "label", "'eth1:web-and-more'", "15 characters"),
        vip({"label": "eth1:web", "interface": "eth2"}, Code.MALFORMED, "label", "'eth1:web'", "eth2:"),
        setting(
            {"vips": {"2001:db8::10": {"label": "eth1:web"}}},
            Code.OTHER_FAMILY,
            "vips",
            "2001:db8::10.label",
            "'eth1:web'",
            "IPv4",
        ),
        setting({"advert_interval": 41}, Code.OUT_OF_RANGE, "advert_interval", "", "41", "0.01 to 40.95"),
        setting({"advert_interval": "nan"}, Code.OUT_OF_RANGE, "advert_interval", "", "'nan'", "0.01 to 40.95"),
        setting({"advert_interval": "soon"}, Code.NOT_SECONDS, "advert_interval", "", "'soon'", "0.01 to 40.95"),
        setting({"advert_interval": True}, Code.NOT_SECONDS, "advert_interval", "", "true", "0.01 to 40.95"),
        setting({"preempt": "maybe"}, Code.NOT_A_BOOLEAN, "preempt", "", "'maybe'"),
        setting({"garp_refresh": -1}, Code.OUT_OF_RANGE, "garp_refresh", "", "-1", "0 to 86400"),
        setting({"vrrp_hops": 255}, Code.OUT_OF_RANGE, "vrrp_hops", "", "255", "0 to 254"),
        setting({"vrrp_hops": "far"}, Code.NOT_AN_INTEGER, "vrrp_hops", "", "'far'", "0 to 254"),
        setting({"transit": "maybe"}, Code.NOT_A_BOOLEAN, "transit", "", "'maybe'"),
        setting({"flood_defence": 2}, Code.NOT_A_BOOLEAN, "flood_defence", "", "2"),
        setting({"leaving_timeout": -1}, Code.OUT_OF_RANGE, "leaving_timeout", "", "-1", "0 to 2147483"),
        setting({"leaving_timeout": "soon"}, Code.NOT_AN_INTEGER, "leaving_timeout", "", "'soon'", "0 to 2147483"),
        setting({"timeouts": 900}, Code.NOT_A_MAPPING, "timeouts", "", "900", "tcp_fin: 120"),
        setting({"timeouts": {"tcp": 0}}, Code.OUT_OF_RANGE, "timeouts", "tcp", "0", "1 and 2147483"),
        setting({"timeouts": {"tcp_fin": "soon"}}, Code.NOT_AN_INTEGER, "timeouts", "tcp_fin", "'soon'"),
        setting({"timeouts": {"tcpfin": 5}}, Code.UNKNOWN_KEY, "timeouts", "tcpfin", "", "'tcp_fin'"),
        setting({"sync_daemon": 5}, Code.NOT_A_MAPPING, "sync_daemon", "", "5", "true", "false", "{id: 5}"),
        setting({"sync_daemon": {"prot": 5}}, Code.UNKNOWN_KEY, "sync_daemon", "prot", "", "'port'"),
        setting({"sync_daemon": {"id": 256}}, Code.OUT_OF_RANGE, "sync_daemon", "id", "256", "0 and 255"),
        setting(
            {"sync_daemon": {"group": "192.0.2.1"}},
            Code.UNUSABLE_ADDRESS,
            "sync_daemon",
            "group",
            "'192.0.2.1'",
            "multicast",
        ),
        setting({"sync_senders": "lb2"}, Code.NOT_AN_ADDRESS, "sync_senders", "", "'lb2'"),
        setting(
            {"sync_senders": ["224.0.0.81"]},
            Code.UNUSABLE_ADDRESS,
            "sync_senders",
            "",
            "'224.0.0.81'",
            "a multicast address",
        ),
        setting(
            {"sync_senders": ["192.0.2.2", "fe80::2"]},
            Code.OTHER_FAMILY,
            "sync_senders",
            "",
            "fe80::2",
            "is ipv6",
            "group",
            "is ipv4",
        ),
        setting({"sync_interface": "a b"}, Code.MALFORMED, "sync_interface", "", "'a b'", "interface name"),
        setting(
            {"interface": "a#b"}, Code.MALFORMED, "interface", "", "'a#b'", "interface name", "the link of the VIPs"
        ),
        setting(
            {"interface": "eth*"}, Code.MALFORMED, "interface", "", "'eth*'", "interface name", "the link of the VIPs"
        ),
        setting(
            {"sync_interface": "~SEQ(A,1,3)x"}, Code.MALFORMED, "sync_interface", "", "'~SEQ(A,1,3)x'", "interface name"
        ),
        setting(
            {"track_interfaces": ["@low"]}, Code.MALFORMED, "track_interfaces[0]", "name", "'@low'", "interface name"
        ),
        setting({"track_interfaces": "eth2"}, Code.NOT_A_LIST, "track_interfaces", "", "'eth2'"),
        setting(
            {"track_interfaces": ["eth2", 5]},
            Code.NOT_A_MAPPING,
            "track_interfaces[1]",
            "",
            "5",
            "name of an interface",
            "mapping such as {name: eth1, weight: -100}",
        ),
        setting(
            {"track_interfaces": ["a b"]}, Code.MALFORMED, "track_interfaces[0]", "name", "'a b'", "interface name"
        ),
        setting(
            {"track_interfaces": [{"weight": -5}]}, Code.MISSING, "track_interfaces[0]", "name", "", "interface name"
        ),
        setting(
            {"track_interfaces": [{"name": "eth2", "weight": 5}]},
            Code.OUT_OF_RANGE,
            "track_interfaces[0]",
            "weight",
            "5",
            "-253 and -1",
        ),
        setting({"track_interfaces": ["eth2", {"name": "eth2"}]}, Code.TWICE, "track_interfaces", "", "'eth2'"),
        setting(
            {"track_scripts": ["/bin/true"]},
            Code.NOT_A_MAPPING,
            "track_scripts[0]",
            "",
            "'/bin/true'",
            "such as {name:",
        ),
        setting({"track_scripts": [{"name": "up"}]}, Code.MISSING, "track_scripts[0]", "command", "", "absolute path"),
        setting(
            {"track_scripts": [{"name": "up", "command": "ping -c 1 192.0.2.1"}]},
            Code.MALFORMED,
            "track_scripts[0]",
            "command",
            "'ping -c 1 192.0.2.1'",
            "absolute path",
        ),
        setting(
            {"track_scripts": [{"name": "up", "command": "/tmp/up"}]},  # noqa: S108
            Code.PRIVATE_DIRECTORY,
            "track_scripts[0]",
            "command",
            "'/tmp/up'",
            "another directory",
        ),
        setting(
            {"track_scripts": [{"name": "up", "command": "/bin/true", "intervall": 5}]},
            Code.UNKNOWN_KEY,
            "track_scripts[0]",
            "intervall",
            "",
            "'interval'",
        ),
        setting(
            {"track_scripts": [{"name": "up", "command": "/bin/true", "fall": 0}]},
            Code.OUT_OF_RANGE,
            "track_scripts[0]",
            "fall",
            "0",
            "1 and 1000",
        ),
        setting(
            {"track_scripts": [{"name": "up", "command": "/bin/true"}] * 2}, Code.TWICE, "track_scripts", "", "'up'"
        ),
        setting({"notify": "/bin/true"}, Code.NOT_A_MAPPING, "notify", "", "'/bin/true'", "such as {master:"),
        setting({"notify": {"masters": "/bin/true"}}, Code.UNKNOWN_KEY, "notify", "masters", "", "'master'"),
        setting({"notify": {"stop": "true"}}, Code.MALFORMED, "notify", "stop", "'true'", "absolute path"),
        setting({"notify": {"any": "/a $b"}}, Code.MALFORMED, "notify", "any", "'/a $b'", "contains '$'"),
        setting({"notify": {"any": ["/a"]}}, Code.MALFORMED, "notify", "any", "['/a']", "string"),
        setting({"notify": {"fault": "/var/tmp/x"}}, Code.PRIVATE_DIRECTORY, "notify", "fault", "'/var/tmp/x'"),  # noqa: S108
        setting({"email": "ops@example.net"}, Code.NOT_A_MAPPING, "email", "", "'ops@example.net'", "such as {to:"),
        setting({"email": {"server": "192.0.2.25"}}, Code.MISSING, "email", "to", "", "ops@example.net"),
        setting({"email": {"to": "ops@example.net"}}, Code.MISSING, "email", "server", "", "192.0.2.25"),
        email({"form": "a@b.example"}, Code.UNKNOWN_KEY, "form", "", "'from'"),
        *(
            email({"to": text}, Code.MALFORMED, "to", show(text), "at most 100 characters")
            for text in (
                "ops|ops@|@example.net|ops@192.0.2.1|ops@-a.example|ops@example..net|a b@c.d|Ops <a@b.c>|o'x@b.c|"
                'a@b.c, d@e.f|$a@b.c|a#b@b.c|a!b@b.c|{a}@b.c|a"b@b.c|a\nb@b.c|\u00e9@b.c|~a@b.c|'
                f"{'x' * 65}@b.c|ops@{'x' * 64}.net|ops@{'x.' * 50}net"
            ).split("|")
        ),
        email({"to": ""}, Code.MALFORMED, "to", "''"),
        email({"to": 5}, Code.NOT_A_LIST, "to", "5"),
        email({"to": []}, Code.EMPTY, "to"),
        email({"to": ["ops@example.net", 5]}, Code.MALFORMED, "to[1]", "5"),
        email({"to": ["ops@example.net"] * 2}, Code.TWICE, "to[1]", "'ops@example.net'"),
        email({"to": [f"ops{n:02}@example.net" for n in range(20)]}, Code.EXCEEDS, "to", "420", "at most 400"),
        email({"from": "LVS <lvs@example.net>"}, Code.MALFORMED, "from", "'LVS <lvs@example.net>'", "e-mail address"),
        email({"helo": "lb 1"}, Code.MALFORMED, "helo", "'lb 1'", "the name of a host"),
        email({"helo": "192.0.2.2"}, Code.MALFORMED, "helo", "'192.0.2.2'", "the name of a host"),
        email({"timeout": 0}, Code.OUT_OF_RANGE, "timeout", "0", "1 and 3600 seconds"),
        email({"timeout": 2.5}, Code.NOT_AN_INTEGER, "timeout", "2.5", "number of seconds"),
        *(
            email({"server": text}, Code.MALFORMED, "server", show(text), "[2001:db8::25]:25")
            for text in (
                *("", 25, ["a"], "a b", "mail:x", "mail:25:26", "[mail]:25", "192.0.2.300", "mail/25", "$x", "m#x"),
                *("[192.0.2.25", "mail.", "-mail", "2001:db8::25::1", "fe80::1%eth1", "mail\n25"),
            )
        ),
        email({"server": "192.0.2.25:0"}, Code.OUT_OF_RANGE, "server", "'192.0.2.25:0'", "1 and 65535"),
        email({"server": "mail:65536"}, Code.OUT_OF_RANGE, "server", "'mail:65536'", "1 and 65535"),
        email({"server": "fe80::25"}, Code.UNUSABLE_ADDRESS, "server", "'fe80::25'", "link-local"),
        email({"server": "169.254.1.1:25"}, Code.UNUSABLE_ADDRESS, "server", "'169.254.1.1:25'", "link-local"),
        email({"server": "0.0.0.0"}, Code.UNUSABLE_ADDRESS, "server", "'0.0.0.0'", "unspecified"),
        email({"about": []}, Code.EMPTY, "about"),
        email({"about": ["vrpp"]}, Code.UNKNOWN_WORD, "about[0]", "'vrpp'", "'vrrp'"),
        email({"about": "all"}, Code.UNKNOWN_WORD, "about", "'all'", "vrrp health_checks"),
        setting({"sysctls": "x=1"}, Code.NOT_A_MAPPING, "sysctls", "", "'x=1'", "sysctl"),
        setting({"sysctls": {"ip_forward": 1}}, Code.MALFORMED, "sysctls", "", "'ip_forward'", "sysctl name"),
        setting({"sysctls": {5: 1}}, Code.MALFORMED, "sysctls", "", "5", "sysctl name"),
        setting({"sysctls": {"a.b": 1, "a/b": 2}}, Code.TWICE, "sysctls", "a.b", "'a/b'"),
        setting({"sysctls": {"a.b": [1]}}, Code.MALFORMED, "sysctls", "a.b", "[1]", "integer", "text"),
    ],
)
def test_director_settings(build: Build, settings: dict[str, object], wanted: Expected) -> None:
    with pytest.raises(ModelError) as caught:
        support.director(build([service()]), "lb1", **{f"director_{name}": value for name, value in settings.items()})
    wanted.check(caught.value.problems[0])


@pytest.mark.parametrize(
    ("user", "code", "value"),
    [("a b", Code.MALFORMED, "'a b'"), (None, Code.MALFORMED, "null"), ("root", Code.ROOT, "'root'")],
)
def test_script_users(build: Build, user: object, code: Code, value: str) -> None:
    with pytest.raises(ModelError) as caught:
        support.director(build([check("misc", command="/bin/true")]), "lb1", director_script_user=user)
    check_all(caught.value.problems, expected(code, "director_script_user", "", value))
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
    says = ("service web (ipv4)", "set it to false")
    check_all(caught.value.problems, expected(Code.OTHER_FAMILY, "director_sync_daemon", "", "2001:db8::1", *says))
    assert support.director(cluster, "lb1", director_sync_daemon=False)["vips"]


def test_directors_with_peers_need_addresses() -> None:
    groups = {"directors": ["lb1", "lb2"], "real_servers": ["rs1"]}
    hostvars = {"lb1": {"lvs_address": "192.0.2.2"}, "rs1": {"lvs_address": ["192.0.2.4", "2001:db8::4"]}}
    cluster = build_cluster([service(address="2001:db8::10", real_servers=[{"host": "rs1"}])], groups, hostvars)
    for ask in (cluster.as_dict, lambda: support.director(cluster, "lb1")):
        with pytest.raises(ModelError) as caught:
            ask()
        check_all(
            caught.value.problems,
            expected(Code.NO_ADDRESS, "group directors", "", "lb1", "IPv6", "lvs_address", "192.0.2.2"),
            expected(Code.NO_ADDRESS, "group directors", "", "lb2", "lvs_address"),
        )


def refused(question: Callable[[], object], *wanted: Any) -> None:
    with pytest.raises(ModelError) as caught:
        question()
    check_all(caught.value.problems, expected(*wanted))


def test_groups_that_are_missing(build: Build) -> None:
    cluster = build([service()])
    server = (Code.NOT_IN_GROUP, "host db1", "", "", "'real_servers'")
    refused(lambda: support.real_server(cluster, "db1"), *server)
    refused(lambda: support.director(cluster, "rs1"), Code.NOT_IN_GROUP, "host rs1", "", "", "'directors'")
    nothing = build_cluster([], {"all": []}, {})
    refused(lambda: support.director(nothing, "lb1"), Code.UNKNOWN_GROUP, "", "", "'directors'")
    empty = build_cluster([], {"real_servers": []}, {})
    refused(lambda: support.real_server(empty, "rs1"), Code.EMPTY, "group real_servers", "", "'real_servers'")
    refused(lambda: build_cluster([], None, {}), Code.NOT_A_MAPPING, "groups", "", "null")
    refused(lambda: build_cluster([], {}, 5), Code.NOT_A_MAPPING, "hostvars", "", "5")


OWN = {"lb1": "192.0.2.2", "rs1": "192.0.2.11", "db1": "192.0.2.12"}


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (
            {"director": ["lb1"], "real_servers": ["rs1"]},
            "the inventory has no group 'directors'; it has 'director': rename that group",
        ),
        (
            {"balancers": ["lb1"], "real_servers": ["rs1"]},
            "the inventory has no group 'directors': put the directors' hosts into one",
        ),
        (
            {"directors": ["lb1"], "realservers": ["rs1"]},
            "the inventory has no group 'real_servers'; it has 'realservers': put 'realservers' below it as a child",
        ),
        (
            {"directors": ["lb1"], "web": ["rs1"]},
            "the inventory has no group 'real_servers': put the real servers' hosts into one",
        ),
    ],
)
def test_a_group_of_ours_that_is_missing(groups: dict[str, list[str]], sentence: str) -> None:
    hostvars = {host: {"lvs_address": own} for host, own in OWN.items()}
    cluster = build_cluster([servers({"address": "198.51.100.9"})], groups, hostvars)
    asks: dict[str, Callable[[], object]] = {
        "directors": cluster.as_dict,
        "real_servers": partial(support.real_server, cluster, "rs1"),
    }
    missing = "real_servers" if "directors" in groups else "directors"
    with pytest.raises(ModelError) as caught:
        asks[missing]()
    assert str(caught.value) == sentence
    check_all(caught.value.problems, expected(Code.UNKNOWN_GROUP, "", "", f"'{missing}'"))


@pytest.mark.parametrize(
    ("groups", "entry", "code", "value", "rest"),
    [
        (
            {"real_servers": ["rs1"], "databases": ["db1"]},
            {"group": "databases"},
            Code.NOT_IN_GROUP,
            "'db1'",
            "host 'db1' is not in the group 'real_servers': add 'databases' to it as a child",
        ),
        (
            {"real_servers": ["rs1"], "databases": ["db1"]},
            {"host": "db1"},
            Code.NOT_IN_GROUP,
            "'db1'",
            "host 'db1' is not in the group 'real_servers': add the host to it",
        ),
        (
            {"real_servers": ["rs1"], "all": ["rs1", "db1", "lb1"]},
            {"group": "all"},
            Code.NOT_IN_GROUP,
            "'db1'",
            "host 'db1' is not in the group 'real_servers': add the host to it",
        ),
        (
            {"realservers": ["rs1"]},
            {"group": "realservers"},
            Code.UNKNOWN_GROUP,
            "'real_servers'",
            "the inventory has no group 'real_servers': put 'realservers' below it as a child",
        ),
        (
            {"realservers": ["rs1"]},
            {"host": "rs1"},
            Code.UNKNOWN_GROUP,
            "'real_servers'",
            "the inventory has no group 'real_servers'; it has 'realservers': put 'realservers' below it as a child",
        ),
        (
            {"web": ["rs1"]},
            {"host": "rs1"},
            Code.UNKNOWN_GROUP,
            "'real_servers'",
            "the inventory has no group 'real_servers': put host 'rs1' into one",
        ),
        (
            {"web": ["rs1"]},
            {"group": "real_servers"},
            Code.UNKNOWN_GROUP,
            "'real_servers'",
            "the inventory has no group 'real_servers': put the real servers' hosts into one",
        ),
        (
            {"real_servers": ["rs1"]},
            {"group": "directors"},
            Code.NOT_IN_GROUP,
            "'lb1'",
            "host 'lb1' is a director, and not in the group 'real_servers': name a group of real servers",
        ),
        (
            {"web": ["rs1"]},
            {"group": "directors"},
            Code.NOT_IN_GROUP,
            "'lb1'",
            "host 'lb1' is a director, and not in the group 'real_servers': name a group of real servers",
        ),
        (
            {"real_servers": ["rs1"]},
            {"host": "lb1"},
            Code.NOT_IN_GROUP,
            "'lb1'",
            "host 'lb1' is a director, and not in the group 'real_servers': name a real server",
        ),
    ],
)
def test_a_server_that_is_not_in_the_group(
    groups: dict[str, list[str]], entry: dict[str, str], code: Code, value: str, rest: str
) -> None:
    hostvars = {host: {"lvs_address": own} for host, own in OWN.items()}
    with pytest.raises(ModelError) as caught:
        build_cluster([servers(entry)], {"directors": ["lb1"], **groups}, hostvars)
    key = f"real_servers[0].{next(iter(entry))}"
    check_all(caught.value.problems, expected(code, "service web", key, value))
    assert str(caught.value) == f"service web: {key}: {rest}"


def test_a_real_server_without_a_service_is_not_drained(build: Build) -> None:
    cluster = build([service()])
    whole = Fleet(cluster.inventory, {"default": cluster.inventory}, dict.fromkeys(("rs1", "rs9"), ("default",)))
    refused(lambda: draining(["rs1", "rs9"], [service()], whole, []), Code.NO_SERVICE, "host rs9", "", "", "service")


def test_a_director_that_leaves_is_not_in_the_group(build: Build) -> None:
    cluster, variable = build([service()]), "lvs_directors_that_leave"
    refused(
        lambda: support.director(cluster, lvs_directors_that_leave=["lb1"]),
        *(Code.IN_GROUP, variable, "", "'lb1'", "'directors'", "remove"),
    )
    refused(
        lambda: support.director(cluster, lvs_directors_that_leave=7),
        *(Code.NOT_A_LIST, variable, "", "7", '{"lvs_directors_that_leave": ["lb2"]}'),
    )


def test_a_real_server_has_one_kind_of_gre(build: Build) -> None:
    servers = [{"host": "rs9"}]
    plain = tun(name="a", tunnel={"type": "gre"}, real_servers=servers)
    summed = tun(name="b", port=81, tunnel={"type": "gre", "checksum": "csum"}, real_servers=servers)
    wanted = (Code.TUNNELS_DIFFER, "service b", "tunnel.checksum", "'csum'", "service a", "rs9")
    refused(lambda: build([plain, summed]), *wanted)


def test_a_mark_is_of_one_service(build: Build) -> None:
    wanted = (Code.SERVICE_TWICE, "service b", "fwmark", "21 (ipv4)", "service web")
    refused(lambda: build([by_mark(), by_mark(name="b")]), *wanted)


def test_one_director_without_an_address_is_no_gateway() -> None:
    groups = {"directors": ["lb1"], "real_servers": ["rs1"], "web": ["rs1"]}
    cluster = build_cluster([nat()], groups, {"rs1": {"lvs_address": "192.0.2.101"}})
    refused(lambda: support.director(cluster), Code.NO_GATEWAY, "lvs_nat_gateway", "", "lb1", "lvs_address")


@pytest.mark.parametrize("name", ["lb1\n}\nvrrp_script x {", "lb 1", "lb1#prod", "lb{1}", "lb1!a", "l" * 254, "lb1$a"])
def test_names_that_would_end_a_configuration(name: str) -> None:
    director = {"groups": {"directors": [name, "lb2"], "real_servers": ["rs1"]}}
    server = {"groups": {"directors": ["lb2"], "real_servers": ["rs1", name]}}
    for inventory in (director, server):
        hostvars = {host: {"lvs_address": f"192.0.2.{number}"} for number, host in enumerate((name, "lb2", "rs1"), 1)}
        with pytest.raises(ModelError) as caught:
            build_cluster([service(real_servers=[{"group": "real_servers"}])], inventory["groups"], hostvars)
        check_all(caught.value.problems, expected(Code.MALFORMED, f"host {show(name)}", "", "", "1 to 253"))


def test_names_that_are_addresses() -> None:
    groups = {"directors": ["2001:db8::2"], "real_servers": ["192.0.2.11", "RS_2.example-net"]}
    hostvars = {"192.0.2.11": {"lvs_address": "192.0.2.11"}, "RS_2.example-net": {"lvs_address": "192.0.2.12"}}
    cluster = build_cluster([service(real_servers=[{"group": "real_servers"}])], groups, hostvars)
    assert "router_id 2001:db8::2\n" in str(support.director(cluster, "2001:db8::2")["keepalived"])
