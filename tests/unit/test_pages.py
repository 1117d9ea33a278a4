# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README and the pages: short enough to read, complete where they list something, and without dead links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.lvs.cluster.tests.supported import ANSIBLE_CORE, numbers

ROOT = Path(__file__).resolve().parents[2]
RST = ROOT / "docs" / "docsite" / "rst"
PAGES = sorted(RST.rglob("*.rst"))
MARKDOWN = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md")]
MARKDOWN += sorted(ROOT.glob("roles/*/README.md"))
#: An example to start from, which the page on layer 7 explains.
EXAMPLE = "example_layer7"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*MARKDOWN, *PAGES], ids=name_of)
def test_lines_are_short(path: Path) -> None:
    """Rows of Markdown tables cannot be broken."""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    assert [number for number, line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_long_page_has_a_table_of_contents(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300 or ".. contents::" in text


def names(pattern: str) -> set[str]:
    return {path.stem for path in ROOT.glob(pattern)}


def test_the_readme_lists_playbooks_roles_and_modules() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`lvs\.cluster\.([a-z_0-9]+)`", rows)) == (names("playbooks/*.yml") - {EXAMPLE}) | names(
        "roles/*"
    )
    assert set(re.findall(r"`([a-z_]+)`", rows)) == names("plugins/modules/*.py")


def test_the_reference_lists_every_plugin() -> None:
    text = (RST / "reference" / "plugins.rst").read_text(encoding="utf-8")
    patterns = {"role": "roles/*", "module": "plugins/modules/*.py", "filter": "plugins/filter/[a-z]*.yml"}
    for kind, pattern in patterns.items():
        assert set(re.findall(rf":ansplugin:`lvs\.cluster\.([a-z_]+)#{kind}`", text)) == names(pattern), kind


def test_the_reference_has_every_playbook() -> None:
    text = (RST / "reference" / "playbooks.rst").read_text(encoding="utf-8")
    titles = re.findall(r"(?m)^(lvs\.cluster\..*)\n-+$", text)
    assert {name.removeprefix("lvs.cluster.") for title in titles for name in title.split(", ")} == names(
        "playbooks/*.yml"
    )


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_pictures_exist(path: Path) -> None:
    pictures = re.findall(r"\.\. image:: (\S+)", path.read_text(encoding="utf-8"))
    assert [one for one in pictures if not (path.parent / one).is_file()] == []


def test_the_site_has_every_page() -> None:
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    listed = [page for section in sections for page in section["toctree"]]
    assert sorted(listed) == sorted(str(path.relative_to(RST).with_suffix("")) for path in PAGES)


def test_github_checks_every_supported_python() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]
    pythons = sorted({python for pythons in ANSIBLE_CORE.values() for python in pythons}, key=numbers)
    assert jobs["check"]["strategy"]["matrix"]["python"] == pythons
    first = {pythons[0] for pythons in ANSIBLE_CORE.values()}
    (setup,) = [step for step in jobs["matrix"]["steps"] if step.get("uses", "").startswith("actions/setup-python")]
    assert set(setup["with"]["python-version"].split()) == first
