# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever comes in, there is a value or a `ModelError`, and what comes out is what the modules take."""

from __future__ import annotations

import copy
import datetime
import ipaddress
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._host import routing
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description import check_reader, services
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.host_settings import (
    DIRECTOR,
    EMAIL_KEYS,
    NOTIFICATIONS,
)
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, ModelError
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import KEYS
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

GATEWAYS = ["192.0.2.1", "2001:db8::1"]
VRRP_GROUPS = {"blue": {"virtual_router_id": 52, "first": "lb1"}, "green.2": {"virtual_router_id": 53}}
SETTINGS: dict[str, Any] = {"lvs_nat_gateway": GATEWAYS, "director_vrrp_groups": VRRP_GROUPS}
Takes = Callable[[dict[str, Any]], None]
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# What YAML and Jinja can leave in a variable.
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.booleans().map(lambda sign: (-1) ** sign * 10**5000),  # more digits than str() takes
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.dates(),
    st.just(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)),
    st.sampled_from(["192.0.2.10", "2001:db8::10", "192.0.2.101", "80", "0", "yes", "web", "rs1", "{{ x }}", "１２"]),
)
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=10), st.integers(), st.booleans(), st.none())
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner),
        st.dictionaries(keys, inner, max_size=6),
        st.sets(st.integers(), max_size=2),
    ),
    max_leaves=20,
)


def some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings that have any of these keys."""
    return st.fixed_dictionaries({}, optional=values)


def written(values: st.SearchStrategy[int]) -> st.SearchStrategy[object]:
    """Integers as people and templates write them."""
    return st.one_of(values, values.map(str))


@st.composite
def sound_servers(draw: st.DrawFn, names: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Real servers, each once; a host can be there by its group too."""
    entries = [{"group": "web"}] if draw(st.booleans()) else []
    entries += [
        {kind: name} for kind, known in names.items() for name in draw(st.lists(st.sampled_from(known), unique=True))
    ]
    for entry in entries or [{"host": "rs2"}]:
        entry.update(draw(some(weight=written(st.integers(0, 2**31 - 1)), port=st.none())))
        lower, upper = sorted(draw(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))))
        # both, so that what a group and a host give fits together
        entry.update(draw(st.sampled_from([{}, {"upper_threshold": upper, "lower_threshold": lower}])))
    return entries or [{"host": "rs2"}]


@st.composite
def port_lists(draw: st.DrawFn) -> list[object]:
    """Ports and ranges of them that do not overlap; nat can have all of them."""
    ends = sorted(draw(st.lists(st.integers(1, 65534), min_size=2, max_size=6, unique=True)))
    found: list[object] = [f"{low}-{high}" for low, high in zip(ends[::2], ends[1::2], strict=False)]
    found += [draw(written(st.just(ends[-1])))] if len(ends) % 2 else []
    return draw(st.permutations(found))


