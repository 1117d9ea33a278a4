# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Sphinx for the site that `make docs` builds. The pages come from antsibull-docs, see noxfile.py."""

from __future__ import annotations

from pathlib import Path

import yaml

GALAXY = yaml.safe_load((Path(__file__).resolve().parents[2] / "galaxy.yml").read_text(encoding="utf-8"))

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
copyright = "2026 The lvs.cluster authors"  # noqa: A001  # the name that Sphinx reads
version = release = GALAXY["version"]

extensions = ["sphinx_antsibull_ext"]
# What does not resolve is an error: nothing on the site points to another one by a reference.
nitpicky = True
# antsibull-docs links option types and general concepts to the documentation of Ansible, which is not built here.
nitpick_ignore_regex = [("std:ref", r"ansible_collections\.ansible\..*"), ("std:ref", r"(?!ansible_collections\.).*")]
default_role = "any"

pygments_style = "ansible"
highlight_language = "YAML+Jinja"

html_theme = "alabaster"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "description": GALAXY["description"],
    "fixed_sidebar": True,
    "page_width": "1200px",
    "sidebar_width": "260px",
    "sidebar_collapse": True,
}
