# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever comes in is a value that the kernel's messages can hold, or one printable sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import (
    arguments,
    daemon,
    model,
    netlink,
    plan,
    readings,
    rules,
    timeouts,
)
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.model import (
    InvalidValue,
    ServicePatch,
    Settings,
    Table,
    VirtualService,
)
from ansible_collections.lvs.cluster.tests.unit.plugins.module_utils._ipvs import support, test_readings

Value = TypeVar("Value")

_BAD = [
    "",
    " ",
    "-",
    "none",
    "\0",
    "a\0b",
    "192.0.2.1\n",
    "a\r\u2028b",
    "\u0663",
    "1_0",
    "\udc80",
    "é",
    "[::1]",
    "%s{}",
]
_LONG = ["1" * 5000, "/" + "9" * 5000, "x" * 5000, "::" * 5000]  # longer than Python turns into a number
_texts = st.sampled_from(_BAD + _LONG) | st.text(st.characters(), max_size=12) | st.ip_addresses().map(str)
_integers = st.sampled_from([0, 1, 65535, 65536, 2**31, 2**32 - 1, -1, 2**64, 10**4000]) | st.integers()
_anything = st.recursive(
    st.none() | st.booleans() | _integers | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=3,
)

# Values that are right, though not with each other; those with None need not be given.
_RIGHT: dict[str, list[Any]] = {
    "address": ["192.0.2.1", "198.51.100.11", "2001:db8::1"],
    "port": [80, 80, 0, 65535],
    "fwmark": [1, 2**32 - 1],
    "scheduler": [None, "rr", "sh", "mh"],
    "scheduler_flags": [None, None, [], ["flag-1", "flag-3"], ["sh-port"]],
    "persistence_timeout": [None, 300, 300, 0],
    "persistence_netmask": [None, None, "24", "64", "255.0.255.0"],
    "persistence_engine": [None, None, "", "sip"],
    "upper_threshold": [None, 100, model.MAX_THRESHOLD],
    "lower_threshold": [None, None, 0, 100],
    "tunnel_type": [None, None, "ipip", "gue", "gre"],
    "tunnel_port": [None, None, 6080],
    "tunnel_checksum": [None, None, "none", "csum"],
    "interface": ["eth1"],
    "sync_id": [None, 0, 255],
    "multicast_group": [None, "224.0.0.82", "ff02::82"],
    "ttl": [None, 1, 255],
    "sync_maxlen": [None, 1024, 65487],
}


def _right_value(name: str, spec: arguments.Spec) -> st.SearchStrategy[Any]:
    if "options" in spec:
        return options_of(spec["options"])
    if name == "real_servers":
        return st.none() | st.lists(_real_servers, max_size=3)
    if "choices" in spec and name not in _RIGHT:
        choices = st.sampled_from(spec["choices"])
        return st.lists(choices, min_size=1, max_size=3) if spec["type"] == "list" else st.none() | choices
    return st.sampled_from(_RIGHT.get(name, [None, 0, 1]))


def _value(spec: arguments.Spec) -> st.SearchStrategy[Any]:
    """Whatever AnsibleModule lets through for an option."""
    if "options" in spec:
        return options_of(spec["options"])
    kind = spec["elements"] if spec["type"] == "list" else spec["type"]
    values: st.SearchStrategy[Any] = {
        "str": _texts,
        "int": _integers,
        "bool": st.booleans(),
        "float": st.floats(),
        "dict": _real_servers,
    }[kind]
    if "choices" in spec:
        values = st.sampled_from(spec["choices"])
    if spec["type"] == "list":
        values = st.lists(values, max_size=3)
    return values if spec.get("required") or "default" in spec else st.none() | values


@st.composite
def options_of(draw: st.DrawFn, specs: arguments.Spec, as_written: bool = False) -> dict[str, Any]:
    """The parameters of a module that has these options; up to three are anything that passes its argument spec.

    ``as_written``: nothing has looked at them yet, so those are anything that YAML can hold.
    """
    params = {name: draw(_right_value(name, spec)) for name, spec in specs.items()}
    if "fwmark" in specs:
        unset = draw(st.sampled_from([["fwmark", "family"], ["address", "port", "protocol"]]))
        params.update(dict.fromkeys(unset))
    for name in draw(st.lists(st.sampled_from(list(specs)), max_size=3)):
        params[name] = draw(_texts | _integers | _anything if as_written else _value(specs[name]))
    return params


# AnsibleModule only sees to it that they are dicts.
_real_servers = options_of(arguments.real_server_spec(), as_written=True) | st.dictionaries(
    _texts, _anything, max_size=2
)
_services = options_of({"name": {"type": "str"}, **arguments.service_spec(), **arguments.state_spec()})
_netmasks = st.integers(0, 130).map(str) | st.ip_addresses().map(str) | _texts


