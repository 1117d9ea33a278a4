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

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._render import host_models
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


def given(cluster, interface, settings):
    """What lb1 is given with these settings, which are variables of the role without their prefix."""
    variables = {f"director_{name}": value for name, value in settings.items()}
    return host_models.director(cluster.director("lb1", {"director_interface": interface, **variables}))


def director(hosts=("lb1", "lb2"), services=None, hostvars=None, **settings):
    cluster = build_cluster(services or SERVICES, {"directors": list(hosts)}, hostvars or PAIR)
    return given(cluster, "link0", settings)


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


# The network of the real servers is behind the director, on a link of its own or on that of the clients.
INSIDE = {"ipv4": "198.51.100", "ipv6": "2001:db8:1:"}
ROUTER_HOSTS = {
    **PAIR,
    "rs1": {"lvs_address": ["198.51.100.11", "2001:db8:1::11"]},
    "rs2": {"lvs_address": ["198.51.100.12", "2001:db8:1::12"]},
}


class Capture:
    """What the director sends out on a link."""

    def __init__(self, link):
        self._socket = socket_in(NEIGHBOUR, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((link, 0))
        self._socket.settimeout(WAIT)

    def close(self):
        self._socket.close()

    def labels(self, known):
        """Which of these texts it has sent."""
        found = []
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            try:
                data = self._socket.recv(2048)
            except TimeoutError:
                break
            if data[6:12] == bits(MAC[HOST]):
                found += [label for label in known if label.encode() in data]
        return set(found)


@pytest.fixture
def router(lab):
    """forwarded(link, packets by name) sends them on one of two links, and says which come out of the other one."""
    lab.ip(lab.host, "link", "add", "link1", "type", "veth", "peer", "name", "link1", "netns", NEIGHBOUR)
    lab.ip(lab.next, "link", "set", "link1", "address", "02:00:00:00:01:02", "up")
    lab.ip(lab.host, "link", "set", "link1", "address", MAC[HOST], "up")
    lab.ip(lab.host, "address", "add", "198.51.100.1/24", "dev", "link1")
    lab.ip(lab.host, "address", "add", "2001:db8:1::1/64", "dev", "link1", "nodad")
    for link, mac, addresses in (
        ("link0", MAC[NEIGHBOUR], ("10.9.0.99", "2001:db8:9::99", "10.9.0.11", "10.9.0.12")),
        (
            "link1",
            "02:00:00:00:01:02",
            (f"{net}{end}" for net in ("198.51.100.", "2001:db8:1::") for end in (11, 12, 77)),
        ),
    ):
        for address in addresses:
            lab.ip(lab.host, "neighbour", "replace", address, "lladdr", mac, "dev", link, "nud", "permanent")
    lab.sysctl("net/ipv4/ip_forward", 1)
    lab.sysctl("net/ipv6/conf/all/forwarding", 1)
    for name in ("all", "link0"):
        lab.sysctl(f"net/ipv4/conf/{name}/send_redirects", 0)  # a redirect quotes the packet, and the role sends none
    senders = {"link0": Sender("link0"), "link1": Sender("link1", sender="02:00:00:00:01:02")}

    def forwarded(link, packets, out=None):
        capture = Capture(out or {"link0": "link1", "link1": "link0"}[link])
        for label, make in packets.items():
            senders[link](make(f"[{label}]".encode()))
        found = capture.labels([f"[{label}]" for label in packets])
        capture.close()
        return {label.strip("[]") for label in found}

    yield forwarded
    for sender in senders.values():
        sender.close()


def nat(name, vip, **changes):
    base = {"name": name, "address": vip, "port": 80, "forward_method": "nat"}
    return {**base, "real_servers": [{"host": "rs1", "port": 8080}, {"host": "rs2", "port": 8080}], **changes}


def routing_director(variables=None, services=None, hosts=None, **settings):
    hostvars = {**ROUTER_HOSTS, **(hosts or {})}
    for host, values in (variables or {}).items():
        hostvars[host] = {**hostvars[host], **values}
    services = services or [nat("web", "10.9.0.10"), nat("web6", "2001:db8:9::10")]
    groups = {"directors": ["lb1"], "real_servers": ["rs1", "rs2"]}
    return given(build_cluster(services, groups, hostvars), "link0", settings)


def ends(family):
    """A client, a real server, another host beside it, and how one says ICMP there."""
    if family == "ipv4":
        return "10.9.0.99", "198.51.100.11", "198.51.100.77", {"ping": 8, "unreachable": 3, "exceeded": 11}
    return "2001:db8:9::99", "2001:db8:1::11", "2001:db8:1::77", {"ping": 128, "unreachable": 1, "exceeded": 3}


def from_outside(family):
    client, server, other, icmp = ends(family)
    return {
        "ssh": lambda data: wire.tcp(client, 40000, server, 22, data=data),
        "the service itself": lambda data: wire.tcp(client, 40000, server, 8080, data=data),
        "a later segment": lambda data: wire.tcp(client, 40000, server, 22, wire.ACK, data),
        "a datagram": lambda data: wire.udp(client, 53, server, 53, data),
        "ping": lambda data: wire.icmp(client, server, icmp["ping"], 0, b"\0" * 4 + data),
        "another host": lambda data: wire.tcp(client, 40000, other, 22, data=data),
    }


def from_inside(family):
    client, server, other, icmp = ends(family)
    return {
        "a reply": lambda data: wire.tcp(server, 8080, client, 40000, wire.SYN | wire.ACK, data),
        "data": lambda data: wire.tcp(server, 8080, client, 40000, wire.ACK, data),
        "ftp-data": lambda data: wire.tcp(server, 20, client, 40001, wire.SYN, data),
        "its own connection": lambda data: wire.tcp(server, 50000, client, 443, wire.SYN, data),
        "its own question": lambda data: wire.udp(server, 50000, client, 53, data),
        "unreachable": lambda data: wire.icmp(server, client, icmp["unreachable"], 0, b"\0" * 4 + data),
        "a router's": lambda data: wire.icmp(other, client, icmp["exceeded"], 0, b"\0" * 4 + data),
    }


FAMILIES = pytest.mark.parametrize("family", ["ipv4", "ipv6"])


@FAMILIES
def test_nobody_passes_the_director_to_the_real_servers(lab, router, family):
    load(lab, routing_director(transit=True)["nftables"])
    assert router("link0", from_outside(family)) == set(from_outside(family)), "where it is a router"
    load(lab, routing_director(gateway_interface="link1")["nftables"])
    assert router("link0", from_outside(family)) == set()
    assert router("link1", from_inside(family)) == set(from_inside(family))
    client, server, other, _icmp = ends(family)
    strangers = {
        "of a host beside it": lambda data: wire.tcp(other, 8080, client, 40000, wire.ACK, data),
        "of its network": lambda data: wire.tcp(client, 40000, client, 40000, wire.ACK, data),
    }
    assert router("link1", strangers) == set()
    forged = {
        "as a real server": lambda data: wire.udp(server, 8080, other, 53, data),
        "as the other one": lambda data: wire.tcp(server.replace("11", "12"), 8080, server, 22, data=data),
    }
    assert router("link0", forged) == set()


@FAMILIES
def test_on_one_link_replies_pass_and_nothing_else(lab, router, family):
    client, server, other, _icmp = ends(family)
    servers = {
        "rs1": {"lvs_address": ["10.9.0.11", "2001:db8:9::11"]},
        "rs2": {"lvs_address": ["10.9.0.12", "2001:db8:9::12"]},
    }
    load(lab, routing_director(hosts=servers)["nftables"])
    server = server.replace("198.51.100.", "10.9.0.").replace("2001:db8:1:", "2001:db8:9:")
    packets = {
        "a reply": lambda data: wire.tcp(server, 8080, client, 40000, wire.ACK, data),
        "a request past the director": lambda data: wire.tcp(client, 40000, server, 8080, data=data),
    }
    lab.ip(lab.host, "neighbour", "replace", server, "lladdr", MAC[NEIGHBOUR], "dev", "link0", "nud", "permanent")
    assert router("link0", packets, "link0") == {"a reply"}
    assert router("link0", {"on": lambda data: wire.udp(client, 9, other, 9, data)}) == set()


@FAMILIES
def test_replies_to_what_a_real_server_has_begun(lab, router, family):
    client, server, _other, icmp = ends(family)
    begun = {
        "syn": lambda data: wire.tcp(server, 50000, client, 443, wire.SYN, data),
        "question": lambda data: wire.udp(server, 50000, client, 53, data),
        "ping": lambda data: wire.icmp(server, client, icmp["ping"], 0, b"\0\1\0\1" + data),
    }
    answers = {
        "syn-ack": lambda data: wire.tcp(client, 443, server, 50000, wire.SYN | wire.ACK, data),
        "answer": lambda data: wire.udp(client, 53, server, 50000, data),
        "pong": lambda data: wire.icmp(client, server, {8: 0, 128: 129}[icmp["ping"]], 0, b"\0\1\0\1" + data),
    }
    load(lab, routing_director({"rs1": {"real_server_return_traffic": "all"}}, gateway_interface="link1")["nftables"])
    assert router("link0", answers) == set(), "nobody has asked"
    assert router("link1", begun) == set(begun)
    assert router("link0", answers) == set(answers)
    assert router("link0", from_outside(family)) == set()
    assert router("link1", from_inside(family)) == set(from_inside(family))
    # the others have not said that they send their own traffic that way
    load(lab, routing_director({"rs2": {"real_server_return_traffic": "all"}}, gateway_interface="link1")["nftables"])
    assert router("link1", begun) == set(begun)
    assert router("link0", answers) == set()


def test_fullnat_and_sorry_servers(lab, router):
    services = [
        nat("web", "10.9.0.10", forward_method="fullnat", real_servers=[{"host": "rs1"}]),
        nat(
            "web6",
            "2001:db8:9::10",
            real_servers=[{"host": "rs1"}],
            health_check={"type": "tcp"},
            sorry_server={"address": "2001:db8:1::12"},
        ),
    ]
    load(lab, routing_director(services=services, gateway_interface="link1")["nftables"])
    for family in ("ipv4", "ipv6"):
        assert router("link0", from_outside(family)) == set()
        assert router("link1", from_inside(family)) == set(from_inside(family))
    sorry = {"sorry": lambda data: wire.tcp("2001:db8:1::12", 80, "2001:db8:9::99", 40000, wire.ACK, data)}
    assert router("link1", sorry) == {"sorry"}


def test_a_family_that_the_role_does_not_route_is_left_alone(lab, router):
    load(lab, routing_director(services=[nat("web", "10.9.0.10")], gateway_interface="link1")["nftables"])
    assert router("link0", from_outside("ipv4")) == set()
    assert router("link0", from_outside("ipv6")) == set(from_outside("ipv6"))


GROUP = "224.0.0.81"


def test_synchronisation_comes_from_the_other_directors(lab, router, send):
    def sync(source, port=8848):
        return wire.udp(source, 50000, GROUP, port, b"connections")

    def heard(*datagrams):
        return received(socket.AF_INET, socket.IPPROTO_UDP, datagrams, send)

    datagrams = [sync("10.9.0.99"), sync("10.9.0.3"), sync("10.9.0.4", 8849), sync("10.9.0.99", 5353)]
    assert heard(*datagrams) == ["10.9.0.99", "10.9.0.3", "10.9.0.4", "10.9.0.99"]
    load(lab, director()["nftables"])
    assert heard(*datagrams) == ["10.9.0.3", "10.9.0.4", "10.9.0.99"]
    load(lab, director(sysctls={"net.ipv4.vs.sync_ports": 2})["nftables"])
    assert heard(*datagrams) == ["10.9.0.3", "10.9.0.99"]
    load(lab, director(sync_senders=["10.9.0.1", "10.9.0.4"], sync_daemon={"port": 8849})["nftables"])
    assert heard(*datagrams) == ["10.9.0.99", "10.9.0.3", "10.9.0.4", "10.9.0.99"]
    # on a link of its own nobody knows the addresses, but they do not come from the clients' link
    load(lab, director(sync_interface="link1")["nftables"])
    assert heard(*datagrams) == ["10.9.0.4", "10.9.0.99"]


# A real server at the end of tunnels: the host has the addresses that directors send to, and VIPs.
def tunnelled(name, vip, **changes):
    base = {"name": name, "address": vip, "port": 80, "forward_method": "tun"}
    return {**base, "real_servers": [{"host": "rs1"}], **changes}


def end_of_tunnels(services, sources=(), guard=True):
    hostvars = {
        "lb1": {"lvs_address": ["10.9.0.3", "2001:db8:9::3"], "lvs_tunnel_sources": list(sources)},
        "rs1": {"lvs_address": ["10.9.0.1", "2001:db8:9::1"]},
    }
    cluster = build_cluster(services, {"directors": ["lb1"], "real_servers": ["rs1"]}, hostvars)
    return host_models.real_server(cluster.real_server("rs1", {"real_server_tunnel_guard": guard}))["nftables"]


OUTER = [
    (socket.AF_INET, "10.9.0.1", ["10.9.0.3", "10.9.0.5", "10.9.0.99"]),
    (socket.AF_INET6, "2001:db8:9::1", ["2001:db8:9::3", "2001:db8:9::5", "2001:db8:9::99"]),
]


@pytest.mark.parametrize(("family", "own", "others"), OUTER, ids=["ipv4", "ipv6"])
def test_tunnels_are_unwrapped_from_directors_only(lab, send, family, own, others):
    vip, other_vip = ("10.9.0.10", "2001:db8:9::10") if family == socket.AF_INET else ("2001:db8:9::10", "10.9.0.10")
    length, *words = [32] if family == socket.AF_INET else [128, "nodad"]
    lab.ip(lab.host, "address", "add", f"{own[:-1]}7/{length}", "dev", "link0", *words)

    def wrapped(protocol, data=b"wrapped", to=own):
        return [wire.packet(source, to, protocol, data) for source in others]

    def heard(protocol, to=own):
        return received(family, protocol, wrapped(protocol, to=to), send)

    director_only, both = others[:1], others[:2]
    plain = 4 if family == socket.AF_INET else 41
    here = {"real_servers": [{"host": "rs1", "address": own}]}
    load(lab, end_of_tunnels([tunnelled("web", vip, **here)], guard=False), "lvs_real_server")
    assert heard(plain) == others
    load(lab, end_of_tunnels([tunnelled("web", vip, **here)]), "lvs_real_server")
    assert heard(plain) == director_only
    assert heard(47) == others, "tunnels of somebody else"
    assert heard(plain, f"{own[:-1]}7") == others, "an address that directors do not send to"
    load(lab, end_of_tunnels([tunnelled("web", vip, **here)], others[1:2]), "lvs_real_server")
    assert heard(plain) == both
    gre = tunnelled("gre", vip, tunnel={"type": "gre"}, **here)
    load(lab, end_of_tunnels([gre]), "lvs_real_server")
    assert (heard(47), heard(plain)) == (director_only, others)
    gue = tunnelled("gue", vip, tunnel={"type": "gue", "port": 6080}, **here)
    load(lab, end_of_tunnels([gue, tunnelled("mixed", other_vip, **here)]), "lvs_real_server")
    assert heard(4) == heard(41) == director_only
    datagrams = [wire.udp(source, 50000, own, port, b"x") for source in others for port in (6080, 6081)]
    found = received(family, socket.IPPROTO_UDP, datagrams, send)
    assert found == [others[0], others[0], others[1], others[2]]


@pytest.mark.parametrize("vips", [["10.9.0.10"], ["2001:db8:9::10"], ["10.9.0.10", "2001:db8:9::10"]], ids=len)
def test_what_comes_out_of_tunnels_is_for_vips(lab, vips):
    # a device of the name that tunnels have: what comes in there has been unwrapped
    lab.ip(lab.host, "link", "add", "lvs-ipip0", "type", "veth", "peer", "name", "inside", "netns", NEIGHBOUR)
    lab.ip(lab.host, "link", "set", "lvs-ipip0", "address", MAC[HOST], "up")
    lab.ip(lab.next, "link", "set", "inside", "up")
    for vip in ("10.9.0.10", "10.9.0.11", "2001:db8:9::10", "2001:db8:9::11"):
        lab.ip(lab.host, "address", "add", vip, "dev", "lo", *(["nodad"] if ":" in vip else []))
    for name in ("all", "lvs-ipip0"):
        lab.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
    out_of_tunnel = Sender("inside")
    targets = ["10.9.0.10", "10.9.0.11", "10.9.0.1", "2001:db8:9::10", "2001:db8:9::11", "2001:db8:9::1"]

    def reached():
        found = []
        for target in targets:
            client, family = ("2001:db8:9::99", socket.AF_INET6) if ":" in target else ("10.9.0.99", socket.AF_INET)
            if received(family, 17, [wire.udp(client, 50000, target, 80, b"x")], out_of_tunnel):
                found.append(target)
        return found

    services = [tunnelled(f"web{number}", vip) for number, vip in enumerate(vips)]
    load(lab, end_of_tunnels(services, guard=False), "lvs_real_server")
    assert reached() == targets
    load(lab, end_of_tunnels(services), "lvs_real_server")
    assert reached() == vips
    out_of_tunnel.close()
