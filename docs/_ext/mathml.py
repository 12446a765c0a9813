"""Formulas as MathML, which every browser draws by itself.

Sphinx's own ways load a script from elsewhere whenever a page is read, or need LaTeX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from latex2mathml.converter import convert

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def _inline(page: Any, node: nodes.math) -> None:
    page.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _display(page: Any, node: nodes.math_block) -> None:
    formula = convert(node.astext(), display="block")
    scrolled = "overflow-x: auto; overflow-y: hidden"
    page.body.append(f'<div style="{scrolled}">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the writer of formulas to Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
