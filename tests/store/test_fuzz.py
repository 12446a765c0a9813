"""Files that are wrong: `benchmarks/fuzz.py`, with a few hundred of each kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ledger", "job", "profile"])
def test_nothing_ends_in_a_traceback_and_nothing_is_lost(kind: str) -> None:
    """Whatever is wrong with a file."""
    words = [sys.executable, str(FUZZ), "--kind", kind, "--count", "300", "--seed", "7"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kind}: 300 files wronged" in done.stdout
    assert "300 refused" not in done.stdout
    assert " 0 faults" in done.stdout


@pytest.mark.parametrize("kind", ["ledger", "job", "profile"])
def test_each_kind_of_file_can_be_wronged(kind: str) -> None:
    """A handful, so that every run of the tests goes through it."""
    words = [sys.executable, str(FUZZ), "--kind", kind, "--count", "12"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
