"""The pages as Markdown beside the built ones, and `llms.txt`, which links to them.

Models read Markdown better than what a browser is given; see https://llmstxt.org.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def _copy(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    source, built = Path(app.srcdir), Path(app.outdir)
    for page in ("llms.txt", *(f"{name}.md" for name in app.env.found_docs)):
        shutil.copyfile(source / page, built / page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Copy them when the rest is built."""
    app.connect("build-finished", _copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
