# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between Ansible's filters and the cluster model: the one file here that knows Ansible. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleFilterError
from jinja2 import Undefined, UndefinedError

from ansible_collections.lvs.cluster.plugins.plugin_utils.cluster import Cluster, build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils.problems import ModelError


def expand(
    description: object, groups: object, hostvars: object, wanted: Callable[[Cluster], dict[str, object]]
) -> dict[str, object]:
    """Build the cluster and take what is wanted from it; a `ModelError` becomes `AnsibleFilterError`, word for word."""
    variables = _Hosts(hostvars) if isinstance(hostvars, Mapping) else hostvars
    try:
        return wanted(build_cluster(description, groups, variables))
    except ModelError as error:
        raise AnsibleFilterError(str(error)) from None


class _Readable(Mapping[str, Any]):
    """A mapping whose lookups may template: a value that cannot be had is read as the exception that says why.

    A host's address is often a template over its facts, and without facts it fails on access. The model can then name
    the host, which Ansible's own message does not.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        try:
            value = self._values[key]
            if isinstance(value, Undefined):
                str(value)  # raises with the reason
        except (AnsibleError, UndefinedError) as error:
            return error
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class _Hosts(_Readable):
    """``hostvars`` with every host's variables readable in that way."""

    def __getitem__(self, key: str) -> Any:
        variables = super().__getitem__(key)
        return _Readable(variables) if isinstance(variables, Mapping) else variables
