# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interpreter without pyroute2, such as that of a virtual environment: the system's takes over, at boot as well."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ansible.module_utils
import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import persist

if TYPE_CHECKING:
    from ansible_collections.lvs.cluster.tests.kernel.conftest import Host

pytestmark = pytest.mark.usefixtures("_nothing_kept")

MODULES = "ansible_collections.lvs.cluster.plugins.modules"
RULES = "-A -t 192.0.2.10:80 -s rr\n"
# What a module that Ansible has sent finds: its arguments, its name and where the rest of it is.
LAUNCHER = """\
import runpy
import sys

from ansible.module_utils import basic

name, path, arguments = sys.argv[1:]
basic._ANSIBLE_ARGS = arguments.encode()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module(name, {"_module_fqn": name, "_modlib_path": path}, "__main__", True)
"""


@pytest.fixture(name="bare")
def _bare(host: Host, tmp_path: Path) -> str:
    """An interpreter with the standard library alone."""
    host.run("/usr/bin/python3", "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    return str(tmp_path / "venv/bin/python3")


def sent(host: Host, python: str, name: str, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run a module under an interpreter as Ansible does."""
    (path,) = {str(Path(where).parent.parent) for where in ansible.module_utils.__path__}
    text = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}})
    environment = {"PYTHONPATH": path, "PATH": os.environ["PATH"]}
    done = host.attempt(python, "-c", LAUNCHER, f"{MODULES}.{name}", path, text, env=environment)
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_modules_run_and_the_unit_is_the_same_under_either_interpreter(host: Host, bare: str) -> None:
    predicted = sent(host, bare, "ipvs_table", check=True, rules=RULES, persist=True)
    assert (predicted.get("msg"), predicted["changed"], host.save()) == (None, True, "")
    result = sent(host, bare, "ipvs_table", rules=RULES, persist=True)
    assert result["diff"] == predicted["diff"]
    assert host.save() == RULES
    assert "ExecStart=/usr/bin/python3 -I /" in Path(persist.UNIT_FILE).read_text()
    assert not host.ok("ipvs_table", rules=RULES, persist=True)["changed"]
    assert len(sent(host, bare, "ipvs_info")["services"]) == 1
    host.run("ip", "address", "add", "192.0.2.77/32", "dev", "lo")
    assert sent(host, bare, "host_check", vips=["192.0.2.77"], libraries=["pyroute2"])["held"] == ["192.0.2.77"]


def test_a_unit_of_an_earlier_version_that_names_a_versions_python_is_replaced(host: Host) -> None:
    host.ok("ipvs_table", rules=RULES, persist=True)
    unit = Path(persist.UNIT_FILE)
    text = unit.read_text()
    unit.write_text(text.replace("/usr/bin/python3 -I", os.path.realpath(sys.executable)))
    assert host.ok("ipvs_table", check=True, rules=RULES, persist=True)["changed"]
    assert host.ok("ipvs_table", rules=RULES, persist=True)["changed"]
    assert unit.read_text() == text


@pytest.fixture(name="place")
def _place() -> Iterator[Path]:
    """A directory that everybody may write."""
    place = Path(tempfile.mkdtemp(dir="/opt"))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


def test_an_interpreter_that_others_may_change_never_runs_at_boot(
    host: Host, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import boot

    monkeypatch.setattr(boot, "SYSTEM_PYTHON", "/nonexistent/python3")
    monkeypatch.setattr(sys, "executable", f"{place}/python3")
    (place / "python3").symlink_to("/usr/bin/python3")
    for check in (True, False):
        message = host.failure("ipvs_table", check=check, rules=RULES, persist=True)
        assert "/nonexistent/python3 does not find pyroute2" in message
        assert f"{place}/python3 is not used because users other than root may change {place};" in message
        assert (host.save(), Path(persist.UNIT_FILE).exists()) == ("", False)
    monkeypatch.setattr(sys, "executable", os.path.realpath("/usr/bin/python3"))
    assert host.ok("ipvs_table", rules=RULES, persist=True)["changed"]
    assert f"ExecStart={sys.executable} -I /" in Path(persist.UNIT_FILE).read_text()
