"""The pages say what the program does now; `python docs/generate.py` writes them anew."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written() -> dict[str, tuple[Path, str]]:
    """Return each generated page with what it should be."""
    spec = importlib.util.spec_from_file_location(
        "generate", ROOT / "docs" / "generate.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    return {path.name: (path, text) for path, text in module.pages()}


@pytest.mark.parametrize(
    "name", ["commands.md", "documents.md", "python.md", "tutorial.md", "README.md"]
)
def test_a_page_is_as_the_program_writes_it(
    written: dict[str, tuple[Path, str]], name: str
) -> None:
    """Options, keys, names, and what the commands print; run docs/generate.py if not."""
    path, text = written[name]
    assert path.read_text(encoding="utf-8") == text
    assert "Traceback" not in text


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "docs" / "tutorial.md"])
def test_what_is_shown_fits_the_page(path: Path) -> None:
    """No line of code or output is wider than 100 characters, but for what is a link."""
    for line in path.read_text(encoding="utf-8").splitlines():
        assert len(line) <= 100 or "](" in line, line


def test_links_between_pages_lead_somewhere() -> None:
    """Also from the README, which Sphinx does not read."""
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
