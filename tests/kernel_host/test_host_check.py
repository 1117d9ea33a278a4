# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""host_check on a real kernel: which addresses a host has, and has not."""

from __future__ import annotations

import threading
import time

import pytest


def test_addresses_that_are_there_and_not(lab):
    done = lab.module("host_check", addresses=["10.9.0.1", "2001:DB8:9::1"], no_addresses=["10.9.0.10"])
    assert not done.failed, done.message
    lab.ip(lab.host, "address", "add", "10.9.0.10/32", "dev", "link0")
    refused = lab.module("host_check", no_addresses=["10.9.0.10"])
    assert refused.failed
    assert refused.message == "this host has the address 10.9.0.10"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("10.9.0.77", "this host has no address 10.9.0.77"),
        ("2001:db8:9::77", "this host has no address 2001:db8:9::77"),
        ("10.9.0", "addresses: '10.9.0' is not an IP address"),
    ],
)
def test_an_address_that_is_missing(lab, address, says):
    refused = lab.module("host_check", addresses=[address])
    assert refused.failed
    assert refused.message == says


def test_it_waits_for_an_address(lab):
    add = threading.Timer(1, lab.ip, [lab.host, "address", "add", "10.9.0.10/32", "dev", "link0"])
    begun = time.monotonic()
    add.start()
    done = lab.module("host_check", addresses=["10.9.0.10"], wait=30)
    add.join()
    assert not done.failed, done.message
    assert 1 <= time.monotonic() - begun < 30
    refused = lab.module("host_check", addresses=["10.9.0.77"], wait=0.5)
    assert refused.message == "this host has no address 10.9.0.77"


def test_vips_that_it_may_have(lab):
    lab.ip(lab.host, "address", "add", "10.9.0.10/32", "dev", "link0")
    done = lab.module("host_check", vips=["10.9.0.10", "10.9.0.11", "2001:db8:9::a"])
    assert not done.failed, done.message
    assert done.raw["held"] == ["10.9.0.10"]


def test_interfaces_that_have_to_be_there(lab):
    done = lab.module("host_check", interfaces=["lo", "link0"])
    assert not done.failed, done.message
    refused = lab.module("host_check", interfaces=["lo", "link99"])
    assert refused.failed
    assert refused.message.startswith("this host has no network interface link99, only lo ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"kernel_modules": ["--version"]}, "kernel_modules: '--version' is not a valid name of a kernel module"),
        ({"services": ["--version"]}, "services: '--version' is not a valid name of a service"),
        ({"services": ["a b"]}, "services: 'a b' is not a valid name of a service"),
    ],
)
def test_names_that_are_options_of_a_command(lab, arguments, says):
    refused = lab.module("host_check", **arguments)
    assert refused.failed
    assert refused.message == says


@pytest.mark.parametrize(("family", "key"), [("ipv4", "net/ipv4/ip_forward"), ("ipv6", "net/ipv6/conf/all/forwarding")])
def test_a_host_that_was_a_router_before(lab, family, key):
    def asks(*families):
        return lab.module("host_check", no_forwarding=list(families))

    assert not asks("ipv4", "ipv6").failed
    # as the role switches it on
    lab.module("ipvs_kernel", modules=[], sysctls={key: 1})
    assert lab.sysctl(key) == "1"
    assert not asks("ipv4", "ipv6").failed
    lab.module("ipvs_kernel", state="absent")
    lab.sysctl(key, 1)
    for _again in range(2):
        refused = asks("ipv4", "ipv6")
        assert refused.failed
        assert refused.message.startswith(
            f"this host forwarded {family} packets before ({key.replace('/', '.')} was on)"
        )
        assert not asks(*{"ipv4", "ipv6"} - {family}).failed
        lab.module("ipvs_kernel", modules=[], sysctls={key: 1})


def test_where_synchronisation_is_sent_from(lab):
    def asks(*addresses):
        return lab.module("host_check", sync_source={"interface": "link0", "from": list(addresses)})

    assert not asks("10.9.0.1").failed
    # a VIP comes after what the interface has, and so does a second address of the same network
    lab.ip(lab.host, "address", "add", "10.9.0.10/32", "dev", "link0")
    lab.ip(lab.host, "address", "add", "10.9.0.4/24", "dev", "link0")
    assert not asks("10.9.0.1").failed
    refused = asks("10.9.0.3", "10.9.0.4")
    assert refused.failed
    assert refused.message == (
        "this host sends connection synchronisation from 10.9.0.1, the first address of link0, but the other directors"
        " accept it from 10.9.0.3 10.9.0.4 only: list the addresses of all directors on that link in"
        " director_sync_senders"
    )
    lab.ip(lab.host, "address", "flush", "dev", "link0")
    assert not asks("10.9.0.1").failed, "it may get one"