def taken_or_reason(call: Callable[[], Value], refusal: type[ValueError] = ValueError) -> tuple[Value | None, str]:
    """What a call returns, or why it refuses to."""
    try:
        return call(), ""
    except refusal as error:
        return None, str(error)


def taken(call: Callable[[], Value]) -> Value | None:
    """What a call returns; None where it refuses something, in one sentence of ours."""
    value, sentence = taken_or_reason(call, InvalidValue)
    assert sentence.isprintable()
    assert "Exceeds the limit" not in sentence
    return value


def reaches_the_kernel(patches: Sequence[ServicePatch], current: Table | None = None) -> None:
    """What the patches come to can be packed into messages, and survives its text."""
    planned = taken(lambda: plan.plan(current or {}, patches))
    if planned is None:
        return
    if planned.operations:
        netlink.pack(planned.operations, 28, 1)
    text = rules.render(planned.predicted)
    assert plan.plan({}, rules.parse(text)).predicted == planned.predicted


@given(st.lists(_services, max_size=2))
def test_services(entries: list[dict[str, Any]]) -> None:
    patches = taken(lambda: arguments.services(entries))
    if patches is not None:
        assert all(patch.label.isprintable() for patch in patches)
        reaches_the_kernel(patches)


@given(
    options_of(
        {
            "service": arguments.service_option(required=True),
            **arguments.real_server_spec(),
            **arguments.draining_spec(),
        }
    ),
    support.tables(),
    st.data(),
)
def test_a_real_server_of_any_table(params: dict[str, Any], current: Table, data: st.DataObject) -> None:
    patch = taken(lambda: arguments.only_real_server(params))
    if patch is not None:
        settings = Settings(persistence_timeout=300, persistence_netmask=model.full_netmask(patch.key.family))
        table = {**current, patch.key: VirtualService(settings, {})}
        reaches_the_kernel([patch], table)
        reaches_the_kernel([patch._replace(key=data.draw(st.sampled_from(sorted(table))))], table)


@given(st.lists(_real_servers, max_size=2), support.tables())
def test_real_servers_as_they_were_written(entries: list[dict[str, Any]], current: Table) -> None:
    for key in current:
        servers = taken(lambda key=key: arguments.real_servers("label", key, entries))  # type: ignore[misc]
        reaches_the_kernel([ServicePatch(key, None, servers)], current)


@given(options_of(daemon.spec()))
def test_sync_daemons(params: dict[str, Any]) -> None:
    patch = taken(lambda: daemon.from_arguments(params))
    if patch is None:
        return
    planned = taken(lambda: daemon.plan({}, params["role"], patch))
    for role, started in planned[1].items() if planned else ():
        _command, payload = daemon.encode(daemon.Step(role, started))
        data = netlink.request(28, 1, netlink.NEW_DAEMON, 0, payload)
        assert daemon.decode(data, next(netlink.messages(data))) == (role, started)


@given(options_of(timeouts.spec()) | st.dictionaries(st.sampled_from(["tcp", "udp"]), _anything))
def test_timeouts(params: dict[str, Any]) -> None:
    given_timeouts = taken(lambda: timeouts.from_arguments(params))
    if given_timeouts is not None:
        timeouts.encode(given_timeouts)


@given(st.sampled_from(list(model.ADDRESS_LENGTHS)), st.sampled_from(["", "/"]), _netmasks)
def test_netmasks(family: int, slash: str, text: str) -> None:
    mask, reason = taken_or_reason(lambda: model.parse_netmask(family, slash + text))
    if mask is None:
        assert reason.startswith("must be ")
    else:
        assert model.parse_netmask(family, model.netmask_text(family, mask)) == mask


@given(_texts)
def test_addresses(text: str) -> None:
    address, reason = taken_or_reason(lambda: model.pack_address(text))
    if address is None:
        assert reason.startswith("is not an IPv4 or IPv6 address")
    else:
        assert model.pack_address(model.address_text(address)) == address


_JUNK = """\
-A|-a|-r|-6|-f 0|-t=1|-p|-p 1|-b|-b mh-port|-M|-M 8|--pe|-w|-w 0|-w 1_0|--weight|--weight=|-x 1|-y 9|-m|-i|-g
--tun-type gue|--tun-port=1|--tun-csum|--real-server=192.0.2.7:80|# local|#|ipvsadm|=|192.0.2.1|192.0.2.1:0
[::1]:80|[|]:|:|::|80|-1|1e3|+1|0x10|none"""
_junk = st.sampled_from(_JUNK.replace("\n", "|").split("|")) | st.sampled_from(_BAD + _LONG)


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    """What ipvsadm-save could have written, with words and lines deleted, doubled, swapped and replaced."""
    lines = [line.split(" ") for line in rules.render(draw(support.tables())).splitlines()] or [[""]]
    for _mutation in range(draw(st.integers(0, 4))):
        line = draw(st.sampled_from(lines))
        parts: list[Any] = draw(st.sampled_from([line, line, line, lines]))
        one, other = (draw(st.integers(0, len(parts) - 1)) for _end in range(2))
        how = draw(st.sampled_from(["delete", "double", "swap", "replace"]))
        if how == "delete" and len(parts) > 1:
            del parts[one]
        elif how == "double":
            parts.insert(other, parts[one])
        elif how == "swap":
            parts[one], parts[other] = parts[other], parts[one]
        else:
            parts[one] = draw(_junk) if parts is line else [draw(_junk), *parts[one]]
    return "\n".join(" ".join(line) for line in lines)


