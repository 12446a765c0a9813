"""The examples of clusters run on a simulated market whose machines are there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

JOB = ["--workload", "resnet50", "--budget", "30"]
MORE: dict[str, Any] = {"epochs": 2, "settings": {"dataset_gb": 1}}


def run(load: Any, town: Any, path: Path, *words: str) -> int:
    """Run an example as a program is run: its functions go to the machines whole."""
    module = load(path)
    for one in vars(module).values():
        if inspect.isfunction(one) and one.__module__ == module.__name__:
            one.__module__ = "__main__"
    return int(module.main([*words, *JOB], context=town.context, **MORE))


def test_a_function_is_mapped_over_rates(
    town: Any, load: Any, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each, the best first; machines come and go with the work."""
    rates = ["0.5", "0.1", "0.02"]
    words = (*rates, "--machines", "1")
    assert run(load, town, examples / "fleet" / "rates.py", *words) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == rates
    assert len(town.machines()) == 1


def test_joblib_runs_its_calls_there(
    town: Any, load: Any, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the backend that joblib has for Dask."""
    words = ("--machines", "1")
    assert run(load, town, examples / "fleet" / "joblib_scores.py", *words) == 0
    assert re.fullmatch(r"error 0\.\d{4} over 5 folds\n", capsys.readouterr().out)
    assert len(town.machines()) == 1


def test_optuna_runs_its_trials_there(
    town: Any, load: Any, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All in one study, whose storage is Dask's scheduler."""
    pytest.importorskip("optuna_integration", reason="optuna-integration is missing")
    words = ("--machines", "1", "--trials", "4")
    with pytest.warns(match="experimental"):
        assert run(load, town, examples / "fleet" / "optuna_search.py", *words) == 0
    out = capsys.readouterr().out
    assert re.fullmatch(r"4 trials; the best: \{'rate': [0-9.e-]+\}\n", out)
    assert len(town.machines()) == 1
