# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the site of the documentation into .build/docs/html: antsibull-docs and Sphinx, with warnings as errors.

`.venv/bin/python tests/docs.py`; `make docs` and `nox -s docs` run it. antsibull-docs writes a page for each plugin and
role, and takes the pages of docs/docsite/rst along. The settings of Sphinx are in docs/sphinx.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.tree import copy_of_the_tree

SITE = ROOT / ".build" / "docs"
BIN = Path(sys.executable).parent
#: Pages of Ansible that those of plugins name: nothing on this site has these labels.
ELSEWHERE = {
    "common_return_values": "https://docs.ansible.com/projects/ansible/latest/reference_appendices/common_return_values.html"
}
#: A list of pages on the front page that antsibull-docs writes: its title, and where it begins.
LIST = re.compile(r"(?m)^(?P<title>.+)\n(?:-+|~+)\n(?P<between>(?:(?!^(?:-+|~+)$)[\s\S])*?)^\.\. toctree::\n")


def write_pages(pages: Path) -> None:
    """Write all pages as reStructuredText to a new directory."""
    pages.mkdir(parents=True)
    pages.chmod(0o700)  # antsibull-docs refuses a directory that others can write to
    options = ["--use-current", "--squash-hierarchy", "--fail-on-error", "--no-add-antsibull-docs-version"]
    with copy_of_the_tree() as (place, tree):
        command = [str(BIN / "antsibull-docs"), "collection", *options, "--dest-dir", str(pages), "lvs.cluster"]
        # It runs ansible and ansible-doc.
        path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
        env = {**os.environ, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(place)}
        subprocess.run(command, check=True, env=env)
        # antsibull-docs takes no pictures along. Pages name them by a path that holds in the tree, and here too.
        shutil.copytree(tree / "docs" / "docsite" / "images", pages / "images")
    # No plugin has environment variables, and the page names other documentation.
    (pages / "environment_variables.rst").unlink()
    for page in pages.glob("*.rst"):
        page.write_text(with_links(page.read_text(encoding="utf-8")), encoding="utf-8")
    front = pages / "index.rst"
    front.write_text(with_captions(front.read_text(encoding="utf-8")), encoding="utf-8")


def with_links(page: str) -> str:
    """Link what is not on this site by its address."""
    for label, address in ELSEWHERE.items():
        page = re.sub(rf":ref:`([^`<]+) <{label}>`", rf"`\1 <{address}>`__", page)
    return page


def with_captions(front: str) -> str:
    """Give the lists of the front page the titles above them as captions, and plugins their names as titles.

    The navigation shows both.
    """
    front = re.sub(r"(?m)^    (\w+)_(module|filter|role)$", r"    \1 <\1_\2>", front)
    return LIST.sub(lambda found: f"{found[0]}    :caption: {found['title']}\n", front)


def main() -> int:
    """Build the site, and say where it is."""
    if SITE.exists():
        shutil.rmtree(SITE)
    write_pages(SITE / "rst")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--conf-dir", str(ROOT / "docs" / "sphinx")]
    command = [str(BIN / "sphinx-build"), *options, str(SITE / "rst"), str(SITE / "html")]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        print(f"The site is {SITE / 'html' / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