@pytest.mark.parametrize(
    ("to", "own", "other"),
    [("198.51.100.11", "10.9.0.1", "10.9.0.5"), ("2001:db8:1::11", "2001:db8:9::1", "2001:db8:9::5")],
)
def test_where_tunnels_are_sent_from(lab, to, own, other):
    def asks(*addresses):
        return lab.module("host_check", route_sources=[{"to": to, "from": list(addresses)}])

    assert not asks(other).failed, "it may get a route"
    router, prefix = ("10.9.0.2", "/24") if own.startswith("10.") else ("2001:db8:9::2", "/64")
    lab.ip(lab.host, "route", "add", f"{to[:-2]}{'0' if prefix == '/24' else ''}{prefix}", "via", router)
    lab.ip(
        lab.host,
        "address",
        "add",
        f"{own[:-1]}a/128" if prefix == "/64" else "10.9.0.10/32",
        "dev",
        "link0",
        *(["preferred_lft", "0"] if prefix == "/64" else []),
    )
    assert not asks(own).failed
    assert not asks(other, own).failed
    refused = asks(other)
    assert refused.failed
    assert refused.message == (
        f"this host sends to {to} from {own}, and {to} accepts tunnel packets from {other} only:"
        f" add {own} to lvs_tunnel_sources of this host"
    )


def test_an_interface_is_told_with_its_variable(lab):
    refused = lab.module("host_check", interfaces=["link99"], interface_variables={"link99": "director_interface"})
    assert refused.failed
    assert refused.message.startswith("director_interface: this host has no network interface link99, only lo ")


@pytest.mark.parametrize("own", ["10.9.0.1", "2001:db8:9::1"])
def test_addresses_that_are_the_hosts_own(lab, own):
    def asks(address, interface=""):
        return lab.module("host_check", own_addresses=[{"address": address, "interface": interface}])

    lab.ip(lab.host, "address", "add", "10.9.0.10/32", "dev", "lo")
    for interface in ("", "link0"):
        assert not asks(own, interface).failed
    refused = asks(own, "lo")
    assert refused.failed
    assert refused.message.startswith(f"{own} is on link0, and this director uses VRRP on lo: set lvs_address")
    refused = asks(own[:-1] + "77", "link0")
    assert refused.failed
    assert refused.message.startswith(f"this host has no address {own[:-1]}77: set lvs_address")
    assert refused.message.endswith(f"to an address of link0 ({own})")


def test_what_a_director_has_that_keepalived_did_not_add(lab):
    director = {"instances": [], "real_servers": [{"address": "10.9.0.30", "service": "web"}]}

    def asks():
        return lab.module("host_check", vips=["10.9.0.10"], director=director)

    done = asks()
    assert not done.failed, done.message
    assert done.raw["director"] == {"configured": False, "joins": False, "joining": False, "drained": []}
    lab.ip(lab.host, "address", "add", "10.9.0.10/24", "dev", "link0")
    refused = asks()
    assert refused.failed
    assert refused.message.startswith("10.9.0.10/24 is on link0, and keepalived did not add it: ")
    lab.ip(lab.host, "address", "del", "10.9.0.10/24", "dev", "link0")
    lab.ip(lab.host, "address", "add", "10.9.0.30/24", "dev", "link0")
    refused = asks()
    assert refused.failed
    assert refused.message.startswith(
        "this director has the address 10.9.0.30, which is a real server of service web: "
    )


def test_a_director_joins_and_takes_over_drains(lab):
    def state():
        found = lab.module("host_check", director={"instances": []}).raw
        return found["joining"], found["director"]["drained"]

    joining = {"state": "joining", "drained": ["10.9.0.30", "2001:db8:9::30"]}
    predicted = lab.module("director_join", check_mode=True, **joining)
    assert predicted.changed
    drains = [("drain", address, "absent", "drained") for address in joining["drained"]]
    assert [tuple(one.values()) for one in predicted.raw["differences"]][:2] == drains
    assert predicted.raw["differences"][2]["kind"] == "handover"
    assert state() == (False, [])
    for changed in (True, False):
        done = lab.module("director_join", prepare="umask 077", **joining)
        assert done.changed is changed, done.message
        assert bool(done.raw["differences"]) is changed
        assert state() == (True, joining["drained"])
    assert set(lab.modes().values()) == {"drwxr-xr-x", "-rw-r--r--"}
    for changed in (True, False):
        assert lab.module("director_join", state="joined").changed is changed
        assert state() == (False, joining["drained"])
