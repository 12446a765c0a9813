"""The numbers of rows in ``models/sources/README.md``, which lists the sources.

A folder counts as one subject: its files' rows together.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from advisor.base.errors import UsageError
from sources import ROOT, SOURCES, Texts

README = "models/sources/README.md"
LINE = re.compile(r"^\| `(\S+)` \| [\d,]+ \|", re.MULTILINE)


def rows(path: Path) -> int:
    """Return the rows of a file, or of the files in a folder."""
    files = sorted(path.glob("*.csv*")) if path.is_dir() else [path]
    return sum(len(pd.read_csv(file, usecols=[0])) for file in files)


def build() -> Texts:
    """Return the list with the rows there are.

    Raises
    ------
    UsageError
        if it lacks a file, or has one that is not there
    """
    text = (ROOT / README).read_text(encoding="utf-8")
    listed = set(LINE.findall(text))
    there = {
        path.name + "/" * path.is_dir()
        for path in SOURCES.iterdir()
        if path.is_dir() or ".csv" in path.suffixes
    }
    if wrong := sorted(listed ^ there):
        says = "lists no" if wrong[0] in there else "lists what is not there:"
        message = f"{README} {says} {wrong[0]}"
        raise UsageError(message)
    text = LINE.sub(lambda line: f"| `{line[1]}` | {rows(SOURCES / line[1]):,} |", text)
    return {README: text}
