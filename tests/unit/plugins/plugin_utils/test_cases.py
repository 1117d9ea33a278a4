# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases: a folder each, with what goes in and what must come out.

``description.yml`` is ``lvs_virtual_services``. ``inventory.yml`` (else the one beside the folders) has ``groups``,
``hostvars`` and, for directors, ``settings``, which are variables of the role. ``expected.yml`` has what every director
and real server is given, or ``error.txt`` the whole error message. `pytest tests/unit --update` writes what comes out
into these files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.lvs.cluster.plugins.module_utils._host import arp, decapsulation, routing
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import arguments
from ansible_collections.lvs.cluster.plugins.plugin_utils._cluster.cluster_model import build_cluster
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import ModelError
from ansible_collections.lvs.cluster.tests.unit.plugins.plugin_utils import support

TABLE_OPTIONS = ArgumentSpecValidator(
    {
        "services": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {"type": "str"}, **arguments.service_spec()},
        },
        "exclude": {"type": "list", "elements": "dict", "options": arguments.identity_spec()},
    }
)
CASES = Path(__file__).parent / "cases"
FOLDERS = sorted(path.parent for path in CASES.glob("*/description.yml"))


def expand(folder: Path) -> dict[str, Any]:
    own = folder / "inventory.yml"
    inventory = yaml.safe_load((own if own.exists() else CASES / "inventory.yml").read_text())
    groups, hostvars = inventory["groups"], inventory["hostvars"]
    settings = inventory.get("settings", {})
    shared = {"lvs_nat_gateway": settings.get("lvs_nat_gateway")}
    cluster = build_cluster(yaml.safe_load((folder / "description.yml").read_text()), groups, hostvars)
    return {
        "directors": {host: support.director(cluster, host, **settings) for host in groups["directors"]},
        "real_servers": {host: support.real_server(cluster, host, **shared) for host in groups["real_servers"]},
    }


def test_cases_are_found() -> None:
    assert len(FOLDERS) >= 15
    for folder in FOLDERS:
        assert (folder / "expected.yml").exists() != (folder / "error.txt").exists(), folder.name


class Dumper(yaml.SafeDumper):
    """Writes YAML as it stands in this tree: lists are indented, and texts of several lines are blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, Dumper.represent_text)


def update(path: Path, expanded: dict[str, Any]) -> None:
    header = path.read_text().partition("\n\n")[0]
    path.write_text(f"{header}\n\n{yaml.dump(expanded, Dumper=Dumper, sort_keys=False, width=10000)}")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_case(folder: Path, takes: Callable[[dict[str, Any]], None], request: pytest.FixtureRequest) -> None:
    if (folder / "error.txt").exists():
        with pytest.raises(ModelError) as caught:
            expand(folder)
        if request.config.getoption("--update"):
            (folder / "error.txt").write_text(f"{caught.value}\n")
        assert f"{caught.value}\n" == (folder / "error.txt").read_text()
        return
    expanded = expand(folder)
    if request.config.getoption("--update"):
        update(folder / "expected.yml", expanded)
    assert expanded == yaml.safe_load((folder / "expected.yml").read_text())
    for director in expanded["directors"].values():
        takes(director)
        for option, value in (("services", director["services"]), ("exclude", director["owned_elsewhere"])):
            assert not TABLE_OPTIONS.validate({option: value}).error_messages
    for real_server in expanded["real_servers"].values():
        arp.parse_silence(True, real_server["vips"], "lo", [], True)
        routing.parse_return_route(
            True, **real_server["return_route"], everything=False, table=5151, priority=5151, persist=True
        )
        decapsulation.parse_tunnels(True, real_server["tunnels"], persist=True)