@st.composite
def sound_checks(draw: st.DrawFn) -> dict[str, Any]:
    """A health check of any type, with anything that the type takes; its port is given, so it is for any service."""
    kind = draw(st.sampled_from(services.HEALTH_CHECKS))
    known: dict[str, st.SearchStrategy[Any]] = {
        "port": written(st.integers(1, 65535)),
        "interval": st.one_of(written(st.integers(1, 86400)), st.floats(0.1, 86400)),
        "timeout": written(st.integers(1, 60)),
        "retries": written(st.integers(0, 9)),
        "delay_before_retry": st.floats(0, 9),
        "path": st.sampled_from(
            ["/healthz", "/run/{name}"] if kind == "file" else ["/", "/a?b=c#d!{E}'", "/{address}"]
        ),
        "status": st.one_of(written(st.integers(100, 599)), st.sampled_from(["200-299", [200, "300-599"]])),
        "body": st.sampled_from(["it's up. [ok]", '{"up": "{name}"} # $1']),
        "host": st.sampled_from(["www.example.net", "[2001:db8::1]:80", "{address}"]),
        "record": st.sampled_from(check_reader.RECORDS),
        "helo": st.just("mx.example.net"),
        "warmup": st.floats(0, 9),
        "dynamic": st.booleans(),
        "connect_address": st.sampled_from(["198.51.100.77", "2001:db8::77"]),
        "interface": st.just("eth1.7"),
        "mark": written(st.integers(1, 2**32 - 1)),
        "digest": st.just("0123456789abcdefABCDEF0123456789"),
        "name": st.sampled_from(
            {"ldap": ["dc=example,dc=net", "ou=My People,dc={name}"], "grpc": ["up.Service"]}.get(
                kind, ["www.example.net", "."]
            )
        ),
        "database": st.sampled_from(["shop", "{name}"]),
        "tls": some(ca=st.just("/etc/ssl/ca.pem"), name=st.sampled_from(["{name}", "2001:db8::1", "www.example.net"])),
        "command": st.sampled_from(
            ["/bin/true", "/usr/local/bin/check --for {A} #1!", "/bin/check {address} --as={name}"]
        ),
    }
    # the address of another family is known of some real servers only, so family is not among these
    own = {key: value for key, value in known.items() if kind in check_reader.TYPES_OF[key]}
    if "tls" in own and draw(st.booleans()):
        own = {key: value for key, value in own.items() if key not in {"interface", "mark"}}
    else:
        own.pop("tls", None)
    needed: dict[str, st.SearchStrategy[Any]] = {key: own.pop(key) for key in ("name", "command", "port") if key in own}
    if kind == "file":
        needed["path"] = own.pop("path")
    if (kind in {"ldap", "redis"} and draw(st.booleans())) or kind in {"mysql", "pgsql", "radius"}:
        needed["user"] = st.sampled_from(["check", "cn=check,dc={name}"])
        needed["credentials"] = st.just("/etc/lvs-cluster/secret")
        needed = {
            key: value for key, value in needed.items() if key in ("port", "name") or kind in check_reader.TYPES_OF[key]
        }
    every: dict[str, st.SearchStrategy[Any]] = {
        "quorum": st.just(1),
        "hysteresis": st.just(0),
        "alpha": st.booleans(),
        "inhibit_on_failure": st.booleans(),
        "quorum_up": st.sampled_from(["/bin/true", "/usr/local/bin/up --for {A} #1!"]),
        "quorum_down": st.just("/usr/local/bin/down"),
        "omega": st.booleans(),
        "email": st.booleans(),
    }
    needed["type"] = st.just(kind)
    found: dict[str, Any] = draw(st.fixed_dictionaries(needed, optional={**own, **every}))
    return found


def alone(check: dict[str, Any]) -> dict[str, Any]:
    """A check without the keys that only one of several checks has."""
    left_out = (*check_reader.POOL_KEYS, *check_reader.SERVER_CHECK_KEYS)
    return {key: value for key, value in check.items() if key not in left_out}


#: The methods that a real server may have although its service has another one.
BESIDE = {"dr": ["dr", "tun", "nat"], "tun": ["dr", "tun"], "nat": ["nat", "fullnat"], "fullnat": ["fullnat", "nat"]}
TUNNELS: list[dict[str, Any]] = [
    {},
    {"type": "gre", "checksum": "csum"},
    {"type": "gue", "port": 6080, "checksum": "remcsum"},
]


@st.composite
def own_methods(draw: st.DrawFn, servers: list[dict[str, Any]], method: str) -> list[dict[str, Any]]:
    """The real servers of a service with this method, some of them with another one and with tunnels."""
    for entry in servers:
        entry |= draw(some(forward_method=st.sampled_from(BESIDE[method])))
        if entry.get("forward_method", method) == "tun":
            entry |= draw(some(tunnel=st.sampled_from(TUNNELS)))
            if "tunnel" in entry and any("group" in other and "forward_method" in other for other in servers):
                entry["forward_method"] = "tun"  # otherwise a host gets that of its group
    return servers


