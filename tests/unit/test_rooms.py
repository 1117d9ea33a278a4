# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of the plugins: imports go down, pure files are pure, and a name leads to one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.lvs.cluster.plugins.module_utils._ipvs import boot
from ansible_collections.lvs.cluster.tests import graph

FILES = graph.read_files()
PREFIX = "from ansible_collections.lvs.cluster.plugins"
PURE = '"""Something. Pure."""\n'


def test_there_is_no_import_cycle() -> None:
    assert graph.cycles(FILES) == []


def test_imports_go_down() -> None:
    assert graph.upward(FILES) == []


def test_pure_files_do_no_io_and_say_so() -> None:
    assert graph.impure(FILES) == []
    assert graph.undeclared(FILES) == []


def test_no_name_stands_twice() -> None:
    assert graph.twice(FILES) == []


def test_the_values_of_a_table_need_nothing_of_ours() -> None:
    assert FILES["module_utils._ipvs.model"].imports == frozenset()


def test_the_archive_holds_what_its_programs_import() -> None:
    needed = graph.closure(FILES, "module_utils._ipvs.programs", with_late=True) | {"module_utils._ipvs.programs"}
    packed = {
        f"module_utils.{room}.{name}" for room, names in boot.ARCHIVED.items() for name in names if name != "__init__"
    }
    assert packed == needed


def test_a_file_of_the_graph_is_what_it_imports() -> None:
    found = FILES["module_utils._ipvs.converge"]
    assert "module_utils._ipvs.kernel" in found.imports
    assert found.late == {"module_utils._ipvs.rules"}
    assert "module_utils._ipvs.rules" not in graph.closure(FILES, "modules.ipvs_service")
    assert "module_utils._ipvs.rules" in graph.closure(FILES, "modules.ipvs_service", with_late=True)
    floor = graph.floors(FILES)
    assert floor["module_utils._ipvs.model"] == 0
    assert floor["module_utils._ipvs.kernel"] > floor["module_utils._ipvs.netlink"] > floor["module_utils._ipvs.plan"]


WRONG = {
    "a cycle": (
        {
            "module_utils/_host/one.py": PURE + "from . import two\n",
            "module_utils/_host/two.py": PURE + "from .three import name\n",
            "module_utils/_host/three.py": PURE + "def late():\n    from . import one\n",
        },
        ["imports itself by way of"] * 3,
    ),
    "a cycle of types": (
        {
            "module_utils/_host/one.py": PURE + "from . import two\n",
            "module_utils/_host/two.py": PURE + "if TYPE_CHECKING:\n    from .one import One\n",
        },
        ["imports itself by way of"] * 2,
    ),
    "a host that knows the table": (
        {
            "module_utils/_host/one.py": PURE + "from .._ipvs.two import name\n",
            "module_utils/_ipvs/two.py": PURE,
        },
        ["module_utils._host.one imports module_utils._ipvs.two, which is above it"],
    ),
    "rooms that import each other": (
        {
            "plugin_utils/_one/first.py": PURE + f"{PREFIX}.plugin_utils._two import second\n",
            "plugin_utils/_two/second.py": PURE,
            "plugin_utils/_two/third.py": PURE + "from .._one import fourth\n",
            "plugin_utils/_one/fourth.py": PURE,
        },
        ["plugin_utils._one and plugin_utils._two import each other"],
    ),
    "a host that knows the controller": (
        {
            "module_utils/_host/one.py": PURE + f"{PREFIX}.plugin_utils import two\n",
            "plugin_utils/two.py": PURE,
            "modules/three.py": f"{PREFIX}.plugin_utils.two import name\n",
        },
        ["imports nothing of the controller"] * 2,
    ),
    "a controller that acts on hosts": (
        {
            "plugin_utils/one.py": f"{PREFIX}.module_utils._host import two\nfrom ansible.errors import AnsibleError\n",
            "module_utils/_host/two.py": "import os\n",
        },
        ["plugin_utils.one imports module_utils._host.two: what runs on the controller imports pure files"],
    ),
    "I/O": (
        {
            "module_utils/_host/one.py": PURE + "import subprocess\nfrom socket import AF_INET, create_connection\n",
            "module_utils/_host/two.py": PURE + "from pathlib import Path\nfrom socket import AF_INET, inet_pton\n",
            "module_utils/_host/three.py": PURE + "import os.path\n",
            "plugin_utils/four.py": "from ansible.errors import AnsibleError\nimport time\n",
        },
        ["one is pure and imports socket", "imports subprocess", "imports pathlib", "imports os.path", "imports time"],
    ),
    "Ansible and pyroute2": (
        {
            "module_utils/_host/one.py": PURE + "from ansible.module_utils.basic import AnsibleModule\n",
            "module_utils/_host/two.py": PURE + "def late():\n    from pyroute2 import IPRoute\n",
        },
        ["imports ansible.module_utils.basic", "imports pyroute2"],
    ),
    "a pure file on an impure one": (
        {"module_utils/_host/one.py": PURE + "from . import two\n", "module_utils/_host/two.py": "import os\n"},
        ["module_utils._host.one is pure and imports module_utils._host.two, which is not"],
    ),
    "a pure file that does not say so": (
        {"module_utils/_host/one.py": "import re\n"},
        ["module_utils._host.one imports nothing impure"],
    ),
    "a name that stands twice": (
        {
            "module_utils/_host/one.py": PURE,
            "plugin_utils/_cluster/one.py": PURE,
            "module_utils/_ipvs/two.py": PURE,
            "modules/two.py": "",
        },
        ["module_utils._host.one and plugin_utils._cluster.one have one name", "_ipvs.two and modules.two have one"],
    ),
    "a plugin that others import": (
        {"modules/one.py": "", "filter/two.py": f"{PREFIX}.modules.one import main\n"},
        ["filter.two imports modules.one, which is a public plugin"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_breaks_a_rule_is_found(case: str, tmp_path: Path) -> None:
    sources, expected = WRONG[case]
    for name, text in sources.items():
        path = tmp_path / "plugins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = sorted(graph.problems(graph.read_files(tmp_path)))
    assert len(found) == len(expected), found
    for part in expected:
        assert any(part in sentence for sentence in found), (part, found)


def test_the_report_names_every_private_file() -> None:
    words = set(" ".join(graph.report(FILES)).split())
    assert {file.stem for file in FILES.values() if file.kind in graph.PRIVATE} <= words
