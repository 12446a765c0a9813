"""The examples of clusters run on a simulated market whose machines are there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.simulator.local import LocalContainers
from tests.fleet.furnished import furnished

pytestmark = pytest.mark.slow

if missing := LocalContainers.missing():
    pytest.skip(missing, allow_module_level=True)

JOB = ["--workload", "resnet50", "--epochs", "2", "--budget", "30"]
MORE: dict[str, Any] = {"settings": {"dataset_gb": 1}}


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a calm market whose machines are there; nothing may be left."""
    with furnished(tmp_path_factory.mktemp("fleet")) as opened:
        yield opened
        assert opened.instances() == []


def run(load: Any, street: Any, path: Path, *words: str) -> int:
    """Run an example as a program is run: its functions go to the machines whole."""
    module = load(path)
    for one in vars(module).values():
        if inspect.isfunction(one) and one.__module__ == module.__name__:
            one.__module__ = "__main__"
    return int(module.main([*words, *JOB], context=street.context(path.stem), **MORE))


def test_a_function_is_mapped_over_rates(
    street: Any, load: Any, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each, the best first; machines come and go with the work."""
    rates = ["0.5", "0.1", "0.02"]
    words = (*rates, "--machines", "1")
    assert run(load, street, examples / "fleet" / "rates.py", *words) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == rates
    assert [one.state for one in street.entries("rates")] == ["released"]


@pytest.mark.slow
def test_joblib_runs_its_calls_there(
    street: Any, load: Any, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the backend that joblib has for Dask."""
    words = ("--machines", "1")
    assert run(load, street, examples / "fleet" / "joblib_scores.py", *words) == 0
    assert re.fullmatch(r"error 0\.\d{4} over 5 folds\n", capsys.readouterr().out)
    assert [one.state for one in street.entries("joblib_scores")] == ["released"]


@pytest.mark.slow
def test_optuna_runs_its_trials_there(
    street: Any, load: Any, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All in one study, whose storage is Dask's scheduler."""
    pytest.importorskip("optuna_integration", reason="optuna-integration is missing")
    words = ("--machines", "1", "--trials", "4")
    with pytest.warns(match="experimental"):
        assert run(load, street, examples / "fleet" / "optuna_search.py", *words) == 0
    out = capsys.readouterr().out
    assert re.fullmatch(r"4 trials; the best: \{'rate': [0-9.e-]+\}\n", out)
    assert [one.state for one in street.entries("optuna_search")] == ["released"]
