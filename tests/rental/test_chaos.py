"""Renting withstands chaos: dozens of what the benchmark plays by the thousand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHAOS = ROOT / "benchmarks" / "chaos.py"
SEED = "20261128"


def played(*words: str) -> str:
    """Return what the harness says, which must be that nothing is broken."""
    done = subprocess.run(
        [sys.executable, str(CHAOS), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    return done.stdout


def test_no_promise_is_broken_in_random_schedules() -> None:
    """Up to three launchers, two computers, a market and disks that fail, signals."""
    said = played("--schedules", "36", "--seed", SEED)
    assert " 0 broken" in said
    assert " exit 0" in said


def test_no_promise_is_broken_by_a_signal_at_lines_all_over_rent() -> None:
    """INT, TERM and HUP; `--every 1` of the benchmark takes each line."""
    assert " signals" in played("--signals", "--every", "601")


@pytest.mark.parametrize("part", ["1", "3"])
def test_no_promise_is_broken_by_faults_all_over_the_ledger(part: str) -> None:
    """In statements and, where strace is there, in the system calls that write.

    Two of the four quarters: the benchmark plays all.
    """
    assert "class commits" in played("--syscalls", "--every", "23", "--part", part, "4")
