"""Rebuild the tables that are compiled from ``models/sources``, or check them.

Usage: ``python tools/rebuild.py [--check] [TABLES ...]``

Without names all tables are rebuilt, those first that others are compiled from. With
``--check`` nothing is written: what the sources give is compared with what the checkout
has, text exactly and numbers within 1e-9; the files that differ are named, and the exit
code is 1. A table that rests on another is compiled from the one in the checkout, which
is the same where that one passed. The artifact is no table: ``advisor model train``
writes it.
"""

from __future__ import annotations

import argparse
import importlib
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

# Tables are compiled by the checkout that they lie in, whatever else is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from advisor.base.errors import AdvisorError
from sources import ROOT, Texts

TABLES = {
    "gpus": "compile_gpus",
    "cpus": "compile_cpus",
    "benchmarks": "compile_benchmarks",
    "auxiliary": "compile_auxiliary",
    "cpu-rates": "compile_cpu_rates",
    "allreduce": "compile_allreduce",
    "offers": "compile_offers",
    "components": "compile_components",
    "row-use": "compile_row_use",
    "market": "compile_market",
    "profiles": "builtin_profiles",
    "readme": "compile_readme",
}
"""What can be asked for -> the module whose `build` gives its files, in their order."""

TOLERANCE = 1e-9
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")


def same(ours: str, theirs: str) -> bool:
    """Say whether two texts are equal but for the last digits of their numbers."""
    if ours == theirs:
        return True
    if NUMBER.split(ours) != NUMBER.split(theirs):
        return False
    pairs = zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True)
    return all(
        a == b or math.isclose(float(a), float(b), rel_tol=TOLERANCE) for a, b in pairs
    )


def shipped(path: str) -> str:
    """Return the text of a file of the checkout; empty where there is none."""
    file = ROOT / path
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def build(name: str) -> Texts:
    """Return the files of one of `TABLES`."""
    texts: Texts = importlib.import_module(TABLES[name]).build()
    return texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; write or compare.

    Returns
    -------
    0; 1 if a file differs; the exit code of the error that a source file is at fault for
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", metavar="TABLES", help=", ".join(TABLES))
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    given = parser.parse_args(arguments)
    if unknown := set(given.tables) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))}; {', '.join(TABLES)}")
    differs = False
    try:
        for name in (name for name in TABLES if name in (given.tables or TABLES)):
            for path, text in build(name).items():
                equal = same(text, shipped(path))
                if not equal and not given.check:
                    (ROOT / path).write_text(text, encoding="utf-8", newline="\n")
                print(f"{name:10} {path}: {_says(equal, given.check)}", flush=True)
                differs |= not equal
    except AdvisorError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_status)
    return int(differs and given.check)


def _says(equal: bool, check: bool) -> str:
    if equal:
        return "as it is"
    return "differs" if check else "written"


if __name__ == "__main__":
    sys.exit(main())
