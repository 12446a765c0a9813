"""The CPU evaluation: what it holds out stays out, and what it reaches is pinned."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.constants import read_constants
from advisor.hardware.core_speed import CpuConstants
from advisor.hardware.cpus import load_cpus
from advisor.training.evaluate.cpu import evaluate_cpu, evaluate_decode, evaluate_pairs
from advisor.training.fit.constants import INPUT_PIPELINE
from advisor.training.fit.cpu_tables import load_cpu_tables

CPUS = load_cpus()
TABLES = load_cpu_tables(models_folder())
KEYS = {"mape", "median_ape", "p90_ape", "coverage90", "n", "baselines"}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    """Return the evaluation of the tables that ship."""
    return evaluate_cpu(TABLES, CPUS)


@pytest.mark.parametrize(
    ("split", "most", "rows"),
    [
        ("cpu_decode", 0.12, 99),
        ("synergy_prior", 0.12, 48),
        ("synergy_one_point", 0.08, 56),
        ("real_synthetic", 0.055, 168),
    ],
)
def test_errors_stay_below_what_is_asked(
    found: dict[str, Any], split: str, most: float, rows: int
) -> None:
    """Mean errors of what was held out, on all rows that count."""
    assert set(found[split]) >= KEYS
    assert found[split]["mape"] < most
    assert found[split]["n"] == rows
    assert 0.0 <= found[split]["coverage90"] <= 1.0


@pytest.mark.parametrize(
    ("split", "baseline"),
    [
        ("cpu_decode", "passmark"),
        ("cpu_decode", "nothing"),
        ("cpu_decode", "nominal_clock"),
        ("synergy_prior", "gpu_alone"),
        ("synergy_prior", "hard_minimum"),
        ("synergy_one_point", "gpu_alone"),
        ("real_synthetic", "synthetic"),
    ],
)
def test_baselines_are_beaten(found: dict[str, Any], split: str, baseline: str) -> None:
    """On the same rows each of these baselines errs more."""
    beside = found[split]["baselines"][baseline]
    assert beside["n"] == found[split]["n"]
    assert found[split]["mape"] < beside["mape"]


def test_nothing_is_evaluated_that_was_given(found: dict[str, Any]) -> None:
    """Eight of nine points of a curve, seven where the first one was given."""
    for split, points in (("synergy_prior", 8), ("synergy_one_point", 7)):
        sizes = {part["n"] for part in found[split]["by_model"].values()}
        assert sizes == {points}
    assert found["cpu_decode"]["with_doubtful_rows"]["n"] == 101


@pytest.mark.slow
def test_a_cpu_does_not_train_its_own_prediction() -> None:
    """Twice the rates of one CPU halve its predictions over measurements, exactly."""
    name = "Intel Xeon Platinum 8124M"
    twice = np.where(TABLES.decode.cpu == name, 2.0, 1.0)
    other = dataclasses.replace(TABLES.decode, rate=TABLES.decode.rate * twice)
    before, after = (
        evaluate_decode(rates, CPUS)["by_cpu"][name]["mape"]
        for rates in (TABLES.decode, other)
    )
    assert before < 0.1
    assert after == pytest.approx(0.5, abs=0.05)


def test_a_host_does_not_train_its_own_prediction() -> None:
    """Half the real rates of one host leave what is predicted of it."""
    name = "Intel Core i7-6850K"
    speed = read_constants(CpuConstants, INPUT_PIPELINE)
    half = np.where(TABLES.pairs.host == name, 0.5, 1.0)
    pairs = dataclasses.replace(TABLES.pairs, real=TABLES.pairs.real * half)
    other = dataclasses.replace(TABLES, pairs=pairs)
    before, after = (
        evaluate_pairs(tables, CPUS, speed)["by_host"][name] for tables in (TABLES, other)
    )
    # Most predictions are within 2 % of the rate: of half of it they are twice.
    assert before["median_ape"] < 0.03
    assert after["median_ape"] == pytest.approx(1.0, abs=0.06)
