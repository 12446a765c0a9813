"""`advisor sweep plan`: the table, the document, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.app.sweep import SweepSpec
from advisor.app.sweep_plan import SweepPlan
from advisor.base.errors import ExitStatus
from advisor.report.sweep import _share

SWEEP = """
market = "sample"
command = "python train.py --rate {rate} --out {results}"
[job]
workload = "resnet18"
epochs = 5
[grid]
rate = [0.1, 0.03, 0.01, 0.003, 0.001]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return the path of a sweep of five jobs."""
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP, encoding="utf-8")
    return str(path)


def test_the_plan_is_shown(advisor: Callable[..., Any], file: str) -> None:
    """Machines, the gap to the least possible, what is saved, other deadlines."""
    done = advisor("sweep", "plan", file, "--deadline", "12h", "--budget", "20")
    assert done.exit_code == 0, done.stderr
    assert "5 jobs on" in done.stderr
    assert "with a probability of" in done.stderr
    for words in ("least possible", "% above it", "one machine per job", "this plan"):
        assert words in done.stdout


def test_no_line_is_wider_than_the_terminal(
    advisor: Callable[..., Any], file: str
) -> None:
    """Columns make room; what has none is said."""
    done = advisor("sweep", "plan", file, variables={"COLUMNS": "60"})
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "too wide for this terminal" in done.stderr


def test_the_document_can_be_read_again(
    advisor: Callable[..., Any], conforms: Callable[[str, Any], None], file: str
) -> None:
    """It is as its schema says, and both of its parts are read."""
    done = advisor("sweep", "plan", file, "--deadline", "12h", "--json")
    assert done.exit_code == 0, done.stderr
    conforms("sweep-plan", done.document)
    plan = SweepPlan.from_document(done.document["plan"])
    spec = SweepSpec.from_document(done.document["sweep"])
    assert plan.jobs == done.document["jobs"] == 5
    assert plan.deadline_h == 12.0
    assert spec.deadline_s == 12 * 3600.0


def test_an_impossible_deadline_ends_with_3(
    advisor: Callable[..., Any], file: str
) -> None:
    """And says which one is possible, in the words of the command line."""
    done = advisor("sweep", "plan", file, "--deadline", "5m", "--json")
    assert done.exit_code == ExitStatus.NOTHING_FITS
    assert "--deadline (0.0833 h)" in done.stderr
    assert "allow" in done.stderr


def test_a_budget_too_small_ends_with_6(advisor: Callable[..., Any], file: str) -> None:
    """And says what would do."""
    done = advisor("sweep", "plan", file, "--budget", "0.1")
    assert done.exit_code == ExitStatus.OVER_BUDGET
    assert "--budget ($0.10): allow $" in done.stderr


def test_a_template_without_its_variables_ends_with_2(
    advisor: Callable[..., Any], file: str, tmp_path: Path
) -> None:
    """Results that collide, too."""
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP.replace("{rate}", "0.1"), encoding="utf-8")
    done = advisor("sweep", "plan", file)
    assert done.exit_code == ExitStatus.USAGE
    assert "write {rate} into it" in done.stderr
    path.write_text(f'results = "out"\n{SWEEP}', encoding="utf-8")
    done = advisor("sweep", "plan", file)
    assert done.exit_code == ExitStatus.USAGE
    assert "would hold results of the job" in done.stderr


def test_a_saved_market_is_rehearsed_on(
    advisor: Callable[..., Any], file: str, tmp_path: Path
) -> None:
    """`--market FILE` goes before the file's own."""
    saved = tmp_path / "small.json.gz"
    assert advisor("sample", "-o", str(saved), "--offers", "30").exit_code == 0
    done = advisor("sweep", "plan", file, "--market", str(saved))
    assert done.exit_code == 0, done.stderr
    assert "30 offers" in done.stderr


def test_no_plan_is_told_as_certain() -> None:
    """A deadline that is far away is kept nearly, never surely."""
    assert (_share(0.9), _share(0.986), _share(1.0)) == ("90 %", "99 %", "over 99 %")
