# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules of the cluster model let through and what they drop, with packets on a real kernel.

The host is the director or the real server, and its neighbour plays everybody else.
"""

from __future__ import annotations

import socket
import time

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils.cluster import build_cluster
from tests.kernel_host import wire
from tests.kernel_host.conftest import ETH_P_ALL, HOST, MAC, NEIGHBOUR, bits, socket_in

WAIT = 0.3  # seconds in which a packet has surely arrived


def load(lab, rules, table="lvs_cluster"):
    """Have the host's rules in place as the role would, and see that a second time changes nothing."""
    done = lab.module("nftables_table", name=table, rules=rules, persist=False)
    assert not done.failed, done.message
    again = lab.module("nftables_table", name=table, rules=rules, persist=False)
    assert again.changed is False, again.message or again.diff()


class Sender:
    """Sends packets from the neighbour to the host on one link."""

    def __init__(self, link="link0", to=MAC[HOST], sender=MAC[NEIGHBOUR]):
        self._socket = socket_in(NEIGHBOUR, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((link, 0))
        self._to, self._sender = bits(to), bits(sender)

    def __call__(self, data):
        to = self._to
        if data[0] >> 4 == 4 and data[16] in range(224, 240):
            to = b"\x01\x00\x5e" + bytes([data[17] & 0x7F]) + data[18:20]
        elif data[0] >> 4 == 6 and data[24] == 0xFF:
            to = b"\x33\x33" + data[36:40]
        self._socket.send(wire.frame(to, self._sender, data))

    def close(self):
        self._socket.close()


@pytest.fixture
def send(lab):
    sending = Sender()
    yield sending
    sending.close()


class Receiver:
    """What programs on the host get of one protocol."""

    def __init__(self, family, protocol):
        self._socket = socket_in(HOST, family, socket.SOCK_RAW, protocol)
        self._socket.settimeout(WAIT)
        if family == socket.AF_INET:
            for group in ("224.0.0.18", "224.0.0.81"):
                membership = socket.inet_aton(group) + socket.inet_aton("10.9.0.1")
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)

    def sources(self):
        """From which addresses something came since the last call."""
        found = []
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            try:
                found.append(self._socket.recvfrom(2048)[1][0])
            except TimeoutError:
                break
        self._socket.close()
        return found


def received(family, protocol, packets, send):
    """The sources of those packets that programs on the host get."""
    receiver = Receiver(family, protocol)
    for data in packets:
        send(data)
    return receiver.sources()


SERVICES = [
    {"name": "web", "address": "10.9.0.10", "port": 80, "real_servers": [{"address": "10.9.0.101"}]},
    {"name": "web6", "address": "2001:db8:9::10", "port": 80, "real_servers": [{"address": "2001:db8:9::101"}]},
]
PAIR = {
    "lb1": {"lvs_address": ["10.9.0.1", "2001:db8:9::1"]},
    "lb2": {"lvs_address": ["10.9.0.3", "2001:db8:9::3"]},
    "lb3": {"lvs_address": ["10.9.0.4", "2001:db8:9::4"]},
}


def director(hosts=("lb1", "lb2"), services=SERVICES, hostvars=PAIR, **settings):
    groups = {"directors": list(hosts)}
    return build_cluster(services, groups, hostvars).director("lb1", "link0", **settings)


VRRP = [
    (socket.AF_INET, "10.9.0.1", ["10.9.0.3", "10.9.0.4", "10.9.0.99"]),
    (socket.AF_INET6, "2001:db8:9::1", ["2001:db8:9::3", "2001:db8:9::4", "2001:db8:9::99"]),
]


@pytest.mark.parametrize(("family", "own", "others"), VRRP, ids=["ipv4", "ipv6"])
def test_vrrp_comes_from_a_peer_on_the_link(lab, send, family, own, others):
    peer, third, stranger = others
    adverts = [
        *(wire.advert(source, own, 51) for source in (stranger, third, peer)),
        wire.advert(peer, own, 51, ttl=254),
        wire.advert(peer, own, 51, ttl=64),
        wire.advert(peer, own, 51, ttl=1),
    ]
    assert received(family, 112, adverts, send) == [stranger, third, peer, peer, peer, peer], "without rules"
    load(lab, director()["nftables"])
    assert received(family, 112, adverts, send) == [peer]
    # another group of VRRP routers is not the role's business, whoever is in it
    assert received(family, 112, [wire.advert(stranger, own, 52, ttl=64)], send) == [stranger]
    load(lab, director(["lb1", "lb2", "lb3"])["nftables"])
    assert received(family, 112, adverts, send) == [third, peer]


@pytest.mark.parametrize(("family", "own", "others"), VRRP, ids=["ipv4", "ipv6"])
def test_vrrp_over_routers(lab, send, family, own, others):
    load(lab, director(vrrp_hops=2)["nftables"])
    adverts = [wire.advert(source, own, 51, ttl) for ttl in (255, 253, 252) for source in (others[0], others[2])]
    assert received(family, 112, adverts, send) == [others[0], others[0]]


def test_vrrp_of_nobody_where_there_are_no_peers(lab, send):
    load(lab, director(["lb1"])["nftables"])
    adverts = [wire.advert("10.9.0.99", "224.0.0.18", router) for router in (51, 52)]
    adverts += [wire.advert("10.9.0.98", "10.9.0.1", router) for router in (51, 53)]
    assert received(socket.AF_INET, 112, adverts, send) == ["10.9.0.99", "10.9.0.98"]


def test_vrrp_of_a_family_without_vips_is_not_ours(lab, send):
    load(lab, director(services=SERVICES[:1])["nftables"])
    adverts = [wire.advert("2001:db8:9::99", "2001:db8:9::1", 51)]
    assert received(socket.AF_INET6, 112, adverts, send) == ["2001:db8:9::99"]
