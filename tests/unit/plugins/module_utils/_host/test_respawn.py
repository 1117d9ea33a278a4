# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules whose interpreter lacks pyroute2, sent by ansible as in a task."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._host import task

PLUGINS = Path(task.__file__).resolve().parents[2]
SYSTEM = task.SYSTEM_PYTHON

MODULE = """\
import sys

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.cluster.plugins.module_utils._host import target as host, task
from ansible_collections.lvs.cluster.plugins.module_utils._host.network import Addresses
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import module as ipvs
from ansible_collections.lvs.cluster.plugins.module_utils._ipvs.kernel import LibraryMissing, load_library


def main():
    ansible = AnsibleModule({"side": {}, "filler": {"default": ""}}, supports_check_mode=True)

    def work():
        try:
            load_library()
        except ImportError as error:
            raise LibraryMissing("missing") from error
        tell()

    def converge(*_arguments):
        Addresses().open()
        tell()

    def tell():
        ansible.fail_json(msg=f"{sys.executable} {ansible.check_mode}")

    host.require_root = task.require_root = lambda: None
    if ansible.params["side"] == "ipvs":
        ipvs.run(ansible, work)
    if ansible.params["side"] == "parts":
        first = task.Part("first", lambda: lambda: {"changed": False}, needs_pyroute2=False)
        task.run_parts(ansible, [first, ipvs.part(ansible, "table", lambda: work)])
    host.run(ansible, lambda: None, converge)


if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="session", name="ansible")
def _ansible(tmp_path_factory: pytest.TempPathFactory, python_of_tests: str, bare_python: str) -> Any:
    """Run the module above under the bare interpreter; ``system`` is what the collection takes for the system's."""
    place = tmp_path_factory.mktemp("collections")

    def run(system: str, **arguments: str) -> dict[str, Any]:
        tree = place / system.replace("/", "_") / "ansible_collections/lvs/cluster"
        if not tree.exists():
            shutil.copytree(PLUGINS, tree / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
            (tree / "galaxy.yml").write_text("namespace: lvs\nname: cluster\nversion: 1.0.0\nreadme: README.md\n")
            (tree / "plugins/modules/which.py").write_text(MODULE)
            source = tree / "plugins/module_utils/_host/task.py"
            source.write_text(source.read_text().replace(f'SYSTEM_PYTHON = "{SYSTEM}"', f"SYSTEM_PYTHON = {system!r}"))
        command = [python_of_tests, "-m", "ansible", "adhoc", "localhost", "--connection=local", "--check"]
        command += ["--module-name=lvs.cluster.which", f"--args={json.dumps(arguments)}"]
        command += [f"--extra-vars=ansible_python_interpreter={bare_python}"]
        settings = {"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2]), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
        assert "=> {" in done.stdout, done.stdout + done.stderr
        result: dict[str, Any] = json.JSONDecoder().raw_decode(done.stdout.partition("=> ")[2])[0]
        return result

    return run


@pytest.mark.parametrize("side", ["ipvs", "host", "parts"])
def test_a_module_runs_under_the_systems_python_where_its_own_has_no_library(
    ansible: Any, python_of_tests: str, side: str
) -> None:
    result = ansible(python_of_tests, side=side)
    assert result["msg"] == f"{python_of_tests} True", "the arguments and check mode go along"


def test_without_any_library_the_message_names_the_interpreter(ansible: Any, bare_python: str) -> None:
    result = ansible("/nonexistent/python3", side="host")
    assert "(pyroute2) on" in result["msg"]
    assert f"Python {bare_python}" in result["msg"]
    assert "python3-pyroute2" in result["msg"]
    assert "lvs_install_packages" in result["msg"]


def test_arguments_too_long_to_hand_over_are_told(ansible: Any, python_of_tests: str, bare_python: str) -> None:
    result = ansible(python_of_tests, side="ipvs", filler="x" * 70000)
    assert result["msg"] == (
        f"{bare_python} does not find the Python library pyroute2. {python_of_tests} does, but the arguments of this"
        f" task are too long to be handed over to it: set ansible_python_interpreter to {python_of_tests} for this host"
    )
