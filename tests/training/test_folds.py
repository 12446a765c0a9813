"""`advisor model evaluate` runs as many folds as asked, and tells how many are done."""

from __future__ import annotations

import io

import joblib
import pytest

from advisor.base.parallel import each
from advisor.cli.parallel import in_parallel
from advisor.cli.progress import Line


def test_a_terminal_shows_what_is_held_out_and_how_much_is_done() -> None:
    """One bar after the other, also of folds that run in other processes."""
    terminal, passed = io.StringIO(), iter(range(100))
    line = Line(terminal, lambda: float(next(passed)))
    with in_parallel(2, None):
        for what in ("GPUs", "regressors"):
            assert each(what, abs, [(-1,), (-2,)], line) == [1, 2]
    texts = [text.rstrip() for text in terminal.getvalue().split("\r") if text.strip()]
    none, half = "-" * 20, "#" * 10 + "-" * 10
    assert texts == [
        f"GPUs [{none}] 0 of 2 fits",
        f"GPUs [{half}] 1 of 2 fits",
        f"regressors [{none}] 0 of 2 fits",
        f"regressors [{half}] 1 of 2 fits",
    ]


@pytest.mark.parametrize(("asked", "jobs"), [(3, 3), (None, joblib.cpu_count())])
def test_as_many_folds_run_at_once_as_were_asked_for(
    asked: int | None, jobs: int
) -> None:
    """One per core unless something else is said, inside the block alone."""
    with in_parallel(asked, None):
        assert joblib.Parallel().n_jobs == jobs
    assert joblib.Parallel().n_jobs in (None, 1)
