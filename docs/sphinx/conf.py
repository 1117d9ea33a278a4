# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Sphinx for the site that `make docs` builds; tests/docs.py writes its pages."""

from __future__ import annotations

from pathlib import Path

import yaml

GALAXY = yaml.safe_load((Path(__file__).resolve().parents[2] / "galaxy.yml").read_text(encoding="utf-8"))

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
copyright = "2026 The lvs.cluster authors"  # noqa: A001  # the name that Sphinx reads
version = release = GALAXY["version"]

extensions = ["sphinx_antsibull_ext"]
# Nothing may refer to what is not on the site.
nitpicky = True
default_role = "any"

pygments_style = "ansible"
highlight_language = "YAML+Jinja"

html_theme = "sphinx_ansible_theme"
html_title = html_short_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
html_theme_options = {"collapse_navigation": True, "navigation_depth": 2, "titles_only": True, "display_version": False}
