# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole sentences about wrong descriptions: those that the page of messages quotes, and some more.

All other tests know problems by their codes (`support.expected`), so that a sentence can be improved in one place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import ModelError
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

PAGE = Path(__file__).resolve().parents[4] / "docs/docsite/rst/reference/messages.rst"
GROUPS = {"directors": ["lb1", "lb2"], "real_servers": ["rs1", "rs2"], "web": ["rs1", "rs2"], "databases": ["db1"]}
HOSTS = {
    "lb1": {"lvs_address": "192.0.2.2"},
    "lb2": {"lvs_address": "192.0.2.3"},
    "rs1": {"lvs_address": ["192.0.2.11", "2001:db8::11"]},
    "rs2": {"lvs_address": ["192.0.2.12", "2001:db8::12"]},
}
WEB: dict[str, Any] = {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "web"}]}
SHOP: dict[str, Any] = {**WEB, "name": "shop"}
MARKED: dict[str, Any] = {"name": "shop", "fwmark": 21, "family": "ipv4", "real_servers": [{"group": "web"}]}
BOTH: dict[str, Any] = {"name": "web", "port": 80, "addresses": ["192.0.2.10", "2001:db8::10"]}
IPV6: dict[str, Any] = {**BOTH, "addresses": ["2001:db8::10"], "real_servers": [{"group": "web"}]}
CHECK = {"type": "http"}

