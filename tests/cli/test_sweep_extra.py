"""Where the extra for sweeps is not installed, they say so."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

_HIDDEN = """\
import sys, importlib.util
found = importlib.util.find_spec
absent = {"cryptography", "dask", "distributed", "rich"}
importlib.util.find_spec = lambda name, *more: (
    None if name in absent else found(name, *more)
)
sys.modules |= dict.fromkeys(absent)
from advisor.cli.main import run
sys.exit(run(sys.argv[1:]))
"""
"""A process in which those cannot be imported."""


@pytest.mark.parametrize(
    "words", [("run", "sweep.toml", "--yes"), ("resume", "s", "--yes"), ("stop", "s")]
)
def test_one_line_says_what_to_install(words: tuple[str, ...]) -> None:
    """No traceback; nothing was asked of a market."""
    done = subprocess.run(
        [sys.executable, "-c", _HIDDEN, "sweep", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("advisor: sweeps are carried out by Dask: ")
    assert "[fleet]" in line