def sorry_servers(service: dict[str, Any], family: str) -> list[dict[str, Any]]:
    """The sorry servers that a service may have."""
    address = "2001:db8:1::9" if family == "ipv6" else "198.51.100.9"
    local = {"address": "::1" if family == "ipv6" else "127.0.0.1"}
    # the others need the VIPs, which a service by mark may not have
    methods = [one for one in BESIDE[service["forward_method"]] if one in {"dr", "tun"} or service.get("marks") != []]
    others = [{"address": address, "forward_method": method} for method in methods]
    return [{"address": address}, *others] + [local] * (not service.get("synproxy"))


@st.composite
def sound_services(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A service that is right in every respect, of the whole language; the index keeps several apart."""
    service: dict[str, Any] = {"name": f"s{index}"}
    family = draw(st.sampled_from(services.FAMILIES))
    protocol = draw(st.sampled_from(services.PROTOCOLS))
    method = draw(st.sampled_from(services.FORWARD_METHODS))
    known = {"host": ["rs2"], "address": ["2001:db8:1::7", "2001:db8:1::8"]}
    if family == "ipv4":
        known = {"host": ["rs1", "rs2", "rs9"], "address": ["198.51.100.7", "198.51.100.8"]}
    service["real_servers"] = draw(sound_servers(known))
    if family == "ipv6" and method != "tun":  # rs1 of the group has no such address
        others = [entry for entry in service["real_servers"] if "group" not in entry]
        service["real_servers"] = others or [{"host": "rs2"}]
    bits = 32 if family == "ipv4" else 128
    persistence = some(
        timeout=written(st.integers(1, 86400 * 31)), netmask=written(st.integers(1, bits)), engine=st.just("sip")
    )
    if draw(st.booleans()):
        service["persistence"] = draw(persistence)
    if draw(st.booleans()):
        service |= {"fwmark": 2 * index + 1, "family": family}
        vip = f"192.0.2.{240 + index}" if family == "ipv4" else f"2001:DB8::{240 + index}"
        if draw(st.booleans()):
            vip = f"198.18.{index}.{32 * draw(st.integers(0, 7))}/27"
            vip = vip if family == "ipv4" else f"2001:DB8:9::{index}00/120"
        traffic = some(protocol=st.sampled_from(services.PROTOCOLS), ports=port_lists())
        service["marks"] = [
            {"address": vip, **draw(traffic)} for _number in range(draw(st.integers(method in {"nat", "fullnat"}, 2)))
        ]
    else:
        ports = [80 + index] + ([0] if "persistence" in service and index == 0 else [])
        vip = "192.0.2.10" if family == "ipv4" else "2001:DB8::10"
        service |= draw(
            st.sampled_from([{"address": vip}, {"addresses": [vip]}, {"addresses": [vip, vip.replace("10", "20")]}])
        )
        service |= draw(st.sampled_from([{"protocol": protocol}, {"protocols": [protocol]}]))
        service |= draw(st.sampled_from([{"ports": ports}, {"port": str(ports[0])}]))
        service["one_packet"] = protocol == "udp" and draw(st.booleans())
        service["synproxy"] = protocol == "tcp" and method in {"nat", "fullnat"} and draw(st.booleans())
    service["scheduler"] = scheduler = draw(st.sampled_from(services.SCHEDULERS))
    flags = [flag for flag in services.SCHEDULER_FLAGS if flag.startswith(f"{scheduler}-")]
    service["scheduler_flags"] = draw(st.lists(st.sampled_from(flags), unique=True)) if flags else []
    service["forward_method"] = method
    if method == "tun":
        service["tunnel"] = draw(st.sampled_from(TUNNELS))
    mixed = family == "ipv4" or method != "tun"
    if mixed and (method != "dr" or "marks" not in service):
        service["real_servers"] = draw(own_methods(service["real_servers"], method))
    if draw(st.booleans()):
        # keepalived has no use for a pool without weight, and counts to 2**32 - 1
        for entry in service["real_servers"]:
            entry["weight"] = draw(st.integers(1, 1000))
        service["health_check"] = draw(sound_checks())
        entry = draw(st.sampled_from(service["real_servers"]))
        one = draw(sound_checks().map(alone))
        if one["type"] == service["health_check"]["type"] and "tls" in {**service["health_check"], **one}:
            one = {key: value for key, value in one.items() if key not in {"tls", "interface", "mark"}}
        alike = {"alpha": draw(st.booleans()), "inhibit_on_failure": draw(st.booleans())}
        own = [{}, {"health_check": one | alike}, {"health_check": [one | alike]}, {"health_check": alike}]
        own += [{"health_check": "none"}] if len(service["real_servers"]) > 1 and "group" not in entry else []
        entry |= draw(st.sampled_from(own))
        if not isinstance(entry.get("health_check"), dict) and draw(st.booleans()):
            first = service["health_check"]
            second = sound_checks().map(alone).filter(lambda check: check["type"] != first["type"])
            service["health_check"] = [first, draw(second)]
        if "address" in service and 0 not in service.get("ports", ()):
            first = service["health_check"]
            first = first[0] if isinstance(first, list) else first
            first |= draw(some(quorum_down=st.just("/usr/local/bin/down {vip} --port={vport}")))
        service |= draw(st.sampled_from([{}, *({"sorry_server": one} for one in sorry_servers(service, family))]))
    elif draw(st.booleans()) and draw(st.booleans()):
        service["real_servers"] = []
    methods = {method, *(entry.get("forward_method") for entry in service["real_servers"])}
    if "marks" in service and "nat" not in methods:  # others have one VIP, or one gateway
        service |= draw(some(vrrp_group=st.sampled_from(["default", *VRRP_GROUPS])))
    return service


sound = st.integers(1, 4).flatmap(lambda count: st.tuples(*(sound_services(index) for index in range(count))).map(list))


@st.composite
def broken(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A sound description with one value in it replaced by anything, or with one key more."""
    description: list[dict[str, Any]] = copy.deepcopy(draw(sound))
    target: dict[Any, Any] = draw(st.sampled_from(description))
    inner = [value for value in target.values() if isinstance(value, dict)] + list(target["real_servers"])
    if draw(st.booleans()) and inner:
        target = draw(st.sampled_from(inner))
    target[draw(st.one_of(st.sampled_from(sorted(target)), keys) if target else keys)] = draw(anything)
    return description


def hosts_of(inventory: dict[str, Any]) -> dict[str, Any]:
    hosts: dict[str, Any] = inventory["hostvars"]
    return {**hosts, "lb1": {**hosts["lb1"], "director_vrrp_groups": VRRP_GROUPS}}


def check(description: object, inventory: dict[str, Any], takes: Takes) -> None:
    try:
        cluster = build_cluster(description, inventory["groups"], hosts_of(inventory))
    except ModelError as error:
        refused(error, "service ", "lvs_virtual_services")
        return
    if any(item.service.vrrp_group not in ("", *VRRP_GROUPS) for item in cluster.resolved):
        with pytest.raises(ModelError) as caught:
            support.director(cluster, "lb1", **SETTINGS)
        refused(caught.value, "service ")
        return
    takes(support.director(cluster, "lb1", **SETTINGS))
    names = inventory["groups"]["real_servers"]
    servers = [support.real_server(cluster, host, lvs_nat_gateway=GATEWAYS) for host in names]
    json.dumps([cluster.as_dict(), servers])


def refused(error: ModelError, *beginnings: str) -> None:
    """Every problem is one line that can be read, and says where it is."""
    assert error.problems
    for problem in error.problems:
        line = str(problem)
        assert line.startswith(beginnings)
        assert line.isprintable()
        assert len(line) < 500
        assert problem.value in problem.text


@FEW
@given(description=anything)
def test_anything(description: object, inventory: dict[str, Any], takes: Takes) -> None:
    check(description, inventory, takes)
    check([description], inventory, takes)


@FEW
@given(description=sound)
def test_sound(description: object, inventory: dict[str, Any], takes: Takes) -> None:
    cluster = build_cluster(description, inventory["groups"], inventory["hostvars"])
    takes(support.director(cluster, "lb1", **SETTINGS))
    for host in ("rs1", "rs2", "rs9"):
        route: Any = support.real_server(cluster, host, lvs_nat_gateway=GATEWAYS)["return_route"]
        routing.parse_return_route(True, route["gateways"], route["services"], False, 5151, 5151, True)


def claimed(marks: dict[str, Any]) -> set[tuple[str, str, int]]:
    """The addresses, protocols and ports of an element of marks; of all ports the first 50."""
    network = ipaddress.ip_network(marks["address"])
    protocols = [marks["protocol"]] if "protocol" in marks else ["tcp"] if "ports" in marks else services.PROTOCOLS
    ends = [str(one).partition("-")[::2] for one in marks.get("ports", ["1-50"])]
    ports = [port for low, high in ends for port in range(int(low), int(high or low) + 1)]
    return {(str(vip), protocol, port) for vip in network for protocol in protocols for port in ports}


networks = st.tuples(st.integers(0, 15), st.integers(28, 32)).map(
    lambda one: f"198.18.0.{one[0] >> (32 - one[1]) << (32 - one[1])}/{one[1]}"
)
few_ports = st.lists(st.integers(1, 50), min_size=1, max_size=5, unique=True).map(
    lambda ends: ["-".join(map(str, sorted(ends)[first : first + 2])) for first in range(0, len(ends), 2)]
)
elements = st.fixed_dictionaries(
    {"address": networks}, optional={"ports": few_ports, "protocol": st.sampled_from(services.PROTOCOLS)}
)


@FEW
@given(marks=st.tuples(elements, elements))
def test_traffic_that_is_marked_twice(marks: list[dict[str, Any]], inventory: dict[str, Any]) -> None:
    description = [
        {"name": f"s{number}", "fwmark": number, "family": "ipv4", "marks": [one], "real_servers": [{"host": "rs2"}]}
        for number, one in enumerate(marks, 1)
    ]
    both = claimed(marks[0]) & claimed(marks[1])
    try:
        build_cluster(description, inventory["groups"], inventory["hostvars"])
    except ModelError as error:
        (problem,) = error.problems
        assert problem.code == Code.MARKED_TWICE
        address, *words = problem.value.split()
        wanted = {"address": address}
        if words and words[0] in services.PROTOCOLS:
            wanted["protocol"] = words.pop(0)
        assert claimed({**wanted, **({"ports": words} if words else {})}) == both
    else:
        assert not both


@FEW
@given(description=broken())
def test_broken(description: object, inventory: dict[str, Any], takes: Takes) -> None:
    check(description, inventory, takes)


@FEW
@given(text=st.text(alphabet="-:[]{}&*!|>'\"%@`,.\n \tabc019", max_size=60))
def test_yaml(text: str, inventory: dict[str, Any], takes: Takes) -> None:
    try:
        description = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    check(description, inventory, takes)


@FEW
@given(address=anything, other=anything, hosts=anything)
def test_inventory(address: object, other: object, hosts: object, inventory: dict[str, Any]) -> None:
    description = [{"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": [{"group": "web"}]}]
    hostvars = {**inventory["hostvars"], "rs1": {"lvs_address": address, "ansible_host": other}, "rs2": other}
    for groups in (inventory["groups"], {"web": hosts, "real_servers": hosts, "directors": hosts}):
        try:
            json.dumps(build_cluster(description, groups, hostvars).as_dict())
        except ModelError as error:
            refused(error, "service ", "host '", 'host "')


#: Sound values of settings that are mappings.
COMMANDS = st.sampled_from(["/bin/true", "/usr/local/bin/tell {A} #1!"])
NOTIFY = some(**dict.fromkeys(NOTIFICATIONS, COMMANDS))
EMAILS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "to": st.sampled_from(["ops@example.net", ["ops@example.net", "lvs+a=b%c_d.e-f@example.org"]]),
        "server": st.sampled_from(["mail.example.net", "192.0.2.25:587", "2001:db8::25", "[::1]:2525", "localhost:25"]),
    },
    optional={
        "from": st.just("lvs@lb1.example.net"),
        "helo": st.just("lb1"),
        "timeout": written(st.integers(1, 3600)),
        "about": st.sampled_from([["vrrp"], ["health_checks", "vrrp"], "health_checks", None]),
    },
)