@given(_mutated() | st.lists(_junk).map(" ".join) | st.text(st.characters()))
def test_rules(text: str) -> None:
    patches = taken(lambda: rules.parse(text))
    if patches is not None:
        reaches_the_kernel(patches)


_ENDPOINTS = """\
192.0.2.1:0|192.0.2.1:80|192.0.2.1:00080|192.0.2.1:65536|192.0.2.1:1_0|192.0.2.1:\u0661|192.0.2.1|192.0.2.1:|192.0.2.2:0
0.0.0.1:0|224.0.0.1:0|255.255.255.255:0|[2001:db8::1]:0|web:0||-r|-m"""
_HEADS = "-a -f 1|-a -f 1|-a -f 1|-a -f 1 -6| -a -f 1|-a -m -f 1|-a -f 1 -w|ipvsadm -a -f 1|--add-server -f 1|-A -f 1"
_ENDS = "|-w 1|-m -w 1|-g -w 1|-m -w 1 # local|-g  # local|-g -6|-i --tun-type gue --tun-port 1|-t 192.0.2.1:80"


@st.composite
def _alike(draw: st.DrawFn) -> str:
    """Real servers whose lines differ in nothing but their addresses, some good ones first, and another line."""
    head, end, other_head, other_end = (
        draw(st.sampled_from(words.split("|"))) for words in (_HEADS, _ENDS, _HEADS, _ENDS)
    )
    good = [f"192.0.2.{number}:0" for number in draw(st.lists(st.integers(3, 9), min_size=1, max_size=3, unique=True))]
    endpoint, other = (draw(st.sampled_from(_ENDPOINTS.replace("\n", "|").split("|"))) for _line in range(2))
    lines = ["-A -f 1", "-A -f 1 -6", *(f"{head} -r {known} {end}" for known in good)]
    return "\n".join([*lines, f"{head} -r {endpoint} {end}", f"{other_head} -r {other} {other_end}"])


@given(_alike() | _mutated())
def test_lines_that_are_like_earlier_ones_are_read_like_any_other(text: str) -> None:
    with mock.patch.object(rules._Parser, "take_like_before", return_value=False):
        expected = taken_or_reason(lambda: rules.parse(text), InvalidValue)
    assert taken_or_reason(lambda: rules.parse(text), InvalidValue) == expected


_proc_words = st.sampled_from(
    [
        *test_readings.STATS.split(),
        *test_readings.CONNECTION.split(),
        *test_readings.CONNECTION6.split(),
        "\n",
        "\n",
        "-1",
        "sip",
    ]
)
_proc_texts = st.lists(_proc_words | _texts, max_size=40).map(" ".join) | st.text(st.characters())


@given(_proc_texts)
def test_texts_of_proc(text: str) -> None:
    counters, rates = readings.parse_totals(text)
    assert set(counters) == set(rates) == set(netlink.COUNTERS)
    schedulers, engines = readings.parse_modules([text])
    assert not {*schedulers, *engines} & {"", "ftp"}
    for entry in readings.parse_connections(text.splitlines()):
        model.pack_address(entry["real_server_address"])


@given(st.lists(st.integers(0, 9), max_size=3), _texts)
def test_a_damaged_line_does_not_hide_its_neighbours(places: list[int], junk: str) -> None:
    words = test_readings.CONNECTION.split()
    for place in places:
        words[place % len(words)] = junk
    lines = [test_readings.CONNECTION, " ".join(words), test_readings.CONNECTION6]
    found = list(readings.parse_connections(lines))
    whole = list(readings.parse_connections([test_readings.CONNECTION, test_readings.CONNECTION6]))
    assert [found[0], found[-1]] == whole


@pytest.mark.parametrize("name", ["two\nlines", "bell\a", "\udc80", "line\u2028separator"])
def test_a_name_that_cannot_be_printed_is_escaped(name: str) -> None:
    entry = {"name": name, "address": "192.0.2.1", "port": 80}
    message = support.refused(lambda: arguments.services([entry, entry]))
    shown = repr(name)[1:-1]
    assert message == f"{shown} (tcp 192.0.2.1:80): is described twice, also as {shown}"