#: Services, settings of a director, and what is wrong with them.
SENTENCES: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    ([{**WEB, "scheduler": "rrr"}], {}, "service web: scheduler: 'rrr' is not a scheduler (did you mean 'rr'?)"),
    (
        [{**WEB, "address": "2001:db8::10", "persistence": {"netmask": "255.255.255.0"}}],
        {},
        "service web: persistence.netmask: '255.255.255.0' is an IPv4 mask, and the VIP is IPv6: give 1 to 128",
    ),
    (
        [{**WEB, "real_servers": [{"host": "rs1"}, {"host": "rs2", "port": 8080}]}],
        {},
        "service web: real_servers[1].port: 8080 is not the service's port 80, and dr does not rewrite ports",
    ),
    (
        [{**WEB, "port": 443}, {**SHOP, "port": 443}],
        {},
        "service shop: address: 192.0.2.10 tcp port 443 already belongs to service web",
    ),
    (
        [{**WEB, "real_servers": [{"host": "rs1"}, {"host": "rs2"}, {"group": "databases"}]}],
        {},
        "service web: real_servers[2].group: host 'db1' is not in the group 'real_servers': add 'databases' "
        "to it as a child",
    ),
    (
        [{**SHOP, "address": "192.0.2.10/32"}],
        {},
        "service shop: address: '192.0.2.10/32' is not an IP address: leave out the prefix length",
    ),
    (
        [{**WEB, "name": "api", "synproxy": True}],
        {},
        "service api: synproxy: is for nat and fullnat only, and the forwarding method is dr",
    ),
    (
        [{**MARKED, "port": 80}],
        {},
        "service shop: port: cannot be combined with fwmark 21, which alone identifies the service: remove one of them",
    ),
    (
        [{**MARKED, "forward_method": "nat"}],
        {},
        "service shop: marks: is missing: nat needs it to recognise replies on the real servers",
    ),
    (
        [{**WEB, "name": "calls", "port": "1-9"}],
        {},
        "service calls: port: '1-9' is a range, which only a service by fwmark can have: in place of address and port "
        "write {fwmark: 1, family: ipv4, marks: [{address: 192.0.2.10, protocol: tcp, ports: [1-9]}]}",
    ),
    (
        [{**IPV6, "port": None, "ports": [80, "90-99"], "protocols": ["tcp", "udp"]}],
        {},
        "service web: ports: '90-99' is a range, which only a service by fwmark can have: in place of addresses, "
        'protocols and ports write {fwmark: 1, family: ipv6, marks: [{address: "2001:db8::10", protocol: tcp, '
        'ports: [80, 90-99]}, {address: "2001:db8::10", protocol: udp, ports: [80, 90-99]}]}',
    ),
    (
        [{**MARKED, "marks": [{"address": "192.0.2.3-10"}]}],
        {},
        "service shop: marks[0].address: '192.0.2.3-10' is neither an IP address nor a network such as 192.0.2.16/28: "
        "give networks, or an element for each address",
    ),
    (
        [{**WEB, "real_servers": [{"address": "192.0.2.13 80"}]}],
        {},
        "service web: real_servers[0].address: '192.0.2.13 80' is not an IP address: leave out the port, which is a "
        "key of its own",
    ),
    (
        [{**WEB, "real_servers": [{"address": "[2001:db8::13]:80"}]}],
        {},
        "service web: real_servers[0].address: '[2001:db8::13]:80' is not an IP address: leave out the port, which is "
        "a key of its own",
    ),
    (
        [{**WEB, "port": None, "ports": "80,443"}],
        {},
        "service web: ports: '80,443' is not a list: write [80, 443]",
    ),
    (
        [{**BOTH, "addresses": "192.0.2.10, 2001:db8::10", "real_servers": [{"group": "web"}]}],
        {},
        "service web: addresses: '192.0.2.10, 2001:db8::10' is not a list: write [192.0.2.10, \"2001:db8::10\"]",
    ),
    (
        [{**WEB, "health_check": {**CHECK, "status": "200 429"}}],
        {},
        "service web: health_check.status: '200 429' is not a status from 100 to 599, a range such as 200-299, or a "
        "list of these: write [200, 429]",
    ),
    (
        [{**WEB, "real_servers": [{"host": "192.0.2.13"}]}],
        {},
        "service web: real_servers[0].host: '192.0.2.13' is not a host of the inventory: use the key address for an "
        "address",
    ),
    (
        [{**WEB, "real_servers": [{"address": "127.0.0.1"}]}],
        {},
        "service web: real_servers[0].address: '127.0.0.1' is a loopback address, which only a sorry_server can have: "
        "give the address that the directors send to",
    ),
    (
        [{**WEB, "health_check": CHECK, "real_servers": [{"group": "web", "weight": 0}]}],
        {},
        "service web: health_check.quorum: 1 is more than 0, the total weight of the real servers: give one of them a "
        "weight above 0",
    ),
    (
        [{**MARKED, "marks": [{"address": "192.0.2.20/28"}]}],
        {},
        "service shop: marks[0].address: '192.0.2.20/28' is not the first address of a network: give 192.0.2.16/28",
    ),
    (
        [{**MARKED, "marks": [{"address": "192.0.0.0/16"}]}],
        {},
        "service shop: marks[0].address: '192.0.0.0/16' has 65536 addresses, and the master holds each of them as a "
        "VIP: give networks of at most 256 (/24), each in an element of its own",
    ),
    (
        [{**MARKED, "marks": [{"address": "192.0.2.10", "ports": [80, "70-90"]}]}],
        {},
        "service shop: marks[0].ports[1]: '70-90' overlaps 80, which is listed too",
    ),
    (
        [{**MARKED, "marks": [{"address": "192.0.2.10", "port": "20000-10000"}]}],
        {},
        "service shop: marks[0].port: '20000-10000' ends before it begins",
    ),
    (
        [{**MARKED, "forward_method": "nat", "marks": [{"address": "192.0.2.10", "port": "10000-65535"}]}],
        {},
        "service shop: marks: 10000-65535 is not possible with nat, whose routing rules match ports up to 65534: "
        "end with 65534",
    ),
    (
        [{**WEB, "health_check": {**CHECK, "quorum": 3}}],
        {},
        "service web: health_check.quorum: 3 is more than 2, the total weight of the real servers",
    ),
    (
        [{**WEB, "sorry_server": {"address": "198.51.100.9"}}],
        {},
        "service web: sorry_server: needs a health_check, which detects that no real server is left",
    ),
    (
        [{**WEB, "health_check": {**CHECK, "host": "www.example.net"}}],
        {"director_health_checker": "mon"},
        "service web: health_check.host: 'www.example.net' is not possible: remove the key "
        "(director_health_checker: mon)",
    ),
    (
        [{**WEB, "forward_method": "nat"}],
        {},
        "lvs_nat_gateway: is missing: service web (nat) needs a free IPv4 address of the real servers' network, "
        "which moves with the VIPs",
    ),
    (
        [{**WEB, "address": "192.0.2.11"}],
        {},
        "service web: address: 192.0.2.11 cannot be a VIP: it is an address of host rs1",
    ),
    (
        [{**WEB, "real_servers": [{"group": "directors"}]}],
        {},
        "service web: real_servers[0].group: host 'lb1' is a director, and not in the group 'real_servers': "
        "name a group of real servers",
    ),
    (
        [WEB, {**WEB, "port": 81}],
        {},
        "lvs_virtual_services[1] (web): name: 'web' is already the name of another service (lvs_virtual_services[0])",
    ),
    ([{**WEB, "quorum": 2}], {}, "service web: quorum: is not a key of a service, but of health_check"),
    ([{**WEB, "persistence": 300}], {}, "service web: persistence: 300 is not a mapping such as {timeout: 300}"),
    (
        [{**WEB, "health_check": {"type": "misc", "command": "ping -c1 192.0.2.1"}}],
        {},
        "service web: health_check.command: 'ping -c1 192.0.2.1' has to begin with an absolute path,"
        " such as /usr/bin/ping",
    ),
    (
        [{**WEB, "health_check": {"type": "misc", "command": "/bin/check $HOME"}}],
        {},
        "service web: health_check.command: '/bin/check $HOME' contains '$'; only ASCII characters without quotes, "
        "backslashes and $ are possible: put what needs them into a script",
    ),
    (
        [{**BOTH, "real_servers": [{"address": "192.0.2.13"}]}],
        {},
        "service web: real_servers: has none with an ipv6 address, which 2001:db8::10 needs: add one, or remove "
        "this VIP",
    ),
    (
        [{**BOTH, "forward_method": "tun", "real_servers": [{"address": "192.0.2.13"}]}],
        {},
        "service web: real_servers: has none with an ipv6 address, which 2001:db8::10 needs: add one, or write "
        "a service of its own for this VIP, in which tun accepts the other family",
    ),
    (
        [{**WEB, "lb_algo": "rr"}],
        {},
        "service web: lb_algo: is not a key of a service (keepalived's word for scheduler)",
    ),
    (
        [WEB],
        {"director_track_scripts": [{"name": "up", "command": "/usr/bin/true", "script": "/usr/bin/true"}]},
        "director_track_scripts[0]: script: is not a key of a tracked script (keepalived's word for command)",
    ),
    (
        [{**WEB, "delay_loop": 10}],
        {},
        "service web: delay_loop: is not a key of a service (keepalived's word for interval of health_check)",
    ),
    (
        [{**WEB, "health_check": {**CHECK, "fwmark": 5}}],
        {},
        "service web: health_check.fwmark: is not a key of health_check (keepalived's word for mark)",
    ),
    (
        [{**WEB, "health_check": {**CHECK, "bindto": "192.0.2.2"}}],
        {},
        "service web: health_check.bindto: is not a key of health_check (keepalived's word for the variable "
        "director_check_sources)",
    ),
    (
        [{**WEB, "health_check": {"type": "MISC_CHECK"}}],
        {},
        "service web: health_check.type: 'MISC_CHECK' is not a health check (keepalived's word for misc)",
    ),
    (
        [{**WEB, "real_servers": [{"host": "rs1", "HTTP_GET": {}}]}],
        {},
        "service web: real_servers[0].HTTP_GET: is not a key of a real server (keepalived's word for the type http of "
        "health_check)",
    ),
    (
        [{**WEB, "ha_suspend": True}],
        {},
        "service web: ha_suspend: is not a key of a service, but keepalived's word for what has no key here",
    ),
    (
        [{**WEB, "colour": "red"}],
        {},
        "service web: colour: is not a key of a service; known: name address fwmark family marks ports port protocol "
        "addresses protocols scheduler scheduler_flags and 10 others",
    ),
    (
        [WEB],
        {"director_interface": None},
        "director_interface: is missing (the link of the VIPs): set it for the group directors, for example to eth0",
    ),
]


@pytest.mark.parametrize(("services", "settings", "sentence"), SENTENCES, ids=[row[2][:60] for row in SENTENCES])
def test_sentence(services: list[dict[str, Any]], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelError) as caught:
        support.director(build_cluster(services, GROUPS, HOSTS), "lb1", **settings)
    assert str(caught.value) == sentence


def test_the_page_of_messages_quotes_them() -> None:
    block = PAGE.read_text().partition("Mistakes in a description\n")[2].partition(".. code-block:: text\n")[2]
    quoted = re.findall(r"(?m)^   (\S.*)$", block)
    assert len(quoted) > 10
    assert set(quoted) <= {sentence for _services, _settings, sentence in SENTENCES}
