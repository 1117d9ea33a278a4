# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each machine runs site on itself, with ansible-pull from a checkout. No machine has a key for another one."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cluster
import pytest
import yaml
from testinfra.host import Host

Machines = Callable[[str], Host]

NAMES = ("director1", "director2", "prober", "rs1", "rs2")
#: What ansible-galaxy installs of the collection.
COLLECTION = ("galaxy.yml", "meta", "playbooks", "plugins", "roles")
HERE = "/opt/pull"
LAUNCHER = """#!/usr/bin/python3
import sys

sys.path.insert(0, "{here}/lib")
from ansible.cli.{module} import main

main()
"""


def shell(name: str, command: str, seconds: float = 1500, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command on a machine."""
    words = ["ssh", "-F", str(cluster.LAB / "ssh_config"), name, command]
    return subprocess.run(words, input=given, capture_output=True, check=False, timeout=seconds)


def copy(place: Path, name: str, target: str) -> None:
    """Copy a directory to a machine, with what its links refer to."""
    packed = subprocess.run(["tar", "-C", str(place), "-chz", "."], capture_output=True, check=True).stdout
    done = shell(name, f"mkdir -p {target} && tar -C {target} --no-same-owner -xz", given=packed)
    assert done.returncode == 0, done.stderr


def everywhere(command: str) -> dict[str, str]:
    """Run a command on all machines at the same time; what each printed. It has to succeed."""
    with ThreadPoolExecutor(len(NAMES)) as pool:
        done = dict(zip(NAMES, pool.map(lambda name: shell(name, command), NAMES), strict=True))
    printed = {name: (one.stdout + one.stderr).decode() for name, one in done.items()}
    failed = [name for name, one in done.items() if one.returncode]
    assert not failed, "\n".join(f"{name} ended with {done[name].returncode}:\n{printed[name]}" for name in failed)
    return printed


@pytest.fixture(scope="module")
def ansible_core(machine: Machines, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Ansible-core for the Python of each machine, and the collection."""
    for name in NAMES:
        version = machine(name).check_output("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'")
        place = tmp_path_factory.mktemp(name)
        words = ["--no-deps", "--only-binary", ":all:", "--python-version", version, "--dest", str(place)]
        subprocess.run(
            [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "download", *words, "ansible-core"],
            check=True,
        )
        (wheel,) = place.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place / "lib")
        wheel.unlink()
        (place / "bin").mkdir()
        for module in ("adhoc", "playbook", "pull"):
            program = place / "bin" / ("ansible" if module == "adhoc" else f"ansible-{module}")
            program.write_text(LAUNCHER.format(here=HERE, module=module))
            program.chmod(0o755)
        target = place / "collections" / "ansible_collections" / "lvs" / "cluster"
        target.mkdir(parents=True)
        for part in COLLECTION:
            (target / part).symlink_to(cluster.ROOT / part)
        copy(place, name, HERE)


def commit(repository: Path, interval: int) -> None:
    """Store an inventory and a playbook of one line, with a new interval of a health check of ams."""
    inventory = yaml.safe_load((cluster.ROOT / "molecule" / "clusters" / "inventory.yml").read_text())
    inventory["all"]["vars"] = {"ams_interval": interval, "ansible_python_interpreter": "/usr/bin/python3"}
    (repository / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (repository / "site.yml").write_text("- import_playbook: lvs.cluster.site\n")
    git = ["git", "-C", str(repository), "-c", "user.name=lab", "-c", "user.email=lab@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", f"interval {interval}"]):
        subprocess.run([*git, *words], check=True)
    for name in NAMES:
        copy(repository, name, f"{HERE}/site")


def pull() -> dict[str, dict[str, int]]:
    """Run ansible-pull on all machines at the same time; the recap of each."""
    # keepalived needs the processor every fraction of a second, and a machine has one
    program = f"ANSIBLE_COLLECTIONS_PATH={HERE}/collections nice -n 19 {HERE}/bin/ansible-pull"
    command = f"{program} -U file://{HERE}/site -i hosts.yml site.yml"
    found = {}
    for name, text in everywhere(command).items():
        recap = text.rpartition("PLAY RECAP")[2]
        hosts = re.findall(r"^(\S+) +: (.*)$", recap, re.MULTILINE)
        assert [host for host, _counts in hosts] == [name], text
        found[name] = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", hosts[0][1])}
    return found


def peers(machine: Machines) -> dict[str, str]:
    """What keepalived has of the other directors, on each director."""
    return {
        name: machine(name).check_output("sed -n '/unicast_peer/,/}/p' /etc/keepalived/keepalived.conf")
        for name in ("director1", "director2", "prober", "rs2")
    }


@pytest.mark.usefixtures("ansible_core")
def test_each_machine_by_itself(machine: Machines, tmp_path: Path) -> None:
    before = peers(machine)
    commit(tmp_path, 2)
    first = pull()
    assert [name for name in NAMES if first[name]["changed"]] == ["director1", "director2"]
    assert peers(machine) == before
    second = pull()
    assert {name: counts["changed"] for name, counts in second.items()} == dict.fromkeys(NAMES, 0)
    words = ["-e", "ams_interval=2", "-e", "lvs_verify_from=client"]
    found = cluster.playbook("verify", *words, scenario="clusters")
    assert found.status == 0, found.text
    found = cluster.playbook("site", scenario="clusters")
    assert found.status == 0, found.text
