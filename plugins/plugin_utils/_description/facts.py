# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that override variables of the inventory.

Every module may return ``ansible_facts``, so a host chooses their names. With ``inject_facts_as_vars``, which is
ansible-core's default, facts precede the variables of groups and hosts (ansible/vars/manager.py: get_vars). A host
could set its own address or weight that way, and what the directors are told of it.

``ansible_facts`` has the names without the prefix ``ansible_`` (ansible/vars/manager.py: namespace_facts), among the
variables they have it: ``lvs_gue`` is what ``setup`` finds of an interface of this name, and overrides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes

#: The beginnings of the names of this collection's variables.
PREFIXES = ("lvs_", "director_", "real_server_")
#: Variables that Ansible gives each host and that facts precede (ansible/inventory/host.py: get_magic_vars). By them a
#: host would have the name and the groups of another one.
IDENTITY = frozenset(("inventory_hostname", "inventory_hostname_short", "group_names"))

_ENVIRONMENT = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])  # noqa: S701 - it parses only


def overriding_facts(variables: object, trusted: Callable[[str], bool]) -> list[str]:
    """Return the names of facts that override a variable of ours, or one that templates of ours use.

    ``variables``: those of one host, with their templates as written. ``trusted``: tells whether a text was written by
    the author of the inventory or the playbook.
    """
    facts = variables.get("ansible_facts") if isinstance(variables, Mapping) else None
    if not isinstance(variables, Mapping) or not isinstance(facts, Mapping) or not facts:
        return []
    ours = [name for name in variables if isinstance(name, str) and _is_ours(name)]
    return [name for name in ours if name in facts] or [
        name for name in _used_by(ours, variables, trusted) if name in facts and not _written(variables[name], trusted)
    ]


def _used_by(names: list[str], variables: Mapping[str, object], trusted: Callable[[str], bool]) -> list[str]:
    """Return the names that the templates of these variables use, and the templates of those, and so on."""
    found = dict.fromkeys(names)
    queue = list(names)
    while queue:
        for text in _texts(variables[queue.pop()]):
            for name in _names(text) if trusted(text) else ():
                if name in variables and name not in found and name != "ansible_facts":
                    found[name] = None
                    queue.append(name)
    return [name for name in found if not _is_ours(name)]


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIXES) or name in IDENTITY


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key)
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


def _written(value: object, trusted: Callable[[str], bool]) -> bool:
    texts = list(_texts(value))
    return bool(texts) and all(trusted(text) for text in texts)


def _names(text: str) -> frozenset[str]:
    return _parsed(str.__str__(text)) if "{{" in text or "{%" in text else frozenset()


@lru_cache(maxsize=1024)
def _parsed(text: str) -> frozenset[str]:
    try:
        return frozenset(node.name for node in _ENVIRONMENT.parse(text).find_all(nodes.Name))
    except TemplateSyntaxError:
        return frozenset()  # Ansible refuses it where it is used