@FEW
@given(description=sound, notify=NOTIFY, email=EMAILS)
def test_sound_notices(
    description: object, notify: dict[str, str], email: dict[str, Any], inventory: dict[str, Any], takes: Takes
) -> None:
    cluster = build_cluster(description, inventory["groups"], inventory["hostvars"])
    given = {**SETTINGS, "director_notify": notify, "director_email": email}
    takes(support.director(cluster, "lb1", **given))


@FEW
@given(notify=NOTIFY, email=EMAILS, keys=st.data())
def test_broken_notices(
    notify: dict[str, str], email: dict[str, Any], keys: st.DataObject, inventory: dict[str, Any]
) -> None:
    for values, known in ((notify, NOTIFICATIONS), (email, EMAIL_KEYS)):
        values[keys.draw(st.one_of(st.sampled_from(sorted(known)), st.text(max_size=5)))] = keys.draw(anything)
    cluster = build_cluster([], inventory["groups"], inventory["hostvars"])
    try:
        found = support.director(cluster, "lb1", director_notify=notify, director_email=email)
    except ModelError as error:
        refused(error, "director_")
        return
    assert all(line.isascii() and line.isprintable() for line in found["keepalived"].splitlines())


@FEW
@given(name=st.one_of(st.sampled_from(sorted(VRRP_GROUPS)), anything), value=anything, key=keys, of_group=anything)
def test_broken_vrrp_groups(
    name: object, value: object, key: object, of_group: object, inventory: dict[str, Any], takes: Takes
) -> None:
    groups: dict[Any, Any] = {**copy.deepcopy(VRRP_GROUPS), "red": {"virtual_router_id": 54, key: of_group}}
    if isinstance(name, str | int | float | bytes | None):
        groups[name] = value
    cluster = build_cluster([], inventory["groups"], inventory["hostvars"])
    try:
        takes(support.director(cluster, "lb1", director_vrrp_groups=groups))
    except ModelError as error:
        refused(error, "director_vrrp_groups")


