"""How Sphinx builds these pages: Markdown by MyST, docstrings by numpydoc."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import advisor  # noqa: E402  (of this checkout)

project = "advisor"
author = "the advisor developers"
project_copyright = "the advisor developers, Apache-2.0"
release = version = advisor.__version__

extensions = ["for_models", "mathml", "myst_parser", "numpydoc", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3

# What a class holds is said in its docstring; a second list of it says nothing.
numpydoc_show_class_members = False
autodoc_typehints = "none"  # the signature has them
autodoc_member_order = "bysource"
toc_object_entries = False

smartquotes = False  # what is quoted is typed

html_theme = "furo"
# Output of a terminal of 100 columns fits the page.
html_theme_options = {"light_css_variables": {"code-font-size": "0.72rem"}}
html_title = f"advisor {release}"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
