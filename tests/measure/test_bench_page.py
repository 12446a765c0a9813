"""docs/bench.md names every line that a bench prints."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOST = ("core.py", "cores.py", "disk.py", "download.py", "feeding.py", "host.py")
NAME = re.compile(r"[a-z]+(?:\.[a-z]+)+")
LINES = ("core.", "cores.", "decode.", "disk.", "host.", "net.", "tokenize.")

WORDS = {"LIBRARY": "pillow", "wN": "w8", "N": "1"}


def documented() -> set[str]:
    """Return the names in the page's tables, with something in place of its capitals."""
    page = (ROOT / "docs/bench.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    for word, stands_for in WORDS.items():
        names = {re.sub(rf"\b{word}\b", stands_for, name) for name in names}
    return names


def written() -> set[str]:
    """Return the names in the modules that measure the host."""
    names = set()
    for module in HOST:
        path = ROOT / "advisor/measure/probe" / module
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = NAME.fullmatch(node.value)
                if found and node.value.startswith(LINES):
                    names.add(node.value)
    return names


def test_every_line_of_the_host_is_documented() -> None:
    """A name that a program reads is one that somebody can look up."""
    assert len(written()) > 10
    assert written() <= documented()


@pytest.mark.parametrize(
    "name", ["decode.pillow.core", "decode.pillow.w8", "decode.pillow.w8.core"]
)
def test_names_that_are_put_together_are_documented(name: str) -> None:
    """Of a library and a number of workers."""
    assert name in documented()