VIP_OPTIONS = some(
    interface=st.sampled_from(["eth1", "eth2.7"]), prefix=written(st.integers(1, 32)), label=st.just("eth1:web")
)


@FEW
@given(four=VIP_OPTIONS, six=VIP_OPTIONS, key=keys, value=anything, broken=st.booleans())
def test_vip_options(
    four: dict[Any, Any], six: dict[Any, Any], key: object, value: object, broken: bool, inventory: dict[str, Any]
) -> None:
    web = {"name": "web", "address": "192.0.2.10", "port": 80, "real_servers": []}
    description = [web, {**web, "name": "web6", "address": "2001:db8::10"}]
    cluster = build_cluster(description, inventory["groups"], inventory["hostvars"])
    six.pop("label", None)
    if four.get("interface", "eth1") != "eth1":
        four.pop("label", None)
    if broken:
        four[key] = value
    try:
        found = support.director(cluster, "lb1", director_vips={"192.0.2.10": four, "2001:DB8::10": six})
    except ModelError as error:
        assert broken
        refused(error, "director_vips")
        return
    assert all(line.isascii() and line.isprintable() for line in found["keepalived"].splitlines())


@FEW
@given(values=st.dictionaries(st.sampled_from(sorted(DIRECTOR)), anything, max_size=6))
def test_settings(values: dict[str, object], inventory: dict[str, Any]) -> None:
    cluster = build_cluster([], inventory["groups"], inventory["hostvars"])
    try:
        json.dumps(support.director(cluster, "lb1", **values))
    except ModelError as error:
        refused(error, "director_", "lvs_")


def test_a_list_that_holds_itself(inventory: dict[str, Any], takes: Takes) -> None:
    endless: list[object] = []
    endless.append(endless)
    check(endless, inventory, takes)
    check([{"name": "web", "address": endless, "ports": endless, "real_servers": endless}], inventory, takes)
