# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that override variables of the inventory."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.plugin_utils._description.variables import overriding_facts

WRITTEN = {"lvs_address": "{{ network }}.{{ number }}", "network": "{{ site }}.2", "site": "192.0", "other": "x"}


def overridden(facts: dict[str, Any], **injected: Any) -> list[str]:
    """What is found on a host with these variables, of which ``injected`` come from the host."""
    texts = {id(value) for value in injected.values()}
    return overriding_facts({**WRITTEN, **injected, "ansible_facts": facts}, lambda text: id(text) not in texts)


@pytest.mark.parametrize("facts", [{}, None, "text", {"distribution": "Debian"}])
def test_without_such_facts(facts: Any) -> None:
    assert overridden(facts) == []


def test_a_variable_of_ours() -> None:
    assert overridden({"lvs_address": "evil"}, lvs_address="evil") == ["lvs_address"]
    assert overridden({"lvs_draining_directors": []}, lvs_draining_directors=["localhost"]) == [
        "lvs_draining_directors"
    ]
    assert overridden({"inventory_hostname": "rs2"}, inventory_hostname="rs2") == ["inventory_hostname"]


def test_an_interface_with_such_a_name() -> None:
    assert overridden({"lvs_gue": {"mtu": 1480}}, ansible_lvs_gue={"mtu": 1480}) == []


@pytest.mark.parametrize("name", ["network", "site", "number"])
def test_a_variable_that_ours_use(name: str) -> None:
    assert overridden({name: "evil"}, **{name: "evil"}) == [name]
    # the host says it twice, so that the fact of this name is another text than the variable
    assert overridden({name: "fair"}, **{name: "evil", f"ansible_{name}": "fair"}) == [name]


def test_a_variable_that_nothing_of_ours_uses() -> None:
    assert overridden({"other": "evil"}, other="evil") == []


def test_a_variable_of_the_inventory_with_the_name_of_a_fact() -> None:
    assert overridden({"network": "x"}, ansible_network="x") == []


def test_a_number_is_of_unknown_origin() -> None:
    assert overridden({"number": 5}, number=5) == ["number"]


def test_facts_that_a_template_names_as_such() -> None:
    variables = {"lvs_address": "{{ ansible_facts.eth1.ipv4.address }}", "ansible_facts": {"eth1": {}, "facts": {}}}
    assert overriding_facts(variables, lambda _text: True) == []


def test_templates_in_lists_keys_and_blocks() -> None:
    services = [{"{{ key }}": "{% if one %}{{ two | nofilter }}{% do three.append(1) %}{% endif %}"}, "{{ broken"]
    names = ["key", "one", "two", "three"]
    variables = {"lvs_virtual_services": services, **dict.fromkeys(names, "evil")}
    found = overriding_facts({**variables, "ansible_facts": dict.fromkeys(names, "evil")}, lambda text: text != "evil")
    assert sorted(found) == sorted(names)


def test_what_a_host_has_sent_is_no_template() -> None:
    evil = "{{ other }}"
    assert overridden({"network": evil, "other": "evil"}, network=evil, other="evil") == ["network"]
