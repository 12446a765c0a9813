"""Modules, names and files that the pages mention exist."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_THERE = {
    "advisor/workloads/builtin/resnet152.toml": "the reader writes it",
    "docs/_build/html": "a build makes it",
    "models/sources/training/example-bench.csv": "the reader writes it",
    "models/contributed/NAME": "the reader makes it",
    "tests/ROOM": "ROOM stands for any",
}
"""Files that a page names and the checkout lacks, and why."""

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
IDS = [path.relative_to(ROOT).as_posix() for path in PAGES]


def spans(path: Path) -> Iterator[str]:
    """Yield what stands in code on a page: in sentences, tables and blocks."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"```[^\n]*\n(.*?)```", text, re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for block in blocks:
        yield from block.splitlines()


def named(text: str) -> Iterator[str]:
    """Yield the dotted names in a text that begin with the package's."""
    for name in re.findall(r"(?<![\w./-])advisor(?:\.[A-Za-z_]\w*)+", text):
        # Files of the user, the group of entry points and examples are named alike.
        is_file = name.endswith((".toml", ".sqlite3"))
        if not is_file and name not in {"advisor.markets", "advisor.ROOM"}:
            yield name


def exists(dotted: str) -> bool:
    """Say whether a dotted name leads to a module, or to something in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("advisor"):  # an extra is not installed
                return is_written(dotted)
            continue
        return all(
            hasattr(found, name) and (found := getattr(found, name)) is not None
            for name in parts[length:]
        )
    return False


def is_written(dotted: str) -> bool:
    """Say whether our sources have a module, or something in one or in its classes."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        source = ROOT.joinpath(*parts[:length]).with_suffix(".py")
        if source.is_file():
            break
    else:
        return False
    found: ast.AST = ast.parse(source.read_text(encoding="utf-8"))
    for name in parts[length:]:
        inner = [one for one in ast.iter_child_nodes(found) if name in defined(one)]
        if not inner:
            return False
        found = inner[0]
    return True


def defined(node: ast.AST) -> set[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.AnnAssign):
        return {ast.unparse(node.target)}
    if isinstance(node, ast.Assign):
        return {
            name for target in node.targets for name in ast.unparse(target).split(", ")
        }
    return set()


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_the_modules_on_a_page_exist(path: Path) -> None:
    """Each in code that begins with `advisor`: down to a class or a function."""
    for span in spans(path):
        for name in named(span):
            assert exists(name), name


def test_the_modules_in_docstrings_and_comments_exist() -> None:
    """Those in code of our own sources, the tests included."""
    folders = ("advisor", "benchmarks", "examples", "tests", "tools")
    for path in (one for folder in folders for one in (ROOT / folder).rglob("*.py")):
        for span in re.findall(r"`~?([^`\s]+)`", path.read_text(encoding="utf-8")):
            for name in named(span):
                assert exists(name), f"{path.relative_to(ROOT)}: {name}"


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_the_files_on_a_page_exist(path: Path) -> None:
    """Each path into a folder of the checkout."""
    folders = "advisor|benchmarks|docs|examples|fixtures|models|tests|tools"
    for span in spans(path):
        for name in re.findall(rf"(?<![\w./-])(?:{folders})/[\w./-]*\w", span):
            assert name in NOT_THERE or (ROOT / name).exists(), name


def test_what_needs_an_extra_is_looked_up_in_its_source() -> None:
    """Down to a method, also where it cannot be imported; what is not there is not."""
    assert is_written("advisor.store.archive.export")
    assert is_written("advisor.store.archive.export.export")
    assert is_written("advisor.store.archive.stored_sums.StoredSums.path")
    assert not is_written("advisor.store.archive.export.exported")
    assert not is_written("advisor.store.archive.stored_sums.StoredSums.paths")
