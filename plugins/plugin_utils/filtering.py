# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between Ansible's filters and the cluster model: the one file here that knows Ansible. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from jinja2 import Undefined, UndefinedError

from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import Cluster, build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.inventory import DIRECTORS, REAL_SERVERS
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import ModelError, Problems
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.variables import overriding_facts

try:
    from ansible.template import is_trusted_as_template
except ImportError:  # ansible-core before 2.19, where every text counts as a template

    def is_trusted_as_template(value: object) -> bool:
        """Return whether a text may be a template."""
        return not hasattr(value, "__UNSAFE__")


T = TypeVar("T")


def untrusted(value: T) -> T:
    """Return the value with all of its texts marked as untrusted: Ansible never treats them as templates.

    For every result of a filter that has text of a managed host in it.
    """
    return cast(T, wrap_var(value))


def expand(
    description: object, groups: object, hostvars: object, wanted: Callable[[Cluster], dict[str, object]]
) -> dict[str, object]:
    """Build the cluster and take what is wanted from it; a `ModelError` becomes `AnsibleFilterError`, word for word."""
    variables = _Hosts(hostvars) if isinstance(hostvars, Mapping) else hostvars
    try:
        written = getattr(hostvars, "raw_get", None)
        refuse_overriding_facts(groups, variables, written)
        return wanted(build_cluster(description, groups, variables, written))
    except ModelError as error:
        raise AnsibleFilterError(str(error)) from None


def refuse_overriding_facts(groups: object, hostvars: object, raw_get: Callable[[str], object] | None) -> None:
    """Raise `ModelError` if a host of the cluster has reported facts that override what the inventory says.

    Facts are in a persistent cache before a run asks its first host, and any module may return some during the run.
    ``raw_get``: ansible-core's ``HostVars.raw_get``, the variables of a host with their templates as written.
    """
    if not isinstance(groups, Mapping) or not isinstance(hostvars, Mapping):
        return  # `build_cluster` says so
    problems = Problems()
    for host in dict.fromkeys([*hosts_of_group(groups, DIRECTORS), *hosts_of_group(groups, REAL_SERVERS)]):
        variables = hostvars.get(host)
        if not isinstance(variables, Mapping) or not variables.get("ansible_facts"):
            continue
        names = overriding_facts(raw_get(host) if raw_get else variables, is_trusted_as_template)
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            problems.add(
                f"host {host}",
                "",
                f"its facts override variables of the inventory: {', '.join(name[:70] for name in names[:3])}{more}. "
                "A host must not set its own address, or what others are told. Find out which module returned these "
                "facts, and run again with --flush-cache. A template that is meant to use a fact must read it from "
                "ansible_facts",
            )
    problems.raise_any()


def hosts_of_group(groups: Mapping[Any, Any], group: str) -> list[str]:
    """Return the inventory names of a group's hosts; none if there is no such group."""
    hosts = groups.get(group)
    return [host for host in hosts if isinstance(host, str)] if isinstance(hosts, (list, tuple)) else []


class _Readable(Mapping[str, Any]):
    """A mapping whose lookups may template: a value that cannot be had is read as the exception that says why.

    A host's address is often a template over its facts, and without facts it fails on access. The model can then name
    the host, which Ansible's own message does not.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        try:
            value = _looked_up(self._values[key])
        except (AnsibleError, UndefinedError) as error:
            return error
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _looked_up(value: Any) -> Any:
    """Return the value with all that is inside it, whose templates are made when they are looked up."""
    if isinstance(value, Undefined):
        str(value)  # raises with the reason
    if isinstance(value, list):
        return [_looked_up(one) for one in value]
    if isinstance(value, dict):
        return {key: _looked_up(one) for key, one in value.items()}
    return value


class _Hosts(_Readable):
    """``hostvars`` with every host's variables readable in that way, looked up once each."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._found: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._found:
            variables = super().__getitem__(key)
            self._found[key] = _Readable(variables) if isinstance(variables, Mapping) else variables
        return self._found[key]
