# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the modules in a machine, against ipvsadm and pyroute2's own IPVS API; `make benchmark` calls it.

`.venv/bin/python tests/benchmark/run.py [--keep] [-- OPTIONS OF measure.py]`. It prints seconds, which depend on the
machine, and ratios of them, which hardly do; the exit status is 0 when every bounded ratio is kept.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "molecule" / "lab"), str(ROOT)]
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".build" / "collections")  # read when ansible is imported


from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar
from vmlab import labs, topology
from vmlab.base import LabError, Progress

init_plugin_loader([])  # before anything of the collection is imported, so that Ansible knows it

from tests.benchmark import measure
from tests.machines import COLLECTION, NEWEST, THERE, luggage, unpack

TOPOLOGY = ROOT / "molecule" / "lab" / "topologies" / "benchmark.yml"
MACHINE = "debian13"


FLOOR = Path(__file__).with_name("floor.py")


def task(name: str, arguments: dict[str, Any], path: Path | None = None) -> bytes:
    """A module with its arguments as Ansible sends it to a host; of the collection, or the one at this path."""
    full = name if path else f"lvs.cluster.{name}"
    made: Any = modify_module(
        module_name=full,
        module_path=str(path) if path else module_loader.find_plugin(full),
        module_args=arguments,
        templar=Templar(DataLoader()),
        task_vars={"ansible_python_interpreter": "/usr/bin/python3"},
        module_compression="ZIP_DEFLATED",
    )
    data: bytes = made[0] if isinstance(made, tuple) else made.b_module_data
    return data


def tasks(services: int) -> dict[str, bytes]:
    """The tasks that are measured as processes, by file name."""
    described = measure.described(services)
    first = {key: described[0][key] for key in ("address", "port")}
    servers = described[0]["real_servers"][: measure.TASKS]
    return {
        "floor.py": task("floor", {}, FLOOR),
        "table_services.py": task("ipvs_table", {"services": described, "purge": "real_servers"}),
        "table_rules.py": task("ipvs_table", {"rules": measure.as_rules(described), "purge": "real_servers"}),
        **{
            f"real_server_{number}.py": task("ipvs_real_server", {"service": first, **server})
            for number, server in enumerate(servers)
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the machine up")
    parser.add_argument("--services", type=int, default=100, help="of 100 real servers each")
    parser.add_argument("arguments", nargs="*", help="for measure.py, after --")
    options = parser.parse_args()
    lab = topology.load(TOPOLOGY)
    try:
        folder = labs.up(lab, Progress())
        files = {f"tasks/{name}": data for name, data in tasks(options.services).items()}
        unpack(folder, MACHINE, luggage(["tests/benchmark"], files=files))
        words = ["python3", f"{THERE}/{COLLECTION}/tests/benchmark/measure.py", f"{THERE}/tasks", NEWEST]
        words += ["--services", str(options.services), *options.arguments]
        remote = f"PYTHONPATH={THERE} {shlex.join(words)}"
        # Straight to the terminal: it takes minutes.
        return subprocess.run(["ssh", "-F", str(folder / "ssh_config"), MACHINE, remote], check=False).returncode
    except LabError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.keep and labs.folder_of(lab.name).exists():
            labs.down(lab.name, Progress())


if __name__ == "__main__":
    sys.exit(main())
